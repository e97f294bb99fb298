"""`scipy.linalg`: dense and banded systems, factors that are kept, the matrix exponential, matrices of a pattern.

Where SciPy reads one triangle of a matrix, so do these. Matrices that have no
solution or factor raise as `np.linalg` does.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg as sl

__all__ = ["FUNCTIONS"]


def mirrored(a, lower):
    """The symmetric matrix of which one triangle is given."""
    return np.tril(a) + np.tril(a, -1).T if lower else np.triu(a) + np.triu(a, 1).T


def solve(a, b, lower=False, overwrite_a=False, overwrite_b=False, check_finite=True, assume_a=None, transposed=False):
    if assume_a in ("sym", "symmetric", "her", "hermitian", "pos", "positive definite"):
        a = mirrored(a, lower)
    elif assume_a in ("upper triangular", "lower triangular"):
        a = np.tril(a) if assume_a == "lower triangular" else np.triu(a)
    elif assume_a not in (None, "gen", "general"):
        raise NotImplementedError("scipy.linalg.solve with this assume_a")
    if assume_a in ("pos", "positive definite"):
        return cho_solve((cholesky(a, True), True), b)
    return np.linalg.solve(a.T if transposed else a, b)


def inv(a, overwrite_a=False, check_finite=True, *, assume_a=None, lower=False):
    if assume_a not in (None, "gen", "general"):
        raise NotImplementedError("scipy.linalg.inv with assume_a")
    return np.linalg.inv(a)


def det(a, overwrite_a=False, check_finite=True):
    return np.linalg.det(a)


def eigh(a, b=None, *, lower=True, eigvals_only=False, overwrite_a=False, overwrite_b=False, type=1, check_finite=True):    # noqa: A002
    if b is not None:
        raise NotImplementedError("scipy.linalg.eigh of two matrices")
    a = a if lower else a.T
    return np.linalg.eigvalsh(a) if eigvals_only else np.linalg.eigh(a)


def eigvalsh(a, b=None, *, lower=True, overwrite_a=False, overwrite_b=False, type=1, check_finite=True):      # noqa: A002
    return eigh(a, b, lower=lower, eigvals_only=True)


def norm(a, ord=None, axis=None, keepdims=False, check_finite=True):      # noqa: A002
    return np.linalg.norm(a, ord, axis, keepdims)


def pinv(a, *, check_finite=True):
    return np.linalg.pinv(a)


def svdvals(a, overwrite_a=False, check_finite=True):
    return np.linalg.svd(a, compute_uv=False)


# -- triangles and factors -------------------------------------------------------------------------

def cholesky(a, lower=False, overwrite_a=False, check_finite=True):
    return np.linalg.cholesky(a) if lower else np.linalg.cholesky(a.T).T


def cho_factor(a, lower=False, overwrite_a=False, check_finite=True):
    """The factor, and in the other triangle what was there."""
    factor = cholesky(a, lower)
    return factor + (np.triu(a, 1) if lower else np.tril(a, -1)), lower


def cho_solve(c_and_lower, b, overwrite_b=False, check_finite=True):
    c, lower = c_and_lower
    low = np.tril(c) if lower else np.triu(c).T
    return np.linalg.solve(low.T, np.linalg.solve(low, b))


def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=True):
    triangle = np.tril(a, -1 if unit_diagonal else 0) if lower else np.triu(a, 1 if unit_diagonal else 0)
    if unit_diagonal:
        triangle = triangle + np.eye(len(a))
    return np.linalg.solve(triangle if trans in (0, "N") else triangle.T, b)


def lu_factor(a, overwrite_a=False, check_finite=True):
    """Elimination with the largest pivot of each column: both factors in one matrix, and the exchanges of rows."""
    n = len(a)
    lu = np.asarray(a) * 1.0
    exchanges = np.arange(n)
    for k in range(n):
        best = k + np.argmax(np.abs(lu[k:, k]))
        exchanges[k] = best
        if best != k:
            row = lu[k].copy()
            lu[k] = lu[best]
            lu[best] = row
        for i in range(k + 1, n):
            lu[i, k] /= lu[k, k]
            lu[i, k + 1:] -= lu[i, k] * lu[k, k + 1:]
    return lu, exchanges


def lu_solve(lu_and_piv, b, trans=0, overwrite_b=False, check_finite=True):
    lu, exchanges = lu_and_piv
    n = len(lu)
    order = np.arange(n)
    for k in range(n):
        held = order[k]
        order[k] = order[exchanges[k]]
        order[exchanges[k]] = held
    low, up = np.tril(lu, -1) + np.eye(n), np.triu(lu)
    if trans == 0:
        return np.linalg.solve(up, np.linalg.solve(low, np.asarray(b)[order]))
    x = np.linalg.solve(low.T, np.linalg.solve(up.T, b))
    made = x * 0.0
    made[order] = x
    return made


# -- bands --------------------------------------------------------------------------------------------

def solve_banded(l_and_u, ab, b, overwrite_ab=False, overwrite_b=False, check_finite=True):
    """Elimination inside the band, with the largest pivot of each column."""
    below, above = l_and_u
    n, width = ab.shape[1], 2 * below + above + 1
    rows = np.zeros((n, width))                # rows[i, j - i + below] is the element (i, j)
    for j in range(n):
        for i in range(max(0, j - above), min(n, j + below + 1)):
            rows[i, j - i + below] = ab[above + i - j, j]
    x = np.asarray(b) * 1.0
    for k in range(n):
        best = k
        for i in range(k + 1, min(n, k + below + 1)):
            if abs(rows[i, k - i + below]) > abs(rows[best, k - best + below]):
                best = i
        if rows[best, k - best + below] == 0:
            raise np.linalg.LinAlgError("singular matrix")
        if best != k:
            for j in range(k, min(n, k + below + above + 1)):
                held = rows[k, j - k + below]
                rows[k, j - k + below] = rows[best, j - best + below]
                rows[best, j - best + below] = held
            swapped = x[k].copy() if x.ndim > 1 else x[k]
            x[k] = x[best]
            x[best] = swapped
        for i in range(k + 1, min(n, k + below + 1)):
            factor = rows[i, k - i + below] / rows[k, below]
            for j in range(k + 1, min(n, k + below + above + 1)):
                rows[i, j - i + below] -= factor * rows[k, j - k + below]
            x[i] -= factor * x[k]
    for back in range(n):
        k = n - 1 - back
        for j in range(k + 1, min(n, k + below + above + 1)):
            x[k] -= rows[k, j - k + below] * x[j]
        x[k] /= rows[k, below]
    return x


# -- functions of matrices -------------------------------------------------------------------------------

PADE = (64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0,
        670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0)


def expm(a):
    """Padé's approximant of order 13, scaled and squared (Higham 2005)."""
    size = np.linalg.norm(a, 1)
    halvings = max(0, int(math.ceil(math.log2(size / 5.371920351148152)))) if size > 0.0 else 0
    a = a / 2.0**halvings
    one, a2 = np.eye(len(a)), a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    c = PADE
    odd = a @ (a6 @ (c[13] * a6 + c[11] * a4 + c[9] * a2) + c[7] * a6 + c[5] * a4 + c[3] * a2 + c[1] * one)
    even = a6 @ (c[12] * a6 + c[10] * a4 + c[8] * a2) + c[6] * a6 + c[4] * a4 + c[2] * a2 + c[0] * one
    made = np.linalg.solve(even - odd, even + odd)
    for _ in range(halvings):
        made = made @ made
    return made


