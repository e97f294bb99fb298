"""Python's built-in functions, and those of `math` that are no elementwise operation."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

from srcdiff.frontend.translate.attributes import attribute, class_of, has_attribute
from srcdiff.frontend.translate.builtin_containers import (
    dict_,
    enumerate_,
    iter_,
    len_,
    list_,
    map_,
    ndenumerate,
    ndindex,
    range_,
    reversed_handler,
    slice_,
    sorted_,
    tuple_,
    zip_,
)
from srcdiff.frontend.translate.builtin_numbers import (
    absolute,
    bool_,
    dist,
    divmod_,
    float_,
    int_,
    isclose,
    modf,
    power,
    round_,
    rounded,
)
from srcdiff.frontend.translate.builtin_reductions import extreme, prod, quantified, reduce_, sum_
from srcdiff.frontend.translate.comparisons import COMPARE, compare
from srcdiff.frontend.translate.kinds import one_class
from srcdiff.frontend.translate.numeric import BINARY, SHIFT, binary, unary
from srcdiff.frontend.translate.values import (
    Closure,
    Known,
    Method,
    Partial,
    Refused,
    RunTimeText,
    Tuple,
    is_atom,
)
from srcdiff.syntax import Const

__all__ = ["HANDLERS"]


# -- numbers ---------------------------------------------------------------------------


# -- of several values --------------------------------------------------------------------


# -- containers and iteration -----------------------------------------------------------------


# -- about values -----------------------------------------------------------------------------

def isinstance_(t, value, classes):
    wanted = [c for c in _classes(t, classes)]
    if is_atom(value):
        return Const(one_class(t, value, "isinstance", lambda cls: any(issubclass(cls, c) for c in wanted)))
    cls = class_of(t, value)
    if isinstance(value, Known) and not isinstance(value.value, type):
        return Const(any(isinstance(value.value, c) for c in wanted))
    return Const(any(issubclass(cls, c) for c in wanted))


def _classes(t, value):
    if isinstance(value, Tuple):
        for item in value.items:
            yield from _classes(t, item)
    elif isinstance(value, Known) and isinstance(value.value, type | tuple):
        yield from value.value if isinstance(value.value, tuple) else (value.value,)
    elif isinstance(value, Known) and hasattr(value.value, "__args__"):     # int | float
        yield from value.value.__args__
    else:
        raise Refused("isinstance of something that is not a class", fix="name a class, or a tuple of classes")


def type_(t, value):
    return Known(class_of(t, value))


def hasattr_(t, value, name):
    return Const(has_attribute(t, value, name.value))


def getattr_(t, value, name, default=None):
    if default is not None and not has_attribute(t, value, name.value):
        return default
    return attribute(t, value, name.value)


def callable_(t, value):
    if isinstance(value, Known):
        return Const(callable(value.value))
    return Const(isinstance(value, Closure | Partial | Method))


def str_(t, value=Known("")):       # noqa: B008
    if not isinstance(value, Known | Const):
        return Known(RunTimeText("<value>"))
    return value if isinstance(value.value, RunTimeText) else Known(str(value.value))


def id_(t, value):
    raise Refused("id() has no meaning for a derivative", fix="compare with `is`, or leave it out")


def nothing(t, *args, **keywords):
    """Calls that change no value: `print`, `warnings.warn`."""
    return Known(None)


def partial_(t, function, *args, **keywords):
    return Partial(function, args, tuple(keywords.items()))


def _operator(kind):
    return lambda t, a, b: binary(t, kind, a, b)


def _comparison(kind):
    return lambda t, a, b: compare(t, kind, a, b)


def _item(t, base, index):
    from srcdiff.frontend.translate.indexing import load
    return load(t, base, index)


HANDLERS = {
    float: float_, int: int_, bool: bool_, round: round_, abs: absolute, divmod: divmod_, pow: power,
    min: extreme("minimum", min, "min"), max: extreme("maximum", max, "max"), sum: sum_,
    math.fsum: sum_, math.prod: prod, any: quantified("or", False), all: quantified("and", True),
    len: len_, range: range_, enumerate: enumerate_, zip: zip_, reversed: reversed_handler, map: map_,
    list: list_, tuple: tuple_, dict: dict_, slice: slice_, isinstance: isinstance_, type: type_,
    hasattr: hasattr_, getattr: getattr_, callable: callable_, str: str_, id: id_, print: nothing,
    np.ndindex: ndindex, np.ndenumerate: ndenumerate, iter: iter_, sorted: sorted_,
    functools.partial: partial_, functools.reduce: reduce_, math.floor: rounded("floor"),
    math.ceil: rounded("ceil"), math.trunc: rounded("trunc"), math.isclose: isclose, math.modf: modf,
    math.dist: dist, operator.getitem: _item,
    **{python: _operator(kind) for kind, (_, python) in (BINARY | SHIFT).items()},
    **{python: _comparison(kind) for kind, (_, python) in COMPARE.items()},
    operator.neg: lambda t, x: unary(t, "USub", x), operator.not_: lambda t, x: unary(t, "Not", x),
}


def _register_others():
    import warnings

    import numba
    HANDLERS[warnings.warn] = nothing
    HANDLERS[numba.prange] = range_
    try:
        from scipy._lib._array_api import array_namespace
    except ImportError:                 # private to SciPy: without it, its functions are just inlined
        return
    HANDLERS[array_namespace] = lambda t, *arrays, **options: Known(np)


_register_others()
