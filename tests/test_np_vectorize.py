"""`np.vectorize`: values, shapes and dtypes are NumPy's; derivatives agree with differences; where the type is not sure, it is refused."""

import math

import numpy as np
import pytest

from srcdiff.errors import UnsupportedError
from tests.modes import flatten, specialised
from tests.random_checks import Case, check, check_second
from tests.random_programs import Generated
from tests.translating import cases, name_of

X, A = np.array([0.5, -1.2, 2.3]), np.array([[0.3, -0.7, 1.9], [1.1, 0.4, -2.0]])
CASES, case = cases()


def softened(v):
    if v > 0:
        return math.tanh(v) * v
    return v * v * v


@np.vectorize
def scaled(v, w, k):
    return v * w ** 2 if k == 1 else v + w


made_outside = np.vectorize(softened, otypes=[float])


@case((X,), (A,))
def called_at_once(x):
    return np.vectorize(softened)(x) * x


@case((X, A))
def made_by_a_decorator(x, a):
    return scaled(a, x, 1), scaled(a, a[:, :1], np.array([1, 2, 1])).sum(), scaled(x[0], 2.0, 1) + x


@case((X, A))
def of_a_lambda(x, a):
    half = x[0] / 2.0
    each = np.vectorize(lambda v: max(0, v - half) + float(isinstance(v, float)), otypes=[float])
    return each(a.T), each([x[1], x[2]]), made_outside(a[0])


@pytest.mark.parametrize(("function", "args"), CASES, ids=name_of)
def test_values_and_derivatives(function, args):
    made = Case(Generated(14, "", function, args))
    check(made)
    check_second(made)
    for got, want in zip(made.call(made.program), flatten(function(*args)), strict=True):
        assert np.asarray(got).dtype == np.asarray(want).dtype and np.shape(got) == np.shape(want)


def counted(x):
    seen = []
    return np.vectorize(lambda v: seen.append(v) or v)(x)


@pytest.mark.parametrize("function", [
    lambda x: np.vectorize(lambda v: v * v if v > 0 else 0)(x), lambda x: np.vectorize(lambda v: max(0, v))(x),
    lambda x: np.vectorize(lambda v: v, otypes=[int])(x), lambda x: np.vectorize(lambda v: (v, v))(x),
    lambda x: np.vectorize(lambda v, w: v, excluded={1})(x, 1.0), counted,
], ids=["zero", "max", "int", "pair", "excluded", "changes"])
def test_what_is_not_sure_is_refused(function):
    with pytest.raises(UnsupportedError, match="SD02"):
        specialised(function, (X,))


def test_no_elements():
    made = Case(Generated(15, "", called_at_once, (X[:0],)))
    with pytest.raises(ValueError, match="size 0"):
        called_at_once(X[:0])
    with pytest.raises(ValueError, match="size 0"):
        made.call(made.program)
