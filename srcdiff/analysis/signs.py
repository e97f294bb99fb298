"""Which arrays are indexed from their front only.

>>> from srcdiff.notation import read
>>> sorted(from_front(read('''
... def f(x: "float64[:]", y: "float64[:]", k: "weak int64"):
...     n = size(x, axis=0)
...     s = y[k]
...     for i in range(1, n, 1):
...         t = subtract(i, 1)
...         u = x[t]
...     return s
... ''')))
['x']

Python counts negative indices from the end, and compiled code tests for that at
each access, unless it is told that there are none.
"""

from __future__ import annotations

from srcdiff.analysis.integers import Integers
from srcdiff.syntax import Array, For, If, Load, Program, Span, Store, While, walk

__all__ = ["from_front"]


def from_front(program: Program) -> frozenset[str]:
    """Return the arrays none of whose scalar indices can be negative, provably."""
    indexed = {s.array for s in walk(program.body) if isinstance(s, Load | Store)}
    if not indexed:
        return frozenset()
    signs = _Signs(program)
    signs.block(program.body)
    return frozenset(indexed - signs.from_end)


class _Signs:
    """One walk; `from_end` holds the arrays with an index that may be negative."""

    def __init__(self, program: Program):
        self.program, self.integers = program, Integers(program)
        self.from_end: set[str] = set()

    def block(self, body) -> None:
        for stmt in body:
            match stmt:
                case For():
                    self.loop(stmt)
                case While():
                    for block in self.integers.turns(stmt):
                        self.block(block)
                case If():
                    for block in self.integers.branches(stmt):
                        self.block(block)
                case _:
                    if isinstance(stmt, Load | Store) and stmt.array not in self.from_end:
                        self.access(stmt)
                    self.integers.after(stmt)

    def access(self, stmt: Load | Store) -> None:
        for item in stmt.index:
            type_ = None if isinstance(item, Span) else self.program.type_of(item)
            if type_ is None or isinstance(type_, Array):
                continue
            if not self.integers.facts.prove(self.integers.value(item)):
                self.from_end.add(stmt.array)

    def loop(self, stmt: For) -> None:
        integers, limits = self.integers, self.integers.bounds(stmt)
        self.name_extents(stmt)
        integers.meet(stmt.body)
        place = integers.here()
        integers.enter_loop(stmt, limits)
        self.block(stmt.body)
        integers.back(place)

    def name_extents(self, loop: For) -> None:
        """Note that the extents of what the loop indexes are not negative."""
        for s in walk(loop.body):
            if isinstance(s, Load | Store) and None not in self.integers.extents(s.array):
                for axis in range(self.program.types[s.array].ndim):
                    self.integers.extent(s.array, axis)
