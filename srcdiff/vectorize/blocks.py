"""Products and sums of a matrix of directions: blocks on a diagonal, all else zero.

A variable G of extents (m, n) that is diagonal in its flat index has the
directions (i, l), and G[i', l'] is d[i, l] in the direction with i == i',
l == l'.  A row sum leaves [i == i'], a column sum [l == l']: the results are
filled block by block, and the identity of extent m n is never built.
"""

from __future__ import annotations

from srcdiff.syntax import ALL, Atom, Const, Var
from srcdiff.vectorize.axis import Directions

__all__ = ["column_sums", "product", "row_sums"]


def row_sums(directions: Directions, values: Atom) -> Atom:
    """Return the batched vector of the sums over l, with d = `values`."""
    builder, m, n = directions.builder, *_extents(directions, values)
    made = _zeros(directions, values, (m, n, m) if directions.first else (m, m, n))
    with builder.loop(Const(0), m) as i:
        row = builder.load(values.name, (i, ALL))
        builder.store(made.name, (i, ALL, i) if directions.first else (i, i, ALL), row)
    return _flat(directions, made, m)


def column_sums(directions: Directions, values: Atom) -> Atom:
    """Return the batched vector of the sums over i."""
    builder, m, n = directions.builder, *_extents(directions, values)
    made = _zeros(directions, values, (m, n, n) if directions.first else (n, m, n))
    with builder.loop(Const(0), n) as j:
        column = builder.load(values.name, (ALL, j))
        builder.store(made.name, (ALL, j, j) if directions.first else (j, ALL, j), column)
    return _flat(directions, made, n)


def product(directions: Directions, values: Atom, matrix: Atom, turned: Atom, left: bool) -> Atom:
    """Return the batched matrix ``G @ matrix``, or ``matrix @ G`` if `left`.

    `turned` is the transpose of `matrix`; one of the two is used, so that the
    direction stands where it should: d[i, l] matrix[l, q] or matrix[p, i] d[i, l].
    """
    builder, m, n = directions.builder, *_extents(directions, values)
    other = builder.size(matrix.name, 0 if left else 1)
    rows, columns = (other, n) if left else (m, other)
    extents = (m, n, rows, columns) if directions.first else (rows, columns, m, n)
    made = _zeros(directions, values, extents)
    with builder.loop(Const(0), n if left else m) as i:
        part = builder.load(values.name, (ALL, i) if left else (i, ALL))
        index = (ALL, i, ALL, i) if left else (i, ALL, i, ALL)
        if directions.first:
            part = builder.op("expand_dims", part, axis=1)
        block = builder.op("multiply", turned if left == directions.first else matrix, part)
        builder.store(made.name, index, block)
    return _flat(directions, made, rows, columns)


def _extents(directions: Directions, values: Var) -> tuple[Atom, Atom]:
    return directions.builder.extents(values.name)


def _zeros(directions: Directions, values: Var, extents) -> Var:
    dtype = directions.builder.types[values.name].dtype
    return directions.builder.op("zeros", *extents, dtype=dtype)


def _flat(directions: Directions, made: Var, *extents: Atom) -> Atom:
    """Join the two axes of the direction."""
    return directions.builder.op("reshape", made, *directions.extents(extents))
