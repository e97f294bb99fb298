"""The objects that users hold: what they return, accept, remember and show."""

import dataclasses
import functools
import inspect
import math
import pickle
import threading
from collections import namedtuple

import numba
import numpy as np
import pytest

import srcdiff as sd
from srcdiff.api.function import Function

python = functools.partial(sd.differentiate, target="python")


@pytest.fixture(autouse=True)
def python_target(monkeypatch):
    monkeypatch.setenv("SRCDIFF_TARGET", "python")


@python
def cubes(x, scale=1.0):
    """Sum the scaled cubes."""
    return np.sum(scale * x**3)


@python
def plain(x):
    return x * x


X = np.array([1.0, 2.0, 3.0])


# -- what comes back -----------------------------------------------------------------------

def test_derivatives_are_attributes():
    np.testing.assert_allclose(cubes.grad(X), 3 * X**2)
    value, gradient = cubes.value_and_grad(X, 2.0)
    assert value == 72.0
    np.testing.assert_allclose(gradient, 6 * X**2)
    np.testing.assert_allclose(cubes.hessian(X), np.diag(6 * X))
    np.testing.assert_allclose(cubes.hvp(X, X, 2.0), 12 * X * X)
    np.testing.assert_allclose(cubes.hessp(X, X, 2.0), 12 * X * X)
    np.testing.assert_allclose(cubes.jacobian(X), 3 * X**2)
    value, jacobian = cubes.value_and_jacobian(X)
    np.testing.assert_allclose(jacobian, 3 * X**2)
    assert cubes.jvp((X, 2.0), (X, None)) == (72.0, 216.0)
    out, pullback = cubes.vjp(X, 2.0)
    np.testing.assert_allclose(pullback(1.0)[0], 6 * X**2)
    assert pullback(1.0)[1] == 36.0
    at_x, at_scale = cubes.pullback((X, 2.0), 1.0)
    np.testing.assert_allclose(at_x, 6 * X**2)
    assert at_scale == 36.0


def test_the_pullback_of_a_linear_function_does_not_run_it():
    @python
    def smoothed(steps, x):
        for _ in range(steps):
            x[1:-1] = 0.25 * x[:-2] + 0.5 * x[1:-1] + 0.25 * x[2:]

    seed = np.array([1.0, -2.0, 0.5, 3.0])
    nothing, at_x = smoothed.pullback((3, np.ones(4)), seed)
    assert nothing is None
    np.testing.assert_array_equal(at_x, sd.functional.vjp(smoothed, (3, np.ones(4)), seed)[1][1])
    source = smoothed.pullback.source((3, np.ones(4)), seed)
    assert source.count("    for _ in range(steps - 1, -1, -1):") == source.count("\n    for _ in ") == 1, source


def test_derivatives_of_a_scalar_function():
    f = python(lambda t: np.sin(2 * t))
    values = f.derivatives(3)(0.3)
    np.testing.assert_allclose(values, [np.sin(0.6), 2 * np.cos(0.6), -4 * np.sin(0.6), -8 * np.cos(0.6)])
    with pytest.raises(sd.errors.NotScalarError, match="needs a number"):
        cubes.derivatives(2)(X)


def test_tuples_of_arguments_and_outputs():
    f = python(lambda a, b, n: (np.sin(a) * n, b * a.sum()))
    assert isinstance(sd.jacfwd(f)(X, 2.0, 3), tuple)
    (aa, ab), (ba, bb) = sd.jacrev(f, argnums=(0, 1))(X, 2.0, 3)
    np.testing.assert_allclose(aa, np.diag(3 * np.cos(X)))
    np.testing.assert_allclose(ab, np.zeros(3))
    np.testing.assert_allclose(ba, np.full(3, 2.0))
    assert bb == 6.0
    assert sd.grad(lambda a, b: a * b, argnums=(1,))(2.0, 3.0) == (2.0,)
    assert sd.grad(lambda a, b: a * b, argnums=-1)(2.0, 3.0) == 2.0
    assert sd.grad(lambda a, b: a * b, argnames=("b", "a"))(2.0, 3.0) == (2.0, 3.0)


