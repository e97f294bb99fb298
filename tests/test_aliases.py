"""What is written under one name is seen under every other name that the array has, whichever path was taken.

Each function runs in Python; its program gives the same values, its tangent agrees with differences of the function
itself, and its adjoint with the tangent.
"""

import functools

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.errors import ArgumentError, UnsupportedError
from srcdiff.notation import show
from tests.modes import specialised
from tests.random_checks import Case, check, check_second
from tests.random_programs import Generated
from tests.translating import assert_refused, cases, name_of, refusals

X = np.array([0.5, -1.2, 2.3])
Y = np.array([0.4, 1.7, -0.6])
CASES, case = cases()
REFUSED, refused = refusals()


# -- one name, two arrays -------------------------------------------------------------------------

@case((X, True), (X, False))
def alias_branch(x, flag):
    a = x.copy()
    b = a * 2
    if flag:
        a = b
    a[0] = x[1] * x[2]
    b[1] *= x[0]
    return a, b


@case((X, 0), (X, 1), (X, 2))
def alias_through_two_branches(x, n):
    y = x.copy()
    part = y[:2]
    if n > 0:
        y = y + 1.0
    if n > 1:
        y = y * x
    y[0] = x[2] ** 2
    return part, y


@case((X, 0), (X, 2))
def alias_through_two_loops(x, n):
    y = x.copy()
    part = y[:2]
    for _ in range(n):
        for _ in range(n):
            y[0] = x[1] * y[0]
            y = y + 1.0
    return part, y


@case((X, 0.0), (X, 1.0))
def rebound_or_written(x, level):
    for i in range(len(x)):
        if x[i] > level:
            x = x + x[0]
        else:
            x[0] = 2.0 * x[1] * x[0]
    x *= x


@case((X, Y, 4), (X, Y, 5))
def swapped_with_the_argument(x, y, n):
    v = x.copy()
    for k in range(n):
        v[k % 3] = x[0] * y[1] + v[1]
        x, v = v, x
    y[:] = x - v


@case((X, Y, 3), (X, Y, 4))
def three_names_in_turn(x, y, n):
    z = x * y
    for k in range(n):
        x, y, z = y, z, x
        if k == 2:
            z = y
        x[k % 3] += y[0] * z[1]
        z *= 0.5
    return x + 2 * y - z


@case((X,))
def one_memory_under_swapped_names(x):
    row = x[:]
    for _ in range(3):
        for _ in range(2):
            row, x = x, row
        row[-1] *= 3.0
    return x + 2 * row


@case((X,))
def iterated_array_rebound(x):
    s = 0.0
    for e in x:
        x[1] = 0.7 * e
        x = x / e
        s = s + e * e
    return s


@case((X, 2))
def argument_rebound_after_a_write(x, n):
    for _ in range(n):
        x[0] = x[1] * x[0]
        x = np.sin(x)


@case((X, True), (X, False))
def found_while_it_is_searched(x, flag):
    y, best = np.zeros(3), x * 2.0
    for k in range(3):
        y[k] = x[k] * x[0]
        if x[k] > 0.4 and flag:
            best = y
        y[0] += 1.0 * k
    return best * y


# -- a store that reads what it changes, under whichever name --------------------------------------

@case((X, True, True), (X, True, False), (X, False, True))
def three_names_of_one(x, first, second):
    a = x * 1.0
    b = a if first else x * 2.0
    c = a if second else x * 3.0
    a += b
    b += c
    c *= a
    a[1:] = c[:-1]
    b[...] = a * c
    a += a
    return a, b, c


@case((X, True), (X, False))
def parts_of_one(x, flag):
    a = x * 1.0
    b = a if flag else x * 2.0
    part, other = a[1:], b[:2]
    part *= other
    other[::-1] += 1.5 * b[1:]
    a[[0, 0]] += b[[1, 2]]
    b[b > 0.1] = a[a > 0.1].sum()
    return a, b, part, other


@case((np.outer(X, Y), True), (np.outer(X, Y), False))
def rows_of_one(x, flag):
    a = x * 1.0
    b = a if flag else x * 2.0
    for k, row in enumerate(a):
        row[k] = b[k, 0] * b[0, k]
        b[k] += row
    return a @ b


