"""Read what a sample uses more than once into an array of its thread, once.

A warp that reads one element of 32 samples touches 32 lines of memory, because the
samples lie one after another.  An input that a sample reads again and again
(``x[sample, j]`` for each row of ``w @ x``) is read once, into a small local array:
registers, where the loops over it unroll.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from srcdiff.builder import Builder
from srcdiff.kernels.loops import UNKNOWN, trips
from srcdiff.syntax import (
    Array,
    Assign,
    Const,
    For,
    Load,
    Param,
    Stmt,
    Var,
    While,
    atoms_of,
    blocks_of,
    walk,
    with_blocks,
)

__all__ = ["staged"]

STAGED_BYTES = 256                      # 64 registers: a quarter of what a thread can have
AGAIN = 2                               # reads of each element, from which it is read once


def staged(builder: Builder, loop: For, params: Iterable[Param], shared: For | None) -> For:
    """Return a loop over samples that reads each small input once, where it would read it several times.

    Where several threads take the iterations of a `shared` loop, an input of which
    each iteration reads its own elements stays where it is.
    """
    for param in params:
        axis = _axis_of_samples(loop, param)
        if axis is None or shared is not None and _is_divided(shared, param.name):
            continue
        extents = param.extents[:axis] + param.extents[axis + 1:]
        count = math.prod(extents)
        size = count * np.dtype(param.type.dtype).itemsize
        if 0 < size <= STAGED_BYTES and _reads(loop.body, param.name) >= AGAIN * count:
            loop = _with_local(builder, loop, param, axis, extents)
    return loop


def _axis_of_samples(loop: For, param: Param) -> int | None:
    """Return the axis of an input that the loop counts, if it is only read, at one sample, and its other extents are known."""
    axes = set(range(param.type.ndim))
    for stmt in walk(loop.body):
        if isinstance(stmt, Load) and stmt.array == param.name:
            axes &= {k for k, item in enumerate(stmt.index) if item == Var(loop.var)}
        elif Var(param.name) in atoms_of(stmt) and not (isinstance(stmt, Assign) and stmt.op == "size"):
            return None
    known = [None not in param.extents[:k] + param.extents[k + 1:] for k in axes]
    return axes.pop() if len(axes) == 1 and len(param.extents) == param.type.ndim > 1 and all(known) else None


def _is_divided(shared: For, array: str) -> bool:
    """Tell whether the iterations of a loop read different elements of an array."""
    return any(isinstance(s, Load) and s.array == array and Var(shared.var) in s.index for s in walk(shared.body))


def _reads(body: tuple[Stmt, ...], array: str) -> int:
    """Estimate how many elements of an array a block reads."""
    count = 0
    for stmt in body:
        inside = sum(_reads(block, array) for block in blocks_of(stmt))
        times = (trips(stmt) or UNKNOWN) if isinstance(stmt, For) else UNKNOWN if isinstance(stmt, While) else 1
        count += times * inside + (isinstance(stmt, Load) and stmt.array == array)
    return count


def _with_local(builder: Builder, loop: For, param: Param, axis: int, extents: tuple[int, ...]) -> For:
    local = builder.fresh(f"{param.name}_sample", Array(param.type.dtype, len(extents)))
    with builder.nested() as body:
        builder.assign(local, "empty", *map(Const, extents), dtype=param.type.dtype)
        _fill(builder, extents, (), lambda at: builder.store(
            local, at, builder.load(param.name, (*at[:axis], Var(loop.var), *at[axis:]), stem=param.name)))
        builder.append(*(_read_there(s, param.name, axis, local) for s in loop.body))
    return replace(loop, body=tuple(body))


def _fill(builder: Builder, extents, at, store) -> None:
    if not extents:
        store(at)
        return
    with builder.loop(Const(0), Const(extents[0])) as i:
        _fill(builder, extents[1:], (*at, i), store)


def _read_there(stmt: Stmt, array: str, axis: int, local: str) -> Stmt:
    """Return a statement that reads the local array."""
    if isinstance(stmt, Load) and stmt.array == array:
        return replace(stmt, array=local, index=stmt.index[:axis] + stmt.index[axis + 1:])
    return with_blocks(stmt, [tuple(_read_there(s, array, axis, local) for s in block) for block in blocks_of(stmt)])
