"""What the reverse sweep brings back in each iteration: recomputed, or kept.

A value that is defined in a loop, or in one branch, and read by a reverse
statement has to be brought back when its iteration or branch is reversed.  It is *recomputed* if its
statement is cheap and reads only what is there (loop indices, values that
never change, elements that are not written again, values brought back already), else it is *kept* on a tape.  This
is to-be-recorded analysis at the grain of one value (Hascoet, Naumann & Pascual
2005), with recomputation in the place of storage where it costs less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from srcdiff.primitives import PRIMITIVES
from srcdiff.reverse.finals import Finals
from srcdiff.reverse.nodes import Block, Node, Tree
from srcdiff.reverse.values import Values
from srcdiff.syntax import Array, Assign, Const, For, Load, Stmt, Store, Type, Var, atoms_of, is_float

__all__ = ["Keep"]

# Elementwise operations worth a tape entry: each costs more than a load.
EXPENSIVE = frozenset("""
    exp exp2 expm1 log log2 log10 log1p cbrt sin cos tan arcsin arccos arctan sinh cosh tanh
    arcsinh arccosh arctanh erf erfc gamma lgamma digamma power arctan2 hypot logaddexp
    remainder fmod floor_divide
""".split())
CHEAP_KINDS = ("elementwise", "extent")


class Keep:
    """Decide for each needed value; the outcome is in `taped` and `recomputed`.

    Parameters
    ----------
    extents
        For each array that may have to be kept: the names that hold its extents.
    is_indexed
        Whether the tape of a block is indexed by the iteration.
    """

    def __init__(self, tree: Tree, values: Values, types: Mapping[str, Type],
                 extents: Mapping[str, tuple[str, ...]], is_indexed: Callable[[Block], bool]):
        self.tree, self.values, self.types, self.extents = tree, values, types, extents
        self.is_indexed = is_indexed
        self.finals = Finals(tree, types)
        self.taped: dict[str, Block] = {}
        self.recomputed: dict[str, Block] = {}

    def decide(self, needed) -> None:
        """Settle every name of `needed`, in the order of the program."""
        inside = [n for n in needed if self.is_transient(n)]
        for name in sorted(inside, key=lambda n: self.definition(n).order):
            self._settle(name)

    def definition(self, name: str) -> Node:
        return self.tree.changes[name][0]

    def is_transient(self, name: str) -> bool:
        """Tell whether `name` is a value of an iteration or of one branch (indices of loops are not)."""
        changes = self.tree.changes.get(name)
        return bool(changes) and isinstance(changes[0].stmt, Assign | Load) and (
            bool(changes[0].loops()) or name not in self.tree.assured)

    def producer(self, name: str) -> Node:
        """Return the statement that made the value: for a snapshot, the one before it."""
        return self.values.producer.get(name) or self.definition(name)

    def is_settled(self, name: str) -> bool:
        return name in self.taped or name in self.recomputed

    def operands(self, name: str) -> dict[str, str]:
        """Return, for each variable that the definition of `name` reads, who holds its value."""
        node = self.producer(name)
        held = {}
        for atom in atoms_of(node.stmt):
            if isinstance(atom, Var):
                held[atom.name] = self._holder(atom.name, node)
        return held

    def _holder(self, name: str, node: Node) -> str | None:
        if isinstance(node.stmt, Assign) and node.stmt.op == "size" and self._keeps_shape(name):
            return name
        if isinstance(node.stmt, Load) and node.stmt.array == name and self.finals.is_final(node):
            return name
        return self.values.resolve(name, node, create=False)

    def _keeps_shape(self, name: str) -> bool:
        """Tell whether an array has one shape for the whole run, and is there at its end."""
        if name in self.tree.params:
            return True
        whole = [c for c in self.tree.changes.get(name, ()) if not isinstance(c.stmt, Store)]
        return len(whole) == 1 and not whole[0].loops() and whole[0].block is self.tree.top

    # -- decisions ------------------------------------------------------------------

    def _settle(self, name: str) -> None:
        if self.is_settled(name):
            return
        if self._can_recompute(name, {}):
            self._recompute(name)
            return
        for extent in self.extents.get(name, ()):
            self._settle(extent) if self._can_recompute(extent, {name: False}) else self._tape(extent)
        self._tape(name)

    def _tape(self, name: str) -> None:
        if name not in self.taped:
            self.taped[name] = self._tape_block(name)

    def _tape_block(self, name: str) -> Block:
        """Return the block in whose iterations the value differs: constants of inner loops are kept once.

        Where an inner loop does not run, such a tape entry has no value; nothing
        but the reverse of that loop reads it.
        """
        node, block = self.definition(name), self.definition(name).block
        if isinstance(self.types[name], Array) or not is_float(self.types[name]):
            return block
        while (block.owner is not None and isinstance(block.owner.stmt, For) and block.owner.loops()
               and self._is_constant(node, block.owner)):
            block = block.owner.block
        return block if self.is_indexed(block) else node.block

    def _is_constant(self, node: Node, loop: Node) -> bool:
        """Tell whether a statement gives the same value in all iterations of a loop around it."""
        for atom in atoms_of(node.stmt):
            if not isinstance(atom, Var):
                continue
            inside = [c for c in self.tree.changes.get(atom.name, ()) if c is loop or loop in c.parents()]
            if inside and not (self.tree.is_single(atom.name) and isinstance(inside[0].stmt, Assign | Load)
                               and self._is_constant(inside[0], loop)):
                return False
        return True

    def _recompute(self, name: str) -> None:
        for held in self.operands(name).values():
            if self.is_transient(held) and self._is_local(held) and not self.is_settled(held):
                self._recompute(held)
        self.recomputed.setdefault(name, self.definition(name).block)

    def _is_local(self, name: str) -> bool:
        return self.tree.is_single(name) and name not in self.tree.params

    def _can_recompute(self, name: str, seen: dict[str, bool]) -> bool:
        if name not in seen:
            seen[name] = False              # a snapshot does not hold its own source
            seen[name] = self._is_cheap(self.producer(name).stmt) and all(
                held is not None and self._is_there(held, name, seen)
                for held in self.operands(name).values())
        return seen[name]

    def _is_there(self, held: str, reader: str, seen: dict[str, bool]) -> bool:
        node = self.producer(reader)
        if held in self.tree.params or self.values.is_index(held, node):
            return True
        if self.is_transient(held) and self._is_local(held):
            if held in seen and not seen[held]:
                return False
            return self.is_settled(held) or self._can_recompute(held, seen)
        return self.values.is_stable(held, node) or self._holder(held, node) == held

    def _is_cheap(self, stmt: Stmt) -> bool:
        match stmt:
            case Load():
                return True
            case Assign(op="power", args=(_, Const(value=int(exponent)))):
                return abs(exponent) <= 4           # a few multiplications
            case Assign(target=target, op="floor_divide" | "remainder"):
                return self.types[target].dtype == "int64"      # an index: cheaper than a tape of integers
            case Assign(op=op):
                return (PRIMITIVES[op].kind in CHEAP_KINDS and op not in EXPENSIVE
                        and not PRIMITIVES[op].opaque)
        return False
