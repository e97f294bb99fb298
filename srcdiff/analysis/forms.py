"""Symbolic integers: linear forms in *roots*, integers that the program computes or is given."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Extent", "Forms", "Root"]

MOST_TERMS = 8                          # of a linear form; a longer one becomes a root
LENGTHS = ("extent", "atleast0", "broadcast", "span", "trips")      # kinds of roots that are not negative


@dataclass(frozen=True)
class Root:
    """A non-linear or unknown integer.

    `kind` is "extent" (of the array `key[0]`, axis `key[1]`), "value" (of the
    integer variable `key[0]`), or an operation whose operands are in `key`.
    """

    kind: str
    key: tuple


@dataclass(frozen=True)
class Extent:
    """The integer ``constant + sum(coefficient * root)``; `terms` by the order of the roots."""

    constant: int = 0
    terms: tuple[tuple[int, int], ...] = ()         # (number of the root, coefficient)


class Forms:
    """Linear forms in the roots of one program, and which of them are equal.

    Attributes
    ----------
    roots
        By number.
    """

    def __init__(self):
        self.roots: list[Root] = []
        self._numbers: dict[Root, int] = {}
        self._equal: dict[Root, Extent] = {}            # a root, and what it is another name of
        self._assumed: dict[Extent, Extent] = {}        # what a check at run time has shown to be equal

    def root(self, kind: str, *key) -> Extent:
        root = Root(kind, key)
        if root in self._equal:
            return self._resolved(self._equal[root])
        number = self._numbers.setdefault(root, len(self.roots))
        if number == len(self.roots):
            self.roots.append(root)
        return Extent(0, ((number, 1),))

    def _resolved(self, extent: Extent) -> Extent:
        """Return an extent in which no root that another one stands for is left."""
        result: Extent | None = Extent(extent.constant)
        for number, factor in extent.terms:
            root = self.roots[number]
            result = self.combine(result, self.root(root.kind, *root.key), factor)
        return result

    def combine(self, a: Extent | None, b: Extent | None, factor: int = 1) -> Extent | None:
        """Return ``a + factor * b``."""
        if a is None or b is None:
            return None
        terms = dict(a.terms)
        for number, k in b.terms:
            terms[number] = terms.get(number, 0) + factor * k
        terms = {n: k for n, k in sorted(terms.items()) if k}
        if len(terms) > MOST_TERMS:
            return self.root("sum", a, Extent(factor), b)
        return Extent(a.constant + factor * b.constant, tuple(terms.items()))

    def at_least_zero(self, extent: Extent | None) -> Extent | None:
        if extent is None or self.nonnegative(extent):
            return extent
        return self.root("atleast0", extent) if extent.terms else Extent(0)

    def product(self, extents):
        """Return the product of extents, None where one is unknown."""
        product = Extent(1)
        for extent in extents:
            if extent is None:
                return None
            if not product.terms:
                product = self.combine(Extent(), extent, product.constant)
            elif not extent.terms:
                product = self.combine(Extent(), product, extent.constant)
            else:
                product = self.root("product", *sorted((product, extent), key=lambda e: (e.terms, e.constant)))
        return product

    def trips(self, start, stop, step):
        """Return the number of iterations of ``range(start, stop, step)``."""
        if start is None or stop is None or step is None:
            return None
        if step == Extent(1):
            return self.at_least_zero(self.combine(stop, start, -1))
        return self.root("trips", start, stop, step)

    def broadcast(self, *extents: Extent | None) -> Extent | None:
        """Return the extent of an axis of a broadcast result, provided that the operands fit."""
        parts = [part for e in extents for part in self.broadcast_parts(self.normal(e))]
        if not (extents := [e for e in parts if not self.is_one(e)]):
            return Extent(1)
        for extent in extents:
            if extent is not None and not extent.terms:     # a fixed extent but 1: all others fit it
                return extent
        if None in extents:
            return None
        parts = sorted(set(extents), key=lambda e: (e.terms, e.constant))
        return parts[0] if len(parts) == 1 else self.root("broadcast", *parts)

    def broadcast_all(self, shapes):
        """Return the extents of the broadcast of arrays of these extents."""
        ndim = max(map(len, shapes), default=0)
        padded = [(Extent(1),) * (ndim - len(shape)) + tuple(shape) for shape in shapes]
        return [self.broadcast(*axis) for axis in zip(*padded, strict=True)]

    def broadcast_parts(self, extent: Extent | None) -> tuple[Extent | None, ...]:
        """Return what an extent is the broadcast of: broadcasting again adds nothing."""
        if extent is not None and not extent.constant and len(extent.terms) == 1 and extent.terms[0][1] == 1:
            root = self.roots[extent.terms[0][0]]
            if root.kind == "broadcast":
                return root.key
        return (extent,)

    def _leaf(self, extent: Extent) -> Root | None:
        """Return the extent of an array that is all that `extent` consists of."""
        if extent.constant or len(extent.terms) != 1 or extent.terms[0][1] != 1:
            return None
        root = self.roots[extent.terms[0][0]]
        return root if root.kind == "extent" else None

    # -- questions ------------------------------------------------------------------------

    def normal(self, extent: Extent | None) -> Extent | None:
        """Return what stands for all extents that are assumed to be equal to this one."""
        if not self._assumed:
            return extent
        while extent in self._assumed:
            extent = self._assumed[extent]
        parts = self.broadcast_parts(extent)
        return extent if len(parts) == 1 else self.broadcast(*parts)

    def equal(self, a: Extent | None, b: Extent | None) -> bool:
        """Tell whether two extents are provably equal."""
        return a is not None and (a == b or self.normal(a) == self.normal(b))

    def is_one(self, extent: Extent | None) -> bool:
        return extent == Extent(1)

    def nonnegative(self, extent: Extent | None) -> bool:
        return extent is not None and extent.constant >= 0 and all(
            factor > 0 and self._length(self.roots[number]) for number, factor in extent.terms)

    def _length(self, root: Root) -> bool:
        return root.kind in LENGTHS or root.kind in ("product", "minimum") and all(map(self.nonnegative, root.key))

    def depends(self, extent: Extent) -> set[str]:
        """Return the variables that the value of an extent is made of."""
        names: set[str] = set()
        queue: list = [extent]
        while queue:
            part = queue.pop()
            if isinstance(part, Extent):
                queue.extend(self.roots[number] for number, _ in part.terms)
            elif isinstance(part, Root):
                leaf = part.kind in ("extent", "value")
                names.update(part.key[:1] if leaf else ())
                queue.extend(() if leaf else part.key)
        return names

    def show(self, extent: Extent | None) -> str:
        """Return an extent as text."""
        if extent is None:
            return "?"
        terms = [self._show_root(self.roots[n]) if k == 1 else f"{k}*{self._show_root(self.roots[n])}"
                 for n, k in extent.terms]
        if extent.constant or not terms:
            terms.append(str(extent.constant))
        return " + ".join(terms)

    def _show_root(self, root):
        if root.kind == "extent":
            return f"{root.key[0]}.{root.key[1]}"
        if root.kind == "value":
            return root.key[0]
        return f"{root.kind}({', '.join(self.show(e) for e in root.key)})"
