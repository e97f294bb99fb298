"""Objects of the user's classes that are made inside the differentiated function.

Such an object is a record of attributes, kept like a dict; `__init__` and the
methods are inlined.  Objects from outside stay what they are (`Known`): they
can be read, never changed.
"""

from __future__ import annotations

import dataclasses
import inspect
import types

from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.values import Known, Method, Origin, Record, Ref, Refused

__all__ = ["can_make", "get_attribute", "is_object", "make", "set_attribute"]


def is_object(value) -> bool:
    return isinstance(value, Ref) and value.kind not in (list, dict)


def can_make(cls: type) -> bool:
    """Tell whether objects of a class are plain records: no metaclass, no compiled base."""
    compiled = [base for base in cls.__mro__ if base.__module__ == "builtins" and base is not object]
    return type(cls) is type and not compiled and cls.__new__ is object.__new__


def make(t: Translator, cls: type, args, keywords):
    """Translate ``cls(*args, **keywords)``."""
    ref = t.allocate(Record(()), cls)
    if (owner := _dataclass_that_initialises(cls)) is not None:
        _fill_fields(t, ref, owner, args, keywords)
        if hasattr(cls, "__post_init__"):
            _method(t, ref, cls.__post_init__, (), {})
    elif isinstance(cls.__init__, types.FunctionType):
        _method(t, ref, cls.__init__, args, keywords)
    elif args or keywords:
        raise Refused(f"`{cls.__name__}` takes no arguments",
                      fix="give the class an __init__ or fields, or pass nothing")
    return ref


def _dataclass_that_initialises(cls) -> type | None:
    """Return the class whose `__init__` runs, if `dataclass` has written it: it sets the fields and no more."""
    owner = next(c for c in cls.__mro__ if "__init__" in vars(c))
    code = getattr(owner.__init__, "__code__", None)
    generated = "__dataclass_fields__" in vars(owner) and code is not None and code.co_filename == "<string>"
    return owner if generated else None


def _fill_fields(t, ref, cls, args, keywords):
    fields = [f for f in dataclasses.fields(cls) if f.init]
    given = dict(zip((f.name for f in fields), args, strict=False)) | keywords
    for field in dataclasses.fields(cls):
        if field.name in given:
            value = given[field.name]
        elif field.default is not dataclasses.MISSING:
            value = lift(t, field.default)
        elif field.default_factory is not dataclasses.MISSING:
            from srcdiff.frontend.translate.calls import call
            value = call(t, Known(field.default_factory), (), {})
        else:
            raise Refused(f"`{cls.__name__}` is made without its field `{field.name}`", code="SD0240",
                          fix="pass the field, or give it a default")
        _set(t, ref, field.name, value)


def _method(t, ref, function, args, keywords):
    from srcdiff.frontend.translate import inline
    return inline.function(t, Known(function), (ref, *args), keywords)


def _set(t, ref, name, value):
    items = dict(t.contents(ref).items)
    items[name] = value
    t.state["heap", ref.key] = Record(tuple(items.items()))


def set_attribute(t: Translator, value, name: str, new) -> None:
    """Translate ``value.name = new`` for an object that was made inside."""
    if not is_object(value):
        raise Refused("attributes of objects from outside cannot be assigned",
                      why="a derivative call must not change objects from outside",
                      fix="keep the value in a local variable and return it", code="SD0223")
    if isinstance(inspect.getattr_static(value.kind, name, None), property):
        raise Refused(f"`{name}` is a property with a setter", fix="assign a plain attribute")
    _set(t, value, name, new)


def get_attribute(t: Translator, value: Ref, name: str):
    """Return an attribute of an object, or what its class has under that name."""
    found = t.contents(value).get(name)
    if found is not None:
        return found
    cls = value.kind
    try:
        held = inspect.getattr_static(cls, name)
    except AttributeError:
        raise Refused(f"`{cls.__name__}` has no attribute `{name}`", code="SD0203",
                      python=AttributeError,
                      fix="Python raises here, too: give the class the attribute, or ask with hasattr first") from None
    if isinstance(held, property):
        return _method(t, value, held.fget, (), {})
    if isinstance(held, types.FunctionType):
        return Method(value, name)
    origin = Origin(f"class:{id(cls)}.{name}", lambda: getattr(cls, name))
    return lift(t, getattr(cls, name), origin, name)


def call_method(t: Translator, value: Ref, name: str, args, keywords):
    """Call a method of an object, or a function that it holds."""
    from srcdiff.frontend.translate.calls import call
    held = inspect.getattr_static(value.kind, name, None)
    if t.contents(value).get(name) is None and isinstance(held, types.FunctionType):
        return _method(t, value, held, args, keywords)
    return call(t, get_attribute(t, value, name), args, keywords)
