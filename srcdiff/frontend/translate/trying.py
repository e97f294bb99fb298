"""`try` and `except`: as tests of what would raise, before it is computed.

A body that cannot raise what is caught is just its statements, and one that
surely raises is its handler.  In between, `math.sqrt(x)`, `a / b` of Python's
numbers and their like raise on a condition that is simple to state: each
statement of the body is computed on a harmless operand where the condition
holds, and then a branch either goes on or runs the handler from the state
before that statement.  Everything else that might raise is refused.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field

import gast

from srcdiff.frontend.translate.attempts import Attempt
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.expressions import evaluate
from srcdiff.frontend.translate.kinds import PYTHON, kind_of
from srcdiff.frontend.translate.merge import join
from srcdiff.frontend.translate.values import Known, Refused, Tuple
from srcdiff.syntax import Array, Assign, Atom, Const, For, If, Load, Raise, Scalar, Span, Store, While, walk

__all__ = ["divisor", "operands", "try_"]

_LARGEST_EXP = 709.782712893384         # the largest float whose exponential is a float
_LARGEST_COSH = 710.4758600739439

# What cannot raise on numbers.
_SAFE = {
    "less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or",
    "logical_not", "isnan", "isinf", "isfinite", "negative", "absolute", "size", "copy", "weaken", "add",
    "subtract", "multiply", "minimum", "maximum", "where", "cast", "arctan", "arctan2", "tanh", "erf",
    "erfc", "hypot", "square", "sign", "copysign", "floor", "ceil", "trunc", "rint", "stop_gradient", "cbrt",
    "arcsinh", "radians", "degrees", "root_of_squares",
}


def _below(op, bound):
    return lambda t, x: t.emit(op, x, Const(bound))


def _beyond(op, bound):
    return lambda t, x: t.emit(op, t.emit("absolute", x), Const(bound))


def _overflows(beyond):
    return lambda t, x: t.emit("logical_and", beyond(t, x), t.emit("isfinite", x))


# The operations of `math` that raise: on which condition, what, and an operand on which they do not.
RAISING = {
    "sqrt": (_below("less", 0.0), ValueError, 1.0),
    "log": (_below("less_equal", 0.0), ValueError, 1.0),
    "log2": (_below("less_equal", 0.0), ValueError, 1.0),
    "log10": (_below("less_equal", 0.0), ValueError, 1.0),
    "log1p": (_below("less_equal", -1.0), ValueError, 1.0),
    "arccos": (_beyond("greater", 1.0), ValueError, 0.0),
    "arcsin": (_beyond("greater", 1.0), ValueError, 0.0),
    "arctanh": (_beyond("greater_equal", 1.0), ValueError, 0.0),
    "arccosh": (_below("less", 1.0), ValueError, 2.0),
    "sin": (lambda t, x: t.emit("isinf", x), ValueError, 0.0),
    "cos": (lambda t, x: t.emit("isinf", x), ValueError, 0.0),
    "tan": (lambda t, x: t.emit("isinf", x), ValueError, 0.0),
    "exp": (_overflows(_below("greater", _LARGEST_EXP)), OverflowError, 0.0),
    "expm1": (_overflows(_below("greater", _LARGEST_EXP)), OverflowError, 0.0),
    "sinh": (_overflows(_beyond("greater", _LARGEST_COSH)), OverflowError, 0.0),
    "cosh": (_overflows(_beyond("greater", _LARGEST_COSH)), OverflowError, 0.0),
}
_DIVISIONS = ("divide", "floor_divide", "remainder")


@dataclass
class Trying:
    """What one statement of a `try` body may raise."""

    node: object
    block: list
    found: list = field(default_factory=list)       # (condition, exception), in the order of evaluation
    tested: set = field(default_factory=set)        # statements whose conditions are among them


# -- what expressions ask --------------------------------------------------------------------

def operands(t: Translator, op: str, atoms: list) -> list:
    """Return the operands of a function of `math`, harmless where it would raise something caught."""
    row = RAISING.get(op)
    if t.trying is None or row is None or len(atoms) != 1:
        return atoms
    condition, raised, harmless = row
    return [_guarded(t, atoms[0], condition, raised, harmless)]


def divisor(t: Translator, op: str, a: Atom, b: Atom) -> Atom:
    """Return the divisor of a division, harmless where Python would raise."""
    if t.trying is None or op not in _DIVISIONS:
        return b
    kinds = [kind_of(t, v) for v in (a, b)]
    if any(kind is None or not kind & PYTHON for kind in kinds):
        return b                        # a NumPy scalar gives inf or nan
    if any(kind != PYTHON for kind in kinds) and _is_tested(t, b, ZeroDivisionError):
        raise Refused("whether this division raises depends on the kind of its numbers",
                      why="Python's numbers raise where they are divided by 0, NumPy's give inf or nan; here they may be either",
                      fix="make them Python's with `float(...)`, or test the condition with `if` before", code="SD0211")
    one = 1.0 if t.type_of(b).dtype == "float64" else 1
    return _guarded(t, b, lambda t, x: t.emit("equal", x, Const(0)), ZeroDivisionError, one)


def _is_tested(t, atom, raised) -> bool:
    """Tell whether a statement tests an operand for what it raises; a literal is no case that people catch."""
    trying = t.trying
    return (t.builder.block is trying.block and not isinstance(atom, Const)
            and _handler(t, trying.node, raised) is not None)


def _guarded(t, atom, condition, raised, harmless):
    if not _is_tested(t, atom, raised):
        return atom
    trying = t.trying
    held = condition(t, atom)
    trying.found.append((held, raised))
    made = t.emit("where", held, Const(harmless), atom)
    trying.tested.add(made.name)
    return made


# -- the statement -----------------------------------------------------------------------------

def try_(t: Translator, node):
    """Translate a `try`: plainly, as its handler, or with tests."""
    from srcdiff.frontend.translate.statements import block, poison_targets
    outer, t.trying = t.trying, None
    try:
        problems, attempt = len(t.problems), Attempt.of(t)
        block(t, node.body)
        left = t.builder.block[attempt.emitted:]
        if len(t.problems) == problems and t.state is not None and not _caught(t, node, left):
            block(t, [*node.orelse, *node.finalbody])
            return
        at_once = len(t.problems) == problems + 1 and (
            node.body[0].lineno <= t.problems[-1].where.line <= node.body[0].end_lineno)
        raised = t.raised if at_once else None
        handler = raised and _handler(t, node, raised)
        if len(t.problems) > problems and handler is None:
            poison_targets(t, node)
            return
        attempt.undo(t)
        if handler is not None:
            _handle(t, node, raised)
        elif not _only_renames(node):
            _tested(t, node, list(node.body))
        else:
            _tested_or_plain(t, node)
        if t.state is not None:
            block(t, node.finalbody)
    finally:
        t.trying = outer


def _only_renames(node) -> bool:
    """Tell whether all handlers raise and do nothing else: an error stays an error."""
    return all(isinstance(h.body[-1], gast.Raise) and all(isinstance(s, gast.Raise | gast.Expr) for s in h.body)
               for h in node.handlers)


def _tested_or_plain(t, node) -> None:
    """Translate the body with tests where that works, else as if nothing were caught."""
    from srcdiff.frontend.translate.statements import block
    problems, state, emitted = len(t.problems), dict(t.state), len(t.builder.block)
    try:
        _tested(t, node, list(node.body))
    except Refused as refused:
        t.report(refused)
    if len(t.problems) > problems:
        del t.problems[problems:], t.builder.block[emitted:]
        t.state, t.trying = state, None
        t.loaded.clear()
        block(t, [*node.body, *node.orelse])


def _tested(t, node, body) -> None:
    """Translate the statements of a body one by one, each with its tests; then the `else`."""
    from srcdiff.frontend.translate.numeric import truth
    from srcdiff.frontend.translate.statements import block, forget
    if t.state is None:
        return
    if not body:
        block(t, node.orelse)
        return
    first, *rest = body
    if isinstance(first, gast.Raise):
        raised = _raised_by(t, first)
        if _handler(t, node, raised) is None:
            block(t, [first])
        else:
            _handle(t, node, raised)
        return
    if isinstance(first, gast.If) and any(isinstance(n, gast.Raise) for n in gast.walk(first)):
        held = truth(t, evaluate(t, first.test))
        if isinstance(held, bool):
            _tested(t, node, [*(first.body if held else first.orelse), *rest])
            return
        _either(t, node, held, lambda: _tested(t, node, [*first.body, *rest]),
                lambda: _tested(t, node, [*first.orelse, *rest]))
        return
    before, emitted = dict(t.state), len(t.builder.block)
    t.trying = trying = Trying(node, t.builder.block)
    block(t, [first])
    t.trying = None
    forget(t, first)
    if _caught(t, node, t.builder.block[emitted:], trying.tested):
        raise Refused("this try/except is not supported", node=first,
                      why="whether this raises is known only at run time, and is no simple condition",
                      fix="test the condition with `if` before", code="SD0211")
    _branches(t, node, trying.found, before, rest)


def _branches(t, node, found, before, rest):
    """Append the branch on the first condition: the handler, or what follows."""
    if not found:
        _tested(t, node, rest)
        return
    (held, raised), *others = found
    after = t.state

    def handled():
        t.state = dict(before)
        _handle(t, node, raised)

    def go_on():
        t.state = after
        _branches(t, node, others, before, rest)
    _either(t, node, held, handled, go_on)


def _either(t, node, held, first, second):
    state, arms = dict(t.state), []
    for arm in (first, second):
        t.state = dict(state)
        with t.builder.nested() as statements:
            arm()
        arms.append((t.state, statements))
    t.state = None
    join(t, [arm for arm in arms if arm[0] is not None], t.frame.liveness.inside[id(node)])
    t.builder.branch(held, *(statements for _, statements in arms))


def _handle(t, node, raised):
    """Run the handler of an exception."""
    from srcdiff.frontend.translate.statements import block
    handler = _handler(t, node, raised)
    if handler.name is not None:
        t.bind(getattr(handler.name, "id", handler.name), Known(raised()))
    outer, t.handling = t.handling, raised
    block(t, handler.body)
    t.handling = outer


# -- what may be raised ---------------------------------------------------------------------------

def _caught(t, node, body, tested=()) -> bool:
    """Tell whether a handler catches something that translated statements might raise."""
    return any(_handler(t, node, e) is not None
               for e in sorted(_may_raise(t, body, tested), key=lambda e: e.__name__))


def _may_raise(t, body, tested) -> set:
    found = set()
    for stmt in walk(body):
        match stmt:
            case Load(index=index) | Store(index=index):
                found |= _by_index(t, index)
            case Raise(exception=name):
                found.add(getattr(builtins, name, RuntimeError))
            case Assign(args=args) if any(a.name in tested for a in args if not isinstance(a, Const)):
                pass
            case Assign():
                found |= _by_operation(t, stmt)
            case If() | For() | While():
                pass
    return found


def _by_index(t, index) -> set:
    scalar = all(not isinstance(i, Span) and isinstance(t.type_of(i), Scalar) for i in index)
    return {IndexError} if scalar else {IndexError, ValueError}


def _by_operation(t, stmt) -> set:
    if stmt.op in _SAFE and not any(isinstance(t.type_of(a), Array) for a in stmt.args):
        return set()
    if stmt.op in ("size", "copy", "cast"):
        return set()
    if stmt.op in RAISING and not any(isinstance(t.type_of(a), Array) for a in stmt.args):
        return {RAISING[stmt.op][1]}
    if stmt.op == "power" and isinstance(stmt.args[1], Const) and stmt.args[1].value >= 0 and isinstance(
            t.type_of(stmt.args[0]), Scalar):
        return {OverflowError}
    if stmt.op in _DIVISIONS:
        if isinstance(stmt.args[1], Const) and stmt.args[1].value != 0 and isinstance(
                t.type_of(stmt.args[0]), Scalar):
            return set()
        kinds = [kind_of(t, a) for a in stmt.args]
        if None not in kinds and any(not kind & PYTHON for kind in kinds):
            return set()                # NumPy's numbers give inf or nan
        return {ZeroDivisionError, ValueError}
    return {ValueError, ZeroDivisionError, OverflowError}


def _raised_by(t, node) -> type:
    """Return the class that a `raise` statement names."""
    call = node.exc
    value = None if call is None else evaluate(t, call.func if isinstance(call, gast.Call) else call)
    if isinstance(value, Known) and isinstance(value.value, type):
        return value.value
    return type(value.value) if isinstance(value, Known) and isinstance(value.value, BaseException) \
        else t.handling or RuntimeError


def _handler(t, node, raised: type):
    return next((h for h in node.handlers if _catches(t, h, raised)), None)


def _catches(t, handler, raised: type) -> bool:
    if handler.type is None:
        return True
    value = evaluate(t, handler.type)
    classes = [v.value for v in (value.items if isinstance(value, Tuple) else (value,))]
    return any(isinstance(c, type) and issubclass(raised, c) for c in classes)
