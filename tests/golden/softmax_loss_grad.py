import math

import numpy as np

try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function

__all__ = ["softmax_loss_grad"]


@njit(error_model="numpy", fastmath={"contract"})
def softmax_loss_grad(logits, labels):
    """Gradient of softmax_loss (golden_functions.py:55) with respect to logits.

    d softmax_loss / d logits[i]

    Parameters
    ----------
    logits : float64 array [:]
    labels : float64 array [:]

    Returns
    -------
    logits_bar : float64 array [:]
        gradient with respect to logits, shaped like it
    """
    n_logits = logits.shape[0]
    # line 56: shifted = logits - np.max(logits)
    if n_logits == 0:
        raise ValueError("zero-size array to reduction operation maximum which has no identity")
    t = -np.inf
    for i in range(n_logits):
        t = np.maximum(t, logits[i])
    exp = np.empty(n_logits)
    for i in range(n_logits):
        # line 57: log_normalizer = np.log(np.sum(np.exp(shifted)))
        exp[i] = math.exp(logits[i] - t)
    t_2 = 0.0
    # line 58: return np.sum(labels * (log_normalizer - shifted))
    if n_logits != labels.shape[0]:
        raise ValueError(
            "[SD0340] axes of different lengths: this version does not stretch an axis of length 1")
    t_3 = np.empty(n_logits)
    t_4 = 0.0
    # line 57: log_normalizer = np.log(np.sum(np.exp(shifted)))
    for i in range(n_logits):
        t_2 += exp[i]
        # line 58: return np.sum(labels * (log_normalizer - shifted))
        t_5 = labels[i]
        t_3[i] = t_5
        t_4 += t_5
    # line 57: log_normalizer = np.log(np.sum(np.exp(shifted)))
    t_5 = t_4 / t_2
    shifted_bar = np.empty(n_logits)
    # line 56: shifted = logits - np.max(logits)
    t_6 = 0.0
    t_7 = np.empty(n_logits, dtype=np.bool_)
    k = np.int64(0)
    # line 57: log_normalizer = np.log(np.sum(np.exp(shifted)))
    for i in range(n_logits):
        shifted_bar_i = exp[i] * t_5 - t_3[i]
        shifted_bar[i] = shifted_bar_i
        # line 56: shifted = logits - np.max(logits)
        t_6 -= shifted_bar_i
        test_i = logits[i] == t
        t_7[i] = test_i
        k += test_i
    t_8 = t_6 / k
    logits_bar = np.empty(n_logits)
    for i in range(n_logits):
        logits_bar[i] = shifted_bar[i] + (t_8 if t_7[i] else 0.0)
    return logits_bar
