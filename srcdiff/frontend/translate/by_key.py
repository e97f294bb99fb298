"""`max`, `min` and `sorted` with a key: what is compared is the key, what is returned are the items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from srcdiff.frontend.translate.context import describe
from srcdiff.frontend.translate.growing import kept
from srcdiff.frontend.translate.iteration import static_items
from srcdiff.frontend.translate.library import argsort, in_python_call
from srcdiff.frontend.translate.values import Grown, Known, Range, Ref, Refused, Tuple, View, is_atom
from srcdiff.frontend.translate.views import array_of, as_atom
from srcdiff.syntax import ALL, Const, Scalar

__all__ = ["extreme_by", "in_order", "order_by"]


# -- in Python -------------------------------------------------------------------------

def greatest_by(items, key):
    if len(items) == 0:
        raise ValueError("max() arg is an empty sequence")
    best = items[0]
    top = key(best)
    for item in items[1:]:
        found = key(item)
        if found > top:
            best, top = item, found
    return best


def least_by(items, key):
    if len(items) == 0:
        raise ValueError("min() arg is an empty sequence")
    best = items[0]
    top = key(best)
    for item in items[1:]:
        found = key(item)
        if found < top:
            best, top = item, found
    return best


def keys_of(items, key):
    return np.array([key(item) for item in items])


# -- their calls ------------------------------------------------------------------------

def extreme_by(t, python, value, key):
    """Translate ``max(value, key=key)`` or `min`: the first of the items whose key is the extreme one."""
    return in_python_call(t, {max: greatest_by, min: least_by}[python], sequence(t, value), key)


def sequence(t, value):
    """Return an iterable as something that has a length and items."""
    from srcdiff.frontend.translate.builtin_containers import list_
    if isinstance(value, Range):
        return array_of(t, value)
    return value if is_atom(value) or isinstance(value, View | Tuple) else list_(t, value)


def order_by(t, value, key, backwards: bool):
    """Return the items of ``sorted(value, key=key)``, as a list holds them; equal keys keep their order."""
    from srcdiff.frontend.translate.calls import call
    items = static_items(t, value)
    if items is None:
        held = sequence(t, value)
        return taken(t, held, _order(t, in_python_call(t, keys_of, held, key), backwards))
    keys = [call(t, key, (item,), {}) for item in items]
    if all(isinstance(k, Const | Known) for k in keys):
        places = sorted(range(len(items)), key=lambda i: keys[i].value, reverse=backwards)
        return Tuple(tuple(items[i] for i in places))
    order = _order(t, array_of(t, Tuple(tuple(as_atom(t, k) for k in keys))), backwards)
    return _rows(t, items, [array_of(t, Tuple(tuple(column))) for column in _columns(t, items)], order)


def in_order(t, value, items, backwards: bool):
    """Return the items of ``sorted(value)``, tuples of numbers: the first numbers that differ decide.

    The sorts are stable: by the last number first, by the first one last.
    """
    if items is None:
        held = sequence(t, value)
        grown = t.contents(held) if isinstance(held, Ref) else None
        if isinstance(grown, Tuple):
            return in_order(t, held, grown.items, backwards)
        if not isinstance(grown, Grown) or any(t.ndim(buffer) > 1 for buffer in grown.buffers):
            raise Refused("sorting this iterable, whose length only run time knows",
                          fix="sort numbers, or tuples of numbers")
        columns = kept(t, grown)
        return taken(t, held, _lexicographic(t, columns, backwards))
    columns = [array_of(t, Tuple(tuple(column))) for column in _columns(t, items)]
    return _rows(t, items, columns, _lexicographic(t, columns, backwards)) if columns else Tuple(())


def _lexicographic(t, columns, backwards: bool):
    """Return the stable order of the rows of several arrays."""
    order = _order(t, columns[-1], backwards)
    for column in reversed(columns[:-1]):
        then = _order(t, t.builder.load(column.name, (order,)), backwards)
        order = t.builder.load(order.name, (then,))
    return order


def taken(t, held, order):
    """Return the items of a list or an array at these places, as a list holds them."""
    contents = t.contents(held) if isinstance(held, Ref) else held
    if not isinstance(contents, Grown):
        return t.builder.load(as_atom(t, held).name, (order,))
    buffers = (t.builder.load(buffer.name, (order, *[ALL] * (t.ndim(buffer) - 1))) for buffer in contents.buffers)
    return replace(contents, buffers=tuple(buffers))


def _rows(t, items, columns, order) -> Tuple:
    """Return known items in an order: numbers, or tuples whose parts stand in columns."""
    columns = [t.builder.load(column.name, (order,)) for column in columns]
    rows = [tuple(t.builder.load(column.name, (Const(k),)) for column in columns) for k in range(len(items))]
    if is_atom(items[0]):
        return Tuple(tuple(row[0] for row in rows))
    return Tuple(tuple(Tuple(row, item.cls) for row, item in zip(rows, items, strict=True)))


def _order(t, keys, backwards):
    if backwards:
        keys = t.emit("negative", t.cast(keys, "int64") if t.type_of(keys).dtype == "bool" else keys)
    return argsort(t, keys)


def _columns(t, items):
    """Return the items, or the parts of items that are tuples, each as a list of numbers of one type."""
    rows = [(item,) if is_atom(item) else item.items if isinstance(item, Tuple) else None for item in items]
    if None in rows or len({len(row) for row in rows}) > 1:
        kinds = " and ".join(dict.fromkeys("a number" if is_atom(item) else describe(item) for item in items))
        raise Refused(f"sorting {kinds} by run-time keys", why="an item of one kind must do at every place",
                      fix="sort numbers, or tuples of numbers that are equally long")
    for column in zip(*rows, strict=True):
        types = [t.type_of(v) if is_atom(v) else None for v in column]
        if not all(isinstance(x, Scalar) and x.dtype == types[0].dtype for x in types):
            raise Refused("sorting items of several types by run-time keys",
                          fix="sort numbers, or tuples of numbers of one type")
        yield list(column)
