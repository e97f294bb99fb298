"""NumPy functions that are translated as the Python functions below: sorting, searching, interpolation.

What they decide on (positions, orders) is integer and has no derivative; the
values are then looked up, so the derivative is that of the lookup.
"""

from __future__ import annotations

import functools
import importlib
import inspect

import numpy as np

from srcdiff.frontend import in_python
from srcdiff.frontend.in_python import orders
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.numpy_arguments import NONE, array, axis_of, none, refuse_given
from srcdiff.frontend.translate.numpy_shapes import flat
from srcdiff.frontend.translate.values import Known, Refused, Tuple
from srcdiff.syntax import Const

__all__ = ["HANDLERS", "METHODS", "argsort", "in_python_call", "of_package", "sort", "sorted_array", "translated"]


# -- in Python -------------------------------------------------------------------------

def order_of(x):
    """Return the stable order that sorts `x`, by merging runs of doubling length."""
    n = len(x)
    order = np.arange(n)
    width = 1
    while width < n:
        merged = np.arange(n)
        for start in range(0, n, 2 * width):
            middle = min(start + width, n)
            stop = min(start + 2 * width, n)
            i, j = start, middle
            for k in range(start, stop):
                take = j >= stop
                if i < middle and j < stop:
                    a, b = x[order[i]], x[order[j]]
                    take = a <= b or b != b         # nan comes last
                if take:
                    merged[k] = order[i]
                    i += 1
                else:
                    merged[k] = order[j]
                    j += 1
        order = merged
        width = 2 * width
    return order


def position_left(a, v):
    """Return how many elements of the sorted array `a` are less than `v`."""
    low, high = 0, len(a)
    while low < high:
        middle = (low + high) // 2
        if a[middle] < v:
            low = middle + 1
        else:
            high = middle
    return low


def position_right(a, v):
    """Return how many elements of the sorted array `a` are not greater than `v`."""
    low, high = 0, len(a)
    while low < high:
        middle = (low + high) // 2
        if v < a[middle]:
            high = middle
        else:
            low = middle + 1
    return low


def positions_left(a, v):
    found = np.zeros(len(v), dtype=np.int64)
    for k in range(len(v)):
        found[k] = position_left(a, v[k])
    return found


def positions_right(a, v):
    found = np.zeros(len(v), dtype=np.int64)
    for k in range(len(v)):
        found[k] = position_right(a, v[k])
    return found


def interpolated(x, xp, fp, left, right):
    """Return the piecewise linear function through ``(xp, fp)`` at `x`."""
    n = len(xp)
    if n != len(fp):
        raise ValueError("fp and xp are not of the same length.")
    if n == 0:
        raise ValueError("array of sample points is empty")
    if x < xp[0]:
        return fp[0] if left is None else left
    if x > xp[n - 1]:
        return fp[n - 1] if right is None else right
    j = position_right(xp, x) - 1
    if j >= n - 1:
        return fp[n - 1] + 0.0 * x
    slope = (fp[j + 1] - fp[j]) / (xp[j + 1] - xp[j])
    return slope * (x - xp[j]) + fp[j]


def wound(x, xp, fp, period):
    """Bring points of a periodic function into one period, with a point of the next on either side."""
    period = abs(period)
    xp = xp % period
    order = np.argsort(xp)
    xp, fp = xp[order], fp[order]
    n = len(xp)
    return (x % period, np.concatenate((xp[n - 1:] - period, xp, xp[:1] + period)),
            np.concatenate((fp[n - 1:], fp, fp[:1])))


def interpolated_each(x, xp, fp, left, right):
    y = np.zeros(len(x))
    for k in range(len(x)):
        y[k] = interpolated(x[k], xp, fp, left, right)
    return y


def positions_of(mask):
    """Return the positions of the elements that are not zero."""
    count = 0
    for value in mask:
        if value:
            count += 1
    found = np.zeros(count, dtype=np.int64)
    k = 0
    for i in range(len(mask)):
        if mask[i]:
            found[k] = i
            k += 1
    return found


def digits_of(n):
    """Return how many binary digits an integer has."""
    rest, count = abs(n), 0
    while rest > 0:
        rest = rest // 2
        count += 1
    return count


