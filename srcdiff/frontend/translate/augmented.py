"""Augmented assignment: `a += b` changes an array or a list in place, and rebinds the name of a number."""

from __future__ import annotations

import gast

from srcdiff.frontend.translate import indexing, objects
from srcdiff.frontend.translate.assignment import constant, named, prepare
from srcdiff.frontend.translate.attributes import attribute
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.expressions import evaluate, lookup
from srcdiff.frontend.translate.kinds import ARRAY, kind_of, set_cell
from srcdiff.frontend.translate.methods import extend
from srcdiff.frontend.translate.numeric import SPREADING, binary
from srcdiff.frontend.translate.storing import store_subscript
from srcdiff.frontend.translate.values import ListView, Poison, Ref, Refused, Slice, Tuple, View, is_atom
from srcdiff.frontend.translate.views import (
    as_atom,
    as_view,
    check_storable,
    given,
    load_view,
    spread,
    store_view,
)
from srcdiff.syntax import Array, Const, Var

__all__ = ["augmented"]


def augmented(t: Translator, node):
    kind = type(node.op).__name__
    if isinstance(node.target, gast.Name):
        _augmented_name(t, node, kind)
    elif isinstance(node.target, gast.Subscript):
        _augmented_subscript(t, node, kind)
    else:
        _augmented_attribute(t, node, kind)


def _value(t, node):
    """Return the value of an augmented assignment, which is done with it at once."""
    value = evaluate(t, node.value)
    t.forget_operands()
    return value


def _augmented_name(t, node, kind):
    name = node.target.id
    old = lookup(t, name)
    if isinstance(old, Poison):
        t.use_poison(old)
    old = given(t, old)
    value = spread(t, _value(t, node), old) if kind in SPREADING else _value(t, node)
    if _list_in_place(t, old, kind, value):
        return
    in_place = isinstance(old, View) or is_atom(old) and isinstance(t.type_of(old), Array)
    if in_place:
        if t.constant_depth:
            value = constant(t, value)
        _in_place(t, as_view(t, old), kind, value)
        return
    made = binary(t, kind, old, value)
    if is_atom(old) and is_atom(made) and not t.ndim(made) and kind_of(t, old) & ARRAY:
        _check_kind(t, t.type_of(old).dtype, made)
        set_cell(t, old, constant(t, made) if t.constant_depth else made)
        return
    t.bind(name, named(t, constant(t, made) if t.constant_depth else made, name))


def _list_in_place(t, old, kind, value) -> bool:
    """Translate ``items += more`` and ``items *= n`` of a list: all its names see it.  False for other values."""
    if isinstance(old, ListView) and kind in ("Add", "Mult"):
        raise Refused("a row of a list of lists changes its length", why="the rows are kept in one array",
                      fix="make the rows one after the other", code="SD0215")
    if not (isinstance(old, Ref) and old.kind is list):
        return False
    if kind == "Add":
        extend(t, old, value)
        return True
    made = binary(t, kind, old, value) if kind == "Mult" else None
    if not isinstance(made, Ref):
        return False
    t.check_changeable(old)
    t.state["heap", old.key] = t.contents(made)
    return True


def _in_place(t, view, kind, value):
    """Translate ``view <op>= value``: the memory changes, all its names see it."""
    check_storable(t, view.base)
    atom = as_atom(t, value)
    dtype = t.builder.types[view.base].dtype
    if kind in ("Add", "Sub") and dtype.startswith("float") and t.type_of(atom).dtype != "bool":
        _check_kind(t, dtype, atom)
        store_view(t, view, t.emit("negative", atom) if kind == "Sub" else atom, accumulate=True)
        return
    result = binary(t, kind, load_view(t, view), atom)
    _check_kind(t, dtype, result)
    if t.ndim(result) > len(view.axes):
        raise Refused("a value with more axes than the array that it changes in place", python=ValueError,
                      fix="reshape it first", code="SD0230")
    store_view(t, view, result)


def _check_kind(t, dtype, atom):
    import numpy as np
    if not np.can_cast(t.type_of(atom).dtype, dtype, "same_kind"):
        raise Refused(f"an array of {dtype} cannot take a result of {t.type_of(atom).dtype} in place",
                      why="NumPy raises a casting error here", fix="convert the array first with astype")


def _augmented_attribute(t, node, kind):
    owner = evaluate(t, node.target.value)
    old = attribute(t, owner, node.target.attr)
    value = _value(t, node)
    if _list_in_place(t, old, kind, value):
        return
    if isinstance(old, View) or is_atom(old) and isinstance(t.type_of(old), Array):
        _in_place(t, as_view(t, old), kind, value)
        return
    objects.set_attribute(t, owner, node.target.attr, binary(t, kind, old, value))


def _augmented_subscript(t, node, kind):
    prepare(t, node.target.value, Const(0.0))
    base = evaluate(t, node.target.value)
    index = evaluate(t, node.target.slice)
    if isinstance(base, Poison):
        t.use_poison(base)
    if _accumulates(t, base, index, kind):
        before = dict(t.versions)
        old = indexing.load(t, base, index)     # Python reads the element before it evaluates the value
        value = as_atom(t, _value(t, node))
        if is_atom(old) and t.versions != before:
            made = binary(t, kind, old, value)
            store_subscript(t, base, index, constant(t, made) if t.constant_depth else made)
            return
        if t.type_of(value).dtype != "bool":
            if t.constant_depth:
                value = constant(t, value)
            if kind == "Sub":
                value = t.emit("negative", value) if isinstance(value, Var) else Const(-value.value)
            store_subscript(t, base, index, value, accumulate=True)
            return
        old = indexing.load(t, base, index)
        store_subscript(t, base, index, binary(t, kind, old, value))
        return
    old = indexing.load(t, base, index)
    value = _value(t, node)
    if not isinstance(index, Slice) and _list_in_place(t, old, kind, value):
        return
    if isinstance(old, View) and old.base not in t.derived:
        _in_place(t, old, kind, value)
        return
    made = binary(t, kind, old, value)
    if isinstance(old, View):               # a part of what was loaded: it is written back
        _check_kind(t, t.builder.types[old.base].dtype, made)
    store_subscript(t, base, index, constant(t, made) if t.constant_depth else made)


def _accumulates(t, base, index, kind) -> bool:
    """Tell whether ``base[index] <op>= v`` is an accumulating store: basic index, float array, + or -."""
    if isinstance(base, Ref | ListView) and isinstance(index, Slice):
        return False                        # a part of a list is a new list
    if isinstance(base, Ref):
        base = t.contents(base)
    if not (isinstance(base, View) or isinstance(base, Var)) or kind not in ("Add", "Sub"):
        return False
    name = base.base if isinstance(base, View) else base.name
    if not t.builder.types[name].dtype.startswith("float"):
        return False
    parts = index.items if isinstance(index, Tuple) and index.cls is None else (index,)
    if any(isinstance(p, Ref | Tuple) for p in parts):
        return False
    return not any(is_atom(p) and isinstance(t.type_of(p), Array) or isinstance(p, View) for p in parts)
