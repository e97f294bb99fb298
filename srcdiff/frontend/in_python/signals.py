"""`scipy.signal` and `scipy.integrate`: recursive filters, running integrals."""

from __future__ import annotations

import numpy as np
import scipy.integrate as si
import scipy.signal as ss

__all__ = ["FUNCTIONS"]


def lfilter(b, a, x, axis=-1, zi=None):
    """a filter by its difference equation, in the transposed direct form."""
    if zi is not None or np.ndim(x) != 1:
        raise NotImplementedError("scipy.signal.lfilter with zi, or of an array with several axes")
    b, a, x = np.atleast_1d(b), np.atleast_1d(a), np.asarray(x)
    first, n = a[0], max(len(a), len(b))
    forward, back = np.zeros(n), np.zeros(n)
    forward[:len(b)] = b / first
    back[:len(a)] = a / first
    state = np.zeros(n)
    made = np.zeros(len(x))
    for k in range(len(x)):
        y = forward[0] * x[k] + state[0]
        for i in range(1, n):
            state[i - 1] = state[i] + forward[i] * x[k] - back[i] * y
        made[k] = y
    return made


def cumulative_trapezoid(y, x=None, dx=1.0, axis=-1, initial=None):
    y = np.asarray(y)
    axis = axis % y.ndim
    n = y.shape[axis]
    if x is None:
        steps = dx
    elif np.ndim(x) == 1:
        steps = np.diff(x).reshape([-1 if k == axis else 1 for k in range(y.ndim)])
    else:
        steps = np.diff(x, axis=axis)
    pairs = np.take(y, np.arange(1, n), axis) + np.take(y, np.arange(n - 1), axis)
    made = np.cumsum(steps * pairs / 2.0, axis)
    if initial is None:
        return made
    front = np.take(y, np.arange(1), axis) * 0.0 + initial
    return np.concatenate((front, made), axis)


FUNCTIONS = {ss.lfilter: lfilter, si.cumulative_trapezoid: cumulative_trapezoid}
