"""Functions computed in front of sums in the user's order: the same numbers, bit for bit, and where nothing is proved nothing is done."""

from __future__ import annotations

import numpy as np
import pytest

from srcdiff.lower import lower
from srcdiff.lower.ordered import ordered
from srcdiff.notation import read, run
from srcdiff.syntax import Assign, For, walk
from srcdiff.verify import verify

RNG = np.random.default_rng(8)
HEAD = '''def f(x: "float64[:]", start: "weak int64", stop: "weak int64"):
    n = size(x, axis=0)
    a = copy(x)
    c = zeros(n, dtype='float64')
    s = 0.0
    p = 1.0
'''


def loop(*body, header="range(3, stop, 1)", results="a, c, s, p"):
    return HEAD + f"    for i in {header}:\n" + "".join(f"        {line}\n" for line in body) + f"    return {results}\n"


def same(text, *args):
    """Assert that the results keep their bits; returns whether the loop was divided."""
    program = read(text)
    new = ordered(program)
    verify(new)
    for expected, found in zip(run(program, *args), run(new, *args), strict=True):
        np.testing.assert_array_equal(found, expected)
    return sum(isinstance(s, For) for s in walk(new.body)) > 1


SUM = ("t = x[i]", "u = exp(t)", "s = add(s, u)")


@pytest.mark.parametrize("body, is_divided", [
    (SUM, True),
    (("t = x[i]", "u = exp(t)", "c[2] += u"), True),                            # into one element
    (("t = x[i]", "u = exp(t)", "k = subtract(i, 1)", "v = c[k]", "w = add(u, v)", "c[i] = w"), True),
    (("t = x[i]", "u = exp(t)", "v = subtract(t, p)", "s = add(s, v)", "p = copy(u)"), True),   # what the iteration before had
    (("t = x[i]", "u = tanh(s)", "s = add(t, u)"), False),                       # the function waits
    (("t = x[i]", "u = exp(t)", "a[i] = u"), False),                            # nothing does
    (("t = x[i]", "u = multiply(t, t)", "s = add(s, u)"), False),               # no function
    (("k = subtract(i, 1)", "t = a[k]", "u = tanh(t)", "s = add(s, u)", "a[i] = s"), False),     # by way of an element
    (("s = add(s, 1.0)", "c[i] = s", "t = c[i]", "u = exp(t)", "a[i] = u"), False),
    (("t = x[i]", "u = exp(t)", "a[i] = 1.0", "v = a[3]", "s = add(s, v)", "a[3] = u", "s = add(s, u)"), True),
    (("t = x[i]", "u = exp(t)", "s = add(s, u)", "u = copy(s)", "c[i] = u"), False),            # one name for two numbers
])
def test_what_is_divided(body, is_divided):
    for stop in (3, 4, 9):
        assert same(loop(*body), RNG.normal(size=10), 0, stop) == is_divided


@pytest.mark.parametrize("body, keeps_a_row", [
    (("t = x[i]", "u = exp(t)", "c[i] = u", "s = add(s, u)"), False),           # what is kept anyway is read
    (("t = x[i]", "u = exp(t)", "c[2] = u", "s = add(s, u)"), True),
    (("t = x[i]", "u = exp(t)", "c[i] = u", "s = add(s, u)", "c[2] = s"), True),
    (("t = x[i]", "u = exp(t)", "c[i] += u", "s = add(s, u)"), True),
    (("t = x[i]", "u = exp(t)", "k = add(i, 1)", "c[k] = u", "s = add(s, u)"), True),
])
def test_a_tape_is_a_row(body, keeps_a_row):
    text = loop(*body)
    assert same(text, RNG.normal(size=10), 0, 8)
    assert any("_row" in name for name in ordered(read(text)).types) == keeps_a_row


def test_a_number_that_is_read_after_the_loop_stays():
    assert not same(loop(*SUM, results="s, u").replace("    p = 1.0\n", "    u = 1.0\n"), RNG.normal(size=9), 0, 7)


def test_loops_of_few_iterations_stay():
    assert not same(loop(*SUM, header="range(0, 3, 1)"), RNG.normal(size=9), 0, 7)


def test_complex_functions_have_no_vectors():
    text = loop("t = x[i]", "v = multiply(1j, t)", "u = exp(v)", "r = real(u)", "s = add(s, r)")
    assert not same(text, RNG.normal(size=9), 0, 7)


def test_random_loops():
    divided = 0
    for _ in range(200):
        names, body = ["t"], ["t = x[i]"]
        for n in range(RNG.integers(3, 9)):
            left, right = RNG.choice([*names, "s", "p"] if RNG.random() < 0.3 else names, 2)
            kind, new = RNG.random(), f"v{n}"
            if kind < 0.3:
                body += [f"{new} = {RNG.choice(['sin', 'cos', 'tanh'])}({left})"]
            elif kind < 0.5:
                body += [f"{new} = {RNG.choice(['add', 'multiply'])}({left}, {right})"]
            elif kind < 0.65:
                body += [f"k{n} = add(i, {RNG.integers(-3, 4)})", f"{new} = {RNG.choice(['a', 'c', 'x'])}[k{n}]"]
            elif kind < 0.8:
                body += [f"k{n} = add(i, {RNG.integers(-3, 4)})", f"{RNG.choice(['a', 'c'])}[k{n}] {RNG.choice(['=', '+='])} {left}"]
                continue
            else:
                body += [RNG.choice([f"s = add(s, {left})", f"p = sin({left})", f"c[1] += {left}"])]
                continue
            names.append(new)
        count = int(RNG.integers(0, 6))
        header, start, stop = ("range(3, stop, 1)", 0, 3 + count) if RNG.random() < 0.7 else ("range(start, 2, -1)", 2 + count, 0)
        divided += same(loop(*body, header=header), RNG.normal(size=count + 7), start, stop)
    assert divided > 20


def test_the_function_is_what_comes_first():
    new = ordered(read(loop(*SUM)))
    first, second = (s for s in walk(new.body) if isinstance(s, For))
    assert [any(isinstance(s, Assign) and s.op == "exp" for s in one.body) for one in (first, second)] == [True, False]


def test_what_an_iteration_leaves_for_the_next_one_is_not_set_before_it_is_read():
    program = read("""
def f(x: "float64[:]", c: "float64"):
    n = size(x, axis=0)
    y = zeros(n, dtype='float64')
    s = copy(c)
    for i in range(0, n, 1):
        t = x[i]
        u = exp(t)
        v = multiply(s, u)
        s = 0.0
        r = remainder(i, 2)
        y[r] += v
    return y, s
""")
    x = np.linspace(0.0, 1.0, 5)
    for one in (ordered(program), lower(program)):
        for ours, theirs in zip(run(one, x, 3.0), run(program, x, 3.0), strict=True):
            np.testing.assert_array_equal(ours, theirs)
