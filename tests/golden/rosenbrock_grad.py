import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["rosenbrock_grad"]


@njit(error_model="numpy", fastmath={"contract"})
def rosenbrock_grad(x):
    """Gradient of rosenbrock (golden_functions.py:19) with respect to x.

    d rosenbrock / d x[i]

    Parameters
    ----------
    x : float64 array [:]

    Returns
    -------
    x_bar : float64 array [:]
        gradient with respect to x, shaped like it
    """
    n_x = x.shape[0]
    x_bar = np.zeros(n_x)
    # line 21: for i in range(len(x) - 1):
    for i in range(n_x - 2, -1, -1):
        # line 22: total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
        i_next = i + 1
        x_i = x[i]
        t = 200.0 * (x[i_next] - x_i ** 2)
        x_bar[i] += -2 * x_i * t - 2 * (1.0 - x_i)
        x_bar[i_next] += t
    return x_bar
