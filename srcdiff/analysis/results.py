"""The extents of what each operation gives, from those of its operands.

Each entry of `EXTENTS` takes the `Shapes` that asks and the statement, and
gives the extents of the result, None for those that are not known.  All hold
provided that the operation does not fail.
"""

from __future__ import annotations

from srcdiff.analysis.forms import Extent
from srcdiff.primitives import PRIMITIVES

__all__ = ["EXTENTS", "unknown"]


def unknown(shapes, stmt):
    """Say nothing of an operation without an entry, unless it is an elementwise one of the user's."""
    return _elementwise(shapes, stmt) if PRIMITIVES[stmt.op].opaque else None


def _elementwise(shapes, stmt):
    return shapes.broadcast_all([shapes.of(a) for a in stmt.args])


def _same(shapes, stmt):
    return shapes.of(stmt.args[0])


def _axes(stmt, ndim) -> tuple[int, ...]:
    axis = stmt.keywords.get("axis")
    if axis is None:
        return tuple(range(ndim))
    return (axis,) if isinstance(axis, int) else axis


def _reduction(shapes, stmt):
    extents = shapes.of(stmt.args[0])
    axes = _axes(stmt, len(extents))
    if stmt.keywords.get("keepdims"):
        return [Extent(1) if i in axes else e for i, e in enumerate(extents)]
    return [e for i, e in enumerate(extents) if i not in axes]


def _matmul(shapes, stmt):
    a, b = (list(shapes.of(x)) for x in stmt.args)
    rows = a[-2:-1] if len(a) > 1 else []
    columns = b[-1:] if len(b) > 1 else []
    return [*shapes.broadcast_all([a[:-2], b[:-2]]), *rows, *columns]


def _solve(shapes, stmt):
    return shapes.of(stmt.args[1])


def _factors(rows: bool, columns: bool):
    """Make the extents of a factor of a matrix m by n: as many rows and columns, or the smaller of both numbers."""
    def extents(shapes, stmt):
        *stack, m, n = shapes.of(stmt.args[0])
        least = None if m is None or n is None else m if shapes.equal(m, n) else shapes.root("minimum", m, n)
        return [*stack, m if rows else least, n if columns else least]
    return extents


def _diagonal(shapes, stmt):
    return _factors(False, False)(shapes, stmt)[:-1]


def _rows(shapes, stmt):
    return shapes.of(stmt.args[0])[:-1]


def _given(first):
    """Make the extents that the operands from position `first` on give."""
    return lambda shapes, stmt: [shapes.value(a) for a in stmt.args[first:]]


def _reshape(shapes, stmt):
    extents = [shapes.value(a) for a in stmt.args[1:]]
    if len(extents) == 1 and not shapes.nonnegative(extents[0]):        # it may be -1
        return [shapes.product(shapes.of(stmt.args[0]))]
    return [e if shapes.nonnegative(e) else None for e in extents]


def _transpose(shapes, stmt):
    extents = shapes.of(stmt.args[0])
    return [extents[i] for i in stmt.keywords["perm"]]


def _expand_dims(shapes, stmt):
    extents = list(shapes.of(stmt.args[0]))
    for axis in sorted(_axes(stmt, 0)):
        extents.insert(axis, Extent(1))
    return extents


def _concatenate(shapes, stmt):
    parts = [shapes.of(a) for a in stmt.args]
    axis = stmt.keywords["axis"]
    total = Extent()
    for part in parts:
        total = shapes.combine(total, part[axis])
    return [total if i == axis else next((p[i] for p in parts if p[i] is not None), None)
            for i in range(len(parts[0]))]


def _take(shapes, stmt):
    extents, axis = list(shapes.of(stmt.args[0])), stmt.keywords["axis"]
    index = list(shapes.of(stmt.args[1]))
    return index if axis is None else extents[:axis] + index + extents[axis + 1:]


def _arange(shapes, stmt):
    return [shapes.trips(*map(shapes.value, stmt.args))]


EXTENTS = {
    **{name: _elementwise for name, p in PRIMITIVES.items() if p.kind == "elementwise"},
    **{name: _reduction for name, p in PRIMITIVES.items() if p.kind == "reduction"},
    "matmul": _matmul, "transpose": _transpose, "reshape": _reshape, "view": _reshape, "expand_dims": _expand_dims,
    "squeeze": _reduction, "broadcast_to": _given(1), "sum_to": _given(1), "concatenate": _concatenate,
    "cumsum": _same, "implicit": _same, "take": _take, "tape_grow": lambda shapes, stmt: [None, *_same(shapes, stmt)[1:]],
    "solve": _solve, "inv": _same, "cholesky": _same, "eigvalsh": _rows, "eigenvectors": _same, "svdvals": _diagonal,
    "qr_q": _factors(True, False), "qr_r": _factors(False, True), "svd_u": _factors(True, False), "svd_vt": _factors(False, True),
    "zeros": _given(0), "empty": _given(0), "seed": _given(0), "eye": _given(0), "full": _given(1),
    "arange": _arange, "array": lambda shapes, stmt: [Extent(n) for n in stmt.keywords["shape"]],
}
