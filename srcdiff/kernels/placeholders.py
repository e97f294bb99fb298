"""Give an array that stands in for one of a branch the extents of that one: it can be local then.

What a branch keeps for the reverse sweep is assigned on every path: where the branch is
not taken, it is an array without elements.  An array of two shapes has no place in local
memory.  Where nothing looks at the stand-in, because all that reads the array stands in
branches on the same condition, it may as well have the shape that is known.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:]", y: "float64[:]"):
...     c = True
...     held = zeros(0, dtype='float64')
...     if c:
...         a = empty(3, dtype='float64')
...         held = copy(a)
...     if c:
...         t = held[1]
...         y[0] += t
...     return y
... ''')
>>> print(show(with_placeholders(program)), end="")
def f(x: "float64[:]", y: "float64[:]"):
    c = True
    held = zeros(3, dtype='float64')
    if c:
        a = empty(3, dtype='float64')
        held = copy(a)
    if c:
        t = held[1]
        y[0] += t
    return y
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.analysis.shapes import Shapes
from srcdiff.kernels.kernel import names_of
from srcdiff.syntax import (
    Assign,
    Const,
    If,
    Program,
    Stmt,
    Var,
    atoms_of,
    blocks_of,
    defined,
    walk,
    with_blocks,
)

__all__ = ["with_placeholders"]

_NOTHING = Const(0)


def with_placeholders(program: Program) -> Program:
    """Return the program with stand-ins of known extents, where nothing can tell."""
    shapes = Shapes(program)
    return replace(program, body=_block(program.body, program, shapes))


def _block(body, program: Program, shapes: Shapes) -> tuple[Stmt, ...]:
    changed = []
    for stmt in body:
        if _is_empty(stmt) and (extents := _extents(stmt, body, program, shapes)) is not None:
            stmt = replace(stmt, args=extents)
        changed.append(with_blocks(stmt, [_block(inner, program, shapes) for inner in blocks_of(stmt)]))
    return tuple(changed)


def _is_empty(stmt: Stmt) -> bool:
    return isinstance(stmt, Assign) and stmt.op == "zeros" and set(stmt.args) == {_NOTHING}


def _extents(stmt: Assign, body, program: Program, shapes: Shapes) -> tuple[Const, ...] | None:
    """Return the extents of what a branch makes of a stand-in, if only branches on that condition know of it."""
    name = stmt.target
    conditions = {s.condition for s in body if isinstance(s, If) and _knows(s.then, name)}
    others = [s for s in body if s is not stmt and _knows((s,), name)]
    if len(conditions) != 1 or not all(isinstance(s, If) and s.condition in conditions and not _knows(s.orelse, name)
                                       for s in others):
        return None
    (condition,) = conditions
    set_twice = len([s for s in walk(program.body) if Var(defined(s) or "") == condition]) > 1
    elsewhere = _mentions(body, name) != _mentions(program.body, name) or name in names_of(program.results)
    if set_twice or elsewhere or not others or not _made_first(others[0].then, name):
        return None
    return _common([s for s in walk(body) if defined(s) == name and s is not stmt], shapes)


def _made_first(body, name: str) -> bool:
    """Tell whether a block makes an array before anything in it looks at what was there."""
    first = next((s for s in body if _knows((s,), name)), None)
    return isinstance(first, Assign) and first.target == name and Var(name) not in first.args


def _common(makers, shapes: Shapes) -> tuple[Const, ...] | None:
    """Return the extents that all statements give an array, if they are the same numbers."""
    found = set()
    for maker in makers:
        extents = shapes.extents(maker.args[0].name) if isinstance(maker, Assign) and maker.op == "copy" else None
        found.add(None if extents is None or any(e is None or e.terms for e in extents) else
                  tuple(Const(e.constant) for e in extents))
    return found.pop() if len(found) == 1 else None


def _knows(body, name: str) -> bool:
    """Tell whether statements mention a variable."""
    return _mentions(body, name) > 0


def _mentions(body, name: str) -> int:
    """Count the statements that mention a variable."""
    return sum(defined(s) == name or Var(name) in atoms_of(s) for s in walk(body))
