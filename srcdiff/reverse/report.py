"""What the adjoint keeps, said per value: for `explain`, and for memory forecasts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from srcdiff.builder import Builder
from srcdiff.errors import Where
from srcdiff.reverse.budget import elements_inside, segment_sweep
from srcdiff.reverse.segments import Replay
from srcdiff.reverse.sweep import Sweep, differentiable_results, sweep_within
from srcdiff.schedule import Within
from srcdiff.syntax import Assign, Atom, Const, Load, Program, Store, Var, rename

__all__ = ["Kept", "Report", "report"]


@dataclass(frozen=True)
class Kept:
    """A primal value that the reverse sweep reads.

    Attributes
    ----------
    how
        "indexed" (a tape indexed by the iteration), "stack", "held" (one value of
        a branch), "checkpoints" (of the state of a loop), or "recomputed".
    item_bytes
        Bytes of one element; 0 for what is not kept.
    result
        Position in the results of `Report.sizes` of the number of elements kept.
    """

    name: str
    where: Where
    how: Literal["indexed", "stack", "held", "checkpoints", "recomputed"]
    item_bytes: int = 0
    result: int | None = None


@dataclass(frozen=True)
class Report:
    """The activity of each statement, what is kept, and a program that counts it.

    Attributes
    ----------
    sizes
        The forward sweep alone; its results are the numbers of elements kept.
    """

    statements: tuple[tuple[Where, str, bool], ...]       # place, variable set, active
    kept: tuple[Kept, ...]
    sizes: Program


def report(program: Program, active: tuple[str, ...], memory: int | Within | None = None) -> Report:
    """Return what ``adjoint(program, active, memory=memory)`` would keep, per value and place."""
    outputs = [a.name for a in map(program.results.__getitem__, differentiable_results(program)) if isinstance(a, Var)]
    sweep = sweep_within(program, active, outputs, memory)
    sweep.forward(sweep.tree.top)
    writer = _Writer(sweep.builder)
    writer.tapes(sweep, lambda tape, name: _size(sweep.builder, tape.tapes[name]))
    for replay in sweep.replays.values():
        _segment(writer, sweep, replay)
    sizes = replace(program, name=f"{program.name}_tape", body=sweep.builder.take(),
                    results=tuple(writer.results), types=sweep.builder.types, tree=None)
    return Report(tuple(_activity(sweep, sweep.carriers)), tuple(writer.kept), sizes)


@dataclass
class _Writer:
    """What is kept, and the numbers of elements."""

    builder: Builder
    kept: list[Kept] = field(default_factory=list)
    results: list[Atom] = field(default_factory=list)

    def add(self, name: str, where: Where, how: str, dtype: str, count: Atom) -> None:
        self.kept.append(Kept(name, where, how, np.dtype(dtype).itemsize, len(self.results)))
        self.results.append(count)

    def tapes(self, sweep: Sweep, count) -> None:
        """Add what a sweep keeps and recomputes; ``count(tape, name)`` is a number of elements."""
        for tape in sweep.tapes.values():
            for name in tape.scalars + tape.arrays:
                self.add(_stem(sweep, tape.stems[name]), sweep.keep.definition(name).stmt.where, tape.layout(name),
                         sweep.builder.types[name].dtype, count(tape, name))
        for name in sweep.keep.recomputed:
            self.kept.append(Kept(_stem(sweep, name), sweep.keep.definition(name).stmt.where, "recomputed"))


def _stem(sweep: Sweep, name: str) -> str:
    """Return the name that a value has in the program, where the sweep is that of a segment."""
    return sweep.part.original(name) if sweep.part else name


def _segment(writer: _Writer, sweep: Sweep, replay: Replay) -> None:
    """Add the checkpoints of a loop, and the tapes of its segments."""
    builder, where = sweep.builder, replay.loop.where
    for name in replay.state:
        writer.add(name, where, "checkpoints", builder.types[name].dtype, _size(builder, replay.saved[name]))
    writer.add(replay.loop.var, where, "checkpoints", "int64", _size(builder, replay.begins))
    inner = segment_sweep(sweep, replay, builder.types)
    back = {new: name for name, new in replay.names.items()}

    def count(tape, name: str) -> Atom:
        with builder.nested() as body:
            inside = elements_inside(builder, replay, inner, tape, name)
            total = builder.op("multiply", Var(replay.segment), inside, stem="count")
        builder.append(*rename(body, back))
        return total

    writer.tapes(inner, count)


def _size(builder: Builder, array: str) -> Atom:
    """Append the number of elements of an array, 1 for a number, and return it."""
    total: Atom = Const(1)
    for extent in builder.extents(array):
        total = builder.op("multiply", total, extent, stem="count")
    return total


def _activity(sweep: Sweep, carriers):
    for node in sweep.tree.top.walk():
        match node.stmt:
            case Assign(target=name) | Load(target=name) | Store(array=name):
                yield node.stmt.where, name, name in carriers
