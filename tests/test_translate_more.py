"""Translation of everyday Python: lists that grow, guarded arithmetic, conversions."""

import copy
import math

import numpy as np
import pytest

from tests.translating import agree, assert_refused, cases, name_of, refusals, translated, value_of

X = np.array([0.5, -1.25, 2.0, 3.5])
CASES, case = cases()
REFUSED, refused = refusals()


# -- lists whose length only run time knows


@case((X,))
def appended(x):
    out = []
    for i in range(len(x)):
        out.append(x[i] * 2)
    return np.array(out)


@case((X,))
def appended_under_a_condition(x):
    out = []
    for v in x:
        if v > 0:
            out.append(v**2)
    return sum(out), len(out), out[-1], out[0], max(out), min(out)


@case((X,))
def list_with_a_first_item(x):
    out = [0.0]
    for v in x:
        out.append(out[-1] + v)
    s = 0.0
    for k in range(len(out)):
        s += out[k] * k
    for v in out:
        s += v
    for k, v in enumerate(out):
        s += v * k
    return s, np.mean(out), np.array(out)


@case((X,))
def filtered_comprehensions(x):
    n = len(x)
    return sum([v * 2 for v in x if v > 0]), np.array([x[i] * x[j] for i in range(n) for j in range(i)])


@case((X, 4))
def list_of_states(x, n):
    y = x.copy()
    traj = [y]
    for _ in range(n):
        y = y + 0.1 * np.sin(y)
        traj.append(y)
    return np.array(traj), traj[-1]


@case((X, 4))
def list_of_pairs(x, n):
    path = []
    p, q = x[0], x[1]
    for _ in range(n):
        path.append((p, q))
        p, q = q, p + 0.5 * q
    s = 0.0
    for a, b in path:
        s += a * b
    return np.array(path), s, path[-1]


@case((X,))
def list_of_lists(x):
    rows = []
    for i in range(len(x)):
        row = []
        for j in range(len(x)):
            row.append(x[i] * x[j])
        rows.append(row)
    return np.array(rows)


@case((2.0,))
def stack(x):
    st = [x]
    s = 0.0
    while st:
        v = st.pop()
        s += v
        if v < 20:
            st.append(v * 2)
            if v < 5:
                st.append(v * 3)
    return s


@case((X, 1e-3))
def history(x, tol):
    hist = []
    v = x[0]
    while True:
        w = 0.5 * (v + 2.0 / v)
        hist.append(abs(w - v))
        if abs(w - v) < tol:
            break
        v = w
    return v, hist, sum(h * h for h in hist)


@case((X,))
def two_lists(x):
    xs = []
    ys = []
    t = 0.0
    for v in x:
        t += abs(v)
        xs.append(t)
        ys.append(v * t)
    return np.trapezoid(ys, xs), np.dot(xs, ys), [a + b for a, b in zip(xs, ys, strict=True)]


@case((X,))
def changed_list(x):
    out = []
    for _ in range(2):
        for v in x:
            if v > 0:
                out.append(v)
    out.append(x[0])
    out[0] = out[1] * 2
    out[1] += 3.0
    o = out + [1.0]
    o.extend(out)
    out += o
    return np.array(out), np.array(o[1:]), o[::-1]


@case((X,))
def appended_in_branches(x):
    out = []
    if x[0] > 0:
        out.append(x[0])
    if x[1] > 0:
        out.append(x[1])
    return sum(out), len(out)


@case((X,))
def list_of_short_lists(x):
    segs = []
    for i in range(len(x) - 1):
        segs.append([x[i], x[i + 1]])
    return np.array(segs), sum(a * b for a, b in segs)


@case((X,))
def nested_comprehensions(x):
    return np.array([[x[i] * j for j in range(len(x))] for i in range(len(x))]), np.array([x * v for v in x])


@case((X,))
def list_in_a_loop(x):
    table = []
    for i in range(len(x)):
        r = [x[i]]
        for j in range(i):
            r.append(x[j])
        table.append(sum(r))
    return table


# -- try and except


@case((2.0,), (-1.0,), (0.0,))
def try_sqrt(x):
    try:
        v = math.sqrt(x)
    except ValueError:
        v = 0.5 * x
    return v * 2


@case((2.0,), (0.0,))
def try_reciprocal(x):
    try:
        return 1 / x
    except ZeroDivisionError:
        return 7.0


@case((2.0,), (0.0,), (-3.0,))
def try_all_parts(x):
    y = 0.0
    try:
        y = x * 3
        y = y + math.log(x) / math.sqrt(x + 2)
    except (ValueError, ZeroDivisionError) as error:
        y = y - 1.0 if error is not None else y
    else:
        y *= 2
    finally:
        y += 0.25
    return y


@case((2.0,), (-2.0,), (0.3,), (-0.3,))
def try_with_raise(x):
    try:
        if x < -1:
            raise ValueError("neg")
        if x < 0:
            raise KeyError("k")
        y = x * x
        z = math.acos(y)
    except ValueError:
        z = x
    except KeyError:
        z = 3 * x
    return z


