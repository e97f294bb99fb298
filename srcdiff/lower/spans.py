"""Slices as arithmetic: the first index, the step and the length of ``x[start:stop:step]``.

Python clips the bounds of a slice to the axis.  What is provably inside is not
clipped, so that ``x[1:]`` becomes ``1 + i`` for ``i < n - 1``.
"""

from __future__ import annotations

from srcdiff.lower.extents import span_form
from srcdiff.lower.forms import at_least_zero, plus
from srcdiff.lower.views import Dim, add, subtract
from srcdiff.syntax import Atom, Const, Span

__all__ = ["resolve"]


def resolve(ctx, span: Span, dim: Dim) -> tuple[Atom, Atom, Dim]:
    """Return ``(start, step, extent)`` of a slice of an axis with extent `dim`."""
    step = Const(1) if span.step is None else span.step
    if span.start is None and span.stop is None and step == Const(1):
        return Const(0), step, dim
    form = span_form(ctx.forms, dim.form, span)
    if not isinstance(step, Const):
        start, stop = _either_direction(ctx, span, dim, step)
    elif step.value < 0:
        start, stop = _backward(ctx, span, dim)
    else:
        start, stop = _start(ctx, span, dim), _stop(ctx, span, dim)
    return start, step, Dim(_length(ctx, span, start, stop, step, dim), form)


def _length(ctx, span, start, stop, step, dim):
    b = ctx.b
    if step == Const(-1) and stop == Const(-1):
        return dim.atom if start == subtract_one(dim) else add(b, start, Const(1))
    if step != Const(1):
        return b.op("trips", start, stop, step, stem="n")
    length = subtract(b, stop, start)
    if isinstance(length, Const):
        return Const(max(length.value, 0))
    forms = ctx.form(stop), ctx.form(start)
    if start == Const(0) and span.stop is not None and ctx.nonnegative(span.stop):
        return length                   # of two numbers that are not negative, the smaller one
    if None not in forms and at_least_zero(plus(*forms, -1)):
        return length
    return ctx.b.op("maximum", length, Const(0), stem="n")


def subtract_one(dim):
    """The atom of ``dim - 1`` where it is a constant, else None."""
    return Const(dim.atom.value - 1) if isinstance(dim.atom, Const) else None


def _start(ctx, span, dim):
    """First index of a forward slice; too large is harmless, the slice is empty then."""
    if span.start is None:
        return Const(0)
    if ctx.nonnegative(span.start):
        return span.start
    return ctx.b.op("maximum", _wrapped(ctx, span.start, dim), Const(0), stem="p")


def _stop(ctx, span, dim):
    if span.stop is None:
        return dim.atom
    if isinstance(span.stop, Const) and span.stop.value < 0:
        return subtract(ctx.b, dim.atom, Const(-span.stop.value))
    stop = span.stop if ctx.nonnegative(span.stop) else _wrapped(ctx, span.stop, dim)
    form = ctx.form(span.stop)
    if ctx.nonnegative(span.stop) and form is not None and dim.form is not None \
            and at_least_zero(plus(dim.form, form, -1)):
        return stop
    return ctx.b.op("minimum", stop, dim.atom, stem="p")


def _wrapped(ctx, atom, dim):
    """A bound that counts from the end where it is negative."""
    if isinstance(atom, Const):
        return atom if atom.value >= 0 else subtract(ctx.b, dim.atom, Const(-atom.value))
    negative = ctx.b.op("less", atom, Const(0), stem="negative")
    return ctx.b.op("where", negative, ctx.b.op("add", atom, dim.atom, stem="p"), atom, stem="p")


def _clipped(ctx, atom, dim, low, high):
    p = ctx.b.op("maximum", _wrapped(ctx, atom, dim), low, stem="p")
    return ctx.b.op("minimum", p, high, stem="p")


def _backward(ctx, span, dim):
    last = subtract(ctx.b, dim.atom, Const(1))
    start = last if span.start is None else _clipped(ctx, span.start, dim, Const(-1), last)
    stop = Const(-1) if span.stop is None else _clipped(ctx, span.stop, dim, Const(-1), last)
    return start, stop


def _either_direction(ctx, span, dim, step):
    """Bounds for a step whose sign is known at run time only."""
    b = ctx.b
    back = b.op("less", step, Const(0), stem="back")
    last = subtract(b, dim.atom, Const(1))
    low = b.op("where", back, Const(-1), Const(0), stem="p")
    high = b.op("where", back, last, dim.atom, stem="p")
    start = b.op("where", back, last, Const(0), stem="p") if span.start is None \
        else _clipped(ctx, span.start, dim, low, high)
    stop = b.op("where", back, Const(-1), dim.atom, stem="p") if span.stop is None \
        else _clipped(ctx, span.stop, dim, low, high)
    return start, stop
