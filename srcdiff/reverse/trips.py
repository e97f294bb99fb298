"""How often a block will run, told before the outermost loop around it starts.

Bounds of loops are mostly a few integer operations on numbers and extents that
are known early, even where the program computes them inside the loops: ``n - 1``,
or ``i + 1`` of an outer index.  Such a computation is repeated before the
outermost loop.  If no bound depends on an outer index the iterations form a
rectangle, otherwise (a triangle, rows of a sparse matrix) they are counted by the
outer loops alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from srcdiff.builder import INT, Builder
from srcdiff.reverse.extents import KnownExtents, emit
from srcdiff.reverse.nodes import Block, Node, Tree
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    If,
    Load,
    Type,
    Var,
    index_atoms,
    map_index,
)

__all__ = ["Trips"]

ONE = Const(1)
# Integer operations that can stand before a loop whether or not it runs: they never fail.
TOTAL = frozenset("copy add subtract multiply negative absolute maximum minimum trips cast weaken".split())


@dataclass
class Trips:
    """The loops around one block, seen from before the outermost of them."""

    block: Block
    tree: Tree
    shapes: KnownExtents
    types: Mapping[str, Type]

    def __post_init__(self):
        self.loops = self.block.loops()
        self.around = [self.block.owner, *self.block.owner.parents()]
        self.indices = {n.stmt.var for n in self.loops if isinstance(n.stmt, For)}

    @property
    def outer(self) -> Node:
        return self.loops[0]

    def are_known(self) -> bool:
        """Tell whether the iterations can be counted before the loops run."""
        return all(isinstance(n.stmt, For) and all(map(self._is_known, _bounds(n.stmt))) for n in self.loops)

    def form_rectangle(self) -> bool:
        """Tell whether each loop always runs equally often."""
        return self.are_known() and not any(self._indices_in(a) for n in self.loops for a in _bounds(n.stmt))

    def counts(self, builder: Builder, outermost: Atom | None = None) -> tuple[Atom, ...]:
        """Append and return the trip count of each loop of a rectangle; `outermost` is that of the first if given."""
        if outermost is None:
            return tuple(self._trips(builder, n.stmt, {}) for n in self.loops)
        return (outermost, *(self._trips(builder, n.stmt, {}) for n in self.loops[1:]))

    def most_inside(self, builder: Builder, whole: For) -> Atom:
        """Append and return how often the block runs at most in an iteration of the outermost loop, which is `whole`."""
        if self.form_rectangle():
            return _product(builder, self.counts(builder, ONE)[1:])
        most = builder.fresh("most", INT)
        builder.copy(most, Const(0))
        with builder.loop(*_bounds(whole), stem=whole.var) as index:
            builder.assign(most, "maximum", Var(most), self._total(builder, 1, {whole.var: index}))
        return Var(most)

    def total(self, builder: Builder) -> Atom:
        """Append and return the number of all iterations."""
        return self._total(builder, 0, {})

    # -- what can be told ---------------------------------------------------------------

    def _is_known(self, atom: Atom) -> bool:
        if isinstance(atom, Const) or atom.name in self.indices or self._is_early(atom.name):
            return True
        node = self._definition(atom.name)
        if node is None:
            return False
        match node.stmt:
            case Assign(op="size"):
                return self._source(node.stmt) is not None
            case Assign(op=op, args=args):
                return op in TOTAL and all(map(self._is_known, args))
            case Load(array=array, index=index):
                return (self._is_early(array) and not any(isinstance(p.stmt, If) for p in self._between(node))
                        and all(map(self._is_known, index_atoms(index))))
        return False

    def _is_early(self, name: str) -> bool:
        """Tell whether a variable has its last value before the outermost loop."""
        if name in self.tree.params:
            return True
        changes = self.tree.changes.get(name, ())
        return bool(changes) and all(c.last < self.outer.order for c in changes)

    def _definition(self, name: str) -> Node | None:
        """Return the one statement that gives a number its value in each iteration, if there is one."""
        changes = self.tree.changes.get(name, ())
        if len(changes) != 1 or isinstance(self.types[name], Array):
            return None
        node = changes[0]
        is_around = any(node.block is loop.block for loop in self.around)
        return node if isinstance(node.stmt, Assign | Load) and is_around else None

    def _between(self, node: Node) -> list[Node]:
        """Return what stands around a statement, inside the outermost loop."""
        parents = list(node.parents())
        return parents[:parents.index(self.outer)]

    def _source(self, stmt: Assign):
        sources = self.shapes.sources(stmt.args[0].name, before=self.outer)
        return None if sources is None else sources[stmt.keywords["axis"]]

    def _indices_in(self, atom: Atom) -> set[str]:
        """Return the loop indices that a known number depends on."""
        if isinstance(atom, Const) or self._is_early(atom.name):
            return set()
        if atom.name in self.indices:
            return {atom.name}
        stmt = self._definition(atom.name).stmt
        if isinstance(stmt, Assign) and stmt.op == "size":
            return set()
        operands = stmt.args if isinstance(stmt, Assign) else index_atoms(stmt.index)
        return set().union(*map(self._indices_in, operands))

    # -- statements ---------------------------------------------------------------------------

    def _read(self, builder: Builder, atom: Atom, done: dict[str, Atom]) -> Atom:
        """Append what computes a known number once more."""
        if isinstance(atom, Const) or self._is_early(atom.name):
            return atom
        if atom.name not in done:
            stmt = self._definition(atom.name).stmt
            if isinstance(stmt, Assign) and stmt.op == "size":
                (done[atom.name],) = emit(builder, (self._source(stmt),))
                return done[atom.name]
            fresh = builder.fresh(atom.name, builder.types[atom.name])
            if isinstance(stmt, Assign):
                again = replace(stmt, target=fresh, args=tuple(self._read(builder, a, done) for a in stmt.args))
            else:
                index = map_index(stmt.index, lambda a: self._read(builder, a, done))
                again = replace(stmt, target=fresh, index=index)
            builder.append(again)
            done[atom.name] = Var(fresh)
        return done[atom.name]

    def _trips(self, builder: Builder, loop: For, done) -> Atom:
        start, stop, step = (self._read(builder, a, done) for a in _bounds(loop))
        if start == Const(0) and step == ONE:
            if isinstance(stop, Const):
                return Const(max(0, stop.value))
            return builder.op("maximum", stop, Const(0), stem="trips")
        return builder.op("trips", start, stop, step, stem="trips")

    def _total(self, builder: Builder, depth: int, done: dict[str, Atom]) -> Atom:
        loop, inner = self.loops[depth].stmt, self.loops[depth + 1:]
        if not any(loop.var in self._indices_in(a) for n in inner for a in _bounds(n.stmt)):
            trips = self._trips(builder, loop, done)
            return trips if not inner else builder.op(
                "multiply", trips, self._total(builder, depth + 1, done), stem="count")
        total = builder.fresh("count", INT)
        builder.copy(total, Const(0))
        bounds = [self._read(builder, a, done) for a in _bounds(loop)]
        with builder.loop(*bounds, stem=loop.var) as index:
            part = self._total(builder, depth + 1, {**done, loop.var: index})
            builder.assign(total, "add", Var(total), part)
        return Var(total)


def _bounds(loop: For) -> tuple[Atom, Atom, Atom]:
    return loop.start, loop.stop, loop.step


def _product(builder: Builder, counts) -> Atom:
    total: Atom = ONE
    for count in counts:
        total = count if total == ONE else builder.op("multiply", total, count, stem="count")
    return total
