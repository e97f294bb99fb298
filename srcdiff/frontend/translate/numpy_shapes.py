"""NumPy functions that rearrange, join and slice arrays.
"""

from __future__ import annotations

import numpy as np

from srcdiff.frontend.translate.attributes import count, transpose
from srcdiff.frontend.translate.indexing import load_array
from srcdiff.frontend.translate.iteration import items_of
from srcdiff.frontend.translate.kinds import ARRAY, array_without_axes, kind_of
from srcdiff.frontend.translate.numeric import arithmetic
from srcdiff.frontend.translate.numpy_arguments import (
    NONE,
    array,
    axes_of,
    axis_of,
    extents_of,
    integer_of,
    none,
    refuse_given,
)
from srcdiff.frontend.translate.values import (
    Known,
    Ref,
    Refused,
    Slice,
    Tuple,
    View,
    is_atom,
)
from srcdiff.frontend.translate.views import array_of, as_atom, as_view, shape_of
from srcdiff.syntax import Const, Var

__all__ = [
    "_at_least_1d", "append", "atleast", "broadcast_to", "column_stack", "concatenate", "derived",
    "diff", "expand_dims", "flat", "flatten", "flip", "hstack", "join", "moveaxis", "ndim", "ravel",
    "read_only", "reshape", "shape", "size", "squeeze", "stack", "swapaxes", "transposed", "vstack", "with_axes",
]

def derived(t, made, source):
    """Note that NumPy's `made` may share memory with `source`."""
    if isinstance(made, Var) and t.memory(source) is not None and made != source:
        t.derived[made.name] = t.memory(source)
    return made


def read_only(t, made, source):
    """Note that NumPy's `made` shares memory with `source` and cannot be written."""
    if isinstance(derived(t, made, source), Var):
        t.read_only.add(made.name)
    return made


def reshape(t, a, *shape, order=NONE, copy=NONE):
    if not none(order) and getattr(order, "value", None) != "C":
        return _reshape_by_columns(t, a, shape, order)
    if len(shape) == 1:
        extents = list(extents_of(t, shape[0]))
    else:
        extents = [as_atom(t, s) for s in shape]
    source = a
    x = array(t, a)
    unknown = [k for k, n in enumerate(extents) if n == Const(-1)]
    if unknown:
        rest = None
        for n in extents:
            if n != Const(-1):
                rest = n if rest is None else arithmetic(t, "Mult", rest, n)
        total = count(t, x)
        whole = rest is None or rest == Const(1)
        extents[unknown[0]] = total if whole else t.emit("floor_divide", total, rest)
    if not extents:
        return _only_element(t, source)
    if not t.ndim(x):
        return derived(t, t.emit("full", x, *extents, dtype=t.type_of(x).dtype), source)
    return derived(t, t.emit("reshape", x, *extents), source)


def _reshape_by_columns(t, a, shape, order):
    """Reshape with the first axis the fastest: the transpose of an array is reshaped, and transposed."""
    if getattr(order, "value", None) != "F":
        raise Refused("a reshape in an order that the layout in memory decides", fix="use order='C' or order='F'")
    extents = extents_of(t, shape[0]) if len(shape) == 1 else shape
    turned = t.emit("copy", as_atom(t, transposed(t, a)))
    made = array(t, transposed(t, reshape(t, turned, *reversed(extents))))
    return derived(t, made, a)


def _only_element(t, a):
    """Return the view without axes of an array of one element; any other number of elements is an error."""
    x = array(t, a)
    if not t.ndim(x):
        return x if kind_of(t, x) & ARRAY else array_without_axes(t, x)
    other = t.emit("not_equal", count(t, x), Const(1))
    with t.builder.nested() as block:
        t.builder.fail("ValueError", "cannot reshape array: it does not have one element")
    t.builder.branch(other, block)
    return load_array(t, a if isinstance(a, View) else x, Tuple((Const(0),) * t.ndim(x) + (Known(Ellipsis),)))


