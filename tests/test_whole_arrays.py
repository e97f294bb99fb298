"""Products of matrices, views and copies in compiled modules: what NumPy gives, without functions of Numba's to compile."""

import numpy as np
import pytest
from numba.core import event

from srcdiff.backend import Options, large_pages, numba

pytestmark = pytest.mark.skipif(not large_pages.available(), reason="this Numba has other parts")

TEXT = '''
import numpy as np

__all__ = ["products", "views"]


def products(a, b, a_T, b_T):
    return a @ b, a @ b_T.T, a_T.T @ b, a_T.T @ b_T.T


def views(a, rows, columns):
    return np.reshape(a, (rows, columns)), a.reshape(-1), a.reshape(columns, rows).copy()
'''


@pytest.fixture(scope="module")
def module():
    return {name: numba.load(name, TEXT, Options(cache=False)) for name in ("products", "views")}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("m, k, n", [(3, 4, 5), (1, 4, 5), (3, 4, 1), (1, 4, 1), (3, 0, 5), (0, 4, 5), (3, 4, 0)])
def test_products_are_numpys(module, dtype, m, k, n):
    rng = np.random.default_rng(m + 10 * n)
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    for product in module["products"](a, b, a.T.copy(), b.T.copy()):
        np.testing.assert_allclose(product, a @ b, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)
        assert product.dtype == dtype and product.shape == (m, n) and product.flags.c_contiguous


def test_products_that_do_not_fit_are_refused(module):
    a = np.ones((3, 4))
    with pytest.raises(ValueError, match="incompatible array sizes"):
        module["products"](a, a, a, a)


@pytest.mark.parametrize("size, rows, columns", [(6, 2, 3), (6, -1, 2), (6, 3, -1), (0, 0, 4), (0, -1, 4)])
def test_views_share_memory_and_copies_do_not(module, size, rows, columns):
    a = np.arange(float(size))
    view, flat, copy = module["views"](a, rows, columns)
    np.testing.assert_array_equal(view, a.reshape(rows, columns))
    np.testing.assert_array_equal(flat, a)
    np.testing.assert_array_equal(copy, a.reshape(columns, rows))
    assert not size or (np.shares_memory(view, a) and np.shares_memory(flat, a) and not np.shares_memory(copy, a))


@pytest.mark.parametrize("rows, columns, text", [(4, 2, "total size"), (-1, 4, "total size"), (-1, -1, "multiple negative")])
def test_views_that_do_not_fit_are_refused(module, rows, columns, text):
    with pytest.raises(ValueError, match=text):
        module["views"](np.arange(6.0), rows, columns)


def test_nothing_else_is_compiled():
    square = np.eye(2)
    with event.install_recorder("numba:run_pass") as steps:
        for name, args in (("products", (square,) * 4), ("views", (square, 4, 1))):
            numba.load(name, f"{TEXT}# afresh", Options(cache=False))(*args)
    assert {step.data["qualname"] for _, step in steps.buffer} == {"products", "views"}
