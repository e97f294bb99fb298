"""Loops that run backwards and may run forwards: LLVM's checks that arrays do not overlap fail for outer loops that run backwards."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from srcdiff.lower.commuting import accesses
from srcdiff.lower.distribute import Distributing
from srcdiff.syntax import Const, For, Load, Store, Var

__all__ = ["Forwards", "strided"]


def strided(body, var: str) -> int:
    """Count the accesses that a step of the variable moves to another row."""
    return sum(Var(var) in s.index[:-1] for s in body if isinstance(s, Load | Store) and Var(var) != s.index[-1])


class Forwards(Distributing):
    """A walk that can turn the direction of loops."""

    def may_ascend(self, loop: For, local: Collection[str] = ()) -> bool:
        """Tell whether the iterations of a loop may run in any order, and do not go down rows: that gains nothing.

        The axes of arrays that are `local` may still take the order of the loops.
        """
        fixed = [s for s in loop.body if isinstance(s, Load | Store) and s.array not in local]
        if strided(fixed, loop.var) or not self.is_plain(loop.body):
            return False
        own = self.own_numbers(loop)
        if own is None:
            return False
        with self.another(loop, own) as (again, names):
            return self.commute(list(accesses((loop,))), list(accesses((again,))), [(loop.var, names[loop.var])])

    def ascending(self, loop: For) -> For:
        """Return a loop that steps by 1 through the same values; its bounds are written."""
        if loop.step == Const(1):
            return loop
        with self.builder.at(loop.where):
            return replace(loop, start=self.next(loop.stop), stop=self.next(loop.start), step=Const(1))
