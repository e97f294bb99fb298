"""Transposes of the linear functions that are not their own transpose.

An entry ``(function, position)`` takes the cotangent of ``function(...)`` to
that of the argument at `position`:
``transpose(emission, g, values, like, **static)``, where `values` are the other
arguments, and `like` is the operand that the argument is shaped like.

Functions that act on each element by itself (a product with a coefficient, a
negation) need no entry.  Sums and differences are taken apart by `rule.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from srcdiff.rules.emission import Emission
from srcdiff.syntax import ALL, Array, Atom, Const, Span

__all__ = ["TRANSPOSES", "restore", "swap", "transpose_of"]

TRANSPOSES: dict[tuple[str, int], Callable[..., Atom]] = {}


def transpose_of(function: str, position: int = 0):
    """Register the decorated function as a transpose."""
    def register(transpose):
        TRANSPOSES[function, position] = transpose
        return transpose
    return register


# -- sums and broadcasts ----------------------------------------------------------

def restore(emission: Emission, x: Atom, *, axis: tuple[int, ...], keepdims: bool) -> Atom:
    """Give a reduced value its reduced axes back, with extent 1; a scalar stays one."""
    if keepdims or not isinstance(emission.type_of(x), Array):
        return x
    for a in sorted(axis):
        x = emission.op("expand_dims", x, axis=a)
    return x


@transpose_of("sum")
def _(emission, g, values, like, *, axis, keepdims=False):
    if not axis:
        return g
    return emission.op("broadcast_to", restore(emission, g, axis=axis, keepdims=keepdims),
                       *emission.extents(like))


@transpose_of("broadcast_to")
def _(emission, g, values, like):
    return emission.op("sum_to", g, *emission.extents(like))


@transpose_of("sum_to")
def _(emission, g, values, like):
    if not isinstance(emission.operand(like), Array):
        return g
    return emission.op("broadcast_to", g, *emission.extents(like))


# -- moves ----------------------------------------------------------------------------

@transpose_of("transpose")
def _(emission, g, values, like, *, perm):
    inverse = tuple(perm.index(axis) for axis in range(len(perm)))
    return emission.op("transpose", g, perm=inverse)


@transpose_of("reshape")
def _(emission, g, values, like):
    if not isinstance(emission.operand(like), Array):
        return emission.op("sum_to", g)
    return emission.op("reshape", g, *emission.extents(like))


@transpose_of("expand_dims")
def _(emission, g, values, like, *, axis):
    return emission.op("squeeze", g, axis=axis)


@transpose_of("squeeze")
def _(emission, g, values, like, *, axis):
    return emission.op("expand_dims", g, axis=axis)


def flip(emission: Emission, x: Atom, axis: int) -> Atom:
    """Reverse an axis."""
    index = [ALL] * emission.type_of(x).ndim
    index[axis] = Span(None, None, Const(-1))
    return emission.load(x, tuple(index))


@transpose_of("cumsum")
def _(emission, g, values, like, *, axis):
    # d(ans)[i] = sum of dx[j], j <= i, so dx[j] receives the sum of g[i], i >= j.
    return flip(emission, emission.op("cumsum", flip(emission, g, axis), axis=axis), axis)


@transpose_of("take")
def _(emission, g, values, like, *, axis):
    builder, type_ = emission.builder, emission.operand(like)
    total = builder.zeros(type_, emission.extents(like))
    index = [ALL] * type_.ndim
    index[axis] = values[1]
    builder.store(total.name, index, g, accumulate=True)
    return total


@transpose_of("tape_grow")
def _(emission, g, values, like):
    length, *_ = emission.extents(like)
    return emission.load(g, (Span(None, length, None), *[ALL] * (emission.type_of(g).ndim - 1)))


# -- matrix products --------------------------------------------------------------------

def swap(emission: Emission, x: Atom) -> Atom:
    """Exchange the last two axes."""
    axes = list(range(emission.type_of(x).ndim))
    axes[-2:] = axes[:-3:-1]
    return emission.op("transpose", x, perm=tuple(axes))


def _column(emission, x):
    """Append an axis of extent 1."""
    return emission.op("expand_dims", x, axis=emission.type_of(x).ndim)


def _row(emission, x):
    """Insert an axis of extent 1 before the last."""
    return emission.op("expand_dims", x, axis=emission.type_of(x).ndim - 1)


def _summed(emission, total, like):
    """Undo the broadcasting of leading axes."""
    return emission.op("sum_to", total, *emission.extents(like))


@transpose_of("swap")
def _(emission, g, values, like):
    return swap(emission, g)


@transpose_of("solve", 1)
def _(emission, g, values, like):
    return emission.op("solve", swap(emission, values[0]), g)


@transpose_of("matmul", 0)
def _(emission: Emission, g, values, like):
    """With c = a b: the cotangent of a is g b^T; a vector is a row here."""
    b = values[1]
    rank_a, rank_b = emission.operand(like).ndim, emission.type_of(b).ndim
    match rank_a, rank_b:
        case 1, 1:
            return emission.op("multiply", g, b)
        case _, 1:
            return emission.op("multiply", _column(emission, g), b)
        case 1, 2:
            return emission.op("matmul", b, g)
        case 1, _:
            return _summed(emission, emission.op("matmul", _row(emission, g), swap(emission, b)), like)
        case 2, 2:
            return emission.op("matmul", g, swap(emission, b))
    return _summed(emission, emission.op("matmul", g, swap(emission, b)), like)


@transpose_of("matmul", 1)
def _(emission: Emission, g, values, like):
    """With c = a b: the cotangent of b is a^T g; a vector is a column here."""
    a = values[0]
    rank_a, rank_b = emission.type_of(a).ndim, emission.operand(like).ndim
    match rank_a, rank_b:
        case 1, 1:
            return emission.op("multiply", g, a)
        case 2, 1:
            return emission.op("matmul", g, a)
        case _, 1:
            total = emission.op("matmul", swap(emission, a), _column(emission, g))
            return _summed(emission, emission.op("squeeze", total, axis=rank_a - 1), like)
        case 1, _:
            return emission.op("multiply", _column(emission, a), _row(emission, g))
        case 2, 2:
            return emission.op("matmul", swap(emission, a), g)
    return _summed(emission, emission.op("matmul", swap(emission, a), g), like)
