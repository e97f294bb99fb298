"""Map over samples: a loop around the whole program (`vmap` over primal inputs).

Each sample takes its own path through the program, so branches and loops that
depend on the sample need nothing special.  What no sample changes is computed
once, before the loop.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(w: "float64[:,:]", x: "float64[:]"):
...     y = matmul(w, x)
...     return y
... ''')
>>> print(show(samples(program, (None, 0), (0,))), end="")
def f_samples(w: "float64[:,:]", x: "float64[:,:]"):
    n_samples = size(x, axis=0)
    n_w = size(w, axis=0)
    y_samples = empty(n_samples, n_w, dtype='float64')
    for sample in range(0, n_samples, 1):
        x_sample = x[sample, ::]
        y = matmul(w, x_sample)
        y_samples[sample, ::] = y
    return y_samples

The loop is the outermost one, its variable is named after the stem ``sample``,
and its iterations touch disjoint parts of the results: a backend may run them
in parallel (unless the extents of a result are known only from a sample).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from srcdiff.analysis.extents import ExtentWriter
from srcdiff.analysis.shapes import Extent, Root, Shapes
from srcdiff.analysis.uses import changed
from srcdiff.builder import Builder
from srcdiff.errors import ArgumentError, Problem
from srcdiff.syntax import (
    ALL,
    Array,
    Atom,
    Const,
    Param,
    Program,
    Stmt,
    Type,
    Var,
    atoms_of,
    rename,
    walk,
)

__all__ = ["KnownExtents", "checked_axes", "computed_once", "sample_count", "samples"]


def samples(program: Program, in_axes: Sequence[int | None], out_axes: Sequence[int]) -> Program:
    """Return the program that runs `program` for each sample and stacks the results.

    Parameters
    ----------
    program
        What is computed for one sample.
    in_axes
        For each parameter the axis that counts samples, which it gets in
        addition to its own; None: the same value for all samples.
    out_axes
        For each result the axis that counts samples.  A result that does not
        depend on the sample is repeated.

    Raises
    ------
    ArgumentError
        No parameter is mapped, or an axis does not exist.

    Notes
    -----
    The program itself raises `ValueError` where the mapped axes differ in
    extent, where samples give results of different shapes, and for a batch
    without samples if the shape of a result is known only from a sample.
    """
    in_axes = checked_axes(in_axes, [p.type for p in program.params], "argument")
    out_axes = checked_axes(out_axes, [program.type_of(a) for a in program.results], "result")
    mapped = {p.name: axis for p, axis in zip(program.params, in_axes, strict=True) if axis is not None}
    if not mapped:
        raise ArgumentError(Problem(
            "SD0330", "no argument is mapped over: every entry of in_dims is None",
            fix="give at least one argument an axis of samples"))
    return _Samples(program, mapped).write(out_axes)


def checked_axes(axes, types: Sequence[Type], what: str) -> list[int | None]:
    """Return non-negative axes, one for each value."""
    if len(axes) != len(types):
        raise ArgumentError(Problem("SD0330", f"{len(axes)} axes for {len(types)} {what}s",
                                    fix=f"give one axis, or None, for each {what}"))
    found = []
    for position, (axis, type_) in enumerate(zip(axes, types, strict=True)):
        if axis is not None and not -type_.ndim - 1 <= axis <= type_.ndim:
            raise ArgumentError(Problem(
                "SD0330", f"{what} {position} has no axis {axis} of samples",
                why=f"with that axis it has {type_.ndim + 1} axes", fix="choose an axis that it has then"))
        found.append(axis if axis is None or axis >= 0 else axis + type_.ndim + 1)
    return found


def sample_count(builder: Builder, mapped: dict[str, int]) -> Var:
    """Write the number of samples, on which all mapped axes must agree."""
    count = None
    for name, axis in mapped.items():
        extent = builder.op("size", Var(name), stem="n_samples", axis=axis)
        if count is None:
            count, first = extent, name
            continue
        differs = builder.op("not_equal", extent, count, stem="differs")
        with builder.nested() as body:
            builder.fail("ValueError", f"[SD0331] {name} and {first} have different numbers of samples")
        builder.branch(differs, body)
    return count


class _Samples:
    def __init__(self, program: Program, mapped: dict[str, int]):
        self.program, self.mapped = program, mapped
        self.builder = Builder(program.types)
        self.once = computed_once(program, frozenset(mapped))
        self.inner: dict[str, str] = {}
        for name in mapped:
            type_ = program.types[name]
            self.inner[name] = self.builder.fresh(f"{name}_sample", type_)
            self.builder.types[name] = Array(type_.dtype, type_.ndim + 1)

    def write(self, out_axes) -> Program:
        builder = self.builder
        count = sample_count(builder, self.mapped)
        builder.append(*self.once)
        known = KnownExtents(builder, self.program, self.mapped, self.once)
        stacks = [_Stack(self, atom, axis, count, known.of(atom))
                  for atom, axis in zip(self.program.results, out_axes, strict=True)]
        with builder.loop(Const(0), count, stem="sample") as sample:
            for name, axis in self.mapped.items():
                self._load(name, axis, sample)
            rest = [s for s in self.program.body if not any(s is one for one in self.once)]
            builder.append(*rename(rest, self.inner))
            for stack in stacks:
                stack.fill(sample)
        params = tuple(replace(p, type=builder.types[p.name], like=self._like(p))
                       for p in self.program.params)
        return replace(self.program, name=f"{self.program.name}_samples", params=params,
                       body=builder.take(), results=tuple(Var(s.name) for s in stacks),
                       types=builder.types)

    def _like(self, param: Param) -> str | None:
        """Return the parameter that a parameter is still shaped like: one mapped in the same way."""
        params = {p.name for p in self.program.params}
        same = self.mapped.get(param.name) == self.mapped.get(param.like)
        return param.like if param.like in params and same else None

    def _load(self, name: str, axis: int, sample: Var) -> None:
        index = [ALL] * self.program.types[name].ndim
        index.insert(axis, sample)
        loaded = self.builder.load(name, index, stem="t")
        if self.program.types[name] != self.builder.types[loaded.name]:     # a Python number
            loaded = self.builder.op("weaken", loaded, stem="t")
        block, unused = self.builder.block, loaded.name
        del self.builder.types[unused]
        block[-1] = replace(block[-1], target=self.inner[name])

    def renamed(self, atom: Atom) -> Atom:
        return Var(self.inner.get(atom.name, atom.name)) if isinstance(atom, Var) else atom


class _Stack:
    """One result of all samples.

    Parameters
    ----------
    extents
        Of the result of one sample, emitted before the loop; None if only a
        sample can tell.  The first sample then allocates.
    """

    def __init__(self, owner: _Samples, atom: Atom, axis: int, count: Var, extents):
        self.builder, self.axis, self.count = owner.builder, axis, count
        self.atom, self.known = owner.renamed(atom), extents is not None
        self.type = owner.program.type_of(atom)
        if extents is None:
            self._need_samples()
            extents = (Const(0),) * self.type.ndim
        stem = f"{atom.name}_samples" if isinstance(atom, Var) else "result_samples"
        self.name = self.builder.op("empty", *self._with(count, extents), stem=stem,
                                    dtype=self.type.dtype).name

    def _with(self, item, items) -> list:
        items = list(items)
        items.insert(self.axis, item)
        return items

    def _need_samples(self) -> None:
        builder = self.builder
        none = builder.op("equal", self.count, Const(0), stem="none")
        with builder.nested() as body:
            builder.fail("ValueError", "[SD0332] no samples: the shape of the result is known only from one")
        builder.branch(none, body)

    def fill(self, sample: Var) -> None:
        """Store the result of this sample."""
        if not self.known:
            self._fit(sample)
        self.builder.store(self.name, self._with(sample, [ALL] * self.type.ndim), self.atom)

    def _fit(self, sample: Var) -> None:
        """Allocate at the first sample; require the same extents of the others."""
        builder, extents = self.builder, self.builder.extents(self.atom.name)
        first = builder.op("equal", sample, Const(0), stem="first")
        with builder.nested() as allocate:
            builder.assign(self.name, "empty", *self._with(self.count, extents), dtype=self.type.dtype)
        with builder.nested() as compare:
            for axis, extent in enumerate(extents):
                stacked = builder.size(self.name, axis + (axis >= self.axis))
                differs = builder.op("not_equal", extent, stacked, stem="differs")
                with builder.nested() as body:
                    builder.fail("ValueError", "[SD0333] samples give results of different shapes")
                builder.branch(differs, body)
        builder.branch(first, allocate, compare)


# -- what is computed once ------------------------------------------------------------

def computed_once(program: Program, mapped: frozenset[str]) -> list[Stmt]:
    """Return the statements of the body that can run once, before the loop over samples.

    None of them changes or reads a variable that depends on the sample; where
    several statements change a variable, no statement in the loop reads a value
    between them.
    """
    names = _dependent(program, mapped)
    body = program.body
    once = {i for i, s in enumerate(body) if changed((s,)) and names.isdisjoint(_touched(s))}
    before = -1
    while len(once) != before:
        before = len(once)
        once -= {i for i in once for name in changed((body[i],)) if _read_between(body, name, once)}
        inside = {n for i, s in enumerate(body) if i not in once for n in changed((s,))}
        once -= {i for i in once if not inside.isdisjoint(_touched(body[i]))}
    return [body[i] for i in sorted(once)]


def _dependent(program: Program, mapped: frozenset[str]) -> frozenset[str]:
    """Return the variables that depend on the sample, through values or control."""
    names, before = set(mapped), -1
    while len(names) != before:
        before = len(names)
        for stmt in walk(program.body):
            if any(isinstance(a, Var) and a.name in names for a in atoms_of(stmt)):
                names.update(changed((stmt,)))
    return frozenset(names)


def _touched(stmt: Stmt) -> set[str]:
    reads = {a.name for s in walk((stmt,)) for a in atoms_of(s) if isinstance(a, Var)}
    return reads | set(changed((stmt,)))


def _read_between(body, name: str, once: set[int]) -> bool:
    """Tell whether a statement in the loop reads `name` before its last change."""
    places = [i for i, s in enumerate(body) if name in changed((s,))]
    return any(i not in once and name in _touched(body[i]) for i in range(places[-1]))


# -- extents of the results, before the loop --------------------------------------------

class KnownExtents:
    """Write the extents of the results of a sample in terms of what exists before the loop."""

    def __init__(self, builder: Builder, program: Program, mapped: dict[str, int], once: list[Stmt]):
        self.builder, self.program, self.mapped, self.shapes = builder, program, mapped, Shapes(program)
        self.before = {p.name for p in program.params} | set(changed(once))
        self.writer = ExtentWriter(builder, self.shapes, self._exists, self._leaf)
        self.made: dict[Extent, Atom] = {}

    def of(self, atom: Atom, ndim: int | None = None) -> tuple[Atom, ...] | None:
        """Return the first `ndim` extents of a result, all by default; None if a sample must be computed first."""
        if not self.program.type_of(atom).ndim:
            return ()
        extents = self.shapes.extents(atom.name)[:ndim]
        if not all(map(self.writer.possible, extents)):
            return None
        for extent in extents:
            if extent not in self.made:
                self.made[extent] = self.writer.write(extent)
        return tuple(self.made[extent] for extent in extents)

    def _exists(self, root: Root) -> bool:
        name = root.key[0]
        return name in self.before and (root.kind == "extent" or name not in self.mapped)

    def _leaf(self, root: Root) -> Atom:
        if root.kind == "value":
            return Var(root.key[0])
        name, axis = root.key
        return self.builder.size(name, axis + (axis >= self.mapped.get(name, axis + 1)))
