import math

import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["rectified_loss_grad"]


@njit(error_model="numpy", fastmath={"contract"})
def rectified_loss_grad(x):
    """Gradient of rectified_loss (golden_functions.py:99) with respect to x.

    d rectified_loss / d x[i]

    Parameters
    ----------
    x : float64 array [:]

    Returns
    -------
    x_bar : float64 array [:]
        gradient with respect to x, shaped like it
    """
    n_x = x.shape[0]
    t = np.empty(n_x, dtype=np.bool_)
    y = np.empty(n_x)
    t_2 = np.empty(n_x, dtype=np.bool_)
    t_3 = np.empty(n_x, dtype=np.bool_)
    # line 100: y = np.where(x > 0.0, np.log1p(x), 0.1 * x)
    for i in range(n_x):
        x_i = x[i]
        test_i = x_i > 0.0
        t[i] = test_i
        y_i = math.log1p(x_i) if test_i else 0.1 * x_i
        y[i] = y_i
        # line 101: y[y > 0.6] = 0.6
        test_i_2 = y_i > 0.6
        t_2[i] = test_i_2
        if test_i_2:
            y[i] = 0.6
        # line 102: return np.mean(y[x != 0.5] ** 2)
        t_3[i] = x_i != 0.5
    count = 0
    for i in range(n_x):
        if t_3[i]:
            count += 1
    n = count
    where = np.empty(n, dtype=np.int64)
    count = 0
    for i in range(n_x):
        if t_3[i]:
            where[count] = i
            count += 1
    y_bar = np.zeros(n_x)
    t_4 = 1.0 / n
    for i in range(n):
        p = where[i]
        y_bar[p] += 2 * y[p] * t_4
    x_bar = np.empty(n_x)
    # line 101: y[y > 0.6] = 0.6
    for i in range(n_x):
        if t_2[i]:
            y_bar[i] = 0.0
        # line 100: y = np.where(x > 0.0, np.log1p(x), 0.1 * x)
        t_i = t[i]
        y_bar_i = y_bar[i]
        x_bar_i = (y_bar_i / (1 + x[i]) if t_i else 0.0) + 0.1 * (0.0 if t_i else y_bar_i)
        x_bar[i] = x_bar_i
    return x_bar
