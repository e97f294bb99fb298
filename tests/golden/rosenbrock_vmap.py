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
    x_bar = np.empty(n_x_1)
    for sample in range(n_samples):
        # line 21: for i in range(len(x) - 1):
        if n_x_1 >= 2:
            # line 22: total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
            x_sample_0 = x[sample, 0]
            t = -400.0 * (x[sample, 1] - x_sample_0 ** 2) * x_sample_0
            # line 21: for i in range(len(x) - 1):
            p = n_x_1 - 1
            x_bar[0] = 0.0
            x_bar[p] = 0.0
            # line 22: total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
            x_bar[0] += t - 2 * (1.0 - x_sample_0)
            x_bar[p] += 200.0 * (x[sample, p] - x[sample, n_x_1 - 2] ** 2)
            # line 21: for i in range(len(x) - 1):
            for i in range(1, p):
                # line 22: total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
                x_sample_i = x[sample, i]
                t = -200.0 * (x[sample, i + 1] - x_sample_i ** 2)
                t_2 = 200.0 * (x[sample, i] - x[sample, i - 1] ** 2)
                total = 2 * x_sample_i * t - 2 * (1.0 - x_sample_i) + t_2
                x_bar[i] = total
        else:
            # line 21: for i in range(len(x) - 1):
            for i in range(n_x_1):
                x_bar[i] = 0.0
        for i in range(n_x_1):
            x_bar_samples[sample, i] = x_bar[i]
    return x_bar_samples