# -- names that are not in sight ---------------------------------------------------------------------

@case((X, True), (X, False))
def held_by_a_zip(x, flag):
    y = x.copy()
    pairs = zip(y, y, strict=True)
    z = y if flag else y * 2
    z[0] = x[1] * x[2]
    s = 0.0
    for a, b in pairs:
        s += a * b
    return s


@case((X, True), (X, False))
def held_by_a_partial(x, flag):
    y = x.copy()
    total, method = functools.partial(np.sum, y), y.sum
    z = y if flag else y * 2
    z[0] = x[1] * x[2]
    return total() * z[1] + method()


@case((X, True), (X, False))
def held_by_an_expression(x, flag):
    a, b = x.copy(), x * 2

    def change():
        a[0] = x[1] * x[2]
        return 2.0

    def positive(u):
        if u[1] < 0.0:
            return u
        return u * 2

    first = (a if flag else b) * change()
    a[1] = -a[0] ** 2
    second = positive(a) * change()
    return first, second, np.add(a if flag else b, change())


@case((X, 3), (X, 0))
def written_after_it_was_returned(x, n):
    y = x.copy()
    for k in range(n):
        try:
            if y[0] > 0.1 * k:
                return y
        finally:
            y[0] = 5.0 * x[1] * x[0]
    return y * 2


# -- early returns from loops that write ------------------------------------------------------------------

@case((X, 0.3, 3), (X, 5.0, 3), (X, 0.001, 3), (X, 0.3, 0))
def stops_when_it_is_small(x, tolerance, n):
    y = x.copy()
    for k in range(n):
        y[k] = y[k - 1] * x[k]
        if abs(y[k]) < tolerance:
            return y
    y[0] = y[1] * 2.0
    return y


@case((X, 0.3), (X, 5.0), (X, 0.001))
def returns_from_the_middle(x, tolerance):
    y = x.copy()
    k = 0
    while True:
        for i in range(3):
            y[i] *= 0.5 * x[k % 3]
            if y[i] > tolerance:
                return y, y[i:], k * x[0]
        k += 1
        if k > 4:
            break
        y[0] += 0.1
    y[1] = 3.0 * y[0]
    return x * y, y, 1.0


@case((X, 0.3), (X, 0.001))
def returns_what_the_loop_rebinds(x, tolerance):
    y, k = x * 1.0, 0.0
    for k in x:
        if abs(k) < tolerance:
            continue
        for i in range(3):
            y = np.sin(y) * k
            y[i] += k
            if abs(y[i]) > tolerance:
                return y, k
        y[0] = 2.0
    else:
        y = y + 1.0
    y[2] *= k
    return y, k


@case((X,))
def view_that_stays(x):
    part = x[:2]
    for j in range(3):
        part[0] += x[2] * j
        if j == 1:
            part = x[:2]
        x[j] *= x[0]
        other = x[1::2]
        other[-1] *= 0.5
    x *= 2.0
    return x, part, other


@case((np.outer(X, Y), X))
def closures_that_are_called(a, x):
    for i, row in enumerate(a):
        def change(q):
            row[1] = np.tanh(x[i] + q)      # noqa: B023
            return q * row[0]                   # noqa: B023
        s = change(x[0]) + change(0.3)
    row = a[0] * s
    add = lambda q: q + row[0]          # noqa: E731
    a[a > x[0]] *= 0.7
    row[0] += 1.0
    return a, add(x[1]), change(x[2])


@functools.lru_cache(maxsize=2)
def made_of(program) -> dict:
    """Return where what is made of a program is kept: a function has one program for all its arguments."""
    return {}


@pytest.mark.parametrize(("function", "args"), CASES, ids=name_of)
def test_writes_are_seen(function, args):
    made = Case(Generated(11, "", function, args))
    made.made = made_of(made.program)
    check(made)
    check_second(made)


