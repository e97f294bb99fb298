"""Nests of loops turned around: only where all iterations commute, and with the same results."""


import numpy as np
import pytest

import srcdiff as sd
from bench.workloads.kernels import KERNELS
from srcdiff.lower.interchange import interchange
from srcdiff.notation import in_any_order, read, run
from srcdiff.syntax import For, walk
from srcdiff.verify import verify

X = np.sin(np.arange(20.0)).reshape(4, 5) + 1.5


def program(body: str, ordered: bool = False, results: str = "z, w, s"):
    """Read a program of two nested loops over a matrix of at least 4 by 5 and a row."""
    lines = ['def f(x: "float64[:,:]"):', "    z = copy(x)", "    w = x[0, :]", "    s = 0.0",
             *("    " + line for line in body.strip("\n").split("\n")), f"    return {results}"]
    found = read("\n".join(lines) + "\n")
    return found if ordered else in_any_order(found)


def order(found):
    """Return the variables of the loops, outermost first, each with its step."""
    return [(s.var, s.step.value) for s in walk(found.body) if isinstance(s, For)]


TURNED = {
    "sums into rows and columns, of elements that are neither": ('''
for i in range(3, -1, -1):
    last = subtract(i, 1)
    for j in range(4, last, -1):
        for k in range(last, -1, -1):
            t = z[i, j]
            u = x[i, k]
            v = multiply(t, u)
            z[k, j] += v
            c = x[k, j]
            d = multiply(t, c)
            z[i, k] += d
''', [("i", -1), ("k", 1), ("j", 1)]),
    "a beginning that changes what the inner loop must not see": ('''
for i in range(3, -1, -1):
    last = subtract(i, 1)
    for j in range(4, -1, -1):
        b = x[i, j]
        c = z[i, j]
        t = multiply(2.0, c)
        s = add(s, b)
        z[i, j] = b
        for k in range(last, -1, -1):
            d = z[k, j]
            e = multiply(t, d)
            w[j] += e
            s = add(s, e)
            f = multiply(b, e)
            w[j] += f
''', [("i", -1), ("j_part", 1), ("k", 1), ("j", 1)]),
    "a beginning whose own order matters": ('''
for j in range(4, 1, -1):
    b = x[0, j]
    m = subtract(j, 1)
    w[m] += b
    w[2] = b
    for k in range(2, -1, -1):
        t = x[k, j]
        z[k, j] += t
''', [("j_part", -1), ("k", 1), ("j", 1)]),
    "a beginning that reads what only the last iteration adds to": ('''
for j in range(4, -1, -1):
    t = w[0]
    for k in range(3, -1, -1):
        u = x[k, j]
        v = multiply(t, u)
        w[j] += v
''', [("j", 1), ("k", 1), ("j_part", 1)]),
    "one element for each iteration of both": ('''
for j in range(0, 5, 1):
    for k in range(3, -1, -1):
        t = z[k, j]
        u = multiply(t, t)
        z[k, j] = u
''', [("k", 1), ("j", 1)]),
    "no nest that pays, but an order that is nobody's": ('''
for j in range(3, -1, -1):
    for k in range(4, -1, -1):
        t = x[j, k]
        w[k] += t
        s = add(s, t)
''', [("j", 1), ("k", 1)]),
}


@pytest.mark.parametrize("name", TURNED)
def test_turned(name):
    body, expected = TURNED[name]
    before = program(body)
    after = interchange(before)
    verify(after)
    assert order(after) == expected
    assert interchange(after) == after
    for got, wanted in zip(run(after, X), run(before, X), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13)


LEFT = {
    "an iteration reads what another one adds to": '''
for j in range(4, -1, -1):
    for k in range(3, -1, -1):
        t = z[0, j]
        z[k, j] += t
''',
    "two iterations write one element": '''
for j in range(4, -1, -1):
    for k in range(3, -1, -1):
        t = x[k, j]
        w[j] = t
''',
    "a recurrence along a column": '''
for j in range(4, -1, -1):
    for k in range(3, 0, -1):
        m = subtract(k, 1)
        t = z[k, j]
        z[m, j] += t
''',
    "an inner loop whose length depends on the outer one": '''
for j in range(3, -1, -1):
    for k in range(0, j, 1):
        t = x[k, j]
        w[k] = t
''',
    "a number that an iteration hands to the next": '''
for j in range(4, -1, -1):
    for k in range(3, -1, -1):
        t = x[k, j]
        s = multiply(s, t)
''',
    "a sum that is read on the way": '''
for j in range(4, -1, -1):
    for k in range(3, -1, -1):
        t = x[k, j]
        s = add(s, t)
        z[k, j] = s
''',
    "an index that may count from the end": '''
for j in range(4, -1, -1):
    for k in range(3, -1, -1):
        m = subtract(k, 2)
        t = z[m, j]
        n = subtract(k, 1)
        z[n, j] = t
''',
    "a number that is read after the loop": '''
for j in range(4, -1, -1):
    for k in range(3, -1, -1):
        t = x[k, j]
        w[j] += t
s = multiply(t, 2.0)
''',
}


