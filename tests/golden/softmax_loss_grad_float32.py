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
    logits : float32 array [:]
    labels : float32 array [:]

    Returns
    -------
    logits_bar : float32 array [:]
        gradient with respect to logits, shaped like it
    """
    n_logits = logits.shape[0]
    # line 56: shifted = logits - np.max(logits)
    if n_logits == 0:
        raise ValueError("zero-size array to reduction operation maximum which has no identity")
    t = np.float32(-np.inf)
    for i in range(n_logits):
        t = np.maximum(t, logits[i])
    exp = np.empty(n_logits, dtype=np.float32)
    for i in range(n_logits):
        # line 57: log_normalizer = np.log(np.sum(np.exp(shifted)))
        exp[i] = np.exp(logits[i] - t)
    total = np.float64(0)
    # line 58: return np.sum(labels * (log_normalizer - shifted))
    if n_logits != labels.shape[0]:
        raise ValueError(
            "[SD0340] axes of different lengths: this version does not stretch an axis of length 1")
    t_bar = np.float32(1.0)
    t_2 = np.empty(n_logits, dtype=np.float32)
    total_2 = np.float64(0)
    # line 57: log_normalizer = np.log(np.sum(np.exp(shifted)))
    for i in range(n_logits):
        total += exp[i]
        # line 58: return np.sum(labels * (log_normalizer - shifted))
        t_3 = labels[i] * t_bar
        t_2[i] = t_3
        total_2 += t_3
    # line 57: log_normalizer = np.log(np.sum(np.exp(shifted)))
    t_3 = np.float32(total_2) / np.float32(total)
    shifted_bar = np.empty(n_logits, dtype=np.float32)
    # line 56: shifted = logits - np.max(logits)
    total_3 = np.float64(0)
    t_4 = np.empty(n_logits, dtype=np.bool_)
    k = np.int64(0)
    # line 57: log_normalizer = np.log(np.sum(np.exp(shifted)))
    for i in range(n_logits):
        shifted_bar_i = exp[i] * t_3 - t_2[i]
        shifted_bar[i] = shifted_bar_i
        # line 56: shifted = logits - np.max(logits)
        total_3 -= shifted_bar_i
        test_i = logits[i] == t
        t_4[i] = test_i
        k += test_i
    t_5 = np.float32(total_3) / k
    logits_bar = np.empty(n_logits, dtype=np.float32)
    for i in range(n_logits):
        logits_bar[i] = shifted_bar[i] + np.float32(t_5 if t_4[i] else 0.0)
    return logits_bar
