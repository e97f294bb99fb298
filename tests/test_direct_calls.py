"""Calls that go straight to machine code mean what calls by key mean."""

import cProfile
import sys
import threading

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.api.direct import MISSING, PLAIN
from srcdiff.errors import ArgumentError, ShapeError

X = np.linspace(0.5, 2.0, 5)


def weighted(x, w):
    return np.sum(w * np.sin(x))


@pytest.fixture(scope="module")
def gradient():
    derivative = sd.grad(weighted)
    derivative(X, X)
    return derivative


def test_the_second_call_goes_to_machine_code_by_its_types(gradient):
    assert gradient._direct.count == 2
    np.testing.assert_allclose(gradient._direct.call(X, X), X * np.cos(X), rtol=1e-14)
    assert gradient._direct.call(X, X.reshape(5, 1)) is MISSING
    np.testing.assert_allclose(gradient(X, X), X * np.cos(X), rtol=1e-14)


def read_only(x):
    x = x.copy()
    x.setflags(write=False)
    return x


@pytest.mark.parametrize("make", [
    lambda x: x.astype(">f8"), read_only, lambda x: np.repeat(x, 2)[::2], lambda x: list(x),
    lambda x: np.ndarray(x.shape, x.dtype, b"\0" + x.tobytes(), offset=1), lambda x: x.view(type("Sub", (np.ndarray,), {})),
], ids=["big-endian", "read-only", "strided", "list", "unaligned", "subclass"])
def test_other_arrays_take_the_way_by_key(gradient, make):
    assert gradient._direct.call(X, X) is not MISSING
    np.testing.assert_allclose(gradient(make(X), X), X * np.cos(X), rtol=1e-14)


def test_what_is_refused_by_key_is_refused_after_direct_calls(gradient):
    with pytest.raises(ArgumentError, match="arithmetic is not that of arrays"):
        gradient(np.ma.array(X, mask=X > 1), X)
    for count in (1, 3):
        with pytest.raises(ArgumentError, match="SD0309"):
            gradient(*[X] * count)


def test_errors_of_machine_code_are_ours(gradient):
    with pytest.raises(ShapeError, match="SD0342"):
        gradient(X, X[:3])


def stretched(x, w):
    return np.sum(w * np.sin(x))


def test_an_axis_of_length_one_after_direct_calls():
    derivative = sd.grad(stretched)
    derivative(X, X)
    assert derivative._direct.call(X, X) is not MISSING
    np.testing.assert_allclose(derivative(X, X[:1]), X[0] * np.cos(X), rtol=1e-14)
    np.testing.assert_allclose(derivative(X, X), X * np.cos(X), rtol=1e-14)
    np.testing.assert_allclose(derivative._direct.call(X, X[:1]), X[0] * np.cos(X), rtol=1e-14)


def with_number(x, a):
    return a * x


def test_numbers_of_numpy_and_python_stay_apart():
    derivative = sd.jacfwd(with_number)
    single = X.astype("float32")
    derivative(single, 2.0)
    assert derivative._direct.call(single, 2.0) is not MISSING
    assert derivative(single, 2.0).dtype == np.float32
    assert derivative(single, np.float64(2.0)).dtype == np.float64
    derivative(X, 2)
    assert derivative._direct.call(X, 2) is not MISSING
    assert derivative(X, True).dtype == derivative(X, np.int64(2)).dtype == np.float64
    with pytest.raises(OverflowError):
        derivative(X, 2**70)
    assert not PLAIN & {np.float64, np.int64, bool}


def product(a, b, c=1.0):
    return a * b[0] * c


def test_items_of_tuples_go_to_machine_code_too():
    derivative = sd.differentiate(product).pullback
    w = X + 1.0
    expected = derivative((X, w), w)
    assert derivative._direct.call(*derivative._direct.flat(((X, w), w))) is not MISSING
    for found, wanted in zip(derivative((X, w), w), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def of_pairs(a, b, c=0.0):
    first = a[0] if isinstance(a, tuple) else a
    return first + 10.0 * (a[1] if isinstance(a, tuple) and len(a) == 2 else b) + 100.0 * c


def test_tuples_of_other_lengths_stay_apart():
    function = sd.differentiate(of_pairs).jacfwd
    for _ in range(3):
        assert function((1.0, 2.0), 3.0) == (1.0, 10.0)
        assert function((1.0,), 2.0, 3.0) == (1.0,)
        assert function(1.0, 2.0, 3.0) == 1.0
        assert function([1.0, 2.0][0], 2.0) == 1.0


def test_results_have_the_types_that_calls_by_key_give():
    derivative = sd.differentiate(weighted).value_and_grad
    first, second = derivative(X, X), derivative(X, X)
    assert derivative._direct.form is not None
    assert [type(r) for r in first] == [type(r) for r in second] == [np.float64, np.ndarray]
    assert first[0] == second[0]


SCALE = 2.0


def scaled(x):
    return SCALE * np.sum(x ** 2)


def test_captured_values_are_read_at_every_call(monkeypatch):
    derivative = sd.grad(scaled)
    derivative(X)
    assert derivative._direct.count == -1
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    np.testing.assert_allclose(derivative(X), 6 * X)


def test_under_a_profiler_and_from_threads(gradient):
    found = []
    profile = cProfile.Profile()
    profile.runcall(lambda: found.append(gradient(X, X)))
    if hasattr(sys, "monitoring"):
        sys.monitoring.use_tool_id(3, "tests")
        sys.monitoring.set_events(3, sys.monitoring.events.PY_START)
        found.append(gradient(X, X))
        sys.monitoring.set_events(3, 0)
        sys.monitoring.free_tool_id(3)
    threads = [threading.Thread(target=lambda: found.extend(gradient(X, X) for _ in range(50))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) >= 201
    for result in found:
        np.testing.assert_allclose(result, X * np.cos(X), rtol=1e-14)
