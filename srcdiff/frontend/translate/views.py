"""Views of arrays: reading through them, writing through them, indexing them again.

A view is kept as a base variable and an index (`values.View`), so that a write
through it is a store into the base.  An index into a view is composed with the
view's own where that is exact; where it is not (a negative start that only run
time knows, a slice of a strided slice), a read takes the view's value first,
and a write reads, changes and writes back the whole view.
"""

from __future__ import annotations

from srcdiff.frontend.translate.aliases import mirrors
from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator, describe, is_full
from srcdiff.frontend.translate.extents import element_extents, span_extent
from srcdiff.frontend.translate.values import (
    Grown,
    Known,
    MaybeNone,
    MaybeUnbound,
    Poison,
    Range,
    Ref,
    Refused,
    Summed,
    Tuple,
    View,
    is_atom,
)
from srcdiff.syntax import Const, Scalar, Span, Var, is_complex

__all__ = ["array_of", "as_atom", "as_view", "axis_size", "compose", "load_view", "shape_of", "store_view"]


# -- values as atoms -------------------------------------------------------------

def as_atom(t: Translator, value):
    """Return the atom of a number or an array; sequences of numbers become arrays."""
    if is_atom(value):
        return value
    if isinstance(value, View):
        return load_view(t, value)
    if isinstance(value, MaybeUnbound):
        return as_atom(t, checked(t, value, "a variable"))
    if isinstance(value, MaybeNone | Summed):
        return as_atom(t, given(t, value))
    if isinstance(value, Poison):
        t.use_poison(value)
    if isinstance(value, Known):
        lifted = lift(t, value.value, value.origin)
        if is_atom(lifted):
            return lifted
    if isinstance(value, Tuple | Ref | Range | Grown):
        return array_of(t, value)
    if isinstance(value, Known) and _is_on_device(value.value):
        raise Refused(f"an array on a device, {describe(value)}, is used here and is no argument",
                      why="values from outside are fetched by the host at each call",
                      fix="make it a parameter; vmap with in_dims=None for it leaves it on the device, for all samples to read")
    raise Refused(f"a number or an array is needed here, not {describe(value)}",
                  fix="pass a number or an array")


def _is_on_device(value) -> bool:
    """Tell whether a value is an array in the memory of a GPU: Numba's, or that of a package with CUDA's protocol."""
    return hasattr(value, "__cuda_array_interface__") or getattr(type(value), "__cuda_ndarray__", False)


def checked(t: Translator, value: MaybeUnbound, name: str):
    """Return the value behind a `MaybeUnbound`; at run time, raise where it is not bound."""
    if value.flag == Const(True):
        return value.value
    missing = t.emit("logical_not", value.flag)
    with t.builder.nested() as block:
        t.builder.fail("UnboundLocalError", f"cannot access local variable '{name}' where it is not "
                                            "associated with a value")
    t.builder.branch(missing, block)
    return value.value


def given(t: Translator, value):
    """Return a value that may be None, or a sum that may be of nothing; at run time, raise where it is."""
    if isinstance(value, MaybeNone):
        _fail_unless(t, value.flag, "TypeError", "[SD0357] None where a value is needed")
    elif isinstance(value, Summed):
        _fail_unless(t, value.some, "ValueError", "[SD0356] the sum of no arrays is the number 0")
    else:
        return value
    return value.value


def _fail_unless(t, flag, exception, message):
    with t.builder.nested() as block:
        t.builder.fail(exception, message)
    t.builder.branch(t.emit("logical_not", flag), block)


def spread(t: Translator, value, other):
    """Return a sum of arrays that is an operand beside an array: where it is of nothing, its zeros do for Python's 0."""
    if not isinstance(value, Summed) or not (is_atom(other) or isinstance(other, View)):
        return value
    rank = len(other.axes) if isinstance(other, View) else t.ndim(other)
    return value.value if rank >= t.ndim(value.value) else value


