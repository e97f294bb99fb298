# ruff: noqa: B905, UP032
"""Python's meaning of iterators, texts and lists: what is computed is what Python computes, or it is refused."""

import copy
import itertools

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.errors import UnsupportedError
from tests.translating import agree, assert_refused, cases, name_of, refusals, translated, value_of

X = np.array([0.5, -1.2, 2.3, 0.7, 1.1])
RIGHT, right = cases()
REFUSED, refused = refusals()


# -- iterators are used up --------------------------------------------------------------


@right((X,))
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


@right((X,))
def iterator_made_anew(x):
    s = 0.0
    for k in range(3):
        pairs = zip(x, x[::-1])
        for a, b in pairs:
            s += a * b * k
    return s


@right((X,))
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


# -- truth values --------------------------------------------------------------------------


@right((X, 2.0))
def inverted_truth_of_numpy_and_of_python(x, a):
    positive, large = x[1] > 0.0, a > 1.0
    return ~positive * x[0] * a + ~large * a**2         # not, and -2


# -- texts ---------------------------------------------------------------------------------


@refused("SD0211", "s = s / (s - s)", X)
def division_by_numpys_zero_and_then_by_pythons(x):
    s = x[0]
    for _ in x:
        try:
            s = s / (s - s)
        except ZeroDivisionError:
            s = 2.5 * s
        s = float(s)
    return s


@refused("SD0211", "s = 1.0 / sum(found[1:])", X)
def division_by_the_sum_of_a_list_that_may_be_empty(x):
    found, s = [x[0]], 0.0
    for v in x:
        if v > 1.0:
            found.append(v)
    try:
        s = 1.0 / sum(found[1:])
    except ZeroDivisionError:
        s = 7.0
    return s


@right((X,))
def texts_of_known_numbers(x):
    parts = {f"k{i:02d}": x[i] for i in range(3)}
    others = {f"{3.14159:.2f}": x[3], f"{'a'!r}": x[4], f"{2!s:>3}": x[0]}
    return parts["k01"] * others["3.14"] + others["'a'"] * others["  2"], f"{len(parts):03d}"


@right((X,))
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


# -- lists ---------------------------------------------------------------------------------


@right((X,))
def slices_of_known_lists_are_assigned(x):
    a = [x[0], x[1], x[2], x[3]]
    b = a
    a[1:3] = [x[4]]
    c = [x[0], x[1]]
    c[1:1] = (x[4], x[3])
    d = [x[0], x[1], x[2], x[3]]
    d[::2] = [x[4], x[4] * 2]
    e = [x[0], x[1]]
    e[:1] += [x[2]]
    return b, c, d, e, len(b) * x[0]


@right((X,))
def lists_change_in_place(x):
    a = [x[0], x[1]]
    b = a
    a *= 2
    b[3] = 5.0
    rows = [[x[0]], [x[1]]]
    first = rows[0]
    rows[0] += [x[2]]
    first[1] *= 3
    return sum(a), len(b) * x[0], rows[0], len(first)


@right((X,))
def parts_of_lists_are_new_lists(x):
    a = [0.0] * len(x)
    for i in range(len(x)):
        a[i] = x[i] * i
    b, c, d = a[1:3], a[:], a + [1.0]
    b[0], c[0], d[0] = 50.0, 7.0, 9.0
    a[0:2] = [x[0], x[1]]
    return sum(a), sum(b), sum(c), sum(d), len(d)


@right((X,))
def rows_of_tables(x):
    table = [[0.0] * 3 for _ in range(2)]
    for i in range(2):
        for j in range(3):
            table[i][j] = x[i + j]
    joined, part = table[0] + table[1], table[0][1:]
    part[0] = 100.0
    table[1][0:2] = [x[0], x[1]]
    s = 0.0
    for row in table:
        s += sum(row) * row[0] + max(row)
    return len(joined) * joined[4], table[0][1] * part[0], s


@right((X,))
def dynamic_programming(x):
    table = [[0.0] * 4 for _ in range(4)]
    for i in range(1, 4):
        for j in range(1, 4):
            table[i][j] = max(table[i - 1][j], table[i][j - 1]) + x[i] * x[j]
    return table[3][3], sum(table[-1])


@right((X,))
def lists_are_compared(x):
    pair = (x[0], x[1])
    return ([x[0]] == [x[0], 1.0]) * x[0], (pair == [x[0], x[1]]) * x[1], (pair != (x[0], x[1])) * x[2], (pair == pair) * x[3]


@refused("SD0215", "l == l[:]", X)
def lists_compared_at_run_time(x):
    l = list(x)             # noqa: E741
    return (l == l[:]) * x[0]


@refused("SD0215", "[x[0]] == x[0]", X)
def list_compared_with_a_number(x):
    return ([x[0]] == x[0]) * x[1]


@refused("SD0215", "row += [1.0]", np.outer(X, X))
def row_that_grows(a):
    rows = a.tolist()
    row = rows[0]
    row += [1.0]
    return len(rows[0]) * rows[0][0]


