"""Memory of the device for what a call returns.

CUDA's allocation and its release take as long as a kernel on 100,000 small
samples, and wait for the device.  So memory of the default stream that is freed
is kept for the next array of its size: what has been queued before it is freed
is done before what is queued after.  An array on another stream is allocated as
Numba does it, because it may be read there when it is freed.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import math
import threading
from collections import OrderedDict

import numpy as np

from srcdiff.backend.gpu import current_device, device_count, simulated

__all__ = ["kept", "new_array", "to_device"]

PART = 8                                # of the device's memory may be kept: an eighth
NOWHERE = 1                             # an address that nobody reads


class Kept:
    """Memory of one device that nobody uses now; at most `most` bytes."""

    def __init__(self, most: int):
        self.most, self.size = most, 0
        self._by_size: OrderedDict[int, list] = OrderedDict()           # what was used last at the end
        self._lock = threading.RLock()                                  # the collector of garbage may come while it is held

    def take(self, size: int):
        """Return a piece of exactly this size, None where there is none."""
        with self._lock:
            pieces = self._by_size.get(size)
            if not pieces:
                return None
            self.size -= size
            return pieces.pop()

    def add(self, piece, size: int) -> None:
        """Keep a piece; for that, let go of those of the sizes that were not asked for lately."""
        with self._lock:
            self._by_size.setdefault(size, []).append(piece)
            self._by_size.move_to_end(size)
            self.size += size
            while self.size > self.most:
                oldest = next(iter(self._by_size))
                if pieces := self._by_size[oldest]:
                    pieces.pop()
                    self.size -= oldest
                else:
                    del self._by_size[oldest]

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._by_size.clear()
            self.size = 0


class _Owner:
    """Owns a piece of memory for Numba's arrays and for views of them; the last of these gives it back."""

    def __init__(self, place: Kept, piece, size: int):
        self.place, self.piece, self.size = place, piece, size

    def __del__(self):
        self.place.add(self.piece, self.size)


def kept() -> Kept | None:
    """Return what is kept for the current device, None in the simulator."""
    return None if simulated() else _kept_for(0 if device_count() == 1 else current_device())


@functools.cache
def _kept_for(device: int) -> Kept:
    from numba import cuda
    return Kept(cuda.current_context().get_memory_info()[1] // PART)


def new_array(shape, dtype, strides=None, stream=0):
    """Return a new array on the device, whose elements are not set.

    Parameters
    ----------
    strides
        In bytes, without gaps; those of C order by default.
    stream
        On which it is used.
    """
    from numba import cuda
    shape = tuple(shape)
    place = None if stream or not math.prod(shape) else kept()
    if place is None:
        return cuda.device_array(shape, dtype, strides=strides, stream=stream)
    form = _form(shape, np.dtype(dtype), strides)
    size = form.alloc_size
    piece = place.take(size) or _allocated(place, size)
    array = copy.copy(form)
    array.gpu_data = _memory(form.gpu_data.context, piece.device_pointer, size, _Owner(place, piece, size))
    return array


def to_device(array: np.ndarray, stream=0):
    """Return a copy of a host array on the device."""
    from numba import cuda
    array = np.ascontiguousarray(array)
    place = None if kept() is None else new_array(array.shape, array.dtype, stream=stream)
    return cuda.to_device(array, stream=stream, to=place)


def _allocated(place: Kept, size: int):
    """Return new memory; where there is no room, without what is kept."""
    from numba import cuda
    try:
        return cuda.device_array(size, np.uint8).gpu_data
    except Exception:                           # a full device, or an error that comes again
        place.clear()
        return cuda.device_array(size, np.uint8).gpu_data


@functools.lru_cache(maxsize=256)
def _form(shape: tuple[int, ...], dtype, strides):
    """Return an array of this form without memory; Numba takes long to make one, and a copy little."""
    from numba import cuda
    from numba.cuda.cudadrv.devicearray import DeviceNDArray
    if strides is None:
        strides = tuple(dtype.itemsize * math.prod(shape[k + 1:]) for k in range(len(shape)))
    memory = _memory(cuda.current_context(), ctypes.c_void_p(NOWHERE), dtype.itemsize * math.prod(shape))
    return DeviceNDArray(shape, strides, dtype, gpu_data=memory)


def _memory(context, pointer, size: int, owner=None):
    """Return what Numba's arrays take for their memory."""
    from numba.cuda.cudadrv import driver
    return driver.MemoryPointer(context, pointer, size, owner=owner)
