"""Batches of small problems on one GPU: srcdiff, a kernel by hand, JAX, torch.func.

Inputs lie on the device before the timing starts, and results stay there.  Each
workload also knows the fewest bytes and operations that its work needs, from
which `bench.gpu` computes how close to the device's limits a contestant comes.
The kernels by hand stand in `bench.workloads.gpu_by_hand`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import erfc

import srcdiff as sd
from bench.workloads import gpu_by_hand
from bench.workloads.gpu_by_hand import by_hand
from bench.workloads.gpu_peers import Rival, jax_batch, torch_batch

__all__ = ["WORKLOADS", "Batch", "functions"]

STEPS = 1000                    # of the Runge-Kutta integration


@dataclass(frozen=True)
class Batch:
    """A family of problems of one kind.

    Attributes
    ----------
    derivative
        Of one sample; `dims` are the axes of samples of its arguments.
    inputs
        ``inputs(count, dtype)`` gives those arguments, on the host.
    rivals
        Who else does the same work.
    bytes, operations
        ``(count, itemsize)`` to the fewest bytes moved, and ``count`` to the fewest
        floating-point operations (a transcendental function counts as one).
    largest
        The largest batch that is worth timing.
    """

    name: str
    derivative: Callable
    dims: object
    inputs: Callable[[int, type], list[np.ndarray]]
    rivals: tuple[Rival, ...]
    bytes: Callable[[int, int], int]
    operations: Callable[[int], int]
    largest: int = 1_000_000

    def mapped(self):
        """Return the derivative of a batch, on the GPU."""
        return sd.vmap(self.derivative, in_dims=self.dims, target="cuda")

    def contestants(self) -> tuple[Rival, ...]:
        """Return all who compete; results of srcdiff are in new memory and in given memory."""
        return Rival("srcdiff", self._ours), Rival("srcdiff, out=", self._into_given_memory), *self.rivals

    def _ours(self, arrays, placed):
        batch = self.mapped()
        return lambda: batch(*placed)

    def _into_given_memory(self, arrays, placed):
        batch = self.mapped()
        out = batch(*placed)
        return lambda: batch(*placed, out=out)


# -- the functions, as a user writes them: with NumPy's functions, because those of `math` are double ----


def predict(weight, bias, x):
    """A layer: tanh(W x + b)."""
    return np.tanh(weight @ x + bias)


def black_scholes(option):
    """The price of a European call; `option` = (spot, strike, rate, volatility, time)."""
    spot, strike, rate, volatility, time = option
    width = volatility * np.sqrt(time)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / width
    d2 = d1 - width
    upper = 0.5 * erfc(-d1 / math.sqrt(2.0))
    lower = 0.5 * erfc(-d2 / math.sqrt(2.0))
    return spot * upper - strike * np.exp(-rate * time) * lower


def predator_prey(rates):
    """The populations after `STEPS` Runge-Kutta steps, for four rates."""
    a, b, c, d = rates
    x, y, h = 10.0, 5.0, 0.01
    for _ in range(STEPS):
        x1, y1 = a * x - b * x * y, d * x * y - c * y
        u, v = x + 0.5 * h * x1, y + 0.5 * h * y1
        x2, y2 = a * u - b * u * v, d * u * v - c * v
        u, v = x + 0.5 * h * x2, y + 0.5 * h * y2
        x3, y3 = a * u - b * u * v, d * u * v - c * v
        u, v = x + h * x3, y + h * y3
        x4, y4 = a * u - b * u * v, d * u * v - c * v
        x += h / 6.0 * (x1 + 2.0 * (x2 + x3) + x4)
        y += h / 6.0 * (y1 + 2.0 * (y2 + y3) + y4)
    return np.array([x, y])


def kepler(orbit):
    """The eccentric anomaly, by Newton's iteration; `orbit` = (mean anomaly, eccentricity)."""
    mean, eccentricity = orbit
    anomaly = mean
    change, steps = 1.0, 0
    while abs(change) > 1e-6 and steps < 20:            # rounding may leave more than that, in single precision
        change = (anomaly - eccentricity * np.sin(anomaly) - mean) / (1.0 - eccentricity * np.cos(anomaly))
        anomaly -= change
        steps += 1
    return anomaly


