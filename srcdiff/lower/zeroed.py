"""Store what would be added to elements that have just been made zero.

>>> from srcdiff.notation import in_any_order, read, show
>>> print(show(zeroed(in_any_order(read('''
... def f(a: "float64[:]", x: "float64[:]"):
...     y = copy(x)
...     n = size(x, axis=0)
...     for i in range(0, n, 1):
...         y[i] = 0.0
...     long = greater_equal(n, 4)
...     if long:
...         y[0] += 3.0
...         stop = subtract(n, 1)
...         for j in range(1, stop, 1):
...             t = a[j]
...             y[j] += t
...     return y
... ''')))), end="")
def f(a: "float64[:]", x: "float64[:]"):
    y = copy(x)
    n = size(x, axis=0)
    long = greater_equal(n, 4)
    if long:
        stop = subtract(n, 1)
        y[0] = 0.0
        y[stop] = 0.0
        y[0] += 3.0
        for j in range(1, stop, 1):
            t = a[j]
            y[j] = t
    else:
        for k in range(0, n, 1):
            y[k] = 0.0
    return y

What an assignment overwrites has no adjoint any more: the adjoint of a stencil makes elements zero, and the stencil before it
adds to them.  Only the first and last ones, to which too few or too many iterations add, need zeros then.  It is done
where the loop that adds goes through a part of the elements that were made zero, once, and what else touches the array
in between touches elements before or after that part.

Branches with the same condition that follow each other are joined first: loops that gather stand in such ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from srcdiff.analysis.inequalities import at_most
from srcdiff.lower.commuting import is_sum
from srcdiff.lower.distribute import needed
from srcdiff.lower.views import add
from srcdiff.lower.walked import Walked
from srcdiff.optimize.dead import dead
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    If,
    Load,
    Program,
    Raise,
    Stmt,
    Store,
    Var,
    mentions,
    walk,
    with_blocks,
)

__all__ = ["zeroed"]

MOST_KNOWN = 3                          # zeros that are written one by one, if it is known how many there are


def zeroed(program: Program) -> Program:
    """Return `program` without zeros that are only added to."""
    if not any(isinstance(s, For) and any(isinstance(t, Store) and is_sum(t) and t.index == (Var(s.var),) for t in s.body)
               for s in walk(program.body)):
        return program
    writer = _Zeroed(program)
    writer.block(program.body)
    if not writer.found:
        return program
    return dead(program.with_body(writer.builder.take(), types=writer.builder.types))


@dataclass(frozen=True)
class _Zeros:
    """Elements of an array with one axis that a statement makes zero, and that statement without it."""

    array: str
    start: Atom
    stop: Atom
    without: Stmt


class _Zeroed(Walked):
    def __init__(self, program: Program):
        super().__init__(program)
        self.found = False

    def loop(self, stmt: For) -> None:
        self.entered(stmt)

    def block(self, body) -> None:
        rest = self.joined(body)
        while rest:
            rest = self.forwarded(rest)
            super().block(rest[:1])
            rest = rest[1:]

    # -- branches -----------------------------------------------------------------------------

    def joined(self, body) -> tuple[Stmt, ...]:
        """Return a block in which branches with the same condition are one, if only numbers are computed between them."""
        out: list[Stmt] = []
        for stmt in body:
            at = next((k for k in reversed(range(len(out))) if not self.is_number(out[k])), None)
            before = None if at is None else out[at]
            if isinstance(stmt, If) and isinstance(before, If) and self.is_same(before.condition, stmt.condition) \
                    and not any(isinstance(s, Raise) for s in walk((before,))) and not set(before.changes) & {a.name for s in out[at + 1:] for a in s.reads if isinstance(a, Var)}:
                out[at:] = [*out[at + 1:], with_blocks(before, (before.then + stmt.then, before.orelse + stmt.orelse))]
            else:
                out.append(stmt)
        return tuple(out)

    def is_number(self, stmt: Stmt) -> bool:
        return isinstance(stmt, Assign) and self.integers.uses.single(stmt.target) and not any(
            self.builder.type_of(a).ndim for a in (Var(stmt.target), *stmt.args))

    def is_same(self, one: Atom, other: Atom) -> bool:
        """Tell whether two conditions are one: numbers that are computed once, of the same ones."""
        made = [self.integers.uses.definition.get(a.name) for a in (one, other) if isinstance(a, Var)]
        if len(made) < 2 or not all(isinstance(s, Assign) and self.is_number(s) for s in made):
            return False
        steady = all(isinstance(a, Const) or self.is_steady(a) for s in made for a in s.args)
        return steady and (made[0].op, made[0].args, made[0].static) == (made[1].op, made[1].args, made[1].static)

    def is_steady(self, atom: Atom) -> bool:
        """Tell whether a number is the same wherever it is known."""
        return isinstance(atom, Const) or self.integers.uses.single(atom.name)

    # -- zeros ----------------------------------------------------------------------------------

    def forwarded(self, rest: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        """Return a block whose first statement makes nothing zero that the others had better store."""
        for zeros in self.zeros(rest[0]):
            if self.is_steady(zeros.start) and self.is_steady(zeros.stop):
                place = self.integers.here()
                self.passed(rest[0])
                new = self.following(rest[1:], zeros)
                self.integers.back(place)
                if new is not None:
                    self.found = True
                    return self.forwarded((zeros.without, *new))
        return rest

    def zeros(self, stmt: Stmt) -> Iterator[_Zeros]:
        """Yield what a statement makes zero: a new array, or elements in a loop, after which it does not use them."""
        match stmt:
            case Assign(target=name, op="zeros", args=(stop,)) if isinstance(self.builder.types[name], Array):
                yield _Zeros(name, Const(0), stop, replace(stmt, op="empty"))
            case For(step=Const(value=1)):
                for at, s in enumerate(stmt.body):
                    if isinstance(s, Store) and (s.index, s.accumulate, s.value) == ((Var(stmt.var),), False, Const(0.0)):
                        loads = [t for t in stmt.body[:at] if isinstance(t, Load) and (t.array, t.index) == (s.array, s.index)]
                        if mentions((stmt,))[s.array] == len(loads) + 1:
                            yield _Zeros(s.array, stmt.start, stmt.stop, replace(stmt, body=stmt.body[:at] + stmt.body[at + 1:]))

    def passed(self, stmt: Stmt) -> None:
        """Know what is known after a statement."""
        if stmt.blocks:
            self.integers.meet(*stmt.blocks)
        else:
            self.integers.after(stmt)

    def following(self, stmts: tuple[Stmt, ...], zeros: _Zeros) -> tuple[Stmt, ...] | None:
        """Return what follows zeros that have not been made, if a loop adds to them; the others are made where they are needed."""
        edges: list[int] = []
        for k, stmt in enumerate(stmts):
            if zeros.array not in mentions((stmt,)):
                pass
            elif isinstance(stmt, Load | Store) and self.integers.value(stmt.index[0]) is not None:
                edges.append(k)
            elif isinstance(stmt, For) and self.adds(stmt, zeros, [stmts[e].index[0] for e in edges]):
                return self.stored(stmts, min(edges, default=k), k, zeros)
            elif isinstance(stmt, If) and not edges:
                place = self.integers.here()
                self.integers.assume_test(stmt.condition, True)
                then = self.following(stmt.then, zeros)
                self.integers.back(place)
                if then is None:
                    return None
                orelse = (*self.made_zero(zeros.array, zeros.start, zeros.stop, stmt), *stmt.orelse)
                return (*stmts[:k], with_blocks(stmt, (then, orelse)), *stmts[k + 1:])
            else:
                return None
            self.passed(stmt)
        return None

    def adds(self, loop: For, zeros: _Zeros, edges: list[Atom]) -> bool:
        """Tell whether a loop adds once to each of some of the zeros, and all of `edges` are others."""
        sums = [s for s in loop.body if isinstance(s, Store) and (s.array, s.index) == (zeros.array, (Var(loop.var),)) and is_sum(s)]
        if loop.step != Const(1) or len(sums) != 1 or mentions((loop,))[zeros.array] != 1:
            return False
        bounds = [zeros.start, loop.start, loop.stop, zeros.stop]
        prove, value = self.integers.facts.prove, self.integers.value
        return all(map(self.is_steady, bounds)) and None not in map(value, bounds) and prove(value(zeros.start)) \
            and all(self.is_at_most(a, b) for a, b in zip(bounds, bounds[1:], strict=False)) \
            and all(prove(value(e)) and (self.is_at_most(e, loop.start, 1) or self.is_at_most(loop.stop, e)) for e in edges)

    def is_at_most(self, low: Atom, high: Atom, slack: int = 0) -> bool:
        value = self.integers.value
        return self.integers.facts.prove(at_most(self.integers, value(low), value(high), slack))

    # -- writing ----------------------------------------------------------------------------------

    def stored(self, stmts: tuple[Stmt, ...], first: int, last: int, zeros: _Zeros) -> tuple[Stmt, ...] | None:
        """Return statements whose `last` one, a loop, stores, and that make the other elements zero before the `first` one."""
        loop = stmts[last]
        between = [s for s in stmts[first:last] if isinstance(s, Assign)]
        moved = needed(between, (replace(loop, body=()),))
        if not all(map(self.is_number, moved)):
            return None
        body = tuple(replace(s, accumulate=False) if isinstance(s, Store) and s.array == zeros.array else s for s in loop.body)
        return (*stmts[:first], *moved, *self.made_zero(zeros.array, zeros.start, loop.start, loop),
                *self.made_zero(zeros.array, loop.stop, zeros.stop, loop),
                *(s for s in stmts[first:last] if s not in moved), replace(loop, body=body), *stmts[last + 1:])

    def made_zero(self, array: str, start: Atom, stop: Atom, stmt: Stmt) -> list[Stmt]:
        """Return what makes some elements of an array zero."""
        if start == stop:
            return []
        known = next((n for n in range(1, MOST_KNOWN + 1) if self.is_at_most(start, stop, n) and self.is_at_most(stop, start, -n)), None)
        with self.builder.nested() as block, self.builder.at(stmt.where):
            if known is not None:
                for n in range(known):
                    self.builder.store(array, (add(self.builder, start, Const(n)),), Const(0.0))
            else:
                with self.builder.loop(start, stop, stem="k") as k:
                    self.builder.store(array, (k,), Const(0.0))
        return block
