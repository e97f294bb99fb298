"""Assignment to names, subscripts, attributes, and tuples of these."""

from __future__ import annotations

from dataclasses import replace

import gast

from srcdiff.assemble import require_equal
from srcdiff.frontend.translate import objects
from srcdiff.frontend.translate.context import Translator, text_of
from srcdiff.frontend.translate.expressions import evaluate
from srcdiff.frontend.translate.iteration import item_at, items_of, length
from srcdiff.frontend.translate.storing import prepare_rows, store_subscript
from srcdiff.frontend.translate.values import Ref, Refused, Tuple, View, is_atom
from srcdiff.frontend.translate.views import given, load_view
from srcdiff.syntax import Const, Var, is_float

__all__ = ["assign", "assign_to", "constant", "named", "prepare"]


def assign(t: Translator, node):
    value = evaluate(t, node.value)
    *others, last = node.targets
    for target in others:
        assign_to(t, target, value)
    assign_to(t, last, value, last=True)


def assign_to(t: Translator, target, value, last: bool = False) -> None:
    """Bind or store `value` to a target; it is the `last` thing that is done with the value."""
    if isinstance(target, gast.Name):
        if t.constant_depth:
            value = constant(t, value)
        t.bind(target.id, named(t, value, target.id))
    elif isinstance(target, gast.Subscript):
        prepare(t, target.value, value)
        base = evaluate(t, target.value)
        index = evaluate(t, target.slice)
        if last:
            t.forget_operands()
        store_subscript(t, base, index, constant(t, value) if t.constant_depth else value)
    elif isinstance(target, gast.Tuple | gast.List):
        unpack(t, target, value)
    elif isinstance(target, gast.Attribute):
        objects.set_attribute(t, evaluate(t, target.value), target.attr, value)
    else:
        raise Refused(f"`{text_of(target)}` cannot be assigned", node=target,
                      fix="assign to a name, an item or a slice")


def prepare(t, node, value):
    """Let a row of a list of lists be written, if `node` is one."""
    if isinstance(node, gast.Subscript) and isinstance(node.value, gast.Name):
        owner = evaluate(t, node.value)
        if isinstance(owner, Ref):
            prepare_rows(t, owner, evaluate(t, node.slice), value)


def named(t, value, name):
    if isinstance(value, Var):
        t.name(value, name)
    elif isinstance(value, View) and not value.hint:
        value = replace(value, hint=name)
    return value


def constant(t: Translator, value):
    """Cut a value off from its derivative, as inside `with no_grad()`."""
    if isinstance(value, Tuple):
        return Tuple(tuple(constant(t, v) for v in value.items), value.cls)
    if isinstance(value, View):
        value = load_view(t, value)
    if isinstance(value, Var) and is_float(t.type_of(value)):
        return t.emit("stop_gradient", value)
    return value


def unpack(t: Translator, target, value):
    """Assign the items of `value` to several targets, one of them maybe starred."""
    value = given(t, value)
    star = next((k for k, e in enumerate(target.elts) if isinstance(e, gast.Starred)), None)
    if star is None and (is_atom(value) or isinstance(value, View)):
        _require_length(t, value, target)
        items = [item_at(t, value, Const(k)) for k in range(len(target.elts))]
    else:
        items = list(items_of(t, value))
    if len(items) != len(target.elts) if star is None else len(items) < len(target.elts) - 1:
        raise Refused(f"{len(items)} values for {len(target.elts)} targets", node=target, code="SD0238",
                      fix="give as many targets as values, or one of them a star")
    if star is not None:
        after = len(target.elts) - star - 1
        middle = t.allocate(Tuple(tuple(items[star:len(items) - after])), list)
        items = [*items[:star], middle, *items[len(items) - after:]]
    for element, item in zip(target.elts, items, strict=True):
        assign_to(t, element.value if isinstance(element, gast.Starred) else element, item)


def _require_length(t, value, target):
    """Append Python's check that an array has as many items as there are targets."""
    count, wanted = length(t, value), len(target.elts)
    known = t.static_number(count)
    if known is None:
        require_equal(t.builder, count, Const(wanted), f"[SD0347] there are not {wanted} values to unpack")
    elif known != wanted:
        raise Refused(f"{known} values for {wanted} targets", node=target, code="SD0238",
                      fix="give as many targets as values, or one of them a star")
