"""NumPy functions and array methods, in terms of the operations of the normal form.

Here are those of single elements, and the tables of all.
"""

from __future__ import annotations

import numpy as np

from srcdiff.frontend.in_python import orders
from srcdiff.frontend.translate.kinds import NUMPY, array_without_axes, marked, one_class
from srcdiff.frontend.translate.library import in_python_call, nonzero
from srcdiff.frontend.translate.numeric import elementwise
from srcdiff.frontend.translate.numpy_arguments import NONE, array, axis_of, integer_of, none, refuse_given
from srcdiff.frontend.translate.numpy_creation import (
    arange,
    as_array,
    astype,
    contiguous,
    copy,
    eye,
    full,
    full_like,
    identity,
    like,
    linspace,
    make_array,
    ones,
    zeros,
)
from srcdiff.frontend.translate.numpy_reductions import (
    arg_extreme,
    as_floats,
    average,
    cross,
    cumsum,
    diag,
    diagonal,
    dot,
    inner,
    matmul,
    mean,
    norm,
    outer,
    outer_of_vectors,
    plain_reduction,
    reduction,
    std,
    trace,
    var,
    vdot,
)
from srcdiff.frontend.translate.numpy_shapes import (
    append,
    atleast,
    broadcast_to,
    column_stack,
    concatenate,
    diff,
    expand_dims,
    flat,
    flatten,
    flip,
    hstack,
    moveaxis,
    ndim,
    ravel,
    read_only,
    reshape,
    shape,
    size,
    squeeze,
    stack,
    swapaxes,
    transposed,
    vstack,
)
from srcdiff.frontend.translate.storing import into
from srcdiff.frontend.translate.values import Known, Refused, Tuple, View, is_atom
from srcdiff.frontend.translate.views import as_atom, as_view, shape_of, store
from srcdiff.structure import DTYPES
from srcdiff.syntax import Const, Var

__all__ = ["HANDLERS", "METHODS"]

def where(t, condition, x=None, y=None):
    if x is None:
        return nonzero(t, condition)
    made = t.emit("where", array(t, condition), array(t, x), array(t, y))
    return made if t.ndim(made) else array_without_axes(t, made)


def clip(t, a, a_min=NONE, a_max=NONE, out=NONE, *, min=NONE, max=NONE):    # noqa: A002
    if not none(out):
        return into(t, out, clip(t, a, a_min, a_max, min=min, max=max), exact=False)
    x = array(t, a)
    low, high = (a_min if not none(a_min) else min), (a_max if not none(a_max) else max)
    if none(low) and none(high):
        return t.emit("copy", x)
    if not none(low):
        x = t.emit("maximum", x, array(t, low))
    return x if none(high) else t.emit("minimum", x, array(t, high))


def round_(t, a, decimals=Const(0), out=NONE):
    if not none(out):
        return into(t, out, round_(t, a, decimals), exact=False)
    x, digits = array(t, a), integer_of(t, decimals, "the number of decimals")
    if t.type_of(x).dtype[0] != "f":
        return x
    if digits == 0:
        return t.emit("rint", x)
    scale = Const(10.0 ** digits)
    return t.emit("divide", t.emit("rint", t.emit("multiply", x, scale)), scale)


def isclose(t, a, b, rtol=Const(1e-05), atol=Const(1e-08)):
    x, y = array(t, a), as_floats(t, array(t, b))          # differences of integers may wrap
    gap = t.emit("absolute", t.emit("subtract", x, y))
    bound = t.emit("add", as_atom(t, atol), t.emit("multiply", as_atom(t, rtol), t.emit("absolute", y)))
    near = t.emit("less_equal", gap, bound)
    return t.emit("logical_or", t.emit("logical_and", near, t.emit("isfinite", y)), t.emit("equal", x, y))


def allclose(t, a, b, rtol=Const(1e-05), atol=Const(1e-08)):
    near = isclose(t, a, b, rtol, atol)
    return t.emit("all", near, axis=tuple(range(t.ndim(near)))) if t.ndim(near) else near


def is_scalar(t, a):
    if is_atom(a):
        return Const(one_class(t, a, "np.isscalar", lambda cls: not issubclass(cls, np.ndarray)))
    return Const(isinstance(a, Known) and np.isscalar(a.value))