def array_of(t: Translator, value, dtype: str | None = None):
    """Return a new array of a (nested) sequence, as `np.array` does."""
    if isinstance(value, Ref):
        value = t.contents(value)
    if isinstance(value, Range):
        return t.emit("arange", *map(lambda v: as_atom(t, v), (value.start, value.stop, value.step)),
                      dtype=dtype or "int64")
    if isinstance(value, Grown):
        from srcdiff.frontend.translate.growing import as_array
        value = as_array(t, value)
    if not isinstance(value, Tuple):
        atom = as_atom(t, value)
        return t.cast(atom, dtype) if dtype else atom
    leaves, shape = flat_leaves(t, value)
    if leaves is not None:
        kinds = {t.type_of(a).dtype for a in leaves}
        dtype = dtype or common_dtype(kinds)
        return t.emit("array", *leaves, dtype=dtype, shape=shape)
    rows = [array_of(t, item, dtype) for item in value.items]
    dtype = dtype or common_dtype({t.type_of(r).dtype for r in rows})
    if len({t.ndim(r) for r in rows}) != 1:
        raise Refused("the rows of this nested list have different ranks",
                      fix="give every row the same number of axes")
    rows = [t.cast(r, dtype) for r in rows]
    return t.emit("concatenate", *(t.emit("expand_dims", r, axis=0) for r in rows), axis=0)


def common_dtype(kinds) -> str:
    import numpy as np
    return np.result_type(*map(np.dtype, sorted(kinds))).name if kinds else "float64"


def flat_leaves(t: Translator, value):
    """Return the scalars of a nested sequence and its shape, or (None, None)."""
    if isinstance(value, Ref):
        value = t.contents(value)
    if isinstance(value, Tuple):
        parts = [flat_leaves(t, item) for item in value.items]
        if any(p[0] is None for p in parts):
            return None, None
        if len({p[1] for p in parts}) > 1:
            raise Refused("this nested list is ragged", fix="give every row the same length")
        inner = parts[0][1] if parts else ()
        return [leaf for p in parts for leaf in p[0]], (len(parts), *inner)
    atom = as_atom(t, value)
    return ([atom], ()) if isinstance(t.type_of(atom), Scalar) else (None, None)


# -- loading and storing whole views ------------------------------------------------

def as_view(t: Translator, value) -> View:
    return value if isinstance(value, View) else t.full_view(value.name)


def load_view(t: Translator, view: View) -> Var:
    """Return the present value of a view as a new array (or an earlier load of it)."""
    spans = sum(isinstance(item, Span) for item in view.index)
    kept = t.loaded.get(view)
    if kept and kept[1] == t.versions.get(view.base, 0) and any(kept[2] is b for b in t.builder._blocks):
        return kept[0]
    result = Var(view.base)
    if not all(map(is_full, view.index)):
        result = t.builder.load(view.base, view.index)
        element_extents(t, view.base, view.index, result)
    order = tuple(a for a in view.axes if a is not None)
    if order != tuple(range(spans)):
        result = t.emit("transpose", result, perm=order)
    for position, axis in enumerate(view.axes):
        if axis is None:
            result = t.emit("expand_dims", result, axis=position)
    if result.name != view.base:
        if view.hint:
            t.name(result, view.hint)
        t.loaded[view] = (result, t.versions.get(view.base, 0), t.builder.block)
    return result


def store_view(t: Translator, view: View, value, accumulate: bool = False) -> None:
    """Write `value` (it broadcasts) to what the view shows."""
    check_storable(t, view.base)
    spans = sum(isinstance(item, Span) for item in view.index)
    if view.axes != tuple(range(spans)) and t.ndim(value):
        value = t.emit("broadcast_to", value, *(axis_size(t, view, k) for k in range(len(view.axes))))
        new = tuple(k for k, a in enumerate(view.axes) if a is None)
        if new:
            value = t.emit("squeeze", value, axis=new)
        order = [a for a in view.axes if a is not None]
        perm = tuple(order.index(k) for k in range(spans))
        if perm != tuple(range(spans)):
            value = t.emit("transpose", value, perm=perm)
    store(t, view.base, view.index, value, accumulate)


