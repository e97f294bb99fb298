"""Rows of what a nest comes back to: elements that its innermost loop steps over lie beside each other while outer loops use them again.

In ::

    for q in range(l):
        for o in range(m):
            for j in range(n):
                z[j, o] += x[j, q] * w[q, o]

the loop over o uses the same ``x[j, q]`` again, and that over q the same ``z[j, o]``,
but j steps over other elements of both, so no vector can be loaded.  They are kept
in arrays made for that, indexed by the loops that choose them::

    for o in range(m):
        for j in range(n):
            z_rows[o, j] = z[j, o]
    for q in range(l):
        for j in range(n):
            x_row[j] = x[j, q]
        for o in range(m):
            for j in range(n):
                z_rows[o, j] += x_row[j] * w[q, o]
    ...                                 # and z from z_rows

Where an outer loop only shifts what the innermost one goes through, as p in ``x[j + p, q]``, it uses most elements again,
too: all that both reach are kept for it in one row, ``x_row[j + p]``.

What happens to an element, and in which order, stays.  What is changed must be at
another place for each of these iterations, and is not accessed otherwise.  What is
read before the loops that use it is provably in range, or these loops run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from srcdiff.analysis.uses import changed
from srcdiff.lower.distribute import PART, Distributing, needed
from srcdiff.lower.gains import depends_on, reads_of
from srcdiff.lower.nests import Nest
from srcdiff.syntax import Assign, Atom, Const, For, Load, Scalar, Stmt, Store, Var, rename

__all__ = ["Packing"]


@dataclass(frozen=True)
class Rows:
    """Elements of an array that are kept in another one.

    Attributes
    ----------
    level
        The position of the loop of the nest that they are kept for.
    loops
        The loops that fill the rows, the innermost one last.
    before
        The integers that the index is made of.
    moving
        The loops of the nest that choose the element: those that fill the rows, or, for
        the last of these, the two whose sum it goes through.
    """

    array: str
    index: tuple
    level: int
    loops: tuple[For, ...]
    before: tuple[Assign, ...]
    is_changed: bool
    moving: tuple[For, ...]
    name: str = ""

    @property
    def place(self) -> tuple[Var, ...]:
        return tuple(Var(loop.var) for loop in self.loops)


class Packing(Distributing):
    """A walk that can write nests with rows of what they come back to."""

    def packed(self, nest: Nest) -> bool:
        """Write a nest, the last of whose outer loops runs, with the rows that it needs; tell whether it has no steps then."""
        found: list[Rows] = []
        reaches: dict[tuple[Atom, ...], Atom] = {}
        for rows in self.rows_in(nest):
            rows = self.measured(rows, reaches)
            lengths = [self.length(loop) for loop in rows.loops]
            dtype = self.builder.types[rows.array].dtype
            found.append(replace(rows, name=self.builder.op("empty", *lengths, stem=f"{rows.array}_row", dtype=dtype).name))
        self.builder.append(*self.level(nest, 0, found))
        kept = {(rows.array, rows.index) for rows in found}
        return not any(isinstance(s, Load | Store) and (s.array, s.index) not in kept and _is_stepped_over(nest, s.index)
                       for s in nest.body)

    def measured(self, rows: Rows, reaches: dict[tuple[Atom, ...], Atom]) -> Rows:
        """Let the loop that fills a row go as far as two loops of the nest reach together; nowhere unless both run."""
        if rows.loops[-1] in rows.moving:
            return rows
        counts = tuple(loop.stop for loop in rows.moving if loop not in rows.loops)
        if counts not in reaches:
            reaches[counts] = self.reach(*counts)
        return replace(rows, loops=(*rows.loops[:-1], replace(rows.loops[-1], stop=reaches[counts])))

    def reach(self, first: Atom, second: Atom) -> Atom:
        """Write how many values the sum of two variables takes that count from 0."""
        b = self.builder
        runs = [b.op("greater_equal", count, Const(1), stem="runs") for count in (first, second)]
        both = b.op("logical_and", *runs, stem="runs")
        reach = self.number("subtract", self.number("add", first, second), Const(1))
        return self.number("where", both, reach, Const(0))

    def level(self, nest: Nest, number: int, found: list[Rows]) -> tuple[Stmt, ...]:
        """Return a loop of a nest, and what fills the rows that are kept for it and puts them back."""
        loop = nest.loops[number]
        if loop is nest.loops[-1]:
            return (replace(loop, body=tuple(_redirected(s, found) for s in loop.body)),)
        made = replace(loop, body=(*loop.body[:-1], *self.level(nest, number + 1, found)))
        here = [rows for rows in found if rows.level == number]
        return (*(self.moved(rows, False) for rows in here), made,
                *(self.moved(rows, True) for rows in here if rows.is_changed))

    def moved(self, rows: Rows, back: bool) -> For:
        """Return the loops that fill rows, or put them back."""
        value = self.builder.fresh("e", Scalar(self.builder.types[rows.array].dtype))
        ends = [(rows.array, rows.index), (rows.name, rows.place)]
        (start, at), (end, there) = ends[::-1] if back else ends
        before = [s for s in rows.before if s.target != rows.loops[-1].var]
        body: tuple[Stmt, ...] = (*before, Load(value, start, at, rows.loops[-1].where),
                                  Store(end, there, Var(value), False, rows.loops[-1].where))
        for loop in reversed(rows.loops):
            body = (replace(loop, body=body),)
        stems = {s.target: s.target for s in before} | {loop.var: f"{loop.var}{PART}" for loop in rows.loops}
        return rename(body, {n: self.builder.fresh(stem, self.builder.types[n]) for n, stem in stems.items()})[0]

    # -- what is kept in rows -----------------------------------------------------------------

    def rows_in(self, nest: Nest) -> list[Rows]:
        if len(nest.loops) < 3 or reads_of(nest.loops).intersection(changed(nest.loops[:1])):
            return []
        stored = {s.array for s in nest.body if isinstance(s, Store)}
        groups: dict[str, dict] = defaultdict(lambda: defaultdict(list))
        for s in nest.body:
            if isinstance(s, Load | Store):
                groups[s.array][s.index].append(s)
        found = [self.kept_rows(nest, array, index, array in stored) for array, places in groups.items()
                 if array not in stored or len(places) == 1 for index in places]
        return [rows for rows in found if rows is not None]

    def kept_rows(self, nest: Nest, array: str, index, is_changed: bool) -> Rows | None:
        """Return the rows to keep for an access, those for as many loops as may be; None for none."""
        for shift in (*_shifts(nest, index), None):
            rows = self.rows_of(nest, array, index, is_changed, shift)
            if rows is not None and self.may_keep_rows(nest, rows):
                return rows
        return None

    def rows_of(self, nest: Nest, array: str, index, is_changed: bool, shift: For | None) -> Rows | None:
        """Return the rows for an access that the innermost loop moves, but not along the last axis; if a loop repeats or shifts it."""
        moves = {loop.var: _moves(nest, loop, index) for loop in nest.loops}
        level = next((k for k, loop in enumerate(nest.loops[:-1]) if loop is shift or not moves[loop.var]), None)
        if level is None or not _is_stepped_over(nest, index):
            return None
        known = {s.target for loop in nest.loops[:level] for s in loop.body[:-1]}
        inside = [s for s in nest.body if isinstance(s, Assign | Load) and s.target not in known]
        before = needed(inside, (Load("", array, index),))
        if not all(isinstance(s, Assign) and "int" in self.builder.types[s.target].dtype for s in before):
            return None
        moving = tuple(loop for loop in nest.loops[level:] if moves[loop.var])
        loops = moving
        if shift is not None:
            item, = (index[axis] for axis in moves[nest.loops[-1].var])
            loops = (*(loop for loop in moving[:-1] if loop is not shift), replace(moving[-1], var=item.name))
        return Rows(array, index, level, loops, tuple(before), is_changed, moving)

    def may_keep_rows(self, nest: Nest, rows: Rows) -> bool:
        """Tell whether the elements are there, and each in one place, from where the nest begins."""
        repeating = [loop for loop in nest.loops[rows.level:-1] if loop not in rows.moving]
        integers, place = self.integers, self.integers.here()
        for loop in (*nest.loops[:rows.level], *rows.moving):
            integers.enter_loop(loop, integers.bounds(loop))
            if loop not in rows.moving:
                for s in loop.body[:-1]:
                    integers.after(s)
        for s in rows.before:
            integers.after(s)
        from_front = all(integers.facts.prove(integers.value(atom)) for atom in rows.place)
        found = from_front and (not rows.is_changed or self.are_apart(nest, rows)) and (
            repeating in ([], [nest.loops[-2]]) or self.in_range(rows.array, rows.index))
        integers.back(place)
        return found

    def are_apart(self, nest: Nest, rows: Rows) -> bool:
        """Tell whether each loop moves an axis of its own by one at a time, that counts from the front."""
        axes = [_moves(nest, loop, rows.index) for loop in rows.loops]
        if any(len(one) != 1 for one in axes) or len({one[0] for one in axes}) < len(axes):
            return False
        items = [rows.index[one[0]] for one in axes]
        return all(self.integers.facts.prove(self.integers.value(item)) and _is_shifted(item, loop, rows)
                   for item, loop in zip(items, rows.loops, strict=True))


def _moves(nest: Nest, loop: For, index) -> list[int]:
    """Return the axes of an index that a loop of a nest moves along."""
    moved = depends_on(nest.body, loop.var)
    return [axis for axis, item in enumerate(index) if isinstance(item, Var) and item.name in moved]


def _shifts(nest: Nest, index) -> Iterator[For]:
    """Yield the loops that only shift what the innermost one goes through: the two variables are added up at one axis."""
    *outer, inner = nest.loops
    axes = _moves(nest, inner, index)
    made = [s for s in nest.body if isinstance(s, Assign | Load) and len(axes) == 1 and Var(s.target) == index[axes[0]]]
    for loop in outer:
        both = {Var(inner.var), Var(loop.var)}
        if len(made) == 1 and isinstance(made[0], Assign) and made[0].op == "add" and set(made[0].args) == both \
                and _moves(nest, loop, index) == axes and all((x.start, x.step) == (Const(0), Const(1)) for x in (loop, inner)):
            yield loop


def _is_stepped_over(nest: Nest, index) -> bool:
    """Tell whether the innermost loop moves along axes, but not along the last one."""
    axes = _moves(nest, nest.loops[-1], index)
    return bool(axes) and len(index) - 1 not in axes


def _is_shifted(item, loop: For, rows: Rows) -> bool:
    """Tell whether an item of an index is a loop's variable plus or minus what no loop of the rows changes."""
    if item == Var(loop.var):
        return True
    late = {one.var for one in rows.loops} | {s.target for s in rows.before}
    made = next((s for s in rows.before if Var(s.target) == item), None)
    if made is None or made.op not in ("add", "subtract"):
        return False
    others = [a for a in made.args if a != Var(loop.var)]
    return len(others) == 1 and (isinstance(others[0], Const) or others[0].name not in late)


def _redirected(stmt: Stmt, found: list[Rows]) -> Stmt:
    if isinstance(stmt, Load | Store):
        for rows in found:
            if (stmt.array, stmt.index) == (rows.array, rows.index):
                return replace(stmt, array=rows.name, index=rows.place)
    return stmt
