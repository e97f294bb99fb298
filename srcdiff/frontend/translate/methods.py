"""Methods: of arrays, lists, dicts, strings and other objects."""

from __future__ import annotations

import types

from srcdiff.frontend.translate import complex_numbers, growing, library, numpy_calls, numpy_more, objects
from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.indexing import key_of
from srcdiff.frontend.translate.iteration import items_of, length, static_items
from srcdiff.frontend.translate.values import (
    Dict,
    Grown,
    Known,
    Method,
    Ref,
    Refused,
    RunTimeText,
    Slice,
    Tuple,
    View,
    is_atom,
)
from srcdiff.frontend.translate.views import as_atom
from srcdiff.syntax import Const

__all__ = ["call_method", "delete"]


def call_method(t: Translator, method: Method, args, keywords):
    """Call ``owner.name(...)``."""
    from srcdiff.frontend.translate.calls import bound_call
    owner, name = method.owner, method.name
    if isinstance(owner, Known):
        return _of_object(t, owner, name, args, keywords)
    if is_atom(owner) or isinstance(owner, View):
        handler = complex_numbers.METHODS.get(name) or numpy_calls.METHODS.get(name) or library.METHODS.get(name) or (
            numpy_more.METHODS.get(name))
        if handler is None:
            raise Refused(f"the array method `.{name}()` is not supported",
                          fix="write it with other NumPy functions", code="SD0241")
        complex_numbers.require_taken(t, name, (owner, *args))
        return bound_call(handler, t, (owner, *args), keywords, Known(types.SimpleNamespace(__name__=name)))
    if objects.is_object(owner):
        return objects.call_method(t, owner, name, args, keywords)
    if isinstance(owner, Ref):
        handler = (_LIST if owner.kind is list else _DICT).get(name)
        if handler is not None:
            return handler(t, owner, *args, **keywords)
    if isinstance(owner, Tuple) and name in ("_replace", "_asdict", "index", "count"):
        return _of_tuple(t, owner, name, args, keywords)
    raise Refused(f"the method `.{name}()` of {describe(owner)} is not supported", code="SD0241",
                  fix="write what it does with functions, operators and loops")


def _of_object(t, owner, name, args, keywords):
    from srcdiff.frontend.translate import calls, inline
    found = getattr(owner.value, name)
    origin = owner.origin
    if isinstance(found, types.MethodType) and isinstance(found.__func__, types.FunctionType):
        bound = Known(found, origin and origin.attribute(name))
        return inline.function(t, bound, args, keywords)
    if isinstance(owner.value, str | bytes | dict | type) or owner.value is None:
        if all(isinstance(a, Known | Const) for a in (*args, *keywords.values())):
            return calls._now(t, found, args, keywords)
        if isinstance(owner.value, str):
            return Known(RunTimeText(f"<{name}>"))
    return calls.call(t, Known(found, origin and origin.attribute(name)), args, keywords)


def _of_tuple(t, owner, name, args, keywords):
    if owner.cls is not None and name == "_replace":
        fields = owner.cls._fields
        return Tuple(tuple(keywords.get(f, v) for f, v in zip(fields, owner.items, strict=True)), owner.cls)
    if owner.cls is not None and name == "_asdict":
        return t.allocate(Dict(tuple(zip(owner.cls._fields, owner.items, strict=True))), dict)
    raise Refused(f"the method `.{name}()` of a tuple is not supported", code="SD0241",
                  fix="write what it does with indexing and loops")


# -- lists -----------------------------------------------------------------------------

def _grow(t, owner, added, at_end=True):
    contents = t.contents(owner)
    t.check_changeable(owner)
    if not isinstance(contents, Tuple):
        if not at_end:
            raise Refused("an item is put in front of a list whose length only run time knows",
                          fix="append it, and read the list backwards", code="SD0215")
        for value in added:
            growing.append(t, owner, value)
        return Known(None)
    t.state["heap", owner.key] = Tuple(contents.items + added if at_end else added + contents.items)
    return Known(None)


def _append(t, owner, item):
    return _grow(t, owner, (item,))


def _extend(t, owner, items):
    return extend(t, owner, items)


def extend(t: Translator, owner: Ref, items):
    """Translate ``owner.extend(items)`` and ``owner += items``."""
    known = static_items(t, items)
    if known is not None or t.static_number(length(t, items)) is not None:
        return _grow(t, owner, tuple(items_of(t, items)))
    t.check_changeable(owner)
    spec = growing.spec_of(t, t.contents(owner))
    sample = growing.spec_of(t, t.contents(items) if isinstance(items, Ref) else as_atom(t, items))
    both = growing.unified([spec, sample])
    if both[0] != 0:
        raise Refused("a list of tuples grows by a number that only run time knows",
                      fix="append its items in a loop", code="SD0215")
    old = as_atom(t, owner) if spec is not None else t.emit(
        "zeros", Const(0), *(t.size(as_atom(t, items), k + 1) for k in range(both[1][0].ndim)),
        dtype=both[1][0].dtype)
    old, new = (t.cast(a, both[1][0].dtype) for a in (old, as_atom(t, items)))
    t.state["heap", owner.key] = t.emit("concatenate", old, new, axis=0)
    return Known(None)


