"""The device functions that stand in a module of kernels: what neither `math` nor `numba.cuda` has, or has wrong.

Each is complete Python text.  None divides by an integer zero or calls what may raise:
in a thread an exception is silent, and the end of it.
"""

from __future__ import annotations

import re

from srcdiff.printing.helpers import HELPERS

__all__ = ["DEVICE_HELPERS"]

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
    return 0.0 if x == 0.0 else x * 1.0
'''
# Round half to even, as IEEE arithmetic does.
RINT = '''\
def rint(x):
    """Return the nearest whole number, the even one of two."""
    below = math.floor(x)
    part = x - below
    if part < 0.5 or part == 0.5 and math.fmod(below, 2.0) == 0.0:
        return math.copysign(below, x)
    return math.copysign(below + 1.0, x)
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
# As NumPy divides: LLVM's own remainder for a GPU, `a - trunc(a / b) * b`, takes 0.7 from 7 ten times, and is nan for an infinite b.
REMAINDER = '''\
def remainder(a, b):
    """Return a - floor(a / b) * b, exact, with the sign of b; nan for b = 0."""
    rest = math.fmod(a, b)
    if rest == 0.0:
        return math.copysign(rest, b)
    return rest + b if (rest < 0.0) != (b < 0.0) else rest
'''
FLOOR_DIVIDE = '''\
def floor_divide(a, b):
    """Return floor(a / b), of the exact quotient; a / b for b = 0."""
    if b == 0.0:
        return a / b
    rest = math.fmod(a, b)
    quotient = (a - rest) / b
    if rest != 0.0 and (rest < 0.0) != (b < 0.0):
        quotient -= 1.0
    if quotient == 0.0:
        return math.copysign(quotient, a / b)
    whole = math.floor(quotient)
    return whole + 1.0 if quotient - whole > 0.5 else whole
'''
# As NumPy divides, and without an exception.
COMPLEX_QUOTIENT = '''\
def complex_quotient(a, b):
    """Return a / b; infinite or nan for b = 0."""
    if abs(b.real) >= abs(b.imag):
        if b.real == 0.0:
            return complex(a.real / abs(b.real), a.imag / abs(b.real))
        ratio = b.imag / b.real
        scale = 1.0 / (b.real + b.imag * ratio)
        return complex((a.real + a.imag * ratio) * scale, (a.imag - a.real * ratio) * scale)
    ratio = b.real / b.imag
    scale = 1.0 / (b.imag + b.real * ratio)
    return complex((a.real * ratio + a.imag) * scale, (a.imag * ratio - a.real) * scale)
'''
# Without end products of whole numbers wrap, as NumPy's do; Numba goes over to floats for large exponents.
WHOLE_POWER = '''\
def whole_power(a, n, power):
    """Return power * a ** n for a whole n >= 0."""
    while n > 0:
        if n & 1:
            power = power * a
        a = a * a
        n = n >> 1
    return power
'''
# As NumPy does: by products for a whole exponent.
COMPLEX_POWER = '''\
def complex_power(a, b):
    """Return a ** b."""
    left = abs(b.real)
    if b.imag == 0.0 and left < 100.0 and left == math.floor(left):
        power = 1.0 + 0.0j
        while left > 0.0:
            if math.fmod(left, 2.0) == 1.0:
                power = power * a
            a = a * a
            left = math.floor(left / 2.0)
        return complex_quotient(1.0 + 0.0j, power) if b.real < 0.0 else power
    size, angle = abs(a), math.atan2(a.imag, a.real)
    if size == 0.0:
        return 0.0j if b.real > 0.0 else complex(np.nan, np.nan)
    length = math.pow(size, b.real) * math.exp(-b.imag * angle)
    angle = angle * b.real + b.imag * math.log(size)
    return complex(length * math.cos(angle), length * math.sin(angle))
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
    "digamma_positive": HELPERS["digamma_positive"], "whole_fmod": HELPERS["whole_fmod"],
    **{name: (_of_schedule(name), ("maximum", "minimum")) for name in ("segment_length", "segment_within", "next_checkpoint")},
    "maximum": (MAXIMUM, ()), "minimum": (MINIMUM, ()), "fmax": (FMAX, ()), "fmin": (FMIN, ()), "sign": (SIGN, ()),
    "rint": (RINT, ()), "cbrt": (CBRT, ()), "logaddexp": (LOGADDEXP, ()), "quotient": HELPERS["quotient"],
    "remainder": (REMAINDER, ()), "floor_divide": (FLOOR_DIVIDE, ()),
    "whole_power": (WHOLE_POWER, ()), "complex_quotient": (COMPLEX_QUOTIENT, ()), "complex_power": (COMPLEX_POWER, ("complex_quotient",)),
    "digamma": (DIGAMMA, ("digamma_positive",)), "polygamma": (POLYGAMMA, ()),
}
