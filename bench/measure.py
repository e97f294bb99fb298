"""Timing: interleaved rounds, medians, and checks that all contestants agree.

Machines are noisy: the contestants of one workload take turns, round after
round, so that a disturbance hurts all alike; the median over the rounds is
reported, with the interquartile range as its spread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.memory import peak_bytes

__all__ = ["Contestant", "Measurement", "Workload", "measure", "seconds"]


@dataclass(frozen=True)
class Contestant:
    """One way to do the work: `call()` does it once and returns the result.

    `is_primal` marks the objective itself, timed beside its derivatives and not
    compared with them.  `rtol` replaces the tolerance of the workload.
    """

    name: str
    call: Callable[[], object]
    is_peer: bool = False
    is_primal: bool = False
    rtol: float | None = None


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes
    ----------
    make
        Return the contestants; called once, so that peers are imported only then.
    rtol
        Relative tolerance to which all results must agree with the first.
    """

    name: str
    make: Callable[[], list[Contestant]]
    rtol: float = 1e-4


@dataclass
class Measurement:
    """Microseconds per call: median and interquartile range; the first call in seconds; bytes of one call.

    `first` holds what the first call compiles.  `peak` is by how much one more
    call raises the memory of the process at its highest.  `fastest` is the best
    round: other guests of a machine only ever make a call slower.
    """

    workload: str
    contestant: str
    median: float
    spread: float
    first: float
    rounds: int
    is_peer: bool
    is_primal: bool = False
    agrees: bool = True
    peak: int = 0
    fastest: float = 0.0


def to_numpy(result):
    if isinstance(result, tuple | list):
        return [to_numpy(r) for r in result]
    return np.asarray(result)


def _agree(left, right, rtol) -> bool:
    if isinstance(left, list):
        return len(left) == len(right) and all(_agree(a, b, rtol) for a, b in zip(left, right, strict=True))
    scale = max(float(np.max(np.abs(right), initial=0.0)), 1e-30)
    return left.shape == right.shape and float(np.max(np.abs(left - right), initial=0.0)) <= rtol * scale


def _calls_per_round(seconds: float, target: float = 0.01) -> int:
    return max(1, min(100_000, int(target / max(seconds, 1e-8))))


def measure(workload: Workload, rounds: int = 15, budget: float = 8.0, on_host=to_numpy) -> list[Measurement]:
    """Time all contestants of a workload in turns; about `budget` seconds, five rounds at least.

    `on_host` turns a result, or the part of it that is compared, into NumPy arrays.
    """
    contestants = workload.make()
    found, results = [], []
    for c in contestants:
        took = seconds(c.call, 1)
        results.append(on_host(c.call()))
        found.append(Measurement(workload.name, c.name, 0.0, 0.0, took, 0, c.is_peer, c.is_primal))
    first = next(r for r, c in zip(results, contestants, strict=True) if not c.is_primal)
    for m, c, result in zip(found, contestants, results, strict=True):
        m.agrees = c.is_primal or _agree(result, first, c.rtol or workload.rtol)
    del result, results, first
    for m, t in zip(found, _rounds(contestants, rounds, budget), strict=True):
        low, m.median, m.spread = (float(q) * 1e6 for q in np.percentile(t, [25, 50, 75]))
        m.spread -= low
        m.rounds, m.fastest = len(t), min(t) * 1e6
    for m, c in zip(found, contestants, strict=True):
        m.peak = peak_bytes(c.call)
    return found


def _rounds(contestants, rounds: int, budget: float) -> list[list[float]]:
    """Return the seconds per call of each contestant in each round."""
    counts = [_calls_per_round(seconds(c.call, 1)) for c in contestants]
    times: list[list[float]] = [[] for _ in contestants]
    began = time.perf_counter()
    for _ in range(rounds):
        for mine, c, count in zip(times, contestants, counts, strict=True):
            mine.append(seconds(c.call, count))
        if time.perf_counter() - began > budget and len(times[0]) >= 5:
            break
    return times


def seconds(call, count: int) -> float:
    """Return the mean time of `count` calls."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count
