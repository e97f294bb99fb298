"""Shapes that do not fit, and arrays without elements: an error with a code, or NumPy's value."""

import numpy as np
import pytest

import srcdiff as sd

THREE = np.array([0.5, -1.0, 2.0])
NONE = np.zeros(0)


def of_other_lengths(x):
    rows = []
    for k in range(len(x)):
        rows.append(x[:k])
    return rows[0]


def of_no_rows(x):
    rows = []
    for k in range(len(x)):
        if x[k] > 9.0:
            rows.append(x)
    return np.array(rows)


@pytest.mark.parametrize("f, args, text", [
    (lambda x, y: np.sum(x * y), (THREE, THREE[:2]), r"SD0342\] operands could not be broadcast.*\n  why:  the generated code computes"),
    (lambda x, y: x @ y, (THREE, THREE[:2]), "SD0342"), (lambda x: x.reshape(2, 2), (THREE,), "SD0342"),
    (lambda x: np.max(x), (NONE,), r"SD0342\] zero-size array"),
    (lambda x, y: np.cross(x, y), (np.ones(4), np.ones(4)), r"SD0342\] np.cross takes vectors of 3 elements"),
    (lambda x: np.linalg.matrix_power(x, 0), (np.ones((2, 3)),), r"SD0342\] a matrix power takes a square matrix"),
    (of_other_lengths, (THREE,), r"SD0356\] the arrays in a list have different shapes"),
    (of_no_rows, (THREE,), r"SD0356\] the shape of a list of arrays without items"),
])
@pytest.mark.parametrize("transform", [sd.jacfwd, sd.jacrev])
def test_what_does_not_fit_has_a_code(transform, f, args, text):
    with pytest.raises(sd.errors.ShapeError, match=text):
        transform(sd.differentiate(f, target="python"))(*args)


def test_errors_of_the_user_stay_as_they_are():
    def f(x):
        if len(x) < 3:
            raise ValueError("three numbers are needed")
        return x.sum()
    with pytest.raises(ValueError, match="^three numbers are needed$"):
        sd.differentiate(f, target="python").grad(THREE[:2])


FROM_A_NUMBER = {
    "max": lambda x: np.max(x, initial=0.5), "min of rows": lambda x: x.min(axis=-1, initial=0.5, keepdims=True),
    "max of columns": lambda x: x.max(axis=0, initial=-9.0), "largest modulus": lambda x: np.linalg.norm(x.ravel(), np.inf),
    "largest row": lambda x: np.linalg.norm(np.atleast_2d(x), np.inf), "largest column": lambda x: np.linalg.norm(np.atleast_2d(x), 1),
}


@pytest.mark.parametrize("name", FROM_A_NUMBER)
def test_extremes_that_begin_with_a_number(name):
    f = FROM_A_NUMBER[name]
    g = sd.differentiate(f, target="python")
    for x in (NONE, np.zeros((0, 3)), np.zeros((3, 0)), THREE, np.outer(THREE, THREE)):
        value, by_rows = f(x), sd.jacrev(g)(x)
        np.testing.assert_array_equal(g(x), value)
        np.testing.assert_array_equal(by_rows, sd.jacfwd(g)(x))
        if x.size:
            moved = (np.asarray(f(x + 1e-6 * x)) - f(x - 1e-6 * x)) / 2e-6
            np.testing.assert_allclose(np.sum(by_rows * x, axis=tuple(range(np.ndim(value), np.ndim(by_rows)))), moved, rtol=1e-8, atol=1e-9)


def test_a_diagonal_takes_as_many_values_as_it_has():
    def f(x):
        a = np.zeros((3, 3))
        np.fill_diagonal(a, x**2)
        return a
    g = sd.differentiate(f, target="python")
    for x in (THREE, THREE[:2], np.append(THREE, 1.0), NONE):
        np.testing.assert_array_equal(sd.jacrev(g)(x), sd.jacfwd(g)(x))
        np.testing.assert_allclose(sd.jacfwd(g)(x) @ x, 2.0 * f(x), rtol=1e-15)


def test_binary_digits_of_a_run_time_integer():
    g = sd.differentiate(lambda x, n: x * n.bit_length() + x**len([x]).bit_length(), target="python")
    assert [g.grad(2.0, n) for n in (0, 1, 8, -9)] == [1.0, 2.0, 5.0, 5.0]


def test_items_of_arrays_that_numpy_has_reordered_are_counted():
    """The extents of what `roll` and an array of positions read are known where a function is made for shapes."""
    def f(v):
        return sum(np.hypot(*(p - q)) for p, q in zip(v[[2, 0, 1]], np.roll(v, 1, axis=0), strict=True))
    v, d = np.array([[3.0, 4.0], [1.0, 2.5], [5.0, 7.0]]), np.array([[0.3, -1.0], [0.2, 0.6], [-0.4, 0.5]])
    g = sd.differentiate(f, target="python")
    np.testing.assert_allclose(np.sum(g.grad(v) * d), (f(v + 1e-6 * d) - f(v - 1e-6 * d)) / 2e-6, rtol=1e-8)
