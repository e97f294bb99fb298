"""Programs that random testing found wrong once, made minimal; docs/random-programs.md lists the causes."""

import numpy as np

from tests.programs import program

RNG = np.random.default_rng(11)
X = RNG.uniform(0.4, 1.4, 5)
Y = RNG.normal(size=5)


@program(X, np.array([2, 1, 2, 4, 0]))
def stored_into_itself(x, index):
    y = np.sin(x)
    y[:] = y
    y[1] *= 0.5
    y[index] = y
    for _ in range(2):
        y[::-1] = y
        y[0] *= 2.0
    return y


@program(X, 2)
def returns_in_nested_branches(x, n):
    if n > 5:
        pass
    elif np.any(x > 0.5):
        return x, x.sum(), x * 2.0
    b = 0
    return x, b, x


@program(X, Y)
def loop_unrolled_after_all(x, y):
    row = y[::2]
    for _ in range(2):
        y = np.tanh(y / (1.5 + np.sin(y)))
        row *= np.exp(-abs(x[0])) / (1.0 + np.exp(-abs(x[0])))
    return row, y


def _writes_first(v):
    v[0] = 5.0 * v[1]
    return v[2]


@program(X)
def element_read_before_the_call(x):
    y = x * 1.0
    y[0] += _writes_first(y)
    y[1:] -= _writes_first(y)
    y[0] *= _writes_first(y)
    return y


@program(np.outer(X, Y))
def last_of_a_part(a):
    b = a.copy()
    c = b[:, :2]
    c[:, -1] *= 2.0
    c[-1] /= 1.0 + c[-1] ** 2
    return b[:3] @ b[:, :2].T[0], c[:2][-1], b


@program(X, np.array([2, 1, 2, 4, 0]))
def added_at_repeated_indices(x, index):
    y = np.zeros(6)
    np.add.at(y, index, x)
    np.add.at(y[::-1], index[:2], 0.5)
    np.subtract.at(y, index, y[index] * x)
    m = np.outer(y, x)
    np.add.at(m, (index, slice(None)), x * x)
    np.add.at(m[1:], ([0, 0, 1], 1), y[:3])
    np.fill_diagonal(m[1:, 1:], x[0])
    return y, m


@program(np.outer(X, Y))
def lengths_of_parts_in_sums(a):
    r = a[-2:]
    s = sum(r[q, 0] * 2.0 for q in range(len(r)))
    t = sum(v * len(r) for v in r[:, 1] if v > -9.0)
    for _ in range(2):
        s += sum(r[q, -1] for q in range(len(r)))
    return s, t, [v * s for v in r[-2:, 2]][1]


@program(X)
def list_that_is_written_and_grows(x):
    items = list(x)
    items[-1] += 1.0
    items.append(items[0] * 2.0)
    for v in x:
        if v > 0.5:
            items.append(v * items[0])
    return items[0] * items[2] * items[-1], np.array(items)


@program(X)
def part_times_one_written_over_itself(x):
    for k in range(3):
        x[:k] = np.sin(1.0 * x[:k])
        x[k:] = -(np.cos(x[k:]) * -1.0)
    return x * np.arange(5.0)


@program(np.outer(X, Y))
def rows_from_tables_of_one_row(a):
    b = np.sin(a)
    b[0] = a[1:2] * b[3]
    b[[1, 2]] = a[None, 2:4] * b[0, 0]
    b[:, 0] = np.array([[1.0, 2.0, 3.0, 4.0, a[0, 0]]])
    return b


@program(X)
def number_that_is_a_view(x):
    y = np.sin(x)
    first, last = y[..., 0], y[4:].squeeze(0)
    y[0] *= 2.0
    total = np.array(first)
    for _ in range(3):
        first += last * x[1]
        last[...] = first * 0.5
    total += first
    return y, total, first + y[..., 1]
