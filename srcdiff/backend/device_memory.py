"""Memory of the device for what a call returns.

CUDA's plain allocation waits for the device, and takes as long as a kernel on
100,000 small samples.  So arrays of the default stream come from a pool of the
driver: it hands out again what was freed, in the order of that stream, and
nobody waits.  An array on another stream is allocated as Numba does it, because
it may be read there when it is freed.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import functools
import math
import os

import numpy as np

from srcdiff.backend.gpu import current_device, device_count, simulated

__all__ = ["new_array", "to_device", "trim"]

SUPPORTED = 115                         # CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED
THRESHOLD = 4                           # CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
PINNED, ON_DEVICE = 1, 1                # CU_MEM_ALLOCATION_TYPE_PINNED, CU_MEM_LOCATION_TYPE_DEVICE
KEPT = 4                                # what is free in the pool stays there up to a quarter of the device's memory
DEFAULT_STREAM = None
NOWHERE = 1                             # an address that nobody reads


class _Location(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("id", ctypes.c_int))


class _Properties(ctypes.Structure):
    """CUmemPoolProps."""

    _fields_ = (("alloc_type", ctypes.c_int), ("handle_types", ctypes.c_int), ("location", _Location),
                ("security", ctypes.c_void_p), ("max_size", ctypes.c_size_t), ("reserved", ctypes.c_ubyte * 56))


class Pool:
    """A memory pool of one device.

    Parameters
    ----------
    library
        CUDA's driver, or what answers like it.
    device
        The number of the device.
    kept
        How many free bytes stay in the pool when the device is waited for.
    """

    def __init__(self, library, device: int, kept: int):
        self._library, self._pool, self._unfreed = library, ctypes.c_void_p(), []
        properties = _Properties(PINNED, 0, _Location(ON_DEVICE, device))
        self._require(library.cuMemPoolCreate(ctypes.byref(self._pool), ctypes.byref(properties)))
        self._require(library.cuMemPoolSetAttribute(self._pool, THRESHOLD, ctypes.byref(ctypes.c_uint64(kept))))

    @staticmethod
    def _require(status: int) -> None:
        if status:
            raise OSError(f"CUDA's driver answers {status}")

    def take(self, size: int) -> int | None:
        """Return the address of so many bytes, None where there is no room."""
        if self._unfreed:
            self._free_the_rest()
        address = ctypes.c_uint64()
        status = self._library.cuMemAllocFromPoolAsync(ctypes.byref(address), ctypes.c_size_t(size), self._pool,
                                                       DEFAULT_STREAM)
        return None if status else address.value

    def give_back(self, address: int) -> None:
        """Free memory, when all that has been queued before is done."""
        if self._library.cuMemFreeAsync(ctypes.c_uint64(address), DEFAULT_STREAM):
            self._unfreed.append(address)       # a thread that has no context, such as one that collects garbage

    def _free_the_rest(self) -> None:
        with contextlib.suppress(IndexError):           # two threads may do so
            while True:
                self._library.cuMemFreeAsync(ctypes.c_uint64(self._unfreed.pop()), DEFAULT_STREAM)

    def trim(self) -> None:
        """Give what is free back to the device."""
        self._library.cuMemPoolTrimTo(self._pool, ctypes.c_size_t(0))


class _Block:
    """Owns a piece of the pool, for Numba's arrays and views of it."""

    def __init__(self, pool: Pool, address: int):
        self.pool, self.address = pool, address

    def __del__(self):
        self.pool.give_back(self.address)


def pool() -> Pool | None:
    """Return the pool of the current device, None where there is none."""
    return None if simulated() else _pool_of(0 if device_count() == 1 else current_device())


@functools.cache
def _pool_of(device: int) -> Pool | None:
    from numba import cuda
    supported = ctypes.c_int()
    try:
        library = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
        if library.cuDeviceGetAttribute(ctypes.byref(supported), SUPPORTED, device) or not supported.value:
            return None
        return Pool(library, device, cuda.current_context().get_memory_info()[1] // KEPT)
    except (OSError, AttributeError):           # no driver here, or an older one
        return None


def trim() -> None:
    """Give what is free in the pool back to the device."""
    if found := pool():
        found.trim()


def new_array(shape, dtype, strides=None, stream=0):
    """Return a new array on the device, whose elements are not set.

    Parameters
    ----------
    strides
        In bytes; those of C order by default.
    stream
        On which it is used; only arrays of the default stream come from the pool.
    """
    from numba import cuda
    shape = tuple(shape)
    found = None if stream or not math.prod(shape) else pool()
    if found is None:
        return cuda.device_array(shape, dtype, strides=strides, stream=stream)
    form = _form(shape, np.dtype(dtype), strides)
    address = found.take(form.alloc_size)
    if address is None:
        found.trim()
        return cuda.device_array(shape, dtype, strides=strides)
    array = copy.copy(form)
    array.gpu_data = _memory(form.gpu_data.context, address, form.alloc_size, _Block(found, address))
    return array


def to_device(array: np.ndarray, stream=0):
    """Return a copy of a host array on the device."""
    from numba import cuda
    array = np.ascontiguousarray(array)
    place = None if pool() is None else new_array(array.shape, array.dtype, stream=stream)
    return cuda.to_device(array, stream=stream, to=place)


@functools.lru_cache(maxsize=256)
def _form(shape: tuple[int, ...], dtype, strides):
    """Return an array of this form without memory; Numba takes long to make one, and a copy little."""
    from numba import cuda
    from numba.cuda.cudadrv.devicearray import DeviceNDArray
    if strides is None:
        strides = tuple(dtype.itemsize * math.prod(shape[k + 1:]) for k in range(len(shape)))
    size = dtype.itemsize + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    return DeviceNDArray(shape, strides, dtype, gpu_data=_memory(cuda.current_context(), NOWHERE, size))


def _memory(context, address: int, size: int, owner=None):
    """Return what Numba's arrays take for their memory."""
    from numba.cuda.cudadrv import driver
    pointer = ctypes.c_void_p(address)
    if getattr(driver, "USE_NV_BINDING", False):
        pointer = driver.binding.CUdeviceptr(address)
    return driver.MemoryPointer(context, pointer, size, owner=owner)
