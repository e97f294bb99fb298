"""Batch rules: how each kind of operation acts on all directions at once.

A rule is called ``rule(directions, stmt, operands)``; at least one operand is
batched.  It writes statements and returns the batched result, whose dtype the
caller corrects.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from srcdiff.errors import Problem, UnsupportedError
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import ALL, Assign, Atom, Const
from srcdiff.vectorize.axis import Directions, Operand
from srcdiff.vectorize.contraction import matmul, solve

__all__ = ["batch"]

BATCH: dict[str, Callable[[Directions, Assign, list[Operand]], Atom]] = {
    "matmul": matmul, "solve": solve}


def batch(directions: Directions, stmt: Assign, operands: list[Operand]) -> Atom:
    """Write the statements that do `stmt` for every direction; return the result."""
    if rule := BATCH.get(stmt.op) or KINDS.get(PRIMITIVES[stmt.op].kind):
        return rule(directions, stmt, operands)
    raise UnsupportedError(Problem(
        "SD0251", f"{stmt.op} cannot be computed for many directions at once", stmt.where,
        "no rule says how it acts on an array of directions",
        "compute one direction at a time: use jvp or vjp"))


def _rule(*ops):
    def register(rule):
        BATCH.update(dict.fromkeys(ops, rule))
        return rule
    return register


# -- elementwise and reductions -------------------------------------------------------

def _elementwise(directions, stmt, operands):
    ndim = max(operand.ndim for operand in operands)
    aligned = [directions.align(operand, ndim) for operand in operands]
    return directions.builder.op(stmt.op, *aligned, stem=stmt.target, **stmt.keywords)


def _reduction(directions, stmt, operands):
    static = stmt.keywords
    static["axis"] = tuple(map(directions.shift, static["axis"]))
    return directions.builder.op(stmt.op, operands[0].atom, stem=stmt.target, **static)


KINDS = {"elementwise": _elementwise, "reduction": _reduction}


@_rule("weaken")
def _(directions, stmt, operands):
    # An array has no weakness: Python numbers of many directions are one array.
    return directions.builder.op("copy", operands[0].atom, stem=stmt.target)


@_rule("argmax", "argmin")
def _(directions, stmt, operands):
    x, axis = operands[0], stmt.keywords["axis"]
    atom = x.atom
    if axis is None:
        extents = directions.builder.extents(atom.name)
        inner = extents[1:] if directions.first else extents[:-1]
        total = inner[0]
        for extent in inner[1:]:
            total = directions.builder.op("multiply", total, extent)
        atom, axis = directions.builder.op("reshape", atom, *directions.extents((total,))), 0
    axis = axis[0] if isinstance(axis, tuple) else axis
    return directions.builder.op(stmt.op, atom, stem=stmt.target, axis=directions.shift(axis))


# -- structure ---------------------------------------------------------------------------

@_rule("transpose")
def _(directions, stmt, operands):
    perm, here = stmt.keywords["perm"], directions.place(operands[0].ndim)
    moved = tuple(map(directions.shift, perm))
    perm = (here, *moved) if directions.first else (*moved, here)
    return directions.builder.op("transpose", operands[0].atom, stem=stmt.target, perm=perm)


@_rule("reshape")
def _(directions, stmt, operands):
    x = directions.spread(operands[0])
    return directions.builder.op("reshape", x, *directions.extents(stmt.args[1:]), stem=stmt.target)


@_rule("expand_dims", "squeeze", "cumsum")
def _(directions, stmt, operands):
    axis = stmt.keywords["axis"]
    axis = tuple(map(directions.shift, axis)) if isinstance(axis, tuple) else directions.shift(axis)
    return directions.builder.op(stmt.op, operands[0].atom, stem=stmt.target, axis=axis)


@_rule("broadcast_to")
def _(directions, stmt, operands):
    x = directions.align(operands[0], len(stmt.args) - 1)
    return directions.builder.op("broadcast_to", x, *directions.extents(stmt.args[1:]),
                                 stem=stmt.target)


@_rule("sum_to")
def _(directions, stmt, operands):
    x, extents = operands[0], stmt.args[1:]
    atom, extra = x.atom, x.ndim - len(extents)
    if directions.first and extra:
        atom = directions.builder.op("sum", atom, stem=stmt.target, axis=tuple(range(1, extra + 1)))
    if directions.first and not extents:
        return atom
    return directions.builder.op("sum_to", atom, *directions.extents(extents), stem=stmt.target)


@_rule("concatenate")
def _(directions, stmt, operands):
    parts = map(directions.spread, operands)
    return directions.builder.op("concatenate", *parts, stem=stmt.target,
                                 axis=directions.shift(stmt.keywords["axis"]))


@_rule("take")
def _(directions, stmt, operands):
    return directions.builder.op("take", operands[0].atom, stmt.args[1], stem=stmt.target,
                                 axis=directions.shift(stmt.keywords["axis"]))


@_rule("tape_grow")
def _(directions, stmt, operands):
    """Grow along the first axis of the tape; a tape is moved only when it grows."""
    builder, tape, needed = directions.builder, operands[0].atom, stmt.args[1]
    if not directions.first:
        return builder.op("tape_grow", tape, needed, stem=stmt.target)
    swap = (1, 0, *range(2, operands[0].ndim + 1))
    grown = builder.op("copy", tape, stem=f"{stmt.target}_grown")
    full = builder.op("greater", needed, builder.size(tape.name, 1), stem="full")
    with builder.nested() as body:
        moved = builder.op("transpose", tape, perm=swap)
        moved = builder.op("tape_grow", moved, needed)
        builder.assign(grown.name, "transpose", moved, perm=swap)
    builder.branch(full, body)
    return grown


@_rule("full")
def _(directions, stmt, operands):
    builder, value, extents = directions.builder, operands[0], stmt.args[1:]
    x = directions.align(value, len(extents))
    return builder.op("broadcast_to", x, *directions.extents(extents), stem=stmt.target)


@_rule("array")
def _(directions, stmt, operands):
    builder, static = directions.builder, stmt.keywords
    shape = static["shape"]
    made = builder.op("zeros", *directions.extents(map(Const, shape)), stem=stmt.target,
                      dtype=static["dtype"])
    for position, operand in enumerate(operands):
        index, rest = [], position
        for axis in range(len(shape)):
            inner = math.prod(shape[axis + 1:])
            index.append(Const(rest // inner))
            rest %= inner
        index.insert(directions.place(len(shape)), ALL)
        builder.store(made.name, index, operand.atom)
    return made


