"""The peers, imported only where they are installed and only when a workload asks.

JAX results are waited for (`block_until_ready`), as a user needs them; inputs
are placed on the device before the timing starts.
"""

from __future__ import annotations

import functools
import importlib.util

__all__ = ["has", "jax_", "jitted", "torch_"]


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
    placed = [jax.numpy.asarray(a) for a in args]
    return lambda: jax.block_until_ready(compiled(*placed))
