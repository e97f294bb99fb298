"""Name the loop variables that lowering made: i, j, k from the outside in.

>>> from srcdiff.notation import read, show
>>> print(show(names(read('''
... def f(n: "weak int64", j: "float64"):
...     t = zeros(n, n, dtype="float64")
...     for i_7 in range(0, n, 1):
...         for i_8 in range(0, n, 1):
...             t[i_7, i_8] = j
...     return t
... '''), frozenset())), end="")
def f(n: "weak int64", j: "float64"):
    t = zeros(n, n, dtype='float64')
    for i in range(0, n, 1):
        for k in range(0, n, 1):
            t[i, k] = j
    return t

Loop variables of the user keep their names, and no two nested loops share one.
"""

from __future__ import annotations

from collections.abc import Mapping

from srcdiff.builder import Builder
from srcdiff.syntax import For, Program, Var, blocks_of, map_atoms, rename, walk, with_blocks

__all__ = ["apart", "names"]

LETTERS = ("i", "j", "k", "l", "m", "p", "q", "r")


def apart(program: Program) -> tuple[Program, dict[str, str]]:
    """Give each loop a variable of its own; returns the old name of each new one."""
    builder, seen, old = Builder(program.types), set(), {}

    def block(body):
        return tuple(one(s) for s in body)

    def one(stmt):
        if isinstance(stmt, For) and stmt.var in seen:
            name = builder.fresh(stmt.var, program.types[stmt.var])
            old[name] = stmt.var
            stmt = For(name, stmt.start, stmt.stop, stmt.step,
                       rename(stmt.body, {stmt.var: name}), stmt.where, stmt.at_once)
        if isinstance(stmt, For):
            seen.add(stmt.var)
        return with_blocks(stmt, [block(b) for b in blocks_of(stmt)]) if blocks_of(stmt) else stmt

    body = block(program.body)
    return program.with_body(body, types=builder.types), old


def names(program: Program, keep: frozenset[str], old: Mapping[str, str] = {}) -> Program:  # noqa: B006
    """Rename the loop variables but those of `keep`; those of `old` back where possible."""
    loops = {s.var for s in walk(program.body) if isinstance(s, For)}
    mine = loops - keep
    taken = (set(program.types) | {p.name for p in program.params}) - mine
    types = {name: t for name, t in program.types.items() if name not in mine}

    def block(body, outer, new):
        return tuple(one(s, outer, new) for s in body)

    def one(stmt, outer, new):
        """Rename what a statement reads; the name of a loop may be the old one of a loop inside."""
        stmt = map_atoms(stmt, lambda a: Var(new.get(a.name, a.name)) if isinstance(a, Var) else a)
        if isinstance(stmt, For):
            name = named(stmt, outer) if stmt.var in mine else stmt.var
            types[name] = program.types[stmt.var]
            outer, new = outer | {name}, new | {stmt.var: name}
            return For(name, stmt.start, stmt.stop, stmt.step, block(stmt.body, outer, new), stmt.where, stmt.at_once)
        return with_blocks(stmt, [block(b, outer, new) for b in blocks_of(stmt)]) if blocks_of(stmt) else stmt

    def named(loop, outer):
        name = old.get(loop.var)
        inner = {s.var for s in walk(loop.body) if isinstance(s, For)}
        return _free(taken, outer) if name is None or name in outer | inner else name

    return program.with_body(block(program.body, frozenset(), {}), types=types)


def _free(taken, outer) -> str:
    count = 1
    while True:
        for letter in LETTERS:
            name = letter if count == 1 else f"{letter}_{count}"
            if name not in taken and name not in outer:
                return name
        count += 1
