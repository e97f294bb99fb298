import math

import numpy as np

__all__ = ["softmax_loss_grad"]


def sum_to(x, shape):
    """Undo broadcasting: sum `x` down to `shape`."""
    x = np.sum(x, axis=tuple(range(np.ndim(x) - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and x.shape[i] != 1)
    x = np.sum(x, axis=stretched, keepdims=True)
    if x.shape != shape:
        raise ValueError("cannot sum down to this shape")
    return x


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
    # line 63: shifted = logits - np.max(logits)
    t = np.max(logits)
    shifted = logits - t
    # line 64: log_normalizer = np.log(np.sum(np.exp(shifted)))
    exp_shifted = np.exp(shifted)
    total = np.sum(exp_shifted)
    log_normalizer = math.log(total)
    # line 65: return np.sum(labels * (log_normalizer - shifted))
    t_2 = labels * (log_normalizer - shifted)
    t_3 = sum_to(labels * np.full(t_2.shape[0], 1.0), (logits.shape[0],))
    # line 64: log_normalizer = np.log(np.sum(np.exp(shifted)))
    shifted_bar = exp_shifted * (np.sum(t_3) / total) - t_3
    # line 63: shifted = logits - np.max(logits)
    test = logits == t
    t_4 = np.where(test, np.sum(-shifted_bar) / np.sum(test), 0.0)
    logits_bar = shifted_bar + t_4
    return logits_bar
