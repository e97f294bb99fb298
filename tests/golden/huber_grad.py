import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["huber_grad"]


@njit(error_model="numpy", fastmath={"contract"})
def huber_grad(residuals, delta):
    """Gradient of huber (golden_functions.py:47) with respect to residuals.

    d huber / d residuals[i]

    Parameters
    ----------
    residuals : float64 array [:]
    delta : float

    Returns
    -------
    residuals_bar : float64 array [:]
        gradient with respect to residuals, shaped like it
    """
    n_residuals = residuals.shape[0]
    residuals_bar = np.empty(n_residuals)
    # line 49: for i in range(len(residuals)):
    for i in range(n_residuals):
        # line 50: size = abs(residuals[i])
        residuals_i = residuals[i]
        size = abs(residuals_i)
        # line 51: if size <= delta:
        if size <= delta:
            # line 52: total += 0.5 * size * size
            size_bar = size
        else:
            # line 54: total += delta * (size - 0.5 * delta)
            size_bar = delta
        # line 50: size = abs(residuals[i])
        residuals_bar[i] = np.sign(residuals_i) * size_bar
    return residuals_bar
