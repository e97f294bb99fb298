"""From a loop over samples to kernels: one thread computes one sample at a time.

The program of a batch is taken apart as for several cores (`srcdiff.batches`):
what is computed before the loop, and the samples.  On a device that becomes

* ``sizes``: the number of samples and the extents of the results, computed on the host;
* ``constants``: arrays that depend on extents only, computed once, on the host;
* ``once``: a kernel of one thread, for what no sample changes;
* ``each``: the kernel of the samples, a loop with the number of threads as its stride.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from srcdiff.analysis.shapes import Shapes
from srcdiff.batches import Batch, split, with_given, without_reserved
from srcdiff.builder import INT, Builder
from srcdiff.errors import Problem, UnsupportedError
from srcdiff.kernels.budgets import with_budget_tests
from srcdiff.kernels.kernel import WORDS, Kernel, kernel, memory_of, names_of, require_device_code
from srcdiff.kernels.loops import trips
from srcdiff.kernels.parts import are_apart, in_parts, shareable
from srcdiff.kernels.placeholders import with_placeholders
from srcdiff.kernels.results import allocated
from srcdiff.kernels.sinking import with_cheap, with_small_constants
from srcdiff.kernels.staging import staged
from srcdiff.lower import lower
from srcdiff.optimize import optimize
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    Load,
    Param,
    Program,
    Var,
    atoms_of,
    defined,
    rename,
    walk,
)

__all__ = ["Plan", "plan"]

SPARE = 32                              # elements that a thread may keep more, where that saves the launch of `once`


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
    program = with_budget_tests(optimize(with_placeholders(allocated(without_reserved(program, WORDS)))))
    program = with_small_constants(program)
    made, cheap = _planned(program), with_cheap(program)
    if cheap is program or made.once is None:
        return made
    other = _planned(cheap)
    (columns, elements), (spaces, most) = memory_of(other.each), memory_of(made.each)
    return other if columns <= spaces and elements <= most + SPARE else made


def _planned(program: Program) -> Plan:
    """Return the kernels of a batch whose statements stay where they are."""
    batch = split(program)
    if batch is None:
        raise UnsupportedError(Problem(
            "SD0350", f"{program.name}: it is not proved that the samples are independent of each other",
            why="each sample is computed by one thread, in no order",
            fix='use target="numba", or map over the samples with sd.vmap'))
    return _Planner(program, batch).run()


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
        read = {n for s in walk(made.body) for n in names_of(atoms_of(s))}
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
        targets = [builder.fresh("once", Array(dtype, len(extents))) for _, dtype, extents in given]
        direct = {a.name: t for a, t in zip(lowered.results, targets, strict=True) if _is_filled(lowered, a)}
        builder.append(*rename(tuple(s for s in lowered.body if not (isinstance(s, Assign) and s.target in direct)), direct))
        for target, (_, _, extents), atom in zip(targets, given, lowered.results, strict=True):
            if target not in direct.values():
                _write(builder, target, extents, atom, lowered.type_of(atom))
        body, params = builder.take(), (*lowered.params, *(Param(n, builder.types[n]) for n in targets))
        program = replace(lowered, name=f"{self.program.name}_once", body=body, results=(), params=params, types=builder.types)
        roles = [("input", i) for i in range(len(lowered.params))] + [("given", n) for n in names]
        if _is_shared(body, program.types):
            return kernel(program, roles, body[-1], items=trips(body[-1])), given
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
        inner = shareable(loop, part.types, set(self.results))
        loop = staged(builder, loop, params, inner)
        if inner is not None:
            inner = loop.body[-1]
            parts = builder.fresh("parts", INT)
            params.insert(0, Param(parts, INT))
            roles.insert(1, ("parts", trips(inner)))
            total = builder.op("multiply", Var(last.name), Var(parts), stem="total")
            front = [*front, *builder.take()]
            sample, loop = loop.var, in_parts(builder, loop, inner, parts, total)
        else:
            sample = loop.var
        program = replace(part, name=f"{self.program.name}_kernel", params=(last, *params), types=builder.types,
                          body=(*read, *front, loop))
        return kernel(program, roles, loop, sample=sample)


def _is_filled(program: Program, atom: Atom) -> bool:
    """Tell whether a result is an array made empty, once, for loops to fill: they may as well fill the memory for it."""
    made = [s for s in walk(program.body) if isinstance(s, Assign) and Var(s.target) == atom]
    return len(made) == 1 and made[0] in program.body and made[0].op == "empty" and program.results.count(atom) == 1


def _is_shared(body, types) -> bool:
    """Tell whether threads may share what no sample changes: numbers, and one loop whose iterations have nothing in common."""
    *front, loop = body
    numbers = all(isinstance(s, Assign | Load) and not types[defined(s)].ndim for s in front)
    return numbers and isinstance(loop, For) and (trips(loop) or 0) > 1 and are_apart(loop, types)


def _renamed(part: Program, last: Param) -> tuple[Program, Param]:
    """Call the end of the range of samples what it is here: their number."""
    count = Param(Builder(part.types).fresh("count", INT), INT)
    return replace(part, body=rename(part.body, {last.name: count.name}), types={**part.types, count.name: INT}), count


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
