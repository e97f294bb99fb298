"""`jacobian(mode="auto")`: rows or columns, whichever costs less for these shapes.

The costs are those of the two generated programs (`analysis.cost`).  Where they
are about the same, the numbers of directions decide.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from srcdiff.api.arguments import differentiated
from srcdiff.api.costs import call_cost, shape_key
from srcdiff.api.function import Function
from srcdiff.api.linear import Value
from srcdiff.api.recipes import Jacobian
from srcdiff.api.special import output_leaves, split_aux
from srcdiff.errors import SrcdiffError
from srcdiff.structure import flat_values, leaves

__all__ = ["AutoJacobian", "cheaper"]

# One row costs more than one column: the reverse sweep reads what the forward
# sweep kept, and writes where it read.
ROW_COST = 1.5
ALIKE = 1.25                    # estimates that differ by less than this factor say nothing


def cheaper(inputs: int, outputs: int) -> str:
    """Choose the mode by the number of directions.

    >>> cheaper(32, 2048), cheaper(2048, 32)
    ('forward', 'reverse')
    """
    return "forward" if inputs <= ROW_COST * outputs else "reverse"


class AutoJacobian(Function):
    """The Jacobian in the mode that fits the shapes of the call; `why` tells the choice."""

    def __init__(self, base, recipe: Jacobian, options):
        super().__init__(base, recipe, options)
        self._modes = {mode: base.derive(replace(recipe, mode=mode)) for mode in ("forward", "reverse")}
        self._choices: dict = {}

    def __call__(self, *args, **keywords):
        if self.options.target == "cuda":
            return self._on_grid()(*args, **keywords)
        return self.choose(*args, **keywords)(*args, **keywords)

    def choose(self, *args, **keywords) -> Function:
        """Return `jacfwd` or `jacrev` of the function for arguments of these shapes."""
        keywords.pop("out", None)
        key = self._shapes(args, keywords)
        try:
            return self._choices[key]
        except (KeyError, TypeError):
            mode, _ = self.decide(*args, **keywords)
        chosen = self._modes[mode]
        if len(self._choices) < 10_000:
            try:
                self._choices[key] = chosen
            except TypeError:
                pass
        return chosen

    def _shapes(self, args, keywords):
        """What the sizes of the outputs can depend on: shapes, integers, flags."""
        values = (*args, *keywords.values()) if keywords else args
        return tuple([shape_key(v) for v in values])

    def decide(self, *args, **keywords) -> tuple[str, str]:
        """Return the mode for arguments of these shapes, and the reason."""
        costs, refused = {}, {}
        for mode, function in self._modes.items():
            try:
                costs[mode] = call_cost(function, args, keywords).operations
            except SrcdiffError as error:
                refused[mode] = error
        if not costs:
            raise refused["forward"]
        if refused:
            (mode,), (other,) = costs, refused
            return mode, f"{other} mode refuses this function"
        low, high = sorted(costs, key=costs.__getitem__)
        estimates = f"about {costs['forward']:.2g} operations forward, {costs['reverse']:.2g} in reverse"
        if costs[high] > ALIKE * costs[low]:
            return low, estimates
        return cheaper(*self.directions(*args, **keywords)), estimates

    def directions(self, *args, **keywords) -> tuple[int, int]:
        """Return the number of inputs that are differentiated, and of outputs."""
        args, keywords = self.bind(args, keywords)
        primal = self.base.special_for(*args, **keywords)
        _, active = differentiated(primal, self.base, self.recipe.argnums)
        flat = [v for value in (*args, *keywords.values()) for v in flat_values(value)]
        inputs = sum(np.size(flat[position]) for position in active)
        value = self.base.derive(Value())(*args, **keywords)
        outputs, _ = split_aux(value, self.recipe.has_aux, self.base.__name__)
        return inputs, sum(np.size(leaf) for leaf in leaves(outputs) if leaf is not None)

    def why(self, *args, **keywords) -> str:
        """Say which mode a call with these arguments uses, and for what reason."""
        inputs, outputs = self.directions(*args, **keywords)
        mode, reason = self.decide(*args, **keywords)
        unit = "one column for each input" if mode == "forward" else "one row for each output"
        return f"{mode} mode: {inputs} input directions, {outputs} output directions ({unit}); {reason}"

    def specialise(self, args, keywords):
        """Inside another program only the ranks are known: rows if all outputs are numbers."""
        primal = self.base.specialise(args, keywords)
        outputs, _ = split_aux(primal.program.tree, self.recipe.has_aux, self.base.__name__)
        types = [primal.program.type_of(primal.program.results[p]) for p in output_leaves(outputs)]
        mode = "reverse" if math.prod(1 + t.ndim for t in types) == 1 else "forward"
        return self._modes[mode].specialise(args, keywords)

    def source(self, *args, level: str = "loops", **keywords) -> str:
        if self.options.target == "cuda" and level == "loops":
            return self._on_grid().source(*args, **keywords)
        return self.choose(*args, **keywords).source(*args, level=level, **keywords)
