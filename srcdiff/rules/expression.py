"""Read a differential: from the source of a lambda to a small expression tree.

A row of a rule table is a lambda such as ::

    lambda x, y, dx, dy, ans: (dx - ans * dy) / y

It is ordinary Python that runs on NumPy values.  Here its source is parsed
once, at import, into the nodes below, and refused (`RuleError`) unless it is
linear in the differentials `dx`, `dy`.  Nothing here emits code.

Parameters of the lambda: the operands; ``d`` + the name of each operand that
can carry a derivative, or of none of them further (all are declared, the
expression need not use them); ``ans``; then, keyword-only, the static keywords
of the operation (``axis``, ``keepdims``).
"""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import CodeType

import numpy as np

from srcdiff import custom
from srcdiff.errors import Problem, RuleError, Where
from srcdiff.primitives import PRIMITIVES

__all__ = [
    "Answer", "Apply", "Differential", "Expression", "FORMS", "LINEAR_IN", "Node", "Number", "Operand",
    "differentials", "is_pointwise", "parse", "reads",
]


# -- nodes ------------------------------------------------------------------------

@dataclass(frozen=True)
class Operand:
    position: int


@dataclass(frozen=True)
class Differential:
    position: int


@dataclass(frozen=True)
class Answer:
    pass


@dataclass(frozen=True)
class Number:
    value: bool | int | float | complex


@dataclass(frozen=True)
class Apply:
    """A primitive or a form applied; a static keyword is a value, or code over the row's static names."""

    function: str
    args: tuple[Node, ...]
    static: tuple[tuple[str, CodeType | object], ...] = ()


Node = Operand | Differential | Answer | Number | Apply

# Functions of the rule language that are not primitives: name -> NumPy callable.
FORMS: dict[str, Callable] = {}

# In which arguments a function is linear: all listed at once, or (any one) of them.
JOINTLY = {"add": (0, 1), "subtract": (0, 1), "where": (1, 2)}
LINEAR_IN = JOINTLY | {
    "multiply": (0, 1), "divide": (0,), "negative": (0,), "quotient": (0,), "matmul": (0, 1), "sum": (0,),
    "transpose": (0,), "reshape": (0,), "broadcast_to": (0,), "sum_to": (0,), "expand_dims": (0,),
    "squeeze": (0,), "cumsum": (0,), "take": (0,), "tape_grow": (0,), "cast": (0,), "weaken": (0,),
    "copy": (0,), "positive": (0,), "solve": (1,), "swap": (0,), "mirrored": (0,), "lower": (0,),
    "real": (0,), "imag": (0,), "conjugate": (0,), "folded": (0,), "mixed": (0,), "beyond": (0,), "column_dots": (1,),
}

# What acts on each element by itself; and what can be transposed only where its
# argument is shaped like an operand, because the extents are the operand's.
POINTWISE = ("add", "subtract", "negative", "multiply", "divide", "quotient", "where")
SHAPED = ("sum", "reshape", "broadcast_to", "sum_to", "take", "tape_grow")

_OPERATORS = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power",
    ast.MatMult: "matmul", ast.BitAnd: "logical_and", ast.BitOr: "logical_or", ast.USub: "negative",
    ast.Invert: "logical_not", ast.Gt: "greater", ast.Lt: "less", ast.GtE: "greater_equal",
    ast.LtE: "less_equal", ast.Eq: "equal", ast.NotEq: "not_equal",
}


@functools.cache
def _functions() -> dict[Callable, str]:
    """Map the callables that a row may use to the names of primitives."""
    names = {c: p.name for p in PRIMITIVES.values() for c in p.callables}
    names |= {getattr(np, n): n for n in (
        "where", "sum", "prod", "max", "min", "matmul", "transpose", "reshape", "broadcast_to", "expand_dims",
        "squeeze", "cumsum", "take")}
    names |= {p.evaluate: p.name for p in PRIMITIVES.values()}
    return names | {function: name for name, function in FORMS.items()}


