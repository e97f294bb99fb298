"""The functions whose generated source is kept in `tests/golden`, and their derivatives by differences.

``python -m tests.golden_functions`` prints every text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import srcdiff as sd

__all__ = ["CASES", "Case", "jacobian"]


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def recurrence(x, a):
    y = x.copy()
    for i in range(1, len(y)):
        y[i] = a * np.sin(y[i - 1]) + y[i]
    return y.sum()


def newton_root(a):
    root = a
    while abs(root * root - a) > 1e-10 * a:
        root = 0.5 * (root + a / root)
    return root


def power_at(signal, frequency):
    z = 0j
    for i in range(len(signal)):
        z += signal[i] * np.exp(-1j * frequency * i)
    return abs(z) ** 2


def huber(residuals, delta):
    total = 0.0
    for i in range(len(residuals)):
        size = abs(residuals[i])
        if size <= delta:
            total += 0.5 * size * size
        else:
            total += delta * (size - 0.5 * delta)
    return total


def predict(weight, bias, x):
    return np.tanh(x @ weight + bias)


def softmax_loss(logits, labels):
    shifted = logits - np.max(logits)
    log_normalizer = np.log(np.sum(np.exp(shifted)))
    return np.sum(labels * (log_normalizer - shifted))


def decay(t, rate):
    return math.exp(-rate * t)


def half_life_error(rate, times, data):
    total = 0.0
    for t, d in zip(times, data, strict=True):
        total += (decay(t, rate) - d) ** 2
    return total


def heat(u, steps, k):
    for _ in range(steps):
        new = u.copy()
        for i in range(1, u.shape[0] - 1):
            new[i] = u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1])
        u = new
    return u


def standardized(x):
    centered = x - np.mean(x)
    return centered / np.sqrt(np.mean(centered ** 2))


def enzyme_rate(concentration, constants):
    fastest, half, inhibition = constants
    substrate = concentration if concentration > 0.0 else 0.0
    return fastest * substrate / (half + substrate * (1.0 + substrate / inhibition))


def rectified_loss(x):
    y = np.where(x > 0.0, np.log1p(x), 0.1 * x)
    y[y > 0.6] = 0.6
    return np.mean(y[x != 0.5] ** 2)


def settled(x):
    u = np.array([x[0], x[1], 0.5])
    for _ in range(20):
        before = u[0]
        u = np.tanh(u) * 1.2 + x[2] * u[::-1]
        if abs(u[0] - before) < 0.05:
            break
    return np.sum(u)


# -- derivatives by differences ------------------------------------------------------------

def jacobian(function, x, h=1e-3) -> np.ndarray:
    """Return d function / d x, shape out.shape + x.shape, by extrapolated central differences."""
    x = np.asarray(x, float)

    def along(index, step):
        moved = [x.copy(), x.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        up, down = (function(m if m.ndim else float(m)) for m in moved)
        return (np.asarray(up) - np.asarray(down)) / (2 * step)

    columns = []
    for index in np.ndindex(x.shape):
        a, b, c = (along(index, h / 2 ** k) for k in range(3))
        b, c = b + (b - a) / 3, c + (c - b) / 3
        columns.append(c + (c - b) / 15)
    out = np.stack(columns, axis=-1)
    return out.reshape((*out.shape[:-1], *x.shape))


def hessian(function, x):
    return jacobian(lambda y: jacobian(function, y, 1e-2), x, 1e-2)


# -- the cases -----------------------------------------------------------------------------

@dataclass(frozen=True)
class Case:
    """A derivative, the arguments it is called with, and what it should give."""

    derivative: Callable
    args: tuple
    expected: Callable
    level: str = "loops"
    rtol: float = 1e-7

    def source(self) -> str:
        return self.derivative.source(*self.args, level=self.level)

    def flat_args(self) -> list:
        from srcdiff.structure import flat_values
        special = self.derivative.special_for(*self.args)
        return [v for a in self.args for v in flat_values(a)] + [v for get in special.captures
                                                                for v in flat_values(get())]


X = np.array([0.3, -0.8, 1.1, 0.6])
V = np.array([1.0, -0.5, 0.25, 2.0])
W, B, INPUT = np.arange(6.0).reshape(3, 2) / 7 - 0.3, np.array([0.1, -0.2]), np.array([0.5, -1.0, 0.25])
TIMES, DATA = np.array([0.5, 1.0, 2.0]), np.array([0.8, 0.55, 0.3])
LABELS = np.array([0.0, 1.0, 0.0, 0.0])
PULLED = sd.vjp(heat, X, 2, 0.1)[1]


def at(function, *rest):
    """Fix all arguments but the first."""
    return lambda x: function(x, *rest)


def of_input(x):
    return predict(W, B, x)


CASES: dict[str, Case] = {
    "rosenbrock_grad": Case(sd.grad(rosenbrock), (X,), lambda: jacobian(rosenbrock, X)),
    "rosenbrock_hvp": Case(sd.differentiate(rosenbrock).hvp, (X, V), lambda: hessian(rosenbrock, X) @ V, rtol=1e-5),
    "rosenbrock_vmap": Case(sd.vmap(sd.grad(rosenbrock)), (np.stack([X, V]),), lambda: np.stack(
        [jacobian(rosenbrock, X), jacobian(rosenbrock, V)])),
    "recurrence_value_and_grad": Case(
        sd.value_and_grad(recurrence, argnums=(0, 1)), (X, 0.7), lambda: (
            recurrence(X, 0.7), jacobian(at(recurrence, 0.7), X), jacobian(lambda a: recurrence(X, a), 0.7))),
    "newton_root_grad": Case(sd.grad(newton_root), (2.0,), lambda: jacobian(newton_root, 2.0)),
    "power_at_grad": Case(sd.grad(power_at, argnums=(0, 1)), (X, 0.3), lambda: (
        jacobian(at(power_at, 0.3), X), jacobian(lambda w: power_at(X, w), 0.3))),
    "huber_grad": Case(sd.grad(huber), (X, 0.7), lambda: jacobian(at(huber, 0.7), X, 1e-4)),
    "predict_jacrev": Case(sd.jacrev(predict, argnums=2), (W, B, INPUT), lambda: jacobian(of_input, INPUT)),
    "predict_jacfwd": Case(sd.jacfwd(predict, argnums=2), (W, B, INPUT), lambda: jacobian(of_input, INPUT)),
    "predict_hessian": Case(sd.hessian(predict, argnums=2), (W, B, INPUT), lambda: hessian(of_input, INPUT),
                            rtol=1e-5),
    "predict_hessian_arrays": Case(sd.hessian(predict, argnums=2), (W, B, INPUT),
                                   lambda: hessian(of_input, INPUT), level="array", rtol=1e-5),
    "softmax_loss_grad": Case(sd.grad(softmax_loss), (X, LABELS), lambda: jacobian(at(softmax_loss, LABELS), X)),
    "softmax_loss_grad_arrays": Case(sd.grad(softmax_loss), (X, LABELS),
                                     lambda: jacobian(at(softmax_loss, LABELS), X), level="array"),
    "softmax_loss_grad_float32": Case(
        sd.grad(softmax_loss), (X.astype(np.float32), LABELS.astype(np.float32)),
        lambda: jacobian(at(softmax_loss, LABELS), X), rtol=2e-6),
    "half_life_error_grad": Case(sd.grad(half_life_error), (0.6, TIMES, DATA),
                                 lambda: jacobian(at(half_life_error, TIMES, DATA), 0.6)),
    "heat_vjp": Case(PULLED, (V,), lambda: (
        V @ jacobian(at(heat, 2, 0.1), X), V @ jacobian(lambda k: heat(X, 2, k), 0.1))),
    "heat_jvp": Case(sd.differentiate(heat).jvp, ((X, 2, 0.1), (V, None, None)),
                     lambda: (heat(X, 2, 0.1), jacobian(at(heat, 2, 0.1), X) @ V)),
    "standardized_jacfwd": Case(sd.jacfwd(standardized), (X,), lambda: jacobian(standardized, X)),
    "enzyme_rate_grad": Case(sd.grad(enzyme_rate), (0.4, (2.0, 0.3, 1.5)),
                             lambda: jacobian(at(enzyme_rate, (2.0, 0.3, 1.5)), 0.4)),
    "rectified_loss_grad": Case(sd.grad(rectified_loss), (X,), lambda: jacobian(rectified_loss, X)),
    "settled_grad": Case(sd.grad(settled), (X,), lambda: jacobian(settled, X, 1e-4)),
}


if __name__ == "__main__":
    print("\0".join(case.source() for case in CASES.values()))
