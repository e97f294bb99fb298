import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["heat_vjp"]


@njit(error_model="numpy", fastmath={"contract"})
def heat_vjp(y_bar, u, steps, k, t_tape):
    """Pullback of heat (golden_functions.py:79).

    J^T cotangent, where J is the Jacobian of heat

    Parameters
    ----------
    y_bar : float64 array [:]
        cotangent of the output of heat, shaped like it
    u : float64 array [:], captured
    steps : int, captured
    k : float, captured
    t_tape : float64 array [:, :], captured

    Returns
    -------
    float64 array [:]
    k_bar : float
    """
    n_u = u.shape[0]
    # line 82: for i in range(1, u.shape[0] - 1):
    n_u_prev = n_u - 1
    n_u_2 = y_bar.shape[0]
    if n_u_2 != n_u:
        raise ValueError("[SD0310] the cotangent does not have the shape of the output")
    u_bar = np.empty(n_u_2)
    for j in range(n_u_2):
        u_bar[j] = y_bar[j]
    k_bar = 0.0
    new_bar = np.empty(n_u_2)
    new_bar_part_row = np.empty(max(n_u_prev, 0))
    # line 80: for _ in range(steps):
    for trip in range(steps - 1, -1, -1):
        for j in range(n_u_2):
            new_bar[j] = u_bar[j]
        u_bar = np.empty(n_u_2)
        # line 82: for i in range(1, u.shape[0] - 1):
        for i in range(1, n_u_prev):
            # line 83: new[i] = u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1])
            new_bar_i = new_bar[i]
            new_bar[i] = 0.0
            k_bar += t_tape[trip, i - 1] * new_bar_i
            # line 82: for i in range(1, u.shape[0] - 1):
            new_bar_part_row[i] = new_bar_i
        if n_u >= 4:
            new_bar_part_row_1 = new_bar_part_row[1]
            # line 83: new[i] = u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1])
            t = k * new_bar_part_row_1
            # line 82: for i in range(1, u.shape[0] - 1):
            p = n_u - 2
            u_bar[0] = 0.0
            u_bar[1] = 0.0
            u_bar[p] = 0.0
            u_bar[p + 1] = 0.0
            # line 83: new[i] = u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1])
            u_bar[0] += t
            u_bar[1] += new_bar_part_row_1 - 2.0 * t
            # line 82: for i in range(1, u.shape[0] - 1):
            new_bar_part_row_n_um2 = new_bar_part_row[p]
            # line 83: new[i] = u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1])
            t_2 = k * new_bar_part_row_n_um2
            u_bar[n_u - 1] += t_2
            u_bar[p] += new_bar_part_row_n_um2 - 2.0 * t_2
            u_bar[1] += k * new_bar_part_row[2]
            u_bar[p] += k * new_bar_part_row[n_u - 3]
            # line 82: for i in range(1, u.shape[0] - 1):
            for i in range(2, p):
                new_bar_part_row_i = new_bar_part_row[i]
                # line 83: new[i] = u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1])
                t_bar = new_bar_part_row_i - 2.0 * (k * new_bar_part_row_i)
                total = k * new_bar_part_row[i + 1] + t_bar
                u_bar[i] = total + k * new_bar_part_row[i - 1]
        else:
            # line 82: for i in range(1, u.shape[0] - 1):
            for j in range(n_u_2):
                u_bar[j] = 0.0
            for i in range(1, n_u_prev):
                new_bar_part_row_i = new_bar_part_row[i]
                # line 83: new[i] = u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1])
                t = k * new_bar_part_row_i
                u_bar[i + 1] += t
                u_bar[i - 1] += t
                u_bar[i] += new_bar_part_row_i - 2.0 * t
        u_bar_2 = np.empty(n_u_2)
        # line 81: new = u.copy()
        for j in range(n_u_2):
            u_bar_2[j] = u_bar[j] + new_bar[j]
        u_bar = u_bar_2
    # line 80: for _ in range(steps):
    return u_bar, k_bar
