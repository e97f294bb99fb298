"""`vmap`: one function for many inputs at once.

Over primal inputs it is a loop over samples around the whole program: each
sample takes its own path.  Over the seeds of a pullback or of a tangent map it
is `vectorize`: everything that does not depend on the seed is computed once,
and the loop over directions is pushed into the statements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from srcdiff.api.by_shape import abstract_call
from srcdiff.api.differentiate import as_function, known_target
from srcdiff.api.function import Function
from srcdiff.api.into import store
from srcdiff.api.lazy import lazy
from srcdiff.api.recipes import Recipe
from srcdiff.api.special import Special, refuse
from srcdiff.errors import Problem, ShapeError
from srcdiff.structure import SizedArray, children, is_leaf, leaves, map_tree, map_values
from srcdiff.syntax import Array, Atom, Param, Program, Scalar, Static, Var

__all__ = ["VMap", "vmap"]

compiler, Builder = lazy("srcdiff.compiler"), lazy("srcdiff.builder", "Builder")
require_equal = lazy("srcdiff.assemble", "require_equal")

Dims = int | tuple | list | dict | None
PARTS = 100                     # chunks of a batch with a progress bar


def frozen(dims):
    """Return dims that hash: lists and dicts as tuples."""
    if isinstance(dims, tuple | list):
        return tuple(map(frozen, dims))
    if isinstance(dims, dict):
        return tuple(map(frozen, dims.values()))
    return dims


def expand(dims, tree, what: str):
    """Return one entry of `dims` for each leaf of `tree`; a number stands for a whole subtree."""
    if dims is None or isinstance(dims, int):
        return [dims for _ in leaves(tree)]
    if not isinstance(dims, tuple):
        refuse(f"{what} holds {dims!r}", fix="use an axis, None, or a tuple of these", code="SD0330")
    if is_leaf(tree) or len(children(tree)) != len(dims):
        count = 1 if is_leaf(tree) else len(children(tree))
        refuse(f"{what} has {len(dims)} entries for {count} values",
               fix=f"give {what} one entry for each, or one number for all", code="SD0330")
    return [d for dim, child in zip(dims, children(tree), strict=True) for d in expand(dim, child, what)]


@dataclass(frozen=True)
class VMap(Recipe):
    in_dims: Dims = 0
    out_dims: Dims = 0
    blocks: bool = False            # of samples that stand side by side
    word = "vmap"

    def specialise(self, base, args, keywords):
        axes = self.in_axes(base, args)
        rest = iter(axes)
        sample = tuple(map_tree(lambda leaf: one_sample(leaf, next(rest)), arg) for arg in args)
        inner = base.specialise(sample, keywords)
        numeric = [axis for axis, leaf in zip(axes, leaves(args), strict=True)
                   if not isinstance(leaf, Static)]
        in_axes = [*numeric, *[None] * (len(inner.program.params) - len(numeric))]
        batched = {p.name: axis for p, axis in zip(inner.program.params, in_axes, strict=True)
                   if axis is not None}
        out_axes = self.out_axes(inner)
        if self.blocks:
            return self.in_blocks(inner, tuple(in_axes), out_axes)
        if set(batched) <= inner.linear and base.options.target != "cuda":
            program = over_directions(inner, batched, out_axes)
            linear = inner.linear
        else:
            program, linear = compiler.over_samples(inner.bare, tuple(in_axes), out_axes), frozenset()
        return replace(inner, program=replace(program, tree=inner.program.tree, doc=inner.program.doc),
                       linear=linear)

    def in_blocks(self, inner: Special, in_axes, out_axes) -> Special:
        """Return the loop over blocks of samples.

        Raises
        ------
        UnsupportedError
            The samples may take different paths.
        """
        program = compiler.over_sample_blocks(inner.bare, in_axes, out_axes)
        if program is None:
            refuse("the samples cannot be computed side by side", fix="let the loop run over single samples", code="SD0330")
        return replace(inner, program=replace(program, tree=inner.program.tree, doc=inner.program.doc), linear=frozenset())

    def in_axes(self, base, args) -> list[int | None]:
        dims = self.in_dims
        if isinstance(dims, tuple) and len(dims) != len(args):
            refuse(f"in_dims has {len(dims)} entries, {base.__name__} is called with {len(args)} "
                   "positional arguments", fix="give one entry for each argument", code="SD0330")
        axes = expand(dims, args, "in_dims")
        rest, checked = iter(axes), []
        for i, arg in enumerate(args):
            checked += [valid(next(rest), leaf, base.argument_name(i)) for leaf in leaves(arg)]
        if all(axis is None for axis in checked):
            refuse("vmap has nothing to map over: no argument has a batch axis",
                   fix="give at least one argument an axis in in_dims", code="SD0330")
        return checked

    def out_axes(self, inner: Special) -> tuple[int, ...]:
        """Return the batch axis of each result, counted from the front."""
        tree, results = inner.program.tree, inner.program.results
        found = [0] * len(results)
        for position, dim in zip(leaves(tree), expand(self.out_dims, tree, "out_dims"), strict=True):
            if isinstance(position, Static):
                continue
            ndim = inner.program.type_of(results[position]).ndim
            if dim is None or not -ndim - 1 <= dim <= ndim:
                refuse(f"out_dims={dim} is no axis of an output with {ndim + 1} axes", code="SD0330",
                       fix="choose an axis of the output with the samples")
            found[position] = dim % (ndim + 1)
        return tuple(found)

    def bound(self, spread: bool, behind: int = 0) -> VMap:
        """Return the recipe that leaves the primals in front of the mapped arguments alone, and what stands behind them."""
        dims = self.in_dims
        if not spread and isinstance(dims, tuple) and len(dims) == 1:
            (dims,) = dims
        return replace(self, in_dims=(None, dims, *[None] * behind))


def valid(axis: int | None, leaf, name: str) -> int | None:
    """Return a batch axis counted from the front; refuse one that the argument does not have."""
    if axis is None:
        return None
    if isinstance(leaf, Static):
        return None
    if leaf.ndim == 0:
        refuse(f"vmap cannot map over argument '{name}': it is a number, without axes",
               fix="give None as its entry of in_dims", code="SD0330")
    if not -leaf.ndim <= axis < leaf.ndim:
        refuse(f"in_dims={axis} is no axis of argument '{name}', which has {leaf.ndim} axes", code="SD0330",
               fix="choose an axis that it has, or None for what no sample changes")
    return axis % leaf.ndim


def one_sample(leaf, axis: int | None):
    """Return the type of one sample of an argument."""
    if axis is None:
        return leaf
    if leaf.ndim == 1:
        return Scalar(leaf.dtype)
    extents = getattr(leaf, "extents", None)
    if extents is not None:
        return SizedArray(leaf.dtype, leaf.ndim - 1, extents[:axis] + extents[axis + 1:])
    return Array(leaf.dtype, leaf.ndim - 1)


# -- over the seeds of a linear program ---------------------------------------------------

def over_directions(inner: Special, batched: dict[str, int], out_axes: tuple[int, ...]) -> Program:
    """Vectorize, and put the direction axis of parameters and results where it is asked for."""
    program = compiler.over_directions(inner.bare, frozenset(batched))
    builder = Builder(program.types)
    params = []
    count, first = None, ""
    for param in program.params:
        params.append(param)
        if param.name not in batched:
            continue
        axis, ndim = batched[param.name], param.type.ndim
        if axis:
            outer = builder.fresh(f"{param.name}_batch", param.type)
            params[-1] = Param(outer, param.type, param.captured)
            perm = (axis, *(i for i in range(ndim) if i != axis))
            builder.assign(param.name, "transpose", Var(outer), perm=perm)
        extent = builder.size(params[-1].name, axis)
        if count is None:
            count, first = extent, param.name
        else:
            require_equal(builder, extent, count,
                          f"[SD0310] {param.name} and {first} have different numbers of samples")
    builder.append(*program.body)
    results = tuple(
        moved_axis(builder, atom, inner.program.type_of(before).ndim, count, axis)
        for atom, before, axis in zip(program.results, inner.program.results, out_axes, strict=True))
    return replace(program, params=tuple(params), body=builder.take(), results=results, types=builder.types)


def moved_axis(builder: Builder, atom: Atom, ndim: int, count: Atom, axis: int) -> Atom:
    """Move the batch axis of a result from the front; repeat a result that has none."""
    if builder.type_of(atom).ndim == ndim:
        extents = builder.extents(atom.name) if ndim else ()
        if ndim:
            atom = builder.op("broadcast_to", atom, count, *extents)
        else:
            atom = builder.op("full", atom, count, dtype=builder.type_of(atom).dtype)
    if axis == 0:
        return atom
    perm = [*range(1, ndim + 1)]
    perm.insert(axis, 0)
    return builder.op("transpose", atom, perm=tuple(perm))


# -- the public function ---------------------------------------------------------------------

class Chunked(Function):
    """A mapped function that is called for `size` samples at a time; `bar` shows how far it is."""

    def __init__(self, base: Function, recipe: VMap, size: int | None, bar=None):
        self.size, self.bar = size, bar
        super().__init__(base, recipe, base.options)

    def _make_signature(self):
        return self.base.__signature__

    def specialise(self, args, keywords):
        return self.base.specialise(args, keywords)

    def with_options(self, options):
        return Chunked(self.base.with_options(options), self.recipe, self.size, self.bar)

    def __reduce__(self):
        return Chunked, (self.base, self.recipe, self.size, self.bar)

    def __call__(self, *args, **keywords):
        if self._is_whole(args, keywords):
            return self.base(*args, **keywords)
        own = {} if "out" in self.__signature__.parameters else {n: keywords.pop(n) for n in ("out",) if n in keywords}
        axes, count = samples_of(self.recipe, self.base, args)
        size = self.size or -(-count // PARTS) or 1
        starts = range(0, count, size)
        if len(starts) < 2:
            return self.base(*args, **keywords, **own)
        starts = starts if self.bar is None else self.bar(starts, desc=self.__name__)
        result = in_parts(self.base, self.recipe, args, keywords, axes, ((start, start + size) for start in starts))
        return store(result, own["out"]) if own else result

    def _is_whole(self, args, keywords) -> bool:
        """Tell whether arrays are on a GPU, which keeps them and the results there in any case."""
        if self.options.target != "cuda":
            return False
        from srcdiff.api.device_values import has_device_array
        return has_device_array((args, tuple(keywords.values())))


def samples_of(recipe: VMap, function: Function, args) -> tuple[list[int | None], int]:
    """Return the axis of samples of each argument, and how many there are.

    Raises
    ------
    ShapeError
        Not as many in each argument.
    """
    specs, _ = abstract_call(function, args, {})
    axes = recipe.in_axes(function.base, specs)
    counts, rest = set(), iter(axes)

    def note(leaf):
        axis = next(rest)
        if axis is not None:
            counts.add(np.shape(leaf)[axis])
        return leaf

    map_values(note, args)
    if len(counts) != 1:
        raise ShapeError(Problem(
            "SD0331", f"the mapped axes have different extents: {sorted(counts)}",
            fix="give the mapped arguments the same number of samples"))
    return axes, counts.pop()


def in_parts(function: Function, recipe: VMap, args, keywords, axes, bounds):
    """Call a mapped function for parts of its samples, and return the results in one."""
    parts = [function(*part(args, axes, start, stop), **keywords) for start, stop in bounds]
    return joined(parts, expand(recipe.out_dims, parts[0], "out_dims"))


def part(args, axes, start: int, stop: int):
    """Return samples `start` to `stop` of the mapped arguments."""
    rest = iter(axes)

    def cut(leaf):
        axis = next(rest)
        return leaf if axis is None else np.take(leaf, range(start, min(stop, np.shape(leaf)[axis])), axis)

    return map_values(cut, args)


def joined(parts, axes):
    """Concatenate the results of all chunks."""
    columns = [list(leaves(p)) for p in parts]
    whole = [column[0] if not isinstance(column[0], np.ndarray) else np.concatenate(column, axis)
             for column, axis in zip(zip(*columns, strict=True), axes, strict=True)]
    rest = iter(whole)
    return map_tree(lambda leaf: next(rest), parts[0])


def vmap(func, in_dims: Dims = 0, out_dims: Dims = 0, *, chunk_size: int | None = None,
         parallel: bool | None = None, progress: bool = False, target: str | None = None):
    """Return the function that maps `func` over an axis of its arguments.

    Parameters
    ----------
    in_dims
        The axis of samples: one number for all arguments, or one entry for each
        (None: not mapped; a tuple of numbers for a tuple of arrays).
    out_dims
        Where the axis of samples stands in the results.
    chunk_size
        Push so many samples at a time, to save memory.
    parallel
        Run large batches on all cores; None: as `func` was decorated.  The
        `why` of the result says what a call does.
    target
        "cuda": run on the GPU, a thread for each sample; None: as `func` was decorated.  Such a
        function takes arrays on the host or on the device, and ``out=`` and ``stream=``.
    progress
        Show a progress bar (package tqdm) over the chunks; without
        `chunk_size` there are 100 of them.

    Notes
    -----
    The `vmap` of a pullback, of a tangent map or of their like pushes the loop
    over directions into the generated code: ``sd.vmap(pullback)(np.eye(M))`` is
    one call; `vjp` has computed the primal.
    """
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        refuse(f"chunk_size is {chunk_size!r}", fix="use a positive int, or None", code="SD0318")
    recipe = VMap(frozen(in_dims), frozen(out_dims))
    function = as_function(func)
    if target is not None:
        function = function.with_options(replace(function.options, target=known_target(target)))
    function = function.derive(recipe)
    if function.options.target == "cuda":
        from srcdiff.api.device import on_device
        function = on_device(function)
    else:
        from srcdiff.api.side_by_side import side_by_side
        function = side_by_side(function, function.options.parallel if parallel is None else parallel)
    if chunk_size is None and not progress:
        return function
    return Chunked(function, recipe, chunk_size, progress_bar() if progress else None)


def progress_bar():
    """Return tqdm's progress bar."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        refuse("progress=True needs the package tqdm, which is not installed",
               fix="install it (pip install tqdm), or leave progress out", code="SD0318")
    return tqdm
