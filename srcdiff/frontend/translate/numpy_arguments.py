"""Reading the arguments of NumPy functions: axes, dtypes, shapes, flags.
"""

from __future__ import annotations

import numpy as np

from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.values import (
    Known,
    Ref,
    Refused,
    Tuple,
)
from srcdiff.frontend.translate.views import as_atom
from srcdiff.syntax import Const, Scalar

__all__ = ["NONE", "array", "axes_of", "axis_of", "dtype_of", "extents_of", "flag", "integer_of", "none", "refuse_given"]

NONE = Known(None)



def none(value) -> bool:
    return value is None or isinstance(value, Known) and value.value is None


def dtype_of(value, default: str | None = None) -> str | None:
    """Return the name of a `dtype=` argument."""
    if none(value):
        return default
    if not isinstance(value, Known):
        raise Refused(f"a dtype must be known when the function is specialised, not {describe(value)}",
                      fix="write it as np.float64, or as a text known there")
    try:
        name = np.dtype(value.value).name
    except TypeError:
        raise Refused(f"{value.value!r} is not a numeric dtype",
                      fix="use float64, float32, an integer dtype, bool or a complex dtype") from None
    if np.dtype(name).kind not in "biufc":
        raise Refused(f"arrays of dtype {name} are not supported", fix="use a numeric dtype")
    return name


def axes_of(t: Translator, axis, ndim: int) -> tuple[int, ...]:
    """Return the sorted non-negative axes of an `axis=` argument; all of them for None."""
    if none(axis):
        return tuple(range(ndim))
    numbers = [t.static_number(v) for v in (axis.items if isinstance(axis, Tuple) else (axis,))]
    if None in numbers:
        raise Refused("an axis must be known when the function is specialised", fix="use a literal")
    if any(not -ndim <= k < ndim for k in numbers):
        raise Refused(f"axis {numbers[0]} of an array with {ndim} axes", code="SD0230",
                      fix="choose an axis that the array has")
    return tuple(sorted(int(k) % ndim for k in numbers))


def integer_of(t: Translator, value, what: str) -> int:
    """Return an integer argument, which must be known when the function is specialised."""
    number = t.static_number(value)
    if number is None or number != int(number):
        raise Refused(f"{what} must be an integer that is known when the function is specialised",
                      fix="use a literal")
    return int(number)


def axis_of(t: Translator, axis, ndim: int) -> int:
    """Return one axis, non-negative."""
    return axes_of(t, Const(integer_of(t, axis, "an axis")), ndim)[0]


def flag(t: Translator, value) -> bool:
    return not none(value) and bool(t.static_number(value))


def refuse_given(**keywords):
    for name, value in keywords.items():
        if not none(value):
            raise Refused(f"the argument `{name}=` is not supported", fix="write it in a second step",
                          code="SD0239")


def array(t: Translator, value):
    """Return an array argument as an atom; lists become arrays."""
    return as_atom(t, value)


def extents_of(t: Translator, shape) -> tuple:
    if isinstance(shape, Ref):
        shape = t.contents(shape)
    parts = shape.items if isinstance(shape, Tuple) else (shape,)
    atoms = tuple(as_atom(t, p) for p in parts)
    for atom in atoms:
        if not isinstance(t.type_of(atom), Scalar) or t.type_of(atom).dtype[0] not in "iu":
            raise Refused(f"a shape needs integers, not {t.type_of(atom)}", fix="convert with int(...)")
    return atoms
