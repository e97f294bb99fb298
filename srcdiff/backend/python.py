"""Run a generated module as plain Python, for tests and for debugging.

The module sees a `math` whose functions follow IEEE arithmetic where CPython's
raise (``log(0)``, ``exp(1000)``), and divides and raises to powers in the same
manner (``1.0 / 0.0``, ``0.0 ** -1.0``), as it does when Numba compiles it; so both
targets give the same numbers.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import linecache
import math
import operator
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


# -- operators --------------------------------------------------------------------------

def _ieee(operator, substitute, raised):
    """Return `operator` with the IEEE result of two real floats where CPython raises or leaves the real numbers."""
    def apply(a, b):
        try:
            result = operator(a, b)
        except raised:
            if isinstance(a, int) and isinstance(b, int):
                raise
            return substitute(a, b).item()
        if isinstance(result, complex) and not isinstance(a, complex) and not isinstance(b, complex):
            return math.nan                 # a negative number to the power of a fraction
        return result
    return apply


def _power(operator):
    """Return a power with IEEE results; those of complex numbers are NumPy's, which overflow to infinities."""
    real = _ieee(operator, np.power, _RAISED)

    def apply(a, b):
        return np.power(a, b).item() if complex in (type(a), type(b)) and np.ndim(a) == np.ndim(b) == 0 else real(a, b)
    return apply


_RAISED = (ZeroDivisionError, OverflowError)
OPERATORS = {
    ast.Div: ("_divided", _ieee(operator.truediv, np.divide, _RAISED)),
    ast.Pow: ("_to_power", _power(operator.pow)),
}
IN_PLACE = {
    ast.Div: ("_divided_in_place", _ieee(operator.itruediv, np.divide, _RAISED)),
    ast.Pow: ("_to_power_in_place", _power(operator.ipow)),
}


class _Operators(ast.NodeTransformer):
    """Calls in place of the operators for which CPython raises."""

    def visit_BinOp(self, node):            # noqa: N802
        self.generic_visit(node)
        return _call(OPERATORS, node, node.left, node.right) or node

    def visit_AugAssign(self, node):        # noqa: N802
        self.generic_visit(node)
        before = ast.parse(ast.unparse(node.target), mode="eval").body
        value = _call(IN_PLACE, node, before, node.value)
        return ast.fix_missing_locations(ast.copy_location(ast.Assign([node.target], value), node)) if value else node


def _call(table, node, left, right):
    if type(node.op) not in table:
        return None
    name = ast.Name(table[type(node.op)][0], ast.Load())
    return ast.fix_missing_locations(ast.copy_location(ast.Call(name, [left, right], []), node))


def register_lines(filename: str, source: str) -> None:
    """Let tracebacks and debuggers show the lines of `source`."""
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)


def load(name: str, source: str, options=None) -> Callable:
    """Execute the text and return its function `name`."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    filename = f"<srcdiff {name} {digest}>"
    register_lines(filename, source)
    namespace = {"__name__": f"srcdiff_{name}_{digest}", **dict(OPERATORS.values()), **dict(IN_PLACE.values())}
    exec(compile(_Operators().visit(ast.parse(source)), filename, "exec", dont_inherit=True), namespace)
    if "math" in namespace:
        namespace["math"] = MATH
    function = namespace[name]

    @functools.wraps(function)
    def quiet(*args):
        with np.errstate(all="ignore"):
            return function(*args)
    return quiet
