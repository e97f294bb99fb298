"""A recurrent network with gates (LSTM) whose weight matrices are diagonal: cross entropy per bit.

`main` holds for each layer a row of weights and a row of biases, each split
into (forget, ingate, outgate, change); `extra` the weights of the input, the
weights and the bias of the output; `state` for each layer hidden and cell.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["objective"]


@njit
def sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x))


@njit
def step(weight, bias, hidden, cell, signal):
    """Advance one layer in place; `signal` becomes its output."""
    b = signal.shape[0]
    for j in range(b):
        forget = sigmoid(signal[j] * weight[j] + bias[j])
        ingate = sigmoid(hidden[j] * weight[b + j] + bias[b + j])
        outgate = sigmoid(signal[j] * weight[2 * b + j] + bias[2 * b + j])
        change = math.tanh(hidden[j] * weight[3 * b + j] + bias[3 * b + j])
        cell[j] = cell[j] * forget + ingate * change
        hidden[j] = outgate * math.tanh(cell[j])
        signal[j] = hidden[j]


def objective(main, extra, start, sequence):
    layers = main.shape[0] // 2
    count, b = sequence.shape
    state = start.copy()
    signal = np.empty(b)
    total = 0.0
    for t in range(count - 1):
        for j in range(b):
            signal[j] = sequence[t, j] * extra[0, j]
        for i in range(layers):
            step(main[2 * i], main[2 * i + 1], state[2 * i], state[2 * i + 1], signal)
        normal = 2.0
        for j in range(b):
            signal[j] = signal[j] * extra[1, j] + extra[2, j]
            normal += math.exp(signal[j])
        normal = math.log(normal)
        for j in range(b):
            total += sequence[t + 1, j] * (signal[j] - normal)
    return -total / ((count - 1) * b)
