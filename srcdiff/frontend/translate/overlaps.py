"""Assignments from one part of an array to another: refuse those that NumPy itself does not get right.

``y[::2] = y[:3]`` reads the elements that it writes.  NumPy takes a copy first where that is needed, except
between two lines of elements (one axis each): those it copies element by element, from the first or from the
last, which is right where both have one stride, and where they run in opposite directions.  Where the strides
differ, it reads some elements after it has written them.  Numba reads them before, so that there is no single
meaning to differentiate.
"""

from __future__ import annotations

from srcdiff.frontend.translate.context import Translator, is_full
from srcdiff.frontend.translate.values import Refused, View
from srcdiff.syntax import Const, Span

__all__ = ["check_order"]


def check_order(t: Translator, target: View, value) -> None:
    """Refuse the assignment of one line of an array to another one that may cross it."""
    if not isinstance(value, View) or len(_lines(target)) != 1 or not _lines(value):
        return
    twins = t.twins.get(t.root(target), ())
    if t.root(value) != t.root(target) and t.root(value) not in twins:
        return
    if value.base != target.base and value.base not in twins or not _in_order(target, value):
        raise Refused("a part of an array is assigned to another part of it, whose elements lie at other distances",
                      why="NumPy may read elements here that it has just written, and Numba does not",
                      fix="assign a copy: y[::2] = y[:3].copy()", code="SD0224")


def _lines(view: View) -> list[int]:
    """Return the axes of the base that a view runs along."""
    return [k for k, item in enumerate(view.index) if isinstance(item, Span)]


def _in_order(target: View, value: View) -> bool:
    """Tell whether no element is read after it was written."""
    if len(_lines(value)) > 1:
        return False
    (along,), (across,) = _lines(target), _lines(value)
    if along != across:
        return _cross_in_order(target.index[along], value.index[across], target.index[across], value.index[along])
    apart = any(isinstance(a, Const) and isinstance(b, Const) and a != b and a.value * b.value >= 0
                for k, (a, b) in enumerate(zip(target.index, value.index, strict=True)) if k != along)
    return apart or _run_in_order(target.index[along], value.index[across])


def _cross_in_order(row: Span, column: Span, i, j) -> bool:
    """Tell so of a row and a column: element (i, j) is in both, as number j of the row and number i of the column."""
    return is_full(row) and is_full(column) and (i == j or i == Const(0))


def _run_in_order(target: Span, value: Span) -> bool:
    """Tell so of two slices along one axis."""
    steps = [Const(1) if span.step is None else span.step for span in (target, value)]
    starts = [Const(0) if span.start is None else span.start for span in (target, value)]
    if steps[0] == steps[1]:
        return True
    if not all(isinstance(bound, Const) for bound in (*steps, *starts)):
        return False
    (step, other), (start, first) = ([bound.value for bound in bounds] for bounds in (steps, starts))
    if step * other < 0:
        return True
    ahead = step <= other if first >= start else step >= other      # of the writing, from the first or from the last
    return min(step, start, first) >= 0 and ahead
