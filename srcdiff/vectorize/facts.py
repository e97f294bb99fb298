"""What is provable about extents while seeds are followed through a program."""

from __future__ import annotations

from srcdiff.analysis.shapes import Extent, Shapes
from srcdiff.analysis.uses import Uses
from srcdiff.syntax import Assign, Atom, Const, Load, Program, Store, blocks_of

__all__ = ["Facts"]


class Facts:
    """Symbolic extents and settled values of one program."""

    def __init__(self, program: Program):
        self.program, self.shapes, self.uses = program, Shapes(program), Uses(program)

    # -- extents ------------------------------------------------------------------------

    def same(self, a, b) -> bool:
        """Tell whether two tuples of extents are provably equal."""
        return len(a) == len(b) and all(map(self.shapes.equal, a, b))

    def fits(self, small, large) -> bool:
        """Tell whether arrays of extents `small` provably broadcast to `large`, not beyond it."""
        return len(small) <= len(large) and all(
            self._fits_axis(a, b) for a, b in zip(reversed(small), reversed(large), strict=False))

    def _fits_axis(self, a, b) -> bool:
        if self.shapes.is_one(a) or self.shapes.equal(a, b):
            return True
        if a is None or b is None or b.constant or len(b.terms) != 1 or b.terms[0][1] != 1:
            return False
        root = self.shapes.roots[b.terms[0][0]]
        return root.kind == "broadcast" and any(self._fits_axis(a, part) for part in root.key)

    def broadcast(self, *shapes) -> tuple[Extent | None, ...]:
        return tuple(self.shapes.broadcast_all(shapes))

    # -- values -----------------------------------------------------------------------------

    def is_settled(self, atom: Atom) -> bool:
        """Tell whether an atom keeps its value, so that it can be read later under its name."""
        return isinstance(atom, Const) or self.uses.constant(atom.name)

    def is_zero(self, atom: Atom) -> bool:
        """Tell whether an unbatched atom is known to be zero."""
        if isinstance(atom, Const):
            return not isinstance(atom.value, bool) and atom.value == 0
        if not self.uses.constant(atom.name):
            return False
        definition = self.uses.definition.get(atom.name)
        return isinstance(definition, Assign) and definition.op == "zeros"

    def transposed(self, atom: Atom) -> Atom | None:
        """Return the matrix that a matrix is the transpose of, if it still has its value."""
        definition = self.uses.definition.get(atom.name) if self.is_settled(atom) else None
        if not isinstance(definition, Assign) or definition.op != "transpose":
            return None
        source, = definition.args
        return source if definition.keywords["perm"] == (1, 0) and self.is_settled(source) else None

    def followed(self, names) -> frozenset[str]:
        """Return the variables of `names` whose structure can be followed.

        All statements that change such a variable are assignments of one block:
        what it holds is then known at each place of that block and inside it.
        """
        homes: dict[str, set[int]] = {}
        spoiled = set()
        for block_id, stmt in _with_blocks(self.program.body):
            match stmt:
                case Assign(target=name):
                    homes.setdefault(name, set()).add(block_id)
                case Load(target=name) | Store(array=name):
                    spoiled.add(name)
        return frozenset(n for n in names if len(homes.get(n, ())) == 1 and n not in spoiled)


def _with_blocks(body):
    """Yield (number of the block, statement) for every statement."""
    blocks = [body]
    for number, block in enumerate(blocks):
        for stmt in block:
            yield number, stmt
            blocks.extend(blocks_of(stmt))

