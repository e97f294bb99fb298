"""What a call on the GPU is given: values whose arrays live on the host or on the device.

Code depends on types and shapes only, so an array on the device is described by an
array of the host that has them, and no element of it is read.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from srcdiff.api.special import refuse
from srcdiff.backend import gpu
from srcdiff.structure import (
    NUMBERS,
    children,
    flat_values,
    is_leaf,
    is_one_value,
    key_of,
    map_values,
    ready,
    rebuild,
)

__all__ = ["call_key", "described", "first_samples", "flat", "has_device_array", "kind_of", "require_own"]


def flat(value) -> list:
    """Return the numeric leaves of a value; arrays on the device stay there, a number of the device is fetched."""
    kind = type(value)
    if gpu.is_device_array(value):
        return [value if gpu.shape_of(value) else gpu.number(value)]
    if kind in NUMBERS:
        return [value]
    if kind is np.ndarray:
        return [ready(value) if value.ndim else value[()]]
    if is_one_value(value):
        return flat_values(value)
    return [v for child in children(value) for v in flat(child)]


def described(value):
    """Return a value with host arrays of the same shapes and dtypes in place of those on the device."""
    if gpu.is_device_array(value):
        return gpu.stand_in(value)
    if is_leaf(value):
        return value
    return rebuild(value, list(map(described, children(value))))


def has_device_array(value) -> bool:
    """Tell whether a value holds an array on the device."""
    if is_leaf(value):
        return gpu.is_device_array(value)
    return any(map(has_device_array, children(value)))


def kind_of(value) -> tuple:
    """Return what code depends on: the type and the shapes of a value."""
    value = described(value)
    return key_of(value), tuple(np.shape(v) for v in flat(value))


def call_key(value):
    """Return what tells calls apart for which code has been found: types and shapes, read with little effort."""
    kind = type(value)
    if getattr(kind, "__cuda_ndarray__", False):
        return kind, value.dtype, value.shape
    if kind is np.ndarray:
        return key_of(value), value.shape
    return kind if kind in NUMBERS else kind_of(value)


def first_samples(args: tuple, axes: Iterable[int | None]) -> tuple:
    """Return the first sample of arguments with these axes of samples; zeros where there is none."""
    rest = iter(axes)
    return tuple(map_values(lambda leaf: _first(leaf, next(rest)), arg) for arg in args)


def _first(leaf, axis: int | None):
    if axis is None:
        return leaf
    array = np.moveaxis(np.asarray(leaf), axis, 0)
    return array[0] if len(array) else np.zeros(array.shape[1:], array.dtype)[()]


def require_own(out, stream) -> None:
    """Refuse an `out` that is no array, and a `stream` that is no stream."""
    if not (out is None or isinstance(out, np.ndarray) or gpu.is_device_array(out)):
        refuse(f"out is a {type(out).__name__}, not an array", fix="pass a NumPy array, or an array on the device",
               code="SD0308")
    if not (stream is None or stream == 0 or gpu.is_stream(stream)):
        refuse(f"stream is a {type(stream).__name__}, not a stream",
               fix="pass what numba.cuda.stream() gives, or a stream of CuPy or torch", code="SD0308")
