"""Functions as people write them: lists that grow, conversions, options, guarded arithmetic."""

import math
import operator

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


# -- keys -------------------------------------------------------------------------------------

@program(X, compiled=True)
def nearest_and_farthest(x):
    nearest = min(x, key=lambda v: abs(v - 1.8))
    k = max(range(len(x)), key=lambda i: math.cos(x[i]))
    return nearest ** 2 * x[k], max(x[0], x[1], key=abs) ** 3


@program(X)
def ordered_by_keys(x):
    y = sorted(x, key=lambda v: v * v, reverse=True)
    weights = sorted([(x[1] * 2.0, x[0]), (x[2], x[1]), (x[3], x[2] ** 2)], key=lambda pair: -pair[0])
    names = sorted({"b": x[0], "a": x[1] * x[2]}.items(), key=operator.itemgetter(0))
    return y[0] * y[3], weights[0][1] * weights[1][0], names[0][1] * 2.0 - names[1][1]


@program(X)
def first_of_equal_keys(x):
    rows = [(1, x[0]), (2, x[1]), (2, x[2])]
    return max(rows, key=operator.itemgetter(0))[1] ** 2, max([], key=len, default=x[3]) ** 2, sorted(
        rows, key=lambda row: -row[0])[0][1] ** 3


# -- variables of the function around ---------------------------------------------------------

@program(X, compiled=True)
def nonlocal_total(x):
    total, count = 0.0, 0

    def add(v, weight=1.0):
        nonlocal total, count
        total += weight * v * v
        count += 1

    for v in x:
        if v > 0.0:
            add(v)
        add(v, 0.5)
    return total / count


@program(X)
def counters_of_their_own(x):
    def make(state):
        def step(v):
            nonlocal state
            state = state * math.sin(v) + v
            return state
        return step

    first, second = make(x[0]), make(1.0)
    first(x[1])
    second(x[2])
    return first(x[3]) * second(x[0])


@program(X)
def nonlocal_array(x):
    history, last = np.zeros(4), None

    def note(v):
        nonlocal history, last
        last = v if last is None else v * last
        history = history * 0.5
        history[0] += last

    for k in range(4):
        note(x[k])
    return history, last


@program(1.3)
def nonlocal_evaluations(x):
    evaluations = 0

    def residual(y):
        nonlocal evaluations
        evaluations += 1
        return y * y - x

    y = x
    while abs(residual(y)) > 1e-12 and evaluations < 30:
        y -= residual(y) / (2.0 * y)
    return y * evaluations


# -- names given inside comprehensions --------------------------------------------------------

@program(X, compiled=True)
def named_in_a_filter(x):
    squares = [y for v in x if (y := v * v) > 1.0]
    return sum(squares), sum(w * v for v in x if (w := math.sin(v)) > 0.0), [
        (u := k * x[k]) * u for k in range(3) if k > 0]


# -- generators that are gone through at once -------------------------------------------------

def neighbours(x):
    for i in range(len(x) - 1):
        yield x[i], x[i + 1]


def positive(x):
    for v in x:
        if v > 0.0:
            yield v * v


def tree_walk(tree):
    left, value, right = tree
    if left is not None:
        yield from tree_walk(left)
    yield value
    if right is not None:
        yield from tree_walk(right)


@program(X, compiled=True)
def sum_over_a_generator(x):
    total = 0.0
    for a, b in neighbours(x):
        total += a * b
    return total


@program(X)
def generators_in_loops(x):
    total = 0.0
    for a, b in neighbours(x):
        if a < 0.0:
            continue
        total += a * b
    products = [a * b for a, b in neighbours(x * x)]
    return total, products[1] * sum(a / b for a, b in neighbours(x)), np.array(list(positive(x)))


@program(X)
def generators_taken_whole(x):
    def scaled(factor):
        for v in positive(x):
            yield factor * v

    tree = ((None, x[0], None), x[1], (None, x[2] * x[3], None))
    values = list(scaled(x[1]))
    return max(scaled(2.0)) * sum(scaled(x[0])), sum(tree_walk(tree)) ** 2, values[0] * values[1], sorted(scaled(1.0))[1]


@program(np.outer(X, X[:3]))
def rows_of_a_generator(table):
    """A generator of views, which the loop writes through."""
    def rows():
        for i in range(4):
            yield table[i]

    for row in rows():
        row[0] = row[1] * row[2]
        row *= 2.0
    return table
