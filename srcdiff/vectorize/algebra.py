"""The algebra of structured values: what operations make of zeros and diagonals.

`Algebra.structured` returns the structure of a result, `Algebra.shortcut` a
dense result that is written without making the operands dense first: ``W @ I``
is W.  Both return None where they know nothing better than the dense rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from srcdiff.analysis.shapes import Extent
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Assign, Atom, Const, Var, is_float
from srcdiff.vectorize import blocks
from srcdiff.vectorize.axis import Directions
from srcdiff.vectorize.facts import Facts
from srcdiff.vectorize.structure import EQUAL, ONE, STRETCHED, SUMMED, Diagonal, Structure, Zero

__all__ = ["Algebra"]

ZERO = Const(0.0)
KEEPS_ZERO = frozenset((
    "copy", "positive", "negative", "cast", "multiply", "divide", "quotient", "where", "add", "subtract"))


class Algebra:
    """Writes the operations on structured values.

    Parameters
    ----------
    names
        The variables that depend on the direction.
    of
        The present structure of a variable, None if it is dense.
    write
        Writes a symbolic extent.
    """

    def __init__(self, facts: Facts, directions: Directions, names: frozenset[str],
                 of: Callable[[str], Structure | None], write: Callable[[Extent], Atom]):
        self.facts, self.directions, self.names = facts, directions, names
        self.builder, self.program = directions.builder, facts.program
        self.of, self.write = of, write

    # -- operands -----------------------------------------------------------------------

    def batched(self, atom: Atom) -> bool:
        return isinstance(atom, Var) and atom.name in self.names

    def structure(self, atom: Atom) -> Structure | None:
        return self.of(atom.name) if self.batched(atom) else None

    def extents(self, atom: Atom) -> tuple[Extent | None, ...]:
        """Return the symbolic extents of an operand, without the direction axis."""
        held = self.structure(atom)
        return held.extents if held else self.facts.shapes.of(atom)

    def ndim(self, atom: Atom) -> int:
        return self.program.type_of(atom).ndim

    # -- structures -----------------------------------------------------------------------

    def structured(self, stmt: Assign) -> Structure | None:
        """Return the structure of the result of `stmt`, after writing its values."""
        known = [self.structure(a) for a in stmt.args]
        if stmt.op in KEEPS_ZERO and self._all_zero(stmt, known):
            return Zero(self.facts.broadcast(*map(self.extents, stmt.args)))
        if not any(isinstance(s, Diagonal) for s in known):
            return None
        rule = _STRUCTURED.get(stmt.op)
        result = rule(self, stmt, known) if rule else None
        return self._typed(stmt, result) if isinstance(result, Diagonal) else result

    def _all_zero(self, stmt, known) -> bool:
        batched = [s for a, s in zip(stmt.args, known, strict=True) if self.batched(a)]
        if not batched or not all(isinstance(s, Zero) for s in batched):
            return False
        if stmt.op in ("add", "subtract", "where"):
            return all(s or self.facts.is_zero(a) for a, s in zip(
                stmt.args[stmt.op == "where":], known[stmt.op == "where":], strict=True))
        return stmt.op not in ("divide", "quotient") or not self.batched(stmt.args[1])

    def _typed(self, stmt: Assign, result: Diagonal) -> Diagonal:
        """Give the values the dtype of the variable, and a name that keeps them."""
        values, dtype = result.values, self.program.types[stmt.target].dtype
        if isinstance(values, Const):
            return result
        type_ = self.builder.type_of(values)
        if type_.dtype != dtype and not getattr(type_, "weak", False):
            values = self.builder.op("cast", values, stem=f"{stmt.target}_diagonal", dtype=dtype)
        elif values.name in self.program.types and not self.facts.is_settled(values):
            values = self.builder.op("copy", values, stem=f"{stmt.target}_diagonal")
        return replace(result, values=values)

    def apply(self, target: str, op: str, *args: Atom, **static) -> Atom:
        """Write an operation on values, folded where it is trivial."""
        match op, args:
            case ("multiply", (Const(value=1.0), x) | (x, Const(value=1.0))) | ("divide", (x, Const(value=1.0))):
                return x
            case _ if all(isinstance(a, Const) for a in args):
                with np.errstate(all="ignore"):
                    return Const(PRIMITIVES[op].evaluate(*(a.value for a in args), **static))
        return self.builder.op(op, *args, stem=f"{target}_diagonal", **static)

    def scale(self, diagonal: Diagonal, factor: Atom, op: Callable[[Atom], Atom]) -> Diagonal | None:
        """Combine the values with an unbatched operand, element by element."""
        extents = self.extents(factor)
        if self.facts.fits(extents, diagonal.extents):
            full = diagonal.full or (diagonal.kind != SUMMED and self.facts.same(extents, diagonal.extents))
            return replace(diagonal, values=op(diagonal.values), full=full)
        if diagonal.kind == SUMMED or len(diagonal.extents) != 1 or len(extents) != 1:
            return None
        stretched = self.facts.broadcast(extents, diagonal.extents)
        return Diagonal(op(diagonal.values), stretched, STRETCHED, diagonal.full)

    def add(self, target: str, op: str, a: Diagonal, b: Diagonal) -> Diagonal | None:
        if a.kind == b.kind and self.facts.same(a.extents, b.extents):
            return replace(a, values=self.apply(target, op, a.values, b.values), full=a.full or b.full)
        if SUMMED in (a.kind, b.kind) or not len(a.extents) == len(b.extents) == 1:
            return None
        values = self.apply(target, op, a.values, b.values)
        return Diagonal(values, self.facts.broadcast(a.extents, b.extents), STRETCHED, a.full and b.full)

    # -- values as arrays ------------------------------------------------------------------

    def whole(self, diagonal: Diagonal, dtype: str) -> Atom:
        """Return the values as an array of the longer of n and K elements (or of the variable's shape)."""
        if diagonal.full:
            return diagonal.values
        along = diagonal.kind != STRETCHED and len(diagonal.extents) == 1
        extents = (self.directions.count,) if along else tuple(map(self.write, diagonal.extents))
        if self.builder.type_of(diagonal.values).ndim:
            return self.builder.op("broadcast_to", diagonal.values, *extents)
        return self.builder.op("full", diagonal.values, *extents, dtype=dtype)

    # -- dense results without dense operands ------------------------------------------------

    def shortcut(self, stmt: Assign) -> Atom | None:
        """Return the dense result of `stmt`, if its structured operands make it simpler."""
        known = [self.structure(a) for a in stmt.args]
        rule = _SHORTCUTS.get(stmt.op)
        return rule(self, stmt, known) if rule and any(known) else None

    def total(self, stmt: Assign, diagonal: Diagonal) -> Atom | None:
        """Sum over the elements of the variable: for each direction its one factor."""
        dtype = self.program.types[stmt.target].dtype
        if diagonal.kind == EQUAL and not self.builder.type_of(diagonal.values).ndim:
            return self.directions.fill(diagonal.values, dtype)
        values = self.whole(diagonal, dtype)
        if diagonal.kind == STRETCHED:
            return self.builder.op("sum_to", values, self.directions.count)
        if len(diagonal.extents) > 1:
            return self.builder.op("reshape", values, self.directions.count)
        return self.builder.op("copy", values)

    def rows(self, matrix: Atom, diagonal: Diagonal, left: bool, dtype: str) -> Atom | None:
        """Write ``matrix @ diag`` or, if not `left`, ``diag @ matrix``, one row or column a direction.

        With n == K element (i, k) of the first is matrix[i, k] d[k].  If the
        variable was summed to extent 1, so is that axis of the matrix, and
        broadcasting gives the same formula.
        """
        if diagonal.kind == STRETCHED:
            return None
        values = diagonal.values if diagonal.kind == EQUAL else self.whole(diagonal, dtype)
        if left == self.directions.first:       # the direction is the other axis of the matrix
            matrix = self.transposed(matrix)
        if self.directions.first and self.builder.type_of(values).ndim:
            values = self.builder.op("expand_dims", values, axis=1)
        return self._times(matrix, values)

    def transposed(self, matrix: Atom) -> Atom:
        return self.facts.transposed(matrix) or self.builder.op("transpose", matrix, perm=(1, 0))

    def _times(self, x: Atom, values: Atom) -> Atom:
        if values == ONE:
            return self.builder.op("copy", x)
        return self.builder.op("multiply", x, values)


# -- structured results ---------------------------------------------------------------------

def _copy(algebra: Algebra, stmt, known):
    return known[0]


def _negative(algebra, stmt, known):
    return replace(known[0], values=algebra.apply(stmt.target, "negative", known[0].values))


def _cast(algebra, stmt, known):
    return known[0] if is_float(algebra.program.types[stmt.target]) else None


def _multiply(algebra, stmt, known):
    position = 0 if isinstance(known[0], Diagonal) else 1
    factor = stmt.args[1 - position]
    if algebra.batched(factor):
        return None
    return algebra.scale(known[position], factor, lambda d: algebra.apply(
        stmt.target, "multiply", *((d, factor) if position == 0 else (factor, d))))


def _divide(algebra, stmt, known):
    if algebra.batched(stmt.args[1]):
        return None
    return algebra.scale(known[0], stmt.args[1],
                         lambda d: algebra.apply(stmt.target, stmt.op, d, stmt.args[1]))


def _where(algebra, stmt, known):
    condition, *branches = stmt.args
    parts = [_part(algebra, atom) for atom in branches]
    if algebra.batched(condition) or None in parts:
        return None
    diagonals = [p for p in parts if isinstance(p, Diagonal)]
    model = replace(diagonals[0], full=all(d.full for d in diagonals))
    if not all(algebra.facts.same(p.extents, model.extents) if isinstance(p, Diagonal)
               else algebra.facts.fits(p.extents, model.extents) for p in parts):
        return None
    if len({d.kind for d in diagonals}) > 1:
        return None
    values = [p.values if isinstance(p, Diagonal) else ZERO for p in parts]
    return algebra.scale(model, condition, lambda d: algebra.builder.op(
        "where", condition, *values, stem=f"{stmt.target}_diagonal"))


def _part(algebra, atom) -> Structure | None:
    """Return the structure of an operand, an unbatched zero included."""
    if not algebra.batched(atom) and algebra.facts.is_zero(atom):
        return Zero(algebra.extents(atom))
    return algebra.structure(atom)


def _add(algebra, stmt, known):
    a, b = (_part(algebra, atom) for atom in stmt.args)
    if isinstance(a, Diagonal) and isinstance(b, Diagonal):
        return algebra.add(stmt.target, stmt.op, a, b)
    if isinstance(a, Diagonal) and isinstance(b, Zero) and algebra.facts.fits(b.extents, a.extents):
        return a
    if isinstance(a, Zero) and isinstance(b, Diagonal) and algebra.facts.fits(a.extents, b.extents):
        if stmt.op == "add":
            return b
        return replace(b, values=algebra.apply(stmt.target, "negative", b.values))
    return None


def _given_extents(algebra, stmt, known):
    """A sum to, or broadcast to, given extents."""
    extents = tuple(map(algebra.facts.shapes.value, stmt.args[1:]))
    diagonal = known[0]
    if algebra.facts.same(extents, diagonal.extents):
        return diagonal
    if not len(extents) == len(diagonal.extents) == 1:
        return None
    if stmt.op == "sum_to":
        return replace(diagonal, extents=extents, kind=SUMMED) if diagonal.kind == EQUAL else None
    return Diagonal(diagonal.values, extents, STRETCHED) if diagonal.kind != SUMMED else None


def _reshape(algebra, stmt, known):
    diagonal, shapes = known[0], algebra.facts.shapes
    # An extent that is only known as that of the target is better known as the operand.
    extents = tuple(shapes.value(a) if e is None or stmt.target in shapes.depends(e) else e
                    for e, a in zip(shapes.extents(stmt.target), stmt.args[1:], strict=True))
    if diagonal.kind != EQUAL or None in extents or any(e.constant < 0 and not e.terms for e in extents):
        return None
    if not algebra.builder.type_of(diagonal.values).ndim:
        return replace(diagonal, extents=extents, full=False)
    values = algebra.whole(diagonal, algebra.program.types[stmt.target].dtype)
    values = algebra.builder.op("reshape", values, *stmt.args[1:], stem=f"{stmt.target}_diagonal")
    return Diagonal(values, extents, EQUAL, True)


_STRUCTURED = {
    "copy": _copy, "positive": _copy, "negative": _negative, "cast": _cast, "multiply": _multiply,
    "divide": _divide, "quotient": _divide, "where": _where, "add": _add, "subtract": _add,
    "sum_to": _given_extents, "broadcast_to": _given_extents, "reshape": _reshape,
}


# -- dense results ------------------------------------------------------------------------------

def _add_dense(algebra: Algebra, stmt, known):
    """Add zero to a dense value, if the zero is not longer, or a diagonal where it is not zero."""
    a, b = stmt.args
    for one, dense, first in ((a, b, True), (b, a, False)):
        structure = algebra.structure(one)
        if structure is None or not algebra.batched(dense) or algebra.structure(dense) is not None:
            continue
        negated = first and stmt.op == "subtract"
        extents = algebra.extents(dense)
        if isinstance(structure, Zero) and algebra.facts.fits(structure.extents, extents):
            return algebra.builder.op("negative" if negated else "copy", dense)
        if (isinstance(structure, Diagonal) and structure.kind == EQUAL and len(extents) == 1
                and algebra.facts.same(structure.extents, extents)):
            start = algebra.builder.op("negative" if negated else "copy", dense)
            return _add_along(algebra, start, structure, not first and stmt.op == "subtract", dense)
    return None


def _add_along(algebra, total: Var, diagonal: Diagonal, negated: bool, dense: Var) -> Atom:
    """Add the values to the diagonal of a matrix that is not named yet."""
    builder, values = algebra.builder, diagonal.values
    if builder.type_of(values).ndim:
        values = algebra.whole(diagonal, builder.types[dense.name].dtype)
    if negated:
        values = algebra.apply(dense.name, "negative", values)
    with builder.loop(Const(0), algebra.directions.count) as i:
        element = builder.load(values.name, (i,)) if builder.type_of(values).ndim else values
        builder.store(total.name, (i, i), element, accumulate=True)
    return total


def _sum(algebra, stmt, known):
    diagonal, axis = known[0], stmt.keywords["axis"]
    if not isinstance(diagonal, Diagonal) or stmt.keywords.get("keepdims"):
        return None
    ndim = len(diagonal.extents)
    if axis == tuple(range(ndim)) and ndim:
        return algebra.total(stmt, diagonal)
    if ndim == 2 and len(axis) == 1:
        values = algebra.whole(diagonal, algebra.program.types[stmt.target].dtype)
        sums = blocks.row_sums if axis == (1,) else blocks.column_sums
        return sums(algebra.directions, values)
    return None


def _sum_to(algebra, stmt, known):
    if len(stmt.args) == 1 and isinstance(known[0], Diagonal) and known[0].extents:
        return algebra.total(stmt, known[0])
    return None


def _matmul(algebra, stmt, known):
    left = isinstance(known[1], Diagonal)
    diagonal = known[1] if left else known[0]
    other = stmt.args[0] if left else stmt.args[1]
    if not isinstance(diagonal, Diagonal) or algebra.batched(other):
        return None
    dtype = algebra.program.types[stmt.target].dtype
    match len(diagonal.extents), algebra.ndim(other):
        case 1, 1 if diagonal.kind != STRETCHED:
            values = diagonal.values if diagonal.kind == EQUAL else algebra.whole(diagonal, dtype)
            return algebra._times(other, values)
        case 1, 2:
            return algebra.rows(other, diagonal, left, dtype)
        case 2, 1:
            return _vector_product(algebra, diagonal, other, left, dtype)
        case 2, 2:
            values, turned = algebra.whole(diagonal, dtype), other
            if left == algebra.directions.first:
                turned = algebra.transposed(other)
            return blocks.product(algebra.directions, values, other, turned, left)
    return None


def _vector_product(algebra: Algebra, diagonal: Diagonal, vector, left, dtype):
    """A matrix of directions times a vector (or a vector times it, if `left`)."""
    factor = algebra.builder.op("expand_dims", vector, axis=1) if left else vector
    product = algebra._times(factor, diagonal.values)
    if algebra.builder.type_of(diagonal.values).ndim != 2 or not diagonal.full:
        product = algebra.builder.op("broadcast_to", product, *map(algebra.write, diagonal.extents))
    return (blocks.column_sums if left else blocks.row_sums)(algebra.directions, product)


_SHORTCUTS = {"add": _add_dense, "subtract": _add_dense, "sum": _sum, "sum_to": _sum_to, "matmul": _matmul}

