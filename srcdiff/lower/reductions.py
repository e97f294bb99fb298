"""Reductions: scalar accumulators where the reduced axes are innermost, else memory."""

from __future__ import annotations

from functools import partial

import numpy as np

from srcdiff.lower.forms import ONE
from srcdiff.lower.views import Axis, Dim, View
from srcdiff.syntax import Array, Const, Scalar, Var

__all__ = ["REDUCE"]

COMBINE = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum",
           "any": "logical_or", "all": "logical_and"}


def neutral(op: str, dtype: str) -> Const:
    """Return the value that leaves the other operand of a reduction unchanged."""
    if op in ("max", "min"):
        sign = -1 if op == "max" else 1
        if np.dtype(dtype).kind == "f":
            return Const(sign * float("inf"))
        if dtype == "bool":
            return Const(op == "min")
        info = np.iinfo(dtype)
        return Const(int(info.min if op == "max" else info.max))
    return {"sum": Const(0), "prod": Const(1), "any": Const(False), "all": Const(True)}[op]


def _reduce(op, ctx, stmt) -> None:
    view = ctx.view(stmt.args[0])
    axes = stmt.keywords["axis"]
    axes = tuple(range(len(view.dims))) if axes is None else axes
    keepdims = stmt.keywords.get("keepdims", False)
    if op in ("max", "min"):
        for k in axes:
            ctx.require("not_equal", view.dims[k].atom, Const(0),
                        f"zero-size array to reduction operation {op}imum which has no identity")
    kept = [k for k in range(len(view.dims)) if k not in axes]
    out = tuple(Dim(Const(1), ONE) if k in axes else d for k, d in enumerate(view.dims)
                if keepdims or k in kept)
    where = [Axis(k) if k in kept else Axis(None) for k in range(len(view.dims))
             if keepdims or k in kept]
    if not isinstance(ctx.b.types[stmt.target], Array):
        _accumulate(ctx, op, view, (), stmt.target)
    elif kept == list(range(len(kept))):
        _rows(ctx, op, stmt, view, len(kept), out, where)
    else:
        _in_memory(ctx, op, stmt.target, view, out, where)


def _accumulate(ctx, op, view, at, target) -> Var:
    """Reduce the axes after the first ``len(at)`` into a scalar."""
    b = ctx.b
    dtype = b.types[target].dtype
    wide = {"float32": "float64", "complex64": "complex128"}.get(dtype, dtype) \
        if op == "sum" else dtype
    total = b.fresh("total", Scalar(wide)) if wide != dtype or at or _is_array(b, target) \
        else target
    b.assign(total, "cast", neutral(op, dtype), dtype=wide)
    with ctx.nest(view.dims[len(at):]) as inner:
        value = ctx.element(view, (*at, *inner))
        with b.in_any_order():
            b.assign(total, COMBINE[op], Var(total), value)
    if wide == dtype:
        return Var(total)
    if _is_array(b, target):
        return b.op("cast", Var(total), stem="total", dtype=dtype)
    b.assign(target, "cast", Var(total), dtype=dtype)
    return Var(target)


def _is_array(b, name):
    return isinstance(b.types[name], Array)


def _rows(ctx, op, stmt, view, count, out, where) -> None:
    """The reduced axes are the last ones: one scalar accumulator per kept index."""
    buffer = ctx.open(stmt.target, out, [view], same_index=False)
    with ctx.nest(view.dims[:count]) as at:
        value = _accumulate(ctx, op, view, at, stmt.target)
        ctx.b.store(buffer, ctx.index(View(buffer, tuple(where), out), at), value)
    ctx.close(stmt.target, buffer)


def _in_memory(ctx, op, target, view, out, where) -> None:
    """Accumulate in the result, reading the operand in memory order."""
    b = ctx.b
    dtype = b.types[target].dtype
    buffer = ctx.open(target, out, [view], op="zeros" if op == "sum" else "empty",
                      same_index=False)
    if op != "sum":
        ctx.fill(buffer, out, neutral(op, dtype))
    with ctx.nest(view.dims) as at:
        value = ctx.element(view, at)
        index = ctx.index(View(buffer, tuple(where), out), at)
        if op == "sum":
            b.store(buffer, index, value, accumulate=True)
        else:
            old = b.load(buffer, index, stem="old")
            b.store(buffer, index, b.op(COMBINE[op], old, value, stem="new"))
    ctx.close(target, buffer)


def _sum_to(ctx, stmt) -> None:
    """Accumulate each element where broadcasting read it from."""
    view, dims = ctx.view(stmt.args[0]), tuple(map(ctx.given, stmt.args[1:]))
    if not dims:
        _accumulate(ctx, "sum", view, (), stmt.target)
        return
    buffer = ctx.open(stmt.target, dims, [view], op="zeros", same_index=False)
    lead = len(view.dims) - len(dims)
    target = ctx.fit(View(buffer, tuple(Axis(k) for k in range(len(dims))), dims),
                     view.dims[lead:])
    with ctx.nest(view.dims) as at:
        value = ctx.element(view, at)
        ctx.b.store(buffer, ctx.index(target, at[lead:]), value, accumulate=True)
    ctx.close(stmt.target, buffer)


def _arg(better, ctx, stmt) -> None:
    """Find the first best element; the first nan wins, as in NumPy."""
    b, view, axis = ctx.b, ctx.view(stmt.args[0]), stmt.keywords["axis"]
    reduced = range(len(view.dims)) if axis is None else (axis,)
    for k in reduced:
        ctx.require("not_equal", view.dims[k].atom, Const(0),
                    f"attempt to get {stmt.op} of an empty sequence")
    if not isinstance(b.types[stmt.target], Array):
        _search(ctx, better, view, reduced, (), stmt.target)
        return
    out = tuple(d for k, d in enumerate(view.dims) if k not in reduced)
    buffer = ctx.open(stmt.target, out, [view], same_index=False)
    with ctx.nest(out) as at:
        place = b.fresh("at", Scalar("int64"))
        _search(ctx, better, view, reduced, at, place)
        b.store(buffer, at, Var(place))
    ctx.close(stmt.target, buffer)


def _search(ctx, better, view, reduced, outer, place) -> None:
    b = ctx.b
    dtype = b.types[view.base].dtype
    outer = list(outer)

    def full(inner):
        inner, rest = list(inner), list(outer)
        return tuple(inner.pop(0) if k in reduced else rest.pop(0) for k in range(len(view.dims)))

    best = b.fresh("best", Scalar(dtype))
    b.assign(best, "copy", ctx.element(view, full([Const(0)] * len(reduced))))
    counter = b.fresh("count", Scalar("int64"))
    b.assign(place, "cast", Const(0), dtype="int64")
    b.assign(counter, "cast", Const(0), dtype="int64")
    with ctx.nest([view.dims[k] for k in reduced]) as inner:
        value = ctx.element(view, full(inner))
        wins = b.op(better, value, Var(best), stem="wins")
        if np.dtype(dtype).kind == "f":
            first = b.op("greater", b.op("isnan", value), b.op("isnan", Var(best)), stem="nan")
            wins = b.op("logical_or", wins, first, stem="wins")
        with b.nested() as then:
            b.assign(best, "copy", value)
            b.assign(place, "copy", Var(counter))
        b.branch(wins, then)
        b.assign(counter, "add", Var(counter), Const(1))


REDUCE = {**{op: partial(_reduce, op) for op in COMBINE}, "sum_to": _sum_to,
          "argmax": partial(_arg, "greater"), "argmin": partial(_arg, "less")}
