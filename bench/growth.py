"""How time and memory of a derivative grow with the work, over three decades of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

import srcdiff as sd
from bench.measure import seconds
from bench.memory import peak_bytes
from bench.workloads.adbench import data, gmm, lstm
from bench.workloads.kernels import KERNELS
from bench.workloads.models import price
from bench.workloads.rosenbrock import rosenbrock

__all__ = ["growth", "orders"]


@dataclass(frozen=True)
class Size:
    """One size of one workload: `work` counts what its time should be proportional to."""

    workload: str
    work: int
    microseconds: float
    peak: int


def _rosenbrock(n):
    gradient, x = sd.grad(rosenbrock), np.linspace(0.5, 1.5, n)
    return lambda: gradient(x)


def _mixture(n):
    gradient, args = sd.grad(gmm.objective, argnums=(0, 1, 2)), data.some_gmm(n, 5, 10)
    return lambda: gradient(*args)


def _network(n):
    gradient, args = sd.grad(lstm.objective, argnums=(0, 1)), data.some_lstm(2, n)
    return lambda: gradient(*args)


def _options(n):
    many, rng = sd.vmap(sd.grad(price, argnums=(0, 2, 3, 4))), np.random.default_rng(0)
    args = [rng.uniform(0.5, 1.5, n) for _ in range(5)]
    return lambda: many(*args)


def _stencil(n):
    rng = np.random.default_rng(0)
    args = KERNELS["jacobi_1d"].make(n, rng)
    pullback = sd.vjp(KERNELS["jacobi_1d"].function, *args)[1]
    seed = rng.normal(size=n), rng.normal(size=n)
    return lambda: pullback(seed)


SIZES: dict[str, tuple[Callable, int]] = {
    "Rosenbrock, n": (_rosenbrock, 10_000), "GMM, points": (_mixture, 100), "LSTM, characters": (_network, 100),
    "Black-Scholes, options": (_options, 1_000), "jacobi_1d, points": (_stencil, 1_000),
}


def growth(rounds: int = 7) -> Iterator[dict]:
    """Yield the time and the peak memory of each workload at four sizes, each ten times the one before."""
    for name, (make, smallest) in SIZES.items():
        for decade in range(4):
            call = make(smallest * 10**decade)
            call()
            count = max(1, int(0.01 / seconds(call, 1)))
            median = statistics.median(seconds(call, count) for _ in range(rounds))
            yield asdict(Size(name, smallest * 10**decade, median * 1e6, peak_bytes(call)))


def orders(sizes: list[dict]) -> dict[str, tuple[float, float]]:
    """Return by workload the powers of the work with which time and memory grow: 1 is linear.

    Slopes between the smallest and the largest size; memory from the second
    size on, as the smallest fits what the process keeps at hand.  Memory that
    even the largest size does not need grows with the power 0.
    """
    found = {}
    for name in dict.fromkeys(s["workload"] for s in sizes):
        mine = [s for s in sizes if s["workload"] == name]
        needing = [s for s in mine[1:] if s["peak"]] or mine[-1:]
        found[name] = _slope(mine[0], mine[-1], "microseconds"), _slope(needing[0], needing[-1], "peak")
    return found


def _slope(small: dict, large: dict, what: str) -> float:
    if not large[what]:
        return 0.0
    if small is large:
        return math.nan                 # one size alone needs any: nothing to compare it with
    return math.log(large[what] / small[what]) / math.log(large["work"] / small["work"])
