"""Run the kernels of one big problem, whose long loops all threads share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from srcdiff.backend.cuda import SIMULATED_THREADS, Kernels, full_device
from srcdiff.backend.device_memory import new_array
from srcdiff.backend.gpu import require_out, simulated
from srcdiff.kernels import GridPlan, Kernel

__all__ = ["GridLauncher"]

GRID_THREADS = 1 << 17                  # of a shared loop: as many on every device, so that sums are the same


class GridLauncher(Kernels):
    """Calls the kernels of one big problem, one after another."""

    def __init__(self, plan: GridPlan, options):
        super().__init__(plan, list(plan.kernels), options)

    def __call__(self, flat: Sequence, outs: Sequence, stream=0, host: bool = True) -> list:
        """Run; return the results: numbers, and arrays on the host or on the device."""
        size = sum(math.prod(e) * np.dtype(d).itemsize for _, d, e in self.plan.given)
        with full_device(self.plan.name, size):
            flat = [self._on_device(v, i, stream) for i, v in enumerate(flat)]
            given = self._memory(outs, stream)
            for kernel in self.kernels:
                self._launch(kernel, kernel.items, {"input": flat.__getitem__, "given": given.__getitem__}, stream)
        results = [self._result(*result, flat, given, stream, host) for result in self.plan.results]
        if host and stream:
            stream.synchronize()
        return [r[0] if kind == "number" else r
                for r, (kind, _) in zip(results, self.plan.results, strict=True)]

    def _memory(self, outs, stream) -> dict:
        """Return the arrays that the kernels share; a result that the caller gives memory for is there already."""
        made = {name: out for (kind, name), out in zip(self.plan.results, outs, strict=True)
                if out is not None and kind == "array"}
        threads = self._limited(GRID_THREADS)
        for name, dtype, extents in self.plan.given:
            if name in made:
                made[name] = require_out(made[name], dtype, extents)
                continue
            shape = tuple(threads if e < 0 else e for e in extents)
            made[name] = new_array(tuple(max(e, 1) for e in shape), dtype, stream=stream)
        return made

    def _threads(self, kernel: Kernel, count: int) -> int:
        # All of them, even where there are fewer iterations: each has a part of a reduction.
        return 1 if kernel.items == 1 else self._limited(super()._threads(kernel, GRID_THREADS))

    @staticmethod
    def _limited(threads: int) -> int:
        return min(threads, SIMULATED_THREADS) if simulated() else threads

    def _result(self, kind: str, what, flat, given, stream, host: bool):
        match kind:
            case "constant":
                return what
            case "input":
                value = flat[what]
            case _:
                value = given[what]
        if not hasattr(value, "copy_to_host"):
            return value
        return value.copy_to_host(stream=stream) if host or kind == "number" else value
