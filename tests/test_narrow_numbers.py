"""Numbers of less than 64 bits: dtypes, and integers that overflow, as in NumPy, run as Python and compiled."""

import linecache

import numpy as np
import pytest

import srcdiff as sd

SINGLE, DOUBLE, BYTES = np.float32([1.5, 2.5, 0.5]), np.array([0.5, -1.2, 2.3]), np.array([100, 3, 120], np.int8)

FLOATS = ["np.maximum(x, 0)", "np.maximum(0.0, x)", "np.power(x, 2)", "np.power(2.0, x)", "np.hypot(x, 3.0)", "np.arctan2(1, x)",
          "np.maximum(x, y)", "np.maximum(x[0], 1.0)", "np.sin(1.0) * x", "np.add(x, 1)", "np.fmin(x, np.float64(2.0))", "x * np.float64(2)",
          "np.where(x > 1, x, 0)", "np.clip(x, 0, 1)", "np.float32(2) * y", "np.float32(1) / 3", "np.uint64(3) * x"]
INTEGERS = ["np.uint8(200) + np.uint8(100)", "np.uint8(3) - np.uint8(5)", "np.int8(127) + 1", "-np.uint8(1)", "~np.uint8(3)",
            "np.int16(30000) * 2", "np.int8(12)**2", "np.uint32(1) - np.uint32(2)", "np.uint64(3) + np.int64(2)", "k + k", "k[0] + k[2]",
            "(k * k).sum()", "k * np.int8(2)", "k[0] - k[1] - k[0] * k[2]"]


def function_of(expression):
    text = f"import numpy as np\ndef f(x, y, k):\n    return {expression}\n"
    file = f"<narrow {expression}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space = {}
    exec(compile(text, file, "exec"), space)
    return space["f"]


@pytest.mark.parametrize("expression", FLOATS + INTEGERS)
@np.errstate(over="ignore")
def test_dtype_and_value_are_numpys(expression):
    f = function_of(expression)
    expected = np.asarray(f(SINGLE, DOUBLE, BYTES))
    found = np.asarray(sd.jvp(sd.differentiate(f, target="python"), (SINGLE, DOUBLE, BYTES), (SINGLE, DOUBLE, None))[0])
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def overflowing(x, k, m):
    s, t = k[0], m[0]
    for i in range(1, len(k)):
        s = s * k[i] + k[0]
        t -= m[i] - s
    above = np.sign((k + k).astype(np.uint8)).sum()             # of 200, 6, 240
    return x * (s + (k + k).sum()) + x * x * (t << 1) + x * np.uint8(np.uint8(200) + k[1]) + x * above


@np.errstate(over="ignore")
def test_compiled_integers_wrap():
    args = 1.5, BYTES, np.array([2**31 - 1, 70000, -2**31], np.int32)
    value, slope = sd.value_and_grad(overflowing)(*args)
    assert value == pytest.approx(overflowing(*args), rel=1e-14)
    assert slope == pytest.approx((overflowing(2.5, *args[1:]) - overflowing(0.5, *args[1:])) / 2, rel=1e-12)
