"""The rows of the gauntlet that depend on calls: aliases, layouts, captured values, recursion, threads.

The others are programs of the corpus (`tests/programs/gauntlet.py`).
"""

import functools
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.errors import ArgumentError, UnsupportedError
from tests.oracle import differences

X = np.array([0.5, -1.25, 2.0, 0.75])
python = functools.partial(sd.differentiate, target="python")
compiled = functools.partial(sd.differentiate, target="numba")


def agrees(function, *args, rtol=1e-7):
    """Check forward, reverse and Hessian with respect to the first argument of a scalar function."""
    x, rest = np.array(args[0], dtype=float), args[1:]
    rng = np.random.default_rng(1)
    v = rng.normal(size=x.shape)
    base = getattr(function, "python", function)
    (slope, _), = differences(lambda a: base(_like(a, args[0]), *rest), (x,), (v,))
    tangent = function.jvp((args[0], *rest), (_like(v, args[0]), *[None] * len(rest)))[1]
    gradient = function.grad(*args)
    np.testing.assert_allclose(tangent, slope, rtol=rtol, atol=1e-8)
    np.testing.assert_allclose(np.sum(gradient * v), slope, rtol=rtol, atol=1e-8)
    hessian = function.hessian(*args)
    (bend, _), = differences(lambda a: np.asarray(function.grad(_like(a, args[0]), *rest)), (x,), (v,))
    np.testing.assert_allclose(np.tensordot(hessian, v, x.ndim), bend, rtol=max(rtol, 1e-6), atol=1e-7)
    return gradient


def _like(value, model):
    """Return new values for `model`, as an array of its own."""
    return np.array(value) if isinstance(model, np.ndarray) else float(value)


# -- G8: arguments that are one array -----------------------------------------------------------

def reads_both(a, b):
    s = 0.0
    for i in range(len(a)):
        s += np.sin(a[i]) * b[i] + a[i] * b[-1]
    return s


def writes_first(a, b):
    a[0] = a[1] * b[0]
    s = 0.0
    for i in range(len(b)):
        s += a[i] * b[i] ** 2
    return s


@pytest.mark.parametrize("target", ["python", "numba"])
def test_one_array_as_two_arguments(target):
    f = sd.differentiate(reads_both, target=target)
    first, second = sd.grad(f, argnums=(0, 1))(X, X)
    alone = sd.grad(f, argnums=(0, 1))(X, X.copy())
    np.testing.assert_array_equal(first, alone[0])
    np.testing.assert_array_equal(second, alone[1])
    (slope, _), = differences(lambda a: reads_both(a, a), (X,), (np.ones(4),))
    np.testing.assert_allclose(np.sum(first + second), slope, rtol=1e-8)
    np.testing.assert_allclose(f.jvp((X, X), (np.ones(4), np.ones(4)))[1], slope, rtol=1e-8)
    np.testing.assert_allclose(sd.hessian(f)(X, X), sd.hessian(f)(X, X.copy()))


DERIVATIVES = {
    "grad": lambda f, a, b: f.grad(a, b),
    "jvp": lambda f, a, b: f.jvp((a, b), (np.ones(len(a)), np.ones(len(b))))[1],
    "vjp": lambda f, a, b: f.vjp(a, b)[1](1.0)[0],
    "jacfwd": lambda f, a, b: sd.jacfwd(f)(a, b),
    "hessian": lambda f, a, b: f.hessian(a, b),
    "hvp": lambda f, a, b: f.hvp(a, np.ones(len(a)), b),
}


@pytest.mark.parametrize("mode", DERIVATIVES)
@pytest.mark.parametrize("parts", [np.s_[:, :], np.s_[:-1, 1:], np.s_[::-1, :], np.s_[:2, 1:3]],
                         ids=["same", "shifted", "reversed", "partial"])
