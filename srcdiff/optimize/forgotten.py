"""Leave out what a loop stores in elements that are not read afterwards.

>>> from srcdiff.notation import read, show
>>> print(show(forgotten(read('''
... def f(x: "float64[:]", y_bar_0: "float64[:]"):
...     n = size(x, axis=0)
...     x_bar = empty(n, dtype='float64')
...     y_bar = copy(y_bar_0)
...     last = subtract(n, 1)
...     for i in range(last, -1, -1):
...         t = y_bar[i]
...         y_bar[i] = 0.0
...         u = multiply(2.0, t)
...         x_bar[i] = u
...     return x_bar
... '''))), end="")
def f(x: "float64[:]", y_bar_0: "float64[:]"):
    n = size(x, axis=0)
    x_bar = empty(n, dtype='float64')
    y_bar = copy(y_bar_0)
    last = subtract(n, 1)
    for i in range(last, -1, -1):
        t = y_bar[i]
        u = multiply(2.0, t)
        x_bar[i] = u
    return x_bar

Overwriting an element makes its adjoint zero.  Where each iteration of the last
loop that has to do with an array uses an element of its own, and reads it before
it stores, nobody sees what is stored; and an array to which nothing is stored
needs no copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from srcdiff.analysis.uses import Uses, changed
from srcdiff.optimize.walking import map_blocks, replace_blocks, touched
from srcdiff.syntax import (
    Assign,
    Const,
    For,
    Load,
    Program,
    Stmt,
    Store,
    Var,
    While,
    atoms_of,
    blocks_of,
    walk,
)

__all__ = ["forgotten"]


def forgotten(program: Program) -> Program:
    """Return `program` without stores to elements that no later statement or iteration reads."""
    kept = {a.name for a in program.results if isinstance(a, Var)} | {p.name for p in program.params}
    arrays = {s.array for loop in program.body if blocks_of(loop) for s in walk((loop,)) if _overwrites(s)} - kept
    return map_blocks(program, _Forgotten(program, arrays).block) if arrays else program


def _overwrites(stmt: Stmt) -> bool:
    return isinstance(stmt, Store) and not stmt.accumulate


@dataclass(frozen=True)
class _Access:
    """A statement that has to do with an array, and the loops around it, outermost first."""

    stmt: Stmt
    loops: tuple[Stmt, ...]


class _Forgotten:
    def __init__(self, program: Program, arrays: set[str]):
        self.arrays, self.uses = arrays, Uses(program)
        self.touches = Counter(name for s in walk(program.body) for name in arrays.intersection(touched(s)))

    def block(self, body):
        made = {s.target for s in body if isinstance(s, Assign) and s.target in self.arrays and self.uses.single(s.target)}
        if not made:
            return body
        here = Counter(name for s in walk(body) for name in made.intersection(touched(s)))
        for name in sorted(made):
            last = next((s for s in reversed(body) if any(name in touched(t) for t in walk((s,)))), None)
            if here[name] == self.touches[name] and isinstance(last, For):
                gone = self.unread(name, last)
                body = tuple(_without(s, gone) if s is last else s for s in body) if gone else body
        return body

    def unread(self, name: str, last: For) -> list[Store]:
        """Return the stores in a loop that no access after them meets, if the loop is the last to touch the array."""
        found = list(_accesses(name, (last,), ()))
        if any(not isinstance(a.stmt, Load | Store) or Var(name) in atoms_of(a.stmt) and not isinstance(a.stmt, Load)
               for a in found):
            return []
        return [a.stmt for at, a in enumerate(found) if _overwrites(a.stmt) and self.is_own(a)
                and all(self.same(a, b) for b in found)
                and all(_overwrites(b.stmt) for b in found[at + 1:])]

    def is_own(self, access: _Access) -> bool:
        """Tell whether each iteration of the loops around an access is at another element, counted from the front."""
        return all(isinstance(loop, For) and any(self.follows(item, loop) for item in access.stmt.index)
                   for loop in access.loops)

    def follows(self, item, loop: For) -> bool:
        """Tell whether an index is the variable of a loop, or that and a constant, and never negative."""
        more = 0
        made = self.uses.definition.get(item.name) if isinstance(item, Var) else None
        if isinstance(made, Assign) and any(s is made for s in walk(loop.body)):
            match made.op, made.args:
                case "add", (Var() as item, Const(value=more)) | (Const(value=more), Var() as item):
                    pass
                case "subtract", (Var() as item, Const(value=less)):
                    more = -less
        ends = {1: (loop.start, 0), -1: (loop.stop, 1)}
        lowest, one = ends.get(loop.step.value if isinstance(loop.step, Const) else 0, (None, 0))
        return item == Var(loop.var) and loop.var not in changed(loop.body) and isinstance(lowest, Const) \
            and isinstance(more, int) and lowest.value + one + more >= 0

    @staticmethod
    def same(store: _Access, other: _Access) -> bool:
        """Tell whether another access is at the element of a store, in the loops of the store."""
        return other.stmt.index == store.stmt.index and other.loops[:len(store.loops)] == store.loops


def _accesses(name: str, body, loops: tuple[Stmt, ...]) -> Iterator[_Access]:
    for stmt in body:
        if name in touched(stmt):
            yield _Access(stmt, loops)
        for block in blocks_of(stmt):
            yield from _accesses(name, block, (*loops, stmt) if isinstance(stmt, For | While) else loops)


def _without(stmt: Stmt, gone: list[Store]) -> Stmt:
    """Return a statement without some stores inside it."""
    blocks = [tuple(_without(s, gone) for s in block if not any(s is g for g in gone)) for block in blocks_of(stmt)]
    return replace_blocks(stmt, blocks) if blocks else stmt
