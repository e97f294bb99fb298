"""Run a generated module as plain Python, for tests and for debugging.

The module sees a `math` whose functions follow IEEE arithmetic where CPython's
raise (``log(0)``, ``exp(1000)``), as they do when Numba compiles them; so both
targets give the same numbers.
"""

from __future__ import annotations

import functools
import hashlib
import linecache
import math
import types
from collections.abc import Callable

import numpy as np

__all__ = ["load", "register_lines"]


def _special(name):
    """Return a function of `scipy.special`, which is slow to import."""
    def function(x):
        import scipy.special
        return getattr(scipy.special, name)(x)
    return function


_NUMPY = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
    "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh,
    "asin": np.arcsin, "acos": np.arccos, "acosh": np.arccosh, "atanh": np.arctanh, "fmod": np.fmod,
    "pow": np.power, "gamma": _special("gamma"), "lgamma": _special("gammaln"),
}


def _total(function, substitute):
    """Return `function` with the IEEE result where it raises."""
    @functools.wraps(function)
    def total(*args):
        try:
            return function(*args)
        except (ValueError, OverflowError):
            with np.errstate(all="ignore"):
                return float(substitute(*map(float, args)))
    return total


def _ieee_math():
    module = types.ModuleType("math", "The math module, with IEEE results instead of exceptions.")
    module.__dict__.update({k: v for k, v in vars(math).items() if not k.startswith("__")})
    for name, substitute in _NUMPY.items():
        setattr(module, name, _total(getattr(math, name), substitute))
    return module


MATH = _ieee_math()


def register_lines(filename: str, source: str) -> None:
    """Let tracebacks and debuggers show the lines of `source`."""
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)


def load(name: str, source: str, options=None) -> Callable:
    """Execute the text and return its function `name`."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    filename = f"<srcdiff {name} {digest}>"
    register_lines(filename, source)
    namespace = {"__name__": f"srcdiff_{name}_{digest}"}
    exec(compile(source, filename, "exec", dont_inherit=True), namespace)
    if "math" in namespace:
        namespace["math"] = MATH
    function = namespace[name]

    @functools.wraps(function)
    def quiet(*args):
        with np.errstate(all="ignore"):
            return function(*args)
    return quiet
