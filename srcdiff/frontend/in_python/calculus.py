"""Differences, integrals, convolutions, moments; reductions that pass over nan."""

from __future__ import annotations

import numpy as np

__all__ = ["FUNCTIONS"]


# -- differences and integrals --------------------------------------------------------------

def slopes(f, h):
    """Central differences along the first axis, with steps `h`: a number or the coordinates."""
    n = f.shape[0]
    if n < 2:
        raise ValueError("Shape of array too small to calculate a numerical gradient")
    made = np.zeros(f.shape)
    if np.ndim(h) == 0:
        made[1:-1] = (f[2:] - f[:-2]) / (2.0 * h)
        made[0] = (f[1] - f[0]) / h
        made[-1] = (f[-1] - f[-2]) / h
        return made
    step = h[1:] - h[:-1]
    made[0] = (f[1] - f[0]) / step[0]
    made[-1] = (f[-1] - f[-2]) / step[-1]
    for i in range(1, n - 1):
        a, b = step[i - 1], step[i]
        made[i] = -b / (a * (a + b)) * f[i - 1] + (b - a) / (a * b) * f[i] + a / (b * (a + b)) * f[i + 1]
    return made


def slopes_along(f, h, axis):
    return np.moveaxis(slopes(np.moveaxis(f, axis, 0), h), 0, axis)