def result_type(t, *values):
    """The dtype that operands promote to: known, for their types are."""
    parts = []
    for value in values:
        if isinstance(value, Known):
            parts.append(value.value)
            continue
        type_ = t.type_of(as_atom(t, value))
        python_number = {"b": True, "i": 1, "f": 1.0, "c": 1j}[type_.dtype[0]]
        parts.append(python_number if getattr(type_, "weak", False) else np.dtype(type_.dtype))
    return Known(np.result_type(*parts))


def take(t, a, indices, axis=NONE, out=NONE, mode=Known("raise")):        # noqa: B008
    refuse_given(out=out)
    x = array(t, a)
    if none(axis) and t.ndim(x) > 1:
        x = flat(t, x)
    k = 0 if none(axis) else axis_of(t, axis, t.ndim(x))
    if getattr(mode, "value", None) != "raise":
        indices = in_python_call(t, orders.within, array(t, indices), t.size(x, k), mode)
    return t.emit("take", x, array(t, indices), axis=k)


def sinc(t, x):
    """``sin(pi x) / (pi x)``, 1 at 0."""
    v = array(t, x)
    zero = t.emit("equal", v, Const(0))
    safe = t.emit("multiply", Const(np.pi), t.emit("where", zero, Const(1.0e-20), v))
    return t.emit("divide", t.emit("sin", safe), safe)


def scalar_type(name):
    """``np.float64(x)`` and its like."""
    def handler(t, value=Const(0.0)):
        atom = as_atom(t, value)
        t.narrow |= name not in ("float64", "int64", "bool", "complex128")
        if isinstance(atom, Const) and not t.narrow:
            return t.cast(atom, name)
        return marked(t, t.emit("cast", atom, dtype=name), NUMPY)
    return handler


def fill(t, a, value):
    from srcdiff.frontend.translate.storing import store_subscript
    store_subscript(t, a, Known(Ellipsis), value)
    return NONE


def item(t, a, *index):
    from srcdiff.frontend.translate.indexing import load
    if not index:
        if not len(shape_of(t, a)):
            return t.weak(as_atom(t, a))
        raise Refused("item() of an array", fix="index the element: x[0]")
    if len(index) == 1 and not isinstance(index[0], Tuple):
        a = flat(t, as_atom(t, a))          # a position among all elements
    return load(t, a, index[0] if isinstance(index[0], Tuple) else Tuple(tuple(index)))


def to_list(t, a):
    if not len(shape_of(t, a)):
        return t.weak(as_atom(t, a))
    made = t.allocate(t.emit("copy", as_atom(t, a)), list)
    if t.ndim(t.contents(made)) > 1:
        t.nested.add(made.key)
    return made


def copyto(t, target, source, casting=NONE, where=Const(True)):
    from srcdiff.frontend.translate.storing import store_subscript
    if where != Const(True):
        source = t.emit("where", array(t, where), array(t, source), array(t, target))
    store_subscript(t, target, Known(Ellipsis), source)
    return NONE


def fill_diagonal(t, a, value):
    from srcdiff.frontend.translate.storing import change
    value, view = as_atom(t, value), as_view(t, a if isinstance(a, View) else as_atom(t, a))
    if t.ndim(value) > 1 or len(view.axes) != 2:
        raise Refused("np.fill_diagonal of other than a matrix, or with a matrix of values",
                      fix="write the elements in a loop")

    def write(name):
        count = t.emit("minimum", t.size(Var(name), 0), t.size(Var(name), 1))
        if not t.ndim(value):
            with t.builder.loop(Const(0), count) as i:
                store(t, name, (i, i), value)
            return
        given = t.size(value, 0)        # few values are repeated, none change nothing
        with t.builder.loop(Const(0), t.emit("where", t.emit("equal", given, Const(0)), Const(0), count)) as i:
            store(t, name, (i, i), t.builder.load(value.name, (t.emit("remainder", i, given),)))
    change(t, view, write)
    return NONE


def add_at(t, a, indices, b):
    from srcdiff.frontend.translate import storing
    storing.add_at(t, a, indices, b)
    return NONE


def subtract_at(t, a, indices, b):
    return add_at(t, a, indices, t.emit("negative", as_atom(t, b)))