def test_a_written_argument_that_overlaps_is_refused(mode, parts):
    x = X.copy()
    f = python(writes_first)
    with pytest.raises(ArgumentError, match="share memory") as caught:
        DERIVATIVES[mode](f, x[parts[0]], x[parts[1]])
    assert caught.value.problems[0].code == "SD0319"
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize("mode", DERIVATIVES)
@pytest.mark.parametrize("parts", [np.s_[:2, 2:], np.s_[::2, 1::2]], ids=["halves", "interleaved"])
def test_parts_of_one_array_that_do_not_overlap(mode, parts):
    x = X.copy()
    f = python(writes_first)
    a, b = x[parts[0]], x[parts[1]]
    np.testing.assert_allclose(DERIVATIVES[mode](f, a, b), DERIVATIVES[mode](f, a.copy(), b.copy()))
    np.testing.assert_array_equal(x, X)


def test_a_written_argument_is_also_a_global():
    held = X.copy()

    @python
    def f(x):
        x[0] = x[1] * 2.0
        return np.sum(x * held)

    agrees(f, X.copy())
    for mode in (f.grad, f.hessian, sd.jacfwd(f)):
        with pytest.raises(ArgumentError, match="share memory"):
            mode(held)


def test_one_array_twice_in_a_structure():
    @python
    def f(pair):
        pair[0][0] = pair[1][1] * 3.0
        return np.sum(pair[0] * pair[1])

    a = X.copy()
    g = f.grad((a, X.copy()))
    (slope, _), = differences(lambda t: f.python((a + t, X + t)), (0.0,), (1.0,))
    np.testing.assert_allclose(g[0].sum() + g[1].sum(), slope, rtol=1e-8)
    with pytest.raises(ArgumentError, match="share memory"):
        f.grad((a, a))


def test_directions_may_be_the_arguments_themselves():
    f = python(lambda x: np.sum(x**3) / 3)
    x = X.copy()
    assert f.jvp((x,), (x,))[1] == pytest.approx(np.sum(X**3))
    np.testing.assert_allclose(f.hvp(x, x), 2 * X * X)
    np.testing.assert_array_equal(x, X)


def test_results_share_no_memory_with_arguments_or_each_other():
    @python
    def f(x):
        row = x[:2]
        return x, row, x, x[::-1]

    x = X.copy()
    results = (*f.jvp((x,), (x,))[0], *f.jvp((x,), (x,))[1], *sd.vjp(f, x)[0])
    for i, a in enumerate(results):
        assert not np.shares_memory(a, x)
        for b in results[:i]:
            assert not np.shares_memory(a, b)


# -- G23: dtypes, shapes, layouts -----------------------------------------------------------------

def rows(a):
    s = 0.0
    for i in range(a.shape[0]):
        row = a[i]
        s += np.sum(np.sin(row) * row[::-1])
    return s + np.sum(a.T * a.T) + np.sum(a[:1])


A = np.arange(6.0).reshape(2, 3) / 3.0 - 0.7
BIG = np.zeros((4, 9))
BIG[::2, ::3] = A
TWISTED = np.ascontiguousarray(A[::-1, ::-1])


def _read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS = {
    "C": A.copy(), "F": np.asfortranarray(A), "transposed": np.ascontiguousarray(A.T).T,
    "strided": BIG[::2, ::3], "reversed": TWISTED[::-1, ::-1], "read-only": _read_only(A),
    "read-only strided": _read_only(BIG)[::2, ::3],
    "broadcast": np.broadcast_to(A[:1], (2, 3)), "other byte order": A.astype(">f8"),
    "not aligned": np.frombuffer(b"0" + A.tobytes(), np.uint8)[1:].view("f8").reshape(2, 3),
}


def test_layouts_in_turn():
    f = python(rows)
    for name, a in LAYOUTS.items():
        expected = agrees(python(rows), np.array(a, dtype=float, order="C"))
        np.testing.assert_allclose(f.grad(a), expected, rtol=1e-14, err_msg=name)
        np.testing.assert_allclose(f.jvp((a,), (a,))[1], np.sum(expected * a), err_msg=name)
        np.testing.assert_allclose(f.hessian(a), f.hessian(np.array(a, dtype=float, order="C")), err_msg=name)


