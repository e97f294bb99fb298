"""How each operation is written in Python: a table of expression templates.

A template is Python text in which ``a``, ``b``, ``c`` stand for the operands.
Scalars of double precision use `math`, which Numba compiles best and CPython
runs fastest; other scalars and arrays use NumPy, which keeps their dtype.
Where a spelling exists that Numba accepts, it is the one used.
"""

from __future__ import annotations

import functools
import math

import gast

from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Array, Scalar, Type, is_complex

__all__ = ["INFIX", "constant", "expression", "spell"]

INFIX = {
    "add": "a + b", "subtract": "a - b", "multiply": "a * b", "divide": "a / b",
    "power": "a ** b", "floor_divide": "a // b", "remainder": "a % b",
    "negative": "-a", "positive": "+a", "invert": "~a", "square": "a ** 2", "matmul": "a @ b",
    "less": "a < b", "less_equal": "a <= b", "greater": "a > b", "greater_equal": "a >= b",
    "equal": "a == b", "not_equal": "a != b",
    "bitwise_and": "a & b", "bitwise_or": "a | b", "bitwise_xor": "a ^ b",
}

# The scalar functions of `math` that Numba knows, with the name of the operation.
MATH = {
    **{name: name for name in (
        "exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh",
        "radians", "degrees", "erf", "erfc", "gamma", "lgamma", "isnan", "isinf", "isfinite", "hypot",
        "copysign")},
    "root_of_squares": "sqrt", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
}

# Scalars of these kinds have a spelling of their own, by the kind of their dtype.
SCALAR = {
    "absolute": "abs(a)", "copy": "a", "stop_gradient": "a", "where": "b if a else c",
    "logical_and": "bool(a) and bool(b)", "logical_or": "bool(a) or bool(b)", "logical_not": "not a",
    "logical_xor": "bool(a) != bool(b)", "reciprocal": "1.0 / a",
    "real": "a.real", "imag": "a.imag", "complex": "complex(a, b)",
}
BOOL = {"invert": "not a", "logical_and": "a and b", "logical_or": "a or b", "logical_xor": "a != b", "absolute": "a",
        "add": "a or b", "multiply": "a and b", "maximum": "a or b", "minimum": "a and b"}
INTEGER = {"maximum": "max(a, b)", "minimum": "min(a, b)", "fmax": "max(a, b)", "fmin": "min(a, b)",
           "reciprocal": "int(np.reciprocal(a))", "floor": "a", "ceil": "a", "trunc": "a"}

ARRAY = {
    "absolute": "np.abs(a)", "copy": "a", "stop_gradient": "a",
    "real": "a.real.copy()", "imag": "a.imag.copy()", "complex": "a + 1j * b",
    **{name: f"np.linalg.{name}(a)" for name in ("inv", "det", "cholesky", "eigvalsh")},
    "solve": "np.linalg.solve(a, b)", "det_sign": "np.linalg.slogdet(a)[0]",
    "logabsdet": "np.linalg.slogdet(a)[1]", "eigenvectors": "np.linalg.eigh(a)[1]",
    "qr_q": "np.linalg.qr(a)[0]", "qr_r": "np.linalg.qr(a)[1]", "svdvals": "np.linalg.svd(a, full_matrices=False)[1]",
    "svd_u": "np.linalg.svd(a, full_matrices=False)[0]", "svd_vt": "np.linalg.svd(a, full_matrices=False)[2]",
}

# Where several values come at once, the one that is meant; Numba takes these forms too.
LINALG = {
    "solve": "np.linalg.solve(a, b)", "inv": "np.linalg.inv(a)", "det": "np.linalg.det(a)",
    "det_sign": "np.linalg.slogdet(a)[0]", "logabsdet": "np.linalg.slogdet(a)[1]",
    "cholesky": "np.linalg.cholesky(a)", "eigvalsh": "np.linalg.eigvalsh(a)",
    "eigenvectors": "np.linalg.eigh(a)[1]", "qr_q": "np.linalg.qr(a)[0]", "qr_r": "np.linalg.qr(a)[1]",
    "svd_u": "np.linalg.svd(a, False)[0]", "svdvals": "np.linalg.svd(a, False)[1]",
    "svd_vt": "np.linalg.svd(a, False)[2]",
}

# Without counterpart in NumPy: functions that stand in the module (see `helpers`).
HELPERS = ("quotient", "digamma", "polygamma", "erf", "erfc", "gamma", "lgamma")

