"""Compiled numbers have no strength: what would be made one of Python's is the number itself.

>>> from srcdiff.notation import read, show
>>> print(show(strength(read('''
... def f(x: "float64", n: "int64"):
...     y = weaken(x)
...     k = weaken(n)
...     return y, k
... '''))), end="")
def f(x: "float64", n: "int64"):
    y = copy(x)
    k = copy(n)
    return y, k

Not where numbers of single precision are about: there a number's strength
decides in which precision it is computed with.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.syntax import Assign, Program, Scalar, Stmt, blocks_of, with_blocks

__all__ = ["strength"]

NARROW = ("float32", "complex64")


def strength(program: Program) -> Program:
    """Return `program` with a copy for each `weaken` of a number that keeps its dtype."""
    if any(t.dtype in NARROW for t in program.types.values()):
        return program
    return program.with_body(_without(program, program.body))


def _without(program: Program, body) -> tuple[Stmt, ...]:
    out = []
    for stmt in body:
        match stmt:
            case Assign(target, "weaken", (value,)) if _is_same(program.types[target], program.type_of(value)):
                stmt = replace(stmt, op="copy")
            case _ if blocks_of(stmt):
                stmt = with_blocks(stmt, [_without(program, block) for block in blocks_of(stmt)])
        out.append(stmt)
    return tuple(out)


def _is_same(declared, given) -> bool:
    return isinstance(declared, Scalar) and isinstance(given, Scalar) and declared.dtype == given.dtype
