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
from dataclasses import replace

from srcdiff.analysis.uses import changed, exposed
from srcdiff.builder import INT, Builder
from srcdiff.errors import Problem, UnsupportedError
from srcdiff.reverse.budget import Budget
from srcdiff.reverse.extents import KnownExtents, emit
from srcdiff.reverse.finals import Finals
from srcdiff.reverse.nodes import Node, Tree
from srcdiff.reverse.segments import Replay
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    If,
    Load,
    Program,
    Stmt,
    Var,
    atoms_of,
    walk,
    with_blocks,
)

__all__ = ["Checkpoints"]

ZERO = Const(0)


class Checkpoints:
    """Rewrite the loops of a program that are to take checkpoints.

    Parameters
    ----------
    chosen
        The ids of the loops, none inside another loop.
    memory
        Bytes that the checkpoints and the tapes of all of them may take.
    forecast
        ``forecast(replay, builder)`` appends what counts the bytes that the tape
        takes for one iteration, and returns a `Forecast`.
    """

    def __init__(self, program: Program, chosen: set[int], memory: int, forecast: Callable):
        self.program, self.chosen, self.forecast = program, chosen, forecast
        self.builder = Builder(program.types)
        self.tree = Tree(program)
        self.shapes = KnownExtents(program, self.tree)
        self.finals = Finals(self.tree, program.types)
        self.replays: dict[str, Replay] = {}
        self.memory: Atom = Const(memory)       # what the loops to come may still take

    def run(self) -> Program:
        """Return the rewritten program; `replays` holds its loops, by the condition of their `while`."""
        plans = {id(n): self.plan(n) for n in self.tree.top.walk() if id(n.stmt) in self.chosen}
        self.waiting = len(plans)
        if self.waiting > 1:
            self.memory = self.builder.op("copy", self.memory, stem="memory")
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
        return self.named(Replay(loop, names, state, finished, extents, outside))

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
        builder, stem = self.builder, replay.loop.var.strip("_") or "begin"
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
        budget = Budget(builder, replay, self.forecast(replay, builder))
        budget.divide(self.share())
        self.allocate(replay)
        body = budget.counting(loop.body)
        begin = builder.fresh("begin", INT)
        builder.copy(begin, ZERO)
        with builder.nested() as test:
            more = builder.op("less", Var(begin), Var(replay.trips), stem="more")
        with builder.nested() as advance:
            replay.save(builder, Var(begin))
            builder.copy(begin, replay.run(builder, Var(begin), Var(replay.trips), body))
        builder.repeat(test, more, advance)
        budget.shorten()
        self.spend(budget)
        self.replays[more.name] = replay

    def allocate(self, replay: Replay) -> None:
        """Append the arrays of the checkpoints, empty."""
        builder = self.builder
        for name in replay.state:
            extents = emit(builder, replay.extents.get(name, ()))
            builder.assign(replay.saved[name], "empty", Var(replay.slots), *extents, dtype=builder.types[name].dtype)
        builder.assign(replay.begins, "empty", Var(replay.slots), dtype="int64")
        builder.copy(replay.count, ZERO)

    def held(self, atom: Atom, loop: For) -> Atom:
        """Return a bound that the body of the loop does not change."""
        if isinstance(atom, Var) and atom.name in changed(loop.body):
            return self.builder.op("copy", atom, stem="bound")
        return atom

    def share(self) -> Atom:
        """Append the memory that the next loop may take: an equal part of what is left."""
        if self.waiting == 1:
            return self.memory
        return self.builder.op("floor_divide", self.memory, Const(self.waiting), stem="share")

    def spend(self, budget: Budget) -> None:
        """Append what takes the memory of a loop off what is left."""
        self.waiting -= 1
        if isinstance(self.memory, Var):
            self.builder.assign(self.memory.name, "subtract", self.memory, budget.spent())


def refuse(loop: Stmt, why: str) -> None:
    """Refuse a memory budget because of a loop that cannot be held to it."""
    raise UnsupportedError(Problem("SD0243", "this loop cannot be held to a memory budget", loop.where, why=why,
                                   fix="leave memory out, or mark what need not be differentiated with sd.stop_gradient(...)"))
