"""Turn nests of loops so that the innermost one runs along the last axis, and loops that run backwards around.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:,:]", y: "float64[:]"):
...     n = size(x, axis=0)
...     m = size(x, axis=1)
...     z = zeros(n, m, dtype='float64')
...     last = subtract(m, 1)
...     for j in range(last, -1, -1):
...         t = y[j]
...         for i in range(0, n, 1):
...             u = x[i, j]
...             v = multiply(t, u)
...             z[i, j] = v
...     return z
... ''')
>>> print(show(interchange(program)), end="")
def f(x: "float64[:,:]", y: "float64[:]"):
    n = size(x, axis=0)
    m = size(x, axis=1)
    z = zeros(n, m, dtype='float64')
    for i in range(0, n, 1):
        for j in range(0, m, 1):
            t = y[j]
            u = x[i, j]
            v = multiply(t, u)
            z[i, j] = v
    return z

Adjoints run through the iterations of a function backwards, and where its inner
loop ran along a row, a sum into a column goes down the rows.  Both cost more
than the arithmetic: a step to the next row is another line of the cache, and
LLVM's checks that arrays do not overlap fail for outer loops that run backwards.

Loops are turned where all their iterations commute (`srcdiff.lower.commuting`).
Statements before the inner loop go along if they are cheap and what they read
does not change; others stay in a loop of their own in front, and what the inner
loop reads of them is kept, a number for each iteration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from srcdiff.lower.commuting import Access, accesses
from srcdiff.lower.distribute import PART, needed
from srcdiff.lower.expensive import is_expensive
from srcdiff.lower.forwards import Forwards, strided
from srcdiff.lower.hoist import hoist
from srcdiff.optimize.dead import dead
from srcdiff.syntax import (
    Assign,
    Atom,
    Const,
    For,
    Load,
    Program,
    Stmt,
    Store,
    Var,
    atoms_of,
    mentions,
    rename,
    walk,
)

__all__ = ["interchange"]

MOST_KEPT = 4                           # numbers of an iteration that are kept for the inner loop


def interchange(program: Program) -> Program:
    """Return `program` with its nests turned where that is allowed and pays."""
    if not any(isinstance(s, For) and (s.step == Const(-1) or any(isinstance(t, For) for t in s.body)) for s in walk(program.body)):
        return program
    writer = _Turner(program)
    writer.block(program.body)
    if not writer.has_turned:
        return program
    turned = dead(program.with_body(writer.builder.take(), types=writer.builder.types))
    return hoist(turned) if writer.has_rows else turned


@dataclass(frozen=True)
class _Nest:
    """A loop whose body is simple statements and then one loop of simple statements."""

    outer: For
    before: tuple[Stmt, ...]
    inner: For


def _nest_of(loop: For) -> _Nest | None:
    *before, inner = loop.body or (None,)
    if not isinstance(inner, For) or any(not isinstance(s, Assign | Load | Store) for s in (*before, *inner.body)):
        return None
    changed = {s.target for s in before if isinstance(s, Assign | Load)} | {loop.var}
    return None if any(a.name in changed for a in inner.reads if isinstance(a, Var)) else _Nest(loop, tuple(before), inner)


class _Turner(Forwards):
    def __init__(self, program: Program):
        super().__init__(program)
        self.has_turned = False

    def loop(self, stmt: For) -> None:
        nest = _nest_of(stmt)
        if nest is not None and self.pays(nest) and self.may_turn(nest):
            self.has_turned = True
            self.turned(nest)
        elif (division := self.division(stmt)) is not None:
            self.has_turned = True
            self.divided(division)
        elif (found := self.counted_division(stmt)) is not None:
            self.has_turned = True
            self.block(found[0].before)
            self.divided(found[1])
            self.block(found[0].after)
        else:
            self.part(stmt)

    def part(self, loop: For) -> None:
        """Write a loop whose body stays together, forwards if that is allowed."""
        if loop.step == Const(-1) and self.may_ascend(loop):
            self.has_turned = True
            loop = self.ascending(loop)
        self.entered(loop)

    # -- nests ------------------------------------------------------------------------------

    def pays(self, nest: _Nest) -> bool:
        outer, inner = (strided(nest.inner.body, loop.var) for loop in (nest.outer, nest.inner))
        return outer == 0 < inner and not any(map(is_expensive, nest.before))

    def may_turn(self, nest: _Nest) -> bool:
        """Tell whether all iterations of the nest commute, and those of its beginning with them."""
        outer, inner = nest.outer, nest.inner
        if not self.is_plain(outer.body) or {outer.step, inner.step} - {Const(1), Const(-1)}:
            return False
        own = self.own_numbers(outer)
        if own is None or self.own_numbers(inner) is None or own & self.sums(inner):
            return False
        if not all(self.may_stand_in_a_row(n, outer) for n in self.kept(nest)):
            return False
        if len(self.kept(nest)) > MOST_KEPT or self.kept(nest) and self.low(outer) != Const(0):
            return False
        with self.another(outer, own) as (again, names):
            beginning, body = _parts(outer, inner.var)
            others = _parts(again, names[inner.var])[1]
            both = [(v, names[v]) for v in (outer.var, inner.var)]
            return self.commute(body, others, both) and self.commute(beginning, others, both[:1])

    def low(self, loop: For) -> Atom | None:
        """Return the smallest value of a loop's variable, if it is a constant."""
        bound = loop.start if loop.step == Const(1) else loop.stop
        return None if not isinstance(bound, Const) else bound if loop.step == Const(1) else Const(bound.value + 1)

    def again(self, nest: _Nest) -> list[Stmt]:
        """Return the statements of the beginning that may be run for each iteration of both loops instead."""
        changed = {s.array for s in walk(nest.outer.body) if isinstance(s, Store)}
        targets = [s.target for s in nest.before if isinstance(s, Assign | Load)]
        late: set[str] = set()
        found = []
        for s in nest.before:
            if isinstance(s, Store):
                continue
            if isinstance(s, Load) and s.array in changed or targets.count(s.target) > 1 \
                    or any(isinstance(a, Var) and (a.name in late or a.name == s.target) for a in atoms_of(s)):
                late.add(s.target)
            else:
                found.append(s)
        return found

    def kept(self, nest: _Nest) -> list[str]:
        """Return the numbers of the beginning that the inner loop reads and that are not computed again."""
        again = {s.target for s in self.again(nest)}
        read = {a.name for s in nest.inner.body for a in atoms_of(s) if isinstance(a, Var)}
        targets = dict.fromkeys(s.target for s in nest.before if isinstance(s, Assign | Load))
        return [name for name in targets if name in read - again - self.sums(nest.outer)]

    def turned(self, nest: _Nest) -> None:
        """Write a nest with the loops the other way round, behind a loop with what only its beginning does."""
        b, outer, inner = self.builder, self.ascending(nest.outer), self.ascending(nest.inner)
        kept = self.kept(nest)
        self.has_rows = self.has_rows or bool(kept)
        with b.at(nest.outer.where):
            arrays = {name: self.array(name, outer) for name in kept}
        loads = [Load(name, array, (Var(outer.var),), nest.outer.where) for name, array in arrays.items()]
        again = needed(self.again(nest), nest.inner.body)
        front = [Store(array, (Var(outer.var),), Var(name), False, nest.outer.where) for name, array in arrays.items()]
        if arrays or any(isinstance(s, Store) or s.where.any_order for s in nest.before):
            self.loop(self.in_front(replace(nest.outer, body=(*nest.before, *front)), nest))
        self.entered(replace(inner, body=(replace(outer, body=(*again, *loads, *nest.inner.body)),)))

    def array(self, name: str, outer: For) -> str:
        """Write a new array for a number of each iteration; its length is never negative."""
        length = outer.stop
        if isinstance(length, Var) and not self.integers.facts.prove(self.integers.value(length)):
            length = self.number("maximum", length, Const(0))
        return self.builder.op("empty", length, stem=f"{name}_kept", dtype=self.builder.types[name].dtype).name

    def in_front(self, loop: For, nest: _Nest) -> For:
        """Return the loop with the beginning, under names of its own; its iterations keep their order."""
        own = {s.target for s in nest.before if isinstance(s, Assign | Load)} - self.sums(nest.outer) | {loop.var}
        stems = {name: f"{name}{PART}" if name == loop.var else name for name in sorted(own)}
        names = {name: self.builder.fresh(stem, self.builder.types[name]) for name, stem in stems.items()}
        loop, = rename((loop,), names)
        self.mentions.update(mentions((loop,)))
        return loop


def _parts(outer: For, inner: str) -> tuple[list[Access], list[Access]]:
    """Return the accesses of a nest in front of its inner loop, and those in it."""
    found: tuple[list[Access], list[Access]] = [], []
    for access in accesses((outer,)):
        found[any(isinstance(s, For) and s.var == inner for s in access.path)].append(access)
    return found
