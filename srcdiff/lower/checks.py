"""Compare extents before the loops: a check that no iteration changes, of the version that stretches no axis.

>>> from srcdiff.notation import read, show
>>> print(show(checks(read('''
... def f(x: "float64[:]", y: "float64[:]", steps: "weak int64"):
...     n = size(x, axis=0)
...     a = zeros(n, dtype='float64')
...     for i in range(0, steps, 1):
...         m = size(y, axis=0)
...         wrong = not_equal(n, m)
...         if wrong:
...             raise ValueError('[SD0340] axes of different lengths')
...         a[0] += 1.0
...     return a
... '''))), end="")
def f(x: "float64[:]", y: "float64[:]", steps: "weak int64"):
    n = size(x, axis=0)
    a = zeros(n, dtype='float64')
    m = size(y, axis=0)
    wrong = not_equal(n, m)
    if wrong:
        raise ValueError('[SD0340] axes of different lengths')
    for i in range(0, steps, 1):
        a[0] += 1.0
    return a

Checks behind a loop go in front of it, too.  Who calls that version turns to the
general one where it raises, so that it may raise early, and where a loop does
not run at all.  What it has established holds in all loops that follow, which
can then be joined.
"""

from __future__ import annotations

from srcdiff.lower.extents import definitions
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import (
    Assign,
    For,
    If,
    Program,
    Raise,
    Scalar,
    Store,
    Var,
    While,
    atoms_of,
    blocks_of,
    defined,
    walk,
    with_blocks,
)

__all__ = ["checks"]

UNSAFE = ("floor_divide", "remainder", "fmod", "power", "divide")
CODE = "[SD0340]"
SEEDS = "[SD0310]"                      # a tangent or cotangent of another shape: an error that users see


def checks(program: Program) -> Program:
    """Return `program` with the comparisons of extents that are the same in all iterations before the loops."""
    if not any(_is_check(s) for s in walk(program.body)):
        return program
    return program.with_body(_Mover(program).block(program.body))


def _is_check(stmt, code=CODE) -> bool:
    return isinstance(stmt, If) and not stmt.orelse and len(stmt.then) == 1 \
        and isinstance(stmt.then[0], Raise) and stmt.then[0].message.startswith(code)


class _Mover:
    def __init__(self, program: Program):
        self.types, self.counts = program.types, definitions(program)

    def block(self, body) -> tuple:
        out: list = []
        for stmt in body:
            if blocks_of(stmt):
                stmt = with_blocks(stmt, [self.block(b) for b in blocks_of(stmt)])
            out += self.taken_apart(stmt) if isinstance(stmt, For) else [stmt]
        return tuple(self.early(out))

    def early(self, body: list) -> list:
        """Return a block with its checks before its first loop, where what they read is known there."""
        at = next((k for k, s in enumerate(body) if isinstance(s, For | While)), len(body))
        if not any(map(_is_check, body[at:])):      # the version that stretches axes stays as it is
            return body
        front, rest = self.in_front(body[at:], set(), into=True)
        return [*body[:at], *front, *rest]

    def taken_apart(self, loop: For) -> list:
        """Return the checks of a loop, what they read, and the loop without them."""
        changed = {defined(s) for s in walk((loop,)) if not isinstance(s, Store)}
        front, rest = self.in_front(loop.body, changed)
        return [*front, with_blocks(loop, [tuple(rest)])]

    def in_front(self, body, changed: set, into: bool = False) -> tuple[list, list]:
        """Divide a block: the checks that read nothing of `changed`, with what they need, and all else.

        With `into`, what other statements of the block set is changed from there on.
        """
        found: list = []
        late = False
        for stmt in body:
            if not (late and isinstance(stmt, If)) and self.moves(stmt, changed):
                found.append(stmt)
                changed.discard(getattr(stmt, "target", None))
            elif into:
                changed.update(defined(s) for s in walk((stmt,)) if not isinstance(s, Store))
                late = late or _is_check(stmt, SEEDS)       # what follows is of arrays that are as this one says
        wanted, front = set(), []
        for stmt in reversed(found):
            if isinstance(stmt, If) or stmt.target in wanted:
                front.append(stmt)
                wanted.update(a.name for a in atoms_of(stmt) if isinstance(a, Var))
        gone = set(map(id, front))
        return front[::-1], [s for s in body if id(s) not in gone]

    def moves(self, stmt, changed: set[str]) -> bool:
        """Tell whether a statement is a check or computes an integer, from what the loop does not change."""
        if any(isinstance(a, Var) and a.name in changed for a in atoms_of(stmt)):
            return False
        if _is_check(stmt):
            return True
        return isinstance(stmt, Assign) and self.counts[stmt.target] == 1 \
            and isinstance(self.types[stmt.target], Scalar) and self.types[stmt.target].dtype in ("int64", "bool") \
            and PRIMITIVES[stmt.op].kind in ("elementwise", "extent") and stmt.op not in UNSAFE \
            and (stmt.op == "size" or all(not isinstance(a, Var) or self.types[a.name].ndim == 0 for a in stmt.args))
