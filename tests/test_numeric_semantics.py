"""Numbers where NumPy's arithmetic and Python's or compiled code's might differ: powers, means, truth values, edges."""

import linecache

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.errors import IntegerPowerError, UnsupportedError

ZEROS = np.array([0.0, -0.0, 2.0, np.inf, -np.inf, np.nan, 1e-200])
COMPLEX = np.array([0, 1e-200, 1e200j, 0.5j, 2, 2 + 1j, np.inf, complex(np.nan, 0), 1 + 1j, -2])


def function_of(expression):
    text = f"import numpy as np\ndef f(w, x, k):\n    return w * 2.0, {expression}\n"
    file = f"<numeric {expression}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space = {}
    exec(compile(text, file, "exec"), space)
    return space["f"]


def value(f, x, k, target="python"):
    return sd.jvp(sd.differentiate(f, target=target), (1.5, x, k), (1.0, *(
        np.zeros_like(v) if np.asarray(v).dtype.kind == "f" else None for v in (x, k))))[0][1]


def same(found, expected, rtol=1e-13):
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    if not np.iscomplexobj(expected):
        return np.testing.assert_allclose(found, expected, rtol=rtol, atol=0)
    for part in (np.real, np.imag):             # a part that is nothing beside the other has the rounding of that
        scale = np.where(np.isfinite(expected), abs(expected), 0)
        near = np.isclose(part(found), part(expected), rtol=1e-12, atol=1e-12 * scale, equal_nan=True)
        assert near.all(), (found, expected)


# -- powers -----------------------------------------------------------------------------------------

@np.errstate(all="ignore")
def check_powers(target):
    f = function_of("x ** k")
    for k in (-1, -2, -3, np.array([-1, -2, 3, -3, -5, -64, -2]), np.array([-1.0, -2, 3, -3, 0.5, 2, 1])):
        same(value(f, ZEROS, k, target), ZEROS ** k)
    for n in (-1, -2, -3, -200):
        g = function_of(f"x ** {n}")
        same(value(g, ZEROS, 0.0, target), ZEROS ** n)
        same(value(g, np.float64(0.0), 0.0, target), np.float64(0.0) ** n)
    single = ZEROS.astype(np.float32)
    same(value(f, single, np.array([-1, -2, 3, -200, 7, 1, -2]), target), single ** np.array([-1, -2, 3, -200, 7, 1, -2]))
    same(value(f, np.float64(0.0), np.int64(-1), target), np.inf * np.ones(()))


def test_powers_of_zero_are_infinite():
    check_powers("python")


def test_compiled_powers_of_zero_are_infinite():
    check_powers("numba")


def test_slope_of_a_compiled_whole_power():
    for k in (np.int64(-3), np.int64(2), np.int64(0)):
        x = np.array([0.5, -2.0, 1e-3])
        slope = sd.grad(lambda x, k: np.sum(x ** k))(x, k)
        np.testing.assert_allclose(slope, k * x ** float(k - 1), rtol=1e-13)
    assert sd.grad(lambda x, k: np.sum(x ** k))(np.zeros(1), np.int64(-1))[0] == -np.inf


@np.errstate(all="ignore")
def test_complex_powers_are_numpys():
    primal = {}
    for expression in ("z ** k", "z ** 2", "z ** 7", "z ** -2", "z ** 2.5", "z ** 2000"):
        f = function_of(f"({expression}).real".replace("z", "x")), function_of(f"({expression}).imag".replace("z", "x"))
        for k in [2000, -3, 100, 0, 1.5 + 1j] if "k" in expression else [0]:
            expected = np.power(COMPLEX, eval(expression.partition("**")[2]))
            for target in ("python", "numba") if "k" in expression else ("python",):
                primal[target] = [value(g, COMPLEX, k, target) for g in f]
                made = np.empty_like(expected)
                made.real, made.imag = primal[target]
                same(made, expected)


