"""Transforms inside functions give the code that they give outside: its checks, its loops, its numbers."""

import copy

import numpy as np
import pytest

import srcdiff as sd
from bench.workloads.kernels import KERNELS
from srcdiff.api.differentiate import as_function
from srcdiff.api.recipes import Pullback
from srcdiff.notation import read
from srcdiff.optimize.bounds import bounds
from srcdiff.syntax import Load, Raise, walk
from tests.oracle import differences

X = np.array([0.5, 1.2, 2.0])
FORCE = np.array([0.3, -0.2, 0.4])


def kernel(name, n=7):
    """Return a kernel, arguments of it, and cotangents of what it returns or writes."""
    function, make = KERNELS[name].function, KERNELS[name].make
    args = make(n, np.random.default_rng(3))
    ran = copy.deepcopy(args)
    out = getattr(function, "py_func", function)(*ran)
    if out is None:
        special = as_function(function).special_for(*args)
        written = [[p.name for p in special.program.params].index(name) for name in special.written]
        out = tuple(ran[i] for i in written)
        out = out[0] if len(out) == 1 else out
    rng = np.random.default_rng(5)
    seed = tuple(rng.normal(size=np.shape(v)) for v in out) if isinstance(out, tuple) else rng.normal(size=np.shape(out))
    return function, args, seed


def pulling(function):
    return lambda seed, *args: sd.vjp(function, *args)[1](seed)


def shape_of(source):
    """Return what shows the form of generated code: how many loops and checks it has, and which indices it checks."""
    lines = [line.strip() for line in source.splitlines()]
    return {"loops": sum(line.startswith(("for ", "while ")) for line in lines), "raises": sum("raise " in line for line in lines),
            "divided": sum(", 2):" in line for line in lines), "indices": sorted(line for line in lines if "SD0343" in line)}


# -- the pullback -------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["spmv", "adi", "gramschmidt", "durbin", "deriche", "hdiff", "lu", "jacobi_1d"])
def test_a_pullback_inside_a_function_is_that_outside(name):
    function, args, seed = kernel(name)
    direct, nested = as_function(function).derive(Pullback()), sd.differentiate(pulling(function))
    assert shape_of(nested.source(seed, *args)) == shape_of(direct.source(args, seed))


@pytest.mark.parametrize("name", ["spmv", "adi", "gramschmidt", "durbin", "trisolv", "softmax", "jacobi_1d"])
def test_its_values_are_those_outside(name):
    function, args, seed = kernel(name)
    direct = sd.differentiate(getattr(function, "py_func", function), target="python").derive(Pullback())
    nested = sd.differentiate(pulling(function), target="python")
    for got, expected in zip(nested(seed, *copy.deepcopy(args)), direct(copy.deepcopy(args), seed), strict=True):
        if expected is None:
            assert got is None
        else:
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


def test_both_compiled_against_differences():
    function, (*place, values, x), seed = kernel("spmv")
    values_bar, x_bar = sd.differentiate(pulling(function))(seed, *place, values, x)[2:]
    direction = np.cos(values), np.sin(x)
    (slope, error), = differences(lambda v, u: np.sum(seed * function(*place, v, u)), (values, x), direction)
    assert abs(np.sum(values_bar * direction[0]) + np.sum(x_bar * direction[1]) - slope) < 1e-9 + 10 * error


def residuals(seed, starts, columns, values, x):
    out, pull = sd.vjp(KERNELS["spmv"].function, starts, columns, values, x)
    return out, pull(out - seed)[3]


def test_the_value_comes_from_the_sweep_that_the_pullback_needs():
    function, args, seed = kernel("spmv")
    nested = sd.differentiate(residuals)
    direct = as_function(function).derive(Pullback(value=True)).source(args, seed)
    assert shape_of(nested.source(seed, *args))["indices"] == shape_of(direct)["indices"]
    out, x_bar = nested(seed, *args)
    expected = function(*args)
    dense = np.stack([function(*args[:3], e) for e in np.eye(len(args[3]))], axis=1)
    np.testing.assert_allclose(out, expected, rtol=1e-14)
    np.testing.assert_allclose(x_bar, dense.T @ (expected - seed), rtol=1e-12)


def test_an_index_out_of_range_is_said_of_the_users_array():
    _, (starts, columns, values, x), seed = kernel("spmv")
    nested = sd.differentiate(pulling(KERNELS["spmv"].function))
    columns[0] = len(x)
    with pytest.raises(sd.errors.IndexOutOfRangeError, match=r"axis 0 of x, in `total \+= values"):
        nested(seed, starts, columns, values, x)


# -- others ---------------------------------------------------------------------------------------------

def energy(starts, columns, values, x):
    y = KERNELS["spmv"].function(starts, columns, values, x)
    return np.sum(y * y)


@pytest.mark.parametrize("made", [
    lambda f: sd.grad(f, argnums=3), lambda f: sd.value_and_grad(f, argnums=3), lambda f: sd.jacfwd(f, argnums=3),
    lambda f: sd.jacrev(f, argnums=3), lambda f: sd.grad(lambda s, c, v, x: np.sum(sd.grad(f, argnums=3)(s, c, v, x)**2), argnums=3)])
def test_other_transforms_check_once_too(made):
    _, args, _ = kernel("spmv")
    direct = made(energy)
    nested = sd.differentiate(lambda s, c, v, x: direct(s, c, v, x))
    assert shape_of(nested.source(*args)) == shape_of(direct.source(*args))


