import numpy as np

__all__ = ["predict_hessian"]


def predict_hessian(weight, bias, x):
    """Hessian of predict (golden_functions.py:58) with respect to x.

    d^2 predict[i] / d x[j] d x[k]

    Parameters
    ----------
    weight : float64 array [:, :]
    bias : float64 array [:]
    x : float64 array [:]

    Returns
    -------
    hessian : float64 array [:, :, :]
        shape predict.shape + x.shape + x.shape
    """
    # line 59: return np.tanh(x @ weight + bias)
    t = weight.T
    tanh = np.tanh(x @ weight + bias)
    t_2 = np.expand_dims(tanh, 1) * (np.expand_dims(1 - tanh * tanh, 1) * t)
    hessian = np.expand_dims(t, 2) * np.expand_dims(-2 * t_2, 1)
    return hessian
