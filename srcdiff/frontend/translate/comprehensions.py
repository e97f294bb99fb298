"""Comprehensions and generator expressions: unrolled, or loops that fill an array or add up.

A comprehension is a small function of its own, as in Python: it is rewritten to
one, with a loop in it, and that function is inlined.  Its own names end in a
prime, so that they hide none of the user's.
"""

from __future__ import annotations

import gast

from srcdiff.frontend.translate import inline
from srcdiff.frontend.translate.attempts import Attempt
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.expressions import distinct, evaluate
from srcdiff.frontend.translate.frames import Frame
from srcdiff.frontend.translate.generators import produced
from srcdiff.frontend.translate.indexing import key_of
from srcdiff.frontend.translate.iteration import length, static_items
from srcdiff.frontend.translate.numeric import truth
from srcdiff.frontend.translate.values import (
    Closure,
    Dict,
    Generator,
    Produced,
    Range,
    Refused,
    Summed,
    Tuple,
    View,
    is_atom,
)
from srcdiff.syntax import Const, Scalar

__all__ = ["accumulate", "accumulate_arrays", "build", "element_type", "listed", "unrolled"]

UNROLLED_AT_MOST = 64


def build(t: Translator, node):
    """Translate a list, set or dict comprehension."""
    if isinstance(node, gast.DictComp):
        pairs = unrolled(t, node, t.frame)
        if pairs is None:
            raise Refused("a dict is built over a range that only run time knows", fix="use an array")
        return t.allocate(Dict(tuple((key_of(t, k), v) for k, v in pairs)), dict)
    items = unrolled(t, node, t.frame)
    if isinstance(node, gast.SetComp):
        if items is None:
            raise Refused("a set is built over a range that only run time knows", fix="use an array")
        return distinct(items)
    if items is not None:
        return t.allocate(Tuple(items), list)
    return t.allocate(filled(t, node), list)


def scope(t: Translator, node, frame) -> Frame:
    """Return the scope of a comprehension: the names of its targets."""
    targets = [g.target for g in node.generators]
    targets += [part.target for part in gast.walk(node) if isinstance(part, gast.NamedExpr)]
    body = [gast.Assign(targets=[x], value=gast.Constant(value=0, kind=None), type_comment=None)
            for x in targets]
    made = Frame(t.key(), frame.name, frame.source, _function("comprehension", [], body), frame.globals,
                 frame.cells, frame, node)
    made.function = frame.function
    made.caller = t.frame
    return made


def _function(name, params, body):
    args = gast.arguments(args=params, posonlyargs=[], vararg=None, kwonlyargs=[], kw_defaults=[],
                          kwarg=None, defaults=[])
    return gast.FunctionDef(name=name, args=args, body=body, decorator_list=[], returns=None,
                            type_comment=None, type_params=[])


def unrolled(t: Translator, node, frame):
    """Return the items of a comprehension over iterables of known length, else None."""
    from srcdiff.frontend.translate.assignment import assign_to
    outer, t.frame = t.frame, scope(t, node, frame)
    made = []

    def generate(k):
        if k == len(node.generators):
            made.append((evaluate(t, node.key), evaluate(t, node.value))
                        if isinstance(node, gast.DictComp) else evaluate(t, node.elt))
            return True
        clause = node.generators[k]
        iterable = produced(t, clause.iter)
        items = None if isinstance(iterable, Produced) else known_items(t, iterable)
        if items is None:
            return False
        for item in items:
            assign_to(t, clause.target, item)
            held = [truth(t, evaluate(t, test)) for test in clause.ifs]
            if not all(isinstance(h, bool) for h in held):
                return False
            if all(held) and not generate(k + 1):
                return False
        return True

    attempt = Attempt.of(t)
    try:
        if generate(0):
            return tuple(made)
        attempt.undo(t)
        return None
    finally:
        t.frame = outer


