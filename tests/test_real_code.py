"""What real code does besides arithmetic: classes derived from numbers and arrays, identity of numbers."""

import enum
import warnings

import numpy as np
import pytest

import srcdiff as sd
from tests.oracle import differences


class Length(float):
    """A unit that computes like a float."""


class Odd(float):
    def __mul__(self, other):
        return 100.0 * float(self) * other

    __rmul__ = __mul__


class Region(enum.IntEnum):
    LIQUID = 1
    STEAM = 2


FOOT, ODD = Length(0.3048), Odd(2.0)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    MATRIX = np.matrix([[1.0, 2.0], [3.0, 4.0]])
MASKED = np.ma.masked_array([1.0, 2.0, 3.0], mask=[0, 1, 0])


def gradient(function, *args):
    return sd.differentiate(function, target="python").grad(*args)


def test_numbers_of_derived_classes_are_numbers():
    def area(x):
        factor = 2 if Region.STEAM == 2 else 5
        return x * x * FOOT * Region.STEAM * factor
    assert gradient(area, 3.0) == pytest.approx(6.0 * 0.3048 * 4)


def test_a_derived_number_that_changes_is_seen(monkeypatch):
    def scaled(x):
        return x * FOOT
    derivative = sd.differentiate(scaled, target="python").grad
    assert derivative(1.0) == 0.3048
    monkeypatch.setitem(globals(), "FOOT", Length(2.0))
    assert derivative(1.0) == 2.0


@pytest.mark.parametrize("function", [
    lambda x: x * ODD, lambda x: (MATRIX * MATRIX)[0, 0] * x, lambda x: np.sum(MASKED) * x])
def test_arithmetic_of_its_own_is_refused(function):
    with pytest.raises(sd.errors.UnsupportedError, match="arithmetic is not that of"):
        gradient(function, 2.0)


@pytest.mark.parametrize("function", [
    lambda x, limit=np.inf: x if limit is np.inf else 2.0 * x, lambda x: x if x + 0.0 is x else 2.0 * x])
def test_identity_of_floats_is_refused(function):
    with pytest.raises(sd.errors.UnsupportedError, match="same object"):
        gradient(function, 2.0)


def test_an_array_without_axes_under_two_unknown_names_is_refused():
    def f(x):
        a, b = np.array(x), np.array(2.0 * x)
        c = a if x > 1.0 else b
        a += 1.0
        return a * c
    with pytest.raises(sd.errors.UnsupportedError, match="without axes is changed in place"):
        gradient(f, 2.0)


def test_a_question_that_depends_on_the_path_is_refused():
    def f(x):
        y = np.sin(x) if x > 1.0 else x
        return y * 2.0 if hasattr(y, "shape") else y
    with pytest.raises(sd.errors.UnsupportedError, match="depends on the path taken"):
        gradient(f, 2.0)


NAMES = """value items flag buffer count heap argument iterated result index assigned t n i j np math size
    top trip trips seed exp sin copy where float int abs njit x_bar x_dot y_bar tape stack position key self cls
    loop body out dtype axis shape name stem state sum min max array zeros lambda_ _ __ _result helper run""".split()
TEXT = """
def carried(x, data):
    {name} = 0.0
    for v in data:
        {name} = {name} * x + v
    return {name}

def maybe(x, data):
    for k in range(len(data)):
        if k > 0:
            {name} = data[k] * x ** 2
    return {name}

def grown(x, data):
    {name} = []
    for v in data:
        {name}.append(v * x)
    return {name}[-1] * {name}[0]

def parameter({name}, data):
    total = 1.0
    while total < 100.0:
        total = total * {name} + data[1]
    return total * {name}

def keyed(x, data):
    table = {{"{name}": 1.0, "a key of {name}": x}}
    for v in data:
        table["{name}"] *= x
        table["a key of {name}"] += v * x
    return table["{name}"] * table["a key of {name}"]
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """Return a function that gives the functions of `TEXT` with a name filled in."""
    def functions(name):
        path = tmp_path_factory.mktemp("named") / "named.py"
        path.write_text(TEXT.format(name=name))
        namespace = {"__name__": "named", "__file__": str(path)}
        exec(compile(path.read_text(), str(path), "exec"), namespace)
        return [namespace[f] for f in ("carried", "maybe", "grown", "parameter", "keyed")]
    return functions


@pytest.mark.parametrize("number, name", list(enumerate(NAMES)))
def test_any_name_will_do(number, name, named):
    data, mode = np.array([1.0, 2.0, 3.0]), ("grad", "jacfwd")[number % 2]
    for function in named(name):
        (expected, error), = differences(function, (3.0, data), (1.0, np.zeros(3)))
        derivative = sd.differentiate(function, target="python")
        got = getattr(derivative, mode)(3.0, data)
        assert got == pytest.approx(float(expected), rel=1e-9, abs=10 * float(error)), function.__name__
