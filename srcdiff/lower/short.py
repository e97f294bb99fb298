"""Run along a longer axis where the innermost loops of a deep nest turn out to be short.

>>> from srcdiff.notation import read, show
>>> print(show(short(read('''
... def f(x: "float64[:,:]", w: "float64[:,:]", y: "float64[:,:]"):
...     z = copy(y)
...     n = size(y, axis=0)
...     m = size(y, axis=1)
...     h = size(w, axis=0)
...     l = size(w, axis=1)
...     for i in range(0, n, 1):
...         for j in range(0, m, 1):
...             for p in range(0, h, 1):
...                 r = add(i, p)
...                 for q in range(0, l, 1):
...                     c = add(j, q)
...                     a = x[r, c]
...                     b = w[p, q]
...                     t = multiply(a, b)
...                     z[i, j] += t
...     return z
... '''))), end="")
def f(x: "float64[:,:]", w: "float64[:,:]", y: "float64[:,:]"):
    z = copy(y)
    n = size(y, axis=0)
    m = size(y, axis=1)
    h = size(w, axis=0)
    l = size(w, axis=1)
    is_some = greater_equal(l, 1)
    is_short = less(l, 16)
    is_long = greater_equal(m, 12)
    is_short_2 = logical_and(is_some, is_short)
    is_short_3 = logical_and(is_short_2, is_long)
    for i in range(0, n, 1):
        if is_short_3:
            for p in range(0, h, 1):
                r = add(i, p)
                for q in range(0, l, 1):
                    for j in range(0, m, 1):
                        c = add(j, q)
                        a = x[r, c]
                        b = w[p, q]
                        t = multiply(a, b)
                        z[i, j] += t
        else:
            for j_part in range(0, m, 1):
                for p_part in range(0, h, 1):
                    r_2 = add(i, p_part)
                    for q_part in range(0, l, 1):
                        c_2 = add(j_part, q_part)
                        a_2 = x[r_2, c_2]
                        b_2 = w[p_part, q_part]
                        t_2 = multiply(a_2, b_2)
                        z[i, j_part] += t_2
    return z

A nest of four or more loops cannot have long ones only, and which of them are
short is known when it runs: filters of 3 by 3, three channels.  A vector is
longer than such an axis, and what a loop costs before its first iteration is more
than the iterations.  (Loops with as many iterations as each other are short together.)  There are two versions of such a nest, then: one with the
loop around it inside, for few iterations of its innermost loop, and itself.

No element is computed in another order (`srcdiff.lower.distribute`), but for sums
whose order is nobody's.  The loop that goes inside steps along the last axis of
what it accesses, or the one before it: that step is short if the last axis is.
"""

from __future__ import annotations

from functools import reduce

from srcdiff.analysis.uses import changed
from srcdiff.lower.distribute import PART, Division
from srcdiff.lower.expensive import is_expensive
from srcdiff.lower.gains import depends_on, reads_of
from srcdiff.lower.hoist import hoist
from srcdiff.lower.nests import Nest, nest_of
from srcdiff.lower.packed import Packing
from srcdiff.optimize.dead import dead
from srcdiff.syntax import (
    Assign,
    Atom,
    Const,
    For,
    If,
    Load,
    Program,
    Stmt,
    Store,
    Var,
    mentions,
    rename,
    walk,
)

__all__ = ["short"]

DEEP = 4                                # loops from which some are assumed to be short
FEW = 16                                # iterations of the innermost loop below which another one is better there;
FEWER = 6                               # the same if that has to step over elements;
MANY = 12                               # it has as many itself,
NEAR = 64                               # and the last axes that it does not move along are no longer


def short(program: Program) -> Program:
    """Return `program` with another version of deep nests for few iterations of their innermost loops."""
    writer = _Short(program)
    writer.block(program.body)
    if not writer.found:
        return program
    return hoist(dead(program.with_body(writer.builder.take(), types=writer.builder.types)))


