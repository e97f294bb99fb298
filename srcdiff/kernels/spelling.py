"""How each scalar operation is written in a kernel.

`numba.cuda` knows `math` and the operators, and of NumPy's functions a few.
What neither has stands in the module as a device function.
"""

from __future__ import annotations

import ast
import functools
import re

import gast

from srcdiff.kernels.helpers import DEVICE_HELPERS
from srcdiff.printing.spelling import MATH, converter, dtype_name, expression, sequence, spell
from srcdiff.syntax import Array, Scalar, Type, is_complex

__all__ = ["is_known", "spell_for_device"]

_OF_THE_HOST = re.compile(r"\bnp\.(?!float|int|uint|bool_|complex|nan|inf|pi)")

# Operations that are spelled by a device function or by `math`, for real numbers.
REAL = {
    **{name: f"math.{function}" for name, function in MATH.items()},
    **{name: name for name in DEVICE_HELPERS},
    "floor": "math.floor", "ceil": "math.ceil", "trunc": "math.trunc", "fmod": "math.fmod",
}
TEMPLATES = {"exp2": "math.pow(2.0, a)", "square": "a * a"}
COMPLEX = {
    **{name: f"cmath.{name}" for name in ("exp", "log", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "arcsin": "cmath.asin", "arccos": "cmath.acos", "arctan": "cmath.atan",
    "arcsinh": "cmath.asinh", "arccosh": "cmath.acosh", "arctanh": "cmath.atanh",
}
TESTS = {"isnan": "or", "isinf": "or", "isfinite": "and"}
FLOATS = ("float32", "float64")
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
    if op == "power" and not is_complex(result):
        return _powered(types, result, *operands)
    template = _template(op, types, result)
    return expression(template, **names) if template else spell(op, types, result, operands, static)


@functools.cache
def is_known(op: str, types: tuple[Type, ...], result: Type) -> bool:
    """Tell whether a thread knows an operation on numbers, and need not call NumPy."""
    operands = [gast.Name(name, gast.Load(), None, None) for name in "abcdefgh"[:len(types)]]
    return result.dtype != "float16" and not _OF_THE_HOST.search(unparse(spell_for_device(op, types, result, operands, ())))


def unparse(tree) -> str:
    return ast.unparse(gast.gast_to_ast(tree))


def _template(op: str, types: tuple[Type, ...], result: Type) -> str | None:
    kinds = {t.dtype for t in types}
    if op == "conjugate":
        return "a.conjugate()" if is_complex(result) else "a"
    if op in ("divide", "reciprocal", "power") and is_complex(result):
        return _of_complex_pairs(op, types, result)
    if kinds & {"complex64", "complex128"}:
        if op in TESTS:
            return f"(math.{op}(a.real) {TESTS[op]} math.{op}(a.imag))"
        return _call(COMPLEX[op], types, result) if op in COMPLEX else None
    if kinds <= INTEGERS:
        return _of_integers(op, types, result)
    if op == "reciprocal":
        return _narrowed("1.0", result) + " / a"
    if op in TEMPLATES:
        return _narrowed(TEMPLATES[op], result)
    return _call(REAL[op], types, result) if op in REAL else None


def _of_complex_pairs(op: str, types: tuple[Type, ...], result: Type) -> str:
    """Write a quotient or a power; `imag` of an integer is the integer itself in Numba's CUDA target, so reals are made complex."""
    a, *b = [_as_complex(name, t) for name, t in zip("ab", types, strict=False)]
    text = f"complex_quotient({', '.join([a, *b] if b else ['1.0 + 0.0j', a])})" if op != "power" else f"complex_power({a}, {b[0]})"
    return f"np.complex64({text})" if result.dtype == "complex64" else text


def _as_complex(name: str, type_: Type) -> str:
    return name if is_complex(type_) else f"complex({_as_real(name, type_, Scalar('float64'))}, 0.0)"


def _powered(types: tuple[Type, ...], result: Scalar, a, b) -> gast.expr:
    """Write a real power.

    Numba's own power of a negative whole exponent raises for 0: in a thread that is silent, and the end of it.
    """
    if types[1].dtype in FLOATS:
        return spell("power", types, result, (a, b), ())
    exponent = _whole(b)
    if exponent is None and result.dtype not in FLOATS:
        kind = dtype_name(result.dtype)
        return expression(f"{kind}(whole_power({kind}(a), np.int64(b), {kind}(1)))", a=a, b=b)
    if exponent is None:
        return expression(_narrowed(f"math.pow(a, {_as_real('b', types[1], result)})", result), a=a, b=b)
    if exponent >= 0:
        return expression("a ** b", a=a, b=b)
    template = _narrowed("1.0", result) + " / a" + " ** b" * (exponent != -1)
    return expression(template, a=a, b=gast.Constant(-exponent, None))


def _whole(tree) -> int | None:
    """Return the whole number that a tree is, None for any other."""
    negative = isinstance(tree, gast.UnaryOp) and isinstance(tree.op, gast.USub)
    value = getattr(tree.operand if negative else tree, "value", None)
    return (-value if negative else value) if type(value) is int else None


def _of_integers(op: str, types: tuple[Type, ...], result: Type) -> str | None:
    if op in ("maximum", "minimum", "fmax", "fmin") and result.dtype != "bool":
        return f"{'maximum' if 'max' in op else 'minimum'}(a, b)"
    if op == "sign":
        return "(1 if a > 0 else -1 if a < 0 else 0)"
    if op in ("floor", "ceil", "trunc", "rint"):
        return converter(result) if result.dtype in FLOATS else "a"
    if op in TESTS:
        return "True" if op == "isfinite" else "False"
    if op == "reciprocal":              # of 0 it is any number
        return "(a if a == 1 or a == -1 else 0)"
    if op == "exp2":
        return _narrowed(f"math.pow(2.0, {_as_real('a', types[0], result)})", result)
    if op in REAL and result.dtype in FLOATS:
        return _call(REAL[op], types, result)
    return None


def _call(function: str, types: tuple[Type, ...], result: Type) -> str:
    """Write the call of a function of floating-point numbers: whole ones are made that first, as some functions have no other form."""
    operands = [_as_real(name, t, result) if result.dtype in FLOATS else name for name, t in zip("abc", types, strict=False)]
    return _narrowed(f"{function}({', '.join(operands)})", result)


def _as_real(name: str, given: Type, result: Type) -> str:
    """Write an operand in floating point; Numba's CUDA target has no conversion of truth values for that."""
    if given.dtype not in INTEGERS:
        return name
    if given.dtype == "bool":
        return _narrowed(f"(1.0 if {name} else 0.0)", result)
    return f"np.float32({name})" if result.dtype == "float32" else f"float({name})"


def _narrowed(text: str, result: Type) -> str:
    """Give a result of single precision its type; the simulator would compute in double."""
    return f"np.float32({text})" if result.dtype == "float32" else text


def _converted(given: Type, result: Scalar, names):
    """Write a conversion; a truth value becomes a number by choice, and a Python number NumPy's.

    Where a narrow number is added to a Python one, NumPy (and the simulator with it) would keep the narrow type.
    """
    if given.dtype == "bool" and result.dtype in FLOATS:
        return expression(_as_real("a", given, result), **names)
    if result.dtype == given.dtype and result.dtype != "float32" and result.weak >= given.weak:
        return expression("a", **names)
    template = converter(result) if result.weak else f"{dtype_name(result.dtype)}(a)"
    if given.dtype in FLOATS and result.dtype.startswith("uint"):
        # CUDA takes what is negative for 0, and NumPy counts it from the end.
        template = template.replace("(a)", "(np.int64(a))")
        template += " if a < 0.0 else np.uint64(a)" * (result.dtype == "uint64")
    return expression(template, **names)


def _local(result: Array, extents):
    """Write a local array; one without elements gets memory for one, as CUDA asks for."""
    extents = [gast.Constant(max(e.value, 1), None) for e in extents]
    return expression("cuda.local.array(a, b)", a=sequence(extents), b=expression(dtype_name(result.dtype)))
