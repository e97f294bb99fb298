"""Functions that ask what a number is: Python's, NumPy's, or an array without axes."""

import math
import operator
from dataclasses import dataclass

import numpy as np

from tests.programs import program

X = np.array([0.5, -1.25, 2.0])


@program(2.0, compiled=True)
def number_as_array(x):
    x = np.asarray(x)
    if isinstance(x, np.ndarray):
        return 2.0 * x ** 2 + x.ndim + x.size
    return 3.0 * x


@program(2.0)
def changed_under_two_names(x):
    x = np.asarray(x)
    y = x
    y += 1.0
    return x * y


@program(2.0, 0.5)
def copy_is_not_changed(x, a):
    x = np.array(x)
    y = x.copy()
    z = np.asarray(y)
    z *= a
    return x * y * z


@program(2.0)
def numbers_are_rebound(x):
    s = np.sin(x)
    r = s
    r += 1.0
    return s * r


@program(2.0, 0.25)
def stored_where(x, low):
    x = np.asarray(x, dtype=float)
    y = x
    x[x < low] = 0.0
    x[...] = x ** 2
    return x * y


@program(2.0)
def numpy_scalar_has_a_shape(x):
    s = np.sin(x)
    if isinstance(s, float) and hasattr(s, "shape") and s.shape == ():
        return s ** 2
    return 7.0 * s


@program(2.0)
def python_number_has_none(x):
    s = math.sin(x)
    return 7.0 * s if hasattr(s, "shape") else s ** 2


@program(2.0)
def is_scalar(x):
    y = np.array(x)
    return x * np.isscalar(x) + 10.0 * y ** 2 * np.isscalar(y) + 100.0 * y * np.isscalar(np.exp(y))


@program(2.0)
def float_of_numpy_scalar(x):
    s = np.exp(x)
    return s * hasattr(s, "dtype") + 10.0 * s ** 2 * hasattr(float(s), "dtype")


@program(X)
def elements_are_numpy_scalars(x):
    first = x[0]
    return first ** 2 if hasattr(first, "ndim") and not isinstance(first, np.ndarray) else 5.0 * first


@program(2.0, X)
def either_on_two_paths(x, y):
    s = x if x > 3.0 else y[2]
    total = 0.0
    for v in y:
        total += v * s                          # a Python number first, NumPy's later
    return total * isinstance(total, float)


@program(2.0)
def reshaped_to_a_number(x):
    shape = np.shape(x)
    y = np.atleast_1d(x) ** 2
    return y.reshape(shape) + y.ravel()[0]


@program(2.0, 5)
def shifts(x, n):
    return x ** 2 * (n >> 1) + x * (1 << n) + operator.lshift(n, 2) + operator.rshift(40, n) * x


@dataclass
class Spheroid:
    """Writes its own `__init__`: the fields are not the arguments."""

    semimajor: float
    flattening: float = 0.5

    def __init__(self, a, b):
        self.semimajor = a
        self.flattening = (a - b) / a


@dataclass
class Point:
    x: float
    y: float = 2.0


class Named(Point):
    """Inherits the `__init__` that `dataclass` has written."""


@program(3.0, 2.5)
def objects_with_own_init(a, b):
    ellipsoid, point = Spheroid(a, b), Named(a)
    return ellipsoid.semimajor * ellipsoid.flattening ** 2 * point.x * point.y


@program(2.0, compiled=True)
def flag_is_true(x):
    flag, other = float(x) > 1.0, np.float64(x) > 1.0          # Python's True, and NumPy's
    return x ** 2 * (flag is True) + 10.0 * x * (other is True) + 100.0 * x * (flag is not False)
