"""Twenty problems of Moré, Garbow and Hillstrom (ACM TOMS 7, 1981), written from the paper.

Each returns the residuals f_1..f_m, or their sum of squares, as people write
such functions: loops, in-place arrays, branches.  `PROBLEMS` holds for each the
function and the paper's starting point.
"""

import math

import numpy as np

__all__ = ["PROBLEMS", "SCALARS"]

PROBLEMS = {}           # residuals
SCALARS = {}            # sums of squares


def problem(*start):
    def register(function):
        PROBLEMS[function.__name__] = function, np.array(start, float)
        return function
    return register


def scalar(*start):
    def register(function):
        SCALARS[function.__name__] = function, np.array(start, float)
        return function
    return register


@scalar(-1.2, 1.0)
def rosenbrock(x):                                                          # (1)
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


@problem(0.5, -2.0)
def freudenstein_roth(x):                                                   # (2)
    f = np.empty(2)
    f[0] = -13.0 + x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1]
    f[1] = -29.0 + x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1]
    return f


@problem(0.5, 1.0)
def powell_badly_scaled(x):                                                 # (3), away from the start's tiny terms
    return np.array([1e4 * x[0] * x[1] - 1.0, math.exp(-x[0]) + math.exp(-x[1]) - 1.0001])


@problem(1.0, 1.0)
def beale(x):                                                               # (5)
    y = (1.5, 2.25, 2.625)
    f = np.empty(3)
    for i in range(3):
        f[i] = y[i] - x[0] * (1.0 - x[1] ** (i + 1))
    return f


@problem(0.3, 0.4)
def jennrich_sampson(x):                                                    # (6)
    f = np.zeros(10)
    for i in range(10):
        f[i] = 2.0 + 2.0 * (i + 1) - (math.exp((i + 1) * x[0]) + math.exp((i + 1) * x[1]))
    return f


@problem(-1.0, 0.3, 0.2)
def helical_valley(x):                                                      # (7)
    theta = math.atan(x[1] / x[0]) / (2.0 * math.pi)
    if x[0] < 0.0:
        theta += 0.5
    return np.array([10.0 * (x[2] - 10.0 * theta), 10.0 * (math.sqrt(x[0] ** 2 + x[1] ** 2) - 1.0), x[2]])


@problem(1.0, 1.0, 1.0)
def bard(x):                                                                # (8)
    y = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
    f = np.empty(15)
    for i in range(15):
        u = i + 1
        v = 16 - u
        w = min(u, v)
        f[i] = y[i] - (x[0] + u / (v * x[1] + w * x[2]))
    return f


@problem(0.4, 1.0, 0.1)
def gaussian(x):                                                            # (9)
    y = np.array([9.0, 44.0, 175.0, 540.0, 1295.0, 2420.0, 3521.0, 3989.0]) * 1e-4
    y = np.concatenate((y, y[6::-1]))
    t = (8.0 - np.arange(1, 16)) / 2.0
    return x[0] * np.exp(-x[1] * (t - x[2]) ** 2 / 2.0) - y


@problem(0.02, 4.0, 2.5)
def meyer(x):                                                               # (10), scaled
    y = np.array([34.78, 28.61, 23.65, 19.63, 16.37, 13.72, 11.54, 9.744,
                  8.261, 7.03, 6.005, 5.147, 4.427, 3.82, 3.307, 2.872])
    f = np.empty(16)
    for i in range(16):
        t = 0.45 + 0.05 * (i + 1)
        f[i] = x[0] * math.exp(10.0 * x[1] / (t + x[2]) - 13.0) - y[i]
    return f


@problem(5.0, 2.5, 0.15)
def gulf(x):                                                                # (11)
    m = 9
    f = np.empty(m)
    for i in range(m):
        t = (i + 1) / 100.0
        y = 25.0 + (-50.0 * math.log(t)) ** (2.0 / 3.0)
        f[i] = math.exp(-(abs(y - x[1]) ** x[2]) / x[0]) - t
    return f


@problem(0.0, 10.0, 20.0)
def box(x):                                                                 # (12)
    f = []
    for i in range(6):
        t = 0.1 * (i + 1)
        f.append(np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10.0 * t)))
    return np.array(f)


@scalar(3.0, -1.0, 0.0, 1.0)
def powell_singular(x):                                                     # (13)
    total = 0.0
    for i in range(0, len(x), 4):
        a, b, c, d = x[i:i + 4]
        total += (a + 10.0 * b) ** 2 + 5.0 * (c - d) ** 2 + (b - 2.0 * c) ** 4 + 10.0 * (a - d) ** 4
    return total


@scalar(-3.0, -1.0, -3.0, -1.0)
def wood(x):                                                                # (14)
    f = np.zeros(6)
    for i in (0, 2):
        f[i] = 100.0 * (x[i + 1] - x[i] ** 2) ** 2 * (1.0 if i == 0 else 0.9)
        f[i + 1] = (1.0 - x[i]) ** 2
    f[4] = 10.0 * (x[1] + x[3] - 2.0) ** 2
    f[5] = 0.1 * (x[1] - x[3]) ** 2
    return f.sum()


