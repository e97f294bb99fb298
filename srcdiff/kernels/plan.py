"""From a loop over samples to kernels: one thread computes one sample at a time.

The program of a batch is taken apart as for several cores (`srcdiff.batches`):
what is computed before the loop, and the samples.  On a device that becomes

* ``sizes``: the number of samples and the extents of the results, computed on the host;
* ``constants``: arrays that depend on extents only, computed once, on the host;
* ``once``: a kernel of one thread, for what no sample changes;
* ``each``: the kernel of the samples, a loop with the number of threads as its stride.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from srcdiff.analysis.shapes import Shapes
from srcdiff.batches import Batch, split, with_given, without_reserved
from srcdiff.builder import INT, Builder
from srcdiff.errors import Problem, UnsupportedError
from srcdiff.kernels.loops import own, side_by_side, steps, trips
from srcdiff.kernels.memory import OVERFLOW, Memory
from srcdiff.kernels.spelling import DEVICE_HELPERS, is_known
from srcdiff.lower import lower
from srcdiff.optimize import optimize
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    Load,
    Param,
    Program,
    Raise,
    Stmt,
    Store,
    Var,
    atoms_of,
    defined,
    rename,
    walk,
)

__all__ = ["WORDS", "Kernel", "Plan", "device_function", "kernel", "plan", "require_device_code"]

WORDS = frozenset({"cuda", "cmath", "status", "thread", "threads", *DEVICE_HELPERS})
SHARED = 8                              # iterations from which the last loop of a sample is shared
SMALL = 64                              # elements of a constant array that each thread makes for itself


@dataclass(frozen=True)
class Kernel:
    """One kernel.

    Attributes
    ----------
    program
        Its statements; the parameters are those of the kernel, in order.
    roles
        What the host passes for each parameter: ``("count", "")``, ``("parts", n)`` (how many threads share
        a sample, at most n), ``("input", position)``,
        ``("given", name)``, ``("size", name)``, ``("result", position)``, ``("work", dtype)`` or
        ``("status", "")``.
    failures
        What the kernel can raise, by number.
    sample
        The variable that counts samples; "" where there is one thread.
    items
        How many there are, if that is known; else the host says how many samples.
    """

    program: Program
    roles: tuple[tuple[str, object], ...]
    failures: tuple[tuple[str, str], ...]
    sample: str
    items: int | None = None

    @property
    def work(self) -> tuple[str, ...]:
        """The dtypes of the workspaces."""
        return tuple(what for role, what in self.roles if role == "work")


@dataclass(frozen=True)
class Plan:
    """The kernels of a batch, and what the host computes.

    Attributes
    ----------
    results
        Of each result the dtype, the number of axes, and the axis that counts samples.
    sizes
        A program of the parameters: the number of samples, the sizes named in `size_names`, the
        extents of the results.
    constants
        A program without parameters for each array that depends on nothing else.
    given
        The dtypes and extents of what `once` computes; a number is an array of one element.
    """

    name: str
    results: tuple[tuple[str, int, int], ...]
    sizes: Program
    size_names: tuple[str, ...]
    constants: tuple[tuple[str, Program], ...]
    given: tuple[tuple[str, str, tuple[int, ...]], ...]
    once: Kernel | None
    each: Kernel


def plan(program: Program) -> Plan:
    """Return the kernels of a loop over samples, given unlowered, with known extents.

    Raises
    ------
    UnsupportedError
        The samples are not proved independent, or do what a thread cannot do.
    """
    require_device_code(program)
    program = _sunk(without_reserved(program, WORDS))
    batch = split(program)
    if batch is None:
        raise UnsupportedError(Problem(
            "SD0350", f"{program.name}: it is not proved that the samples are independent of each other",
            why="each sample is computed by one thread, in no order",
            fix='use target="numba", or map over the samples with sd.vmap'))
    return _Planner(program, batch).run()


def require_device_code(program: Program) -> None:
    own = [s for s in walk(program.body) if isinstance(s, Assign) and PRIMITIVES[s.op].opaque]
    if own:
        raise UnsupportedError([Problem(
            "SD0351", f"{s.op} is a function with a rule of its own; it does not run on the GPU", s.where,
            why="what it calls is known to the host only", fix='use target="numba"') for s in own])


def _sunk(program: Program) -> Program:
    """Move small constant arrays from before the loop into it: each thread has its own, in registers."""
    *front, loop = program.body or (None,)
    if not isinstance(loop, For):
        return program
    changes = [defined(s) for s in walk(front)]
    small = [s for s in front if isinstance(s, Assign) and PRIMITIVES[s.op].kind == "creation"
             and changes.count(s.target) == 1 and s.target not in _names(program.results) and _is_small(program, s)
             and not any(s.target in _names(atoms_of(other)) for other in walk(front))]
    rest = tuple(s for s in front if not any(s is one for one in small))
    return replace(program, body=(*rest, replace(loop, body=(*small, *loop.body))))


def _is_small(program: Program, stmt: Assign) -> bool:
    count = 1
    for extent in Shapes(program).extents(stmt.target):
        if extent is None or extent.terms:
            return False
        count *= extent.constant
    return count <= SMALL and all(isinstance(a, Const) for a in stmt.args)


def _names(atoms: Iterable[Atom]) -> set[str]:
    return {a.name for a in atoms if isinstance(a, Var)}


class _Planner:
    def __init__(self, program: Program, batch: Batch):
        self.program, self.batch = program, batch
        self.results = [a.name for a in program.results]
        types = program.types
        self.names = batch.before.results[1:]
        self.sizes = [n for n in batch.given if n not in types]
        self.before = [n for n in batch.given if n in types and n not in self.results]

    def run(self) -> Plan:
        constants = [(name, made) for name in self.before if (made := self._constant(name)) is not None]
        computed = [name for name in self.before if name not in dict(constants)]
        once, given = self._once(computed) if computed else (None, ())
        each = self._each(computed)
        read = {n for role, n in each.roles if role == "given"}
        axes = tuple((self.program.types[n].dtype, self.program.types[n].ndim, self._axis(n)) for n in self.results)
        return Plan(self.program.name, axes, self._sizes(), tuple(self.sizes),
                    tuple(c for c in constants if c[0] in read), given, once, each)

    def _axis(self, name: str) -> int:
        """Return the axis of a result that counts samples."""
        *_, loop = self.program.body
        for stmt in walk((loop,)):
            if defined(stmt) == name and Var(loop.var) in getattr(stmt, "index", ()):
                return stmt.index.index(Var(loop.var))
        raise AssertionError(name)

    # -- what the host computes -----------------------------------------------------------

    def _sizes(self) -> Program:
        before = self.batch.before
        builder = Builder(before.types)
        builder.append(*before.body)
        results = [before.results[0], *map(Var, self.sizes)]
        for name in self.results:
            results += builder.extents(name)
        return optimize(replace(before, name=f"{self.program.name}_sizes", body=builder.take(),
                                results=tuple(results), types=builder.types))

    def _constant(self, name: str) -> Program | None:
        """Return the program of an array or number that depends on no parameter's values."""
        made = optimize(replace(self.batch.before, results=(Var(name),)))
        read = {n for s in walk(made.body) for n in _names(atoms_of(s))}
        if read.intersection(p.name for p in made.params) or not made.types[name].ndim:
            return None
        return replace(made, params=(), name=name)

    # -- kernels ------------------------------------------------------------------------------

    def _once(self, names) -> tuple[Kernel, tuple]:
        """Return the kernel that computes what no sample changes."""
        program = optimize(replace(self.batch.before, results=tuple(map(Var, names))))
        shapes = Shapes(program)
        given = tuple((n, program.types[n].dtype, self._extents(shapes, n)) for n in names)
        lowered = lower(program, device=True)
        builder = Builder(lowered.types)
        builder.append(*lowered.body)
        targets = []
        for (_, dtype, extents), atom in zip(given, lowered.results, strict=True):
            targets.append(builder.fresh("once", Array(dtype, len(extents))))
            _write(builder, targets[-1], extents, atom, lowered.type_of(atom))
        params = (*lowered.params, *(Param(n, builder.types[n]) for n in targets))
        program = replace(lowered, name=f"{self.program.name}_once", body=builder.take(), results=(),
                          params=params, types=builder.types)
        roles = [("input", i) for i in range(len(lowered.params))] + [("given", n) for n in names]
        return kernel(program, roles, items=1), given

    def _extents(self, shapes: Shapes, name: str) -> tuple[int, ...]:
        extents = shapes.extents(name)
        if any(e is None or e.terms for e in extents):
            raise UnsupportedError(Problem(
                "SD0352", f"the extents of {name}, which no sample changes, depend on values",
                fix="compute it before, and pass it as an argument"))
        return tuple(e.constant for e in extents) if extents else (1,)

    def _each(self, computed) -> Kernel:
        part = with_given(lower(self.batch.part, device=True), self.batch.given)
        if part is None:
            raise UnsupportedError(Problem("SD0350", f"{self.program.name}: the samples cannot be separated",
                                           fix='use target="numba"'))
        _, last, *params = part.params
        part, last = _renamed(part, last)
        numbers = [n for n in computed if not self.program.types[n].ndim]
        builder = Builder(part.types)
        loads = []
        for name in numbers:
            holder = builder.fresh(f"{name}_once", Array(part.types[name].dtype, 1))
            loads.append((name, holder))
        holders = dict(loads)
        *front, loop = part.body
        read = tuple(Load(name, holder, (Const(0),)) for name, holder in loads)
        inputs = {p.name: i for i, p in enumerate(self.program.params)}
        roles: list[tuple[str, object]] = [("count", "")]
        for p in params:
            roles.append(("input", inputs[p.name]) if p.name in inputs else
                         ("size", p.name) if p.name in self.sizes else
                         ("result", self.results.index(p.name)) if p.name in self.results else ("given", p.name))
        params = [Param(holders[p.name], builder.types[holders[p.name]]) if p.name in holders else p
                  for p in params]
        loop = replace(loop, start=Const(0), stop=Var(last.name))
        inner = _shareable(loop, part.types, set(self.results))
        if inner is not None:
            parts = builder.fresh("parts", INT)
            params.insert(0, Param(parts, INT))
            roles.insert(1, ("parts", trips(inner)))
            total = builder.op("multiply", Var(last.name), Var(parts), stem="total")
            front = [*front, *builder.take()]
            sample, loop = loop.var, _in_parts(builder, loop, inner, parts, total)
        else:
            sample = loop.var
        program = replace(part, name=f"{self.program.name}_kernel", params=(last, *params), types=builder.types,
                          body=(*read, *front, loop))
        return kernel(program, roles, loop, sample=sample)


