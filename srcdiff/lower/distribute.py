"""Distribute a loop over the statements of its body, and let the inner loops that this separates go outside.

>>> from srcdiff.lower.interchange import interchange
>>> from srcdiff.notation import read, show
>>> print(show(interchange(read('''
... def f(a: "float64[:,:]", w: "float64[:]"):
...     n = size(a, axis=0)
...     m = size(a, axis=1)
...     y = zeros(m, dtype='float64')
...     for j in range(0, m, 1):
...         s = 0.0
...         for i in range(0, n, 1):
...             t = a[i, j]
...             s = add(s, t)
...         r = exp(s)
...         y[j] = r
...     return y
... '''))), end="")
def f(a: "float64[:,:]", w: "float64[:]"):
    n = size(a, axis=0)
    m = size(a, axis=1)
    y = zeros(m, dtype='float64')
    s_row = empty(m, dtype='float64')
    for j in range(0, m, 1):
        s = 0.0
        s_row[j] = s
    for i in range(0, n, 1):
        for j_part in range(0, m, 1):
            t = a[i, j_part]
            s_row[j_part] += t
    for j_part_2 in range(0, m, 1):
        s_2 = s_row[j_part_2]
        r = exp(s_2)
        y[j_part_2] = r
    return y

What each element and each number is computed of, and in which order, stays: no
access changes places with another one to the same element, of which one is a
store, except sums in nobody's order.  Let x be the loop's variable and y that of
an inner loop.

* A part of the body may be in a loop in front of that of a later part if what the
  later part does in an iteration x touches no element that the former changes
  in a later iteration x', and the other way round.
* An inner loop may go outside if what it does at (x, y) touches no element that
  is changed at (x', y'), or the other way round, for x before x' and y' before y.

Numbers that one part hands to another, or an iteration of y to the next one,
become arrays over x: a row.  What is cheap is computed again in each part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from srcdiff.analysis.forms import Extent
from srcdiff.analysis.inequalities import at_most
from srcdiff.analysis.uses import changed, exposed
from srcdiff.lower.commuting import Access, Commuting, accesses, is_sum
from srcdiff.lower.counters import Counted, counted
from srcdiff.lower.gains import SLOW, is_faster_turned, reads_of
from srcdiff.lower.layout import local_arrays
from srcdiff.lower.nests import inside, nest_of
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
    blocks_of,
    is_float,
    mentions,
    rename,
    walk,
)

__all__ = ["PART", "Distributing", "Division", "Pair", "Part", "Row", "computed_again", "needed"]

PART = "_part"                          # in the name of the variable of a loop that was divided
MOST_ROWS = 8                           # numbers of an iteration that become arrays


@dataclass(frozen=True)
class Part:
    """Positions of statements in a loop's body that get a loop of their own; one inner loop goes outside if it is turned."""

    positions: tuple[int, ...]
    is_turned: bool


@dataclass(frozen=True)
class Division:
    """A loop, what of its body is computed again where it is needed, and the parts that the rest is divided into."""

    loop: For
    again: tuple[Assign | Load, ...]
    parts: tuple[Part, ...]

    def body(self, part: Part) -> tuple[Stmt, ...]:
        """Return what an iteration of the loop does in a part; of both loops if it is turned."""
        found = tuple(self.loop.body[p] for p in part.positions)
        return nest_of(found[0]).body if part.is_turned else found


@dataclass(frozen=True)
class Row:
    """Where a number of each iteration is kept for other parts; whether the loop itself puts it there."""

    array: str
    index: tuple[Atom, ...]
    is_stored: bool = False


@dataclass(frozen=True)
class Pair:
    """A loop and a copy of it, which stands for a later iteration; `names` has the copy's names."""

    loop: For
    copy: For
    names: dict[str, str]

    @property
    def outer(self) -> tuple[str, str, Atom]:
        """The variables of the two, the earlier one first."""
        return self.loop.var, self.names[self.loop.var], self.loop.step

    @cached_property
    def ours(self) -> list[list[Access]]:
        return _accesses_by_position(self.loop)

    @cached_property
    def theirs(self) -> list[list[Access]]:
        return _accesses_by_position(self.copy)


