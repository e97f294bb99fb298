"""Move what is cheap from before the loop over samples into it: each thread computes it where it is read.

What stands before the loop is computed by a kernel of one thread, a launch of its
own, and read from memory.  A small constant array, a transposed argument or the
negative of one are better read and turned as they are needed.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(w: "float64[:]", x: "float64[:,:]"):
...     n = size(x, axis=0)
...     y = empty(n, 3, dtype='float64')
...     t = negative(w)
...     e = exp(w)
...     for sample in range(0, n, 1):
...         u = x[sample, ::]
...         v = multiply(u, t)
...         s = add(v, e)
...         y[sample, ::] = s
...     return y
... ''')
>>> print(show(with_cheap(program)), end="")
def f(w: "float64[:]", x: "float64[:,:]"):
    n = size(x, axis=0)
    y = empty(n, 3, dtype='float64')
    e = exp(w)
    for sample in range(0, n, 1):
        t = negative(w)
        u = x[sample, ::]
        v = multiply(u, t)
        s = add(v, e)
        y[sample, ::] = s
    return y
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from srcdiff.analysis.shapes import Shapes
from srcdiff.kernels.kernel import names_of
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Assign, Const, For, Load, Program, Stmt, atoms_of, defined, walk

__all__ = ["with_cheap", "with_small_constants"]

SMALL = 64                              # elements of a constant array that each thread makes for itself
CHEAP = frozenset({"add", "subtract", "multiply", "negative", "cast", "weaken", "copy", "transpose", "expand_dims", "squeeze"})


def with_small_constants(program: Program) -> Program:
    """Return a batch whose threads make small constant arrays for themselves, in registers."""
    return _sunk(program, lambda s: _is_small_constant(program, s))


def with_cheap(program: Program) -> Program:
    """Return a batch whose threads compute for themselves what is cheap; the same program where nothing is.

    Each element is computed as often as it is read: a gain where `lower` makes no array of it.
    """
    return _sunk(program, lambda s: _is_cheap(s) or _is_small_constant(program, s))


def _is_cheap(stmt: Stmt) -> bool:
    """Tell whether a result is not dearer than reading it from memory."""
    if isinstance(stmt, Load):
        return all(isinstance(item, Const) for item in stmt.index)
    return isinstance(stmt, Assign) and stmt.op in CHEAP


def _is_small_constant(program: Program, stmt: Stmt) -> bool:
    if not isinstance(stmt, Assign) or PRIMITIVES[stmt.op].kind != "creation":
        return False
    count = 1
    for extent in Shapes(program).extents(stmt.target):
        if extent is None or extent.terms:
            return False
        count *= extent.constant
    return count <= SMALL and all(isinstance(a, Const) for a in stmt.args)


def _sunk(program: Program, wanted: Callable[[Stmt], bool]) -> Program:
    *front, loop = program.body or (None,)
    if not isinstance(loop, For):
        return program
    changes = [defined(s) for s in walk(front)]
    moving: list[Stmt] = []
    for stmt in reversed(front):                # a statement may move where all that read it do
        staying = [s for s in walk(front) if not any(s is one for one in moving)]
        name = defined(stmt)
        if wanted(stmt) and changes.count(name) == 1 and name not in names_of(program.results) and not any(
                name in names_of(atoms_of(s)) for s in staying if s is not stmt):
            moving.insert(0, stmt)
    if not moving:
        return program
    rest = tuple(s for s in front if not any(s is one for one in moving))
    return replace(program, body=(*rest, replace(loop, body=(*moving, *loop.body))))
