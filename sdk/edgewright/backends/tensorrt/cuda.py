"""The few calls of CUDA's driver interface that running an engine takes, by ctypes.

The driver's library is on every machine with an NVIDIA GPU under one name, Jetson included, and its
interface does not change from version to version; a CUDA package for Python would have to match.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import DeviceUnavailableError, RuntimeFailureError

_LIBRARIES = ("libcuda.so.1", "nvcuda.dll")
_COMPUTE_CAPABILITY = (75, 76)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of cuda.h
_Handle = ctypes.c_void_p


@cache
def _driver() -> Any:
    """Return the driver's library, or ``None`` where there is no NVIDIA driver."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        return library if library.cuInit(0) == 0 else None
    return None


def n_devices() -> int:
    """Return how many NVIDIA GPUs the driver offers; 0 without a driver."""
    driver, count = _driver(), ctypes.c_int(0)
    if driver is None or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def compute_capability() -> str:
    """Return that of the first GPU, such as ``8.9``; empty where there is none."""
    if n_devices() == 0:
        return ""
    device = ctypes.c_int()
    _call("cuDeviceGet", ctypes.byref(device), 0)
    numbers = []
    for attribute in _COMPUTE_CAPABILITY:
        number = ctypes.c_int()
        _call("cuDeviceGetAttribute", ctypes.byref(number), attribute, device)
        numbers.append(str(number.value))
    return ".".join(numbers)


def _call(name: str, *args: Any) -> None:
    """Call a driver function. Raises ``RuntimeFailureError`` with CUDA's own words."""
    status = getattr(_driver(), name)(*args)
    if status != 0:
        text = ctypes.c_char_p()
        _driver().cuGetErrorString(status, ctypes.byref(text))
        raise RuntimeFailureError(f"{name} failed: {(text.value or b'unknown error').decode()} ({status})")


class Stream:
    """A CUDA stream in the first GPU's primary context, and the device memory made through it.

    :meth:`close` frees all of it. Raises ``DeviceUnavailableError`` where there is no GPU.
    """

    def __init__(self) -> None:
        if n_devices() == 0:
            raise DeviceUnavailableError("no NVIDIA GPU is available here; run this on the device")
        device, context, self._stream = ctypes.c_int(), _Handle(), _Handle()
        self._buffers: list[ctypes.c_uint64] = []
        self._events: list[ctypes.c_void_p] = []
        _call("cuDeviceGet", ctypes.byref(device), 0)
        self._device = device
        # The primary context is the one that TensorRT, through CUDA's runtime interface, uses.
        _call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        _call("cuCtxSetCurrent", context)
        _call("cuStreamCreate", ctypes.byref(self._stream), 1)  # 1: not tied to the default stream

    @property
    def handle(self) -> int:
        """The stream as an integer, which is how TensorRT takes it."""
        return int(self._stream.value or 0)

    def allocate(self, n_bytes: int) -> int:
        """Return the address of ``n_bytes`` of device memory."""
        address = ctypes.c_uint64()
        _call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(n_bytes))
        self._buffers.append(address)
        return address.value

    def upload(self, address: int, array: NDArray[np.generic]) -> None:
        """Copy a contiguous array to the device and wait for it.

        On this stream, since the plain copy belongs to the default stream, which this one does not
        wait for.
        """
        size = ctypes.c_size_t(array.nbytes)
        _call("cuMemcpyHtoDAsync_v2", ctypes.c_uint64(address), _pointer(array), size, self._stream)
        self.synchronize()

    def download(self, array: NDArray[np.generic], address: int) -> None:
        """Fill a contiguous array from the device and wait for it."""
        size = ctypes.c_size_t(array.nbytes)
        _call("cuMemcpyDtoHAsync_v2", _pointer(array), ctypes.c_uint64(address), size, self._stream)
        self.synchronize()

    def event(self) -> ctypes.c_void_p:
        """Return a new event that keeps the time."""
        event = _Handle()
        _call("cuEventCreate", ctypes.byref(event), 0)
        self._events.append(event)
        return event

    def record(self, event: ctypes.c_void_p) -> None:
        """Enqueue the taking of the time."""
        _call("cuEventRecord", event, self._stream)

    def elapsed_ms(self, start: ctypes.c_void_p, end: ctypes.c_void_p) -> float:
        """Return the device's time between two recorded events that have passed."""
        elapsed = ctypes.c_float()
        _call("cuEventElapsedTime", ctypes.byref(elapsed), start, end)
        return elapsed.value

    def synchronize(self) -> None:
        """Return once everything enqueued is done."""
        _call("cuStreamSynchronize", self._stream)

    def close(self) -> None:
        """Free the memory, the events, the stream and the hold on the context."""
        for event in self._events:
            _call("cuEventDestroy_v2", event)
        for address in self._buffers:
            _call("cuMemFree_v2", address)
        self._events, self._buffers = [], []
        _call("cuStreamDestroy_v2", self._stream)
        _call("cuDevicePrimaryCtxRelease_v2", self._device)


def _pointer(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
