"""Where the arrays of one thread live: in local memory, or in a workspace that all threads share.

No thread can allocate.  An array whose extents are known when code is generated
is *local*: registers or local memory, declared once.  Any other (a tape that
grows, an extent that the data decides) is a range of slots in its thread's
column of a global array ``work[slot, thread]``: at the same slot, neighbouring
threads touch neighbouring addresses.  The columns have a capacity; a kernel that
needs more says so, and the host runs it again with twice as much.

Each array owns its memory, so handing an array on (`copy` with ``move``) copies.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from srcdiff.analysis.shapes import Shapes
from srcdiff.builder import INT, ONE, Builder
from srcdiff.errors import Problem, UnsupportedError
from srcdiff.lower.extents import Extents
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
    Store,
    Var,
    While,
    walk,
)

__all__ = ["LOCAL_BYTES", "MOST_LOCAL", "Memory"]

# Of each thread.  A device reserves local memory for as many threads as it can hold at a time:
# 16 KB are 4 GB on the largest.
LOCAL_BYTES = 16 * 1024
MOST_LOCAL = 8 * 1024
MAKERS = ("empty", "zeros", "copy", "reshape", "tape_grow")
OVERFLOW = "MemoryError"                # what a kernel raises whose column is full; the message is the dtype
ZERO = Const(0)


class Memory:
    """Rewrites the statements of a lowered program for memory of these two kinds.

    Attributes
    ----------
    builder
        What it writes with; owns the types.
    local
        The shape of each local array.
    work
        The workspace of each dtype: the name of its array.
    given
        Arrays whose memory is the caller's.
    """

    def __init__(self, program: Program, thread: str, given: frozenset[str] = frozenset()):
        self.program, self.thread, self.given = program, Var(thread), given
        self.builder = Builder(program.types)
        self.builder.types[thread] = INT
        self.makers = _makers(program)
        self.shapes, self.forms = Shapes(program), Extents(program)
        self.local = self._local()
        self.work: dict[str, str] = {}
        self.columns: dict[str, _Column] = {}
        for name in self.makers:
            if name not in self.local and name not in given:
                self.columns[name] = self._column(name)

    def _local(self) -> dict[str, tuple[int, ...]]:
        """Choose the local arrays: the smallest first, as many as fit."""
        known = {name: _constants(self.shapes.extents(name)) for name in self.makers if name not in self.given}
        sizes = {name: math.prod(shape) * _bytes(self.program.types[name].dtype)
                 for name, shape in known.items() if shape is not None}
        local, used = {}, 0
        for name in sorted(sizes, key=lambda n: sizes[n]):
            used += sizes[name]
            if sizes[name] <= MOST_LOCAL and used <= LOCAL_BYTES:
                local[name] = known[name]
        return {name: local[name] for name in self.makers if name in local}

    def _column(self, name: str) -> _Column:
        type_ = self.program.types[name]
        if type_.dtype not in self.work:
            self.work[type_.dtype] = self.builder.fresh(f"work_{type_.dtype}", Array(type_.dtype, 2))
            self.builder.fresh(f"top_{type_.dtype}", INT)
        number = self.builder.fresh
        return _Column(number(f"{name}_at", INT), number(f"{name}_room", INT),
                       tuple(number(f"n_{name}", INT) for _ in range(type_.ndim)))

    def slots(self) -> dict[str, int]:
        """Return how many slots of each workspace its arrays of known extents take."""
        found = dict.fromkeys(self.work, 0)
        for name in self.columns:
            known = _constants(self.shapes.extents(name))
            found[self.program.types[name].dtype] += 0 if known is None else math.prod(known)
        return found

    # -- what stands before the statements ---------------------------------------------

    def declare(self) -> None:
        """Write the declarations of the local arrays, and empty columns."""
        b = self.builder
        for name, shape in self.local.items():
            b.assign(name, "empty", *map(Const, shape), dtype=b.types[name].dtype)
        for dtype in self.work:
            b.copy(self.top(dtype), ZERO)
        for column in self.columns.values():
            for number in (column.at, column.room, *column.extents):
                b.copy(number, ZERO)

    def top(self, dtype: str) -> str:
        return f"top_{dtype}"

    def forget(self, names: Sequence[str]) -> None:
        """Give back the memory of these arrays, the last ones that got theirs."""
        for name in names:
            if name in self.columns:
                self.builder.copy(self.columns[name].room, ZERO)

    # -- statements -----------------------------------------------------------------------

    def block(self, body: Sequence[Stmt]) -> tuple[Stmt, ...]:
        """Return a block rewritten."""
        with self.builder.nested() as block:
            for stmt in body:
                with self.builder.at(stmt.where):
                    self.statement(stmt)
        return tuple(block)

    def statement(self, stmt: Stmt) -> None:
        match stmt:
            case Assign(target=name) if name in self.makers:
                self._make(stmt)
            case Assign(op="size", args=(Var(name=array),)) if array in self.makers and array not in self.given:
                self.builder.copy(stmt.target, self.extents(array)[stmt.keywords["axis"]])
            case Load(array=array) if array in self.columns:
                self._load(stmt.target, array, stmt.index)
            case Store(array=array) if array in self.columns:
                self._store(array, stmt.index, stmt.value, stmt.accumulate)
            case For():
                self.builder.append(replace(stmt, body=self.block(stmt.body)))
            case If():
                self.builder.append(replace(stmt, then=self.block(stmt.then), orelse=self.block(stmt.orelse)))
            case While():
                self.builder.append(replace(stmt, test=self.block(stmt.test), body=self.block(stmt.body)))
            case _:
                self.builder.append(stmt)

    def _make(self, stmt: Assign) -> None:
        name = stmt.target
        match stmt.op:
            case "empty":
                self._reserve(name, stmt.args)
            case "zeros":
                self._reserve(name, stmt.args)
                with self._nest(self.extents(name)) as at:
                    self._store(name, at, ZERO)
            case "copy":
                self._copy(name, stmt.args[0].name)
            case "reshape":
                self._reshape(name, stmt)
            case "tape_grow":
                self._grow(name, *stmt.args)

    def extents(self, name: str) -> tuple[Atom, ...]:
        """Return the extents of an array; those of a parameter are written."""
        if name in self.local:
            return tuple(map(Const, self.local[name]))
        if name in self.columns:
            return tuple(map(Var, self.columns[name].extents))
        known = _constants(self.shapes.extents(name))
        return self.builder.extents(name) if known is None else tuple(map(Const, known))

    def _copy(self, name: str, source: str) -> None:
        if name == source:
            return
        extents = self.extents(source)
        self._reserve(name, extents)
        with self._nest(extents) as at:
            self._store(name, at, self._load(None, source, at))

    def _reshape(self, name: str, stmt: Assign) -> None:
        """Copy in the order of the memory: the position decides the index on both sides."""
        b, (source, *extents) = self.builder, stmt.args
        old = self.extents(source.name)
        extents = self._without_unknown(extents, old)
        new = self._product(extents)
        if new != self._product(old) or not isinstance(new, Const):
            wrong = b.op("not_equal", new, self._product(old), stem="wrong")
            with b.nested() as body:
                b.fail("ValueError", "[SD0342] cannot reshape an array to another number of elements")
            b.branch(wrong, body)
        self._reserve(name, extents)
        with self._nest((self._product(old),)) as (position,):
            value = self._load(None, source.name, self._index_at(position, old))
            self._store(name, self._index_at(position, extents), value)

    def _without_unknown(self, extents, old) -> list[Atom]:
        """Return the extents with the number that -1 stands for."""
        if Const(-1) not in extents:
            return list(extents)
        rest = self._product([e for e in extents if e != Const(-1)])
        return [self.builder.op("floor_divide", self._product(old), rest, stem="n") if e == Const(-1) else e
                for e in extents]

    def _index_at(self, position: Atom, extents) -> list[Atom]:
        index, b = [], self.builder
        for extent in reversed(extents[1:]):
            index.append(b.op("remainder", position, extent, stem="i"))
            position = b.op("floor_divide", position, extent, stem="i")
        return [position, *reversed(index)]

    # -- columns ------------------------------------------------------------------------------

    def _reserve(self, name: str, extents: Sequence[Atom]) -> None:
        """Make room for an array; what it has already is used again."""
        if name in self.local or name in self.given:
            return
        b, column = self.builder, self.columns[name]
        for target, extent in zip(column.extents, extents, strict=True):
            if Var(target) != extent:
                b.copy(target, extent)
        count = self._product(list(map(Var, column.extents)))
        more = b.op("greater", count, Var(column.room), stem="more")
        with b.nested() as body:
            self._advance(name, count)
        b.branch(more, body)

    def _advance(self, name: str, count: Atom) -> None:
        """Put an array at the top of the column; raise where that does not fit."""
        b, column, dtype = self.builder, self.columns[name], self.builder.types[name].dtype
        b.copy(column.at, Var(self.top(dtype)))
        b.copy(column.room, count)
        b.assign(self.top(dtype), "add", Var(self.top(dtype)), count)
        full = b.op("greater", Var(self.top(dtype)), b.size(self.work[dtype], 0), stem="full")
        with b.nested() as body:
            b.fail(OVERFLOW, dtype)
        b.branch(full, body)

    def _grow(self, name: str, tape: Var, needed: Atom) -> None:
        """Move a tape that is too short to the top of the column, at least twice as long."""
        b, column = self.builder, self.columns[name]
        self._copy(name, tape.name)
        length, *rest = map(Var, column.extents)
        short = b.op("greater", needed, length, stem="short")
        with b.nested() as body:
            old_at = b.op("copy", Var(column.at), stem="old_at")
            old = b.op("copy", self._product([length, *rest]), stem="old")
            b.assign(length.name, "add", length, b.op("maximum", length, needed, stem="more"))
            count = self._product([length, *rest])
            self._advance(name, count)
            work = self.work[b.types[name].dtype]
            with b.loop(ZERO, count, stem="slot") as slot:
                kept = b.op("less", slot, old, stem="kept")
                to = b.op("add", Var(column.at), slot, stem="to")
                with b.nested() as then:
                    source = b.op("add", old_at, slot, stem="source")
                    b.store(work, (to, self.thread), b.load(work, (source, self.thread)))
                with b.nested() as orelse:
                    b.store(work, (to, self.thread), ZERO)
                b.branch(kept, then, orelse)
        b.branch(short, body)

    # -- elements ------------------------------------------------------------------------------

    def _load(self, target: str | None, array: str, index) -> Var:
        if array in self.columns:
            array, index = self._slot(array, index)
        if target is None:
            return self.builder.load(array, index)
        self.builder.append(Load(target, array, tuple(index), self.builder.where))
        return Var(target)

    def _store(self, array: str, index, value: Atom, accumulate: bool = False) -> None:
        if array in self.columns:
            array, index = self._slot(array, index)
        self.builder.store(array, index, value, accumulate)

    def _slot(self, array: str, index) -> tuple[str, tuple[Atom, Atom]]:
        """Return the workspace and the index in it of an element."""
        b, column = self.builder, self.columns[array]
        slot: Atom = ZERO
        for item, extent in zip(index, column.extents, strict=True):
            slot = self._plus(self._times(slot, Var(extent)), self._counted(item, Var(extent)))
        return self.work[b.types[array].dtype], (self._plus(Var(column.at), slot), self.thread)

    def _counted(self, item: Atom, extent: Atom) -> Atom:
        """Return an index counted from the front."""
        b = self.builder
        if isinstance(item, Const):
            return b.op("add", extent, item, stem="p") if item.value < 0 else item
        if item.name not in self.program.types or self.forms.nonnegative(item):
            return item
        negative = b.op("less", item, ZERO, stem="negative")
        return b.op("where", negative, b.op("add", item, extent, stem="p"), item, stem="p")

    def _plus(self, a: Atom, b: Atom) -> Atom:
        return b if a == ZERO else a if b == ZERO else self.builder.op("add", a, b, stem="p")

    def _times(self, a: Atom, b: Atom) -> Atom:
        if ZERO in (a, b):
            return ZERO
        return b if a == ONE else a if b == ONE else self.builder.op("multiply", a, b, stem="p")

    def _product(self, extents) -> Atom:
        if all(isinstance(e, Const) for e in extents):
            return Const(math.prod(e.value for e in extents))
        result: Atom = ONE
        for extent in extents:
            result = self._times(result, extent)
        return result

    @contextmanager
    def _nest(self, extents):
        """Open a loop for each extent; yields the indices."""
        if not extents:
            yield ()
            return
        with self.builder.loop(ZERO, extents[0]) as outer, self._nest(extents[1:]) as inner:
            yield (outer, *inner)


class _Column:
    """The numbers that say where an array is: its first slot, the slots it owns, its extents."""

    def __init__(self, at: str, room: str, extents: tuple[str, ...]):
        self.at, self.room, self.extents = at, room, extents


def _makers(program: Program) -> dict[str, list[Assign]]:
    """Return what makes each array that is no parameter.

    Raises
    ------
    UnsupportedError
        An operation on whole arrays that threads cannot run.
    """
    makers, problems = defaultdict(list), []
    for stmt in walk(program.body):
        if isinstance(stmt, Assign) and (
                isinstance(program.types[stmt.target], Array) or stmt.op != "size" and any(
                    isinstance(a, Var) and isinstance(program.types[a.name], Array) for a in stmt.args)):
            if stmt.op not in MAKERS:
                problems.append(Problem(
                    "SD0351", f"{stmt.op} of arrays does not run on the GPU", stmt.where,
                    why="a thread has neither BLAS nor LAPACK, nor the functions of the host",
                    fix='use target="numba", or write it as loops'))
            makers[stmt.target].append(stmt)
        elif isinstance(stmt, Load) and isinstance(program.types[stmt.target], Array):
            makers[stmt.target].append(stmt)
    if problems:
        raise UnsupportedError(list(dict.fromkeys(problems)))
    return makers


def _constants(extents) -> tuple[int, ...] | None:
    """Return extents as numbers, None where one is not known."""
    if any(e is None or e.terms for e in extents):
        return None
    return tuple(e.constant for e in extents)


def _bytes(dtype: str) -> int:
    return np.dtype(dtype).itemsize
