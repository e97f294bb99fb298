"""Linear algebra of compiled modules: NumPy's results for matrices of any strides, and nothing for Numba to compile."""

import numpy as np
import pytest
from numba import njit
from numba.core.compiler import CompilerBase
from numba.core.runtime import _nrt_python, rtsys

import srcdiff as sd
from srcdiff.backend import large_pages
from srcdiff.backend.products import product

pytestmark = pytest.mark.skipif(not large_pages.available(), reason="Numba's own functions are used")
linalg = large_pages.numpy_module().linalg


@njit
def everything(a, b, v):
    return (linalg.solve(a, b), linalg.solve(a, v), linalg.inv(a), linalg.cholesky(product(a, a.T)), linalg.det(a),
            linalg.slogdet(a), product(a, b), product(a, v), product(v, a))


def matrices(n, dtype):
    """Return a matrix that needs exchanges of rows, one with right-hand sides, and a vector."""
    draw = np.random.default_rng(n).normal
    a = draw(size=(n, n)) + n * np.eye(n)[::-1]
    return a.astype(dtype), draw(size=(n, 2)).astype(dtype), draw(size=n).astype(dtype)


def stepping(a):
    """Return the same numbers with gaps between them."""
    return np.repeat(a, 2, axis=-1)[..., ::2]


@pytest.mark.parametrize("n, dtype, arranged", [
    (0, float, np.asarray), (1, float, np.asarray), (3, float, stepping), (4, float, np.asarray), (20, float, stepping),
    (3, np.float32, np.asarray)])
def test_results_are_those_of_numpy(n, dtype, arranged):
    a, b, v = map(arranged, matrices(n, dtype))
    expected = (np.linalg.solve(a, b), np.linalg.solve(a, v), np.linalg.inv(a), np.linalg.cholesky(a @ a.T), np.linalg.det(a),
                np.linalg.slogdet(a), a @ b, a @ v, v @ a)
    tolerance = 1e-12 if dtype is float else 1e-4
    for ours, theirs in zip(everything(a, b, v), expected, strict=True):
        if isinstance(ours, np.ndarray):
            assert ours.flags.c_contiguous and ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@njit
def chosen(what, a, v):
    if what == 0:
        return linalg.solve(a, v)
    if what == 1:
        return linalg.inv(a)[0]
    if what == 2:
        return linalg.cholesky(a)[0]
    return np.array([linalg.det(a), *linalg.slogdet(a)])


@pytest.mark.parametrize("what, a, text", [
    (0, np.ones((3, 3)), "singular"), (0, np.eye(2), "Incompatible"), (0, np.ones((2, 3)), "square"), (1, np.zeros((2, 2)), "singular"),
    (1, np.ones((2, 3)), "square"), (2, -np.eye(2), "not positive definite"), (2, np.ones((1, 2)), "square"), (3, np.ones((2, 1)), "square")])
def test_matrices_that_it_cannot_be_done_with(what, a, text):
    with pytest.raises(np.linalg.LinAlgError, match=text):
        chosen(what, a, np.ones(3))


def test_a_singular_matrix_has_a_determinant():
    np.testing.assert_array_equal(chosen(3, np.ones((2, 2)), np.ones(2)), [0, 0, -np.inf])


def test_what_is_not_finite_goes_its_way_as_in_numpy():
    v = np.array([np.nan, 1.0])
    np.testing.assert_array_equal(chosen(0, np.eye(2), v), np.linalg.solve(np.eye(2), v))


def test_memory_is_given_back():
    _nrt_python.memsys_enable_stats()
    a, b, v = map(stepping, matrices(5, float))

    bad = ((0, np.ones((3, 3))), (1, np.zeros((2, 2))), (2, -np.eye(2)))

    def kept(*whats) -> int:
        before = rtsys.get_allocation_stats()
        everything(a, b, v)
        for what, matrix in whats:
            with pytest.raises(np.linalg.LinAlgError):
                chosen(what, matrix, v)
        after = rtsys.get_allocation_stats()
        return (after.alloc - before.alloc) - (after.free - before.free)
    assert kept() == 0
    # Compiled code that raises keeps its own arguments, two here: so does Numba's.
    assert kept(*bad) <= 2 * len(bad)


def test_numba_compiles_no_functions_of_its_own_for_them(monkeypatch):
    compiled, compile_ = [], CompilerBase._compile_core

    def noted(self):
        compiled.append(self.state.func_id.func_qualname)
        return compile_(self)
    monkeypatch.setattr(CompilerBase, "_compile_core", noted)

    def likelihood(a, v):
        s = a @ a.T + np.eye(len(v))
        return v @ np.linalg.solve(s, v) + np.linalg.slogdet(s)[1] + np.linalg.inv(s)[0, 0]
    sd.value_and_grad(likelihood)(np.eye(3), np.ones(3))
    assert not [name for name in compiled if "solve" in name or "slogdet" in name or "inv_impl" in name or "dot" in name]
