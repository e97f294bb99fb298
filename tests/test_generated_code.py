"""What generated code does not do: check twice, find the elements of a mask twice, ask what cannot be."""

import numpy as np
import pytest

import srcdiff as sd
from tests.oracle import differences

X = np.array([0.3, -0.8, 1.1, 0.6, -0.2])


def corners(x):
    return x[0] * x[1] - x[3] ** 2 * x[0]


def corners_each_time(x):
    total = 0.0
    for _ in range(3):
        total += x[0] * x[1] * total + x[2]
    return total


def below(x):
    y = x * 2.0
    chosen = x < 0.5
    return np.sum(y[chosen] ** 2) + np.mean(y[chosen])


def below_another_time(x):
    chosen = x < 0.5
    first = np.sum(x[chosen] ** 2)
    chosen[0] = False
    return first + np.sum(np.exp(x[chosen]))


def guarded(x):
    return np.sum(np.where(x > 0, np.log1p(x), 0.1 * x))


def rows_on_a_stack(x):
    u = np.array([x[0], x[1], x[2]])
    rounds = 0
    while np.sum(u * u) < 50.0 and rounds < 12:
        u = np.sin(u) * 1.5 + x[3] * u[::-1]
        rounds += 1
    return np.sum(u * u)


def appended(x):
    found = []
    for i in range(len(x)):
        found.append(np.sqrt(1.0 + x[i] ** 2) * x[0])
    return sum(found)


def steps_up(x):
    last = None
    total = 0.0
    for v in x:
        if v > 0:
            if last is not None:
                total += (v - last) ** 2
            last = v
    return total


def least(x):
    best = None
    for v in x:
        if best is None or v < best:
            best = v
    return 0.0 if best is None else best * best


FUNCTIONS = [steps_up, least, corners, corners_each_time, below, below_another_time, guarded, rows_on_a_stack, appended]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_the_gradient_is_right(function):
    found = sd.differentiate(function, target="python").grad(X)
    for slope, direction in zip(found, np.eye(len(X)), strict=True):
        ((expected, error),) = differences(function, (X,), (direction,))
        assert error < 1e-8
        np.testing.assert_allclose(slope, expected, rtol=1e-8, atol=1e-9)


def source(function):
    return sd.grad(function).source(X)


@pytest.mark.parametrize("function", [corners, corners_each_time], ids=lambda f: f.__name__)
def test_elements_of_one_line_are_checked_once(function):
    assert source(function).count("raise IndexError") == 1
    derivative = sd.differentiate(function, target="python").grad
    for length in range(3):
        with pytest.raises(IndexError):
            derivative(X[:length])


@pytest.mark.parametrize("function", [steps_up, least], ids=lambda f: f.__name__)
def test_a_branch_does_not_ask_what_it_has_tested(function):
    assert "SD0357" not in source(function)


def test_the_elements_of_a_mask_are_found_once():
    assert source(below).count("dtype=np.int64") == 1
    assert source(below_another_time).count("dtype=np.int64") > 1           # the mask has changed meanwhile


def test_the_barrier_before_a_branch_leaves_no_trace():
    text = sd.value_and_grad(guarded).source(X, level="array")
    assert "log1p(x)" in text and "taken" not in text


def test_arrays_of_known_extents_are_rows_of_a_stack():
    text = source(rows_on_a_stack)
    assert "np.reshape" not in text and "min(" not in text


def test_a_list_that_grows_is_not_asked_whether_its_end_exists():
    assert "IndexError" not in source(appended)
