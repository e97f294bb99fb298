"""Reductions and products of NumPy.
"""

from __future__ import annotations

import numpy as np

from srcdiff.assemble import require_equal
from srcdiff.frontend.in_python import algebra, calculus, shapes
from srcdiff.frontend.translate.kinds import number_in
from srcdiff.frontend.translate.library import in_python_call
from srcdiff.frontend.translate.numeric import arithmetic, inner_product
from srcdiff.frontend.translate.numpy_arguments import (
    NONE,
    array,
    axes_of,
    axis_of,
    dtype_of,
    flag,
    none,
    refuse_given,
)
from srcdiff.frontend.translate.numpy_shapes import (
    flat,
    join,
    moveaxis,
    read_only,
)
from srcdiff.frontend.translate.values import (
    Known,
    Refused,
    Tuple,
)
from srcdiff.frontend.translate.views import as_atom, store
from srcdiff.syntax import Const, is_complex, is_float

__all__ = [
    "_diagonal_index", "arg_extreme", "as_floats", "average", "cross", "cumsum", "diag", "diagonal", "dot",
    "inner", "matmul", "mean", "norm", "number_of", "outer", "outer_of_vectors", "plain_reduction",
    "reduce", "reduction", "std", "trace", "var", "vdot", "wide_integers",
]

def reduction(op):
    def handler(t, a, axis=NONE, dtype=NONE, out=NONE, keepdims=NONE, *, initial=NONE, where=NONE):
        refuse_given(out=out)
        x = array(t, a)
        if not t.ndim(x):
            refuse_given(initial=initial, where=where)
            return _of_number(t, op, x if none(dtype) else t.cast(x, dtype_of(dtype)))
        if not none(dtype):
            x = t.cast(x, dtype_of(dtype))
        x = _chosen(t, op, x, where, initial)
        if op in _EXTREME and not none(initial):
            axes = Tuple(tuple(map(Const, axes_of(t, axis, t.ndim(x)))))
            return in_python_call(t, _EXTREME[op], x, axes, Const(flag(t, keepdims)), initial)
        made = reduce(t, op, x, axes_of(t, axis, t.ndim(x)), flag(t, keepdims))
        return made if none(initial) else t.emit(_JOINED[op], made, as_atom(t, initial))
    return handler


def _of_number(t, op, x):
    """Return a reduction of one number: it is of the type that an array of such numbers gives."""
    if op in ("any", "all"):
        return number_in(t, x) if t.type_of(x).dtype == "bool" else t.emit("not_equal", x, Const(0))
    return wide_integers(t, x) if op in ("sum", "prod") else number_in(t, x)


def wide_integers(t, x):
    """Return what sums and products take: integers of 64 bits in place of narrower ones."""
    kind, wide = t.type_of(x).dtype[0], {"b": "int64", "i": "int64", "u": "uint64"}
    return t.cast(x, wide[kind]) if kind in wide and t.type_of(x).dtype != wide[kind] else number_in(t, x) if not t.ndim(x) else x


# What a reduction has of no elements, and what joins it with `initial=`.
_NEUTRAL = {"sum": 0, "prod": 1, "any": False, "all": True}
_JOINED = {"sum": "add", "prod": "multiply", "any": "logical_or", "all": "logical_and"}
# The extremes have no value of no elements; `initial=` gives them one.
_EXTREME = {"max": calculus.maximum_from, "min": calculus.minimum_from}


def _chosen(t, op, x, where, initial):
    """Put what changes nothing in the place of elements that `where=` leaves out."""
    if none(where) or where == Const(True):
        return x
    mask = array(t, where)
    if t.ndim(mask) > t.ndim(x):
        raise Refused("`where=` has more axes than the array", code="SD0230",
                      fix="give the mask the shape of the array")
    if op not in _NEUTRAL and none(initial):
        raise Refused(f"a {op} with `where=` and without `initial=`", python=ValueError,
                      why="no elements may be left, and have no extreme", fix="give initial=")
    neutral = as_atom(t, initial) if op not in _NEUTRAL else Const(
        float(_NEUTRAL[op]) if t.type_of(x).dtype[0] == "f" else _NEUTRAL[op])
    return t.emit("where", mask, x, neutral)


