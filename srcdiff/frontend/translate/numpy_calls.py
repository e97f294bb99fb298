"""NumPy functions and array methods, in terms of the operations of the normal form."""

from __future__ import annotations

import numpy as np

from srcdiff.frontend.translate.attributes import count, transpose
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.iteration import items_of
from srcdiff.frontend.translate.numeric import arithmetic, elementwise
from srcdiff.frontend.translate.values import (
    Intrinsic, Known, Range, Ref, Refused, Slice, Tuple, View, is_atom,
)
from srcdiff.frontend.translate.views import array_of, as_atom, as_view, load_view, shape_of, store
from srcdiff.syntax import ALL, Array, Const, Scalar, Var

__all__ = ["HANDLERS", "METHODS", "allocate_like"]

NONE = Known(None)


# -- reading arguments --------------------------------------------------------------------

def none(value) -> bool:
    return value is None or isinstance(value, Known) and value.value is None


def dtype_of(value, default: str | None = None) -> str | None:
    """Return the name of a `dtype=` argument."""
    if none(value):
        return default
    if not isinstance(value, Known):
        raise Refused(f"a dtype must be known when the function is specialised, not {describe(value)}")
    try:
        name = np.dtype(value.value).name
    except TypeError:
        raise Refused(f"{value.value!r} is not a numeric dtype") from None
    if np.dtype(name).kind not in "biufc":
        raise Refused(f"arrays of dtype {name} are not supported", fix="use a numeric dtype")
    return name


def axes_of(t: Translator, axis, ndim: int) -> tuple[int, ...]:
    """Return the sorted non-negative axes of an `axis=` argument; all of them for None."""
    if none(axis):
        return tuple(range(ndim))
    numbers = [t.static_number(v) for v in (axis.items if isinstance(axis, Tuple) else (axis,))]
    if None in numbers:
        raise Refused("an axis must be known when the function is specialised", fix="use a literal")
    if any(not -ndim <= k < ndim for k in numbers):
        raise Refused(f"axis {numbers[0]} of an array with {ndim} axes", code="SD0230")
    return tuple(sorted(int(k) % ndim for k in numbers))


def flag(t: Translator, value) -> bool:
    return not none(value) and bool(t.static_number(value))


def refuse_given(**keywords):
    for name, value in keywords.items():
        if not none(value):
            raise Refused(f"the argument `{name}=` is not supported", fix="write it in a second step",
                          code="SD0239")


def array(t: Translator, value):
    """Return an array argument as an atom; lists become arrays."""
    return as_atom(t, value)


def extents_of(t: Translator, shape) -> tuple:
    if isinstance(shape, Ref):
        shape = t.contents(shape)
    parts = shape.items if isinstance(shape, Tuple) else (shape,)
    atoms = tuple(as_atom(t, p) for p in parts)
    for atom in atoms:
        if not isinstance(t.type_of(atom), Scalar) or t.type_of(atom).dtype[0] not in "iu":
            raise Refused(f"a shape needs integers, not {t.type_of(atom)}", fix="convert with int(...)")
    return atoms


# -- reductions ------------------------------------------------------------------------------

def reduction(op):
    def handler(t, a, axis=NONE, dtype=NONE, out=NONE, keepdims=NONE, *, initial=NONE, where=NONE):
        refuse_given(out=out, initial=initial, where=where)
        x = array(t, a)
        if not t.ndim(x):
            return x
        if not none(dtype):
            x = t.cast(x, dtype_of(dtype))
        return reduce(t, op, x, axes_of(t, axis, t.ndim(x)), flag(t, keepdims))
    return handler


def plain_reduction(op):
    """A reduction whose third parameter is `out`, not `dtype`."""
    full = reduction(op)

    def handler(t, a, axis=NONE, out=NONE, keepdims=NONE, *, initial=NONE, where=NONE):
        return full(t, a, axis, NONE, out, keepdims, initial=initial, where=where)
    return handler