class Distributing(Commuting):
    """A walk that can divide loops."""

    def __init__(self, program: Program):
        super().__init__(program)
        self.local = local_arrays(program)
        self.has_rows = False
        self.places: frozenset[str] = frozenset()       # variables that hold a place of a stack, another one each time

    def counted_division(self, loop: For) -> tuple[Counted, Division] | None:
        """Return a loop with the places of its counters written out, and how to divide it; None as for `division`."""
        found = counted(loop, self.builder)
        if found is None or _is_pushed(found) and not all(map(self.counts_up, found.steps)):
            return None
        self.mentions.subtract(mentions((loop,)))
        self.mentions.update(mentions((*found.before, found.loop, *found.after)))
        self.places = found.places
        division = self.division(found.loop)
        self.places = frozenset()
        if division is None:
            self.mentions.subtract(mentions((*found.before, found.loop, *found.after)))
            self.mentions.update(mentions((loop,)))
            return None
        return found, division

    # -- what may be divided ----------------------------------------------------------------

    def division(self, loop: For) -> Division | None:
        """Return how to divide a loop so that inner loops go outside; None where nothing is gained or proved."""
        again = computed_again(loop)
        kept = [p for p, s in enumerate(loop.body) if s not in again]
        wanted = {p for p in kept if self.gains(loop, loop.body[p], again)}
        if not wanted or not self.may_divide(loop):
            return None
        own = self.own_numbers(loop)
        if own is None:
            return None
        with self.another(loop, own) as (copy, names):
            parts = self.parts(Pair(loop, copy, names), kept, wanted)
        found = Division(loop, again, parts)
        return found if any(p.is_turned for p in parts) and self.may_keep(found) else None

    def gains(self, loop: For, stmt: Stmt, again) -> bool:
        if not isinstance(stmt, For) or any(map(blocks_of, stmt.body)):
            return False
        late = set(changed(loop.body)) | {loop.var}
        fixed = not late.intersection(reads_of((stmt,)))
        return fixed and is_faster_turned(loop, stmt, again, self.local)

    def may_divide(self, loop: For) -> bool:
        """Tell whether a body is simple statements and loops that may be parts, all of them numbers and elements."""
        late = changed((loop,))
        return all(self.may_be_part(s) for s in loop.body if isinstance(s, For)) \
            and all(isinstance(s, Assign | Load | Store | For) for s in walk(loop.body)) \
            and self.is_plain((loop,)) and not any(a.name in late for a in loop.reads if isinstance(a, Var))

    def may_be_part(self, loop: For) -> bool:
        """Tell whether a loop in the body of one that is divided is of a kind that is understood: simple statements."""
        return not any(map(blocks_of, loop.body))

    def may_keep(self, division: Division) -> bool:
        """Tell whether the numbers that parts hand on are few floats, and their places count from 0."""
        rows = self.rows(division)
        loop = division.loop
        start, stop, _ = self.integers.bounds(loop)
        low = start if loop.step == Const(1) else self.integers.combine(stop, Extent(1))
        return len(rows) <= MOST_ROWS and all(self.may_stand_in_a_row(n, loop) for n in rows) \
            and (not rows or self.integers.facts.prove(low))

    def may_stand_in_a_row(self, name: str, loop: For) -> bool:
        """Tell whether a number comes back from an array as it was: a weak one gives way to narrow numbers, elements do not."""
        type_ = self.builder.types[name]
        narrow = {self.builder.types[n].dtype for n in mentions((loop,))} & {"float16", "float32", "complex64"}
        return is_float(type_) and not (type_.weak and narrow)

    def counts_up(self, step: Assign) -> bool:
        """Tell whether a counter counts from the front, upwards: no place is one from the end."""
        return step.op == "add" and self.integers.facts.prove(self.integers.value(Var(step.target)))

    # -- which parts ------------------------------------------------------------------------

    def parts(self, pair: Pair, kept: list[int], wanted: set[int]) -> tuple[Part, ...]:
        """Return the finest division whose order of parts is right, in which `wanted` loops are alone."""
        turned = {p for p in wanted if self.may_turn_inside(pair, p)}
        groups = [[p] for p in kept]
        while True:
            joined = _neighbours_joined(groups, turned)
            bad = next(((g, h) for h in range(len(joined)) for g in range(h)
                        if not self.may_go_first(pair, joined[g], joined[h])), None)
            if bad is None:
                return tuple(Part(tuple(g), g[0] in turned) for g in joined)
            first, last = bad
            together = [p for g in joined[first:last + 1] for p in g]
            turned -= set(together)
            groups = [*joined[:first], together, *joined[last + 1:]]

    def may_go_first(self, pair: Pair, first: list[int], second: list[int]) -> bool:
        """Tell whether all iterations of some statements may run before all iterations of others."""
        return all(self.in_order(a, b, [pair.outer]) for p in second for a in pair.ours[p]
                   for q in first for b in pair.theirs[q])

    def may_turn_inside(self, pair: Pair, position: int) -> bool:
        """Tell whether an inner loop, or a nest of loops, may go outside."""
        loops = zip(nest_of(pair.loop.body[position]).loops, nest_of(pair.copy.body[position]).loops, strict=True)
        backwards = [(copy.var, inner.var, inner.step) for inner, copy in loops]
        return all(self.in_order(a, b, [pair.outer, one]) for one in backwards
                   for a in pair.ours[position] for b in pair.theirs[position])

    def in_order(self, a: Access, b: Access, before) -> bool:
        """Tell whether two accesses may change places where, of some loops, one variable comes before another."""
        stores = isinstance(a.stmt, Store) or isinstance(b.stmt, Store)
        if a.stmt.array != b.stmt.array or not stores or is_sum(a.stmt) and is_sum(b.stmt):
            return True
        if any(isinstance(i, Var) and i.name in self.places and k == Var(f"{i.name}'")
               for i, k in zip(a.stmt.index, b.stmt.index, strict=True)):
            return True
        place = self.integers.here()
        self.enter(a, b)
        for first, second, step in before:
            pair = [self.integers.value(Var(name)) for name in (first, second)]
            self.integers.facts.learn(at_most(self.integers, *(pair if step == Const(1) else pair[::-1]), 1))
        found = self.differ(a.stmt.index, b.stmt.index)
        self.integers.back(place)
        return found

    # -- numbers that become rows -----------------------------------------------------------

    def rows(self, division: Division) -> list[str]:
        """Return the numbers that parts hand on, or iterations of a turned loop."""
        set_ = dict.fromkeys(n for s in walk(division.loop.body) if isinstance(s, Assign | Load) for n in (s.target,))
        own = set(set_) - self.sums(division.loop) - {s.target for s in division.again}
        read = set().union(*(exposed(division.body(p)) for p in division.parts))
        return [name for name in set_ if name in own & read]

    # -- writing ----------------------------------------------------------------------------

    def divided(self, division: Division) -> None:
        """Write the parts of a loop, each in a loop of its own."""
        loop, rows = division.loop, self.rows(division)
        self.has_rows = self.has_rows or bool(rows)
        with self.builder.at(loop.where):
            arrays = {name: self.row(name, loop) for name in rows}
        bodies = [division.body(p) for p in division.parts]
        loops = []
        for number, (part, body) in enumerate(zip(division.parts, bodies, strict=True)):
            later = [*bodies[number:]] if part.is_turned else bodies[number + 1:]
            body = _with_rows(body, arrays, set().union(*map(exposed, later)), loop)
            again = needed(division.again, body)
            if part.is_turned:
                made = inside(loop, nest_of(loop.body[part.positions[0]]), (*again, *body))
            else:
                made = replace(loop, body=(*again, *body))
            loops.append(self.with_own_names(made, loop, loops))
        self.mentions.subtract(mentions((loop,)))
        self.mentions.update(mentions(loops))
        for made in loops:
            self.part(made)

    def part(self, loop: For) -> None:
        """Write the loop of a part."""
        raise NotImplementedError

    def row(self, name: str, loop: For) -> Row:
        """Write a new array for a number of each iteration."""
        made = self.builder.op("empty", self.length(loop), stem=f"{name}_row", dtype=self.builder.types[name].dtype)
        return Row(made.name, (Var(loop.var),))

    def length(self, loop: For) -> Atom:
        """Write how long an array for the iterations of a loop is; never negative."""
        length = loop.stop if loop.step == Const(1) else self.next(loop.start)
        if isinstance(length, Var) and not self.integers.facts.prove(self.integers.value(length)):
            length = self.number("maximum", length, Const(0))
        return length

    def with_own_names(self, made: For, loop: For, before: list[For]) -> For:
        """Return the loop of a part whose variables and numbers, but for sums over all iterations, none before it has."""
        taken = set(changed(before)) - self.sums(loop)
        own = [n for n in changed((made,)) if n in taken and not self.builder.types[n].ndim]
        stems = {n: f"{loop.var}{PART}" if n == loop.var else n for n in own}
        return rename((made,), {n: self.builder.fresh(stem, self.builder.types[n]) for n, stem in stems.items()})[0]


