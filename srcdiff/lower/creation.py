"""New arrays from scalars: constants, ramps, identities, and scalars seen as arrays."""

from __future__ import annotations

import itertools

from srcdiff.lower.forms import ONE
from srcdiff.lower.views import Dim, add, multiply
from srcdiff.syntax import Const

__all__ = ["CREATE"]


def _dims(ctx, atoms):
    return tuple(map(ctx.given, atoms))


def _zeros(ctx, stmt) -> None:
    dims = _dims(ctx, stmt.args)
    ctx.close(stmt.target, ctx.open(stmt.target, dims, op=stmt.op))


def _filled(ctx, stmt, value, dims) -> None:
    buffer = ctx.open(stmt.target, dims)
    ctx.fill(buffer, dims, value)
    ctx.close(stmt.target, buffer)


def _full(ctx, stmt) -> None:
    _filled(ctx, stmt, stmt.args[0], _dims(ctx, stmt.args[1:]))


def _expand_scalar(ctx, stmt) -> None:
    ndim = ctx.b.types[stmt.target].ndim
    _filled(ctx, stmt, stmt.args[0], (Dim(Const(1), ONE),) * ndim)


def _eye(ctx, stmt) -> None:
    dims = _dims(ctx, stmt.args)
    buffer = ctx.open(stmt.target, dims, op="zeros")
    small = dims[0] if ctx.same(dims[0], dims[1]) else \
        Dim(ctx.b.op("minimum", dims[0].atom, dims[1].atom, stem="n"))
    with ctx.nest([small]) as (i,):
        ctx.b.store(buffer, (i, i), Const(1))
    ctx.close(stmt.target, buffer)


def _arange(ctx, stmt) -> None:
    """``start + i * step``; the number of elements is ``ceil((stop - start) / step)``."""
    b, (start, stop, step) = ctx.b, stmt.args
    if all(b.type_of(a).dtype == "int64" for a in stmt.args):
        n = stop if (start, step) == (Const(0), Const(1)) and ctx.nonnegative(stop) \
            else b.op("trips", start, stop, step, stem="n")
    else:
        span = b.op("divide", b.op("subtract", stop, start), step)
        n = b.op("maximum", b.op("cast", b.op("ceil", span), dtype="int64"), Const(0), stem="n")
    dims = (Dim(n, ctx.form(n)),)
    buffer = ctx.open(stmt.target, dims)
    with ctx.nest(dims) as (i,):
        b.store(buffer, (i,), add(b, start, multiply(b, i, step)))
    ctx.close(stmt.target, buffer)


def _array(ctx, stmt) -> None:
    shape = stmt.keywords["shape"]
    buffer = ctx.open(stmt.target, tuple(Dim(Const(n), (n, ())) for n in shape))
    for at, value in zip(itertools.product(*map(range, shape)), stmt.args, strict=True):
        ctx.b.store(buffer, tuple(map(Const, at)), value)
    ctx.close(stmt.target, buffer)


def _scalar(ctx, stmt) -> None:
    """Creation of an array without axes is one number."""
    value = stmt.args[0] if stmt.args else Const(0)
    dtype = stmt.keywords.get("dtype")
    if dtype is None:
        ctx.b.assign(stmt.target, "copy", value)
    else:
        ctx.b.assign(stmt.target, "cast", value, dtype=dtype)


CREATE = {"zeros": _zeros, "empty": _zeros, "full": _full, "eye": _eye, "arange": _arange,
          "array": _array, "scalar": _scalar, "broadcast_to": _full, "reshape": _full,
          "expand_dims": _expand_scalar}