def _renamed(part: Program, last: Param) -> tuple[Program, Param]:
    """Call the end of the range of samples what it is here: their number."""
    count = Param(Builder(part.types).fresh("count", INT), INT)
    return replace(part, body=rename(part.body, {last.name: count.name}), types={**part.types, count.name: INT}), count


def _shareable(loop: For, types, results: set[str]) -> For | None:
    """Return the last loop of a sample, if several threads may share it: it is most of the work, and in any order."""
    *before, inner = loop.body
    if not isinstance(inner, For) or (inner.start, inner.step) != (Const(0), Const(1)) or (
            (trips(inner) or 0) < SHARED or steps(inner) < sum(map(steps, before))):
        return None
    stored = {s.array for s in walk(inner.body) if isinstance(s, Store)}
    made = {s.target for s in walk(inner.body) if isinstance(s, Assign) and types[s.target].ndim}
    numbers = {n for s in walk(inner.body) if (n := defined(s)) is not None and not types[n].ndim}
    apart = all(side_by_side(inner, name) for name in stored - made) and own(inner.body, numbers, {inner.var})
    once = not any(isinstance(s, Store) and s.array in results for s in walk(before))
    return inner if apart and once else None


def _in_parts(builder: Builder, loop: For, inner: For, parts: str, total: Atom) -> For:
    """Return a loop over parts of samples: neighbouring items are the same part of neighbouring samples."""
    item, part = builder.fresh("item", INT), builder.fresh("part", INT)
    with builder.nested() as body:
        builder.assign(loop.var, "remainder", Var(item), loop.stop)
        builder.assign(part, "floor_divide", Var(item), loop.stop)
        builder.append(*loop.body[:-1])
        builder.copy(inner.var, Var(part))
        with builder.nested() as test:
            more = builder.op("less", Var(inner.var), inner.stop, stem="more")
        with builder.nested() as shared:
            builder.append(*inner.body)
            builder.assign(inner.var, "add", Var(inner.var), Var(parts))
        builder.repeat(test, more, shared)
    return replace(loop, var=item, stop=total, body=tuple(body))