def gradient(f, *varargs, axis=None):
    f = np.asarray(f)
    axes = tuple(range(f.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    steps = varargs if len(varargs) == len(axes) else (varargs[0] if len(varargs) else 1.0,) * len(axes)
    if len(axes) == 1:
        return slopes_along(f, steps[0], axes[0])
    return tuple([slopes_along(f, steps[k], axes[k]) for k in range(len(axes))])


def trapezoid_along(y, x, dx, axis):
    moved = np.moveaxis(y, axis, 0)
    pairs = moved[1:] + moved[:-1]
    if x is None:
        return np.sum(dx * pairs / 2.0, axis=0)
    if np.ndim(x) == 1:
        width = x[1:] - x[:-1]
        for _ in range(y.ndim - 1):
            width = np.expand_dims(width, -1)
    else:
        width = np.moveaxis(x, axis, 0)[1:] - np.moveaxis(x, axis, 0)[:-1]
    return np.sum(width * pairs / 2.0, axis=0)


def cumprod_along(x, axis):
    moved = np.moveaxis(x, axis, 0)
    made = np.copy(moved)
    for i in range(1, moved.shape[0]):
        made[i] = made[i - 1] * moved[i]
    return np.moveaxis(made, 0, axis)


def diff_extended(x, prepend, append, n, axis):
    """`np.diff` of an array with values before and after it."""
    parts = [x]
    for k, extra in enumerate((prepend, append)):
        if extra is not None:
            if np.ndim(extra) == 0:
                extra = np.zeros_like(np.moveaxis(np.moveaxis(x, axis, 0)[:1], 0, axis)) + extra
            parts = [extra, *parts] if k == 0 else [*parts, extra]
    return np.diff(np.concatenate(parts, axis=axis), n, axis)


def unwrap(p, discont=None, axis=-1, *, period=2 * np.pi):
    x = np.moveaxis(p, axis, 0)
    made = np.copy(x)
    step = x[1:] - x[:-1]
    half = period / 2
    turned = (step + half) % period - half
    turned = np.where((turned == -half) & (step > 0), half, turned)
    jump = np.where(np.abs(step) < (half if discont is None else max(discont, half)), 0.0, turned - step)
    made[1:] = x[1:] + np.cumsum(jump, axis=0)
    return np.moveaxis(made, 0, axis)


# -- convolution ------------------------------------------------------------------------------

def full_convolution(a, v):
    n, m = len(a), len(v)
    if n == 0 or m == 0:
        raise ValueError("the operands of a convolution cannot be empty")
    made = np.zeros(n + m - 1, dtype=np.result_type(a.dtype, v.dtype))
    for i in range(n):
        made[i:i + m] += a[i] * v
    return made


def middle(full, n, m, mode, skipped):
    """Return the part of a full convolution of lengths n and m that the mode asks for."""
    if mode == "full":
        return full
    short, long = min(n, m), max(n, m)
    if mode == "same":
        return full[skipped:skipped + long]
    if mode == "valid":
        return full[short - 1:long]
    raise ValueError("mode must be one of 'valid', 'same', or 'full'")


def convolve(a, v, mode="full"):
    a, v = np.asarray(a), np.asarray(v)
    return middle(full_convolution(a, v), len(a), len(v), mode, (min(len(a), len(v)) - 1) // 2)


def correlate(a, v, mode="valid"):
    a, v = np.asarray(a), np.asarray(v)
    n, m = len(a), len(v)
    skipped = n - 1 - (n - 1) // 2 if m > n else (m - 1) // 2
    return middle(full_convolution(a, np.conj(v)[::-1]), n, m, mode, skipped)


# -- moments -------------------------------------------------------------------------------------

def average_along(a, axis, weights):
    """A mean with weights along one axis."""
    moved = np.moveaxis(a, axis, -1)
    if moved.shape[-1] != len(weights):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    return np.sum(moved * weights, axis=-1) / np.sum(weights)


def mean_where(a, axis, keepdims, where):
    axis, keep = (tuple(range(a.ndim)) if axis is None else axis), keepdims is True
    count = np.sum(np.logical_and(np.ones(a.shape, dtype=bool), where), axis=axis, keepdims=keep)
    return np.sum(a * 1.0, axis=axis, keepdims=keep, where=where) / count


def cov(m, y=None, rowvar=True, bias=False, ddof=None):
    x = np.asarray(m)
    x = np.expand_dims(x, 0) if x.ndim == 1 else x if rowvar else x.T
    if y is not None:
        other = np.asarray(y)
        other = np.expand_dims(other, 0) if other.ndim == 1 else other if rowvar else other.T
        x = np.concatenate((x, other), axis=0)
    centred = x - np.mean(x, axis=1, keepdims=True)
    free = x.shape[1] - ((0 if bias else 1) if ddof is None else ddof)
    made = centred @ centred.T / free
    return made[0, 0] if np.ndim(m) == 1 and y is None else made


def corrcoef(x, y=None, rowvar=True):
    made = cov(x, y, rowvar)
    if np.ndim(made) == 0:
        return made / made
    scale = np.sqrt(np.diag(made))
    return made / np.expand_dims(scale, 1) / np.expand_dims(scale, 0)


def nanmean(a, axis=None, *, keepdims=False):
    there = np.logical_not(np.isnan(a))
    return (np.sum(np.where(there, a, 0.0), axis=axis, keepdims=keepdims)
            / np.sum(there, axis=axis, keepdims=keepdims))


def nanvar(a, axis=None, *, ddof=0, keepdims=False):
    there = np.logical_not(np.isnan(a))
    centred = np.where(there, a - nanmean(a, axis, keepdims=True), 0.0)
    return (np.sum(centred * centred, axis=axis, keepdims=keepdims)
            / (np.sum(there, axis=axis, keepdims=keepdims) - ddof))


def nanstd(a, axis=None, *, ddof=0, keepdims=False):
    there = np.logical_not(np.isnan(a))
    centred = np.where(there, a - nanmean(a, axis, keepdims=True), 0.0)
    free = np.sum(there, axis=axis, keepdims=keepdims) - ddof
    return np.linalg.norm(centred, axis=axis, keepdims=keepdims) / np.sqrt(free)


def nanprod(a, axis=None):
    return np.prod(np.where(np.isnan(a), 1.0, a), axis=axis)


def nancumsum(a, axis=None):
    return np.cumsum(np.where(np.isnan(a), 0.0, a), axis=axis)


def nancumprod(a, axis=None):
    return np.cumprod(np.where(np.isnan(a), 1.0, a), axis=axis)


def nanmedian(a):
    x = np.ravel(a)
    return np.median(x[np.flatnonzero(np.logical_not(np.isnan(x)))])


# -- extremes that begin with a number ------------------------------------------------------------------

def of_none(x, axes, keepdims, initial):
    """The extremes of axes that hold no element: the number where they begin, in the shape of a sum."""
    return np.sum(x, axis=axes, keepdims=keepdims) + initial


def maximum_from(x, axes, keepdims, initial):
    if x.size == 0:
        return of_none(x, axes, keepdims, initial)
    return np.maximum(np.max(x, axis=axes, keepdims=keepdims), initial)


def minimum_from(x, axes, keepdims, initial):
    if x.size == 0:
        return of_none(x, axes, keepdims, initial)
    return np.minimum(np.min(x, axis=axes, keepdims=keepdims), initial)


# -- ufuncs along an axis ---------------------------------------------------------------------------

def running_extreme(x, axis, largest):
    moved = np.moveaxis(x, axis, 0)
    made = np.copy(moved)
    for i in range(1, moved.shape[0]):
        made[i] = np.maximum(made[i - 1], moved[i]) if largest else np.minimum(made[i - 1], moved[i])
    return np.moveaxis(made, 0, axis)


def running_maximum(array, axis=0):
    return running_extreme(array, axis, True)


def running_minimum(array, axis=0):
    return running_extreme(array, axis, False)


def running_sum(array, axis=0):
    return np.cumsum(array, axis=axis)


def running_product(array, axis=0):
    return np.cumprod(array, axis=axis)


def add_reduce(array, axis=0, keepdims=False):
    return np.sum(array, axis=axis, keepdims=keepdims)


def multiply_reduce(array, axis=0, keepdims=False):
    return np.prod(array, axis=axis, keepdims=keepdims)


def maximum_reduce(array, axis=0, keepdims=False):
    return np.max(array, axis=axis, keepdims=keepdims)


def minimum_reduce(array, axis=0, keepdims=False):
    return np.min(array, axis=axis, keepdims=keepdims)


def logaddexp_reduce(array, axis=0):
    top = np.max(array, axis=axis, keepdims=True)
    return np.sum(top, axis=axis) + np.log(np.sum(np.exp(array - top), axis=axis))


def start_and_stop(array, indices, k):
    """The part of the first axis that `reduceat` reduces: one element where the next index is not greater."""
    n, start = array.shape[0], indices[k]
    if start < 0 or start >= n:
        raise IndexError("index out-of-bounds in reduceat")
    stop = indices[k + 1] if k + 1 < len(indices) else n
    return start, stop if stop > start else start + 1


def reduced_at(reduce, array, indices, axis):
    moved = np.moveaxis(array, axis, 0)
    made = np.zeros((len(indices), *moved.shape[1:]), dtype=array.dtype)
    for k in range(len(indices)):
        start, stop = start_and_stop(moved, indices, k)
        made[k] = reduce(moved[start:stop], axis=0)
    return np.moveaxis(made, 0, axis)


def add_reduceat(array, indices, axis=0):
    return reduced_at(np.sum, array, indices, axis)


def multiply_reduceat(array, indices, axis=0):
    return reduced_at(np.prod, array, indices, axis)


def maximum_reduceat(array, indices, axis=0):
    return reduced_at(np.max, array, indices, axis)


def minimum_reduceat(array, indices, axis=0):
    return -maximum_reduceat(-array, indices, axis)


def spread(a, b):
    """Return `a` with as many axes of extent 1 behind its own as `b` has."""
    a = np.asarray(a)
    for _ in range(np.ndim(b)):
        a = np.expand_dims(a, -1)
    return a


def multiply_outer(A, B):       # noqa: N803
    return spread(A, B) * B


def add_outer(A, B):            # noqa: N803
    return spread(A, B) + B


def subtract_outer(A, B):       # noqa: N803
    return spread(A, B) - B


def divide_outer(A, B):         # noqa: N803
    return spread(A, B) / B


def multiply_at(a, indices, b):
    for k in range(len(indices)):
        a[indices[k]] *= b if np.ndim(b) == 0 else b[k]


def divide_at(a, indices, b):
    for k in range(len(indices)):
        a[indices[k]] /= b if np.ndim(b) == 0 else b[k]


def maximum_at(a, indices, b):
    for k in range(len(indices)):
        a[indices[k]] = np.maximum(a[indices[k]], b if np.ndim(b) == 0 else b[k])


def minimum_at(a, indices, b):
    for k in range(len(indices)):
        a[indices[k]] = np.minimum(a[indices[k]], b if np.ndim(b) == 0 else b[k])


FUNCTIONS = {
    np.multiply.at: multiply_at, np.divide.at: divide_at, np.maximum.at: maximum_at, np.minimum.at: minimum_at,
    np.gradient: gradient, np.unwrap: unwrap, np.convolve: convolve, np.correlate: correlate, np.cov: cov,
    np.corrcoef: corrcoef, np.nanmean: nanmean, np.nanvar: nanvar, np.nanstd: nanstd, np.nanprod: nanprod,
    np.nancumsum: nancumsum, np.nancumprod: nancumprod, np.nanmedian: nanmedian,
    np.maximum.accumulate: running_maximum, np.minimum.accumulate: running_minimum, np.add.accumulate: running_sum,
    np.multiply.accumulate: running_product, np.add.reduce: add_reduce, np.multiply.reduce: multiply_reduce,
    np.maximum.reduce: maximum_reduce, np.minimum.reduce: minimum_reduce,
    np.add.reduceat: add_reduceat, np.multiply.reduceat: multiply_reduceat, np.maximum.reduceat: maximum_reduceat,
    np.minimum.reduceat: minimum_reduceat, np.logaddexp.reduce: logaddexp_reduce,
    np.multiply.outer: multiply_outer, np.add.outer: add_outer, np.subtract.outer: subtract_outer,
    np.divide.outer: divide_outer,
}
