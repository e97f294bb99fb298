"""Functions that users gave a rule to, in a thread: their Python stands where the host would call them.

The value of such a function is translated as any other helper is, for the types of
its operands; its derivative has come from its rule before.  What the front end
does not understand (a function of SciPy) stays a call, which threads refuse.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import replace
from types import FunctionType

from srcdiff import custom
from srcdiff.analysis.shapes import Shapes
from srcdiff.builder import Builder
from srcdiff.errors import SrcdiffError
from srcdiff.frontend import specialise
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Assign, Const, Program, Scalar, Var, blocks_of, rename, walk, with_blocks

__all__ = ["with_own_functions"]

_ZERO = Const(0)


def with_own_functions(program: Program) -> Program:
    """Return the program with the statements of such functions in place of their calls."""
    builder, shapes = Builder(program.types), Shapes(program)
    body = _block(builder, shapes, program.body)
    return replace(program, body=body, types=builder.types)


def _block(builder: Builder, shapes: Shapes, body) -> tuple:
    with builder.nested() as block:
        for stmt in body:
            with builder.at(stmt.where):
                if not (isinstance(stmt, Assign) and PRIMITIVES[stmt.op].opaque and _expand(builder, shapes, stmt)):
                    builder.append(with_blocks(stmt, [_block(builder, shapes, inner) for inner in blocks_of(stmt)]))
    return tuple(block)


def _expand(builder: Builder, shapes: Shapes, stmt: Assign) -> bool:
    """Write the statements of one call, of each element where it is of arrays; tell whether that is possible."""
    translated = _translated(stmt.op, tuple(Scalar(builder.type_of(a).dtype) for a in stmt.args))
    arrays = [a.name for a in stmt.args if builder.type_of(a).ndim]
    if translated is None or len({shapes.extents(name) for name in arrays}) > 1:
        return False
    type_ = builder.types[stmt.target]
    if not type_.ndim:
        builder.assign(stmt.target, "cast", _inlined(builder, translated, stmt.args), dtype=type_.dtype)
        return True
    extents = builder.extents(arrays[0])
    made = builder.op("empty", *extents, stem=stmt.target, dtype=type_.dtype)
    _each(builder, extents, (), lambda at: builder.store(made.name, at, builder.op("cast", _inlined(
        builder, translated, [builder.load(a.name, at) if a in map(Var, arrays) else a for a in stmt.args]),
        dtype=type_.dtype)))
    builder.copy(stmt.target, made)
    return True


def _each(builder: Builder, extents, at, write) -> None:
    if not extents:
        write(at)
        return
    with builder.loop(_ZERO, extents[0]) as i:
        _each(builder, extents[1:], (*at, i), write)


def _inlined(builder: Builder, translated: Program, args):
    """Write the body of a function for these operands; return its value."""
    names = {name: builder.fresh(name, type_) for name, type_ in translated.types.items()}
    for param, arg in zip(translated.params, args, strict=True):
        builder.copy(names[param.name], arg)
    for stmt in rename(translated.body, names):
        builder.append(replace(stmt, where=builder.where))
    (result,) = translated.results
    return Var(names[result.name]) if isinstance(result, Var) else result


@functools.lru_cache(maxsize=256)
def _translated(op: str, types: tuple[Scalar, ...]) -> Program | None:
    """Return the program of a function; None where it is no Python, reads values from outside, or calls such functions."""
    function = getattr(custom.bound(op), "py_func", custom.bound(op))
    if not inspect.isfunction(function):
        return None
    # A copy has no rule: the front end translates it as any other function.
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__,
                        function.__closure__)
    try:
        found = specialise(copy, types, {})
    except SrcdiffError:
        return None
    program = found.program
    alone = not found.assumed and len(program.params) == len(types) and len(program.results) == 1 and not any(
        isinstance(s, Assign) and PRIMITIVES[s.op].opaque for s in walk(program.body))
    return program if alone and not program.type_of(program.results[0]).ndim else None