# Functions of an integer and a float32 that give a double.
MIXED = ("arctan2", "hypot", "logaddexp", "copysign", "fmod")

_KIND = {"weak": {"bool": "bool", "int64": "int", "float64": "float", "complex128": "complex"}}


@functools.cache
def _template(text: str) -> str:
    gast.parse(text, mode="eval")
    return text


def expression(template: str, **operands) -> gast.expr:
    """Return the tree of `template` with names replaced by the given trees."""
    tree = gast.parse(_template(template), mode="eval").body
    if isinstance(tree, gast.Name):
        return operands.get(tree.id, tree)
    return _Fill(operands).visit(tree)


class _Fill(gast.NodeTransformer):
    def __init__(self, operands):
        self.operands = operands

    def visit_Name(self, node):
        return self.operands.get(node.id, node)


def constant(value: bool | int | float | complex) -> gast.expr:
    """Return the tree of a number; negative ones as a minus sign and a number."""
    if isinstance(value, complex):
        if str(value.real) == "0.0" and math.isfinite(value.imag) and str(value.imag)[0] != "-":
            return gast.Constant(value, None)
        if str(value.real) == "-0.0" and math.isfinite(value.imag) and str(value.imag)[0] == "-":
            return gast.UnaryOp(gast.USub(), gast.Constant(-value, None))
        return expression("complex(a, b)", a=constant(value.real), b=constant(value.imag))
    if isinstance(value, bool):
        return gast.Constant(value, None)
    if value != value:
        return expression("np.nan")
    if str(value).startswith("-"):
        return gast.UnaryOp(gast.USub(), constant(-value))
    if value == float("inf") and isinstance(value, float):
        return expression("np.inf")
    return gast.Constant(value, None)


def dtype_name(dtype: str) -> str:
    """Return how NumPy's scalar type of this name is written."""
    return "np.bool_" if dtype == "bool" else f"np.{dtype}"


def converter(type_: Scalar) -> str:
    """Return the template that makes a scalar of `type_`."""
    if type_.weak:
        return _KIND["weak"][type_.dtype] + "(a)"
    return dtype_name(type_.dtype) + "(a)"


def is_double(type_: Type) -> bool:
    return isinstance(type_, Scalar) and type_.dtype in ("float64", "int64")


def spell(op: str, types: tuple[Type, ...], result: Type, operands, static) -> gast.expr:
    """Return the expression for one operation.

    Parameters
    ----------
    op, static
        The operation and its static keywords.
    types, operands
        Types and trees of the operands.
    result
        The type that the operation gives.
    """
    if special := _SPECIAL.get(op):
        return special(types, result, operands, dict(static))
    if PRIMITIVES[op].opaque:
        return _opaque(op, types, result, operands)
    if op in MIXED and isinstance(result, Scalar) and result.dtype == "float64":        # Numba would compute in single precision
        operands = [expression("np.float64(a)", a=a) if t.dtype == "float32" else a for a, t in zip(operands, types, strict=True)]
    names = dict(zip("abc", operands, strict=False))
    if all(isinstance(t, Scalar) for t in types):
        return expression(_scalar_template(op, types, result, len(operands)), **names)
    return expression(_array_template(op, len(operands)), **names)


def _opaque(op, types, result, operands):
    """Call a function of the user's: the module binds its name, and with `_` what goes over the elements."""
    if isinstance(result, Array):
        return _call_tree(op + "_", operands)
    return expression(converter(result), a=_call_tree(op, operands))


def _scalar_template(op, types, result, count):
    kinds = {t.dtype for t in types}
    if kinds == {"bool"} and op in BOOL:
        return BOOL[op]
    if kinds <= {"bool", "int64", "int32"} and op in INTEGER and result.dtype in kinds:
        return INTEGER[op]
    if op == "fmod" and result.dtype.startswith("int"):
        return "whole_fmod(a, b)"
    if op == "reciprocal" and result.dtype == "uint64":         # the float of 1 / 0 does not fit
        return "np.uint64(a == 1)"
    if op == "reciprocal" and result.dtype == "float32":
        return "np.float32(1.0) / a"
    if op in SCALAR:
        return SCALAR[op]
    if op in INFIX:
        return INFIX[op]
    if op in MATH and all(map(is_double, types)) and result.dtype in ("float64", "bool"):
        return _call("math." + MATH[op], count)
    if op in HELPERS:
        call = _call("math." + MATH[op] if op in MATH else op, count)
        return f"np.float32({call})" if result.dtype == "float32" else call
    return _numpy(op, count)