def test_a_write_is_made_where_the_names_mean_one_array():
    assert show(specialised(alias_in_one_branch, (X, 1)).program) == """\
def alias_in_one_branch(x: "float64[:]", n: "weak int64"):
    y = sin(x)
    z = cos(x)
    t = greater(n, 0)
    if t:
        y = copy(z)
        same_array = True
    else:
        same_array = False
    y[0] = 0.0
    if same_array:
        z[0] = 0.0
    return y, z
"""


def alias_in_one_branch(x, n):
    y = np.sin(x)
    z = np.cos(x)
    if n > 0:
        y = z
    y[0] = 0.0
    return y, z


def test_nothing_is_written_twice_where_no_one_can_see_it():
    text = show(specialised(stops_when_it_is_small, (X, 0.3, 3)).program)
    assert text.count("[k] = ") == 1 and "same_array" not in text and "_result" not in text


# -- what is not proved is refused ---------------------------------------------------------------------------

@refused("SD0220", "y[0] = 3.0", X, 1)
def one_of_two_parts(x, n):
    a, b = x * 1.0, x * 2.0
    y = a[1:] if n > 0 else b[:2]
    y[0] = 3.0
    return a, b, y


@refused("SD0220", "y[0] = 3", np.arange(3), X, 1)
def one_of_two_dtypes(i, x, n):
    a, b = i + 1, x + 1.0
    y = a if n > 0 else b
    y[0] = 3
    return a.sum() + b.sum() + y.sum()


@refused("SD0220", "y[0] = 3.0", X, 1)
def item_of_a_list_that_grows(x, n):
    y, items = x * 1.0, []
    z = y if n > 0 else y + 1.0
    for _ in range(n):
        items.append(z)
    y[0] = 3.0
    return sum(items)


TABLE = np.array([1.0, 2.0, 3.0])


@refused("SD0221", "w[0] = x[0]", X, 1)
def array_from_outside(x, n):
    w = TABLE if n > 0 else x * 2.0
    w[0] = x[0]
    return (w * TABLE).sum()


@refused("SD0261", "def doubled", X, True)
def read_by_a_generator(x, flag):
    y = x.copy()
    z = y if flag else y * 2.0

    def doubled(values):
        for v in values:
            yield 2.0 * v

    s = 0.0
    for v in doubled(y):
        z[2] = v
        s += v
    return s


@pytest.mark.parametrize(("function", "args", "code", "line"), REFUSED, ids=name_of)
def test_what_is_not_proved_is_refused(function, args, code, line):
    if code == "SD0261":
        with pytest.raises(UnsupportedError, match=code):
            specialised(function, args)
        return
    assert_refused(function, args, code, line)


def test_arguments_that_may_be_written_share_no_memory():
    def f(x, y):
        if x[0] > 1.0:
            x = x + 1.0
        x[0] = 3.0
        return (x * y).sum()

    derivative = sd.differentiate(f, target="python")
    assert derivative.grad(X, X.copy())[0] == 0.0
    with pytest.raises(ArgumentError, match="SD0319"):
        derivative.grad(X, X)


# -- `out=` -----------------------------------------------------------------------------------------------------

def into_given_arrays(x, a):
    y, s, z = np.empty(3), np.zeros((3, 3)), x * 2.0
    np.clip(z, -0.9, 1.1, out=z)
    z[1:].clip(None, 0.3, out=z[:2])
    np.clip(x, 0.0, 1.0, y[:])
    np.dot(a, y, out=y)
    np.matmul(a, a.T, out=s)
    x += np.sum(s * a, axis=0, out=z)
    np.cumsum(z, out=z)
    return y, s, z, np.mean(a, axis=1, out=np.empty(3)), np.max(a, axis=1, out=x)


def test_results_are_stored_where_out_says():
    made = Case(Generated(12, "", into_given_arrays, (X, np.outer(X, Y))))
    check(made)
    check_second(made)


@pytest.mark.parametrize("f", [lambda x: np.clip(x, 0.0, 1.0, out=np.zeros(3, int)), lambda x: np.sum(x, axis=0, out=np.zeros(3)),
                               lambda x: np.add(x, 1.0, out=np.zeros(3, int))])
def test_out_must_fit(f):
    with pytest.raises((TypeError, ValueError)):
        f(X)
    with pytest.raises(UnsupportedError, match="SD0230"):
        specialised(f, (X,))
