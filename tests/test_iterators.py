"""`filter`, `next` and `itertools`, against differences of the user's own function."""

import operator
from itertools import (
    accumulate,
    chain,
    combinations,
    combinations_with_replacement,
    count,
    cycle,
    dropwhile,
    filterfalse,
    islice,
    pairwise,
    permutations,
    product,
    repeat,
    starmap,
    takewhile,
    zip_longest,
)

import numpy as np
import pytest

import srcdiff as sd
from tests.oracle import differences

X = np.array([0.3, 0.5, 1.2])


def filtered_loop(x):
    s = 0.0
    for v in filter(lambda t: t > 0.4, x):
        s += v * v
    return s


def pairs_of_a_run_time_number(x):
    s = 0.0
    for i, j in combinations(range(len(x)), 2):
        s += (x[i] - x[j])**2
    return s


def pairs_in_a_list(x):
    pairs = list(combinations(range(3), 2))
    return sum(x[i] * x[j]**2 for i, j in pairs)


def squares_in_turn(x):
    s = 0.0
    for i, j in product(range(3), repeat=2):
        s += x[i] * x[j]**2
    return s


def longest(x):
    s = 0.0
    for a, b in zip_longest(x, x[1:], fillvalue=0.0):
        s += a * b + a
    return s


def numbered(x):
    s = 0.0
    for k, (i, j) in enumerate(product(range(2), range(3))):
        s += k * x[i] * x[j]
    return s


def elements_as_they_are(x):
    """The loop changes elements before it comes to them."""
    y, s = np.outer(x, x), 0.0
    for (i, j), v in np.ndenumerate(y):
        if i < j:
            y[j, i] = 2.0 * v * v
        s += v * (i + 2 * j)
        x = x * 2.0
    return s + x[0]


def sorted_in_place(x):
    pairs = [(v, k) for k, v in enumerate(x) if v > 0.4]
    pairs.sort(key=lambda pair: pair[1], reverse=True)
    return sum(v**2 * (k + 1) for v, k in pairs[:1]) * pairs[-1][0]


def orthogonal(x):
    basis = []
    for v in np.outer(x, x[::-1]) + np.diag(x):
        w = v - sum((v @ b) * b for b in basis)
        w -= 0.5 * w[0] * sum(b * b for b in basis if b[0] > 9.0)
        basis.append(w / np.sqrt(w @ w))
    total = sum(b * (k + 1) for k, b in enumerate(basis))
    weighted = sum(v * x for v in x if v > 0.4) if x[0] > 0 else x
    return total @ x + total[0] + sum(np.outer(x, x) * v for v in x).sum() + weighted[1]


def squares(x):
    for v in x:
        yield v * v


def taken(x):
    s, stop = x[0], 1.0
    for v in takewhile(lambda v: v < stop, x):
        s = s * v + v
    return s


def changes_what_it_asks_for(x):
    s, stop = x[0], 1.0
    for v in filter(lambda v: v < stop, x):         # noqa: B023
        s = s * v + 1.0
        stop = 0.1 * s
    return s


def counted_from_one(x):
    s = 0.0
    for k, v in zip(count(1), x):           # noqa: B905
        s += v**2 / k
    return s


def cycled(x):
    s = 0.0
    for (i, v), w, c in zip(enumerate(x), cycle((1.0, 2.0)), (x[0], x[1], 3.0)):        # noqa: B905
        s += v**2 * w * c * i
    return s


