"""The estimated cost of one call of a derivative, from its program and the shapes of the arguments."""

from __future__ import annotations

import numpy as np

from srcdiff import compiler
from srcdiff.analysis.cost import Cost, estimate
from srcdiff.api.function import Function
from srcdiff.collecting import paused
from srcdiff.structure import children, flat_values, is_leaf

__all__ = ["call_cost", "shape_key"]


@paused()
def call_cost(function: Function, args, keywords) -> Cost:
    """Return the estimated cost of ``function(*args, **keywords)``; nothing is compiled or run."""
    args, keywords = function.bind(args, keywords)
    special = function.special_for(*args, **keywords)
    flat = [v for value in (*args, *keywords.values()) for v in flat_values(value)]
    flat += [v for get in special.captures for v in flat_values(get())]
    program = compiler.prepare(special.bare, "python")
    values = {p.name: int(v) for p, v in zip(program.params, flat, strict=True)
              if p.type.dtype == "int64" and not p.type.ndim}
    return estimate(program, [np.shape(v) for v in flat], values)


def shape_key(value):
    """Return what of an argument the cost of a call depends on: shapes, dtypes, integers, flags, in structures too."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype
    if isinstance(value, float | np.floating):
        return float
    if isinstance(value, int | str) or is_leaf(value):
        return value
    names = tuple(value) if isinstance(value, dict) else ()
    return type(value), names, *map(shape_key, children(value))
