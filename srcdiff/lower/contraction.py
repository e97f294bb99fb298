"""Matrix products as loops whose innermost index is contiguous."""

from __future__ import annotations

from srcdiff.lower.views import View
from srcdiff.syntax import Array, Const, Scalar, Var

__all__ = ["matmul"]

MISFIT = "matmul: the last axis of the first operand and the second-to-last of the second differ"


def matmul(ctx, stmt) -> None:
    """Write ``c[..., i, j] = sum_k a[..., i, k] * b[..., k, j]`` as loops."""
    a, b = map(ctx.view, stmt.args)
    inner, other = a.dims[-1], b.dims[max(len(b.dims) - 2, 0)]
    if not inner.same(other):
        ctx.require("equal", inner.atom, other.atom, MISFIT)
    if not isinstance(ctx.b.types[stmt.target], Array):
        _dot(ctx, stmt.target, a, b, (), ())
        return
    rows, columns = a.dims[:-1][-1:], b.dims[1:][-1:] if len(b.dims) > 1 else ()
    leads = [View(v.base, v.axes, v.dims[:-2]) for v in (a, b) if len(v.dims) > 2]
    batch = ctx.common(leads) if leads else ()
    a, b = (ctx.fit(v, (*batch, *v.dims[-2:])) if len(v.dims) > 1 else v for v in (a, b))
    dims = (*batch, *rows, *columns)
    buffer = ctx.open(stmt.target, dims, [a, b], op="zeros" if columns else "empty",
                      same_index=False)
    with ctx.nest(batch) as lead:
        if columns:
            _outer(ctx, buffer, a, b, lead, rows, inner, columns)
        else:
            with ctx.nest(rows) as at:
                total = _dot(ctx, stmt.target, a, b, (*lead, *at), lead)
                ctx.b.store(buffer, (*lead, *at), total)
    ctx.close(stmt.target, buffer)


def _dot(ctx, target, a, b, left, right):
    """Emit ``sum_k a[left, k] * b[k]`` for a vector `b`."""
    build = ctx.b
    dtype = build.types[target].dtype
    right = right if len(b.dims) > 1 else ()
    scalar = not isinstance(build.types[target], Array)
    total = target if scalar else build.fresh("total", Scalar(dtype))
    build.assign(total, "cast", Const(0), dtype=dtype)
    with ctx.nest([a.dims[-1]]) as (k,):
        term = build.op("multiply", ctx.element(a, (*left, k)), ctx.element(b, (*right, k)))
        build.assign(total, "add", Var(total), term)
    return Var(total)


def _outer(ctx, buffer, a, b, lead, rows, inner, columns):
    """Add up rows of `b`, so that the innermost loop is contiguous."""
    build = ctx.b
    with ctx.nest(rows) as i, ctx.nest([inner]) as k:
        factor = ctx.element(a, (*(lead if len(a.dims) > 1 else ()), *i, *k))
        with ctx.nest(columns) as j:
            term = build.op("multiply", factor,
                            ctx.element(b, (*(lead if len(b.dims) > 2 else ()), *k, *j)))
            build.store(buffer, (*lead, *i, *j), term, accumulate=True)