def reduce(t, op, x, axes, keepdims=False):
    return t.emit(op, x, axis=axes, keepdims=True) if keepdims else t.emit(op, x, axis=axes)


def mean(t, a, axis=NONE, dtype=NONE, out=NONE, keepdims=NONE):
    refuse_given(out=out)
    x = array(t, a)
    if not t.ndim(x):
        return t.cast(x, "float64") if t.type_of(x).dtype[0] != "f" else x
    if not none(dtype):
        x = t.cast(x, dtype_of(dtype))
    axes = axes_of(t, axis, t.ndim(x))
    return t.emit("divide", reduce(t, "sum", x, axes, flag(t, keepdims)), number_of(t, x, axes))


def number_of(t, x, axes):
    """Return how many elements a reduction over these axes takes together."""
    total = t.size(x, axes[0])
    for axis in axes[1:]:
        total = t.emit("multiply", total, t.size(x, axis))
    return total


def var(t, a, axis=NONE, dtype=NONE, out=NONE, ddof=Const(0), keepdims=NONE):
    refuse_given(out=out, dtype=dtype)
    x = array(t, a)
    axes = axes_of(t, axis, t.ndim(x))
    n = number_of(t, x, axes)
    centre = t.emit("divide", reduce(t, "sum", x, axes, True), n)
    squares = t.emit("square", t.emit("subtract", x, centre))
    total = reduce(t, "sum", squares, axes, flag(t, keepdims))
    return t.emit("divide", total, arithmetic(t, "Sub", n, as_atom(t, ddof)) if ddof != Const(0) else n)


def std(t, a, axis=NONE, dtype=NONE, out=NONE, ddof=Const(0), keepdims=NONE):
    return t.emit("sqrt", var(t, a, axis, dtype, out, ddof, keepdims))


def average(t, a, axis=NONE, weights=NONE):
    if none(weights):
        return mean(t, a, axis)
    x, w = array(t, a), array(t, weights)
    if t.ndim(x) != t.ndim(w):
        raise Refused("np.average with weights of another rank", fix="broadcast the weights first")
    axes = axes_of(t, axis, t.ndim(x))
    return t.emit("divide", t.emit("sum", t.emit("multiply", x, w), axis=axes), t.emit("sum", w, axis=axes))


def arg_extreme(op):
    def handler(t, a, axis=NONE, out=NONE):
        refuse_given(out=out)
        x = array(t, a)
        if none(axis):
            return t.emit(op, flat(t, x) if t.ndim(x) > 1 else x, axis=0)
        return t.emit(op, x, axis=axes_of(t, axis, t.ndim(x))[0])
    return handler


def cumsum(t, a, axis=NONE, dtype=NONE, out=NONE):
    refuse_given(dtype=dtype, out=out)
    x = array(t, a)
    if none(axis):
        return t.emit("cumsum", flat(t, x) if t.ndim(x) > 1 else x, axis=0)
    return t.emit("cumsum", x, axis=axes_of(t, axis, t.ndim(x))[0])


def norm(t, x, ord=NONE, axis=NONE, keepdims=NONE):     # noqa: A002
    x = array(t, x)
    order = ord.value if isinstance(ord, Known | Const) else 0
    axes = axes_of(t, axis, t.ndim(x))
    keep = flag(t, keepdims)
    if order in (None, "fro") or order == 2 and len(axes) == 1:
        return t.emit("sqrt", reduce(t, "sum", t.emit("square", t.cast(x, "float64")
                      if t.type_of(x).dtype[0] != "f" else x), axes, keep))
    if len(axes) == 1 and order == 1:
        return reduce(t, "sum", t.emit("absolute", x), axes, keep)
    if len(axes) == 1 and order in (np.inf, -np.inf):
        return reduce(t, "max" if order > 0 else "min", t.emit("absolute", x), axes, keep)
    raise Refused(f"np.linalg.norm of order {order!r}", fix="use the default, 1 or np.inf")


def trace(t, a, offset=Const(0)):
    if offset != Const(0):
        raise Refused("np.trace with an offset", fix="use a loop")
    return t.emit("sum", diagonal(t, a), axis=(0,))


