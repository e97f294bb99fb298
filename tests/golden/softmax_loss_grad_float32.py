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
    logits : float32 array [:]
    labels : float32 array [:]

    Returns
    -------
    logits_bar : float32 array [:]
        gradient with respect to logits, shaped like it
    """
    n_labels = labels.shape[0]
    if n_labels != logits.shape[0]:
        raise ValueError(
            "[SD0340] axes of different lengths: this version does not stretch an axis of length 1")
    # line 63: shifted = logits - np.max(logits)
    if n_labels == 0:
        raise ValueError("zero-size array to reduction operation maximum which has no identity")
    largest = np.float32(-np.inf)
    for i in range(n_labels):
        largest = np.maximum(largest, logits[i])
    exp = np.empty(n_labels, dtype=np.float32)
    for i in range(n_labels):
        # line 64: log_normalizer = np.log(np.sum(np.exp(shifted)))
        exp[i] = np.exp(logits[i] - largest)
    total = np.float64(0)
    t = np.empty(n_labels, dtype=np.float32)
    # line 65: return np.sum(labels * (log_normalizer - shifted))
    total_2 = np.float64(0)
    # line 64: log_normalizer = np.log(np.sum(np.exp(shifted)))
    for i in range(n_labels):
        total += exp[i]
        # line 65: return np.sum(labels * (log_normalizer - shifted))
        t_2 = labels[i] * np.float32(1.0)
        t[i] = t_2
        total_2 += t_2
    # line 64: log_normalizer = np.log(np.sum(np.exp(shifted)))
    t_2 = np.float32(total_2) / np.float32(total)
    shifted_bar = np.empty(n_labels, dtype=np.float32)
    # line 63: shifted = logits - np.max(logits)
    total_3 = np.float64(0)
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
    t_4 = np.float32(total_3) / count
    logits_bar = np.empty(n_labels, dtype=np.float32)
    for i in range(n_labels):
        logits_bar[i] = shifted_bar[i] + np.float32(t_4 if t_3[i] else 0.0)
    return logits_bar
