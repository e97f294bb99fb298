"""The loop kernels: each in plain Numba, and the cotangents of all its inputs for a random one of its result, both sweeps.

"vjp" gives the cotangents alone, "value and vjp" what the kernel computes besides: a compiler that is not asked for
the value leaves out what the cotangents do not need, all of the first sweep where the kernel is linear.
"""

from __future__ import annotations

from dataclasses import replace

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
    """Return ``(cotangent, *floating arguments) -> (value, their cotangents)``; integers are constants."""
    places = [i for i, a in enumerate(args) if np.asarray(a).dtype.kind == "f"]

    def of_floats(*given):
        whole = list(args)
        for place, value in zip(places, given, strict=True):
            whole[place] = value
        return function(*whole)

    def pullback(seed, *given):
        value, pull = jax_().vjp(of_floats, *given)
        return value, pull(seed)

    return pullback, [args[i] for i in places]


def peers(name, args, seed) -> list[Contestant]:
    if not has("jax"):
        return []
    jax_()
    from bench.workloads import kernels_jax
    found = []
    for table, ending in ((kernels_jax.LOOPS, ""), (kernels_jax.LIBRARY, ", library")):
        if name in table:
            both, floats = pullback_in_jax(table[name], args)
            found += of_jax(f"vjp{ending}", lambda *given, both=both: both(*given)[1], seed, *floats)
            found += [cotangents_of(c) for c in of_jax(f"value and vjp{ending}", both, seed, *floats, in_single=False)]
    return found


def cotangents_of(contestant: Contestant) -> Contestant:
    """Return the contestant without the value among its results: the cotangents are what is compared."""
    return replace(contestant, call=lambda: contestant.call()[1])


def run(kernel: Kernel) -> Workload:
    """Time the kernel on copies of its arguments, as it overwrites them, and its derivative."""
    def make():
        rng = np.random.default_rng(0)
        function = kernel.function
        args, compiled = kernel.make(kernel.size, rng), njit(function)
        seed = cotangent(results_of(compiled, args), rng)

        pullback = sd.differentiate(function).pullback

        def floats(found):
            return [a for a in found if a is not None]                  # integers have no cotangent

        return [Contestant("srcdiff vjp", lambda: floats(pullback(args, seed))),
                Contestant("srcdiff value and vjp", lambda: floats(sd.functional.vjp(function, args, seed)[1])),
                Contestant("objective (Numba)", lambda: compiled(*copies(args)), is_primal=True),
                *peers(kernel.name, args, seed)]

    return Workload(kernel.name, make)


WORKLOADS = [run(kernel) for kernel in KERNELS.values()]