@problem(0.25, 0.39, 0.415, 0.39)
def kowalik_osborne(x):                                                     # (15)
    y = [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
    u = [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]
    f = np.empty(11)
    for i, (yi, ui) in enumerate(zip(y, u, strict=True)):
        f[i] = yi - x[0] * (ui * ui + ui * x[1]) / (ui * ui + ui * x[2] + x[3])
    return f


@problem(25.0, 5.0, -5.0, -1.0)
def brown_dennis(x):                                                        # (16)
    t = np.arange(1, 21) / 5.0
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


@problem(0.5, 1.5, -1.0, 0.01, 0.02)
def osborne(x):                                                             # (17), five of the data
    y = (0.844, 0.908, 0.932, 0.936, 0.925)
    f = np.empty(5)
    for i in range(5):
        t = 10.0 * i
        f[i] = y[i] - (x[0] + x[1] * math.exp(-t * x[3]) + x[2] * math.exp(-t * x[4]))
    return f


@problem(1.0, 2.0, 1.0, 1.0, 1.0, 1.0)
def biggs(x):                                                               # (18)
    f = np.empty(13)
    i = 0
    while i < 13:
        t = 0.1 * (i + 1)
        y = math.exp(-t) - 5.0 * math.exp(-10.0 * t) + 3.0 * math.exp(-4.0 * t)
        f[i] = x[2] * math.exp(-t * x[0]) - x[3] * math.exp(-t * x[1]) + x[5] * math.exp(-t * x[4]) - y
        i += 1
    return f


@scalar(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
def watson(x):                                                              # (20)
    n = len(x)
    total = x[0] ** 2 + (x[1] - x[0] ** 2 - 1.0) ** 2
    for i in range(29):
        t = (i + 1) / 29.0
        first, second = 0.0, 0.0
        for j in range(n):
            if j > 0:
                first += j * x[j] * t ** (j - 1)
            second += x[j] * t**j
        total += (first - second * second - 1.0) ** 2
    return total


@scalar(*(1.0 - j / 7.0 for j in range(1, 8)))
def variably_dimensioned(x):                                                # (25)
    j = np.arange(1, len(x) + 1)
    s = np.sum(j * (x - 1.0))
    return np.sum((x - 1.0) ** 2) + s**2 + s**4


@problem(0.2, 0.25, 0.15, 0.3, 0.2)
def trigonometric(x):                                                       # (26)
    n = len(x)
    total = 0.0
    for j in range(n):
        total += math.cos(x[j])
    f = np.empty(n)
    for i in range(n):
        f[i] = n - total + (i + 1) * (1.0 - math.cos(x[i])) - math.sin(x[i])
    return f


@problem(0.5, 0.5, 0.5, 0.5, 0.5)
def brown_almost_linear(x):                                                 # (27)
    f = x + np.sum(x) - (len(x) + 1.0)
    product = 1.0
    for v in x:
        product *= v
    f[-1] = product - 1.0
    return f


@problem(-0.1, -0.15, -0.2, -0.2, -0.1)
def discrete_boundary_value(x):                                             # (28)
    n = len(x)
    h = 1.0 / (n + 1)
    padded = np.zeros(n + 2)
    padded[1:-1] = x
    t = np.arange(1, n + 1) * h
    return 2.0 * x - padded[:-2] - padded[2:] + h * h * (x + t + 1.0) ** 3 / 2.0


@problem(-1.0, -1.0, -0.5, -1.5, -1.0, -0.8)
def broyden_tridiagonal(x):                                                 # (30)
    f = (3.0 - 2.0 * x) * x + 1.0
    f[1:] -= x[:-1]
    f[:-1] -= 2.0 * x[1:]
    return f


@problem(-1.0, -0.9, -1.1, -1.0, -0.7, -1.0, -1.2, -1.0)
def broyden_banded(x):                                                      # (31)
    n = len(x)
    f = np.empty(n)
    for i in range(n):
        f[i] = x[i] * (2.0 + 5.0 * x[i] ** 2) + 1.0
        for j in range(max(0, i - 5), min(n, i + 2)):
            if j != i:
                f[i] -= x[j] * (1.0 + x[j])
    return f


@problem(0.2, 0.4, 0.6, 0.85)
def chebyquad(x):                                                           # (35)
    n = len(x)
    f = np.zeros(n)
    for j in range(n):
        before, now = 1.0, 2.0 * x[j] - 1.0
        twice = 2.0 * now
        for i in range(n):
            f[i] += now
            before, now = now, twice * now - before
    for i in range(n):
        f[i] /= n
        if i % 2 == 1:
            f[i] += 1.0 / ((i + 1) ** 2 - 1.0)
    return f
