"""Linear algebra of small matrices in a thread: functions in Python in place of LAPACK.

An operation such as ``x = solve(a, b)`` is replaced by the statements of a Python function
(`kernels/factors.py`, `kernels/spectra.py`), translated for the types of its operands.  Where
LAPACK would refuse a matrix (singular, not positive definite) the results are
infinite or nan.

>>> from srcdiff.notation import read, run
>>> import numpy as np
>>> program = read('''
... def f(a: "float64[:,:]", b: "float64[:]"):
...     x = solve(a, b)
...     return x
... ''')
>>> a, b = np.array([[0.0, 2.0], [4.0, 1.0]]), np.array([2.0, 5.0])
>>> run(with_algebra(program), a, b)
array([1., 1.])
"""

from __future__ import annotations

import functools
from dataclasses import replace

from srcdiff.builder import Builder
from srcdiff.frontend import specialise
from srcdiff.kernels import factors, spectra
from srcdiff.syntax import Assign, Const, Program, Stmt, Type, Var, blocks_of, rename, with_blocks

__all__ = ["ALGEBRA", "with_algebra"]


ALGEBRA = {function.__name__: function for function in (*factors.FUNCTIONS, *spectra.FUNCTIONS)}


def with_algebra(program: Program) -> Program:
    """Return the program with functions in Python in place of operations on matrices."""
    builder = Builder(program.types)
    body = _block(builder, program.body)
    return replace(program, body=body, types=builder.types)


def _block(builder: Builder, body) -> tuple[Stmt, ...]:
    with builder.nested() as block:
        for stmt in body:
            if isinstance(stmt, Assign) and _is_here(builder, stmt):
                _expand(builder, stmt)
            else:
                builder.append(with_blocks(stmt, [_block(builder, inner) for inner in blocks_of(stmt)]))
    return tuple(block)


def _is_here(builder: Builder, stmt: Assign) -> bool:
    """Tell whether a function in Python does what a statement says; most are for real matrices."""
    if "complex" in builder.type_of(stmt.args[0]).dtype if stmt.args else False:
        return stmt.op in ("solve", "inv", "det")
    return stmt.op in ALGEBRA or stmt.op == "solve"


def _expand(builder: Builder, stmt: Assign) -> None:
    types = tuple(builder.type_of(a) for a in stmt.args)
    program = _translated(stmt.op, types)
    names = {p.name: a.name for p, a in zip(program.params, stmt.args, strict=True)}
    names |= {name: builder.fresh(name, type_) for name, type_ in program.types.items() if name not in names}
    for one in rename(program.body, names):
        builder.append(_at(one, stmt.where))
    (result,) = program.results
    atom = result if isinstance(result, Const) else Var(names[result.name])
    builder.append(replace(stmt, op="copy", args=(atom,), static=()))


def _at(stmt: Stmt, where) -> Stmt:
    return with_blocks(replace(stmt, where=where), [tuple(_at(s, where) for s in b) for b in blocks_of(stmt)])


@functools.cache
def _translated(op: str, types: tuple[Type, ...]) -> Program:
    if op == "solve":
        function = factors.solve_vector if types[1].ndim == 1 else factors.solve_matrix
    else:
        function = ALGEBRA[op]
    return specialise(function, types, {}).program