def _write(builder: Builder, target: str, extents, atom: Atom, type_) -> None:
    """Store a value of the program in an array of the host's."""
    if not type_.ndim:
        builder.store(target, (Const(0),), atom)
        return
    _nested(builder, extents, (), lambda at: builder.store(target, at, builder.load(atom.name, at)))


def _nested(builder, extents, at, body) -> None:
    if not extents:
        body(at)
        return
    with builder.loop(Const(0), Const(extents[0])) as i:
        _nested(builder, extents[1:], (*at, i), body)


def kernel(program: Program, roles, loop: For | None = None, after: Callable = lambda builder, thread: None,
           items: int | None = None, sample: str = "") -> Kernel:
    """Return a lowered program without results as a kernel.

    Parameters
    ----------
    roles
        Of its parameters, in order.
    loop
        Its last statement, over what the threads share.
    after
        Writes what each thread does after that.
    items, sample
        See `Kernel`; the sample is the variable of the loop, if it is not given.
    """
    _require_known(program)
    builder = Builder(program.types)
    thread, threads = builder.fresh("thread", INT), builder.fresh("threads", INT)
    memory = Memory(replace(program, types=builder.types), thread)
    front = program.body[:-1] if loop else program.body
    memory.declare()
    for stmt in front:
        memory.statement(stmt)
    if loop:
        _strided(memory, program.body[-1], threads)
    b = memory.builder
    after(b, Var(thread))
    body = _read(b.take())
    roles = list(roles)
    params = list(program.params)
    for dtype, name in memory.work.items():
        params.append(Param(name, b.types[name]))
        roles.append(("work", dtype))
    raised = [(s.exception, s.message) for s in walk(body) if isinstance(s, Raise) and s.exception != OVERFLOW]
    if raised or memory.work:
        params.append(Param("status", Array("int64", 1)))
        b.types["status"] = Array("int64", 1)
        roles.append(("status", ""))
    kept = [(p, r) for p, r in zip(params, roles, strict=True)
            if r[0] not in ("input", "given") or p.name in _touched(body)]
    params, roles = zip(*kept, strict=True) if kept else ((), ())
    final = replace(program, params=(*params, Param(thread, INT), Param(threads, INT)), body=body, results=(),
                    types=b.types)
    return Kernel(final, tuple(roles), tuple(dict.fromkeys(raised)), sample or (loop.var if loop else ""),
                  items)


