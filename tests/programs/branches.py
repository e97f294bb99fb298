"""Branches, early exits, conditional values."""

import math

import numpy as np

from tests.programs import program

RNG = np.random.default_rng(2)
X = RNG.normal(size=7)


@program(0.8, compiled=True)
def if_else(x):
    if x > 0.5:
        y = x * x
    else:
        y = math.sin(x)
    return y * x


@program(X, compiled=True)
def branch_in_loop(x):
    s = 0.0
    for i in range(len(x)):
        if x[i] > 0:
            s += x[i]**2
        elif x[i] > -0.5:
            s -= math.sin(x[i])
        else:
            s *= x[i]
    return s


@program(X)
def continue_and_break(x):
    s = 1.0
    for i in range(len(x)):
        if x[i] < -0.4:
            continue
        s = s * (1.0 + 0.2 * x[i])
        if s > 1.6:
            break
    return s


@program(X, 0.9)
def early_return_in_loop(x, limit):
    s = 0.0
    for i in range(len(x)):
        s += x[i] * x[i] * limit
        if s > limit:
            return s * limit
    return s


@program(0.4, 1.2)
def several_returns(x, y):
    if x > y:
        return x * y
    if x * 2 > y:
        return x - y
    return math.exp(x) * y


@program(0.4, 1.2)
def conditional_expression(x, y):
    a = x if x > y else y * 2
    return a * (x if a > 1 else y)


@program(X)
def for_else(x):
    s = 0.0
    for v in x:
        if v > 100.0:
            break
        s += v * v
    else:
        s *= x[0]
    return s


@program(1.5)
def while_break(x):
    y = x
    n = 0
    while True:
        y = y * 0.5 + 0.1 * x
        n += 1
        if y < 0.4 or n > 30:
            break
    return y


@program(0.3, 0.8)
def and_or(x, y):
    if x > 0 and y > 0.5 or x > 10:
        return x * y
    return x + y


@program(0.6, 0.3)
def min_and_max(x, y):
    return max(x, y) * 2.0 + min(x * x, y) + abs(x - y)


@program(X)
def largest_by_loop(x):
    m = x[0]
    for i in range(1, len(x)):
        if x[i] > m:
            m = x[i]
    s = 0.0
    for i in range(len(x)):
        s += math.exp(x[i] - m)
    return m + math.log(s)


@program(0.7)
def chained_comparison(x):
    if 0.0 < x < 1.0:
        return x**3
    return x


@program(0.7, 2)
def integer_switch(x, kind):
    if kind == 1:
        return x
    elif kind == 2:
        return x * x
    return x**3


@program(X)
def assigned_in_one_branch(x):
    t = 0.0
    for i in range(len(x)):
        if x[i] > 0:
            t = x[i] * x[i]
        t = t * 1.1 + 0.1 * x[i]
    return t


@program(X, 0.4, 5)
def loops_inside_branches(x, c, n):
    s = c
    if c > 0.1:
        for i in range(len(x)):
            s = s * x[i] + math.sin(s)
        k = 0
        while s * s > 1e-3 and k < n:
            s = s * 0.5 * math.cos(s)
            k += 1
    else:
        for i in range(n):
            s = math.exp(s) * 0.1
    return s * c


@program(X, 0.4)
def array_made_in_a_branch(x, c):
    y = x * 2.0
    if c > 0.1:
        z = np.exp(y) * c
        for _ in range(2):
            z = z * y + np.sin(z)
        y = z * z
    return y * c
