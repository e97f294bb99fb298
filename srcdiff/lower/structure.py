"""Structural operations: access functions, and the few that need memory."""

from __future__ import annotations

from srcdiff.lower.context import STRETCHED
from srcdiff.lower.forms import plus
from srcdiff.lower.views import Dim, View, add
from srcdiff.syntax import Const, Scalar, Var

__all__ = ["GATHER", "VIEWS"]


def _axes(stmt) -> tuple[int, ...]:
    axis = stmt.keywords["axis"]
    return (axis,) if isinstance(axis, int) else tuple(axis)


def _source(ctx, stmt) -> View:
    return ctx.view(stmt.args[0])


def _squeeze(ctx, stmt):
    view = _source(ctx, stmt)
    for k in _axes(stmt):
        if not ctx.is_one(view.dims[k]):
            ctx.require("equal", view.dims[k].atom, Const(1),
                        "cannot select an axis to squeeze out which has size not equal to one")
    return view.squeeze(_axes(stmt))


def _broadcast_to(ctx, stmt):
    return ctx.fit(_source(ctx, stmt), tuple(map(ctx.given, stmt.args[1:])))


def _sum_to(ctx, stmt):
    """Return the operand itself where nothing is summed: provably, or because no axis may be stretched."""
    view, dims = _source(ctx, stmt), tuple(map(ctx.given, stmt.args[1:]))
    if len(dims) != len(view.dims):
        return None
    differ = [(d, e) for d, e in zip(dims, view.dims, strict=True) if not ctx.same(d, e)]
    if differ and (ctx.stretch or any(ctx.is_one(d) for d, _ in differ)):
        return None
    for d, e in differ:
        ctx.require("equal", d.atom, e.atom, STRETCHED)
    return view


def _copy(ctx, stmt):
    return None if ctx.b.types[stmt.target].dtype != ctx.b.types[stmt.args[0].name].dtype \
        else _source(ctx, stmt)


def _reshape(ctx, stmt):
    """Return a view where axes of extent 1 only come or go."""
    view, dims = _source(ctx, stmt), list(map(ctx.given, stmt.args[1:]))
    if any(isinstance(d.atom, Const) and d.atom.value < 0 for d in dims):
        return None
    long, kept = [[d for d in ds if not ctx.is_one(d)] for ds in (view.dims, dims)]
    if len(long) != len(kept) or not all(ctx.same(d, e) for d, e in zip(long, kept, strict=True)):
        return None
    view = view.squeeze([k for k, d in enumerate(view.dims) if ctx.is_one(d)])
    return view.expand([k for k, d in enumerate(dims) if ctx.is_one(d)])


VIEWS = {
    "copy": _copy, "stop_gradient": _copy,
    "transpose": lambda ctx, s: _source(ctx, s).transpose(s.keywords["perm"]),
    "expand_dims": lambda ctx, s: _source(ctx, s).expand(_axes(s)),
    "squeeze": _squeeze, "broadcast_to": _broadcast_to, "sum_to": _sum_to, "reshape": _reshape,
}


def _concatenate(ctx, stmt) -> None:
    """Copy the operands one after the other."""
    b, axis = ctx.b, stmt.keywords["axis"]
    views = [ctx.view(a) for a in stmt.args]
    dims, offsets, total = list(views[0].dims), [], Dim(Const(0), (0, ()))
    for view in views:
        offsets.append(total.atom)
        form = None if None in (total.form, view.dims[axis].form) \
            else plus(total.form, view.dims[axis].form)
        total = Dim(add(b, total.atom, view.dims[axis].atom), form)
        for k, d in enumerate(view.dims):
            if k != axis and not ctx.same(d, dims[k]):
                ctx.require("equal", d.atom, dims[k].atom,
                            "all the input array dimensions except for the concatenation axis "
                            "must match exactly")
    dims[axis] = total
    buffer = ctx.open(stmt.target, dims, views, same_index=False)
    for view, offset in zip(views, offsets, strict=True):
        with ctx.nest(view.dims) as at:
            value = ctx.element(view, at)
            at = tuple(add(b, p, offset) if k == axis else p for k, p in enumerate(at))
            b.store(buffer, at, value)
    ctx.close(stmt.target, buffer)


def _cumsum(ctx, stmt) -> None:
    """Keep a running sum along the axis, which is the innermost loop."""
    b, axis, view = ctx.b, stmt.keywords["axis"], _source(ctx, stmt)
    dtype = b.types[stmt.target].dtype
    buffer = ctx.open(stmt.target, view.dims, [view], same_index=False)
    others = [d for k, d in enumerate(view.dims) if k != axis]
    with ctx.nest(others) as outer:
        total = b.fresh("total", Scalar(dtype))
        b.assign(total, "cast", Const(0), dtype=dtype)
        with ctx.nest([view.dims[axis]]) as (p,):
            at = (*outer[:axis], p, *outer[axis:])
            b.assign(total, "add", Var(total), ctx.element(view, at))
            b.store(buffer, at, Var(total))
    ctx.close(stmt.target, buffer)


GATHER = {"concatenate": _concatenate, "cumsum": _cumsum}