def _array_template(op, count):
    if op in HELPERS:
        return _call(op + "_", count)           # the helper that goes over the elements
    if op == "reciprocal":
        return "np.reciprocal(a)"
    return INFIX.get(op) or ARRAY.get(op) or LINALG.get(op) or _numpy(op, count)


def _numpy(op, count):
    if op not in PRIMITIVES:
        raise KeyError(f"no spelling for the operation {op!r}")
    return _call("np." + ("sqrt" if op == "root_of_squares" else op), count)


def _call(function, count):
    return f"{function}({', '.join('abc'[:count])})"


# -- operations with a form of their own ---------------------------------------------

def sequence(items) -> gast.expr:
    """Return a shape: one extent bare, several as a tuple."""
    items = list(items)
    return items[0] if len(items) == 1 else gast.Tuple(items, gast.Load())


def number(value) -> gast.expr:
    if isinstance(value, tuple):
        return gast.Tuple([constant(v) for v in value], gast.Load())
    return gast.Constant(None, None) if value is None else constant(value)


def _call_tree(function, args, keywords=()):
    return gast.Call(expression(function), list(args), [gast.keyword(k, v) for k, v in keywords])


def _typed(function, args, dtype, default="float64"):
    keywords = [] if dtype == default else [("dtype", expression(dtype_name(dtype)))]
    return _call_tree(function, args, keywords)


def _power(types, result, operands, static):
    a, b = operands
    if isinstance(result, Scalar) and result.dtype == "float64":
        whole = isinstance(b, gast.Constant) and b.value == int(b.value) and b.value >= 0
        whole = whole or "int" in types[1].dtype and isinstance(b, gast.Constant)
        if types[0].weak and types[1].weak and not whole:
            # Python's ** leaves the reals for a negative base.
            return expression("math.pow(a, b)", a=a, b=b)
        if types[0].dtype == "float32" and not isinstance(b, gast.Constant):        # Numba would keep that
            return expression("np.float64(a) ** b", a=a, b=b)
    return expression("a ** b", a=a, b=b)


def _divide(types, result, operands, static):
    """Divide complex scalars as NumPy does; the operator of compiled code raises for a divisor of 0."""
    a, b = operands
    plain = isinstance(b, gast.Constant) and b.value != 0
    plain = plain or isinstance(result, Array) or not is_complex(result)
    return expression("a / b" if plain else "np.divide(a, b)", a=a, b=b)


def _cast(types, result, operands, static):
    if isinstance(types[0], Array):
        return expression(f"a.astype({dtype_name(static['dtype'])})", a=operands[0])
    return expression(f"{dtype_name(static['dtype'])}(a)", a=operands[0])


def _weaken(types, result, operands, static):
    return expression(converter(result), a=operands[0]) if isinstance(result, Scalar) else operands[0]


def _reduction(name):
    def spelled(types, result, operands, static):
        axis, keywords = static["axis"], []
        if axis is None or (isinstance(axis, tuple) and len(axis) == types[0].ndim):
            axis = None
        elif isinstance(axis, tuple) and len(axis) == 1:
            axis = axis[0]
        if axis is not None and not (types[0].ndim == 1 and name in ("argmax", "argmin")):
            keywords.append(("axis", number(axis)))
        if static.get("keepdims"):
            keywords.append(("keepdims", gast.Constant(True, None)))
        return _call_tree("np." + name, operands, keywords)
    return spelled


def _transpose(types, result, operands, static):
    perm = tuple(static["perm"])
    if perm == tuple(reversed(range(len(perm)))):
        return expression("a.T", a=operands[0])
    return expression("np.transpose(a, b)", a=operands[0], b=number(perm))


def _reshape(types, result, operands, static):
    return expression("np.reshape(a, b)", a=operands[0], b=sequence(operands[1:]))


def _view(types, result, operands, static):
    array = expression("np.ascontiguousarray(a)", a=operands[0]) if static.get("any_layout") else operands[0]
    return gast.Call(gast.Attribute(array, "reshape", gast.Load()), list(operands[1:]), [])


