import math

import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["settled_grad"]


@njit(error_model="numpy", fastmath={"contract"})
def tape_grow(tape, needed):
    """Return a tape of at least twice the length if `needed` exceeds its length."""
    length = tape.shape[0]
    if needed <= length:
        return tape
    longer = np.zeros((length + max(length, needed),) + tape.shape[1:], tape.dtype)
    for index, value in np.ndenumerate(tape):
        longer[index] = value
    return longer


@njit(error_model="numpy", fastmath={"contract"})
def settled_grad(x):
    """Gradient of settled (golden_functions.py:105) with respect to x.

    d settled / d x[i]

    Parameters
    ----------
    x : float64 array [:]

    Returns
    -------
    x_bar : float64 array [:]
        gradient with respect to x, shaped like it
    """
    n_x = x.shape[0]
    # line 106: u = np.array([x[0], x[1], 0.5])
    if n_x <= 1:
        raise IndexError(
            "[SD0343] index out of range: axis 0 of x, in `u = np.array([x[0], x[1], 0.5])`")
    u = np.empty(3)
    u[0] = x[0]
    u[1] = x[1]
    u[2] = 0.5
    # line 107: for _ in range(20):
    count = 0
    broke = False
    # line 109: u = np.tanh(u) * 1.2 + x[2] * u[::-1]
    outside = n_x <= 2
    # line 107: for _ in range(20):
    trips = 0
    tanh_i_stack = np.empty((8, 3))
    t_i_stack = np.empty((8, 3))
    top = 0
    tanh = np.empty(3)
    t = np.empty(3)
    t_2 = np.empty(3)
    t_3 = np.empty(3)
    while count < 20 and not broke:
        # line 108: before = u[0]
        before = u[0]
        # line 109: u = np.tanh(u) * 1.2 + x[2] * u[::-1]
        if outside:
            raise IndexError(
                "[SD0343] index out of range: axis 0 of x, in `u = np.tanh(u) * 1.2 + x[2] * u[::-1]`")
        x_2 = x[2]
        for i in range(3):
            tanh_u_i = math.tanh(u[i])
            tanh[i] = tanh_u_i
            t[i] = tanh_u_i * 1.2
            u_p = u[2 - i]
            t_2[i] = u_p
            t_3[i] = x_2 * u_p
        # line 107: for _ in range(20):
        count += 1
        trips += 1
        position = top
        top += 1
        tanh_i_stack = tape_grow(tanh_i_stack, top)
        t_i_stack = tape_grow(t_i_stack, top)
        # line 109: u = np.tanh(u) * 1.2 + x[2] * u[::-1]
        for i in range(3):
            u[i] = t[i] + t_3[i]
            # line 107: for _ in range(20):
            tanh_i_stack[position, i] = tanh[i]
            t_i_stack[position, i] = t_2[i]
        # line 110: if abs(u[0] - before) < 0.05:
        if abs(u[0] - before) < 0.05:
            broke = True
    x_bar = np.zeros(n_x)
    u_bar = np.empty(3)
    # line 112: return np.sum(u)
    for i in range(3):
        u_bar[i] = 1.0
    u_bar_2 = np.empty(3)
    t_4 = np.empty(3)
    # line 107: for _ in range(20):
    for trip in range(trips):
        top -= 1
        # line 109: u = np.tanh(u) * 1.2 + x[2] * u[::-1]
        x_2 = x[2]
        for i in range(3):
            u_bar_2[i] = 0.0
        total = 0.0
        for i in range(3):
            u_bar_i = u_bar[i]
            total += t_i_stack[top, i] * u_bar_i
            u_bar_2[2 - i] += x_2 * u_bar_i
            tanh_i = tanh_i_stack[top, i]
            t_4[i] = (1 - tanh_i * tanh_i) * (1.2 * u_bar_i)
        x_bar[2] += total
        for i in range(3):
            u_bar[i] = u_bar_2[i] + t_4[i]
    # line 106: u = np.array([x[0], x[1], 0.5])
    x_bar[1] += u_bar[1]
    x_bar[0] += u_bar[0]
    return x_bar
