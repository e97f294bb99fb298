"""`sd.implicit`: derivatives of roots and fixed points, whatever the solver did to find them."""

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.errors import RuleError

TARGETS = ["python", "numba"]
SCALE = 1.5
B = np.array([[2.0, 1.0], [0.5, 3.0]])
P = np.array([1.0, 2.0])


def cubic(x, p):
    return x**3 + SCALE * x - p


@sd.implicit(cubic)
def bisected(p, tolerance=1e-15):
    """Find the root without a derivative: nothing of this can be differentiated."""
    low, high = -10.0, 10.0
    while high - low > tolerance * (1.0 + abs(low)):
        middle = 0.5 * (low + high)
        if middle == low or middle == high:
            break
        if middle**3 + SCALE * middle - p < 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@sd.implicit(lambda x, p, matrix: matrix @ x + x**3 - p)
def newton(p, matrix, steps):
    x = np.zeros(2)
    for _ in range(steps):
        jacobian = matrix + np.diag(3.0 * x**2)
        x = x - np.linalg.solve(jacobian, matrix @ x + x**3 - p)
    return x


@sd.implicit(lambda x, p: x - np.cos(p * x))
def fixed_point(p):
    x = 0.5
    for _ in range(200):
        x = np.cos(p * x)
    return x


@pytest.mark.parametrize("target", TARGETS)
def test_a_number_to_third_order(target):
    f = sd.differentiate(bisected, target=target)
    x = f(3.0)
    one = 1.0 / (3 * x * x + SCALE)
    two = -6 * x * one**3
    three = -6 * one**4 - 18 * x * one**2 * two
    np.testing.assert_allclose(f.derivatives(3)(3.0), (x, one, two, three), rtol=1e-13)
    np.testing.assert_allclose((f.grad(3.0), f.grad.grad(3.0), f.grad.grad.grad(3.0)), (one, two, three), rtol=1e-13)
    assert f.jvp((3.0,), (2.0,)) == pytest.approx((x, 2 * one))


@pytest.mark.parametrize("target", TARGETS)
def test_a_vector_in_both_modes_and_second_order(target):
    f = sd.differentiate(newton, target=target)
    x = f(P, B, 30)
    slope = np.linalg.inv(B + np.diag(3 * x**2))
    by_p, by_matrix = sd.jacrev(f, argnums=(0, 1))(P, B, 30)
    np.testing.assert_allclose(by_p, slope, rtol=1e-13)
    np.testing.assert_allclose(by_matrix, -slope[:, :, None] * x, rtol=1e-13)
    if target == "python":              # the rest compiles a dozen programs with linear algebra
        np.testing.assert_allclose(sd.jacfwd(f)(P, B, 30), slope, rtol=1e-13)
        assert f.check(P, B, 30).differences < 1e-9
        assert f.jacobian.check(P, B, 30).differences < 1e-8


def test_a_fixed_point():
    f = sd.differentiate(fixed_point, target="python")
    assert f.check(0.8).differences < 1e-9 and f.grad.check(0.8).differences < 1e-8


def test_inside_functions_and_loops():
    def total(p, n):
        s = 0.0
        for i in range(n):
            s = s + bisected(p[i % 2] * (1.0 + s)) * s + np.sum(newton(p * p, B, 30))
        return s

    f, compiled = (sd.differentiate(total, target=target) for target in TARGETS)
    assert f.check(P, 3).differences < 1e-8
    assert f.grad.check(P, 3).differences < 1e-7
    hessian = f.hessian(P, 3)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-11)
    np.testing.assert_allclose(f.hvp(P, P, 3), hessian @ P, rtol=1e-11)
    np.testing.assert_allclose(compiled.hvp(P, P, 3), hessian @ P, rtol=1e-11)


def test_the_iterations_are_not_differentiated():
    f = sd.differentiate(bisected, target="python")
    for source in (f.grad.source(3.0), f.source(3.0)):
        assert source.count("    while ") == 1 and "tape" not in source
    assert sd.differentiate(newton, target="python").explain(P, B, 30).bytes == 0


def test_many_roots_at_once():
    f = sd.differentiate(bisected, target="python")
    np.testing.assert_allclose(sd.vmap(sd.grad(f))(P), [f.grad(1.0), f.grad(2.0)])


def test_what_the_equation_reads_from_outside_stays_alive(monkeypatch):
    f = sd.differentiate(bisected, target="python")
    before = f.grad(3.0)
    monkeypatch.setitem(globals(), "SCALE", 4.0)
    x = f(3.0)
    assert f.grad(3.0) == pytest.approx(1.0 / (3 * x * x + 4.0)) != before


def test_arguments_that_do_not_move_the_root():
    f = sd.differentiate(bisected, target="python")
    assert sd.grad(f, argnums=1)(3.0, 1e-12) == 0.0
    assert f.grad(3.0, tolerance=1e-12) == pytest.approx(f.grad(3.0))


def test_singular_equations():
    double = sd.differentiate(sd.implicit(lambda x, p: (x - p) ** 2)(lambda p: 1.0 * p), target="numba")
    assert np.isnan(double.grad(2.0))
    flat = sd.differentiate(sd.implicit(lambda x, p: 0.0 * x + p)(lambda p: 1.0 * p), target="python")
    with pytest.raises(np.linalg.LinAlgError):
        flat.jacobian(np.ones(2))


@pytest.mark.parametrize("equation, solver, text", [
    (lambda x, p: x - p, lambda p: (p, p), "a solver returns one root"),
    (lambda x, p: x - p, lambda p: 3, "a solver returns one root"),
    (lambda x, p: (x, p), lambda p: p * 1.0, "a value shaped like the root"),
    (lambda x, p: np.array([x, p]), lambda p: p * 1.0, "a value shaped like the root"),
    (lambda: 1.0, lambda p: p * 1.0, "takes the root, then the arguments"),
])
def test_misfits_are_refused_with_their_place(equation, solver, text):
    with pytest.raises(RuleError, match=text) as caught:
        sd.differentiate(sd.implicit(equation)(solver), target="python").grad(2.0)
    assert "test_implicit.py" in str(caught.value)


def test_an_equation_that_needs_more_is_refused():
    f = sd.differentiate(sd.implicit(lambda x, p, q: x - p * q)(lambda p: p * 1.0), target="python")
    with pytest.raises(sd.errors.ArgumentError, match="needs q"):
        f.grad(1.0)