def _broadcast_to(types, result, operands, static):
    if isinstance(types[0], Scalar):
        return _full(types, result, operands, {"dtype": result.dtype})
    return expression("np.broadcast_to(a, b)", a=operands[0],
                      b=gast.Tuple(list(operands[1:]), gast.Load()))


def _axis_function(name):
    def spelled(types, result, operands, static):
        axis = static["axis"]
        if isinstance(axis, tuple) and len(axis) == 1:
            axis = axis[0]
        tree = _call_tree("np." + name, [*operands, number(axis)])
        return tree if isinstance(result, Array) else expression("a[()]", a=tree)
    return spelled


def _keyword_axis(name):
    def spelled(types, result, operands, static):
        axis = () if types[0].ndim == 1 and name != "take" else [("axis", number(static["axis"]))]
        return _call_tree("np." + name, operands, axis)
    return spelled


def _concatenate(types, result, operands, static):
    parts = gast.Tuple(list(operands), gast.Load())
    axis = [("axis", number(static["axis"]))] if static["axis"] else []
    return _call_tree("np.concatenate", [parts], axis)


def _sum_to(types, result, operands, static):
    if len(operands) == 1:
        return _call_tree("np.sum", operands) if types[0].ndim else operands[0]
    return _call_tree("sum_to", [operands[0], gast.Tuple(list(operands[1:]), gast.Load())])


def _helper(name):
    return lambda types, result, operands, static: _call_tree(name, operands)


def _filled(name):
    def spelled(types, result, operands, static):
        if not operands:
            return expression(converter(result), a=constant(0))
        return _typed("np." + name, [sequence(operands)], static["dtype"])
    return spelled


def _full(types, result, operands, static):
    value, *extents = operands
    return _typed("np.full", [sequence(extents), value], static["dtype"], types[0].dtype)


def _eye(types, result, operands, static):
    n, m = operands
    return _typed("np.eye", [n] if gast.dump(n) == gast.dump(m) else [n, m], static["dtype"])


def _range_arguments(operands):
    start, stop, step = operands
    if is_number(step, 1):
        return [stop] if is_number(start, 0) else [start, stop]
    return [start, stop, step]


def is_number(tree, value) -> bool:
    return isinstance(tree, gast.Constant) and type(tree.value) is type(value) and tree.value == value


def range_(operands) -> gast.expr:
    """Return ``range(start, stop, step)`` without the defaults."""
    return _call_tree("range", _range_arguments(operands))


def _arange(types, result, operands, static):
    natural = "int64" if {t.dtype for t in types} == {"int64"} else "float64"
    return _typed("np.arange", _range_arguments(operands), static["dtype"], natural)


def _array(types, result, operands, static):
    *outer, last = static["shape"]
    if not operands:
        return _typed("np.zeros", [number(tuple(static["shape"]))], static["dtype"])
    rows = list(operands)
    for extent in reversed((*outer, last)):
        rows = [gast.List(rows[i:i + extent], gast.Load()) for i in range(0, len(rows), extent)]
    kinds = {t.dtype for t in types}
    return _typed("np.array", rows, static["dtype"], kinds.pop() if len(kinds) == 1 else None)


def _unset(types, result, operands, static):
    return _typed("np.zeros", [number((0,) * static["ndim"])], static["dtype"])


def _size(types, result, operands, static):
    return expression("a.shape[b]", a=operands[0], b=constant(static["axis"]))


def _trips(types, result, operands, static):
    return expression("len(a)", a=range_(operands))


def _seed(types, result, operands, static):
    raise ValueError("a seed has no spelling: `vectorize` gives it its directions first")


_SPECIAL = {
    "power": _power, "divide": _divide, "cast": _cast, "weaken": _weaken, "transpose": _transpose, "reshape": _reshape, "view": _view,
    "broadcast_to": _broadcast_to, "concatenate": _concatenate, "sum_to": _sum_to, "full": _full,
    "unset": _unset, "eye": _eye, "arange": _arange, "array": _array, "size": _size, "trips": _trips, "seed": _seed,
    **{name: _reduction(name) for name in (
        "sum", "prod", "max", "min", "any", "all", "argmax", "argmin")},
    **{name: _filled(name) for name in ("zeros", "empty")},
    **{name: _helper(name) for name in ("tape_grow", "segment_length", "segment_within", "next_checkpoint", "is_indefinite")},
    **{name: _axis_function(name) for name in ("expand_dims", "squeeze")},
    **{name: _keyword_axis(name) for name in ("cumsum", "take")},
}
