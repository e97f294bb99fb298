import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["rosenbrock_hvp"]


@njit(error_model="numpy", fastmath={"contract"})
def rosenbrock_hvp(x, x_dot):
    """Hessian-vector product of rosenbrock (golden_functions.py:19) with respect to x.

    sum over j of d^2 rosenbrock / d x[i] d x[j] * x_dot[j]

    Parameters
    ----------
    x : float64 array [:]
    x_dot : float64 array [:]
        direction of x, shaped like it

    Returns
    -------
    x_bar_dot : float64 array [:]
        Hessian times direction, shaped like the argument
    """
    n_x = x_dot.shape[0]
    if n_x != x.shape[0]:
        raise ValueError("[SD0310] the tangent of x does not have its shape")
    x_bar_dot = np.zeros(n_x)
    # line 21: for i in range(len(x) - 1):
    for i in range(n_x - 1):
        # line 22: total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
        i_next = i + 1
        x_i = x[i]
        x_dot_i = x_dot[i]
        t = 2 * x_i
        t_dot = 200.0 * (x_dot[i_next] - t * x_dot_i)
        t_dot_2 = -400.0 * (x[i_next] - x_i ** 2) * x_dot_i - t * t_dot
        x_bar_dot[i] += t_dot_2 + 2 * x_dot_i
        x_bar_dot[i_next] += t_dot
    return x_bar_dot
