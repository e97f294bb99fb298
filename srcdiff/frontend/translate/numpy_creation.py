"""NumPy functions that make arrays.
"""

from __future__ import annotations

import numpy as np

from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import describe
from srcdiff.frontend.translate.iteration import items_of
from srcdiff.frontend.translate.kinds import ARRAY, array_without_axes, kind_of
from srcdiff.frontend.translate.numeric import arithmetic
from srcdiff.frontend.translate.numpy_arguments import (
    NONE,
    array,
    dtype_of,
    extents_of,
    flag,
    none,
    refuse_given,
)
from srcdiff.frontend.translate.numpy_shapes import derived, with_axes
from srcdiff.frontend.translate.values import Intrinsic, Known, Range, Ref, Refused, Tuple, View, is_atom
from srcdiff.frontend.translate.views import array_of, as_atom, load_view, shape_of, store
from srcdiff.syntax import Const

__all__ = [
    "_known_array", "allocate_like", "arange", "as_array", "astype", "contiguous", "copy", "eye",
    "full", "full_like", "identity", "like", "linspace", "make_array", "ones", "zeros",
]

def zeros(op):
    def handler(t, shape, dtype=NONE, order=NONE):
        extents, name = extents_of(t, shape), dtype_of(dtype, "float64")
        return t.emit(op, *extents, dtype=name) if extents else array_without_axes(t, t.cast(Const(0.0), name))
    return handler


def ones(t, shape, dtype=NONE, order=NONE):
    extents, name = extents_of(t, shape), dtype_of(dtype, "float64")
    one = Const({"f": 1.0, "b": True}.get(np.dtype(name).kind, 1))
    return t.emit("full", one, *extents, dtype=name) if extents else array_without_axes(t, one)


def full(t, shape, fill_value, dtype=NONE, order=NONE):
    value = as_atom(t, fill_value)
    name = dtype_of(dtype, t.type_of(value).dtype)
    extents = extents_of(t, shape)
    if not extents:
        return array_without_axes(t, t.cast(value, name))
    if t.ndim(value):
        return t.emit("broadcast_to", t.cast(value, name), *extents)
    return t.emit("full", value, *extents, dtype=name)


def like(make):
    def handler(t, a, dtype=NONE, order=NONE, subok=NONE, shape=NONE):
        refuse_given(shape=shape)
        x = a if isinstance(a, View) else array(t, a)
        own = t.builder.types[x.base].dtype if isinstance(x, View) else t.type_of(x).dtype
        return make(t, Tuple(shape_of(t, x)), Known(dtype_of(dtype, own)))
    return handler


def full_like(t, a, fill_value, dtype=NONE, order=NONE):
    x = array(t, a)
    return full(t, Tuple(shape_of(t, x)), fill_value, Known(dtype_of(dtype, t.type_of(x).dtype)))


ALWAYS = Const(True)


def make_array(t, value, dtype=NONE, *, copy=ALWAYS, order=NONE, ndmin=NONE, subok=NONE):
    """`np.array`: a new array, unless `copy` says otherwise; a number stays a number."""
    if not none(ndmin) and t.static_number(ndmin):
        made = make_array(t, value, dtype, copy=copy)
        return with_axes(t, as_atom(t, made), int(t.static_number(ndmin)))
    if copy is not ALWAYS and not flag(t, copy):
        return as_array(t, value, dtype)
    name = dtype_of(dtype)
    if isinstance(value, Ref) and not isinstance(t.contents(value), Tuple):
        return array_of(t, t.emit("copy", as_atom(t, value)), name)
    if is_atom(value) or isinstance(value, View):
        atom = as_atom(t, value)
        if name is not None and name != t.type_of(atom).dtype:
            made = t.cast(atom, name)
            return made if t.ndim(atom) else array_without_axes(t, made)
        return t.emit("copy", atom) if t.ndim(atom) else array_without_axes(t, atom)
    if isinstance(value, Range | Tuple | Ref):
        return array_of(t, value, name)
    return array_of(t, Tuple(tuple(items_of(t, value))), name) if not isinstance(value, Known) else (
        _known_array(t, value, name))


