"""Optimisation problems of the literature: gradients and Hessians from a second source.

The second source is the function itself at complex arguments (f'(x) = Im f(x + ih) / h,
exact to rounding), and for the Hessian differences of that; closed forms by hand for
some; SciPy's own for its Rosenbrock function.
"""

import cmath
import functools
import math

import numpy as np
import pytest
from scipy import optimize

import srcdiff as sd
from tests import more_garbow
from tests.more_garbow import PROBLEMS, SCALARS
from tests.oracle import differences

python = functools.partial(sd.differentiate, target="python")


def objective_of(name):
    """Return (f, start): the sum of squares, where the problem gives residuals."""
    if name in SCALARS:
        return SCALARS[name]
    residuals, start = PROBLEMS[name]
    return (lambda x: np.sum(residuals(x) ** 2)), start


NAMES = [*SCALARS, *PROBLEMS]
# Not analytic, or written for real numbers alone: differences take the place of the complex step.
REAL = {"helical_valley", "gulf"}


class ComplexMath:
    """`math` for complex numbers."""

    pi = math.pi

    def __getattr__(self, name):
        return getattr(cmath, name)


class ComplexNumPy:
    """NumPy whose new arrays are complex."""

    def __getattr__(self, name):
        return getattr(np, name)

    empty = staticmethod(functools.partial(np.zeros, dtype=complex))
    zeros = staticmethod(functools.partial(np.zeros, dtype=complex))


def by_complex_step(name, x, monkeypatch):
    f, _ = objective_of(name)
    step = 1e-30
    with monkeypatch.context() as patch:
        patch.setattr(more_garbow, "math", ComplexMath())
        patch.setattr(more_garbow, "np", ComplexNumPy())
        return np.array([complex(f(x + 1j * step * e)).imag / step for e in np.eye(len(x))])


def by_differences(f, x):
    return np.array([differences(lambda x: f(x), (x,), (e,))[0][0] for e in np.eye(len(x))])


def test_there_are_twenty():
    assert len(NAMES) >= 20


@pytest.mark.parametrize("name", NAMES)
def test_gradient(name, monkeypatch):
    f, x = objective_of(name)
    gradient = sd.grad(python(f))(x)
    if name in REAL:
        expected = by_differences(f, x)
        np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())
        return
    expected = by_complex_step(name, x, monkeypatch)
    np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
def test_hessian(name, monkeypatch):
    f, x = objective_of(name)
    hessian = sd.hessian(python(f))(x)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-10, atol=1e-11 * np.abs(hessian).max())

    def of_gradient(x):
        return sd.grad(python(f))(x) if name in REAL else by_complex_step(name, x, monkeypatch)

    expected = np.array([differences(of_gradient, (x,), (e,))[0][0] for e in np.eye(len(x))])
    np.testing.assert_allclose(hessian, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("name", PROBLEMS)
def test_jacobians_of_both_modes(name):
    residuals, x = PROBLEMS[name]
    forward, reverse = (mode(python(residuals))(x) for mode in (sd.jacfwd, sd.jacrev))
    np.testing.assert_allclose(forward, reverse, rtol=1e-11, atol=1e-12 * np.abs(forward).max())
    by_columns = by_differences(residuals, x).T
    np.testing.assert_allclose(forward, by_columns, rtol=1e-8, atol=1e-8 * np.abs(forward).max())


# -- closed forms ------------------------------------------------------------------------------

def test_rosenbrock_by_hand():
    f, (a, b) = SCALARS["rosenbrock"]
    x = np.array([a, b])
    np.testing.assert_allclose(sd.grad(python(f))(x), [-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a)])
    np.testing.assert_allclose(sd.hessian(python(f))(x),
                               [[1200 * a * a - 400 * b + 2, -400 * a], [-400 * a, 200]])


def test_powell_singular_by_hand():
    f, x = SCALARS["powell_singular"]
    p, q = 12 * (x[1] - 2 * x[2]) ** 2, 120 * (x[0] - x[3]) ** 2
    expected = [[2 + q, 20, 0, -q], [20, 200 + p, -2 * p, 0], [0, -2 * p, 10 + 4 * p, -10], [-q, 0, -10, 10 + q]]
    np.testing.assert_allclose(sd.hessian(python(f))(x), expected)


def test_variably_dimensioned_by_hand():
    f, x = SCALARS["variably_dimensioned"]
    j = np.arange(1.0, len(x) + 1)
    s = j @ (x - 1)
    np.testing.assert_allclose(sd.grad(python(f))(x), 2 * (x - 1) + (2 * s + 4 * s**3) * j)
    np.testing.assert_allclose(sd.hessian(python(f))(x),
                               2 * np.eye(len(x)) + (2 + 12 * s * s) * np.outer(j, j))


def test_broyden_tridiagonal_by_hand():
    f, x = PROBLEMS["broyden_tridiagonal"]
    n = len(x)
    expected = np.diag(3 - 4 * x) - np.eye(n, k=-1) - 2 * np.eye(n, k=1)
    np.testing.assert_allclose(sd.jacobian(python(f))(x), expected)


# -- SciPy's Rosenbrock function -----------------------------------------------------------------

@pytest.mark.parametrize("n", [2, 3, 7])
def test_rosenbrock_of_scipy(n):
    x = np.random.default_rng(n).normal(size=n)
    v = np.random.default_rng(1).normal(size=n)
    rosen = python(optimize.rosen)
    np.testing.assert_allclose(rosen.grad(x), optimize.rosen_der(x), rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(rosen.hessian(x), optimize.rosen_hess(x), rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(rosen.hvp(x, v), optimize.rosen_hess_prod(x, v), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("mode", [sd.jacfwd, sd.jacrev])
def test_derivatives_of_scipys_derivatives(mode):
    x, v = np.random.default_rng(5).normal(size=(2, 6))
    hessian = optimize.rosen_hess(x)
    np.testing.assert_allclose(mode(python(optimize.rosen_der))(x), hessian, rtol=1e-12, atol=1e-11)
    third = mode(python(optimize.rosen_hess))(x)
    product = mode(python(optimize.rosen_hess_prod))(x, v)
    np.testing.assert_allclose(np.einsum("ijk,j->ik", third, v), product, rtol=1e-11, atol=1e-10)
    by_step = (optimize.rosen_hess(x + 1e-4 * v) - optimize.rosen_hess(x - 1e-4 * v)) / 2e-4
    np.testing.assert_allclose(third @ v, by_step, rtol=1e-6, atol=1e-6)


def test_compiled():
    x = np.random.default_rng(3).normal(size=8)
    np.testing.assert_allclose(sd.hessian(optimize.rosen)(x), optimize.rosen_hess(x), rtol=1e-12, atol=1e-11)


def test_whether_an_argument_is_writeable_is_not_known():
    def f(x):
        return x * 2.0 if x.flags.writeable else x

    with pytest.raises(sd.errors.UnsupportedError, match="`flags`"):
        sd.jacobian(python(f))(np.ones(2))
