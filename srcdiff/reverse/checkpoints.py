"""Loops reversed within a memory budget: the forward sweep takes checkpoints in place of a tape.

`Checkpoints` rewrites each loop that would keep something.  The state that an
iteration hands to the next is stored now and then (`srcdiff.schedule` says
where), and the loop runs from one such place to the next:

    while begin < trips:
        u_saved[count] = u; begins[count] = begin; count += 1
        end = begin + next_checkpoint(...)
        for i in range(begin, end): ...
        begin = end

What the reverse sweep does there is in `replay`: it restores the last checkpoint,
runs a segment of iterations again with a tape, and reverses it.  In the replay
each variable that the loop changes has another name.  An array whose elements
are read in their last version (`finals`), or not at all, is no part of the state:
the replay reads the finished array, and what it writes goes nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from srcdiff.analysis.uses import changed, exposed
from srcdiff.builder import INT, Builder
from srcdiff.errors import Problem, UnsupportedError
from srcdiff.reverse.extents import KnownExtents, Source, emit
from srcdiff.reverse.finals import Finals
from srcdiff.reverse.nodes import Node, Tree
from srcdiff.reverse.tape import bytes_of
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    If,
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

__all__ = ["Checkpoints", "Replay"]

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

    @property
    def constants(self) -> tuple[str, ...]:
        """The variables that it reads and does not change."""
        read = {a.name for s in walk((self.loop,)) for a in atoms_of(s) if isinstance(a, Var)}
        made = set(changed((self.loop,)))
        read |= {place[0] for sources in self.extents.values() for place in sources if not isinstance(place, int)}
        return tuple(sorted(read - made))

    @property
    def given(self) -> tuple[str, ...]:
        """The variables that have a value where the loop starts, in the replay too."""
        return (*self.state, *sorted(self.finished))

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


class Checkpoints:
    """Rewrite the loops of a program that are to take checkpoints.

    Parameters
    ----------
    chosen
        The ids of the loops, none inside another loop.
    memory
        Bytes that the checkpoints and the tapes of all of them may take.
    tape_bytes
        ``tape_bytes(replay, builder)`` appends what counts the bytes that the tape
        takes for one iteration, and returns them; None where they are not known.
    """

    def __init__(self, program: Program, chosen: set[int], memory: int, tape_bytes: Callable):
        self.program, self.chosen, self.tape_bytes = program, chosen, tape_bytes
        self.builder = Builder(program.types)
        self.tree = Tree(program)
        self.shapes = KnownExtents(program, self.tree)
        self.finals = Finals(self.tree, program.types)
        self.replays: dict[str, Replay] = {}
        self.left: Atom = Const(memory)

    def run(self) -> Program:
        """Return the rewritten program; `replays` holds its loops, by the condition of their `while`."""
        plans = {id(n): self.plan(n) for n in self.tree.top.walk() if id(n.stmt) in self.chosen}
        self.waiting = len(plans)
        for node in self.tree.top.nodes:
            for inner in node.walk():
                if inner is not node and id(inner) in plans:
                    self.declare(plans[id(inner)])
            self.statement(node, plans)
        return replace(self.program, body=self.builder.take(), types=self.builder.types)

    # -- what a loop hands on ---------------------------------------------------------------

    def plan(self, node: Node) -> Replay:
        """Return what is known of a loop before anything is written.

        Raises
        ------
        UnsupportedError
            What the loop keeps cannot be counted before it runs.
        """
        loop, types = node.stmt, self.builder.types
        if not isinstance(loop, For):
            refuse(loop, "its iterations are counted while it runs")
        counters = {s.var for s in walk(loop.body) if isinstance(s, For)}
        changes = [name for name in changed(loop.body) if name not in counters]
        entering = [name for name in changes if name in exposed(loop.body)]
        finished = frozenset(name for name in entering if self.is_finished(name, node))
        state = tuple(name for name in entering if name not in finished)
        extents = {name: self.shapes.sources(name, before=node) for name in (*state, *finished)
                   if isinstance(types[name], Array)}
        for name, known in extents.items():
            if known is None:
                refuse(loop, f"the shape of {name} may change in it")
        inside = {id(block) for inner in node.walk() for block in inner.blocks}
        outside = frozenset(name for name in changes if id(self.tree.home(name)) not in inside)
        names = {name: self.builder.fresh(name, types[name]) for name in changes}
        replay = self.named(Replay(loop, names, state, finished, extents, outside))
        with self.builder.nested():
            if self.tape_bytes(replay, self.builder) is None:
                refuse(loop, "what an iteration of it keeps is known only when it has run")
        return replay

    def is_finished(self, name: str, node: Node) -> bool:
        """Tell whether the loop reads nothing of an array but elements that nothing changes afterwards."""
        if not isinstance(self.builder.types[name], Array):
            return False
        for inner in node.walk():
            match inner.stmt:
                case Assign(target=target) | Load(target=target) if target == name:
                    return False
                case Load(array=array, index=index) if array == name and Var(name) not in index:
                    if not self.finals.is_final(inner):
                        return False
                case Assign(op="size"):
                    pass
                case stmt if Var(name) in atoms_of(stmt):
                    return False
        return True

    def named(self, replay: Replay) -> Replay:
        """Give the variables of the checkpoints their names."""
        builder, stem = self.builder, replay.loop.var
        for name in replay.state:
            type_ = builder.types[name]
            replay.saved[name] = builder.fresh(f"{name}_saved", Array(type_.dtype, type_.ndim + 1))
        replay.begins = builder.fresh(f"{stem}_saved", Array("int64", 1))
        for name in ("count", "slots", "trips", "segment", "first", "last"):
            setattr(replay, name, builder.fresh({"count": "saved"}.get(name, name), INT))
        return replay

    # -- statements ----------------------------------------------------------------------------

    def declare(self, replay: Replay) -> None:
        """Append what gives the variables of the checkpoints a value where the loop does not run."""
        with self.builder.at(replay.loop.where):
            for name in (*replay.saved.values(), replay.begins):
                type_ = self.builder.types[name]
                self.builder.assign(name, "empty", *[ZERO] * type_.ndim, dtype=type_.dtype)
            for name in (replay.count, replay.slots, replay.trips, replay.segment):
                self.builder.copy(name, ZERO)

    def statement(self, node: Node, plans: dict[int, Replay]) -> None:
        if id(node) in plans:
            with self.builder.at(node.stmt.where):
                self.loop(plans[id(node)])
        elif isinstance(node.stmt, If):
            bodies = []
            for block in node.blocks:
                with self.builder.nested() as body:
                    for inner in block.nodes:
                        self.statement(inner, plans)
                bodies.append(tuple(body))
            self.builder.append(with_blocks(node.stmt, bodies))
        else:
            self.builder.append(node.stmt)

    def loop(self, replay: Replay) -> None:
        """Append the loop from checkpoint to checkpoint, and what it needs."""
        builder, loop = self.builder, replay.loop
        replay.loop = loop = replace(loop, start=self.held(loop.start, loop), step=self.held(loop.step, loop))
        builder.assign(replay.trips, "trips", loop.start, loop.stop, loop.step)
        self.measure(replay)
        for name in replay.state:
            extents = emit(builder, replay.extents.get(name, ()))
            builder.assign(replay.saved[name], "empty", Var(replay.slots), *extents,
                           dtype=builder.types[name].dtype)
        builder.assign(replay.begins, "empty", Var(replay.slots), dtype="int64")
        builder.copy(replay.count, ZERO)
        begin = builder.fresh("begin", INT)
        builder.copy(begin, ZERO)
        with builder.nested() as test:
            more = builder.op("less", Var(begin), Var(replay.trips), stem="more")
        with builder.nested() as body:
            replay.save(builder, Var(begin))
            end = replay.run(builder, Var(begin), Var(replay.trips), loop.body)
            builder.copy(begin, end)
        builder.repeat(test, more, body)
        self.replays[more.name] = replay

    def held(self, atom: Atom, loop: For) -> Atom:
        """Return a bound that the body of the loop does not change."""
        if isinstance(atom, Var) and atom.name in changed(loop.body):
            return self.builder.op("copy", atom, stem="bound")
        return atom

    def measure(self, replay: Replay) -> None:
        """Append what divides the memory between checkpoints and tape."""
        builder = self.builder
        state = self.state_bytes(replay)
        tape = self.tape_bytes(replay, builder)
        share = self.left
        if self.waiting > 1:
            share = builder.op("floor_divide", self.left, Const(self.waiting), stem="share")
        builder.assign(replay.segment, "segment_length", Var(replay.trips), state, tape, share)
        taped = builder.op("multiply", tape, Var(replay.segment), stem="taped")
        room = builder.op("subtract", builder.op("subtract", share, taped), state, stem="room")
        most = builder.op("floor_divide", room, state, stem="most")
        ahead = builder.op("subtract", builder.op("add", Var(replay.trips), Var(replay.segment)), ONE)
        pieces = builder.op("floor_divide", ahead, Var(replay.segment), stem="pieces")
        builder.assign(replay.slots, "minimum", most, pieces)
        self.waiting -= 1

    def state_bytes(self, replay: Replay) -> Atom:
        """Append the bytes of one checkpoint and return them."""
        builder = self.builder
        scalars = [np.dtype(builder.types[n].dtype).itemsize for n in replay.state if n not in replay.extents]
        total: Atom = Const(8 + sum(scalars))
        for name in replay.state:
            if name in replay.extents:
                size = bytes_of(builder, builder.types[name].dtype, emit(builder, replay.extents[name]))
                total = builder.op("add", total, size, stem="state_bytes")
        return total


def refuse(loop: Stmt, why: str) -> None:
    """Refuse a memory budget because of a loop that cannot be held to it."""
    raise UnsupportedError(Problem("SD0243", "this loop cannot be held to a memory budget", loop.where, why=why,
                                   fix="leave memory out, or mark what need not be differentiated with sd.stop_gradient(...)"))


def _stores_to(body, names: dict[str, str]) -> tuple[Stmt, ...]:
    """Return a block that stores to other arrays in the place of some."""
    def one(stmt):
        if isinstance(stmt, Store):
            return replace(stmt, array=names.get(stmt.array, stmt.array))
        return with_blocks(stmt, [_stores_to(b, names) for b in blocks_of(stmt)])
    return tuple(map(one, body))