class _Short(Packing):
    def __init__(self, program: Program):
        super().__init__(program)
        self.depth, self.found, self.has_steps = 0, 0, False

    def loop(self, stmt: For) -> None:
        """Write a loop, and its other version unless a loop in it has one."""
        division, found = self.division(stmt), self.found
        self.depth += 1
        with self.builder.nested() as block:
            self.entered(stmt)
        self.depth -= 1
        if division is None or self.found > found:
            self.builder.append(*block)
        else:
            self.found += 1
            self.two_versions(division)

    def part(self, loop: For) -> None:
        nest = nest_of(loop)
        if nest is None:
            self.builder.append(loop)
        else:
            self.has_steps = not self.packed(nest) or self.has_steps

    # -- which nests --------------------------------------------------------------------------

    def may_be_part(self, loop: For) -> bool:
        nest = nest_of(loop)
        return nest is not None and _is_computed_again(nest)

    def gains(self, loop: For, stmt: Stmt, again) -> bool:
        nest = nest_of(stmt)
        if nest is None or len(nest.loops) < 2 or self.depth + 1 + len(nest.loops) < DEEP:
            return False
        late = {loop.var, *changed(loop.body)}
        return not _are_known(nest.loops[-1]) and nest.loops[-1].reads != loop.reads and not late.intersection(reads_of(nest.loops)) \
            and not any(map(is_expensive, nest.front)) and _moves_last_axes(nest, loop, again)

    # -- writing ------------------------------------------------------------------------------

    def two_versions(self, division: Division) -> None:
        """Write a test, the divided loop, and the loop."""
        loop = division.loop
        copy, self.has_steps = self.copied(loop), False
        with self.builder.nested() as turned:
            self.divided(division)
        with self.builder.at(loop.where):
            test = self.is_short(division, FEWER if self.has_steps else FEW)
        self.builder.append(If(test, tuple(turned), (copy,), loop.where))

    def copied(self, loop: For) -> For:
        """Return a loop whose variables and numbers have names of their own, but for sums over all iterations."""
        own = [n for n in changed((loop,)) if not self.builder.types[n].ndim and n not in self.sums(loop)]
        loops = {s.var for s in walk((loop,)) if isinstance(s, For)}
        stems = {n: n + PART * (n in loops) for n in own}
        copy, = rename((loop,), {n: self.builder.fresh(stem, self.builder.types[n]) for n, stem in stems.items()})
        self.mentions.update(mentions((copy,)))
        return copy

    def is_short(self, division: Division, few: int) -> Atom:
        """Write the test whether innermost loops have few iterations, the steps of the one that goes inside are short, and it is long."""
        b, loop = self.builder, division.loop
        nests = [nest_of(loop.body[p.positions[0]]) for p in division.parts if p.is_turned]
        most = {nest.loops[-1].reads: few for nest in nests}
        for nest in nests:
            for along in _along_last_axes(nest, loop, division.again):
                most.setdefault(along.reads, NEAR)
        counts = {ends: self.trips(*ends) for ends in most}
        tests = [b.op("greater_equal", counts[ends], Const(1), stem="is_some") for ends, bound in most.items() if bound == few]
        tests += [b.op("less", counts[ends], Const(bound), stem="is_short") for ends, bound in most.items()]
        tests.append(b.op("greater_equal", self.trips(*loop.reads), Const(MANY), stem="is_long"))
        return reduce(lambda first, second: b.op("logical_and", first, second, stem="is_short"), tests)

    def trips(self, start: Atom, stop: Atom, step: Atom) -> Atom:
        """Write how many iterations a loop has; less than none stands for none."""
        first, end = (start, stop) if step == Const(1) else (self.next(stop), self.next(start))
        return end if first == Const(0) else self.number("subtract", end, first)


def _are_known(loop: For) -> bool:
    """Tell whether the iterations of a loop are counted when it is compiled: LLVM writes out short ones."""
    return isinstance(loop.start, Const) and isinstance(loop.stop, Const)


def _is_computed_again(nest: Nest) -> bool:
    """Tell whether what stands in front of inner loops may run for each iteration of these: it gives the same."""
    late = set(changed(nest.loops[:1])) - {loop.var for loop in nest.loops}
    targets = [s.target for s in nest.body if isinstance(s, Assign | Load)]
    for s in nest.front:
        if isinstance(s, Store) or targets.count(s.target) > 1 or late.intersection(reads_of((s,))):
            return False
        late.discard(s.target)
    return True


def _moves_last_axes(nest: Nest, outer: For, before) -> bool:
    """Tell whether an outer loop steps along the last two axes of what a nest accesses, if at all."""
    moved = depends_on((*before, *nest.body), outer.var)
    return not any(isinstance(i, Var) and i.name in moved
                   for s in nest.body if isinstance(s, Load | Store) for i in s.index[:-2])


def _along_last_axes(nest: Nest, outer: For, before) -> list[For]:
    """Return the loops that move along the last axis of what an outer loop steps along the axis before."""
    moved = {loop.var: depends_on((*before, *nest.body), loop.var) for loop in (outer, *nest.loops)}
    last = [s.index[-1] for s in nest.body if isinstance(s, Load | Store) and len(s.index) > 1
            and isinstance(s.index[-2], Var) and s.index[-2].name in moved[outer.var]]
    return [loop for loop in nest.loops if any(isinstance(i, Var) and i.name in moved[loop.var] for i in last)]
