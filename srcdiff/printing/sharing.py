"""Which copies may be printed as views, because nobody can tell.

In a program every variable has its own memory; in Python ``y = x[1:]`` and
``y = x`` share it.  Sharing is invisible where nothing that shares the memory
is ever stored to, or where the source is never looked at again.
"""

from __future__ import annotations

from collections import Counter

from srcdiff.syntax import (
    Array,
    Assign,
    Load,
    Program,
    Span,
    Store,
    Var,
    atoms_of,
    blocks_of,
    defined,
    walk,
)

__all__ = ["Uses", "may_share", "shares"]

VIEWS = ("copy", "stop_gradient", "transpose", "reshape", "expand_dims", "squeeze", "broadcast_to",
         "tape_grow")


def shares(stmt, types) -> str | None:
    """Return the array whose memory Python would let the statement's target share."""
    match stmt:
        case Assign(op="view", args=(Var(source), *_)):
            return source
        case Assign(op=op, args=(Var(source), *_)) if op in VIEWS:
            return source if isinstance(types[source], Array) else None
        case Load(array=source, index=index):
            scalar_or_span = all(isinstance(i, Span) or not isinstance(types.get(getattr(i, "name", "")), Array)
                                 for i in index)
            return source if scalar_or_span and any(isinstance(i, Span) for i in index) else None
    return None


class Uses:
    """How often each variable of a program is defined and read, in which block, and in which order."""

    def __init__(self, program: Program):
        self.assigned: Counter[str] = Counter(p.name for p in program.params)
        self.last_store: dict[str, int] = {}
        self.last_read: dict[str, int] = {}
        self._position = 0
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter(p.name for p in program.params)
        self.block: dict[str, int] = {}
        self.read_block: dict[str, int] = {}
        self.stored: set[str] = set()
        self.results = {a.name for a in program.results if isinstance(a, Var)}
        self._blocks = 0
        self._visit(program.body)
        for atom in program.results:
            self._read(atom, 1)

    def _read(self, atom, block):
        if isinstance(atom, Var):
            self.reads[atom.name] += 1
            self.read_block[atom.name] = block
            self.last_read[atom.name] = self._position

    def _visit(self, body):
        self._blocks += 1
        here = self._blocks
        for stmt in body:
            self._position += 1
            blocks = blocks_of(stmt)
            inner = here
            if len(blocks) == 2 and hasattr(stmt, "test"):      # the condition belongs to the test
                inner = self._blocks + 1
            for atom in atoms_of(stmt):
                self._read(atom, inner)
            if (name := defined(stmt)) is not None:
                self.writes[name] += 1
                if isinstance(stmt, Store):
                    self.stored.add(name)
                    self.last_store[name] = self._position
                else:
                    self.assigned[name] += 1
                    self.block[name] = here
            for block in blocks:
                self._visit(block)

    def once(self, name: str) -> bool:
        """Tell whether `name` is set once and read once, later in the same block."""
        return self.writes[name] == 1 and self.ends(name)

    def ends(self, name: str) -> bool:
        """Tell whether the one reader of `name` comes after all that sets it, in the same block."""
        return (self.assigned[name] == 1 and self.reads[name] == 1
                and self.block.get(name) == self.read_block[name]
                and self.last_store.get(name, 0) < self.last_read[name])


def may_share(program: Program, uses: Uses) -> frozenset[str]:
    """Return the targets whose statement may share its source's memory.

    A statement is named by its target: where one target has several such
    statements, all of them must qualify.
    """
    edges = [(stmt.target, source, _is_move(stmt) or _is_last(stmt, source, uses))
             for stmt in walk(program.body)
             if (source := shares(stmt, program.types)) is not None]
    groups = _Groups()
    for target, source, _ in edges:
        groups.join(target, source)
    stored = {groups.find(name) for name in uses.stored}
    escaping = set(uses.results)
    for target, source, free in reversed(edges):
        if free and target in escaping:
            escaping.add(source)
    shared = {}
    for target, _, free in edges:
        fine = free or (groups.find(target) not in stored and target not in escaping)
        shared[target] = shared.get(target, True) and fine
    return frozenset(name for name, fine in shared.items() if fine)


def _is_move(stmt):
    return isinstance(stmt, Assign) and (stmt.op == "view" or bool(stmt.keywords.get("move")))


def _is_last(stmt, source, uses):
    """Tell whether the statement is the only reader of its source, once per definition."""
    if isinstance(stmt, Assign) and stmt.op == "tape_grow" and stmt.target == source:
        return True
    if isinstance(stmt, Assign) and stmt.op in ("broadcast_to", "transpose"):
        return False                    # read-only, or not contiguous: a stored target needs its own
    return uses.ends(source)


class _Groups:
    """Disjoint sets of names."""

    def __init__(self):
        self.parent: dict[str, str] = {}

    def find(self, name: str) -> str:
        while (parent := self.parent.get(name, name)) != name:
            name = parent
        return name

    def join(self, a: str, b: str) -> None:
        self.parent[self.find(a)] = self.find(b)