# -- one row ------------------------------------------------------------------------

@dataclass(frozen=True)
class Expression:
    """The differential of one operation.

    Attributes
    ----------
    operands
        Names of the operands, in order.
    node
        The differential of the answer.
    static
        The static names with their defaults.
    function
        The lambda itself: the same on NumPy values, for tests.
    """

    operands: tuple[str, ...]
    node: Node
    static: dict[str, object]
    function: Callable


def parse(function: Callable) -> Expression:
    """Read the differential that the lambda `function` spells.

    Raises
    ------
    RuleError
        The source is not found, a name is not known, or the expression is not
        linear in its differentials.
    """
    tree = _source_of(function)
    reader = _Reader({}, _scope_of(function), frozenset(), function.__code__.co_filename)
    names = [a.arg for a in tree.args.args]
    count = (len(names) - 1) // 2
    operands = tuple(names[:count])
    if names != [*operands, *("d" + x for x in operands), "ans"]:
        raise reader.refusal(tree, f"a rule takes its operands, their differentials and ans, not {names}")
    static = {a.arg: None if d is None else ast.literal_eval(d)
              for a, d in zip(tree.args.kwonlyargs, tree.args.kw_defaults, strict=True)}
    leaves: dict[str, Node] = {x: Operand(i) for i, x in enumerate(operands)}
    leaves |= {"d" + x: Differential(i) for i, x in enumerate(operands)}
    leaves["ans"] = Answer()
    node = replace(reader, leaves=leaves, static=frozenset(static)).node(tree.body)
    if not _is_linear(node):
        raise reader.refusal(tree.body, f"it does not depend on {' or '.join('d' + x for x in operands)}")
    return Expression(operands, node, static, function)


def _scope_of(function: Callable) -> dict[str, object]:
    """Return the values of the names that a lambda reads from outside: globals, and variables around it."""
    scope = dict(function.__globals__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            scope[name] = cell.cell_contents
        except ValueError:              # not assigned yet
            scope.pop(name, None)
    return scope


def _source_of(function: Callable) -> ast.Lambda:
    """Find the syntax of a lambda in its file; `linecache` also reads archives and notebooks."""
    code = function.__code__
    lambdas = _lambdas(code.co_filename, "".join(linecache.getlines(code.co_filename, function.__globals__)))
    here = [n for n in lambdas if n.lineno == code.co_firstlineno
            and tuple(a.arg for a in n.args.args) == code.co_varnames[:code.co_argcount]]
    if len(here) > 1:
        columns = [start for _, _, start, end in code.co_positions() if start != end]
        here = [n for n in here if n.col_offset <= min(columns) and max(columns) <= n.end_col_offset]
    if len(here) != 1:
        raise RuleError(Problem(
            "SD0600", f"the source of the rule at {code.co_filename}:{code.co_firstlineno} is not found",
            fix="write the rule in a file, as one lambda on a line of its own"))
    return here[0]


@functools.lru_cache(maxsize=64)
def _lambdas(file: str, text: str) -> tuple[ast.Lambda, ...]:
    return tuple(n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Lambda))