def diagonal(t, a, offset=Const(0)):
    if offset != Const(0):
        raise Refused("a diagonal with an offset", fix="use a loop")
    x = array(t, a)
    if t.ndim(x) != 2:
        raise Refused("the diagonal of an array that is not a matrix", fix="use a loop")
    index = _diagonal_index(t, t.emit("minimum", t.size(x, 0), t.size(x, 1)))
    return t.builder.load(x.name, (index, index))


def _diagonal_index(t, n):
    return t.emit("arange", Const(0), n, Const(1), dtype="int64")


def diag(t, v, k=Const(0)):
    x = array(t, v)
    if t.ndim(x) != 1:
        return diagonal(t, x, k)
    if k != Const(0):
        raise Refused("np.diag with an offset", fix="use a loop")
    n = t.size(x, 0)
    made = t.emit("zeros", n, n, dtype=t.type_of(x).dtype)
    index = _diagonal_index(t, n)
    store(t, made.name, (index, index), x)
    return made


# -- products ------------------------------------------------------------------------------------

def dot(t, a, b, out=NONE):
    refuse_given(out=out)
    x, y = array(t, a), array(t, b)
    if not t.ndim(x) or not t.ndim(y):
        return t.emit("multiply", x, y)
    if t.ndim(x) == t.ndim(y) == 1:
        return inner_1d(t, x, y)
    if t.ndim(y) > 2:
        raise Refused("np.dot with a second operand of more than two axes", fix="use @ or a loop")
    return t.emit("matmul", x, y)


def inner_1d(t, x, y):
    return t.emit("sum", t.emit("multiply", x, y), axis=(0,))


def matmul(t, a, b):
    x, y = array(t, a), array(t, b)
    if t.ndim(x) == t.ndim(y) == 1:
        return inner_1d(t, x, y)
    return arithmetic(t, "MatMult", x, y)


def vdot(t, a, b):
    x, y = array(t, a), array(t, b)
    return inner_1d(t, flat(t, x) if t.ndim(x) > 1 else x, flat(t, y) if t.ndim(y) > 1 else y)


def inner(t, a, b):
    x, y = array(t, a), array(t, b)
    if t.ndim(x) == 1 and t.ndim(y) == 1:
        return inner_1d(t, x, y)
    if t.ndim(y) == 2:
        y = t.emit("transpose", y, perm=(1, 0))
    return dot(t, x, y)


def outer(t, a, b):
    x, y = (flat(t, v) if t.ndim(v) != 1 else v for v in (array(t, a), array(t, b)))
    return t.emit("multiply", t.emit("expand_dims", x, axis=1), t.emit("expand_dims", y, axis=0))


def cross(t, a, b, axis=NONE):
    """The cross product of 3-vectors, along the last axis."""
    from srcdiff.frontend.translate.indexing import load
    x, y = array(t, a), array(t, b)
    rank = max(t.ndim(x), t.ndim(y))
    if not none(axis) and axes_of(t, axis, rank) != (rank - 1,):
        raise Refused("np.cross along another axis than the last", fix="move the axis first")

    def part(v, k):
        return as_atom(t, load(t, v, Tuple((Known(Ellipsis), Const(k)))))

    def term(i, j):
        return t.emit("subtract", t.emit("multiply", part(x, i), part(y, j)),
                      t.emit("multiply", part(x, j), part(y, i)))
    parts = [term(1, 2), term(2, 0), term(0, 1)]
    if rank == 1:
        return t.emit("array", *parts, dtype=t.type_of(parts[0]).dtype, shape=(3,))
    return join(t, [t.emit("expand_dims", p, axis=rank - 1) for p in parts], rank - 1)


# -- shape ------------------------------------------------------------------------------------------

def derived(t, made, source):
    """Note that NumPy's `made` may share memory with `source`."""
    if isinstance(made, Var) and t.root(source) is not None and made != source:
        t.derived[made.name] = t.root(source)
    return made


