"""Functions of the rule language that are not primitives.

Each is given twice: on NumPy values, so that a row of a table runs as it
stands, and as the statements it stands for.  The tests of every row that uses a
form hold the two together.
"""

from __future__ import annotations

import math

import numpy as np

from srcdiff.primitives import PRIMITIVES
from srcdiff.rules.emission import EMIT_FORM, Emission
from srcdiff.rules.expression import FORMS
from srcdiff.rules.transposes import restore
from srcdiff.syntax import Atom, Const, Var

__all__ = ["attained", "exclusive", "form", "quotient"]


def form(emit):
    """Register the decorated NumPy function together with what emits it."""
    def register(function):
        FORMS[function.__name__] = function
        EMIT_FORM[function.__name__] = emit
        return function
    return register


def _emit_quotient(emission: Emission, a: Atom, b: Atom) -> Atom:
    return emission.op("quotient", a, b)


@form(_emit_quotient)
def quotient(a, b):
    """Divide, with 0 / 0 = 0.

    For slopes that are infinite where the function itself is finite, such as
    that of the square root at 0: a differential that is zero stays zero there.
    """
    return PRIMITIVES["quotient"].evaluate(a, b)


# -- reductions -------------------------------------------------------------------------

def _emit_attained(emission: Emission, x: Atom, ans: Atom, *, axis, keepdims) -> Atom:
    return emission.op("equal", x, restore(emission, ans, axis=axis, keepdims=keepdims))


@form(_emit_attained)
def attained(x, ans, *, axis, keepdims):
    """Tell which elements attain the maximum or minimum `ans` of `x` along the axes."""
    return x == (ans if keepdims or not np.ndim(ans) else np.expand_dims(ans, axis))


def _emit_exclusive(emission: Emission, x: Atom, *, axis: tuple[int, ...]) -> Atom:
    """Move the reduced axes last, make a matrix, and multiply along its rows from both sides."""
    if not axis:
        return emission.op("add", emission.op("multiply", Const(0.0), x), Const(1.0))
    ndim = emission.type_of(x).ndim
    perm = tuple(a for a in range(ndim) if a not in axis) + tuple(sorted(axis))
    kept = ndim - len(axis)
    moved = emission.op("transpose", x, perm=perm) if perm != tuple(range(ndim)) else x
    extents = tuple(emission.op("size", moved, axis=a) for a in range(ndim))
    rows, columns = _product(emission, extents[:kept]), _product(emission, extents[kept:])
    matrix = emission.op("reshape", moved, rows, columns)
    result = _row_products(emission, matrix, rows, columns)
    result = emission.op("reshape", result, *extents)
    inverse = tuple(perm.index(a) for a in range(ndim))
    return emission.op("transpose", result, perm=inverse) if moved != x else result


def _product(emission: Emission, extents) -> Atom:
    total: Atom = Const(1)
    for n in extents:
        total = emission.op("multiply", total, n)
    return total


def _row_products(emission: Emission, matrix: Atom, rows: Atom, columns: Atom) -> Var:
    """Return e[i, j], the product of matrix[i, k] over all k except j, without division."""
    b, type_ = emission.builder, emission.type_of(matrix)
    result = b.op("zeros", rows, columns, dtype=type_.dtype, stem="others")
    running = b.fresh("running", b.load_type(matrix.name, (Const(0), Const(0))))
    with b.loop(Const(0), rows) as i:
        for start, stop, step in ((Const(0), columns, Const(1)), (None, Const(-1), Const(-1))):
            start = start or b.op("subtract", columns, Const(1))
            b.assign(running, "cast", Const(1.0), dtype=type_.dtype)
            with b.loop(start, stop, step, stem="j") as j:
                value = Var(running)
                if step == Const(-1):
                    value = b.op("multiply", b.load(result.name, (i, j)), value)
                b.store(result.name, (i, j), value)
                b.assign(running, "multiply", Var(running), b.load(matrix.name, (i, j)))
    return result


@form(_emit_exclusive)
def exclusive(x, *, axis):
    """Multiply all elements along the axes but the one at each place; zeros are like any number."""
    axis = tuple(sorted(axis))
    kept = tuple(a for a in range(x.ndim) if a not in axis)
    moved = np.transpose(x, kept + axis)
    matrix = moved.reshape(math.prod(moved.shape[:len(kept)]), -1)
    result = np.stack([np.prod(np.delete(matrix, j, axis=1), axis=1)
                       for j in range(matrix.shape[1])], axis=1)
    return np.transpose(result.reshape(moved.shape), np.argsort(kept + axis))