INTEGER_POWERS = [("x ** k", np.array([0, 2, 3]), -1), ("x ** k", np.int64(2), -1), ("x ** k", 2, np.int64(-1)), ("2 ** x", np.array([-1, 2]), 0),
                  ("x ** k", np.array([0, 2, 3]), np.array([1, 2, -1])), ("np.power(x, k)", 2, -1), ("x ** -1", np.int64(3), 0),
                  ("x ** -2", np.array([1, 2]), 0), ("np.power(x, -1)", 2, 0)]


@pytest.mark.parametrize(("expression", "x", "k"), INTEGER_POWERS)
def test_integers_have_no_negative_powers(expression, x, k):
    f = function_of(expression)
    with pytest.raises(ValueError, match="negative integer power"):
        f(1.0, x, k)
    with pytest.raises((IntegerPowerError, UnsupportedError), match="integer to a negative integer power") as refused:
        value(f, x, k)
    assert refused.value.problems[0].where.line == 3 and refused.value.problems[0].fix


def test_python_integers_to_negative_powers_are_floats_or_refused():
    assert value(function_of("x ** -1"), 2, 0) == 0.5 and value(function_of("k * 2 ** -3"), 0, 2) == 0.25
    f = function_of("x ** k")
    assert value(f, 2, 10) == 1024
    with pytest.raises(IntegerPowerError, match="only Python's numbers have"):
        value(f, 2, -1)
    with pytest.raises(IntegerPowerError, match="line 3"):
        value(f, 2, -1, "numba")
    assert value(function_of("sum(2 ** i for i in range(k))"), 0, 5) == 31


# -- means, reciprocals, truth values ------------------------------------------------------------------

MEANS = ["np.mean(x)", "x.mean(axis=0)", "np.average(x)", "np.average(x, weights=x)", "np.var(x)", "np.std(x, axis=0, ddof=1)",
         "np.mean(x, where=x > 0)"]


@pytest.mark.parametrize("expression", MEANS)
def test_means_of_integers_do_not_wrap(expression):
    f = function_of(expression)
    for x in (np.array([2**62, 2**62, 2**62 - 2**61]), np.array([2**63, 2**63 - 2**40, 7], np.uint64), np.array([True, False, True])):
        same(value(f, x, 0), f(1.0, x, 0)[1])


RECIPROCALS = [np.array([0, 1, -1, 3]), np.int8([0, 1, -1, 3]), np.uint8([0, 1, 255]), np.int64(0), np.int64(-1), np.float64(0.0),
               np.array([0, 1, 2**64 - 1], np.uint64)]


@np.errstate(divide="ignore", invalid="ignore")
def test_reciprocals_of_integers():
    f = function_of("np.reciprocal(x)")
    for target in ("python", "numba"):
        for x in RECIPROCALS:
            same(value(f, x, 0, target), np.reciprocal(x))
        assert value(f, 0, 0, target) == np.reciprocal(0)


BOOLS = ["np.True_ + True", "np.True_ * False", "np.True_ + x", "x + k", "k + x", "x * k", "x + x", "x ** k", "x // k", "x / k", "x & k", "x + 1",
         "x - 1", "True + True", "True - True", "np.add(True, True)"]


@pytest.mark.parametrize("expression", BOOLS)
def test_arithmetic_of_truth_values(expression):
    f = function_of(expression)
    for x in (np.array([True, False]), np.True_, np.False_):
        for k in (True, np.True_):
            expected = f(1.0, x, k)[1]
            for target in ("python", "numba") if expression in ("x + k", "x ** k") else ("python",):
                same(value(f, x, k, target), expected)


@pytest.mark.parametrize("expression", ["np.True_ - True", "-np.True_", "x - k", "k - x", "x - x", "-x", "np.subtract(True, k)"])
def test_truth_values_have_no_difference(expression):
    f, args = function_of(expression), (np.array([True, False]), True)
    with pytest.raises(TypeError, match="boolean (subtract|negative)"):
        f(1.0, *args)
    with pytest.raises(UnsupportedError, match="boolean (subtract|negative)"):
        value(f, *args)