def test_stacked_columns():
    f = python(lambda t, a, b: a * np.exp(b * t))
    jacobian = sd.jacobian(f, argnums=(1, 2), stacked=True)(X, 2.0, 0.5)
    np.testing.assert_allclose(jacobian, np.stack([np.exp(0.5 * X), 2 * X * np.exp(0.5 * X)], axis=1))


def test_structures_of_arguments():
    Pair = namedtuple("Pair", "a b")

    @dataclasses.dataclass
    class Model:
        rate: float
        weights: np.ndarray

    def f(p):
        return p["u"] * p["v"][0] * np.sum(p["v"][1])

    gradient = sd.grad(f)({"u": 2.0, "v": (3.0, X)})
    assert gradient["u"] == 18.0 and gradient["v"][0] == 12.0
    np.testing.assert_allclose(gradient["v"][1], np.full(3, 6.0))
    pair = sd.grad(lambda p: p.a * p.b)(Pair(2.0, 3.0))
    assert pair == Pair(3.0, 2.0) and type(pair) is Pair
    model = sd.grad(lambda m: m.rate * np.sum(m.weights))(Model(2.0, X))
    assert type(model) is Model and model.rate == 6.0
    np.testing.assert_allclose(model.weights, np.full(3, 2.0))


def test_structures_with_integers_in_them():
    f = python(lambda p, scale: p["rate"] ** p["steps"] * np.sum(p["x"][0] * p["x"][1]) * scale)
    p = {"rate": 0.5, "steps": 3, "x": (X, np.arange(len(X)))}
    gradient = {"rate": 0.75 * np.sum(X * p["x"][1]), "steps": None, "x": (0.125 * p["x"][1], None)}
    for transform in (sd.grad, sd.jacrev, sd.jacfwd, sd.jacobian):
        found = transform(f)(p, 1.0)
        assert found["rate"] == pytest.approx(gradient["rate"]) and found["steps"] is found["x"][1] is None
        np.testing.assert_allclose(found["x"][0], gradient["x"][0])
    assert sd.hessian(f)(p, 1.0)["rate"]["rate"] == pytest.approx(3.0 * np.sum(X * p["x"][1]))
    assert sd.grad(f, argnums=(0, 1))(p, 2.0)[1] == pytest.approx(f(p, 1.0))
    with pytest.raises(sd.errors.ArgumentError, match="dtype int64"):
        sd.grad(f)({"rate": 2, "steps": 3, "x": (np.arange(2), np.arange(2))}, 1.0)


def test_integers_flags_strings_and_none():
    def f(x, n, mode, other, flag):
        s = 0.0
        for i in range(n):
            s += x * i
        if mode == "double":
            s *= 2
        if other is not None:
            s += other
        return (s, n) if flag else s

    assert sd.grad(f)(2.0, 4, "double", None, False) == 12.0
    assert sd.grad(f)(2.0, 4, "single", 1.0, False) == 6.0
    (s, n), tangent = sd.jvp(f, (2.0, 4, "double", None, True), (1.0, None, None, None, None))
    assert (s, n) == (24.0, 4) and tangent == (12.0, 0)
    _, pullback = sd.vjp(f, 2.0, 4, "double", None, True)
    assert pullback((1.0, None)) == (12.0, None, None, None, None)
    assert pullback((1.0, 7)) == (12.0, None, None, None, None)


def test_lists_count_as_arrays():
    np.testing.assert_allclose(cubes.grad([1.0, 2.0]), [3.0, 12.0])
    out, pullback = sd.vjp(lambda x: x[0] * x[1], [2.0, 3.0])
    assert out == 6.0 and pullback(1.0) == ([3.0, 2.0],)
    out, tangent = sd.jvp(lambda x: x[0] * x[1], ([2.0, 3.0],), ([1.0, 0.0],))
    assert tangent == 3.0


def test_functions_that_write_their_arguments():
    def step(y, x):
        for i in range(x.shape[0]):
            y[i] += x[i] ** 2

    y = np.ones(3)
    np.testing.assert_allclose(sd.jacrev(step, argnums=1)(y, X), np.diag(2 * X))
    np.testing.assert_array_equal(y, np.ones(3))
    python(step)(y, X)
    np.testing.assert_allclose(y, 1 + X**2)
    with pytest.raises(sd.errors.ArgumentError, match="arguments 'y' and 'x' share memory"):
        sd.jacrev(step)(y, y)
    with pytest.raises(sd.errors.ArgumentError, match="share memory"):
        both = np.ones(8)
        sd.jacrev(step)(both[::2], both[:4])


