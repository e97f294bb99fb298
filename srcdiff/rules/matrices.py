"""Forms for the rules of matrix factorizations: parts of a matrix, and their transposes.

As in `forms`, each is given on NumPy values and as statements.
"""

from __future__ import annotations

import numpy as np

from srcdiff.rules.emission import Emission
from srcdiff.rules.forms import form
from srcdiff.rules.transposes import swap as emit_swap
from srcdiff.rules.transposes import transpose_of
from srcdiff.syntax import Atom, Const

__all__ = ["beyond", "column_dots", "folded", "gaps", "lower", "mirrored", "mixed", "swap"]


def _indices(emission: Emission, x: Atom) -> tuple[Atom, Atom]:
    """Emit the row numbers as a column and the column numbers as a row."""
    rows, columns = (
        emission.op("arange", Const(0), emission.op("size", x, axis=axis), Const(1), dtype="int64")
        for axis in (0, 1))
    return emission.op("expand_dims", rows, axis=1), emission.op("expand_dims", columns, axis=0)


@form(emit_swap)
def swap(x):
    """Exchange the last two axes."""
    return np.swapaxes(x, -1, -2)


# -- triangles ---------------------------------------------------------------------------

def _emit_lower(emission: Emission, x: Atom) -> Atom:
    i, j = _indices(emission, x)
    half = emission.op("multiply", Const(0.5), x)
    diagonal = emission.op("where", emission.op("equal", i, j), half, Const(0.0))
    return emission.op("where", emission.op("greater", i, j), x, diagonal)


@form(_emit_lower)
def lower(x):
    """Keep what is below the diagonal, and half of the diagonal."""
    return np.tril(x, -1) + 0.5 * np.diag(np.diag(x))


def _emit_mirrored(emission: Emission, x: Atom) -> Atom:
    half = _emit_lower(emission, x)
    return emission.op("add", half, emit_swap(emission, half))


@form(_emit_mirrored)
def mirrored(x):
    """Return the symmetric matrix whose lower triangle is that of `x`."""
    return lower(x) + lower(x).T


@transpose_of("mirrored")
def _(emission: Emission, g: Atom, values, like) -> Atom:
    return _emit_lower(emission, emission.op("add", g, emit_swap(emission, g)))


def _emit_folded(emission: Emission, x: Atom) -> Atom:
    i, j = _indices(emission, x)
    both = emission.op("add", x, emit_swap(emission, x))
    upper = emission.op("where", emission.op("less", i, j), both, Const(0.0))
    return emission.op("where", emission.op("equal", i, j), x, upper)


@form(_emit_folded)
def folded(x):
    """Fold what is below the diagonal onto what is above: x minus an antisymmetric matrix."""
    return np.triu(x) + np.tril(x, -1).T


@transpose_of("folded")
def _(emission: Emission, g: Atom, values, like) -> Atom:
    i, j = _indices(emission, g)
    return emission.op("where", emission.op("less_equal", i, j), g, emit_swap(emission, g))


def _emit_column_dots(emission: Emission, u: Atom, x: Atom) -> Atom:
    return emission.op("sum", emission.op("multiply", u, x), axis=(0,), keepdims=False)


@form(_emit_column_dots)
def column_dots(u, x):
    """Return the inner product of each column of `u` with that of `x`."""
    return np.sum(u * x, axis=0)


@transpose_of("column_dots", 1)
def _(emission: Emission, g: Atom, values, like) -> Atom:
    return emission.op("multiply", values[0], g)


# -- spectra -------------------------------------------------------------------------------

def _emit_gaps(emission: Emission, w: Atom) -> Atom:
    row, column = (emission.op("expand_dims", w, axis=axis) for axis in (0, 1))
    gap = emission.op("subtract", row, column)
    i, j = _indices(emission, gap)
    return emission.op("where", emission.op("equal", i, j), Const(float("inf")), gap)


@form(_emit_gaps)
def gaps(w):
    """Return w[j] - w[i] at [i, j], with infinity on the diagonal: quotients vanish there."""
    return np.where(np.eye(len(w), dtype=bool), np.inf, w[None, :] - w[:, None])


def _emit_mixed(emission: Emission, p: Atom, s: Atom) -> Atom:
    scaled = emission.op("multiply", p, s)
    both = emission.op("add", scaled, emit_swap(emission, scaled))
    return emission.op("divide", both, _emit_gaps(emission, emission.op("multiply", s, s)))


@form(_emit_mixed)
def mixed(p, s):
    """Return how singular vectors turn into each other: (p s + (p s)^T) / gaps(s s)."""
    return (p * s + (p * s).T) / gaps(s * s)


@transpose_of("mixed")
def _(emission: Emission, g: Atom, values, like) -> Atom:
    g = emission.op("divide", g, _emit_gaps(emission, emission.op("multiply", values[1], values[1])))
    return emission.op("multiply", emission.op("add", g, emit_swap(emission, g)), values[1])


def _emit_beyond(emission: Emission, x: Atom, u: Atom) -> Atom:
    inside = emission.op("matmul", u, emission.op("matmul", emit_swap(emission, u), x))
    return emission.op("subtract", x, inside)


@form(_emit_beyond)
def beyond(x, u):
    """Return the part of the columns of `x` that the orthonormal columns of `u` do not span.

    A projection: symmetric, so it is its own transpose.
    """
    return x - u @ (u.T @ x)
