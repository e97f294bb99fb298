"""Divide innermost loops in two: what both passes that do so have in common (`recurrences`, `ordered`)."""

from __future__ import annotations

from srcdiff.lower.distribute import Distributing, Division
from srcdiff.lower.hoist import hoist
from srcdiff.optimize.dead import dead
from srcdiff.syntax import Assign, Atom, Const, For, Program, blocks_of

__all__ = ["Halving"]


class Halving(Distributing):
    """A walk that divides the innermost loops for which `halves` says how."""

    def run(self) -> Program:
        self.block(self.program.body)
        if not self.has_rows:
            return self.program
        return hoist(dead(self.program.with_body(self.builder.take(), types=self.builder.types)))

    def halves(self, loop: For) -> Division | None:
        """Return how to divide an innermost loop; None where nothing is gained or proved."""
        raise NotImplementedError

    def loop(self, stmt: For) -> None:
        division = self.halves(stmt) if is_long(stmt) and self.may_divide(stmt) else None
        if division is None or not self.rows(division) or not self.may_keep(division):
            self.entered(stmt)
        else:
            self.divided(division)

    def part(self, loop: For) -> None:
        self.entered(loop)

    def length(self, loop: For) -> Atom:
        """Write how long a row is, so that it is seen to be no less than 0 in front of all loops, too: it is made there."""
        length = super().length(loop)
        if isinstance(length, Const):
            return length
        made = self.builder.definition(length.name) or self.integers.uses.definition.get(length.name)
        if isinstance(made, Assign) and made.op in ("size", "maximum"):
            return length
        return self.number("maximum", length, Const(0))


def is_long(loop: For) -> bool:
    """Tell whether a loop is an innermost one, and of no known number of iterations: such loops are short."""
    return not any(map(blocks_of, loop.body)) and not all(isinstance(a, Const) for a in (loop.start, loop.stop))
