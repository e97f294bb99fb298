"""Programs that random testing found wrong once, made minimal; docs/random-programs.md lists the causes."""

import numpy as np

from tests.programs import program

RNG = np.random.default_rng(11)
X = RNG.uniform(0.4, 1.4, 5)


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
