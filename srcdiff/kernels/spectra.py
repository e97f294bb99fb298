"""Eigenvalues and singular values of small matrices, as a thread computes them: by rotations.

The functions are translated like a user's (`kernels/algebra.py`).  `SYSTEMS` says of
each operation which function gives it, as which of its results.
"""

import numpy as np

__all__ = ["SYSTEMS"]


# -- eigenvalues, by rotations of rows and columns (Jacobi 1846) --------------------------------

def turn_columns(u, p, q, c, d):
    """Turn two columns in their plane, by the angle with cosine c and sine d."""
    for i in range(u.shape[0]):
        x, y = u[i, p], u[i, q]
        u[i, p] = c * x - d * y
        u[i, q] = d * x + c * y


def exchange_columns(u, p, q):
    """Exchange two columns."""
    for i in range(u.shape[0]):
        held = u[i, p]
        u[i, p] = u[i, q]
        u[i, q] = held


def turn_rows(s, p, q, c, d):
    """Turn two rows in their plane, by the angle with cosine c and sine d."""
    for k in range(s.shape[1]):
        x, y = s[p, k], s[q, k]
        s[p, k] = c * x - d * y
        s[q, k] = d * x + c * y


def turn(pp, qq, pq):
    """Return the cosine and the sine of the smaller angle that makes [[pp, pq], [pq, qq]] diagonal."""
    theta = (qq - pp) / (2.0 * pq)
    t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
    t = -t if theta < 0.0 else t
    c = 1.0 / np.sqrt(t * t + 1.0)
    return c, t * c


def symmetric(a):
    """Return a symmetric matrix with the lower triangle of a."""
    s = a * 1.0
    for i in range(a.shape[0]):
        for j in range(i):
            s[j, i] = s[i, j]
    return s


def eigensystem(a):
    """Return the eigenvalues, ascending, and the eigenvectors; only the lower triangle of a is read."""
    n = a.shape[0]
    s = symmetric(a)
    v = a * 0.0
    for i in range(n):
        v[i, i] = 1.0
    small = np.finfo(a.dtype).eps * np.sqrt(np.sum(s * s))
    turning = True
    for _sweep in range(30):            # converges quadratically after a few
        if turning:
            turning = False
            for p in range(n):
                for q in range(p + 1, n):
                    if abs(s[p, q]) > small:
                        turning = True
                        c, d = turn(s[p, p], s[q, q], s[p, q])
                        turn_columns(s, p, q, c, d)
                        turn_rows(s, p, q, c, d)
                        turn_columns(v, p, q, c, d)
    w = s[:, 0] * 0.0
    for i in range(n):
        w[i] = s[i, i]
    for i in range(n):
        least = i
        for j in range(i + 1, n):
            if w[j] < w[least]:
                least = j
        if least != i:
            held = w[i]
            w[i] = w[least]
            w[least] = held
            exchange_columns(v, i, least)
    return w, v


# -- singular values, by rotations of columns ----------------------------------------------------

def column_product(u, p, q):
    """Return the product of two columns."""
    total = u[0, p] * 0.0
    for i in range(u.shape[0]):
        total = total + u[i, p] * u[i, q]
    return total


def complete(u, k):
    """Make column k a unit vector that is orthogonal to those before it: the best of the axes, without its part in them.

    Twice, because the first time leaves what rounding makes of a small rest.
    """
    axis, most = 0, -1.0
    for i in range(u.shape[0]):
        rest = 1.0
        for j in range(k):
            rest = rest - u[i, j] * u[i, j]
        if rest > most:
            axis, most = i, rest
    for i in range(u.shape[0]):
        u[i, k] = 1.0 if i == axis else 0.0
    for _ in range(2):
        for j in range(k):
            part = column_product(u, j, k)
            for i in range(u.shape[0]):
                u[i, k] = u[i, k] - part * u[i, j]
    length = np.sqrt(column_product(u, k, k))
    for i in range(u.shape[0]):
        u[i, k] = u[i, k] / length


def singular_system(a):
    """Return u, w, v of such a product for a matrix with no more columns than rows.

    Columns are turned until they are orthogonal (Hestenes 1958): their lengths are w.
    """
    n = a.shape[1]
    epsilon = np.finfo(a.dtype).eps
    u = a * 1.0
    v = a.T @ a * 0.0
    w = a[0, :] * 0.0
    for i in range(n):
        v[i, i] = 1.0
    turning = True
    for _sweep in range(30):            # converges quadratically after a few
        if turning:
            turning = False
            for p in range(n):
                for q in range(p + 1, n):
                    pp, qq, pq = column_product(u, p, p), column_product(u, q, q), column_product(u, p, q)
                    if abs(pq) > epsilon * np.sqrt(pp) * np.sqrt(qq):
                        turning = True
                        c, d = turn(pp, qq, pq)
                        turn_columns(u, p, q, c, d)
                        turn_columns(v, p, q, c, d)
    for i in range(n):
        w[i] = np.sqrt(column_product(u, i, i))
    for i in range(n):
        largest = i
        for j in range(i + 1, n):
            if w[j] > w[largest]:
                largest = j
        if largest != i:
            held = w[i]
            w[i] = w[largest]
            w[largest] = held
            exchange_columns(u, i, largest)
            exchange_columns(v, i, largest)
        if w[i] > n * epsilon * w[0]:
            for k in range(u.shape[0]):
                u[k, i] = u[k, i] / w[i]
        else:
            complete(u, i)
    return u, w, v


def singular_values(a):
    """Return u, w, v of a = u diag(w) v^T, w descending; u and v of any sign, but of signs that go together."""
    if a.shape[0] < a.shape[1]:
        v, w, u = singular_system(a.T)
    else:
        u, w, v = singular_system(a)
    return u, w, v.T.copy()


SYSTEMS = {
    "eigvalsh": (eigensystem, 0), "eigenvectors": (eigensystem, 1),
    "svd_u": (singular_values, 0), "svdvals": (singular_values, 1), "svd_vt": (singular_values, 2),
}
for _function in (symmetric, turn, turn_rows, turn_columns, exchange_columns, eigensystem, column_product, complete,
                  singular_system, singular_values):
    _function.__srcdiff_translated__ = True         # no code of the user's: errors name the user's line
