"""Loads and stores of all directions: the index gets one more whole axis.

NumPy puts the axes of several advanced indices in front when a slice stands
between them; the direction axis then has to be brought back to its place.
"""

from __future__ import annotations

from srcdiff.builder import Builder
from srcdiff.syntax import ALL, Array, Atom, Item, Load, Span, Store, Var
from srcdiff.vectorize.axis import Directions, Operand

__all__ = ["load", "store"]


def load(directions: Directions, stmt: Load) -> Atom:
    """Write ``y = x[index]`` for every direction of a batched x; return y."""
    builder = directions.builder
    loaded = builder.load(stmt.array, _with_axis(directions, stmt.index), stem=stmt.target)
    front = _front(builder, stmt.index)
    if not (directions.first and front):
        return loaded
    # (advanced..., k, rest...) -> (k, advanced..., rest...)
    rest = range(front + 1, builder.types[loaded.name].ndim)
    return builder.op("transpose", loaded, stem=stmt.target, perm=(front, *range(front), *rest))


def store(directions: Directions, stmt: Store, value: Operand) -> None:
    """Write ``a[index] = value`` or ``+= value`` for every direction of a batched a."""
    builder = directions.builder
    index = _with_axis(directions, stmt.index)
    region = builder.load_type(stmt.array, index).ndim - 1
    front = _front(builder, stmt.index)
    if directions.first and front:
        atom = _behind(directions, value, region, front)
    else:
        atom = directions.align(value, region)
    builder.store(stmt.array, index, atom, stmt.accumulate)


def _behind(directions: Directions, value: Operand, region: int, front: int) -> Atom:
    """Bring a value to the shape (advanced..., k, rest...)."""
    rest = region - front
    if value.batched:
        full = directions.align(value, region)
        perm = (*range(1, front + 1), 0, *range(front + 1, region + 1))
        return directions.builder.op("transpose", full, perm=perm)
    if value.ndim > rest:
        return directions.expand(value.atom, value.ndim - rest)
    return value.atom


def _with_axis(directions: Directions, index: tuple[Item, ...]) -> tuple[Item, ...]:
    return (ALL, *index) if directions.first else (*index, ALL)


def _front(builder: Builder, index: tuple[Item, ...]) -> int:
    """Return how many result axes of advanced indices NumPy puts in front.

    Zero if there are no index arrays, or if they (and the integers, which count
    as advanced beside arrays) stand next to each other.
    """
    def is_array(item):
        return isinstance(item, Var) and isinstance(builder.types[item.name], Array)

    if not any(map(is_array, index)):
        return 0
    places = [i for i, item in enumerate(index) if not isinstance(item, Span)]
    if places[-1] - places[0] == len(places) - 1:
        return 0
    ranks = [builder.types[item.name] for item in index if is_array(item)]
    return max(1 if type_.dtype == "bool" else type_.ndim for type_ in ranks)