def test_results_are_the_callers_own():
    f = python(lambda x: x)
    value, jacobian = f.value_and_jacobian(X)
    assert not np.shares_memory(value, X)
    out, pullback = sd.vjp(f, X)
    w = np.ones(3)
    (cotangent,) = pullback(w)
    assert not np.shares_memory(cotangent, w)
    out, tangent = sd.jvp(f, (X,), (w,))
    assert not np.shares_memory(tangent, w)


def test_pullbacks_keep_their_point():
    x = X.copy()
    _, pullback = sd.vjp(lambda x: np.sum(x * x), x)
    x[:] = 0
    np.testing.assert_allclose(pullback(1.0)[0], 2 * X)
    np.testing.assert_allclose(sd.jacrev(pullback)(1.0)[0], 2 * X)


def test_out_receives_the_result():
    out = np.empty(3)
    assert cubes.grad(X, out=out) is out
    np.testing.assert_allclose(out, 3 * X**2)
    with pytest.raises(sd.errors.ShapeError, match="out has shape"):
        cubes.grad(X, out=np.empty(2))
    with pytest.raises(sd.errors.ArgumentError, match="dtype float64"):
        cubes.grad(X, out=np.empty(3, np.float32))


# -- what is accepted ------------------------------------------------------------------------

class Model:
    def __init__(self, k):
        self.k = k

    def energy(self, x):
        return self.k * np.sum(x * x)

    @python
    def decorated(self, x):
        return self.k * np.sum(x)


def test_kinds_of_functions():
    model = Model(2.0)
    np.testing.assert_allclose(sd.grad(model.energy)(X), 4 * X)
    model.k = 3.0
    np.testing.assert_allclose(sd.grad(model.energy)(X), 6 * X)
    np.testing.assert_allclose(model.decorated.grad(X), np.full(3, 3.0))
    partial = functools.partial(lambda a, x, b=1.0: a * x * b, 2.0, b=3.0)
    assert sd.grad(partial)(1.0) == 6.0
    compiled = numba.njit(lambda x: x * x)
    assert sd.grad(compiled)(3.0) == 6.0
    assert sd.grad(sd.grad(lambda x: x**3))(2.0) == 12.0
    np.testing.assert_allclose(sd.jvp(np.arctan2, (1.0, 2.0), (1.0, 0.0))[1], 0.4)


def test_transforms_inside_a_function():
    def g(y):
        return np.sum(np.sin(y))

    def f(x):
        return np.sum(sd.grad(g)(x) * x)

    np.testing.assert_allclose(sd.grad(f)(X), np.cos(X) - X * np.sin(X))
    np.testing.assert_allclose(sd.grad(lambda x: np.sum(sd.hvp(g, (x,), (x,))))(X), -np.sin(X) - X * np.cos(X))
    np.testing.assert_allclose(python(f)(X), np.sum(np.cos(X) * X))


SCALE = 2.0


def test_captured_values_are_seen_when_they_change():
    global SCALE
    k, weights = 3.0, np.ones(3)

    def f(x):
        return SCALE * k * np.sum(weights * x)

    gradient = sd.grad(f)
    np.testing.assert_allclose(gradient(X), np.full(3, 6.0))
    weights[0] = 5.0
    np.testing.assert_allclose(gradient(X), [30.0, 6.0, 6.0])
    k = 1
    np.testing.assert_allclose(gradient(X), [10.0, 2.0, 2.0])
    weights = np.ones((1, 3), np.float32)
    np.testing.assert_allclose(gradient(X), [2.0, 2.0, 2.0])
    try:
        SCALE = 7.0
        np.testing.assert_allclose(gradient(X), [7.0, 7.0, 7.0])
    finally:
        SCALE = 2.0


def test_a_flag_that_changes_makes_new_code():
    flag = True

    def f(x):
        return x * x if flag else x

    gradient = sd.grad(f)
    assert gradient(3.0) == 6.0
    flag = False
    assert gradient(3.0) == 1.0


