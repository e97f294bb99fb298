"""A loop that takes checkpoints: its variables in the sweep and in the replay, and what both of them write.

A segment of it, from one place to another, is a program of its own
(`Replay.segment_program`), in which each variable that the loop changes has
another name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from srcdiff.analysis.uses import changed
from srcdiff.builder import Builder
from srcdiff.reverse.extents import Source, emit, reads_of
from srcdiff.syntax import (
    Array,
    Atom,
    Const,
    For,
    Load,
    Param,
    Program,
    Span,
    Stmt,
    Store,
    Var,
    atoms_of,
    blocks_of,
    rename,
    walk,
    with_blocks,
)

__all__ = ["Replay"]

ZERO, ONE = Const(0), Const(1)


@dataclass
class Replay:
    """A loop that is run again in segments.

    Attributes
    ----------
    names
        The variables that it changes, with their names in the replay.
    state
        Those whose value at the start of an iteration the iteration may read.
    finished
        Arrays that the replay reads where they stand, and writes elsewhere.
    extents
        Where the extents of the arrays among `state` and `finished` are read.
    outside
        The variables that are known outside the loop too: their adjoints are.
    saved
        The checkpoints of each variable of the state.
    begins, count, slots
        The iterations at which they were taken, their number and the largest one.
    trips, segment
        The iterations of the loop, and the largest number of them on the tape.
    first, last
        The bounds of a segment, as the loop counts.
    most
        Where it is not known before how much an iteration keeps: the variables that
        hold the largest numbers (see `budget.Uncounted`).
    """

    loop: For
    names: dict[str, str]
    state: tuple[str, ...]
    finished: frozenset[str]
    extents: dict[str, tuple[Source, ...]]
    outside: frozenset[str]
    saved: dict[str, str] = field(default_factory=dict)
    begins: str = ""
    count: str = ""
    slots: str = ""
    trips: str = ""
    segment: str = ""
    first: str = ""
    last: str = ""
    most: list[str] = field(default_factory=list)

    @property
    def constants(self) -> tuple[str, ...]:
        """The variables that it reads and does not change."""
        read = {a.name for s in walk((self.loop,)) for a in atoms_of(s) if isinstance(a, Var)}
        made = set(changed((self.loop,)))
        read.update(*(reads_of(source) for sources in self.extents.values() for source in sources))
        return tuple(sorted(read - made))

    @property
    def given(self) -> tuple[str, ...]:
        """The variables that have a value where the loop starts, in the replay too."""
        return (*self.state, *sorted(self.finished))

    def original(self, name: str) -> str:
        """Return the name in the loop of a variable of the replay."""
        return next((original for original, new in self.names.items() if new == name), name)

    def again(self, names: dict[str, str] | None = None) -> tuple[Stmt, ...]:
        """Return the body of the loop under the names of the replay, or others."""
        names = {**self.names, **(names or {})}
        apart = {name: names.pop(name) for name in self.finished}
        return rename(_stores_to(self.loop.body, apart), names)

    def ahead(self, builder: Builder) -> tuple[Stmt, ...]:
        """Return the body of the loop with what it hands on in the replay's variables, and others of its own."""
        return self.again({name: builder.fresh(name, builder.types[name])
                           for name in self.names if name not in self.given})

    def restore(self, builder: Builder, position: Atom) -> None:
        """Append what gives the state the values of one checkpoint."""
        for name in self.state:
            spans = (Span(),) * builder.types[name].ndim
            builder.append(Load(self.names[name], self.saved[name], (position, *spans), builder.where))
        for name in sorted(self.finished):
            self.make(builder, name)

    def make(self, builder: Builder, name: str) -> None:
        """Append a new array in the place of one that the replay writes."""
        extents = emit(builder, self.extents[name])
        builder.assign(self.names[name], "empty", *extents, dtype=builder.types[name].dtype)

    def save(self, builder: Builder, begin: Atom, names=None) -> None:
        """Append a checkpoint of the state before iteration `begin`, if there is room for one."""
        names = names or {}
        free = builder.op("less", Var(self.count), Var(self.slots), stem="free")
        with builder.nested() as body:
            for name in self.state:
                spans = (Span(),) * builder.types[name].ndim
                builder.store(self.saved[name], (Var(self.count), *spans), Var(names.get(name, name)))
            builder.store(self.begins, (Var(self.count),), begin)
            builder.assign(self.count, "add", Var(self.count), ONE)
        builder.branch(free, body)

    def run(self, builder: Builder, begin: Atom, until: Atom, body) -> Var:
        """Append the iterations from `begin` to the next checkpoint before `until`; returns where that is."""
        remaining = builder.op("subtract", until, begin, stem="remaining")
        free = builder.op("subtract", Var(self.slots), Var(self.count), stem="free_slots")
        length = builder.op("next_checkpoint", remaining, free, Var(self.segment), stem="length")
        end = builder.op("add", begin, length, stem="end")
        self.bounds(builder, begin, end)
        loop = replace(self.loop, start=Var(self.first), stop=Var(self.last), body=tuple(body))
        builder.append(loop)
        return end

    def bounds(self, builder: Builder, begin: Atom, end: Atom) -> None:
        """Append the bounds of the iterations `begin` to `end`."""
        for name, number in ((self.first, begin), (self.last, end)):
            value = number
            if self.loop.step != ONE:
                value = builder.op("multiply", value, self.loop.step)
            if self.loop.start != ZERO:
                value = builder.op("add", self.loop.start, value)
            builder.copy(name, value)

    def segment_program(self, program: Program, types) -> tuple[Program, list[Stmt]]:
        """Return one segment as a program, and the statements in it that stand for the checkpoint.

        They tell the analyses what is known of the state where a segment starts:
        its extents, and nothing of its values.
        """
        builder = Builder(types)
        for name in self.given:
            type_ = builder.types[name]
            if isinstance(type_, Array):
                self.make(builder, name)
            else:
                builder.append(Load(self.names[name], self.saved[name], (ZERO,), self.loop.where))
        start = builder.take()
        loop = replace(self.loop, start=Var(self.first), stop=Var(self.last), body=self.again())
        body = (*start, loop)
        made = set(changed(body))
        read = {a.name for s in walk(body) for a in atoms_of(s) if isinstance(a, Var)}
        params = tuple(Param(name, builder.types[name]) for name in sorted(read - made))
        results = tuple(Var(self.names[name]) for name in sorted(self.outside))
        return replace(program, params=params, body=body, results=results, types=builder.types, tree=None), start


def _stores_to(body, names: dict[str, str]) -> tuple[Stmt, ...]:
    """Return a block that stores to other arrays in the place of some."""
    def one(stmt):
        if isinstance(stmt, Store):
            return replace(stmt, array=names.get(stmt.array, stmt.array))
        return with_blocks(stmt, [_stores_to(b, names) for b in blocks_of(stmt)])
    return tuple(map(one, body))
