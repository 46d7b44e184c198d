"""Installing a runtime on a device that needs no internet: wheels are fetched here and sent there.

1. The agent says which Python, C library and machine it runs on.
2. pip downloads the wheels for that from whatever index it is configured for.
3. They are sent, unpacked beside what is in use, loaded once, and put in its place.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from edgewright.agent.protocol import MIN_PYTHON
from edgewright.errors import DeviceUnavailableError, UsageError
from edgewright.files import file_digest
from edgewright.remote.client import Client, Hello

_DOWNLOAD_S = 900.0


class Package(NamedTuple):
    """A distribution that brings a runtime.

    Attributes:
        name: on the package index.
        beside: requirements that go with it; given, so that pip's own resolver adds nothing that
            inference does not import.
    """

    name: str
    beside: tuple[str, ...]


# Named by what is imported when an artifact is opened and run: the wheels' own requirements bring
# symbolic mathematics and logging packages, which double what a device must store.
_PACKAGES: dict[str, tuple[Package, ...]] = {
    "litert": (
        Package("ai-edge-litert", ("numpy",)),
        Package("tflite-runtime", ("numpy<2",)),  # built against numpy 1
    ),
    "onnxruntime": (Package("onnxruntime", ("numpy",)),),
}

_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!]*")
_GLIBC_LEAST = 17  # manylinux2014
_MUSL_LEAST = 1


class Prepared(NamedTuple):
    """What a preparation left on a device.

    Attributes:
        version: package and version of the runtime, as it says itself.
        folder: where it lies on the device.
        wheels: files that were installed; empty where it was there already.
        bytes: of the wheels.
    """

    version: str
    folder: str
    wheels: tuple[str, ...]
    bytes: int


def prepare(
    client: Client,
    runtime: str,
    *,
    package: str | None = None,
    version: str | None = None,
    wheels: Path | None = None,
    note: Callable[[str], object] = lambda text: None,
) -> Prepared:
    """Install a runtime on the device that ``client`` is connected to.

    Args:
        client: connected.
        runtime: key of the backend registry.
        package: distribution that brings it; default the first known.
        version: of the package; default the one that is installed here, so that both sides compute
            alike, else the newest.
        wheels: folder of wheels to install from instead of pip's index.
        note: told what is done.

    Raises:
        UsageError: the runtime, the version or a wheel for this device does not exist.
        DeviceUnavailableError: the device is no Linux that wheels exist for.
        DeviceBusyError: another host measures on it.
        StorageError: the device's disk is full.
        RuntimeFailureError: what was installed does not load there; what was in use before is kept.
    """
    hello = client.hello
    assert hello is not None
    chosen = _package(runtime, package)
    wanted = _requirement(chosen, version)
    platforms = wheel_platforms(hello)
    client.lock()
    with tempfile.TemporaryDirectory(prefix="edgewright-wheels-") as folder:
        note(f"fetching {wanted}")
        fetch([wanted, *chosen.beside], hello, platforms, Path(folder), wheels)
        files = sorted(Path(folder).glob("*.whl"))
        label = _label(chosen, files)
        if hello.runtimes.get(runtime) == label:
            found = client.request("describe", runtime=runtime, threads=1, note=note)
            return Prepared(found["version"], f"{hello.home}/.local/share/edgewright/{label}", (), 0)
        stored = client.put_all(files, note)
        done = client.request("install", note=note, runtime="", name=runtime, label=label, wheels=stored)
        return Prepared(
            done["version"],
            f"{hello.home}/.local/share/edgewright/{label}",
            tuple(file.name for file in files),
            sum(file.stat().st_size for file in files),
        )


def wheel_platforms(hello: Hello) -> list[str]:
    """Return the platform tags of wheels that run on a device, the most specific first.

    Raises:
        DeviceUnavailableError: none are known.
    """
    machine = hello.machine
    if hello.bits == 32:  # a 32-bit Python under a 64-bit kernel, as on Raspberry Pi OS (32 bit)
        machine = {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}.get(machine, machine)
    name, version = hello.libc
    found = re.match(r"(\d+)\.(\d+)", version)
    if hello.system != "Linux" or hello.implementation != "cpython":
        raise DeviceUnavailableError(
            f"the device runs {hello.implementation} on {hello.system}; wheels are fetched for CPython on "
            "Linux: install the runtime there by hand"
        )
    if hello.python[:2] < MIN_PYTHON:
        raise DeviceUnavailableError(
            f"the device has Python {'.'.join(map(str, hello.python))}, 3.10 is needed"
        )
    if name == "glibc" and found:
        tags = [f"manylinux_2_{minor}_{machine}" for minor in range(int(found[2]), _GLIBC_LEAST - 1, -1)]
        tags.append(f"manylinux2014_{machine}")
        # piwheels builds for the Raspberry Pi alone, under the bare name.
        return tags + [f"linux_{machine}"] * machine.startswith("armv")
    minors = range(int(found[2]) if name == "musl" and found else 2, _MUSL_LEAST - 1, -1)
    return [f"musllinux_1_{minor}_{machine}" for minor in minors]


def fetch(
    requirements: Sequence[str],
    hello: Hello,
    platforms: Sequence[str],
    folder: Path,
    wheels: Path | None = None,
) -> None:
    """Download wheels for a device into ``folder``, with pip as it is configured here.

    Raises:
        UsageError: there is no such version, or no wheel of it for the device; pip's reason is named.
    """
    python = ".".join(map(str, hello.python[:2]))
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary=:all:", "--dest", str(folder), "--implementation", "cp"),
        *("--python-version", python),
        *(argument for platform in platforms for argument in ("--platform", platform)),
        *(("--no-index", "--find-links", str(wheels)) if wheels else ()),
        *requirements,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            f"pip cannot fetch {requirements[0]} ({error}); try it with: {sys.executable} -m pip download "
            f"{requirements[0]}, or give a folder that has the wheels with --wheels"
        ) from error
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise UsageError(
            f"fetching wheels needs pip, which {sys.executable} lacks; bring it with: "
            f"{sys.executable} -m ensurepip"
        )
    reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or ["no reason given"]
    raise UsageError(
        f"pip finds no wheel of {requirements[0]} for Python {python}, {hello.machine}, "
        f"{' '.join(hello.libc)} ({reasons[0].removeprefix('ERROR: '):.400}); choose another "
        "with --runtime-version, or --package, or give a folder that has it with --wheels"
    )


def _package(runtime: str, name: str | None) -> Package:
    known = _PACKAGES.get(runtime)
    if known is None:
        raise UsageError(
            f"{runtime} is not installed from wheels: install it on the device as its vendor says "
            f"(JetPack brings TensorRT); known here: {', '.join(_PACKAGES)}"
        )
    for package in known:
        if name in (None, package.name):
            return package
    raise UsageError(f"no package {name!r} brings {runtime}; known: {', '.join(p.name for p in known)}")


def _requirement(package: Package, version: str | None) -> str:
    if version is None:
        try:
            version = metadata.version(package.name)
        except metadata.PackageNotFoundError:
            return package.name
    if not _VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is no version of {package.name}; give one such as 2.3.0")
    return f"{package.name}=={version}"


def _label(package: Package, files: Sequence[Path]) -> str:
    """Return the name of the folder that these wheels are installed into."""
    stem = package.name.replace("-", "_")
    version = next(
        (file.name.split("-")[1] for file in files if file.name.lower().startswith(f"{stem}-")), "unknown"
    )
    joined = "".join(sorted(file_digest(file) for file in files))
    return f"{package.name}-{version}-{hashlib.sha256(joined.encode()).hexdigest()[:8]}".lower()
