"""Functions of `scipy.special`, and of NumPy, in terms of elementary ones and of `erf` and the gamma functions."""

from __future__ import annotations

import math

import numpy as np
import scipy.special as sp

__all__ = ["FUNCTIONS"]


def expit(x):
    """``1 / (1 + exp(-x))``, with an exponential that does not overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def log_expit(x):
    return np.minimum(x, 0.0) - np.log1p(np.exp(-np.abs(x)))


def logit(x):
    return np.log(x / (1.0 - x))


def xlogy(x, y):
    """``x log y``, 0 for x = 0 unless y is nan."""
    zero = (x == 0) & np.logical_not(np.isnan(y))
    return np.where(zero, 0.0, x) * np.log(np.where(zero, 1.0, y))


def xlog1py(x, y):
    zero = (x == 0) & np.logical_not(np.isnan(y))
    return np.where(zero, 0.0, x) * np.log1p(np.where(zero, 0.0, y))


def entr(x):
    inside = np.where(x > 0, x, 1.0)
    return np.where(x > 0, -inside * np.log(inside), np.where(x == 0, 0.0, np.where(x < 0, -np.inf, x)))


def rel_entr(x, y):
    inside = (x > 0) & (y > 0)
    a, b = np.where(inside, x, 1.0), np.where(inside, y, 1.0)
    return np.where(inside, a * np.log(a / b), np.where((x == 0) & (y >= 0), 0.0, np.inf))


def kl_div(x, y):
    inside = (x > 0) & (y > 0)
    a, b = np.where(inside, x, 1.0), np.where(inside, y, 1.0)
    return np.where(inside, a * np.log(a / b) - a + b, np.where((x == 0) & (y >= 0), y, np.inf))


def ndtr(x):
    return 0.5 * sp.erfc(-x / math.sqrt(2.0))


def betaln(a, b):
    return sp.gammaln(a) + sp.gammaln(b) - sp.gammaln(a + b)


def beta(a, b):
    return sp.gamma(a) * sp.gamma(b) / sp.gamma(a + b)


def huber(delta, r):
    size = np.abs(r)
    return np.where(delta < 0, np.inf, np.where(size <= delta, 0.5 * r * r, delta * (size - 0.5 * delta)))


def pseudo_huber(delta, r):
    return delta * delta * (np.sqrt(1.0 + (r / delta) ** 2) - 1.0)


def exp10(x):
    return np.exp(math.log(10.0) * x)


def poch(z, m):
    return sp.gamma(z + m) / sp.gamma(z)


def factorial(n):
    return sp.gamma(n + 1.0)


def binom(n, k):
    """By gamma functions: for n >= k >= 0, as reals."""
    return sp.gamma(n + 1.0) / (sp.gamma(k + 1.0) * sp.gamma(n - k + 1.0))


def expm1(x):
    return np.expm1(x)


def log1p(x):
    return np.log1p(x)


def cbrt(x):
    return np.cbrt(x)


def boxcox(x, lmbda):
    log = np.log(x)
    safe = np.where(lmbda == 0, 1.0, lmbda)
    return np.where(lmbda == 0, log, np.expm1(safe * log) / safe)


def logsumexp(a, axis=None, b=None, keepdims=False):
    top = np.max(a, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    parts = np.exp(a - top)
    if b is not None:
        parts = parts * b
    total = np.log(np.sum(parts, axis=axis, keepdims=True)) + top
    return total if keepdims else np.sum(total, axis=axis)


# -- of NumPy ---------------------------------------------------------------------------------------

def logaddexp2(x1, x2):
    scale = math.log(2.0)
    return np.logaddexp(x1 * scale, x2 * scale) / scale


def fix(x):
    return np.trunc(x)


def modf(x):
    whole = np.trunc(x)
    return x - whole, whole


def divmod_(x1, x2):
    return np.floor_divide(x1, x2), np.remainder(x1, x2)


def ldexp(x1, x2):
    return x1 * 2.0 ** x2


def signbit(x):
    return np.copysign(1.0, x) < 0


def logspace(start, stop, num=50, endpoint=True, base=10.0):
    return base ** np.linspace(start, stop, num, endpoint)


def geomspace(start, stop, num=50, endpoint=True):
    """Powers between two numbers of one sign."""
    return start * np.exp(np.linspace(0.0, 1.0, num, endpoint) * np.log(stop / start))


FUNCTIONS = {
    sp.expit: expit, sp.log_expit: log_expit, sp.logit: logit, sp.xlogy: xlogy, sp.xlog1py: xlog1py, sp.entr: entr,
    sp.rel_entr: rel_entr, sp.kl_div: kl_div, sp.ndtr: ndtr, sp.betaln: betaln, sp.beta: beta, sp.huber: huber,
    sp.pseudo_huber: pseudo_huber, sp.exp10: exp10, sp.poch: poch, sp.factorial: factorial, sp.boxcox: boxcox,
    sp.logsumexp: logsumexp, sp.expm1: expm1, sp.log1p: log1p, sp.cbrt: cbrt, sp.binom: binom,
    np.logaddexp2: logaddexp2, np.fix: fix, np.modf: modf, np.divmod: divmod_, np.ldexp: ldexp, np.signbit: signbit,
    np.logspace: logspace, np.geomspace: geomspace,
}
