"""Loops: over numbers, over items of arrays, unrolled over tuples, and `while`."""

from __future__ import annotations

from contextlib import contextmanager

import gast

from srcdiff.frontend.translate import growing
from srcdiff.frontend.translate.assignment import assign_to
from srcdiff.frontend.translate.attempts import Attempt
from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.carried import UNROLLED_AT_MOST
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.expressions import evaluate, lookup
from srcdiff.frontend.translate.generators import go_through, produced
from srcdiff.frontend.translate.iteration import as_range, item_at, length, require_length, steps, trips
from srcdiff.frontend.translate.liveness import assigned_names
from srcdiff.frontend.translate.numeric import truth_atom
from srcdiff.frontend.translate.settling import Loop
from srcdiff.frontend.translate.values import (
    Dict,
    Endless,
    Enumerate,
    Intrinsic,
    Mapped,
    Once,
    Produced,
    Product,
    Range,
    Ref,
    Refused,
    Tuple,
    View,
    Zipped,
)
from srcdiff.frontend.translate.views import as_atom, given
from srcdiff.syntax import Const, Scalar, Var

__all__ = ["for_", "while_"]


# -- for ---------------------------------------------------------------------------------

def for_(t: Translator, node):
    """Translate a `for`: counted, over items of arrays, or unrolled over a tuple."""
    iterable = _dict_view(t, node.iter) or produced(t, node.iter)
    if isinstance(iterable, Produced):
        go_through(t, node, iterable, lambda items: over(t, node, items))
    else:
        over(t, node, iterable)


def _dict_view(t, node) -> Mapped | None:
    """Return `d.items()` or `d.values()` of a dict with a name as what reads it item by item."""
    if not (isinstance(node, gast.Call) and isinstance(node.func, gast.Attribute) and node.func.attr in ("items", "values")
            and isinstance(node.func.value, gast.Name) and not node.args and not node.keywords):
        return None
    ref = lookup(t, node.func.value.id)
    if not isinstance(ref, Ref) or not isinstance(contents := t.contents(ref), Dict):
        return None
    names = [lift(t, key) for key, _ in contents.items]

    def item(t, name):
        value = t.contents(ref).get(contents.items[names.index(name)][0])
        return value if node.func.attr == "values" else Tuple((name, value))
    return Mapped(Intrinsic(item), (Tuple(tuple(names)),))


def over(t: Translator, node, iterable) -> None:
    """Translate the `for` loop over an iterable."""
    iterable = given(t, iterable)
    items = steps(t, iterable)
    if items is not None:
        lists = [(ref, len(t.contents(ref).items)) for ref in _lists(t, iterable)]
        with holding(t, Tuple((iterable, *(t.contents(ref) for ref, _ in lists)))):
            unroll(t, node, items)
        if t.state is not None:
            for ref, count in lists:
                require_length(t, ref, count)
        return
    counted = as_range(t, iterable)
    if counted is None:
        counted, source = Range(Const(0), length(t, iterable), Const(1)), iterable
    else:
        source = None
    counted = Range(*(_integer(t, b) for b in (counted.start, counted.stop, counted.step)))
    count = trips(t, counted) if all(isinstance(b, Const) for b in
                                     (counted.start, counted.stop, counted.step)) else None
    if count == Const(0):
        return
    stem = node.target.id if isinstance(node.target, gast.Name) and source is None else "i"

    def enter(position):
        assign_to(t, node.target, position if source is None else item_at(t, source, position))

    with holding(t, source):
        _loop(t, node, counted, count, source, enter, stem)


