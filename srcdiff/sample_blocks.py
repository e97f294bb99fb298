"""Map over samples in blocks: the values of 64 samples side by side, so that what one sample computes becomes a vector.

A sample with few numbers fills no vector register: its loops run two, three or
four times.  Where all samples take the same path, a block of them goes through
the program at once (`vectorize`, with samples for directions), and the innermost
loops run over the samples of a block.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(w: "float64", x: "float64[:]"):
...     y = multiply(w, x)
...     return y
... ''')
>>> print(show(sample_blocks(program, (None, 0), (0,), size=64)), end="")
def f_samples(w: "float64", x: "float64[:,:]"):
    n_samples = size(x, axis=0)
    n_x = size(x, axis=1)
    y_samples = empty(n_samples, n_x, dtype='float64')
    last = subtract(n_samples, 1)
    t = add(n_samples, 63)
    n_blocks = floor_divide(t, 64)
    for block in range(0, n_blocks, 1):
        first = multiply(block, 64)
        n_x_2 = size(x, axis=1)
        x_block = empty(n_x_2, 64, dtype='float64')
        for k in range(0, 64, 1):
            place = add(first, k)
            sample = minimum(place, last)
            t_2 = x[sample, ::]
            x_block[::, k] = t_2
        y = multiply(w, x_block)
        rest = subtract(n_samples, first)
        n_block = minimum(rest, 64)
        for k_2 in range(0, n_block, 1):
            sample_2 = add(first, k_2)
            t_3 = y[::, k_2]
            y_samples[sample_2, ::] = t_3
    return y_samples

The last block is filled up with copies of the last sample, so that every array
of a block has extents that are known and no loop over one has a remainder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from srcdiff.builder import Builder
from srcdiff.errors import UnsupportedError
from srcdiff.primitives import PRIMITIVES
from srcdiff.samples import KnownExtents, checked_axes, computed_once, sample_count
from srcdiff.syntax import ALL, Assign, Atom, Const, Program, Var, rename, walk
from srcdiff.vectorize import batched_results, vectorize

__all__ = ["SIZE", "sample_blocks"]

SIZE = 64               # samples: eight registers of float32, and a hundred such arrays in a cache of 32 KiB


def sample_blocks(program: Program, in_axes: Sequence[int | None], out_axes: Sequence[int],
                  size: int = SIZE) -> Program | None:
    """Return the program that runs `program` for blocks of samples and stacks the results.

    None where the samples may take different paths, an operation has no batch
    rule, or the extents of a result are known only from a sample.  Parameters
    are those of `samples`.
    """
    in_axes = checked_axes(in_axes, [p.type for p in program.params], "argument")
    out_axes = checked_axes(out_axes, [program.type_of(a) for a in program.results], "result")
    mapped = {p.name: axis for p, axis in zip(program.params, in_axes, strict=True) if axis is not None}
    if any(isinstance(s, Assign) and (s.op == "seed" or PRIMITIVES[s.op].opaque) for s in walk(program.body)):
        return None
    try:
        wide = vectorize(program, frozenset(mapped), count=Const(size))
    except UnsupportedError:
        return None
    spread = batched_results(program, frozenset(mapped))
    return _Blocks(program, wide, mapped, size).write(out_axes, spread)


class _Blocks:
    """Writes the loop over blocks; `wide` is the program of one block, with the samples last."""

    def __init__(self, program: Program, wide: Program, mapped: dict[str, int], size: int):
        self.program, self.wide, self.mapped, self.size = program, wide, mapped, size
        self.builder = Builder(wide.types)
        self.once = computed_once(wide, frozenset(mapped))
        self.inner = {name: self.builder.fresh(f"{name}_block", wide.types[name]) for name in mapped}

    def write(self, out_axes, spread) -> Program | None:
        builder = self.builder
        count = sample_count(builder, self.mapped)
        builder.append(*self.once)
        known = KnownExtents(builder, self.wide, self.mapped, self.once)
        outs = []
        for atom, axis, own in zip(self.wide.results, out_axes, spread, strict=True):
            extents = known.of(atom, self.wide.type_of(atom).ndim - own)
            if extents is None:
                return None
            outs.append(self._memory(atom, axis, [*extents[:axis], count, *extents[axis:]]))
        last = builder.op("subtract", count, Const(1), stem="last")
        whole = builder.op("add", count, Const(self.size - 1))
        blocks = builder.op("floor_divide", whole, Const(self.size), stem="n_blocks")
        with builder.loop(Const(0), blocks, stem="block") as block:
            first = builder.op("multiply", block, Const(self.size), stem="first")
            self._make_blocks()
            self._load(first, last)
            rest = [s for s in self.wide.body if not any(s is one for one in self.once)]
            builder.append(*rename(rest, self.inner))
            self._store(outs, out_axes, spread, first, count)
        params = tuple(replace(p, type=builder.types[p.name], like=None) for p in self.program.params)
        return replace(self.program, name=f"{self.program.name}_samples", params=params, body=builder.take(),
                       results=tuple(map(Var, outs)), types=builder.types)

    def _memory(self, atom: Atom, axis: int, extents) -> str:
        stem = f"{atom.name}_samples" if isinstance(atom, Var) else "result_samples"
        return self.builder.op("empty", *extents, stem=stem, dtype=self.wide.type_of(atom).dtype).name

    def _make_blocks(self) -> None:
        """Allocate what holds the mapped arguments of one block."""
        for name, axis in self.mapped.items():
            own = [self.builder.size(name, k) for k in range(self.wide.types[name].ndim) if k != axis]
            self.builder.assign(self.inner[name], "empty", *own, Const(self.size), dtype=self.wide.types[name].dtype)

    def _load(self, first: Atom, last: Atom) -> None:
        """Write the samples of a block side by side; after the last sample stands the last again."""
        builder = self.builder
        with builder.loop(Const(0), Const(self.size), stem="k") as k:
            place = builder.op("add", first, k, stem="place")
            sample = builder.op("minimum", place, last, stem="sample")
            for name, axis in self.mapped.items():
                own = self.wide.types[name].ndim - 1
                loaded = builder.load(name, _at(sample, axis, own))
                builder.store(self.inner[name], (*[ALL] * own, k), loaded)

    def _store(self, outs, out_axes, spread, first: Atom, count: Atom) -> None:
        """Store the results of the samples that there are."""
        builder = self.builder
        rest = builder.op("subtract", count, first, stem="rest")
        there = builder.op("minimum", rest, Const(self.size), stem="n_block")
        with builder.loop(Const(0), there, stem="k") as k:
            sample = builder.op("add", first, k, stem="sample")
            for out, atom, axis, own in zip(outs, self.wide.results, out_axes, spread, strict=True):
                value = rename_atom(atom, self.inner)
                ndim = self.wide.type_of(atom).ndim - own
                if own:
                    value = builder.load(value.name, (*[ALL] * ndim, k))
                builder.store(out, _at(sample, axis, ndim), value)


def rename_atom(atom: Atom, names: dict[str, str]) -> Atom:
    return Var(names.get(atom.name, atom.name)) if isinstance(atom, Var) else atom


def _at(sample: Atom, axis: int, ndim: int) -> tuple:
    """Return the index of a sample that stands at `axis` of an array with `ndim` more axes."""
    index: list = [ALL] * ndim
    index.insert(axis, sample)
    return tuple(index)
