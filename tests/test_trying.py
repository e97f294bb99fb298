"""`try` around linear algebra, powers and shapes: the handler's value, and its derivative, where the user's function has it."""

import math

import numpy as np
import pytest
from numpy.linalg import LinAlgError

import srcdiff as sd
from tests.oracle import differences, directions

GOOD, SINGULAR, INDEFINITE = np.array([[2.0, 1.0], [1.0, 3.0]]), np.ones((2, 2)), np.array([[1.0, 2.0], [2.0, 1.0]])
B = np.array([1.5, -2.0])


def solved(a, b):
    try:
        return np.sum(np.linalg.solve(a, b)**2)
    except LinAlgError:
        return 2.0 * np.sum(b**2)


def density(a, b):
    low = np.linalg.cholesky(a)
    z = np.linalg.solve(low, b)
    return -0.5 * z @ z - np.sum(np.log(np.diag(low)))


def density_or_penalty(a, b):
    try:
        return density(a, b)
    except (LinAlgError, ValueError):
        return -1e3 * np.sum(b)


def more_on_the_diagonal(a, b):
    added = 0.0
    for _ in range(5):
        try:
            low = np.linalg.cholesky(a + added * np.eye(2))
            break
        except LinAlgError:
            added = max(10.0 * added, 0.3)
    return np.sum(np.linalg.solve(low, b))


def shifted(a, b):
    total = 0.0
    for k in range(3):
        try:
            x = np.linalg.solve(a - 0.5 * k * np.eye(2), b)
        except LinAlgError:
            continue
        total += x[0]
    return total


def with_any_exception(a, b):
    try:
        inverse = np.linalg.inv(a)
        y = inverse @ b * 2.0 + b
        result = np.max(y) + np.sum(np.exp(y - np.max(y))) / np.sum(b**2) + np.linalg.det(a) + np.linalg.svd(a, compute_uv=False)[0]
    except Exception:
        result = b[0]**2
    else:
        result = 3.0 * result
    finally:
        b = 2.0 * b
    return result * b[1]


def definite_at_last(a, b):
    def is_definite(m):
        try:
            np.linalg.cholesky(m)
            return True
        except LinAlgError:
            return False
    k = 0
    while not is_definite(a + 0.3 * k * np.eye(2)):
        k += 1
    return np.sum(np.linalg.solve(a + 0.3 * k * np.eye(2), b))


FUNCTIONS = [solved, density_or_penalty, more_on_the_diagonal, shifted, with_any_exception, definite_at_last]
# The last one depends on rounding where the matrix is singular.
CASES = [(f, m) for f in FUNCTIONS for m in (GOOD, SINGULAR, INDEFINITE)][:-2]
CASES += [(definite_at_last, INDEFINITE)]


@pytest.mark.parametrize("f, matrix", CASES, ids=lambda v: getattr(v, "__name__", str(v)[:6]))
def test_linear_algebra_that_is_refused_runs_the_handler(f, matrix):
    g, args = sd.differentiate(f, target="python"), (matrix, B)
    direction = directions(args, np.random.default_rng(0))
    if matrix is SINGULAR:              # singular along the whole line
        direction = (direction[0][0, 0] * matrix, direction[1])
    (expected, error), = differences(f, args, direction, step=1e-4)
    value, tangent = g.jvp(args, direction)
    gradient = sd.grad(g, argnums=(0, 1))(*args)
    assert value == pytest.approx(f(*args), rel=1e-13)
    assert tangent == pytest.approx(expected, rel=1e-7, abs=1e-7 + 10 * error)
    assert sum(np.sum(a * b) for a, b in zip(gradient, direction, strict=True)) == pytest.approx(tangent, rel=1e-11)


@pytest.mark.parametrize("f", [solved, density_or_penalty])
def test_compiled_and_in_a_batch(f):
    compiled, plain = sd.grad(f, argnums=(0, 1)), sd.grad(sd.differentiate(f, target="python"), argnums=(0, 1))
    for matrix in (GOOD, SINGULAR, INDEFINITE):
        for a, b in zip(compiled(matrix, B), plain(matrix, B), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
    batch = np.stack([GOOD, SINGULAR, INDEFINITE] * 60)
    singles = np.stack([plain(m, B)[0] for m in batch[:3]])
    np.testing.assert_allclose(sd.vmap(compiled, in_dims=(0, None))(batch, B)[0], np.concatenate([singles] * 60), rtol=1e-12)


def test_second_derivatives_of_what_is_tried():
    g = sd.differentiate(density_or_penalty, target="python")
    hessian = sd.hessian(g, argnums=1)
    np.testing.assert_allclose(hessian(GOOD, B), -np.linalg.inv(GOOD), rtol=1e-12)
    assert not hessian(SINGULAR, B).any()


def power_of_python(x, n):
    x, n = float(x), float(n)
    try:
        return 1.0 / x**n + math.exp(x**2)
    except ZeroDivisionError:
        return 7.0 * x + n
    except OverflowError:
        return 3.0 * x


@pytest.mark.parametrize("x, n, slope", [(1.5, 2.0, -2 / 1.5**3 + 3 * math.exp(2.25)), (0.0, 2.0, 7.0), (0.0, -2.0, 7.0),
                                         (1e200, 2.0, 3.0), (1e3, 1.0, 3.0)])
def test_powers_that_raise(x, n, slope):
    g = sd.differentiate(power_of_python, target="python")
    assert g.value_and_grad(x, n) == pytest.approx((power_of_python(x, n), slope))


def of_any_shape(a, b):
    try:
        c = a @ b
        d = c + a[0]
    except Exception:
        return 0.0 * b[0]
    return np.sum(b) + 0.0 * d[0] * c[0]


@pytest.mark.parametrize("columns, length", [(2, 3), (3, 3)])
def test_shapes_that_do_not_fit_raise_where_the_handler_would_run(columns, length):
    with pytest.raises(sd.errors.ShapeError, match="SD0342.*body of a `try`"):
        sd.differentiate(of_any_shape, target="python").grad(np.ones((2, columns)), np.ones(length))


def reads(x, k):
    try:
        return x[k]
    except IndexError:
        return x[0]


def svd_of_anything(a, b):
    try:
        return np.linalg.matrix_power(a, -1)[0] @ b
    except LinAlgError:
        return b[0]


@pytest.mark.parametrize("f, args, line", [(reads, (B, 5), "return x[k]"), (svd_of_anything, (GOOD, B), "matrix_power(a, -1)")])
def test_other_conditions_are_refused(f, args, line):
    with pytest.raises(sd.errors.UnsupportedError, match="SD0211") as caught:
        sd.differentiate(f, target="python").grad(*args)
    assert line in str(caught.value)


class NoConvergence(ArithmeticError):
    pass


def refuses_large_numbers(x):
    if x > 2.0:
        raise NoConvergence("too large")
    if x > 1.0:
        raise LinAlgError("large")
    if x < 0.0:
        error = KeyError("small")
        raise error
    return x * x


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_exceptions_of_other_modules_are_raised_as_the_builtin_ones_they_are(target):
    grad = sd.differentiate(refuses_large_numbers, target=target).grad
    assert grad(0.5) == 1.0
    for x, kind, message in ((3.0, ArithmeticError, "too large"), (1.5, ValueError, "large"), (-1.0, KeyError, None)):
        with pytest.raises(kind, match=message):
            grad(x)