def plain_reduction(op):
    """A reduction whose third parameter is `out`, not `dtype`."""
    full = reduction(op)

    def handler(t, a, axis=NONE, out=NONE, keepdims=NONE, *, initial=NONE, where=NONE):
        return full(t, a, axis, NONE, out, keepdims, initial=initial, where=where)
    return handler


def reduce(t, op, x, axes, keepdims=False):
    return t.emit(op, x, axis=axes, keepdims=True) if keepdims else t.emit(op, x, axis=axes)


def mean(t, a, axis=NONE, dtype=NONE, out=NONE, keepdims=NONE, *, where=NONE):
    refuse_given(out=out)
    x = array(t, a)
    if not none(where):
        return in_python_call(t, calculus.mean_where, x, axis if none(axis) or t.ndim(x) else NONE, keepdims, where)
    if not t.ndim(x):
        return number_in(t, x) if is_float(t.type_of(x)) else t.cast(x, "float64")
    x = as_floats(t, x) if none(dtype) else t.cast(x, dtype_of(dtype))
    axes = axes_of(t, axis, t.ndim(x))
    return t.emit("divide", reduce(t, "sum", x, axes, flag(t, keepdims)), number_of(t, x, axes))


def as_floats(t, x):
    """Return what a mean adds up, and `fabs` takes: floats for integers, which would wrap."""
    return x if t.type_of(x).dtype[0] in "fc" else t.cast(x, "float64")


def number_of(t, x, axes):
    """Return how many elements a reduction over these axes takes together."""
    total = t.size(x, axes[0])
    for axis in axes[1:]:
        total = t.emit("multiply", total, t.size(x, axis))
    return total


def var(t, a, axis=NONE, dtype=NONE, out=NONE, ddof=Const(0), keepdims=NONE):
    refuse_given(out=out, dtype=dtype)
    x = array(t, a)
    if not t.ndim(x) and ddof == Const(0):
        return t.emit("subtract", *[as_floats(t, x)] * 2)
    axes = axes_of(t, axis, t.ndim(x))
    x, n = as_floats(t, x), number_of(t, x, axes)
    centre = t.emit("divide", reduce(t, "sum", x, axes, True), n)
    squares = t.emit("square", t.emit("subtract", x, centre))
    total = reduce(t, "sum", squares, axes, flag(t, keepdims))
    return t.emit("divide", total, arithmetic(t, "Sub", n, as_atom(t, ddof)) if ddof != Const(0) else n)


def std(t, a, axis=NONE, dtype=NONE, out=NONE, ddof=Const(0), keepdims=NONE):
    return t.emit("root_of_squares", var(t, a, axis, dtype, out, ddof, keepdims))


def average(t, a, axis=NONE, weights=NONE, returned=Const(False)):
    if flag(t, returned):
        raise Refused("np.average with returned=True", fix="sum the weights in a second step", code="SD0239")
    if none(weights):
        return mean(t, a, axis)
    x, w = array(t, a), array(t, weights)
    if t.ndim(w) == 1 < t.ndim(x) and not none(axis):
        return in_python_call(t, calculus.average_along, x, axis, w)
    if t.ndim(x) != t.ndim(w):
        raise Refused("np.average with weights of another rank", fix="broadcast the weights first")
    axes, x, w = axes_of(t, axis, t.ndim(x)), as_floats(t, x), as_floats(t, w)
    return t.emit("divide", t.emit("sum", t.emit("multiply", x, w), axis=axes), t.emit("sum", w, axis=axes))


def arg_extreme(op):
    def handler(t, a, axis=NONE, out=NONE):
        refuse_given(out=out)
        x = array(t, a)
        if none(axis):
            return t.emit(op, flat(t, x) if t.ndim(x) > 1 else x, axis=0)
        return t.emit(op, x, axis=axis_of(t, axis, t.ndim(x)))
    return handler


def cumsum(t, a, axis=NONE, dtype=NONE, out=NONE):
    refuse_given(dtype=dtype, out=out)
    x = array(t, a)
    if none(axis):
        return t.emit("cumsum", flat(t, x) if t.ndim(x) > 1 else x, axis=0)
    return t.emit("cumsum", x, axis=axis_of(t, axis, t.ndim(x)))


