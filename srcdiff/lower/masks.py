"""Compare again, one loop later, instead of keeping what a comparison gave.

>>> from srcdiff.notation import read, show
>>> print(show(masks(read('''
... def f(x: "float64[:,:]", y: "float64[:,:]"):
...     n = size(x, axis=0)
...     m = size(x, axis=1)
...     z = zeros(n, m, dtype='float64')
...     mask = empty(m, dtype='bool')
...     for i in range(0, n, 1):
...         s = 0.0
...         for j in range(0, m, 1):
...             t = x[i, j]
...             c = less(t, 0.5)
...             mask[j] = c
...             s = add(s, t)
...         for k in range(0, m, 1):
...             d = mask[k]
...             u = where(d, s, 0.0)
...             z[i, k] = u
...     return z
... '''))), end="")
def f(x: "float64[:,:]", y: "float64[:,:]"):
    n = size(x, axis=0)
    m = size(x, axis=1)
    z = zeros(n, m, dtype='float64')
    for i in range(0, n, 1):
        s = 0.0
        for j in range(0, m, 1):
            t = x[i, j]
            s = add(s, t)
        for k in range(0, m, 1):
            t_2 = x[i, k]
            d = less(t_2, 0.5)
            u = where(d, s, 0.0)
            z[i, k] = u
    return z

A loop that stores bytes beside its sums of numbers of eight bytes runs one
element at a time.  What it compared lies in the nearest cache when the next
loop of the same row needs it.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.analysis.uses import Uses
from srcdiff.builder import Builder
from srcdiff.lower.expensive import is_expensive
from srcdiff.optimize.dead import dead
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import (
    Array,
    Assign,
    For,
    Load,
    Program,
    Store,
    Var,
    atoms_of,
    blocks_of,
    defined,
    rename,
    walk,
    with_blocks,
)

__all__ = ["masks"]

MOST = 4                        # statements that are run again


def masks(program: Program) -> Program:
    """Return `program` with masks of rows computed where they are read."""
    kept = {s.array for s in walk(program.body) if isinstance(s, Store) and program.types[s.array] == Array("bool", 1)}
    return _Masks(program, kept).run() if kept else program


class _Masks:
    def __init__(self, program: Program, kept: set[str]):
        self.program, self.builder, self.uses = program, Builder(program.types), Uses(program)
        self.kept = {name for name in kept if self.uses.stores[name] == 1}
        self.has_changed = False

    def run(self) -> Program:
        body = tuple(self.inside(s, False) for s in self.program.body)
        return dead(self.program.with_body(body, types=self.builder.types)) if self.has_changed else self.program

    def inside(self, stmt, loops: bool):
        """Return a statement with the blocks in it rewritten; `loops` tells whether one is around it."""
        if not blocks_of(stmt):
            return stmt
        loops = loops or isinstance(stmt, For)
        return with_blocks(stmt, [self.block(b, loops) for b in blocks_of(stmt)])

    def block(self, body, loops: bool) -> tuple:
        body = [self.inside(s, loops) for s in body]
        for at, stmt in enumerate(body):
            if loops and isinstance(stmt, For):
                body[at] = self.loop(stmt, body[:at])
        return tuple(body)

    def loop(self, loop: For, before: list) -> For:
        """Return a loop that reads no masks of the loops before it."""
        new: list = []
        for stmt in loop.body:
            again = self.again(stmt, loop, before) if isinstance(stmt, Load) and stmt.array in self.kept else None
            new += [stmt] if again is None else again
            self.has_changed |= again is not None
        return replace(loop, body=tuple(new))

    def again(self, load: Load, loop: For, before: list) -> list | None:
        """Return the statements that compute an element of a mask again, if an earlier loop over the same range did."""
        for at, first in enumerate(before):
            if isinstance(first, For) and (first.start, first.stop, first.step) == (loop.start, loop.stop, loop.step):
                store = next((s for s in first.body if isinstance(s, Store) and s.array == load.array), None)
                if store is not None and load.index == (Var(loop.var),) and store.index == (Var(first.var),):
                    needed = self.needed(store, first, (*before[at:], loop))
                    return None if needed is None else self.renamed(needed, {first.var: loop.var, needed[-1].target: load.target})
        return None

    def needed(self, store: Store, loop: For, since) -> list | None:
        """Return what computes a stored value from what does not change until the end of `since`; None if it changes."""
        changed = {defined(s) for s in walk(since)} - {loop.var}
        wanted, found = {store.value}, []
        for stmt in reversed(loop.body[:[s is store for s in loop.body].index(True)]):
            if defined(stmt) in {a.name for a in wanted if isinstance(a, Var)}:
                if not _is_cheap(stmt) or not self.uses.single(defined(stmt)):
                    return None
                wanted = (wanted - {Var(stmt.target)}) | {a for a in atoms_of(stmt) if isinstance(a, Var)}
                found.append(stmt)
        unmade = {a.name for a in wanted if isinstance(a, Var)}
        return found[::-1] if found and len(found) <= MOST and not unmade & changed else None

    def renamed(self, stmts, names: dict[str, str]) -> list:
        """Return statements with new names for what they compute."""
        names = {s.target: self.builder.fresh(s.target, self.builder.types[s.target]) for s in stmts[:-1]} | names
        return list(rename(stmts, names))


def _is_cheap(stmt) -> bool:
    return isinstance(stmt, Load) or isinstance(stmt, Assign) and not is_expensive(stmt) \
        and PRIMITIVES[stmt.op].kind == "elementwise"
