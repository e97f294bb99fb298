"""Functions in the manner of scientific packages: correlations, orbits, geodesy, filters, pricing, optics.

Written for this test with the constructs that such packages use: dispatch on
strings, tables of constants, checks that raise, defaults of None, solvers with
tolerances, functions for numbers and arrays alike.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from tests.programs import program

X = np.array([0.5, -1.25, 2.0])
T = np.array([280.0, 300.0, 350.0])
ANTOINE = {"water": (23.1964, 3816.44, -46.13), "ethanol": (23.8047, 3803.98, -41.68)}
LAGUERRE = [(0.5858, 0.8536), (3.4142, 0.1464)]
SPLIT = 1.2e3


# -- fluids and heat ---------------------------------------------------------------------------

def laminar(reynolds):
    return 64.0 / reynolds


def turbulent(reynolds, roughness):
    return 0.25 / math.log10(roughness / 3.7 + 5.74 / reynolds ** 0.9) ** 2


METHODS = {"smooth": lambda reynolds, roughness: 0.316 * reynolds ** -0.25, "rough": turbulent}


def friction_factor(reynolds, roughness=0.0, method=None):
    """Look a correlation up by its name; the best one by default."""
    if reynolds < 2040.0:
        return laminar(reynolds)
    if method is None:
        method = "rough"
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}, use one of {sorted(METHODS)}")
    return METHODS[method](reynolds, roughness)


@program(1.2e5, 1e-4)
def rough_pipe(reynolds, roughness):
    return friction_factor(reynolds, roughness) + friction_factor(reynolds, method="smooth")


def vapour_pressure(temperature, name):
    a, b, c = ANTOINE[name]
    if temperature < 200.0 or temperature > 600.0:
        raise ValueError(f"{temperature:g} is out of range")
    return math.exp(a - b / (temperature + c))


@program(350.0, compiled=True)
def relative_volatility(temperature):
    return vapour_pressure(temperature, "ethanol") / vapour_pressure(temperature, "water")


@program(0.4, 900.0, compiled=True)
def colebrook(relative, reynolds):
    """Iterate until the tolerance is met; give up after fifty steps."""
    x = 4.0
    for _ in range(50):
        previous, x = x, -2.0 * math.log10(relative / 3.7 + 2.51 * x / reynolds)
        if abs(x - previous) < 1e-13 * abs(x):
            break
    else:
        raise RuntimeError("no convergence")
    return 1.0 / x ** 2


@program(0.5)
def interval_of_table(x):
    """Bisect a table of knots, then evaluate the cubic of that interval."""
    knots, low, high = (0.0, 0.3, 0.6, 1.0), 0, 4
    while high - low > 1:
        middle = (low + high) >> 1
        if x < knots[middle]:
            high = middle
        else:
            low = middle
    table = [[1.0, 2.0, -1.0, 0.5], [0.5, 1.0, 2.0, -1.5], [2.0, 0.0, 1.0, 3.0]]
    value, dx = 0.0, x - knots[low]
    for coefficient in reversed(table[low]):
        value = value * dx + coefficient
    return value


class Region(IntEnum):
    LIQUID = 1
    STEAM = 2


def region_of(temperature, pressure):
    return Region.LIQUID if pressure > 100.0 * math.exp(0.01 * (temperature - 373.0)) else Region.STEAM


@program(450.0, 90.0)
def enthalpy(temperature, pressure):
    region = region_of(temperature, pressure)
    if region == Region.LIQUID:
        return 4.2 * temperature - 1e-3 * pressure ** 2
    if region == Region.STEAM:
        return 2.1 * temperature + 1900.0 + math.sqrt(pressure)
    raise ValueError("no such region")


@program(np.array([0.3, 0.7]), np.array([44.0, 18.0]), np.array([1.1, 0.9]))
def mixture(fractions, masses, viscosities):
    total, n = 0.0, len(fractions)
    roots = [math.sqrt(m) for m in masses]
    for i in range(n):
        denominator = 0.0
        for j in range(n):
            phi = (1.0 + (viscosities[i] / viscosities[j]) ** 0.5 * (masses[j] / masses[i]) ** 0.25) ** 2
            denominator += fractions[j] * phi
        total += fractions[i] * viscosities[i] * roots[i] / denominator
    return total / sum(x * r for x, r in zip(fractions, roots, strict=True))


def heat_transfer(reynolds, prandtl=None, length=1.0, **options):
    prandtl = 0.71 if prandtl is None else prandtl
    factor = options.get("factor", 1.0)
    nusselt = max(3.66, 0.023 * reynolds ** 0.8 * prandtl ** (1.0 / 3.0))
    return factor * nusselt / length


@program(900.0, 0.3)
def heat_transfer_of_air(reynolds, length):
    return heat_transfer(reynolds, None, length=length, factor=1.1)


# -- orbits, rotations, geodesy ------------------------------------------------------------------

@program(1.3, 0.4, compiled=True)
def kepler(mean, eccentricity):
    anomaly = mean if eccentricity < 0.8 else math.pi
    while True:
        step = (anomaly - eccentricity * math.sin(anomaly) - mean) / (1.0 - eccentricity * math.cos(anomaly))
        anomaly -= step
        if abs(step) < 1e-14:
            return anomaly


@program(0.7)
def stumpff(psi):
    if psi > 1.0:
        return (1.0 - math.cos(math.sqrt(psi))) / psi
    if psi < -1.0:
        return (math.cosh(math.sqrt(-psi)) - 1.0) / -psi
    value, term, k = 0.5, 0.5, 1
    while abs(term) > 1e-17:
        term *= -psi / ((2 * k + 1) * (2 * k + 2))
        value += term
        k += 1
    return value


@dataclass
class Ellipsoid:
    """A spheroid by its two axes."""

    semimajor: float
    semiminor: float
    flattening: float

    def __init__(self, semimajor, semiminor):
        self.semimajor, self.semiminor = semimajor, semiminor
        self.flattening = (semimajor - semiminor) / semimajor

    @classmethod
    def from_name(cls, name):
        axes = {"sphere": (1.0, 1.0), "flat": (1.0, 0.9)}
        if name not in axes:
            raise KeyError(name)
        return cls(*axes[name])

    @property
    def eccentricity2(self):
        return self.flattening * (2.0 - self.flattening)


@program(0.4, 1.1, 0.05, compiled=True)
def geodetic_to_cartesian(latitude, longitude, height, ellipsoid=None, degrees=False):
    ellipsoid = Ellipsoid.from_name("flat") if ellipsoid is None else ellipsoid
    if degrees:
        latitude, longitude = math.radians(latitude), math.radians(longitude)
    try:
        if abs(latitude) > math.pi / 2:
            raise ValueError("latitude")
    except ValueError as error:
        raise ValueError("the latitude is out of range") from error
    s, c = np.sin(latitude), np.cos(latitude)
    n = ellipsoid.semimajor / np.sqrt(1.0 - ellipsoid.eccentricity2 * s ** 2)
    return ((n + height) * c * np.cos(longitude), (n + height) * c * np.sin(longitude),
            (n * (1.0 - ellipsoid.eccentricity2) + height) * s)


def rotated(angle, vector, sequence):
    """Rotate about axes that a text names, each by a larger angle."""
    if not set(sequence) <= set("xyz"):
        raise ValueError("axes are x, y and z")
    matrix = np.identity(3)
    for k, axis in enumerate(sequence, start=1):
        c, s = math.cos(k * angle), math.sin(k * angle)
        one = {"x": [[1, 0, 0], [0, c, -s], [0, s, c]],
               "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
               "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]]}[axis]
        matrix = np.dot(matrix, np.array(one))
    return matrix @ np.asarray(vector, dtype=float)


@program(0.3, X)
def rotated_thrice(angle, vector):
    return rotated(angle, vector, "zxz")


@program(np.array([0.5, 0.1, -0.3, 0.8]))
def quaternion_to_matrix(q):
    q = np.copy(q)
    if q.shape[-1] != 4 or q.ndim not in (1, 2):
        raise ValueError("a quaternion has four components")
    q /= np.linalg.norm(q)
    w, x, y, z = q
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w)], [2 * (x * y + z * w), 1 - 2 * (x * x + z * z)]])


@program(0.4, compiled=True)
def wrapped_angle(angle):
    angle = np.asarray(7.0 * angle)
    if (angle > 100.0).any():
        raise ValueError("too large")
    turned = np.mod(angle + np.pi, 2 * np.pi) - np.pi
    return turned ** 2 if turned.shape == () else np.sum(turned)


# -- numbers and arrays alike ----------------------------------------------------------------------

@program(2.0)
def saturation(temperature):
    """Give a number for a number, an array for an array."""
    t = np.array(temperature, copy=True, ndmin=1)
    scalar = np.ndim(temperature) == 0
    with np.errstate(over="ignore"):
        pressure = 0.6108 * np.exp(17.27 * t / (t + 237.3))
    return pressure[0] if scalar else pressure


@program(T, 310.0)
def piecewise(temperature, threshold):
    result = np.empty_like(temperature)
    cold = temperature < threshold
    result[cold] = np.log(temperature[cold])
    result[~cold] = np.sqrt(temperature[~cold]) * threshold
    return result


@program(X, 1.5)
def angle_modifier(angles, index=1.526):
    if np.isclose(index, 1.0).any():
        return np.ones_like(angles)
    angles = np.where(np.abs(angles) < 1e-6, 1e-6, angles)
    inner = np.arcsin(np.sin(angles) / index)
    difference, total = inner - angles, inner + angles
    return 1.0 - 0.5 * (np.sin(difference) ** 2 / np.sin(total) ** 2 + np.tan(difference) ** 2 / np.tan(total) ** 2)


@program(X)
def weighted_moment(x, weights=None, axis=None):
    if weights is None:
        weights = np.ones((1,))
    try:
        weights = np.broadcast_to(weights, x.shape)
    except ValueError:
        raise ValueError("weights and data have inconsistent shapes") from None
    return np.sum(weights * np.cos(2.0 * x), axis) / np.sum(weights, axis)


# -- filters, prices, objectives -----------------------------------------------------------------

class Estimate(NamedTuple):
    mean: object
    covariance: object


@program(X[:2], np.array([[1.0, 0.2], [0.2, 0.5]]), 0.9, 0.3)
def kalman_step(mean, covariance, measured, noise):
    h = np.array([[1.0, 0.5]])
    prior = Estimate(mean, covariance)
    innovation = measured - np.dot(h, prior.mean)
    s = h @ prior.covariance @ h.T + noise
    gain = np.dot(np.dot(prior.covariance, h.T), np.linalg.inv(s))
    return prior._replace(mean=prior.mean + gain @ innovation,
                          covariance=(np.eye(2) - gain @ h) @ prior.covariance)


def option_price(spot, strike, years, rate, volatility, kind="call"):
    def normal(x):
        return 0.5 * math.erfc(-x / math.sqrt(2.0))
    d1 = (math.log(spot / strike) + (rate + 0.5 * volatility ** 2) * years) / (volatility * math.sqrt(years))
    d2 = d1 - volatility * math.sqrt(years)
    sign = {"call": 1.0, "put": -1.0}[kind.lower()]
    return sign * (spot * normal(sign * d1) - strike * math.exp(-rate * years) * normal(sign * d2))


@program(100.0, 95.0, 0.25, 0.01, 0.3, compiled=True)
def price_of_put(spot, strike, years, rate, volatility):
    return option_price(spot, strike, years, rate, volatility, "Put")


@program(X, 0.4, 0.3)
def garch_variance(returns, alpha, beta, *, start=None, bounds=(1e-6, 1e6)):
    variance = np.zeros(len(returns))
    first = np.mean(returns ** 2) if start is None else start
    for t in range(returns.shape[0]):
        variance[t] = 0.1 + alpha * (returns[t - 1] ** 2 if t > 0 else first)
        variance[t] += beta * (variance[t - 1] if t > 0 else first)
        if not bounds[0] < variance[t] < bounds[1]:
            variance[t] = bounds[1]
    return variance


@program(X, smooth=False)
def griewank_rosenbrock(x):
    x = np.array(x).ravel()
    shifted = np.roll(x, 1) if x.ndim == 1 and x.size > 1 else x
    value = 100.0 * (x ** 2 - shifted) ** 2 + (x - 1.0) ** 2
    return np.sum(value ** 2 / 4000.0 - np.cos(value) + 1.0)


@program(0.02, SPLIT)
def quadrature(scale, split):
    """Integrate by a fixed rule whose nodes stand in a table."""
    total = 0.0
    for node, weight in LAGUERRE:
        total += weight * math.exp(-scale * node) * (node if node * split > SPLIT else 1.0)
    return total


@program(np.array([[0.1, 0.2], [0.3, 0.9], [1.1, 0.4]]), 1.0)
def softened_energy(positions, mass):
    """Sum over pairs, in place, as n-body kernels do."""
    force = np.zeros_like(positions)
    for i in range(len(positions)):
        for j in range(i + 1, len(positions)):
            gap = positions[j] - positions[i]
            strength = mass / (np.dot(gap, gap) + 0.01) ** 1.5
            force[i] += strength * gap
            force[j] -= strength * gap
    return np.einsum("...i,...i", force, force), force


def checked_axes(axes):
    if not set(axes).issubset({"x", "y", "z"}) or len(set(axes) - set("x")) > 2:
        raise ValueError("axes are x, y and z")
    return len(frozenset(axes))


@program(1.5)
def sets_of_options(x):
    return x ** checked_axes(["x", "z", "x"]) * checked_axes("zxz")
