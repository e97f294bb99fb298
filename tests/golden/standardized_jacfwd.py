import math

import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["standardized_jacfwd"]


@njit(error_model="numpy", fastmath={"contract"})
def standardized_jacfwd(x):
    """Jacobian of standardized (golden_functions.py:88) with respect to x.

    d standardized[i] / d x[j]

    Parameters
    ----------
    x : float64 array [:]

    Returns
    -------
    jacobian : float64 array [:, :]
        shape standardized.shape + x.shape
    """
    n_x = x.shape[0]
    x_dot = np.zeros((n_x, n_x))
    # line 89: centered = x - np.mean(x)
    total = 0.0
    t_dot = np.empty(n_x)
    for i in range(n_x):
        x_dot[i, i] = 1.0
        total += x[i]
        t_dot[i] = 1.0 / n_x
    t = total / n_x
    centered = np.empty(n_x)
    centered_dot = np.empty((n_x, n_x))
    # line 90: return centered / np.sqrt(np.mean(centered ** 2))
    total_2 = 0.0
    total_dot = np.zeros(n_x)
    # line 89: centered = x - np.mean(x)
    for i in range(n_x):
        centered_i = x[i] - t
        centered[i] = centered_i
        # line 90: return centered / np.sqrt(np.mean(centered ** 2))
        t_2 = 2 * centered_i
        total_2 += centered_i ** 2
        # line 89: centered = x - np.mean(x)
        for j in range(n_x):
            centered_dot_ij = x_dot[i, j] - t_dot[j]
            centered_dot[i, j] = centered_dot_ij
            # line 90: return centered / np.sqrt(np.mean(centered ** 2))
            total_dot[j] += t_2 * centered_dot_ij
    length = math.sqrt(total_2 / n_x)
    t_2 = 0.0 if length == 0 else 0.5 / length
    length_dot = np.empty(n_x)
    t_3 = np.empty(n_x)
    for i in range(n_x):
        length_dot[i] = t_2 * (total_dot[i] / n_x)
        t_3[i] = centered[i] / length
    jacobian = np.empty((n_x, n_x))
    scale = 1.0 / length
    for i in range(n_x):
        t_i = t_3[i]
        for j in range(n_x):
            t_dot_2 = scale * (centered_dot[i, j] - t_i * length_dot[j])
            jacobian[i, j] = t_dot_2
    return jacobian
