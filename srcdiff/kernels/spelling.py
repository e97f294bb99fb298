"""How each scalar operation is written in a kernel.

`numba.cuda` knows `math` and the operators, and of NumPy's functions a few.
What neither has stands in the module as a device function.
"""

from __future__ import annotations

import ast
import functools
import re

import gast

from srcdiff.printing.helpers import HELPERS
from srcdiff.printing.spelling import MATH, converter, dtype_name, expression, sequence, spell
from srcdiff.syntax import Array, Scalar, Type

__all__ = ["DEVICE_HELPERS", "helpers_for", "is_known", "spell_for_device"]

_OF_THE_HOST = re.compile(r"\bnp\.(?!float|int|uint|bool_|complex|nan|inf|pi)")

MAXIMUM = '''\
def maximum(a, b):
    """Return the larger number; nan if one is."""
    return a if a > b or a != a else b
'''
MINIMUM = '''\
def minimum(a, b):
    """Return the smaller number; nan if one is."""
    return a if a < b or a != a else b
'''
FMAX = '''\
def fmax(a, b):
    """Return the larger number; the other one if one is nan."""
    return a if a >= b or b != b else b
'''
FMIN = '''\
def fmin(a, b):
    """Return the smaller number; the other one if one is nan."""
    return a if a <= b or b != b else b
'''
SIGN = '''\
def sign(x):
    """Return -1.0, 0.0 or 1.0, and nan for nan."""
    if x > 0.0:
        return 1.0
    if x < 0.0:
        return -1.0
    return x * 1.0
'''
# Round half to even, as IEEE arithmetic does.
RINT = '''\
def rint(x):
    """Return the nearest whole number, the even one of two."""
    below = math.floor(x)
    part = x - below
    if part < 0.5 or part == 0.5 and math.fmod(below, 2.0) == 0.0:
        return below
    return below + 1.0
'''
# A Newton step after the power, which is not exact.
CBRT = '''\
def cbrt(x):
    """Return the real cube root."""
    if x == 0.0 or not math.isfinite(x):
        return x
    root = math.copysign(math.pow(abs(x), 1 / 3), x)
    return root - (root - x / (root * root)) / 3
'''
LOGADDEXP = '''\
def logaddexp(a, b):
    """Return log(exp(a) + exp(b))."""
    if a == b:
        return a + math.log(2.0)
    if a > b:
        return a + math.log1p(math.exp(b - a))
    return b + math.log1p(math.exp(a - b))
'''
DIGAMMA = '''\
def digamma(x):
    """Return the logarithmic derivative of the gamma function."""
    if x > 0.0:
        return digamma_positive(x)
    if x == 0.0:
        return -math.copysign(np.inf, x)
    if x == math.floor(x):
        return np.nan
    return digamma_positive(1.0 - x) - math.pi / math.tan(math.pi * (x - math.floor(x)))
'''
POLYGAMMA = '''\
def polygamma(n, x):
    """Return the n-th derivative of digamma, n >= 1."""
    power = n + 1.0
    scale = math.gamma(n + 1.0) * (1.0 if n % 2 else -1.0)
    if x <= 0.0 and x == math.floor(x):
        return scale * np.inf
    total, y = 0.0, x * 1.0
    while y < 10.0:
        total += math.pow(y, -power)
        y += 1.0
    term = math.pow(y, -power)
    total += term * (y / n + 0.5)
    term *= power / y
    ratios = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160,
        -691 / 1307674368000, 1 / 74724249600, -3617 / 10670622842880000)
    for k in range(8):
        total += ratios[k] * term
        term *= (power + 2 * k + 1) * (power + 2 * k + 2) / (y * y)
    return scale * total
'''
# As Python divides, but without an exception: in a thread that would be the end of it.
COMPLEX_QUOTIENT = '''\
def complex_quotient(a, b):
    """Return a / b; nan for b = 0."""
    scale = abs(b.real) + abs(b.imag)
    x, y = b.real / scale, b.imag / scale
    square = (x * x + y * y) * scale
    return complex((a.real * x + a.imag * y) / square, (a.imag * x - a.real * y) / square)
'''

def _of_schedule(name: str) -> str:
    """Return the text of a function of `srcdiff.schedule` for a thread.

    Without what it raises, which kernels test before (`kernels/budgets.py`), and with
    functions in place of `max` and `min`, which Numba's own CUDA target refuses.
    """
    text = re.sub(r"    if [^\n]*:\n        raise [^\n]*\n", "", HELPERS[name][0])
    return re.sub(r"\b(max|min)\(", r"\1imum(", text)


# name -> (text, names of the helpers it calls)
DEVICE_HELPERS = {
    **{name: (_of_schedule(name), ("maximum", "minimum")) for name in ("segment_length", "segment_within", "next_checkpoint")},
    "maximum": (MAXIMUM, ()), "minimum": (MINIMUM, ()), "fmax": (FMAX, ()), "fmin": (FMIN, ()), "sign": (SIGN, ()),
    "rint": (RINT, ()), "cbrt": (CBRT, ()), "logaddexp": (LOGADDEXP, ()), "quotient": HELPERS["quotient"],
    "complex_quotient": (COMPLEX_QUOTIENT, ()),
    "digamma": (DIGAMMA, ("digamma_positive",)), "polygamma": (POLYGAMMA, ()),
}

