import math

import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["half_life_error_grad"]


@njit(error_model="numpy", fastmath={"contract"})
def half_life_error_grad(rate, times, data):
    """Gradient of half_life_error (golden_functions.py:72) with respect to rate.

    d half_life_error / d rate

    Parameters
    ----------
    rate : float
    times : float64 array [:]
    data : float64 array [:]

    Returns
    -------
    float
        gradient with respect to rate
    """
    n_data = data.shape[0]
    # line 74: for t, d in zip(times, data, strict=True):
    if n_data != times.shape[0]:
        raise ValueError("zip() argument 2 is of another length than argument 1")
    # line 69, in decay: return math.exp(-rate * t)
    t_2 = -rate
    exp_tape = np.empty(n_data)
    # line 74: for t, d in zip(times, data, strict=True):
    for i in range(n_data):
        t = times[i]
        # line 69, in decay: return math.exp(-rate * t)
        exp_tape[i] = math.exp(t_2 * t)
    t_bar = 0.0
    # line 74: for t, d in zip(times, data, strict=True):
    for i in range(n_data):
        # line 75: total += (decay(t, rate) - d) ** 2
        exp = exp_tape[i]
        # line 69, in decay: return math.exp(-rate * t)
        t_bar += times[i] * (2 * exp * (exp - data[i]))
    return -t_bar
