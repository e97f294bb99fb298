"""Put what a loop adds to neighbouring elements into a loop of its own, where the rest of the loop keeps it from gathering.

>>> from srcdiff.notation import in_any_order, read, show
>>> print(show(taken_aside(in_any_order(read('''
... def f(a: "float64[:]", n: "weak int64"):
...     b = copy(a)
...     c = zeros(n, dtype='float64')
...     stop = subtract(n, 1)
...     for i in range(1, stop, 1):
...         t = b[i]
...         b[i] = 0.0
...         u = divide(t, 3.0)
...         b[0] += u
...         p = add(i, 1)
...         q = subtract(i, 1)
...         v = negative(u)
...         c[p] += v
...         c[i] += u
...         c[q] += v
...     return b, c
... ''')))), end="")
def f(a: "float64[:]", n: "weak int64"):
    b = copy(a)
    c = zeros(n, dtype='float64')
    stop = subtract(n, 1)
    n_2 = maximum(stop, 0)
    u_row = empty(n_2, dtype='float64')
    for i in range(1, stop, 1):
        t = b[i]
        b[i] = 0.0
        u = divide(t, 3.0)
        b[0] += u
        u_row[i] = u
    for i_part in range(1, stop, 1):
        p = add(i_part, 1)
        q = subtract(i_part, 1)
        u_2 = u_row[i_part]
        v_2 = negative(u_2)
        c[p] += v_2
        c[i_part] += u_2
        c[q] += v_2
    return b, c

The adjoint of a sweep of Thomas' algorithm divides, hands the quotient on to the row before, and adds it to three
elements of a row of the right-hand side.  These wait for each other's stores, and the division with them.  Apart,
both loops run as vectors: the first one keeps the quotients in a row, the second one gathers them.

It comes after nests have been turned, because before that it may be the loops around that had better be inside.
A sum may be put aside as it may leave a recurrence (`srcdiff.lower.recurrences`).  What is cheap to compute of
one number that is kept is computed of it again, not kept, too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from srcdiff.lower.commuting import is_sum
from srcdiff.lower.distribute import Division, Pair, Part, computed_again
from srcdiff.lower.effects import Sum, follow, followed
from srcdiff.lower.extents import Extents
from srcdiff.lower.forwards import Forwards
from srcdiff.lower.gains import SLOW, reads_of
from srcdiff.lower.gather import gather
from srcdiff.lower.halved import Halving, is_long
from srcdiff.lower.recurrences import LEAST_SUMS
from srcdiff.lower.scatter import scatter_of
from srcdiff.syntax import Assign, Atom, Const, For, Load, Program, Store, Var, map_atoms, mentions, walk

__all__ = ["aside", "taken_aside"]

MOST_COPIES = 8                         # numbers that are computed again


def aside(program: Program) -> Program:
    """Return `program` with sums into neighbouring elements in loops of their own, which gather."""
    if not _may_gain(program):
        return program
    writer = _Aside(program)
    divided = writer.run()
    return gather(divided, frozenset(writer.made)) if writer.made else program


def taken_aside(program: Program) -> Program:
    """Return `program` with these loops, before they gather."""
    return _Aside(program).run() if _may_gain(program) else program


def _may_gain(program: Program) -> bool:
    return any(isinstance(s, For) and is_long(s) and len(_neighbours(s)) >= LEAST_SUMS for s in walk(program.body))


def _neighbours(loop: For) -> list[int]:
    """Return the positions of the sums that go to different elements of an array along a loop."""
    integers: dict[str, Sum] = {}
    rows = defaultdict(dict)
    for p, s in enumerate(loop.body):
        if isinstance(s, Assign):
            follow(s, integers)
        elif isinstance(s, Store) and is_sum(s):
            at = followed(s.index, integers)
            if Var(loop.var) in (i.atom for i in at):
                rows[s.array, tuple(None if i.atom == Var(loop.var) else i for i in at)][p] = at
    return sorted(p for places in rows.values() if len(set(places.values())) > 1 for p in places)


class _Aside(Halving, Forwards):
    def __init__(self, program: Program):
        super().__init__(program)
        self.forms = Extents(program)
        self.made: list[str] = []                       # the variables of the loops that were divided

    def halves(self, loop: For) -> Division | None:
        """Return how to divide a loop into the sums to neighbouring elements and the rest; None for too few sums."""
        sums = _neighbours(loop)
        if len(sums) < LEAST_SUMS or self.is_for_few(loop) or (own := self.own_numbers(loop)) is None:
            return None
        again = computed_again(loop)
        rest = [p for p, s in enumerate(loop.body) if s not in again and p not in sums]
        with self.another(loop, own) as (copy, names):
            pair = Pair(loop, copy, names)
            if not all(self.may_follow(pair, p, rest) for p in sums):
                return None
        ending = self.ending(loop, sums, again)
        new = replace(loop, body=(*(s for p, s in enumerate(loop.body) if p not in sums), *ending))
        start = len(new.body) - len(ending)
        first = tuple(p for p, s in enumerate(new.body[:start]) if s not in again)
        division = Division(new, again, (Part(first, False), Part(tuple(range(start, len(new.body))), False)))
        if not self.may_keep(division):
            return None
        self.mentions.subtract(mentions((loop,)))
        self.mentions.update(mentions((new,)))
        return division

    def is_for_few(self, loop: For) -> bool:
        """Tell whether a loop could gather as it is: it is what has been left of such a one for few iterations."""
        found = scatter_of(loop, self.program, self.forms, self.mentions)
        return found is not None and bool(found.groups)

    def ending(self, loop: For, sums: list[int], again: tuple[Assign | Load, ...]) -> list[Assign | Store]:
        """Return some of the sums of a loop, and in front of them what is computed again for them of one number each."""
        made = _made_of_one(loop, {s.target for s in again})
        out: list[Assign | Store] = []
        copies: dict[str, str] = {}

        def here(atom: Atom) -> Atom:
            if isinstance(atom, Const) or atom.name not in made:
                return atom
            if atom.name not in copies:
                stmt = map_atoms(made[atom.name], here)
                copies[atom.name] = self.builder.fresh(atom.name, self.builder.types[atom.name])
                out.append(replace(stmt, target=copies[atom.name]))
            return Var(copies[atom.name])

        for p in sums:
            out.append(replace(loop.body[p], value=here(loop.body[p].value)))
        return out if len(copies) <= MOST_COPIES else [loop.body[p] for p in sums]

    def part(self, loop: For) -> None:
        self.made.append(loop.var)
        self.entered(self.ascending(loop) if self.may_ascend(loop, self.local) else loop)


def _made_of_one(loop: For, fixed: set[str]) -> dict[str, Assign]:
    """Return how the numbers are made that are cheap to compute of one other number of an iteration, and of `fixed` ones."""
    changes = Counter(s.target for s in loop.body if isinstance(s, Assign | Load))
    late = set(loop.changes) - fixed
    made: dict[str, Assign] = {}
    roots: dict[str, frozenset[str]] = {}
    for s in loop.body:
        if isinstance(s, Assign) and s.op not in SLOW and changes[s.target] == 1:
            own = late & reads_of((s,))
            of = frozenset().union(*(roots.get(n, {n}) for n in own))
            if len(of) == 1 and all(changes[n] == 1 for n in (*own, *of)):
                made[s.target], roots[s.target] = s, of
    return made
