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
    x_bar = np.empty(n_x)
    # line 21: for i in range(len(x) - 1):
    if n_x >= 2:
        # line 22: total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
        x_0 = x[0]
        x_bar[0] = -400.0 * (x[1] - x_0 ** 2) * x_0 - 2 * (1.0 - x_0)
        # line 21: for i in range(len(x) - 1):
        p = n_x - 1
        # line 22: total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
        x_bar[p] = 200.0 * (x[p] - x[n_x - 2] ** 2)
        # line 21: for i in range(len(x) - 1):
        for i in range(1, p):
            # line 22: total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
            x_i = x[i]
            t = -400.0 * (x[i + 1] - x_i ** 2) * x_i
            total = t - 2 * (1.0 - x_i) + 200.0 * (x[i] - x[i - 1] ** 2)
            x_bar[i] = total
    else:
        for i in range(n_x):
            x_bar[i] = 0.0
    return x_bar
