"""Where no more derivatives are taken, `stop_gradient` is a copy, which other passes see through.

>>> from srcdiff.notation import read, show
>>> print(show(without_barriers(read('''
... def f(x: "float64[:]"):
...     held = stop_gradient(x)
...     y = multiply(x, held)
...     return y
... '''))), end="")
def f(x: "float64[:]"):
    held = copy(x)
    y = multiply(x, held)
    return y
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.syntax import Assign, Program, blocks_of, walk, with_blocks

__all__ = ["without_barriers"]


def without_barriers(program: Program) -> Program:
    """Return `program`, which nobody will differentiate, with a copy for each `stop_gradient`."""
    def block(body):
        return tuple(with_blocks(replace(s, op="copy") if _is_barrier(s) else s, [block(b) for b in blocks_of(s)])
                     for s in body)
    return program.with_body(block(program.body)) if any(map(_is_barrier, walk(program.body))) else program


def _is_barrier(stmt) -> bool:
    return isinstance(stmt, Assign) and stmt.op == "stop_gradient"