def middle_of(x):
    """Return the median: the mean of the two middle elements, or the middle one."""
    n = len(x)
    order = order_of(x)
    if np.isnan(x[order[n - 1]]):
        return x[order[n - 1]]
    return 0.5 * (x[order[(n - 1) // 2]] + x[order[n // 2]])


# -- their calls ------------------------------------------------------------------------

def in_python_call(t: Translator, function, *args):
    """Translate a call of a Python function."""
    from srcdiff.frontend.translate.inline import function as inlined
    return inlined(t, Known(function), args, {})


def _vector(t, value, name):
    x = array(t, value)
    if t.ndim(x) != 1:
        raise Refused(f"`{name}` of {t.type_of(x)}", why="only arrays with one axis are sorted and searched",
                      fix="use a loop over the rows")
    return x


def translated(function):
    """Translate a call as one of a Python function of `srcdiff.frontend.in_python`."""
    def handler(t, *args, **keywords):
        from srcdiff.frontend.translate.inline import function as inlined
        return inlined(t, Known(function), args, keywords)
    handler.__signature__ = inspect.signature(function).replace(parameters=[
        inspect.Parameter("t", inspect.Parameter.POSITIONAL_OR_KEYWORD), *inspect.signature(function).parameters.values()])
    return handler


def _along(t, a, axis, vectors, function):
    """Call `vectors` with an array of one axis (all elements for axis=None), else `function` with an axis."""
    x = array(t, a)
    along = None if none(axis) else Const(axis_of(t, axis, t.ndim(x)))
    if along is None and t.ndim(x) > 1:
        x = flat(t, x)
    if t.ndim(x) < 2:
        return vectors(_vector(t, x, "order"))
    return in_python_call(t, function, x, along)


def argsort(t, a, axis=Const(-1), kind=NONE, order=NONE, *, stable=NONE):
    """Translate `np.argsort`; equal elements keep their order."""
    refuse_given(order=order)
    return _along(t, a, axis, lambda x: _argsort(t, x), orders.argsort_along)


def _argsort(t, x):
    return in_python_call(t, order_of, t.emit("stop_gradient", x) if t.type_of(x).dtype[0] == "f" else x)


def sort(t, a, axis=Const(-1), kind=NONE, order=NONE, *, stable=NONE):
    """Translate `np.sort`: the elements, looked up in their order."""
    refuse_given(order=order)
    return _along(t, a, axis, lambda x: t.builder.load(x.name, (_argsort(t, x),)), orders.sort_along)


def sort_in_place(t, a, axis=Const(-1), kind=NONE, order=NONE):
    """Translate ``x.sort()``."""
    from srcdiff.frontend.translate.numpy_calls import copyto
    return copyto(t, a, sort(t, a, axis, kind, order))


def sorted_array(t, value, backwards: bool):
    """Return the array of the elements of a list or an array in order, as `sorted` gives them."""
    x = _vector(t, value, "sorted")
    if backwards:       # equal elements keep their order, which nobody can tell of numbers
        made = argsort(t, t.emit("negative", x))
        return t.builder.load(x.name, (made,))
    return sort(t, x)


def searchsorted(t, a, v, side=Known("left"), sorter=NONE):
    """Translate `np.searchsorted`: a binary search."""
    refuse_given(sorter=sorter)
    xp, x = _vector(t, a, "searchsorted"), array(t, v)
    if t.ndim(x) > 1 or getattr(side, "value", None) not in ("left", "right"):
        raise Refused("np.searchsorted of a matrix, or with an unknown side", fix="use a loop over the rows")
    one = {"left": position_left, "right": position_right}[side.value]
    many = {"left": positions_left, "right": positions_right}[side.value]
    return in_python_call(t, many if t.ndim(x) else one, xp, x)


def interp(t, x, xp, fp, left=NONE, right=NONE, period=NONE):
    """Translate `np.interp`: a binary search, then the line between two points."""
    at, points, values = array(t, x), _vector(t, xp, "interp"), _vector(t, fp, "interp")
    if not none(period):
        refuse_given(left=left, right=right)
        at, points, values = in_python_call(t, wound, at, points, values, period).items
    if t.ndim(at) > 1:
        raise Refused("np.interp at a matrix of points", fix="ravel it, and reshape the result")
    return in_python_call(t, interpolated_each if t.ndim(at) else interpolated, at, points, values, left, right)


def median(t, a, axis=NONE, *, overwrite_input=Const(False)):
    if overwrite_input != Const(False) and any(root == t.root(a) for _, root, _ in t.roots_in_state()):
        raise Refused("the median of an array that it may overwrite", why="in which order it is left is not said",
                      fix="leave overwrite_input out")
    return _along(t, a, axis, lambda x: in_python_call(t, middle_of, x), orders.median_along)


def nonzero(t, a):
    """Translate `np.nonzero`, and `np.where` with a condition alone."""
    x = array(t, a)
    return Tuple((flatnonzero(t, x),)) if t.ndim(x) < 2 else in_python_call(t, orders.nonzero_of_many, x)


def flatnonzero(t, a):
    """Translate `np.flatnonzero`: positions are integers, and have no derivative."""
    x = array(t, a)
    return in_python_call(t, positions_of, _vector(t, flat(t, x) if t.ndim(x) > 1 else x, "nonzero"))


HANDLERS = {np.argsort: argsort, np.sort: sort, np.searchsorted: searchsorted, np.interp: interp,
            np.median: median, np.nonzero: nonzero, np.flatnonzero: flatnonzero,
            **{name: translated(function) for name, function in in_python.FUNCTIONS.items()}}

# The packages whose functions are looked up when one of them is called: they are slow to import.
PACKAGES = {"scipy.linalg": "dense", "scipy.stats": "distributions", "scipy.signal": "signals", "scipy.integrate": "signals"}


def of_package(target):
    """Return the handler of a function of SciPy's packages that is written in Python here, else None."""
    module = getattr(target, "__module__", None) or ""
    file = PACKAGES.get(".".join(module.split(".")[:2]))
    return None if file is None else _handlers(file).get(target)


@functools.cache
def _handlers(file: str) -> dict:
    functions = importlib.import_module(f"{in_python.__name__}.{file}").FUNCTIONS
    return {named: translated(function) for named, function in functions.items()}


def bit_length(t, n):
    """Translate ``n.bit_length()`` of an integer."""
    if t.ndim(n) or t.type_of(n).dtype[0] not in "iu":
        raise Refused("`bit_length` of other than an integer", fix="convert with int(...)", code="SD0241")
    return Const(int(n.value).bit_length()) if isinstance(n, Const) else in_python_call(t, digits_of, n)


METHODS = {"bit_length": bit_length, "sort": sort_in_place, "argsort": argsort, "searchsorted": searchsorted, "nonzero": nonzero,
           "compress": lambda t, a, condition, axis=NONE: in_python_call(t, orders.compress, condition, a, axis)}
