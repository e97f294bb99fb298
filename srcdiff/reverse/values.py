"""Values that the reverse sweep reads: still there, or held by a snapshot.

A reverse statement must see each primal value as it was when the forward
statement ran.  A value is *stable* if nothing can change it afterwards; a
value that a later statement or iteration changes gets a snapshot, one copy per
version, taken as far out of the loops as the version reaches.  After this
stage every value that is read has a name that is assigned once, so that
`keep` only has to bring such names back within their iteration.
"""

from __future__ import annotations

from srcdiff.builder import Builder
from srcdiff.reverse.nodes import Block, Node, Tree
from srcdiff.syntax import Assign, For, Load, Stmt, Var

__all__ = ["Values"]


class Values:
    """Resolve (variable, statement) to a name whose value the reverse sweep can have."""

    def __init__(self, tree: Tree, builder: Builder):
        self.tree = tree
        self.builder = builder
        self.origin: dict[str, str] = {}            # snapshot -> the variable it holds
        self.producer: dict[str, Node] = {}         # snapshot -> the statement that made its value
        self._snapshots: dict[tuple[int, str, int], str] = {}
        self._inserted: dict[int, list[tuple[Node, bool, Stmt]]] = {}

    # -- is it still there? -----------------------------------------------------

    def is_stable(self, name: str, node: Node, after: bool = False) -> bool:
        """Tell whether `name` is sure to have, for the rest of the run, its value at `node`."""
        if name in self.tree.params:
            return True
        if name not in self.tree.assured:
            return False
        loops = set(map(id, node.loops()))
        limit = node.last if after else node.order - 1
        for change in self.tree.changes.get(name, ()):
            if change.order > limit:
                return False
            if any(id(loop) in loops for loop in change.loops()):
                return False
        return True

    def is_index(self, name: str, node: Node) -> bool:
        """Tell whether `name` counts a loop around `node`; the reverse loop counts it too."""
        return any(isinstance(p.stmt, For) and p.stmt.var == name for p in node.parents())

    def _is_of_iteration(self, name: str, node: Node) -> bool:
        """Tell whether one statement gives `name` its value, and does so in the iteration in which `node` reads it."""
        return self.tree.is_single(name) and set(self.tree.changes[name][0].loops()) <= set(node.loops())

    def resolve(self, name: str, node: Node, after: bool = False, create: bool = True) -> str | None:
        """Return the name that holds the value of `name` as it is at `node`.

        Parameters
        ----------
        after
            The value just after `node` runs (its answer), not just before.
        create
            Take a snapshot if there is none; otherwise return None.
        """
        if (name in self.tree.params or self.is_index(name, node) or self._is_of_iteration(name, node)
                or self.is_stable(name, node, after)):
            return name
        place, follows = self._snapshot_place(name, node, after)
        key = (id(place.block), name, self._version(name, place, follows))
        if key not in self._snapshots:
            if not create:
                return None
            self._snapshots[key] = self._snapshot(name, place, follows)
        return self._snapshots[key]

    # -- snapshots ------------------------------------------------------------------

    def _snapshot_place(self, name: str, node: Node, after: bool) -> tuple[Node, bool]:
        """Return the outermost statement before (or after) which this version holds."""
        changes = set(map(id, self.tree.changes[name]))
        if after and any(id(inner) in changes for inner in node.walk()):
            return node, True
        place = node
        for parent in node.parents():
            if any(id(inner) in changes for inner in parent.walk()):
                break
            place = parent
        return place, False

    def _version(self, name: str, place: Node, follows: bool) -> int:
        """Count the changes of `name` in the block before the place."""
        changes = set(map(id, self.tree.changes[name]))
        count = 0
        for node in place.block.nodes:
            if node is place and not follows:
                break
            count += sum(id(inner) in changes for inner in node.walk())
            if node is place:
                break
        return count

    def _snapshot(self, name: str, place: Node, follows: bool) -> str:
        held = self.builder.fresh(f"{name}_kept", self.builder.types[name])
        self.origin[held] = name
        if producer := self._producer(name, place, follows):
            self.producer[held] = producer
        self.insert(place, follows, Assign(held, "copy", (Var(name),), where=place.stmt.where))
        return held

    def _producer(self, name: str, place: Node, follows: bool) -> Node | None:
        """Return the statement of the same block that made the value that `name` has at `place`, if one did."""
        changes = set(map(id, self.tree.changes[name]))
        nodes = place.block.nodes
        stop = nodes.index(place) + follows
        for node in reversed(nodes[:stop]):
            if any(id(inner) in changes for inner in node.walk()):
                return node if isinstance(node.stmt, Assign | Load) else None
        return None

    # -- insertions, applied at the end so that places stay valid meanwhile -------------

    def insert(self, place: Node, follows: bool, stmt: Stmt) -> None:
        self._inserted.setdefault(id(place.block), []).append((place, follows, stmt))

    def append(self, block: Block, stmt: Stmt) -> None:
        """Add a statement at the end of a block, at once."""
        block.nodes.append(Node(stmt, block))

    def commit(self) -> None:
        """Put the inserted statements in their places."""
        for entries in self._inserted.values():
            block = entries[0][0].block
            before: dict[int, list[Node]] = {}
            behind: dict[int, list[Node]] = {}
            for place, follows, stmt in entries:
                side = behind if follows else before
                side.setdefault(id(place), []).append(Node(stmt, block))
            block.nodes = [n for node in block.nodes for n in (
                *before.get(id(node), ()), node, *behind.get(id(node), ()))]
        self._inserted.clear()
        self.tree.refresh()
