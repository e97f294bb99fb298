"""``out=``: results in the caller's memory, copied there or computed there."""

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.api.into import COPIED, LARGE
from srcdiff.backend.into import into

N = LARGE // 8
X = np.linspace(0.1, 1.0, N)


@sd.differentiate
def energy(x, scale=1.0):
    total = 0.0
    for i in range(len(x) - 1):
        total += scale * x[i] * x[i + 1] ** 2
    return total


@sd.differentiate
def chosen(x, places):
    return np.sum(x[places] ** 3)


def settled(function, *args):
    """Return the function's results in memory of its own, after the calls that copy."""
    wanted = function(*args)
    for _ in range(COPIED + 1):
        out = np.full(wanted.shape, np.nan, wanted.dtype)
        assert function(*args, out=out) is out
        np.testing.assert_array_equal(out, wanted)
    return wanted


def test_a_large_result_is_computed_where_it_goes():
    wanted = settled(energy.grad, X)
    assert energy.grad.version((X,)).run is not None
    for unfit in (np.empty((2, N))[:, ::2].reshape(-1)[:N], np.empty(2 * N)[::2]):
        np.testing.assert_array_equal(energy.grad(X, out=unfit), wanted)
    with pytest.raises(sd.errors.ShapeError, match="out has shape"):
        energy.grad(X, out=np.empty(N - 1))
    with pytest.raises(sd.errors.ArgumentError, match="dtype float64"):
        energy.grad(X, out=np.empty(N, np.float32))
    frozen = np.empty(N)
    frozen.flags.writeable = False
    with pytest.raises(sd.errors.ArgumentError, match="read-only"):
        energy.grad(X, out=frozen)


def test_sums_into_the_result_start_at_zero():
    places = np.arange(0, N, 3)
    settled(chosen.grad, X, places)
    with pytest.raises(IndexError):
        chosen.grad(X, np.array([N]), out=np.empty(N))


def test_the_memory_of_an_argument_is_copied_to():
    wanted = settled(energy.grad, X)
    x = X.copy()
    assert energy.grad(x, out=x) is x
    np.testing.assert_array_equal(x, wanted)
    weights = X.copy()
    slope = sd.grad(lambda x: np.sum(weights * x * np.roll(x, 1)))
    wanted = settled(slope, X)
    np.testing.assert_array_equal(slope(X, out=weights), wanted)


def test_small_results_and_numbers_are_copied():
    small = X[:5].copy()
    settled(energy.grad, small)
    fresh = sd.grad(lambda x: np.sum(x * x))
    settled(fresh, small)
    assert fresh.version((small,)).run is None
    with pytest.raises(sd.errors.ArgumentError, match="one array"):
        energy(X, out=np.empty(()))


def test_functions_that_write_their_arguments_run_once():
    @sd.differentiate
    def counted(x):
        x[0] += 1.0
        return x * 2.0

    x, out = X.copy(), np.empty(N)
    for i in range(COPIED + 2):
        counted(x, out=out)
        assert x[0] == X[0] + i + 1
    assert getattr(counted.version((x,)), "run", None) is None


@pytest.mark.parametrize("body", [
    "    y = np.empty(3)\n    if x[0] > 0.0:\n        y = np.empty(2)\n    return y\n",
    "    if x[0] > 0.0:\n        y = np.empty(3)\n    return y\n",
    "    y = x.copy()\n    return y\n",
    "    y = np.empty(3)\n    return y, y\n",
    "    return np.empty(3)\n"])
def test_results_that_are_not_made_once_have_no_version(body):
    assert into(f"def f(x):\n{body}", "f") is None


def test_the_name_of_the_memory_is_no_other():
    text = into("def f(α, out):\n    y = np.zeros((2,\n                  3), dtype=np.float32)\n    return y\n", "f")
    assert text == "def f(α, out, out_2):\n    y = np.zeros((2,\n                  3), dtype=np.float32, out=out_2)\n    return y\n"
