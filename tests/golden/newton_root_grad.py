import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["newton_root_grad"]


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
def newton_root_grad(a):
    """Gradient of newton_root (golden_functions.py:33) with respect to a.

    d newton_root / d a

    Parameters
    ----------
    a : float

    Returns
    -------
    a_bar : float
        gradient with respect to a
    """
    # line 35: while abs(root * root - a) > 1e-10 * a:
    root = a
    t = 1e-10 * a
    trips = 0
    root_stack = np.empty(64)
    top = 0
    while abs(root * root - a) > t:
        # line 36: root = 0.5 * (root + a / root)
        root_kept = root
        root = 0.5 * (root + a / root)
        # line 35: while abs(root * root - a) > 1e-10 * a:
        trips += 1
        position = top
        top += 1
        root_stack = tape_grow(root_stack, top)
        root_stack[position] = root_kept
    root_bar = 1.0
    a_bar = 0.0
    for trip in range(trips):
        top -= 1
        root = root_stack[top]
        # line 36: root = 0.5 * (root + a / root)
        t = 0.5 * root_bar
        t_2 = t / root
        a_bar += t_2
        root_bar = t - a / root * t_2
    # line 35: while abs(root * root - a) > 1e-10 * a:
    a_bar += root_bar
    return a_bar