@pytest.mark.parametrize("name", LEFT)
def test_the_inner_loop_keeps_its_order(name):
    """It may go outside, and the outer one may run the other way, where each iteration has a column of its own."""
    before = program(LEFT[name])
    after = interchange(before)
    assert [one for one in order(after) if one[0] == "k"] == [one for one in order(before) if one[0] == "k"]
    for got, wanted in zip(run(after, X), run(before, X), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_loop_that_may_not_run_proves_nothing():
    """Inside the first inner loop 5 would be below `n`; the second one runs whatever `n` is."""
    before = program('''
n = size(x, axis=0)
for j in range(4, -1, -1):
    for k in range(5, n, 1):
        w[j] += 1.0
    for l in range(0, 4, 1):
        m = subtract(n, 5)
        t = z[m, 0]
        z[0, 0] = t
''')
    assert interchange(before) is before


def test_the_order_of_a_users_sum_stays():
    body = TURNED["no nest that pays, but an order that is nobody's"][0]
    before = program(body, ordered=True)
    assert interchange(before) is before


def test_a_loop_that_does_not_run():
    before = program('''
n = size(x, axis=1)
last = subtract(n, 9)
for j in range(last, -1, -1):
    c = z[0, j]
    z[0, j] = 1.0
    for k in range(3, 0, -1):
        t = x[k, j]
        u = multiply(c, t)
        w[j] += u
''')
    after = interchange(before)
    assert order(after) != order(before)
    for shape in ((4, 5), (4, 12)):
        x = np.cos(np.arange(float(np.prod(shape)))).reshape(shape)
        for got, wanted in zip(run(after, x), run(before, x), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-13)


@pytest.mark.parametrize("name", ["symm", "lu", "conv2d", "cholesky"])
def test_adjoints_of_kernels(name):
    """Forward mode, which turns nothing backwards, and reverse mode agree."""
    kernel = KERNELS[name]
    args = kernel.make(5, np.random.default_rng(0))
    f = sd.differentiate(kernel.function, target="python")
    ones = tuple(np.ones_like(a) if isinstance(a, np.ndarray) else 1.0 for a in args)
    value, slope = sd.functional.jvp(f, args, ones)
    seed = np.random.default_rng(1).normal(size=np.shape(value))
    total = sum(np.sum(bar) for bar in sd.vjp(f, *args)[1](seed))
    np.testing.assert_allclose(total, np.sum(seed * slope), rtol=1e-11)


def test_products_of_rows_are_no_walk_down_columns():
    """The adjoint of a symmetric product: each row is multiplied by a number and added to another row."""
    c, a, b = (np.ones((4, 5)), np.ones((4, 4)), np.ones((4, 5)))
    _, pullback = sd.vjp(sd.differentiate(KERNELS["symm"].function, target="python"), 1.5, 1.2, c, a, b)
    lines = [line.strip() for line in pullback.source(np.ones((4, 5))).split("\n") if "# line" not in line]
    at = next(i for i, line in enumerate(lines) if line.startswith("for k in range("))
    assert any(line.startswith("for j in range(") for line in lines[at:at + 8])
    assert any(line.startswith("b_bar[k, j] +=") for line in lines[at:])


def random_nest(rng) -> str:
    """Return a nest with a beginning; what it reads and changes meets in other iterations more often than not."""
    outer, inner = (("j", 5, 2), ("k", 4, 1)) if rng.random() < 0.7 else (("k", 4, 1), ("j", 5, 2))

    def header(var, count, margin):
        low, high = sorted(int(n) for n in rng.choice(np.arange(margin, count + 2), 2, replace=False))
        return f"for {var} in range({low}, {high}, 1):" if rng.random() < 0.5 else f"for {var} in range({high - 1}, {low - 1}, -1):"

    numbers = iter(range(99))

    def index(names, lines, indent):
        name, shift = str(rng.choice(names)), int(rng.integers(-2, 2)) if rng.random() < 0.3 else 0
        if rng.random() < 0.1:
            return str(rng.integers(0, 4))
        if not shift:
            return name
        made = f"m{next(numbers)}"
        lines.append(f"{indent}{made} = add({name}, {shift})")
        return made

    def statements(names, indent, known):
        lines: list[str] = []
        for _ in range(rng.integers(1, 4)):
            pair = index([*names, "k"][-2:] if "k" in names else names, lines, indent), index(names, lines, indent)
            place = str(rng.choice(["z", "z", "u"])) + f"[{pair[0]}, {pair[1]}]"
            if rng.random() < 0.3:
                place = f"w[{index(names, lines, indent)}]"
            kind = rng.random()
            if kind < 0.4:
                made = f"t{next(numbers)}"
                lines.append(f"{indent}{made} = {place.replace('u', 'x')}")
                known.append(made)
            elif kind < 0.85:
                lines.append(f"{indent}{place} += {rng.choice(known)}")
            elif kind < 0.93:
                lines.append(f"{indent}{place} = {rng.choice(known)}")
            else:
                lines.append(f"{indent}s = add(s, {rng.choice(known)})")
        return lines

    known = ["c"]
    before = statements([outer[0]], "    ", known) if rng.random() < 0.6 else []
    within = statements([outer[0], inner[0]], "        ", known)
    return "\n".join(["u = copy(x)", "c = 0.5", header(*outer), *before, "    " + header(*inner), *within])


def test_random_nests():
    rng, x, turned = np.random.default_rng(0), np.sin(np.arange(56.0)).reshape(7, 8), 0
    for _ in range(150):
        before = program(random_nest(rng), results="z, w, s, u")
        after = interchange(before)
        verify(after)
        if after is not before:
            turned += [var for var, _ in order(after)][-1:] != [var for var, _ in order(before)][-1:]
            for got, wanted in zip(run(after, x), run(before, x), strict=True):
                np.testing.assert_allclose(got, wanted, rtol=1e-12)
    assert turned > 10
