"""The functions of `bench.workloads.gpu` in JAX and in torch, batched with each package's own transforms."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

from bench.peers import has

__all__ = ["Absent", "Rival", "jax_batch", "torch_batch"]

STEPS = 1000


class Absent(Exception):
    """Why a peer does not take part: not installed, sees no GPU, cannot do the work."""


@dataclass(frozen=True)
class Rival:
    """One way to do the work of a batch.

    Attributes
    ----------
    make
        ``make(arrays, placed)``: the arguments on the host and on the device, to a call that queues the work
        and returns its result.  Raises `Absent`.
    wait
        Waits for the result of a call; by default for the device.
    """

    name: str
    make: Callable
    is_peer: bool = False
    wait: Callable[[object], object] | None = None


@functools.cache
def _jax():
    if not has("jax"):
        raise Absent("JAX is not installed")
    import jax
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_default_matmul_precision", "highest")        # else products of float32 have 10 bits on such devices
    if jax.default_backend() != "gpu":
        raise Absent("JAX sees no GPU")
    return jax


@functools.cache
def _torch():
    if not has("torch"):
        raise Absent("torch is not installed")
    import torch
    if not torch.cuda.is_available():
        raise Absent("torch sees no GPU")
    return torch


def array_functions(xp, erfc) -> dict:
    """Return the functions that read alike in both packages; `xp` is its module of array functions."""
    def predict(weight, bias, x):
        return xp.tanh(weight @ x + bias)

    def black_scholes(option):
        spot, strike, rate, volatility, time = option
        width = volatility * xp.sqrt(time)
        d1 = (xp.log(spot / strike) + (rate + 0.5 * volatility**2) * time) / width
        d2 = d1 - width
        upper, lower = 0.5 * erfc(-d1 / math.sqrt(2.0)), 0.5 * erfc(-d2 / math.sqrt(2.0))
        return spot * upper - strike * xp.exp(-rate * time) * lower

    return {"predict": predict, "black_scholes": black_scholes}


@functools.cache
def jax_functions() -> dict:
    import jax
    import jax.numpy as jnp
    from jax.scipy.special import erfc

    def predator_prey(rates):
        a, b, c, d = rates
        h = 0.01

        def slope(s):
            return jnp.stack([a * s[0] - b * s[0] * s[1], d * s[0] * s[1] - c * s[1]])

        def step(_, s):
            k1 = slope(s)
            k2 = slope(s + 0.5 * h * k1)
            k3 = slope(s + 0.5 * h * k2)
            k4 = slope(s + h * k3)
            return s + h / 6.0 * (k1 + 2.0 * (k2 + k3) + k4)

        return jax.lax.fori_loop(0, STEPS, step, jnp.array([10.0, 5.0], rates.dtype))

    def kepler(orbit):
        mean, eccentricity = orbit

        def go_on(state):
            return (jnp.abs(state[1]) > 1e-6) & (state[2] < 20)

        def step(state):
            e, _, steps = state
            change = (e - eccentricity * jnp.sin(e) - mean) / (1.0 - eccentricity * jnp.cos(e))
            return e - change, change, steps + 1

        return jax.lax.while_loop(go_on, step, (mean, jnp.ones((), orbit.dtype), 0))[0]

    def reprojection(block, feature):
        return projected(jnp, jnp.cross, block, feature)

    return {**array_functions(jnp, erfc), **{f.__name__: f for f in (predator_prey, kepler, reprojection)}}


@functools.cache
def torch_functions() -> dict:
    import torch

    def predator_prey(rates):
        a, b, c, d = rates
        h = 0.01
        x, y = 0 * a + 10.0, 0 * a + 5.0

        def slopes(x, y):
            return a * x - b * x * y, d * x * y - c * y

        for _ in range(STEPS):
            x1, y1 = slopes(x, y)
            x2, y2 = slopes(x + 0.5 * h * x1, y + 0.5 * h * y1)
            x3, y3 = slopes(x + 0.5 * h * x2, y + 0.5 * h * y2)
            x4, y4 = slopes(x + h * x3, y + h * y3)
            x = x + h / 6.0 * (x1 + 2.0 * (x2 + x3) + x4)
            y = y + h / 6.0 * (y1 + 2.0 * (y2 + y3) + y4)
        return torch.stack([x, y])

    def reprojection(block, feature):
        return projected(torch, torch.linalg.cross, block, feature)

    return {**array_functions(torch, torch.erfc), **{f.__name__: f for f in (predator_prey, reprojection)}}


def projected(xp, cross, block, feature):
    """Return the residual of one observation; `xp` is a module of array functions."""
    r, center, focal, offset, kappa = block[0:3], block[3:6], block[6], block[7:9], block[9:11]
    z = block[11:14] - center
    angle = xp.sqrt(r @ r)
    v = r / angle
    turned = z * xp.cos(angle) + cross(v, z) * xp.sin(angle) + v * (v @ z) * (1.0 - xp.cos(angle))
    p = turned[:2] / turned[2]
    s = p @ p
    return block[14] * (p * (1.0 + kappa[0] * s + kappa[1] * s * s) * focal + offset - feature)


def jax_batch(name: str, transform: str, dims, argnums: int = 0) -> Rival:
    """Return ``jit(vmap(transform(function)))`` on the GPU."""
    def make(arrays, placed):
        jax = _jax()
        derivative = getattr(jax, transform)(jax_functions()[name], argnums=argnums)
        compiled = jax.jit(jax.vmap(derivative, in_axes=dims))
        given = [jax.device_put(a) for a in arrays]
        return lambda: compiled(*given)

    return Rival(f"JAX {transform}", make, True, lambda result: _jax().block_until_ready(result))


def torch_batch(name: str, transform: str, dims, argnums: int = 0) -> Rival:
    """Return ``vmap(transform(function))`` of torch.func on the GPU."""
    def make(arrays, placed):
        torch = _torch()
        if name not in torch_functions():
            raise Absent("torch.func.vmap has no loop whose end the data decides")
        derivative = getattr(torch.func, transform)(torch_functions()[name], argnums=argnums)
        batch = torch.func.vmap(derivative, in_dims=dims)
        given = [torch.from_numpy(a).cuda() for a in arrays]
        return lambda: batch(*given)

    return Rival(f"torch.func {transform}", make, True, lambda _: _torch().cuda.synchronize())
