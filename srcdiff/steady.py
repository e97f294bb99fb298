"""Arrays that loops hand on from one iteration to the next, taken to keep their shapes.

In ``y = y + h * k`` an array `y` of one element would be stretched to the length
of `k`, which only the run tells.  It hardly ever is.  Code that does not have to
reckon with it keeps rows of known extents, adds to adjoints in place, and is half
as long; so it is made first, with a check of each shape that could change, and
who meets the error takes the code that stretches axes.

>>> from srcdiff.notation import read, show
>>> print(show(steady(read('''
... def f(x: "float64[:]", k: "float64[:]", n: "weak int64"):
...     y = copy(x)
...     for i in range(0, n, 1):
...         y = add(y, k)
...     return y
... '''))), end="")
def f(x: "float64[:]", k: "float64[:]", n: "weak int64"):
    y = copy(x)
    for i in range(0, n, 1):
        y_new = add(y, k)
        n_x = size(x, axis=0)
        n_y_new = size(y_new, axis=0)
        differs = not_equal(n_y_new, n_x)
        if differs:
            raise ValueError('[SD0340] axes of different lengths: this version takes arrays to keep their shapes in loops')
        y = broadcast_to(y_new, n_x)
    return y

An array that is seen to grow or to shrink (``y = np.append(y, t)``, ``y = y[1:]``) is
left alone, and so is one whose shape depends on its elements.
"""

from __future__ import annotations

from srcdiff.analysis.shapes import Extent, Shapes
from srcdiff.analysis.uses import changed, exposed
from srcdiff.reverse.settled import Handed, checked, first_shapes
from srcdiff.syntax import Array, Assign, For, Load, Program, While, blocks_of, walk

__all__ = ["steady"]

MESSAGE = "[SD0340] axes of different lengths: this version takes arrays to keep their shapes in loops"
FIXED = ("extent", "value")             # kinds of roots that may well turn out to be the same number


def steady(program: Program) -> Program:
    """Return `program` with a check of the shapes that loops might change, and known shapes behind it."""
    shapes = Shapes(program)
    open_ = {name for name, type_ in program.types.items() if isinstance(type_, Array) and None in shapes.extents(name)}
    handed = _handed(program, open_) if open_ else {}
    while handed:
        first = first_shapes(program, handed)
        made, new = checked(program, first, MESSAGE, "broadcast_to")
        likeness = Likeness(made)
        lost = {name for loop, names in handed.items() for name in names if name not in first.get(loop, ())}
        lost |= {name for other, name in new.items() if not likeness.agree(other, name)}
        if not lost:
            return made
        handed = {loop: left for loop, names in handed.items() if (left := names - lost)}
    return program


def _handed(program: Program, open_: set[str]) -> Handed:
    loops = [s for s in walk(program.body) if isinstance(s, For | While)]
    found = {id(loop): frozenset(open_.intersection(changed(*blocks_of(loop))) & exposed((loop,))) for loop in loops}
    return {loop: names for loop, names in found.items() if names}


# -- what a loop surely changes ---------------------------------------------------------

class Likeness:
    """Tells whether shapes may well agree that are not known to.

    Parameters
    ----------
    program
        The program with its checks.
    """

    def __init__(self, program: Program):
        self.shapes = Shapes(program)
        self.given = {p.name for p in program.params} | {s.target for s in program.body if isinstance(s, Assign | Load)}

    def agree(self, new: str, name: str) -> bool:
        """Tell whether an array may well have the shape that `name` has at first."""
        return all(map(self._alike, self.shapes.extents(new), self.shapes.extents(name)))

    def _alike(self, new: Extent | None, old: Extent | None) -> bool:
        if new is None or old is None:
            return False
        parts = self.shapes.broadcast_parts(new)
        return old in parts or all(map(self._is_fixed, (old, *parts))) and any(e.terms for e in (old, *parts))

    def _is_fixed(self, extent: Extent) -> bool:
        """Tell whether an extent is a constant, or one number that no loop changes."""
        if not extent.terms:
            return True
        root = self.shapes.roots[extent.terms[0][0]]
        return extent == self.shapes.root(root.kind, *root.key) and root.kind in FIXED and root.key[0] in self.given
