"""Results of a batch whose extents are known by now are allocated before its loop, and not by its first sample.

What a matrix factorisation or a function in Python gives has extents that only a
sample tells, until the extents of the arguments are put in.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:,:]"):
...     n = size(x, axis=0)
...     y = empty(n, 0, dtype='float64')
...     for sample in range(0, n, 1):
...         t = x[sample, ::]
...         first = equal(sample, 0)
...         if first:
...             y = empty(n, 3, dtype='float64')
...         else:
...             m = size(y, axis=1)
...             differs = not_equal(3, m)
...             if differs:
...                 raise ValueError('[SD0333] samples give results of different shapes')
...         y[sample, ::] = t
...     return y
... ''')
>>> print(show(allocated(program)), end="")
def f(x: "float64[:,:]"):
    n = size(x, axis=0)
    y = empty(n, 3, dtype='float64')
    for sample in range(0, n, 1):
        t = x[sample, ::]
        first = equal(sample, 0)
        y[sample, ::] = t
    return y
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.syntax import Assign, Const, For, If, Program, Raise, Stmt, Var, defined, walk

__all__ = ["allocated"]

DIFFERENT, NO_SAMPLES = "[SD0333]", "[SD0332]"          # what `srcdiff.samples` raises where a sample tells the extents


def allocated(program: Program) -> Program:
    """Return the program of a batch with the results of known extents allocated before the loop over samples."""
    *front, loop = program.body or (None,)
    if not isinstance(loop, For):
        return program
    changes = {defined(s) for s in walk(loop.body)} | {loop.var}
    choices = [s for s in loop.body if _is_choice(s)]
    known = {s.then[0].target: s.then[0] for s in choices
             if all(isinstance(a, Const) or a.name not in changes for a in s.then[0].args)}
    if not known:
        return program
    front = [known.get(s.target, s) if isinstance(s, Assign) else s for s in front
             if not (len(known) == len(choices) and _raises_only(s, NO_SAMPLES))]
    body = tuple(s for s in loop.body if not (_is_choice(s) and s.then[0].target in known))
    return replace(program, body=(*front, replace(loop, body=body)))


def _is_choice(stmt: Stmt) -> bool:
    """Tell whether the first sample allocates here, and the others compare their extents."""
    match stmt:
        case If(condition=Var(), then=(Assign(op="empty"),), orelse=orelse) if orelse:
            return all(_raises_only(s, DIFFERENT) if isinstance(s, If) else
                       isinstance(s, Assign) and s.op in ("size", "not_equal") for s in orelse)
    return False


def _raises_only(stmt: Stmt, code: str) -> bool:
    match stmt:
        case If(then=(Raise(message=message),), orelse=()):
            return message.startswith(code)
    return False
