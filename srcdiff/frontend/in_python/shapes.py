"""Arrays turned, split, padded and put together; index arrays of triangles."""

from __future__ import annotations

import numpy as np

__all__ = ["FUNCTIONS", "diagonal_along", "element_by_element", "joined_columns", "joined_rows", "pad"]


def fliplr(m):
    return np.flip(m, 1)


def flipud(m):
    return np.flip(m, 0)


def rot90(m, k=1, axes=(0, 1)):
    turns = k % 4
    if turns == 0:
        return np.copy(m)
    if turns == 2:
        return np.flip(np.flip(m, axes[0]), axes[1])
    if turns == 1:
        return np.swapaxes(np.flip(m, axes[1]), axes[0], axes[1])
    return np.flip(np.swapaxes(m, axes[0], axes[1]), axes[1])


def matrix_transpose(x):
    return np.swapaxes(x, -1, -2)


def rollaxis(a, axis, start=0):
    n = np.ndim(a)
    axis, start = axis % n, start + n if start < 0 else start
    return np.moveaxis(a, axis, start - 1 if axis < start else start)


def atleast_3d(x):
    x = np.asarray(x)
    if x.ndim == 0:
        return x.reshape(1, 1, 1)
    if x.ndim == 1:
        return np.expand_dims(np.expand_dims(x, 0), 2)
    return np.expand_dims(x, 2) if x.ndim == 2 else x


def dstack(tup):
    return np.concatenate([atleast_3d(x) for x in tup], axis=2)


def ediff1d(ary):
    x = np.ravel(ary)
    return x[1:] - x[:-1]


# -- parts -----------------------------------------------------------------------------------

def part(x, start, stop, axis):
    return np.moveaxis(np.moveaxis(x, axis, 0)[start:stop], 0, axis)


def array_split(ary, indices_or_sections, axis=0):
    x = np.asarray(ary)
    n = x.shape[axis]
    if isinstance(indices_or_sections, int):
        sections = indices_or_sections
        long, extra = n // sections, n % sections
        return [part(x, k * long + min(k, extra), (k + 1) * long + min(k + 1, extra), axis) for k in range(sections)]
    bounds = [0, *indices_or_sections, n]
    return [part(x, bounds[k], bounds[k + 1], axis) for k in range(len(bounds) - 1)]


def split(ary, indices_or_sections, axis=0):
    if isinstance(indices_or_sections, int) and np.shape(ary)[axis] % indices_or_sections != 0:
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


def hsplit(ary, indices_or_sections):
    return split(ary, indices_or_sections, 1 if np.ndim(ary) > 1 else 0)


def vsplit(ary, indices_or_sections):
    return split(ary, indices_or_sections, 0)


# -- padding ------------------------------------------------------------------------------------

def pad(array, pad_width, mode="constant", constant_values=0):
    x = np.asarray(array)
    for axis in range(x.ndim):
        if isinstance(pad_width, int):
            before, after = pad_width, pad_width
        elif isinstance(pad_width[0], int):
            before, after = pad_width[0], pad_width[len(pad_width) - 1]
        else:
            before, after = pad_width[min(axis, len(pad_width) - 1)]
        if mode == "constant":
            x = padded_by_constants(x, before, after, axis, constant_values)
        else:
            x = np.take(x, places(mode, x.shape[axis], before, after), axis=axis)
    return x


def padded_by_constants(x, before, after, axis, value):
    moved = np.moveaxis(x, axis, 0)
    n = moved.shape[0]
    made = np.zeros((n + before + after,) + moved.shape[1:], dtype=x.dtype)
    made[:before] = value
    made[before:before + n] = moved
    made[before + n:] = value
    return np.moveaxis(made, 0, axis)


def places(mode, n, before, after):
    """Return where in an axis of `n` elements the elements of the padded axis come from."""
    at = np.arange(-before, n + after)
    if mode == "edge":
        return np.minimum(np.maximum(at, 0), n - 1)
    if mode == "wrap":
        return at % n
    if mode == "symmetric":
        at = at % (2 * n)
        return np.minimum(at, 2 * n - 1 - at)
    at = at % max(2 * (n - 1), 1)               # "reflect"
    return np.minimum(at, np.abs(2 * (n - 1) - at))


# -- triangles and bands ----------------------------------------------------------------------------

def triangle_indices(n, m, k, lower):
    rows, columns = np.zeros(n * m, dtype=np.int64), np.zeros(n * m, dtype=np.int64)
    count = 0
    for i in range(n):
        for j in range(m):
            if (j - i <= k) if lower else (j - i >= k):
                rows[count] = i
                columns[count] = j
                count += 1
    return rows[:count], columns[:count]


def triu_indices(n, k=0, m=None):
    return triangle_indices(n, n if m is None else m, k, False)


def tril_indices(n, k=0, m=None):
    return triangle_indices(n, n if m is None else m, k, True)


def triu_indices_from(arr, k=0):
    return triangle_indices(arr.shape[0], arr.shape[1], k, False)


def tril_indices_from(arr, k=0):
    return triangle_indices(arr.shape[0], arr.shape[1], k, True)


def tri(N, M=None, k=0, dtype=float):       # noqa: N803
    rows, columns = np.arange(N), np.arange(N if M is None else M)
    return (np.expand_dims(columns, 0) - np.expand_dims(rows, 1) <= k).astype(dtype)


def diagonal_along(x, offset, axis1, axis2):
    """The diagonals of two axes, as a last axis."""
    rest = [k for k in range(x.ndim) if k not in (axis1, axis2)]
    moved = np.transpose(x, [axis1, axis2, *rest])
    rows, columns = max(-offset, 0), max(offset, 0)
    n = max(min(moved.shape[0] - rows, moved.shape[1] - columns), 0)
    made = np.zeros((n,) + moved.shape[2:], dtype=x.dtype)
    for i in range(n):
        made[i] = moved[i + rows, i + columns]
    return np.moveaxis(made, 0, -1)