def _accesses_by_position(loop: For) -> list[list[Access]]:
    """Return what each statement of a loop's body accesses."""
    path: tuple[Stmt, ...] = (loop,)
    found = []
    for stmt in loop.body:
        found.append(list(accesses((stmt,), path)))
        if isinstance(stmt, Assign | Load):
            path = (*path, stmt)
    return found


def _is_pushed(found: Counted) -> bool:
    """Tell whether anything is stored at the places of counters."""
    return any(isinstance(s, Store) and any(isinstance(i, Var) and i.name in found.places for i in s.index)
               for s in walk((found.loop,)))


def computed_again(loop: For) -> tuple[Assign | Load, ...]:
    """Return the cheap statements of a body that are computed of what no iteration changes, and its variable.

    They come first in each part of the body, so no statement may read what an earlier iteration has left in their targets.
    """
    targets = [s.target for s in walk(loop.body) if isinstance(s, Assign | Load)]
    late, handed = set(changed(loop.body)), exposed(loop.body)
    found = []
    for s in loop.body:
        if isinstance(s, Assign | Load) and targets.count(s.target) == 1 and s.target not in handed and not late.intersection(reads_of((s,))) \
                and not (isinstance(s, Assign) and s.op in SLOW):
            late.discard(s.target)
            found.append(s)
    return tuple(found)


