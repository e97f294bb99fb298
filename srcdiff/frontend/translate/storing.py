"""Subscripts that are assigned to: arrays, views of arrays, lists and dicts."""

from __future__ import annotations

import numpy as np

from srcdiff.assemble import require_equal
from srcdiff.frontend.translate import growing, objects
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.indexing import (
    as_vector,
    has_ellipsis,
    is_fancy,
    is_flag,
    items_of,
    key_of,
    load,
    load_array,
)
from srcdiff.frontend.translate.kinds import ARRAY, kind_of, require_not_among, set_cell
from srcdiff.frontend.translate.overlaps import check_order
from srcdiff.frontend.translate.values import (
    Dict,
    Grown,
    Known,
    ListView,
    Poison,
    Ref,
    Refused,
    Slice,
    Tuple,
    View,
    is_atom,
)
from srcdiff.frontend.translate.views import (
    as_atom,
    as_view,
    check_storable,
    compose,
    given,
    load_view,
    shape_of,
    store,
    store_view,
)
from srcdiff.syntax import Const, Var

__all__ = ["add_at", "change", "into", "prepare_rows", "store_subscript"]


def prepare_rows(t: Translator, base, index, value) -> None:
    """Keep a list of lists as an array before an element of one of its rows is assigned."""
    if not isinstance(base, Ref) or not isinstance(t.contents(base), Tuple):
        return
    contents = t.contents(base)
    if t.static_number(index) is not None or not all(isinstance(v, Ref) for v in contents.items):
        return
    for row in contents.items:
        holders = [p for p, v in t.state.items() if v == row or isinstance(v, Tuple) and row in v.items]
        if len(holders) > 1 or sum(v == row for v in contents.items) > 1:
            raise Refused("a row of a list of lists has two names, and is written by a run-time index",
                          fix="use an array", code="SD0220")
    t.state["heap", base.key] = _list_as_array(t, contents, value)
    t.nested.add(base.key)


def store_subscript(t: Translator, base, index, value, accumulate: bool = False) -> None:
    """Translate ``base[index] = value``, or ``+=`` for a basic index of an array."""
    if isinstance(base, Poison):
        t.use_poison(base)
    base = given(t, base)
    if objects.is_object(base):
        if accumulate:
            from srcdiff.frontend.translate.numeric import binary
            value = binary(t, "Add", load(t, base, index), value)
        objects.call_method(t, base, "__setitem__", (index, value), {})
        return
    if isinstance(base, Ref):
        contents = t.contents(base)
        if isinstance(contents, Dict):
            items = dict(contents.items)
            items[key_of(t, index)] = value
            t.state["heap", base.key] = Dict(tuple(items.items()))
            return
        t.check_changeable(base)
        if isinstance(index, Slice):
            _store_slice(t, base, index, value)
            return
        if isinstance(contents, Grown):
            if accumulate:
                from srcdiff.frontend.translate.numeric import binary
                value = binary(t, "Add", load(t, base, index), value)
            growing.store_item(t, base, index, value)
            return
        if isinstance(contents, Tuple):
            position = t.static_number(index)
            if position is not None:
                items = list(contents.items)
                items[int(position)] = value
                t.state["heap", base.key] = Tuple(tuple(items))
                return
            # A run-time position: from here on the list is kept as an array.
            contents = t.state["heap", base.key] = _list_as_array(t, contents, value)
        base = contents
    if isinstance(base, ListView) and isinstance(index, Slice):
        _store_as_long(t, base, index, value)
        return
    if isinstance(base, Tuple | Known) or not (isinstance(base, View) or is_atom(base)):
        raise Refused(f"{describe(base)} cannot be assigned to by index",
                      fix="assign to items of an array, a list or a dict")
    _store_array(t, base, index, value, accumulate)


def into(t: Translator, out, made, exact: bool = True):
    """Store what a NumPy function gives into its `out=` argument, and return that; `exact` wants one of its shape."""
    value, extents = as_atom(t, made), shape_of(t, out)
    if t.ndim(value) > len(extents) or exact and t.ndim(value) < len(extents):
        raise Refused(f"`out=` has {len(extents)} axes, and the result {t.ndim(value)}", python=ValueError,
                      fix="give an array of its shape", code="SD0230")
    dtypes = [t.type_of(as_atom(t, v)).dtype for v in (value, out)]
    if not np.can_cast(*dtypes, "same_kind"):
        raise Refused(f"`out=` is an array of {dtypes[1]}, and the result one of {dtypes[0]}", python=TypeError,
                      fix="give an array of its dtype", code="SD0230")
    for k, extent in enumerate(extents if exact else ()):
        require_equal(t.builder, t.size(value, k), extent, "[SD0340] `out=` has not the shape of the result")
    if not extents and isinstance(out, Var):
        require_not_among(t, out, t.operands[:t.first_operand])
    place = ("out", t.key())
    t.state[place] = out                # an array without axes is another number afterwards
    store_subscript(t, out, Known(Ellipsis), value)
    return t.state.pop(place)


