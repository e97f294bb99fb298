"""`sd.custom_rule`: black boxes with a rule, in both modes, to second order, in loops, on every target."""

import linecache
import math
import re

import numba
import numpy as np
import pytest
import scipy.special as sp

import srcdiff as sd
from srcdiff.errors import RuleError

X = np.array([0.7, 1.9, 3.2])
TARGETS = ["python", "numba"]


@sd.custom_rule(lambda x, dx, ans: -j1(x) * dx)
def j0(x):
    return sp.j0(x)


@sd.custom_rule(lambda x, dx, ans: (j0(x) - ans / x) * dx)
def j1(x):
    return sp.j1(x)


@sd.custom_rule(lambda x, y, dx, dy, ans: y * dx + x * dy)
@numba.njit
def product(x, y):
    return x * y


def power_jvp(x, y, dx, dy, ans):
    if x > 1.0:
        return y * ans / x * dx + math.log(x) * ans * dy
    return y * x ** (y - 1.0) * dx + math.log(x) * ans * dy


def power_vjp(x, y, g, ans):
    return g * y * x ** (y - 1.0), g * math.log(x) * ans


@sd.custom_rule(jvp=power_jvp, vjp=power_vjp)
def power(x, y):
    return math.pow(x, y)


def in_a_loop(x, n):
    s = 0.5
    for i in range(n):
        s = j0(x[i] * s) * product(x[i], s + 1.0)
        if s > 0.0:
            s = s + power(x[i], 1.5)
    return s


def on_arrays(x, y):
    table = j0(x[:, None] * y) + power(x[:, None], y)
    return np.sum(table * product(2.0, y))