def test_tangents_check_once_too():
    function, args, _ = kernel("spmv")
    tangents = (None, None, args[2], args[3])
    nested = sd.differentiate(lambda tangents, *args: sd.jvp(function, args, tangents))
    direct = as_function(function).jvp
    assert shape_of(nested.source(tangents, *args)) == shape_of(direct.source(args, tangents))


def test_only_the_accesses_of_a_derivative_are_taken_as_checked():
    def mixed(a, x, k):
        return sd.vjp(lambda u: u[k] * u, x)[1](x)[0] + a[k]

    f = sd.differentiate(mixed, target="python")
    np.testing.assert_allclose(f(X, X, 1), X[1] * X + np.array([0.0, np.sum(X * X), 0.0]) + X[1])
    for arrays in ((X, X[:1]), (X[:1], X)):
        with pytest.raises(IndexError):
            sd.grad(lambda a, x: np.sum(mixed(a, x, 2)))(*arrays)


def test_what_a_checked_access_says_holds_behind_it():
    program = read('''
def f(x: "float64[:]", k: "weak int64"):
    s = x[k]
    t = x[k]
    return s, t
''')
    first, second = program.body
    assert sum(isinstance(s, Raise) for s in walk(bounds(program).body)) == 1
    marked = program.with_body((Load(first.target, first.array, first.index, checked=True), second))
    assert bounds(marked) is marked


# -- when things are read -------------------------------------------------------------------------------

def changed_behind(x):
    a, pair = x[0] * 1.0, [x[1], x * 2]
    store = x * 1.5

    def inner(u):
        return u * u * a * pair[0] * pair[1] * store

    out, pull = sd.vjp(inner, x)
    a, pair[0], store[0] = 5.0, 7.0, 100.0
    before = out * 1.0
    out[1] = 9.0
    return pull(before)[0] + 0.0 * a * store * out


def test_the_pullback_keeps_what_was_captured():
    slope = 2 * X * X[0] * X[1] * (X * 2) * (X * 1.5)
    for target in ("python", "numba"):
        f = sd.differentiate(changed_behind, target=target)
        np.testing.assert_allclose(f(X), slope * slope * X / 2, rtol=1e-13)
        np.testing.assert_allclose(f(X), changed_behind(X), rtol=1e-13)


def shrinking(u):
    y = u.copy()
    for _ in range(3):
        for j in range(len(y)):
            y[j] = y[j] * np.sin(y[j]) * u[0]
    return y


def called_again(x):
    out, pull = sd.vjp(shrinking, x)
    total = np.zeros(3)
    for k in range(4):
        g, = pull(out * k)              # each call starts from what the forward sweep has left
        g[0] += 1.0
        total = total + g
    return np.sum(total * out)


def of_equal_results(x):
    (a, b), pull = sd.vjp(lambda u, v: (u + v, u), x, x * 2)
    w = x * x
    g, h = pull((w, w))
    g[0], a[1], b[1] = 7.0, 3.0, 4.0     # neither is the other, nor the cotangent
    return np.sum(g * h * w * a * b)


def with_some_cotangents(x):
    (a, n, b), pull = sd.vjp(lambda u: (np.exp(u), len(u), u * u), x)
    g, = pull((None, None, a))
    v, number = sd.vjp(lambda u: u * u * x[0], x[1])
    return np.sum(g * b * n) + v * number(2)[0] + number(v)[0]


def used_on_one_path(x):
    out, pull = sd.vjp(shrinking, x)
    g = x * 1.0
    if x[0] > 0.1:
        g, = pull(g)
    return np.sum(g * out)


@pytest.mark.parametrize("function", [called_again, of_equal_results, with_some_cotangents, used_on_one_path])
def test_agrees_with_plain_python_and_differences(function):
    f = sd.differentiate(function, target="python")
    report = f.check(X)
    assert report.value < 1e-14 and report.forward_reverse < 1e-13 and report.differences < 1e-9
    assert f.grad.check(X).differences < 1e-8


# -- shapes in loops --------------------------------------------------------------------------------------

def driven(y, n):
    for _ in range(n):
        y = y + 0.1 * FORCE * np.sin(y)
    return np.sum(y * y)


def driven_gradient(y, n):
    return sd.grad(driven)(y, n)


def test_arrays_keep_their_shapes_in_loops_inside_too():
    direct, nested = sd.grad(driven), sd.differentiate(driven_gradient)
    assert shape_of(nested.source(X, 4)) == shape_of(direct.source(X, 4))
    (slope, error), = differences(lambda y: driven(y, 4), (X,), (FORCE,))
    assert abs(nested(X, 4) @ FORCE - slope) < 1e-9 + 10 * error


def test_where_they_do_not_other_code_runs():
    one = np.array([0.7])
    nested = sd.differentiate(driven_gradient)
    (slope, error), = differences(lambda y: driven(y, 4), (one,), (np.ones(1),))
    assert nested(one, 4).shape == (1,)
    assert abs(nested(one, 4)[0] - slope) < 1e-9 + 10 * error


def test_a_loop_that_goes_back_counts_without_a_division():
    @sd.differentiate
    def outer(x, w):
        g, = sd.vjp(lambda u: np.array([u[i] * np.sin(u[i]) for i in range(len(u))]), x)[1](w)
        total = 0.0
        for i in range(len(g) - 1, -1, -1):
            total = total * g[i] + np.sin(g[i])
        return total

    assert "// -1" not in outer.grad.source(X, X)
    assert outer.grad.check(X, X).differences < 1e-8
