"""A function that kernels of the user's call: one thread, local arrays only, nothing allocated."""

from __future__ import annotations

from dataclasses import replace

from srcdiff.batches import without_reserved
from srcdiff.builder import INT, Builder
from srcdiff.errors import Problem, UnsupportedError
from srcdiff.kernels.counting import with_whiles
from srcdiff.kernels.kernel import WORDS, require_device_code, require_known, without_unread
from srcdiff.kernels.memory import Memory
from srcdiff.lower import lower
from srcdiff.optimize import optimize
from srcdiff.syntax import Param, Program, Var, rename

__all__ = ["device_function"]


def device_function(program: Program, out: str | None) -> Program:
    """Return an unlowered program as one that a thread can call: local arrays only.

    Parameters
    ----------
    out
        The name of a further parameter, for a result that is an array.

    Raises
    ------
    UnsupportedError
        An array has extents that are known only at run time, or would have to be returned.
    """
    require_device_code(program)
    program = lower(optimize(without_reserved(program, WORDS | {out or ""})), device=True)
    require_known(program)
    arrays = {a.name for a in program.results if isinstance(a, Var) and program.types[a.name].ndim}
    _require_out(program, arrays, out)
    builder = Builder(program.types)
    params = program.params
    if out:
        (name,) = arrays
        body = rename(program.body, {name: out})
        types = {out if n == name else n: t for n, t in program.types.items()}
        program = replace(program, body=body, types=types, results=(Var(out),))
        params = (*params, Param(out, types[out]))
        builder = Builder(types)
    memory = Memory(replace(program, types=builder.types), builder.fresh("thread", INT), frozenset({out} - {None}))
    if memory.columns:
        raise UnsupportedError(Problem(
            "SD0352", f"{program.name} cannot be called in a kernel: the extents of {', '.join(memory.columns)} "
            "are known only at run time", why="a thread cannot allocate",
            fix='map over the samples: sd.vmap(..., target="cuda")'))
    memory.declare()
    for stmt in program.body:
        memory.statement(stmt)
    b = memory.builder
    body = without_unread(b.take(), program.results)
    return with_whiles(replace(program, params=params, body=body, types=b.types))


def _require_out(program: Program, arrays: set[str], out: str | None) -> None:
    if bool(arrays) != bool(out) or len(arrays) > 1 or out and len(program.results) > 1:
        raise UnsupportedError(Problem(
            "SD0353", f"{program.name} is called in a kernel " + ("with out=, but gives no array" if out else
                                                                "and gives an array"),
            why="a thread cannot return an array",
            fix="pass the array to write into: out=...; results must be one array, or numbers"))
