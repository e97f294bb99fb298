"""Functions that take numbers and arrays alike, and rearrange what they get."""

import numpy as np

from tests.programs import program

X = np.array([0.5, -1.25, 2.0])
A = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])


@program(2.0, compiled=True)
def number_or_vector(x):
    x = np.atleast_1d(x)
    shape = np.shape(x)
    if len(shape) > 1:
        raise ValueError("a number or a vector")
    if shape[0] == 1:
        x = x[0]
    return x ** 2 * np.size(x)


@program(2.0)
def unpacked_literals(x):
    e = np.array([x, 2.0 * x, 3.0]) * x
    q = np.array([1.0, *e[1:]])
    a, b, c = q
    return a * b * c, len(q)


@program(2.0, X)
def squeezed(x, y):
    column = np.array([[x, x ** 2]])
    return column.squeeze() * y[0], np.squeeze(np.array([[x ** 3]])), np.array(x, ndmin=2), np.array(y, ndmin=2)


@program(2.0, 0.5)
def two_at_once(a, b):
    p, q = np.atleast_1d(a * b, b)
    return p[0] * q[0] + p.shape[0]


@program(A, X)
def tiles(a, x):
    return np.tile(a, 2), np.tile(a, (2, 1)), np.tile(x, (2, 2)), np.tile(x, 2)


@program(A)
def repeats(a):
    return np.repeat(a, 2), np.repeat(a, 2, axis=0), np.repeat(a, 3, axis=1), np.roll(a, 1), np.roll(a, -1, axis=1)


@program(A, A + 1.0)
def crosses(a, b):
    return np.cross(a, b), np.cross(a.T, b.T, axis=0), np.cross(a.T, b.T, 0, 0, 0), np.cross(a[0], b)


@program(A, X)
def einsums_with_ellipsis(a, x):
    return (np.einsum("...i,...i", a, a), np.einsum("a...,a...", a, a), np.einsum("ij...,jk...->ik...", a.T, a),
            np.einsum("...i,i->...", a, x), np.einsum("...->...", x))


@program(X)
def positions(x):
    found, = np.where(x > 0)
    return x[found] ** 2, x[np.flatnonzero(x < 0)], np.sum(x[np.nonzero(x > 1)[0]])


@program(X, 0.75)
def copied_where(x, low):
    y = x.copy()
    np.copyto(y, low * x, where=x < low)
    return y * y


@program(2.0, 0.5)
def chosen_number(x, y):
    z = np.where(x > y, x ** 2, y)
    w = z
    z += 1.0
    return w * x if isinstance(w, np.ndarray) else y


@program(X, 3.0)
def constant_polynomial(x, c):
    return np.polyval([c * c], x), np.polyval([c, 2.0], x), np.polyval([c], c)


@program(0.7, 1.9)
def numbers_through_masks(x, y):
    """Functions for arrays and numbers alike index with a mask, which a number has too."""
    r = np.hypot(x, y)
    flat = np.isclose(x, 0.0)
    beta = np.empty_like(r)
    beta[~flat] = np.arctan(y / r[~flat])
    beta[~flat] += np.sin(beta[~flat]) * r[~flat]
    beta[flat] = np.pi / 2
    none = np.sum(r[flat] ** 3)
    return beta * x, np.sum(r[~flat]) + none