def _store_slice(t, base, index, value):
    """Translate ``items[start:stop:step] = value`` for a list, which may change its length."""
    from srcdiff.frontend.translate.iteration import static_items
    contents, given = t.contents(base), static_items(t, value)
    bounds = [None if b is None else t.static_number(b) for b in (index.start, index.stop, index.step)]
    known = all(b is None or n is not None
                for b, n in zip((index.start, index.stop, index.step), bounds, strict=True))
    if isinstance(contents, Tuple) and given is not None and known:
        items = list(contents.items)
        try:
            items[slice(*bounds)] = given
        except ValueError as error:
            raise Refused(str(error), python=ValueError,
                          fix="Python raises here, too: assign as many items as the slice has") from error
        t.state["heap", base.key] = Tuple(tuple(items))
        return
    if isinstance(contents, Grown):
        raise Refused("a slice of a list whose length only run time knows is assigned",
                      fix="assign item by item, or use an array", code="SD0215")
    if isinstance(contents, Tuple):
        contents = t.state["heap", base.key] = _list_as_array(t, contents, value)
    _store_as_long(t, contents, index, value)


def _store_as_long(t, base, index, value):
    """Store into a slice of a list that is kept as an array; raise where the list would change its length."""
    value = as_atom(t, value)
    if not t.ndim(value):
        raise Refused("a number is assigned to a slice of a list", fix="assign a list", python=TypeError)
    part = as_atom(t, load_array(t, base, index))
    other = t.emit("not_equal", t.size(part, 0), t.size(value, 0))
    with t.builder.nested() as body:
        t.builder.fail("ValueError", "[SD0356] this slice assignment changes the length of a list")
    t.builder.branch(other, body)
    _store_array(t, base, index, value, False)


def _list_as_array(t, contents, value):
    """Return a new array for a list of numbers that is to hold `value` too."""
    atom = as_atom(t, contents)
    if t.type_of(as_atom(t, value)).dtype == "float64":
        return t.cast(atom, "float64")
    return atom


def _store_number(t, base, index, value, accumulate):
    """Store into an array without axes: ``x[...] = value``, ``x[condition] = value``."""
    if isinstance(base, View) and not t.ndim(value) and (has_ellipsis(index) or index == Tuple(())):
        store_view(t, base, value, accumulate)
        return
    base = as_atom(t, base)
    whole = isinstance(index, Known) and index.value is Ellipsis or index == Tuple(())
    masked = is_atom(index) and is_flag(t, index)
    held = kind_of(t, base) & ARRAY
    if held and masked and t.ndim(value) == 1:          # as many elements as the flag lets through: one, or none
        cell, mask = as_vector(t, base), as_vector(t, index)
        t.builder.store(cell.name, (mask,), value, accumulate)
        set_cell(t, base, t.builder.load(cell.name, (Const(0),)))
        return
    if not (held and (whole or masked)) or t.ndim(value):
        raise Refused("an element of a number is assigned", why=f"it is {t.type_of(base)} here",
                      fix="pass an array", code="SD0232")
    new = t.emit("add", base, value) if accumulate else value
    set_cell(t, base, new if whole else t.emit("where", index, new, base))


def _store_array(t, base, index, value, accumulate):
    given, value = value, as_atom(t, value)
    base = base if isinstance(base, View) else as_atom(t, base)
    ndim = len(base.axes) if isinstance(base, View) else t.ndim(base)
    if ndim == 0:
        _store_number(t, base, index, value, accumulate)
        return
    items = items_of(t, index, ndim)
    view = as_view(t, base)
    if is_fancy(t, items):
        _store_fancy(t, view, items, value, accumulate)
        return
    made = compose(t, view, items)
    check_order(t, view if made is None else View(*made), given)
    if made is not None:
        store_view(t, View(*made), value, accumulate)
        return
    check_storable(t, view.base)
    whole = load_view(t, view)
    part = t.emit("copy", whole)
    store_view(t, View(*compose(t, as_view(t, part), items)), value, accumulate)
    store_view(t, view, part)


def _store_fancy(t, view, items, value, accumulate):
    if accumulate:
        raise AssertionError("augmented fancy stores are read, changed and written")
    if any(item is None for item in items):
        raise Refused("a store with a new axis and an index array", fix="leave the new axis out")
    change(t, view, lambda name: store(t, name, tuple(items), value))


def change(t: Translator, view: View, write) -> None:
    """Let ``write(name)`` store into the array that a view shows, or into a copy that is written back."""
    if view == t.full_view(view.base):
        write(view.base)
        return
    check_storable(t, view.base)
    part = t.emit("copy", load_view(t, view))
    write(part.name)
    store_view(t, view, part)


def add_at(t: Translator, base, index, value) -> None:
    """Translate ``np.add.at``: repeated indices add up."""
    value, base = as_atom(t, value), base if isinstance(base, View) else as_atom(t, base)
    if t.constant_depth and isinstance(value, Var):
        value = t.emit("stop_gradient", value)
    if not isinstance(base, View) and not t.ndim(base):
        raise Refused("np.add.at needs an array to add to", code="SD0232",
                      fix="pass an array as the first argument")
    items = items_of(t, index, len(base.axes) if isinstance(base, View) else t.ndim(base))
    if None in items:
        raise Refused("np.add.at with a new axis", fix="leave the new axis out")
    change(t, as_view(t, base), lambda name: store(t, name, tuple(items), value, accumulate=True))
