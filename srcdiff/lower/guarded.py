"""Add what only a branch gives in the branch itself.

>>> from srcdiff.notation import read, show
>>> print(show(guarded(read('''
... def f(x: "float64[:]", y: "float64[:]", n: "weak int64", taken: "bool[:]"):
...     a = zeros(n, dtype="float64")
...     b = zeros(n, dtype="float64")
...     for i in range(0, n, 1):
...         c = taken[i]
...         t = 0.0
...         if c:
...             t = a[i]
...             a[i] = 0.0
...         b[0] += t
...     return a, b
... '''))), end="")
def f(x: "float64[:]", y: "float64[:]", n: "weak int64", taken: "bool[:]"):
    a = zeros(n, dtype='float64')
    b = zeros(n, dtype='float64')
    for i in range(0, n, 1):
        c = taken[i]
        if c:
            t = a[i]
            a[i] = 0.0
            b[0] += t
    return a, b

To add 0 takes as long as to add any number, and the next iteration may have to
wait for it.  A branch that stores nothing is left alone, because it becomes a
selection, of several elements at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from srcdiff.optimize.dead import dead
from srcdiff.syntax import (
    Assign,
    Const,
    If,
    Program,
    Store,
    Var,
    blocks_of,
    index_atoms,
    mentions,
    walk,
    with_blocks,
)

__all__ = ["guarded"]


def guarded(program: Program) -> Program:
    """Move sums of a number that is 0 where a branch is not taken into that branch."""
    total = mentions(program.body)
    total.update(a.name for a in program.results if isinstance(a, Var))
    body = _block(program.body, total)
    return program if body == program.body else dead(program.with_body(body))


def _block(body, total: Counter) -> tuple:
    out: list = []
    for stmt in body:
        if blocks_of(stmt):
            stmt = with_blocks(stmt, [_block(b, total) for b in blocks_of(stmt)])
        out.append(stmt)
    for at in reversed(range(len(out))):
        end = _end(out, at, total) if isinstance(out[at], If) else at + 1
        if end > at + 1:
            out[at:end] = [replace(out[at], then=(*out[at].then, *out[at + 1:end]))]
    return tuple(out)


def _end(body, at: int, total: Counter) -> int:
    """Return where the sums that may move into the branch ``body[at]`` end; they follow it."""
    branch, end = body[at], at + 1
    if branch.orelse or not any(isinstance(s, Store) for s in branch.then):
        return end
    set_to_zero = {s.target for s in body[:at] if isinstance(s, Assign) and s.op == "copy" and s.args == (Const(0.0),)}
    while end < len(body) and _is_sum(body[end]) and body[end].value.name in set_to_zero:
        end += 1
    names = {s.value.name for s in body[at + 1:end]}
    here = mentions(body[at:end])
    is_private = all(total[name] == here[name] + 1 for name in names)        # and where it is set to 0
    return end if is_private and all(_is_assigned(name, branch.then) for name in names) else at + 1


def _is_sum(stmt) -> bool:
    """Tell whether a statement adds a variable to an element, chosen by others."""
    return isinstance(stmt, Store) and stmt.accumulate and isinstance(stmt.value, Var) \
        and stmt.value not in index_atoms(stmt.index)


def _is_assigned(name: str, body) -> bool:
    return any(getattr(s, "target", None) == name for s in walk(body))