def known_items(t: Translator, iterable):
    """Return the items of an iterable of small known length, ranges included."""
    items = static_items(t, iterable)
    if items is not None:
        return items
    from srcdiff.frontend.translate.iteration import as_range, item_at
    counted = as_range(t, iterable)
    count = t.static_number(length(t, counted)) if isinstance(counted, Range) else None
    if count is None or count > UNROLLED_AT_MOST:
        return None
    return tuple(item_at(t, counted, Const(k)) for k in range(int(count)))


# -- over ranges that only run time knows ---------------------------------------------

def _name(identifier, ctx=None):
    return gast.Name(id=identifier, ctx=ctx or gast.Load(), annotation=None, type_comment=None)


def _assign(target, value):
    return gast.Assign(targets=[_name(target, gast.Store()) if isinstance(target, str) else target],
                       value=value, type_comment=None)


def _call(function, *args):
    return gast.Call(func=_name(function), args=list(args), keywords=[])


def _inlined(t, node, frame, body, values):
    """Inline a synthetic function whose parameters are the names in `values`."""
    for statement in body:
        for part in gast.walk(statement):
            if isinstance(part, gast.expr | gast.stmt) and not hasattr(part, "lineno"):
                gast.copy_location(part, node)
    params = [_name(n, gast.Param()) for n in values]
    function = gast.copy_location(_function("comprehension", params, body), node)
    return inline.closure(t, Closure(function, frame), tuple(values.values()), {})


def accumulate(t: Translator, node, frame, start, kind="Add"):
    """Return the sum (or product) of a generator over ranges that only run time knows."""
    operator = {"Add": gast.Add(), "Mult": gast.Mult()}[kind]
    body = [_assign("total'", gast.BinOp(left=_name("total'"), op=operator, right=node.elt))]
    body = _loops(node, body)
    return _inlined(t, node, frame, [*body, gast.Return(value=_name("total'"))], {"total'": start})


def accumulate_arrays(t: Translator, node, frame, type_) -> Summed:
    """Return the sum of a generator of arrays: it begins with zeros that every array stretches."""
    step = _assign("total'", gast.BinOp(left=_name("total'"), op=gast.Add(), right=node.elt))
    body = _loops(node, [step, _assign("some'", gast.Constant(value=True, kind=None))])
    result = gast.Return(value=gast.Tuple(elts=[_name("total'"), _name("some'")], ctx=gast.Load()))
    zeros = t.emit("zeros", *[Const(1)] * type_.ndim, dtype=type_.dtype)
    return Summed(*_inlined(t, node, frame, [*body, result], {"total'": zeros, "some'": Const(False)}).items)


def element_type(t: Translator, node, frame):
    """Return the type of the elements of a generator over one iterable; None where it is not one of numbers or arrays."""
    if len(node.generators) > 1:
        return None
    attempt, outer, t.frame = Attempt.of(t), t.frame, frame
    try:
        return _sample(t, node, evaluate(t, node.generators[0].iter))
    except Refused:
        return None
    finally:
        t.frame = outer
        attempt.undo(t)


def accumulate_items(t: Translator, iterable, start, kind="Add"):
    """Return the sum (or product) of the items of an iterable."""
    operator = {"Add": gast.Add(), "Mult": gast.Mult()}[kind]
    step = _assign("total'", gast.BinOp(left=_name("total'"), op=operator, right=_name("item'")))
    loop = gast.For(target=_name("item'", gast.Store()), iter=_name("items'"), body=[step], orelse=[],
                    type_comment=None)
    at = t.node if hasattr(t.node, "lineno") else t.frame.node
    return _inlined(t, at, t.frame, [loop, gast.Return(value=_name("total'"))],
                    {"total'": start, "items'": iterable})


