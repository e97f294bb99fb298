"""Launch a kernel again with other addresses and numbers, without Numba's preparation of arguments.

That takes longer than the kernels of small batches.  Numba hands an array to a
kernel as some words: two that are zero, its size, the size of an element, its
address, its extents and its strides; and a number as one word.  Where extents
and strides are known, addresses and numbers are all that changes.  The words
are those that Numba itself prepares, and are checked against that description:
what does not fit is left to Numba.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from dataclasses import dataclass, field

from srcdiff.backend.gpu import address, is_device_array, simulated

__all__ = ["Direct", "direct"]

ADDRESS = 4                             # which word of an array is its address


@functools.cache
def library():
    """Return CUDA's driver, None where it is not found."""
    try:
        found = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
        pointer, number = ctypes.c_void_p, ctypes.c_uint
        found.cuLaunchKernel.argtypes = (pointer, *[number] * 7, pointer, pointer, pointer)
        return found
    except (OSError, AttributeError):
        return None


@dataclass(frozen=True)
class Direct:
    """A launch whose words are prepared.

    Attributes
    ----------
    handle
        The kernel, as the driver knows it.
    blocks, block
        How many blocks, of how many threads.
    words
        What the kernel is given, in the types of C.
    places
        Of each argument that may change its position, the word, and whether it is the address of an array.
    """

    handle: int
    blocks: int
    block: int
    words: tuple
    places: tuple[tuple[int, object, bool], ...]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @functools.cached_property
    def _pointers(self):
        return (ctypes.c_void_p * len(self.words))(*map(ctypes.addressof, self.words))

    def __call__(self, args) -> bool:
        """Launch on the default stream; tell whether the driver took it."""
        with self._lock:                        # the driver copies the words before it returns
            for position, word, is_array in self.places:
                word.value = address(args[position]) if is_array else args[position]
            return not library().cuLaunchKernel(self.handle, self.blocks, 1, 1, self.block, 1, 1, 0, None, self._pointers, None)


def direct(dispatcher, blocks: int, block: int, args, changing) -> Direct | None:
    """Return the launch of a compiled kernel with arguments of these types, extents and strides.

    Parameters
    ----------
    dispatcher
        Numba's; it has compiled the kernel for these arguments.
    changing
        The positions of arguments that may change.

    Returns
    -------
    Direct or None
        None where Numba prepares other words than described above, or does not say which.
    """
    from numba.core import config
    if simulated() or library() is None or getattr(config, "CUDA_PER_THREAD_DEFAULT_STREAM", False):
        return None
    try:
        kernel = dispatcher.overloads[tuple(map(dispatcher.typeof_pyval, args))]
        of_each = [_words(kernel, t, a) for t, a in zip(kernel.argument_types, args, strict=True)]
        handle = kernel._codelibrary.get_cufunc().handle
        handle = int(getattr(handle, "value", handle))
    except (AttributeError, KeyError, TypeError, ValueError):           # another Numba than those that are known
        return None
    places = [_place(position, args[position], of_each[position]) for position in changing]
    if None in places or not handle:
        return None
    return Direct(handle, blocks, block, tuple(w for words in of_each for w in words), tuple(places))


def _words(kernel, type_, value) -> list:
    """Return the words that Numba makes of an argument."""
    prepared: list = []
    kernel._prepare_args(type_, value, 0, [], prepared)
    return [_in_c(w) for w in prepared]


def _in_c(word):
    """Return a word as a value in C; integers of Python are as wide as addresses."""
    if isinstance(word, bool):
        return ctypes.c_bool(word)
    if isinstance(word, int):
        return ctypes.c_ssize_t(word)
    if isinstance(word, ctypes._SimpleCData):
        return word
    raise TypeError(f"a word of type {type(word).__name__}")


def _place(position: int, value, words: list):
    """Return where an argument stands; None where its words are not what they should be."""
    if not is_device_array(value):
        return (position, words[0], False) if len(words) == 1 and words[0].value == value else None
    numbers = [w.value or 0 for w in words]
    expected = [0, 0, value.size, value.dtype.itemsize, address(value), *value.shape, *value.strides]
    return (position, words[ADDRESS], True) if numbers == list(map(int, expected)) else None
