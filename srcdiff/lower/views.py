"""Access functions: where the elements of an array operand lie.

Transposes, slices, flips, broadcasts and copies move no data.  A `View` says how
the element at index ``(i0, i1, ...)`` is read from a base array: each axis of
the base is indexed by ``start + step * i`` for one axis ``i`` of the view, or by
``start`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from srcdiff.lower.forms import ONE
from srcdiff.syntax import Atom, Const, Var

__all__ = ["Axis", "Dim", "View", "add", "identity", "multiply"]


@dataclass(frozen=True)
class Dim:
    """One extent: the atom that holds it and its form (None: not known)."""

    atom: Atom
    form: object = None


@dataclass(frozen=True)
class Axis:
    """How one axis of the base is indexed: ``start + step * i[source]``."""

    source: int | None
    start: Atom = Const(0)
    step: Atom = Const(1)


@dataclass(frozen=True)
class View:
    """An array seen through an index mapping; `dims` are the extents of the view.

    `part` tells that the view may be shorter than the base, such as ``x[:2]``,
    whose mapping is that of ``x`` itself.
    """

    base: str
    axes: tuple[Axis, ...]
    dims: tuple[Dim, ...]
    part: bool = False

    @property
    def is_identity(self) -> bool:
        """Tell whether the view is the whole base, element by element."""
        return not self.part and self.axes == tuple(Axis(k) for k in range(len(self.dims)))

    def atoms(self) -> set[str]:
        """Return the names of the scalars that the mapping reads."""
        found = [a for axis in self.axes for a in (axis.start, axis.step)]
        found += [d.atom for d in self.dims]
        return {a.name for a in found if isinstance(a, Var)}

    def renumbered(self, where: dict[int, int | None], dims) -> View:
        """Return the view whose axes are moved: `where` maps old axis to new, or to None."""
        axes = tuple(a if a.source is None else replace(a, source=where[a.source])
                     for a in self.axes)
        return View(self.base, axes, tuple(dims), self.part)

    def transpose(self, perm) -> View:
        return self.renumbered({p: k for k, p in enumerate(perm)}, [self.dims[p] for p in perm])

    def expand(self, at) -> View:
        """Insert axes of extent 1 at these positions of the result."""
        kept = [k for k in range(len(self.dims) + len(at)) if k not in at]
        dims = [Dim(Const(1), ONE)] * (len(self.dims) + len(at))
        for old, new in enumerate(kept):
            dims[new] = self.dims[old]
        return self.renumbered(dict(enumerate(kept)), dims)

    def squeeze(self, drop) -> View:
        """Remove axes, reading index 0 of them."""
        kept = [k for k in range(len(self.dims)) if k not in drop]
        where = {k: None for k in drop} | {old: new for new, old in enumerate(kept)}
        return self.renumbered(where, [self.dims[k] for k in kept])


def identity(base: str, dims) -> View:
    return View(base, tuple(Axis(k) for k in range(len(dims))), tuple(dims))


# -- index arithmetic with constants folded ---------------------------------------------


def add(b, x: Atom, y: Atom) -> Atom:
    if isinstance(x, Const) and isinstance(y, Const):
        return Const(x.value + y.value)
    if x == Const(0):
        return y
    if y == Const(0):
        return x
    if isinstance(y, Const) and y.value < 0:
        return b.op("subtract", x, Const(-y.value), stem="p")
    if isinstance(x, Const):
        x, y = y, x
    return b.op("add", x, y, stem="p")


def multiply(b, x: Atom, y: Atom) -> Atom:
    if isinstance(x, Const) and isinstance(y, Const):
        return Const(x.value * y.value)
    for one, other in ((x, y), (y, x)):
        if one == Const(1):
            return other
        if one == Const(0):
            return Const(0)
    if y == Const(-1):
        return b.op("negative", x, stem="p")
    return b.op("multiply", x, y, stem="p")


def subtract(b, x: Atom, y: Atom) -> Atom:
    if isinstance(x, Const) and isinstance(y, Const):
        return Const(x.value - y.value)
    return x if y == Const(0) else b.op("subtract", x, y, stem="p")
