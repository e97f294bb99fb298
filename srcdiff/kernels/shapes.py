"""Fix the extents of parameters: code for one set of shapes.

On a GPU, arrays with extents that are known when code is generated are
registers or local memory, and loops over them are unrolled.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:,:]"):
...     m = size(x, axis=0)
...     n = size(x, axis=1)
...     y = zeros(m, n, dtype='float64')
...     return y
... ''')
>>> print(show(with_extents(program, {"x": (None, 3)})), end="")
def f(x: "float64[:,:]"):
    m = size(x, axis=0)
    n = 3
    y = zeros(m, n, dtype='float64')
    return y
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from srcdiff.syntax import Assign, Const, Program, Stmt, Var, blocks_of, with_blocks

__all__ = ["with_extents"]

Extents = Mapping[str, tuple[int | None, ...]]


def with_extents(program: Program, extents: Extents) -> Program:
    """Return the program for parameters of these extents; None stays a run-time fact."""
    params = tuple(replace(p, extents=tuple(extents.get(p.name, ()))) for p in program.params)
    return replace(program, params=params, body=_block(program.body, extents))


def _block(body, extents: Extents) -> tuple[Stmt, ...]:
    return tuple(_statement(stmt, extents) for stmt in body)


def _statement(stmt: Stmt, extents: Extents) -> Stmt:
    match stmt:
        case Assign(op="size", args=(Var(name=array),)) if array in extents:
            known = extents[array][stmt.keywords["axis"]]
            return stmt if known is None else replace(stmt, op="copy", args=(Const(known),), static=())
    return with_blocks(stmt, [_block(block, extents) for block in blocks_of(stmt)])