def diagflat(v, k=0):
    return np.diag(np.ravel(v), k)


def vander(x, N=None, increasing=False):    # noqa: N803
    n = len(x) if N is None else N
    powers = np.arange(n) if increasing else np.arange(n - 1, -1, -1)
    return np.expand_dims(x, 1) ** np.expand_dims(powers, 0)


# -- parts left out, put in, put together -----------------------------------------------------------

def flattened(arr, axis):
    return np.ravel(arr) if axis is None else np.moveaxis(arr, axis, 0)


def turned_back(made, axis):
    return made if axis is None else np.moveaxis(made, 0, axis)


def delete(arr, obj, axis=None):
    x = flattened(arr, axis)
    kept = np.ones(x.shape[0], dtype=bool)
    kept[np.atleast_1d(obj)] = False
    return turned_back(x[np.flatnonzero(kept)], axis)


def insert(arr, obj, values, axis=None):
    """Values before one position, or before each of several, counted in the array as it was."""
    x = flattened(arr, axis)
    n = x.shape[0]
    if np.ndim(obj) == 0:
        at = obj + n if obj < 0 else obj
        value = np.asarray(values, dtype=x.dtype)
        if axis is None or x.ndim == 1:
            value = np.atleast_1d(value)
        else:
            value = np.zeros((1,) + x.shape[1:], dtype=x.dtype) + value
        return turned_back(np.concatenate([x[:at], value, x[at:]], axis=0), axis)
    if axis is not None and axis % np.ndim(arr) != 0:
        raise NotImplementedError("np.insert at several positions of another axis than the first")
    places = np.asarray(obj)
    places = np.where(places < 0, places + n, places)
    order = np.argsort(places, kind="stable")
    new = np.zeros(len(places), dtype=np.int64)
    new[order] = places[order] + np.arange(len(places))
    old = np.ones(n + len(places), dtype=bool)
    old[new] = False
    made = np.zeros((n + len(places),) + x.shape[1:], dtype=x.dtype)
    made[np.flatnonzero(old)] = x
    made[new] = values
    return turned_back(made, axis)


def ix_(*args):
    made = []
    for k in range(len(args)):
        index = np.asarray(args[k])
        if index.dtype == bool:
            index = np.flatnonzero(index)
        for axis in range(len(args)):
            if axis != k:
                index = np.expand_dims(index, axis)
        made = [*made, index]
    return tuple(made)


def joined_rows(*parts):
    return np.concatenate([np.atleast_1d(x) for x in parts], axis=0)


def joined_columns(*parts):
    return np.column_stack([np.atleast_1d(x) for x in parts])


def block(arrays):
    """Rows of blocks: a list of lists of matrices, or a list that is joined along the last axis."""
    if isinstance(arrays[0], list):
        return np.concatenate([block(row) for row in arrays], axis=-2)
    return np.concatenate([np.atleast_1d(x) for x in arrays], axis=-1)


def element_by_element(empty, by_first, function, *arrays):
    arrays = np.broadcast_arrays(*arrays) if len(arrays) > 1 else arrays
    out = empty(arrays[0].shape)
    if by_first and out.size == 0:
        raise ValueError("cannot call `vectorize` on size 0 inputs unless `otypes` is set")
    for place in np.ndindex(out.shape):
        out[place] = function(*[a[place].item() for a in arrays])
    return out


def apply_along_axis(func1d, axis, arr, *args):
    moved = np.moveaxis(np.asarray(arr), axis, -1)
    outer = moved.shape[:-1]
    rows = moved.reshape(moved.size // moved.shape[-1], moved.shape[-1])
    first = np.asarray(func1d(rows[0], *args))
    if first.ndim > 1:
        raise NotImplementedError("np.apply_along_axis of a function that gives a matrix")
    made = np.zeros((rows.shape[0],) + first.shape, dtype=first.dtype)
    for i in range(rows.shape[0]):
        made[i] = func1d(rows[i], *args)
    made = made.reshape(outer + first.shape)
    return made if first.ndim == 0 else np.moveaxis(made, -1, axis)


def piecewise(x, condlist, funclist):
    """Functions or numbers on the parts of `x` where each condition holds; one more is for the rest."""
    conditions = [np.asarray(c) for c in condlist] if isinstance(condlist, list | tuple) else [np.asarray(condlist)]
    if len(funclist) == len(conditions) + 1:
        some = conditions[0]
        for c in conditions[1:]:
            some = some | c
        conditions = [*conditions, np.logical_not(some)]
    made = np.zeros_like(x)
    for c, f in zip(conditions, funclist):      # noqa: B905
        if callable(f):
            made[c] = f(x[c])
        else:
            made[c] = f
    return made


FUNCTIONS = {
    np.delete: delete, np.insert: insert, np.ix_: ix_, np.block: block, np.apply_along_axis: apply_along_axis,
    np.piecewise: piecewise,
    np.fliplr: fliplr, np.flipud: flipud, np.rot90: rot90, np.matrix_transpose: matrix_transpose,
    np.linalg.matrix_transpose: matrix_transpose, np.rollaxis: rollaxis,
    np.atleast_3d: atleast_3d, np.dstack: dstack, np.ediff1d: ediff1d, np.array_split: array_split, np.split: split,
    np.hsplit: hsplit, np.vsplit: vsplit, np.triu_indices: triu_indices, np.tril_indices: tril_indices,
    np.triu_indices_from: triu_indices_from, np.tril_indices_from: tril_indices_from, np.tri: tri,
    np.diagflat: diagflat, np.vander: vander,
}
