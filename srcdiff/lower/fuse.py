"""Join neighbouring loops over the same range.

>>> from srcdiff.notation import read, show
>>> print(show(fuse(read('''
... def f(x: "float64[:]", n: "weak int64", t: "float64[:]"):
...     t2 = empty(n, dtype="float64")
...     for i in range(0, n, 1):
...         a = x[i]
...         t2[i] = a
...     s = 0.0
...     for j in range(0, n, 1):
...         b = t2[j]
...         s = add(s, b)
...     return s
... '''))), end="")
def f(x: "float64[:]", n: "weak int64", t: "float64[:]"):
    t2 = empty(n, dtype='float64')
    s = 0.0
    for i in range(0, n, 1):
        a = x[i]
        t2[i] = a
        b = t2[i]
        s = add(s, b)
    return s

Two loops may be joined where each iteration of the second needs at most what
the same iteration of the first has done: every array that one of them changes
and the other uses is indexed, in one of its axes, by the loop variable in all
of these places, or this variable and a constant.  Where loops around loops run
over rows, the second may also use rows that earlier iterations of the first have
done, and change those that later ones do not use.  An array that both only add to
may be anything: sums change places.  But an innermost loop with sums into
neighbouring elements is made only where `gather` can turn it around.  What
stands between two loops moves in front of the first, or stays behind; the
second never moves in front of a check.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from srcdiff.lower.effects import Effects, Order, effects_of
from srcdiff.lower.extents import Extents, definitions
from srcdiff.lower.scatter import scatter_of
from srcdiff.syntax import (
    Const,
    For,
    Program,
    Var,
    atoms_of,
    blocks_of,
    defined,
    mentions,
    rename,
    walk,
    with_blocks,
)

__all__ = ["fuse"]

MOST_STORED = 12                # arrays stored in one innermost loop: more defeat the tests whether those of the caller overlap
MOST_AROUND_FUNCTIONS = 4       # in one with functions such as `exp`, which leave no register as it was

def fuse(program: Program, always: bool = False) -> Program:
    """Return `program` with neighbouring loops joined, at every depth.

    With `always`, also where a CPU would be slower for it: a GPU has no vector
    registers to lose, and memory is what it waits for.
    """
    return program.with_body(_Fuser(program, always).block(program.body))


class _Fuser:
    def __init__(self, program, always: bool):
        self.program, self.types, self.always = program, program.types, always
        self.once = frozenset(name for name, count in definitions(program).items() if count == 1)
        self.forms = None               # few programs have loops with sums into neighbouring elements
        self._effects: dict[int, tuple[object, Effects]] = {}
        self.uses = Counter()
        for stmt in walk(program.body):
            if not blocks_of(stmt):
                effects = self.effects(stmt)
                self.uses.update(effects.elements.keys())
                self.uses.update(effects.bound - effects.writes)
        self.uses.update(a.name for a in program.results if isinstance(a, Var))
        self.remaining: dict[tuple, Counter] = {}

    def effects(self, stmt) -> Effects:
        if id(stmt) not in self._effects:
            self._effects[id(stmt)] = (stmt, effects_of(stmt, self.types, self.once))
        return self._effects[id(stmt)][1]

    def block(self, body):
        """Join the loops of a block, then those inside them."""
        self.remaining = self.temporaries(body)
        out: list = []
        for stmt in body:
            if not isinstance(stmt, For) or not self.join(out, stmt):
                out.append(stmt)
        return tuple(with_blocks(s, [self.block(b) for b in blocks_of(s)]) if blocks_of(s) else s
                     for s in out)

    def temporaries(self, body) -> dict[tuple, Counter]:
        """Count the element accesses in the loops of a block, for each range."""
        counts: dict[tuple, Counter] = defaultdict(Counter)
        for stmt in body:
            if isinstance(stmt, For):
                for name, indices in self.effects(stmt).elements.items():
                    counts[_range(stmt)][name] += len(indices)
        return counts

    def crowded(self, first, a: Effects, b: Effects) -> bool:
        """Tell whether a joint innermost loop would store too many arrays.

        Arrays that only loops over this range use are about to become scalars.
        """
        here = self.remaining[_range(first)]
        stored = [name for name in a.stores | b.stores if here[name] < self.uses[name]]
        most = MOST_AROUND_FUNCTIONS if a.is_expensive or b.is_expensive else MOST_STORED
        return len(stored) > most and bool(a.stores) and bool(b.stores)

    def join(self, out, loop) -> bool:
        """Join `loop` with one of the loops of `out`, the nearest that it can reach."""
        mine = self.effects(loop)
        if not mine.plain:
            return False
        for at in range(len(out) - 1, -1, -1):
            other = out[at]
            if isinstance(other, For) and self.joins(other, loop):
                early, late = self.split(other, out[at + 1:])
                if not any(self.blocks(s, mine) for s in late):
                    names = {loop.var: other.var}
                    joined = replace(other, body=other.body + rename(loop.body, names))
                    out[at:] = [*early, joined, *late]
                    return True
        return False

    def blocks(self, stmt, mine: Effects) -> bool:
        effects = self.effects(stmt)
        return effects.raises or effects.conflicts(mine)

    def split(self, first, between):
        """Divide what follows `first`: what can stand before it, and what cannot."""
        early, late, held = [], [], Order()
        held.add(self.effects(first))
        for stmt in between:
            effects = self.effects(stmt)
            if effects.loops_on or held.conflicts(effects):
                late.append(stmt)
                held.add(effects)
            else:
                early.append(stmt)
        return early, late

    def joins(self, first: For, second: For) -> bool:
        """Tell whether the body of `second` may run right after that of `first`."""
        if _range(first) != _range(second):
            return False
        if first.start != Const(0) or first.step != Const(1):
            return False
        a, b = self.effects(first), self.effects(second)
        if not a.plain:
            return False
        nested = [any(isinstance(s, For) for s in loop.body) for loop in (first, second)]
        shared = (a.writes & (b.reads | b.writes)) | (b.writes & a.reads)
        apart = {name for name in shared if not self.in_step(name, a, first.var, b, second.var)
                 and not (all(nested) and self.follows(name, a, first.var, b, second.var))}
        if self.always or not apart <= self.summed(a, b):
            return not apart
        inner = not any(isinstance(s, For) for s in walk((*first.body, *second.body)))
        if inner and (self.crowded(first, a, b) or apart and not self.gathers(first, second)):
            return False
        return _profitable(first, a, second, b)

    def in_step(self, name, a, i, b, j) -> bool:
        """Tell whether iteration `i` alone touches what iteration `j` = `i` touches."""
        ndim = self.types[name].ndim
        if not ndim or name in a.bound or name in b.bound:
            return False
        return any(len({index[k].more for effects in (a, b) for index in effects.elements[name]}) == 1
                   and all(index[k].atom == Var(i) for index in a.elements[name])
                   and all(index[k].atom == Var(j) for index in b.elements[name])
                   for k in range(ndim))

    def follows(self, name, a, i, b, j) -> bool:
        """Tell whether what iteration `j` touches has nothing to do with iterations of `i` that are later than `j`."""
        if name in a.bound or name in b.bound:
            return False
        for k in range(self.types[name].ndim):
            first, second = ([index[k] for index in effects.elements[name]] for effects in (a, b))
            if all(item.atom == Var(var) and item.more >= 0 for items, var in ((first, i), (second, j)) for item in items):
                written = [[index[k].more for index in effects.stored[name]] for effects in (a, b)]
                return all(max((item.more for item in second), default=0) <= at for at in written[0]) \
                    and all(at <= min((item.more for item in first), default=at) for at in written[1])
        return False

    def summed(self, a: Effects, b: Effects) -> set[str]:
        """Return the arrays to whose elements both loops add, and do nothing else."""
        return (a.stores & b.stores) - a.ordered - b.ordered - a.bound - b.bound

    def gathers(self, first: For, second: For) -> bool:
        """Tell whether the sums of two innermost loops into neighbouring elements can be gathered when they are joined."""
        joined = replace(first, body=first.body + rename(second.body, {second.var: first.var}))
        if self.forms is None:
            self.forms, self.mentions = Extents(self.program), mentions(self.program.body)
        found = scatter_of(joined, self.program, self.forms, self.mentions)
        return found is not None and found.is_complete


def _range(loop: For) -> tuple:
    return loop.start, loop.stop, loop.step


def _profitable(first, a: Effects, second, b: Effects) -> bool:
    """Keep expensive functions in loops of their own where those vectorise and the joint one would not."""
    loops = [any(isinstance(s, For) for s in walk(loop.body)) or _carried(loop)
             for loop in (first, second)]
    if loops[0] == loops[1]:
        return True
    return not (a if loops[1] else b).is_expensive


def _carried(loop) -> bool:
    """Tell whether an innermost loop carries a scalar from one iteration to the next."""
    seen: set[str] = set()
    reads: set[str] = set()
    for stmt in walk(loop.body):
        reads.update(a.name for a in atoms_of(stmt) if isinstance(a, Var) and a.name not in seen)
        if (name := defined(stmt)) is not None and name not in reads:
            seen.add(name)
        elif name in reads and getattr(stmt, "target", None) == name:
            return True
    return False
