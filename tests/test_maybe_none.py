"""Names that are None on some paths, against the user's own function and differences of it."""

import math

import numpy as np
import pytest

import srcdiff as sd
from tests.oracle import differences

X = np.array([0.3, 0.9, 0.4, 0.7])


def hit(origin, radius):
    rest = 0.81 * origin**2 - origin**2 + radius
    if rest < 0:
        return None
    t = math.sqrt(rest) - 0.9 * origin
    return t if t > 1e-4 else None


def nearest(x):
    best, normal = math.inf, None
    for v in x:
        t = hit(v, 1.0)
        if t is None:
            continue
        if t < best:
            best, normal = t, x * t
    if normal is None:
        return x[0]
    return best * normal.sum()


def until_it_stays(x):
    last, y = None, abs(x[0])
    for _ in range(50):
        new = 0.5 * (y + abs(x[1]) / y)
        if last is not None and abs(new - last) < 1e-12:
            break
        last, y = new, new
    return last * x[2]


def steps(x):
    before, s = None, 0.0
    for v in x:
        if before != None:              # noqa: E711
            s += (v - before)**2 * v
        before = v
    return s


def made_when_needed(x):
    buffer = None
    for i in range(len(x)):
        if buffer is None:
            buffer = np.zeros(3)
        buffer[i % 3] += x[i]**2
        buffer *= x[0]
    return buffer.sum() if buffer is not None else 0.0


def pair(x):
    found = None
    for v in x:
        if v > 0.5:
            found = (v, v * v)
    if found:
        return (found * 2)[2] * found[1]
    return x[0] * x[1]


def another_name(x):
    a, w = x * 1.0, None
    for i in range(len(x)):
        if i == 1:
            w = a
    if w is not None:
        w[0] = x[1]**2
    return a @ a


def smallest(x):
    state = {"best": None, "count": 0}
    for v in x:
        if state["best"] is None or v < state["best"]:
            state["best"], state["count"] = v, state["count"] + 1
    return (state["best"] or 1.0) * state["count"]


def position(x):
    def first_above(bound):
        for i in range(len(x)):
            if x[i] > bound:
                return i
        return None
    i, j = first_above(0.35), first_above(9.0)
    return (x[i] if i is not None else 1.0) * (x[j] if j is not None else x[0])


def until_found(x):
    w = None
    while w is None:
        w = x[0] * x[1] if x[0] > 0 else x[2]**2
    return w


FUNCTIONS = {f.__name__: f for f in (nearest, until_it_stays, steps, made_when_needed, pair, another_name, smallest, position, until_found)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives(name):
    f, direction = FUNCTIONS[name], np.array([0.3, -1.0, 0.7, 0.4])
    g = sd.differentiate(f, target="python")
    for x in (X, -X):
        value, gradient = g.value_and_grad(x)
        (expected, error), = differences(f, (x,), (direction,))
        assert error < 1e-8
        assert value == pytest.approx(f(x), rel=1e-13)
        assert gradient @ direction == pytest.approx(expected, rel=1e-7, abs=1e-8)
        assert g.jvp((x,), (direction,))[1] == pytest.approx(gradient @ direction, rel=1e-12, abs=1e-14)


def test_second_order_and_batches():
    g = sd.differentiate(nearest, target="python")
    np.testing.assert_allclose(g.hessian(X), sd.jacfwd(sd.jacfwd(g))(X), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(sd.vmap(g.grad)(np.stack([X, -X])), [g.grad(X), g.grad(-X)], rtol=1e-14)


def test_compiled():
    for f in (nearest, made_when_needed):
        np.testing.assert_allclose(sd.grad(f)(X), sd.differentiate(f, target="python").grad(X), rtol=1e-12)


@pytest.mark.parametrize("f", [
    lambda x: None if x[0] > 0 else x[0], lambda x: (None if x[0] > 0 else x[0]) * 2.0,
    lambda x: x @ (None if x[0] > 0 else x), lambda x: (None if x[0] > 0 else x)[0],
], ids=["returned", "a product", "a matrix product", "an element"])
def test_none_where_a_value_is_needed(f):
    g = sd.differentiate(f, target="python")
    with pytest.raises(sd.errors.NoValueError, match="SD0357. None where a value is needed(?s:.*), in <lambda>"):
        g.grad(X)
    assert g.grad(-X).shape == X.shape


def test_the_class_of_what_may_be_none_is_not_asked():
    def f(x):
        w = None if x[0] > 0 else x[0]
        return isinstance(w, float) * x[0]
    with pytest.raises(sd.errors.UnsupportedError, match="is asked by its class"):
        sd.differentiate(f, target="python").grad(X)
