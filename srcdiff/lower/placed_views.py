"""Where the views of `srcdiff.lower.ravel` are made: in the block of their array, where it is first used through them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace

from srcdiff.builder import Builder
from srcdiff.lower.views import multiply
from srcdiff.syntax import (
    Assign,
    Atom,
    Const,
    Load,
    Program,
    Stmt,
    Store,
    Var,
    blocks_of,
    mentions,
    walk,
    with_blocks,
)

__all__ = ["MADE", "PlacedViews"]

MADE = ("empty", "zeros", "full")       # in C order


class PlacedViews:
    """Makes the views where they are first used, in the block that their array is made in.

    An array that is used through one view only is made with these axes, and needs none.

    Attributes
    ----------
    views
        The array, and how many of its last axes are one, of each view that has no place yet.
    new
        The names of the arrays that take the place of views.
    """

    def __init__(self, program: Program, builder: Builder, once: set[str], views: Mapping[tuple[str, int, int], str], body):
        self.builder, self.once = builder, once
        self.views = {name: key for key, name in views.items()}
        used = mentions(body)
        used.update(a.name for a in program.results if isinstance(a, Var))
        self.alone = {array: name for name, (array, *_) in self.views.items() if used[array] == 1
                      and sum(array == other for other, *_ in views) == 1}
        self.new: dict[str, str] = {}                   # names of arrays in place of those of views
        self.made: dict[str, Assign] = {}
        self.sizes: dict[tuple, Var] = {}

    def block(self, body, arrays: set[str]) -> tuple[Stmt, ...]:
        """Return a block that makes `arrays`, and those of its own statements, with their views."""
        sizes = dict(self.sizes)
        with self.builder.nested() as out:
            arrays = set(arrays)
            for stmt in body:
                self.place_views(stmt, arrays)
                if blocks_of(stmt):
                    stmt = with_blocks(stmt, [self.block(block, set()) for block in blocks_of(stmt)])
                elif isinstance(stmt, Assign):
                    arrays.add(stmt.target)
                    stmt = self.noted(stmt)
                out.append(stmt)
        self.sizes = sizes
        return tuple(out)

    def place_views(self, stmt: Stmt, arrays: set[str]) -> None:
        """Write the views of some arrays that a statement is the first to use."""
        for name in dict.fromkeys(s.array for s in walk((stmt,)) if isinstance(s, Load | Store)):
            if name in self.views and self.views[name][0] in arrays:
                array, count, behind = self.views.pop(name)
                with self.builder.at(stmt.where):
                    ndim = self.builder.types[array].ndim
                    extents = [Const(-1)] if ndim == count else self.one_axis(self.extents(array), count, behind)
                    self.builder.assign(name, "view", Var(array), *extents)

    def noted(self, stmt: Assign) -> Assign:
        """Return an assignment, of an array that is used through one view with the axes of that."""
        self.made[stmt.target] = stmt
        if stmt.op == "size" and stmt.target in self.once:
            self.sizes[stmt.args[0].name, stmt.keywords["axis"]] = Var(stmt.target)
        name = self.alone.get(stmt.target)
        if name is None or stmt.op not in MADE:
            return stmt
        _, *place = self.views.pop(name)
        self.new[name] = stmt.target
        self.builder.types[stmt.target] = self.builder.types[name]
        with self.builder.at(stmt.where):
            return replace(stmt, args=(*_filling(stmt), *self.one_axis(_extents(stmt), *place)))

    def extents(self, array: str) -> list[Atom]:
        made = self.made.get(array)
        given = [] if made is None or made.op not in MADE else _extents(made)
        if given and all(isinstance(a, Const) or a.name in self.once for a in given):
            return given
        return [self.sizes.get((array, axis)) or self.builder.size(array, axis)
                for axis in range(self.builder.types[array].ndim)]

    def one_axis(self, extents: list[Atom], count: int, behind: int) -> list[Atom]:
        """Write the extents of an array in which so many axes in front of the last `behind` are one."""
        end = len(extents) - behind
        one = functools.reduce(functools.partial(multiply, self.builder), extents[end - count:end])
        return [*extents[:end - count], one, *extents[end:]]


def _filling(made: Assign) -> tuple[Atom, ...]:
    return made.args[:1] if made.op == "full" else ()


def _extents(made: Assign) -> list[Atom]:
    return list(made.args[len(_filling(made)):])
