"""Polynomials as vectors of coefficients, the highest power first, as in NumPy's older functions."""

from __future__ import annotations

import numpy as np

__all__ = ["FUNCTIONS"]


def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    """The coefficients of least squares; the columns of the system are scaled to length 1, as NumPy's are."""
    if full or cov:
        raise NotImplementedError("np.polyfit with full or cov")
    system, right = np.vander(np.asarray(x) + 0.0, deg + 1), np.asarray(y) + 0.0
    if w is not None:
        system = system * np.expand_dims(w, 1)
        right = right * (w if right.ndim == 1 else np.expand_dims(w, 1))
    scale = np.sqrt(np.sum(system * system, axis=0))
    found = np.linalg.lstsq(system / scale, right, rcond=rcond)[0]
    return found / (scale if right.ndim == 1 else np.expand_dims(scale, 1))


def poly(seq_of_zeros):
    """The coefficients of the polynomial with these zeros."""
    zeros = np.atleast_1d(seq_of_zeros)
    if zeros.ndim != 1:
        raise NotImplementedError("np.poly of a matrix: its zeros are eigenvalues that may be complex")
    made = np.zeros(len(zeros) + 1)
    made[0] = 1.0
    for k in range(len(zeros)):
        for i in range(k + 1, 0, -1):
            made[i] -= zeros[k] * made[i - 1]
    return made


def polyder(p, m=1):
    p = np.asarray(p)
    for _ in range(m):
        n = len(p) - 1
        p = p[:n] * np.arange(n, 0, -1)
    return p


def polyint(p, m=1, k=None):
    p = np.asarray(p)
    for i in range(m):
        constant = 0.0 if k is None else k if np.ndim(k) == 0 else k[i]
        p = np.append(p / np.arange(len(p), 0, -1), constant)
    return p


def added(a1, a2, sign):
    a, b = np.atleast_1d(a1), np.atleast_1d(a2)
    n = max(len(a), len(b))
    made = np.zeros(n, dtype=np.result_type(a.dtype, b.dtype))
    made[n - len(a):] += a
    made[n - len(b):] += sign * b
    return made


def polyadd(a1, a2):
    return added(a1, a2, 1)


def polysub(a1, a2):
    return added(a1, a2, -1)


def polymul(a1, a2):
    return np.convolve(np.atleast_1d(a1), np.atleast_1d(a2))


FUNCTIONS = {
    np.polyfit: polyfit, np.poly: poly, np.polyder: polyder, np.polyint: polyint, np.polyadd: polyadd, np.polysub: polysub,
    np.polymul: polymul,
}
