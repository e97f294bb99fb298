"""Where a value from outside a function is found: a getter that knows its own path.

A getter is a function without arguments that gives the present value.  Those
made here carry a *place*, the path as data: first ``("function",)``, the
function that is differentiated, or ``("global", module, name)``, then steps
such as ``("attribute", "scale")``.  By its place another process finds the
value again.  A getter without a place works only where it was made.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable

__all__ = ["Place", "find", "follow", "of_function", "of_global", "place_of", "plain",
           "without_place"]

Place = tuple[tuple, ...]
Getter = Callable[[], object]


def plain(function):
    """Return the Python function behind a method, a partial, a cache or a dispatcher; else None."""
    while not isinstance(function, types.FunctionType):
        if isinstance(function, types.MethodType | staticmethod | classmethod):
            function = function.__func__
        elif isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, functools._lru_cache_wrapper):
            function = function.__wrapped__
        else:
            function = getattr(function, "py_func", None)
            return function if isinstance(function, types.FunctionType) else None
    return function


def place_of(get: Getter) -> Place | None:
    return getattr(get, "place", None)


def of_function(function) -> Getter:
    """Return the getter of the differentiated function itself."""
    return _placed(lambda: function, (("function",),))


def of_global(scope: dict, name: str) -> Getter:
    """Return the getter of a global variable."""
    module = scope.get("__name__")
    known = vars(sys.modules[module]) if module in sys.modules else None

    def get():
        try:
            return scope[name]
        except KeyError:
            raise NameError(f"name {name!r} is not defined") from None
    return _placed(get, (("global", module, name),) if known is scope else None)


def follow(get: Getter, kind: str, key) -> Getter:
    """Return the getter of what is one step further.

    Steps: "attribute", "item", "cell" (a closure variable), "default" (of a
    parameter), "keys" (of a dict, in order).
    """
    place = place_of(get)
    nameable = place is not None and type(key) in (str, int)
    return _placed(_STEPS[kind](get, key), (*place, (kind, key)) if nameable else None)


def without_place(get: Getter) -> Getter:
    """Return a getter that other processes cannot find, because its root is not the function that they ask for."""
    return lambda: get()


def find(place: Place, function) -> Getter:
    """Return the getter for a place, when `function` is differentiated.

    Raises
    ------
    LookupError
        The module has not been imported, or the function is of another kind.
    """
    first, *rest = place
    get = of_function(function) if first == ("function",) else of_global(vars(sys.modules[first[1]]), first[2])
    for kind, key in rest:
        get = follow(get, kind, key)
    return get


def _placed(get, place):
    if place is not None:
        get.place = place
    return get


def _cell(get, name):
    function = plain(get())
    cell = function.__closure__[function.__code__.co_freevars.index(name)]
    return lambda: cell.cell_contents


_STEPS = {
    "attribute": lambda get, name: lambda: getattr(get(), name),
    "item": lambda get, key: lambda: get()[key],
    "cell": _cell,
    "default": lambda get, name: lambda: inspect.signature(
        plain(get()), follow_wrapped=False).parameters[name].default,
    "keys": lambda get, _: lambda: list(get()),
}
