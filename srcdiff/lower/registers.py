"""Keep an element that a loop uses at one place in a variable, and load what no iteration changes once.

>>> from srcdiff.notation import read, show
>>> print(show(registers(read('''
... def f(w: "float64[:]", x: "float64[:,:]"):
...     n = size(x, axis=0)
...     m = size(x, axis=1)
...     a = zeros(n, dtype='float64')
...     b = zeros(m, dtype='float64')
...     for i in range(0, n, 1):
...         for j in range(0, m, 1):
...             u = w[0]
...             t = x[i, j]
...             v = multiply(u, t)
...             a[i] += v
...             b[j] += v
...     return a, b
... '''))), end="")
def f(w: "float64[:]", x: "float64[:,:]"):
    n = size(x, axis=0)
    m = size(x, axis=1)
    a = zeros(n, dtype='float64')
    b = zeros(m, dtype='float64')
    for i in range(0, n, 1):
        runs = less(0, m)
        if runs:
            u = w[0]
            a_i = a[i]
            for j in range(0, m, 1):
                t = x[i, j]
                v = multiply(u, t)
                a_i = add(a_i, v)
                b[j] += v
            a[i] = a_i
    return a, b

A compiler cannot do that: as far as it knows, a store into one array may change
another.  An element is touched before the loop only where its index is provably
in range, or where the loop runs and each iteration touches it.

Two sums into one array may meet, as ``force[i] -= f`` and ``force[j] += f`` in a loop
over j.  Where all that a loop does to the array is to add, in an order that is nobody's, what
goes to the fixed element is added up by itself, and joins it after the loop.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from srcdiff.analysis.inequalities import at_most
from srcdiff.lower.commuting import is_sum
from srcdiff.lower.overwritten import without_overwritten
from srcdiff.lower.walked import Walked
from srcdiff.optimize.walking import map_blocks
from srcdiff.syntax import (
    Assign,
    Const,
    For,
    If,
    Load,
    Program,
    Raise,
    Scalar,
    Store,
    Var,
    atoms_of,
    blocks_of,
    defined,
    is_float,
    map_index,
    walk,
    with_blocks,
)

__all__ = ["registers"]


def registers(program: Program) -> Program:
    """Move loads, sums and stores of elements that a loop does not choose out of it, outer loops first."""
    if not any(isinstance(s, For) for s in walk(program.body)):
        return program
    writer = _Registers(program)
    writer.block(program.body)
    return map_blocks(replace(program, body=writer.builder.take(), types=writer.builder.types), without_overwritten)


@dataclass(frozen=True)
class _Place:
    """One element of an array and all that happens to it in a loop."""

    array: str
    index: tuple
    accesses: tuple[Load | Store, ...]
    certain: bool                       # whether each iteration touches it
    is_sum: bool = False                # of sums in nobody's order, and so is all else that may touch it

    @property
    def stores(self) -> list[Store]:
        return [s for s in self.accesses if isinstance(s, Store)]


class _Registers(Walked):
    def __init__(self, program: Program):
        super().__init__(program)
        self.uses = self.integers.uses
        self.around_here: list[str] = []            # variables of the loops around

    def loop(self, stmt: For) -> None:
        """Write a loop with what moves out of it around it, in a branch where it must run for that."""
        integers, limits = self.integers, self.integers.bounds(stmt)
        integers.meet(stmt.body)
        found = self.places(stmt, limits)
        free = [p for p in found if self.in_range(p.array, p.index) and not self.loses(p)]
        bound = [p for p in found if p not in free and p.certain]
        if bound and not self.runs(limits):
            if any(map(blocks_of, stmt.body)) or limits[2] is None:
                bound = []              # not worth a branch, or no telling whether it runs
            else:
                return self.in_branch(stmt, limits, free + bound)
        return self.around(stmt, limits, free + bound)

    def in_branch(self, stmt: For, limits, places) -> None:
        """Write a loop and what moves out of it for the case that it runs."""
        with self.builder.at(stmt.where):
            ends = (stmt.start, stmt.stop) if limits[2].constant > 0 else (stmt.stop, stmt.start)
            test = self.builder.op("less", *ends, stem="runs")
        with self.builder.nested() as block:
            self.around(stmt, limits, places)
        self.builder.append(If(test, tuple(block), (), stmt.where))

    def runs(self, limits) -> bool:
        """Tell whether a loop provably runs."""
        start, stop, step = limits
        if start is None or stop is None or step is None:
            return False
        ends = (start, stop) if step.constant > 0 else (stop, start)
        return self.integers.facts.prove(at_most(self.integers, *ends, 1))

    def around(self, stmt: For, limits, places) -> None:
        integers, body = self.integers, stmt.body
        place = integers.here()
        after = []
        for p in sorted(places, key=lambda p: bool(p.stores)):
            body, end = self.moved(p, body)
            after += end
        integers.enter_loop(stmt, limits)
        self.around_here.append(stmt.var)
        body = self.inside(body)
        self.around_here.pop()
        integers.back(place)
        self.builder.append(replace(stmt, body=body), *after)
        integers.meet(stmt.body)

    # -- what moves -------------------------------------------------------------------

    def moved(self, p: _Place, body):
        """Write what happens to a place before a loop; returns the body without it, and what follows the loop."""
        first = p.accesses[0]
        if not p.stores or _writes_once(p):
            self.builder.append(first)
            return _replaced(body, {id(first): ()}), []
        if p.is_sum:
            return self.summed(p, body)
        with self.builder.at(first.where):
            stem = "_".join([p.array, *(a.name if isinstance(a, Var) else f"{a.value}" for a in p.index)])
            held = self.builder.load(p.array, p.index, stem=stem.replace("-", "m"))
        new = {id(s): (self.within(s, held),) for s in p.accesses}
        return _replaced(body, new), [Store(p.array, p.index, held, False, p.stores[0].where)]

    def summed(self, p: _Place, body):
        """Write a sum of 0 before a loop that only adds to a place, which others that it adds to may be; it is added after it."""
        dtype = self.program.types[p.array].dtype
        held = self.builder.fresh("total", Scalar(dtype))
        with self.builder.at(p.accesses[0].where):
            self.builder.assign(held, "cast", Const(0.0), dtype=dtype)
        new = {id(s): (self.within(s, Var(held)),) for s in p.accesses}
        return _replaced(body, new), [Store(p.array, p.index, Var(held), True, p.accesses[0].where)]

    def within(self, stmt: Load | Store, held: Var):
        """Return what an access of a held element becomes."""
        if isinstance(stmt, Load):
            return Assign(stmt.target, "copy", (held,), (), stmt.where)
        if stmt.accumulate:
            return Assign(held.name, "add", (held, stmt.value), (), stmt.where)
        return Assign(held.name, "copy", (stmt.value,), (), stmt.where)

    # -- what may move ------------------------------------------------------------------

    def loses(self, p: _Place) -> bool:
        """Tell whether a store before a loop that does not run may overwrite a value.

        Not in an array that was made empty for this one store, which each
        iteration of the loops around makes at a place of its own.
        """
        if not _writes_once(p):
            return False
        made = self.uses.definition.get(p.array)
        is_only = isinstance(made, Assign) and made.op == "empty" and self.uses.stores[p.array] == 1
        return not (is_only and all(Var(name) in p.index for name in self.around_here))

    def places(self, loop: For, limits) -> list[_Place]:
        """Return the elements that the loop touches, whatever the iteration, and that may move."""
        changing = {defined(s) for s in walk((loop,))}
        whole = {a.name for s in walk(loop.body) if not isinstance(s, Assign) or s.op != "size"
                 for a in _reads(s) if isinstance(a, Var)}
        whole |= {s.target for s in walk(loop.body) if isinstance(s, Assign | Load)}
        if not any(isinstance(s, Store) for s in walk(loop.body)):
            return []
        touched: dict[str, list] = defaultdict(list)
        for s in walk(loop.body):
            if isinstance(s, Load | Store):
                touched[s.array].append(s)
        found = []
        for array, accesses in touched.items():
            if array not in whole and is_float(self.program.type_of(array)):
                found += self.places_of(array, accesses, changing, loop, limits)
        return found

    def places_of(self, array: str, accesses, changing, loop: For, limits) -> list[_Place]:
        def fixed(index) -> bool:
            return all(isinstance(a, Const) or isinstance(a, Var) and a.name not in changing
                       and not self.builder.type_of(a).ndim for a in index)

        top = set() if any(isinstance(s, Raise) for s in walk(loop.body)) else {id(s) for s in loop.body}
        by_index: dict[tuple, list] = defaultdict(list)
        for s in accesses:
            by_index[s.index].append(s)
        sums = all(map(is_sum, accesses))
        places = [_Place(array, index, tuple(mine), any(id(s) in top for s in mine), not alone)
                  for index, mine in by_index.items() if fixed(index)
                  and ((alone := self.apart(index, by_index, loop, limits)) or sums)]
        return [p for p in places if self.may_hold(p, changing)]

    def apart(self, index, others, loop: For, limits) -> bool:
        """Tell whether no iteration touches an element at another index that may be this one."""
        if len(others) == 1 or not any(isinstance(s, Store) for mine in others.values() for s in mine):
            return True
        integers, place = self.integers, self.integers.here()
        integers.enter_loop(loop, limits)
        found = all(other == index or self.differ(index, other) for other in others)
        integers.back(place)
        return found

    def may_hold(self, place: _Place, changing) -> bool:
        """Tell whether the values stored have the type of the array, and a single store a value that may move."""
        type_ = Scalar(self.program.types[place.array].dtype)
        if not place.stores:
            return len(place.accesses) == 1 and self.uses.single(place.accesses[0].target)
        if any(self.builder.type_of(s.value) != type_ for s in place.stores):
            return False
        value = place.accesses[0].value if _writes_once(place) else None
        return value is None or isinstance(value, Const) or value.name not in changing


def _writes_once(place: _Place) -> bool:
    """Tell whether all that happens to a place is one store that nothing reads."""
    return len(place.accesses) == 1 and isinstance(place.accesses[0], Store) and not place.accesses[0].accumulate


def _reads(stmt):
    """Return the atoms that a statement reads as wholes: the array of a load is not."""
    match stmt:
        case Load(index=index):
            return map_index(index, lambda a: a)
    return atoms_of(stmt)


def _replaced(body, new: dict[int, tuple]) -> tuple:
    """Return a block, at any depth, with statements replaced by what `new` has for their identities."""
    out: list = []
    for stmt in body:
        if id(stmt) in new:
            out += new[id(stmt)]
        else:
            out.append(with_blocks(stmt, [_replaced(b, new) for b in blocks_of(stmt)]) if blocks_of(stmt) else stmt)
    return tuple(out)
