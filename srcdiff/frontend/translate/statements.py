"""Statements: assignments, branches, loops, errors, one after the other."""

from __future__ import annotations

import builtins

import gast

from srcdiff.frontend.fence import reason
from srcdiff.frontend.translate import methods
from srcdiff.frontend.translate.assignment import assign
from srcdiff.frontend.translate.augmented import augmented
from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator, text_of
from srcdiff.frontend.translate.expressions import evaluate
from srcdiff.frontend.translate.liveness import assigned_names
from srcdiff.frontend.translate.loops import for_, while_
from srcdiff.frontend.translate.merge import join
from srcdiff.frontend.translate.numeric import truth
from srcdiff.frontend.translate.trying import try_
from srcdiff.frontend.translate.values import Closure, Known, Poison, Ref, Refused
from srcdiff.syntax import Const

__all__ = ["block"]


def block(t: Translator, nodes) -> None:
    """Translate statements in order; drop the names that nobody reads any more.

    After a statement that always raises, `t.state` is None and nothing follows.
    """
    for node in nodes:
        if t.state is None:
            return
        handler = _HANDLERS.get(type(node).__name__)
        outer, t.statement_operands = t.statement_operands, len(t.operands)
        with t.guard(node, lambda node=node: poison_targets(t, node)):
            if handler is None:
                row = reason(node)
                raise Refused(f"the statement `{text_of(node).splitlines()[0]}` is not supported",
                              why=row.why if row else "", code=row.code if row else "SD0210",
                              fix=row.fix if row else "see the documentation for what is")
            handler(t, node)
        t.forget_operands()
        t.statement_operands = outer
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


# -- augmented assignment --------------------------------------------------------------------


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
    if isinstance(raised, Known) and isinstance(raised.value, BaseException):
        message = message or str(raised.value)
        raised = Known(type(raised.value))
    if isinstance(raised, Known) and isinstance(raised.value, type):
        exception = _builtin(raised.value)
    t.builder.fail(exception, message)
    t.state = None


def _builtin(kind: type) -> str:
    """Return the name of the built-in exception that a class is, or is derived from: a generated module knows no other."""
    return next(c.__name__ for c in kind.__mro__ if getattr(builtins, c.__name__, None) is c)


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
                raise Refused(f"`{node.module}` cannot be imported", python=type(error),
                              fix="install it, or import it outside of the function") from error
            found = getattr(module, alias.name, None)
            if found is None:
                found = importlib.import_module(f"{module.__name__}.{alias.name}")
        else:
            try:
                found = importlib.import_module(alias.name)
            except ImportError as error:
                raise Refused(f"`{alias.name}` cannot be imported", python=type(error),
                              fix="install it, or import it outside of the function") from error
            if alias.asname is None:
                found = importlib.import_module(alias.name.split(".")[0])
        t.bind(alias.asname or alias.name.split(".")[0], lift(t, found))


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


def delete(t: Translator, node) -> None:
    """Translate ``del items[k]`` of a list or a dict."""
    target = node.targets[0]
    base = evaluate(t, target.value) if isinstance(target, gast.Subscript) else None
    if isinstance(base, Poison):
        t.use_poison(base)
    if not isinstance(base, Ref):
        row = reason(node)
        raise Refused(f"`{text_of(node)}` is not supported", why=row.why, fix=row.fix, code=row.code)
    methods.delete(t, base, evaluate(t, target.slice))


_HANDLERS = {
    "Assign": assign, "AugAssign": augmented, "If": if_, "For": for_, "While": while_, "Raise": raise_,
    "Expr": expression, "Pass": pass_, "FunctionDef": function, "Import": import_,
    "ImportFrom": import_, "With": with_, "Try": try_, "Delete": delete,
}
