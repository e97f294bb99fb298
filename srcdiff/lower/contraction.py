"""Matrix products: small ones as loops, large ones by BLAS.

The loops run so that the innermost index is contiguous in memory, for
transposed operands too.  A product of floats whose size is known at run time
only is written both ways, and its size decides: a call of BLAS costs as much as
a few hundred multiplications in a loop, and later is several times faster.
"""

from __future__ import annotations

from srcdiff.lower.views import Dim, View
from srcdiff.primitives import MISFIT_OF_PRODUCT
from srcdiff.syntax import Array, Const, Scalar, Var

__all__ = ["matmul"]

MATRIX_VECTOR, MATRIX_MATRIX = 512, 4096        # multiplications from which BLAS is faster
BLAS = ("float32", "float64", "complex64", "complex128")


def matmul(ctx, stmt) -> None:
    """Write ``c[..., i, j] = sum_k a[..., i, k] * b[..., k, j]``."""
    a, b = map(ctx.view, stmt.args)
    inner, other = a.dims[-1], b.dims[max(len(b.dims) - 2, 0)]
    if not ctx.same(inner, other):
        ctx.require("equal", inner.atom, other.atom, MISFIT_OF_PRODUCT)
    if not isinstance(ctx.b.types[stmt.target], Array):
        _dot(ctx, stmt.target, a, (), b, ())
        return
    rows, columns = a.dims[-2:-1], b.dims[-1:] if len(b.dims) > 1 else ()
    leads = [View(v.base, v.axes, v.dims[:-2], v.part) for v in (a, b) if len(v.dims) > 2]
    batch = ctx.common(leads) if leads else ()
    a, b = (ctx.fit(v, (*batch, *v.dims[-2:])) if len(v.dims) > 1 else v for v in (a, b))
    dims = (*batch, *rows, *columns)
    threshold = None if batch else _threshold(ctx, stmt, a, b)
    if threshold is None or _constant_size(dims, inner) < threshold:
        _loops(ctx, stmt, a, b, dims, batch, rows, inner, columns)
    else:
        _either(ctx, stmt, a, b, dims, rows, inner, columns, threshold)


# -- BLAS ------------------------------------------------------------------------------


def _threshold(ctx, stmt, a: View, b: View) -> int | None:
    """Return from how many multiplications on BLAS is faster; None: never, or impossible."""
    types = {ctx.b.types[v.base].dtype for v in (a, b)}
    if not ctx.blas or len(types) > 1 or not types <= set(BLAS):
        return None
    if len(a.dims) == len(b.dims) == 2:
        return MATRIX_MATRIX
    matrix = a if len(a.dims) == 2 else b
    rows_are_dotted = len(b.dims) == 1 and not _is_transposed(a) \
        or len(a.dims) == 1 and _is_transposed(b)
    return MATRIX_VECTOR if rows_are_dotted and len(matrix.axes) == 2 else None


def _is_transposed(view: View) -> bool:
    """Tell whether the first axis of a matrix is the contiguous one in memory."""
    return len(view.dims) > 1 and view.axes[-1].source == len(view.dims) - 2


def _constant_size(dims, inner) -> float:
    """Return the number of multiplications if it is a constant, else infinity."""
    size = 1
    for d in (*dims, inner):
        size *= d.atom.value if isinstance(d.atom, Const) else float("inf")
    return size


def _either(ctx, stmt, a, b, dims, rows, inner, columns, threshold) -> None:
    """Let the size at run time choose between BLAS and loops."""
    build = ctx.b
    buffer = ctx.open(stmt.target, dims, [a, b], same_index=False)
    size = inner.atom
    for d in dims:
        size = build.op("multiply", size, d.atom, stem="work")
    large = build.op("greater_equal", size, Const(threshold), stem="large")
    with build.nested() as by_blas:
        left, right = _operand(ctx, a), _operand(ctx, b)
        if len(b.dims) == 2 and len(a.dims) == 1:
            right = _operand(ctx, b.transpose((1, 0)))
            left, right = right, left
        build.assign(buffer, "matmul", left, right)
    with build.nested() as by_loops:
        if columns:
            ctx.fill(buffer, dims, Const(0))
        _body(ctx, stmt, buffer, a, b, (), rows, inner, columns)
    build.branch(large, by_blas, by_loops)
    ctx.close(stmt.target, buffer)


def _operand(ctx, view: View) -> Var:
    """Return an array in memory, in row or column order, with the values of a view."""
    if view.is_identity:
        return Var(view.base)
    if len(view.dims) == 2 and view.transpose((1, 0)).is_identity:
        return ctx.b.op("transpose", Var(view.base), perm=(1, 0), stem=view.base)
    return Var(ctx.materialise(view, view.base))


# -- loops -----------------------------------------------------------------------------


def _loops(ctx, stmt, a, b, dims, batch, rows, inner, columns) -> None:
    added = bool(columns) or _is_transposed(a)
    buffer = ctx.open(stmt.target, dims, [a, b], op="zeros" if added else "empty",
                      same_index=False)
    with ctx.nest(batch) as lead:
        _body(ctx, stmt, buffer, a, b, lead, rows, inner, columns)
    ctx.close(stmt.target, buffer)


def _body(ctx, stmt, buffer, a, b, lead, rows, inner, columns) -> None:
    """Write one product; the result is zero before wherever rows are added up."""
    left = lead if len(a.dims) > 1 else ()
    right = lead if len(b.dims) > 2 else ()
    if columns and not (_is_transposed(b) and not _is_transposed(a)):
        _rows_of_b(ctx, buffer, a, left, b, right, lead, rows, inner, columns)
    elif not columns and _is_transposed(a):
        _columns_of_a(ctx, buffer, a, left, b, lead, rows, inner)
    else:
        with ctx.nest((*rows, *columns)) as at:
            i, j = at[:len(rows)], at[len(rows):]
            total = _dot(ctx, stmt.target, a, (*left, *i), b, right, j)
            ctx.b.store(buffer, (*lead, *at), total)


def _dot(ctx, target, a, left, b, right, column=()):
    """Emit ``sum_k a[left, k] * b[right, k, column]``."""
    build = ctx.b
    dtype = build.types[target].dtype
    scalar = not isinstance(build.types[target], Array)
    total = target if scalar else build.fresh("total", Scalar(dtype))
    build.assign(total, "cast", Const(0), dtype=dtype)
    with ctx.nest([a.dims[-1]]) as (k,):
        term = build.op("multiply", ctx.element(a, (*left, k)),
                        ctx.element(b, (*right, k, *column)))
        with build.in_any_order():
            build.assign(total, "add", Var(total), term)
    return Var(total)


def _rows_of_b(ctx, buffer, a, left, b, right, lead, rows, inner: Dim, columns) -> None:
    """Add multiples of the rows of `b` to the rows of the result."""
    build = ctx.b
    with ctx.nest(rows) as i, ctx.nest([inner]) as k:
        factor = ctx.element(a, (*left, *i, *k))
        with ctx.nest(columns) as j:
            term = build.op("multiply", factor, ctx.element(b, (*right, *k, *j)))
            build.store(buffer, (*lead, *i, *j), term, accumulate=True)


def _columns_of_a(ctx, buffer, a, left, b, lead, rows, inner: Dim) -> None:
    """Add multiples of the columns of `a`, which lie in memory as rows."""
    build = ctx.b
    with ctx.nest([inner]) as k:
        factor = ctx.element(b, k)
        with ctx.nest(rows) as i:
            term = build.op("multiply", ctx.element(a, (*left, *i, *k)), factor)
            build.store(buffer, (*lead, *i), term, accumulate=True)