def listed(t: Translator, iterable):
    """Return a new list of the items of an iterable whose length only run time knows."""
    if isinstance(iterable, Generator):
        outer, t.frame = t.frame, iterable.frame
        try:
            return build(t, gast.copy_location(gast.ListComp(iterable.node.elt, iterable.node.generators), iterable.node))
        finally:
            t.frame = outer
    append = gast.Attribute(value=_name("list'"), attr="append", ctx=gast.Load())
    body = [gast.Expr(value=gast.Call(func=append, args=[_name("item'")], keywords=[]))]
    loop = gast.For(target=_name("item'", gast.Store()), iter=_name("items'"), body=body, orelse=[], type_comment=None)
    at = t.node if hasattr(t.node, "lineno") else t.frame.node
    return _inlined(t, at, t.frame, [_assign("list'", gast.List(elts=[], ctx=gast.Load())), loop,
                                     gast.Return(value=_name("list'"))], {"items'": iterable})


def fold(t: Translator, node, frame, function, start):
    """Return ``function(...function(start, a), b...)`` over a generator."""
    body = [_assign("total'", gast.Call(func=_name("function'"), args=[_name("total'"), node.elt],
                                        keywords=[]))]
    body = _loops(node, body)
    return _inlined(t, node, frame, [*body, gast.Return(value=_name("total'"))],
                    {"total'": start, "function'": function})


def _loops(node, body):
    for clause in reversed(node.generators):
        for test in reversed(clause.ifs):
            body = [gast.If(test=test, body=body, orelse=[])]
        body = [gast.For(target=clause.target, iter=clause.iter, body=body, orelse=[], type_comment=None)]
    return body


def filled(t: Translator, node):
    """Return the contents of a list comprehension over ranges that only run time knows."""
    clause = node.generators[0]
    if len(node.generators) > 1 or clause.ifs or not _known_elements(t, node):
        return appended(t, node)
    from srcdiff.frontend.translate.numpy_creation import allocate_like
    body = [
        _assign("out'", _call("allocate'", _name("count'"))),
        gast.For(target=gast.Tuple(elts=[_name("k'", gast.Store()), clause.target], ctx=gast.Store()),
                 iter=_call("enumerate", _name("items'")), type_comment=None, orelse=[],
                 body=[_assign(gast.Subscript(value=_name("out'"), slice=_name("k'"), ctx=gast.Store()),
                               node.elt)]),
        gast.Return(value=_name("out'")),
    ]
    items = evaluate(t, clause.iter)
    count = length(t, items)
    sample = _sample(t, node, items)
    return _inlined(t, node, t.frame, body,
                    {"items'": items, "count'": count, "allocate'": allocate_like(sample)})


def appended(t: Translator, node):
    """Return the contents of a list comprehension as a loop that appends makes them."""
    append = gast.Attribute(value=_name("list'"), attr="append", ctx=gast.Load())
    body = [gast.Expr(value=gast.Call(func=append, args=[node.elt], keywords=[]))]
    body = [_assign("list'", gast.List(elts=[], ctx=gast.Load())), *_loops(node, body),
            gast.Return(value=_name("list'"))]
    return t.contents(_inlined(t, node, t.frame, body, {}))


def _known_elements(t, node) -> bool:
    """Tell whether the items of a comprehension are plain numbers."""
    attempt = Attempt.of(t)
    try:
        return isinstance(_sample(t, node, evaluate(t, node.generators[0].iter)), Scalar)
    except Refused:
        return False
    finally:
        attempt.undo(t)


def _sample(t, node, items):
    """Return the type of an element, and how to compute its extents: by a discarded translation."""
    from srcdiff.frontend.translate.assignment import assign_to
    from srcdiff.frontend.translate.iteration import item_at
    from srcdiff.frontend.translate.views import as_atom
    outer, state = t.frame, dict(t.state)
    t.frame = scope(t, node, t.frame)
    try:
        with t.builder.nested():
            assign_to(t, node.generators[0].target, item_at(t, items, Const(0)))
            item = evaluate(t, node.elt)
            return t.type_of(as_atom(t, item)) if is_atom(item) or isinstance(item, View) else None
    finally:
        t.frame, t.state = outer, state
