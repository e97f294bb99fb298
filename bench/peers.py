"""The peers, imported only where they are installed and only when a workload asks.

JAX results are waited for (`block_until_ready`), as a user needs them; inputs
are placed on the device before the timing starts.  What takes JAX's floats is
run in float64 and in float32.
"""

from __future__ import annotations

import functools
import importlib.util

import numpy as np

from bench.measure import Contestant

__all__ = ["FLOAT32", "has", "jax_", "jitted", "of_autograd", "of_enzyme", "of_jax", "of_torch", "torch_"]

# How far a result in float32 may be from the one in float64.
FLOAT32 = 2e-2


def has(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@functools.cache
def torch_():
    import torch
    torch.set_num_threads(1)
    return torch


@functools.cache
def jax_():
    import jax
    jax.config.update("jax_enable_x64", True)
    return jax


def jitted(function, *args):
    """Return a call of the jitted JAX function that waits for its result."""
    jax = jax_()
    compiled = jax.jit(function)
    placed = [jax.tree.map(jax.numpy.asarray, a) for a in args]
    return lambda: jax.block_until_ready(compiled(*placed))


def single(value):
    """Return floats, and arrays of them, in float32; all else as it is."""
    if isinstance(value, tuple):
        return tuple(single(v) for v in value)
    return np.float32(value) if np.asarray(value).dtype == np.float64 else value


def of_jax(kind: str, function, *args, in_single: bool = True) -> list[Contestant]:
    """JAX's jitted function at the arguments, in float64 and in float32; none without JAX."""
    if not has("jax"):
        return []
    found = [Contestant(f"JAX {kind}", jitted(function, *args), True)]
    if in_single:
        found.append(Contestant(f"JAX float32 {kind}", jitted(function, *map(single, args)), True, rtol=FLOAT32))
    return found


def of_torch(kind: str, function, *args) -> list[Contestant]:
    """Call ``function(torch)`` for what takes the arguments as tensors; none without PyTorch."""
    if not has("torch"):
        return []
    torch = torch_()
    call = function(torch)
    placed = [torch.as_tensor(a) for a in args]
    return [Contestant(f"torch.func {kind}", lambda: call(*placed), True)]


def of_autograd(kind: str, function, *args) -> list[Contestant]:
    """Call ``function(autograd, autograd.numpy)`` for what takes the arguments; none without HIPS autograd."""
    if not has("autograd"):
        return []
    import autograd
    import autograd.numpy
    call = function(autograd, autograd.numpy)
    return [Contestant(f"autograd {kind}", lambda: call(*args), True)]


def of_enzyme(kind: str, source: str, *args) -> list[Contestant]:
    """Gradient of the C++ function `f`, which fills its first argument, by Enzyme; none without it.

    `f` takes its output and as many `enzyme::tensor`s as there are arguments.
    """
    if not (has("enzyme_ad") and has("jax")):
        return []
    jax = jax_()
    from enzyme_ad.jax import cpp_call
    scalar = [jax.core.ShapedArray((), np.float64)]

    def objective(*args):
        return cpp_call(*args, out_shapes=scalar, source=source, fn="f", argv=("-O3",))[0]

    active = tuple(range(len(args)))
    gradient = jax.grad(objective, active if len(args) > 1 else 0)
    return [Contestant(f"Enzyme {kind}", jitted(gradient, *args), True)]