def reprojection(block, feature):
    """The residual of one observation in bundle adjustment; `block` = 11 camera parameters, a point, a weight."""
    r, center, focal, offset, kappa = block[0:3], block[3:6], block[6], block[7:9], block[9:11]
    point, weight = block[11:14], block[14]
    z = point - center
    square = r[0] * r[0] + r[1] * r[1] + r[2] * r[2]
    if square > 0.0:
        angle = np.sqrt(square)
        v = r / angle
        w = np.array([v[1] * z[2] - v[2] * z[1], v[2] * z[0] - v[0] * z[2], v[0] * z[1] - v[1] * z[0]])
        along = (v[0] * z[0] + v[1] * z[1] + v[2] * z[2]) * (1.0 - np.cos(angle))
        turned = z * np.cos(angle) + w * np.sin(angle) + v * along
    else:
        turned = z + np.array([r[1] * z[2] - r[2] * z[1], r[2] * z[0] - r[0] * z[2], r[0] * z[1] - r[1] * z[0]])
    p0, p1 = turned[0] / turned[2], turned[1] / turned[2]
    s = p0 * p0 + p1 * p1
    scale = (1.0 + kappa[0] * s + kappa[1] * s * s) * focal
    return np.array([weight * (p0 * scale + offset[0] - feature[0]), weight * (p1 * scale + offset[1] - feature[1])])

functions = {f.__name__: f for f in (predict, black_scholes, predator_prey, kepler, reprojection)}


# -- workloads ----------------------------------------------------------------------------------

M, N = 33, 31
SHARED = (None, None, 0)


def _layer(count, dtype):
    rng = np.random.default_rng(0)
    return [rng.normal(size=s).astype(dtype) for s in ((M, N), (M,), (count, N))]


def _options(count, dtype):
    rng = np.random.default_rng(1)
    ranges = ((80, 120), (80, 120), (0.0, 0.08), (0.1, 0.6), (0.2, 3.0))
    return [np.stack([rng.uniform(*r, size=count) for r in ranges], axis=1).astype(dtype)]


def _rates(count, dtype):
    rng = np.random.default_rng(2)
    return [(np.array([1.1, 0.4, 0.4, 0.1]) * rng.uniform(0.8, 1.2, size=(count, 4))).astype(dtype)]


def _orbits(count, dtype):
    rng = np.random.default_rng(3)
    return [np.stack([rng.uniform(0.1, 6.0, count), rng.uniform(0.0, 0.9, count)], axis=1).astype(dtype)]


def _blocks(count, dtype):
    rng = np.random.default_rng(4)
    blocks = rng.normal(size=(count, 15)).astype(dtype)
    blocks[:, 13] += 10.0                       # the point lies before the camera
    return [blocks, rng.normal(size=(count, 2)).astype(dtype)]


WORKLOADS = [
    Batch("batched Jacobian of predict 33x31", sd.jacobian(predict, argnums=2), SHARED, _layer,
          (by_hand(gpu_by_hand.jacobian, (M, N), items=M), jax_batch("predict", "jacfwd", SHARED, 2),
           jax_batch("predict", "jacrev", SHARED, 2), torch_batch("predict", "jacfwd", SHARED, 2),
           torch_batch("predict", "jacrev", SHARED, 2)),
          lambda n, size: n * (N + M * N) * size, lambda n: n * (2 * M * N + M * N + 3 * M)),
    Batch("batched Hessian of predict 33x31x31", sd.hessian(predict, argnums=2), SHARED, _layer,
          (by_hand(gpu_by_hand.hessian, (M, N, N), items=M), jax_batch("predict", "hessian", SHARED, 2),
           torch_batch("predict", "hessian", SHARED, 2)),
          lambda n, size: n * (N + M * N * N) * size, lambda n: n * (2 * M * N + M * N * N + 5 * M), 100_000),
    Batch("Jacobian blocks of bundle adjustment", sd.jacobian(reprojection), (0, 0), _blocks,
          (by_hand(gpu_by_hand.reprojection, (2, 15)), jax_batch("reprojection", "jacfwd", (0, 0)),
           jax_batch("reprojection", "jacrev", (0, 0)), torch_batch("reprojection", "jacrev", (0, 0))),
          lambda n, size: n * (15 + 2 + 30) * size, lambda n: n * 300),
    Batch("Black-Scholes Greeks", sd.grad(black_scholes), 0, _options,
          (by_hand(gpu_by_hand.greeks, (5,)), jax_batch("black_scholes", "grad", 0), torch_batch("black_scholes", "grad", 0)),
          lambda n, size: n * 10 * size, lambda n: n * 50),
    Batch("ODE sensitivities, 1000 Runge-Kutta steps", sd.jacfwd(predator_prey), 0, _rates,
          (by_hand(gpu_by_hand.sensitivities, (2, 4)), jax_batch("predator_prey", "jacfwd", 0),
           torch_batch("predator_prey", "jacfwd", 0)),
          lambda n, size: n * 12 * size, lambda n: n * STEPS * (56 + 4 * 80), 100_000),
    Batch("Newton's iteration for Kepler's equation", sd.jacfwd(kepler), 0, _orbits,
          (by_hand(gpu_by_hand.kepler, (2,)), jax_batch("kepler", "jacfwd", 0), torch_batch("kepler", "jacfwd", 0)),
          lambda n, size: n * 4 * size, lambda n: n * 5 * 20),
]