def _known_array(t, value, name):
    lifted = lift(t, value.value, value.origin)
    if isinstance(lifted, Known):
        raise Refused(f"an array cannot be made of {describe(value)}",
                      fix="pass numbers, arrays, or lists and tuples of them")
    return make_array(t, lifted, Known(name))


def as_array(t, value, dtype=NONE, order=NONE, *, copy=NONE, like=NONE):
    """`np.asarray`: the array itself where nothing is to be converted."""
    if flag(t, copy):
        return make_array(t, value, dtype)
    if isinstance(value, View) or is_atom(value):
        have = t.builder.types[value.base].dtype if isinstance(value, View) else t.type_of(value).dtype
        name = dtype_of(dtype)
        number = is_atom(value) and kind_of(t, value) not in (None, ARRAY)
        if not number and (name is None or name == have):
            return value
        made = t.cast(as_atom(t, value), name or have)
        return array_without_axes(t, made) if number or not t.ndim(made) else made
    return make_array(t, value, dtype)


def contiguous(t, value, dtype=NONE):
    """`np.ascontiguousarray`: the array itself or a copy, as the layout has it."""
    made = as_array(t, value, dtype)
    if isinstance(made, View):
        return derived(t, load_view(t, made), made)
    if is_atom(made) and t.ndim(made) and t.root(value) is not None and made == value:
        return derived(t, t.emit("copy", made), value)
    return made


def copy(t, a, order=NONE):
    return make_array(t, a)


def astype(t, a, dtype, *, copy=ALWAYS, order=NONE, casting=NONE):
    x, name = as_atom(t, a), dtype_of(dtype)
    if t.type_of(x).dtype == name:
        if not flag(t, copy):
            return a
        return t.emit("copy", x) if t.ndim(x) else array_without_axes(t, x) if kind_of(t, x) & ARRAY else x
    return t.cast(x, name)


def eye(t, n, m=NONE, k=Const(0), dtype=NONE):
    if k != Const(0):
        raise Refused("np.eye with an offset", fix="use a loop")
    rows = as_atom(t, n)
    return t.emit("eye", rows, rows if none(m) else as_atom(t, m), dtype=dtype_of(dtype, "float64"))


def identity(t, n, dtype=NONE):
    return eye(t, n, dtype=dtype)


def arange(t, *bounds, dtype=NONE):
    atoms = [as_atom(t, b) for b in bounds]
    start, stop, step = {1: (Const(0), *atoms, Const(1)), 2: (*atoms, Const(1)), 3: tuple(atoms)}[len(atoms)]
    kinds = {t.type_of(a).dtype for a in (start, stop, step)}
    name = dtype_of(dtype, "float64" if any(k[0] == "f" for k in kinds) else "int64")
    return t.emit("arange", start, stop, step, dtype=name)


def linspace(t, start, stop, num=Const(50), endpoint=Const(True), dtype=NONE):
    """``start + arange(num) * step``; the last element is exactly `stop`."""
    a, b, n = as_atom(t, start), as_atom(t, stop), as_atom(t, num)
    if t.ndim(a) or t.ndim(b):
        raise Refused("np.linspace between arrays", fix="use a loop")
    closed = flag(t, endpoint)
    gaps = arithmetic(t, "Sub", n, Const(1)) if closed else n
    gaps = Const(max(gaps.value, 1)) if isinstance(gaps, Const) else t.emit("maximum", gaps, Const(1))
    step = arithmetic(t, "Div", arithmetic(t, "Sub", b, a), gaps)
    ramp = t.emit("arange", Const(0), n, Const(1), dtype="float64")
    made = t.emit("add", t.emit("multiply", ramp, step), a)
    if closed:
        long = Const(n.value > 1) if isinstance(n, Const) else t.emit("greater", n, Const(1))
        if long == Const(True):
            store(t, made.name, (Const(-1),), b)
        elif long != Const(False):
            with t.builder.nested() as block:
                store(t, made.name, (Const(-1),), b)
            t.builder.branch(long, block)
    return t.cast(made, dtype_of(dtype, "float64"))


def allocate_like(type_):
    """Return the function that makes an array of `n` elements of this type."""
    return Intrinsic(lambda t, n: t.emit("zeros", as_atom(t, n), dtype=type_.dtype))
