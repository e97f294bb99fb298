"""Whether iterations of loops may change places: what they touch is compared, pair by pair.

Two iterations commute where each element that one of them changes and the other
uses is *another* element, or is only added to by both, in an order that is
nobody's.  Elements are others where their indices provably differ in some axis,
or have the loop's variable at the same axis.  The second iteration is a copy of
the first with new names, so that the facts about integers hold for both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from srcdiff.analysis.independent import Own
from srcdiff.lower.walked import Walked
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import (
    Assign,
    Atom,
    Const,
    For,
    If,
    Load,
    Program,
    Scalar,
    Stmt,
    Store,
    Var,
    blocks_of,
    mentions,
    rename,
    walk,
)

__all__ = ["Access", "Commuting", "accesses", "is_sum", "meeting"]

MOST = 48                               # accesses of one body: each is compared with each


@dataclass(frozen=True)
class Access:
    """A load or store, and what runs before it from the outermost loop on: the loops around it, and integers."""

    stmt: Load | Store
    path: tuple[Stmt, ...]


def accesses(body, path: tuple[Stmt, ...] = ()) -> Iterator[Access]:
    """Yield the accesses of a block."""
    for stmt in body:
        if isinstance(stmt, Load | Store):
            yield Access(stmt, path)
        for block in blocks_of(stmt):
            yield from accesses(block, (*path, stmt) if isinstance(stmt, For) else path)
        if isinstance(stmt, Assign | Load):
            path = (*path, stmt)


def meeting(ours: list[Access], theirs: list[Access]) -> Iterator[tuple[Access, Access]]:
    """Yield the pairs of accesses to the same array of which one is a store."""
    changed = {a.stmt.array for a in (*ours, *theirs) if isinstance(a.stmt, Store)}
    return ((a, b) for a in ours if a.stmt.array in changed
            for b in theirs if a.stmt.array == b.stmt.array and isinstance(a.stmt, Store) | isinstance(b.stmt, Store))


class Commuting(Walked):
    """A walk that can tell, at a loop, whether its iterations commute."""

    def __init__(self, program: Program):
        super().__init__(program)
        self.mentions = mentions(program.body) + Counter(a.name for a in program.results if isinstance(a, Var))

    # -- what a body may be ---------------------------------------------------------------

    def is_plain(self, body) -> bool:
        """Tell whether a block is loads, stores and numbers, in counted loops and branches."""
        return all(self._is_plain(s) for s in walk(body)) and sum(isinstance(s, Load | Store) for s in walk(body)) <= MOST

    def _is_plain(self, stmt: Stmt) -> bool:
        match stmt:
            case For(step=step):
                return step in (Const(1), Const(-1))
            case If():
                return True
            case Load() | Store():
                return len(stmt.index) == self.builder.types[stmt.array].ndim and all(map(self._is_number, stmt.index)) \
                    and (isinstance(stmt, Load) or self._is_number(stmt.value))
            case Assign():
                return PRIMITIVES[stmt.op].kind in ("elementwise", "extent") and self._is_number(Var(stmt.target)) \
                    and (stmt.op == "size" or all(map(self._is_number, stmt.args)))
        return False

    def _is_number(self, atom) -> bool:
        return isinstance(atom, Var | Const) and isinstance(self.builder.type_of(atom), Scalar)

    def sums(self, loop: For) -> set[str]:
        """Return the numbers to which a loop only adds, in an order that is nobody's."""
        within = mentions(loop.body)
        found = Counter(s.target for s in walk(loop.body) if isinstance(s, Assign) and is_sum(s))
        return {name for name, count in found.items() if within[name] == 2 * count}

    def own_numbers(self, loop: For) -> set[str] | None:
        """Return the numbers that live for one iteration; None if others are more than sums in any order."""
        within, sums = mentions((loop,)), self.sums(loop)
        targets = Counter(s.var if isinstance(s, For) else s.target
                          for s in walk((loop,)) if isinstance(s, Assign | Load | For))
        own = set(targets) - sums
        if any(within[name] != self.mentions[name] for name in own):
            return None                 # an earlier or later statement has to do with it
        if any(targets[n] > 1 and "int" in self.builder.types[n].dtype for n in own):
            return None                 # facts are about one value
        found = Own(frozenset(own - {loop.var}))
        found.block(loop.body, set())
        return None if found.carried else own

    # -- integers that are written --------------------------------------------------------

    def next(self, atom: Atom) -> Atom:
        """Write a number plus 1; the one that it was made of by subtracting 1, if it was."""
        if isinstance(atom, Const):
            return Const(atom.value + 1)
        match self.integers.uses.definition.get(atom.name):
            case Assign(op="subtract", args=(Var(name=name) as before, Const(value=1))) if self.integers.uses.single(name):
                return before
        return self.number("add", atom, Const(1))

    def number(self, op: str, *args: Atom) -> Var:
        """Write an integer, and know it."""
        found = self.builder.op(op, *args, stem="n")
        self.integers.after(self.builder.block[-1])
        return found

    # -- whether they commute ---------------------------------------------------------------

    @contextmanager
    def another(self, loop: For, own: set[str]):
        """Yield a copy of a loop for the length of a proof, and the names that the numbers of an iteration have in it."""
        names = {name: f"{name}'" for name in own}
        self.builder.types.update((new, self.builder.types[old]) for old, new in names.items())
        try:
            yield rename((loop,), names)[0], names
        finally:
            for new in names.values():
                del self.builder.types[new]

    def commute(self, ours: list[Access], theirs: list[Access], pairs) -> bool:
        """Tell whether all accesses of one iteration may change places with those of another.

        `pairs` are the variables of the two iterations, of which one differs.
        """
        return all(self.apart(a, b, pairs) for a, b in meeting(ours, theirs))

    def apart(self, a: Access, b: Access, pairs) -> bool:
        return is_sum(a.stmt) and is_sum(b.stmt) or self.are_others(a, b, pairs)

    def are_others(self, a: Access, b: Access, pairs) -> bool:
        """Tell whether two accesses are to elements that are not the same."""
        place = self.integers.here()
        self.enter(a, b)
        found = self.is_own(a.stmt.index, b.stmt.index, pairs) or self.differ(a.stmt.index, b.stmt.index)
        self.integers.back(place)
        return found

    def enter(self, *found: Access) -> None:
        """Know what is known where accesses are."""
        for access in found:
            for stmt in access.path:
                if isinstance(stmt, For):
                    self.integers.enter_loop(stmt, self.integers.bounds(stmt))
                else:
                    self.integers.after(stmt)

    def is_own(self, index, other, pairs) -> bool:
        """Tell whether the variables of each pair stand at the same axis, and count from the front."""
        prove, value = self.integers.facts.prove, self.integers.value
        return all(any((a, b) == (Var(v), Var(w)) and prove(value(a)) and prove(value(b))
                       for a, b in zip(index, other, strict=True)) for v, w in pairs)


def is_sum(stmt: Stmt) -> bool:
    """Tell whether a statement adds to a number or an element, in an order that is nobody's."""
    if isinstance(stmt, Store):
        return stmt.accumulate and stmt.where.any_order
    return isinstance(stmt, Assign) and stmt.where.any_order and (
        stmt.op == "add" and stmt.args.count(Var(stmt.target)) == 1
        or stmt.op == "subtract" and stmt.args[0] == Var(stmt.target) != stmt.args[1])
