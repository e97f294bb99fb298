"""Comparisons, `is` and `in`, of numbers, arrays, sequences and what is known when the function is specialised."""

from __future__ import annotations

import operator

import numpy as np

from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.kinds import PYTHON, kind_of
from srcdiff.frontend.translate.numeric import is_known, logical, on_known, truth_atom, unary
from srcdiff.frontend.translate.sequences import is_sequence, sequence_items
from srcdiff.frontend.translate.values import (
    Dict,
    Known,
    MaybeNone,
    Poison,
    Ref,
    Refused,
    Tuple,
    is_atom,
    is_none,
)
from srcdiff.frontend.translate.views import as_atom, given
from srcdiff.syntax import Const, Var

__all__ = ["COMPARE", "compare"]

COMPARE = {
    "Lt": ("less", operator.lt), "LtE": ("less_equal", operator.le), "Gt": ("greater", operator.gt),
    "GtE": ("greater_equal", operator.ge), "Eq": ("equal", operator.eq), "NotEq": ("not_equal", operator.ne),
}


def compare(t: Translator, kind: str, a, b):
    """Translate one comparison; the result is a Const or a Var of booleans."""
    for v in (a, b):
        if isinstance(v, Poison):
            t.use_poison(v)
    for maybe, other in ((a, b), (b, a)):
        number = isinstance(maybe, MaybeNone) and is_atom(maybe.value) and not t.ndim(maybe.value)
        if isinstance(maybe, MaybeNone) and is_none(other) and (kind in ("Is", "IsNot") or number and kind in ("Eq", "NotEq")):
            return maybe.flag if kind in ("IsNot", "NotEq") else unary(t, "Not", maybe.flag)
    a, b = given(t, a), given(t, b)
    if kind in ("Is", "IsNot"):
        found = _identical(t, a, b)
        return found if kind == "Is" else unary(t, "Not", found)
    if kind in ("In", "NotIn"):
        found = _contains(t, b, a)
        return found if kind == "In" else unary(t, "Not", found)
    op, python = COMPARE[kind]
    if is_known(a) and is_known(b):
        return Const(bool(on_known(python, a.value, b.value)))
    if isinstance(a, Known) != isinstance(b, Known) and kind in ("Eq", "NotEq"):
        known = a if isinstance(a, Known) else b
        if known.value is None or isinstance(known.value, str | type | np.dtype):
            return Const(kind == "NotEq")
    if is_sequence(a) or is_sequence(b):
        found = _sequences_compared(t, kind, a, b)
        if found is not None:
            return found
    return t.emit(op, as_atom(t, a), as_atom(t, b))


def _sequences_compared(t, kind, a, b):
    """Compare lists and tuples as Python does; None where NumPy takes one as an array."""
    if is_sequence(a) and is_sequence(b):
        if isinstance(a, Tuple) != isinstance(b, Tuple) and kind in ("Eq", "NotEq"):
            return Const(kind == "NotEq")           # a list and a tuple
        a_items, b_items = sequence_items(t, a), sequence_items(t, b)
        if a_items is None or b_items is None:
            raise Refused("lists whose length only run time knows are compared",
                          fix="make them arrays, and use np.array_equal or .all()", code="SD0215")
        return _compare_sequences(t, kind, a_items, b_items)
    other = as_atom(t, b if is_sequence(a) else a)
    if not t.ndim(other):
        raise Refused("a list or a tuple is compared with a number", why="a Python number is not equal to it, "
                      "a NumPy number is compared with each item", fix="compare an item", code="SD0215")
    return None


def _identical(t, a, b):
    """Translate ``a is b``: known, or whether a Python bool that only run time knows is True."""
    if isinstance(a, Known) and isinstance(b, Known):
        return Const(a.value is b.value)
    if isinstance(a, Known) or isinstance(b, Known):
        return Const(False)
    if is_atom(a) and is_atom(b) and t.ndim(a) == t.ndim(b) == 0:
        return _identical_numbers(t, a, b)
    if isinstance(a, Const) or isinstance(b, Const):
        return Const(False)
    if a == b and (isinstance(a, Ref) or is_atom(a)):
        return Const(True)
    if is_atom(a) and is_atom(b) and t.root(a) != t.root(b):
        return Const(False)
    return _unknown_identity()


def _identical_numbers(t, a, b):
    types = t.type_of(a).dtype, t.type_of(b).dtype
    if types[0] != types[1] or isinstance(a, Const) and isinstance(b, Const) and a != b:
        return Const(False)
    if types[0] == "bool" and all(kind_of(t, v) == PYTHON for v in (a, b)):
        return a if b == Const(True) else t.emit("equal", a, b) if a != b else Const(True)
    if isinstance(a, Const) and isinstance(a.value, int) and a == b:
        return Const(True)              # CPython keeps one object for a literal
    if not (kind_of(t, a) & kind_of(t, b)):
        return Const(False)
    if all(isinstance(v, Var) and v.name in t.cells for v in (a, b)):
        return Const(a == b)
    return _unknown_identity()


def _unknown_identity():
    raise Refused("whether two values are the same object is not known here", fix="compare with ==")


def _compare_sequences(t, kind, a, b):
    if kind not in ("Eq", "NotEq"):
        raise Refused("tuples are compared by order", fix="compare their items")
    result = Const(len(a) == len(b))
    for x, y in zip(a, b, strict=True) if len(a) == len(b) else ():
        result = logical(t, "and", result, truth_atom(t, compare(t, "Eq", x, y)))
    return result if kind == "Eq" else unary(t, "Not", result)


def _contains(t, container, item):
    if isinstance(container, Ref):
        container = t.contents(container)
    if isinstance(container, Known) and (is_known(item)):
        return Const(bool(on_known(operator.contains, container.value, item.value)))
    if isinstance(container, Dict):
        return Const(any(k == getattr(item, "value", item) for k, _ in container.items))
    if isinstance(container, Tuple):
        result = Const(False)
        for other in container.items:
            result = logical(t, "or", result, truth_atom(t, compare(t, "Eq", item, other)))
        return result
    if isinstance(container, Known):
        found = lift(t, tuple(container.value))
        return _contains(t, found, item)
    return t.emit("any", t.emit("equal", as_atom(t, container), as_atom(t, item)), axis=tuple(
        range(t.ndim(as_atom(t, container)))))