def test_layouts_in_turn_compiled():
    f = compiled(rows)
    for name, a in LAYOUTS.items():
        plain = np.array(a, dtype=float, order="C")
        np.testing.assert_allclose(f.grad(a), python(rows).grad(plain), rtol=1e-13, err_msg=name)


def test_layouts_of_an_argument_that_is_written():
    def f(a, c):
        a[1:] *= c * a[:-1]
        a[:, 0] += a[:, 1]
        return np.sum(a * a)

    g = python(f)
    expected = agrees(python(f), A.copy(), 1.3)
    for name, a in LAYOUTS.items():
        if np.array_equal(a, A):
            before = np.array(a)
            np.testing.assert_allclose(g.grad(a, 1.3), expected, rtol=1e-14, err_msg=name)
            np.testing.assert_array_equal(a, before)


def test_shapes_and_dtypes_in_turn():
    f = python(lambda x: np.sum(np.sin(x) * x))
    for x in (X, X[:1], X[:0], X.reshape(2, 2), X.reshape(1, 4, 1), np.zeros((0, 3)), X[0], 0.25,
              np.float64(0.5), np.array(0.75)):
        g = f.grad(x)
        assert np.shape(g) == np.shape(x)
        np.testing.assert_allclose(g, np.cos(x) * x + np.sin(x), rtol=1e-14)
        assert np.shape(f.hessian(x)) == np.shape(x) * 2
        assert np.shape(sd.jacfwd(f)(x)) == np.shape(x)


def test_extents_of_one_are_stretched_at_each_call():
    for decorate in (python, compiled):
        f = decorate(lambda x, y: np.sum(np.sin(x) * y * y))
        for x, y in ((X, X), (X[:1], X), (X, X[:1]), (X[:1], X[:1]), (X, X)):
            n = max(len(x), len(y))
            expected = np.cos(x) * y * y
            expected = expected.sum(keepdims=True) if len(x) < n else expected * np.ones(n)
            g = f.grad(x, y)
            assert g.shape == x.shape
            np.testing.assert_allclose(g, expected, rtol=1e-13)


def test_single_precision_stays_single():
    f = python(lambda x, c: np.sum(np.sin(c * x) * x))
    x = X.astype(np.float32)
    g = f.grad(x, 1.5)
    assert g.dtype == np.float32
    np.testing.assert_allclose(g, f.grad(X, 1.5), rtol=1e-5)
    assert f.hessian(x, 1.5).dtype == np.float32
    assert f.grad(X, 1.5).dtype == np.float64


@pytest.mark.parametrize("x", [np.arange(4), 3, True, np.array([True, False])], ids=str)
def test_integers_have_no_derivative(x):
    f = python(lambda x: np.sum(x * 1.5))
    with pytest.raises(ArgumentError):
        f.grad(x)
    with pytest.raises(ArgumentError):
        f.hessian(x)


# -- G24: what is captured, and changes ---------------------------------------------------------------

SCALE = 2.0
WEIGHTS = np.array([1.0, 2.0, 3.0, 4.0])
SQUARED = True
SETTINGS = {"gain": 1.5, "steps": 2}
TABLE = [1.0, 0.5]
BOX = SimpleNamespace(gain=2.0)


def bend(v):
    return v * v


@python
def captured(x):
    s = 0.0
    for k in range(SETTINGS["steps"]):
        s += np.sum(WEIGHTS * bend(x) * x) * SETTINGS["gain"] * TABLE[k % 2]
    return s * SCALE * BOX.gain if SQUARED else s