def reshape(t, a, *shape, order=NONE, copy=NONE):
    if not none(order) and order.value != "C":
        raise Refused("a reshape in Fortran order", fix="transpose before and after")
    if len(shape) == 1:
        extents = list(extents_of(t, shape[0]))
    else:
        extents = [as_atom(t, s) for s in shape]
    source = a
    x = array(t, a)
    unknown = [k for k, n in enumerate(extents) if n == Const(-1)]
    if unknown:
        rest = None
        for n in extents:
            if n != Const(-1):
                rest = n if rest is None else arithmetic(t, "Mult", rest, n)
        total = count(t, x)
        extents[unknown[0]] = total if rest is None or rest == Const(1) else t.emit("floor_divide", total, rest)
    if not extents:
        raise Refused("a reshape to no axes", fix="index the element")
    if not t.ndim(x):
        return t.emit("full", x, *extents, dtype=t.type_of(x).dtype)
    return derived(t, t.emit("reshape", x, *extents), source)


def flat(t, x):
    return t.emit("reshape", x, count(t, x))


def ravel(t, a, order=NONE):
    return reshape(t, a, Const(-1), order=order)


def flatten(t, a, order=NONE):
    x = reshape(t, a, Const(-1), order=order)
    t.derived.pop(x.name, None)
    return x


def transposed(t, a, *axes):
    if len(axes) == 1 and (isinstance(axes[0], Tuple | Ref) or none(axes[0])):
        axes = () if none(axes[0]) else items_of(t, axes[0])
    a = a if isinstance(a, View) or is_atom(a) else array(t, a)
    ndim = len(a.axes) if isinstance(a, View) else t.ndim(a)
    perm = [t.static_number(x) for x in axes] or list(reversed(range(ndim)))
    if None in perm:
        raise Refused("the axes of a transpose must be known when the function is specialised")
    return transpose(t, a, tuple(int(p) % ndim for p in perm))


def swapaxes(t, a, first, second):
    ndim = len(as_view(t, a).axes)
    perm = list(range(ndim))
    i, j = (int(t.static_number(x)) % ndim for x in (first, second))
    perm[i], perm[j] = perm[j], perm[i]
    return transpose(t, a, tuple(perm))


def moveaxis(t, a, source, destination):
    ndim = len(as_view(t, a).axes)
    i, j = (int(t.static_number(x)) % ndim for x in (source, destination))
    perm = [k for k in range(ndim) if k != i]
    perm.insert(j, i)
    return transpose(t, a, tuple(perm))


def expand_dims(t, a, axis):
    view = as_view(t, a if isinstance(a, View) else array(t, a))
    axes = list(view.axes)
    k = int(t.static_number(axis))
    axes.insert(k % (len(axes) + 1), None)
    return View(view.base, view.index, tuple(axes))


def squeeze(t, a, axis=NONE):
    x = array(t, a)
    if not t.ndim(x):
        return x
    if none(axis):
        raise Refused("squeeze without an axis", why="which axes have extent 1 is known only at run time",
                      fix="name the axis: squeeze(axis=0)")
    return derived(t, t.emit("squeeze", x, axis=axes_of(t, axis, t.ndim(x))), a)


def atleast(rank):
    def handler(t, a):
        a = array(t, a) if not isinstance(a, View) else a
        ndim = len(a.axes) if isinstance(a, View) else t.ndim(a)
        if ndim >= rank:
            return a
        if ndim == 0:
            return t.emit("array", a, dtype=t.type_of(a).dtype, shape=(1,) * rank)
        view = as_view(t, a)
        return View(view.base, view.index, (None,) * (rank - ndim) + view.axes)
    return handler


def broadcast_to(t, a, shape):
    return t.emit("broadcast_to", array(t, a), *extents_of(t, shape))


def shape(t, a):
    return Tuple(shape_of(t, a)) if is_atom(a) or isinstance(a, View) else Tuple(shape_of(t, array(t, a)))


