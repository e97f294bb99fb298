"""Several threads share a sample whose last loop is most of its work: each takes a part of that loop."""

from __future__ import annotations

from dataclasses import replace

from srcdiff.builder import INT, Builder
from srcdiff.kernels.loops import own, side_by_side, steps, trips
from srcdiff.syntax import Assign, Atom, Const, For, Store, Var, defined, walk

__all__ = ["are_apart", "in_parts", "shareable"]

SHARED = 8                              # iterations from which the last loop of a sample is shared


def shareable(loop: For, types, results: set[str]) -> For | None:
    """Return the last loop of a sample, if several threads may share it: it is most of the work, and in any order."""
    *before, inner = loop.body
    if not isinstance(inner, For) or (inner.start, inner.step) != (Const(0), Const(1)) or (
            (trips(inner) or 0) < SHARED or steps(inner) < sum(map(steps, before))):
        return None
    once = not any(isinstance(s, Store) and s.array in results for s in walk(before))
    return inner if once and are_apart(inner, types) else None


def are_apart(loop: For, types) -> bool:
    """Tell whether the iterations of a loop may run in any order: each sets its own numbers, and stores where no other does."""
    stored = {s.array for s in walk(loop.body) if isinstance(s, Store)}
    made = {s.target for s in walk(loop.body) if isinstance(s, Assign) and types[s.target].ndim}
    numbers = {n for s in walk(loop.body) if (n := defined(s)) is not None and not types[n].ndim}
    return all(side_by_side(loop, name) for name in stored - made) and own(loop.body, numbers, {loop.var})


def in_parts(builder: Builder, loop: For, inner: For, parts: str, total: Atom) -> For:
    """Return a loop over parts of samples: neighbouring items are the same part of neighbouring samples."""
    item, part = builder.fresh("item", INT), builder.fresh("part", INT)
    with builder.nested() as body:
        builder.assign(loop.var, "remainder", Var(item), loop.stop)
        builder.assign(part, "floor_divide", Var(item), loop.stop)
        builder.append(*loop.body[:-1])
        builder.copy(inner.var, Var(part))
        with builder.nested() as test:
            more = builder.op("less", Var(inner.var), inner.stop, stem="more")
        with builder.nested() as shared:
            builder.append(*inner.body)
            builder.assign(inner.var, "add", Var(inner.var), Var(parts))
        builder.repeat(test, more, shared)
    return replace(loop, var=item, stop=total, body=tuple(body))
