"""Values from outside: globals, closure values, default arguments, known constants."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from srcdiff.frontend.translate.kinds import NumpyBool
from srcdiff.frontend.translate.subclasses import as_base
from srcdiff.frontend.translate.values import Dict, Known, Origin, Refused, Tuple
from srcdiff.places import follow
from srcdiff.primitives import type_of_value
from srcdiff.syntax import Atom, Const, Param, Var

if TYPE_CHECKING:
    from srcdiff.frontend.translate.context import Translator

__all__ = ["assume", "capture", "lift"]

_DICT_AT_MOST = 1000
_WIDE = {"float64", "int64", "bool", "complex128"}


def lift(t: Translator, value, origin: Origin | None = None, stem: str = "constant"):
    """Return the abstract value of a Python object.

    Numbers and arrays that come from outside (`origin`) become hidden
    parameters, flags stay known but are noted in `assumed`.
    """
    if isinstance(value, bool | np.bool_):
        assume(t, origin, value)
        return Const(value) if isinstance(value, bool) else NumpyBool(bool(value))
    if isinstance(value, int | float | complex | np.number):
        plain = as_base(value, stem)
        if plain is not value:      # an enumeration, a unit: known, and compared at each call
            assume(t, origin, value)
            return Const(plain)
        if origin is not None:
            return capture(t, value, origin, stem)
        return Const(value.item() if isinstance(value, np.generic) else value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        value = as_base(value, stem)
        return capture(t, value, origin or Origin(f"array:{id(value)}", lambda: value), stem)
    if isinstance(value, tuple | list) and not isinstance(value, np.ndarray):
        return _lift_sequence(t, value, origin, stem)
    if isinstance(value, range):
        return Known(value)
    if type(value) is dict and origin is not None and len(value) <= _DICT_AT_MOST:
        return _lift_dict(t, value, origin, stem)
    if value is None or isinstance(value, str) or callable(value):
        assume(t, origin, value)
    return Known(value, origin)


def _lift_dict(t: Translator, value, origin, stem):
    if _plain(tuple(value.values())):
        assume(t, origin, value)
        pairs = tuple((k, lift(t, v)) for k, v in value.items())
    else:
        assume(t, Origin(f"{origin.path}.keys", follow(origin.get, "keys", 0)), list(value))
        pairs = tuple((k, lift(t, v, origin.item(k), f"{stem}_{k}")) for k, v in value.items())
    return t.allocate(Dict(pairs), dict)


def _lift_sequence(t: Translator, value, origin, stem):
    if origin is not None and _plain(value):
        assume(t, origin, value)
        origin = None
    items = tuple(lift(t, v, origin and origin.item(i), f"{stem}_{i}") for i, v in enumerate(value))
    cls = type(value) if hasattr(value, "_fields") else None
    made = Tuple(items, cls)
    return t.allocate(made, list) if isinstance(value, list) else made


def assume(t: Translator, origin: Origin | None, value) -> None:
    """Note that the translation holds only as long as `origin` gives this value."""
    if origin is not None:
        kept = copy.deepcopy(value) if isinstance(value, list | tuple | dict) else value
        t.assumed.setdefault(origin.path, (origin, kept))


def capture(t: Translator, value, origin: Origin, stem: str) -> Atom:
    """Return the hidden parameter of a number or array from outside."""
    if origin.path in t.captures:
        return t.captures[origin.path][0]
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        raise Refused(f"`{stem}` is an array of Python objects", fix="use a numeric dtype")
    type_ = type_of_value(value)
    t.narrow |= type_.dtype not in _WIDE
    name = t.builder.fresh(stem if stem.isidentifier() else "constant", type_)
    t.stems[name] = stem
    t.params.append(Param(name, type_, captured=True))
    t.captures[origin.path] = (Var(name), origin)
    return Var(name)


def _plain(value) -> bool:
    """Tell whether a sequence holds only numbers, strings, None and such sequences."""
    if isinstance(value, tuple | list):
        return all(map(_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
