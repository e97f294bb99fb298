"""What a loop may keep: bytes of a checkpoint, bytes of the tape, and how the memory is divided between them.

How often an inner loop runs is mostly known before the outer one starts
(`trips`).  Where it is not (the iterations of Newton's method in each step of
time), the forward sweep counts its runs, and the segments are made as short as
the largest number of them in an iteration asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from srcdiff.builder import INT, Builder
from srcdiff.reverse.extents import emit
from srcdiff.reverse.segments import Replay
from srcdiff.reverse.tape import BlockTape, bytes_of
from srcdiff.syntax import Assign, Atom, Const, Stmt, Var, blocks_of, rename, with_blocks

__all__ = ["Budget", "Forecast", "forecast", "segment_sweep"]

ZERO, ONE = Const(0), Const(1)
EXPECTED = Const(8)             # runs of an inner loop in an iteration, before they are counted
GROWTH = Const(3)               # a stack that doubles holds its entries once, or, while it grows, three times


@dataclass
class Uncounted:
    """What is counted while the loop runs: the runs of an inner block, or the elements of an array in all of them.

    Attributes
    ----------
    owner, position
        The block: it is the one at `position` of the statement `owner`; None for
        the body of the loop.
    weight
        The bytes for one run, or for one element.
    array
        The array whose elements are counted; None for runs.
    """

    owner: Stmt | None
    position: int
    weight: Atom
    array: str | None = None


@dataclass
class Forecast:
    """The bytes that the tape of a loop takes for one iteration: those `known` before the loop, and the others."""

    known: Atom
    uncounted: list[Uncounted]


def segment_sweep(sweep, replay: Replay, types):
    """Return the sweep of one segment; `sweep` is that of the loop.

    What stands for the checkpoint in it is written by `Replay.restore`.
    """
    program, start = replay.segment_program(sweep.program, types)
    carriers = {replay.names.get(name, name) for name in sweep.carriers}
    carriers |= sweep.carriers & replay.finished
    inner = type(sweep)(program, frozenset(carriers), part=replay)
    inner.given = set(map(id, start))
    return inner


def forecast(sweep, replay: Replay, builder: Builder) -> Forecast:
    """Append what counts the bytes that an iteration keeps."""
    inner = segment_sweep(sweep, replay, builder.types)
    back = {new: name for name, new in replay.names.items()}
    with builder.nested() as body:
        total: Atom = ZERO
        for tape in inner.loop_tapes():
            if tape.has_length():
                entry, runs = tape.entry_bytes(builder, inner.builder.types), tape.trips.most_inside(builder, replay.loop)
                total = builder.op("add", total, builder.op("multiply", runs, entry, stem="bytes"), stem="tape_bytes")
        total = builder.op("maximum", total, ONE, stem="tape_bytes")
        uncounted = [_uncounted(inner, replay, builder, tape, name) for tape, name in counters(inner)]
    builder.append(*rename(body, back))
    return Forecast(total, uncounted)


def counters(inner) -> list[tuple[BlockTape, str | None]]:
    """Return what has to be counted of the tapes of a segment: arrays, and the runs of blocks (None)."""
    found: list[tuple[BlockTape, str | None]] = []
    for tape in inner.loop_tapes():
        found += [] if tape.has_length() else [(tape, None)]
        found += [(tape, name) for name in tape.flat()]
    return found


def _uncounted(inner, replay: Replay, builder: Builder, tape: BlockTape, name: str | None) -> Uncounted:
    owner, original = tape.block.owner, None
    position = owner.blocks.index(tape.block)
    if owner is not inner.tree.top.nodes[-1]:
        original = _pairs(inner.program.body[-1].body, replay.loop.body)[id(owner.stmt)]
    if name is None:
        return Uncounted(original, position, tape.entry_bytes(builder, inner.builder.types))
    weight = Const(np.dtype(inner.builder.types[name].dtype).itemsize)
    return Uncounted(original, position, weight, replay.original(inner.needs.values.origin.get(name, name)))


def elements_inside(builder: Builder, replay: Replay, inner, tape: BlockTape, name: str) -> Atom:
    """Append how many elements of a value an iteration keeps at most and return them; known after the loop."""
    places = counters(inner)
    if name in tape.flat():
        return Var(replay.most[places.index((tape, name))])
    total: Atom = (tape.trips.most_inside(builder, replay.loop) if tape.has_length()
                   else Var(replay.most[places.index((tape, None))]))
    for extent in emit(builder, tape.known.get(name, ())):
        total = builder.op("multiply", total, extent, stem="count")
    return total


def _pairs(copies, originals) -> dict[int, Stmt]:
    """Return the original of each statement of a copied block, by the id of the copy."""
    found = {}
    for copy, original in zip(copies, originals, strict=True):
        found[id(copy)] = original
        for blocks in zip(blocks_of(copy), blocks_of(original), strict=True):
            found |= _pairs(*blocks)
    return found


@dataclass
class Budget:
    """The memory of one loop; the methods append what divides it, in the order in which they stand here."""

    builder: Builder
    replay: Replay
    forecast: Forecast
    runs: list[str] = field(default_factory=list)       # in an iteration, of each block that is counted

    def divide(self, share: Atom) -> None:
        """Append what makes of `share` bytes a number of checkpoints and a length of the tape."""
        builder, replay = self.builder, self.replay
        self.share, self.state, tape = share, self.state_bytes(), self.expected()
        builder.assign(replay.segment, "segment_length", Var(replay.trips), self.state, tape, share)
        taped = builder.op("multiply", tape, Var(replay.segment), stem="taped")
        room = builder.op("subtract", builder.op("subtract", share, taped), self.state, stem="room")
        most = builder.op("floor_divide", room, self.state, stem="most")
        ahead = builder.op("subtract", builder.op("add", Var(replay.trips), Var(replay.segment)), ONE)
        pieces = builder.op("floor_divide", ahead, Var(replay.segment), stem="pieces")
        builder.assign(replay.slots, "minimum", most, pieces)
        self.tape = tape
        for _ in self.forecast.uncounted:
            self.runs.append(builder.fresh("runs", INT))
            self.replay.most.append(builder.fresh("most", INT))
            builder.copy(self.replay.most[-1], ZERO)

    def state_bytes(self) -> Atom:
        """Append the bytes of one checkpoint and return them."""
        builder, replay = self.builder, self.replay
        scalars = [np.dtype(builder.types[n].dtype).itemsize for n in replay.state if n not in replay.extents]
        total: Atom = Const(8 + sum(scalars))
        for name in replay.state:
            if name in replay.extents:
                size = bytes_of(builder, builder.types[name].dtype, emit(builder, replay.extents[name]))
                total = builder.op("add", total, size, stem="state_bytes")
        return total

    def expected(self) -> Atom:
        return self._with_runs([EXPECTED] * len(self.forecast.uncounted))

    def _with_runs(self, runs) -> Atom:
        """Append the bytes of the tape of an iteration in which the uncounted blocks run so often."""
        builder, total = self.builder, self.forecast.known
        for counted, number in zip(self.forecast.uncounted, runs, strict=True):
            size = builder.op("multiply", number, counted.weight, stem="bytes")
            stack = builder.op("multiply", GROWTH, size, stem="stack")
            total = builder.op("add", total, stack, stem="tape_bytes")
        return total

    def counting(self, body) -> tuple[Stmt, ...]:
        """Return the body of the loop with statements that count."""
        where = self.replay.loop.where
        ends: dict[tuple[int | None, int], tuple[Stmt, ...]] = {}
        for counted, runs in zip(self.forecast.uncounted, self.runs, strict=True):
            place = id(counted.owner) if counted.owner else None, counted.position
            ends[place] = (*ends.get(place, ()), *self._one_more(counted, runs))
        before = [Assign(runs, "copy", (ZERO,), where=where) for runs in self.runs]
        behind = [Assign(most, "maximum", (Var(most), Var(runs)), where=where)
                  for most, runs in zip(self.replay.most, self.runs, strict=True)]
        return (*before, *_at_ends(body, ends), *ends.get((None, 0), ()), *behind)

    def _one_more(self, counted: Uncounted, runs: str) -> tuple[Stmt, ...]:
        """Return the statements that count one run of a block, or the elements of an array in it."""
        with self.builder.nested() as body:
            number: Atom = ONE
            for extent in self.builder.extents(counted.array) if counted.array else ():
                number = self.builder.op("multiply", number, extent, stem="count")
            self.builder.assign(runs, "add", Var(runs), number)
        return tuple(body)

    def shorten(self) -> None:
        """Append what makes segments as short as the counted runs ask."""
        if not self.forecast.uncounted:
            return
        builder, replay = self.builder, self.replay
        self.tape = self._with_runs(map(Var, self.replay.most))
        room = builder.op("subtract", self.share, self.checkpoints(), stem="room")
        builder.assign(replay.segment, "segment_within", Var(replay.segment), self.tape, room)

    def checkpoints(self) -> Atom:
        """Append the bytes of all checkpoints and of the state in the replay."""
        slots = self.builder.op("add", Var(self.replay.slots), ONE)
        return self.builder.op("multiply", slots, self.state, stem="checkpoints")

    def spent(self) -> Atom:
        """Append the bytes that the loop takes."""
        taped = self.builder.op("multiply", self.tape, Var(self.replay.segment), stem="taped")
        return self.builder.op("add", self.checkpoints(), taped, stem="spent")


def _at_ends(body, ends) -> tuple[Stmt, ...]:
    """Return a block with more statements at the ends of blocks inside, given by their owners' ids and their places."""
    def one(old):
        blocks = [_at_ends(b, ends) for b in blocks_of(old)]
        return with_blocks(old, [(*b, *ends.get((id(old), i), ())) for i, b in enumerate(blocks)])
    return tuple(map(one, body))
