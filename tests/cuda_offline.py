"""Numba's path of a first launch without a GPU: compile for a device that is not there, keep the machine code, find it again."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from types import SimpleNamespace

from srcdiff.backend import cuda, ptx
from srcdiff.backend.callable import Options
from srcdiff.kernels import module_text

CAPABILITY = (9, 0)


@contextlib.contextmanager
def offline():
    """Answer for a device; what would load a kernel makes its PTX."""
    from numba.cuda import codegen, dispatcher
    from numba.cuda.cudadrv import devices
    context = SimpleNamespace(device=SimpleNamespace(compute_capability=CAPABILITY))
    places = [(devices, "get_context", lambda *_: context),
              (codegen.JITCUDACodegen, "magic_tuple", lambda self: ((13, 0), CAPABILITY)),
              (dispatcher._Kernel, "bind", lambda self: self._codelibrary.get_asm_str(cc=CAPABILITY))]
    before = [getattr(place, name) for place, name, _ in places]
    try:
        for place, name, value in places:
            setattr(place, name, value)
        with ptx._device(CAPABILITY):
            yield
    finally:
        for (place, name, _), value in zip(places, before, strict=True):
            setattr(place, name, value)


def kept(kernel) -> dict[str, list[int]]:
    """Compile a kernel as two processes would, one after the other: how often the disk had it, and how often not."""
    counts = {"hits": [], "misses": []}
    with tempfile.TemporaryDirectory() as place, offline():
        os.environ["SRCDIFF_CACHE_DIR"] = place
        for _ in range(2):
            module = cuda.load(module_text([kernel]), Options(target="cuda"))
            dispatcher = getattr(module, kernel.program.name)
            dispatcher.compile(ptx.signature(kernel))
            counts["hits"].append(sum(dispatcher.stats.cache_hits.values()))
            counts["misses"].append(sum(dispatcher.stats.cache_misses.values()))
            del sys.modules[module.__name__]
    return counts
