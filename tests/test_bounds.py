"""Scalar indices are proved in range or checked, in every transform; what NumPy takes is not refused."""

import numpy as np
import pytest

import srcdiff as sd
from srcdiff import frontend
from srcdiff.errors import IndexOutOfRangeError, SrcdiffError
from srcdiff.notation import run
from srcdiff.optimize.bounds import bounds
from srcdiff.syntax import Array, For, Raise, Scalar, While, blocks_of, walk
from srcdiff.verify import verify

VECTOR, MATRIX, INTS, INT = Array("float64", 1), Array("float64", 2), Array("int64", 1), Scalar("int64", weak=True)


def straight(x, n):
    return x[n] * 2.0


def counted(x, n):
    s = 0.0
    for i in range(n):
        s += x[i] * x[i]
    return s


def down(x, n):
    s = 0.0
    for i in range(n, 0, -1):
        s += x[i - 1] * x[i]
    return s


def strided(x, n):
    s = 0.0
    for i in range(0, n, 3):
        s += x[i + 1] ** 2
    return s


def guarded(x, n):
    s = 0.0
    for i in range(n):
        if i < len(x):
            s += x[i] ** 2
    return s


def left(x, n):
    s = 0.0
    i = 0
    while True:
        if i >= n or x[i] > 100.0:
            break
        s += x[i] ** 2
        i += 1
    return s


def both_ends(x, n):
    return x[0] * x[-1] + n


def stored(x, n):
    y = np.zeros(3)
    y[n] = x[0] ** 2
    y[n] += 1.0
    return y[0] + 2.0 * y[1] + 3.0 * y[2]


def triangle(x, n):
    s = 0.0
    for i in range(n):
        for j in range(i + 1, n):
            s += x[i] * x[j]
        for j in range(i):
            s -= x[j] ** 2
    return s


def walked(x, n):
    k = 5
    s = 0.0
    for _ in range(n):
        k = (3 * k + 1) % 7
        s += x[k] ** 2
        k -= 2
    return s


def varying(x, n):
    s = 0.0
    for i in range(3):
        n -= 1
        s += x[n] * x[i]
    return s


FUNCTIONS = (straight, counted, down, strided, guarded, left, both_ends, stored, triangle, walked, varying)


def outcome(function, *args):
    """Return the value, or IndexError."""
    try:
        return function(*args)
    except IndexError:
        return IndexError


def same(a, b):
    return a is b if IndexError in (a, b) else np.isclose(a, b, rtol=1e-12, atol=0)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_what_python_refuses_is_refused_and_nothing_else(function):
    program = bounds(frontend.specialise(function, (VECTOR, INT), {}).program)
    verify(program)
    seen = set()
    for size in range(0, 8):
        x = np.arange(1.0, size + 1.0)
        for n in range(-9, 10):
            expected = outcome(function, x, n)
            message = ""
            try:
                got = run(program, x, n)
            except IndexError as error:
                got, message = IndexError, str(error)
            assert same(got, expected), (size, n)
            assert got is not IndexError or message.startswith("[SD0343] "), "NumPy found it, not the check"
            seen.add(got is IndexError)
    assert True in seen or function is guarded


# -- derivatives -------------------------------------------------------------------------

@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("transform", ["grad", "hessian", "jacfwd"])
def test_derivatives_refuse_what_the_function_refuses(function, transform):
    derivative = getattr(sd.differentiate(target="python")(function), transform)
    for size, n in ((4, 2), (4, 5), (3, 1), (0, 0), (2, -3), (5, -1), (3, 4)):
        x = np.arange(1.0, size + 1.0)
        if outcome(function, x, n) is IndexError:
            with pytest.raises(IndexOutOfRangeError, match="SD0343"):
                derivative(x, n)
        else:
            assert np.all(np.isfinite(derivative(x, n)))


def rows(x, n):
    y = np.zeros(n)
    for i in range(n):
        y[i] = x[i] * x[i]
    return y


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
def test_compiled_jacobians_check(mode):
    f = sd.differentiate(rows)
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(getattr(f, mode)(x, 3), np.diag(2 * x))
    with pytest.raises(IndexOutOfRangeError):
        getattr(f, mode)(x, 4)


def gathered(x, index):
    s = 0.0
    for i in range(len(index)):
        s += x[index[i]] ** 2
    return s