def size(t, a, axis=NONE):
    x = array(t, a)
    return count(t, x) if none(axis) else t.size(x, axes_of(t, axis, t.ndim(x))[0])


def ndim(t, a):
    return Const(len(a.axes)) if isinstance(a, View) else Const(t.ndim(array(t, a)))


# -- joining -----------------------------------------------------------------------------------------

def join(t, parts, axis):
    dtype = np.result_type(*(np.dtype(t.type_of(p).dtype) for p in parts)).name
    return t.emit("concatenate", *(t.cast(p, dtype) for p in parts), axis=axis)


def concatenate(t, parts, axis=Const(0), out=NONE):
    refuse_given(out=out)
    arrays = [array(t, p) for p in items_of(t, parts)]
    if none(axis):
        return join(t, [flat(t, x) for x in arrays], 0)
    return join(t, arrays, axes_of(t, axis, t.ndim(arrays[0]))[0])


def stack(t, parts, axis=Const(0), out=NONE):
    refuse_given(out=out)
    arrays = [array(t, p) for p in items_of(t, parts)]
    rank = t.ndim(arrays[0])
    if rank == 0:
        return array_of(t, Tuple(tuple(arrays)))
    (k,) = axes_of(t, axis, rank + 1)
    return join(t, [t.emit("expand_dims", x, axis=k) for x in arrays], k)


def _at_least_1d(t, x):
    return x if t.ndim(x) else t.emit("array", x, dtype=t.type_of(x).dtype, shape=(1,))


def hstack(t, parts):
    arrays = [_at_least_1d(t, array(t, p)) for p in items_of(t, parts)]
    return join(t, arrays, 0 if t.ndim(arrays[0]) == 1 else 1)


def vstack(t, parts):
    arrays = [_at_least_1d(t, array(t, p)) for p in items_of(t, parts)]
    return join(t, [x if t.ndim(x) > 1 else t.emit("expand_dims", x, axis=0) for x in arrays], 0)


def column_stack(t, parts):
    arrays = [_at_least_1d(t, array(t, p)) for p in items_of(t, parts)]
    return join(t, [x if t.ndim(x) > 1 else t.emit("expand_dims", x, axis=1) for x in arrays], 1)


def append(t, a, values, axis=NONE):
    arrays = [_at_least_1d(t, array(t, v)) for v in (a, values)]
    if none(axis):
        return join(t, [x if t.ndim(x) == 1 else flat(t, x) for x in arrays], 0)
    return join(t, arrays, axes_of(t, axis, t.ndim(arrays[0]))[0])


def diff(t, a, n=Const(1), axis=Const(-1)):
    from srcdiff.frontend.translate.indexing import load
    x = array(t, a)
    (k,) = axes_of(t, axis, t.ndim(x))
    for _ in range(int(t.static_number(n))):
        before = [Slice()] * k
        upper = as_atom(t, load(t, x, Tuple((*before, Slice(Const(1), None)))))
        lower = as_atom(t, load(t, x, Tuple((*before, Slice(None, Const(-1))))))
        x = t.emit("subtract", upper, lower)
    return x


def flip(t, a, axis=NONE):
    from srcdiff.frontend.translate.indexing import load
    rank = len(as_view(t, a if isinstance(a, View) else array(t, a)).axes)
    axes = axes_of(t, axis, rank)
    back = Slice(None, None, Const(-1))
    return load(t, a, Tuple(tuple(back if k in axes else Slice() for k in range(rank))))


# -- creation -----------------------------------------------------------------------------------------

def zeros(op):
    def handler(t, shape, dtype=NONE, order=NONE):
        extents, name = extents_of(t, shape), dtype_of(dtype, "float64")
        return t.emit(op, *extents, dtype=name) if extents else Const(0.0)
    return handler


def ones(t, shape, dtype=NONE, order=NONE):
    extents, name = extents_of(t, shape), dtype_of(dtype, "float64")
    one = Const({"f": 1.0, "b": True}.get(np.dtype(name).kind, 1))
    return t.emit("full", one, *extents, dtype=name) if extents else one


