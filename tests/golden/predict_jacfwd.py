import math

import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["predict_jacfwd"]


@njit(error_model="numpy", fastmath={"contract"})
def predict_jacfwd(weight, bias, x):
    """Jacobian of predict (golden_functions.py:58) with respect to x.

    d predict[i] / d x[j]

    Parameters
    ----------
    weight : float64 array [:, :]
    bias : float64 array [:]
    x : float64 array [:]

    Returns
    -------
    jacobian : float64 array [:, :]
        shape predict.shape + x.shape
    """
    n_x = x.shape[0]
    if n_x != weight.shape[0]:
        raise ValueError(
            "[SD0340] axes of different lengths: this version does not stretch an axis of length 1")
    n_bias = bias.shape[0]
    if n_bias != weight.shape[1]:
        raise ValueError(
            "[SD0340] axes of different lengths: this version does not stretch an axis of length 1")
    t = np.zeros(n_bias)
    # line 59: return np.tanh(x @ weight + bias)
    for i in range(n_x):
        x_i = x[i]
        for j in range(n_bias):
            t[j] += x_i * weight[i, j]
    t_2 = np.empty(n_bias)
    for i in range(n_bias):
        tanh = math.tanh(t[i] + bias[i])
        t_2[i] = 1 - tanh * tanh
    jacobian = np.empty((n_bias, n_x))
    for i in range(n_bias):
        t_i = t_2[i]
        for j in range(n_x):
            jacobian[i, j] = t_i * weight[j, i]
    return jacobian
