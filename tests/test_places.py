"""Captured values: each is its own, and is found again by its place."""

import functools

import numpy as np
import pytest

import srcdiff as sd
from srcdiff import places
from srcdiff.frontend import specialise
from srcdiff.syntax import Scalar

SCALE = 3.0
FLOAT = Scalar("float64", weak=True)


def scaled(k):
    def inner(x, weights=np.array([k, 1.0])):       # noqa: B008
        return k * x * weights[0]
    return inner


double, triple = scaled(2.0), scaled(3.0)


class Model:
    def __init__(self, k):
        self.k = k

    def value(self, x):
        return self.k * SCALE * x


def both(x):
    return double(x) + triple(x)


def applied(f, g, x):
    return f(x) + g(x)


def local_class(k):
    class Local:
        factor = k

        def __init__(self, x):
            self.x = x

        def value(self):
            return self.factor * self.x
    return Local


TWICE, THRICE = local_class(2.0), local_class(3.0)


def of_classes(x):
    return TWICE(x).value() + THRICE(x).value()


@pytest.mark.parametrize(("gradient", "expected"), [
    (lambda: sd.differentiate(both, target="python").grad(1.0), 13.0),
    (lambda: sd.grad(sd.differentiate(applied, target="python"), argnums=2)(double, triple, 1.0), 13.0),
    (lambda: sd.differentiate(of_classes, target="python").grad(1.0), 5.0),
], ids=["globals", "arguments", "classes"])
def test_two_functions_of_one_factory_keep_their_own_values(gradient, expected):
    assert gradient() == expected


def found_again(function, *specs):
    """Return the places of the captured values, and what stands there for another function object."""
    captures = specialise(function, specs).captures
    return [places.place_of(get) for get in captures]


@pytest.mark.parametrize(("function", "other", "present"), [
    (double, triple, [3.0, [3.0, 1.0]]),
    (Model(2.0).value, Model(5.0).value, [5.0, 3.0]),
    (functools.partial(double, weights=np.ones(1)), functools.partial(triple, weights=np.zeros(2)),
     [3.0, [0.0, 0.0]]),
], ids=["closure and default", "method", "partial"])
def test_places_are_found_from_another_function(function, other, present):
    found = found_again(function, FLOAT)
    assert None not in found
    values = [places.find(place, other)() for place in found]
    key = lambda v: np.asarray(v).tolist()          # noqa: E731
    assert sorted(map(repr, map(key, values))) == sorted(map(repr, map(key, present)))


def test_what_is_reached_through_another_derivative_has_no_place():
    gradient = sd.differentiate(double, target="python").grad

    def outer(x):
        return gradient(x) * x

    assert found_again(outer, FLOAT) == [None, None]
