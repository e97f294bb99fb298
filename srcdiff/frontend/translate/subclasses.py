"""Objects from outside whose class derives from a number or an array: taken for one if their arithmetic is its."""

from __future__ import annotations

import numpy as np

from srcdiff.frontend.translate.values import Refused

__all__ = ["as_base"]

_OPERATORS = ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow", "floordiv",
              "mod", "neg", "abs", "eq", "lt", "le", "gt", "ge")
_OF_NUMBERS = tuple(f"__{name}__" for name in _OPERATORS)
_OF_ARRAYS = (*_OF_NUMBERS, "__matmul__", "__array_ufunc__", "__array_function__")
_NUMBERS = (bool, int, float, complex)


def as_base(value, name: str):
    """Return the Python number that an object is, or the array as it is; refuse one with arithmetic of its own.

    A `np.matrix` multiplies as matrices do and a masked array leaves elements
    out: taken for plain arrays they would give other numbers.
    """
    if isinstance(value, np.ndarray):
        base, operators = np.ndarray, _OF_ARRAYS
    elif isinstance(value, np.generic):
        return value
    else:
        base = next(b for b in _NUMBERS if isinstance(value, b))
        operators = _OF_NUMBERS
    cls = type(value)
    if cls is base:
        return value
    if any(getattr(cls, op, None) is not getattr(base, op, None) for op in operators):
        raise Refused(f"`{name}` is of class `{cls.__name__}`",
                      why=f"its arithmetic is not that of {'arrays' if base is np.ndarray else base.__name__}",
                      fix="use a plain number or array", code="SD0213")
    return value if base is np.ndarray else base(value)
