"""Take two rows at a time where they meet in the elements of a third: unroll a loop around an innermost one, and jam the two.

>>> from srcdiff.notation import read, show
>>> print(show(jam(read('''
... def f(a: "float64[:,:]", b: "float64[:,:]", c: "float64[:,:]"):
...     y = copy(c)
...     n = size(y, axis=0)
...     m = size(y, axis=1)
...     l = size(a, axis=1)
...     for i in range(0, n, 1):
...         for k in range(0, l, 1):
...             for j in range(0, m, 1):
...                 s = a[i, k]
...                 t = b[k, j]
...                 v = multiply(s, t)
...                 y[i, j] += v
...     return y
... '''))), end="")
def f(a: "float64[:,:]", b: "float64[:,:]", c: "float64[:,:]"):
    y = copy(c)
    n = size(y, axis=0)
    m = size(y, axis=1)
    l = size(a, axis=1)
    for i in range(0, n, 1):
        n_2 = remainder(l, 2)
        n_3 = subtract(l, n_2)
        n_4 = maximum(n_3, 0)
        n_5 = subtract(l, 1)
        for k in range(0, n_5, 2):
            k_next = add(k, 1)
            for j in range(0, m, 1):
                s = a[i, k]
                s_2 = a[i, k_next]
                t = b[k, j]
                t_2 = b[k_next, j]
                v = multiply(s, t)
                v_2 = multiply(s_2, t_2)
                y[i, j] += v
                y[i, j] += v_2
        for k_part in range(n_4, l, 1):
            for j_part in range(0, m, 1):
                s_3 = a[i, k_part]
                t_3 = b[k_part, j_part]
                v_3 = multiply(s_3, t_3)
                y[i, j_part] += v_3
    return y

What such a nest takes is loads and stores: of the row that all rows are added to, one each for two rows now.
What each element is computed of, and in which order, stays, but for sums whose order is nobody's.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.lower.commuting import Access, Commuting, accesses, is_sum, meeting
from srcdiff.lower.distribute import PART
from srcdiff.lower.expensive import is_expensive
from srcdiff.lower.gains import depends_on, reads_of
from srcdiff.lower.nests import Nest, nest_of
from srcdiff.syntax import Assign, Const, For, Load, Program, Stmt, Store, Var, mentions, rename, walk

__all__ = ["jam"]

MOST = 10                               # accesses of the inner loop: twice as many are still in registers


def jam(program: Program) -> Program:
    """Return `program` with nests in loops taking two iterations of their outer loop at a time, where that is proved and pays."""
    if not any(isinstance(s, For) and any(isinstance(t, For) for t in s.body) for s in walk(program.body)):
        return program
    writer = _Jammer(program)
    writer.block(program.body)
    return program.with_body(writer.builder.take(), types=writer.builder.types)


class _Jammer(Commuting):
    def __init__(self, program: Program):
        super().__init__(program)
        self.depth = 0

    def loop(self, stmt: For) -> None:
        nest = nest_of(stmt)
        if self.depth and nest is not None and len(nest.loops) == 2 and self.is_fit(nest) and self.jammed(nest):
            return
        self.depth += 1
        self.entered(stmt)
        self.depth -= 1

    # -- which nests --------------------------------------------------------------------------

    def is_fit(self, nest: Nest) -> bool:
        """Tell whether a nest of two loops adds rows to the same elements, and does little else."""
        outer, inner = nest.loops
        if outer.step != Const(1) or inner.step != Const(1) or not self.is_plain((outer,)) or any(map(is_expensive, nest.body)):
            return False
        touched = [s for s in inner.body if isinstance(s, Load | Store)]
        late = {s.target for s in nest.body if isinstance(s, Assign | Load)} | {outer.var}
        return len(touched) <= MOST and not late.intersection(a.name for a in inner.reads if isinstance(a, Var)) \
            and any(isinstance(s, Store) and _is_same_row(s, nest) for s in touched)

    def jammed(self, nest: Nest) -> bool:
        """Write two iterations at a time, and the last one if their number is odd; tell whether that was possible."""
        outer, inner = nest.loops
        own = self.own_numbers(outer)
        if own is None:
            return False
        stems = {outer.var: f"{outer.var}_next"}
        names = {name: self.builder.fresh(stems.get(name, name), self.builder.types[name]) for name in sorted(own)}
        other, = rename((outer,), names)
        second = Assign(other.var, "add", (Var(outer.var), Const(1)), where=outer.where)
        may_meet = self.may_meet(nest, nest_of(other), second)
        other, = rename((other,), {names[inner.var]: inner.var})
        for name in names.values() if not may_meet else (names[inner.var],):
            del self.builder.types[name]
        if not may_meet:
            return False
        self.write(nest, nest_of(other), second, sorted(own))
        return True

    # -- the proof ------------------------------------------------------------------------------

    def may_meet(self, nest: Nest, other: Nest, second: Assign) -> bool:
        """Tell whether the next iteration may begin before this one ends, statement by statement of their inner loops."""
        outer, later = nest.loops[0], f"{second.target}'"
        self.builder.types[later] = self.builder.types[second.target]
        _, ours = self.parts(nest, (outer,))
        # That there is a next iteration is known in a loop from that one on.
        begin, theirs = self.parts(other, (second, replace(outer, var=later, start=Var(second.target), body=())))
        pairs = [(nest.loops[1].var, other.loops[1].var)]
        may = all(self.differ_at(a, b) for a, b in meeting(ours, begin)) \
            and self.commute(ours, theirs, pairs) \
            and all(is_sum(a.stmt) and is_sum(b.stmt) or self.differ_at(a, b)
                    for n, a in enumerate(ours) for _, b in meeting([a], theirs[:n]))
        del self.builder.types[later]
        return may

    def parts(self, nest: Nest, path: tuple[Stmt, ...]) -> tuple[list[Access], list[Access]]:
        """Return the accesses in front of the inner loop, and those in it; `path` is what is known of the outer loop's variable."""
        outer, inner = nest.loops
        found = list(accesses(outer.body, path))
        inside = [any(s is inner for s in a.path) for a in found]
        return [a for a, is_in in zip(found, inside, strict=True) if not is_in], [a for a, is_in in zip(found, inside, strict=True) if is_in]

    def differ_at(self, a: Access, b: Access) -> bool:
        """Tell whether the indices of two accesses differ, in whichever iterations of the inner loops."""
        place = self.integers.here()
        self.enter(a, b)
        found = self.differ(a.stmt.index, b.stmt.index)
        self.integers.back(place)
        return found

    # -- the loops --------------------------------------------------------------------------------

    def write(self, nest: Nest, other: Nest, second: Assign, own: list[str]) -> None:
        (outer, inner), (_, again) = nest.loops, other.loops
        both = tuple(s for pair in zip(inner.body, again.body, strict=True) for s in pair)
        front = (*outer.body[:-1], second, *other.loops[0].body[:-1])
        with self.builder.at(outer.where):
            length = outer.stop if outer.start == Const(0) else self.number("subtract", outer.stop, outer.start)
            paired = self.number("subtract", outer.stop, self.number("remainder", length, Const(2)))
            first, last = self.number("maximum", paired, outer.start), self.number("subtract", outer.stop, Const(1))
        pairs = replace(outer, stop=last, step=Const(2), body=(*front, replace(inner, body=both)))
        names = {name: self.builder.fresh(name + PART * (name in (outer.var, inner.var)), self.builder.types[name]) for name in own}
        rest, = rename((replace(outer, start=first),), names)
        self.mentions.subtract(mentions((outer,)))
        for loop in (pairs, rest):
            self.mentions.update(mentions((loop,)))
            self.entered(loop)


def _is_same_row(stmt: Store, nest: Nest) -> bool:
    """Tell whether an iteration of the outer loop goes along the same elements as the one before."""
    outer, inner = nest.loops
    along, late = depends_on(inner.body, inner.var), {s.target for s in outer.body[:-1] if isinstance(s, Assign | Load)} | {outer.var}
    for s in inner.body:
        if isinstance(s, Load) or isinstance(s, Assign) and late.intersection(reads_of((s,))):
            late.add(s.target)
    items = {a.name for a in stmt.index if isinstance(a, Var)}
    return bool(items & along) and not items & late