def _neighbours_joined(groups: list[list[int]], turned: set[int]) -> list[list[int]]:
    """Return groups of positions, neighbours joined that are not one inner loop that goes outside."""
    joined: list[list[int]] = []
    for group in groups:
        if joined and not turned.intersection(group) and not turned.intersection(joined[-1]):
            joined[-1] = joined[-1] + group
        else:
            joined.append(group)
    return joined


def _with_rows(body, arrays: dict[str, Row], later: set[str], loop: For) -> tuple[Stmt, ...]:
    """Return a part's body that takes numbers from rows, and puts those there that are read later."""
    sums = [n for n in arrays if _is_only_added_to(n, body) and n in later]
    body = tuple(_added(s, arrays) if isinstance(s, Assign) and s.target in sums else s for s in body)
    arrays = {n: a for n, a in arrays.items() if n not in sums}
    changing, sure = set(changed(body)), {s.target for s in body if isinstance(s, Assign | Load)}
    stored = [n for n in arrays if n in changing & later]
    loaded = [n for n in arrays if n in exposed(body) or n in stored and n not in sure]
    return (*(Load(n, arrays[n].array, arrays[n].index, loop.where) for n in loaded), *body,
            *(Store(arrays[n].array, arrays[n].index, Var(n), False, loop.where) for n in stored if not arrays[n].is_stored))


def _is_only_added_to(name: str, body) -> bool:
    """Tell whether one statement adds to a number, and that is all that happens to it."""
    found = [s for s in body if isinstance(s, Assign) and s.target == name]
    return len(found) == 1 == mentions(body)[name] - 1 and found[0].op == "add" and found[0].args[0] == Var(name)


def _added(stmt: Assign, arrays: dict[str, Row]) -> Store:
    return Store(arrays[stmt.target].array, arrays[stmt.target].index, stmt.args[1], True, stmt.where)


def needed(stmts: Iterable[Assign | Load], body) -> list[Assign | Load]:
    """Return those of simple statements that a block reads, directly or through others."""
    wanted = reads_of(walk(body))
    found: list[Assign | Load] = []
    for s in reversed(list(stmts)):
        if s.target in wanted:
            found.append(s)
            wanted |= reads_of((s,))
    return found[::-1]