def device_function(program: Program, out: str | None) -> Program:
    """Return an unlowered program as one that a thread can call: local arrays only.

    Parameters
    ----------
    out
        The name of a further parameter, for a result that is an array.

    Raises
    ------
    UnsupportedError
        An array has extents that are known only at run time, or would have to be returned.
    """
    require_device_code(program)
    program = lower(optimize(without_reserved(program, WORDS | {out or ""})), device=True)
    _require_known(program)
    arrays = {a.name for a in program.results if isinstance(a, Var) and program.types[a.name].ndim}
    _require_out(program, arrays, out)
    builder = Builder(program.types)
    params = program.params
    if out:
        (name,) = arrays
        body = rename(program.body, {name: out})
        types = {out if n == name else n: t for n, t in program.types.items()}
        program = replace(program, body=body, types=types, results=(Var(out),))
        params = (*params, Param(out, types[out]))
        builder = Builder(types)
    memory = Memory(replace(program, types=builder.types), builder.fresh("thread", INT), frozenset({out} - {None}))
    if memory.columns:
        raise UnsupportedError(Problem(
            "SD0352", f"{program.name} cannot be called in a kernel: the extents of {', '.join(memory.columns)} "
            "are known only at run time", why="a thread cannot allocate",
            fix='map over the samples: sd.vmap(..., target="cuda")'))
    memory.declare()
    for stmt in program.body:
        memory.statement(stmt)
    b = memory.builder
    return replace(program, params=params, body=_read(b.take(), program.results), types=b.types)


