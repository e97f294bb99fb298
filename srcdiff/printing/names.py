"""Names that a person would choose for what the compiler made.

The user's variables keep their names, and so do the parameters.  Everything
else gets the shortest free name with its stem (`srcdiff.printing.stems`):
variables whose lives do not meet may share a name.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import gast

from srcdiff.printing.stems import MADE, stems, users_words
from srcdiff.syntax import Program, Var

__all__ = ["compact"]


@dataclass
class _Life:
    """Where a variable occurs in the printed function.

    Attributes
    ----------
    block
        The path of the innermost block around all of it: the numbers of the blocks from the outside in.
    first, last
        The place of the first and of the last occurrence: the position in each block of the path to it.
    fixed
        Set in that block before all else, so that no run of the block sees a value of the run before.
    """

    block: tuple[int, ...]
    first: tuple[int, ...]
    last: tuple[int, ...]
    fixed: bool = False

    def path(self) -> tuple[int, ...]:
        return self.block if self.fixed else ()


ALWAYS = _Life((), (-1,), (sys.maxsize,))


def meet(a: _Life, b: _Life) -> bool:
    """Tell whether two variables must, or had better, have different names.

    Those of one block had better; besides, a life that has ended before the
    other begins is out of the way.
    """
    ours, theirs = a.path(), b.path()
    common = next((i for i, (x, y) in enumerate(zip(ours, theirs, strict=False)) if x != y),
                  min(len(ours), len(theirs)))
    if len(ours) > common and len(theirs) > common:
        return False                    # in two blocks beside each other
    if ours == theirs:
        return True
    return a.first[common] <= b.last[common] and b.first[common] <= a.last[common]


def compact(program: Program, body: list, reserved: frozenset[str]) -> dict[str, str]:
    """Return the final name of each variable of the printed statements `body`.

    Variables of one type whose lives do not `meet` may share a name.  `reserved` are names that mean something else in the module.
    """
    loops = loops_apart(body)
    wanted, words, lives = stems(program), users_words(program), _Lives(body).found
    types = {**program.types, **{loop: program.types[var] for loop, var in loops.items()}}
    wanted |= {loop: wanted[var] for loop, var in loops.items()}
    for loop, var in loops.items():
        if var == "_" and lives[loop].first != lives[loop].last:
            wanted[loop] = "trip"       # it is not only there to be ignored
    names = _unique_params(program, wanted, words, reserved)
    holders: dict[str, list[tuple]] = {new: [(ALWAYS, types[old])] for old, new in names.items()}
    for name, life in lives.items():
        if name in words and name in types and name not in reserved and name not in holders:
            names[name] = name
            holders[name] = [(life, types[name])]
    returned = [a.name for a in program.results if isinstance(a, Var) and a.name in lives]
    for name in dict.fromkeys([*returned, *lives]):
        if name in names or name not in types:
            continue
        life = lives[name]
        type_ = types[name]
        for candidate in _candidates(wanted[name]):
            if candidate not in reserved and all(
                    kind == type_ and not meet(life, other) for other, kind in holders.get(candidate, ())):
                break
        names[name] = candidate
        holders.setdefault(candidate, []).append((life, type_))
    return names


def loops_apart(body: list) -> dict[str, str]:
    """Give each loop of a list of statements a variable of its own, in place; return what it was called."""
    found = {}
    for stmt in body:
        if isinstance(stmt, gast.For):
            name = stmt.target.id
            found |= loops_apart(stmt.body)
            own = f"{name}@{stmt.lineno}"
            found[own] = name
            for node in gast.walk(stmt):
                if isinstance(node, gast.Name) and node.id == name:
                    node.id = own
        elif isinstance(stmt, gast.If | gast.While):
            found |= loops_apart(stmt.body) | loops_apart(stmt.orelse)
    return found


def _unique_params(program, wanted, words, reserved):
    """Keep the names of parameters, but those that only the compiler knows."""
    generated = [p.name for p in program.params if MADE.match(p.name)]
    names = {p.name: p.name for p in program.params if p.name not in generated}
    for name in names:
        if name in reserved:
            names[name] = next(c for c in _candidates(name) if c not in reserved and c not in names)
    for name in generated:
        taken = {*names.values(), *reserved, *(words - {wanted[name]})}
        names[name] = next(c for c in _candidates(wanted[name]) if c not in taken)
    return names


def _candidates(stem):
    yield stem
    count = 2
    while True:
        yield f"{stem}_{count}"
        count += 1


class _Lives:
    """Find the life of each name of a list of statements."""

    def __init__(self, body: list):
        self.found: dict[str, _Life] = {}
        self.blocks = 0
        self._block(body, (), ())

    def _block(self, body, path, place):
        for position, stmt in enumerate(body):
            self._statement(stmt, path, (*place, position))

    def _inner(self, path):
        self.blocks += 1
        return (*path, self.blocks)

    def _statement(self, stmt, path, place):
        match stmt:
            case gast.For(target=target, iter=bounds, body=body):
                self._expression(bounds, path, place)
                inner = self._inner(path)
                self._occurs(target.id, inner, (*place, -1), True)
                self._block(body, inner, place)
            case gast.If(test=test, body=body, orelse=orelse):
                self._expression(test, path, place)
                self._block(body, self._inner(path), place)
                self._block(orelse, self._inner(path), place)
            case gast.While(test=test, body=body):
                self._expression(test, path, place)
                self._block(body, self._inner(path), place)
            case gast.Assign(targets=[gast.Name(id=name)], value=value):
                self._expression(value, path, place)
                self._occurs(name, path, place, True)
            case _:
                self._expression(stmt, path, place)

    def _expression(self, node, path, place):
        if node is not None:
            for inner in gast.walk(node):
                if isinstance(inner, gast.Name):
                    self._occurs(inner.id, path, place, False)

    def _occurs(self, name, path, place, sets):
        life = self.found.get(name)
        if life is None:
            self.found[name] = _Life(path, place, place, sets)
            return
        life.last = place
        common = 0
        for a, b in zip(life.block, path, strict=False):
            if a != b:
                break
            common += 1
        if common < len(life.block):            # what set it first stands deeper than all of its life
            life.block, life.fixed = life.block[:common], False
