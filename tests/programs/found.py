"""Programs that random testing found wrong once, made minimal; docs/random-programs.md lists the causes."""

import numpy as np

from tests.programs import program

RNG = np.random.default_rng(11)
X = RNG.uniform(0.4, 1.4, 5)
Y = RNG.normal(size=5)


@program(X, np.array([2, 1, 2, 4, 0]))
def stored_into_itself(x, index):
    y = np.sin(x)
    y[:] = y
    y[1] *= 0.5
    y[index] = y
    for _ in range(2):
        y[::-1] = y
        y[0] *= 2.0
    return y


@program(X, 2)
def returns_in_nested_branches(x, n):
    if n > 5:
        pass
    elif np.any(x > 0.5):
        return x, x.sum(), x * 2.0
    b = 0
    return x, b, x


@program(X, Y)
def loop_unrolled_after_all(x, y):
    row = y[::2]
    for _ in range(2):
        y = np.tanh(y / (1.5 + np.sin(y)))
        row *= np.exp(-abs(x[0])) / (1.0 + np.exp(-abs(x[0])))
    return row, y
