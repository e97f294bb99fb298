"""Arrays that loops hand on: taken to keep their shapes, checked, and code that stretches them where they do not."""

import numpy as np
import pytest

import srcdiff as sd
from srcdiff import compiler
from srcdiff.errors import ShapeError
from srcdiff.syntax import Raise, walk
from tests.oracle import assert_close, differences

RNG = np.random.default_rng(11)


def lorenz(y0, p):
    def slopes(y):
        return np.array([p[0] * (y[1] - y[0]), y[0] * (p[1] - y[2]) - y[1], y[0] * y[1] - p[2] * y[2]])
    y = y0.copy()
    for _ in range(4):
        k1 = slopes(y)
        k2 = slopes(y + 0.01 * k1)
        y = y + 0.005 * (k1 + k2)
    return np.sum(y ** 2)


def reweighted(X, y):
    beta = np.zeros(X.shape[1])
    for _ in range(2):
        eta = X @ beta
        mu = 1 / (1 + np.exp(-eta))
        w = mu * (1 - mu)
        beta = np.linalg.solve(X.T @ (w[:, None] * X), X.T @ (w * eta + y - mu))
    return np.sum(beta ** 2)


def cell(W, x):
    h = np.zeros(W.shape[0] // 2)
    n = len(h)
    c = np.zeros(n)
    for t in range(x.shape[0]):
        z = W @ np.concatenate((x[t], h))
        c = c / (1 + np.exp(-z[:n])) + np.tanh(z[n:2 * n])
        h = np.tanh(c)
    return np.sum(h)


def relaxed(A, b):
    x = np.zeros(len(b))
    change = 1.0
    while change > 1e-3:
        new = x + 0.2 * (b - A @ x)
        change = np.max(np.abs(new - x))
        x = new
    return np.sum(x * x)


def inner_loops(u, k):
    total = 0.0
    for i in range(3):
        v = u * (i + 1.0)
        for _ in range(2):
            v = np.sin(v) * k
        total += np.sum(v)
    return total


def exchanged(a, b):
    for _ in range(3):
        a, b = b * np.cos(a), a + 0.1 * b
    return np.sum(a) + np.sum(b * b)


CASES = {
    lorenz: (np.array([1.0, 2.0, 3.0]), np.array([10.0, 28.0, 8 / 3])),
    reweighted: (RNG.normal(size=(8, 2)), np.array([0.0, 1, 1, 0, 1, 0, 0, 1])),
    cell: (RNG.normal(size=(4, 5)), RNG.normal(size=(3, 3))),
    relaxed: (2 * np.eye(3) + 0.1, np.array([1.0, -0.5, 0.2])),
    inner_loops: (RNG.normal(size=4), RNG.normal(size=4)),
    exchanged: (RNG.normal(size=4), RNG.normal(size=4)),
}


def slope(function, args, directions):
    """Return the oracle's derivative of a function with one number along a direction."""
    ((value, error),) = differences(lambda *values: (function(*values),), args, directions)
    assert error < 1e-8 * max(1.0, abs(value))
    return value


def along(gradients, directions):
    return sum(np.vdot(g, d) for g, d in zip(gradients, directions, strict=True))


def interpreted(function, *args):
    """Run the module that is compiled without Numba."""
    text = function.source(*args).replace("from numba import njit", "raise ImportError")
    module: dict = {}
    exec(text, module)
    return text, module[module["__all__"][0]](*args)


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_arrays_that_keep_their_shapes_are_kept_as_rows(function):
    args = CASES[function]
    text, gradients = interpreted(sd.grad(function, argnums=(0, 1)), *args)
    directions = [RNG.normal(size=a.shape) for a in args]
    assert_close(along(gradients, directions), slope(function, args, directions))
    assert "SD0340" in text
    assert "np.int64" not in text                               # no extents on tapes
    assert function is relaxed or "tape_grow" not in text       # and no stacks, except for loops of unknown length


def growing(x):
    y = x.copy()
    for _ in range(3):
        y = np.append(y, y[-1] * x[0])
    return np.sum(y)


def shrinking(x):
    y = x.copy()
    for _ in range(2):
        y = y[1:] * x[0]
    return np.sum(y)


def masked(x):
    y = x.copy()
    for _ in range(2):
        y = np.sin(y[y > 0.1])
    return np.sum(y)


@pytest.mark.parametrize("function", [growing, shrinking, masked])
def test_arrays_that_change_their_shapes_are_let_be(function):
    x = np.array([0.5, 1.5, 0.7])
    _, gradient = interpreted(sd.grad(function), x)
    directions = (np.array([0.3, -1.0, 0.4]),)
    assert_close(along((gradient,), directions), slope(function, (x,), directions))
    with compiler.taking(True):
        program = sd.grad(function).program(x)
    assert not any("keep their shapes" in s.message for s in walk(program.body) if isinstance(s, Raise))


def stretched(y, k, n):
    for _ in range(n):
        y = y + 0.1 * k * y
    return np.sum(y * y)


K = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("y, n", [(np.array([1.5]), 2), (np.array([1.5, 2.0]), 0)], ids=["stretched", "no iteration"])
def test_other_shapes_are_right_too(y, n):
    gradients = sd.grad(stretched, argnums=(0, 1))(y, K, n)
    value, pullback = sd.vjp(stretched, y, K, n)
    directions = np.array([0.7]) * np.ones_like(y), np.array([0.2, -1.0, 0.4])
    want = slope(lambda y, k: stretched(y, k, n), (y, K), directions)
    for got in (gradients, pullback(1.0)[:2]):
        assert [g.shape for g in got] == [y.shape, K.shape]
        assert_close(along(got, directions), want)
    assert value == stretched(y, K, n)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError):
        sd.grad(stretched)(np.ones(2), K, 2)


def sensitivity(y):
    return np.sum(sd.grad(stretched)(y, K, 2))


@pytest.mark.parametrize("taken", [True, False])
def test_a_gradient_inside_a_function_is_made_like_that_function(taken):
    with compiler.taking(taken):
        program = sd.differentiate(sensitivity).program(np.array([1.5]))
    assert taken == any("keep their shapes" in s.message for s in walk(program.body) if isinstance(s, Raise))


@pytest.mark.parametrize("y", [np.array([1.5]), np.array([1.5, 2.0, 0.5])], ids=["stretched", "kept"])
def test_and_takes_other_shapes_too(y):
    growth = (1 + 0.1 * K)**4                       # the result is sum((y * (1 + 0.1 k)^2)^2)
    assert sd.differentiate(sensitivity)(y) == pytest.approx(np.sum(2 * y * growth), rel=1e-13)
    slopes = np.broadcast_to(2 * growth, (3,))
    assert_close(sd.grad(sensitivity)(y), np.array([slopes.sum()]) if len(y) == 1 else slopes)
    assert_close(sd.vmap(sensitivity)(np.stack([y, y])), np.full(2, np.sum(2 * y * growth)))
    assert_close(sd.vmap(sensitivity, parallel=True)(np.stack([y] * 3)), np.full(3, np.sum(2 * y * growth)))