def norm(t, x, ord=NONE, axis=NONE, keepdims=NONE):     # noqa: A002
    x = array(t, x)
    order = ord.value if isinstance(ord, Known | Const) else 0
    axes = axes_of(t, axis, t.ndim(x))
    keep = flag(t, keepdims)
    if not none(axis) and len(axes) > 2:
        raise Refused("np.linalg.norm over more than two axes", fix="reshape them into one")
    if order in (None, "fro") or order == 2 and len(axes) == 1:
        return t.emit("root_of_squares", reduce(t, "sum", _squares(t, x), axes, keep))
    if len(axes) == 1 and order == 1:
        return reduce(t, "sum", t.emit("absolute", x), axes, keep)
    if len(axes) == 1 and order == np.inf:
        return plain_reduction("max")(t, t.emit("absolute", x), Tuple((Const(axes[0]),)), NONE, Const(keep), initial=Const(0.0))
    if len(axes) == 1 and order == -np.inf:
        return reduce(t, "min", t.emit("absolute", x), axes, keep)
    known = isinstance(order, int | float) or order == "nuc" and len(axes) == 2
    if not isinstance(ord, Known | Const) or not known or len(axes) > 2 or (
            len(axes) == 2 and order not in (1, -1, np.inf, -np.inf) and (order not in (2, -2, "nuc") or t.ndim(x) > 2)):
        raise Refused(f"np.linalg.norm of order {order!r}", fix="use a number that is known, over one or two axes")
    wanted = Tuple(tuple(map(Const, axes))) if none(axis) or isinstance(axis, Tuple) else axis
    return in_python_call(t, algebra.norm_of_order, x, ord, wanted, Const(keep))


def _squares(t, x):
    """Return the square of the modulus of each element."""
    if is_complex(t.type_of(x)):
        return t.emit("add", *(t.emit("square", t.emit(part, x)) for part in ("real", "imag")))
    return t.emit("square", x if is_float(t.type_of(x)) else t.cast(x, "float64"))


def trace(t, a, offset=Const(0), axis1=Const(0), axis2=Const(1)):
    made = array(t, diagonal(t, a, offset, axis1, axis2))
    return t.emit("sum", made, axis=(t.ndim(made) - 1,))


def diagonal(t, a, offset=Const(0), axis1=Const(0), axis2=Const(1)):
    x = array(t, a)
    if t.ndim(x) < 2:
        raise Refused("the diagonal of an array with less than two axes", fix="pass a matrix", code="SD0230")
    if t.ndim(x) > 2 or (axis1, axis2) != (Const(0), Const(1)):
        axes = [axis_of(t, axis, t.ndim(x)) for axis in (axis1, axis2)]
        return in_python_call(t, shapes.diagonal_along, x, offset, *map(Const, axes))
    if offset == Const(0):
        index = _diagonal_index(t, t.emit("minimum", t.size(x, 0), t.size(x, 1)))
        return read_only(t, t.builder.load(x.name, (index, index)), a)
    row, column = _offsets(t, offset)
    n = t.emit("minimum", arithmetic(t, "Sub", t.size(x, 0), Const(row)),
               arithmetic(t, "Sub", t.size(x, 1), Const(column)))
    n = t.emit("maximum", n, Const(0))
    made = t.emit("zeros", n, dtype=t.type_of(x).dtype)
    with t.builder.loop(Const(0), n) as i:
        store(t, made.name, (i,), t.builder.load(x.name, (_plus(t, i, row), _plus(t, i, column))))
    return read_only(t, made, a)


def _offsets(t, offset) -> tuple[int, int]:
    """Return the row and the column where a diagonal begins."""
    k = t.static_number(offset)
    if k is None:
        raise Refused("the offset of a diagonal must be known when the function is specialised",
                      fix="use a literal")
    return max(-int(k), 0), max(int(k), 0)


def _plus(t, i, shift: int):
    return t.emit("add", i, Const(shift)) if shift else i


def _diagonal_index(t, n):
    return t.emit("arange", Const(0), n, Const(1), dtype="int64")