def test_compiled_gather_and_message():
    f = sd.differentiate(gathered)
    x, inside = np.array([1.0, 2.0, 3.0]), np.array([0, -1, 2])
    np.testing.assert_allclose(f.grad(x, inside), [2.0, 0.0, 12.0])
    for bad in (3, -4, 1_000_000_000):
        with pytest.raises(IndexOutOfRangeError) as caught:
            f.grad(x, np.array([0, bad]))
        assert isinstance(caught.value, SrcdiffError) and isinstance(caught.value, IndexError)
        assert "s += x[index[i]] ** 2" in str(caught.value) and "test_bounds.py" in str(caught.value)
        with pytest.raises(IndexOutOfRangeError):
            f(x, np.array([0, bad]))


def test_a_function_that_writes_its_argument_checks_too():
    @sd.differentiate
    def double(x, n):
        for i in range(n):
            x[i] = 2.0 * x[i]

    x = np.ones(3)
    double(x, 3)
    assert x.tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(IndexError):
        double(x, 4)


# -- what is proved ---------------------------------------------------------------------------

def stencil(x):
    y = np.zeros_like(x)
    n = len(x)
    for i in range(1, n - 1):
        y[i] = x[i - 1] - 2.0 * x[i] + x[i + 1]
    for i in range(n - 2, -1, -1):
        y[i] += y[i + 1]
    return y


def halves(x):
    s = 0.0
    n = len(x)
    for i in range(n // 2):
        s += x[i] * x[n - 1 - i] + x[2 * i + 1]
    return s


def ring(x):
    s = 0.0
    n = len(x)
    for i in range(n):
        s += x[i] * x[(i + 1) % n] + x[i - 1] + x[min(i + 1, n - 1)] + x[max(i - 2, 0)]
    return s


def searching(x):
    i = 0
    while i < len(x) and x[i] < 3.0:
        i += 1
    return x[i] if i < len(x) else 0.0


def lower_triangle(A):
    n = A.shape[0]
    s = 0.0
    for i in range(n):
        for j in range(i + 1):
            for k in range(j, i + 1):
                s += A[k, 0] * A[i - j, 0]
    return s



def checks(body) -> int:
    return sum(isinstance(s, Raise) and "SD0343" in s.message for s in walk(body))


def checks_in_loops(body) -> int:
    return sum(checks(block) for s in walk(body) if isinstance(s, For | While) for block in blocks_of(s))


@pytest.mark.parametrize("function", [stencil, halves, ring, searching], ids=lambda f: f.__name__)
def test_usual_loops_are_proved(function):
    program = bounds(frontend.specialise(function, (VECTOR,), {}).program)
    assert checks(program.body) == 0
    for size in range(6):
        x = np.arange(1.0, size + 1.0)
        np.testing.assert_allclose(run(program, x), function(x))


def test_nested_loops_are_checked_once():
    program = bounds(frontend.specialise(lower_triangle, (MATRIX,), {}).program)
    assert checks(program.body) >= 1 and checks_in_loops(program.body) == 0
    assert run(program, np.ones((0, 0))) == 0.0
    assert run(program, np.ones((2, 1))) == lower_triangle(np.ones((2, 1)))
    with pytest.raises(IndexError, match="SD0343"):
        run(program, np.ones((2, 0)))


@pytest.mark.parametrize("function", [counted, down, strided, triangle], ids=lambda f: f.__name__)
def test_linear_indices_are_checked_before_the_loop(function):
    program = bounds(frontend.specialise(function, (VECTOR, INT), {}).program)
    assert checks(program.body) >= 1 and checks_in_loops(program.body) == 0


def test_one_check_for_a_load_and_a_store_of_one_element():
    program = bounds(frontend.specialise(stored, (VECTOR, INT), {}).program)
    assert checks(program.body) == 2                # y[n] and x[0]; then y is 3 long


def test_a_raise_of_the_user_comes_first():
    def f(x, n):
        s = 0.0
        for i in range(n):
            if x[i] < 0.0:
                raise ValueError("negative")
            s += x[i]
        return s

    program = bounds(frontend.specialise(f, (VECTOR, INT), {}).program)
    with pytest.raises(ValueError, match="negative"):
        run(program, np.array([1.0, -1.0]), 5)
    with pytest.raises(IndexError, match="SD0343"):
        run(program, np.array([1.0, 1.0]), 5)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_an_array_is_unpacked_into_as_many_names_as_it_has_items(count):
    def sides(x):
        a, b, c = x
        return a * b + c

    x = np.arange(1.0, count + 1)
    for derivative in (sd.grad, sd.jacfwd, sd.hessian):
        function = derivative(sd.differentiate(sides, target="python"))
        if count == 3:
            function(x)
            continue
        with pytest.raises(ValueError):
            sides(x)
        with pytest.raises(sd.errors.ShapeError, match=r"SD0347\] there are not 3 values to unpack"):
            function(x)