@dataclass(frozen=True)
class _Reader:
    """Turn Python syntax into nodes."""

    leaves: dict[str, Node]
    globals: dict[str, object]
    static: frozenset[str]
    file: str

    def refusal(self, tree: ast.expr, what: str) -> RuleError:
        text = linecache.getline(self.file, tree.lineno).rstrip("\n")
        where = Where(self.file, tree.lineno, tree.col_offset, tree.end_col_offset, text)
        return RuleError(Problem(RuleError.code, f"`{ast.unparse(tree)}` is no differential", where, what,
                                 fix="write sums of products with one d each: y * dx + x * dy"))

    def node(self, tree: ast.expr) -> Node:
        match tree:
            case ast.Constant(value=bool() | int() | float() | complex() as value):
                return Number(value)
            case ast.Name(id=name) if name in self.leaves:
                return self.leaves[name]
            case ast.BinOp(left, op, right):
                return self.apply(tree, _OPERATORS.get(type(op)), left, right)
            case ast.UnaryOp(op, operand):
                return self.apply(tree, _OPERATORS.get(type(op)), operand)
            case ast.Compare(left, [op], [right]):
                return self.apply(tree, _OPERATORS.get(type(op)), left, right)
            case ast.Call(func, args, keywords):
                called = self.look_up(func)
                name = custom.name_of(called) or _functions().get(called)
                return self.apply(tree, name, *args, static=keywords)
            case ast.Name() | ast.Attribute():
                value = self.look_up(tree)
                if isinstance(value, bool | int | float):
                    return Number(value)
        raise self.refusal(tree, "this is not in the language of rules")

    def apply(self, tree, name, *args, static=()) -> Node:
        if name is None:
            raise self.refusal(tree, "this operation is not in the language of rules")
        codes = tuple((k.arg, self.static_code(k.value)) for k in static)
        node = Apply(name, tuple(map(self.node, args)), codes)
        if problem := _not_linear(node):
            raise self.refusal(tree, f"it is not linear: {problem}")
        return node

    def static_code(self, tree) -> CodeType:
        names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        if unknown := names - self.static:
            raise self.refusal(tree, f"{', '.join(sorted(unknown))} is not a static keyword of the row")
        return compile(ast.Expression(tree), "<rule>", "eval")

    def look_up(self, tree) -> object:
        match tree:
            case ast.Name(id=name) if name in self.globals:
                return self.globals[name]
            case ast.Attribute(value=value, attr=attr):
                return getattr(self.look_up(value), attr)
        raise self.refusal(tree, "the name is not known")


# -- properties of nodes --------------------------------------------------------------

def differentials(node: Node) -> frozenset[int]:
    """Return the operands whose differential occurs in `node`."""
    match node:
        case Differential(position):
            return frozenset({position})
        case Apply(args=args):
            return frozenset().union(*map(differentials, args))
    return frozenset()


def _is_linear(node: Node) -> bool:
    return bool(differentials(node))


def _not_linear(node: Apply) -> str:
    """Say why `node`, whose arguments are each linear or a coefficient, is neither."""
    linear = [i for i, arg in enumerate(node.args) if _is_linear(arg)]
    if not linear:
        return ""
    allowed = LINEAR_IN.get(node.function, ())
    if not set(linear) <= set(allowed):
        return f"{node.function} of a differential"
    if node.function in JOINTLY:
        missing = [node.args[i] for i in allowed if i not in linear]
        zero = all(isinstance(m, Number) and m.value == 0 for m in missing)
        return "" if zero else "a term without a differential"
    if node.function in SHAPED and not is_pointwise(node.args[0]):
        return f"{node.function} of what is not shaped like an operand"
    return "" if len(linear) == 1 else f"{node.function} of two differentials"


def is_pointwise(node: Node) -> bool:
    """Tell whether a linear expression acts on each element by itself."""
    if not isinstance(node, Apply):
        return True
    return node.function in POINTWISE and all(is_pointwise(arg) for arg in node.args if differentials(arg))


def _names(node: Node) -> Iterator[int | str]:
    match node:
        case Operand(position):
            yield position
        case Answer():
            yield "ans"
        case Apply(args=args):
            for arg in args:
                yield from _names(arg)


def reads(node: Node, wanted: frozenset[int]) -> set[int | str]:
    """Return whose values the terms of `node` in the wanted differentials read."""
    if not isinstance(node, Apply) or not differentials(node) & wanted:
        return set()
    found: set[int | str] = set()
    for arg in node.args:
        found |= reads(arg, wanted) if differentials(arg) else set(_names(arg))
    return found