def store(t: Translator, base: str, index, value, accumulate: bool = False) -> None:
    """Append a store; no earlier load of the array may be used after it."""
    twins = check_storable(t, base)
    if t.ndim(value) and not any(isinstance(item, Span) or t.ndim(item) for item in index):
        raise Refused(f"an array is assigned to an element of `{t.stems.get(base, base)}`", why="an element holds one number",
                      fix="assign to a row or a slice, or append the arrays to a list", code="SD0232")
    if is_complex(t.type_of(value)) and not is_complex(t.builder.types[base]):
        raise Refused(f"a complex number is stored in `{t.stems.get(base, base)}`, an array of "
                      f"{t.builder.types[base].dtype}", why="NumPy raises or drops the imaginary part",
                      fix="make the array complex: np.zeros(n, dtype=complex)", code="SD0245")
    value = _without_more_axes(t, base, index, value, accumulate)
    changed = {base, *(twin for twin, _ in twins)} if twins else ()
    value, *index = (_kept(t, item, changed) for item in (value, *index))
    _change(t, base, tuple(index), value, accumulate)
    for twin, held in twins:
        with t.builder.nested() as block:
            _change(t, twin, tuple(index), value, accumulate)
        t.builder.append(*block) if held == Const(True) else t.builder.branch(held, block)


def _kept(t, item, changed):
    """Return what several stores read as it is before the first of them."""
    return t.emit("copy", item) if isinstance(item, Var) and item.name in changed else item


def _change(t, base, index, value, accumulate):
    t.versions[base] = t.versions.get(base, 0) + 1
    t.builder.store(base, index, value, accumulate)
    if any(p.name == base for p in t.params) and base not in t.written:
        t.written.append(base)


def _without_more_axes(t, base, index, value, accumulate):
    """Return a value without the axes in front that the place has not: NumPy drops them where their extent is 1."""
    rank = t.builder.load_type(base, index).ndim
    more = t.ndim(value) - rank
    if more <= 0 or not rank:
        return value
    masked = any(isinstance(item, Var) and t.type_of(item).dtype == "bool" for item in index)
    if accumulate or masked:
        raise Refused("a value with more axes than the place that it is stored in",
                      python=TypeError if masked else ValueError, fix="reshape it first", code="SD0230")
    return t.emit("squeeze", value, axis=tuple(range(more)))


def check_storable(t: Translator, base: str) -> list:
    """Refuse a store that a lost alias, or a reshaped twin, would have to see; return the twins that see it (`mirrors`)."""
    twins = mirrors(t, base)
    for name in (base, *(twin for twin, _ in twins)):
        _check_memory(t, name)
    root = t.derived.get(base, base)
    if base not in t.derived and root not in t.derived.values():
        return twins
    for other, shown in t.roots_in_use():
        name = shown.name if isinstance(shown, Var) else shown.base
        if other == root and name != base:
            raise Refused(f"`{t.stems.get(base, base)}` is written while a reshaped view of the same memory is in use",
                          why="reshape, ravel and asarray may give a view or a copy",
                          fix="take a copy first: `.reshape(...).copy()`", code="SD0222")
    return twins


def _check_memory(t, base):
    """Refuse a store into memory that nobody may write."""
    called = t.stems.get(base, base)
    if base in t.read_only:
        raise Refused(f"`{called}` is written, which is a read-only view of another array", python=ValueError,
                      fix="take a copy first: `.copy()`", code="SD0222")
    if any(p.name == base and p.captured for p in t.params):
        raise Refused(f"the function writes into `{called}`, an array from outside of it",
                      why="a derivative call must not change global arrays",
                      fix="pass the array as an argument, or copy it first", code="SD0221")


# -- extents ------------------------------------------------------------------------------

def shape_of(t: Translator, value) -> tuple:
    if isinstance(value, View):
        return tuple(axis_size(t, value, k) for k in range(len(value.axes)))
    atom = as_atom(t, value)
    return tuple(t.size(atom, k) for k in range(t.ndim(atom)))


def axis_size(t: Translator, value, axis: int):
    """Return the extent of one axis of an array or a view."""
    if not isinstance(value, View):
        return t.size(value, axis)
    if value.axes[axis] is None:
        return Const(1)
    base_axis = [k for k, item in enumerate(value.index) if isinstance(item, Span)][value.axes[axis]]
    span = value.index[base_axis]
    if is_full(span) or span == Span(None, None, Const(-1)):
        return t.size(Var(value.base), base_axis)
    length = _span_length(t, value.base, base_axis, span)
    return length if length is not None else t.size(load_view(t, value), axis)


