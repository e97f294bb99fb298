"""Small samples of a batch are computed side by side: which calls that is worth it for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from srcdiff.api.by_shape import abstract_call
from srcdiff.api.costs import call_cost, shape_key
from srcdiff.api.function import Function
from srcdiff.api.parallel import ParallelMap
from srcdiff.errors import SrcdiffError
from srcdiff.lower.expensive import is_expensive
from srcdiff.structure import leaves
from srcdiff.syntax import walk

__all__ = ["LEAST", "SHORT", "SideBySide", "side_by_side"]

LEAST = 128             # samples: two blocks
SHORT = 16              # extents of a sample up to which its own loops are too short for vectors
RESULTS = 32            # numbers that a sample gives: they are turned around in the end, one by one
WORK = 50_000           # operations of a sample, as `analysis.cost` counts them: what a block keeps must fit a cache
DENSE = 50              # operations for each number given, from which that pays without functions such as `exp`, too


def side_by_side(function: Function, parallel: bool) -> Function:
    """Return a mapped function that computes small samples side by side, and large batches on all cores; the same object each time."""
    word = "_parallel" if parallel else "_side_by_side"
    found = vars(function).get(word)
    if found is None:
        blocks = function.base.derive(replace(function.recipe, blocks=True))
        forms = [ParallelMap(f) for f in (function, blocks)] if parallel else [function, blocks]
        found = SideBySide(*forms)
        setattr(function, word, found)
    return found


class SideBySide(Function):
    """A mapped function in two forms: a loop over samples, and one over blocks of samples side by side.

    Each sample is computed by the same operations in both; sums whose order is nobody's may differ in the last places.
    """

    def __init__(self, single: Function, blocks: Function):
        super().__init__(single, single.recipe, single.options)
        self.blocks = blocks
        self._worth: dict = {}

    def _make_signature(self):
        return self.base.__signature__

    def specialise(self, args, keywords):
        return self.base.specialise(args, keywords)

    def with_options(self, options):
        return SideBySide(self.base.with_options(options), self.blocks.with_options(options))

    def __reduce__(self):
        parallel = isinstance(self.base, ParallelMap)
        return side_by_side, (self.base.base if parallel else self.base, parallel)

    def __getattr__(self, name):
        if name == "why":                       # of those that may run on all cores
            return lambda *args, **keywords: self.form(args, keywords).why(*args, **keywords)
        raise AttributeError(name)

    def describe(self) -> str:
        return self.base.describe()

    def __call__(self, *args, **keywords):
        return self.form(args, keywords)(*args, **keywords)

    def source(self, *args, level: str = "loops", **keywords) -> str:
        """Return the generated Python for arguments like these."""
        return self.form(args, keywords).source(*args, level=level, **keywords)

    def __str__(self):
        forms = [f for f in (self.base, self.blocks) if f._programs]
        return "\n\n".join(map(str, forms)) or repr(self)

    def form(self, args, keywords) -> Function:
        """Return the form that a call with these arguments runs."""
        key = tuple([shape_key(v) for v in (*args, *keywords.values())])
        try:
            worth = self._worth[key]
        except (TypeError, ValueError):
            return self.base                    # not hashable (of writable memory: ValueError): the call itself says what is wrong
        except KeyError:
            worth = self._is_worth_it(args, keywords)
            if len(self._worth) < 10_000:
                self._worth[key] = worth
        return self.blocks if worth else self.base

    def _is_worth_it(self, args, keywords) -> bool:
        """Tell whether there are many samples, all of them small, that take one path."""
        if self.options.target != "numba":
            return False
        keywords = {name: value for name, value in keywords.items() if name != "out"}
        try:
            args, keywords = self.base.bind(args, keywords)
            counts, extents = self._extents(args)
            if not counts or min(counts) < LEAST or max(extents, default=0) > SHORT:
                return False
            cost, samples = call_cost(self.base, args, keywords), min(counts)
            if cost.operations > WORK * samples or cost.results > RESULTS * samples:
                return False
            block = self.blocks.special_for(*args, **keywords).bare
            return cost.operations >= DENSE * cost.results or any(map(is_expensive, walk(block.body)))
        except SrcdiffError:
            return False                        # the loop over single samples says what is wrong

    def _extents(self, args) -> tuple[list[int], list[int]]:
        """Return the numbers of samples of the mapped arguments, and all other extents."""
        specs, _ = abstract_call(self, args, {})
        axes, values = self.recipe.in_axes(self.base.base, specs), list(leaves(args))
        counts, extents = [], []
        if len(axes) != len(values):
            return [], []                       # a list of numbers is one array
        for axis, leaf in zip(axes, values, strict=True):
            shape = list(np.shape(leaf))
            if axis is not None:
                counts.append(shape.pop(axis))
            extents += shape
        return counts, extents
