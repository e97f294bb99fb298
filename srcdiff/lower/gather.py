"""Let a loop gather what it scattered to neighbouring elements of an array.

>>> from srcdiff.notation import in_any_order, read, show
>>> print(show(gather(in_any_order(read('''
... def f(a: "float64[:]", n: "weak int64"):
...     b = zeros(n, dtype="float64")
...     for i in range(1, n, 1):
...         t = a[i]
...         p = subtract(i, 1)
...         b[p] += t
...         b[i] += t
...     return b
... ''')))), end="")
def f(a: "float64[:]", n: "weak int64"):
    b = zeros(n, dtype='float64')
    long = greater_equal(n, 2)
    if long:
        t_2 = a[1]
        b[0] += t_2
        p_2 = subtract(n, 1)
        t_3 = a[p_2]
        b[p_2] += t_3
        for i_2 in range(1, p_2, 1):
            p_3 = add(i_2, 1)
            t_4 = a[p_3]
            t_5 = a[i_2]
            total = add(t_4, t_5)
            b[i_2] += total
    return b

A sum into an element that the iteration before has stored must wait for it,
one element at a time.  Where each element collects its terms, the loop stores
it once, and several of them in one instruction.  The first and last elements
lack some of the terms, and are written before the loop.  A loop around others
that scatters to neighbouring rows gathers rows in the same way: each is changed
once, instead of once for each neighbour.  What the loop does besides stays in
the loop, and may gather along the rows in its turn.

Where that is all that has happened to an array of zeros, and the loop reaches every
element, each is stored once: the array need not be zero before (`fresh`).
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace

from srcdiff.builder import Builder
from srcdiff.lower.effects import Sum, follow
from srcdiff.lower.extents import Extents, definitions
from srcdiff.lower.forms import ZERO, constant, plus
from srcdiff.lower.scatter import Group, Scatter, rows_of, scatter_of
from srcdiff.lower.views import add, subtract
from srcdiff.optimize.dead import dead
from srcdiff.syntax import (
    Assign,
    Atom,
    Const,
    For,
    Program,
    Store,
    Var,
    atoms_of,
    blocks_of,
    map_atoms,
    mentions,
    rename,
    walk,
    with_blocks,
)

__all__ = ["gather"]


def gather(program: Program, among: frozenset[str] | None = None) -> Program:
    """Return `program` with the loops that scatter to neighbouring elements or rows made to gather; of these variables only."""
    return _Gatherer(program, among).run()


def _ends(loop: For) -> tuple[Sum, Sum]:
    """Return the first index of a loop in ascending order, and the one after its last."""
    if loop.step == Const(1):
        return Sum(loop.start, 0), Sum(loop.stop, 0)
    return Sum(loop.stop, 1), Sum(loop.start, 1)


class _Gatherer:
    def __init__(self, program: Program, among: frozenset[str] | None):
        self.program, self.builder, self.among = program, Builder(program.types), among
        self.forms = None
        self.numbers: dict[Sum, Atom] = {}
        self.neighbours: dict[str, Sum] = {}    # numbers that are another one and a constant
        self.variables: dict[str, Var] = {}     # of the loops that are open inside a loop of rows

    def run(self) -> Program:
        body = self.block(self.program.body)
        if self.forms is None or body == self.program.body:
            return self.program
        return dead(self.program.with_body(body, types=self.builder.types))

    def block(self, body) -> tuple:
        out: list = []
        for stmt in body:
            out += self.statement(stmt, out)
        return tuple(out)

    def statement(self, stmt, before: list) -> tuple:
        """Return what takes the place of a statement; `before` is what stands before it in its block."""
        if isinstance(stmt, For):
            if (found := self.scatter(stmt)) is not None:
                return self.gathered(found, found.loop, self.fresh(found, before))
            if (nest := rows_of(stmt)) is not None and (found := self.scatter(*nest)) is not None:
                return self.gathered(found, stmt, {})
        return (with_blocks(stmt, [self.block(b) for b in blocks_of(stmt)]) if blocks_of(stmt) else stmt,)

    def scatter(self, loop: For, inner=()) -> Scatter | None:
        if sum(isinstance(s, Store) and s.accumulate for s in loop.body) < 2 or not (self.among is None or loop.var in self.among):
            return None
        if self.forms is None:                          # few programs have such loops
            self.forms, self.mentions = Extents(self.program), mentions(self.program.body)
            self.program = replace(self.program, types=self.builder.types)
            once = {name for name, count in definitions(self.program).items() if count == 1}
            for stmt in walk(self.program.body):
                if isinstance(stmt, Assign) and {stmt.target, *(a.name for a in stmt.args if isinstance(a, Var))} <= once:
                    follow(stmt, self.neighbours)
        found = scatter_of(loop, self.program, self.forms, self.mentions,
                           lambda name: self.builder.fresh(name, self.builder.types[name]), inner)
        return found if found is not None and found.groups else None

    def fresh(self, found: Scatter, before: list) -> dict[str, Assign]:
        """Return the arrays of zeros that a loop is the first to change, and all of whose elements it reaches.

        They are made empty: the statement that made them zero is taken out of `before`.
        """
        arrays = {}
        for group in found.groups:
            at = next((k for k in reversed(range(len(before))) if group.array in before[k].changes
                       or group.array in {a.name for s in walk((before[k],)) for a in atoms_of(s) if isinstance(a, Var)}), None)
            made = None if at is None else before[at]
            if isinstance(made, Assign) and made.op == "zeros" and self.covers(found, group):
                arrays[group.array] = made
                before[at] = replace(made, op="empty")
        return arrays

    def covers(self, found: Scatter, group: Group) -> bool:
        """Tell whether the sums of a group are all that the loop does to its array, and go to every element."""
        stores = [s for s in found.loop.body if isinstance(s, Store) and s.array == group.array]
        (first, *_, last), (low, high) = group.distances, _ends(found.loop)
        ends = [self.forms.scalar(end.atom) for end in (low, high)]
        if group.index != (None,) or len(stores) != len(group.terms) or None in ends:
            return False
        length = self.forms.of(group.array)[0]
        return plus(ends[0], constant(low.more + first)) == ZERO and length is not None \
            and plus(ends[1], constant(high.more + last)) == length

    def gathered(self, found: Scatter, loop: For, fresh: dict[str, Assign]) -> tuple:
        """Return the statements that take the place of a loop: it remains for few iterations."""
        b, (low, high) = self.builder, map(self.followed, _ends(found.loop))
        self.numbers, self.empty = {}, set(fresh)
        width = max(g.width for g in found.groups)
        with b.nested() as out, b.at(found.loop.where):
            if isinstance(low.atom, Const) and isinstance(high.atom, Var):
                count, least = high.atom, width + low.atom.value + low.more - high.more
            else:
                count, least = subtract(b, self.number(high), self.number(low)), width
            long = b.op("greater_equal", count, Const(least), stem="long")
            with b.nested() as then:
                for group in found.groups:
                    self.edges(found, group, low, high)
                    self.inside(found, group, low, high)
                self.rest(found)
            few = (loop,) if width > 1 else ()              # else there is none
            b.branch(long, then, (*(zero for made in fresh.values() for zero in self.zeros(made)), *few))
        return tuple(out)

    def zeros(self, made: Assign) -> list:
        """Return the loop that makes an array zero which was made empty."""
        with self.builder.nested() as block, self.builder.at(made.where), \
                self.builder.loop(Const(0), made.args[0]) as k:
            self.builder.store(made.target, (k,), Const(0.0))
        return block

    def edges(self, found: Scatter, group: Group, low: Sum, high: Sum) -> None:
        """Write the sums of the first and last iterations into elements that lack terms."""
        first, last = group.distances[0], group.distances[-1]
        self.written: set[Sum] = set()
        for number in range(group.width):
            self.sums(found, group, low.plus(number), [(d, s) for d, s in group.terms if d + number < last])
            self.sums(found, group, high.plus(-1 - number), [(d, s) for d, s in group.terms if d - number > first])

    def sums(self, found: Scatter, group: Group, at: Sum, terms) -> None:
        """Write some of the sums of one iteration."""
        if not terms:
            return
        with self.inside_of(found, at):
            values = self.values(found, terms, at)
            for (distance, store), value in zip(terms, values, strict=True):
                with self.builder.at(store.where):
                    place = at.plus(distance)
                    adds = group.array not in self.empty or place in self.written
                    self.builder.store(group.array, self.index(group, place), value, accumulate=adds)
                    self.written.add(place)

    def inside(self, found: Scatter, group: Group, low: Sum, high: Sum) -> None:
        """Write the loop over the elements that get all of their terms."""
        b, first, last = self.builder, group.distances[0], group.distances[-1]
        start, stop = self.number(low.plus(last)), self.number(high.plus(first))
        with b.loop(start, stop, stem=found.loop.var) as k, \
                self.inside_of(found, *(Sum(k, -distance) for distance in group.distances)), b.at(group.terms[0][1].where):
            total = None
            for distance in group.distances:
                terms = [t for t in group.terms if t[0] == distance]
                for value in self.values(found, terms, Sum(k, -distance)):
                    total = value if total is None else b.op("add", total, value, stem="total")
            b.store(group.array, self.index(group, Sum(k, 0)), total, accumulate=group.array not in self.empty)

    def rest(self, found: Scatter) -> None:
        """Write the loop without what is gathered."""
        gathered = {id(s) for g in found.groups for _, s in g.terms}
        body = tuple(s for s in found.loop.body if id(s) not in gathered)
        if any(isinstance(s, Store) for s in body):
            for count, loop in reversed(found.inner):
                body = (*body[:count], replace(loop, body=body[count:]))
            old = (found.loop.var, *(loop.var for _, loop in found.inner), *found.sources)
            loop, = rename((replace(found.loop, body=body),), {name: self.builder.fresh(name, self.builder.types[name]) for name in old})
            self.mentions.update(mentions((loop,)))
            self.builder.append(*self.statement(loop, []))

    # -- one iteration and its numbers ----------------------------------------------------------------

    @contextmanager
    def inside_of(self, found: Scatter, *iterations: Sum):
        """Open the loops inside a loop of rows; what these iterations have in common is computed before them."""
        if not found.inner:
            yield
            return
        for number in found.integers.values():
            if found.is_affine(number):
                for at in iterations:
                    self.number(at.plus(number.more))
        before, self.variables = dict(self.numbers), {}
        with ExitStack() as opened:
            for _, loop in found.inner:
                opened.enter_context(self.builder.at(loop.where))
                self.variables[loop.var] = opened.enter_context(
                    self.builder.loop(loop.start, loop.stop, loop.step, stem=loop.var))
            yield
        self.numbers, self.variables = before, {}

    def values(self, found: Scatter, terms, at: Sum) -> list[Atom]:
        """Write the values of some sums as the iteration `at` computes them."""
        b, new = self.builder, dict(self.variables)

        def here(atom: Atom) -> Atom:
            if not isinstance(atom, Var):
                return atom
            number = found.integers.get(atom.name, Sum(atom, 0))
            if found.is_affine(number):
                return self.number(at.plus(number.more))
            return self.number(self.renamed(number)) if number.more else new.get(atom.name, atom)

        for stmt in found.values(s.value for _, s in terms):
            stmt = map_atoms(stmt, here)
            new[stmt.target] = Var(b.fresh(stmt.target, b.types[stmt.target]))
            b.append(replace(stmt, target=new[stmt.target].name))
        return [here(s.value) for _, s in terms]

    def followed(self, at: Sum) -> Sum:
        """Return a number as what its own number is made of, and a constant."""
        return self.neighbours[at.atom.name].plus(at.more) if isinstance(at.atom, Var) and at.atom.name in self.neighbours else at

    def number(self, at: Sum) -> Atom:
        if at not in self.numbers:
            self.numbers[at] = add(self.builder, at.atom, Const(at.more))
        return self.numbers[at]

    def renamed(self, number: Sum) -> Sum:
        """Return a number with the variables of the loops that have been opened."""
        return Sum(self.variables.get(number.atom.name, number.atom) if isinstance(number.atom, Var) else number.atom, number.more)

    def index(self, group: Group, at: Sum) -> tuple[Atom, ...]:
        return tuple(self.number(at if i is None else self.renamed(i)) for i in group.index)