@refused("SD0220", "part[0][0] = 100.0", X)
def item_of_a_part_of_a_list(x):
    rows = [v * x for v in x if v > 0]
    part = rows[1:]
    part[0][0] = 100.0
    return rows[1][0]


def changed_length(x):
    items = list(x)
    items[0:2] = [x[0]]
    return sum(items)


def test_a_list_kept_as_an_array_does_not_change_its_length():
    with pytest.raises(ValueError, match="changes the length of a list"):
        value_of(translated(changed_length, X), X)


def joined(l):              # noqa: E741
    return sum(l + [1.0, 2.0]) * len(l + l) + sum(l[1:] + l[:1])


def part_changed(l):        # noqa: E741
    part, whole = l[1:], list(l)
    part[0], whole[0] = 9.0 * l[0], 3.0
    return sum(l) * sum(part) + sum(whole)


def is_a_list(l):           # noqa: E741
    return l[0] if isinstance(l, list) and l else l[1]


def made_an_array(l):       # noqa: E741
    a = np.asarray(l)
    return (a * a + 2.0 * a).sum() + np.dot(l, l) + max(l)


def written(l):             # noqa: E741
    l[0] = l[1] * 3
    l[-1] += 1.0
    l.append(l[0])
    return l[0] * l[2] * l[-1]


def table(l):               # noqa: E741
    l[0][1] = l[1][0] * 5
    row = l[1]
    row[0] = 7.0 * l[0][0]
    return l[0][1] * l[1][0] + row[1] + len(l[0] + row) + sum(v * v for r in l for v in r)


@pytest.mark.parametrize(("function", "l"), [
    *((f, [0.5, 1.5, 2.5]) for f in (joined, part_changed, is_a_list, made_an_array, written)), (table, [[1.0, 2.0], [3.0, 4.0]])])
def test_a_list_argument_is_a_list(function, l):    # noqa: E741
    f = sd.differentiate(target="python")(function)
    before = copy.deepcopy(l)
    out, gradient = f.value_and_grad(l)
    assert l == before and out == pytest.approx(function(copy.deepcopy(l)), rel=1e-13)
    slopes = [(function(moved(before, k, h)) - function(moved(before, k, -h))) / (2 * h)
              for h in (1e-6,) for k in range(np.size(before))]
    np.testing.assert_allclose(np.ravel(gradient), slopes, rtol=1e-7)


def moved(values, k, h):
    array = np.array(values)
    array.flat[k] += h
    return array.tolist()


@pytest.mark.parametrize("function", [lambda x: sum(x * 2), lambda x: (x == [0.5, 1.5]) * x[0]])
def test_what_a_list_argument_cannot_do_is_refused(function):
    with pytest.raises(UnsupportedError, match="SD0215"):
        sd.differentiate(target="python")(function).grad([0.5, 1.5])


# -- names that are swapped ------------------------------------------------------------------


@refused("SD0220", "x[0] = 7.0", X, np.outer(X, X))
def view_that_loops_and_branches_carry(x, c):
    if c[0, 0] < 5.0:
        if x[0] < 5.0:
            for _ in c:
                x = np.flip(c[0, :])
        else:
            c = c.copy()
        x[0] = 7.0
    return c.sum() + x[0]


@right((X,))
def two_buffers_in_nested_loops(x):
    a, b = x * 1.0, x * 2.0
    for k in range(3):
        for i in range(2):
            a, b = b, a
            a[i] = b[k] * 0.5
        b[-1] *= 3.0
    return a + 2 * b


# -- both ----------------------------------------------------------------------------------


@pytest.mark.parametrize("function, args", RIGHT, ids=name_of)
def test_program_computes_what_python_does(function, args):
    agree(value_of(translated(function, *args), *copy.deepcopy(args)), function(*copy.deepcopy(args)), grown=True)


@pytest.mark.parametrize("function, args, code, line", REFUSED, ids=name_of)
def test_refused_with_the_line(function, args, code, line):
    assert_refused(function, args, code, line)


def test_an_element_of_an_array_holds_no_array():
    def filled(row):
        def f(x, n):
            out = row.copy()
            for j in range(n):
                out[j] = x * 1.0
            return out[0]
        return f

    with pytest.raises(UnsupportedError, match=r"SD0232\] an array is assigned to an element of `\w+`[^$]*out\[j\] = x \* 1.0"):
        sd.differentiate(filled(np.zeros(3)), target="python").jacobian(np.array([1.0, 2.0, 3.0]), 3)


def test_an_element_of_a_list_holds_an_array_where_the_loop_is_unrolled():
    def f(x):
        out = [0.0, 0.0, 0.0]
        for j in range(len(x)):
            out[j] = x * x[j]
        return out[2]

    x = np.array([1.0, 2.0, 3.0])
    found = sd.differentiate(f, target="python").jacobian(x)
    assert np.array_equal(found, x[2] * np.eye(3) + np.outer(x, [0.0, 0.0, 1.0]))
