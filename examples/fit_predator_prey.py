"""Fit the parameters of an ODE that is written as a plain loop.

The Lotka-Volterra equations for hare and lynx,

    dh/dt = a h - b h l,        dl/dt = c h l - d l,

are integrated by classical Runge-Kutta steps in a loop.  The residuals against the pelt counts of the Hudson's Bay
Company (thousands, 1900 to 1920; Howard 2009 after Elton & Nicholson 1942) are differentiated with respect to the four
rates and the two initial populations, and handed to `scipy.optimize.least_squares`.

Run:  python examples/fit_predator_prey.py [picture.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from srcdiff import differentiate

DATA = Path(__file__).parent / "data" / "hare_lynx.csv"
STEPS_PER_YEAR = 20


def rates(h, p, parameters):
    """Return dh/dt and dl/dt in thousands per year."""
    return (parameters[0] * h - parameters[1] * h * p,
            parameters[2] * h * p - parameters[3] * p)


@differentiate
def residuals(parameters, hare, lynx):
    """Return log(model / data): first the hares of all years, then the lynxes.

    `parameters` holds a, b, c, d (per year, per year and thousand, ...) and the populations of the first year.
    """
    years = hare.shape[0]
    out = np.empty(2 * years)
    h, p = parameters[4], parameters[5]
    dt = 1.0 / STEPS_PER_YEAR
    for year in range(years):
        out[year] = np.log(h / hare[year])
        out[years + year] = np.log(p / lynx[year])
        for _ in range(STEPS_PER_YEAR):
            h1, p1 = rates(h, p, parameters)
            h2, p2 = rates(h + 0.5 * dt * h1, p + 0.5 * dt * p1, parameters)
            h3, p3 = rates(h + 0.5 * dt * h2, p + 0.5 * dt * p2, parameters)
            h4, p4 = rates(h + dt * h3, p + dt * p3, parameters)
            h += dt / 6.0 * (h1 + 2.0 * h2 + 2.0 * h3 + h4)
            p += dt / 6.0 * (p1 + 2.0 * p2 + 2.0 * p3 + p4)
    return out


def fit(hare, lynx):
    start = np.array([0.5, 0.03, 0.03, 0.8, 30.0, 6.0])
    return least_squares(residuals, start, jac=residuals.jacobian, args=(hare, lynx), x_scale=np.abs(start))


def main(picture=None):
    year, hare, lynx = np.loadtxt(DATA, delimiter=",", skiprows=1, unpack=True)
    residuals.check(np.array([0.5, 0.03, 0.03, 0.8, 30.0, 6.0]), hare, lynx)
    found = fit(hare, lynx)
    covariance = np.linalg.inv(found.jac.T @ found.jac) * 2.0 * found.cost / (found.fun.size - found.x.size)
    print(f"{found.message}  {found.nfev} residual calls, {found.njev} Jacobians")
    for name, value, error in zip(("a", "b", "c", "d", "hare(1900)", "lynx(1900)"), found.x,
                                  np.sqrt(np.diag(covariance)), strict=True):
        print(f"  {name:<11} {value:8.4f} +- {error:.4f}")
    print(f"  root mean square of log residuals {np.sqrt(np.mean(found.fun**2)):.4f}")
    if picture:
        draw(year, hare, lynx, found, picture)


def draw(year, hare, lynx, found, picture):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.5))
    count = len(year)
    for data, model, name in ((hare, hare * np.exp(found.fun[:count]), "hare"),
                              (lynx, lynx * np.exp(found.fun[count:]), "lynx")):
        (line,) = axes.plot(year, model, label=f"{name}, model")
        axes.plot(year, data, "o", color=line.get_color(), label=f"{name}, pelts")
    axes.set_xlabel("year")
    axes.set_ylabel("thousands")
    axes.legend(ncols=2)
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    print(f"saved {picture}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
