"""Built-in functions of numbers, and those of `math` that are no elementwise operation."""

from __future__ import annotations

import math

from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.numeric import arithmetic, binary, on_known, truth_atom
from srcdiff.frontend.translate.values import Known, Refused, RunTimeText, Tuple
from srcdiff.frontend.translate.views import as_atom
from srcdiff.syntax import Const, Scalar

__all__ = ["absolute", "bool_", "dist", "divmod_", "float_", "int_", "isclose", "modf", "power", "round_", "rounded"]


def scalar(t: Translator, value):
    """Return a number; an array of extents 1 is refused where its shape is not known."""
    atom = as_atom(t, value)
    if t.ndim(atom):
        raise Refused("an array is converted to a number", why=f"it is {t.type_of(atom)} here",
                      fix="index it: x[0]", code="SD0242")
    return atom


def plain_text(text: str) -> str:
    """Return a text that is known; refuse one with run-time parts."""
    return text if not isinstance(text, RunTimeText) else text.ask()


def _converted(t, value, python):
    """Return what `float` or `int` makes of a known text or number, the number itself if only run time knows it."""
    if isinstance(value, Known) and isinstance(value.value, str):
        return Const(on_known(python, plain_text(value.value)))
    atom = scalar(t, value)
    return Const(python(atom.value)) if isinstance(atom, Const) else atom


def float_(t, value=Const(0.0)):
    atom = _converted(t, value, float)
    return atom if isinstance(atom, Const) else t.weak(t.cast(atom, "float64"))


def int_(t, value=Const(0)):
    atom = _converted(t, value, int)
    if isinstance(atom, Const):
        return atom
    made = t.weak(t.cast(atom, "int64"))
    if t.is_nonnegative(atom):
        t.nonnegative.add(made.name)
    return made


def bool_(t, value=Const(False)):
    return truth_atom(t, value)


def round_(t, value, ndigits=None):
    atom = scalar(t, value)
    digits = t.static_number(ndigits) if ndigits is not None else None
    if isinstance(atom, Const):
        return Const(round(atom.value) if digits is None else round(atom.value, int(digits)))
    if t.type_of(atom).dtype == "int64":
        return atom
    if digits is not None:
        scale = Const(10.0 ** int(digits))
        return t.emit("divide", t.emit("rint", t.emit("multiply", atom, scale)), scale)
    return t.weak(t.cast(t.emit("rint", atom), "int64"))


def rounded(op):
    """`math.floor` and its like give integers."""
    def handler(t, value):
        atom = scalar(t, value)
        if isinstance(atom, Const):
            return Const(getattr(math, op)(atom.value))
        if t.type_of(atom).dtype == "int64":
            return atom
        return t.weak(t.cast(t.emit(op, atom), "int64"))
    return handler


def absolute(t, value):
    atom = as_atom(t, value)
    if isinstance(atom, Const):
        return Const(abs(atom.value))
    if t.type_of(atom) == Scalar("bool", True):
        atom = t.weak(t.cast(atom, "int64"))
    return t.emit("absolute", atom)


def divmod_(t, a, b):
    return Tuple((binary(t, "FloorDiv", a, b), binary(t, "Mod", a, b)))


def power(t, a, b):
    return binary(t, "Pow", a, b)


def isclose(t, a, b, *, rel_tol=Const(1e-09), abs_tol=Const(0.0)):
    a, b = scalar(t, a), scalar(t, b)
    gap = t.emit("absolute", arithmetic(t, "Sub", a, b))
    largest = t.emit("maximum", absolute(t, a), absolute(t, b))
    bound = t.emit("maximum", arithmetic(t, "Mult", as_atom(t, rel_tol), largest), as_atom(t, abs_tol))
    near = t.emit("less_equal", gap, bound)
    return t.emit("logical_or", near, t.emit("equal", a, b))


def modf(t, x):
    whole = t.emit("trunc", scalar(t, x))
    return Tuple((arithmetic(t, "Sub", scalar(t, x), whole), whole))


def dist(t, p, q):
    a, b = as_atom(t, p), as_atom(t, q)
    gap = arithmetic(t, "Sub", a, b)
    return t.emit("root_of_squares", t.emit("sum", t.emit("square", gap), axis=(0,)))
