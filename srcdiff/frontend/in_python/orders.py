"""Order along an axis: sorting, medians, quantiles; and what is chosen by an index array."""

from __future__ import annotations

import numpy as np

__all__ = ["FUNCTIONS", "argsort_along", "sort_along"]


def rows_of(x, axis):
    """Return a matrix whose rows run along the axis, and the shape of the moved array."""
    moved = np.moveaxis(x, axis, -1)
    n = moved.shape[-1]
    count = 1
    for k in range(moved.ndim - 1):
        count = count * moved.shape[k]
    return moved.reshape(count, n), moved.shape


def argsort_along(x, axis):
    rows, shape = rows_of(x, axis)
    order = np.zeros(rows.shape, dtype=np.int64)
    for i in range(rows.shape[0]):
        order[i] = np.argsort(rows[i])
    return np.moveaxis(order.reshape(shape), -1, axis)


def sort_along(x, axis):
    rows, shape = rows_of(x, axis)
    ordered = np.zeros_like(rows)
    for i in range(rows.shape[0]):
        ordered[i] = np.sort(rows[i])
    return np.moveaxis(ordered.reshape(shape), -1, axis)


def take_along_axis(arr, indices, axis=-1):
    if axis is None:
        if np.ndim(indices) != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        return np.ravel(arr)[indices]
    if np.ndim(arr) != np.ndim(indices):
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    if np.ndim(arr) == 1 and axis in (0, -1):
        return arr[indices]
    moved, index = np.moveaxis(arr, axis, -1), np.moveaxis(indices, axis, -1)
    lead = np.zeros(moved.shape[:-1]) + np.zeros(index.shape[:-1])
    rows, _ = rows_of(np.broadcast_to(moved, lead.shape + (moved.shape[-1],)), -1)
    places, shape = rows_of(np.broadcast_to(index, lead.shape + (index.shape[-1],)), -1)
    taken = np.zeros(places.shape, dtype=arr.dtype)
    for i in range(rows.shape[0]):
        taken[i] = rows[i][places[i]]
    return np.moveaxis(taken.reshape(shape), -1, axis)


# -- quantiles ------------------------------------------------------------------------------

