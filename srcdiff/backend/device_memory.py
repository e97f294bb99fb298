"""Memory of the device for what a call returns.

CUDA's allocation and its release take as long as a kernel on 100,000 small
samples, and wait for the device.  So memory of the default stream that is freed
is kept for the next array of its size: what has been queued before it is freed
is done before what is queued after.  An array on another stream is allocated as
Numba does it, because it may be read there when it is freed.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
import threading
from collections import OrderedDict, deque

import numpy as np

from srcdiff.backend.gpu import current_device, device_count, simulated

__all__ = ["kept", "new_array", "to_device"]

PART = 4                                # of the device's memory may be kept: a quarter
NOWHERE = 1                             # an address that nobody reads


class Kept:
    """Memory of one device: what is lent to arrays, and what waits for the next array of its size.

    It holds what it lends, because Numba frees memory when the collector of garbage finds it with an array.

    Parameters
    ----------
    most
        How many bytes may wait.
    """

    def __init__(self, most: int):
        self.most, self.size = most, 0
        self._waiting: OrderedDict[int, list] = OrderedDict()           # by size; what was given back last at the end
        self._lent: dict[int, tuple[object, int]] = {}
        self._returned: deque[int] = deque()                            # what is given back, and not yet waiting
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def take(self, size: int, allocate):
        """Return a number to give it back by, and a piece of exactly this size; `allocate` makes one where none waits."""
        with self._lock:
            self._settle()
            pieces = self._waiting.get(size)
            piece = pieces.pop() if pieces else None
            self.size -= size if piece is not None else 0
        if piece is None:
            piece = allocate(size)
        number = next(self._numbers)
        self._lent[number] = piece, size
        return number, piece

    def give_back(self, number: int) -> None:
        """Let a piece wait for the next array of its size.

        The collector of garbage may call this at any moment, also from within these methods: then who holds the lock, or the
        next call, sees to it.
        """
        self._returned.append(number)
        if self._lock.acquire(blocking=False):
            try:
                self._settle()
            finally:
                self._lock.release()

    def _settle(self) -> None:
        """Let wait what was given back; for that, let go of pieces of the sizes that were not given back lately."""
        while self._returned:
            piece, size = self._lent.pop(self._returned.popleft())
            self._waiting.setdefault(size, []).append(piece)
            self._waiting.move_to_end(size)
            self.size += size
        while self.size > self.most:
            oldest = next(iter(self._waiting))
            if pieces := self._waiting[oldest]:
                pieces.pop()
                self.size -= oldest
            else:
                del self._waiting[oldest]

    def clear(self) -> None:
        """Let go of what waits."""
        with self._lock:
            self._waiting.clear()
            self.size = 0


class _Owner:
    """Owns a piece for Numba's arrays and for views of them; the last of these gives it back."""

    def __init__(self, place: Kept, number: int):
        self.place, self.number = place, number

    def __del__(self):
        self.place.give_back(self.number)


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
    number, piece = place.take(form.alloc_size, functools.partial(_allocated, place))
    array = type(form).__new__(type(form))
    vars(array).update(vars(form))
    array.gpu_data = _memory(form.gpu_data.context, piece.device_pointer, form.alloc_size, _Owner(place, number))
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
