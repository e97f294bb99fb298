"""A device that is not there: calls with ``target="cuda"`` run the PTX of their kernels, one thread after another.

Everything is as on a GPU, the launcher, the types that arrays have there and the
compiled code, but memory is the host's and `bench.ptx_machine` executes.  So
compiled kernels can be compared with the CPU, and counted, where there is no GPU.

    with ptx_device() as device:
        batch(*map(place, arrays))          # or NumPy's arrays
    device.machines["predict_jacfwd_vmap_kernel"].executed

Needs NVVM, as `srcdiff.backend.ptx` does, and must not run in Numba's simulator.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field

import numpy as np

from bench.ptx_machine import Machine
from srcdiff.backend import cuda as launching
from srcdiff.backend import device_memory, gpu, grid
from srcdiff.backend.ptx import compile_ptx

__all__ = ["Device", "Placed", "place", "ptx_device"]

FREE = 1 << 28                          # bytes that the device says it has


class Placed:
    """An array on that device: what launchers ask of Numba's device arrays."""

    __cuda_ndarray__ = True

    def __init__(self, array: np.ndarray):
        self.array = array
        self.shape, self.strides, self.dtype, self.ndim = array.shape, array.strides, array.dtype, array.ndim
        self.size = array.size

    @property
    def __cuda_array_interface__(self):
        return dict(self.array.__array_interface__, version=3)

    def copy_to_host(self, ary=None, stream=0):
        if ary is None:
            return self.array.copy()
        ary[...] = self.array
        return ary

    def reshape(self, *shape):
        return Placed(self.array.reshape(*shape))

    def __getitem__(self, index):
        found = self.array[index]
        return Placed(found) if isinstance(found, np.ndarray) else found


def place(array, stream=0, to=None) -> Placed:
    """Return a copy of an array on the device."""
    return Placed(np.array(array))


def empty(shape, dtype=np.float64, strides=None, order="C", stream=0) -> Placed:
    """Return new memory, in which nothing is written: nan where a number can be that."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    memory = np.empty(math.prod(shape), dtype)
    memory.fill(np.nan if memory.dtype.kind in "fc" else -1 if memory.dtype.kind == "i" else 1)
    return Placed(np.lib.stride_tricks.as_strided(memory, shape, strides) if strides else memory.reshape(shape))


@dataclass
class Device:
    """What was executed: for each kernel its machine and text, those of the last types of arguments, and the threads that ran."""

    machines: dict[str, Machine] = field(default_factory=dict)
    threads: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    _known: dict = field(default_factory=dict)

    def run(self, launcher, kernel, threads: int, args, stream) -> None:
        """Execute a launch, in the place of `srcdiff.backend.cuda.Kernels._run`."""
        name = kernel.program.name
        types = tuple(map(_type_of, args, (p.type for p in kernel.program.params)))
        if (kernel, types) not in self._known:
            self.texts[name] = compile_ptx(kernel, types=types)
            self._known[kernel, types] = Machine(self.texts[name])
        machine = self.machines[name] = self._known[kernel, types]
        given = {p.name: a.array if isinstance(a, Placed) else a for p, a in zip(kernel.program.params, args, strict=False)}
        block = min(launching.BLOCK, threads)
        blocks = -(-threads // block)
        for thread in range(blocks * block):
            machine.run(given, thread, block, blocks)
        self.threads[name] = self.threads.get(name, 0) + blocks * block
        launching._COUNT[0] += 1


def _type_of(value, declared):
    """Return the type that Numba gives an argument of a kernel."""
    import numba
    from numba import types
    if not isinstance(value, Placed):
        return numba.from_dtype(np.dtype(declared.dtype))
    flags = value.array.flags
    layout = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"
    return types.Array(numba.from_dtype(value.dtype), value.ndim, layout)


@contextlib.contextmanager
def ptx_device(threads: int = 8):
    """Let calls run on this device; at most so many threads share the samples of a call, or a big problem."""
    from numba import cuda
    device = Device()
    places = [(cuda, "to_device", place), (cuda, "device_array", empty), (gpu, "_why_not", lambda: ""),
              (gpu, "current_device", lambda: 0), (gpu, "free_bytes", lambda: FREE), (gpu, "device_count", lambda: 1),
              (gpu, "address", lambda a: a.array.ctypes.data), (device_memory, "kept", lambda: None),
              (gpu, "capability", lambda: ()), (launching, "free_bytes", lambda: FREE),
              (launching, "ENOUGH_THREADS", threads), (grid, "GRID_THREADS", threads),
              (launching.Kernels, "_run", lambda *given: device.run(*given))]
    before = [(place_, name, getattr(place_, name, None)) for place_, name, _ in places]
    try:
        for place_, name, value in places:
            setattr(place_, name, value)
        yield device
    finally:
        for place_, name, value in before:
            setattr(place_, name, value)

