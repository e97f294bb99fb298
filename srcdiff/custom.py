"""Functions that users give a rule to: operations of the normal form that are registered at run time.

Such an operation is elementwise and opaque: code calls the user's function for
each element, and nothing else is known about it than its rule.  It has a name
of its own in this process, by which generated code finds the function: `bound`
gives the function itself, `compiled` what Numba can call.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
import keyword
import types
from collections.abc import Callable

import numpy as np

from srcdiff.primitives import PRIMITIVES, Primitive

__all__ = ["arity_of", "bound", "compiled", "importable", "is_compiled", "name_of", "names", "needs_interpreter",
           "register"]

_FUNCTIONS: dict[str, Callable] = {}
_ARITIES: dict[str, int] = {}
_NAMES: dict[Callable, str] = {}


def register(function: Callable, arity: int) -> str:
    """Make a primitive of `function` of `arity` operands, and return its name.

    A function that is registered again gets a new name: code that was made with
    the old one keeps the old rule.
    """
    name = _fresh(getattr(function, "__name__", None) or type(function).__name__)
    _FUNCTIONS[name], _ARITIES[name] = function, arity
    PRIMITIVES.own[name] = Primitive(name, "elementwise", _evaluation(function), like=_like)
    _NAMES[function] = name
    return name


def _fresh(stem: str) -> str:
    stem = stem if stem.isidentifier() and stem.isascii() else "function"
    taken = {*PRIMITIVES, *_FUNCTIONS, *dir(builtins), *keyword.kwlist, "np", "math", "njit", "bound", "compiled"}
    name, count = stem, 2
    while name in taken:
        name, count = f"{stem}_{count}", count + 1
    return name


def name_of(function) -> str | None:
    """Return the operation that a function was made, or None."""
    try:
        return _NAMES.get(function)
    except TypeError:                   # not hashable
        return None


def names() -> tuple[str, ...]:
    """Return the names of all such operations, oldest first."""
    return tuple(_FUNCTIONS)


def bound(name: str) -> Callable:
    """Return the function behind an operation."""
    return _FUNCTIONS[name]


def importable(name: str) -> tuple[str, str] | None:
    """Return (module, name) under which the function can be imported; None for lambdas and closures."""
    function = _FUNCTIONS[name]
    module, own = getattr(function, "__module__", None), getattr(function, "__name__", "")
    if not module or module == "__main__":
        return None
    try:
        found = getattr(importlib.import_module(module), own, None)
    except ImportError:
        return None
    return (module, own) if found is function else None


# -- values ---------------------------------------------------------------------------

def _like(*operands):
    """Return a value of the type of the answer: the floating-point type of the operands together."""
    return functools.reduce(lambda a, b: a + b, operands) * 0.5


def _evaluation(function):
    def evaluate(*operands):
        kind = np.result_type(*operands, 0.5)
        if any(isinstance(x, np.ndarray) for x in operands):
            return np.vectorize(function, otypes=[kind])(*operands)
        value = function(*operands)
        strong = any(isinstance(x, np.generic) for x in operands)
        return kind.type(value) if strong else kind.type(value).item()
    return evaluate


# -- for Numba ----------------------------------------------------------------------------

def is_compiled(name: str) -> bool:
    """Tell whether the function is a Numba dispatcher already."""
    return hasattr(_FUNCTIONS[name], "py_func")


def needs_interpreter(name: str) -> bool:
    """Tell whether compiled code cannot hold the function, but has to call it through the interpreter."""
    return compiled(name).py_func is not getattr(_FUNCTIONS[name], "py_func", _FUNCTIONS[name])


@functools.cache
def compiled(name: str):
    """Return a Numba dispatcher of the function.

    A dispatcher stays what it is.  A Python function is compiled if Numba takes
    it and it reads no variables from outside, which Numba would freeze; else
    compiled code calls the function through the interpreter.
    """
    import numba
    function = _FUNCTIONS[name]
    if is_compiled(name):
        return function
    arity = arity_of(name)
    if isinstance(function, types.FunctionType) and not _reads_outside(function):
        dispatcher = numba.njit(function)
        try:
            dispatcher.compile((numba.float64,) * arity)
            return dispatcher
        except Exception:               # Numba's reasons are many; the interpreter takes everything
            pass
    return _through_interpreter(function, arity)


def arity_of(name: str) -> int:
    """Return the number of operands of an operation."""
    return _ARITIES[name]


def _reads_outside(function: types.FunctionType) -> bool:
    """Tell whether a function reads a global or closure variable that holds a value."""
    found = inspect.getclosurevars(function)
    fixed = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, np.ufunc, type)
    return not all(isinstance(v, fixed) or hasattr(v, "py_func") for v in (*found.nonlocals.values(), *found.globals.values()))


def _through_interpreter(function, arity: int):
    import numba
    args = ", ".join(f"x{i}" for i in range(arity))
    text = (f"def call({args}):\n    with objmode(value='float64'):\n"
            f"        value = float(function({args}))\n    return value\n")
    scope = {"function": function, "objmode": numba.objmode}
    exec(compile(text, f"<{getattr(function, '__name__', 'function')} in the interpreter>", "exec"), scope)
    return numba.njit(scope["call"])
