"""The loop kernels: each in plain Numba, and the cotangents of all its inputs for a random one of its result, both sweeps."""

from __future__ import annotations

import numpy as np
from numba import njit

import srcdiff as sd
from bench.measure import Contestant, Workload
from bench.peers import has, jax_, of_jax
from bench.workloads.kernels import KERNELS, Kernel

__all__ = ["WORKLOADS", "ONE_CALL"]

# What a user of JAX writes as one product of matrices or one convolution.
ONE_CALL = ("symm", "mlp", "conv2d")


def copies(args):
    return [a.copy() if isinstance(a, np.ndarray) else a for a in args]


def results_of(compiled, args):
    """Return what a kernel returns, or the arrays it writes if it returns nothing."""
    given = copies(args)
    value = compiled(*given)
    if value is not None:
        return value
    written = tuple(g for g, a in zip(given, args, strict=True)
                    if isinstance(a, np.ndarray) and not np.array_equal(g, a))
    return written[0] if len(written) == 1 else written


def cotangent(value, rng):
    if isinstance(value, tuple):
        return tuple(cotangent(v, rng) for v in value)
    return rng.normal(size=np.shape(value))[()]


def pullback_in_jax(function, args):
    """Return ``(cotangent, *floating arguments) -> their cotangents``; integers are constants."""
    places = [i for i, a in enumerate(args) if np.asarray(a).dtype.kind == "f"]

    def of_floats(*given):
        whole = list(args)
        for place, value in zip(places, given, strict=True):
            whole[place] = value
        return function(*whole)

    def pullback(seed, *given):
        return jax_().vjp(of_floats, *given)[1](seed)

    return pullback, [args[i] for i in places]


def peers(name, args, seed) -> list[Contestant]:
    if not has("jax"):
        return []
    jax_()
    from bench.workloads import kernels_jax
    found = []
    for kind, table in (("vjp", kernels_jax.LOOPS), ("vjp, library", kernels_jax.LIBRARY)):
        if name in table:
            pullback, floats = pullback_in_jax(table[name], args)
            found += of_jax(kind, pullback, seed, *floats)
    return found


def run(kernel: Kernel) -> Workload:
    """Time the kernel on copies of its arguments, as it overwrites them, and its derivative."""
    def make():
        rng = np.random.default_rng(0)
        args, compiled = kernel.make(kernel.size, rng), njit(kernel.function)
        seed = cotangent(results_of(compiled, args), rng)

        def adjoints():
            """Run both sweeps, as JAX does: a pullback of `sd.vjp` has the first one behind it."""
            _, found = sd.functional.vjp(kernel.function, args, seed)
            return [a for a in found if a is not None]                  # integers have none

        return [Contestant("srcdiff vjp", adjoints),
                Contestant("objective (Numba)", lambda: compiled(*copies(args)), is_primal=True),
                *peers(kernel.name, args, seed)]

    return Workload(kernel.name, make)


WORKLOADS = [run(kernel) for kernel in KERNELS.values()]