def diag(t, v, k=Const(0)):
    x = array(t, v)
    if t.ndim(x) != 1:
        return diagonal(t, v, k)
    if k != Const(0):
        row, column = _offsets(t, k)
        n = t.size(x, 0)
        m = t.emit("add", n, Const(row + column))
        made = t.emit("zeros", m, m, dtype=t.type_of(x).dtype)
        with t.builder.loop(Const(0), n) as i:
            store(t, made.name, (_plus(t, i, row), _plus(t, i, column)), t.builder.load(x.name, (i,)))
        return made
    index = _diagonal_index(t, t.size(x, 0))
    on = t.emit("equal", t.emit("expand_dims", index, axis=1), t.emit("expand_dims", index, axis=0))
    zero = Const(0.0 if t.type_of(x).dtype[0] == "f" else 0)
    return t.emit("where", on, t.emit("expand_dims", x, axis=0), zero)


# -- products ----------------------------------------------------------------------

def dot(t, a, b, out=NONE):
    refuse_given(out=out)
    x, y = array(t, a), array(t, b)
    if not t.ndim(x) or not t.ndim(y):
        return t.emit("multiply", x, y)
    if t.ndim(x) == t.ndim(y) == 1:
        return inner_product(t, x, y)
    return in_python_call(t, algebra.dot_of_arrays, x, y) if t.ndim(y) > 2 else t.emit("matmul", x, y)


def matmul(t, a, b):
    x, y = array(t, a), array(t, b)
    if t.ndim(x) == t.ndim(y) == 1:
        return inner_product(t, x, y)
    return arithmetic(t, "MatMult", x, y)


def vdot(t, a, b):
    x, y = array(t, a), array(t, b)
    if is_complex(t.type_of(x)):
        x = t.emit("conjugate", x)
    return inner_product(t, flat(t, x) if t.ndim(x) > 1 else x, flat(t, y) if t.ndim(y) > 1 else y)


def inner(t, a, b):
    x, y = array(t, a), array(t, b)
    if t.ndim(x) == 1 and t.ndim(y) == 1:
        return inner_product(t, x, y)
    if t.ndim(x) > 2 or t.ndim(y) > 2:
        last = [Const(t.ndim(v) - 1) for v in (x, y)]
        return in_python_call(t, algebra.tensordot, x, y, Tuple(tuple(Tuple((k,)) for k in last)))
    if t.ndim(y) == 2:
        y = t.emit("transpose", y, perm=(1, 0))
    return dot(t, x, y)


def outer_of_vectors(t, a, b):
    """`np.linalg.outer` takes vectors only, `np.outer` takes anything."""
    if any(t.ndim(array(t, v)) != 1 for v in (a, b)):
        raise Refused("np.linalg.outer of arrays that are not both vectors", fix="use np.outer, or reshape them")
    return outer(t, a, b)


def outer(t, a, b):
    x, y = (flat(t, v) if t.ndim(v) != 1 else v for v in (array(t, a), array(t, b)))
    return t.emit("multiply", t.emit("expand_dims", x, axis=1), t.emit("expand_dims", y, axis=0))


def cross(t, a, b, axisa=Const(-1), axisb=Const(-1), axisc=Const(-1), axis=NONE):
    """The cross product of 3-vectors."""
    if not none(axis):
        axisa = axisb = axisc = axis
    x, y = (array(t, moveaxis(t, array(t, v), k, Const(-1))) for v, k in ((a, axisa), (b, axisb)))
    made = _cross(t, x, y)
    return moveaxis(t, made, Const(-1), axisc)


def _cross(t, x, y):
    """The cross product along the last axis."""
    from srcdiff.frontend.translate.indexing import load
    for v in (x, y):
        require_equal(t.builder, t.size(v, t.ndim(v) - 1), Const(3), "[SD0342] np.cross takes vectors of 3 elements")
    rank = max(t.ndim(x), t.ndim(y))

    def part(v, k):
        return as_atom(t, load(t, v, Tuple((Known(Ellipsis), Const(k)))))

    def term(i, j):
        return t.emit("subtract", t.emit("multiply", part(x, i), part(y, j)),
                      t.emit("multiply", part(x, j), part(y, i)))
    parts = [term(1, 2), term(2, 0), term(0, 1)]
    if rank == 1:
        return t.emit("array", *parts, dtype=t.type_of(parts[0]).dtype, shape=(3,))
    return join(t, [t.emit("expand_dims", p, axis=rank - 1) for p in parts], rank - 1)
