"""Which machine this is: the facts that must agree before latencies may be compared."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from edgewright.devices import nvidia, system
from edgewright.errors import TableError
from edgewright.files import digest_of

# ISA extensions that inference kernels choose by; the rest of the flags varies with the kernel's
# version and mitigations, not with the speed of a convolution.
_ISA_X86 = ("sse4_1", "sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni")
_ISA_X86_PREFIXES = ("avx512", "amx", "avx10")
_ISA_ARM = ("neon", "asimd", "asimdhp", "fphp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme", "sme2")

_PACKAGES = (
    "onnxruntime",
    "ai-edge-litert",
    "tflite-runtime",
    "tensorrt",
    "tensorrt-rtx",
    "tensorrt-rtx-cu13",
    "tensorrt_rtx_cu13",
    "numpy",
)

_COMPARED = (
    "machine",
    "system",
    "cpu_model",
    "cores",
    "isa",
    "caches",
    "memory_gib",
    "governor",
    "board",
    "gpus",
    "emulated",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What decides a machine's speed, and the versions it was seen with.

    Attributes:
        machine: instruction set, ``x86_64`` or ``aarch64``.
        system: name of the operating system.
        cpu_model: vendor, model name, family, model and stepping.
        cores: logical CPUs.
        isa: instruction set extensions that kernels choose by, sorted.
        caches: each level of the first core, as ``L2 1024 KiB x2`` with the number of instances.
        memory_bytes: main memory; compared in whole GiB, since kernels reserve a little each boot.
        governor: CPU frequency governor; ``none`` where the system offers none.
        board: model in the device tree (Raspberry Pi, Jetson); empty elsewhere.
        gpus: NVIDIA GPUs as ``name, compute capability, memory, driver``.
        hypervisor: whether the machine is virtual.
        emulated: whether the CPU is emulated in software, so that its latencies mean nothing.
        os_release: kernel version; recorded, not compared.
        python: version; recorded, not compared.
        packages: versions of runtimes; recorded, not compared (a table compares its own).
    """

    machine: str
    system: str
    cpu_model: str
    cores: int
    isa: tuple[str, ...]
    caches: tuple[str, ...]
    memory_bytes: int
    governor: str
    board: str
    gpus: tuple[str, ...]
    hypervisor: bool
    emulated: bool
    os_release: str
    python: str
    packages: Mapping[str, str]

    @property
    def memory_gib(self) -> int:
        """Main memory in GiB, rounded."""
        return round(self.memory_bytes / 2**30)

    @property
    def digest(self) -> str:
        """SHA-256 of what must agree for latencies to be comparable."""
        return digest_of({name: _plain(getattr(self, name)) for name in _COMPARED})

    @property
    def core_cache_bytes(self) -> int:
        """Size of a core's last own cache, its L2; 1 MiB where the machine does not tell."""
        found = re.search(r"L2 \S+ (\d+)([KM])\b", "\n".join(self.caches))
        if found is not None:
            return int(found[1]) << {"K": 10, "M": 20}[found[2]]
        return 1 << 20

    def differences(self, other: Fingerprint) -> tuple[str, ...]:
        """Return what differs from ``other`` and matters, as ``name: ours, theirs``."""
        return tuple(
            f"{name}: {_show(getattr(self, name))} here, {_show(getattr(other, name))} there"
            for name in _COMPARED
            if getattr(self, name) != getattr(other, name)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values, with the digest."""
        return {name: _plain(value) for name, value in asdict(self).items()} | {"digest": self.digest}

    @classmethod
    def from_json(cls, data: Any) -> Fingerprint:
        """Return the fingerprint that ``to_json`` described. Raises ``TableError``."""
        names = set(cls.__dataclass_fields__)
        if not isinstance(data, dict) or set(data) - {"digest"} != names:
            raise TableError(f"a fingerprint needs exactly the keys {sorted(names)}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in data.items()
            if name != "digest"
        }
        return cls(**values)


def probe(*, root: Path = system.ROOT) -> Fingerprint:
    """Return the fingerprint of this machine.

    Args:
        root: folder that stands for ``/``; tests give a tree of their own.
    """
    cpu = _cpuinfo(root)
    flags = set(cpu.get("flags", cpu.get("Features", "")).split())
    board = board_model(root)
    return Fingerprint(
        machine=platform.machine(),
        system=platform.system(),
        cpu_model=_cpu_model(cpu),
        cores=os.cpu_count() or 1,
        isa=tuple(sorted(f for f in flags if f in _ISA_X86 + _ISA_ARM or f.startswith(_ISA_X86_PREFIXES))),
        caches=_caches(root),
        memory_bytes=_memory_bytes(root),
        governor=system.read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", root=root)
        or "none",
        board=board,
        gpus=tuple(
            f"{gpu.name}, {gpu.compute_capability}, {gpu.memory_bytes / 2**30:.0f} GiB, driver {gpu.driver}"
            for gpu in nvidia.list_gpus()
        ),
        hypervisor="hypervisor" in flags or "hypervisor" in board.lower(),
        emulated=_emulated(cpu, board, root),
        os_release=platform.release(),
        python=".".join(map(str, sys.version_info[:3])),
        packages=_package_versions(),
    )


def board_model(root: Path = system.ROOT) -> str:
    """Return the model in the device tree; empty where there is none."""
    paths = ("/proc/device-tree/model", "/sys/firmware/devicetree/base/model")
    return next((text for path in paths if (text := system.read_text(path, root=root))), "")


def _cpuinfo(root: Path) -> dict[str, str]:
    """Return the fields of the first core in ``/proc/cpuinfo``, and any that follow the cores."""
    fields: dict[str, str] = {}
    for line in system.read_text("/proc/cpuinfo", root=root).splitlines():
        name, _, value = line.partition(":")
        if name.strip():
            fields.setdefault(name.strip(), value.strip())
    return fields


def _cpu_model(cpu: Mapping[str, str]) -> str:
    names: tuple[str, ...] = ("vendor_id", "model name", "cpu family", "model", "stepping")  # x86
    names += ("CPU implementer", "CPU part", "CPU variant", "CPU revision")  # Arm
    parts = [f"{name} {cpu[name]}" for name in names if cpu.get(name)]
    return ", ".join(parts) or platform.processor() or platform.machine()


def _caches(root: Path) -> tuple[str, ...]:
    """Return the caches of core 0 with the number of instances over all cores."""
    instances: dict[tuple[str, str, str], set[str]] = {}
    for index in system.paths("/sys/devices/system/cpu/cpu[0-9]*/cache/index[0-9]*", root=root):
        level, kind, size, shared = (
            system.read_text(f"{index}/{name}", root=root)
            for name in ("level", "type", "size", "shared_cpu_list")
        )
        if size:
            instances.setdefault((level, kind, size), set()).add(shared)
    return tuple(
        f"L{level} {kind} {size} x{len(shared)}" for (level, kind, size), shared in sorted(instances.items())
    )


def _memory_bytes(root: Path) -> int:
    for line in system.read_text("/proc/meminfo", root=root).splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def _emulated(cpu: Mapping[str, str], board: str, root: Path) -> bool:
    """Return whether the instructions are translated in software instead of run by the hardware.

    A whole machine under QEMU (TCG) names its CPU so; under KVM it may carry the same name, but has
    KVM's clock. QEMU's user emulation shows a single program another machine: there the kernel
    names its own architecture, and the process has the emulator in its memory, which QEMU hides in
    ``/proc/self/maps`` but not in the same file of the thread.
    """
    text = f"{cpu.get('model name', '')} {board}".lower()
    clocks = system.read_text("/sys/devices/system/clocksource/clocksource0/available_clocksource", root=root)
    if ("qemu" in text or "tcg" in text) and "kvm" not in clocks:
        return True
    kernel = system.read_text("/proc/sys/kernel/arch", root=root)  # since Linux 6.1
    if kernel and _family(kernel) != _family(platform.machine()):
        return True
    maps = system.read_text("/proc/thread-self/maps", root=root)
    return any(re.search(r"/(qemu-|[a-z0-9_]+-binfmt)[^/]*$", line) for line in maps.splitlines())


def _family(machine: str) -> str:
    """Return what a 64-bit kernel and its 32-bit programs have in common."""
    if machine.startswith(("arm", "aarch64")):
        return "arm"
    return "x86" if re.fullmatch(r"x86_64|i[3-6]86|amd64", machine.lower()) else machine


def _package_versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name.replace("_", "-")] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _show(value: Any) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)
