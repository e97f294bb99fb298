import math

import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["recurrence_value_and_grad"]


@njit(error_model="numpy", fastmath={"contract"})
def recurrence_value_and_grad(x, a):
    """Value and gradient of recurrence (golden_functions.py:26) with respect to x and a.

    Parameters
    ----------
    x : float64 array [:]
    a : float

    Returns
    -------
    total : float
        value of recurrence
    x_bar : float64 array [:]
        gradient with respect to x, shaped like it
    a_bar : float
        gradient with respect to a
    """
    n_x = x.shape[0]
    y = np.empty(n_x)
    # line 27: y = x.copy()
    for j in range(n_x):
        y[j] = x[j]
    sin_y_prev_tape = np.empty(len(range(1, n_x)))
    # line 28: for i in range(1, len(y)):
    for i in range(1, n_x):
        # line 29: y[i] = a * np.sin(y[i - 1]) + y[i]
        i_prev = i - 1
        sin_y_prev = math.sin(y[i_prev])
        sin_y_prev_tape[i_prev] = sin_y_prev
        y[i] += a * sin_y_prev
    # line 30: return y.sum()
    total = 0.0
    a_bar = 0.0
    x_bar = np.empty(n_x)
    for j in range(n_x):
        total += y[j]
        x_bar[j] = 1.0
    cos_t_row = np.empty(n_x)
    # line 28: for i in range(1, len(y)):
    for i in range(1, n_x):
        cos_t_row[i] = math.cos(y[i - 1])
    for i in range(n_x - 1, 0, -1):
        # line 29: y[i] = a * np.sin(y[i - 1]) + y[i]
        i_prev = i - 1
        x_bar_i = x_bar[i]
        a_bar += sin_y_prev_tape[i_prev] * x_bar_i
        x_bar[i_prev] += cos_t_row[i] * (a * x_bar_i)
    return total, x_bar, a_bar
