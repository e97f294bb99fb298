"""Rosenbrock's function at all sizes: from what a call costs to what memory gives."""

from __future__ import annotations

import numpy as np
from numba import njit

import srcdiff as sd
from bench.measure import Contestant, Workload
from bench.peers import jax_, of_autograd, of_enzyme, of_jax, of_torch

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


def of_arrays(x):
    """The same in whole arrays, for tensors and JAX."""
    return (100.0 * (x[1:] - x[:-1]**2)**2 + (1.0 - x[:-1])**2).sum()


ENZYME = """
template <std::size_t n>
void f(enzyme::tensor<double>& out, const enzyme::tensor<double, n>& x) {
    double s = 0.0;
    for (std::size_t i = 0; i + 1 < n; i++) {
        double r = x[i + 1] - x[i] * x[i], q = 1.0 - x[i];
        s += 100.0 * r * r + q * q;
    }
    out = s;
}
"""


def gradient(n):
    x = np.linspace(0.5, 1.5, n)

    def make():
        ours, objective = sd.grad(rosenbrock), njit(rosenbrock)
        return [Contestant("srcdiff grad", lambda: ours(x)),
                Contestant("objective (Numba)", lambda: objective(x), is_primal=True),
                Contestant("by hand (Numba)", lambda: rosenbrock_gradient(x)),
                *of_jax("grad", lambda x: jax_().grad(of_arrays)(x), x),
                *of_torch("grad", lambda torch: torch.func.grad(of_arrays), x),
                *of_enzyme("grad", ENZYME, x),
                *of_autograd("grad", lambda autograd, _: autograd.grad(of_arrays), x)]

    return Workload(f"Rosenbrock gradient, n = {n}", make, rtol=1e-9)


WORKLOADS = [gradient(10**k) for k in range(1, 7)]
