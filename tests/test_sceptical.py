"""What a sceptical user tries: edges of domains in every target, odd arguments, globals that vanish."""

import math

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.errors import ArgumentError, UnsupportedError
from tests.oracle import differences

X = np.array([0.3, 1.2, -0.7])
POSITION = 2.0


# -- arithmetic at the edges: the derivative raises nothing that the function does not --------------------

def angle(x, y):
    return np.arctan2(x, y)


def falling(x):
    return x ** 1.5 - 2.0 * x ** -0.5


def in_place(x):
    s = 1.0
    for i in range(2):
        s /= x[i]
    return s


EDGES = {
    "0 / 0 of a slope": (angle, (0.0, 0.0), math.nan),
    "a power of 0": (falling, (0.0,), math.inf),
    "a logarithm at 0": (lambda x: np.log(x), (0.0,), math.inf),
    "a root of a negative number": (lambda x: x ** 0.5, (-1.0,), math.nan),
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("transform", [sd.jacfwd, sd.jacrev])
def test_slopes_at_edges_follow_ieee(name, transform):
    f, args, expected = EDGES[name]
    np.testing.assert_equal(float(transform(sd.differentiate(f, target="python"))(*args)), expected)


def test_division_in_place_by_zero():
    g = sd.differentiate(in_place, target="python")
    np.testing.assert_equal(sd.jacrev(g)(np.array([1.0, 0.0])), [-np.inf, -np.inf])
    with pytest.raises(ZeroDivisionError):
        g([1.0, 0.0])                           # the function itself is Python's


def test_integers_divide_as_in_python():
    with pytest.raises(ZeroDivisionError):
        sd.grad(sd.differentiate(lambda x, n: x * (3 % n), target="python"))(1.0, 0)


# -- lengths of 0 have slope 0, in both modes ---------------------------------------------------------------

def added_up(x):
    s = 0.0
    for v in x:
        s += v**2
    return math.sqrt(s)


LENGTHS = {
    "norm": (lambda x: np.linalg.norm(x), np.zeros(3)), "norm of a matrix": (lambda x: np.linalg.norm(x), np.zeros((2, 2))),
    "norms of rows": (lambda x: np.linalg.norm(x, axis=1), np.zeros((2, 2))),
    "std": (lambda x: np.std(x), np.ones(3)), "std of columns": (lambda x: x.std(axis=0), np.ones((3, 2))),
    "nanstd": (lambda x: np.nanstd(x), np.ones(3)), "dist": (lambda x: math.dist(x, np.ones(3)), np.ones(3)),
    "written out": (lambda x: np.sqrt(np.sum(x * x)), np.zeros(2)), "a power": (lambda x: np.sum(x**2) ** 0.5, np.zeros(2)),
    "by products": (lambda x: math.sqrt(x @ x), np.zeros(2)), "a mean": (lambda x: np.sqrt(np.mean((x - x.mean()) ** 2)), np.ones(3)),
    "a loop": (added_up, np.zeros(2)), "pairs": (lambda x: np.sqrt((x[:, None] - x) ** 2)[0, 0], np.array([1.0, 3.0])),
    "weights": (lambda x: np.sqrt(np.sum(x * x, axis=0) / x.shape[0] + 3.0 * np.square(x[1])), np.zeros((2, 2))),
}


def distances(x):
    """Pairs, each point with itself too."""
    s = 0.0
    for i in range(len(x)):
        for j in range(len(x)):
            s += math.sqrt((x[i] - x[j]) ** 2)
    return s


@pytest.mark.parametrize("name", LENGTHS)
@pytest.mark.parametrize("transform", [sd.jacfwd, sd.jacrev])
def test_lengths_of_zero_have_slope_zero(name, transform):
    f, x = LENGTHS[name]
    assert not transform(sd.differentiate(f, target="python"))(x).any()


def test_lengths_of_zero_compiled():
    f = sd.differentiate(lambda x: np.linalg.norm(x, axis=1))
    slopes = np.array([[[0.0, 0], [0, 0]], [[0, 0], [0.6, 0.8]]])
    for transform in (sd.jacfwd, sd.jacrev):
        np.testing.assert_allclose(transform(f)(np.array([[0.0, 0.0], [3.0, 4.0]])), slopes, rtol=1e-15)


def test_distances_of_points_from_themselves():
    g, x = sd.differentiate(distances, target="python"), np.array([1.0, 3.0])
    for transform in (sd.jacfwd, sd.jacrev):
        np.testing.assert_array_equal(transform(g)(x), [-2.0, 2.0])
    np.testing.assert_array_equal(g.hessian(x), np.zeros((2, 2)))


@pytest.mark.parametrize("f, slope", [
    (lambda x: np.sqrt(np.sum(x)), [np.inf, np.inf]), (lambda x: np.sqrt(x[0] ** 2 * x[1]), [np.nan, np.nan]),
    (lambda x: np.sqrt(abs(x[0])), [np.nan, 0.0]), (lambda x: np.sqrt(x[0] ** 2 + x[1]), [np.nan, np.inf]),
], ids=["sum", "product", "modulus", "one square"])
def test_what_is_no_sum_of_squares_keeps_its_infinite_slope(f, slope):
    np.testing.assert_array_equal(sd.differentiate(f, target="python").grad(np.zeros(2)), slope)


def test_what_is_not_a_number_has_no_slope():
    assert np.isnan(sd.differentiate(lambda x: np.sqrt(np.sum(x * x)), target="python").grad(np.full(2, np.nan))).all()


@pytest.mark.parametrize("f", [
    lambda x, n=0.0: math.sqrt(n * x) + x, lambda x: sum(math.sqrt(k * x) for k in (0.0, 1.0)) + x * 0.5,
    lambda x: np.sqrt(x - x) + x, lambda x: abs(0.0 * x) ** 0.3 + x, lambda x: np.sum(np.sqrt(np.array([0.0 * x, x]))) + 0.5 * x,
], ids=["default", "unrolled", "difference", "power", "element"])
def test_what_surely_stays_zero_has_no_slope(f):
    g = sd.differentiate(f, target="python")
    assert g.grad(1.0) == sd.jacfwd(g)(1.0) == 1.0


def test_a_zero_that_only_run_time_knows_meets_an_infinite_slope():
    """As docs/sharp-bits.md says: forward mode multiplies the differential by 0 first, reverse mode infinity."""
    def f(x):
        return np.sum(np.sqrt(np.arange(3.0) * x))
    g, slope = sd.differentiate(f, target="python"), (1 + math.sqrt(2.0)) / 2
    assert sd.jacfwd(g)(1.0) == pytest.approx(slope, rel=1e-15)
    assert np.isnan(g.grad(1.0))
    assert sd.differentiate(lambda x: np.sum(np.sqrt(np.arange(1.0, 3.0) * x)), target="python").grad(1.0) == pytest.approx(slope)


# -- printing -------------------------------------------------------------------------------------------------

def test_an_element_of_a_call_is_no_element_of_an_array():
    def f(a):
        return np.linalg.slogdet(a)[1] + np.linalg.slogdet(-a)[0]
    a = np.array([[2.0, 0.3], [-0.4, 1.5]])
    slope = sd.vmap(sd.jacrev(sd.differentiate(f, target="python")))(np.stack([a, a.T]))
    np.testing.assert_allclose(slope, np.stack([np.linalg.inv(a).T, np.linalg.inv(a)]), rtol=1e-12)


# -- del changes lists and dicts ------------------------------------------------------------------------------

def without_first(x):
    items = [x, x * x, 3.0, 2 * x]
    same = items
    del items[1:3], same[0]
    return items[0] * len(same)


def without_key(x):
    d = {"a": x, "b": x * x}
    del d["a"]
    return sum(d.values())


def window(x):
    items = []
    for i in range(5):
        items.append(x * i)
        if len(items) > 2:
            del items[0]
    return items[0] * items[1]


def last_of_many(x):
    items = [x * i for i in range(5)]
    if x > 1:
        del items[-1]
    return items[-1]


@pytest.mark.parametrize("f", [without_first, without_key, window, last_of_many])
def test_del_of_items(f):
    g = sd.differentiate(f, target="python")
    (expected, _), = differences(f, (1.5,), (1.0,))
    value, slope = sd.jvp(g, (1.5,), (1.0,))
    assert value == f(1.5)
    np.testing.assert_allclose([slope, sd.grad(g)(1.5)], expected, rtol=1e-9)


def beyond(x):
    items = [x, x * x]
    del items[5]
    return items[0]


def of_an_array(x):
    y = np.array([x, 1.0])
    del y[0]
    return y


def no_key(x):
    d = {"a": x}
    del d["b"]
    return x


@pytest.mark.parametrize("f, code", [(beyond, "SD0210"), (of_an_array, "SD0268"), (no_key, "SD0210")])
def test_del_that_python_refuses(f, code):
    with pytest.raises(UnsupportedError, match=code):
        sd.grad(sd.differentiate(f, target="python"))(1.5)


# -- arguments and globals ------------------------------------------------------------------------------------

def placed(x):
    return x * POSITION


def test_a_global_that_vanishes(monkeypatch):
    g = sd.grad(sd.differentiate(placed, target="python"))
    assert g(1.0) == 2.0
    monkeypatch.delitem(globals(), "POSITION")
    with pytest.raises(NameError, match="POSITION"):
        g(1.0)
    monkeypatch.undo()
    assert g(1.0) == 2.0


def test_writable_memory_is_no_argument():
    with pytest.raises(ArgumentError, match="SD0301"):
        sd.grad(sd.differentiate(lambda x: x[0], target="python"))(memoryview(X.copy()))


def test_a_type_as_argument():
    f = sd.differentiate(lambda x, dtype: np.sum(np.asarray(x, dtype=dtype) ** 2), target="python")
    np.testing.assert_allclose(sd.grad(f)(X, np.float64), 2 * X)


def test_positions_that_numpy_counted():
    f = sd.differentiate(lambda x, y: x * y, target="python")
    assert sd.grad(f, argnums=np.int64(1))(2.0, 3.0) == 2.0
    assert sd.grad(f, argnums=(np.int32(-1), 0))(2.0, 3.0) == (2.0, 3.0)


# -- stores through several index arrays: the last write wins ---------------------------------------------

def triangle(x):
    L = np.zeros((3, 3))
    L[np.tril_indices(3)] = x
    L[np.diag_indices(3)] = np.exp(np.diag(L))
    return L @ L.T


def repeated(a):
    b = a.copy()
    b[[0, 1, 0], [1, 2, 1]] = a[2, :3] ** 2
    b[[1, 1], [2, 2]] *= 3
    b[[0, 0], [0, 1]] = 0.0
    return b * b


def spread(a):
    b = a.copy()
    b[[0, 2, 0], [3, 1, 3]] = a[1, 1] ** 2      # one number, written three times
    b[np.array([[0, 1], [1, 2]])] = b[:2] ** 2
    return b


def in_a_loop(a):
    b, s = a.copy(), 0.0
    for k in range(3):
        b[[k, 0], [0, k]] = b[k, 1:3] * a[0, 0]
        s = s + b[0, 0] * b[k, k]
    return s


def between_slices(a):
    b = np.stack([a, a * a])
    b[[0, 1, 1], :, [2, 0, 0]] = b[0] * 2
    return b


def mirrored(a):
    i, j = np.triu_indices(3, 1)
    b = a * a
    b[j, i] = b[i, j]
    return b


M = np.arange(12.0).reshape(3, 4) / 7 - 0.6
STORES = {"triangle": (triangle, np.arange(1.0, 7.0)), "repeated": (repeated, M), "spread": (spread, M),
          "in a loop": (in_a_loop, M), "mirrored": (mirrored, M),
          "between slices": (between_slices, np.sin(np.arange(9.0)).reshape(3, 3))}


@pytest.mark.parametrize("name", STORES)
def test_stores_through_several_index_arrays(name):
    f, x = STORES[name]
    g, direction = sd.differentiate(f, target="python"), np.cos(np.arange(x.size)).reshape(x.shape)
    np.testing.assert_allclose(g(x), f(x))
    (expected, error), = differences(f, (x,), (direction,))
    assert np.max(error) < 1e-7
    for transform in (sd.jacfwd, sd.jacrev):
        found = np.tensordot(transform(g)(x), direction, x.ndim)
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(sd.jacrev(sd.jacrev(g))(x), sd.jacfwd(sd.jacfwd(g))(x), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(sd.vmap(sd.jacrev(g))(np.stack([x, 2 * x]))[1], sd.jacfwd(g)(2 * x), rtol=1e-10, atol=1e-12)


def test_stores_through_several_index_arrays_compiled():
    x = np.arange(1.0, 7.0)
    np.testing.assert_allclose(sd.jacrev(triangle)(x), sd.jacfwd(sd.differentiate(triangle, target="python"))(x), rtol=1e-12)
