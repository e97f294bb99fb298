"""New arrays of compiled modules: the same arrays as Numba's own, with large pages for large ones."""

import numpy as np
import pytest
from numba import njit

from srcdiff.backend import Options, large_pages, numba

pytestmark = pytest.mark.skipif(not large_pages.available(), reason="the system has no large pages")
ours = large_pages.numpy_module()


@njit
def every_kind(n):
    return (ours.empty(n), ours.empty((n, 2), dtype=np.float32), ours.zeros(n), ours.zeros((n, 3, 1)),
            ours.zeros((2, n), np.int64), ours.zeros(n, dtype=np.bool_), ours.zeros(n, dtype=np.complex128),
            ours.zeros(()), ours.empty((0, n)))


@pytest.mark.parametrize("n", [0, 3, 700_000])
def test_arrays_are_those_of_numpy(n):
    expected = (np.empty(n), np.empty((n, 2), np.float32), np.zeros(n), np.zeros((n, 3, 1)), np.zeros((2, n), np.int64),
                np.zeros(n, bool), np.zeros(n, complex), np.zeros(()), np.empty((0, n)))
    for made, wanted, cleared in zip(every_kind(n), expected, (0, 0, 1, 1, 1, 1, 1, 1, 0), strict=True):
        assert (made.shape, made.dtype) == (wanted.shape, wanted.dtype)
        assert made.flags.c_contiguous and made.flags.writeable
        assert not cleared or not made.any()


def test_large_arrays_begin_at_a_large_page():
    assert all(a.ctypes.data % large_pages.LARGE_PAGE == 0 for a in every_kind(700_000) if a.nbytes >= large_pages.SMALLEST)


@pytest.mark.parametrize("n, error, text", [
    (1 << 61, ValueError, "too big"), (-1, ValueError, "negative dimensions"), (1 << 46, MemoryError, "too large")])
def test_arrays_that_cannot_be_made_are_errors(n, error, text):
    with pytest.raises(error, match=text):
        every_kind(n)


@pytest.mark.parametrize("parallel", [False, True])
def test_compiled_modules_ask_for_large_pages(parallel):
    text = """import numpy as np
from numba import prange

def squares(x):
    y = np.empty(x.shape[0])
    for i in prange(x.shape[0]):
        y[i] = x[i] * x[i]
    return y
"""
    squares = numba.load("squares", text, Options(cache=False, parallel=parallel))
    x = np.arange(600_000.0)
    np.testing.assert_array_equal(squares(x), x * x)
    assert all("@madvise" in code for code in squares.inspect_llvm().values())