def of_number(t, x, rank: int):
    """Return an array of `rank` axes that holds a number, and is the memory of one without axes."""
    return derived(t, t.emit("array", x, dtype=t.type_of(x).dtype, shape=(1,) * rank), x)


def flat(t, x):
    return t.emit("reshape", x, count(t, x))


def ravel(t, a, order=NONE):
    return reshape(t, a, Const(-1), order=order)


def flatten(t, a, order=NONE):
    x = array(t, reshape(t, a, Const(-1), order=order))
    t.derived.pop(x.name, None)
    return x


def transposed(t, a, *axes):
    if len(axes) == 1 and (isinstance(axes[0], Tuple | Ref) or none(axes[0])):
        axes = () if none(axes[0]) else items_of(t, axes[0])
    a = a if isinstance(a, View) or is_atom(a) else array(t, a)
    ndim = len(a.axes) if isinstance(a, View) else t.ndim(a)
    perm = [t.static_number(x) for x in axes] or list(reversed(range(ndim)))
    if None in perm:
        raise Refused("the axes of a transpose must be known when the function is specialised",
                      fix="write them as numbers")
    return transpose(t, a, tuple(int(p) % ndim for p in perm))


def swapaxes(t, a, first, second):
    ndim = len(as_view(t, a).axes)
    perm = list(range(ndim))
    i, j = (axis_of(t, x, ndim) for x in (first, second))
    perm[i], perm[j] = perm[j], perm[i]
    return transpose(t, a, tuple(perm))


def moveaxis(t, a, source, destination):
    ndim = len(as_view(t, a).axes)
    i, j = (axis_of(t, x, ndim) for x in (source, destination))
    perm = [k for k in range(ndim) if k != i]
    perm.insert(j, i)
    return transpose(t, a, tuple(perm))


def expand_dims(t, a, axis):
    a = a if isinstance(a, View) else array(t, a)
    if is_atom(a) and not t.ndim(a):
        axis_of(t, axis, 1)
        return of_number(t, a, 1)
    view = as_view(t, a)
    axes = list(view.axes)
    axes.insert(axis_of(t, axis, len(axes) + 1), None)
    return View(view.base, view.index, tuple(axes))


def squeeze(t, a, axis=NONE):
    x = array(t, a)
    if not t.ndim(x):
        return a if isinstance(a, View) else x
    if none(axis):
        extents = t.extents.get(x.name)
        if extents is None:
            raise Refused("squeeze without an axis", why="which axes have extent 1 is known only at run time",
                          fix="name the axis: squeeze(axis=0)")
        ones = tuple(k for k, n in enumerate(extents) if n == 1)
        if len(ones) == len(extents):
            return _only_element(t, a)
        return derived(t, t.emit("squeeze", x, axis=ones), a) if ones else a
    axes = axes_of(t, axis, t.ndim(x))
    return _only_element(t, a) if len(axes) == t.ndim(x) else derived(t, t.emit("squeeze", x, axis=axes), a)


def with_axes(t, x, rank):
    """Return an array with axes of extent 1 put in front until it has `rank` axes."""
    if not t.ndim(x):
        return of_number(t, x, rank) if rank else x
    while t.ndim(x) < rank:
        x = t.emit("expand_dims", x, axis=0)
    return x


def atleast(rank):
    def handler(t, *arrays):
        made = tuple(one(t, a) for a in arrays)
        return made[0] if len(made) == 1 else Tuple(made)

    def one(t, a):
        a = array(t, a) if not isinstance(a, View) else a
        ndim = len(a.axes) if isinstance(a, View) else t.ndim(a)
        if ndim >= rank:
            return a
        if ndim == 0:
            return of_number(t, as_atom(t, a), rank) if is_atom(a) else View(a.base, a.index, (None,) * rank)
        view = as_view(t, a)
        return View(view.base, view.index, (None,) * (rank - ndim) + view.axes)
    return handler