def changes(monkeypatch):
    module = __import__(__name__, fromlist=["captured"])
    yield lambda: None
    yield lambda: monkeypatch.setattr(module, "SCALE", 3.5)
    yield lambda: monkeypatch.setattr(module, "SCALE", 4)
    yield lambda: WEIGHTS.__setitem__(0, -2.0)
    yield lambda: monkeypatch.setattr(module, "WEIGHTS", np.array([0.5]))
    yield lambda: monkeypatch.setattr(module, "WEIGHTS", np.arange(16.0).reshape(4, 4))
    yield lambda: monkeypatch.setattr(module, "WEIGHTS", np.arange(4, dtype=np.float32))
    yield lambda: monkeypatch.setitem(SETTINGS, "gain", -1.0)
    yield lambda: monkeypatch.setitem(SETTINGS, "steps", 3)
    yield lambda: TABLE.__setitem__(1, 7.0)
    yield lambda: monkeypatch.setattr(BOX, "gain", 9.0)
    yield lambda: monkeypatch.setattr(module, "bend", np.sin)
    yield lambda: monkeypatch.setattr(module, "bend", lambda v: v**3)
    yield lambda: monkeypatch.setattr(module, "SQUARED", False)


def test_globals_that_change_are_seen(monkeypatch):
    monkeypatch.setattr(__import__(__name__, fromlist=["captured"]), "WEIGHTS", WEIGHTS.copy())
    for change in changes(monkeypatch):
        change()
        agrees(captured, X, rtol=1e-5)
    TABLE[1] = 0.5


def test_closure_values_that_change_are_seen():
    def make():
        rate, shape = 1.0, np.ones(4)

        def f(x):
            return np.sum(np.sin(rate * x) * shape)

        def change(r, s):
            nonlocal rate, shape
            rate, shape = r, s
        return python(f), change

    f, change = make()
    other, _ = make()
    for r, s in ((1.0, np.ones(4)), (2.5, np.ones(4)), (3, X), (2.5, np.float64(2.0))):
        change(r, s)
        np.testing.assert_allclose(agrees(f, X), np.cos(r * X) * r * s, rtol=1e-12)
    np.testing.assert_allclose(other.grad(X), np.cos(X))


def test_a_pullback_keeps_the_globals_of_its_call(monkeypatch):
    pullback = sd.vjp(captured, X)[1]
    expected = captured.grad(X)
    monkeypatch.setattr(__import__(__name__, fromlist=["captured"]), "SCALE", 100.0)
    got = pullback(1.0)[0]
    assert np.allclose(got, expected) or np.allclose(got, captured.grad(X))


# -- G25: helpers and recursion --------------------------------------------------------------------------

def doubled(v):
    v *= 2.0


def raised(v, n):
    return v**n


def test_a_helper_that_writes_its_argument():
    @python
    def f(x):
        y = x * x
        doubled(y)
        doubled(y[1:])
        return np.sum(y * x)

    np.testing.assert_allclose(agrees(f, X), 3 * X * X * np.array([2.0, 4.0, 4.0, 4.0]), rtol=1e-12)


def test_a_helper_called_with_other_types():
    @python
    def f(x, n):
        return np.sum(raised(x, 2)) * raised(x[0], n) + raised(n, 2) * np.sum(raised(x[:, None], 3))

    agrees(f, X, 3)
    agrees(f, X, 2)


def test_recursion_is_refused_with_its_line():
    def fall(x, n):
        return x if n == 0 else np.sin(fall(x, n - 1))

    f = python(lambda x, n: np.sum(fall(x, n)))
    for mode in (f.grad, f.hessian, sd.jacfwd(f)):
        with pytest.raises(UnsupportedError, match="fall") as caught:
            mode(X, 3)
        assert all(p.where.line for p in caught.value.problems)


# -- G30: threads ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("target", ["python", "numba"])
def test_threads_call_first_at_once(target):
    @sd.differentiate(target=target)
    def f(x):
        s = 0.0
        for i in range(len(x)):
            s += np.sin(x[i]) * x[i]
        return s

    points = [X, X.astype(np.float32), X[::2], X[::-1]]
    barrier, found = threading.Barrier(8), [None] * 8

    def work(k):
        barrier.wait()
        x = points[k % 4]
        found[k] = (x, f.grad(x), f.hvp(x, x) if target == "python" else None)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for x, gradient, along in found:
        np.testing.assert_allclose(gradient, np.cos(x) * x + np.sin(x), rtol=1e-5)
        if along is not None:
            np.testing.assert_allclose(along, (2 * np.cos(x) - np.sin(x) * x) * x, rtol=1e-5, atol=1e-6)
