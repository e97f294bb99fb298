"""Transforms inside a differentiated function, of functions that are defined there."""

import numpy as np
import pytest

import srcdiff as sd

X = np.array([0.5, 1.2, 2.0])
SCALE = np.array([1.0, -2.0, 0.5])


def gradient_of_a_lambda(x):
    a = x[0] * 2
    g = sd.grad(lambda u: np.sum(np.sin(u * x) * SCALE) * a)
    return np.sum(g(x**2))


def captured_names_mean_what_they_mean_at_the_call(x):
    k = 3

    def helper(z):
        return np.sum(z**k * x)

    def quadratic(u, s):
        return (helper(u) * s) ** 2 * x[1]

    second = sd.grad(sd.grad(lambda s: quadratic(x, s)))
    total = 0.0
    for i in range(3):
        k = i + 1
        total = total + second(x[i])
    return total


def pullbacks(x):
    y = x * 2
    out, pull = sd.vjp(lambda u, v: u * v * x, x, y)
    y[0] = 7.0                                  # the pullback keeps the point
    s = x[0]
    for _ in range(2):
        a, b = pull(out * s)
        s = s + np.sum(a * b) * 1e-3
    value, back = sd.vjp(np.sin, s)
    return s * value + back(x[1])[0] + y[0]


def a_function_that_is_made_later(x):
    def make(a):
        b = a * x[1]
        return lambda u: u * b + a

    g = sd.grad(lambda u: h(u) * h(x[2]))
    h = make(x[0])
    return g(x[1]) * x[0]


def many_kinds(x, flag):
    pair = (x[0], x * 3)
    y, dy = sd.jvp(lambda u: np.exp(u * pair[0]), (x,), (x * x,))
    h = sd.hessian(lambda u: np.sum(u**3 * pair[1]))(x)
    j = sd.jacobian(lambda u, v: u**2 * v * x, argnums=-1)(x, x)
    m = sd.vmap(sd.grad(lambda u: u**3 * x[0]))(x)
    p = sd.hvp(lambda u: np.sum(u**3 * x), (x,), (x,))
    v, g = sd.value_and_grad(lambda u: np.sum(u * x) if flag else u[0])(x)
    return np.sum(y * dy) + np.sum(h) + np.sum(j) + np.sum(m * p) + v + np.sum(g)


CASES = [(gradient_of_a_lambda, (X,)), (a_function_that_is_made_later, (X,)), (captured_names_mean_what_they_mean_at_the_call, (X,)), (pullbacks, (X,)),
         (many_kinds, (X, True)), (many_kinds, (X, False))]


@pytest.mark.parametrize("function, args", CASES)
def test_agrees_with_plain_python_and_differences(function, args):
    f = sd.differentiate(function, target="python")
    report = f.check(*args)
    assert report.value < 1e-14 and report.forward_reverse < 1e-13 and report.differences < 1e-9
    assert f.grad.check(*args).differences < 1e-8


def test_compiled():
    for function, args in CASES[:3]:
        f, g = (sd.differentiate(function, target=t) for t in ("numba", "python"))
        np.testing.assert_allclose(f.grad(*args), g.grad(*args), rtol=1e-12)


def test_closed_forms():
    f = sd.differentiate(gradient_of_a_lambda, target="python")
    assert f.value_and_grad(X)[0] == pytest.approx(np.sum(np.cos(X**3) * X * SCALE) * 2 * X[0], rel=1e-14)

    @sd.differentiate(target="python")
    def mixed(x, y):
        return sd.grad(lambda u: u**3 * y**2)(x)

    assert sd.grad(mixed, argnums=1)(2.0, 3.0) == pytest.approx(3 * 2.0**2 * 2 * 3.0)


def writes(x):
    store = np.zeros(3)

    def inner(u):
        store[0] = u
        return u * u

    return sd.grad(inner)(x) + store[0]


def with_star(x):
    return sd.grad(lambda *u: u[0] * x)(x)


def with_keyword(x):
    return sd.grad(lambda u: u * x)(u=x)


@pytest.mark.parametrize("function, text", [
    (writes, "writes an array that it captures"), (with_star, "keyword-only parameters"),
    (with_keyword, "keyword arguments"),
])
def test_refusals_name_the_line(function, text):
    with pytest.raises(sd.errors.UnsupportedError, match=text) as caught:
        sd.differentiate(function, target="python").grad(1.5)
    assert "test_local_functions.py" in str(caught.value)
