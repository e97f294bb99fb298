"""``out=``: a result in memory of the caller's.

The first calls copy their result there.  Where large results are asked for again and again, another version of
the same code is compiled, which writes them there at once: of 33 MB of a Hessian, to make a new array and to copy it
takes longer than to compute it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from srcdiff.api.lazy import lazy
from srcdiff.api.special import Special
from srcdiff.backend import Compiled, compile_source, large_pages
from srcdiff.errors import ArgumentError, Problem, ShapeError

__all__ = ["Version", "in_simulated_kernel", "into_out", "of_simulated_kernel", "store"]

runner = lazy("srcdiff.api.dispatch", "runner")

LARGE = 1 << 20             # bytes of a result
COPIED = 2                  # calls that copy large results before one is compiled that does not


@dataclass
class Version:
    """The version of a runner's code that writes into the caller's memory: None while there is none."""

    special: Special
    compiled: Compiled
    count: int                                  # of arguments
    copied: int = 0
    run: Callable | None = None

    def fits(self, out) -> bool:
        """Tell whether compiled code can take an array for one that it has made."""
        result = self.special.program.type_of(self.special.program.results[0])
        return (type(out) is np.ndarray and (out.dtype, out.ndim) == (np.dtype(result.dtype), result.ndim)
                and out.flags.c_contiguous and out.flags.writeable and out.flags.aligned)

    def count_copy(self, args) -> None:
        """Compile the version where large results are copied again and again."""
        self.copied += 1
        if self.copied == COPIED and self._is_wanted(args):
            from srcdiff.backend.into import into
            compiled = self.compiled
            source = into(compiled.source, compiled.name)
            if source is not None:
                other = compile_source(compiled.name, source, 1, options=compiled.options, file=compiled.file)
                self.run = runner(self.special, other, args, {}, into=True)

    def _is_wanted(self, args) -> bool:
        """A function that writes its arguments would do so twice where its result turns out not to fit."""
        return (len(args) == self.count and self.compiled.count == 1 and not self.special.written
                and self.compiled.options.target == "numba" and large_pages.available())


def into_out(function: Callable, args, keywords: dict):
    """Call a function whose result goes to the keyword ``out``, and return that."""
    out = of_simulated_kernel(keywords["out"])
    keywords = {name: value for name, value in keywords.items() if name != "out"}
    version = None if keywords else function.version(args)
    if version is not None and version.run is not None and version.fits(out):
        try:
            version.run(*args, out)
            return out
        except Exception:           # noqa: S110    the call below says in our words what is wrong, or does without
            pass
    result = store(function(*args, **keywords), out)
    if result.nbytes >= LARGE and not keywords and (version := function.version(args, make=True)) is not None:
        version.count_copy(args)
    return result


def store(result, out):
    """Write an array result into `out` and return it."""
    if not isinstance(result, np.ndarray):
        raise ArgumentError(Problem("SD0308", "out= needs a derivative that is one array",
                                    fix="leave out= away"))
    if not isinstance(out, np.ndarray) or out.dtype != result.dtype:
        raise ArgumentError(Problem("SD0308", f"out must be an array of dtype {result.dtype}",
                                    fix="allocate it with np.empty(shape, dtype)"))
    if out.shape != result.shape:
        raise ShapeError(Problem(
            "SD0310", f"out has shape {out.shape}, the result has shape {result.shape}",
            fix="allocate it with the shape of the result"))
    if not out.flags.writeable:
        raise ArgumentError(Problem("SD0308", "out is read-only", fix="give an array that can be written, or leave out= away"))
    out[...] = result
    return out


def of_simulated_kernel(value):
    """Return an array as a kernel sees it in Numba's simulator, where kernels are Python, as NumPy's, of the same memory; any other as it is."""
    return value._item._ary if in_simulated_kernel(value) else value


def in_simulated_kernel(value) -> bool:
    """Tell whether a value is such an array."""
    return type(value).__name__ == "FakeWithinKernelCUDAArray"
