# ruff: noqa: B905, UP032
"""Python's meaning of iterators, texts and lists: what is computed is what Python computes, or it is refused."""

import copy
import itertools

import numpy as np
import pytest

from srcdiff.errors import UnsupportedError
from tests.test_translate import translated, value_of
from tests.test_translate_more import agree

X = np.array([0.5, -1.2, 2.3, 0.7, 1.1])
RIGHT, REFUSED = [], []


def right(*args):
    """Register a function whose program must compute what Python computes."""
    def register(function):
        RIGHT.append((function, args))
        return function
    return register


def refused(code, line, *args):
    """Register a function that is refused at this line."""
    def register(function):
        REFUSED.append((function, args, code, line))
        return function
    return register


# -- iterators are used up --------------------------------------------------------------


@right(X)
def iterators_used_once(x):
    pairs, numbered, backwards = zip(x, x[::-1]), enumerate(x), reversed(x)
    s = sum(map(lambda v: v * 2, x))
    for a, b in pairs:
        s += a * b
    for i, v in numbered:
        s += i * v
    for v in backwards:
        s = 0.5 * s + v
    for i in reversed(range(4)):
        s += x[i] * i
    for v in iter(x):
        s += v
    return s, max(reversed(x)), list(reversed([x[0], x[1]])), sum(reversed(x))


@right(X)
def iterator_made_anew(x):
    s = 0.0
    for k in range(3):
        pairs = zip(x, x[::-1])
        for a, b in pairs:
            s += a * b * k
    return s


@right(X)
def iterator_passed_to_a_helper(x):
    def folded(items):
        s = 0.0
        for v in items:
            s = s * 0.5 + v
        return s
    return folded(reversed(x)) + folded(map(lambda v: v + 1, x)) + folded(x)


@refused("SD0238", "for a, _ in pairs:", X)
def zip_twice(x):
    pairs, s = zip(x, x), 0.0
    for a, b in pairs:
        s += a * b
    for a, _ in pairs:
        s += a
    return s


@refused("SD0238", "for a, b in pairs:", X)
def zip_in_a_loop(x):
    pairs, s = zip(x, x), 0.0
    for _ in range(3):
        for a, b in pairs:
            s += a * b
    return s


@refused("SD0238", "return s + sum(doubled)", X)
def map_after_a_branch(x):
    doubled, s = map(lambda v: 2 * v, x), 0.0
    if x[0] > 0:
        s = sum(doubled)
    return s + sum(doubled)


@refused("SD0238", "zip(it, it)", X)
def pairs_of_one_iterator(x):
    it = iter(x)
    return sum(a * b for a, b in zip(it, it))


@refused("SD0238", "return sum(items) + sum(items)", X)
def iterator_used_twice_by_a_helper(x):
    def twice(items):
        return sum(items) + sum(items)
    return twice(reversed(x))


@refused("SD0238", "len(list(p))", X)
def product_twice(x):
    p, s = itertools.product(range(2), range(2)), 0.0
    for i, j in p:
        s += x[i] * x[j]
    return s + len(list(p))


@refused("SD0210", "strict=True", X)
def strict_zip_of_unequal_tuples(x):
    return sum(a * b for a, b in zip((x[0], x[1]), (x[2],), strict=True))


def strict_products(x, y):
    return sum(a * b for a, b in zip(x, y, strict=True))


def test_a_strict_zip_checks_the_lengths():
    made = translated(strict_products, X, X)
    agree(value_of(made, X, X), strict_products(X, X))
    with pytest.raises(ValueError, match="of another length"):
        value_of(made, X, X[1:])


# -- texts ---------------------------------------------------------------------------------


@right(X)
def texts_of_known_numbers(x):
    parts = {f"k{i:02d}": x[i] for i in range(3)}
    others = {f"{3.14159:.2f}": x[3], f"{'a'!r}": x[4], f"{2!s:>3}": x[0]}
    return parts["k01"] * others["3.14"] + others["'a'"] * others["  2"], f"{len(parts):03d}"


@right(X)
def messages(x):
    message = f"bad {x[0]} {len(x)}" + " and " + str(x[1]).strip() + "{:>5}".format(str(x[2]))
    if x[0] > 3:
        message = f"other {x[1]}"
    if x[0] > 100:
        raise ValueError(message)
    return x.sum()


@refused("SD0243", 'str(x[0]) == "0.5"', X)
def text_compared(x):
    return x[1] if str(x[0]) == "0.5" else x[2]


@refused("SD0243", "len(f", X)
def length_of_a_text(x):
    return len(f"{x[0]:.2f}") * x[1]


@refused("SD0243", 'f"{x[0]}": 1.0', X)
def text_as_a_key(x):
    return len({f"{x[0]}": 1.0, f"{x[1]}": 2.0}) * x[0]


@refused("SD0243", "startswith", X)
def beginning_of_a_text(x):
    return x[0] if ("-" + str(x[0]).upper()).startswith("-0") else x[1]


@refused("SD0243", "float(str(x[0]))", X)
def number_of_a_text(x):
    return float(str(x[0])) * x[1]


@refused("SD0210", "", X)
def text_returned(x):
    return x[0], f"the value is {x[1]}"


# -- both ----------------------------------------------------------------------------------


@pytest.mark.parametrize("function, args", RIGHT, ids=lambda v: getattr(v, "__name__", ""))
def test_program_computes_what_python_does(function, args):
    agree(value_of(translated(function, *args), *copy.deepcopy(args)), function(*copy.deepcopy(args)))


@pytest.mark.parametrize("function, args, code, line", REFUSED, ids=lambda v: getattr(v, "__name__", ""))
def test_refused_with_the_line(function, args, code, line):
    with pytest.raises(UnsupportedError) as caught:
        translated(function, *args)
    problem = caught.value.problems[0]
    assert problem.code == code
    assert problem.where.line and line in problem.where.text
