"""`try` and `except`: as tests of what would raise, before it is computed.

A body that cannot raise what is caught is just its statements, and one that
surely raises is its handler.  In between, `math.sqrt(x)`, `a / b` of Python's
numbers and their like raise on a condition that is simple to state: each
statement of the body is computed on a harmless operand where the condition
holds, and then a branch either goes on or runs the handler from the state
before that statement.  A matrix that linear algebra refuses is such a condition
too.  Where shapes do not fit, the program raises.  Everything else that might
raise is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import gast

from srcdiff.frontend.translate.attempts import Attempt
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.expressions import evaluate
from srcdiff.frontend.translate.merge import join
from srcdiff.frontend.translate.raising import checked, raised_by
from srcdiff.frontend.translate.values import Known, Refused, Tuple

__all__ = ["try_"]


@dataclass
class Trying:
    """What one statement of a `try` body may raise."""

    block: list
    catches: Callable[[type], bool]                 # what the handlers catch
    found: list = field(default_factory=list)       # (condition, exception), in the order of evaluation
    tested: set = field(default_factory=set)        # statements whose conditions are among them


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
            _check_shapes(t, node, attempt.emitted)
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
    t.trying = trying = Trying(t.builder.block, lambda raised: _handler(t, node, raised) is not None)
    block(t, [first])
    t.trying = None
    forget(t, first)
    _check_shapes(t, node, emitted, trying.tested)
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
    """Tell whether a handler catches something that translated statements might raise.

    An index out of range counts for a handler that names it: any program raises there.
    """
    return any((h := _handler(t, node, e)) is not None and (e is not IndexError or not {Exception, BaseException} & {*_classes(t, h)})
               for e in sorted(raised_by(t, body, tested), key=lambda e: e.__name__))


def _check_shapes(t, node, emitted, tested=()) -> None:
    """Let what was emitted raise where shapes do not fit, if a handler catches that."""
    if _handler(t, node, ValueError) is not None:
        t.builder.block[emitted:] = checked(t, t.builder.block[emitted:], tested)


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
    return any(isinstance(c, type) and issubclass(raised, c) for c in _classes(t, handler))


def _classes(t, handler) -> list:
    """Return what a handler catches."""
    if handler.type is None:
        return [BaseException]
    value = evaluate(t, handler.type)
    return [v.value for v in (value.items if isinstance(value, Tuple) else (value,))]
