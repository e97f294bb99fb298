"""`vmap(..., target="cuda")`: a batch on the GPU, one thread for each sample.

Code is made for the types and the shapes of one sample; the number of samples
is free.  Arrays may live on the host or on the device (anything with
``__cuda_array_interface__``): where one argument is on the device, so are the
results.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass

import numpy as np

from srcdiff import compiler
from srcdiff.api.automatic import ALIKE, AutoJacobian, cheaper
from srcdiff.api.by_shape import abstract_call, specialised_call
from srcdiff.api.costs import call_cost
from srcdiff.api.device_values import (
    call_key,
    described,
    first_samples,
    flat,
    has_device_array,
    kind_of,
    require_own,
)
from srcdiff.api.dispatch import Stale, one_level_deeper, same_value
from srcdiff.api.function import Function
from srcdiff.api.into import store
from srcdiff.api.repeated import form_of, repeated
from srcdiff.api.special import Special, refuse
from srcdiff.api.titles import titled
from srcdiff.backend import cuda, gpu
from srcdiff.errors import DeviceError, MemoryBudgetError, Problem, ShapeError, SrcdiffError
from srcdiff.structure import Names, leaves, pack
from srcdiff.syntax import Static

__all__ = ["OnDevice", "on_device"]

REMEMBERED = 512                        # calls of different shapes


@dataclass(frozen=True)
class Made:
    """Code for one set of types and shapes: what runs it, and what it was made for."""

    special: Special
    launcher: cuda.Launcher
    captured: tuple
    packed: object

    def current_captures(self) -> list:
        """Return the captured values; raises `Stale` where the code was made for others."""
        if not all(same_value(get(), value) for get, value in self.special.assumed):
            raise Stale
        values = [get() for get in self.special.captures]
        if tuple(map(kind_of, values)) != self.captured:
            raise Stale
        return values


@dataclass(frozen=True)
class Kernels:
    """What kernels take of a GPU; `str` is a line for each."""

    kernels: tuple

    def __str__(self) -> str:
        return "\n".join(map(str, self.kernels))

    __repr__ = __str__


class OnDevice(Function):
    """A mapped function whose samples are computed by the threads of a GPU.

    Called inside another transform it is the mapped function as it is.
    """

    batch = True

    def __init__(self, base: Function):
        super().__init__(base, base.recipe, base.options)
        self._modes: dict = {}
        self._found: dict = {}
        self._repeated: dict = {}

    def _make_signature(self):
        return self.base.__signature__

    def specialise(self, args, keywords):
        return self.base.specialise(args, keywords)

    def with_options(self, options):
        function = self.base.with_options(options)
        return OnDevice(function) if options.target == "cuda" else function

    def __reduce__(self):
        return OnDevice, (self.base,)

    def describe(self) -> str:
        return f"{self.base.describe()} on the GPU"

    # -- calls ------------------------------------------------------------------------------

    def __call__(self, *args, **keywords):
        """Run the batch; `out` takes the result, and kernels are queued on `stream`."""
        own = {name: keywords.pop(name) for name in self._own if name in keywords}
        out, stream = own.get("out"), own.get("stream")
        form = None if keywords else form_of(args, out)
        if again := self._repeated.get(form):
            with contextlib.suppress(Stale, cuda.Overfull):         # the slower way knows what to do
                return again(args, out, stream)
        gpu.require_device()
        require_own(out, stream)
        args, keywords = self.bind(args, keywords) if keywords else (args, keywords)
        function, made, captured = self._find(args, keywords)
        try:
            result = function._run(made, captured, args, keywords, out, gpu.as_stream(stream))
            if form is not None and self._repeated.get(form, True):         # None: of a form that is looked at each time
                self._remember(form, made, args, out)
            return result
        except cuda.Overfull as error:
            return function._in_halves(args, keywords, own, str(error))
        except MemoryBudgetError as error:
            return self._within_iterations(error, args, keywords, own)

    @functools.cached_property
    def _own(self) -> tuple[str, ...]:
        """Return the names of what a call takes besides the arguments of the function."""
        return tuple(name for name in ("out", "stream") if name not in self.__signature__.parameters)

    def _remember(self, form, made: Made, args, out) -> None:
        """Keep how a call is made again."""
        if len(self._repeated) >= REMEMBERED:
            self._repeated.clear()
        self._repeated[form] = repeated(made, args, out)

    def _find(self, args, keywords) -> tuple[OnDevice, Made, list]:
        """Return the function that computes a call, its code, and the captured values; the second time by a look-up."""
        key = None
        try:
            key = self._call_key(args, keywords)
            function, made = self._found[key]
            return function, made, made.current_captures()
        except (KeyError, TypeError, ValueError, Stale):        # of a value that cannot be hashed, refused below
            args, keywords = self.bind(args, keywords)
        function = self._in_mode(args, keywords)
        made = function._made(args, keywords)
        try:
            captured = made.current_captures()
        except Stale:
            made = function._made(args, keywords, anew=True)
            captured = made.current_captures()
        if len(self._found) >= REMEMBERED:
            self._found.clear()
        if key is not None:
            self._found[key] = function, made
        return function, made, captured

    def _within_iterations(self, error: MemoryBudgetError, args, keywords, own=None):
        """Run the kernels that take checkpoints inside the iterations of loops too, where these are others; find them at once from now on."""
        deeper = one_level_deeper(self, error, args, keywords)
        result = deeper(*args, **keywords, **(own or {}))
        self._found[self._call_key(args, keywords)] = deeper._find(args, keywords)[:2]
        return result

    @staticmethod
    def _call_key(args, keywords) -> tuple:
        return tuple(map(call_key, args)), tuple(keywords), tuple(map(call_key, keywords.values()))

    def _run(self, made: Made, captured, args, keywords, out, stream):
        host = isinstance(out, np.ndarray) or not (
            has_device_array((args, tuple(keywords.values()))) or gpu.is_device_array(out))
        values = [v for value in (*args, *keywords.values(), *captured) for v in flat(value)]
        gpu.require_here((*values, out))
        try:
            results = made.launcher(values, self._outs(made, out, values), stream, host)
        except (ValueError, IndexError) as error:
            if isinstance(error, SrcdiffError):
                raise
            return self._failed(error, args, keywords)
        result = made.packed(results)
        return store(result, out) if isinstance(out, np.ndarray) else result

    def _outs(self, made: Made, out, values) -> list:
        """Return for each result the device array to write it into, or None."""
        count = len(made.special.program.results)
        if not gpu.is_device_array(out):
            return [None] * count
        if count != 1:
            refuse("out= needs a derivative that is one array", fix="leave out= away", code="SD0308")
        return [gpu.as_out(out, values)]

    def _in_halves(self, args, keywords, own, why: str):
        """Run a batch that does not fit the device as two, if its arrays are on the host."""
        from srcdiff.api.vmap import in_parts, samples_of
        if not (has_device_array((args, tuple(keywords.values()))) or gpu.is_device_array(own.get("out"))):
            axes, count = samples_of(self.recipe, self.base, args)
            if count > 1:
                result = in_parts(self, self.recipe, args, keywords, axes, ((0, count // 2), (count // 2, count)))
                return store(result, own["out"]) if "out" in own else result
        raise DeviceError(Problem("SD0511", why, fix="pass fewer samples at a time, or let vmap do so with chunk_size, "
                                                     "which takes arrays on the host apart"))

    # -- code -------------------------------------------------------------------------------

    def _made(self, args, keywords, anew: bool = False) -> Made:
        args, keywords = described(args), described(keywords)
        shapes = tuple(tuple(shape) for shape in self._extents(args, keywords))
        try:
            key = self._key(args, keywords), shapes
            found = None if anew else self._table.get(key)
        except (TypeError, ValueError):                 # ValueError: of writable memory
            refuse(f"an argument of {self.__name__} is neither numeric nor hashable", code="SD0301",
                   fix="pass numbers, arrays, strings, None, or tuples, lists, dicts of these")
        if found is None:
            with self._lock:
                found = self._table[key] = self._make_kernels(args, keywords, shapes)
        return found

    def _extents(self, args, keywords):
        """Yield the extents of each numeric leaf, None for an axis of samples."""
        specs, _ = abstract_call(self, args, keywords)
        axes = self.recipe.in_axes(self.recipe_base, specs)
        numeric = [axis for axis, leaf in zip(axes, leaves(specs), strict=True) if not isinstance(leaf, Static)]
        values = [v for value in (*args, *keywords.values()) for v in flat(value)]
        self._same_count([(np.shape(v), axis) for v, axis in zip(values, numeric, strict=False) if axis is not None])
        for i, value in enumerate(values):
            axis = numeric[i] if i < len(numeric) else None
            yield (None if k == axis else n for k, n in enumerate(np.shape(value)))

    @staticmethod
    def _same_count(mapped) -> None:
        counts = {shape[axis] for shape, axis in mapped}
        if len(counts) > 1:
            raise ShapeError(Problem("SD0331", f"the mapped axes have different extents: {sorted(counts)}",
                                     fix="give the mapped arguments the same number of samples"))

    @property
    def recipe_base(self):
        return self.base.base

    def _planned(self, args, keywords, shapes):
        _, special = specialised_call(self, args, keywords)
        if special.written and self.recipe is None:
            refuse(f"{self.__name__} writes its arguments, which stay as they are on the GPU",
                   fix='return the new arrays, or call it with target="numba"', code="SD0355")
        captured = [get() for get in special.captures]
        shapes = [*shapes, *(np.shape(v) for value in captured for v in flat(described(value)))]
        program = titled(self, special)
        extents = {p.name: tuple(shape) for p, shape in zip(program.params, shapes, strict=True) if shape}
        return special, program, tuple(extents.items()), captured

    def _make_kernels(self, args, keywords, shapes) -> Made:
        special, program, extents, captured = self._planned(args, keywords, shapes)
        launcher = self._build(program, extents)
        self._programs.append(lambda: program)
        types = tuple(program.type_of(atom) for atom in program.results)
        names = Names()
        text = pack(special.program.tree, types, names)
        names["packed"] = eval(f"lambda r: {text}", names)
        return Made(special, launcher, tuple(map(kind_of, captured)), names["packed"])

    def _build(self, program, extents):
        return compiler.build_kernels(program, extents, self.options)

    # -- rows or columns ------------------------------------------------------------------------

    def _in_mode(self, args, keywords) -> OnDevice:
        """Return the function whose Jacobian goes by rows or by columns, whichever is cheaper for one sample."""
        base = self.recipe_base
        if not isinstance(base, AutoJacobian):
            return self
        args, keywords = described(args), described(keywords)
        sample = first_samples(args, self.recipe.in_axes(base, abstract_call(self, args, keywords)[0]))
        key = tuple(kind_of(v) for v in sample) if not keywords else None
        if key is None or key not in self._modes:
            self._modes[key] = on_device(base._modes[_mode(base, sample, keywords)].derive(self.recipe))
        return self._modes[key]

    # -- how it shows ------------------------------------------------------------------------------

    def source(self, *args, level: str = "loops", **keywords) -> str:
        """Return the kernels, as a module for `numba.cuda`."""
        if level != "loops":
            return self.base.source(*args, level=level, **keywords)
        return compiler.kernel_text(*self._program_and_shapes(args, keywords), self.batch)

    def kernels(self, *args, **keywords) -> tuple:
        """Return the kernels (`srcdiff.kernels.Kernel`) of a call with arguments like these; no GPU is needed."""
        planned = self._program_and_shapes(args, keywords)
        if not self.batch:
            return compiler.grid(*planned).kernels
        made = compiler.kernels(*planned)
        return tuple(k for k in (made.once, made.each) if k is not None)

    def explain(self, *args, **keywords) -> Kernels:
        """Return what the kernels of a call take of a GPU: registers, local memory, spills."""
        from srcdiff.backend.ptx import resources
        capability = gpu.capability()
        return Kernels(tuple(resources(k, *capability) for k in self.kernels(*args, **keywords)))

    def _program_and_shapes(self, args, keywords) -> tuple:
        args, keywords = self.bind(args, keywords)
        function = self._in_mode(args, keywords)
        args, keywords = described(args), described(keywords)
        shapes = list(map(tuple, function._extents(args, keywords)))
        return function._planned(args, keywords, shapes)[1:3]


def _mode(base: AutoJacobian, args, keywords) -> str:
    costs = {}
    for mode, function in base._modes.items():
        try:
            costs[mode] = call_cost(function, args, keywords).operations
        except SrcdiffError as error:
            refused = error
    if not costs:
        raise refused
    low, high = min(costs, key=costs.__getitem__), max(costs, key=costs.__getitem__)
    return low if costs[high] > ALIKE * costs[low] else cheaper(1, 1) if len(costs) > 1 else low


class OnGrid(OnDevice):
    """A function that runs once, on large arrays, with its long loops shared among all threads."""

    batch = False

    def with_options(self, options):
        return self.base.with_options(options)

    def __reduce__(self):
        return OnGrid, (self.base,)

    def _extents(self, args, keywords):
        return (np.shape(v) for value in (*args, *keywords.values()) for v in flat(value))

    def _build(self, program, extents):
        return compiler.build_grid(program, extents, self.options)

    def _in_mode(self, args, keywords) -> OnGrid:
        if not isinstance(self.base, AutoJacobian):
            return self
        args, keywords = described(args), described(keywords)
        return on_grid(self.base._modes[_mode(self.base, args, keywords)])

    def _in_halves(self, args, keywords, own, why: str):
        raise DeviceError(Problem("SD0511", why, fix='use target="numba"'))


def on_device(function: Function) -> OnDevice:
    """Return the form of a mapped function that runs on the GPU, the same object each time."""
    return _once(function, OnDevice)


def on_grid(function: Function) -> OnGrid:
    """Return the form of a function that shares its loops among the threads of a GPU, the same object each time."""
    return _once(function, OnGrid)


def _once(function: Function, cls):
    name = f"_{cls.__name__}"
    found = vars(function).get(name)
    if found is None:
        found = cls(function)
        setattr(function, name, found)
    return found