def test_layouts_and_dtypes_share_one_meaning():
    a = np.arange(24.0).reshape(4, 6) / 10
    f = python(lambda a: np.sum(np.sin(a)))
    for view in (a, a.T, a[::2, ::-1], np.asfortranarray(a), a.astype(">f8")):
        np.testing.assert_allclose(f.grad(view), np.cos(view.astype(float)))
    fixed = a.copy()
    fixed.setflags(write=False)
    np.testing.assert_allclose(f.grad(fixed), np.cos(a))
    assert f.grad(np.array(0.5)) == np.cos(0.5)
    assert f.grad(a.astype(np.float32)).dtype == np.float32
    assert f.grad(np.empty((0, 3))).shape == (0, 3)


# -- identity, memory, travel -------------------------------------------------------------------

def test_the_same_object_each_time():
    def f(x):
        return x * x

    assert sd.grad(f) is sd.grad(f)
    assert sd.grad(f) is not sd.grad(f, argnums=(0,))
    assert cubes.grad is sd.grad(cubes)
    assert sd.jacrev(f) is sd.jacrev(sd.differentiate(f))
    assert sd.vmap(f) is sd.vmap(f)

    @functools.wraps(f)
    def g(x):
        return x

    assert sd.grad(f)(3.0) == 6.0 and sd.grad(g)(3.0) == 1.0


def test_a_new_lambda_each_time_compiles_once(monkeypatch):
    from srcdiff import compiler
    calls = []
    real = compiler.compile_program
    monkeypatch.setattr(compiler, "compile_program", lambda *a, **k: calls.append(a) or real(*a, **k))
    for k in (1.0, 2.0, 3.0):
        assert sd.grad(lambda x: x * x * k + 0.125)(3.0) == 6.0 * k  # noqa: B023
    assert len(calls) == 1


def test_names_docs_and_signatures():
    assert cubes.__name__ == "cubes" == cubes.grad.__name__
    assert cubes.grad.__doc__ == "Sum the scaled cubes."
    assert str(inspect.signature(cubes.grad)) == "(x, scale=1.0)"
    assert str(inspect.signature(cubes.hvp)) == "(x, v, /, scale=1.0)"
    assert list(inspect.signature(cubes.jvp).parameters) == ["primals", "tangents"]
    assert "gradient of differentiable cubes" in repr(cubes.grad)
    assert cubes.grad(scale=2.0, x=X)[0] == 6.0


def test_pickling_by_name():
    for function in (cubes, cubes.grad, cubes.hessian, cubes.jacobian, sd.vmap(plain), sd.grad(sd.grad(plain))):
        again = pickle.loads(pickle.dumps(function))
        assert again is function
    _, pullback = sd.vjp(cubes, X)
    again = pickle.loads(pickle.dumps(pullback))
    np.testing.assert_allclose(again(1.0)[0], 3 * X**2)
    with pytest.raises(pickle.PicklingError, match="cannot be imported"):
        pickle.dumps(python(lambda x: x).grad)


def test_source_is_a_module_that_runs():
    for level in ("loops", "array"):
        text = cubes.grad.source(X, level=level)
        scope = {}
        exec(text, scope)
        (name,) = scope["__all__"]
        np.testing.assert_allclose(scope[name](X), 3 * X**2)
    with pytest.raises(sd.errors.ArgumentError, match="level is"):
        cubes.grad.source(X, level="machine")


def test_explain_marks_active_lines():
    text = str(cubes.explain(X))
    assert "active" in text and "np.sum(scale * x**3)" in text


def test_first_call_by_many_threads():
    f = sd.differentiate(lambda x: np.sum(np.exp(np.sin(x))), target="python")
    results, barrier = [], threading.Barrier(8)

    def work():
        barrier.wait()
        results.append(f.grad(X))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 8
    for r in results:
        np.testing.assert_array_equal(r, results[0])


def test_every_derivative_has_derivatives():
    assert isinstance(cubes.grad, Function)
    np.testing.assert_allclose(cubes.grad.jacobian(X), np.diag(6 * X))
    np.testing.assert_allclose(cubes.hessian.jacfwd(X)[0, 0], [6.0, 0, 0])


# -- check ---------------------------------------------------------------------------------------

