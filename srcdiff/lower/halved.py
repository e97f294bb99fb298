"""Divide innermost loops in two: what both passes that do so have in common (`recurrences`, `ordered`)."""

from __future__ import annotations

from srcdiff.lower.commuting import is_sum
from srcdiff.lower.distribute import Distributing, Division, Pair, Row
from srcdiff.lower.gains import reads_of
from srcdiff.lower.hoist import hoist
from srcdiff.optimize.dead import dead
from srcdiff.syntax import Assign, Atom, Const, For, Load, Program, Stmt, Store, Var, blocks_of

__all__ = ["Halving", "is_long"]


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

    def may_follow(self, pair: Pair, position: int, rest: list[int]) -> bool:
        """Tell whether a sum may be added after all iterations of the rest of a body, of numbers that stay until then."""
        body = pair.loop.body
        uses = [p for p in rest if isinstance(s := body[p], Load | Store) and s.array == body[position].array and not is_sum(s)]
        later = {s.target for s in body[position:] if isinstance(s, Assign | Load)}
        return all(p < position for p in uses) and not later.intersection(reads_of(body[position:position + 1])) \
            and self.may_go_first(pair, uses, [position])

    def loop(self, stmt: For) -> None:
        division = self.halves(stmt) if is_long(stmt) and self.may_divide(stmt) else None
        if division is None or not self.rows(division) or not self.may_keep(division):
            self.entered(stmt)
        else:
            self.divided(division)

    def part(self, loop: For) -> None:
        self.entered(loop)

    def row(self, name: str, loop: For) -> Row:
        """Return the tape that the loop keeps a number on, or write a new array for it."""
        return next((Row(s.array, s.index, True) for s in loop.body if self.keeps(s, name, loop)), None) or super().row(name, loop)

    def keeps(self, stmt: Stmt, name: str, loop: For) -> bool:
        """Tell whether a statement stores a number as it is at a place of its own that the loop does not touch otherwise."""
        return isinstance(stmt, Store) and not stmt.accumulate and stmt.value == Var(name) and Var(loop.var) in stmt.index \
            and self.builder.types[stmt.array].dtype == self.builder.types[name].dtype \
            and sum(s.array == stmt.array for s in loop.body if isinstance(s, Load | Store)) == 1 \
            and sum(s.target == name for s in loop.body if isinstance(s, Assign | Load)) == 1 \
            and not {a.name for a in stmt.index if isinstance(a, Var)}.intersection(loop.changes) - {loop.var}

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
