"""Run nests of loops over complete axes that follow each other as one loop.

>>> from srcdiff.notation import read, show
>>> print(show(ravel(read('''
... def f(x: "float64[:,:,:]"):
...     n = size(x, axis=0)
...     m = size(x, axis=1)
...     c = size(x, axis=2)
...     last = subtract(m, 1)
...     z = zeros(n, last, c, dtype='float64')
...     for i in range(0, n, 1):
...         for j in range(0, last, 1):
...             p = add(j, 1)
...             for k in range(0, c, 1):
...                 t = x[i, p, k]
...                 u = x[i, j, k]
...                 v = subtract(t, u)
...                 z[i, j, k] = v
...     return z
... '''))), end="")
def f(x: "float64[:,:,:]"):
    n = size(x, axis=0)
    m = size(x, axis=1)
    c = size(x, axis=2)
    last = subtract(m, 1)
    z = zeros(n, last, c, dtype='float64')
    p_4 = multiply(m, c)
    x_rows = view(x, n, p_4)
    p_5 = multiply(last, c)
    z_rows = view(z, n, p_5)
    for i in range(0, n, 1):
        p_2 = multiply(last, c)
        for jk in range(0, p_2, 1):
            p_3 = add(jk, c)
            t = x_rows[i, p_3]
            u = x_rows[i, jk]
            v = subtract(t, u)
            z_rows[i, jk] = v
    return z

Where the last axis is short, such as three channels or coordinates, the innermost loop neither vectorises nor
pays for its own beginning.  Elements that follow each other in memory are one axis, of which the outermost loop
may run through a part, and which it may look at from a distance.

The iterations and their order are the same, so nothing has to be known but that the inner axes are complete, and
that the elements lie where C order has them: in parameters, and in arrays that the program makes.  A view and its
array are the same memory (`view` alone of all operations gives none of its own), so this pass is the last one,
and what it returns is for the printer: no transform and no other pass takes it.
"""

from __future__ import annotations

import functools
import keyword
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from srcdiff.analysis.forms import Extent
from srcdiff.analysis.inequalities import at_most
from srcdiff.lower.distribute import needed
from srcdiff.lower.effects import Sum, follow, followed
from srcdiff.lower.extents import definitions
from srcdiff.lower.names import apart
from srcdiff.lower.placed_views import MADE, PlacedViews
from srcdiff.lower.views import multiply
from srcdiff.lower.walked import Walked
from srcdiff.optimize.dead import used_types
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
    While,
    atoms_of,
    blocks_of,
    defined,
    mentions,
    rename,
    walk,
    with_blocks,
)

__all__ = ["of_any_layout", "ravel"]

def ravel(program: Program) -> Program:
    """Return `program` with one loop in place of each nest over complete axes that follow each other."""
    if not any(isinstance(s, For) and any(isinstance(t, For) for t in s.body) for s in walk(program.body)):
        return program
    program_apart, old = apart(program)
    writer = _Raveller(program_apart, old)
    writer.block(program_apart.body)
    if not writer.views:
        return program
    body = writer.builder.take()
    placing = PlacedViews(program_apart, writer.builder, writer.once, writer.views, body)
    body = rename(placing.block(body, {p.name for p in program.params}), {**placing.new, **writer.old})
    program = program.with_body(body, types=writer.builder.types)
    return replace(program, types=used_types(program, body))


def of_any_layout(program: Program, made: Iterable[str] = ()) -> Program:
    """Return `program` with views of its parameters that copy those which are not in C order.

    For a text that users run by themselves: callers in this package hand over arrays in C order, and so
    do those who make the arrays in `made`, which the program may write.
    """
    params = {p.name for p in program.params} - set(made)

    def block(body) -> tuple[Stmt, ...]:
        return tuple(replace(s, static=(("any_layout", True),)) if isinstance(s, Assign) and s.op == "view"
                     and s.args[0].name in params else
                     with_blocks(s, [block(b) for b in blocks_of(s)]) if blocks_of(s) else s for s in body)
    return program.with_body(block(program.body))


