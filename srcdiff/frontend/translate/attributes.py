"""Attributes: of arrays, of Python objects, of NamedTuples; methods are bound here, called in `methods`."""

from __future__ import annotations

import types

import numpy as np

from srcdiff.frontend.translate import objects
from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.kinds import one_class
from srcdiff.frontend.translate.values import (
    Closure,
    Dict,
    Known,
    ListView,
    MaybeNone,
    Method,
    Poison,
    Ref,
    Refused,
    Tuple,
    View,
    is_atom,
)
from srcdiff.frontend.translate.views import as_atom, as_view, given, shape_of
from srcdiff.syntax import Assign, Const, Scalar

__all__ = ["attribute", "class_of", "has_attribute", "transpose"]


def attribute(t: Translator, value, name: str):
    """Return ``value.name``."""
    if isinstance(value, Poison):
        t.use_poison(value)
    value = given(t, value)
    if isinstance(value, Known):
        return _known(t, value, name)
    if is_atom(value) or isinstance(value, View):
        return _array(t, value, name)
    if objects.is_object(value):
        return objects.get_attribute(t, value, name)
    if isinstance(value, Tuple) and value.cls is not None:
        if name in value.cls._fields:
            return value.items[value.cls._fields.index(name)]
    if isinstance(value, Ref) and not isinstance(t.contents(value), Tuple | Dict) and name in _OF_ARRAYS:
        raise Refused(f"a list has no attribute `{name}`", fix="make it an array with np.array")
    if isinstance(value, Closure):
        raise Refused(f"attribute `{name}` of a function",
                      fix="read it outside of the function, and pass the value as an argument")
    return Method(value, name)


def _known(t, value, name):
    try:
        found = getattr(value.value, name)
    except AttributeError:
        raise Refused(f"{describe(value)} has no attribute `{name}`", code="SD0203",
                      python=AttributeError,
                      fix="Python raises here, too: give it the attribute, or ask with hasattr first") from None
    owner = value.value
    if isinstance(owner, types.ModuleType) and owner.__name__.split(".")[0] in _OF_CONSTANTS:
        return lift(t, found)
    if isinstance(found, types.MethodType) and found.__self__ is owner and not isinstance(owner, type):
        from srcdiff.frontend.translate.library import of_package
        return Method(value, name) if of_package(found) is None else Known(found)
    origin = value.origin.attribute(name) if value.origin is not None else None
    return lift(t, found, origin, name)


_OF_CONSTANTS = ("math", "numpy", "scipy", "cmath")     # modules whose numbers never change
_OF_ARRAYS = ("shape", "size", "ndim", "dtype", "T", "real", "imag")


def _array(t, value, name):
    type_ = t.type_of(value) if is_atom(value) else None
    ndim = type_.ndim if type_ else len(value.axes)
    dtype = type_.dtype if type_ else t.builder.types[value.base].dtype
    if not has_attribute(t, value, name):
        raise Refused(f"a number has no attribute `{name}`", why=f"it is {type_ or 'an array'} here",
                      fix="pass an array, or test the type first", code="SD0203", python=AttributeError)
    if name == "shape":
        return Tuple(shape_of(t, value))
    if name == "ndim":
        return Const(ndim)
    if name == "dtype":
        return Known(np.dtype(dtype))
    if name == "itemsize":
        return Const(np.dtype(dtype).itemsize)
    if name == "size":
        return count(t, value)
    if name == "T":
        return transpose(t, value, tuple(reversed(range(ndim))))
    if name in ("real", "imag"):
        from srcdiff.frontend.translate import complex_numbers
        return complex_numbers.attribute[name](t, value)
    if name == "flags" and _is_made_here(t, value):
        return Known(types.SimpleNamespace(writeable=True))
    if name == "mT" and ndim >= 2:
        return transpose(t, value, (*range(ndim - 2), ndim - 1, ndim - 2))
    if name == "nbytes":
        return t.emit("multiply", count(t, value), Const(np.dtype(dtype).itemsize))
    if name == "flat":
        from srcdiff.frontend.translate.numpy_shapes import flat, read_only
        return read_only(t, flat(t, as_atom(t, value)), value) if ndim > 1 else value
    if name in ("base", "data", "strides", "flags"):
        raise Refused(f"the attribute `{name}` of an array is not supported",
                      fix="use ordinary indexing")
    return Method(value, name)


def _is_made_here(t: Translator, value) -> bool:
    """Tell whether the function has made the memory of an array itself, so that it can be written."""
    base = value.base if isinstance(value, View) else getattr(value, "name", None)
    made = t.builder.definition(base)
    return isinstance(made, Assign) and made.op != "broadcast_to"


def count(t: Translator, value):
    """Return the number of elements."""
    extents = shape_of(t, value)
    total = extents[0] if extents else Const(1)
    for extent in extents[1:]:
        total = t.emit("multiply", total, extent)
        t.nonnegative.add(total.name)
    return total


def transpose(t: Translator, value, perm):
    """Return the view of an array with its axes permuted."""
    if is_atom(value) and isinstance(t.type_of(value), Scalar):
        return value
    view = as_view(t, value)
    if tuple(perm) == tuple(range(len(view.axes))):
        return value
    return View(view.base, view.index, tuple(view.axes[p] for p in perm), view.hint)


def class_of(t: Translator, value):
    """Return the Python class that the value has when the user's function runs."""
    if isinstance(value, MaybeNone):
        raise Refused("whether a value is None is asked by its class", fix="ask `is None`")
    value = given(t, value)
    if is_atom(value):
        return one_class(t, value, "the class", lambda cls: cls)
    if isinstance(value, Ref):
        return value.kind
    if isinstance(value, Tuple):
        return value.cls or tuple
    if isinstance(value, Known):
        return type(value.value)
    if isinstance(value, View):
        return list if isinstance(value, ListView) else np.ndarray
    return types.FunctionType if isinstance(value, Closure) else type(value)


def has_attribute(t: Translator, value, name: str) -> bool:
    if isinstance(value, Known):
        return hasattr(value.value, name)
    if is_atom(value):
        return one_class(t, value, f"whether there is an attribute `{name}`", lambda cls: hasattr(cls, name))
    return hasattr(class_of(t, value), name)
