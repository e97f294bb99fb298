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

from srcdiff.analysis.uses import changed
from srcdiff.builder import Builder
from srcdiff.frontend import specialise
from srcdiff.kernels import factors, spectra
from srcdiff.syntax import Assign, Atom, Const, Program, Stmt, Type, Var, blocks_of, rename, with_blocks

__all__ = ["SYSTEMS", "with_algebra"]

SYSTEMS = {**factors.SYSTEMS, **spectra.SYSTEMS}


def with_algebra(program: Program) -> Program:
    """Return the program with functions in Python in place of operations on matrices."""
    writer = _Algebra(Builder(program.types))
    body = writer.block(program.body, {})
    return replace(program, body=body, types=writer.builder.types)


class _Algebra:
    """Writes a program with the statements of functions in place of operations.

    A function that gives several operations (eigenvalues and eigenvectors) is computed
    once for as long as its arguments keep their values: `known` holds its results.
    """

    def __init__(self, builder: Builder):
        self.builder = builder

    def block(self, body, known: dict[tuple, tuple[Atom, ...]]) -> tuple[Stmt, ...]:
        """Return a block rewritten; `known` is what has been computed before it, and is brought up to date."""
        with self.builder.nested() as block:
            for stmt in body:
                if isinstance(stmt, Assign) and self._is_here(stmt):
                    self._expand(stmt, known)
                    continue
                _forget(known, changed((stmt,)))
                self.builder.append(with_blocks(stmt, [self.block(inner, dict(known)) for inner in blocks_of(stmt)]))
        return tuple(block)

    def _is_here(self, stmt: Assign) -> bool:
        """Tell whether a function in Python does what a statement says; most are for real matrices."""
        if "complex" in self.builder.type_of(stmt.args[0]).dtype if stmt.args else False:
            return stmt.op in ("solve", "inv", "det")
        return stmt.op in SYSTEMS or stmt.op == "solve"

    def _expand(self, stmt: Assign, known) -> None:
        types = tuple(map(self.builder.type_of, stmt.args))
        function, position = _system(stmt.op, types)
        key = function, stmt.args
        if key not in known:
            known[key] = self._computed(_translated(function, types), stmt)
        self.builder.append(replace(stmt, op="copy", args=(known[key][position],), static=()))
        _forget(known, (stmt.target,))

    def _computed(self, program: Program, stmt: Assign) -> tuple[Atom, ...]:
        """Write the statements of a function; return its results."""
        names = {p.name: a.name for p, a in zip(program.params, stmt.args, strict=True)}
        names |= {name: self.builder.fresh(name, type_) for name, type_ in program.types.items() if name not in names}
        for one in rename(program.body, names):
            self.builder.append(_at(one, stmt.where))
        return tuple(a if isinstance(a, Const) else Var(names[a.name]) for a in program.results)


def _forget(known: dict, names) -> None:
    for key in [key for key in known if any(Var(name) in key[1] for name in names)]:
        del known[key]


def _at(stmt: Stmt, where) -> Stmt:
    return with_blocks(replace(stmt, where=where), [tuple(_at(s, where) for s in b) for b in blocks_of(stmt)])


def _system(op: str, types: tuple[Type, ...]):
    """Return the function that gives an operation, and as which of its results."""
    if op == "solve":
        return factors.solve_vector if types[1].ndim == 1 else factors.solve_matrix, 0
    return SYSTEMS[op]


@functools.cache
def _translated(function, types: tuple[Type, ...]) -> Program:
    return specialise(function, types, {}).program
