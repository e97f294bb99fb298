"""Expressions: from a syntax tree to a value, in Python's order of evaluation."""

from __future__ import annotations

import builtins

import gast

from srcdiff.frontend.translate import indexing
from srcdiff.frontend.translate.attributes import attribute
from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.comparisons import compare
from srcdiff.frontend.translate.context import Translator, text_of
from srcdiff.frontend.translate.merge import either
from srcdiff.frontend.translate.numeric import binary, logical, on_known, truth, unary
from srcdiff.frontend.translate.values import (
    UNBOUND,
    Closure,
    Dict,
    Generator,
    Known,
    MaybeUnbound,
    Origin,
    Poison,
    Refused,
    RunTimeText,
    Slice,
    Tuple,
    Unbound,
    is_atom,
    is_iterator,
)
from srcdiff.frontend.translate.views import checked
from srcdiff.places import of_global
from srcdiff.syntax import Assign, Const, Scalar

__all__ = ["evaluate", "lookup"]


def evaluate(t: Translator, node):
    """Return the value of an expression."""
    handler = _HANDLERS.get(type(node).__name__)
    if handler is None:
        raise Refused(f"{type(node).__name__} expressions are not supported", node=node,
                      fix="write it as statements")
    before, operands = t.node, len(t.operands)
    if hasattr(node, "lineno"):
        t.node = node
    value = handler(t, node)
    t.node = before
    del t.operands[operands:]           # those of this expression
    t.operands.append(value)
    return value


# -- names -----------------------------------------------------------------------------

def name(t: Translator, node):
    value = lookup(t, node.id, getattr(node, "assured", False))
    if isinstance(value, Poison):
        t.use_poison(value)
    if is_iterator(value):
        _use_up(t, node.id)
    return value


def _use_up(t, identifier):
    """Let nobody read an iterator again: what is left of it only run time knows."""
    frame = t.frame
    while identifier not in frame.locals and frame.parent is not None:
        frame = frame.parent
    if identifier in frame.locals:
        t.state[frame.key, identifier] = Poison(Refused(
            f"the iterator `{identifier}` is used a second time", why="the first use may have gone through its items",
            fix=f"make it a list first: `{identifier} = list(...)`", code="SD0238"))


def lookup(t: Translator, identifier: str, assured: bool = False):
    """Return what a name is bound to: locals, enclosing functions, globals, builtins."""
    frame = t.frame
    if identifier in frame.locals:
        return _local(t, frame, identifier, assured)
    while frame.parent is not None:
        frame = frame.parent
        if identifier in frame.locals:
            return _local(t, frame, identifier, assured)
    if identifier in frame.cells:
        path, get = frame.cells[identifier]
        try:
            value = get()
        except ValueError:
            raise Refused(f"the closure variable `{identifier}` has no value yet",
                          fix="assign it before the function that reads it is called") from None
        return lift(t, value, Origin(path, get), identifier)
    if identifier in frame.globals:
        scope = frame.globals
        origin = Origin(f"globals:{id(scope)}.{identifier}", of_global(scope, identifier))
        return lift(t, scope[identifier], origin, identifier)
    if hasattr(builtins, identifier):
        return Known(getattr(builtins, identifier))
    raise Refused(f"the name `{identifier}` is not defined", fix="define or import it first", code="SD0201")


def _local(t, frame, identifier, assured):
    value = t.state.get((frame.key, identifier), UNBOUND)
    if isinstance(value, Unbound):
        raise Refused(f"`{identifier}` is read before it is assigned",
                      fix="assign it first on every path", code="SD0202")
    if isinstance(value, MaybeUnbound):
        value = value.value if assured else checked(t, value, identifier)
        t.state[frame.key, identifier] = value
    return value


# -- literals and containers ---------------------------------------------------------------

def constant(t, node):
    if isinstance(node.value, bool | int | float | complex):
        return Const(node.value)
    return Known(node.value)


def tuple_(t, node):
    return Tuple(tuple(_elements(t, node.elts)))


def list_(t, node):
    return t.allocate(Tuple(tuple(_elements(t, node.elts))), list)


def _elements(t, nodes):
    from srcdiff.frontend.translate.iteration import items_of
    for element in nodes:
        if isinstance(element, gast.Starred):
            yield from items_of(t, evaluate(t, element.value))
        else:
            yield evaluate(t, element)


def dict_(t, node):
    items = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            items.update(t.contents(evaluate(t, value)).items)
        else:
            items[indexing.key_of(t, evaluate(t, key))] = evaluate(t, value)
    return t.allocate(Dict(tuple(items.items())), dict)


def set_(t, node):
    return distinct(_elements(t, node.elts))


def distinct(items) -> Tuple:
    """Return the items of a set, in the order of the source; refuse where only run time knows which are equal."""
    found = []
    for item in items:
        if not isinstance(item, Const | Known):
            raise Refused("a set holds values that only run time knows: how many depends on which are equal",
                          fix="use a tuple or a list; `x in {a, b}` may stay")
        if all(item.value is not other.value and item.value != other.value for other in found):
            found.append(item)
    return Tuple(tuple(found))


