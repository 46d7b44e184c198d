"""`edgewright device list | show | probe`."""

from __future__ import annotations

from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import AsJson
from edgewright.pipeline.tabulate import columns

app = typer.Typer(
    help="Device profiles, and what this machine is.", no_args_is_help=True, rich_markup_mode=None
)


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
def show(
    name: Annotated[
        str, typer.Argument(help="A device's name or alias, or a path to a profile.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Show a device profile, with the source of each vendor figure."""
    from edgewright.devices.profile import DeviceProfile

    profile = DeviceProfile.find(name)
    value = profile.to_json()
    Console(as_json).result(value, "\n".join(_lines(value)))


@app.command()
def probe(as_json: AsJson = False) -> None:
    """Fingerprint this machine: CPU, caches, clocks, accelerators, runtimes."""
    from edgewright.devices.probe import probe as probe_machine

    value = probe_machine().to_json()
    Console(as_json).result(value, "\n".join(_lines(value)))


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
