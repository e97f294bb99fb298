"""Derivatives inside compiled user code, and the compiled entry itself."""

import numba
import numpy as np
import pytest

import srcdiff as sd

X = np.array([1.0, 2.0, 3.0])


@sd.differentiate
def f(x, c=2.0):
    s = 0.0
    for i in range(x.shape[0]):
        s += c * np.sin(x[i]) * x[i]
    return s


slope = f.grad
EXPECTED = np.sin(X) + X * np.cos(X)


def test_globals_and_defaults():
    @numba.njit
    def use(x):
        return f(x), slope(x), slope(x, 1.0)

    value, gradient, scaled = use(X)
    assert value == pytest.approx(2 * np.sum(np.sin(X) * X))
    np.testing.assert_allclose(gradient, 2 * EXPECTED)
    np.testing.assert_allclose(scaled, EXPECTED)


def test_attributes_and_layouts():
    @numba.njit
    def use(x):
        return f.grad(x, 1.0), f.hvp(x, x), f.value_and_grad(x[::2]), f.pullback((x, 1.0), 2.0)

    gradient, product, (value, every_other), (twice, _) = use(X)
    np.testing.assert_allclose(twice, 2 * gradient)
    np.testing.assert_allclose(gradient, EXPECTED)
    np.testing.assert_allclose(product, f.hvp(X, X))
    np.testing.assert_allclose(every_other, 2 * EXPECTED[::2])
    assert value == f(X[::2])


def test_arguments_of_compiled_functions():
    @numba.njit
    def descend(gradient, x, steps):
        for _ in range(steps):
            x = x - 0.1 * gradient(x)
        return x

    expected = X.copy()
    for _ in range(3):
        expected = expected - 0.1 * f.grad(expected)
    np.testing.assert_allclose(descend(f.grad, X, 3), expected)
    square = sd.differentiate(lambda x: np.sum(x * x))
    np.testing.assert_allclose(descend(square.grad, X, 1), 0.8 * X)


def test_parallel_loops():
    @numba.njit(parallel=True)
    def rows(xs):
        out = np.empty_like(xs)
        for i in numba.prange(xs.shape[0]):
            out[i] = slope(xs[i])
        return out

    xs = np.stack([X, 2 * X, 3 * X])
    np.testing.assert_allclose(rows(xs), np.stack([f.grad(x) for x in xs]))


def test_scalars_tuples_and_flags():
    @sd.differentiate
    def model(p, mode=None):
        return p[0] * p[1] if mode is None else p[0]

    gradient = model.grad

    @numba.njit
    def use(a, b):
        return gradient((a, b)), gradient((a, b), "first")

    assert use(2.0, 3.0) == ((3.0, 2.0), (1.0, 0.0))


def test_captured_values_are_frozen_as_numba_freezes_globals():
    k = np.array([2.0, 3.0, 4.0])
    weighted = sd.grad(sd.differentiate(lambda x: np.sum(k * x)))

    @numba.njit
    def use(x):
        return weighted(x)

    np.testing.assert_allclose(use(X), k)


def test_an_error_of_ours_shows_through():
    vector = sd.grad(sd.differentiate(lambda x: 2 * x))

    @numba.njit
    def use(x):
        return vector(x)

    with pytest.raises(numba.TypingError, match="grad needs a function that returns one number"):
        use(X)


def test_a_compiled_user_function_can_be_differentiated():
    @numba.njit
    def helper(x):
        return x * x

    @numba.njit
    def outer(x):
        return helper(x) + 1.0

    assert sd.grad(outer)(3.0) == 6.0


def test_in_place_functions_run_compiled_and_exactly():
    @sd.differentiate
    def smooth(y, c):
        for i in range(1, y.shape[0]):
            y[i] += c * y[i - 1]

    @sd.differentiate
    def overlapping(y):
        y[1:] += y[:-1]

    y, expected = X.copy(), X.copy()
    smooth(y, 0.5)
    for i in range(1, 3):
        expected[i] += 0.5 * expected[i - 1]
    np.testing.assert_array_equal(y, expected)
    y = X.copy()
    overlapping(y)
    np.testing.assert_array_equal(y, [1.0, 3.0, 5.0])       # NumPy's answer; Numba's own is another
    np.testing.assert_array_equal(overlapping.jacfwd(X), [[1, 0, 0], [1, 1, 0], [0, 1, 1]])


def test_what_cannot_be_translated_still_runs():
    @sd.differentiate
    def odd(x):
        return sum(sorted({x, 2 * x}))

    with pytest.warns(RuntimeWarning, match="odd runs uncompiled"):
        assert odd(1.0) == 3.0


def test_pullbacks_and_batches_compiled():
    def predict(w, x):
        return np.tanh(w @ x)

    w = np.arange(12.0).reshape(4, 3) / 10
    out, pullback = sd.vjp(predict, w, X)
    rows = sd.vmap(pullback)(np.eye(4))
    np.testing.assert_allclose(rows[1], (1 - out**2)[:, None] * w)
    np.testing.assert_allclose(sd.jacrev(predict, argnums=1, chunk_size=3)(w, X), rows[1], rtol=1e-12)
    batch = sd.vmap(sd.jacfwd(predict, argnums=1), in_dims=(None, 0))(w, np.stack([X, X]))
    np.testing.assert_allclose(batch[1], rows[1])


def test_c_functions():
    from scipy import LowLevelCallable, integrate

    g = sd.differentiate(lambda t: np.sin(t) * t)
    pointer = g.grad.cfunc("float64(float64)")
    assert pointer.ctypes(0.5) == pytest.approx(np.sin(0.5) + 0.5 * np.cos(0.5))
    area, _ = integrate.quad(LowLevelCallable(pointer.ctypes), 0.0, 1.0)
    assert area == pytest.approx(np.sin(1.0))
