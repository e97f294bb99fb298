"""Run kernels: on a GPU through `numba.cuda`, or in Numba's simulator.

`Launcher` calls a `Plan`: it allocates the results, brings host arrays to the
device, launches, and raises what a sample raised.  All launches are counted.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import types
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from srcdiff.backend import gpu, modules, python
from srcdiff.backend import numba as numba_backend
from srcdiff.backend.device_memory import new_array, to_device
from srcdiff.backend.direct import Direct, direct
from srcdiff.backend.gpu import as_device_array, free_bytes, is_device_array, require_out, simulated, stand_in
from srcdiff.backend.machine_code import keep_machine_code
from srcdiff.errors import DeviceError, Problem
from srcdiff.kernels import Kernel, Plan, module_text
from srcdiff.syntax import Load, Program, Var, atoms_of, walk

__all__ = ["Kernels", "Launcher", "Overfull", "Prepared", "full_device", "launches", "load"]

BLOCK = 128                             # threads
MOST_MEASURED = 512                     # calls whose sizes are remembered
ENOUGH_THREADS = 1 << 18                # to keep a device busy; with fewer samples, several share one
SIMULATED_THREADS = 24                  # at most, of one launch: each takes a millisecond to start
FIRST_SLOTS = 64
MOST_BYTES = 1 << 30                    # of the workspace, and a quarter of what is free
NOTHING = np.iinfo(np.int64).max        # the status of a launch in which no sample failed
_LOCK = threading.RLock()
_COUNT = [0]


class Overfull(Exception):
    """The device has not enough memory for so many samples; `args` holds the message."""


def launches() -> int:
    """Return how many kernels this process has launched."""
    return _COUNT[0]


# -- modules ----------------------------------------------------------------------------

def load(text: str, options) -> types.ModuleType:
    """Return the module of this text, its functions compiled for the device when they are first launched."""
    module = modules.load(text, options, gpu.compiler())
    with _LOCK:
        if not hasattr(module, "_srcdiff_jitted"):
            _jit_functions(module, options)
            module._srcdiff_jitted = True
    return module


def _jit_functions(module, options) -> None:
    from numba import cuda
    if simulated() and "math" in vars(module):
        module.math = _simulated_math()
    # Products and sums contract to fma by default; any set of flags would count as all of them.
    fastmath = options.fastmath is True
    for key, value in list(vars(module).items()):
        if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
            device = key not in module.__all__
            registers = {} if device or simulated() else {"max_registers": gpu.MOST_REGISTERS}
            dispatcher = cuda.jit(value, device=device, fastmath=fastmath, **registers)
            if not device and not simulated() and modules.is_on_disk(module):
                keep_machine_code(dispatcher)           # its index names the compute capability and CUDA's version
            setattr(module, key, dispatcher)


@functools.cache
def _simulated_math() -> types.ModuleType:
    """Return `math` with IEEE results instead of exceptions, as on a device."""
    module = types.ModuleType("math")
    vars(module).update({k: v for k, v in vars(python.MATH).items() if not k.startswith("__")})
    module.floor, module.ceil, module.trunc = np.floor, np.ceil, np.trunc
    return module


# -- launching ------------------------------------------------------------------------------

class Kernels:
    """What both launchers do: bring arrays to the device, and launch."""

    def __init__(self, plan, kernels, options):
        self.plan, self.kernels = plan, kernels
        self.text = module_text(self.kernels)
        self.module = load(self.text, options)
        self._slots: dict[str, int] = {}

    def _on_device(self, value, position: int, stream):
        """Bring an argument to the device, if a kernel reads it."""
        if not np.ndim(value) and not is_device_array(value):
            return value
        if not any(("input", position) in k.roles for k in self.kernels):
            return None
        return as_device_array(value) if is_device_array(value) else to_device(value, stream)

    def prepare(self, flat: Sequence) -> Prepared | None:
        """Return the launches for arguments like these, if they are the same each time."""
        return None

    # -- one kernel -----------------------------------------------------------------------------

    def _launch(self, kernel: Kernel, count: int, values, stream) -> None:
        """Launch a kernel, again with more room as long as its workspace is too small."""
        while True:
            threads = self._threads(kernel, count)
            work = self._work(kernel, threads, stream)
            status = self._status(kernel, stream)
            values = values | {"work": work.__getitem__, "status": lambda _, s=status: s}
            self._run(kernel, threads, [values[role](what) for role, what in kernel.roles], stream)
            if status is None or not self._failed(kernel, status.copy_to_host(stream=stream), stream):
                return

    def _run(self, kernel: Kernel, threads: int, args, stream) -> None:
        blocks, block = _grid(threads)
        _COUNT[0] += 1
        function = getattr(self.module, kernel.program.name)
        if not simulated():
            try:
                function[blocks, block, stream](*args)
            except Exception as error:
                if not numba_backend.is_compile_error(error):
                    raise
                raise numba_backend.explain(error, kernel.program.name, self.text, self._file(kernel)) from None
            return
        with _LOCK, warnings.catch_warnings():          # the simulator runs one kernel at a time
            warnings.simplefilter("ignore", RuntimeWarning)
            function[blocks, block, stream](*args)

    def direct(self, kernel: Kernel, threads: int, args, changing) -> Direct | None:
        """Return the launch of a kernel that has run with such arguments; see `srcdiff.backend.direct`."""
        return direct(getattr(self.module, kernel.program.name), *_grid(threads), args, changing)

    @staticmethod
    def _file(kernel: Kernel) -> str:
        return next((s.where.file for s in walk(kernel.program.body) if s.where.line), "<unknown>")

    def _threads(self, kernel: Kernel, count: int) -> int:
        if simulated():
            count = min(count, SIMULATED_THREADS)
        if not kernel.work:
            return count
        for dtype, known in zip(kernel.work, kernel.slots, strict=True):
            self._slots[dtype] = max(self._slots.get(dtype, FIRST_SLOTS), known)
        slots = sum(self._slots[dtype] * np.dtype(dtype).itemsize for dtype in kernel.work)
        most = min(MOST_BYTES, free_bytes() // 4) // slots
        if most < min(count, BLOCK):
            raise DeviceError(Problem(
                "SD0511", f"{self.plan.name}: each sample needs {slots} bytes of working memory, for which the "
                "device has no room", why="its arrays and tapes have extents that are known only at run time",
                fix='use smaller samples, or target="numba"'))
        return count if count <= most else most // BLOCK * BLOCK

    def _work(self, kernel: Kernel, threads: int, stream) -> dict:
        return {dtype: new_array((self._slots[dtype], threads), dtype, stream=stream) for dtype in kernel.work}

    def _status(self, kernel: Kernel, stream):
        if ("status", "") not in kernel.roles:
            return None
        return to_device(np.array([NOTHING] + [0] * len(kernel.work)), stream)

    def _failed(self, kernel: Kernel, status: np.ndarray, stream) -> bool:
        """Raise what the first sample raised; tell whether there was too little room."""
        if stream:
            stream.synchronize()
        wanted = status[1:]
        if wanted.any():
            for dtype, slots in zip(kernel.work, wanted, strict=True):
                if slots:
                    self._slots[dtype] = max(2 * self._slots[dtype], int(slots))
            return True
        if status[0] != NOTHING:
            exception, message = kernel.failures[status[0] % len(kernel.failures)]
            raise {"ValueError": ValueError, "IndexError": IndexError}.get(exception, RuntimeError)(message)
        return False


def _grid(threads: int) -> tuple[int, int]:
    """Return the number of blocks, and of threads in a block."""
    block = min(BLOCK, threads, SIMULATED_THREADS // 2 if simulated() else BLOCK)
    return -(-threads // block), block


class Launch:
    """A launch for arrays of known types, extents and strides; only addresses and numbers are open.

    Parameters
    ----------
    fixed
        The arguments, with None in the place of parameters and results.
    params, results
        Which arguments these are: pairs of positions.
    """

    def __init__(self, launcher: Launcher, kernel: Kernel, threads: int, fixed: list):
        self.launcher, self.kernel, self.threads, self.fixed = launcher, kernel, threads, fixed
        self.params, self.results = _places(kernel, "input"), _places(kernel, "result")
        self._direct, self._is_new = None, True

    def __call__(self, flat: Sequence, results: Sequence, stream) -> None:
        """Launch with these parameters and results."""
        args = self.fixed.copy()
        for at, position in self.params:
            args[at] = flat[position]
        for at, position in self.results:
            args[at] = results[position]
        if stream or self._direct is None or not self._direct(args):
            self.launcher._run(self.kernel, self.threads, args, stream)
            if self._is_new:
                self._is_new = False
                changing = [at for at, _ in (*self.params, *self.results)]
                self._direct = self.launcher.direct(self.kernel, self.threads, args, changing)
        else:
            _COUNT[0] += 1


@dataclass(frozen=True)
class Prepared:
    """The launches of a batch for arrays of known types, extents and strides.

    Attributes
    ----------
    shapes, size
        Of the results; how many bytes they take in all.
    """

    launcher: Launcher
    launches: tuple[Launch, ...]
    shapes: tuple[tuple[int, ...], ...]
    size: int

    def __call__(self, flat: Sequence, outs: Sequence, stream=0) -> list:
        """Launch, and return the results, on the device; see `Launcher.__call__`."""
        with full_device(self.launcher.plan.name, self.size):
            results = [self.launcher.allocate(i, shape, stream) if out is None else out
                       for i, (shape, out) in enumerate(zip(self.shapes, outs, strict=True))]
        for launch in self.launches:
            launch(flat, results, stream)
        return results


class Launcher(Kernels):
    """Calls the kernels of a batch.

    Parameters
    ----------
    plan
        What to run.
    options
        How it is compiled.
    sizes
        The compiled `Plan.sizes`.
    constants
        The values of `Plan.constants`.
    """

    def __init__(self, plan: Plan, options, sizes, constants: dict[str, np.ndarray]):
        super().__init__(plan, [k for k in (plan.once, plan.each) if k is not None], options)
        self.sizes, self._host_constants, self._constants = sizes, constants, {}
        self._measured: dict = {}
        self._by_shape, self._by_number = not _values_read(plan.sizes), _numbers_read(plan.sizes)

    def __call__(self, flat: Sequence, outs: Sequence, stream=0, host: bool = True) -> list:
        """Run; return the results, on the host or on the device.

        Parameters
        ----------
        flat
            The parameters: numbers, arrays on the host or on the device.
        outs
            For each result a device array to write it into, or None.
        host
            Whether the results are copied to the host.
        """
        flat = [as_device_array(v) if is_device_array(v) else v for v in flat]
        count, sizes, shapes = self._measure(flat)
        if not count:
            return self._empty(shapes, outs, host)
        with full_device(self.plan.name, self._bytes_of(shapes)):
            flat = [self._on_device(v, i, stream) for i, v in enumerate(flat)]
            results = [self.allocate(i, shape, stream, host) if out is None else
                       require_out(out, self.plan.results[i][0], shape)
                       for i, (shape, out) in enumerate(zip(shapes, outs, strict=True))]
            values = self._known(count, sizes, stream) | {"input": flat.__getitem__, "result": results.__getitem__}
            for kernel in self.kernels:
                self._launch(kernel, self._items(kernel, count), values, stream)
        if not host:
            return results
        copies = [r.copy_to_host(stream=stream) for r in results]
        if stream:
            stream.synchronize()
        return copies

    def prepare(self, flat: Sequence) -> Prepared | None:
        """Return the launches for arrays of the device like these; None where values, a status or a workspace decide what is launched."""
        if not self._by_shape or self._by_number or self.plan.given or any(k.work or ("status", "") in k.roles for k in self.kernels):
            return None
        count, sizes, shapes = self._measure(flat)
        known = self._known(count, sizes, 0)
        launches = tuple(Launch(self, k, self._threads(k, self._items(k, count)),
                                [known[role](what) if role in known else None for role, what in k.roles])
                         for k in self.kernels)
        return Prepared(self, launches, tuple(shapes), self._bytes_of(shapes)) if count else None

    # -- arrays -------------------------------------------------------------------------------

    def _bytes_of(self, shapes) -> int:
        """Return how much memory results of these shapes take."""
        return sum(math.prod(s) * np.dtype(dtype).itemsize for s, (dtype, _, _) in zip(shapes, self.plan.results, strict=True))

    def _known(self, count: int, sizes, stream) -> dict:
        """Return what gives the arguments of kernels that are neither parameters nor results, by role."""
        parts, numbers, given = self._parts(count), dict(zip(self.plan.size_names, sizes, strict=True)), self._given(stream)
        return {"parts": lambda _: parts, "count": lambda _: count, "given": given.__getitem__, "size": numbers.__getitem__}

    def _items(self, kernel: Kernel, count: int) -> int:
        """Return how many threads a kernel has work for."""
        return kernel.items or count * self._parts(count)

    def _parts(self, count: int) -> int:
        """Return how many threads share a sample."""
        most = dict(self.plan.each.roles).get("parts", 1)
        return max(1, min(most, (SIMULATED_THREADS if simulated() else ENOUGH_THREADS) // max(count, 1)))

    def _measure(self, flat) -> tuple[int, list, list[tuple[int, ...]]]:
        """Return the number of samples, the sizes that kernels take, and the shapes of the results."""
        key = tuple([v.shape if getattr(v, "shape", ()) else v for v in flat]) if self._by_shape else None
        found = self._measured.get(key)
        if found is None:
            count, *rest = self.sizes(*map(_shape_only, flat))
            known = len(self.plan.size_names)
            found = count, rest[:known], self._shapes(rest[known:])
            if self._by_shape and len(self._measured) < MOST_MEASURED:
                self._measured[key] = found
        return found

    def _shapes(self, extents) -> list[tuple[int, ...]]:
        """Cut the extents of all results into shapes."""
        shapes, rest = [], list(map(int, extents))
        for _, ndim, _ in self.plan.results:
            shapes.append(tuple(rest[:ndim]))
            rest = rest[ndim:]
        return shapes

    def _empty(self, shapes, outs, host):
        if host:
            return [np.empty(s, dtype) for s, (dtype, _, _) in zip(shapes, self.plan.results, strict=True)]
        return [new_array(s, dtype) if out is None else require_out(out, dtype, s)
                for s, (dtype, _, _), out in zip(shapes, self.plan.results, outs, strict=True)]

    def allocate(self, position: int, shape, stream, host: bool = False):
        """Return memory for a result: in C order for the host, else with the samples side by side.

        Threads that are neighbours write neighbouring addresses in the second
        layout; what goes to the host is better in its order there.
        """
        dtype, _, axis = self.plan.results[position]
        if host or len(shape) < 2:
            return new_array(shape, dtype, stream=stream)
        order = [*(k for k in range(len(shape)) if k != axis), axis]
        strides, step = [0] * len(shape), np.dtype(dtype).itemsize
        for k in reversed(order):
            strides[k] = step
            step *= shape[k]
        return new_array(shape, dtype, tuple(strides), stream)

    def _given(self, stream) -> dict:
        """Return the constant arrays, which stay on the device, and memory for what `once` computes."""
        here = gpu.current_device() if self._host_constants else 0
        if here not in self._constants:
            self._constants[here] = {name: to_device(v) for name, v in self._host_constants.items()}
        return self._constants[here] | {name: new_array(extents, dtype, stream=stream)
                                        for name, dtype, extents in self.plan.given}


def _values_read(program: Program) -> bool:
    """Tell whether a program reads elements of its arrays, and not their extents only."""
    arrays = {p.name for p in program.params if p.type.ndim}
    return any(isinstance(s, Load) and s.array in arrays or
               any(isinstance(a, Var) and a.name in arrays for a in atoms_of(s)) and getattr(s, "op", "") != "size"
               for s in walk(program.body))


def _numbers_read(program: Program) -> bool:
    """Tell whether a program reads a parameter that is a number."""
    numbers = {p.name for p in program.params if not p.type.ndim}
    read = {a.name for s in walk(program.body) for a in atoms_of(s) if isinstance(a, Var)}
    return bool(numbers & (read | {a.name for a in program.results if isinstance(a, Var)}))


def _places(kernel: Kernel, wanted: str) -> tuple[tuple[int, int], ...]:
    """Return which arguments of a kernel have a role, and what they are of it."""
    return tuple((at, what) for at, (role, what) in enumerate(kernel.roles) if role == wanted)


def _shape_only(value):
    return stand_in(value) if is_device_array(value) else value


@contextlib.contextmanager
def full_device(name: str, size: int):
    """Turn Numba's error for a device that is full into `Overfull`."""
    try:
        yield
    except Exception as error:
        if "OUT_OF_MEMORY" not in str(error).upper().replace(" ", "_"):
            raise
        raise Overfull(f"{name}: the device has no memory left for results of {size} bytes") from None
