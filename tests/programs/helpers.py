"""Functions that call functions."""

import functools
import math

import numpy as np
from numba import njit

from tests.programs import program

SCALE = 1.7
TABLE = np.array([0.3, 0.6, 0.9])
RNG = np.random.default_rng(3)


def square(v):
    return v * v


def weighted(v, weight=2.0, *, shift=0.0):
    return weight * v + shift


@njit
def sigmoid(v):
    return 1.0 / (1.0 + math.exp(-v))


def fill(out, v):
    for i in range(len(out)):
        out[i] = v * (i + 1) + out[i]


def accumulate_square(out, i, v):
    out[i] += v * v


@program(0.7, 1.1, compiled=True)
def calls(x, y):
    return square(x) + weighted(square(y), shift=x) + sigmoid(x * y)


@program(0.7)
def helper_writes_argument(x):
    a = np.ones(4)
    fill(a, x)
    fill(a, x * x)
    return a


@program(np.array([0.4, 0.8, 1.2]))
def helper_in_loop(x):
    s = np.zeros(2)
    for i in range(len(x)):
        accumulate_square(s, i % 2, x[i])
    return s


@program(0.9)
def global_constants(x):
    s = SCALE * x
    for i in range(len(TABLE)):
        s += TABLE[i] * x**i
    return s * math.pi


@program(0.5)
def local_function(x):
    k = x * 2.0

    def inner(v):
        return v * k

    return inner(x) + inner(x * x)


@program(0.5)
def local_lambda(x):
    twice = lambda v: 2.0 * v * x  # noqa: E731
    return twice(twice(x))


def apply_twice(g, v):
    return g(g(v))


@program(0.4)
def function_argument(x):
    return apply_twice(math.sin, x) + apply_twice(square, x)


cubed = functools.partial(pow, exp=3)
shifted = functools.partial(weighted, shift=0.3)


@program(0.6)
def partial_helper(x):
    return shifted(x) * weighted(x, 3.0)


def stats(x):
    return x.sum() / x.size, x[0] * x[1]


@program(RNG.normal(size=5))
def helper_returns_tuple(x):
    m, p = stats(x)
    return m * p, stats(x * 2.0)


@program(RNG.normal(size=3), 0.5)
def helper_with_other_types(x, a):
    return square(x) * square(a)
