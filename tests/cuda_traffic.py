"""Count what the threads of a warp read and write together: the kernel runs as Python, thread by thread, and arrays note addresses.

A warp of 32 threads executes one instruction at a time; what it touches moves in
sectors of 32 bytes.  The k-th access of an array by each thread is counted as one
instruction, which is exact where all threads take the same path.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from srcdiff.kernels import module_text

WARP, SECTOR = 32, 32


class Noting:
    """An array that notes the addresses of its elements as they are read and written."""

    def __init__(self, array: np.ndarray, place: int):
        self.array, self.shape, self.place = array, array.shape, place
        self.reads, self.writes = [], []

    def _address(self, index) -> int:
        index = index if isinstance(index, tuple) else (index,)
        return self.place + sum(i % n * s for i, n, s in zip(index, self.array.shape, self.array.strides, strict=True))

    def __getitem__(self, index):
        self.reads.append(self._address(index))
        return self.array[index]

    def __setitem__(self, index, value):
        self.writes.append(self._address(index))
        self.array[index] = value


@dataclass(frozen=True)
class Traffic:
    """What a warp does with one array: instructions, the sectors that they touch, and the different ones among these."""

    instructions: int
    sectors: int
    different: int

    @property
    def sectors_each(self) -> float:
        return self.sectors / max(self.instructions, 1)


def traffic(kernel, arguments: dict, threads: int, first: int = 0) -> dict[str, tuple[Traffic, Traffic]]:
    """Run one warp of `threads` threads; return for each array its reads and its writes."""
    places = {name: (k + 1) << 40 for k, name in enumerate(arguments)}
    notes: dict[str, list[Noting]] = defaultdict(list)
    for thread in range(first, first + WARP):
        given = {name: Noting(v, places[name]) if isinstance(v, np.ndarray) else v for name, v in arguments.items()}
        function = _as_python(kernel, thread, threads)
        function(*given.values())
        for name, value in given.items():
            if isinstance(value, Noting):
                notes[name].append(value)
    return {name: (_counted([n.reads for n in of_threads]), _counted([n.writes for n in of_threads]))
            for name, of_threads in notes.items()}


def _as_python(kernel, thread: int, threads: int):
    text = module_text([kernel]).replace("from numba import cuda\n", "")
    local = SimpleNamespace(array=lambda shape, dtype: np.empty(shape, dtype))
    scope = {"cuda": SimpleNamespace(grid=lambda _: thread, gridsize=lambda _: threads, local=local), "math": math}
    exec(text, scope)
    return scope[kernel.program.name]


def _counted(of_threads: list[list[int]]) -> Traffic:
    together = [{a // SECTOR for a in addresses} for addresses in zip(*of_threads, strict=True)]
    return Traffic(len(together), sum(map(len, together)), len(set().union(*together)))