def full(t, shape, fill_value, dtype=NONE, order=NONE):
    value = as_atom(t, fill_value)
    name = dtype_of(dtype, t.type_of(value).dtype)
    extents = extents_of(t, shape)
    if not extents:
        return t.cast(value, name)
    if t.ndim(value):
        return t.emit("broadcast_to", t.cast(value, name), *extents)
    return t.emit("full", value, *extents, dtype=name)


def like(make):
    def handler(t, a, dtype=NONE, order=NONE, subok=NONE, shape=NONE):
        refuse_given(shape=shape)
        x = a if isinstance(a, View) else array(t, a)
        own = t.builder.types[x.base].dtype if isinstance(x, View) else t.type_of(x).dtype
        return make(t, Tuple(shape_of(t, x)), Known(dtype_of(dtype, own)))
    return handler


def full_like(t, a, fill_value, dtype=NONE, order=NONE):
    x = array(t, a)
    return full(t, Tuple(shape_of(t, x)), fill_value, Known(dtype_of(dtype, t.type_of(x).dtype)))


def make_array(t, value, dtype=NONE, *, copy=NONE, order=NONE, ndmin=NONE, subok=NONE):
    """`np.array`: always a new array; a number stays a number."""
    refuse_given(ndmin=ndmin)
    name = dtype_of(dtype)
    if isinstance(value, Ref) and not isinstance(t.contents(value), Tuple):
        value = t.contents(value)
    if is_atom(value) or isinstance(value, View):
        atom = as_atom(t, value)
        if name is not None and name != t.type_of(atom).dtype:
            return t.cast(atom, name)
        return t.emit("copy", atom) if t.ndim(atom) else atom
    if isinstance(value, Range | Tuple | Ref):
        return array_of(t, value, name)
    return array_of(t, Tuple(tuple(items_of(t, value))), name) if not isinstance(value, Known) else (
        _known_array(t, value, name))


def _known_array(t, value, name):
    lifted = t.lift(value.value, value.origin)
    if isinstance(lifted, Known):
        raise Refused(f"an array cannot be made of {describe(value)}")
    return make_array(t, lifted, Known(name))


def as_array(t, value, dtype=NONE, order=NONE, *, copy=NONE, like=NONE):
    """`np.asarray`: the array itself where nothing is to be converted."""
    if isinstance(value, View) or is_atom(value):
        have = t.builder.types[value.base].dtype if isinstance(value, View) else t.type_of(value).dtype
        name = dtype_of(dtype)
        if name is None or name == have:
            return value
        return t.cast(as_atom(t, value), name)
    return make_array(t, value, dtype)


def contiguous(t, value, dtype=NONE):
    """`np.ascontiguousarray`: the array itself or a copy, as the layout has it."""
    made = as_array(t, value, dtype)
    if isinstance(made, View):
        return derived(t, load_view(t, made), made)
    if is_atom(made) and t.ndim(made) and t.root(value) is not None and made == value:
        return derived(t, t.emit("copy", made), value)
    return made


def copy(t, a, order=NONE):
    return make_array(t, a)


def astype(t, a, dtype, *, copy=NONE, order=NONE, casting=NONE):
    x, name = as_atom(t, a), dtype_of(dtype)
    if t.type_of(x).dtype == name:
        return t.emit("copy", x) if t.ndim(x) else x
    return t.cast(x, name)


def eye(t, n, m=NONE, k=Const(0), dtype=NONE):
    if k != Const(0):
        raise Refused("np.eye with an offset", fix="use a loop")
    rows = as_atom(t, n)
    return t.emit("eye", rows, rows if none(m) else as_atom(t, m), dtype=dtype_of(dtype, "float64"))


def identity(t, n, dtype=NONE):
    return eye(t, n, dtype=dtype)