@dataclass(frozen=True)
class _Nest:
    """Loops that contain nothing but each other and neighbours of their variables, around a body.

    `sums` are the variables that are another one and a constant, `own` those of them that go with the loops.
    """

    loops: tuple[For, ...]
    between: tuple[Assign, ...]
    sums: dict[str, Sum]

    @property
    def body(self) -> tuple[Stmt, ...]:
        return self.loops[-1].body

    @property
    def own(self) -> set[str]:
        loops = {loop.var for loop in self.loops}
        return loops | {name for name, at in self.sums.items() if at.atom.name in loops}

    def accesses(self) -> Iterator[Load | Store]:
        return (s for s in walk(self.body) if isinstance(s, Load | Store))

    def at(self, access: Load | Store) -> tuple[Sum, ...]:
        return followed(access.index, self.sums)

    def behind(self, access: Load | Store) -> int:
        """Return how many items of an index stand behind the last that a loop moves."""
        variables = {Var(loop.var) for loop in self.loops}
        return next((k for k, item in enumerate(reversed(self.at(access))) if item.atom in variables), 0)

    def first(self, access: Load | Store) -> Sum:
        """Return the item of an index that the outermost loop moves."""
        return self.at(access)[-len(self.loops) - self.behind(access)]

    def goes_with(self, access: Load | Store) -> bool:
        """Tell whether the loops move the element that an access is to."""
        return any(isinstance(a, Var) and a.name in self.own for a in access.index)


def _nest_of(loop: For, once) -> _Nest | None:
    """Return the nest that begins with a loop, if there is one; `once` are the variables set at one place."""
    loops, between, sums = [loop], [], {}
    while loops[-1].body and isinstance(loops[-1].body[-1], For):
        *before, inner = loops[-1].body
        between += before
        loops.append(inner)
    for s in (*between, *walk(loops[-1].body)):
        if isinstance(s, Assign) and s.target in once:
            follow(s, sums)
    if len(loops) == 1 or any(getattr(s, "target", None) not in sums for s in between) \
            or any(isinstance(s, For | While) for s in walk(loops[-1].body)):
        return None
    return _Nest(tuple(loops), tuple(between), sums)


def _may_part(nests: list[_Nest]) -> bool:
    """Tell whether nests may run one after the other where each iteration ran through all of them, and gain by it.

    An array that one of them changes and another one uses is at one place of their outermost axes in each iteration.
    And it pays where loops around them move all of the arrays: what one of them has read is then still near.
    """
    if any(nest.goes_with(s) and len(s.index) == len(nest.loops) for nest in nests for s in nest.accesses()) \
            or any(isinstance(s, Raise) for nest in nests for s in walk(nest.body)):
        return False
    changed = [{defined(s) for s in walk(nest.body)} for nest in nests]
    for k, nest in enumerate(nests):
        for other, theirs in zip(nests[k + 1:], changed[k + 1:], strict=True):
            for name in (changed[k] & _used(other)) | (theirs & _used(nest)):
                if len({_distance(s, n) for n in (nest, other) for s in n.accesses() if s.array == name}) != 1:
                    return False
    return True


def _used(nest: _Nest) -> set[str]:
    return {name for s in walk(nest.body) for name in (defined(s), *(a.name for a in atoms_of(s) if isinstance(a, Var)))}


def _distance(access: Load | Store, nest: _Nest) -> object:
    """Return at which distance from the outermost loop an access is; something of its own if that loop does not move it."""
    return nest.first(access).more if nest.goes_with(access) else access