def quantile_of_sorted(ordered, q):
    """Interpolate linearly between the two elements around ``q (n - 1)``; nan where there is one."""
    n = len(ordered)
    if np.isnan(ordered[n - 1]):
        return ordered[n - 1]
    if not 0.0 <= q <= 1.0:
        raise ValueError("Quantiles must be in the range [0, 1]")
    at = q * (n - 1)
    below = min(int(at), n - 1)
    above = min(below + 1, n - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def quantiles_of_vector(x, q):
    ordered = np.sort(x)
    if np.ndim(q) == 0:
        return quantile_of_sorted(ordered, q)
    found = np.zeros(len(q))
    for k in range(len(q)):
        found[k] = quantile_of_sorted(ordered, q[k])
    return found


def quantile(a, q, axis=None, *, keepdims=False):
    x = np.asarray(a)
    if axis is None or x.ndim == 1:
        found = quantiles_of_vector(x.ravel(), q)
        return found.reshape((1,) * x.ndim) if keepdims else found
    if np.ndim(q) != 0:
        return np.stack([quantile(x, one, axis, keepdims=keepdims) for one in q])
    rows, shape = rows_of(x, axis)
    found = np.zeros(rows.shape[0])
    for i in range(rows.shape[0]):
        found[i] = quantiles_of_vector(rows[i], q)
    found = found.reshape(shape[:-1])
    return np.expand_dims(found, axis) if keepdims else found


def percentile(a, q, axis=None, *, keepdims=False):
    return quantile(a, np.asarray(q) / 100.0 if np.ndim(q) != 0 else q / 100.0, axis, keepdims=keepdims)


def median_along(x, axis):
    if axis is None:
        return np.median(x.ravel())
    rows, shape = rows_of(x, axis)
    found = np.zeros(rows.shape[0])
    for i in range(rows.shape[0]):
        found[i] = np.median(rows[i])
    return found.reshape(shape[:-1])


def repeated(x, counts, axis):
    if len(counts) != x.shape[axis]:
        raise ValueError("operands could not be broadcast together")
    order = np.zeros(np.sum(counts), dtype=np.int64)
    k = 0
    for i in range(len(counts)):
        if counts[i] < 0:
            raise ValueError("repeats may not contain negative values.")
        order[k:k + counts[i]] = i
        k += counts[i]
    return np.take(x, order, axis=axis)


# -- choices ----------------------------------------------------------------------------------

def compress(condition, a, axis=None):
    x = np.ravel(a) if axis is None else np.moveaxis(a, axis, 0)
    chosen = x[np.flatnonzero(condition)]
    return chosen if axis is None else np.moveaxis(chosen, 0, axis)


def extract(condition, arr):
    return np.ravel(arr)[np.flatnonzero(condition)]


def choose(a, choices):
    made = np.asarray(choices[0]) + np.zeros(np.shape(a))
    for k in range(1, len(choices)):
        made = np.where(np.asarray(a) == k, choices[k], made)
    return made


def isin(element, test_elements):
    x, items = np.asarray(element), np.ravel(np.asarray(test_elements))
    return np.any(np.expand_dims(x, -1) == items, axis=-1)


def array_equal(a1, a2):
    x, y = np.asarray(a1), np.asarray(a2)
    if x.ndim != y.ndim:
        return False
    for k in range(x.ndim):
        if x.shape[k] != y.shape[k]:
            return False
    return bool(np.all(x == y))


def bincount(x, weights=None, minlength=0):
    n = minlength
    for k in range(len(x)):
        if x[k] < 0:
            raise ValueError("'list' argument must have no negative elements")
        n = max(n, x[k] + 1)
    if weights is None:
        counts = np.zeros(n, dtype=np.int64)
        for k in range(len(x)):
            counts[x[k]] += 1
        return counts
    if len(weights) != len(x):
        raise ValueError("The weights and list don't have the same length.")
    totals = np.zeros(n)
    for k in range(len(x)):
        totals[x[k]] += weights[k]
    return totals


def digitize(x, bins, right=False):
    first, last = bins[0], bins[len(bins) - 1]
    if first > last:
        raise ValueError("srcdiff takes bins in increasing order only")
    return np.searchsorted(bins, x, "left") if right else np.searchsorted(bins, x, "right")


def partition(a, kth, axis=-1):
    """In order altogether: what NumPy leaves between the positions `kth` is in no order that is promised."""
    return np.sort(a, axis=axis)


def argpartition(a, kth, axis=-1):
    return np.argsort(a, axis=axis)


# -- positions ------------------------------------------------------------------------------

def within(indices, n, mode):
    """Bring positions into an axis of n elements, as `np.take` does for a mode."""
    if mode == "wrap":
        return indices % n
    if mode == "clip":
        return np.minimum(np.maximum(indices, 0), n - 1)
    raise ValueError("clipmode must be one of 'clip', 'raise', or 'wrap'")


def unravel_index(indices, shape):
    places = []
    for k in range(len(shape) - 1, -1, -1):
        places = [indices % shape[k], *places]
        indices = indices // shape[k]
    return tuple(places)


def nonzero_of_many(a):
    return unravel_index(np.flatnonzero(a), a.shape)


def argwhere(a):
    return np.stack(np.nonzero(a), axis=1)


def lexsort(keys):
    order = np.argsort(keys[0], kind="stable")
    for key in keys[1:]:
        order = order[np.argsort(key[order], kind="stable")]
    return order


# -- values that repeat -----------------------------------------------------------------------

def unique(ar, return_index=False, return_inverse=False, return_counts=False):
    """The distinct values; each is the first element that has it, and takes its derivative."""
    x = np.ravel(ar)
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    n = len(x)
    first = np.ones(n, dtype=bool)
    first[1:] = (ordered[1:] != ordered[:-1]) & ((ordered[1:] == ordered[1:]) | (ordered[:-1] == ordered[:-1]))
    starts = np.flatnonzero(first)
    made = [ordered[starts]]
    if return_index:
        made.append(order[starts])
    if return_inverse:
        inverse = np.zeros(n, dtype=np.int64)
        inverse[order] = np.cumsum(first) - 1
        made.append(inverse.reshape(np.shape(ar)))
    if return_counts:
        made.append(np.diff(np.append(starts, n)))
    return tuple(made) if len(made) > 1 else made[0]


def bounds_of_bins(a, bins, range):             # noqa: A002
    if range is None:
        first, last = np.min(a), np.max(a)
    else:
        first, last = range
    widened = first == last
    first, last = np.where(widened, first - 0.5, first), np.where(widened, last + 0.5, last)
    return np.linspace(first, last, bins + 1)


def histogram_bin_edges(a, bins=10, range=None):        # noqa: A002
    return bounds_of_bins(np.ravel(a), bins, range) if isinstance(bins, int) else np.asarray(bins)


def histogram(a, bins=10, range=None, density=None, weights=None):      # noqa: A002
    """Counts are integers and have no derivative; the edges follow the extremes, sums of weights the weights."""
    x = np.ravel(a)
    edges = histogram_bin_edges(x, bins, range)
    n = len(edges) - 1
    at = np.searchsorted(edges, x, "right") - 1
    at = np.where(x == edges[n], n - 1, at)
    counts = np.zeros(n) if weights is not None else np.zeros(n, dtype=np.int64)
    for k in np.arange(len(x)):
        if at[k] >= 0 and at[k] < n:
            counts[at[k]] += np.ravel(weights)[k] if weights is not None else 1
    if density:
        return counts / (edges[1:] - edges[:-1]) / np.sum(counts), edges
    return counts, edges


FUNCTIONS = {
    np.partition: partition, np.argpartition: argpartition, np.unravel_index: unravel_index, np.argwhere: argwhere, np.lexsort: lexsort, np.unique: unique,
    np.histogram: histogram, np.histogram_bin_edges: histogram_bin_edges,
    np.take_along_axis: take_along_axis, np.quantile: quantile, np.percentile: percentile, np.compress: compress,
    np.extract: extract, np.choose: choose, np.isin: isin, np.array_equal: array_equal, np.bincount: bincount,
    np.digitize: digitize,
}