def test_a_truth_value_of_numpys_is_known_all_the_same():
    def f(x, flag=np.True_, other=np.False_):
        y = np.sum(x, keepdims=np.True_) if flag and not other else x ** 3
        return np.sum(np.where(np.True_, y * x, 0.0) + (flag is np.True_))
    x = np.array([1.0, 2.0])
    assert sd.grad(f)(x) == pytest.approx([6.0, 6.0])


def test_out_of_heaviside_and_float_power():
    for call, expected in (("np.heaviside(x, 0.5, out=np.zeros(3))", [1.0, 0.5, 0.0]), ("np.float_power(x, 2, out=np.zeros(3))", [4.0, 0.0, 1.0])):
        same(value(function_of(call), np.array([2.0, 0.0, -1.0]), 0), np.array(expected))
    slope = sd.grad(lambda x: np.sum(np.float_power(x, 3, out=np.zeros(2))))(np.array([1.0, 2.0]))
    np.testing.assert_allclose(slope, [3.0, 12.0], rtol=1e-14)


NARROW = ["np.cumprod(x)", "np.cumsum(x)", "np.prod(x)", "np.fabs(x)", "np.sum(x[0])", "np.prod(x[1])", "np.any(x[0])", "np.all(x[-1])", "np.var(x[1])",
          "x @ x", "np.dot(x, x)", "np.isclose(x, x[0])", "np.sum(x[0], dtype=np.float64)", "np.max(x[0])"]


@pytest.mark.parametrize("expression", NARROW)
def test_reductions_of_narrow_integers_and_of_single_numbers(expression):
    f = function_of(expression)
    for x in (np.array([-128, 127, 3], np.int8), np.array([200, 100, 0], np.uint8), np.array([-2**63, 1, 0]), np.array([0.5, 0.0])):
        found, expected = value(f, x, 0), f(1.0, x, 0)[1]
        if x.dtype.itemsize == 1 and "fabs" in expression:          # in double precision, where NumPy's is half
            expected = expected.astype(np.float64)
        same(found, expected)
    assert value(function_of("np.any(x) + 0"), np.int64(7), 0) == 1 and value(function_of("np.sum(x) + 1"), True, 0) == 2
    assert sd.grad(lambda x: np.sum(np.fabs(x)) + np.sum(x[0]) + np.all(x[0]))(np.array([-1.0, 2.0])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("target", ["python", "numba"])
def test_integer_powers_wrap(target):
    f = function_of("x ** k")
    for dtype, base in ((np.int64, [3, -7, 2]), (np.uint64, [3, 5, 2**64 - 1]), (np.int8, [3, -7, 2])):
        x, k = np.array(base, dtype), np.array([100, 126, 64]).astype(dtype)
        same(value(f, x, k, target), x ** k)
    x, k = np.array([3, 5, 2], np.uint64), np.array([2**64 - 1, 70001, 2**33], np.uint64)
    same(value(f, x, k, target), x ** k)


def test_half_precision_is_refused():
    for expression in ("np.exp(x)", "np.sqrt(x[0])", "np.logaddexp(x, x)"):
        with pytest.raises(UnsupportedError, match="half precision"):
            value(function_of(expression), np.array([1, 2], np.int8), 0)


@pytest.mark.parametrize("target", ["python", "numba"])
def test_functions_of_two_kinds_of_numbers(target):
    whole = np.array([7, -7, 100, -128, 1, 5, 0, 127])
    for left, right in ((np.int64, np.int64), (np.int8, np.int8), (np.int64, np.uint8), (np.uint8, np.int8), (np.uint64, np.uint64)):
        x, k = whole.astype(left), np.array([-1, 3, -7, 5, -2, 0, 4, -128]).astype(right)
        same(value(function_of("np.fmod(x, k)"), x, k, target), np.fmod(x, np.where(k == 0, x, k).astype(right)))
    single = np.float32([0.1, 3.7, -2.5, 1, 0.3, 8, -1, 2])
    for name in ("arctan2", "hypot", "logaddexp", "copysign", "fmod"):
        f = function_of(f"np.{name}(x, k)")
        same(value(f, whole, single, target), getattr(np, name)(whole, single), rtol=1e-12)