CASES = {
    "next of a generator": lambda x: next(squares(x)),
    "filter": lambda x: sum(filter(lambda v: v > 0.4, x)), "filter None": lambda x: sum(filter(None, [x[0], 0.0, x[1]])),
    "filter positions": lambda x: sum(x[i] for i in filter(lambda k: k % 2 == 0, range(3))), "filter in a loop": filtered_loop,
    "next": lambda x: next(iter(x)) * 2, "next of filter": lambda x: next(filter(lambda v: v > 0.4, x))**2,
    "next or": lambda x: next((v * v for v in x if v > 0.4), 0.0), "next or the other": lambda x: next((v for v in x if v > 9), x[0]),
    "position": lambda x: x[0] * next((i for i, v in enumerate(x) if v > 0.4), -1),
    "key": lambda x: {"a": x[0], "b": x[1]}[next(iter({"a": 1}))],
    "combinations": lambda x: sum(abs(a - b) * a for a, b in combinations(x, 2)), "pairs": pairs_of_a_run_time_number,
    "triples": lambda x: sum(a * b**2 * c for a, b, c in combinations(np.concatenate((x, x)), 3)), "pairs in a list": pairs_in_a_list,
    "with replacement": lambda x: sum(a * b**2 for a, b in combinations_with_replacement(x, 2)),
    "permutations": lambda x: sum(a * b**2 for a, b in permutations(x, 2)),
    "all permutations": lambda x: sum(x[i] * x[j]**2 for i, j, k in permutations(range(3))),
    "product": squares_in_turn, "enumerate product": numbered,
    "accumulate": lambda x: sum(accumulate(x)), "accumulate products": lambda x: list(accumulate(x, operator.mul))[2],
    "accumulate from": lambda x: sum(accumulate(x, lambda a, b: a * b + 1.0, initial=2.0)),
    "chain": lambda x: sum(v * v for v in chain(x, x[1:], [1.0])), "zip_longest": longest,
    "pairwise": lambda x: sum((b - a)**2 for a, b in pairwise(x)), "islice": lambda x: sum(islice(x * x, 1, 3)),
    "sums of arrays": orthogonal, "ndenumerate": elements_as_they_are, "sorted in place": sorted_in_place,
    "sorted pairs": lambda x: sum(k * a * b**2 for k, (a, b) in enumerate(sorted(zip(x > 0.4, x, strict=True), reverse=True))),
    "pairs by a key": lambda x: sum(k * a * b for k, (a, b) in enumerate(sorted(zip(x, x[::-1], strict=True), key=lambda p: -p[0] * p[1]))),
    "best pair": lambda x: max(zip(x, x * x, strict=True), key=lambda p: p[0] - p[1])[1] * x[0],
    "sorted generator": lambda x: sorted(v * v for v in x if v > 0.4)[0], "list of a zip": lambda x: list(zip(x, x[1:]))[-1][1]**2,   # noqa: B905
    "from_iterable": lambda x: sum(v * v for v in chain.from_iterable(np.outer(x, x))),
    "from_iterable of a list": lambda x: sum(v * v for v in chain.from_iterable([x, x[1:], (x[0],)])),
    "takewhile": lambda x: sum(v * v for v in takewhile(lambda v: v < 1.0, x)), "takewhile in a loop": taken,
    "dropwhile": lambda x: sum(v * v for v in dropwhile(lambda v: v < 0.4, x)),
    "filterfalse": lambda x: sum(v * v for v in filterfalse(lambda v: v > 0.4, x)) + sum(filterfalse(None, [x[0], 0.0])) + x[1],
    "endless repeat": lambda x: sum(a * b for a, b in zip(x, repeat(2.0))) + sum(map(pow, x, repeat(3))),              # noqa: B905
    "repeat of a number": lambda x: sum(a * b for a, b in zip(x, repeat(x[1]))), "endless count": counted_from_one,      # noqa: B905
    "cycle": lambda x: sum(a * a * b for a, b in zip(x, cycle([1.0, x[0]]))), "cycle beside a tuple": cycled,              # noqa: B905
    "starmap": lambda x: sum(starmap(lambda a, b: a * b, zip(x, x[::-1], strict=True))),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    f, direction = CASES[name], np.array([0.3, -1.0, 0.7])
    g = sd.differentiate(f, target="python")
    value, gradient = g.value_and_grad(X)
    (expected, error), = differences(f, (X,), (direction,))
    assert error < 1e-8
    assert value == pytest.approx(f(X), rel=1e-14)
    assert gradient @ direction == pytest.approx(expected, rel=1e-8, abs=1e-9)
    assert g.jvp((X,), (direction,))[1] == pytest.approx(gradient @ direction, rel=1e-13)


def zips_one_twice(x):
    weights = cycle((1.0, 2.0))
    s = 0.0
    for _ in range(2):
        for a, b in zip(x, weights):        # noqa: B905
            s += a * b
    return s


def named(x):
    items = iter([x[0], x[1]])
    return next(items) * 2 + next(items)


@pytest.mark.parametrize("f, text", [
    (changes_what_it_asks_for, "SD0261.*assigns variables that its generator reads"), (named, "`next` of an iterator that has a name"), (lambda x: x[0] * sum(repeat(2.0)), "has no end"),
    (lambda x: sum(a * b for a, b in zip(x, cycle(x[x > 0]))), "items whose number only run time knows"),       # noqa: B905
    (zips_one_twice, "used"),
    (lambda x: sum(a for a, b, c, d in combinations(np.append(x, x[x > 0]), 4)), "more than three items"),
], ids=["changes", "named", "repeat", "cycle", "twice", "four"])
def test_what_is_refused_names_the_line(f, text):
    with pytest.raises((sd.errors.UnsupportedError, NotImplementedError), match=text):
        sd.differentiate(f, target="python").grad(X)


@pytest.mark.parametrize("strict", [False, True])
def test_a_number_of_times_is_an_end(strict):
    assert sd.differentiate(lambda x: sum(a * b for a, b in zip(x, repeat(2.0, 3), strict=strict)),
                            target="python").grad(X).tolist() == [2.0] * 3


def test_a_sum_of_no_arrays_is_no_array():
    g = sd.differentiate(lambda x: sum(v * x for v in x if v > 9), target="python")
    with pytest.raises(sd.errors.ShapeError, match="SD0356.*the sum of no arrays is the number 0"):
        sd.jacrev(g)(X)
    np.testing.assert_array_equal(sd.jacfwd(g)(40 * X), sd.jacrev(g)(40 * X))


def test_nothing_found():
    for f in (lambda x: next(v for v in x if v > 9), lambda x: next(filter(lambda v: v > 9, x))):
        with pytest.raises((StopIteration, RuntimeError, sd.errors.SrcdiffError)):
            sd.differentiate(f, target="python").grad(X)
