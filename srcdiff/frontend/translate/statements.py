"""Statements: assignments, branches, loops, errors, one after the other."""

from __future__ import annotations

from dataclasses import replace

import gast

from srcdiff.assemble import require_equal
from srcdiff.frontend.fence import reason
from srcdiff.frontend.translate import indexing, objects
from srcdiff.frontend.translate.attributes import attribute
from srcdiff.frontend.translate.context import Translator, text_of
from srcdiff.frontend.translate.expressions import evaluate, lookup
from srcdiff.frontend.translate.iteration import items_of, length
from srcdiff.frontend.translate.kinds import ARRAY, kind_of, set_cell
from srcdiff.frontend.translate.liveness import assigned_names
from srcdiff.frontend.translate.loops import for_, while_
from srcdiff.frontend.translate.merge import join
from srcdiff.frontend.translate.methods import extend
from srcdiff.frontend.translate.numeric import binary, truth
from srcdiff.frontend.translate.trying import try_
from srcdiff.frontend.translate.values import (
    Closure,
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
from srcdiff.frontend.translate.views import as_atom, as_view, check_storable, load_view, store_view
from srcdiff.syntax import Array, Const, Var, is_float

__all__ = ["block"]


def block(t: Translator, nodes) -> None:
    """Translate statements in order; drop the names that nobody reads any more.

    After a statement that always raises, `t.state` is None and nothing follows.
    """
    for node in nodes:
        if t.state is None:
            return
        handler = _HANDLERS.get(type(node).__name__)
        with t.guard(node, lambda node=node: poison_targets(t, node)):
            if handler is None:
                row = reason(node)
                raise Refused(f"the statement `{text_of(node).splitlines()[0]}` is not supported",
                              why=row.why if row else "", code=row.code if row else "SD0210",
                              fix=row.fix if row else "see the documentation for what is")
            handler(t, node)
        forget(t, node)


def poison_targets(t: Translator, node) -> None:
    """Make everything poison that a failed statement might have assigned."""
    if t.state is None:
        t.state = {}
    for name in assigned_names([node]):
        t.bind(name, Poison())


def forget(t: Translator, node) -> None:
    if t.state is None:
        return
    live = t.frame.liveness.after.get(id(node))
    if live is None:
        return
    key = t.frame.key
    dead = [p for p in t.state if p[0] == key and p[1] not in live]
    for place in dead:
        del t.state[place]


# -- assignment -----------------------------------------------------------------------

def assign(t: Translator, node):
    value = evaluate(t, node.value)
    for target in node.targets:
        assign_to(t, target, value)


def assign_to(t: Translator, target, value) -> None:
    """Bind or store `value` to a target."""
    if isinstance(target, gast.Name):
        if t.constant_depth:
            value = constant(t, value)
        t.bind(target.id, named(t, value, target.id))
    elif isinstance(target, gast.Subscript):
        prepare(t, target.value, value)
        base = evaluate(t, target.value)
        index = evaluate(t, target.slice)
        indexing.store_subscript(t, base, index, constant(t, value) if t.constant_depth else value)
    elif isinstance(target, gast.Tuple | gast.List):
        unpack(t, target, value)
    elif isinstance(target, gast.Attribute):
        objects.set_attribute(t, evaluate(t, target.value), target.attr, value)
    else:
        raise Refused(f"`{text_of(target)}` cannot be assigned", node=target)


def prepare(t, node, value):
    """Let a row of a list of lists be written, if `node` is one."""
    if isinstance(node, gast.Subscript) and isinstance(node.value, gast.Name):
        owner = evaluate(t, node.value)
        if isinstance(owner, Ref):
            indexing.prepare_rows(t, owner, evaluate(t, node.slice), value)


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
    if is_atom(value) or isinstance(value, View):
        from srcdiff.frontend.translate.iteration import item_at
        if any(isinstance(e, gast.Starred) for e in target.elts):
            raise Refused("an array is unpacked with a star", fix="use slices")
        _require_length(t, value, target)
        items = [item_at(t, value, Const(k)) for k in range(len(target.elts))]
    else:
        items = list(items_of(t, value))
    star = next((k for k, e in enumerate(target.elts) if isinstance(e, gast.Starred)), None)
    if star is None and len(items) != len(target.elts):
        raise Refused(f"{len(items)} values for {len(target.elts)} targets", node=target, code="SD0238")
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
        raise Refused(f"{known} values for {wanted} targets", node=target, code="SD0238")


# -- augmented assignment --------------------------------------------------------------------

def augmented(t: Translator, node):
    kind = type(node.op).__name__
    if isinstance(node.target, gast.Name):
        _augmented_name(t, node, kind)
    elif isinstance(node.target, gast.Subscript):
        _augmented_subscript(t, node, kind)
    else:
        _augmented_attribute(t, node, kind)


def _augmented_name(t, node, kind):
    name = node.target.id
    old = lookup(t, name)
    if isinstance(old, Poison):
        t.use_poison(old)
    value = evaluate(t, node.value)
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
    store_view(t, view, result)


def _check_kind(t, dtype, atom):
    import numpy as np
    if not np.can_cast(t.type_of(atom).dtype, dtype, "same_kind"):
        raise Refused(f"an array of {dtype} cannot take a result of {t.type_of(atom).dtype} in place",
                      why="NumPy raises a casting error here", fix="convert the array first with astype")


def _augmented_attribute(t, node, kind):
    owner = evaluate(t, node.target.value)
    old = attribute(t, owner, node.target.attr)
    value = evaluate(t, node.value)
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
        value = as_atom(t, evaluate(t, node.value))
        if is_atom(old) and t.versions != before:
            made = binary(t, kind, old, value)
            indexing.store_subscript(t, base, index, constant(t, made) if t.constant_depth else made)
            return
        if t.type_of(value).dtype != "bool":
            if t.constant_depth:
                value = constant(t, value)
            if kind == "Sub":
                value = t.emit("negative", value) if isinstance(value, Var) else Const(-value.value)
            indexing.store_subscript(t, base, index, value, accumulate=True)
            return
        old = indexing.load(t, base, index)
        indexing.store_subscript(t, base, index, binary(t, kind, old, value))
        return
    old = indexing.load(t, base, index)
    value = evaluate(t, node.value)
    if not isinstance(index, Slice) and _list_in_place(t, old, kind, value):
        return
    if isinstance(old, View) and old.base not in t.derived:
        _in_place(t, old, kind, value)
        return
    made = binary(t, kind, old, value)
    if isinstance(old, View):               # a part of what was loaded: it is written back
        _check_kind(t, t.builder.types[old.base].dtype, made)
    indexing.store_subscript(t, base, index, constant(t, made) if t.constant_depth else made)


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


# -- control flow ---------------------------------------------------------------------------------

def if_(t: Translator, node):
    held = truth(t, evaluate(t, node.test))
    if isinstance(held, bool):
        block(t, node.body if held else node.orelse)
        return
    before = t.state
    arms = []
    for nodes in (node.body, node.orelse):
        t.state = dict(before)
        with t.builder.nested() as statements:
            block(t, nodes)
        arms.append((t.state, statements))
    arriving = [arm for arm in arms if arm[0] is not None]
    t.state = None
    join(t, arriving, t.frame.liveness.after[id(node)])
    t.builder.branch(held, *(statements for _, statements in arms))


def raise_(t: Translator, node):
    """A raise ends its path; the message is known, or the text of the user's."""
    exception, message = "RuntimeError", ""
    call = node.exc
    if isinstance(call, gast.Call):
        raised = evaluate(t, call.func)
        if call.args:
            try:
                value = evaluate(t, call.args[0])
                message = str(value.value) if isinstance(value, Known | Const) else text_of(call.args[0])
            except Refused:
                message = text_of(call.args[0])
    else:
        raised = evaluate(t, call) if call is not None else Known(t.handling or RuntimeError)
    if isinstance(raised, Known) and isinstance(raised.value, type):
        exception = raised.value.__name__
    t.builder.fail(exception, message)
    t.state = None


def expression(t: Translator, node):
    if isinstance(node.value, gast.Constant):
        return
    evaluate(t, node.value)


def pass_(t, node):
    pass


def function(t: Translator, node):
    defaults = tuple(evaluate(t, d) for d in node.args.defaults)
    kw_defaults = tuple(None if d is None else evaluate(t, d) for d in node.args.kw_defaults)
    if node.decorator_list:
        names = [text_of(d) for d in node.decorator_list]
        if not all(n.split("(")[0].split(".")[-1] in ("njit", "jit") for n in names):
            raise Refused("a decorator on a nested function", node=node, fix="leave it out")
    t.bind(node.name, Closure(node, t.frame, defaults, kw_defaults))


def import_(t: Translator, node):
    import importlib
    for alias in node.names:
        if isinstance(node, gast.ImportFrom):
            package = t.frame.globals.get("__package__") or ""
            try:
                module = importlib.import_module("." * (node.level or 0) + (node.module or ""), package)
            except ImportError as error:
                raise Refused(f"`{node.module}` cannot be imported", python=type(error)) from error
            found = getattr(module, alias.name, None)
            if found is None:
                found = importlib.import_module(f"{module.__name__}.{alias.name}")
        else:
            try:
                found = importlib.import_module(alias.name)
            except ImportError as error:
                raise Refused(f"`{alias.name}` cannot be imported", python=type(error)) from error
            if alias.asname is None:
                found = importlib.import_module(alias.name.split(".")[0])
        t.bind(alias.asname or alias.name.split(".")[0], t.lift(found))


def with_(t: Translator, node):
    """`no_grad` makes constants, `np.errstate` and the like change no value."""
    constants = 0
    for item in node.items:
        manager = item.context_expr
        made = evaluate(t, manager.func if isinstance(manager, gast.Call) else manager)
        value = made.value if isinstance(made, Known) else None
        if getattr(value, "__srcdiff_no_grad__", False):
            constants += 1
        elif getattr(value, "__name__", "") not in ("errstate", "catch_warnings", "printoptions"):
            raise Refused(f"`with {text_of(manager)}` is not supported", node=node,
                          fix="move it outside of the function")
    t.constant_depth += constants
    try:
        block(t, node.body)
    finally:
        t.constant_depth -= constants


_HANDLERS = {
    "Assign": assign, "AugAssign": augmented, "If": if_, "For": for_, "While": while_, "Raise": raise_,
    "Expr": expression, "Pass": pass_, "FunctionDef": function, "Import": import_,
    "ImportFrom": import_, "With": with_, "Try": try_,
}