def test_check_passes_and_says_so():
    report = cubes.check(X, 2.0)
    assert report.arguments == ("x", "scale")
    assert "agree" in str(report) and report.forward_reverse < 1e-14 and report.differences < 1e-7
    assert cubes.check([1.0, 2.0]).value == 0.0
    assert cubes.check(X.astype(np.float32)).arguments == ("x",)


def test_check_names_the_wrong_entry(monkeypatch):
    f = python(lambda x, y: x * y)
    monkeypatch.setattr(f, "python", lambda x, y: x * np.array([y[0], y[1], np.exp(y[2])]), raising=False)
    with pytest.raises(sd.errors.CheckError, match="output 0"):
        f.check(X, X)
    at_point = np.array([1.0, 2.0, 1.0])
    monkeypatch.setattr(f, "python", lambda x, y: x * y + (y - at_point) ** 3 + np.array([0, 0, 1]) * (y - at_point))
    with pytest.raises(sd.errors.CheckError, match=r"with respect to y\[2\] is wrong: forward mode and differences"):
        f.check(X, at_point)


def test_check_believes_a_complex_step_where_it_can():
    assert cubes.check(X, 2.0).complex_step < 1e-14
    assert "against complex step" in str(cubes.check(X, 2.0))
    assert cubes.check(X.astype(np.float32)).complex_step < 1e-5

    def filled(x):
        y = np.zeros(3)
        for i in range(3):
            y[i] = x[i] ** 2                        # casts to real: the imaginary part is lost
        return y

    for function in (lambda x: np.abs(x) * x, lambda x: math.sin(x[0]), lambda x: np.abs(x), filled):
        report = python(function).check(-X)
        assert report.complex_step is None and report.differences < 1e-7
        assert "complex" not in str(report)


def test_a_complex_step_finds_what_differences_cannot(monkeypatch):
    f = python(lambda x: 2.0 * x)
    slope = 2.0 * (1 + 2e-8)                        # below the tolerance of differences
    monkeypatch.setattr(f, "python", lambda x: slope * (x - X) + 2.0 * X, raising=False)
    with pytest.raises(sd.errors.CheckError, match=r"with respect to x\[\d\].*forward mode and complex step"):
        f.check(X)


def test_check_is_not_misled_by_jumps_and_edges_near_the_point(monkeypatch):
    def halved(x, tolerance):
        count = 0
        while x > tolerance:                        # the number of iterations jumps near the point
            x = 0.5 * x
            count += 1
        return x + count

    assert python(halved).check(1.0, 0.2499).differences < 1e-7
    assert python(lambda x: math.acos(x) * abs(x - 0.99)).check(0.9985).differences < 1e-7
    f = python(lambda x: math.log(x))
    assert f.check(1e-4).differences < 1e-7 and f.check(1e7).differences < 1e-7
    for jump in (0.0, 1.0):                         # a wrong slope stays wrong at every step
        monkeypatch.setattr(f, "python", lambda x, jump=jump: math.log(x) + 0.01 * (x - 2) + jump * (x > 2.001) * 1.0)
        with pytest.raises(sd.errors.CheckError, match="forward mode and differences"):
            f.check(2.0)


def test_check_says_by_how_much(monkeypatch):
    f = python(lambda x, y: x[0] * y)
    monkeypatch.setattr(f, "python", lambda x, y: x[0] * y + 0.25 * (x[1] - 1.0), raising=False)
    with pytest.raises(sd.errors.CheckError, match=r"x\[1\] is wrong: .* differ by 0.25\n.*gives 0"):
        f.check(np.ones(2), 3.0)


def test_the_code_shows_in_a_notebook():
    f = python(lambda x: x * x * 3)
    assert str(f.grad) == repr(f.grad)
    f.grad(2.0)
    assert "def lambda__adjoint(x):" in str(f.grad) or "def lambda_" in str(f.grad)
    assert f.grad._repr_markdown_().startswith("```python\n")
    assert f.has_grad and not cubes.has_grad


def test_the_cpu_is_numbas_target():
    def square(x):
        return x * x
    cpu = sd.differentiate(square, target="cpu")
    assert cpu.options == sd.differentiate(square, target="numba").options
    assert sd.vmap(sd.differentiate(square), target="cpu").options.target == "numba"
    assert cpu.grad(3.0) == 6.0
