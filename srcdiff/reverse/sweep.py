"""The two sweeps: the primal that keeps, then each statement reversed, last to first."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

from srcdiff.analysis.activity import active_variables
from srcdiff.builder import Builder
from srcdiff.reverse.budget import forecast
from srcdiff.reverse.checkpoints import Checkpoints
from srcdiff.reverse.counted import counted
from srcdiff.reverse.extents import KnownExtents
from srcdiff.reverse.extents import emit as read_extents
from srcdiff.reverse.gates import gated
from srcdiff.reverse.keep import Keep
from srcdiff.reverse.needs import Needs
from srcdiff.reverse.nodes import Block, Node, Tree
from srcdiff.reverse.segments import Replay
from srcdiff.reverse.settled import settled
from srcdiff.reverse.statements import reverse_statement
from srcdiff.reverse.stores import apart
from srcdiff.reverse.tape import BlockTape, plan
from srcdiff.reverse.trips import Trips
from srcdiff.reverse.unfolded import unfolded
from srcdiff.schedule import Within
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
    Stmt,
    Var,
    While,
    atoms_of,
    defined,
    is_float,
    map_index,
    walk,
)

__all__ = ["Sweep", "adjoint", "differentiable_results"]

ZERO = Const(0.0)
ONE = Const(1)


def adjoint(program: Program, active: tuple[str, ...], outputs: tuple[int, ...] | None = None,
            seed: Literal["param", "one", "identity"] = "param", memory: int | Within | None = None) -> Program:
    """Return the program that computes the results and the adjoints of `active`.

    Parameters
    ----------
    program
        The primal.
    active
        The parameters with respect to which to differentiate.
    outputs
        Positions of the results that are differentiated; all floating-point
        ones if None.
    seed
        "param": a parameter ``y_bar``, shaped like ``y``, for each of these
        results, after the primal parameters.  "one": each cotangent is 1.0 (a
        gradient).  "identity": each is a ``seed`` statement, to be given a
        direction axis by `srcdiff.vectorize`.
    memory
        Bytes that what is kept of loops may take: they take checkpoints (see
        `checkpoints`), inside their iterations too where a `Within` says so.  None
        keeps everything.

    Returns
    -------
    Program
        Its results are those of `program`, then one adjoint for each of `active`.
    """
    if outputs is None:
        outputs = differentiable_results(program)
    seeded = [program.results[i] for i in outputs]
    outputs_ = [a.name for a in seeded if isinstance(a, Var)]
    program = apart(program)
    program = gated(program, active_variables(program, active, outputs_))
    sweep = sweep_within(program, active, outputs_, memory)
    params = sweep.declare_seeds(seeded) if seed == "param" else ()
    sweep.forward(sweep.tree.top)
    sweep.start(seeded, seed, params)
    sweep.reverse(sweep.tree.top, initialise=False)
    adjoints = tuple(sweep.result_adjoint(name) for name in active)
    return replace(program, name=f"{program.name}_adjoint", params=program.params + params,
                   body=sweep.builder.take(), results=program.results + adjoints,
                   types=sweep.builder.types, tree=None)


def differentiable_results(program: Program) -> tuple[int, ...]:
    """Return the positions of the floating-point results."""
    return tuple(i for i, a in enumerate(program.results) if is_float(program.type_of(a)))


def sweep_within(program: Program, active: tuple[str, ...], outputs: list[str], memory: int | Within | None) -> Sweep:
    """Return the sweep of a program whose loops keep no more than `memory` bytes."""
    def sweep_of(program: Program) -> Sweep:
        return Sweep(program, active_variables(program, active, outputs))

    sweep = sweep_of(program)
    if memory is None:
        return sweep
    memory = memory if isinstance(memory, Within) else Within(memory)
    for level in range(memory.levels, 0, -1):
        program = unfolded(program, _large_loops(sweep, memory.bytes, level - 1), _large_loops(sweep, memory.bytes, level))
        sweep = sweep_of(program)
    for prepare in (counted, settled):
        program = prepare(program, _large_loops(sweep, memory.bytes))
        sweep = sweep_of(program)
    chosen, fixed = _large_loops(sweep, memory.bytes), sum(_small_loops(sweep, memory.bytes).values())
    if not chosen:
        return sweep
    writer = Checkpoints(program, chosen, memory.bytes - fixed, partial(forecast, sweep))
    return Sweep(writer.run(), sweep.carriers, writer.replays)


def _large_loops(sweep: Sweep, memory: int, level: int = 0) -> set[int]:
    """Return the ids of the loops that have to take checkpoints, or of the loops so many levels inside them."""
    small = _small_loops(sweep, memory)
    return {id(tape.block.loops()[level].stmt) for tape in sweep.loop_tapes()
            if id(tape.outer.stmt) not in small and len(tape.block.loops()) > level}


def _small_loops(sweep: Sweep, memory: int) -> dict[int, int]:
    """Return the loops, by their ids, whose tape has a fixed, small size, and that size: they are left as they are."""
    kept: dict[int, int | None] = {}
    for tape in sweep.loop_tapes():
        loop, size = id(tape.outer.stmt), tape.fixed_bytes(sweep.builder.types)
        kept[loop] = None if size is None or kept.get(loop, 0) is None else kept.get(loop, 0) + size
    return {loop: size for loop, size in kept.items() if size is not None and size * len(kept) * 4 <= memory}


class Sweep:
    """One adjoint in the making: what is needed, what is kept, and the writer of both sweeps.

    Parameters
    ----------
    replays
        The loops that take checkpoints, by the conditions of their `while`.
    part
        The loop of which the program is a segment, if it is one.
    """

    def __init__(self, program: Program, carriers: frozenset[str], replays=None, part: Replay | None = None):
        self.program, self.carriers = program, carriers
        self.replays, self.part = replays or {}, part
        self.given: set[int] = set()            # statements that stand for values given from outside
        self.tapes_before: list[Stmt] = []      # what makes the tapes of a segment, for all segments
        self.builder = Builder(program.types)
        self.tree = Tree(program)
        shapes = KnownExtents(program, self.tree)
        self.needs = Needs(self.tree, self.builder, carriers, shapes, self.replays)
        keep = Keep(self.tree, self.needs.values, self.builder.types, self.needs.extents,
                    lambda block: Trips(block, self.tree, shapes, self.builder.types).form_rectangle())
        keep.decide(self.needs.names)
        self.keep = keep
        self.tapes = plan(self.tree, keep.taped, self.builder.types, self.needs)
        self.bar = {}
        self.restored: dict[str, str] = {}

    # -- seeds and results --------------------------------------------------------

    def declare_seeds(self, seeded) -> tuple[Param, ...]:
        params = []
        for atom in seeded:
            type_ = self.builder.type_of(atom)
            stem = f"{atom.name}_bar" if isinstance(atom, Var) else "result_bar"
            like = atom.name if isinstance(atom, Var) else None
            params.append(Param(self.builder.fresh(stem, type_), type_, like=like))
        return tuple(params)

    def start(self, seeded, seed, params) -> None:
        """Give every adjoint that lives at the top its first value: zero, or the seed."""
        self.declare_adjoints()
        begun = set()
        for position, atom in enumerate(seeded):
            if not isinstance(atom, Var) or atom.name not in self.carriers:
                continue
            value = self._seed_value(atom, seed, params[position].name if params else "")
            bar = self.bar[atom.name]
            if atom.name in begun:
                self.builder.assign(bar, "add", Var(bar), value)
            else:
                self.builder.copy(bar, value)
            begun.add(atom.name)
        self.initialise(self.tree.top, skip=begun)

    def _seed_value(self, atom: Var, seed: str, param: str) -> Atom:
        type_ = self.builder.types[atom.name]
        match seed:
            case "param":
                return Var(param)
            case "one":
                return Const(1.0)
        return self.builder.op("seed", *self.builder.extents(atom.name),
                               stem=f"{atom.name}_seed", dtype=type_.dtype)

    def declare_adjoints(self) -> None:
        for name, type_ in self.program.types.items():
            if name in self.carriers and name not in self.bar:
                self.bar[name] = self.builder.fresh(f"{name}_bar", type_)

    def result_adjoint(self, name: str) -> Atom:
        if name in self.bar:
            return Var(self.bar[name])
        type_ = self.builder.types[name]
        return self.builder.zeros(type_, self.builder.extents(name), stem=f"{name}_bar")

    def loop_tapes(self) -> list[BlockTape]:
        """Return the tapes of what stands in loops."""
        return [tape for tape in self.tapes.values() if tape.block.loops()]

    # -- forward sweep ----------------------------------------------------------------

    def forward(self, block: Block) -> None:
        for node in block.nodes:
            if id(node.stmt) in self.given:
                continue
            if isinstance(node.stmt, For | While | If) and not node.loops():
                self._prepare_tapes(node)
            with self.builder.at(node.stmt.where):
                self.builder.append(self._forward_statement(node))
                name = defined(node.stmt)
                if name in self.keep.taped and self.keep.definition(name) is node:
                    self.tapes[id(self.keep.taped[name])].record(self.builder, name)
        if id(block) in self.tapes:
            with self.builder.at(block.nodes[-1].stmt.where):
                self.tapes[id(block)].push(self.builder)

    def _prepare_tapes(self, node: Node) -> None:
        """Append the tapes of a loop or branch outside all loops."""
        for tape in self.tapes.values():
            if tape.outer is node:
                with self.builder.nested() as made:
                    tape.allocate(self.builder, self.part and Var(self.part.segment))
                (self.tapes_before if self._are_for_all(made) else self.builder.block).extend(made)
            elif node.block is self.tree.top and node in tape.outer.parents():
                tape.declare(self.builder)

    def _are_for_all(self, statements) -> bool:
        """Tell whether the tapes that some statements make serve all segments alike."""
        if self.part is None:
            return False
        read = {a.name for s in walk(statements) for a in atoms_of(s) if isinstance(a, Var)}
        there = {self.part.segment, *(defined(s) for s in statements), *(p.name for p in self.program.params)}
        return read <= there - {self.part.first, self.part.last}

    def _forward_statement(self, node: Node):
        blocks = []
        for inner in node.blocks:
            with self.builder.nested() as body:
                self.forward(inner)
            blocks.append(tuple(body))
        match node.stmt:
            case For():
                return replace(node.stmt, body=blocks[0])
            case While():
                return replace(node.stmt, test=blocks[0], body=blocks[1])
            case If():
                return replace(node.stmt, then=blocks[0], orelse=blocks[1])
        return node.stmt

    # -- reverse sweep: blocks ------------------------------------------------------------

    def reverse(self, block: Block, initialise: bool = True) -> None:
        outside = dict(self.restored)
        if block.nodes:
            with self.builder.at(block.nodes[-1].stmt.where):
                self.restore(block)
                if initialise:
                    self.initialise(block)
        for node in reversed(block.nodes):
            if node in self.needs.reversible:
                with self.builder.at(node.stmt.where):
                    reverse_statement(self, node)
        self.restored = outside

    def initialise(self, block: Block, skip=()) -> None:
        """Zero the adjoints of the variables that live in this block."""
        for name in self.needs.at_home.get(id(block), ()):
            type_ = self.builder.types[name]
            if name in skip:
                continue
            if isinstance(type_, Array):
                extents = self._extents_of(name)
                self.builder.assign(self.bar[name], "zeros", *extents, dtype=type_.dtype)
            else:
                self.builder.copy(self.bar[name], ZERO)

    def _extents_of(self, name: str) -> tuple[Atom, ...]:
        if name in self.needs.known:
            return read_extents(self.builder, self.needs.known[name])
        held = self.needs.extents.get(name)
        return tuple(map(self.value, held)) if held else self.builder.extents(name)

    def restore(self, block: Block) -> None:
        """Bring back what the reverse statements of this block read."""
        if id(block) in self.tapes:
            self.restored.update(self.tapes[id(block)].pop_scalars(self.builder, self.atom))
        names = [n for group in (self.keep.taped, self.keep.recomputed)
                 for n, home in group.items() if home is block]
        for name in sorted(names, key=lambda n: self.keep.definition(n).order):
            self._restore_value(name, block)

    def _restore_value(self, name: str, block: Block) -> None:
        if name in self.restored:
            return
        if name in self.keep.taped:
            for extent in self.needs.extents.get(name, ()):
                self._restore_if_local(extent, block)
            tape = self.tapes[id(block)]
            self.restored[name] = tape.pop_array(self.builder, name, self.value, self.atom)
            return
        operands = self.keep.operands(name)
        for held in operands.values():
            self._restore_if_local(held, block)
        stmt = self.keep.producer(name).stmt
        stem = self.needs.values.origin.get(name, name)
        again = self.builder.fresh(stem, self.builder.types[name])
        self.builder.append(self._reading(replace(stmt, target=again), operands))
        self.restored[name] = again

    def _restore_if_local(self, name: str, block: Block) -> None:
        if self.keep.is_settled(name) and name not in self.restored:
            self._restore_value(name, block)

    def _reading(self, stmt: Assign | Load, held: dict[str, str]):
        """Make a statement read the values that its operands had."""
        if isinstance(stmt, Assign):
            return replace(stmt, args=tuple(
                self.value(held[a.name]) if isinstance(a, Var) and a.name in held else a
                for a in stmt.args))
        array = self.value(held.get(stmt.array, stmt.array)).name
        return replace(stmt, array=array, index=self.index(stmt.index, held))

    # -- values in the reverse sweep ---------------------------------------------------------

    def value(self, name: str) -> Var:
        """Return where the reverse sweep finds the value `name` (already resolved)."""
        return Var(self.restored.get(name, name))

    def atom(self, node: Node, atom: Atom, after: bool = False) -> Atom:
        """Return the value that `atom` had at `node`, as the reverse sweep can read it."""
        if isinstance(atom, Const):
            return atom
        held = self.needs.held.get((id(node), atom.name, after))
        return atom if held is None else self.value(held)

    def index(self, index, held: dict[str, str]):
        return map_index(index, lambda a: self.value(held.get(a.name, a.name))
                          if isinstance(a, Var) else a)

    def node_index(self, node: Node):
        """Return the index of the load or store at `node`, as the reverse sweep can read it."""
        return map_index(node.stmt.index, lambda a: self.atom(node, a))

    def accumulate(self, name: str, value: Atom) -> None:
        """Append ``name_bar = name_bar + value``."""
        bar = self.bar[name]
        with self.builder.in_any_order():
            self.builder.assign(bar, "add", Var(bar), value)
