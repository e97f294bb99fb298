"""`vjp` in two halves: the forward sweep runs once, the pullback reads what it has kept, as often as it is called."""

import pickle

import numpy as np
import pytest

import srcdiff as sd

X = np.linspace(0.2, 1.4, 5)
SCALE = 2.0


def waves(x, n):
    y = x.copy()
    for _ in range(n):
        y = np.sin(y) * x[0]
    return y


def several(x, y):
    z = np.exp(x)
    return z, y, z * y


def scaled(x):
    return np.sin(SCALE * x)


def joint(function, args, cotangent):
    """The pullback of one call, which runs both sweeps."""
    return sd.functional.vjp(function, args, cotangent)[1]


@pytest.mark.parametrize("target", ["python", "numba"])
def test_the_pullback_runs_the_reverse_sweep_alone(target):
    f = sd.differentiate(waves, target=target)
    out, pullback = sd.vjp(f, X, 20)
    np.testing.assert_array_equal(out, waves(X, 20))
    source = pullback.source(X)
    assert source.count("for ") - source.count("# line") < 5 and "math.sin(" not in source
    expected = f.jacrev(X, 20)
    for w in (X, np.cos(X), np.ones(5)):
        for _ in range(2):
            np.testing.assert_allclose(pullback(w)[0], w @ expected, rtol=1e-13)
            assert pullback(w)[1] is None
    np.testing.assert_allclose(sd.vmap(pullback)(np.eye(5))[0], expected, rtol=1e-13)


@pytest.mark.parametrize("target", ["python", "numba"])
def test_nothing_that_the_caller_changes_is_seen(target):
    x, y = X.copy(), X + 1.0
    out, pullback = sd.vjp(sd.differentiate(several, target=target), x, y)
    ones = (np.ones(5),) * 3
    first = pullback(ones)
    for array in (*out, x, y, *(a.copy() for a in first)):
        array[:] = 99.0
    np.testing.assert_allclose(pullback(ones)[0], np.exp(X) * (X + 2.0))
    np.testing.assert_allclose(pullback(ones)[1], 1.0 + np.exp(X))


def test_an_output_may_be_left_out():
    _, pullback = sd.vjp(sd.differentiate(several, target="python"), X, X + 1.0)
    np.testing.assert_allclose(pullback((None, None, np.ones(5)))[0], np.exp(X) * (X + 1.0))
    np.testing.assert_allclose(pullback((np.ones(5), None, None))[0], np.exp(X))
    np.testing.assert_allclose(pullback((np.ones(5),) * 3)[1], 1.0 + np.exp(X))


def test_captured_values_are_those_of_the_forward_sweep(monkeypatch):
    _, pullback = sd.vjp(sd.differentiate(scaled, target="python"), X)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    np.testing.assert_allclose(pullback(np.ones(5))[0], 2.0 * np.cos(2.0 * X))
    _, pullback = sd.vjp(sd.differentiate(scaled, target="python"), X)
    np.testing.assert_allclose(pullback(np.ones(5))[0], 3.0 * np.cos(3.0 * X))


def test_pullbacks_pickle_with_what_they_keep():
    _, pullback = sd.vjp(sd.differentiate(waves, target="python"), X, 7)
    again = pickle.loads(pickle.dumps(pullback))
    np.testing.assert_array_equal(again(X)[0], pullback(X)[0])


def test_has_aux_and_flags():
    def f(x):
        big = np.sum(x) > 3.0
        y = np.sin(x) if big else x * x
        return y, {"big": big, "sum": np.sum(x)}

    out, pullback, aux = sd.vjp(sd.differentiate(f, target="python"), X, has_aux=True)
    np.testing.assert_allclose(out, np.sin(X))
    assert aux["sum"] == np.sum(X)
    np.testing.assert_allclose(pullback(X)[0], X * np.cos(X))


def test_composed():
    f = sd.differentiate(lambda x: np.sum(np.sin(x) * x), target="python")
    _, pullback = sd.vjp(sd.grad(f), X)
    np.testing.assert_allclose(pullback(X)[0], f.hvp(X, X), rtol=1e-12)
    np.testing.assert_allclose(sd.jacrev(pullback)(X)[0], f.hessian(X), rtol=1e-12)


def test_what_is_wrong_is_said_as_before():
    f = sd.differentiate(waves, target="python")
    _, pullback = sd.vjp(f, X, 3)
    with pytest.raises(sd.errors.ShapeError, match="SD0310"):
        pullback(np.ones(4))
    with pytest.raises(sd.errors.ArgumentError, match="SD0311"):
        pullback((X, X))


def test_with_a_budget_the_forward_sweep_is_run_again():
    _, pullback = sd.vjp(sd.differentiate(waves, target="python"), X, 50, memory=500)
    assert "next_checkpoint(" in pullback.source(X)
    np.testing.assert_allclose(pullback(X)[0], X @ sd.jacrev(waves)(X, 50), rtol=1e-12)


@pytest.mark.parametrize("function, args, cotangent", [(waves, (X, 4), X), (several, (X, X), (X, X + 1, X - 1))])
def test_halves_give_what_the_whole_gives(function, args, cotangent):
    def of_floats(*floats):
        return function(*floats, *args[len(floats):])

    floats = tuple(a for a in args if isinstance(a, np.ndarray))
    _, pullback = sd.vjp(of_floats, *floats)
    for got, expected in zip(pullback(cotangent), joint(of_floats, floats, cotangent), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-13)


def flux(field, out):
    n = out.shape[0]
    steps = field[1:n + 2] - field[:n + 1]
    limited = np.where(steps > 0.5, 0.0, steps * steps)
    out[:] = field[1:n + 1] - (limited[1:] - limited[:-1])


def test_extents_follow_from_the_arguments():
    """What the reverse sweep needs of arrays that are gone is their values, not how long they were."""
    field, out = np.sin(np.arange(9.0)), np.zeros(6)
    f = sd.differentiate(flux, target="python")
    _, pullback = sd.vjp(f, field, out)
    assert all(isinstance(value, np.ndarray) for value in pullback.held[0])
    np.testing.assert_allclose(pullback(X[0] + out)[0], joint(f, (field, out), X[0] + out)[0], rtol=1e-13)
    step, w = 1e-6, np.cos(np.arange(6.0))

    def value(x):
        y = out.copy()
        flux(x, y)
        return w @ y

    slopes = [(value(field + e) - value(field - e)) / (2 * step) for e in step * np.eye(9)]
    np.testing.assert_allclose(pullback(w)[0], slopes, atol=1e-8)
