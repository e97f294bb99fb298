"""Gaussian mixture model: the negative log posterior of ADBench, with a Wishart prior.

The inverse covariance of a component is Q^T Q, Q lower triangular: exp(q) on
its diagonal, below it the entries of `l` column by column; a row of `icf` is
(q, l).  The sign of the prior is that of ADBench.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["by_components", "objective"]


@njit
def log_sum_exp(values):
    largest = np.max(values)
    return largest + np.log(np.sum(np.exp(values - largest)))


@njit
def log_gamma_distribution(a, d):
    total = 0.25 * d * (d - 1) * math.log(math.pi)
    for j in range(d):
        total += math.lgamma(a - 0.5 * j)
    return total


@njit
def log_wishart_prior(icf, d, gamma, m):
    """Sum over the components: the penalty of Q, and the constant of the distribution."""
    k = icf.shape[0]
    freedom = d + m + 1
    constant = freedom * d * (math.log(gamma) - 0.5 * math.log(2.0)) - log_gamma_distribution(0.5 * freedom, d)
    total = 0.0
    for c in range(k):
        squares = 0.0
        logs = 0.0
        for a in range(d):
            squares += math.exp(icf[c, a]) ** 2
            logs += icf[c, a]
        for a in range(d, icf.shape[1]):
            squares += icf[c, a] ** 2
        total += 0.5 * gamma * gamma * squares - m * logs
    return total - k * constant


def objective(alphas, means, icf, x, gamma, m):
    """One point after the other; all scratch is reused."""
    n, d = x.shape
    k = alphas.shape[0]
    diagonal = np.exp(icf[:, :d])
    sums = np.empty(k)
    for c in range(k):
        sums[c] = alphas[c] + np.sum(icf[c, :d])
    centred = np.empty(d)
    product = np.empty(d)
    terms = np.empty(k)
    total = 0.0
    for i in range(n):
        for c in range(k):
            for a in range(d):
                centred[a] = x[i, a] - means[c, a]
                product[a] = diagonal[c, a] * centred[a]
            for b in range(d):
                first = d + b * (2 * d - b - 1) // 2
                for a in range(b + 1, d):
                    product[a] += icf[c, first + a - b - 1] * centred[b]
            squares = 0.0
            for a in range(d):
                squares += product[a] * product[a]
            terms[c] = sums[c] - 0.5 * squares
        total += log_sum_exp(terms)
    return (-n * d * 0.5 * math.log(2.0 * math.pi) + total - n * log_sum_exp(alphas)
            + log_wishart_prior(icf, d, gamma, m))


def by_components(alphas, means, icf, x, gamma, m):
    """The same with the points innermost: `x` has one row for each dimension."""
    d, n = x.shape
    k = alphas.shape[0]
    beta = np.empty((k, n))
    for c in range(k):
        beta[c] = alphas[c] + np.sum(icf[c, :d])
        for a in range(d):
            product = math.exp(icf[c, a]) * (x[a] - means[c, a])
            for b in range(a):
                product += icf[c, d + b * (2 * d - b - 1) // 2 + a - b - 1] * (x[b] - means[c, b])
            beta[c] -= 0.5 * product * product
    largest = np.empty(n)
    largest[:] = -np.inf
    for c in range(k):
        largest = np.maximum(largest, beta[c])
    sums = np.zeros(n)
    for c in range(k):
        sums += np.exp(beta[c] - largest)
    total = np.sum(largest + np.log(sums))
    return (-n * d * 0.5 * math.log(2.0 * math.pi) + total - n * log_sum_exp(alphas)
            + log_wishart_prior(icf, d, gamma, m))