def arange(t, *bounds, dtype=NONE):
    atoms = [as_atom(t, b) for b in bounds]
    start, stop, step = {1: (Const(0), *atoms, Const(1)), 2: (*atoms, Const(1)), 3: tuple(atoms)}[len(atoms)]
    kinds = {t.type_of(a).dtype for a in (start, stop, step)}
    name = dtype_of(dtype, "float64" if any(k[0] == "f" for k in kinds) else "int64")
    return t.emit("arange", start, stop, step, dtype=name)


def linspace(t, start, stop, num=Const(50), endpoint=Const(True), dtype=NONE):
    """``start + arange(num) * step``; the last element is exactly `stop`."""
    a, b, n = as_atom(t, start), as_atom(t, stop), as_atom(t, num)
    if t.ndim(a) or t.ndim(b):
        raise Refused("np.linspace between arrays", fix="use a loop")
    closed = flag(t, endpoint)
    gaps = arithmetic(t, "Sub", n, Const(1)) if closed else n
    gaps = Const(max(gaps.value, 1)) if isinstance(gaps, Const) else t.emit("maximum", gaps, Const(1))
    step = arithmetic(t, "Div", arithmetic(t, "Sub", b, a), gaps)
    ramp = t.emit("arange", Const(0), n, Const(1), dtype="float64")
    made = t.emit("add", t.emit("multiply", ramp, step), a)
    if closed:
        long = Const(n.value > 1) if isinstance(n, Const) else t.emit("greater", n, Const(1))
        if long == Const(True):
            store(t, made.name, (Const(-1),), b)
        elif long != Const(False):
            with t.builder.nested() as block:
                store(t, made.name, (Const(-1),), b)
            t.builder.branch(long, block)
    return t.cast(made, dtype_of(dtype, "float64"))


def allocate_like(type_):
    """Return the function that makes an array of `n` elements of this type."""
    return Intrinsic(lambda t, n: t.emit("zeros", as_atom(t, n), dtype=type_.dtype))


# -- elementwise, not primitive -------------------------------------------------------------------------

def where(t, condition, x=None, y=None):
    if x is None:
        raise Refused("np.where with one argument", why="the length of its result depends on the data",
                      fix="use a boolean mask", code="SD0216")
    return t.emit("where", array(t, condition), array(t, x), array(t, y))


def clip(t, a, a_min=NONE, a_max=NONE, out=NONE, *, min=NONE, max=NONE):    # noqa: A002
    refuse_given(out=out)
    x = array(t, a)
    low, high = (a_min if not none(a_min) else min), (a_max if not none(a_max) else max)
    if not none(low):
        x = t.emit("maximum", x, array(t, low))
    return x if none(high) else t.emit("minimum", x, array(t, high))


def round_(t, a, decimals=Const(0), out=NONE):
    refuse_given(out=out)
    x, digits = array(t, a), t.static_number(decimals)
    if t.type_of(x).dtype[0] != "f":
        return x
    if digits == 0:
        return t.emit("rint", x)
    scale = Const(10.0 ** int(digits))
    return t.emit("divide", t.emit("rint", t.emit("multiply", x, scale)), scale)


def real(t, a):
    x = as_atom(t, a)
    if t.type_of(x).dtype.startswith("complex"):
        raise Refused("complex numbers are not supported", fix="use real and imaginary parts")
    return a


def isclose(t, a, b, rtol=Const(1e-05), atol=Const(1e-08)):
    x, y = array(t, a), array(t, b)
    gap = t.emit("absolute", t.emit("subtract", x, y))
    bound = t.emit("add", as_atom(t, atol), t.emit("multiply", as_atom(t, rtol), t.emit("absolute", y)))
    near = t.emit("less_equal", gap, bound)
    return t.emit("logical_or", t.emit("logical_and", near, t.emit("isfinite", y)), t.emit("equal", x, y))


def allclose(t, a, b, rtol=Const(1e-05), atol=Const(1e-08)):
    near = isclose(t, a, b, rtol, atol)
    return t.emit("all", near, axis=tuple(range(t.ndim(near)))) if t.ndim(near) else near


