"""Loops over scalars and elements."""

import math

import numpy as np

from tests.programs import program

RNG = np.random.default_rng(1)
X = RNG.uniform(0.5, 1.5, 6)
Y = RNG.normal(size=6)


@program(X, Y, compiled=True)
def dot_loop(x, y):
    s = 0.0
    for i in range(len(x)):
        s += x[i] * y[i]
    return s


@program(X, compiled=True)
def rosenbrock(x):
    s = 0.0
    for i in range(x.shape[0] - 1):
        s += 100.0 * (x[i + 1] - x[i]**2)**2 + (1.0 - x[i])**2
    return s


@program(0.3, 5)
def iterated_sine(x, n):
    y = x
    for _ in range(n):
        y = math.sin(y) + x * y
    return y


@program(0.3, 0)
def zero_trips(x, n):
    y = x * x
    for _ in range(n):
        y = math.sin(y)
    return y * x


@program(X)
def running_product(x):
    p = 1.0
    for v in x:
        p *= v
    return p


@program(X, compiled=True)
def in_place_recurrence(x):
    y = np.zeros(len(x))
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = y[i - 1] * x[i] + math.sin(y[i - 1])
    return y


@program(X)
def overwritten_after_read(x):
    a = x.copy()
    for i in range(1, len(a)):
        a[i] = a[i] * a[i - 1]
    return a


@program(X)
def backwards(x):
    s = 0.0
    for i in range(len(x) - 1, -1, -1):
        s = s * 0.5 + x[i] * s + x[i]**2
    return s


@program(X)
def strided_range(x):
    s = 1.0
    for i in range(0, len(x), 2):
        s *= 1.0 + x[i]
    for i in range(5, 0, -3):
        s += x[i] * s
    return s


@program(RNG.normal(size=(3, 4)), RNG.normal(size=4), compiled=True)
def matrix_vector_loops(a, x):
    y = np.zeros(a.shape[0])
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            y[i] += a[i, j] * x[j]
        y[i] = math.tanh(y[i])
    return y


@program(RNG.normal(size=(4, 4)) * 0.3 + np.eye(4) * 2)
def triangular_bounds(a):
    s = 0.0
    p = 1.0
    for i in range(a.shape[0]):
        for j in range(i + 1):
            p = p * a[i, j] + 0.5
            s += p * p
    return s


@program(2.0, compiled=True)
def newton_square_root(a):
    x = a
    while abs(x * x - a) > 1e-12:
        x = 0.5 * (x + a / x)
    return x


@program(0.8, 1.2)
def while_with_array(mean, e):
    trace = np.zeros(5)
    big = mean
    k = 0
    while abs(big - 0.3 * math.sin(big) - mean) > 1e-13 and k < 4:
        big = big - (big - e * 0.25 * math.sin(big) - mean) / (1.0 - e * 0.25 * math.cos(big))
        trace[k] = big
        k += 1
    return big, trace


@program(1.3)
def nested_while(x):
    total = 0.0
    n = 0
    while n < 3:
        y = x
        m = 0
        while m <= n:
            y = y * y * 0.5 + 0.1 * x
            m += 1
        total += y * x
        n += 1
    return total


@program(X, 4)
def scratch_array_reused(x, n):
    work = np.empty(len(x))
    s = 0.0
    for k in range(n):
        for i in range(len(x)):
            work[i] = x[i] * (k + 1) + s * 0.01
        for i in range(len(x)):
            s += work[i] * work[i]
    return s


@program(X, 0.1, 5, compiled=True)
def heat_steps(u0, dt, steps):
    u = u0.copy()
    v = np.zeros_like(u)
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            v[i] = u[i] + dt * (u[i - 1] - 2.0 * u[i] + u[i + 1]) * u[i]
        for i in range(1, len(u) - 1):
            u[i] = v[i]
    return u


@program(X, Y)
def enumerate_and_zip(x, y):
    s = 0.0
    for i, v in enumerate(x):
        s += v * (i + 1)
    for a, b in zip(x, y):
        s *= 1.0 + 0.1 * a * b
    return s


@program(X)
def carried_pair(x):
    a, b = 1.0, 0.5
    for i in range(len(x)):
        a, b = b + x[i] * a, a * b
    return a - b


@program(X, Y)
def reduction_into_elements(x, y):
    out = np.zeros(3)
    for i in range(len(x)):
        out[i % 3] += x[i] * y[i]
    return out


@program(X)
def value_set_before_loop(x):
    c = x[0] * x[1]
    s = 0.0
    for i in range(len(x)):
        s += c * x[i]
    return s * c
