"""What the reverse sweep reads of the primal, statement by statement.

`Needs` asks each rule which values its adjoint reads, adds the indices,
conditions, bounds and extents that reversing needs, and gives each of them a
name that is assigned once.  To that end it adds statements to the primal:
snapshots (see `values`), iteration counters of `while` loops, and the extents
of arrays that come and go inside loops.
"""

from __future__ import annotations

from srcdiff.builder import INT, Builder
from srcdiff.reverse.extents import KnownExtents, Source
from srcdiff.reverse.nodes import Block, Node, Tree
from srcdiff.reverse.values import Values
from srcdiff.rules import RULES
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    If,
    Load,
    Store,
    Var,
    While,
    index_atoms,
)

__all__ = ["Needs"]

# Operations whose adjoint asks for the extents of operands that are not differentiated.
OFFSETS = frozenset({"concatenate"})


class Needs:
    """The values read by the reverse sweep, and who holds them.

    Attributes
    ----------
    reversible
        The statements that have an adjoint.
    names
        Every name read, each assigned once or stable; in the order found.
    held
        (statement, variable, after) -> the name that holds its value there.
    at_home
        block -> the active variables whose adjoints live in it.
    extents
        array -> the names of its extents, noted while the forward sweep runs.
    known
        array -> where its extents can be read at any time (see `extents`).
    """

    def __init__(self, tree: Tree, builder: Builder, carriers: frozenset[str],
                 shapes: KnownExtents, replays):
        self.tree, self.builder, self.carriers, self.shapes = tree, builder, carriers, shapes
        self.replays = {id(n): replays[n.stmt.condition.name] for n in tree.top.walk() if _is_among(replays, n)}
        self.values = Values(tree, builder)
        self.names: dict[str, None] = {}
        self.held: dict[tuple[int, str, bool], str] = {}
        self.extents: dict[str, tuple[str, ...]] = {}
        self.known: dict[str, tuple[Source, ...]] = {}
        self.operand_extents: dict[tuple[int, int], tuple[str, ...]] = {}
        self.previous_extents: dict[int, tuple[str, ...]] = {}
        self.trips: dict[int, str] = {}
        self.reversible = {n for n in tree.top.walk() if self._has_adjoint(n) and not self._is_replayed(n.block)}
        self._count_trips()
        self.at_home = self._homes()
        for node in list(tree.top.walk()):
            if node in self.reversible:
                self._collect(node)
        self.values.commit()
        self._name_extents_of_kept()

    def wanted(self, stmt: Assign) -> set[int]:
        """Return the positions of the operands that get a contribution."""
        rule = RULES.get(stmt.op)
        if rule is None or rule.zero or stmt.target not in self.carriers:
            return set()
        return {i for i, a in enumerate(stmt.args) if isinstance(a, Var) and a.name in self.carriers}

    def is_overwritten(self, node: Node) -> bool:
        """Tell whether the target had a value before `node` whose adjoint is another one.

        So it has if another statement, or `node` in another iteration, gave it
        one: what the test of a `while` computes and its body reads has one
        adjoint for the whole loop.
        """
        name = node.stmt.target
        again = len(node.loops()) > len(self.tree.home(name).loops())
        return again or any(c is not node and _may_precede(c, node) for c in self.tree.changes[name])

    # -- which statements, which blocks ------------------------------------------------

    def _has_adjoint(self, node: Node) -> bool:
        match node.stmt:
            case Assign(target=name) | Load(target=name) | Store(array=name):
                return name in self.carriers
        return any(self._has_adjoint(inner) for block in node.blocks for inner in block.nodes)

    def _is_replayed(self, block: Block) -> bool:
        """Tell whether a block belongs to a loop that is reversed by running it again (see `replay`)."""
        return block.owner is not None and (id(block.owner) in self.replays or self._is_replayed(block.owner.block))

    def _count_trips(self) -> None:
        """Give each reversible `while` loop a counter."""
        for node in [n for n in self.reversible if isinstance(n.stmt, While) and id(n) not in self.replays]:
            count = self.builder.fresh("trips", INT)
            self.trips[id(node)] = count
            self.values.insert(node, False, Assign(count, "copy", (Const(0),), where=node.stmt.where))
            self.values.append(node.blocks[1], Assign(
                count, "add", (Var(count), Const(1)), where=node.stmt.where))
        self.values.commit()

    def _homes(self) -> dict[int, list[str]]:
        homes: dict[int, list[str]] = {}
        for name in list(self.builder.types):
            if name not in self.carriers:
                continue
            block = self.tree.home(name)
            if self._is_replayed(block):
                continue
            homes.setdefault(id(block), []).append(name)
            if isinstance(self.builder.types[name], Array) and block is not self.tree.top:
                if sources := self.shapes.sources(name):
                    self.known[name] = sources
                else:
                    self._name_extents(name, block)
        return homes

    # -- extents ---------------------------------------------------------------------------

    def _sizes(self, name: str) -> tuple[tuple[str, Assign], ...]:
        pairs = []
        for axis in range(self.builder.types[name].ndim):
            size = self.builder.fresh(f"n_{name}", INT)
            pairs.append((size, Assign(size, "size", (Var(name),), (("axis", axis),))))
        return tuple(pairs)

    def _require(self, names) -> tuple[str, ...]:
        names = tuple(names)
        self.names.update(dict.fromkeys(names))
        return names

    def _name_extents(self, name: str, block: Block) -> None:
        """Note the extents of an array that lives in a loop: after its definition, or at the end."""
        pairs = self._sizes(name)
        single = self.tree.is_single(name)
        place = self.tree.changes[name][0] if single else block.nodes[-1]
        for _, stmt in pairs:
            self.values.insert(place, True, stmt)
        self.extents[name] = self._require(size for size, _ in pairs)

    def _name_extents_of_kept(self) -> None:
        """Note the extents of the arrays that may have to be kept."""
        for name in list(self.names):
            changes = self.tree.changes.get(name)
            if (name in self.extents or not changes or not changes[0].loops()
                    or not isinstance(self.builder.types[name], Array)):
                continue
            sources = self.shapes.sources(self.values.origin.get(name, name),
                                          before=changes[0].loops()[0])
            if sources:
                self.known[name] = sources
                continue
            lives_here = self.known.pop(name, None) is not None
            pairs = self._sizes(name)
            for _, stmt in pairs:
                self.values.insert(changes[0], True, stmt)
            self.extents[name] = tuple(size for size, _ in pairs)
            if lives_here:
                self._require(self.extents[name])
        self.values.commit()

    def _extents_before(self, node: Node, name: str) -> tuple[str, ...]:
        pairs = self._sizes(name)
        for _, stmt in pairs:
            self.values.insert(node, False, stmt)
        return self._require([size for size, _ in pairs])

    # -- values ----------------------------------------------------------------------------------

    def _hold(self, node: Node, atom: Atom, after: bool = False) -> None:
        if isinstance(atom, Var):
            key = (id(node), atom.name, after)
            if key not in self.held:
                self.held[key] = self.values.resolve(atom.name, node, after)
                self.names[self.held[key]] = None

    def _collect(self, node: Node) -> None:
        stmt = node.stmt
        match stmt:
            case Assign():
                self._collect_assign(node)
            case Load(index=index) | Store(index=index):
                for atom in index_atoms(index):
                    self._hold(node, atom)
                if isinstance(stmt, Load):
                    self._collect_previous(node)
            case For():
                for atom in (stmt.start, stmt.stop, stmt.step):
                    self._hold(node, atom)
            case If():
                self._hold(node, stmt.condition)
            case While() if id(node) in self.replays:
                for name in self.replays[id(node)].constants:
                    self._hold(node, Var(name))
            case While():
                self._hold(node, Var(self.trips[id(node)]), after=True)

    def _collect_assign(self, node: Node) -> None:
        stmt, wanted = node.stmt, self.wanted(node.stmt)
        if wanted:
            for need in sorted(RULES[stmt.op].needs(stmt, wanted), key=str):
                if need == "ans":
                    self._hold(node, Var(stmt.target), after=True)
                else:
                    self._hold(node, stmt.args[need])
            if stmt.op in OFFSETS:
                for i, atom in enumerate(stmt.args):
                    if i not in wanted and isinstance(self.builder.type_of(atom), Array):
                        self.operand_extents[id(node), i] = self._extents_before(node, atom.name)
        self._collect_previous(node)

    def _collect_previous(self, node: Node) -> None:
        """Note the extents that an array had before it is overwritten as a whole."""
        name = node.stmt.target
        if (isinstance(self.builder.types[name], Array) and name in self.carriers
                and self.is_overwritten(node) and not self.shapes.is_constant(name)):
            self.previous_extents[id(node)] = self._extents_before(node, name)


def _is_among(replays, node: Node) -> bool:
    return isinstance(node.stmt, While) and isinstance(node.stmt.condition, Var) and node.stmt.condition.name in replays


def _may_precede(change: Node, node: Node) -> bool:
    """Tell whether `change` can run before `node` (siblings of one `if` exclude each other)."""
    if change.order >= node.order:
        return False
    blocks = {id(b) for b in [node.block, *(p.block for p in node.parents())]}
    inner = change
    for parent in [*change.parents()]:
        if isinstance(parent.stmt, If) and id(inner.block) not in blocks and any(
                id(b) in blocks for b in parent.blocks):
            return False
        inner = parent
    return True
