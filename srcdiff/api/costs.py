"""The estimated cost of one call of a derivative, from its program and the shapes of the arguments."""

from __future__ import annotations

import numpy as np

from srcdiff import compiler
from srcdiff.analysis.cost import Cost, estimate
from srcdiff.api.function import Function
from srcdiff.collecting import paused
from srcdiff.structure import flat_values

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
    """Return what of an argument the cost of a call depends on: shapes, integers, flags."""
    if isinstance(value, np.ndarray):
        return value.shape
    if isinstance(value, tuple | list):
        return type(value), *map(shape_key, value)
    return None if isinstance(value, float | np.floating) else value
