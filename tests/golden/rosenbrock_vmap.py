import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["rosenbrock_grad_vmap"]


@njit(error_model="numpy", fastmath={"contract"})
def rosenbrock_grad_vmap(x):
    """Gradient of rosenbrock (golden_functions.py:19) with respect to x for each sample of a batch.

    Parameters
    ----------
    x : float64 array [:, :]

    Returns
    -------
    x_bar_samples : float64 array [:, :]
    """
    n_samples = x.shape[0]
    n_x_1 = x.shape[1]
    x_bar_samples = np.empty((n_samples, n_x_1))
    # line 21: for i in range(len(x) - 1):
    n_x_1_prev = n_x_1 - 1
    x_bar = np.empty(n_x_1)
    for sample in range(n_samples):
        for j in range(n_x_1):
            x_bar[j] = 0.0
        for i in range(n_x_1_prev):
            # line 22: total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
            i_next = i + 1
            x_sample_i = x[sample, i]
            t = 200.0 * (x[sample, i_next] - x_sample_i ** 2)
            x_bar[i] += -2 * x_sample_i * t - 2 * (1.0 - x_sample_i)
            x_bar[i_next] += t
        for j in range(n_x_1):
            x_bar_samples[sample, j] = x_bar[j]
    return x_bar_samples
