"""Integers to integer powers: Python's are floats where the exponent is negative, and NumPy's raise there."""

from __future__ import annotations

from srcdiff.errors import IntegerPowerError
from srcdiff.frontend.translate.kinds import PYTHON, kind_of
from srcdiff.frontend.translate.values import Refused
from srcdiff.syntax import Const

__all__ = ["checked_base"]

def checked_base(t, base, exponent, of_numpy: bool = False):
    """Return the base of a power, and see to it that integers have no negative exponent.

    The exponent of Python's numbers decides about the type of their power, so that one which only run time knows must not
    be negative either.  `of_numpy` says that a function of NumPy's is called, to which all numbers are its own.
    """
    if t.type_of(base).dtype[0] not in "iub" or t.type_of(exponent).dtype[0] != "i" or t.is_nonnegative(exponent):
        return base
    of_python = not of_numpy and kind_of(t, base) == kind_of(t, exponent) == PYTHON
    if not isinstance(exponent, Const):
        _check(t, exponent, of_python)
    elif of_python:
        return t.cast(base, "float64")
    else:
        raise Refused("an integer to a negative integer power", why="NumPy raises there, too", fix=IntegerPowerError.fix, python=ValueError)
    return base


def _check(t, exponent, of_python: bool) -> None:
    """Let the program raise where an exponent is negative; the message is that of one line, which finds its place."""
    negative = t.emit("less", exponent, Const(0))
    if rank := t.ndim(exponent):
        negative = t.emit("any", negative, axis=tuple(range(rank)))
    what = "which only Python's numbers have, as a float" if of_python else "which NumPy does not allow"
    with t.builder.nested() as block:
        t.builder.fail("ValueError", f"[SD0359] an integer to a negative integer power in line {t.where().line}, {what}")
    t.builder.branch(negative, block)