@pytest.mark.parametrize("target", TARGETS)
def test_in_loops_in_both_modes_and_second_order(target):
    f = sd.differentiate(in_a_loop, target=target)
    assert f(X, 3) == pytest.approx(in_a_loop(X, 3), rel=1e-15)
    assert f.check(X, 3).differences < 1e-10
    assert f.grad.check(X, 3).differences < 1e-9
    np.testing.assert_allclose(f.hessian(X, 3), f.hessian(X, 3).T, rtol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
def test_on_arrays_that_broadcast(target):
    f, y = sd.differentiate(on_arrays, target=target), np.array([1.5, 2.5])
    expected = np.sum((sp.j0(X[:, None] * y) + X[:, None] ** y) * 2.0 * y)
    assert f.value_and_grad(X, y)[0] == pytest.approx(expected, rel=1e-14)
    both = sd.grad(f, argnums=(0, 1))
    by_x, by_y = both(X, y)
    slope = -sp.j1(X[:, None] * y)
    np.testing.assert_allclose(by_x, ((slope * y + y * X[:, None] ** (y - 1)) * 2 * y).sum(1), rtol=1e-13)
    assert by_y.shape == y.shape
    along = sd.jvp(f, (X, y), (X, y))[1]
    assert along == pytest.approx(np.vdot(by_x, X) + np.vdot(by_y, y), rel=1e-13)
    np.testing.assert_allclose(f.hessian(X, y), f.hessian(X, y).T, atol=1e-13)
    np.testing.assert_allclose(sd.vmap(sd.grad(sd.differentiate(j0, target=target)))(X), -sp.j1(X))


def test_scalars_keep_their_types():
    f = sd.differentiate(lambda x: j0(x) * 2, target="python")
    assert type(f.value_and_grad(1.0)[0]) is float and type(f.grad(1.0)) is float
    assert type(f.grad(np.float32(1.0))) is np.float32
    narrow = X.astype(np.float32)
    assert f.value_and_jacobian(narrow)[0].dtype == f.jacobian(narrow).dtype == np.float32
    assert sd.vjp(f, np.zeros(0))[1](np.zeros(0))[0].shape == (0,)


@pytest.mark.parametrize("target", TARGETS)
def test_the_function_itself_and_ufuncs(target):
    assert sd.grad(sd.differentiate(j0, target=target))(2.0) == pytest.approx(-sp.j1(2.0), rel=1e-15)
    found = sd.custom_rule(lambda x, dx, ans: (1 - 2 * x * ans) * dx)(sp.dawsn)
    assert found is sp.dawsn
    f = sd.differentiate(lambda x: np.sum(sp.dawsn(x)), target=target)
    assert f(X) == pytest.approx(np.sum(sp.dawsn(X)), rel=1e-15)
    np.testing.assert_allclose(f.grad(X), 1 - 2 * X * sp.dawsn(X), rtol=1e-13)


@pytest.mark.parametrize("target", TARGETS)
def test_lambdas_and_closures_are_bound_in_the_process(target):
    def scaled(factor):
        black_box = sd.custom_rule(lambda x, dx, ans: 2.0 * ans / x * dx)(lambda x: factor * float(x) ** 2)
        return sd.differentiate(lambda x: black_box(x) + 1.0, target=target)

    two, three = scaled(2.0), scaled(3.0)
    assert (two.grad(5.0), three.grad(5.0)) == (20.0, 30.0)
    assert "cannot be imported: it is found in this process only" in two.grad.source(5.0)


def test_what_a_function_reads_from_outside_stays_alive():
    state = {"slope": 2.0}

    @sd.custom_rule(lambda x, dx, ans: ans / x * dx)
    def line(x):
        return state["slope"] * x

    f = sd.differentiate(lambda x: line(x), target="numba")
    assert f.grad(3.0) == 2.0
    state["slope"] = 5.0
    assert f.grad(3.0) == 5.0


def test_the_source_imports_the_function():
    f = sd.differentiate(in_a_loop, target="python")
    text = f.source(X, 3)
    assert f"from {__name__} import product\n" in text and '__custom__ = ["j0"' in text.replace("'", '"')
    scope = {}
    exec(text, scope)
    assert scope["in_a_loop"](X, 3) == pytest.approx(in_a_loop(X, 3), rel=1e-14)


def test_a_black_box_runs_only_where_the_function_does():
    calls = []

    @sd.custom_rule(lambda x, dx, ans: dx)
    def recorded(x):
        calls.append(x)
        if x > 10.0:
            raise ArithmeticError("too large")
        return x

    f = sd.differentiate(lambda x, n: sum([recorded(x) for _ in range(n)]) + 1.0 * x if n else x, target="python")
    assert f.grad(99.0, 0) == 1.0 and calls == []
    with pytest.raises(ArithmeticError, match="too large"):
        f.value_and_grad(99.0, 1)


def test_integer_operands_carry_no_derivative():
    @sd.custom_rule(lambda n, x, dn, dx, ans: 0.5 * (bessel(n - 1, x) - bessel(n + 1, x)) * dx)
    def bessel(n, x):
        return sp.jv(n, x)

    f = sd.differentiate(lambda x, n: bessel(n, x), target="python")
    assert f.grad(2.0, 1) == pytest.approx(sp.jvp(1, 2.0), rel=1e-14)
    assert f.derivatives(2)(2.0, 1)[2] == pytest.approx(sp.jvp(1, 2.0, 2), rel=1e-13)


# -- misuse -------------------------------------------------------------------------------------

def refused(make, *texts):
    with pytest.raises(RuleError) as caught:
        make()
    for text in texts:
        assert text in str(caught.value)


def test_rules_that_are_not_linear():
    refused(lambda: sd.custom_rule(lambda x, dx, ans: dx * dx)(abs), "not linear", "custom_rule.py", "dx * dx")
    refused(lambda: sd.custom_rule(lambda x, dx, ans: ans + dx)(abs), "not linear", "ans + dx")
    refused(lambda: sd.custom_rule(lambda x, dx, ans: 2 * x)(abs), "does not depend on dx")
    refused(lambda: sd.custom_rule(lambda x, dy, ans: dy)(abs), "operands, their differentials and ans")


def test_rules_that_do_not_fit():
    refused(lambda: sd.custom_rule(lambda x, dx, ans: dx)(lambda x, y: x), "does not take 1 positional")
    refused(lambda: sd.custom_rule(lambda x, dx, ans: dx)(np.exp), "exp has a rule already")
    refused(lambda: sd.custom_rule(lambda x, dx, ans: dx)(3), "cannot be given a rule")
    refused(lambda: sd.custom_rule(), "a differential, or both")
    refused(lambda: sd.custom_rule(jvp=power_jvp), "a differential, or both")
    refused(lambda: sd.custom_rule(jvp=lambda x, dx: dx, vjp=power_vjp)(lambda x: x), "jvp takes 2 arguments")
    refused(lambda: sd.custom_rule("dx"), "is no rule")


def test_pairs_that_do_not_fit():
    @sd.custom_rule(jvp=lambda x, y, dx, dy, ans: (dx, dy), vjp=lambda x, y, g, ans: g)
    def pair(x, y):
        return x + y

    f = sd.differentiate(lambda x, y: pair(x, y), target="python")
    refused(lambda: f.jvp((1.0, 2.0), (1.0, 1.0)), "must return 1 real number")
    refused(lambda: f.grad(1.0, 2.0), "must return 2 real numbers")


def test_calls_that_do_not_fit():
    for function, text in ((lambda x: j0(x, x), "takes 1 arguments here, not 2"),
                           (lambda x: j0("x") + x, "takes numbers and arrays")):
        with pytest.raises(sd.errors.UnsupportedError, match=text):
            sd.differentiate(function, target="python").grad(1.0)
    assert sd.differentiate(lambda x: product(y=x, x=3.0), target="python").grad(1.0) == 3.0


@pytest.mark.parametrize("name", ["digamma", "quotient", "sum_to", "tape_grow", "abs", "len", "njit"])
def test_functions_named_like_what_the_module_uses(name):
    scope = {"np": np}
    text = (f"def {name}(x, n):\n    s = 1.0\n    while s < n:\n        s = s * (x * x + np.sqrt(x))\n"
            "    return s\n")
    file = f"<{name} under test>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    exec(compile(text, file, "exec"), scope)
    f = sd.differentiate(scope[name], target="python")
    x = 1.5
    assert f.grad(x, 20.0) == pytest.approx(
        (f(x + 1e-6, 20.0) - f(x - 1e-6, 20.0)) / 2e-6, rel=1e-6)


def test_what_a_process_has_registered_does_not_change_other_texts():
    def power(x, steps):
        for _ in range(steps):
            x = x * x
        return x

    before = sd.grad(power).source(1.5, 3)
    rule = sd.custom_rule(lambda x, dx, ans: 2 * x * dx)
    for name in ("_", "x", "steps", "x_bar", "t"):
        def square(x):
            return x * x

        square.__name__ = name
        rule(square)

    def power(x, steps):            # noqa: F811  the same once more: nothing is remembered of it
        for _ in range(steps):
            x = x * x
        return x

    texts = [re.sub(r"line \d+|py:\d+", "", text) for text in (before, sd.grad(power).source(1.5, 3))]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("rule", [lambda x, dx, ans: np.sum(x) * dx, lambda x, dx, ans: np.sum(dx) * x])
def test_a_rule_acts_on_each_element_by_itself(rule):
    with pytest.raises(RuleError, match="`sum` in a differential"):
        sd.custom_rule(rule)(lambda x: x)
