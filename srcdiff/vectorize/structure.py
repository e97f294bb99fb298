"""Values known to be zero or diagonal: what an identity seed becomes before anything mixes it.

Direction k of a seed is the k-th element of the seeded variable, so the seed is
the identity, and what elementwise operations make of it is a diagonal: with the
unbatched extents n of the variable and K directions,

    value[i, k] = d[i] * [i == k],    n == K.

`d` has one axis instead of two: that is the point.  A variable of more axes is
diagonal in its flat index (C order), with `d` of its own shape.

Broadcasting is a run-time fact: where an operand could be longer than a
variable of extent 1, or a cotangent could have to be summed, the extents n and
K are equal only if no such thing happens.  Both cases stay in the family:

========== ==================== ===================================================
kind       extents              value[i, k]
========== ==================== ===================================================
EQUAL      n == K, provably     d[i] * [i == k]
STRETCHED  n == K or K == 1     d[i] * [i == k or K == 1]: broadcast after the seed
SUMMED     n == K or n == 1     d[k] * [i == k or n == 1]: summed after the seed
========== ==================== ===================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field

from srcdiff.analysis.shapes import Extent
from srcdiff.errors import Where
from srcdiff.syntax import Atom, Const, Stmt, blocks_of, with_blocks

__all__ = ["EQUAL", "ONE", "STRETCHED", "SUMMED", "Diagonal", "Held", "Hole", "Structure", "Zero", "filled"]

EQUAL, STRETCHED, SUMMED = "equal", "stretched", "summed"
ONE = Const(1.0)


@dataclass(frozen=True)
class Zero:
    """All directions are zero."""

    extents: tuple[Extent | None, ...]


@dataclass(frozen=True)
class Diagonal:
    """A multiple of the identity, each row by a factor of its own.

    Attributes
    ----------
    values
        `d`: a number, or an array that broadcasts to the longer of n and K.
    extents
        The symbolic (unbatched) extents of the variable, n.
    full
        `values` provably has that longer extent; otherwise it may be shorter.
    """

    values: Atom
    extents: tuple[Extent | None, ...]
    kind: str = EQUAL
    full: bool = False


Structure = Zero | Diagonal


@dataclass(eq=False)
class Hole:
    """A place in a block for statements that are written later, or never."""

    where: Where
    statements: list[Stmt] = field(default_factory=list)


@dataclass
class Held:
    """The present structure of a variable; the hole is filled when it is needed dense.

    `horizon` counts the extents that were known where the hole is.
    """

    structure: Structure
    hole: Hole
    horizon: int
    dense: bool = False


def filled(body) -> tuple[Stmt, ...]:
    """Return a block with the statements of its holes in their places."""
    result: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Hole):
            result.extend(stmt.statements)
        else:
            result.append(with_blocks(stmt, [filled(block) for block in blocks_of(stmt)]))
    return tuple(result)
