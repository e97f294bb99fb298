"""Extents of arrays that come and go inside loops, read off arrays that stay.

The adjoint of an array needs its extents before the array is there.  Where
`Shapes` proves an extent equal to one of an array that is defined once, at the
top of the program, it is read from that array; an extent that is made of such
ones, as that of a slice is, is computed anew; what is left is noted by `Needs`
while the forward sweep runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from srcdiff.analysis.extents import ExtentWriter, is_run
from srcdiff.analysis.shapes import Extent, Root, Shapes
from srcdiff.builder import Builder
from srcdiff.reverse.nodes import Node, Tree
from srcdiff.syntax import Array, Atom, Const, Program, Store, Var, atoms_of, defined

__all__ = ["KnownExtents"]


CHEAP = ("atleast0", "maximum", "minimum", "broadcast", "product")      # kinds of roots that are computed anew


@dataclass(frozen=True)
class Formula:
    """An extent to be computed from extents that can be read at any time."""

    extent: Extent
    known: KnownExtents

    def write(self, builder: Builder) -> Atom:
        def leaf(root: Root) -> Atom:
            return builder.size(*self.known.place(self.known.shapes.root(root.kind, *root.key)))
        return ExtentWriter(builder, self.known.shapes, lambda root: True, leaf).write(self.extent)

    @property
    def reads(self) -> set[str]:
        """The variables that it is computed from."""
        scratch = Builder(self.known.shapes.types)
        self.write(scratch)
        body = scratch.take()
        return {a.name for s in body for a in atoms_of(s) if isinstance(a, Var)} - {defined(s) for s in body}


Source = tuple[str, int] | int | Formula       # (array, axis), the number itself, or how it is computed


def reads_of(source: Source) -> set[str]:
    """Return the variables that a source is read from."""
    if isinstance(source, int):
        return set()
    return source.reads if isinstance(source, Formula) else {source[0]}


class KnownExtents:
    """For each array, where its extents can be read at any time of the run."""

    def __init__(self, program: Program, tree: Tree):
        self.shapes = Shapes(program)
        self.tree = tree
        self._made: dict[str, Node | None] = {}         # the one definition of an array; None for a parameter
        self._sources: dict[Extent, list[tuple[str, int]]] = {}
        for name, type_ in program.types.items():
            if isinstance(type_, Array) and self._is_made_once(name):
                for axis, extent in enumerate(self.shapes.extents(name) or ()):
                    if extent is not None:
                        self._sources.setdefault(extent, []).append((name, axis))
        for places in self._sources.values():
            places.sort(key=lambda place: self._order(place[0]))

    def _is_made_once(self, name: str) -> bool:
        """Tell whether `name` is a parameter or has one definition, at the top; it is noted."""
        whole = [c for c in self.tree.changes.get(name, ()) if not isinstance(c.stmt, Store)]
        if name in self.tree.params:
            self._made[name] = None
        elif len(whole) == 1 and whole[0].block is self.tree.top:
            self._made[name] = whole[0]
        return name in self._made

    def _order(self, name: str) -> int:
        """Return where an array is made, as the tree is now: statements are inserted after the sources are found."""
        made = self._made[name]
        return -1 if made is None else made.order

    def sources(self, name: str, before: Node | None = None) -> tuple[Source, ...] | None:
        """Return where to read each extent of `name`, or None if one is not known.

        Parameters
        ----------
        before
            Only from arrays that are there when this statement starts.
        """
        found = []
        for extent in self.shapes.extents(name) or (None,):
            if extent is None:
                return None
            if not extent.terms:
                found.append(extent.constant)
                continue
            place = self.place(extent, before)
            if place is None and not self._computable(extent, before):
                return None
            found.append(Formula(extent, self) if place is None else place)
        return tuple(found)

    def place(self, extent: Extent, before: Node | None = None) -> tuple[str, int] | None:
        """Return the name and the axis of the first array that has this extent, if there is one before."""
        places = self._sources.get(extent)
        return None if not places or (before is not None and self._order(places[0][0]) >= before.order) else places[0]

    def _computable(self, extent: Extent, before: Node | None) -> bool:
        """Tell whether an extent is made of extents that can be read, by what is cheap and cannot fail."""
        for number, _ in extent.terms:
            root = self.shapes.roots[number]
            if root.kind == "extent":
                if self.place(Extent(0, ((number, 1),)), before) is None:
                    return False
            elif not _is_cheap(root) or not all(part is None or self._computable(part, before) for part in root.key):
                return False
        return True

    def is_constant(self, name: str) -> bool:
        """Tell whether all assignments of `name` give it the same extents."""
        return None not in self.shapes.extents(name)


def _is_cheap(root: Root) -> bool:
    match root:
        case Root("span"):
            return is_run(root)
        case Root("floor_divide" | "remainder", (_, Extent(divisor, ()))):
            return divisor != 0
    return root.kind in CHEAP


def emit(builder: Builder, sources: tuple[Source, ...]) -> tuple[Atom, ...]:
    """Append the statements that read the extents."""
    def one(source: Source) -> Atom:
        if isinstance(source, Formula):
            return source.write(builder)
        return Const(source) if isinstance(source, int) else builder.size(*source)
    return tuple(map(one, sources))
