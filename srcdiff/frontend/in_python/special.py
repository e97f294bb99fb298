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


def log_ndtr(x):
    """The logarithm of `ndtr`; far below 0 by its asymptotic series."""
    far = x < -20.0
    below = np.where(far, x, -20.0)
    r = 1.0 / (below * below)
    series = np.log1p(-r * (1.0 - r * (3.0 - r * (15.0 - r * (105.0 - r * (945.0 - r * 10395.0))))))
    tail = -0.5 * below * below - np.log(-below) - 0.5 * math.log(2.0 * math.pi) + series
    near = np.where(far, 0.0, x)
    body = np.where(near > 0, np.log1p(-0.5 * sp.erfc(np.maximum(near, 0.0) / math.sqrt(2.0))),
                    np.log(0.5 * sp.erfc(-np.minimum(near, 0.0) / math.sqrt(2.0))))
    return np.where(far, tail, body)


# Wichura's rational functions (algorithm AS 241): between 0.075 and 0.925, in the tails, and far out.
CENTRAL = ((2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
            1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
           (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077,
            687.1870074920579083, 42.313330701600911252, 1.0))
TAIL = ((7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258, 3.64784832476320460504,
         5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
        (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459, 0.68976733498510000455,
         1.6763848301838038494, 2.05319162663775882187, 1.0))
FAR = ((2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093, 0.29656057182850489123,
        1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
       (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4, 0.0148753612908506148525,
        0.13692988092273580531, 0.59983220655588793769, 1.0))


def rational(coefficients, x):
    above, below = coefficients
    p, q = above[0], below[0]
    for a, b in zip(above[1:], below[1:], strict=True):
        p, q = p * x + a, q * x + b
    return p / q


def quantile(middle, least):
    """The quantile of 0.5 + middle; `least` is the smaller of the probabilities on its two sides."""
    central = np.abs(middle) <= 0.425
    m = np.where(central, middle, 0.0)
    inside = m * rational(CENTRAL, 0.180625 - m * m)
    proper = (least > 0) & np.logical_not(central)
    r = np.sqrt(-np.log(np.where(proper, least, 0.01)))
    far = r > 5.0
    outside = np.where(far, rational(FAR, np.where(far, r, 5.0) - 5.0), rational(TAIL, np.where(far, 5.0, r) - 1.6))
    outside = np.where(proper, outside, np.where(least == 0, np.inf, np.nan))
    return np.where(central, inside, np.where(middle < 0, -outside, outside))


def ndtri(y):
    """The quantiles of the normal distribution."""
    return quantile(y - 0.5, np.minimum(y, 1.0 - y))


def erfinv(y):
    return quantile(0.5 * y, 0.5 * (1.0 - np.abs(y))) / math.sqrt(2.0)


def erfcinv(y):
    return -ndtri(0.5 * y) / math.sqrt(2.0)


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
    sp.rel_entr: rel_entr, sp.kl_div: kl_div, sp.ndtr: ndtr, sp.log_ndtr: log_ndtr, sp.ndtri: ndtri, sp.erfinv: erfinv, sp.erfcinv: erfcinv,
    sp.betaln: betaln, sp.beta: beta, sp.huber: huber,
    sp.pseudo_huber: pseudo_huber, sp.exp10: exp10, sp.poch: poch, sp.factorial: factorial, sp.boxcox: boxcox,
    sp.logsumexp: logsumexp, sp.expm1: expm1, sp.log1p: log1p, sp.cbrt: cbrt, sp.binom: binom,
    np.logaddexp2: logaddexp2, np.fix: fix, np.modf: modf, np.divmod: divmod_, np.ldexp: ldexp, np.signbit: signbit,
    np.logspace: logspace, np.geomspace: geomspace,
}
