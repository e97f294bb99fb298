"""Straight-line functions of numbers."""

import math

import numpy as np

from tests.programs import program


@program(0.7, 1.3, compiled=True)
def product_and_sine(x, y):
    a = x * y
    b = math.sin(a) + x
    return a * b


@program(1.2)
def polynomial(x):
    return 3.0 * x**3 - x**2 / 2 + 1.5


@program(0.4, 2.1)
def reassigned(x, y):
    t = x * y
    t = t * t + x
    t = math.exp(-t) * y
    return t


@program(0.8, 0.3, 1.1)
def augmented(x, y, z):
    s = x
    s *= y
    s += z * s
    s /= x + z
    s -= y
    s **= 2
    return s


@program(1.5, 0.5, compiled=True)
def two_results(x, y):
    r = math.sqrt(x * x + y * y)
    phi = math.atan2(y, x)
    return r, phi


@program(0.9)
def same_value_twice(x):
    y = math.tanh(x)
    return y, y * x


@program(0.3)
def unused_work(x):
    wasted = math.exp(x) * 3.0
    wasted = wasted + 1.0
    return x * x


@program(2.0, 3)
def integer_exponent(x, n):
    return x**n + n * x


@program(1.7, 2.3)
def power_of_both(x, y):
    return x**y


@program(0.6, 0.2)
def swapped(a, b):
    a, b = b, a + b
    a, b = b * a, a
    return a * 2.0 + b


@program(0.25)
def elementary(x):
    return (math.log(1.0 + x) + math.log1p(x) + math.expm1(x) + math.asin(x) + math.acos(x)
            + math.atan(x) + math.sinh(x) + math.cosh(x) + math.tan(x) + math.erf(x))


@program(np.float32(0.5), np.float32(1.5))
def single_precision(x, y):
    return np.exp(x) * y + x / y


@program(1.1, 0.7)
def many_uses(x, y):
    a = x + y
    return a * a * a + a / y + math.cos(a) * a - x * a


@program(0.3, 0.9)
def constant_result(x, y):
    return 2.0, x * y
