"""`+` and `*` of tuples and lists."""

from __future__ import annotations

import numpy as np

from srcdiff.frontend.translate.values import ListView, Ref, Refused, Tuple, View, is_atom
from srcdiff.frontend.translate.views import as_atom
from srcdiff.syntax import Scalar

__all__ = ["has_unknown_length", "is_sequence", "sequence_items", "sequence_operation"]


def sequence_operation(t, kind, a, b):
    """Translate `+` and `*` of tuples and lists; None if it is neither."""
    if kind in ("Add", "Mult") and (has_unknown_length(t, a) or has_unknown_length(t, b)):
        return _joined(t, kind, a, b)
    a_items, b_items = sequence_items(t, a), sequence_items(t, b)
    kinds = {v.kind if isinstance(v, Ref) else tuple
             for v, items in ((a, a_items), (b, b_items)) if items is not None}
    made = None
    if kind == "Add" and a_items is not None and b_items is not None:
        made = a_items + b_items
    elif kind == "Mult" and (a_items is not None) != (b_items is not None):
        items, times = (a_items, b) if a_items is not None else (b_items, a)
        count = t.static_number(times)
        if count is not None and isinstance(count, int | np.integer):
            made = items * int(count)
        elif is_atom(times) and isinstance(t.type_of(times), Scalar) and t.type_of(times).dtype == "int64":
            return _repeated(t, items, times)
    if made is None:
        return None
    return t.allocate(Tuple(made), list) if list in kinds else Tuple(made)


def has_unknown_length(t, value) -> bool:
    """Tell whether a value is a list whose length only run time knows."""
    return isinstance(value, ListView) or (isinstance(value, Ref) and value.kind is list
                                           and not isinstance(t.contents(value), Tuple))


def is_sequence(value) -> bool:
    """Tell whether a value is a list or a tuple in Python."""
    return isinstance(value, ListView | Tuple) or isinstance(value, Ref) and value.kind is list


def _joined(t, kind, a, b):
    """Translate ``a + b`` of lists of which one has a length that only run time knows."""
    from srcdiff.frontend.translate.methods import copy_of, extend
    a, b = (t.allocate(t.emit("copy", as_atom(t, v)), list) if isinstance(v, ListView) else v for v in (a, b))
    if not (isinstance(a, Ref) and isinstance(b, Ref) and a.kind is b.kind is list):
        array = b if has_unknown_length(t, a) else a
        if isinstance(array, View) or is_atom(array) and t.ndim(array):
            return None                 # NumPy takes the list as an array
        raise Refused("a list whose length only run time knows is an operand",
                      fix="make it an array with np.array", code="SD0215")
    if kind != "Add":
        raise Refused("lists are multiplied", fix="make them arrays with np.array")
    made = copy_of(t, a)
    extend(t, made, b)
    return made


def _repeated(t, items, times):
    """Translate ``[value] * n`` with a run-time n: the list is kept as an array."""
    if len(items) != 1:
        raise Refused("a list of several items is repeated a number of times that only run time knows",
                      fix="use np.tile or a loop")
    value = as_atom(t, items[0])
    if t.ndim(value):
        raise Refused("a list of arrays is repeated a number of times that only run time knows",
                      why="all items would be the same array", fix="use np.zeros((n, ...))")
    return t.allocate(t.emit("full", value, times, dtype=t.type_of(value).dtype), list)


def sequence_items(t, value):
    if isinstance(value, Ref):
        value = t.contents(value)
    return value.items if isinstance(value, Tuple) else None
