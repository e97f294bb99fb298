"""Densities and distribution functions of `scipy.stats`, with location and scale, in terms of `scipy.special`.

Outside the support a density is 0, its logarithm -inf; a scale that is not
positive gives nan.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.special as sp
import scipy.stats as st

__all__ = ["FUNCTIONS"]

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def standard(x, loc, scale):
    return (np.asarray(x) - loc) / valid(scale)


def valid(scale):
    return np.where(scale > 0, scale, np.nan)


def inside(condition, value, outside):
    """The value where a condition holds or the value is nan."""
    return np.where(condition | np.isnan(value), value, outside)


# -- the normal distribution and its exponential ------------------------------------------------------

def norm_logpdf(x, loc=0, scale=1):
    z = standard(x, loc, scale)
    return -0.5 * z * z - HALF_LOG_2PI - np.log(valid(scale))


def norm_pdf(x, loc=0, scale=1):
    z = standard(x, loc, scale)
    return np.exp(-0.5 * z * z) / (math.sqrt(2.0 * math.pi) * valid(scale))


def norm_cdf(x, loc=0, scale=1):
    return sp.ndtr(standard(x, loc, scale))


def norm_sf(x, loc=0, scale=1):
    return sp.ndtr(-standard(x, loc, scale))


def norm_logcdf(x, loc=0, scale=1):
    return sp.log_ndtr(standard(x, loc, scale))


def norm_logsf(x, loc=0, scale=1):
    return sp.log_ndtr(-standard(x, loc, scale))


def norm_ppf(q, loc=0, scale=1):
    return sp.ndtri(q) * valid(scale) + loc


def norm_isf(q, loc=0, scale=1):
    return loc - sp.ndtri(q) * valid(scale)


def lognorm_logpdf(x, s, loc=0, scale=1):
    z = standard(x, loc, scale)
    log = np.log(np.where(z > 0, z, 1.0))
    return inside(z > 0, -0.5 * (log / s)**2 - log - HALF_LOG_2PI - np.log(s * valid(scale)), -np.inf)


def lognorm_pdf(x, s, loc=0, scale=1):
    return np.exp(lognorm_logpdf(x, s, loc, scale))


def lognorm_cdf(x, s, loc=0, scale=1):
    z = standard(x, loc, scale)
    return np.where(z > 0, sp.ndtr(np.log(np.where(z > 0, z, 1.0)) / s), 0.0 * z)


# -- other continuous ones ------------------------------------------------------------------------------

def uniform_pdf(x, loc=0, scale=1):
    z = standard(x, loc, scale)
    return inside((z >= 0) & (z <= 1), z * 0.0 + 1.0 / valid(scale), 0.0)


def uniform_logpdf(x, loc=0, scale=1):
    z = standard(x, loc, scale)
    return inside((z >= 0) & (z <= 1), z * 0.0 - np.log(valid(scale)), -np.inf)


def uniform_cdf(x, loc=0, scale=1):
    return np.clip(standard(x, loc, scale), 0.0, 1.0)


def expon_logpdf(x, loc=0, scale=1):
    z = standard(x, loc, scale)
    return inside(z >= 0, -z - np.log(valid(scale)), -np.inf)


def expon_pdf(x, loc=0, scale=1):
    return np.exp(expon_logpdf(x, loc, scale))


def expon_cdf(x, loc=0, scale=1):
    return -np.expm1(-np.maximum(standard(x, loc, scale), 0.0))


def expon_sf(x, loc=0, scale=1):
    return np.exp(-np.maximum(standard(x, loc, scale), 0.0))


def gamma_logpdf(x, a, loc=0, scale=1):
    z = standard(x, loc, scale)
    return inside(z >= 0, sp.xlogy(a - 1.0, np.where(z >= 0, z, 1.0)) - z - sp.gammaln(a) - np.log(valid(scale)), -np.inf)


def gamma_pdf(x, a, loc=0, scale=1):
    return np.exp(gamma_logpdf(x, a, loc, scale))


def invgamma_logpdf(x, a, loc=0, scale=1):
    z = standard(x, loc, scale)
    safe = np.where(z > 0, z, 1.0)
    return inside(z > 0, -(a + 1.0) * np.log(safe) - sp.gammaln(a) - 1.0 / safe - np.log(valid(scale)), -np.inf)


def chi2_logpdf(x, df, loc=0, scale=1):
    z = standard(x, loc, scale)
    half = 0.5 * df
    return inside(z >= 0, sp.xlogy(half - 1.0, np.where(z >= 0, z, 1.0)) - 0.5 * z - sp.gammaln(half) - half * math.log(2.0)
                  - np.log(valid(scale)), -np.inf)


def chi2_pdf(x, df, loc=0, scale=1):
    return np.exp(chi2_logpdf(x, df, loc, scale))


def beta_logpdf(x, a, b, loc=0, scale=1):
    z = standard(x, loc, scale)
    within = (z >= 0) & (z <= 1)
    safe = np.where(within, z, 0.5)
    return inside(within, sp.xlog1py(b - 1.0, -safe) + sp.xlogy(a - 1.0, safe) - sp.betaln(a, b) - np.log(valid(scale)), -np.inf)


def beta_pdf(x, a, b, loc=0, scale=1):
    return np.exp(beta_logpdf(x, a, b, loc, scale))


def t_logpdf(x, df, loc=0, scale=1):
    z = standard(x, loc, scale)
    half = 0.5 * (df + 1.0)
    return sp.gammaln(half) - sp.gammaln(0.5 * df) - 0.5 * np.log(df * math.pi) - half * np.log1p(z * z / df) - np.log(valid(scale))


def t_pdf(x, df, loc=0, scale=1):
    return np.exp(t_logpdf(x, df, loc, scale))


def cauchy_logpdf(x, loc=0, scale=1):
    z = standard(x, loc, scale)
    return -np.log(math.pi * (1.0 + z * z)) - np.log(valid(scale))


def cauchy_pdf(x, loc=0, scale=1):
    z = standard(x, loc, scale)
    return 1.0 / (math.pi * (1.0 + z * z) * valid(scale))


def cauchy_cdf(x, loc=0, scale=1):
    return 0.5 + np.arctan(standard(x, loc, scale)) / math.pi


def laplace_logpdf(x, loc=0, scale=1):
    return -np.abs(standard(x, loc, scale)) - math.log(2.0) - np.log(valid(scale))


def laplace_pdf(x, loc=0, scale=1):
    return 0.5 * np.exp(-np.abs(standard(x, loc, scale))) / valid(scale)


def logistic_logpdf(x, loc=0, scale=1):
    size = np.abs(standard(x, loc, scale))
    return -size - 2.0 * np.log1p(np.exp(-size)) - np.log(valid(scale))


def logistic_pdf(x, loc=0, scale=1):
    return np.exp(logistic_logpdf(x, loc, scale))


def logistic_cdf(x, loc=0, scale=1):
    return sp.expit(standard(x, loc, scale))


# -- counts ---------------------------------------------------------------------------------------------

def poisson_logpmf(k, mu, loc=0):
    k = np.asarray(k) - loc
    counts = (k >= 0) & (np.floor(k) == k)
    safe = np.where(counts, k, 0)
    return inside(counts, sp.xlogy(safe, mu) - sp.gammaln(safe + 1.0) - mu, -np.inf)


def poisson_pmf(k, mu, loc=0):
    return np.exp(poisson_logpmf(k, mu, loc))


def binom_logpmf(k, n, p, loc=0):
    k = np.asarray(k) - loc
    counts = (k >= 0) & (k <= n) & (np.floor(k) == k)
    safe = np.where(counts, k, 0)
    ways = sp.gammaln(n + 1.0) - sp.gammaln(safe + 1.0) - sp.gammaln(n - safe + 1.0)
    return inside(counts, ways + sp.xlogy(safe, p) + sp.xlog1py(n - safe, -p), -np.inf)


def binom_pmf(k, n, p, loc=0):
    return np.exp(binom_logpmf(k, n, p, loc))


# -- several variables --------------------------------------------------------------------------------------

def multivariate_normal_logpdf(x, mean=None, cov=1):
    """Of a point or of the rows of `x`, for a covariance that is definite."""
    x = np.asarray(x)
    d = x.shape[x.ndim - 1]
    low = np.linalg.cholesky(cov * np.eye(d) if np.ndim(cov) < 2 else cov)
    away = x if mean is None else x - mean
    z = np.linalg.solve(low, away.T)
    return -0.5 * np.sum(z * z, axis=0) - d * HALF_LOG_2PI - np.sum(np.log(np.diag(low)))


def multivariate_normal_pdf(x, mean=None, cov=1):
    return np.exp(multivariate_normal_logpdf(x, mean, cov))


# -- with the parameters given ---------------------------------------------------------------------------------

class Normal:
    """What `scipy.stats.norm(loc, scale)` gives."""

    def __init__(self, loc, scale):
        self.loc, self.scale = loc, scale

    def pdf(self, x):
        return norm_pdf(x, self.loc, self.scale)

    def logpdf(self, x):
        return norm_logpdf(x, self.loc, self.scale)

    def cdf(self, x):
        return norm_cdf(x, self.loc, self.scale)

    def logcdf(self, x):
        return norm_logcdf(x, self.loc, self.scale)

    def sf(self, x):
        return norm_sf(x, self.loc, self.scale)

    def ppf(self, q):
        return norm_ppf(q, self.loc, self.scale)


def normal(loc=0, scale=1):
    return Normal(loc, scale)


# `norm_pdf` stands for `scipy.stats.norm.pdf`.
FUNCTIONS = {getattr(getattr(st, name.rpartition("_")[0]), name.rpartition("_")[2]): function
             for name, function in list(globals().items()) if hasattr(st, name.rpartition("_")[0])}
FUNCTIONS[st.norm] = normal
