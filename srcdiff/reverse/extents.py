"""Extents of arrays that come and go inside loops, read off arrays that stay.

The adjoint of an array needs its extents before the array is there.  Where
`Shapes` proves an extent equal to one of an array that is defined once, at the
top of the program, it is read from that array; what is left is noted by `Needs`
while the forward sweep runs.
"""

from __future__ import annotations

from srcdiff.analysis.shapes import Extent, Shapes
from srcdiff.builder import Builder
from srcdiff.reverse.nodes import Node, Tree
from srcdiff.syntax import Array, Atom, Const, Program, Store

__all__ = ["KnownExtents"]

Source = tuple[str, int] | int                 # (array, axis), or the number itself


class KnownExtents:
    """For each array, where its extents can be read at any time of the run."""

    def __init__(self, program: Program, tree: Tree):
        self.shapes = Shapes(program)
        self.tree = tree
        self._sources: dict[Extent, list[tuple[int, str, int]]] = {}
        for name, type_ in program.types.items():
            if isinstance(type_, Array) and (order := self._made_once(name)) is not None:
                for axis, extent in enumerate(self.shapes.extents(name) or ()):
                    if extent is not None:
                        self._sources.setdefault(extent, []).append((order, name, axis))
        for places in self._sources.values():
            places.sort(key=lambda place: place[0])

    def _made_once(self, name: str) -> int | None:
        """Return the order of the one definition of `name` if it stands at the top."""
        if name in self.tree.params:
            return -1
        whole = [c for c in self.tree.changes.get(name, ()) if not isinstance(c.stmt, Store)]
        return whole[0].order if len(whole) == 1 and whole[0].block is self.tree.top else None

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
            places = self._sources.get(extent)
            if not places or (before is not None and places[0][0] >= before.order):
                return None
            found.append(places[0][1:])
        return tuple(found)

    def is_constant(self, name: str) -> bool:
        """Tell whether all assignments of `name` give it the same extents."""
        return None not in self.shapes.extents(name)


def emit(builder: Builder, sources: tuple[Source, ...]) -> tuple[Atom, ...]:
    """Append the statements that read the extents."""
    return tuple(Const(s) if isinstance(s, int) else builder.size(*s) for s in sources)