@case((1.0,), (800.0,), (-800.0,))
def try_exp(x):
    try:
        e = math.exp(x)
    except OverflowError:
        e = math.inf
    return e


@case((X,))
def try_in_a_loop(x):
    s = 0.0
    for v in x:
        try:
            w = math.log(v)
        except ValueError:
            continue
        s += w
    return s


@case((2.0, 0.0), (2.0, 1.0))
def try_ratio(a, b):
    try:
        r = a / b
    except ZeroDivisionError:
        r = 0.0
    return r + a


@case((2.0, 0), (2.0, 3))
def try_integer(a, n):
    try:
        r = a / n
    except ZeroDivisionError:
        return float("inf")
    return r + a


@case((X, 1), (X, 3))
def try_division_of_carried_python_numbers(x, n):
    s = float(x[0])
    for _ in range(n):
        try:
            s = s / (s - s)
        except ZeroDivisionError:
            s = 2.5 * s
    return s


@case((1.0,))
def try_conversion(x):
    try:
        x = np.asarray(x, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("bad") from None
    return x * 2


@case((1.5,), (-1.0,))
def try_two(x):
    try:
        return math.sqrt(x) + math.log(x)
    except ValueError:
        return 0.0


# -- sorting, searching, interpolation, recursion


@case((X,), (np.array([2.0, -1.0, np.nan, 2.0, 0.5, -3.0, 1.0]),), (X[:1],))
def sorts(x):
    return np.sort(x), np.argsort(x, kind="stable"), np.median(x)


@case((X, 0.3, -2.0))
def sorts_lists(x, a, b):
    largest = sorted(x, reverse=True)
    low, high = sorted((a, b))
    return largest[0] * largest[-1], low, high, sorted([v for v in x if v > 0])[0]


TABLE_X = np.array([0.0, 1.0, 2.0, 4.0])
TABLE_Y = np.array([1.0, 3.0, 2.0, 2.5])


@case((np.array([-1.0, 0.0, 0.3, 1.0, 3.9, 4.0, 5.0]), 1.0), (np.array([2.0]), 1.7))
def looks_up(x, a):
    return (
        np.interp(x, TABLE_X, TABLE_Y),
        np.interp(a, TABLE_X, TABLE_Y, left=a * 2, right=0.0),
        np.searchsorted(TABLE_X, x),
        np.searchsorted(TABLE_X, a, side="right"),
    )


def power_by_halves(x, n):
    if n == 0:
        return 1.0
    half = power_by_halves(x, n // 2)
    return half * half * x if n % 2 else half * half


@case((1.5,))
def recursion_of_known_depth(x):
    def iterated(n, v):
        return v if n == 0 else iterated(n - 1, math.sin(v)) * x

    return power_by_halves(x, 13), iterated(6, x)


@case((X,))
def sums_of_maps(x):
    return sum(map(lambda v: v * v, x)), sum(map(abs, x), 1.0)


@pytest.mark.parametrize("function, args", CASES, ids=name_of)
def test_program_computes_what_the_function_does(function, args):
    agree(value_of(translated(function, *args), *copy.deepcopy(args)), function(*copy.deepcopy(args)), grown=True)


# -- refusals


def unending(x, n):
    return x if x > n else unending(x + 1.0, n)


@refused("SD0220", "y[0] = v", X)
def stores_into_what_a_list_holds(x):
    y, states = x.copy(), []
    for v in x:
        y[0] = v
        states.append(y)
    return np.array(states)


@refused("SD0220", "row.append(x[0])", X)
def grows_an_item(x):
    rows = []
    for v in x:
        row = [v, v]
        rows.append(row)
        row.append(x[0])
        row.pop()
    return np.array(rows)


@refused("SD0220", "(up if v > 0 else down).append(v)", X)
def one_of_two_lists(x):
    up, down = [], []
    for v in x:
        (up if v > 0 else down).append(v)
    return up, down


@refused("SD0215", "for v in todo:", X)
def grows_while_it_is_gone_through(x):
    todo = [v for v in x if v > 0]
    for v in todo:
        if v > 1:
            todo.append(v / 2)
    return todo


@refused("SD0214", "unending(x + 1.0, n)", 1.5)
def recursion_without_a_known_end(x):
    return unending(x, 10)


@refused("SD0215", "for v in x:", X)
def items_of_two_kinds(x):
    items = []
    for v in x:
        items.append(v)
        items.append((v, v))
    return items


@pytest.mark.parametrize("function, args, code, line", REFUSED, ids=name_of)
def test_refused_with_the_line(function, args, code, line):
    assert_refused(function, args, code, line)


@case((X,), (-X,))
def last_positive(x):
    kept = [v for v in x if v > 0.6]
    return kept[2] if len(kept) > 2 else kept[-1]


def test_a_position_beyond_the_list_raises():
    made = translated(last_positive, X)
    with pytest.raises(IndexError, match="out of range"):
        value_of(made, -np.ones(4))