def _loop(t, node, counted, count, source, enter, stem) -> None:
    """Emit a counted loop, or unroll it where that alone works."""
    attempt = Attempt.of(t)
    lengths = growing.counts(t, source)
    if getattr(node, "exit_flag", None):
        Loop(t, node, assigned_names([node]), count).counted_while(counted, node.exit_flag, enter, stem)
    else:
        Loop(t, node, assigned_names([node]), count).counted(counted, enter, stem)
    if lengths != growing.counts(t, source) and len(t.problems) == attempt.problems:
        raise Refused("a list changes its length while a loop goes through it",
                      fix="loop over a copy: list(...)", code="SD0215")
    if len(t.problems) > attempt.problems and count is not None and count.value <= UNROLLED_AT_MOST:
        attempt.undo(t)
        numbers = range(*(b.value for b in (counted.start, counted.stop, counted.step)))
        unroll(t, node, [Const(k) if source is None else (lambda k=k: item_at(t, source, Const(k)))
                         for k in numbers])
        if len(t.problems) > attempt.problems:
            # Neither way works: what is wrong with the loop as it stands says more.
            del t.problems[attempt.problems + attempt.kept:]


@contextmanager
def holding(t: Translator, iterable):
    """Let the state show the arrays that a loop goes through, whatever their names come to mean."""
    place = ("iterated", t.key())
    t.state[place] = Tuple(tuple(_arrays(iterable)))
    yield
    if t.state is not None:
        t.state.pop(place, None)


def _lists(t, value):
    """Yield the lists of a known number of items that a loop goes through."""
    if isinstance(value, Enumerate | Once):
        yield from _lists(t, value.iterable)
    elif isinstance(value, Zipped | Mapped):
        for item in value.iterables:
            yield from _lists(t, item)
    elif isinstance(value, Ref) and isinstance(t.contents(value), Tuple):
        yield value


def _arrays(value):
    if isinstance(value, Enumerate | Once):
        yield from _arrays(value.iterable)
    elif isinstance(value, Zipped | Mapped | Product):
        for item in (*value.iterables, *getattr(value, "held", ())):
            yield from _arrays(item)
    elif isinstance(value, Endless):
        yield from _arrays(Tuple(value.held))
    elif isinstance(value, Tuple):
        for item in value.items:
            yield from _arrays(item)
    elif isinstance(value, Var | View):
        yield value


def _integer(t, value):
    atom = as_atom(t, value)
    type_ = t.type_of(atom)
    if not isinstance(type_, Scalar) or type_.dtype[0] not in "iub":
        raise Refused(f"the bounds of range must be integers, not {type_}", fix="convert with int(...)")
    return Const(int(atom.value)) if isinstance(atom, Const) else atom


def unroll(t: Translator, node, items) -> None:
    """Translate the body once for each item."""
    from srcdiff.frontend.translate.statements import block
    flag = getattr(node, "exit_flag", None)
    header = t.frame.liveness.header[id(node)]

    def one(item):
        assign_to(t, node.target, item() if callable(item) else item)
        block(t, node.body)

    def rest(k):
        if k == len(items) or t.state is None:
            return
        stopped = truth_atom(t, lookup(t, flag)) if flag else Const(False)
        if stopped == Const(True):
            return
        if stopped == Const(False):
            one(items[k])
        else:
            from srcdiff.frontend.translate.merge import join
            before = dict(t.state)
            with t.builder.nested() as body:
                one(items[k])
            arms = [(t.state, body)] if t.state is not None else []
            with t.builder.nested() as other:
                pass
            arms.append((before, other))
            go_on = t.emit("logical_not", stopped)
            join(t, arms, header)
            t.builder.branch(go_on, body, other)
        rest(k + 1)
    rest(0)


# -- while -------------------------------------------------------------------------------------

def while_(t: Translator, node):
    """Translate a `while`; its test includes the flag of a `break`."""
    def test():
        return truth_atom(t, evaluate(t, node.test))
    before = Attempt.of(t)
    with t.builder.nested():
        first = test()
    t.state = before.state
    if first == Const(False):
        return
    runs = first == Const(True) or bool(getattr(node, "runs_once", False))
    Loop(t, node, assigned_names([node]), None, runs=runs).conditional(test)
