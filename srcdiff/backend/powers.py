"""Powers in compiled code as NumPy computes them: of real numbers and integers to whole exponents, and of complex numbers.

Numba raises ZeroDivisionError for 0.0 to a negative whole exponent, where NumPy gives an infinity, and its powers of
complex numbers are nan where they overflow and where the base is 0.
"""

from __future__ import annotations

import math
import operator

import numpy as np
from numba.core import types
from numba.core.typing import signature
from numba.extending import register_jitable

__all__ = ["is_power", "power"]

OPERATORS = {"binop": operator.pow, "inplace_binop": operator.ipow}
UNROLLED = 64                   # products at most: each rounds, and libm's power, once, and takes no longer for more


def is_power(expr) -> bool:
    """Tell whether an expression of Numba's intermediate code is ``a ** b``."""
    return expr.op in OPERATORS and expr.fn is OPERATORS[expr.op]


def power(context, builder, result, kinds, values):
    """Return the code of a power of numbers; None where Numba's own is right."""
    base, exponent = kinds
    if isinstance(result, types.Complex):
        return _called(context, builder, complex_power, types.complex128, result, kinds, values)
    if isinstance(result, types.Integer) and not isinstance(exponent, types.IntegerLiteral):
        function = wrapping_power if result.signed else unsigned_power          # Numba takes floats for a large exponent
        return _called(context, builder, function, types.int64, result, kinds, values)
    if not isinstance(result, types.Float):
        return None
    if isinstance(exponent, types.IntegerLiteral):
        value = exponent.literal_value
        return _inverse(builder, context.cast(builder, values[0], base, result), -value) if -UNROLLED <= value < 0 else None
    if isinstance(exponent, types.Integer) and exponent.signed:
        return _called(context, builder, whole_power, types.float64, result, kinds, values)
    return None


def _called(context, builder, function, wide, result, kinds, values):
    """Return what a function of Python below makes of base and exponent, compiled; it computes in double precision."""
    wanted = wide, types.int64 if function is whole_power else wide
    numbers = [context.cast(builder, v, of, to) for v, of, to in zip(values, kinds, wanted, strict=True)]
    return context.cast(builder, context.compile_internal(builder, function, signature(wide, *wanted), numbers), wide, result)


def _inverse(builder, base, exponent: int):
    """Return 1 / base**exponent; LLVM's division gives an infinity for 0."""
    made = None
    while exponent:
        if exponent & 1:
            made = base if made is None else builder.fmul(made, base)
        exponent >>= 1
        base = builder.fmul(base, base)
    return builder.fdiv(made.type(1.0), made)


def whole_power(a, n):
    """Return a ** n: by products, where they are few and neither vanish nor overflow before they are inverted."""
    made, base, left = 1.0, a, abs(n)
    while 0 < left <= UNROLLED:
        if left & 1:
            made *= base
        base *= base
        left >>= 1
    if n >= 0:
        return made if left == 0 else math.pow(a, float(n))
    return 1.0 / made if left == 0 and 0.0 < abs(made) < np.inf else math.pow(a, float(n))


@register_jitable
def wrapping_power(a, n):
    """Return a ** n of integers by products, which wrap; 0 for n < 0, which only shifts to the right ask for."""
    return _product(1, a, n) if n >= 0 else 0


def unsigned_power(a, n):
    """Return a ** n of the bits of unsigned integers: those of 2**63 times odd factors are 1, of even ones 0."""
    if n < 0 and a & 1 == 0:
        return 0
    return wrapping_power(a, n & 0x7FFFFFFFFFFFFFFF)


def complex_power(a, b):
    """Return a ** b: by products for a small whole exponent, as NumPy's `npy_cpow`."""
    if b == 0:
        return complex(1.0, 0.0)
    if a == 0:
        return complex(0.0, 0.0) if b.real > 0.0 else complex(np.nan, np.nan)
    if b.imag == 0.0 and abs(b.real) < 100.0 and b.real == math.floor(b.real):
        if 0.0 < b.real < 4.0:                  # no product with 1, which has a nan for an infinite base
            return a if b.real == 1.0 else a * a if b.real == 2.0 else a * (a * a)
        made = _product(complex(1.0, 0.0), a, int(abs(b.real)))
        return _complex_inverse(made) if b.real < 0.0 else made
    length, angle = math.log(math.hypot(a.real, a.imag)), math.atan2(a.imag, a.real)
    return _complex_exponential(b.real * length - b.imag * angle, b.real * angle + b.imag * length)


@register_jitable
def _product(made, a, n):
    """Return made * a ** n for a whole n, 0 or more."""
    while n > 0:
        if n & 1:
            made *= a
        a *= a
        n >>= 1
    return made


@register_jitable
def _complex_inverse(b):
    """Return 1 / b by Smith's method, as NumPy divides: 1 / 0 has the parts inf and nan."""
    if b == 0:
        return complex(np.inf, np.nan)
    if math.isnan(b.real) or math.isnan(b.imag):
        return complex(np.nan, np.nan)
    if abs(b.real) >= abs(b.imag):
        ratio = b.imag / b.real
        scale = 1.0 / (b.real + b.imag * ratio)
        return complex(scale, -ratio * scale)
    ratio = b.real / b.imag
    scale = 1.0 / (b.imag + b.real * ratio)
    return complex(ratio * scale, -scale)


@register_jitable
def _complex_exponential(x, y):
    """Return exp(x + iy), in two factors where the first alone would overflow."""
    if y == 0.0:
        return complex(math.exp(x), y)
    if x == -np.inf:
        return complex(0.0, 0.0)
    if not math.isfinite(y):
        return complex(x if x == np.inf else np.nan, np.nan)
    half = math.exp(0.5 * x)
    return complex(half * math.cos(y) * half, half * math.sin(y) * half)
