"""A Newton solver inside @njit that calls a derivative made by srcdiff.

Kepler's equation ``E - e sin E = M`` for a hundred thousand orbits: the residual is written once, its derivative is
generated, and both are called from compiled code.

Run:  python examples/newton_in_numba.py [picture.png]
"""

from __future__ import annotations

import math
import sys
import time

import numpy as np
from numba import njit

from srcdiff import differentiate


@differentiate
def residual(anomaly, mean, eccentricity):
    return anomaly - eccentricity * math.sin(anomaly) - mean


slope = residual.grad


@njit
def solve(mean, eccentricity):
    """Return the eccentric anomaly in radians, and the number of Newton steps."""
    anomaly = mean + 0.85 * eccentricity * (1.0 if math.sin(mean) >= 0 else -1.0)
    for step in range(50):
        r = residual(anomaly, mean, eccentricity)
        if abs(r) < 1e-14:
            return anomaly, step
        anomaly -= r / slope(anomaly, mean, eccentricity)
    return anomaly, 50


@njit
def solve_all(means, eccentricity):
    anomalies = np.empty_like(means)
    steps = 0
    for i in range(len(means)):
        anomalies[i], count = solve(means[i], eccentricity)
        steps += count
    return anomalies, steps


def main(picture=None):
    means = np.linspace(0.0, 2.0 * np.pi, 100_001)
    solve_all(means[:10], 0.5)
    curves = {}
    for eccentricity in (0.1, 0.5, 0.9):
        start = time.perf_counter()
        anomalies, steps = solve_all(means, eccentricity)
        elapsed = time.perf_counter() - start
        error = np.max(np.abs(anomalies - eccentricity * np.sin(anomalies) - means))
        curves[eccentricity] = anomalies
        print(f"e = {eccentricity}: {len(means)} orbits in {1e3 * elapsed:.1f} ms, "
              f"{steps / len(means):.2f} Newton steps each, largest residual {error:.1e} rad")
    print("\nThe generated derivative:\n")
    print(residual.grad.source(1.0, 1.0, 0.5))
    if picture:
        draw(means, curves, picture)


def draw(means, curves, picture):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 4))
    for eccentricity, anomalies in curves.items():
        axes.plot(means, anomalies, label=f"e = {eccentricity}")
    axes.set_xlabel("mean anomaly [rad]")
    axes.set_ylabel("eccentric anomaly [rad]")
    axes.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    print(f"saved {picture}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
