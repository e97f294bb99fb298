import math

import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["power_at_grad"]


@njit(error_model="numpy", fastmath={"contract"})
def quotient(a, b):
    """Return a / b, where 0 / 0 = 0 and zeros have no sign."""
    if b == 0:
        return a * b if a == 0 else a * np.inf
    return a / b


@njit(error_model="numpy", fastmath={"contract"})
def power_at_grad(signal, frequency):
    """Gradient of power_at (golden_functions.py:40) with respect to signal and frequency.

    Parameters
    ----------
    signal : float64 array [:]
    frequency : float

    Returns
    -------
    signal_bar : float64 array [:]
        gradient with respect to signal, shaped like it
    float
        gradient with respect to frequency
    """
    n_signal = signal.shape[0]
    # line 42: for i in range(len(signal)):
    z = 0.0j
    # line 43: z += signal[i] * np.exp(-1j * frequency * i)
    t = -1.0j * frequency
    exp_tape = np.empty(n_signal, dtype=np.complex128)
    # line 42: for i in range(len(signal)):
    for i in range(n_signal):
        # line 43: z += signal[i] * np.exp(-1j * frequency * i)
        exp = np.exp(t * i)
        exp_tape[i] = exp
        z += signal[i] * exp
    # line 44: return abs(z) ** 2
    t_2 = z.real
    t_3 = z.imag
    hypot = math.hypot(t_2, t_3)
    signal_bar = np.empty(n_signal)
    t_bar = 0.0j
    t_4 = 2 * hypot
    z_bar = -1.0j * (quotient(t_3, hypot) * t_4) + quotient(t_2, hypot) * t_4
    # line 42: for i in range(len(signal)):
    for i in range(n_signal):
        # line 43: z += signal[i] * np.exp(-1j * frequency * i)
        exp = exp_tape[i]
        t_bar += i * (exp * (signal[i] * z_bar))
        signal_bar[i] = (exp * z_bar).real
    return signal_bar, (-1.0j * t_bar).real
