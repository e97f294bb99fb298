"""Multiply a differential by the reciprocal of what a rule divides it by, where that is a constant or stays through a loop.

>>> from srcdiff.notation import of_differentials, read, show
>>> print(show(reciprocals(of_differentials(read('''
... def f(g: "float64[:]", y: "float64"):
...     n = size(g, axis=0)
...     g_bar = empty(n, dtype='float64')
...     for i in range(0, n, 1):
...         t = g[i]
...         u = divide(t, y)
...         v = divide(u, 8.0)
...         g_bar[i] = v
...     return g_bar
... ''')))), end="")
def f(g: "float64[:]", y: "float64"):
    n = size(g, axis=0)
    g_bar = empty(n, dtype='float64')
    scale = divide(1.0, y)
    for i in range(0, n, 1):
        t = g[i]
        u = multiply(scale, t)
        v = multiply(0.125, u)
        g_bar[i] = v
    return g_bar

A division takes as long as four products, and a recurrence waits for each of its
own.  The last place of the differential may change; divisions of the function
itself are not marked (`Where.of_differential`), and keep their rounding.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.builder import Builder
from srcdiff.syntax import Assign, Const, For, Program, Scalar, Stmt, Var, blocks_of, walk, with_blocks

__all__ = ["reciprocals"]

LEAST = 2.0 ** -126                     # the smallest number of single precision that has all its places


def reciprocals(program: Program) -> Program:
    """Return `program` with products in the place of divisions of differentials."""
    if not any(map(_is_marked, walk(program.body))):
        return program
    builder = Builder(program.types)
    body = _block(builder, program.body, {})
    return program.with_body(body, types=builder.types)


def _is_marked(stmt: Stmt) -> bool:
    return isinstance(stmt, Assign) and stmt.op == "divide" and stmt.where.of_differential


def _block(builder: Builder, body, scales: dict[str, Var]) -> tuple[Stmt, ...]:
    """Return a block; `scales` are the reciprocals of what the loops around it do not change."""
    with builder.nested() as out:
        for stmt in body:
            if isinstance(stmt, For):
                inside = {**scales, **_before(builder, stmt, scales)}
                builder.append(replace(stmt, body=_block(builder, stmt.body, inside)))
            elif blocks_of(stmt):
                builder.append(with_blocks(stmt, [_block(builder, block, scales) for block in blocks_of(stmt)]))
            else:
                builder.append(_product(builder, stmt, scales))
    return tuple(out)


def _before(builder: Builder, loop: For, scales: dict[str, Var]) -> dict[str, Var]:
    """Write the reciprocals of the numbers that a loop divides differentials by and does not change."""
    found: dict[str, Var] = {}
    for stmt in walk(loop.body):
        if _is_marked(stmt) and _is_scaled(builder, stmt) and isinstance(by := stmt.args[1], Var) \
                and by.name not in (*scales, *found, *loop.changes):
            with builder.at(replace(stmt.where, of_differential=False)):
                found[by.name] = builder.op("divide", Const(1.0), by, stem="scale")
    return found


def _is_scaled(builder: Builder, stmt: Assign) -> bool:
    """Tell whether a division is one of real numbers that are all as precise as their quotient."""
    types = [builder.types[stmt.target], builder.type_of(stmt.args[1])]
    return all(isinstance(t, Scalar) for t in types) and types[0].dtype in ("float32", "float64") \
        and (types[1].dtype == types[0].dtype or isinstance(stmt.args[1], Const))


def _product(builder: Builder, stmt: Stmt, scales: dict[str, Var]) -> Stmt:
    if not _is_marked(stmt) or not _is_scaled(builder, stmt):
        return stmt
    value, by = stmt.args
    scale = scales.get(by.name) if isinstance(by, Var) else _reciprocal(by.value)
    return stmt if scale is None else replace(stmt, op="multiply", args=(scale, value))


def _reciprocal(value) -> Const | None:
    """Return 1 / value, None where that is no number of full precision, single precision included."""
    if isinstance(value, complex) or not LEAST <= abs(value) <= 1 / LEAST:
        return None
    return Const(1.0 / value)
