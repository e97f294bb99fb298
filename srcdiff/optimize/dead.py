"""Remove statements whose results nobody reads.

>>> from srcdiff.notation import read, show
>>> print(show(dead(read('''
... def f(x: "float64[:]", n: "weak int64"):
...     waste = 0.0
...     s = 1.0
...     s = 0.0
...     for i in range(0, n, 1):
...         t = x[i]
...         waste = add(waste, t)
...         s = add(s, t)
...         t = 0.0
...     return s
... '''))), end="")
def f(x: "float64[:]", n: "weak int64"):
    s = 0.0
    for i in range(0, n, 1):
        t = x[i]
        s = add(s, t)
    return s

What cannot be reached after a `raise` goes too.  A `raise` keeps the conditions
that lead to it.  Nothing else is kept for its side effects: a load out of
bounds whose value is not used, or a loop without an end that computes nothing,
is removed.
"""

from __future__ import annotations

from collections import defaultdict

from srcdiff.analysis.uses import changed, exposed, live_into
from srcdiff.optimize.walking import replace_blocks
from srcdiff.syntax import (
    Assign,
    For,
    If,
    Load,
    Program,
    Raise,
    Store,
    Var,
    While,
    atoms_of,
    blocks_of,
    defined,
    walk,
)

__all__ = ["dead"]


def dead(program: Program) -> Program:
    """Remove statements without a live result, empty blocks, unreachable ends and unused types."""
    live = {a.name for a in program.results if isinstance(a, Var)}
    body = _Sweep(_needed(program)).block(program.body, live)
    if body is program.body:
        return program
    return program.with_body(body, types=used_types(program, body))


def used_types(program: Program, body) -> dict:
    """Return the types of the variables that occur in `body` or at the ends of the program."""
    names = {p.name for p in program.params}
    names.update(a.name for a in program.results if isinstance(a, Var))
    for stmt in walk(body):
        names.update(_reads(stmt))
        names.add(defined(stmt))
    return {name: type_ for name, type_ in program.types.items() if name in names}


def _reads(stmt):
    return [a.name for a in atoms_of(stmt) if isinstance(a, Var)]


# -- variables that matter at all ------------------------------------------------------

def _needed(program) -> set[str]:
    """Return the variables that a result or a `raise` depends on, whatever the order of statements.

    An accumulation that only feeds itself around a loop is not among them,
    though it is read after each assignment.
    """
    makers = defaultdict(list)          # variable -> the statements that change it
    parents, statements, queue = [], [], []

    def enter(body, parent):
        for stmt in body:
            number = len(statements)
            statements.append(stmt)
            parents.append(parent)
            if isinstance(stmt, Raise):
                queue.append(number)
            elif name := defined(stmt):
                makers[name].append(number)
            for block in blocks_of(stmt):
                enter(block, number)

    enter(program.body, None)
    needed, seen = set(), set()

    def need(names):
        for name in names:
            if name not in needed:
                needed.add(name)
                queue.extend(makers[name])

    need(a.name for a in program.results if isinstance(a, Var))
    while queue:
        number = queue.pop()
        while number is not None and number not in seen:
            seen.add(number)
            need(_reads(statements[number]))
            number = parents[number]
    return needed


# -- values that are read before they are overwritten --------------------------------------

class _Sweep:
    """Walk backwards with the live variables, dropping what assigns others."""

    def __init__(self, needed: set[str]):
        self.needed = needed

    def block(self, body, live: set[str]) -> tuple:
        """Return what is left of `body`; `live` goes from after the block to before it."""
        kept = []
        for stmt in reversed(body):
            if isinstance(stmt, Raise):
                kept.clear()
                live.clear()
            elif (stmt := self.stmt(stmt, live)) is None:
                continue
            kept.append(stmt)
        kept.reverse()
        same = len(kept) == len(body) and all(a is b for a, b in zip(kept, body, strict=True))
        return body if same else tuple(kept)

    def stmt(self, stmt, live):
        match stmt:
            case Assign(target=name) | Load(target=name) | Store(array=name):
                if name not in live or name not in self.needed or _idle(stmt):
                    return None
                if not isinstance(stmt, Store):
                    live.discard(name)
            case If():
                stmt = self.branch(stmt, live)
            case For():
                stmt = self.loop(stmt, live)
            case While():
                stmt = self.repeat(stmt, live)
        if stmt is not None:
            live.update(_reads(stmt))
        return stmt

    def branch(self, stmt, live):
        other = set(live)
        blocks = self.block(stmt.then, live), self.block(stmt.orelse, other)
        live |= other
        return replace_blocks(stmt, blocks) if any(blocks) else None

    def loop(self, stmt, live):
        inside = live | exposed(stmt.body)
        body = self.block(stmt.body, inside)
        live |= inside - {stmt.var}
        return replace_blocks(stmt, (body,)) if body else None

    def repeat(self, stmt, live):
        inner = (stmt.test, stmt.body)
        if self.needed.isdisjoint(changed(*inner)) and not any(
                isinstance(s, Raise) for block in inner for s in walk(block)):
            return None
        condition = set(_reads(stmt))
        inside = live_into(stmt.test, live | condition | exposed(stmt.body))
        body = self.block(stmt.body, inside)
        live |= condition | inside
        return replace_blocks(stmt, (self.block(stmt.test, live), body))


def _idle(stmt) -> bool:
    """Tell whether a statement copies a variable to itself."""
    return isinstance(stmt, Assign) and stmt.op == "copy" and stmt.args == (Var(stmt.target),)
