"""Functions as people write them: lists that grow, conversions, options, guarded arithmetic."""

import math

import numpy as np

from tests.programs import program

X = np.array([0.5, -1.25, 2.0, 3.5])


# -- lists whose length only run time knows -------------------------------------------------

@program(X, compiled=True)
def appended(x):
    out = []
    for v in x:
        out.append(v * v)
    return np.array(out)


@program(X, compiled=True)
def appended_where_positive(x):
    kept = []
    for v in x:
        if v > 0:
            kept.append(v ** 2)
    total = 0.0
    for k, v in enumerate(kept):
        total += v * k
    return sum(kept) / len(kept), kept[-1] * kept[0], total


@program(X)
def running_sums(x):
    sums = [0.0]
    for v in x:
        sums.append(sums[-1] + math.sin(v))
    return np.array(sums)


@program(2.0, 1e-3, smooth=False)
def history_of_newton(a, tolerance):
    history = []
    x = a
    while True:
        new = 0.5 * (x + a / x)
        history.append(abs(new - x))
        if history[-1] < tolerance:
            break
        x = new
    return x, sum(h * h for h in history)


@program(X, compiled=True)
def trajectory(x):
    y = x
    states = [y]
    for _ in range(len(x)):
        y = y + 0.1 * np.sin(y)
        states.append(y)
    return np.array(states)


@program(X)
def rows_from_nothing(x):
    rows = []
    for v in x:
        if v > 0:
            rows.append(x * v)
    return np.array(rows).sum(axis=0)


@program(X)
def pairs(x):
    p, q, path = x[0], x[1], []
    for i in range(len(x)):
        path.append((p, q))
        p, q = q, p * x[i] + q
    return sum(a * b for a, b in path), path[-1][1], np.array(path)


@program(X)
def table(x):
    rows = []
    for i in range(len(x)):
        row = []
        for j in range(len(x)):
            row.append(x[i] * x[j])
        rows.append(row)
    return np.array(rows)


@program(2.0)
def stack(x):
    todo, total = [x], 0.0
    while todo:
        v = todo.pop()
        total += v * v
        if v < 20.0:
            todo.append(v * 2.0)
            if v < 5.0:
                todo.append(v * x)
    return total


@program(X)
def chosen(x):
    squares = [v * v for v in x if v > 0]
    products = [x[i] * x[j] for i in range(len(x)) for j in range(i)]
    return sum(squares), np.array(products)


@program(X)
def lists_that_are_changed(x):
    out = []
    for v in x:
        if v > 0:
            out.append(v)
    out.append(x[0] * x[1])
    out[0] = out[1] * 2.0
    out[1] += 3.0 * x[2]
    more = out + [1.0]
    more.extend(out)
    out += more
    return np.array(out) ** 2, np.array(more[1:])


# -- arithmetic that may fail ---------------------------------------------------------------

@program(X, compiled=True)
def guarded_sum(x):
    total = 0.0
    for v in x:
        try:
            total += math.log(v) * v
        except ValueError:
            total += v ** 2
    return total


@program(0.7, 0.0)
def guarded_ratio(a, b):
    try:
        ratio = a * math.sqrt(a) / b
    except ZeroDivisionError:
        ratio = a ** 3
    except ValueError:
        ratio = -a
    else:
        ratio = ratio * 2.0
    finally:
        a = a + ratio
    return a * ratio


@program(-1.5)
def guarded_by_raise(x):
    try:
        if x < -1.0:
            raise ValueError("too small")
        y = math.acos(x)
    except ValueError:
        return x ** 3
    return y


# -- sorting, searching, interpolation ---------------------------------------------------------

TABLE_X = np.array([0.0, 1.0, 2.0, 4.0])
TABLE_Y = np.array([1.0, 3.0, 2.0, 2.5])


@program(X)
def order_statistics(x):
    ordered = np.sort(x * x)
    return ordered[0] * ordered[-1] ** 2, np.median(x), (x[np.argsort(x)] * np.arange(4)).sum()


@program(np.array([-1.0, 0.3, 3.9, 5.0]), compiled=True)
def interpolated(x):
    return np.interp(x, TABLE_X, TABLE_Y) * x


@program(1.7, np.array([1.0, 3.0, 2.0, 2.5]))
def between_points(x, values):
    i = np.searchsorted(TABLE_X, x) - 1
    weight = (x - TABLE_X[i]) / (TABLE_X[i + 1] - TABLE_X[i])
    return (1.0 - weight) * values[i] + weight * values[i + 1], np.interp(x, TABLE_X, values)
