"""Where kept values lie: by iteration, or on a stack.

The values kept in one block share a layout.  If each loop around it always runs
equally often, and that is known where the outermost loop starts, the layout is
*indexed*: ``x_tape[i, j] = x``, an ordinary array sized before the loop.
Otherwise it is a *stack*: ``x_stack[top] = x``.  Where the iterations can be
counted beforehand (see `trips`) the stack has that length from the start, else
`tape_grow` doubles it when it is full.  An array is kept as a row,
``x_tape[i, :] = x``, if its extents are known where the tape is made, and
flat on a stack otherwise.  A branch outside all loops needs no tape: ``x_held``
is assigned in the branch, and a zero before it.  All are plain statements on typed arrays, so a second transform needs
nothing special.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from srcdiff.builder import INT, Builder
from srcdiff.reverse.extents import Source, emit
from srcdiff.reverse.nodes import Block, Node, Tree
from srcdiff.reverse.trips import Trips
from srcdiff.syntax import Array, Atom, Const, For, Span, Var

__all__ = ["BlockTape", "bytes_of", "plan"]

INITIAL = Const(64)                     # entries of a stack that grows
INITIAL_ROWS = Const(8)                 # if they are arrays
ONE = Const(1)


@dataclass
class BlockTape:
    """The tape of one block: which names it keeps, and how.

    Attributes
    ----------
    outer
        The statement around the block at the top, a loop or a branch; the tape is
        made just before the outermost loop, or before the branch.
    trips
        How often the block runs, as far as that is known beforehand.
    scalars, arrays
        The names kept.
    extents
        For each array on a stack, the names of its extents (brought back before it).
    known
        For arrays whose extents can be read at any time: where.
    stems
        The user's name for each name kept: a snapshot goes by the name of its variable.
    """

    block: Block
    outer: Node
    trips: Trips | None
    scalars: list[str] = field(default_factory=list)
    arrays: list[str] = field(default_factory=list)
    extents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    known: dict[str, tuple[Source, ...]] = field(default_factory=dict)
    stems: dict[str, str] = field(default_factory=dict)
    tapes: dict[str, str] = field(default_factory=dict)
    tops: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.indexed = self.trips is None or self.trips.form_rectangle()
        self.counted = not self.indexed and self.trips.are_known()

    # -- forward sweep ------------------------------------------------------------

    def declare(self, builder: Builder) -> None:
        """Append an empty tape before the branch that the loops stand in, so that every path has one."""
        with builder.at(self.outer.stmt.where):
            for name in self.scalars + self.arrays:
                dtype = builder.types[name].dtype
                axes = len(self.block.loops()) if self.indexed else 1
                axes = axes + builder.types[name].ndim if self._is_row(name) else 1
                stem = f"{self.stems[name]}_{self._suffix(name)}"
                tape = builder.op("zeros", *[Const(0)] * axes, stem=stem, dtype=dtype)
                self.tapes[name] = tape.name
            self._declare_tops(builder)

    def allocate(self, builder: Builder, outermost: Atom | None = None) -> None:
        """Append what stands before the outermost loop; `outermost` is a bound of its iterations if given."""
        with builder.at(self.outer.stmt.where):
            if not self.block.loops():
                self._allocate_held(builder)
                return
            counts = self._counts(builder, outermost)
            for name in self.scalars + self.arrays:
                dtype = builder.types[name].dtype
                row = emit(builder, self.known.get(name, ()))
                first = counts if counts and self._is_row(name) else (INITIAL_ROWS if row else INITIAL,)
                extents = (*first, *row)
                if name in self.tapes:
                    builder.assign(self.tapes[name], "empty", *extents, dtype=dtype)
                    continue
                stem = f"{self.stems[name]}_{self._suffix(name)}"
                self.tapes[name] = builder.op("empty", *extents, stem=stem, dtype=dtype).name
            if not self.tops:
                self._declare_tops(builder)

    def _counts(self, builder: Builder, outermost: Atom | None) -> tuple[Atom, ...]:
        """Append what tells the length of the tape: by loop, of the whole stack, or nothing."""
        if self.indexed:
            return self.trips.counts(builder, outermost)
        return (self.trips.total(builder),) if self.counted else ()

    def has_length(self) -> bool:
        """Tell whether the number of its entries is known before the outermost loop starts."""
        return self.indexed or self.counted

    def fixed_bytes(self, types) -> int | None:
        """Return the bytes of the whole tape if they are the same in every run, else None."""
        bounds = [a for n in self.block.loops() if isinstance(n.stmt, For) for a in (n.stmt.start, n.stmt.stop, n.stmt.step)]
        extents = [source for sources in self.known.values() for source in sources]
        if not (self.has_length() and not self.flat() and all(isinstance(a, Const) for a in bounds) and all(isinstance(e, int) for e in extents)):
            return None
        count = math.prod(len(range(*(a.value for a in bounds[i:i + 3]))) for i in range(0, len(bounds), 3))
        return count * sum(np.dtype(types[name].dtype).itemsize * math.prod(self.known.get(name, ()))
                           for name in self.scalars + self.arrays)

    def entry_bytes(self, builder: Builder, types) -> Atom:
        """Append what counts the bytes of an entry without its flat arrays, and return them."""
        entry: Atom = Const(sum(np.dtype(types[name].dtype).itemsize for name in self.scalars))
        for name in self.known:
            row = bytes_of(builder, types[name].dtype, emit(builder, self.known[name]))
            entry = builder.op("add", entry, row, stem="entry_bytes")
        return entry

    def _suffix(self, name: str) -> str:
        return "tape" if self.indexed and self._is_row(name) else "stack"

    def _declare_tops(self, builder: Builder) -> None:
        for name in self._stacked() + ([""] if self._has_top() else []):
            self.tops[name] = builder.fresh(f"{self.stems[name]}_top" if name else "top", INT)
            builder.copy(self.tops[name], Const(0))

    def _allocate_held(self, builder: Builder) -> None:
        """Append a zero for each value of a branch, so that it is assigned on every path."""
        for name in self.scalars + self.arrays:
            type_ = builder.types[name]
            held = self.tapes[name] = builder.fresh(f"{self.stems[name]}_held", type_)
            if isinstance(type_, Array):
                builder.assign(held, "zeros", *[Const(0)] * type_.ndim, dtype=type_.dtype)
            else:
                zero = {"bool": False, "int64": 0}.get(type_.dtype, 0.0)
                builder.copy(held, Const(zero))

    def _is_row(self, name: str) -> bool:
        return name in self.scalars or name in self.known

    def _has_top(self) -> bool:
        """Tell whether there is a counter of the entries that share an index."""
        return not self.indexed and bool(self.scalars or any(map(self._is_row, self.arrays)))

    def layout(self, name: str) -> str:
        if not self.block.loops():
            return "held"
        return "indexed" if self.indexed and self._is_row(name) else "stack"

    def flat(self) -> list[str]:
        """Return the arrays whose extents only the run tells."""
        return [name for name in self.arrays if name not in self.known]

    def _stacked(self) -> list[str]:
        return [name for name in self.arrays if not self._is_row(name)]

    def record(self, builder: Builder, name: str) -> None:
        """Append what stands just after the definition of a name that is not on a stack."""
        if not self.block.loops():
            builder.copy(self.tapes[name], Var(name))
        elif self.indexed and self._is_row(name):
            spans = (Span(),) * builder.types[name].ndim
            builder.store(self.tapes[name], self._iteration(builder) + spans, Var(name))

    def push(self, builder: Builder) -> None:
        """Append what stands at the end of the block: the pushes onto stacks."""
        if not self.block.loops():
            return
        if self._has_top():
            index = self._reserve(builder)
            for name in self._sharing():
                spans = (Span(),) * builder.types[name].ndim
                builder.store(self.tapes[name], index + spans, Var(name))
        for name in self._stacked():
            self._push_array(builder, name)

    def _iteration(self, builder: Builder, bound=lambda loop, atom: atom) -> tuple[Atom, ...]:
        """Return the index of this iteration; `bound(loop, atom)` finds the bounds of its loops."""
        return tuple(_iteration_number(builder, loop.stmt.var, bound(loop, loop.stmt.start),
                                       bound(loop, loop.stmt.step)) for loop in self.block.loops())

    def _reserve(self, builder: Builder) -> tuple[Atom]:
        """Make room for one more entry on the stacks that share an index, and return it."""
        top = self.tops[""]
        position = builder.op("copy", Var(top), stem="position")
        builder.assign(top, "add", position, ONE)
        for name in self._sharing() if not self.counted else ():
            builder.assign(self.tapes[name], "tape_grow", Var(self.tapes[name]), Var(top))
        return (position,)

    def _sharing(self) -> list[str]:
        return self.scalars + [name for name in self.arrays if self._is_row(name)]

    def _push_array(self, builder: Builder, name: str) -> None:
        tape, top = self.tapes[name], self.tops[name]
        count = _product(builder, self._extents(builder, name, Var))
        begin = builder.op("copy", Var(top), stem="begin")
        builder.assign(top, "add", begin, count)
        builder.assign(tape, "tape_grow", Var(tape), Var(top))
        flat = builder.op("reshape", Var(name), count, stem="flat")
        builder.store(tape, (Span(begin, Var(top)),), flat)

    # -- reverse sweep ----------------------------------------------------------------

    def pop_scalars(self, builder: Builder, bound) -> dict[str, str]:
        """Append the loads at the start of the reversed block; returns name -> name there.

        `bound(loop, atom)` finds a bound of a loop in the reverse sweep.
        """
        if not self.block.loops():
            return {name: self.tapes[name] for name in self.scalars + self.arrays}
        if self._has_top():
            top = self.tops[""]
            builder.assign(top, "subtract", Var(top), ONE)
        if not self.scalars:
            return {}
        index = self._index(builder, bound)
        return {name: self._typed(builder, name, builder.load(
                self.tapes[name], index, stem=self.stems[name]))
                for name in self.scalars}

    def _index(self, builder: Builder, bound) -> tuple[Atom, ...]:
        return self._iteration(builder, bound) if self.indexed else (Var(self.tops[""]),)

    def pop_array(self, builder: Builder, name: str, lookup: Callable[[str], Atom], bound) -> str:
        """Append what brings an array back; returns its name there."""
        tape = self.tapes[name]
        if self._is_row(name):
            spans = (Span(),) * builder.types[name].ndim
            return builder.load(tape, self._index(builder, bound) + spans, stem=self.stems[name]).name
        top = self.tops[name]
        extents = self._extents(builder, name, lookup)
        end = builder.op("copy", Var(top), stem="end")
        builder.assign(top, "subtract", end, _product(builder, extents))
        flat = builder.load(tape, (Span(Var(top), end),), stem="flat")
        return builder.op("reshape", flat, *extents, stem=self.stems[name]).name

    def _extents(self, builder: Builder, name: str, lookup) -> list[Atom]:
        if name in self.known:
            return [*emit(builder, self.known[name])]
        return [lookup(n) for n in self.extents[name]]

    @staticmethod
    def _typed(builder: Builder, name: str, loaded: Var) -> str:
        """Give what was loaded the exact type of what was kept (weak numbers stay weak)."""
        builder.types[loaded.name] = builder.types[name]
        return loaded.name


def plan(tree: Tree, taped: dict[str, Block], types, needs) -> dict[int, BlockTape]:
    """Return the tape of each block that keeps something, keyed by the block's id.

    `needs` tells where the extents of arrays are (its `extents` and `known`).
    """
    tapes: dict[int, BlockTape] = {}
    for name, block in taped.items():
        if id(block) not in tapes:
            trips = Trips(block, tree, needs.shapes, types) if block.loops() else None
            tapes[id(block)] = BlockTape(block, _outermost(block), trips)
        tape = tapes[id(block)]
        tape.stems[name] = needs.values.origin.get(name, name)
        if isinstance(types[name], Array):
            tape.arrays.append(name)
            if name in needs.known:
                tape.known[name] = needs.known[name]
            elif name in needs.extents:
                tape.extents[name] = needs.extents[name]
        else:
            tape.scalars.append(name)
    return tapes


def _outermost(block: Block) -> Node:
    """Return the outermost loop around a block, or the outermost statement if there is no loop."""
    loops = block.loops()
    if loops:
        return loops[0]
    return [block.owner, *block.owner.parents()][-1]


def bytes_of(builder: Builder, dtype: str, extents) -> Atom:
    """Append the bytes of an array of these extents and return them."""
    total: Atom = Const(np.dtype(dtype).itemsize)
    for extent in extents:
        total = builder.op("multiply", total, extent, stem="bytes")
    return total


def _iteration_number(builder: Builder, var: str, start: Atom, step: Atom) -> Atom:
    number: Atom = Var(var)
    if step == Const(-1):
        return builder.op("subtract", start, number, stem="k")
    if start != Const(0):
        number = builder.op("subtract", number, start, stem="k")
    if step != ONE:
        number = builder.op("floor_divide", number, step, stem="k")
    return number


def _product(builder: Builder, extents) -> Atom:
    total = extents[0]
    for extent in extents[1:]:
        total = builder.op("multiply", total, extent, stem="count")
    return total
