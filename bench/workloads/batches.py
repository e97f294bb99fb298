"""Many small Jacobians on one core and on all: in a process of its own, as the threads are chosen at its start."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

import srcdiff as sd
from bench.measure import Contestant, Measurement, Workload, measure
from bench.peers import has, jax_, jitted
from bench.workloads.tutorial import batch_jacobian_by_hand, layer, predict

__all__ = ["batches"]

SAMPLES = 100_000
ROUNDS = 40                     # short ones: the cores must be undisturbed in one of each


def lorenz(state, steps):
    """The Lorenz system after some steps of Heun's method."""
    x, y, z, h = state[0], state[1], state[2], 0.01
    for _ in range(steps):
        dx, dy, dz = 10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z
        u, v, w = x + h * dx, y + h * dy, z + h * dz
        x += 0.5 * h * (dx + 10.0 * (v - u))
        y += 0.5 * h * (dy + u * (28.0 - w) - v)
        z += 0.5 * h * (dz + u * v - 8.0 / 3.0 * w)
    return np.array([x, y, z])


def both(name, derivative, args, in_dims, peer, *more):
    def make():
        one = sd.vmap(derivative(), in_dims=in_dims, parallel=False)
        many = sd.vmap(derivative(), in_dims=in_dims, parallel=True)
        return [Contestant("srcdiff, one core", lambda: one(*args)), Contestant("srcdiff, all cores", lambda: many(*args)),
                *([Contestant("JAX jit(vmap(jacobian)), one core", peer(), True)] if has("jax") else []), *more]

    return Workload(name, make)


def jax_layers(args):
    """JAX's Jacobians, by columns: the faster mode here."""
    jax = jax_()
    derivative = jax.jacfwd(lambda weight, bias, x: jax.numpy.tanh(weight @ x + bias), argnums=2)
    return jitted(jax.vmap(derivative, in_axes=(None, None, 0)), *args)


def jax_lorenz(states, steps):
    jax = jax_()

    def step(_, state):
        x, y, z, h = *state, 0.01
        dx, dy, dz = 10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z
        u, v, w = x + h * dx, y + h * dy, z + h * dz
        return (x + 0.5 * h * (dx + 10.0 * (v - u)), y + 0.5 * h * (dy + u * (28.0 - w) - v),
                z + 0.5 * h * (dz + u * v - 8.0 / 3.0 * w))

    def final(state):
        return jax.numpy.stack(jax.lax.fori_loop(0, steps, step, (state[0], state[1], state[2])))

    return jitted(jax.vmap(jax.jacfwd(final)), states)


def layers(outputs, inputs):
    args = layer(outputs, inputs, SAMPLES)
    return both(f"{SAMPLES} Jacobians {outputs}x{inputs} of a layer", lambda: sd.jacrev(predict, argnums=2), args, (None, None, 0),
                lambda: jax_layers(args), Contestant("by hand (Numba), one core", lambda: batch_jacobian_by_hand(*args)))


def trajectories(steps):
    states = np.random.default_rng(0).normal(size=(SAMPLES, 3))
    return both(f"{SAMPLES} Jacobians 3x3 of Lorenz, {steps} steps", lambda: sd.jacfwd(lorenz), (states, steps), (0, None),
                lambda: jax_lorenz(states, steps))


@contextlib.contextmanager
def all_cores():
    """Let processes that are started here use every core, wherever this one is pinned.

    The threading library looks at its start how many there are, so the process cannot widen its own set later.
    """
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count()))
    try:
        yield
    finally:
        os.sched_setaffinity(0, pinned)


def batches(rounds: int) -> list[Measurement]:
    """Return the measurements with one thread for each core."""
    cores = str(os.cpu_count())
    with tempfile.TemporaryDirectory() as folder, all_cores():
        file = Path(folder) / "batches.json"
        subprocess.run([sys.executable, "-m", "bench.workloads.batches", str(file), str(max(rounds, ROUNDS))], check=True,
                       env=os.environ | {"NUMBA_NUM_THREADS": cores, "OMP_NUM_THREADS": cores})
        return [Measurement(**m) for m in json.loads(file.read_text())]


def main(file: str, rounds: str) -> None:
    found = [m for w in (layers(4, 4), layers(8, 8), trajectories(20)) for m in measure(w, int(rounds))]
    Path(file).write_text(json.dumps([asdict(m) for m in found]))


if __name__ == "__main__":
    main(*sys.argv[1:])