# Operations that are spelled by a device function or by `math`, for real numbers.
REAL = {
    **{name: f"math.{function}" for name, function in MATH.items()},
    **{name: name for name in DEVICE_HELPERS},
    "floor": "math.floor", "ceil": "math.ceil", "trunc": "math.trunc", "fmod": "math.fmod",
}
TEMPLATES = {"exp2": "math.pow(2.0, a)", "square": "a * a", "reciprocal": "1.0 / a"}
COMPLEX = {
    **{name: f"cmath.{name}" for name in ("exp", "log", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "arcsin": "cmath.asin", "arccos": "cmath.acos", "arctan": "cmath.atan",
    "arcsinh": "cmath.asinh", "arccosh": "cmath.acosh", "arctanh": "cmath.atanh",
}
TESTS = ("isnan", "isinf", "isfinite")
INTEGERS = frozenset({"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})


def spell_for_device(op: str, types: tuple[Type, ...], result: Type, operands, static):
    """Return the expression for one operation; see `srcdiff.printing.spelling.spell`."""
    names = dict(zip("abc", operands, strict=False))
    if op == "empty":
        return _local(result, operands)
    if any(isinstance(t, Array) for t in types) or isinstance(result, Array):
        return spell(op, types, result, operands, static)
    if op in ("cast", "weaken"):
        return _converted(types[0], result, names)
    template = _template(op, types, result, len(operands))
    return expression(template, **names) if template else spell(op, types, result, operands, static)


@functools.cache
def is_known(op: str, types: tuple[Type, ...], result: Type) -> bool:
    """Tell whether a thread knows an operation on numbers, and need not call NumPy."""
    operands = [gast.Name(name, gast.Load(), None, None) for name in "abcdefgh"[:len(types)]]
    return not _OF_THE_HOST.search(unparse(spell_for_device(op, types, result, operands, ())))


def unparse(tree) -> str:
    return ast.unparse(gast.gast_to_ast(tree))


def _template(op: str, types: tuple[Type, ...], result: Type, count: int) -> str | None:
    kinds = {t.dtype for t in types}
    if op == "conjugate":
        return "a.conjugate()" if "complex" in result.dtype else "a"
    if op in ("divide", "reciprocal") and "complex" in result.dtype:
        # `imag` of an integer is the integer itself in Numba's CUDA target.
        a, b = ("1.0 + 0.0j", "a") if op == "reciprocal" else (
            name if "complex" in t.dtype else f"complex({name}, 0.0)" for name, t in zip("ab", types, strict=True))
        text = f"complex_quotient({a}, {b})"
        return f"np.complex64({text})" if result.dtype == "complex64" else text
    if kinds & {"complex64", "complex128"}:
        return _call(COMPLEX[op], count, result) if op in COMPLEX else None
    if kinds <= INTEGERS:
        return _of_integers(op, result, count)
    if op in TEMPLATES:
        return _narrowed(TEMPLATES[op], result)
    return _call(REAL[op], count, result) if op in REAL else None


def _of_integers(op: str, result: Type, count: int) -> str | None:
    if op in ("maximum", "minimum", "fmax", "fmin") and result.dtype != "bool":
        return f"{'maximum' if 'max' in op else 'minimum'}(a, b)"
    if op == "sign":
        return "(1 if a > 0 else -1 if a < 0 else 0)"
    if op in ("floor", "ceil", "trunc", "rint"):
        return "a"
    if op in REAL and result.dtype in ("float32", "float64"):
        return _call(REAL[op], count, result)
    return None


def _call(function: str, count: int, result: Type) -> str:
    return _narrowed(f"{function}({', '.join('abc'[:count])})", result)


def _narrowed(text: str, result: Type) -> str:
    """Give a result of single precision its type; the simulator would compute in double."""
    return f"np.float32({text})" if result.dtype == "float32" else text


def _converted(given: Type, result: Scalar, names):
    """Write a conversion; a truth value becomes a number by choice, and a Python number NumPy's.

    Where a narrow number is added to a Python one, NumPy (and the simulator with it) would keep the narrow type.
    """
    if given.dtype == "bool" and result.dtype in ("float32", "float64"):
        return expression(_narrowed("(1.0 if a else 0.0)", result), **names)
    if result.dtype == given.dtype and result.dtype != "float32" and result.weak >= given.weak:
        return expression("a", **names)
    return expression(converter(result) if result.weak else f"{dtype_name(result.dtype)}(a)", **names)


def _local(result: Array, extents):
    """Write a local array; one without elements gets memory for one, as CUDA asks for."""
    extents = [gast.Constant(max(e.value, 1), None) for e in extents]
    return expression("cuda.local.array(a, b)", a=sequence(extents), b=expression(dtype_name(result.dtype)))


def helpers_for(names) -> str:
    """Return the text of the named device functions and of those they call."""
    table = {"digamma_positive": HELPERS["digamma_positive"], **DEVICE_HELPERS}
    wanted, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name in table and name not in wanted:
            wanted.add(name)
            queue.extend(table[name][1])
    return "\n\n".join(text for name, (text, _) in table.items() if name in wanted)

