"""Generators whose running in parts could be seen are refused, with the user's line."""

import numpy as np
import pytest

import srcdiff as sd
from tests.oracle import differences
from tests.programs.everyday import neighbours

X = np.array([0.5, 1.5, 2.5])


def loop_changes_the_array(x):
    y, total = x.copy(), 0.0
    for a, b in neighbours(y):
        y[2] = 0.0
        total += a * b
    return total


def loop_stops_early(x):
    total = 0.0
    for a, _ in neighbours(x):
        if a > 1.0:
            break
        total += a
    return total


def loop_returns_early(x):
    for a, b in neighbours(x):
        if a > 1.0:
            return b
    return x[0]


def kept_under_a_name(x):
    pairs = neighbours(x)
    x = x * 2.0
    return sum(a * b for a, b in pairs)


def asked_for_one_item(x):
    pairs = neighbours(x)
    return next(pairs)[0]


def loop_rebinds_a_variable(x):
    scale, total = 1.0, 0.0

    def scaled():
        for v in x:
            yield v * scale
    for v in scaled():
        scale, total = 2.0 * scale, total + v
    return total


def loop_changes_a_list(x):
    items, total = [x[0], x[1]], 0.0

    def each(values):
        yield from values
    for v in each(items):
        items[1] = v * 2.0
        total += v
    return total


def loop_changes_a_nonlocal(x):
    scale, total = 1.0, 0.0

    def double():
        nonlocal scale
        scale *= 2.0

    def scaled():
        for v in x:
            yield v * scale
    for v in scaled():
        double()
        total += v
    return total


def generator_changes_an_array(x):
    y = x.copy()

    def clearing():
        for i in range(3):
            y[i] = 0.0
            yield x[i]
    return sum(v * y.sum() for v in clearing())


def generator_changes_a_list(x):
    seen = []

    def noting():
        for v in x:
            seen.append(v)
            yield v
    return sum(v * len(seen) for v in noting())


def receives_values(x):
    def adding():
        total = yield x[0]
        yield total
    return sum(adding())


def yields_under_try(x):
    def guarded():
        try:
            yield x[0]
        finally:
            print("done")
    return sum(guarded())


def returns_a_value(x):
    def ending():
        yield x[0]
        return x[1]
    return sum(ending())


def key_changes_the_array(x):
    y = x.copy()

    def key(v):
        y[:] = 0.0
        return -v[0]
    return max(neighbours(y), key=key)[1]


def is_a_generator(x):
    yield from x


@pytest.mark.parametrize("f", [f for f in list(globals().values()) if getattr(f, "__module__", None) == __name__],
                         ids=lambda f: f.__name__)
def test_refused(f):
    with pytest.raises(sd.errors.UnsupportedError) as error:
        sd.differentiate(f, target="python").jacobian(X)
    first = error.value.problems[0]
    assert first.code in ("SD0261", "SD0210") and first.where.text and first.fix


def test_views_that_a_generator_yields_stay_views():
    def windows(y, n):
        for i in range(n):
            yield y[i:i + 2]

    def f(x):
        y, total = x.copy(), 0.0
        for window in windows(y, len(x) - 1):
            y[2] = 0.0
            total += window.sum() ** 2
        return total

    g = sd.differentiate(f, target="python")
    ((expected, _),) = differences(lambda x: (f(x),), (X,), (X * X,))
    assert f(X) == pytest.approx(g.jvp((X,), (X,))[0], rel=1e-15)
    assert g.grad(X) @ (X * X) == pytest.approx(expected, rel=1e-9)