def slice_(t, node):
    return Slice(*(None if n is None else evaluate(t, n) for n in (node.lower, node.upper, node.step)))


def text(t, node):
    """An f-string: known where its parts are."""
    parts = [evaluate(t, v).value for v in node.values]
    whole = "".join(map(str, parts))
    return Known(RunTimeText(whole) if any(isinstance(p, RunTimeText) for p in parts) else whole)


def formatted(t, node):
    value = evaluate(t, node.value)
    if not isinstance(value, Known | Const) or isinstance(value.value, RunTimeText):
        return Known(RunTimeText(f"<{text_of(node.value)}>"))
    specification = "" if node.format_spec is None else evaluate(t, node.format_spec).value
    shown = {114: repr, 115: str, 97: ascii}.get(node.conversion, lambda v: v)(value.value)
    return Known(on_known(format, shown, specification))


# -- operators ----------------------------------------------------------------------------------

def binary_(t, node):
    left = evaluate(t, node.left)
    return binary(t, type(node.op).__name__, left, evaluate(t, node.right))


def unary_(t, node):
    return unary(t, type(node.op).__name__, evaluate(t, node.operand))


def comparison(t, node):
    """``a < b < c`` compares pairs, and stops at the first that fails."""
    def chain(left, k):
        right = _compared(t, node.ops[k], node.comparators[k])
        first = compare(t, type(node.ops[k]).__name__, left, right)
        if k + 1 == len(node.ops):
            return first
        return short_circuit(t, "and", first, lambda: chain(right, k + 1))
    return chain(evaluate(t, node.left), 0)


def _compared(t, op, node):
    """Return the right side of a comparison; a set that is only searched may hold any values."""
    if isinstance(op, gast.In | gast.NotIn) and isinstance(node, gast.Set):
        return Tuple(tuple(_elements(t, node.elts)))
    return evaluate(t, node)


def boolean(t, node):
    kind = "and" if isinstance(node.op, gast.And) else "or"

    def chain(k):
        first = evaluate(t, node.values[k])
        if k + 1 == len(node.values):
            return first
        return short_circuit(t, kind, first, lambda: chain(k + 1))
    return chain(0)


# What may run although Python would not: no cost, no failure, no warning.
_FREE = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and",
         "logical_or", "logical_not", "isnan", "isinf", "isfinite", "negative", "absolute", "size",
         "add", "subtract", "multiply", "copy"}


def short_circuit(t: Translator, kind: str, first, rest):
    """Translate `and`, `or`: the rest is evaluated only where the first does not decide."""
    held = truth(t, first)
    if isinstance(held, bool):
        return rest() if held == (kind == "and") else first
    before = dict(t.state)
    with t.builder.nested() as block:
        second = rest()
    free = all(isinstance(s, Assign) and s.op in _FREE and isinstance(t.builder.types[s.target], Scalar)
               for s in block)
    if (free and is_atom(second) and is_atom(first) and t.type_of(second).dtype == "bool"
            and t.type_of(second).ndim == 0 and t.type_of(first).dtype == "bool"):
        t.builder.append(*block)
        return logical(t, kind, held, second)
    t.state = before
    if kind == "and":
        return either(t, held, rest, lambda: first)
    return either(t, held, lambda: first, rest)


def conditional(t, node):
    """``a if test else b``."""
    held = truth(t, evaluate(t, node.test))
    if isinstance(held, bool):
        return evaluate(t, node.body if held else node.orelse)
    return either(t, held, lambda: evaluate(t, node.body), lambda: evaluate(t, node.orelse))


# -- the rest -------------------------------------------------------------------------------------

def attribute_(t, node):
    return attribute(t, evaluate(t, node.value), node.attr)


def subscript(t, node):
    base = evaluate(t, node.value)
    return indexing.load(t, base, evaluate(t, node.slice))


def call(t, node):
    from srcdiff.frontend.translate.calls import call_node
    return call_node(t, node)


def lambda_(t, node):
    defaults = tuple(evaluate(t, d) for d in node.args.defaults)
    kw_defaults = tuple(None if d is None else evaluate(t, d) for d in node.args.kw_defaults)
    return Closure(node, t.frame, defaults, kw_defaults)


def comprehension(t, node):
    from srcdiff.frontend.translate.comprehensions import build
    return build(t, node)


def generator(t, node):
    return Generator(node, t.frame)


def walrus(t, node):
    value = evaluate(t, node.value)
    t.bind(node.target.id, value)
    return value


_HANDLERS = {
    "Name": name, "Constant": constant, "Tuple": tuple_, "List": list_, "Dict": dict_, "Set": set_,
    "Slice": slice_, "JoinedStr": text, "FormattedValue": formatted, "BinOp": binary_,
    "UnaryOp": unary_, "Compare": comparison, "BoolOp": boolean, "IfExp": conditional,
    "Attribute": attribute_, "Subscript": subscript, "Call": call, "Lambda": lambda_,
    "ListComp": comprehension, "GeneratorExp": generator, "DictComp": comprehension,
    "SetComp": comprehension, "NamedExpr": walrus,
}
