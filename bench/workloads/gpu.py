"""Batches of small problems on one GPU: srcdiff, a kernel by hand, JAX, torch.func.

Inputs lie on the device before the timing starts, and results stay there.  Each
workload also knows the fewest bytes and operations that its work needs, from
which `bench.gpu` computes how close to the device's limits a contestant comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import cuda
from scipy.special import erfc

import srcdiff as sd
from bench.measure import Contestant
from bench.workloads.gpu_peers import jax_batch, torch_batch

__all__ = ["WORKLOADS", "Batch", "functions"]

STEPS = 1000                    # of the Runge-Kutta integration
THREADS = 128

@dataclass(frozen=True)
class Batch:
    """A family of problems of one kind.

    Attributes
    ----------
    make
        ``make(count, dtype)`` returns the contestants of a batch of that many samples.
    bytes, operations
        ``(count, itemsize)`` to the fewest bytes moved, and ``count`` to the fewest
        floating-point operations (a transcendental function counts as one).
    largest
        The largest batch that is worth timing.
    """

    name: str
    make: Callable[[int, type], list[Contestant]]
    bytes: Callable[[int, int], int]
    operations: Callable[[int], int]
    largest: int = 1_000_000

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
    change = 1.0
    while abs(change) > 1e-6:
        change = (anomaly - eccentricity * np.sin(anomaly) - mean) / (1.0 - eccentricity * np.cos(anomaly))
        anomaly -= change
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

# -- by hand ------------------------------------------------------------------------------------

@cuda.jit(fastmath={"contract"})
def jacobian_by_hand(weight, bias, xs, out):
    """A thread for each sample and row: J[s, i, :] = (1 - y_i^2) W[i, :]."""
    rows = weight.shape[0]
    for item in range(cuda.grid(1), xs.shape[0] * rows, cuda.gridsize(1)):
        s, i = item // rows, item % rows
        total = bias[i]
        for j in range(weight.shape[1]):
            total += weight[i, j] * xs[s, j]
        y = math.tanh(total)
        slope = 1 - y * y
        for j in range(weight.shape[1]):
            out[s, i, j] = slope * weight[i, j]

@cuda.jit(fastmath={"contract"})
def hessian_by_hand(weight, bias, xs, out):
    """A thread for each sample and row: H[s, i, j, k] = -2 y_i (1 - y_i^2) W[i, j] W[i, k]."""
    rows, columns = weight.shape
    for item in range(cuda.grid(1), xs.shape[0] * rows, cuda.gridsize(1)):
        s, i = item // rows, item % rows
        total = bias[i]
        for j in range(columns):
            total += weight[i, j] * xs[s, j]
        y = math.tanh(total)
        bend = -2 * y * (1 - y * y)
        for j in range(columns):
            for k in range(columns):
                out[s, i, j, k] = bend * weight[i, j] * weight[i, k]

@cuda.jit(fastmath={"contract"})
def greeks_by_hand(options, out):
    """A thread for each option: delta, dual delta, rho, vega, theta."""
    for n in range(cuda.grid(1), options.shape[0], cuda.gridsize(1)):
        spot, strike, rate = options[n, 0], options[n, 1], options[n, 2]
        volatility, time = options[n, 3], options[n, 4]
        root = math.sqrt(time)
        width = volatility * root
        d1 = (math.log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / width
        d2 = d1 - width
        upper, lower = 0.5 * math.erfc(-d1 / math.sqrt(2.0)), 0.5 * math.erfc(-d2 / math.sqrt(2.0))
        discount, density = math.exp(-rate * time), math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
        out[n, 0] = upper
        out[n, 1] = -discount * lower
        out[n, 2] = strike * time * discount * lower
        out[n, 3] = spot * density * root
        out[n, 4] = spot * density * volatility / (2.0 * root) + rate * strike * discount * lower

@cuda.jit(fastmath={"contract"})
def kepler_by_hand(orbits, out):
    """A thread for each orbit: the slope of the solution itself, dE = (dM + sin E de) / (1 - e cos E)."""
    for n in range(cuda.grid(1), orbits.shape[0], cuda.gridsize(1)):
        mean, eccentricity = orbits[n, 0], orbits[n, 1]
        anomaly, change = mean, 1.0
        while abs(change) > 1e-6:
            change = (anomaly - eccentricity * math.sin(anomaly) - mean) / (1.0 - eccentricity * math.cos(anomaly))
            anomaly -= change
        slope = 1.0 / (1.0 - eccentricity * math.cos(anomaly))
        out[n, 0] = slope
        out[n, 1] = slope * math.sin(anomaly)

def by_hand(kernel, inputs, shape, dtype, items: int) -> Contestant:
    """Return a contestant that fills one result array with a kernel; the memory is taken once."""
    out = cuda.device_array(shape, dtype)
    blocks = max(1, min((items + THREADS - 1) // THREADS, 1 << 16))
    threads = min(THREADS, items)

    def call():
        kernel[blocks, threads](*inputs, out)
        cuda.synchronize()
        return out

    return Contestant("by hand (CUDA)", call)

def ours(function, inputs, in_dims) -> list[Contestant]:
    """Return the mapped derivative on the GPU, its result in new memory and in given memory."""
    batch = sd.vmap(function, in_dims=in_dims, target="cuda")
    out = batch(*inputs)

    def call():
        result = batch(*inputs)
        cuda.synchronize()
        return result

    def reused():
        result = batch(*inputs, out=out)
        cuda.synchronize()
        return result

    return [Contestant("srcdiff", call), Contestant("srcdiff, out=", reused)]

# -- workloads ----------------------------------------------------------------------------------

M, N = 33, 31

def _layer(count, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=s).astype(dtype) for s in ((M, N), (M,), (count, N))]

def _second_order(count, dtype):
    weight, bias, xs = _layer(count, dtype)
    placed = [cuda.to_device(a) for a in (weight, bias, xs)]
    dims = (None, None, 0)
    return [*ours(sd.hessian(predict, argnums=2), placed, dims),
            by_hand(hessian_by_hand, placed, (count, M, N, N), dtype, count * M),
            *jax_batch("predict", "hessian", (weight, bias, xs), dims, argnums=2),
            *torch_batch("predict", "hessian", (weight, bias, xs), dims, argnums=2)]

def _first_order(count, dtype):
    weight, bias, xs = _layer(count, dtype)
    placed = [cuda.to_device(a) for a in (weight, bias, xs)]
    dims = (None, None, 0)
    return [*ours(sd.jacobian(predict, argnums=2), placed, dims),
            by_hand(jacobian_by_hand, placed, (count, M, N), dtype, count * M),
            *jax_batch("predict", "jacfwd", (weight, bias, xs), dims, argnums=2),
            *jax_batch("predict", "jacrev", (weight, bias, xs), dims, argnums=2),
            *torch_batch("predict", "jacrev", (weight, bias, xs), dims, argnums=2)]

def _options(count, dtype):
    rng = np.random.default_rng(1)
    ranges = ((80, 120), (80, 120), (0.0, 0.08), (0.1, 0.6), (0.2, 3.0))
    return np.stack([rng.uniform(*r, size=count) for r in ranges], axis=1).astype(dtype)

def _greeks(count, dtype):
    options = _options(count, dtype)
    placed = [cuda.to_device(options)]
    return [*ours(sd.grad(black_scholes), placed, 0),
            by_hand(greeks_by_hand, placed, (count, 5), dtype, count),
            *jax_batch("black_scholes", "grad", (options,), (0,)),
            *torch_batch("black_scholes", "grad", (options,), (0,))]

def _sensitivities(count, dtype):
    rng = np.random.default_rng(2)
    rates = (np.array([1.1, 0.4, 0.4, 0.1]) * rng.uniform(0.8, 1.2, size=(count, 4))).astype(dtype)
    placed = [cuda.to_device(rates)]
    return [*ours(sd.jacfwd(predator_prey), placed, 0), *jax_batch("predator_prey", "jacfwd", (rates,), (0,))]

def _newton(count, dtype):
    rng = np.random.default_rng(3)
    orbits = np.stack([rng.uniform(0.1, 6.0, count), rng.uniform(0.0, 0.9, count)], axis=1).astype(dtype)
    placed = [cuda.to_device(orbits)]
    return [*ours(sd.jacfwd(kepler), placed, 0), by_hand(kepler_by_hand, placed, (count, 2), dtype, count),
            *jax_batch("kepler", "jacfwd", (orbits,), (0,))]

def _blocks(count, dtype):
    rng = np.random.default_rng(4)
    blocks = rng.normal(size=(count, 15)).astype(dtype)
    blocks[:, 13] += 10.0                       # the point lies before the camera
    features = rng.normal(size=(count, 2)).astype(dtype)
    placed = [cuda.to_device(blocks), cuda.to_device(features)]
    return [*ours(sd.jacobian(reprojection), placed, (0, 0)),
            *jax_batch("reprojection", "jacfwd", (blocks, features), (0, 0)),
            *jax_batch("reprojection", "jacrev", (blocks, features), (0, 0))]

WORKLOADS = [
    Batch("batched Jacobian of predict 33x31", _first_order,
          lambda n, size: n * (N + M * N) * size, lambda n: n * (2 * M * N + M * N + 3 * M)),
    Batch("batched Hessian of predict 33x31x31", _second_order,
          lambda n, size: n * (N + M * N * N) * size, lambda n: n * (2 * M * N + M * N * N + 5 * M), 100_000),
    Batch("Jacobian blocks of bundle adjustment", _blocks,
          lambda n, size: n * (15 + 2 + 30) * size, lambda n: n * 300),
    Batch("Black-Scholes Greeks", _greeks, lambda n, size: n * 10 * size, lambda n: n * 50),
    Batch("ODE sensitivities, 1000 Runge-Kutta steps", _sensitivities,
          lambda n, size: n * 12 * size, lambda n: n * STEPS * (56 + 4 * 80), 100_000),
    Batch("Newton's iteration for Kepler's equation", _newton,
          lambda n, size: n * 4 * size, lambda n: n * 5 * 20),
]
