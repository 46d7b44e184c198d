"""NVIDIA GPUs as NVML describes them; nothing where there is no driver or no ``pynvml``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Bits of nvmlDeviceGetCurrentClocksThrottleReasons that slow a GPU down (nvml.h).
_THROTTLE_BITS = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "thermal slowdown (software)",
    0x40: "thermal slowdown (hardware)",
    0x80: "power brake",
}


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU.

    Attributes:
        name: as NVML gives it.
        compute_capability: ``"8.9"``.
        memory_bytes: total.
        driver: version of the driver.
    """

    name: str
    compute_capability: str
    memory_bytes: int
    driver: str


@dataclass(frozen=True, slots=True)
class GpuState:
    """Clock, temperature and throttle reasons of a GPU at one moment."""

    clock_mhz: float
    temperature_c: float
    throttled: tuple[str, ...]


def list_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs of this machine in the driver's order."""
    with _nvml() as nvml:
        if nvml is None:
            return ()
        driver = _text(nvml.nvmlSystemGetDriverVersion())
        return tuple(
            Gpu(
                _text(nvml.nvmlDeviceGetName(handle)),
                "{}.{}".format(*nvml.nvmlDeviceGetCudaComputeCapability(handle)),
                int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
                driver,
            )
            for handle in _handles(nvml)
        )


def gpu_states() -> tuple[GpuState, ...]:
    """Return how each GPU runs now."""
    with _nvml() as nvml:
        if nvml is None:
            return ()
        states = []
        for handle in _handles(nvml):
            reasons = int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
            states.append(
                GpuState(
                    float(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
                    float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
                    tuple(text for bit, text in _THROTTLE_BITS.items() if reasons & bit),
                )
            )
        return tuple(states)


def n_energy_counters() -> int:
    """Return how many GPUs, from the first on, count their energy (Volta and newer do)."""
    with _nvml() as nvml:
        if nvml is None:
            return 0
        n = 0
        for handle in _handles(nvml):
            try:
                nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
            except nvml.NVMLError:
                break
            n += 1
        return n


def energy_mj(index: int) -> int | None:
    """Return the millijoules that a GPU took since the driver was loaded; ``None`` where it does not tell."""
    with _nvml() as nvml:
        if nvml is None:
            return None
        try:
            return int(nvml.nvmlDeviceGetTotalEnergyConsumption(nvml.nvmlDeviceGetHandleByIndex(index)))
        except nvml.NVMLError:
            return None


@contextmanager
def _nvml() -> Iterator[Any]:
    """Yield the initialised library, or ``None``; NVML's own errors end the query quietly."""
    try:
        import pynvml as nvml  # optional: comes with nvidia-ml-py
    except ImportError:
        yield None
        return
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        yield None
        return
    try:
        yield nvml
    finally:
        nvml.nvmlShutdown()


def _handles(nvml: Any) -> list[Any]:
    return [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
