"""`vmap(..., parallel=True)`: large batches on all cores, small ones on one."""

from __future__ import annotations

import os
import threading

from srcdiff import compiler
from srcdiff.api.by_shape import abstract_call
from srcdiff.api.costs import call_cost, shape_key
from srcdiff.api.dispatch import runner
from srcdiff.api.function import Function
from srcdiff.api.into import into_out
from srcdiff.api.titles import titled

__all__ = ["LARGE", "ParallelMap"]

# Operations (as `analysis.cost` counts them) from which more cores are worth it:
# starting threads takes microseconds on an idle machine, milliseconds on a busy one.
LARGE = 2e6
# One batch at a time has all cores: not every threading layer of Numba allows two.
_CORES = threading.Lock()


_PROCESS: list[int] = []            # the one that has Numba's threads


def own_process() -> bool:
    """Tell whether Numba's threads can run here: a forked process does not have those of its parent."""
    if not _PROCESS:
        _PROCESS.append(os.getpid())
    return _PROCESS[0] == os.getpid()


class ParallelMap(Function):
    """A mapped function whose large batches run on all cores.

    Each sample is computed by the same statements as on one core, whatever the
    number of threads.  Only one batch at a time has all cores.  Called from compiled code, and inside
    other transforms, it runs on one.
    """

    def __init__(self, base: Function):
        super().__init__(base, base.recipe, base.options)
        self._large: dict = {}

    def _make_signature(self):
        return self.base.__signature__

    def specialise(self, args, keywords):
        return self.base.specialise(args, keywords)

    def with_options(self, options):
        return ParallelMap(self.base.with_options(options))

    def __call__(self, *args, **keywords):
        if "out" in keywords and "out" not in self.__signature__.parameters:
            return into_out(self, args, keywords)
        if not self.is_large(args, keywords) or not own_process() or not _CORES.acquire(blocking=False):
            return self.base(*args, **keywords)
        try:
            return super().__call__(*args, **keywords)
        finally:
            _CORES.release()

    def version(self, args, make: bool = False) -> None:
        """Return None: the version would run without having the cores."""
        return None

    def is_large(self, args, keywords) -> bool:
        """Tell whether a batch of these shapes is worth several cores."""
        key = tuple([shape_key(v) for v in (*args, *keywords.values())])
        try:
            return self._large[key]
        except TypeError:
            return False                        # not hashable: the call itself says what is wrong
        except KeyError:
            large = call_cost(self.base, args, keywords).operations >= LARGE
        if len(self._large) < 10_000:
            self._large[key] = large
        return large

    def why(self, *args, **keywords) -> str:
        """Say whether a call with these arguments uses several cores, and for what reason."""
        cost = call_cost(self.base, args, keywords).operations
        work = f"about {cost:.2g} operations, several cores from {LARGE:.0e} on"
        if cost < LARGE:
            return f"one core: {work}"
        if not compiler.is_parallel(self.special_for(*args, **keywords).bare, self.options):
            return "one core: it is not proved that the samples are independent (or the target is not numba)"
        return f"all cores: {work}"

    def __reduce__(self):
        return ParallelMap, (self.base,)

    def describe(self) -> str:
        return f"{self.base.describe()} on all cores"

    def _make(self, args, keywords, stretch: bool = False, sized: bool = False):
        specs, keyword_specs = abstract_call(self, args, keywords)
        with compiler.taking(self.options.target == "numba" and not stretch):
            special = self.specialise(specs, keyword_specs)
        program = titled(self, special)
        compiled = compiler.build_parallel(program, self.options, tight=not stretch)
        self._programs.append(lambda: program)
        return runner(special, compiled, args, keywords)

    def source(self, *args, level: str = "loops", **keywords) -> str:
        """Return the generated Python of large batches."""
        with compiler.taking(level == "loops"):
            program = titled(self, self.special_for(*args, **keywords))
        return (level == "loops" and compiler.parallel_text(program, jit=True)) \
            or self.base.source(*args, level=level, **keywords)
