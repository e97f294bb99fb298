"""Factors of small matrices, as a thread computes them: elimination, Cholesky, Householder.

The functions are translated like a user's (`kernels/algebra.py`).  They make no
exception of a matrix without a factor: results are infinite or nan.
"""

import numpy as np

__all__ = ["SYSTEMS", "solve_matrix", "solve_vector"]


# -- Gauss ----------------------------------------------------------------------------------

def pivot_row(u, k):
    """Return the row, from k on, with the largest element of column k."""
    best = k
    for i in range(k + 1, u.shape[0]):
        if abs(u[i, k]) > abs(u[best, k]):
            best = i
    return best


def exchange(u, k, other):
    """Exchange two rows."""
    for j in range(u.shape[1]):
        held = u[k, j]
        u[k, j] = u[other, j]
        u[other, j] = held


def solve_vector(a, b):
    """Solve a x = b by elimination with the largest pivot of each column."""
    n = a.shape[0]
    u, x = a * 1.0, b * 1.0
    for k in range(n):
        best = pivot_row(u, k)
        if best != k:
            exchange(u, k, best)
            held = x[k]
            x[k] = x[best]
            x[best] = held
        for i in range(k + 1, n):
            factor = u[i, k] / u[k, k]
            for j in range(k + 1, n):
                u[i, j] = u[i, j] - factor * u[k, j]
            x[i] = x[i] - factor * x[k]
    for back in range(n):
        k = n - 1 - back
        for j in range(k + 1, n):
            x[k] = x[k] - u[k, j] * x[j]
        x[k] = x[k] / u[k, k]
    return x


def solve_matrix(a, b):
    """Solve a x = b for several right-hand sides, the columns of b."""
    n, m = a.shape[0], b.shape[1]
    u, x = a * 1.0, b * 1.0
    for k in range(n):
        best = pivot_row(u, k)
        if best != k:
            exchange(u, k, best)
            exchange(x, k, best)
        for i in range(k + 1, n):
            factor = u[i, k] / u[k, k]
            for j in range(k + 1, n):
                u[i, j] = u[i, j] - factor * u[k, j]
            for j in range(m):
                x[i, j] = x[i, j] - factor * x[k, j]
    for back in range(n):
        k = n - 1 - back
        for c in range(m):
            for j in range(k + 1, n):
                x[k, c] = x[k, c] - u[k, j] * x[j, c]
            x[k, c] = x[k, c] / u[k, k]
    return x


def inv(a):
    """Return the inverse."""
    n = a.shape[0]
    one = a * 0.0
    for i in range(n):
        for j in range(n):
            one[i, j] = 1.0 if i == j else 0.0
    return solve_matrix(a, one)


def pivots(a):
    """Return the pivots of elimination; the first one carries the sign of the row exchanges."""
    n = a.shape[0]
    u = a * 1.0
    found = u[:, 0] * 0.0
    sign = 1.0
    for k in range(n):
        best = pivot_row(u, k)
        if best != k:
            sign = -sign
            exchange(u, k, best)
        found[k] = u[k, k]
        if u[k, k] != 0.0:
            for i in range(k + 1, n):
                factor = u[i, k] / u[k, k]
                for j in range(k + 1, n):
                    u[i, j] = u[i, j] - factor * u[k, j]
    found[0] = sign * found[0]
    return found


def det(a):
    """Return the determinant."""
    return np.prod(pivots(a))


def det_sign(a):
    """Return the sign of the determinant."""
    return np.prod(np.sign(pivots(a)))


def logabsdet(a):
    """Return the logarithm of the magnitude of the determinant."""
    return np.sum(np.log(np.abs(pivots(a))))


# -- triangular and orthogonal factors --------------------------------------------------------

def cholesky(a):
    """Return the lower triangular factor of a = l l^T; only the lower triangle of a is read."""
    n = a.shape[0]
    low = a * 0.0
    for j in range(n):
        pivot = a[j, j] * 1.0
        for k in range(j):
            pivot = pivot - low[j, k] * low[j, k]
        root = np.sqrt(pivot)
        low[j, j] = root
        for i in range(j + 1, n):
            total = a[i, j] * 1.0
            for k in range(j):
                total = total - low[i, k] * low[j, k]
            low[i, j] = total / root
    return low


def is_indefinite(a):
    """Tell whether a matrix has no such factor."""
    low, found = cholesky(a), False
    for k in range(a.shape[0]):
        if not low[k, k] > 0.0:
            found = True
    return found


def reflected(a):
    """Apply Householder's reflections I - 2 v v^T / |v|^2, with the signs that LAPACK gives.

    Returns r, with v below its diagonal; the first elements of each v, and its squared length (0: no reflection).
    """
    m, n = a.shape
    k = min(m, n)
    r = a * 1.0
    heads = np.zeros(k)
    lengths = np.zeros(k)
    for j in range(k):
        below = 0.0                     # summed alone: a difference of squares would lose small elements
        for i in range(j + 1, m):
            below = below + r[i, j] * r[i, j]
        if below > 0.0:
            norm = r[j, j] * r[j, j] + below
            alpha = -np.sqrt(norm) if r[j, j] >= 0.0 else np.sqrt(norm)
            head = r[j, j] - alpha
            heads[j] = head
            lengths[j] = head * head + below
            for c in range(j + 1, n):
                dot = head * r[j, c]
                for i in range(j + 1, m):
                    dot = dot + r[i, j] * r[i, c]
                scale = 2.0 * dot / lengths[j]
                r[j, c] = r[j, c] - scale * head
                for i in range(j + 1, m):
                    r[i, c] = r[i, c] - scale * r[i, j]
            r[j, j] = alpha
    return r, heads, lengths


def orthogonal_and_triangular(a):
    """Return q and r of a = q r: the reflections, applied to the columns of the identity from the last to the first."""
    m, n = a.shape
    k = min(m, n)
    r, heads, lengths = reflected(a)
    q = a[:, :k] * 0.0
    for j in range(k):
        q[j, j] = 1.0
    for back in range(k):
        j = k - 1 - back
        if lengths[j] > 0.0:
            for c in range(k):
                dot = heads[j] * q[j, c]
                for i in range(j + 1, m):
                    dot = dot + r[i, j] * q[i, c]
                scale = 2.0 * dot / lengths[j]
                q[j, c] = q[j, c] - scale * heads[j]
                for i in range(j + 1, m):
                    q[i, c] = q[i, c] - scale * r[i, j]
    upper = r[:k, :] * 1.0
    for j in range(k):
        for i in range(j + 1, k):
            upper[i, j] = 0.0
    return q, upper


SYSTEMS = {
    **{function.__name__: (function, 0) for function in (inv, det, det_sign, logabsdet, cholesky, is_indefinite)},
    "qr_q": (orthogonal_and_triangular, 0), "qr_r": (orthogonal_and_triangular, 1),
}
for _function in (inv, det, det_sign, logabsdet, cholesky, is_indefinite, pivot_row, exchange, solve_vector, solve_matrix, pivots,
                  reflected, orthogonal_and_triangular):
    _function.__srcdiff_translated__ = True         # no code of the user's: errors name the user's line
