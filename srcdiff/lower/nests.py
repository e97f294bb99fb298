"""Nests of loops, each of which has simple statements and then one loop: taken apart, and written with another loop inside.

>>> from srcdiff.notation import read
>>> outer = read('''
... def f(x: "float64[:,:]"):
...     y = zeros(9, dtype='float64')
...     for i in range(0, 9, 1):
...         for p in range(0, 3, 1):
...             k = add(i, p)
...             for q in range(0, 2, 1):
...                 t = x[k, q]
...                 y[i] += t
...     return y
... ''').body[1]
>>> nest = nest_of(outer.body[0])
>>> [loop.var for loop in nest.loops], len(nest.front), len(nest.body)
(['p', 'q'], 1, 3)
>>> inside(outer, nest, nest.body).var
'p'
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from srcdiff.analysis.uses import changed
from srcdiff.lower.gains import depends_on, reads_of
from srcdiff.syntax import Assign, For, Load, Stmt, Store

__all__ = ["Nest", "inside", "nest_of"]

SIMPLE = Assign | Load | Store


@dataclass(frozen=True)
class Nest:
    """Loops around loops, the outermost first, and their simple statements.

    Attributes
    ----------
    front
        The statements in front of inner loops.
    body
        All statements, these first: what one iteration of all loops does.
    """

    loops: tuple[For, ...]
    front: tuple[Stmt, ...]
    body: tuple[Stmt, ...]


def nest_of(loop: Stmt) -> Nest | None:
    """Return a loop as a nest, if it is one."""
    if not isinstance(loop, For):
        return None
    inner = nest_of(loop.body[-1]) if loop.body else None
    before = loop.body[:-1] if inner else loop.body
    if not all(isinstance(s, SIMPLE) for s in before):
        return None
    if inner is None:
        return Nest((loop,), (), loop.body)
    return Nest((loop, *inner.loops), (*before, *inner.front), (*before, *inner.body))


def inside(outer: For, nest: Nest, body) -> For:
    """Return a nest with the loop around it inside; numbers that this does not change are computed where they are known.

    `body` is what one iteration of all loops does.
    """
    late = {outer.var, *changed(body)}
    targets = [s.target for s in body if isinstance(s, Assign | Load)]
    before = []
    for s in body:
        if isinstance(s, Assign) and targets.count(s.target) == 1 and not late.intersection(reads_of((s,))):
            late.discard(s.target)
            before.append(s)
    made = replace(outer, body=tuple(s for s in body if s not in before))
    for level in reversed(nest.loops):
        moved = depends_on(before, level.var) if level is not nest.loops[0] else {s.target for s in before}
        made = replace(level, body=(*(s for s in before if s.target in moved), made))
        before = [s for s in before if s.target not in moved]
    return made
