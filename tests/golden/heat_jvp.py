import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["heat_jvp"]


@njit(error_model="numpy", fastmath={"contract"})
def heat_jvp(u, steps, k, u_dot):
    """Value and directional derivative of heat (golden_functions.py:79).

    J tangents, where J is the Jacobian of heat

    Parameters
    ----------
    u : float64 array [:]
    steps : int
    k : float
    u_dot : float64 array [:]
        tangent of u, shaped like it

    Returns
    -------
    u_2 : float64 array [:]
        value of heat
    u_dot_2 : float64 array [:]
        derivative of heat along the tangents
    """
    n_u = u_dot.shape[0]
    if n_u != u.shape[0]:
        raise ValueError("[SD0310] the tangent of u does not have its shape")
    u_2 = np.empty(n_u)
    u_dot_2 = np.empty(n_u)
    # line 80: for _ in range(steps):
    for j in range(n_u):
        u_2[j] = u[j]
        u_dot_2[j] = u_dot[j]
    # line 82: for i in range(1, u.shape[0] - 1):
    n_u_prev = n_u - 1
    new = np.empty(n_u)
    new_dot = np.empty(n_u)
    # line 80: for _ in range(steps):
    for _ in range(steps):
        # line 81: new = u.copy()
        for j in range(n_u):
            new[j] = u_2[j]
            new_dot[j] = u_dot_2[j]
        # line 82: for i in range(1, u.shape[0] - 1):
        for i in range(1, n_u_prev):
            # line 83: new[i] = u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1])
            u_i = u_2[i]
            u_dot_i = u_dot_2[i]
            i_prev = i - 1
            i_next = i + 1
            new[i] = u_i + k * (u_2[i_prev] - 2.0 * u_i + u_2[i_next])
            t_dot = u_dot_i + k * (u_dot_2[i_prev] - 2.0 * u_dot_i + u_dot_2[i_next])
            new_dot[i] = t_dot
        # line 80: for _ in range(steps):
        for j in range(n_u):
            u_2[j] = new[j]
            u_dot_2[j] = new_dot[j]
    return u_2, u_dot_2