class _Raveller(Walked):
    """Writes the program; `views` are the names of the views by array, number of axes that are one, and how many stand behind."""

    def __init__(self, program: Program, old: Mapping[str, str]):
        super().__init__(program)
        self.old = dict(old)                          # names that loop variables share
        counts = definitions(program)
        self.once = {name for name, count in counts.items() if count == 1}
        self.mentions = mentions(program.body)
        self.owned: set[str] = {p.name for p in program.params if isinstance(p.type, Array)}
        self.within: list[set[str]] = [set(self.owned)]     # the arrays of each open block, whose elements lie in C order
        self.views: dict[tuple[str, int, int], str] = {}

    # -- the walk -----------------------------------------------------------------------

    def simple(self, stmt) -> None:
        super().simple(stmt)
        match stmt:
            case Assign(target=name, op=op) if op in MADE and self.program.types[name].ndim:
                self.own(name)
            case Assign(target=name, op="copy", args=(Var(name=source),)) if stmt.keywords.get("move") and source in self.owned:
                self.own(name)

    def own(self, name: str) -> None:
        if name in self.once:
            self.owned.add(name)
            self.within[-1].add(name)

    def inside(self, body) -> tuple:
        self.within.append(set())
        found = super().inside(body)
        self.within.pop()
        return found

    def loop(self, stmt: For) -> None:
        nests = [_nest_of(part, self.once) for part in self.parts(stmt)]
        if None not in nests and all(map(self.fits, nests)) and (len(nests) == 1 or _may_part(nests)):
            for nest in nests:
                self.merged(nest)
            self.integers.meet(stmt.body)
        else:
            self.entered(stmt)

    def parts(self, loop: For) -> list[For]:
        """Return a loop for each loop in a loop, if there is nothing else in it; else the loop as it is."""
        inner = [s for s in loop.body if isinstance(s, For)]
        others = [s for s in loop.body if isinstance(s, Assign)]
        if len(inner) < 2 or len(inner) + len(others) < len(loop.body):
            return [loop]
        found = []
        for one in inner:
            before = needed(others, (one,))
            names = {name: self.builder.fresh(name, self.builder.types[name]) for name in (loop.var, *(s.target for s in before))}
            self.old[names[loop.var]] = self.old.get(loop.var, loop.var)
            part, = rename((replace(loop, body=(*before, one)),), names)
            self.once.update(names.values())
            self.mentions.update(mentions((part,)))
            self.mentions.subtract(mentions((one,)))
            found.append(part)
        return found

    # -- which nests are one loop ---------------------------------------------------------

    def fits(self, nest: _Nest) -> bool:
        """Tell whether the loops of a nest run through elements that follow each other, in all arrays that they move in."""
        outer, *inner = nest.loops
        if any(loop.step != Const(1) for loop in nest.loops) or any(loop.start != Const(0) for loop in inner):
            return False
        if not self.is_for_indices(nest) or any(loop.stop.name in nest.own for loop in inner if isinstance(loop.stop, Var)):
            return False
        moving = [s for s in nest.accesses() if nest.goes_with(s)]
        still = {s.array for s in nest.accesses() if not nest.goes_with(s)}
        changed = {s.array for s in nest.accesses() if isinstance(s, Store)}
        return bool(moving) and not still & changed and all(self.follows(s, nest) for s in moving)

    def is_for_indices(self, nest: _Nest) -> bool:
        """Tell whether the numbers that go with the loops are used in indices only, and nowhere else in the program."""
        own = nest.own
        for s in walk(nest.body):
            read = [s.value] if isinstance(s, Store) else [] if isinstance(s, Load) or defined(s) in own else atoms_of(s)
            if any(isinstance(a, Var) and a.name in own for a in read):
                return False
        here = mentions(nest.loops[:1])
        return all(here[name] == self.mentions[name] for name in own)

    def follows(self, access: Load | Store, nest: _Nest) -> bool:
        """Tell whether items of an index that follow each other are the variables of the loops, and their inner axes complete."""
        array, count = access.array, len(nest.loops)
        at = nest.at(access)[:len(access.index) - nest.behind(access)]
        if len(at) < count or not any(array in arrays for arrays in self.within):
            return False
        *still, first = at[:1 - count]
        variables = [loop.var for loop in nest.loops]
        if first.atom != Var(variables[0]) or at[1 - count:] != tuple(Sum(Var(v), 0) for v in variables[1:]) \
                or any(isinstance(i.atom, Var) and i.atom.name in variables for i in still):
            return False
        return all(self.is_complete(loop, array, axis + len(at))
                   for axis, loop in enumerate(nest.loops[1:], 1 - count))

    def is_complete(self, loop: For, array: str, axis: int) -> bool:
        """Tell whether a loop that starts at 0 runs through all of an axis."""
        integers, prove = self.integers, self.integers.facts.prove
        stop, extent = integers.value(loop.stop), integers.extents(array)[axis]
        return _equal(stop, extent) or (
            prove(at_most(integers, stop, extent)) and prove(at_most(integers, extent, stop)))

    # -- one loop -----------------------------------------------------------------------------

    def merged(self, nest: _Nest) -> None:
        """Write the loop that takes the place of a nest."""
        b, (outer, *inner) = self.builder, nest.loops
        b.append(*(s for s in nest.between if s.target not in nest.own))
        with b.at(outer.where):
            widths = [loop.stop for loop in inner]
            start, stop = (self.product(end, *widths) for end in (outer.start, outer.stop))
            with b.nested() as body:
                name = self.name(nest)
                b.append(*self.moved(nest.body, nest, self.places(nest, Var(name))))
            b.append(replace(outer, var=name, start=start, stop=stop, body=tuple(body)))

    def name(self, nest: _Nest) -> str:
        """Return what the one loop's variable is called: `ij` in place of `i` and `j`."""
        names = [self.old.get(loop.var, loop.var) for loop in nest.loops]
        joined = "".join(names)
        if len(joined) > len(names) or keyword.iskeyword(joined):
            return nest.loops[0].var
        return self.builder.fresh(joined, self.builder.types[names[0]])

    def product(self, *factors: Atom) -> Atom:
        return functools.reduce(functools.partial(multiply, self.builder), factors)

    def places(self, nest: _Nest, var: Var) -> dict[int, Atom]:
        """Write the positions in the one axis, by their distance in the outermost of the axes."""
        b, found = self.builder, {0: var}
        for more in dict.fromkeys(nest.first(s).more for s in nest.accesses() if nest.goes_with(s)):
            if more:
                distance = self.product(Const(abs(more)), *(loop.stop for loop in nest.loops[1:]))
                found[more] = b.op("add" if more > 0 else "subtract", var, distance, stem="p")
        return found

    def moved(self, body, nest: _Nest, places) -> list[Stmt]:
        """Return the body with its elements looked up in views."""
        out: list[Stmt] = []
        for s in body:
            if isinstance(s, If):
                s = with_blocks(s, [tuple(self.moved(block, nest, places)) for block in blocks_of(s)])
            elif isinstance(s, Load | Store) and nest.goes_with(s):
                count, behind = len(nest.loops), nest.behind(s)
                end = len(s.index) - behind
                s = replace(s, array=self.view(s.array, count, behind),
                            index=(*s.index[:end - count], places[nest.first(s).more], *s.index[end:]))
            if defined(s) not in nest.own:
                out.append(s)
        return out

    def view(self, array: str, count: int, behind: int) -> str:
        """Return the name of the view of an array in which so many axes in front of the last `behind` are one."""
        key = array, count, behind
        if key not in self.views:
            type_ = self.program.types[array]
            stem = "flat" if type_.ndim == count else "rows"
            self.views[key] = self.builder.fresh(f"{array}_{stem}", Array(type_.dtype, type_.ndim - count + 1))
        return self.views[key]


def _equal(a: Extent | None, b: Extent | None) -> bool:
    return a is not None and a == b
