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

from dataclasses import replace

from srcdiff.analysis.shapes import Extent, Shapes
from srcdiff.analysis.uses import changed, exposed
from srcdiff.assemble import require_equal
from srcdiff.builder import Builder
from srcdiff.reverse.extents import KnownExtents, Source, emit
from srcdiff.reverse.nodes import Tree
from srcdiff.syntax import Array, Assign, For, Load, Program, Stmt, Var, While, blocks_of, walk, with_blocks

__all__ = ["steady"]

MESSAGE = "[SD0340] axes of different lengths: this version takes arrays to keep their shapes in loops"
FIXED = ("extent", "value")             # kinds of roots that may well turn out to be the same number

Handed = dict[int, frozenset[str]]      # for each loop, by its id: the arrays that it hands on and whose shapes may change
First = dict[int, dict[str, tuple[Source, ...]]]        # where their first shapes are read


def steady(program: Program) -> Program:
    """Return `program` with a check of the shapes that loops might change, and known shapes behind it."""
    shapes = Shapes(program)
    open_ = {name for name, type_ in program.types.items() if isinstance(type_, Array) and None in shapes.extents(name)}
    handed = _handed(program, open_) if open_ else {}
    while handed:
        first = _first_shapes(program, handed)
        checked, new = _checked(program, first)
        likeness = Likeness(checked)
        lost = {name for loop, names in handed.items() for name in names if name not in first.get(loop, ())}
        lost |= {name for other, name in new.items() if not likeness.agree(other, name)}
        if not lost:
            return checked
        handed = {loop: left for loop, names in handed.items() if (left := names - lost)}
    return program


def _handed(program: Program, open_: set[str]) -> Handed:
    loops = [s for s in walk(program.body) if isinstance(s, For | While)]
    found = {id(loop): frozenset(open_.intersection(changed(*blocks_of(loop))) & exposed((loop,))) for loop in loops}
    return {loop: names for loop, names in found.items() if names}


# -- first shapes -----------------------------------------------------------------------

def _first_shapes(program: Program, handed: Handed) -> First:
    """Return where the extents are read that arrays have before the loops, where these extents are known."""
    loops: dict[int, Stmt] = {}
    before = program.with_body(_without(program.body, handed, frozenset(), loops))
    tree = Tree(before)
    nodes = {id(node.stmt): node for node in tree.top.walk()}
    known = KnownExtents(before, tree)
    first: First = {}
    for loop, names in handed.items():
        sources = {name: known.sources(name, before=nodes[id(loops[loop])]) for name in names}
        first[loop] = {name: found for name, found in sources.items() if found is not None}
    return first


def _without(body, handed: Handed, names: frozenset[str], loops: dict[int, Stmt]) -> tuple[Stmt, ...]:
    """Return a block without what loops assign to the arrays that they hand on; note in `loops` what a loop has become."""
    out = []
    for stmt in body:
        if isinstance(stmt, Assign | Load) and stmt.target in names:
            continue
        inner = names | handed.get(id(stmt), frozenset())
        left = with_blocks(stmt, [_without(b, handed, inner, loops) for b in blocks_of(stmt)])
        loops[id(stmt)] = left
        out.append(left)
    return tuple(out)


# -- checks -----------------------------------------------------------------------------

def _checked(program: Program, first: First) -> tuple[Program, dict[str, str]]:
    """Return the program with its checks, and what each array that is checked is assigned to."""
    builder = Builder(program.types)
    new: dict[str, str] = {}

    def block(body, shapes) -> tuple[Stmt, ...]:
        with builder.nested() as out:
            for stmt in body:
                if isinstance(stmt, Assign | Load) and stmt.target in shapes:
                    with builder.at(stmt.where):
                        new[_check(builder, stmt, shapes[stmt.target])] = stmt.target
                else:
                    inner = {**shapes, **first.get(id(stmt), {})}
                    builder.append(with_blocks(stmt, [block(b, inner) for b in blocks_of(stmt)]))
        return tuple(out)

    body = block(program.body, {})
    return program.with_body(body, types=builder.types), new


def _check(builder: Builder, stmt: Assign | Load, sources: tuple[Source, ...]) -> str:
    """Append an assignment of a value that must have the first shape; returns the name of the value."""
    new = builder.fresh(f"{stmt.target}_new", builder.types[stmt.target])
    builder.append(replace(stmt, target=new))
    extents = emit(builder, sources)
    for axis, extent in enumerate(extents):
        require_equal(builder, builder.size(new, axis), extent, MESSAGE)
    builder.assign(stmt.target, "broadcast_to", Var(new), *extents)
    return new


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
