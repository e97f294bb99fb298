"""One big problem on the GPU: loops over large arrays, shared among all threads.

The statements of a lowered program become a sequence of kernels.  A long loop
whose iterations do not depend on each other, but for sums, products and extrema
over all of them, is *shared*: a thread takes every so many-th iteration.  What
stands between such loops is *serial*, one thread's work.

Numbers that one kernel hands to another live in arrays of one element.  A
reduction is deterministic: each thread reduces what it takes, a second kernel
the results of the threads, in an order that depends on the length only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from srcdiff.analysis.shapes import Shapes
from srcdiff.batches import without_reserved
from srcdiff.builder import INT, Builder
from srcdiff.errors import Problem, UnsupportedError
from srcdiff.kernels.interchange import turned
from srcdiff.kernels.kernel import WORDS, Kernel, kernel, require_device_code
from srcdiff.kernels.loops import own, side_by_side, steps, trips
from srcdiff.kernels.memory import Memory
from srcdiff.lower import lower
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    Load,
    Param,
    Program,
    Stmt,
    Store,
    Var,
    atoms_of,
    defined,
    walk,
)

__all__ = ["FOLD", "GridPlan", "grid_plan"]

SHARED = 512                            # iterations from which a loop is shared
FOLD = 256                              # threads of the second step of a reduction
SERIAL = 2_000_000                      # iterations that one thread may take: about a tenth of a second
THREADS = -1                            # an extent: as many as there are threads
REDUCTIONS = {"add": ("add", 0), "subtract": ("add", 0), "multiply": ("multiply", 1),
              "maximum": ("maximum", -math.inf), "minimum": ("minimum", math.inf)}


@dataclass(frozen=True)
class GridPlan:
    """Kernels to be launched one after another.

    Attributes
    ----------
    given
        The arrays that they share: names, dtypes and extents (`THREADS`: the number of threads).
    results
        For each result ``("array", name)``, ``("number", name)``, ``("input", position)`` or
        ``("constant", value)``.
    """

    name: str
    kernels: tuple[Kernel, ...]
    given: tuple[tuple[str, str, tuple[int, ...]], ...]
    results: tuple[tuple[str, object], ...]


def grid_plan(program: Program) -> GridPlan:
    """Return the kernels of an unlowered program with known extents.

    Raises
    ------
    UnsupportedError
        Something long depends on its order, or an array has no known extents.
    """
    require_device_code(program)
    program = lower(without_reserved(program, WORDS), stretch=False, device=True)
    return _Grid(program).run()


@dataclass
class Segment:
    """Statements for one kernel: serial ones, or one shared loop and its reductions."""

    body: list[Stmt]
    loop: For | None = None
    reduced: dict[str, str] = field(default_factory=dict)


class _Grid:
    def __init__(self, program: Program):
        self.types = dict(program.types)
        self.program = program
        self.params = {p.name: i for i, p in enumerate(program.params)}
        self.shared = _shared_arrays(program)
        self.given: dict[str, tuple[str, tuple[int, ...]]] = {
            name: (program.types[name].dtype, shape) for name, shape in self.shared.items()}
        self.kernels: list[Kernel] = []

    def run(self) -> GridPlan:
        body = self._with_loops()
        segments = self._segments(body)
        for i, segment in enumerate(segments):
            later = segments[i + 1:]
            if segment.loop is None:
                self._serial(segment, later)
            else:
                self._shared(segment)
        results = tuple(map(self._result, self.program.results))
        given = tuple((name, dtype, extents) for name, (dtype, extents) in self.given.items())
        return GridPlan(self.program.name, tuple(self.kernels), given, results)

    def _with_loops(self) -> tuple[Stmt, ...]:
        """Write fills and copies of shared arrays as loops."""
        memory = Memory(self.program, "thread_", frozenset(self.shared))
        for stmt in self.program.body:
            with memory.builder.at(stmt.where):
                if isinstance(stmt, Assign) and stmt.target in self.shared:
                    memory.statement(stmt)
                else:
                    memory.builder.append(stmt)
        self.types = memory.builder.types
        return memory.builder.take()

    # -- segments -------------------------------------------------------------------------

    def _segments(self, body) -> list[Segment]:
        segments = [Segment([])]
        for i, stmt in enumerate(body):
            reduced = self._reductions(stmt, body[i + 1:])
            if reduced is None and (other := turned(stmt, self.types)) is not None:
                reduced = self._reductions(other, body[i + 1:])
                stmt = other if reduced is not None else stmt
            if reduced is None:
                _require_short(stmt)
                segments[-1].body.append(stmt)
                continue
            segments += [Segment([], stmt, reduced), Segment(self._combined(reduced))]
        return [s for s in segments if s.loop or s.body]

    def _reductions(self, stmt: Stmt, rest) -> dict[str, str] | None:
        """Return the numbers that a loop reduces, with the operation; None if it is not to be shared."""
        if not isinstance(stmt, For) or (count := trips(stmt)) is None or count < SHARED:
            return None
        reduced = _reduced(stmt, self.types)
        # A loop variable is not read after its loop; another loop may have one of the same name.
        assigned = {defined(s) for s in walk(stmt.body) if not isinstance(s, For)} - {None}
        numbers = {n for n in assigned if not self.types[n].ndim} - set(reduced)
        read_later = {a.name for s in walk(rest) for a in atoms_of(s) if isinstance(a, Var)} | _names(
            self.program.results)
        if numbers & read_later or not own(stmt.body, numbers, set()):
            return None
        arrays = {s.array for s in walk(stmt.body) if isinstance(s, Store) and s.array in self.shared}
        return reduced if all(side_by_side(stmt, name) for name in arrays) else None

    def _combined(self, reduced: dict[str, str]) -> list[Stmt]:
        """Return what adds the folded results of a loop to the numbers from before it."""
        builder = Builder(self.types)
        for name, op in reduced.items():
            folded = builder.fresh(f"{name}_folded", Array(self.types[name].dtype, 1))
            self.given[folded] = (self.types[name].dtype, (FOLD,))
            with builder.loop(Const(0), Const(FOLD)) as i:
                builder.assign(name, op, Var(name), builder.load(folded, (i,)))
        self.types = builder.types
        return list(builder.take())

    # -- kernels -----------------------------------------------------------------------------

    def _serial(self, segment: Segment, later) -> None:
        builder = Builder(self.types)
        self._load_numbers(builder, segment.body, set())
        builder.append(*segment.body)
        needed = {n for s in later for n in (*_read([*s.body, *([s.loop] if s.loop else [])]), *s.reduced)}
        needed |= _names(self.program.results)
        for name in dict.fromkeys(defined(s) for s in walk(segment.body)):
            if name in needed and not self.types[name].ndim and not self._is_index(name, segment.body):
                builder.store(self._cell(builder, name), (Const(0),), Var(name))
        self._add(builder, items=1)

    @staticmethod
    def _is_index(name: str, body) -> bool:
        return any(isinstance(s, For) and s.var == name for s in walk(body))

    def _shared(self, segment: Segment) -> None:
        """Write the kernel of a loop, and for each reduction the one that folds what the threads found."""
        builder, loop = Builder(self.types), segment.loop
        self._load_numbers(builder, [loop], set(segment.reduced))
        parts = {}
        for name, op in segment.reduced.items():
            builder.assign(name, "cast", Const(REDUCTIONS[op][1]), dtype=self.types[name].dtype)
            parts[name] = builder.fresh(f"{name}_parts", Array(self.types[name].dtype, 1))
            self.given[parts[name]] = (self.types[name].dtype, (THREADS,))
        counted = _counted(builder, loop)
        builder.append(counted)

        def after(b, thread):
            for name, part in parts.items():
                b.store(part, (thread,), Var(name))

        self._add(builder, items=trips(loop), loop=counted, after=after)
        for name, op in segment.reduced.items():
            self._fold(name, op, parts[name])

    def _fold(self, name: str, op: str, parts: str) -> None:
        dtype = self.types[name].dtype
        folded = next(n for n in self.given if n.startswith(f"{name}_folded") and n not in self._folded())
        builder = Builder(self.types)
        builder.types[parts], builder.types[folded] = Array(dtype, 1), Array(dtype, 1)
        count = builder.size(parts, 0)
        total = builder.fresh("total", self.types[name])
        with builder.loop(Const(0), Const(FOLD), stem="column") as column:
            builder.assign(total, "cast", Const(REDUCTIONS[op][1]), dtype=dtype)
            with builder.loop(column, count, Const(FOLD)) as i:
                builder.assign(total, op, Var(total), builder.load(parts, (i,)))
            builder.store(folded, (column,), Var(total))
        self._add(builder, items=FOLD, loop=builder.block[-1])

    def _folded(self) -> set:
        """Return the arrays that a kernel so far writes."""
        return {s.array for k in self.kernels for s in walk(k.program.body) if isinstance(s, Store)}

    def _load_numbers(self, builder: Builder, body, without: set[str]) -> None:
        """Load the numbers that kernels before this one have computed."""
        for name in dict.fromkeys(n for n in _read(body)):
            if f"{name}_cell" in self.given and name not in without:
                builder.append(Load(name, self._cell(builder, name), (Const(0),)))

    def _cell(self, builder: Builder, name: str) -> str:
        cell = f"{name}_cell"
        self.given.setdefault(cell, (self.types[name].dtype, (1,)))
        builder.types[cell] = self.types[cell] = Array(self.types[name].dtype, 1)
        return cell

    def _add(self, builder: Builder, items: int, loop: For | None = None, after=lambda b, t: None) -> None:
        body = builder.take()
        types = builder.types
        names = [n for n in self.given if n in types or n in self.types]
        types = types | {n: Array(dtype, len(extents)) for n, (dtype, extents) in self.given.items()}
        params = (*self.program.params, *(Param(n, types[n]) for n in names))
        roles = [("input", i) for i in range(len(self.program.params))] + [("given", n) for n in names]
        program = replace(self.program, name=f"{self.program.name}_{len(self.kernels) + 1}", params=params, body=body,
                          results=(), types=types, tree=None, doc="")
        self.kernels.append(kernel(program, roles, loop, after, items))

    def _result(self, atom: Atom) -> tuple[str, object]:
        if isinstance(atom, Const):
            return "constant", atom.value
        if atom.name in self.params:
            return "input", self.params[atom.name]
        return ("array", atom.name) if self.types[atom.name].ndim else ("number", f"{atom.name}_cell")


# -- questions about loops -------------------------------------------------------------------

def _shared_arrays(program: Program) -> dict[str, tuple[int, ...]]:
    """Return the arrays that are made between the loops, with their extents."""
    shapes, found = Shapes(program), {}
    for stmt in program.body:
        if isinstance(stmt, Assign) and program.types[stmt.target].ndim:
            extents = shapes.extents(stmt.target)
            if any(e is None or e.terms for e in extents):
                raise UnsupportedError(Problem(
                    "SD0354", f"the extents of {stmt.target} depend on values", stmt.where,
                    why="memory for the threads is allocated before they run", fix='use target="numba"'))
            found[stmt.target] = tuple(e.constant for e in extents)
    return found


def _require_short(stmt: Stmt) -> None:
    if steps(stmt) > SERIAL:
        where = next((s.where for s in walk((stmt,)) if s.where.line), stmt.where)
        raise UnsupportedError(Problem(
            "SD0354", "a long loop cannot be shared among threads: its iterations depend on each other", where,
            why="one thread would run all of it",
            fix='map over many such problems, sd.vmap(..., target="cuda"), or use target="numba"'))


def _reduced(loop: For, types) -> dict[str, str]:
    """Return the numbers that a loop only adds to (multiplies, ...), and reads nowhere else."""
    found, spoilt = {}, set()
    for stmt in walk(loop.body):
        target = defined(stmt)
        for atom in atoms_of(stmt):
            if isinstance(atom, Var) and not (isinstance(stmt, Assign) and atom.name == target):
                spoilt.add(atom.name)
        if not isinstance(stmt, Assign) or types[target].ndim:
            spoilt.add(target)
            continue
        op, _ = REDUCTIONS.get(stmt.op, (None, None))
        first = stmt.args[0] == Var(target) or op is not None and stmt.op != "subtract" and stmt.args[-1] == Var(target)
        twice = stmt.args.count(Var(target)) > 1
        if op is None or not first or twice or found.get(target, op) != op:
            spoilt.add(target)
        else:
            found[target] = op
    return {n: op for n, op in found.items() if n not in spoilt and types[n].dtype in ("float32", "float64", "int64")}


def _counted(builder: Builder, loop: For) -> For:
    """Return a loop that counts from 0 in steps of 1."""
    if loop.start == Const(0) and loop.step == Const(1):
        return loop
    item = builder.fresh("item", INT)
    with builder.nested() as head:
        step = builder.op("multiply", Var(item), loop.step, stem="p")
        builder.assign(loop.var, "add", step, loop.start)
    return replace(loop, var=item, start=Const(0), stop=Const(trips(loop)), step=Const(1), body=(*head, *loop.body))


def _read(body) -> dict[str, None]:
    """Return the variables that statements read, in order."""
    return dict.fromkeys(a.name for s in walk(body) for a in atoms_of(s) if isinstance(a, Var))


def _names(atoms) -> set[str]:
    return {a.name for a in atoms if isinstance(a, Var)}
