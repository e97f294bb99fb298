"""Which loops may run their iterations at the same time.

>>> from srcdiff.notation import read
>>> program = read('''
... def f(x: "float64[:]", n: "weak int64"):
...     y = empty(n, dtype='float64')
...     s = 0.0
...     for i in range(0, n, 1):
...         t = x[i]
...         u = exp(t)
...         y[i] = u
...     for j in range(0, n, 1):
...         v = x[j]
...         s = add(s, v)
...     return y, s
... ''')
>>> [independent(program, position) for position in (2, 3)]
[('y',), None]

The proof: what an iteration changes is either *its own*, set on every path
before it is read and not read after the loop, or an array from before the loop
that the loop only stores to, and only where one fixed axis has the loop
variable as its position, or ``i * c + k`` with ``0 <= k < c``.
"""

from __future__ import annotations

from collections import Counter

from srcdiff.analysis.uses import changed
from srcdiff.syntax import (
    Array,
    Assign,
    Const,
    For,
    If,
    Load,
    Program,
    Raise,
    Span,
    Stmt,
    Store,
    Var,
    While,
    atoms_of,
    defined,
    walk,
)

__all__ = ["Own", "independent"]


def independent(program: Program, position: int) -> tuple[str, ...] | None:
    """Return the arrays that the iterations of a loop of the top block write side by side.

    None if it is not proved that the iterations do not depend on each other.
    """
    loop = program.body[position]
    if not isinstance(loop, For) or loop.step != Const(1):
        return None
    before = {p.name for p in program.params} | set(changed(program.body[:position]))
    after = {a.name for s in walk(program.body[position + 1:]) for a in atoms_of(s) if isinstance(a, Var)}
    after |= set(changed(program.body[position + 1:]))
    after |= {a.name for a in program.results if isinstance(a, Var)}
    inside = changed(loop.body)
    outer = tuple(name for name in inside if name in before or name in after)
    if loop.var in inside or loop.var in after:
        return None
    if not all(_side_by_side(program, loop, name) for name in outer):
        return None
    own = Own(frozenset(inside) - set(outer))
    own.block(loop.body, set())
    return None if own.carried else outer


def _side_by_side(program: Program, loop: For, name: str) -> bool:
    """Tell whether each iteration only stores to its own part of an array, and none reads it."""
    if not isinstance(program.types[name], Array):
        return False
    axes, places = set(range(program.types[name].ndim)), own_places(loop)
    for stmt in walk(loop.body):
        if isinstance(stmt, Assign | Load | For) and _target(stmt) == name:
            return False
        sizes = isinstance(stmt, Assign) and stmt.op == "size"
        if not sizes and any(a == Var(name) for a in atoms_of(stmt)):
            return False
        if isinstance(stmt, Store) and stmt.array == name:
            axes &= set(_own_axes(program, stmt.index, places))
    return bool(axes)


def _target(stmt: Assign | Load | For) -> str:
    return stmt.var if isinstance(stmt, For) else stmt.target


def own_places(loop: For) -> frozenset[str]:
    """Return the numbers that differ between any two iterations: the loop variable ``i``, and ``i * c + k`` with ``0 <= k < c``."""
    made = {s.target: s for s in walk(loop.body) if isinstance(s, Assign)}
    ends = {s.var: s.stop for s in walk(loop.body) if isinstance(s, For) and s.start == Const(0) and s.step == Const(1)}
    times = Counter(defined(s) for s in walk(loop.body))
    found = {loop.var}
    for stmt in made.values():
        match stmt:
            case Assign(target=name, op="add", args=(Var(first), Var(k))) if k in ends:
                match made.get(first):
                    case Assign(op="multiply", args=(Var(i), Const(c))) if i == loop.var \
                            and _at_most(made, ends[k], c) and times[name] == times[first] == times[k] == 1:
                        found.add(name)
    return frozenset(found)


def _at_most(made, stop, limit) -> bool:
    """Tell whether a number is a constant up to `limit`, or the smaller one of such a constant and another."""
    match made.get(stop.name) if isinstance(stop, Var) else None:
        case Assign(op="minimum", args=args):
            return any(_at_most({}, a, limit) for a in args)
    return isinstance(stop, Const) and stop.value <= limit


def _own_axes(program: Program, index, places: frozenset[str]):
    """Yield the axes that an index places at a number of this iteration; an array in front may take several axes."""
    for axis, item in enumerate(index):
        if isinstance(item, Var) and item.name in places:
            yield axis
        elif not isinstance(item, Span) and isinstance(program.type_of(item), Array):
            return


class Own:
    """Follows the paths through one iteration: is each of its own variables set before it is read?"""

    def __init__(self, names: frozenset[str]):
        self.names, self.carried = names, False

    def block(self, body, known: set[str]) -> set[str]:
        """Return what is set on every path that reaches the end of a block; `known` is set before it."""
        known = set(known)
        for stmt in body:
            known = self.statement(stmt, known)
        return known

    def statement(self, stmt: Stmt, known: set[str]) -> set[str]:
        match stmt:
            case While(test=test, condition=condition, body=body):
                tested = self.block(test, known)
                self.read((condition,), tested)
                self.block(body, tested)
                return tested
        self.read(atoms_of(stmt), known)
        match stmt:
            case Assign(target=name) | Load(target=name):
                return known | {name}
            case Store(array=name):
                self.read((Var(name),), known)
            case For(var=name, body=body):
                self.block(body, known | {name})
            case If(then=then, orelse=orelse):
                return self.block(then, known) & self.block(orelse, known)
            case Raise():
                return known | self.names           # no path leads on from here
        return known

    def read(self, atoms, known: set[str]) -> None:
        if any(isinstance(a, Var) and a.name in self.names and a.name not in known for a in atoms):
            self.carried = True
