"""What a loop goes through is read when its turn has come: lists, dicts and arrays that the loop changes."""

import numpy as np
import pytest

import srcdiff as sd
from tests.oracle import differences

X = np.array([0.7, 1.3, 2.1, 0.4])


def list_ahead(x):
    items, s = [x[0], x[1], x[2]], 0.0
    for v in items:
        items[2] = items[2] * 2
        s += v * v
    return s


def list_in_a_zip(x):
    items, s = [x[0], x[1], x[2]], 0.0
    for v, c in zip(x, items):              # noqa: B905
        items[2] = v * 3
        s += v * c
    return s


def enumerated(x):
    items, s = [x[0], x[1], x[2]], 0.0
    for i, c in enumerate(items):
        items[-1] = items[-1] + c
        s += c * i
    return s


def array_beside_a_tuple(x):
    a, s = x.copy(), 0.0
    for v, c in zip(a, (1.0, 2.0, 3.0, 4.0), strict=True):
        a[3] = v * 2
        if c == 3.0 and v < 0:
            break
        s += v * c
    return s


def dict_items(x):
    held, s = {"a": x[0], "b": x[1]}, 0.0
    for k, v in held.items():
        held["b"] = v * 3
        s += v * held[k]
    for v in held.values():
        held["b"] = v * v
    return s * held["b"]


def backwards(x):
    items = [x[0], x[1], x[2]]
    for v in reversed(items):
        items[0] = v * 2
    return items[0] * items[1]


def mapped(x):
    scale, s = [x[0]], 0.0
    for v in map(lambda v: v * scale[0], (x[1], x[2])):
        scale[0] = v
        s += v
    return s


@pytest.mark.parametrize("f", [list_ahead, list_in_a_zip, enumerated, array_beside_a_tuple, dict_items, backwards, mapped])
def test_values_and_derivatives(f):
    g, direction = sd.differentiate(f, target="python"), np.array([0.3, 0.4, -0.5, 0.6])
    (expected, error), = differences(f, (X,), (direction,))
    value, gradient = g.value_and_grad(X)
    assert value == pytest.approx(f(X), rel=1e-13)
    assert gradient @ direction == pytest.approx(expected, rel=1e-7, abs=1e-8 + 10 * error)


def appends(x):
    items = [x[0], x[1]]
    for v in items:
        if len(items) < 4:
            items.append(v * v)
    return items[0] * items[-1]


def test_a_list_that_changes_its_length_is_refused():
    with pytest.raises(sd.errors.UnsupportedError, match="SD0215"):
        sd.differentiate(appends, target="python").grad(X)
