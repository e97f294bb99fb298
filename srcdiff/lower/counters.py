"""Write the places of a stack that two loops fill or empty as what they are: a function of both loops' variables.

>>> from srcdiff.builder import Builder
>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:,:]", top: "weak int64", n: "weak int64", m: "weak int64", stack: "float64[:]"):
...     for j in range(1, n, 1):
...         for i in range(0, m, 1):
...             t = x[i, j]
...             place = copy(top)
...             top = add(top, 1)
...             stack[place] = t
...     return stack
... ''')
>>> builder = Builder(program.types)
>>> found = counted(program.body[0], builder)
>>> print(show(program.with_body((*found.before, found.loop, *found.after), types=builder.types)), end="")
def f(x: "float64[:,:]", top: "weak int64", n: "weak int64", m: "weak int64", stack: "float64[:]"):
    trips = maximum(m, 0)
    n_2 = subtract(n, 1)
    trips_2 = maximum(n_2, 0)
    for j in range(1, n, 1):
        for i in range(0, m, 1):
            at = subtract(j, 1)
            at_2 = multiply(at, trips)
            at_3 = add(at_2, i)
            at_4 = add(top, at_3)
            t = x[i, j]
            place = copy(at_4)
            stack[place] = t
    count = multiply(trips_2, trips)
    top = add(top, count)
    return stack

A loop whose length differs from one run of it to the next keeps what it keeps on a
stack. Where the counter is an integer that iterations hand on, no loop could change
places with another.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from srcdiff.analysis.uses import changed
from srcdiff.builder import Builder
from srcdiff.syntax import Assign, Atom, Const, For, Load, Stmt, Var, atoms_of, blocks_of, map_atoms, walk

__all__ = ["Counted", "counted"]


@dataclass(frozen=True)
class Counted:
    """A loop without its counters, and what stands around it; `places` are the variables that hold a place of a stack.

    `steps` are the statements that stepped the counters.
    """

    before: tuple[Stmt, ...]
    loop: For
    after: tuple[Stmt, ...]
    places: frozenset[str]
    steps: tuple[Assign, ...]


def counted(loop: For, builder: Builder) -> Counted | None:
    """Return a loop over loops with the places of its counters written out; None where it has none."""
    steps = _steps(loop)
    if not steps:
        return None
    with builder.nested() as before, builder.at(loop.where):
        trips = {id(inner): _trips(inner, builder) for inner, _ in steps}
        outer = _trips(loop, builder)
    with builder.nested() as after, builder.at(loop.where):
        for inner, step in steps:
            count = builder.op("multiply", outer, trips[id(inner)], stem="count")
            builder.assign(step.target, step.op, Var(step.target), count)
    body, places = list(loop.body), set()
    for inner, step in steps:
        position = next(p for p, s in enumerate(loop.body) if s is inner)
        body[position] = replace(body[position], body=_with_places(body[position], step, loop, trips[id(inner)], builder, places))
    return Counted(tuple(before), replace(loop, body=tuple(body)), tuple(after), frozenset(places),
                   tuple(step for _, step in steps))


def _steps(loop: For) -> list[tuple[For, Assign]]:
    """Return the inner loops that step a counter once in each iteration, with the statement that does it."""
    assigned = Counter(s.target for s in walk(loop.body) if isinstance(s, Assign | Load))
    late = {loop.var, *changed(loop.body)}
    found = []
    for inner in loop.body:
        if not isinstance(inner, For) or any(map(blocks_of, inner.body)) or {loop.step, inner.step} - {Const(1), Const(-1)} \
                or late.intersection(a.name for a in (*inner.reads, *loop.reads) if isinstance(a, Var)):
            continue
        outside = {a.name for s in walk(loop.body) if not any(s is own for own in inner.body)
                   for a in atoms_of(s) if isinstance(a, Var)}
        found += [(inner, s) for s in inner.body if _is_step(s) and assigned[s.target] == 1 and s.target not in outside]
    return found


def _is_step(stmt: Stmt) -> bool:
    return isinstance(stmt, Assign) and stmt.op in ("add", "subtract") and stmt.args == (Var(stmt.target), Const(1))


def _trips(loop: For, builder: Builder) -> Atom:
    """Write how many iterations a loop has."""
    low, high = (loop.start, loop.stop) if loop.step == Const(1) else (loop.stop, loop.start)
    length = high if low == Const(0) else builder.op("add", high, Const(1), stem="n") if low == Const(-1) \
        else builder.op("subtract", high, low, stem="n")
    return builder.op("maximum", length, Const(0), stem="trips")


def _done(loop: For, builder: Builder) -> Atom:
    """Write how many iterations of a loop are done."""
    if loop.step == Const(-1):
        return builder.op("subtract", loop.start, Var(loop.var), stem="at")
    return Var(loop.var) if loop.start == Const(0) else builder.op("subtract", Var(loop.var), loop.start, stem="at")


def _with_places(inner: For, step: Assign, outer: For, trips: Atom, builder: Builder, places: set[str]) -> tuple[Stmt, ...]:
    """Return the body of an inner loop with places in place of its counter; adds the variables that hold them to `places`."""
    with builder.nested() as body, builder.at(step.where):
        rows = builder.op("multiply", _done(outer, builder), trips, stem="at")
        now = builder.op(step.op, Var(step.target), builder.op("add", rows, _done(inner, builder), stem="at"), stem="at")
        places.add(now.name)
        for s in inner.body:
            if s is step:
                now = now if not _reads_later(inner, step) else builder.op(step.op, now, Const(1), stem="at")
                places.add(now.name)
                continue
            s = map_atoms(s, lambda a, now=now: now if a == Var(step.target) else a)
            if isinstance(s, Assign) and s.op == "copy" and s.args == (now,):
                places.add(s.target)
            builder.append(s)
    return tuple(body)


def _reads_later(inner: For, step: Assign) -> bool:
    position = next(p for p, s in enumerate(inner.body) if s is step)
    return any(a == Var(step.target) for s in inner.body[position + 1:] for a in atoms_of(s))
