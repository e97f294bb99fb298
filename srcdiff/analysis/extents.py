"""Write symbolic extents as statements: the inverse of `srcdiff.analysis.shapes`.

`Shapes` says what an extent is made of; an `ExtentWriter` computes it where
those parts exist, without the array that has it.
"""

from __future__ import annotations

from collections.abc import Callable

from srcdiff.analysis.shapes import Extent, Root, Shapes
from srcdiff.builder import Builder
from srcdiff.syntax import Atom, Const, Span

__all__ = ["ExtentWriter", "is_run"]


class ExtentWriter:
    """Writes extents in terms of arrays and integers that exist.

    Parameters
    ----------
    builder
        Receives the statements.
    shapes
        Of the program that the extents belong to.
    exists
        Tells whether the array of an "extent" root, or the integer of a
        "value" root, can be read here.
    leaf
        Writes such a root.
    """

    def __init__(self, builder: Builder, shapes: Shapes, exists: Callable[[Root], bool],
                 leaf: Callable[[Root], Atom]):
        self.builder, self.shapes = builder, shapes
        self._exists, self._leaf = exists, leaf

    def possible(self, extent: Extent | None) -> bool:
        """Tell whether an extent is known and can be computed here."""
        return extent is not None and all(
            self._root_possible(self.shapes.roots[number]) for number, _ in extent.terms)

    def _root_possible(self, root: Root) -> bool:
        if root.kind in ("extent", "value"):
            return self._exists(root)
        if root.kind == "span":
            return all(part is None or self.possible(part) for part in root.key)
        return root.kind in _WRITE and all(map(self.possible, root.key))

    def write(self, extent: Extent) -> Atom:
        """Write an extent that is possible."""
        total: Atom | None = None
        for number, factor in extent.terms:
            term = self._root(self.shapes.roots[number])
            if factor not in (1, -1):
                term = self.builder.op("multiply", Const(abs(factor)), term, stem="n")
            if total is None:
                total = term if factor > 0 else self.builder.op("negative", term, stem="n")
            else:
                total = self.builder.op("add" if factor > 0 else "subtract", total, term, stem="n")
        if total is None or not extent.constant:
            return Const(extent.constant) if total is None else total
        sign = "add" if extent.constant > 0 else "subtract"
        return self.builder.op(sign, total, Const(abs(extent.constant)), stem="n")

    def _root(self, root: Root) -> Atom:
        if root.kind in ("extent", "value"):
            return self._leaf(root)
        if root.kind != "span":
            return _WRITE[root.kind](self.builder, *map(self.write, root.key))
        return self._run(*root.key[:3]) if is_run(root) else self._span(*(part and self.write(part) for part in root.key))

    def _run(self, n: Extent, start: Extent | None, stop: Extent | None) -> Atom:
        """Write the length of ``a[start:stop]``."""
        length = self.write(n)
        first = Const(0) if start is None else self._bound(start, length)
        last = length if stop is None else self._bound(stop, length)
        return self.builder.op("maximum", self.builder.op("subtract", last, first, stem="n"), Const(0), stem="n")

    def _bound(self, bound: Extent, length: Atom) -> Atom:
        """Write where a bound of a slice lies: one that is negative counts from the end."""
        at = self.write(bound)
        inside = self.builder.op("minimum", at, length, stem="n")
        if self.shapes.nonnegative(bound):
            return inside
        from_end = self.builder.op("maximum", self.builder.op("add", at, length, stem="n"), Const(0), stem="n")
        return self.builder.op("where", self.builder.op("less", at, Const(0)), from_end, inside, stem="n")

    def _span(self, n: Atom, *bounds: Atom | None) -> Atom:
        """Let slicing itself say how long a slice with a step is."""
        positions = self.builder.op("arange", Const(0), n, Const(1), stem="positions", dtype="int64")
        return self.builder.size(self.builder.load(positions.name, (Span(*bounds),)).name, 0)


def is_run(root: Root) -> bool:
    """Tell whether a "span" root is the length of a slice without a step."""
    return root.key[3] in (None, Extent(1))


def _broadcast(builder: Builder, *extents: Atom) -> Atom:
    """Return the extent of a broadcast axis: the one that is not 1."""
    found, *rest = extents
    for extent in rest:
        stretched = builder.op("equal", found, Const(1), stem="stretched")
        found = builder.op("where", stretched, extent, found, stem="n")
    return found


def _operation(name: str):
    return lambda builder, *operands: builder.op(name, *operands, stem="n")


_WRITE = {
    "atleast0": lambda builder, n: builder.op("maximum", n, Const(0), stem="n"),
    "broadcast": _broadcast, "product": _operation("multiply"), "trips": _operation("trips"),
    "sum": lambda builder, a, k, b: builder.op(
        "add", a, builder.op("multiply", k, b, stem="n"), stem="n"),
    **{op: _operation(op) for op in ("floor_divide", "remainder", "maximum", "minimum")},
}
