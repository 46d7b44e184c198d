"""`edgewright device list | show | probe | check | prepare | clean | parity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import Artifact, AsJson, OnDevice, Seed
from edgewright.pipeline.tabulate import columns

app = typer.Typer(
    help="Device profiles, what a device is, and getting one ready over ssh.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Name = Annotated[
    str, typer.Argument(help="A device's name or alias, or a path to a profile.", show_default=False)
]


@app.command("list")
def list_devices(as_json: AsJson = False) -> None:
    """List the device profiles that are found here."""
    from edgewright.devices.profile import list_profiles

    profiles = list_profiles()
    rows = [(p.name, p.alias or "", p.kind, p.runtime, "+".join(p.precisions), p.reach) for p in profiles]
    Console(as_json).result(
        [p.to_json() for p in profiles],
        columns(rows, ("device", "alias", "kind", "runtime", "precisions", "reach")),
    )


@app.command()
def show(name: _Name, as_json: AsJson = False) -> None:
    """Show a device profile, with the source of each vendor figure."""
    from edgewright.devices.profile import DeviceProfile

    profile = DeviceProfile.find(name)
    value = profile.to_json()
    Console(as_json).result(value, "\n".join(_lines(value)))


@app.command()
def probe(
    name: Annotated[
        str | None, typer.Argument(help="A device; this machine where none is given.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fingerprint a device: CPU, caches, clocks, accelerators, runtimes."""
    if name is None:
        from edgewright.devices.probe import probe as probe_machine

        value = probe_machine().to_json()
    else:
        from edgewright.pipeline.devices import probe_device

        value = probe_device(name).to_json()
    Console(as_json).result(value, "\n".join(_lines(value)))


@app.command()
def check(name: _Name, as_json: AsJson = False) -> None:
    """Say what keeps a device from being measured: connection, Python, runtime, disk, heat, lock."""
    from edgewright.pipeline.devices import check_device

    found = check_device(name)
    rows = [(f.name, f.status, f"{f.found}{f'; {f.mend}' * bool(f.mend)}") for f in found.findings]
    Console(as_json).result(found.to_json(), columns(rows, ("of " + found.device, "", "")), found.require)


@app.command()
def prepare(
    name: _Name,
    version: Annotated[
        str | None,
        typer.Option(
            "--runtime-version",
            help="Of the runtime's package; the one installed here, else the newest.",
            show_default=False,
        ),
    ] = None,
    package: Annotated[
        str | None, typer.Option(help="That brings the runtime, e.g. tflite-runtime.", show_default=False)
    ] = None,
    wheels: Annotated[
        Path | None, typer.Option(help="Folder of wheels to install from, instead of pip's index.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Install a device's runtime over ssh from wheels fetched here; the device needs no internet."""
    from edgewright.pipeline.devices import prepare_device

    console = Console(as_json)
    done = prepare_device(name, package=package, version=version, wheels=wheels, progress=console)
    sent = f"{len(done.wheels)} wheels, {done.bytes / 1e6:.0f} MB" if done.wheels else "it was there already"
    console.result(
        {"device": name, **done._asdict(), "wheels": list(done.wheels)},
        f"{name} has {done.version} in {done.folder} ({sent})",
    )


@app.command()
def clean(name: _Name, as_json: AsJson = False) -> None:
    """Delete the artifacts that a device behind ssh keeps."""
    from edgewright.pipeline.devices import clean_device

    n, freed = clean_device(name)
    Console(as_json).result(
        {"device": name, "files": n, "bytes": freed}, f"{name}: {n} files deleted, {freed / 1e6:.1f} MB"
    )


@app.command()
def parity(
    artifact: Artifact,
    device: OnDevice,
    n: Annotated[int, typer.Option("--inputs", min=1, max=1000, help="Random inputs to compare.")] = 4,
    limit: Annotated[
        float, typer.Option(min=0.0, help="Largest difference, over the outputs' range.")
    ] = 1e-5,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Compare what a compiled network computes on a device with what it computes here."""
    from edgewright.pipeline.devices import device_parity

    console = Console(as_json)
    found = device_parity(artifact, device, n=n, seed=seed, limit=limit, progress=console)
    console.result(found.to_json(), found.text(), found.require)


def _lines(value: dict[str, object], indent: str = "") -> list[str]:
    lines = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            lines += [f"{indent}{key}:", *_lines(item, indent + "  ")]
        elif isinstance(item, (list, tuple)):
            lines.append(f"{indent}{key}: {' '.join(map(str, item))}")
        else:
            lines.append(f"{indent}{key}: {item}")
    return lines
