"""Device profiles: TOML files that say how a target is driven and what its vendor states of it.

Format history of ``device_profiles/<name>.toml``:

* schema 1: ``schema name alias? kind runtime precisions threads reach python? emulated?
  compute_capability? description``, a table ``[gates]`` and one table ``[figures.<figure>]`` with
  ``value`` and ``source`` for each vendor figure. Unknown keys are refused. ``reach`` is ``local``,
  ``none`` or ``ssh://[user@]host[:port]``. ``affinity?`` is a list of processor numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgewright.devices.affinity import MAX_CPU
from edgewright.devices.reach import SshAddress
from edgewright.errors import MissingExtraError, ProfileError

SCHEMA = 1
KINDS = ("cpu", "gpu", "raspberry-pi", "jetson")
RUNTIMES = ("onnxruntime", "litert", "tensorrt", "tensorrt-rtx")
PRECISIONS = ("fp32", "fp16", "int8")
REACHES = ("local", "none")
MAX_THREADS = 1024

_REQUIRED = ("schema", "name", "kind", "runtime", "precisions", "threads", "reach", "description")
_OPTIONAL = ("alias", "python", "emulated", "affinity", "compute_capability", "gates", "figures")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_PYTHON = re.compile(r"[A-Za-z0-9_.+/][A-Za-z0-9_.+/-]*")  # nothing that a shell would read


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that the vendor states.

    Attributes:
        value: a number in the unit of the figure's name, or text.
        source: page or data sheet that states it.
    """

    value: int | float | str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Conditions under which measuring may begin; ``None`` asks nothing.

    Attributes:
        max_temperature_c: hottest sensor in degrees Celsius.
        governor: name of the CPU frequency governor.
        max_load: one-minute load average for each core.
    """

    max_temperature_c: float | None = None
    governor: str | None = None
    max_load: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """A target: how it is driven and what its vendor promises.

    What we measured on it is in ``latency_tables/``.

    Attributes:
        name: file name without suffix.
        alias: short name for budgets (``pi5=20ms``); empty without one.
        kind: one of :data:`KINDS`.
        runtime: key of the backend registry.
        precisions: what the runtime may be asked for on this device, best supported first.
        threads: that an inference uses.
        affinity: numbers of the processors that measurements are pinned to; empty leaves it to the kernel.
        reach: ``local`` for this machine, ``ssh://[user@]host[:port]`` for one that OpenSSH reaches,
            ``none`` for a device that is not attached.
        python: interpreter on a device behind ssh, 3.10 or newer.
        emulated: whether the device only stands in for another, so that its latencies mean nothing;
            what the device itself shows of an emulator counts too.
        compute_capability: of an NVIDIA GPU, ``"8.9"``; empty elsewhere or where not fixed.
        description: one line for lists.
        gates: entry conditions of a measurement.
        figures: vendor figures by name; the unit is part of the name.
        path: file that it was read from.
    """

    name: str
    alias: str = ""
    kind: str
    runtime: str
    precisions: tuple[str, ...]
    threads: int
    reach: str
    python: str = "python3"
    emulated: bool = False
    affinity: tuple[int, ...] = ()
    compute_capability: str = ""
    description: str = ""
    gates: Gates = Gates()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    path: Path = Path()

    @property
    def is_local(self) -> bool:
        """Whether measurements run on this machine."""
        return self.reach == "local"

    @property
    def ssh(self) -> SshAddress | None:
        """Where OpenSSH finds the device; ``None`` unless it is reached so."""
        return SshAddress.parse(self.reach)

    @property
    def ram_bytes(self) -> int | None:
        """Main memory, or that of the GPU, as the vendor states it."""
        figure = self.figures.get("ram_bytes")
        return None if figure is None else int(figure.value)

    def to_json(self) -> dict[str, Any]:
        """Return the profile as JSON values, without its path."""
        gates = {name: getattr(self.gates, name) for name in Gates.__dataclass_fields__}
        return {
            "name": self.name,
            "alias": self.alias,
            "kind": self.kind,
            "runtime": self.runtime,
            "precisions": list(self.precisions),
            "threads": self.threads,
            "reach": self.reach,
            "python": self.python,
            "emulated": self.emulated,
            "affinity": list(self.affinity),
            "compute_capability": self.compute_capability,
            "description": self.description,
            "gates": {name: value for name, value in gates.items() if value is not None},
            "figures": {k: {"value": f.value, "source": f.source} for k, f in self.figures.items()},
        }

    @classmethod
    def load(cls, path: Path) -> DeviceProfile:
        """Read a profile. Raises ``ProfileError`` that names every fault of the file at once."""
        data = _read_toml(path)
        faults = [f"unknown key {key!r}" for key in data if key not in _REQUIRED + _OPTIONAL]
        faults += [f"missing key {key!r}" for key in _REQUIRED if key not in data]
        faults += _scalar_faults(data, path.stem)
        gates, gate_faults = _read_gates(data.get("gates", {}))
        figures, figure_faults = _read_figures(data.get("figures", {}))
        if faults := faults + gate_faults + figure_faults:
            raise ProfileError(
                f"device profile {path}: {'; '.join(faults)}; see `edgewright device show "
                "local-cpu-onnxruntime` for a profile that is right"
            )
        return cls(
            name=data["name"],
            alias=data.get("alias", ""),
            kind=data["kind"],
            runtime=data["runtime"],
            precisions=tuple(data["precisions"]),
            threads=data["threads"],
            reach=data["reach"],
            python=data.get("python", "python3"),
            emulated=data.get("emulated", False),
            affinity=tuple(data.get("affinity", ())),
            compute_capability=data.get("compute_capability", ""),
            description=data["description"],
            gates=gates,
            figures=figures,
            path=path,
        )

    @classmethod
    def find(cls, name_or_path: str | Path) -> DeviceProfile:
        """Return the profile of a path, a name or an alias.

        A text with a separator or ending in ``.toml`` is a path. A name is looked up in
        ``./device_profiles`` and then among the profiles that edgewright ships.

        Raises:
            ProfileError: nothing has that name (the known ones are listed), or the file is faulty.
        """
        text = str(name_or_path)
        if text.endswith(".toml") or "/" in text or "\\" in text:
            return cls.load(Path(text))
        files = dict(_profile_files())
        if text in files:
            return cls.load(files[text])
        for file in files.values():
            try:
                profile = cls.load(file)
            except ProfileError:
                continue  # a faulty neighbour must not hide a device that is right
            if profile.alias and profile.alias == text:
                return profile
        raise ProfileError(
            f"unknown device {text!r}; known devices: {', '.join(sorted(files)) or 'none'}; "
            "a path to a profile is accepted too"
        )


def profile_folders() -> tuple[Path, ...]:
    """Return the folders that are searched: ``./device_profiles``, then what edgewright ships."""
    package = Path(__file__).resolve().parents[1]
    # An installed wheel carries the profiles; a source tree keeps them at its root.
    shipped = (package / "device_profiles", package.parents[1] / "device_profiles")
    folders = [Path("device_profiles"), *shipped]
    found: dict[Path, Path] = {}
    for folder in folders:
        if folder.is_dir():
            found.setdefault(folder.resolve(), folder)
    return tuple(found.values())


def list_profiles() -> tuple[DeviceProfile, ...]:
    """Return every profile that a name can mean, sorted by name. Raises ``ProfileError``."""
    return tuple(DeviceProfile.load(path) for _, path in sorted(_profile_files()))


def _profile_files() -> Iterator[tuple[str, Path]]:
    """Yield name and file of each profile; earlier folders hide later ones."""
    seen: set[str] = set()
    for folder in profile_folders():
        for file in sorted(folder.glob("*.toml")):
            if file.stem not in seen:
                seen.add(file.stem)
                yield file.stem, file


def _read_toml(path: Path) -> dict[str, Any]:
    # Python 3.10 has no tomllib, and a device that only measures reads no profile.
    try:
        import tomllib
    except ModuleNotFoundError:  # pragma: no cover - Python 3.10
        try:
            import tomli as tomllib  # type: ignore[no-redef,import-not-found,unused-ignore]
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "reading device profiles on Python 3.10 needs tomli; install it with: pip install tomli"
            ) from error
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ProfileError(
            f"device profile {path} does not exist; `edgewright device list` shows what does"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(
            f"device profile {path} cannot be read ({error}); give a text file that you may read, "
            "`edgewright device list` shows what there is"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(
            f"device profile {path} is not TOML ({error}); see `edgewright device show "
            "local-cpu-onnxruntime` for a profile that is right"
        ) from error


def _scalar_faults(data: Mapping[str, Any], stem: str) -> list[str]:
    """Return what is wrong with the values that are present."""
    faults: list[str] = []

    def check(key: str, ok: bool, expected: str) -> None:
        if key in data and not ok:
            faults.append(f"{key} must be {expected}, got {data[key]!r}")

    text = {key: value for key, value in data.items() if isinstance(value, str)}
    check("schema", type(data.get("schema")) is int and data.get("schema") == SCHEMA, f"{SCHEMA}")
    name_ok = bool(_NAME.fullmatch(text.get("name", "")))
    check("name", name_ok, "lower-case letters, digits and dashes")
    if name_ok and data["name"] != stem:
        faults.append(f"name is {data['name']!r} but the file is {stem + '.toml'!r}; they must agree")
    check("alias", bool(_NAME.fullmatch(text.get("alias", ""))), "lower-case letters, digits and dashes")
    check("kind", data.get("kind") in KINDS, f"one of {', '.join(KINDS)}")
    check("runtime", data.get("runtime") in RUNTIMES, f"one of {', '.join(RUNTIMES)}")
    check("description", bool(text.get("description")), "a line of text")
    precisions = data.get("precisions")
    check(
        "precisions",
        isinstance(precisions, list)
        and bool(precisions)
        and all(p in PRECISIONS for p in precisions)
        and len(set(precisions)) == len(precisions),
        f"a list out of {', '.join(PRECISIONS)}",
    )
    threads = data.get("threads")
    check(
        "threads", type(threads) is int and 1 <= threads <= MAX_THREADS, f"an integer of 1 to {MAX_THREADS}"
    )
    affinity = data.get("affinity")
    cpus = affinity if isinstance(affinity, list) else []
    right = all(type(cpu) is int and 0 <= cpu <= MAX_CPU for cpu in cpus)
    expected = f"a list of processor numbers of 0 to {MAX_CPU}, each once"
    check("affinity", bool(cpus) and right and len(set(map(str, cpus))) == len(cpus), expected)
    if right and cpus and type(threads) is int and len(cpus) < threads <= MAX_THREADS:
        faults.append(f"affinity names {len(cpus)} processors for {threads} threads; name one for each")
    reach = text.get("reach", "")
    check(
        "reach",
        reach in REACHES or SshAddress.parse(reach) is not None,
        f"one of {', '.join(REACHES)} or ssh://[user@]host[:port]",
    )
    check("python", bool(_PYTHON.fullmatch(text.get("python", ""))), "the name or path of a Python")
    check("emulated", isinstance(data.get("emulated"), bool), "true or false")
    check(
        "compute_capability",
        bool(re.fullmatch(r"\d{1,2}\.\d", text.get("compute_capability", ""))),
        'a text such as "8.9"',
    )
    return faults


def _read_gates(data: Any) -> tuple[Gates, list[str]]:
    if not isinstance(data, dict):
        return Gates(), [f"gates must be a table, got {data!r}"]
    known = tuple(Gates.__dataclass_fields__)
    faults = [f"unknown key 'gates.{key}'" for key in data if key not in known]
    for key, value in data.items():
        if key == "governor" and not (isinstance(value, str) and value):
            faults.append(f"gates.governor must be text, got {value!r}")
        elif key in known and key != "governor" and not (_is_number(value) and value > 0):
            faults.append(f"gates.{key} must be a positive number, got {value!r}")
    return (Gates() if faults else Gates(**data)), faults


def _read_figures(data: Any) -> tuple[dict[str, Figure], list[str]]:
    if not isinstance(data, dict):
        return {}, [f"figures must be a table, got {data!r}"]
    figures: dict[str, Figure] = {}
    faults: list[str] = []
    for name, entry in data.items():
        if not isinstance(entry, dict) or set(entry) != {"value", "source"}:
            faults.append(f"figures.{name} needs exactly the keys value and source, got {entry!r:.80}")
        elif not (isinstance(entry["source"], str) and entry["source"].strip()):
            faults.append(f"figures.{name}.source must name where the figure comes from")
        elif not (_is_number(entry["value"]) or isinstance(entry["value"], str)):
            faults.append(f"figures.{name}.value must be a number or text, got {entry['value']!r}")
        elif name == "ram_bytes" and not (type(entry["value"]) is int and entry["value"] > 0):
            faults.append(f"figures.ram_bytes.value must be a positive integer, got {entry['value']!r}")
        else:
            figures[name] = Figure(entry["value"], entry["source"])
    return figures, faults


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
