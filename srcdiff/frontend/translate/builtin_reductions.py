"""Built-in functions that make one value of many: `min`, `max`, `sum`, `any`, `all` and their like."""

from __future__ import annotations

import functools
import math

from srcdiff.frontend.translate.iteration import items_of, static_items
from srcdiff.frontend.translate.kinds import NUMPY, PYTHON, combined, marked
from srcdiff.frontend.translate.numeric import binary, logical, truth_atom
from srcdiff.frontend.translate.numpy_arguments import none
from srcdiff.frontend.translate.values import (
    Dict,
    Generator,
    Intrinsic,
    Mapped,
    Once,
    Ref,
    Refused,
    Tuple,
    View,
    is_atom,
)
from srcdiff.frontend.translate.views import as_atom
from srcdiff.syntax import Array, Const

__all__ = ["array_in", "extreme", "prod", "quantified", "reduce_", "sum_"]


def extreme(op, python, reduction):
    """`min` and `max`: of several numbers, of a sequence, of a generator."""
    def pair(t, a, b):
        a, b = as_atom(t, a), as_atom(t, b)
        if isinstance(a, Const) and isinstance(b, Const):
            return Const(python(a.value, b.value))
        if t.ndim(a) or t.ndim(b):
            raise Refused(f"`{python.__name__}` of whole arrays", fix=f"use np.{op}", code="SD0234")
        made = marked(t, t.emit(op, a, b), combined(t, (a, b)))
        nonneg = t.is_nonnegative(a) and t.is_nonnegative(b) or op == "maximum" and (
            t.is_nonnegative(a) or t.is_nonnegative(b))
        if nonneg and t.type_of(made).dtype == "int64":
            t.nonnegative.add(made.name)
        return made

    def handler(t, *values, key=None, default=None):
        if key is not None and not none(key):
            return by_key(t, values, key, default)
        if len(values) == 1:
            (value,) = values
            value = array_in(t, value)
            if is_atom(value) or isinstance(value, View):
                atom = as_atom(t, value)
                if t.ndim(atom) != 1:
                    raise Refused(f"`{python.__name__}` of an array of rows", fix=f"use np.{python.__name__}")
                return t.emit(reduction, atom, axis=(0,))
            values = static_items(t, value)
            if values is None:
                return running(t, value, default)
        if not values:
            if default is not None:
                return default
            raise Refused(f"`{python.__name__}` of nothing", fix="give a value for this case: default=...")
        return functools.reduce(lambda a, b: pair(t, a, b), values[1:], as_atom(t, values[0]))

    def by_key(t, values, key, default):
        from srcdiff.frontend.translate.by_key import extreme_by
        value = Tuple(values) if len(values) > 1 else values[0]
        if default is not None and static_items(t, value) is None:
            raise Refused(f"`{python.__name__}` with a key and a default, of an iterable whose length only run time knows",
                          fix="test the length first")
        return default if default is not None and not static_items(t, value) else extreme_by(t, python, value, key)

    def running(t, value, default):
        from srcdiff.frontend.translate.comprehensions import fold
        if not isinstance(value, Generator):
            raise Refused(f"`{python.__name__}` of this iterable", fix="use a loop")
        start = Const(math.inf if op == "minimum" else -math.inf)
        return fold(t, value.node, value.frame, Intrinsic(pair), start)
    return handler


def sum_(t, value, start=Const(0)):
    value = array_in(t, value)
    if is_atom(value) or isinstance(value, View):
        atom = as_atom(t, value)
        total = marked(t, t.emit("sum", atom, axis=(0,)), PYTHON | NUMPY)       # of nothing, it is Python's 0
        return total if start == Const(0) else binary(t, "Add", start, total)
    items = static_items(t, value)
    if items is not None:
        total = start
        for item in items:
            if isinstance(item, Tuple | Ref):
                total = binary(t, "Add", total, item)
            else:
                total = _first(t, item) if total == Const(0) else binary(t, "Add", total, item)
        return total
    return _accumulated(t, value, start, "Add")


def _first(t, item):
    """Return ``0 + item`` without the addition where nothing can tell."""
    atom = as_atom(t, item)
    if isinstance(atom, Const) or t.type_of(atom).dtype == "bool":
        return binary(t, "Add", Const(0), atom)
    return t.emit("copy", atom) if t.ndim(atom) else atom


def _accumulated(t, value, start, kind):
    from srcdiff.frontend.translate.comprehensions import accumulate, accumulate_arrays, element_type
    if isinstance(value, Generator):
        type_ = element_type(t, value.node, value.frame) if kind == "Add" and start == Const(0) else None
        if isinstance(type_, Array):
            return accumulate_arrays(t, value.node, value.frame, type_)
        return accumulate(t, value.node, value.frame, start, kind)
    if isinstance(value, Mapped):
        from srcdiff.frontend.translate.comprehensions import accumulate_items
        return accumulate_items(t, value, start, kind)
    raise Refused("this iterable cannot be added up", fix="use a loop")


def prod(t, value, start=Const(1)):
    value = array_in(t, value)
    if is_atom(value) or isinstance(value, View):
        return t.emit("prod", as_atom(t, value), axis=(0,))
    items = static_items(t, value)
    if items is not None:
        return functools.reduce(lambda a, b: binary(t, "Mult", a, b), items, start)
    return _accumulated(t, value, start, "Mult")


def array_in(t, value):
    """Return the array behind a list that is kept as one, or that an iterator goes through."""
    if isinstance(value, Once):
        value = value.iterable
    if isinstance(value, Ref) and not isinstance(t.contents(value), Tuple | Dict):
        return as_atom(t, t.contents(value))
    return value


def quantified(kind, start):
    """`any` and `all` of a sequence or a generator."""
    def handler(t, value):
        value = array_in(t, value)
        if is_atom(value) or isinstance(value, View):
            return t.emit("any" if kind == "or" else "all", as_atom(t, value), axis=(0,))
        items = static_items(t, value)
        if items is not None:
            return functools.reduce(lambda a, b: logical(t, kind, a, truth_atom(t, b)), items, Const(start))
        from srcdiff.frontend.translate.comprehensions import fold
        if isinstance(value, Generator):
            combine = Intrinsic(lambda t, a, b: logical(t, kind, a, truth_atom(t, b)))
            return fold(t, value.node, value.frame, combine, Const(start))
        raise Refused("this iterable cannot be tested", fix="use a loop")
    return handler


def reduce_(t, function, iterable, start=None):
    from srcdiff.frontend.translate.calls import call
    items = list(items_of(t, iterable))
    total = items.pop(0) if start is None else start
    for item in items:
        total = call(t, function, (total, item), {})
    return total
