"""The functions of `bench.workloads.gpu` in JAX and in torch, batched with each package's own transforms."""

from __future__ import annotations

import functools
import math

from bench.measure import Contestant
from bench.peers import has

__all__ = ["jax_batch", "torch_batch"]

STEPS = 1000


@functools.cache
def _jax():
    """Return JAX if it sees a GPU, else None."""
    if not has("jax"):
        return None
    import jax
    jax.config.update("jax_enable_x64", True)
    return jax if jax.default_backend() == "gpu" else None


@functools.cache
def _torch():
    """Return torch if it sees a GPU, else None."""
    if not has("torch"):
        return None
    import torch
    return torch if torch.cuda.is_available() else None


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
            return jnp.abs(state[1]) > 1e-6

        def step(state):
            e, _ = state
            change = (e - eccentricity * jnp.sin(e) - mean) / (1.0 - eccentricity * jnp.cos(e))
            return e - change, change

        return jax.lax.while_loop(go_on, step, (mean, jnp.ones((), orbit.dtype)))[0]

    def reprojection(block, feature):
        r, center, focal, offset, kappa = block[0:3], block[3:6], block[6], block[7:9], block[9:11]
        z = block[11:14] - center
        square = r @ r
        angle = jnp.sqrt(square)
        v = r / angle
        turned = z * jnp.cos(angle) + jnp.cross(v, z) * jnp.sin(angle) + v * (v @ z) * (1.0 - jnp.cos(angle))
        p = turned[:2] / turned[2]
        s = p @ p
        return block[14] * (p * (1.0 + kappa[0] * s + kappa[1] * s * s) * focal + offset - feature)

    return {**array_functions(jnp, erfc), **{f.__name__: f for f in (predator_prey, kepler, reprojection)}}


@functools.cache
def torch_functions() -> dict:
    import torch
    return array_functions(torch, torch.erfc)


def jax_batch(name: str, transform: str, arrays, dims, argnums: int = 0) -> list[Contestant]:
    """Return ``jit(vmap(transform(function)))`` on the GPU, nothing where JAX sees none."""
    jax = _jax()
    if jax is None:
        return []
    derivative = getattr(jax, transform)(jax_functions()[name], argnums=argnums)
    compiled = jax.jit(jax.vmap(derivative, in_axes=dims))
    placed = [jax.device_put(a) for a in arrays]
    return [Contestant(f"JAX {transform}", lambda: jax.block_until_ready(compiled(*placed)), is_peer=True)]


def torch_batch(name: str, transform: str, arrays, dims, argnums: int = 0) -> list[Contestant]:
    """Return ``vmap(transform(function))`` of torch.func on the GPU, nothing where torch sees none."""
    torch = _torch()
    if torch is None:
        return []
    derivative = getattr(torch.func, transform)(torch_functions()[name], argnums=argnums)
    batch = torch.func.vmap(derivative, in_dims=dims)
    placed = [torch.from_numpy(a).cuda() for a in arrays]

    def call():
        result = batch(*placed)
        torch.cuda.synchronize()
        return result

    return [Contestant(f"torch.func {transform}", call, is_peer=True)]
