"""Derivatives go where SciPy takes them, without a lambda in between."""

import numpy as np
import pytest
from scipy import integrate, optimize

import srcdiff as sd


@sd.differentiate
def rosenbrock(x, a=1.0):
    s = 0.0
    for i in range(x.shape[0] - 1):
        s += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (a - x[i]) ** 2
    return s


@sd.differentiate
def residuals(x):
    return np.stack((10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]))


@sd.differentiate
def robertson(t, y):
    first = -0.04 * y[0] + 1e4 * y[1] * y[2]
    last = 3e7 * y[1] ** 2
    return np.stack((first, -first - last, last))


START = np.array([1.3, 0.7, 0.8, 1.9, 1.2])


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "CG", "TNC", "SLSQP", "trust-constr"])
def test_minimize_value_and_gradient(method):
    most = {"maxfun": 500} if method == "TNC" else {"maxiter": 500}
    found = optimize.minimize(rosenbrock.value_and_grad, START, jac=True, method=method, options=most)
    np.testing.assert_allclose(found.x, 1.0, atol=2e-3)


@pytest.mark.parametrize("method", ["Newton-CG", "trust-ncg", "trust-krylov", "trust-exact", "dogleg"])
def test_minimize_second_order(method):
    second = {"hess": rosenbrock.hessian}
    start = START
    if method in ("Newton-CG", "trust-ncg", "trust-krylov"):
        second = {"hessp": rosenbrock.hessp}
    if method == "dogleg":
        start = np.full(5, 1.01)            # it needs a positive definite Hessian all the way
    found = optimize.minimize(rosenbrock, start, args=(1.0,), jac=rosenbrock.grad, method=method, **second)
    np.testing.assert_allclose(found.x, 1.0, atol=1e-3)


def test_gradients_are_those_of_scipy():
    np.testing.assert_allclose(rosenbrock.grad(START), optimize.rosen_der(START))
    np.testing.assert_allclose(rosenbrock.hessian(START), optimize.rosen_hess(START))
    np.testing.assert_allclose(rosenbrock.hessp(START, START), optimize.rosen_hess_prod(START, START))


def test_nonlinear_constraint():
    @sd.differentiate
    def circle(x):
        return np.stack((x[0] ** 2 + x[1] ** 2, x[0] * x[1]))

    v = np.array([0.5, 2.0])
    np.testing.assert_allclose(circle.lagrangian_hess(np.ones(2), v), [[1.0, 2.0], [2.0, 1.0]])
    constraint = optimize.NonlinearConstraint(circle, -np.inf, [2.0, 1.0], jac=circle.jacobian,
                                              hess=circle.lagrangian_hess)
    found = optimize.minimize(rosenbrock.value_and_grad, np.array([0.5, 0.0]), jac=True, hess=rosenbrock.hessian,
                              method="trust-constr", constraints=[constraint], options={"maxiter": 500})
    np.testing.assert_allclose(found.x, 1.0, atol=2e-2)


def test_least_squares_and_root():
    found = optimize.least_squares(residuals, [2.0, 2.0], jac=residuals.jacobian)
    np.testing.assert_allclose(found.x, 1.0)
    found = optimize.root(residuals.value_and_jacobian, [2.0, 2.0], jac=True)
    np.testing.assert_allclose(found.x, 1.0)


def test_curve_fit():
    @sd.differentiate
    def decay(t, a, b):
        return a * np.exp(-b * t)

    t = np.linspace(0, 3, 30)
    jacobian = sd.jacobian(decay, argnums=(1, 2), stacked=True)
    found, _ = optimize.curve_fit(decay, t, decay(t, 2.0, 1.5), p0=(1.0, 1.0), jac=jacobian)
    np.testing.assert_allclose(found, [2.0, 1.5])


def test_root_scalar():
    @sd.differentiate
    def f(t):
        return np.cos(t) - t

    found = optimize.root_scalar(f.value_and_grad, x0=1.0, fprime=True, method="newton")
    np.testing.assert_allclose(np.cos(found.root), found.root)
    found = optimize.root_scalar(f.derivatives(2), x0=1.0, fprime=True, fprime2=True, method="halley")
    np.testing.assert_allclose(np.cos(found.root), found.root)


def test_solve_ivp():
    jacobian = sd.jacobian(robertson, argnums=1)
    np.testing.assert_allclose(jacobian(0.0, np.array([1.0, 0.0, 0.5])),
                               [[-0.04, 5e3, 0], [0.04, -5e3, 0], [0, 0, 0]])
    solution = integrate.solve_ivp(robertson, (0, 40.0), [1.0, 0.0, 0.0], method="BDF", jac=jacobian,
                                   rtol=1e-8, atol=1e-10)
    assert solution.success
    np.testing.assert_allclose(solution.y[:, -1], [0.7158271, 9.185535e-06, 0.2841637], rtol=1e-4)