def broadcast_to(t, a, shape):
    extents = extents_of(t, shape)
    if not extents and not t.ndim(array(t, a)):
        return a
    return read_only(t, t.emit("broadcast_to", array(t, a), *extents), a)


def shape(t, a):
    return Tuple(shape_of(t, a)) if is_atom(a) or isinstance(a, View) else Tuple(shape_of(t, array(t, a)))


def size(t, a, axis=NONE):
    x = array(t, a)
    return count(t, x) if none(axis) else t.size(x, axis_of(t, axis, t.ndim(x)))


def ndim(t, a):
    return Const(len(a.axes)) if isinstance(a, View) else Const(t.ndim(array(t, a)))


# -- joining ----------------------------------------------------------------------

def join(t, parts, axis):
    dtype = np.result_type(*(np.dtype(t.type_of(p).dtype) for p in parts)).name
    return t.emit("concatenate", *(t.cast(p, dtype) for p in parts), axis=axis)


def concatenate(t, parts, axis=Const(0), out=NONE):
    refuse_given(out=out)
    arrays = [array(t, p) for p in items_of(t, parts)]
    if none(axis):
        return join(t, [flat(t, x) for x in arrays], 0)
    return join(t, arrays, axis_of(t, axis, t.ndim(arrays[0])))


def stack(t, parts, axis=Const(0), out=NONE):
    refuse_given(out=out)
    arrays = [array(t, p) for p in items_of(t, parts)]
    rank = t.ndim(arrays[0])
    if rank == 0:
        return array_of(t, Tuple(tuple(arrays)))
    k = axis_of(t, axis, rank + 1)
    return join(t, [t.emit("expand_dims", x, axis=k) for x in arrays], k)


def _at_least_1d(t, x):
    return x if t.ndim(x) else t.emit("array", x, dtype=t.type_of(x).dtype, shape=(1,))


def hstack(t, parts):
    arrays = [_at_least_1d(t, array(t, p)) for p in items_of(t, parts)]
    return join(t, arrays, 0 if t.ndim(arrays[0]) == 1 else 1)


def vstack(t, parts):
    arrays = [_at_least_1d(t, array(t, p)) for p in items_of(t, parts)]
    return join(t, [x if t.ndim(x) > 1 else t.emit("expand_dims", x, axis=0) for x in arrays], 0)


def column_stack(t, parts):
    arrays = [_at_least_1d(t, array(t, p)) for p in items_of(t, parts)]
    return join(t, [x if t.ndim(x) > 1 else t.emit("expand_dims", x, axis=1) for x in arrays], 1)


def append(t, a, values, axis=NONE):
    arrays = [_at_least_1d(t, array(t, v)) for v in (a, values)]
    if none(axis):
        return join(t, [x if t.ndim(x) == 1 else flat(t, x) for x in arrays], 0)
    return join(t, arrays, axis_of(t, axis, t.ndim(arrays[0])))


def diff(t, a, n=Const(1), axis=Const(-1)):
    from srcdiff.frontend.translate.indexing import load
    x = array(t, a)
    k = axis_of(t, axis, t.ndim(x))
    for _ in range(integer_of(t, n, "the order of a difference")):
        before = [Slice()] * k
        upper = as_atom(t, load(t, x, Tuple((*before, Slice(Const(1), None)))))
        lower = as_atom(t, load(t, x, Tuple((*before, Slice(None, Const(-1))))))
        x = t.emit("subtract", upper, lower)
    return x


def flip(t, a, axis=NONE):
    from srcdiff.frontend.translate.indexing import load
    rank = len(as_view(t, a if isinstance(a, View) else array(t, a)).axes)
    axes = axes_of(t, axis, rank)
    back = Slice(None, None, Const(-1))
    return load(t, a, Tuple(tuple(back if k in axes else Slice() for k in range(rank))))
