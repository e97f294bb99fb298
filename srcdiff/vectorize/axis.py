"""The direction axis: where it stands, how long it is, how operands line up with it.

With the axis last, a batched operand (e..., K) broadcasts against other batched
ones by itself, and an unbatched array needs an axis of extent 1 at its end.
With the axis first, an unbatched operand broadcasts by itself, and a batched
operand of lower rank needs axes of extent 1 after the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from srcdiff.builder import Builder
from srcdiff.syntax import Array, Atom, Const, Type, Var

__all__ = ["Directions", "Operand", "lifted"]


@dataclass(frozen=True)
class Operand:
    """An operand of a statement.

    Attributes
    ----------
    atom
        The operand as it now is: with the direction axis if `batched`.
    ndim
        Its rank without the direction axis.
    """

    atom: Atom
    ndim: int
    batched: bool


def lifted(type_: Type) -> Array:
    """Return the type with one more axis."""
    return Array(type_.dtype, type_.ndim + 1)


class Directions:
    """The direction axis of one program; `count` is its extent, once known."""

    def __init__(self, builder: Builder, axis: int):
        self.builder = builder
        self.first = axis == 0
        self.count: Atom | None = None

    def place(self, ndim: int) -> int:
        """Return where the axis stands in a batched value of (unbatched) rank `ndim`."""
        return 0 if self.first else ndim

    def shift(self, axis: int) -> int:
        """Return where an axis of the unbatched value stands in the batched one."""
        return axis + 1 if self.first else axis

    def extents(self, extents) -> tuple[Atom, ...]:
        return (self.count, *extents) if self.first else (*extents, self.count)

    def expand(self, atom: Atom, axis: int, count: int = 1, stem: str = "t") -> Atom:
        """Insert `count` axes of extent 1 at `axis`."""
        for _ in range(count):
            atom = self.builder.op("expand_dims", atom, stem=stem, axis=axis)
        return atom

    def align(self, operand: Operand, ndim: int) -> Atom:
        """Return the operand so that it broadcasts against a batched value of rank `ndim`."""
        if self.first and operand.batched:
            return self.expand(operand.atom, 1, ndim - operand.ndim)
        if not self.first and not operand.batched and operand.ndim:
            return self.expand(operand.atom, operand.ndim)
        return operand.atom

    def spread(self, operand: Operand, extents=None) -> Atom:
        """Return the operand with the direction axis, the same value for every direction."""
        if operand.batched:
            return operand.atom
        if not operand.ndim:
            return self.fill(operand.atom, self.builder.type_of(operand.atom).dtype)
        if extents is None:
            extents = self.builder.extents(operand.atom.name)
        return self.builder.op("broadcast_to", self.align(operand, operand.ndim),
                               *self.extents(extents))

    def fill(self, value: Atom, dtype: str, extents=()) -> Var:
        """Return a batched array of these (unbatched) extents, all of one value."""
        extents = self.extents(extents)
        if isinstance(value, Const) and value in (Const(0.0), Const(0), Const(False)):
            return self.builder.op("zeros", *extents, dtype=dtype)
        return self.builder.op("full", value, *extents, dtype=dtype)
