"""Divide a loop at the one iteration that meets an element which the others only read.

>>> from srcdiff.notation import read, show
>>> print(show(crossings(read('''
... def f(x: "float64[:]"):
...     n = size(x, axis=0)
...     y = copy(x)
...     for k in range(0, n, 1):
...         for j in range(0, n, 1):
...             s = y[k]
...             t = y[j]
...             u = multiply(s, t)
...             y[j] = u
...     return y
... '''))), end="")
def f(x: "float64[:]"):
    n = size(x, axis=0)
    y = copy(x)
    for k in range(0, n, 1):
        n_2 = add(k, 1)
        for j in range(0, k, 1):
            s = y[k]
            t = y[j]
            u = multiply(s, t)
            y[j] = u
        s_2 = y[k]
        t_2 = y[k]
        u_2 = multiply(s_2, t_2)
        y[k] = u_2
        for j_part in range(n_2, n, 1):
            s_3 = y[k]
            t_3 = y[j_part]
            u_3 = multiply(s_3, t_3)
            y[j_part] = u_3
    return y

Shortest paths, ``if path[i, k] + path[k, j] < path[i, j]``, are such a loop over j: where j is k it stores to ``path[i, k]``,
which each iteration reads.  Before and after that the element stays, so that it is loaded once, and the iterations may run at once
(`srcdiff.lower.at_once`).  The order of all iterations is as before.  A loop is divided only where the iteration at k is provably one of its own, and where
both parts may run at once then.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.analysis.independent import Own
from srcdiff.analysis.inequalities import at_most
from srcdiff.lower.at_once import Marker
from srcdiff.lower.commuting import Access, is_sum
from srcdiff.lower.distribute import PART
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
    defined,
    mentions,
    rename,
    walk,
)

__all__ = ["crossings"]

LONGEST = 24                            # statements of an iteration, which is written three times


def crossings(program: Program) -> Program:
    """Return `program` with such loops divided in three."""
    if not any(isinstance(s, For) and _crossed(s) for s in walk(program.body)):
        return program
    writer = _Divider(program)
    writer.block(program.body)
    return program.with_body(writer.builder.take(), types=writer.builder.types) if writer.has_divided else program


def _crossed(loop: For) -> str | None:
    """Return the number at which a loop stores to what its iterations read, if there is one."""
    inside = list(walk(loop.body))
    if len(inside) > LONGEST or loop.step not in (Const(1), Const(-1)) or any(isinstance(s, For | While) for s in inside):
        return None
    own = {defined(s) for s in inside} | {loop.var}
    stored = {(s.array, axis) for s in inside if isinstance(s, Store) for axis, i in enumerate(s.index) if i == Var(loop.var)}
    found = {i.name for s in inside if isinstance(s, Load | Store) for axis, i in enumerate(s.index)
             if isinstance(i, Var) and i.name not in own and (s.array, axis) in stored}
    return found.pop() if len(found) == 1 else None


class _Divider(Marker):
    has_divided = False

    def loop(self, stmt: For) -> None:
        at = _crossed(stmt)
        if at is None or not self.is_among(at, stmt) or self.may_run_at_once(stmt) or (own := self.own(stmt)) is None:
            return self.entered(stmt)
        before = replace(stmt, stop=Var(at))
        if not self.may_run_at_once(before):
            return self.entered(stmt)
        after = replace(stmt, start=self.number("add" if stmt.step == Const(1) else "subtract", Var(at), Const(1)))
        if not self.may_run_at_once(after):
            return self.entered(stmt)
        self.has_divided = True
        self.entered(before)
        self.block(self.anew(rename(stmt.body, {stmt.var: at}), own - {stmt.var}))
        self.block(self.anew((after,), own))

    def are_others(self, a: Access, b: Access, pairs) -> bool:
        """Count a sum into one element for all iterations as others: it is added up in a variable (`srcdiff.lower.registers`)."""
        return is_sum(a.stmt) and is_sum(b.stmt) and a.stmt.index == b.stmt.index or super().are_others(a, b, pairs)

    def is_among(self, at: str, loop: For) -> bool:
        """Tell whether the loop provably has an iteration of that number."""
        integers, (first, stop, step) = self.integers, self.integers.bounds(loop)
        value, prove = integers.value(Var(at)), integers.facts.prove
        if None in (first, stop, step, value):
            return False
        if step.constant > 0:
            return prove(at_most(integers, first, value)) and prove(at_most(integers, value, stop, 1))
        return prove(at_most(integers, value, first)) and prove(at_most(integers, stop, value, 1))

    def own(self, loop: For) -> set[str] | None:
        """Return the names of one iteration, which a copy needs anew; None where it is not known what goes from one to the next."""
        within = mentions((loop,))
        own = {s.target for s in walk(loop.body) if isinstance(s, Assign | Load) and within[s.target] == self.mentions[s.target]}
        found = Own(frozenset(own))
        found.block(loop.body, set())
        return None if found.carried or within[loop.var] != self.mentions[loop.var] else own | {loop.var}

    def anew(self, body: tuple[Stmt, ...], own: set[str]) -> tuple[Stmt, ...]:
        """Return a copy with names of its own."""
        loops = {s.var for s in body if isinstance(s, For)}
        names = {name: self.builder.fresh(f"{name}{PART}" if name in loops else name, self.builder.types[name]) for name in sorted(own)}
        body = rename(body, names)
        self.mentions.update(mentions(body))
        return body
