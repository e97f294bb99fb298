"""Array statements: broadcasting, reductions, slices, products."""

import numpy as np

from tests.programs import program

RNG = np.random.default_rng(4)
A = RNG.normal(size=(3, 4))
B = RNG.normal(size=(4, 2))
X = RNG.normal(size=4)
Y = RNG.normal(size=3)
P = RNG.uniform(0.5, 1.5, size=4)


@program(RNG.normal(size=(3, 4)), RNG.normal(size=3), RNG.normal(size=4), compiled=True)
def predict(weight, bias, x):
    return np.tanh(weight @ x + bias)


@program(RNG.normal(size=(3, 4)), RNG.normal(size=3), RNG.normal(size=(5, 4)))
def predict_batch(weight, bias, x):
    return np.tanh(x @ weight.T + bias)


@program(X, P, compiled=True)
def log_likelihood(x, p):
    return np.sum(-0.5 * (x / p)**2 - np.log(p))


@program(A, X)
def broadcast_rows(a, x):
    return a * x + x


@program(A, Y)
def broadcast_columns(a, y):
    return a * y[:, None] - y.reshape(3, 1)


@program(A, 0.7)
def scalar_and_matrix(a, s):
    return s * a + a / s


@program(RNG.normal(size=(1, 4)), RNG.normal(size=(3, 1)))
def extents_of_one(a, b):
    return a * b + np.sin(a)


@program(RNG.normal(size=1), X)
def stretched_vector(a, x):
    return a * x + a


@program(A)
def axis_sums(a):
    return a.sum(axis=0) * 2.0, np.sum(a * a, axis=1), np.sum(a, axis=1, keepdims=True) * a


@program(A)
def means(a):
    return np.mean(a), a.mean(axis=0), np.mean(a * a, axis=-1)


@program(P)
def products(p):
    return np.prod(p), p.prod() * p


@program(A)
def largest(a):
    return np.max(a), a.max(axis=1), np.min(a, axis=0)


@program(A, B)
def matrix_product(a, b):
    return a @ b


@program(A, B, X, Y)
def products_of_all_ranks(a, b, x, y):
    return a @ x, x @ b, np.dot(x, x), np.dot(a, b), np.outer(x, y), y @ a @ b


@program(A)
def transposed(a):
    return a.T @ a, np.transpose(a) * 2.0


@program(A)
def reshaped(a):
    return a.reshape(2, 6) * 2.0, a.ravel() * a.flatten(), np.reshape(a, (4, 3))


@program(X, compiled=True)
def slices(x):
    return x[1:] * x[:-1] + x[1:]**2


@program(A)
def slices_of_matrix(a):
    return a[1:, ::2] * a[:-1, 1::2], a[:, 0] * a[:, -1], a[::-1]


@program(X, Y)
def slice_writes(x, y):
    out = np.zeros(7)
    out[:4] = x * x
    out[4:] = y
    out[1:3] *= 2.0
    out[::2] += x
    return out


@program(A, X)
def row_writes(a, x):
    out = np.zeros_like(a)
    for i in range(3):
        out[i] = a[i] * x
        out[i, 1:] += x[1:] * a[i, :3]
    return out


@program(X)
def masks(x):
    return np.where(x > 0, x * x, np.sin(x)), np.maximum(x, 0.1), np.clip(x, -0.5, 0.5)


@program(X, np.array([0, 2, 2, 1]))
def fancy_read(x, index):
    return x[index] * x[index[0]]


@program(X)
def local_arrays(x):
    a = np.ones(4) * x
    b = np.full(4, 2.0) + np.zeros(4)
    c = np.empty_like(x)
    c[:] = a * b
    d = np.array([x[0], x[1] * x[2], 1.0])
    return c, d


@program(X, 0.1, 4, compiled=True)
def array_steps(u, dt, steps):
    v = u
    for _ in range(steps):
        v = v + dt * np.sin(v) * v
    return v


@program(X, 3)
def array_power_iteration(x, n):
    a = np.outer(x, x) + np.eye(4)
    v = np.ones(4)
    for _ in range(n):
        v = a @ v
        v = v / np.sqrt(np.sum(v * v))
    return v


@program(X.astype(np.float32), A.astype(np.float32))
def single_precision_arrays(x, a):
    return np.exp(a @ x) * 2.0 + np.sum(x)


@program(X)
def concatenated(x):
    return np.concatenate((x * 2.0, x[:2])) ** 2


@program(X)
def cumulative(x):
    return np.cumsum(x * x)


@program(RNG.normal(size=(2, 3, 4)))
def three_axes(a):
    return a.sum(axis=(0, 2)), a[:, 1, :] * a[0, :2], np.transpose(a, (2, 0, 1)) * 2.0


@program(np.zeros((0,)), 0.5)
def empty_array(x, a):
    return np.sum(x * a) + a * a, x * a
