"""Eigenvalues and singular values of small matrices, as a thread computes them: by rotations.

The functions are translated like a user's (`kernels/algebra.py`).
"""

import numpy as np

__all__ = ["FUNCTIONS"]


# -- eigenvalues, by rotations of rows and columns (Jacobi 1846) --------------------------------

def eigensystem(a):
    """Return the eigenvalues, ascending, and the eigenvectors; only the lower triangle of a is read."""
    n = a.shape[0]
    s = a * 1.0
    v = a * 0.0
    for i in range(n):
        v[i, i] = 1.0
        for j in range(i):
            s[j, i] = s[i, j]
    for _sweep in range(30):            # converges quadratically after a few
        off = 0.0
        for i in range(n):
            for j in range(i):
                off = off + s[i, j] * s[i, j]
        if off > 0.0:
            for p in range(n):
                for q in range(p + 1, n):
                    if s[p, q] != 0.0:
                        theta = (s[q, q] - s[p, p]) / (2.0 * s[p, q])
                        t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                        t = -t if theta < 0.0 else t
                        c = 1.0 / np.sqrt(t * t + 1.0)
                        d = t * c
                        for k in range(n):
                            x, y = s[k, p], s[k, q]
                            s[k, p] = c * x - d * y
                            s[k, q] = d * x + c * y
                        for k in range(n):
                            x, y = s[p, k], s[q, k]
                            s[p, k] = c * x - d * y
                            s[q, k] = d * x + c * y
                            x, y = v[k, p], v[k, q]
                            v[k, p] = c * x - d * y
                            v[k, q] = d * x + c * y
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
            for k in range(n):
                held = v[k, i]
                v[k, i] = v[k, least]
                v[k, least] = held
    return w, v


def eigvalsh(a):
    """Return the eigenvalues of a symmetric matrix, ascending."""
    return eigensystem(a)[0]


def eigenvectors(a):
    """Return the eigenvectors of a symmetric matrix, of any sign."""
    return eigensystem(a)[1]


# -- singular values, by rotations of columns ----------------------------------------------------

def column_product(u, p, q):
    """Return the product of two columns."""
    total = u[0, p] * 0.0
    for i in range(u.shape[0]):
        total = total + u[i, p] * u[i, q]
    return total


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
    """Return u, w, v of a = u diag(w) v^T, w descending, of a matrix with no more columns than rows.

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
                        theta = (qq - pp) / (2.0 * pq)
                        t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                        t = -t if theta < 0.0 else t
                        c = 1.0 / np.sqrt(t * t + 1.0)
                        turn_columns(u, p, q, c, t * c)
                        turn_columns(v, p, q, c, t * c)
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


def svdvals(a):
    """Return the singular values, descending."""
    if a.shape[0] < a.shape[1]:
        w = singular_system(a.T)[1]
    else:
        w = singular_system(a)[1]
    return w


def svd_u(a):
    """Return the left singular vectors, as columns, of any sign."""
    if a.shape[0] < a.shape[1]:
        u = singular_system(a.T)[2]
    else:
        u = singular_system(a)[0]
    return u


def svd_vt(a):
    """Return the right singular vectors, as rows, of the signs that go with the left ones."""
    if a.shape[0] < a.shape[1]:
        v = singular_system(a.T)[0]
    else:
        v = singular_system(a)[2]
    return v.T.copy()


FUNCTIONS = (eigvalsh, eigenvectors, svdvals, svd_u, svd_vt)
for _function in (*FUNCTIONS, eigensystem, column_product, turn_columns, exchange_columns, complete, singular_system):
    _function.__srcdiff_translated__ = True         # no code of the user's: errors name the user's line