def _pop(t, owner, position=Const(-1)):
    contents, k = t.contents(owner), t.static_number(position)
    t.check_changeable(owner)
    if k == -1 and not isinstance(contents, Tuple):
        if not isinstance(contents, Grown):
            t.state["heap", owner.key] = growing.grown_of(t, contents, growing.spec_of(t, contents))
        return growing.pop(t, owner)
    if not isinstance(contents, Tuple) or k is None:
        raise Refused("pop of a run-time position, or from a list whose length only run time knows",
                      fix="use an array and an index", code="SD0215")
    items = list(contents.items)
    try:
        item = items.pop(int(k))
    except IndexError:
        raise Refused(f"index {int(k)} is out of range: there are {len(items)} items", python=IndexError,
                      fix="Python raises here, too: use an index that it has") from None
    t.state["heap", owner.key] = Tuple(tuple(items))
    return item


def delete(t: Translator, owner: Ref, index) -> None:
    """Translate ``del owner[index]``."""
    if isinstance(t.contents(owner), Dict):
        _pop_key(t, owner, index)
    elif isinstance(index, Slice):
        _cut(t, owner, index)
    else:
        _pop(t, owner, index)


def _cut(t, owner, index):
    t.check_changeable(owner)
    parts = (index.start, index.stop, index.step)
    bounds = [None if b is None else t.static_number(b) for b in parts]
    if not isinstance(t.contents(owner), Tuple) or any(
            b is not None and n is None for b, n in zip(parts, bounds, strict=True)):
        raise Refused("a part of a list whose length only run time knows is deleted", fix="make a new list of what stays",
                      code="SD0215")
    items = list(t.contents(owner).items)
    del items[slice(*bounds)]
    t.state["heap", owner.key] = Tuple(tuple(items))


def _insert(t, owner, position, item):
    contents, k = t.contents(owner), t.static_number(position)
    t.check_changeable(owner)
    if not isinstance(contents, Tuple) or k is None:
        raise Refused("insert at a run-time position, or into a list whose length only run time knows",
                      fix="append, and read the list backwards", code="SD0215")
    items = list(contents.items)
    items.insert(int(k), item)
    t.state["heap", owner.key] = Tuple(tuple(items))
    return Known(None)


def copy_of(t: Translator, owner: Ref) -> Ref:
    """Return a new list or dict with the same items."""
    contents = t.contents(owner)
    if isinstance(contents, Grown):
        contents = growing.grown_of(t, contents, growing.spec_of(t, contents))
    elif not isinstance(contents, Tuple | Dict):
        contents = t.emit("copy", contents)
    return t.allocate(contents, owner.kind)


def _clear(t, owner):
    t.check_changeable(owner)
    t.state["heap", owner.key] = Tuple(())
    return Known(None)


def _reverse(t, owner):
    t.check_changeable(owner)
    if not isinstance(t.contents(owner), Tuple):
        raise Refused("a list whose length only run time knows is reversed in place",
                      fix="use reversed(...) or a slice [::-1]", code="SD0215")
    t.state["heap", owner.key] = Tuple(tuple(reversed(items_of(t, owner))))
    return Known(None)


def _sort(t, owner, *, key=None, reverse=Const(False)):
    from srcdiff.frontend.translate.builtin_containers import sorted_
    t.check_changeable(owner)
    t.state["heap", owner.key] = t.contents(sorted_(t, owner, key=key, reverse=reverse))
    return Known(None)


_LIST = {"sort": _sort, "append": _append, "extend": _extend, "pop": _pop, "insert": _insert, "copy": copy_of,
         "reverse": _reverse, "clear": _clear}


# -- dicts ------------------------------------------------------------------------------

def _get(t, owner, key, default=None):
    found = t.contents(owner).get(key_of(t, key))
    return found if found is not None else default if default is not None else Known(None)


def _items(t, owner):
    return Tuple(tuple(Tuple((lift(t, k), v)) for k, v in t.contents(owner).items))


def _keys(t, owner):
    return Tuple(tuple(lift(t, k) for k, _ in t.contents(owner).items))


def _values(t, owner):
    return Tuple(tuple(v for _, v in t.contents(owner).items))


def _update(t, owner, other=None, **keywords):
    items = dict(t.contents(owner).items)
    if other is not None:
        items.update(t.contents(other).items)
    t.state["heap", owner.key] = Dict(tuple({**items, **keywords}.items()))
    return Known(None)


def _pop_key(t, owner, key, default=None):
    items = dict(t.contents(owner).items)
    found = items.pop(key_of(t, key), default)
    if found is None:
        raise Refused(f"the dict has no key {key_of(t, key)!r}",
                      fix="Python raises here, too: use a key that it has, or give a default")
    t.state["heap", owner.key] = Dict(tuple(items.items()))
    return found


def _setdefault(t, owner, key, default):
    items = dict(t.contents(owner).items)
    found = items.setdefault(key_of(t, key), default)
    t.state["heap", owner.key] = Dict(tuple(items.items()))
    return found


_DICT = {"get": _get, "items": _items, "keys": _keys, "values": _values, "update": _update,
         "pop": _pop_key, "setdefault": _setdefault, "copy": copy_of}
