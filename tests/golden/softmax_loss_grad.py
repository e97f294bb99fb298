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
    """Gradient of softmax_loss (golden_functions.py:62) with respect to logits.

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
    n_labels = labels.shape[0]
    if n_labels != logits.shape[0]:
        raise ValueError(
            "[SD0340] axes of different lengths: this version does not stretch an axis of length 1")
    # line 63: shifted = logits - np.max(logits)
    if n_labels == 0:
        raise ValueError("zero-size array to reduction operation maximum which has no identity")
    largest = -np.inf
    for i in range(n_labels):
        largest = np.maximum(largest, logits[i])
    exp = np.empty(n_labels)
    for i in range(n_labels):
        # line 64: log_normalizer = np.log(np.sum(np.exp(shifted)))
        exp[i] = math.exp(logits[i] - largest)
    total = 0.0
    t = np.empty(n_labels)
    # line 65: return np.sum(labels * (log_normalizer - shifted))
    total_2 = 0.0
    # line 64: log_normalizer = np.log(np.sum(np.exp(shifted)))
    for i in range(n_labels):
        total += exp[i]
        # line 65: return np.sum(labels * (log_normalizer - shifted))
        t_2 = labels[i]
        t[i] = t_2
        total_2 += t_2
    # line 64: log_normalizer = np.log(np.sum(np.exp(shifted)))
    t_2 = total_2 / total
    shifted_bar = np.empty(n_labels)
    # line 63: shifted = logits - np.max(logits)
    total_3 = 0.0
    t_3 = np.empty(n_labels, dtype=np.bool_)
    count = np.int64(0)
    # line 64: log_normalizer = np.log(np.sum(np.exp(shifted)))
    for i in range(n_labels):
        shifted_bar_i = exp[i] * t_2 - t[i]
        shifted_bar[i] = shifted_bar_i
        # line 63: shifted = logits - np.max(logits)
        total_3 -= shifted_bar_i
        test_i = logits[i] == largest
        t_3[i] = test_i
        count += test_i
    t_4 = total_3 / count
    logits_bar = np.empty(n_labels)
    for i in range(n_labels):
        logits_bar[i] = shifted_bar[i] + (t_4 if t_3[i] else 0.0)
    return logits_bar