def _span_length(t, base, axis, span):
    """Return the length of a slice without a step whose start is not negative, else None."""
    start = Const(0) if span.start is None else span.start
    if span.step is not None or not t.is_nonnegative(start):
        return None
    n = t.size(Var(base), axis)
    if (known := span_extent(n, span)) is not None:
        return Const(known)
    stop = span.stop
    if stop is None:
        stop = n
    elif isinstance(stop, Const) and stop.value < 0:
        stop = t.emit("add", n, stop)
    elif t.is_nonnegative(stop):
        stop = t.emit("minimum", stop, n)
    else:
        return None
    if start != Const(0):
        stop = t.emit("subtract", stop, start)
    length = t.emit("maximum", stop, Const(0)) if isinstance(stop, Var) and stop != n else stop
    if isinstance(length, Var):
        t.nonnegative.add(length.name)
    return length


# -- indexing a view ------------------------------------------------------------------------

def compose(t: Translator, view: View, items) -> tuple[str, tuple, tuple] | None:
    """Return base, index and axes of ``view[items]``, or None where that is not exact.

    `items` has one atom or `Span` per axis of the view, and None for each new axis.
    """
    index, axes = list(view.index), []
    positions = [k for k, item in enumerate(index) if isinstance(item, Span)]
    remaining = iter(view.axes)
    for item in items:
        if item is None:
            axes.append(None)
            continue
        axis = next(remaining)
        if axis is None:
            if isinstance(item, Span):
                if not is_full(item):
                    return None
                axes.append(None)
            continue
        k = positions[axis]
        within = index[k]
        made = (_span_in_span(t, within, item) if isinstance(item, Span)
                else _integer_in_span(t, view.base, k, within, item))
        if made is None:
            return None
        index[k] = made
        if isinstance(item, Span):
            axes.append(k)
    left = [k for k, item in enumerate(index) if isinstance(item, Span)]
    return view.base, tuple(index), tuple(None if a is None else left.index(a) for a in axes)


def _integer_in_span(t, base, axis, span, j):
    if is_full(span):
        return j
    if not t.is_nonnegative(j):
        if isinstance(j, Const) and span.stop is None and span.step is None:
            return j
        return None
    if span == Span(None, None, Const(-1)):
        last = t.emit("subtract", t.size(Var(base), axis), Const(1))
        return t.emit("subtract", last, j) if j != Const(0) else Const(-1)
    start = Const(0) if span.start is None else span.start
    step = Const(1) if span.step is None else span.step
    if not t.is_nonnegative(start) or not (isinstance(step, Const) and step.value > 0):
        return None
    scaled = j if step == Const(1) else _integer(t, "multiply", j, step)
    return _integer(t, "add", scaled, start)


def _integer(t, op, a, b):
    """Return an integer sum or product of non-negative atoms, folded where both are known."""
    if isinstance(a, Const) and isinstance(b, Const):
        return Const(a.value + b.value if op == "add" else a.value * b.value)
    if op == "add" and Const(0) in (a, b):
        return b if a == Const(0) else a
    result = t.emit(op, a, b)
    t.nonnegative.add(result.name)
    return result


def _span_in_span(t, outer, inner):
    if is_full(outer):
        return inner
    if is_full(inner):
        return outer
    if outer.step is not None or inner.step is not None:
        return None
    start = Const(0) if outer.start is None else outer.start
    first = Const(0) if inner.start is None else inner.start
    if not (t.is_nonnegative(start) and t.is_nonnegative(first)):
        return None
    if inner.stop is None:
        return Span(_integer(t, "add", start, first), outer.stop)
    if outer.stop is None and isinstance(inner.stop, Const) and inner.stop.value < 0:
        return Span(_integer(t, "add", start, first), inner.stop)
    if outer.stop is None and t.is_nonnegative(inner.stop):
        return Span(_integer(t, "add", start, first), _integer(t, "add", start, inner.stop))
    return None
