"""What a small call costs above a hand-written Numba gradient."""

from __future__ import annotations

import numpy as np
from numba import njit

import srcdiff as sd
from bench.measure import Contestant, Workload
from bench.peers import has, jax_, jitted

__all__ = ["WORKLOADS", "rosenbrock", "rosenbrock_gradient"]


def rosenbrock(x):
    s = 0.0
    for i in range(x.shape[0] - 1):
        s += 100.0 * (x[i + 1] - x[i] * x[i])**2 + (1.0 - x[i])**2
    return s


@njit(error_model="numpy", fastmath={"contract"})
def rosenbrock_gradient(x):
    n = x.shape[0]
    g = np.zeros(n)
    for i in range(n - 1):
        r = x[i + 1] - x[i] * x[i]
        g[i] -= 400.0 * r * x[i] + 2.0 * (1.0 - x[i])
        g[i + 1] += 200.0 * r
    return g


def gradient(n):
    x = np.linspace(0.5, 1.5, n)

    def make():
        ours = sd.grad(rosenbrock)
        objective = njit(rosenbrock)
        contestants = [Contestant("srcdiff grad", lambda: ours(x)),
                       Contestant("by hand (Numba)", lambda: rosenbrock_gradient(x))]
        if has("jax"):
            jax = jax_()

            def f(x):
                return jax.numpy.sum(100.0 * (x[1:] - x[:-1]**2)**2 + (1.0 - x[:-1])**2)

            contestants.append(Contestant("JAX grad", jitted(jax.grad(f), x), True))
        objective(x)
        return contestants

    return Workload(f"Rosenbrock gradient, n = {n}", make, rtol=1e-9)


WORKLOADS = [gradient(n) for n in (10, 1000, 100_000)]
