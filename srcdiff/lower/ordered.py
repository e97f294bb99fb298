"""Compute functions before the sums whose order is the user's, in a loop of their own.

>>> from srcdiff.notation import read, show
>>> print(show(ordered(read('''
... def f(x: "float64[:]"):
...     n = size(x, axis=0)
...     s = 0.0
...     for i in range(0, n, 1):
...         t = x[i]
...         u = exp(t)
...         v = multiply(t, u)
...         s = add(s, v)
...     return s
... '''))), end="")
def f(x: "float64[:]"):
    n = size(x, axis=0)
    s = 0.0
    v_row = empty(n, dtype='float64')
    for i in range(0, n, 1):
        t = x[i]
        u = exp(t)
        v = multiply(t, u)
        v_row[i] = v
    for i_part in range(0, n, 1):
        v_2 = v_row[i_part]
        s = add(s, v_2)
    return s

A loop with a sum in the user's order runs one iteration after the other, and its functions
with it: 7 to 20 ns each.  Without the sum, LLVM takes four of them at once, 1.5 to 7 ns.
What later iterations read of earlier ones, and all that is computed from it, comes second;
the proof that the rest may come first is that of divided loops.
"""

from __future__ import annotations

from collections import Counter

from srcdiff.lower.distribute import Division, Pair, Part, computed_again
from srcdiff.lower.expensive import is_expensive
from srcdiff.lower.gains import accesses_handed_on, chain, handed_on, reads_of
from srcdiff.lower.halved import Halving, is_long
from srcdiff.syntax import Assign, For, Load, Program, Stmt, Store, mentions, walk

__all__ = ["ordered"]


def ordered(program: Program) -> Program:
    """Return `program` with functions in front of the sums that would keep them from being vectorised."""
    if not any(isinstance(s, For) and is_long(s) and any(map(is_expensive, s.body)) for s in walk(program.body)):
        return program
    return _Ordered(program).run()


class _Ordered(Halving):
    def halves(self, loop: For) -> Division | None:
        """Return how to divide a loop into what no iteration waits for and what must be in order."""
        if not any(map(self.is_vectorised, loop.body)) or not chain(loop):
            return None
        again, late = computed_again(loop), _late(loop)
        first = [p for p, s in enumerate(loop.body) if s not in again and p not in late]
        second = [p for p, s in enumerate(loop.body) if s not in again and p in late]
        own = self.numbers_of_iterations(loop, first)
        if own is None or not any(self.is_vectorised(loop.body[p]) for p in first) or not _may_change_places(loop, first, second):
            return None
        with self.another(loop, own) as (copy, names):
            if not self.may_go_first(Pair(loop, copy, names), first, second):
                return None
        return Division(loop, again, (Part(tuple(first), False), Part(tuple(second), False)))

    def is_vectorised(self, stmt: Stmt) -> bool:
        """Tell whether a statement is a function that takes several numbers at once in a loop that allows it."""
        return is_expensive(stmt) and self.builder.types[stmt.target].dtype in ("float64", "float32")

    def numbers_of_iterations(self, loop: For, first: list[int]) -> set[str] | None:
        """Return the numbers that live for one iteration; None if others than those that are carried on live longer."""
        targets, within = Counter(s.target for s in loop.body if isinstance(s, Assign | Load)), mentions((loop,))
        own = {*targets, loop.var} - handed_on(loop.body) - self.sums(loop)
        twice = {loop.body[p].target for p in first if not isinstance(loop.body[p], Store)} & {n for n in own if targets[n] > 1}
        return None if twice or any(within[n] != self.mentions[n] for n in own) else own

    def rows(self, division: Division) -> list[str]:
        early = {s.target for s in division.body(division.parts[0]) if isinstance(s, Assign | Load)}
        return [name for name in super().rows(division) if name in early]


def _late(loop: For) -> set[int]:
    """Return the positions of what an iteration computes of numbers or elements of earlier ones."""
    places = accesses_handed_on(loop)
    names = handed_on(loop.body) | {s.array for s in loop.body if id(s) in places}
    late: set[int] = set()
    for p, s in enumerate(loop.body):
        if names.intersection((*reads_of((s,)), *s.changes)):
            late.add(p)
            names.update(s.changes)
    return late


def _may_change_places(loop: For, first: list[int], second: list[int]) -> bool:
    """Tell whether what comes first touches no element that the second part has used before it in the same iteration."""
    pairs = [(loop.body[p], loop.body[q]) for p in first for q in second if q < p]
    return not any(isinstance(a, Load | Store) and isinstance(b, Load | Store) and a.array == b.array
                   and (isinstance(a, Store) or isinstance(b, Store)) for a, b in pairs)
