"""Subscripts that are read: of arrays, tuples, lists and dicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from srcdiff.frontend.translate import growing, objects
from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.extents import element_extents
from srcdiff.frontend.translate.kinds import ARRAY, NUMPY, PYTHON, array_without_axes, kind_of, marked
from srcdiff.frontend.translate.values import (
    Dict,
    Grown,
    Known,
    ListView,
    Poison,
    Range,
    Ref,
    Refused,
    Slice,
    Tuple,
    View,
    is_atom,
)
from srcdiff.frontend.translate.views import as_atom, as_view, compose, given, load_view
from srcdiff.syntax import ALL, Array, Const, Scalar, Span

__all__ = ["load"]


def load(t: Translator, base, index):
    """Return ``base[index]``."""
    if isinstance(base, Poison):
        t.use_poison(base)
    base = given(t, base)
    if objects.is_object(base):
        return objects.call_method(t, base, "__getitem__", (index,), {})
    if isinstance(base, Ref):
        return _load_ref(t, base, index)
    if isinstance(base, ListView) and isinstance(index, Slice):
        return _new_list(t, load_array(t, base, index), base, False)
    if isinstance(base, Tuple | Dict):
        return _load_container(t, base, index, tuple)
    if isinstance(base, Range):
        return _load_range(t, base, index)
    if isinstance(base, Known):
        return _load_known(t, base, index)
    if isinstance(base, View) or is_atom(base):
        return load_array(t, base, index)
    raise Refused(f"{describe(base)} cannot be indexed", fix="index an array, a list, a tuple or a dict")


def _load_ref(t, base, index):
    contents = t.contents(base)
    made = _load_container(t, contents, index, base.kind)
    if isinstance(contents, Tuple | Dict | Grown):
        return made
    nested = base.key in t.nested
    if isinstance(index, Slice):
        return _new_list(t, made, contents, nested)
    return ListView(made.base, made.index, made.axes) if nested and isinstance(made, View) else made


def _new_list(t, part, source, nested):
    """Return a list with the items of a part of a list; rows stay the same objects."""
    items = t.emit("copy", as_atom(t, part))
    if t.ndim(items) > 1:
        t.derived[items.name] = t.root(source)
    made = t.allocate(items, list)
    if nested:
        t.nested.add(made.key)
    return made


def _load_container(t, contents, index, kind):
    if isinstance(contents, Dict):
        found = contents.get(key_of(t, index))
        if found is None:
            raise Refused(f"the dict has no key {key_of(t, index)!r}", python=KeyError,
                          fix="Python raises here, too: use a key that it has, or .get(key, default)")
        return found
    if isinstance(contents, Grown):
        return _load_grown(t, contents, index)
    if not isinstance(contents, Tuple):
        return load_array(t, contents, index)
    if isinstance(index, Slice):
        bounds = slice(*(None if b is None else need_static(t, b, "a slice of a tuple or list")
                         for b in (index.start, index.stop, index.step)))
        made = Tuple(contents.items[bounds])
        return t.allocate(made, list) if kind is list else made
    position = t.static_number(index)
    if position is None:
        made = as_atom(t, contents)
        if t.ndim(made) > 1:            # its rows are copies: they must not be written
            t.shared[made.name] = "a row of a list of lists"
        row = load_array(t, made, index)
        lists = isinstance(row, View) and all(isinstance(v, Ref) for v in contents.items)
        return ListView(row.base, row.index, row.axes) if lists else row
    try:
        return contents.items[int(position)]
    except IndexError:
        raise Refused(f"index {position} is out of range: there are {len(contents.items)} items",
                      fix="Python raises here, too: use an index that it has") from None


def _load_grown(t, contents, index):
    if not isinstance(index, Slice):
        return growing.item_checked(t, contents, index)
    whole = growing.elements(t, contents)
    if whole is None:
        parts = [t.emit("copy", as_atom(t, load_array(t, column, index))) for column in growing.kept(t, contents)]
        return t.allocate(replace(contents, buffers=tuple(parts), count=t.size(parts[0], 0)), list)
    items = t.emit("copy", as_atom(t, load_array(t, whole, index)))
    if t.ndim(items) > 1:
        t.shared[items.name] = growing.HELD
    return t.allocate(items, list)


def key_of(t, index):
    if isinstance(index, Known):
        return index.value
    if isinstance(index, Tuple):
        return tuple(key_of(t, i) for i in index.items)
    number = t.static_number(index)
    if number is None:
        raise Refused("the key of a dict must be known when the function is specialised",
                      fix="use a literal key")
    return number


def need_static(t, value, role: str) -> int:
    number = t.static_number(value)
    if number is None:
        raise Refused(f"{role} needs integers that are known when the function is specialised",
                      fix="use a literal, or an array in place of the tuple or list")
    return int(number)


def _load_range(t, base, index):
    from srcdiff.frontend.translate.numeric import arithmetic
    scaled = arithmetic(t, "Mult", as_atom(t, index), base.step)
    return arithmetic(t, "Add", base.start, scaled)


def _load_known(t, base, index):
    if isinstance(base.value, type):            # np.ndarray[...] and the like, in annotations
        return base
    if any(base.value is maker for maker in (np.r_, np.c_)):
        return _joined(t, base.value, index)
    key = key_of(t, index) if not isinstance(index, Slice) else slice(
        *(None if b is None else need_static(t, b, "this slice")
          for b in (index.start, index.stop, index.step)))
    try:
        found = base.value[key]
    except Exception as error:
        raise Refused(f"{describe(base)} cannot be indexed so: {error}", python=type(error), fix="Python raises here, too: use a key or an index that it has") from error
    return lift(t, found, base.origin and base.origin.item(key), str(key))


def _joined(t, maker, index):
    """Translate ``np.r_[...]`` and ``np.c_[...]``: arrays, numbers and ranges, put together."""
    from srcdiff.frontend.in_python import shapes
    from srcdiff.frontend.translate.library import in_python_call
    parts = index.items if isinstance(index, Tuple) and index.cls is None else (index,)
    if any(isinstance(part, Known) for part in parts):
        raise Refused("a text or None inside np.r_ or np.c_", fix="use np.concatenate or np.stack", code="SD0239")
    made = [_range_of(t, part) if isinstance(part, Slice) else part for part in parts]
    return in_python_call(t, shapes.joined_rows if maker is np.r_ else shapes.joined_columns, *made)


def _range_of(t, part):
    """Return the numbers that a slice means there: a range, or evenly spaced ones if the step is imaginary."""
    from srcdiff.frontend.translate.numpy_creation import arange, linspace
    step = Const(1) if part.step is None else part.step
    if isinstance(step, Const) and isinstance(step.value, complex):
        return linspace(t, part.start, part.stop, Const(int(abs(step.value))))
    return arange(t, Const(0) if part.start is None else part.start, part.stop, step)


# -- arrays ---------------------------------------------------------------------------

def items_of(t: Translator, index, ndim: int) -> list:
    """Return one item per axis (atoms, `Span`s) and None for each new axis."""
    if isinstance(index, Ref) or isinstance(index, Tuple) and index.cls is not None:
        index = as_atom(t, index)
    parts = list(index.items) if isinstance(index, Tuple) else [index]
    items, ellipsis, covered = [], None, 0
    for part in parts:
        if isinstance(part, Known) and part.value is Ellipsis:
            ellipsis = len(items)
            continue
        item = _item(t, part)
        items.append(item)
        if item is not None:
            mask = is_atom(item) and t.type_of(item).dtype == "bool"
            covered += t.ndim(item) if mask else 1
    if covered > ndim:
        raise Refused(f"{covered} indices for an array with {ndim} {'axis' if ndim == 1 else 'axes'}",
                      fix="index no more axes than the array has", code="SD0230")
    fill = [ALL] * (ndim - covered)
    ellipsis = len(items) if ellipsis is None else ellipsis
    return items[:ellipsis] + fill + items[ellipsis:]


def _item(t, part):
    if isinstance(part, Slice):
        return Span(*(None if b is None or isinstance(b, Known) and b.value is None else integer(t, b)
                      for b in (part.start, part.stop, part.step)))
    if isinstance(part, Known) and isinstance(part.value, slice):
        s = part.value
        return Span(*(None if b is None else Const(int(b)) for b in (s.start, s.stop, s.step)))
    if isinstance(part, Known) and part.value is None:
        return None
    atom = as_atom(t, part)
    type_ = t.type_of(atom)
    if isinstance(type_, Array) and (type_.dtype == "bool" or type_.dtype.startswith(("int", "uint"))):
        return atom
    return integer(t, atom)


def integer(t, value):
    atom = as_atom(t, value)
    type_ = t.type_of(atom)
    if not isinstance(type_, Scalar) or not type_.dtype.startswith(("int", "uint")):
        raise Refused(f"an index must be an integer, not {type_}", fix="convert it with int(...)",
                      code="SD0231")
    return atom


def is_fancy(t, items) -> bool:
    return any(is_atom(item) and t.ndim(item) for item in items)


def load_array(t, base, index):
    base = base if isinstance(base, View) else as_atom(t, base)
    ndim = len(base.axes) if isinstance(base, View) else t.ndim(base)
    if ndim == 0:
        return _load_scalar(t, base, index)
    array = has_ellipsis(index)             # with one, NumPy makes an array even of one element
    items = items_of(t, index, ndim)
    if is_fancy(t, items):
        return _load_fancy(t, base, items)
    made = compose(t, as_view(t, base), items)
    if made is None:
        value = load_view(t, base)
        t.derived[value.name] = t.root(base)
        made = compose(t, as_view(t, value), items)
    name, index, axes = made
    return View(name, index, axes) if axes or array else t.builder.load(name, index)


def has_ellipsis(index) -> bool:
    parts = index.items if isinstance(index, Tuple) and index.cls is None else (index,)
    return any(isinstance(part, Known) and part.value is Ellipsis for part in parts)


def _load_scalar(t, base, index):
    """Return ``x[()]``, ``x[...]`` or ``x[None]`` of a number or an array without axes."""
    from srcdiff.frontend.translate.numpy_shapes import of_number
    parts = index.items if isinstance(index, Tuple) and index.cls is None else (index,)
    fits = all(isinstance(part, Known) and (part.value is None or part.value is Ellipsis) for part in parts)
    if fits and (isinstance(base, View) or kind_of(t, base) != PYTHON):
        new = len(parts) - has_ellipsis(index)
        if isinstance(base, View):
            return View(base.base, base.index, (None,) * new) if parts else load_view(t, base)
        if new:
            return of_number(t, base, new)
        if not parts:
            return marked(t, t.emit("copy", base), NUMPY)
        return base if kind_of(t, base) & ARRAY else array_without_axes(t, base)
    if is_atom(index) and is_flag(t, index) and not kind_of(t, base) & PYTHON:
        return load_array(t, as_vector(t, base), as_vector(t, index))
    raise Refused("a number cannot be indexed", why=f"it is {t.type_of(base)} here",
                  fix="pass an array, or test the type first", code="SD0232", python=TypeError)


def is_flag(t, atom) -> bool:
    return not t.ndim(atom) and t.type_of(atom).dtype == "bool"


def as_vector(t, atom):
    """Return a new array of this one number."""
    return t.emit("array", atom, dtype=t.type_of(atom).dtype, shape=(1,))


def _load_fancy(t, base, items):
    new_axes = [k for k, item in enumerate(items) if item is None]
    items = [item for item in items if item is not None]
    name = load_view(t, base).name if isinstance(base, View) else base.name
    result = t.builder.load(name, tuple(items))
    element_extents(t, name, items, result)
    if new_axes:
        if sum(bool(is_atom(i)) for i in items) > 1 or t.ndim(result) != len(items):
            raise Refused("new axes together with several index arrays",
                          fix="add the new axis in a second step")
        for axis in new_axes:
            result = t.emit("expand_dims", result, axis=axis)
    return result


# -- stores -----------------------------------------------------------------------------