def solve_sylvester(a, b, q):
    """a x + x b = q, as one system of all elements."""
    n, m = len(a), len(b)
    system = np.kron(a, np.eye(m)) + np.kron(np.eye(n), b.T)
    return np.linalg.solve(system, q.ravel()).reshape(n, m)


def solve_continuous_lyapunov(a, q):
    return solve_sylvester(a, a.T, q)


def solve_discrete_lyapunov(a, q, method=None):
    n = len(a)
    return np.linalg.solve(np.eye(n * n) - np.kron(a, a), q.ravel()).reshape(n, n)


# -- matrices of a pattern ----------------------------------------------------------------------------------

def toeplitz(c, r=None):
    c = np.ravel(c)
    r = c if r is None else np.ravel(r)
    values = np.concatenate((c[::-1], r[1:]))
    return values[np.expand_dims(np.arange(len(c) - 1, -1, -1), 1) + np.arange(len(r))]


def block_diag(*arrs):
    blocks = [np.atleast_2d(b) for b in arrs]
    rows, columns = 0, 0
    for b in blocks:
        rows, columns = rows + b.shape[0], columns + b.shape[1]
    made = np.zeros((rows, columns))
    i, j = 0, 0
    for b in blocks:
        made[i:i + b.shape[0], j:j + b.shape[1]] = b
        i, j = i + b.shape[0], j + b.shape[1]
    return made


FUNCTIONS = {
    sl.solve: solve, sl.inv: inv, sl.det: det, sl.eigh: eigh, sl.eigvalsh: eigvalsh, sl.norm: norm, sl.pinv: pinv, sl.svdvals: svdvals,
    sl.cholesky: cholesky, sl.cho_factor: cho_factor, sl.cho_solve: cho_solve, sl.solve_triangular: solve_triangular,
    sl.lu_factor: lu_factor, sl.lu_solve: lu_solve, sl.solve_banded: solve_banded, sl.expm: expm, sl.solve_sylvester: solve_sylvester,
    sl.solve_continuous_lyapunov: solve_continuous_lyapunov, sl.solve_discrete_lyapunov: solve_discrete_lyapunov,
    sl.toeplitz: toeplitz, sl.block_diag: block_diag,
}
