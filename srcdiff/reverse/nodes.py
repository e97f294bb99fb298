"""The program as a tree: every statement knows its block, its loops and its order.

The normal form is immutable and anonymous; the adjoint transform asks of each
statement where it stands and what may change a variable after it.  This module
answers that and knows nothing of derivatives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from srcdiff.syntax import (
    Assign,
    For,
    If,
    Load,
    Program,
    Stmt,
    Var,
    While,
    atoms_of,
    blocks_of,
    defined,
    with_blocks,
)

__all__ = ["Block", "Node", "Tree", "assured"]


@dataclass(eq=False)
class Block:
    """A run of statements; `owner` is the loop or branch it belongs to, None at the top."""

    owner: Node | None
    nodes: list[Node] = field(default_factory=list)

    def loops(self) -> tuple[Node, ...]:
        """Return the loops around the block, outermost first."""
        loops, node = [], self.owner
        while node is not None:
            if isinstance(node.stmt, For | While):
                loops.append(node)
            node = node.block.owner
        return tuple(reversed(loops))

    def walk(self) -> Iterator[Node]:
        for node in self.nodes:
            yield from node.walk()

    def statements(self) -> tuple[Stmt, ...]:
        return tuple(node.statement() for node in self.nodes)


@dataclass(eq=False)
class Node:
    """One statement in its place.

    `order` grows along the text of the program; `last` is the largest order
    inside the statement.
    """

    stmt: Stmt
    block: Block
    blocks: list[Block] = field(default_factory=list)
    order: int = 0
    last: int = 0

    def walk(self) -> Iterator[Node]:
        yield self
        for block in self.blocks:
            yield from block.walk()

    def statement(self) -> Stmt:
        """Return the statement with its blocks as they are now."""
        if not self.blocks:
            return self.stmt
        return with_blocks(self.stmt, [b.statements() for b in self.blocks])

    def parents(self) -> Iterator[Node]:
        """Yield the statements around this one, innermost first."""
        owner = self.block.owner
        while owner is not None:
            yield owner
            owner = owner.block.owner

    def loops(self) -> tuple[Node, ...]:
        return self.block.loops()


def assured(nodes) -> set[str]:
    """Return the variables that are assigned whichever way some statements run."""
    names: set[str] = set()
    for node in nodes:
        match node.stmt:
            case If():
                then, orelse = (assured(block.nodes) for block in node.blocks)
                names |= then & orelse
            case While():
                names |= assured(node.blocks[0].nodes)
            case Assign(target=name) | Load(target=name):
                names.add(name)
    return names


class Tree:
    """A program as nodes, with the places that change each variable.

    `assured` holds the variables that are assigned at the end of every run.
    """

    def __init__(self, program: Program):
        self.params = {p.name for p in program.params}
        self.results = {a.name for a in program.results if isinstance(a, Var)}
        self.top = self._block(program.body, None)
        self.refresh()

    def _block(self, body, owner) -> Block:
        block = Block(owner)
        for stmt in body:
            node = Node(stmt, block)
            node.blocks = [self._block(inner, node) for inner in blocks_of(stmt)]
            block.nodes.append(node)
        return block

    def refresh(self) -> None:
        """Renumber the nodes and collect definitions and uses, after insertions."""
        self.changes: dict[str, list[Node]] = {}
        self.uses: dict[str, list[Node]] = {}
        nodes = list(self.top.walk())
        for order, node in enumerate(nodes):
            node.order = node.last = order
            for parent in node.parents():
                parent.last = order
        for node in nodes:
            if name := defined(node.stmt):
                self.changes.setdefault(name, []).append(node)
            for atom in atoms_of(node.stmt):
                if isinstance(atom, Var):
                    self.uses.setdefault(atom.name, []).append(node)

        self.assured = assured(self.top.nodes)

    def is_single(self, name: str) -> bool:
        """Tell whether one statement alone gives `name` its value."""
        return len(self.changes.get(name, ())) == 1

    def home(self, name: str) -> Block:
        """Return the innermost block that contains every occurrence of a variable."""
        if name in self.params or name in self.results:
            return self.top
        places = self.changes.get(name, []) + self.uses.get(name, [])
        chains = [[node.block, *(p.block for p in node.parents())][::-1] for node in places]
        block = self.top
        for level in zip(*chains, strict=False):
            if any(b is not level[0] for b in level):
                break
            block = level[0]
        return block