def broadcast_arrays(t, *arrays):
    """Arrays of one shape: views that may not be written."""
    atoms = [array(t, a) for a in arrays]
    if not any(map(t.ndim, atoms)):
        return Tuple(tuple(atoms))
    total = atoms[0]
    for other in atoms[1:]:
        total = t.emit("add", total, other)
    extents = [t.size(total, k) for k in range(t.ndim(total))]
    return Tuple(tuple(read_only(t, t.emit("broadcast_to", atom, *extents), a)
                       for atom, a in zip(atoms, arrays, strict=True)))


def legacy_math(op):
    return lambda t, x: elementwise(t, op, (x,), False)


def of_last_axes(function):
    """`np.linalg.trace` and its like run over the last two axes."""
    return lambda t, x, *, offset=Const(0): function(t, x, offset, Const(-2), Const(-1))


# -- tables ----------------------------------------------------------------------

HANDLERS = {
    np.sum: reduction("sum"), np.prod: reduction("prod"), np.max: plain_reduction("max"),
    np.min: plain_reduction("min"), np.amax: plain_reduction("max"), np.amin: plain_reduction("min"),
    np.any: plain_reduction("any"), np.all: plain_reduction("all"), np.mean: mean, np.var: var,
    np.std: std, np.average: average, np.argmax: arg_extreme("argmax"), np.argmin: arg_extreme("argmin"),
    np.cumsum: cumsum, np.linalg.norm: norm, np.trace: trace, np.diag: diag, np.diagonal: diagonal,
    np.dot: dot, np.matmul: matmul, np.vdot: vdot, np.inner: inner, np.outer: outer, np.cross: cross,
    np.reshape: reshape, np.ravel: ravel, np.transpose: transposed, np.swapaxes: swapaxes,
    np.moveaxis: moveaxis, np.expand_dims: expand_dims, np.squeeze: squeeze,
    np.atleast_1d: atleast(1), np.atleast_2d: atleast(2), np.broadcast_to: broadcast_to,
    np.broadcast_arrays: broadcast_arrays, np.shape: shape, np.size: size, np.ndim: ndim,
    np.concatenate: concatenate, np.stack: stack, np.hstack: hstack, np.vstack: vstack,
    np.column_stack: column_stack, np.append: append, np.diff: diff, np.flip: flip,
    np.zeros: zeros("zeros"), np.empty: zeros("empty"), np.ones: ones, np.full: full,
    np.zeros_like: like(zeros("zeros")), np.empty_like: like(zeros("empty")), np.ones_like: like(ones),
    np.full_like: full_like, np.array: make_array, np.asarray: as_array, np.asanyarray: as_array,
    np.asarray_chkfinite: as_array, np.ascontiguousarray: contiguous, np.asfortranarray: contiguous,
    np.copy: copy, np.eye: eye, np.identity: identity, np.arange: arange, np.linspace: linspace,
    np.where: where, np.clip: clip, np.round: round_, np.around: round_,
    np.isclose: isclose, np.allclose: allclose, np.isscalar: is_scalar, np.take: take, np.sinc: sinc,
    np.result_type: result_type, np.copyto: copyto, np.fill_diagonal: fill_diagonal,
    np.linalg.outer: outer_of_vectors, np.linalg.diagonal: of_last_axes(diagonal), np.linalg.trace: of_last_axes(trace), np.linalg.matmul: matmul,
    np.linalg.cross: cross, np.permute_dims: transposed,
    np.add.at: add_at, np.subtract.at: subtract_at,
    **{np.dtype(name).type: scalar_type(name) for name in sorted(DTYPES)},
}

METHODS = {
    "sum": reduction("sum"), "prod": reduction("prod"), "max": plain_reduction("max"),
    "min": plain_reduction("min"), "any": plain_reduction("any"), "all": plain_reduction("all"),
    "mean": mean, "var": var, "std": std, "argmax": arg_extreme("argmax"), "argmin": arg_extreme("argmin"),
    "cumsum": cumsum, "dot": dot, "trace": trace, "diagonal": diagonal, "reshape": reshape, "ravel": ravel,
    "flatten": flatten, "transpose": transposed, "swapaxes": swapaxes, "squeeze": squeeze, "copy": copy,
    "astype": astype, "clip": clip, "round": round_, "fill": fill, "item": item, "tolist": to_list,
    "take": take, "view": lambda t, a: a, "__len__": lambda t, a: t.size(as_atom(t, a), 0),
}