def _require_out(program: Program, arrays: set[str], out: str | None) -> None:
    if bool(arrays) != bool(out) or len(arrays) > 1 or out and len(program.results) > 1:
        raise UnsupportedError(Problem(
            "SD0353", f"{program.name} is called in a kernel " + ("with out=, but gives no array" if out else
                                                                "and gives an array"),
            why="a thread cannot return an array",
            fix="pass the array to write into: out=...; results must be one array, or numbers"))


def _require_known(program: Program) -> None:
    """Refuse what no thread can compute: operations on numbers that only NumPy knows."""
    problems = []
    for stmt in walk(program.body):
        if isinstance(stmt, Assign) and PRIMITIVES[stmt.op].kind == "elementwise" and stmt.op not in ("cast", "weaken"):
            types = tuple(map(program.type_of, stmt.args))
            if not is_known(stmt.op, types, program.types[stmt.target]):
                problems.append(Problem(
                    "SD0351", f"{stmt.op} of {types[0].dtype} numbers does not run on the GPU", stmt.where,
                    why="neither CUDA's functions nor those of srcdiff have it",
                    fix='use target="numba", or write it with other functions'))
    if problems:
        raise UnsupportedError(list(dict.fromkeys(problems)))


def _strided(memory: Memory, loop: For, threads: str) -> None:
    """Write the loop of one thread over its samples."""
    b, sample = memory.builder, Var(loop.var)
    inside = {defined(s) for s in walk(loop.body)} & set(memory.columns)
    outside = {defined(s) for s in walk(memory.program.body[:-1])}
    bases = {dtype: b.op("copy", Var(memory.top(dtype)), stem="base") for dtype in memory.work}
    b.copy(loop.var, memory.thread)
    with b.nested() as test:
        busy = b.op("less", sample, loop.stop, stem="busy")
    with b.nested() as body:
        for dtype, base in bases.items():
            b.copy(memory.top(dtype), base)
        memory.forget(sorted(inside - outside))
        for stmt in loop.body:
            memory.statement(stmt)
        b.assign(loop.var, "add", sample, Var(threads))
    b.repeat(test, busy, body)


def _read(body, results=()) -> tuple[Stmt, ...]:
    """Return a block without the numbers that nobody reads."""
    read = {n for s in walk(body) for n in _names(atoms_of(s))} | _names(results)
    return tuple(s for s in body if not (isinstance(s, Assign) and s.target not in read and s.op != "empty"))


def _touched(body) -> set[str]:
    names = set()
    for stmt in walk(body):
        names |= _names(atoms_of(stmt)) | {defined(stmt)}
    return names