def is_scalar(t, a):
    return Const(is_atom(a) and not t.ndim(a) or isinstance(a, Known) and np.isscalar(a.value))


def take(t, a, indices, axis=NONE):
    x = array(t, a)
    if none(axis) and t.ndim(x) > 1:
        x = flat(t, x)
    return t.emit("take", x, array(t, indices), axis=0 if none(axis) else axes_of(t, axis, t.ndim(x))[0])


def sinc(t, x):
    """``sin(pi x) / (pi x)``, 1 at 0."""
    v = array(t, x)
    zero = t.emit("equal", v, Const(0))
    safe = t.emit("multiply", Const(np.pi), t.emit("where", zero, Const(1.0e-20), v))
    return t.emit("divide", t.emit("sin", safe), safe)


def scalar_type(name):
    """``np.float64(x)`` and its like."""
    def handler(t, value=Const(0.0)):
        return t.cast(as_atom(t, value), name) if not t.narrow else t.emit("cast", as_atom(t, value), dtype=name)
    return handler


def fill(t, a, value):
    from srcdiff.frontend.translate.indexing import store_subscript
    store_subscript(t, a, Known(Ellipsis), value)
    return NONE


def item(t, a, *index):
    from srcdiff.frontend.translate.indexing import load
    if not index:
        if is_atom(a) and not t.ndim(a):
            return a
        raise Refused("item() of an array", fix="index the element: x[0]")
    return load(t, a, Tuple(tuple(index)))


def to_list(t, a):
    return t.allocate(t.emit("copy", as_atom(t, a)), list) if not is_atom(a) or t.ndim(a) else a


def copyto(t, target, source):
    from srcdiff.frontend.translate.indexing import store_subscript
    store_subscript(t, target, Known(Ellipsis), source)
    return NONE


def fill_diagonal(t, a, value):
    x = as_atom(t, a)
    index = _diagonal_index(t, t.emit("minimum", t.size(x, 0), t.size(x, 1)))
    store(t, x.name, (index, index), as_atom(t, value))
    return NONE


def broadcast_arrays(t, *arrays):
    """Arrays of one shape, copied: who writes into one is refused by NumPy as well."""
    atoms = [array(t, a) for a in arrays]
    if not any(map(t.ndim, atoms)):
        return Tuple(tuple(atoms))
    total = atoms[0]
    for other in atoms[1:]:
        total = t.emit("add", total, other)
    extents = [t.size(total, k) for k in range(t.ndim(total))]
    return Tuple(tuple(t.emit("broadcast_to", a, *extents) for a in atoms))


def legacy_math(op):
    return lambda t, x: elementwise(t, op, (x,), False)


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
    np.where: where, np.clip: clip, np.round: round_, np.around: round_, np.real: real,
    np.isclose: isclose, np.allclose: allclose, np.isscalar: is_scalar, np.take: take, np.sinc: sinc,
    np.copyto: copyto, np.fill_diagonal: fill_diagonal,
    np.float64: scalar_type("float64"), np.float32: scalar_type("float32"),
    np.int64: scalar_type("int64"), np.int32: scalar_type("int32"), np.bool_: scalar_type("bool"),
}

METHODS = {
    "sum": reduction("sum"), "prod": reduction("prod"), "max": plain_reduction("max"),
    "min": plain_reduction("min"), "any": plain_reduction("any"), "all": plain_reduction("all"),
    "mean": mean, "var": var, "std": std, "argmax": arg_extreme("argmax"), "argmin": arg_extreme("argmin"),
    "cumsum": cumsum, "dot": dot, "trace": trace, "diagonal": diagonal, "reshape": reshape, "ravel": ravel,
    "flatten": flatten, "transpose": transposed, "swapaxes": swapaxes, "squeeze": squeeze, "copy": copy,
    "astype": astype, "clip": clip, "round": round_, "fill": fill, "item": item, "tolist": to_list,
    "take": take, "__len__": lambda t, a: t.size(as_atom(t, a), 0),
    "conjugate": real, "conj": real,
}
_ = (ALL, Array)
