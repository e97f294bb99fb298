"""Sums into zeros that are stored: the same results, and the programs in which zeros are needed."""

from __future__ import annotations

import numpy as np
import pytest

from srcdiff.lower import lower
from srcdiff.lower.zeroed import zeroed
from srcdiff.notation import in_any_order, read, run
from srcdiff.optimize import optimize
from srcdiff.syntax import Assign, For, If, Store, walk
from srcdiff.verify import verify
from tests.modes import Modes
from tests.oracle import assert_adjoint

RNG = np.random.default_rng(4)
EXTENTS = range(9)
CLEARED = ["for i in range(0, n, 1):", "    y[i] = 0.0"]
ADDED = ["for j in range(1, n_1, 1):", "    t = a[j]", "    y[j] += t"]
EDGES = ["if some:", "    y[0] += 3.0", "    y[n_1] += 4.0"]
LONG = [*EDGES[:1], *EDGES[1:], *("    " + s for s in ADDED)]


def program(*lines, marked=True):
    head = ["y = copy(x)", "n = size(x, axis=0)", "n_1 = subtract(n, 1)", "n_2 = subtract(n, 2)",
            "some = greater_equal(n, 2)", "more = greater_equal(n, 4)", "again = greater_equal(n, 4)", "s = 0.0"]
    text = 'def f(a: "float64[:]", x: "float64[:]"):\n' + "\n".join(f"    {s}" for s in (*head, *lines, "return y, s")) + "\n"
    return in_any_order(read(text)) if marked else read(text)


def is_changed(before) -> bool:
    """Assert that the results stay for all extents; tell whether a sum is a store now."""
    new = zeroed(before)
    verify(new)
    for n in EXTENTS:
        args = RNG.normal(size=n + 3), RNG.normal(size=n)
        try:
            wanted = run(before, *args)
        except IndexError:
            continue
        for one, two in zip(run(new, *args), wanted, strict=True):
            np.testing.assert_array_equal(one, two)
    return sums(new) < sums(before)


def sums(one) -> int:
    return sum(isinstance(s, Store) and s.accumulate for s in walk(one.body))


@pytest.mark.parametrize("lines", [
    [*CLEARED, *LONG],
    ["y = zeros(n, dtype='float64')", *LONG],
    ["for i in range(0, n, 1):", "    t = y[i]", "    s = add(s, t)", "    y[i] = 0.0", *LONG],
    [*CLEARED, *LONG, "else:", "    s = 2.0"],
    [*CLEARED, "if some:", *("    " + s for s in ADDED)],
    ["if more:", "    for i in range(1, n_1, 1):", "        y[i] = 0.0", "if again:", "    y[1] += 2.0", "    y[0] += 2.0",
     "    for j in range(2, n_2, 1):", "        t = a[j]", "        y[j] += t"],
])
def test_zeros_that_are_only_added_to(lines):
    assert is_changed(program(*lines))


@pytest.mark.parametrize("lines, reason", [
    ([*CLEARED, *ADDED], "nothing is known of n: the loop may run although the first one does not"),
    ([*CLEARED, *LONG[:3], "    y[1] += 1.0", *LONG[3:]], "a term is added to an element inside before"),
    ([*CLEARED, *LONG[:3], "    u = y[1]", "    s = add(s, u)", *LONG[3:]], "an element inside is read"),
    ([*CLEARED, *LONG[:1], "    y[-1] += 1.0", "    for j in range(1, n, 1):", "        t = a[j]", "        y[j] += t"], "a place from the end"),
    ([*CLEARED, *LONG[:3], "    for j in range(1, n_1, 1):", "        t = a[j]", "        y[j] += t", "        y[j] += t"], "two terms"),
    ([*CLEARED, *LONG[:3], "    for j in range(1, n_1, 1):", "        for k in range(0, 2, 1):", "            t = a[k]", "            y[j] += t"], "several"),
    ([*CLEARED, *LONG[:3], "    for j in range(1, n_1, 1):", "        t = y[0]", "        y[j] += t"], "another element is read"),
    (["for i in range(1, n, 1):", "    y[i] = 0.0", "if some:", "    for j in range(0, n, 1):", "        t = a[j]", "        y[j] += t"], "others are added to"),
    (["for i in range(0, n, 1):", "    y[i] = 0.0", "    u = y[0]", "    s = add(s, u)", *LONG], "zeros are read"),
    ([*CLEARED, "z = copy(y)", "u = z[0]", "s = add(s, u)", *LONG], "the array is read as a whole"),
])
def test_zeros_that_are_needed(lines, reason):
    assert not is_changed(program(*lines)), reason


def test_sums_of_a_user_stay():
    """0.0 + -0.0 is 0.0."""
    assert not is_changed(program(*CLEARED, *LONG, marked=False))


def test_branches_that_are_not_the_same_stay():
    """Between two branches with one condition, another array element is changed; or the condition is another one."""
    loop = ["    for j in range(2, n_2, 1):", "        t = a[j]", "        y[j] += t"]
    for between, test in ((["y[0] = 1.0"], "again"), ([], "some")):
        new = zeroed(program("if more:", "    s = 1.0", *between, f"if {test}:", *loop))
        assert sum(isinstance(s, If) for s in walk(new.body)) == 2


def test_random_ranges():
    """Zeros, single sums and a loop that adds, at random places."""
    fired = 0
    for _ in range(200):
        low, first = sorted(int(k) for k in RNG.integers(0, 4, 2)) if RNG.random() < 0.8 else RNG.integers(0, 4, 2)
        high, last = RNG.choice(["n", "n_1", "n_2"], 2)
        edges = [f"    y[{RNG.choice(['0', '1', '2', 'n_1', 'n_2', '-1'])}] += 2.0" for _ in range(RNG.integers(0, 3))]
        test = RNG.choice(["some", "more"])
        fired += is_changed(program(
            f"for i in range({low}, {high}, 1):", "    y[i] = 0.0", f"if {test}:", *edges,
            f"    for j in range({first}, {last}, 1):", "        t = a[j]", "        y[j] += t"))
    assert fired > 20


def wave(u, v, steps):
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            v[i] = 0.25 * (u[i - 1] + 2.0 * u[i] + u[i + 1]) * u[i]
        for i in range(1, len(u) - 1):
            u[i] = 0.5 * (v[i - 1] - v[i + 1])


@pytest.mark.parametrize("n", [3, 4, 5, 6, 9])
def test_a_stencil(n):
    """The adjoint of one stencil stores over what that of the other has made zero, and is the tangent's transpose."""
    modes = Modes(wave, (RNG.normal(size=n), RNG.normal(size=n), 3), lambda p: lower(optimize(p)))
    direction, cotangents = modes.directions(RNG), [RNG.normal(size=n), RNG.normal(size=n)]
    assert_adjoint(modes.jvp(direction), cotangents, modes.vjp(cotangents), direction, rtol=1e-12)
    totals = {s.target for s in walk(modes.adjoint_program().body) if isinstance(s, Assign) and s.op in ("add", "subtract")}
    assert any(isinstance(t, Store) and t.array.startswith("u") and not t.accumulate and getattr(t.value, "name", "") in totals
               for s in walk(modes.adjoint_program().body) if isinstance(s, For) for t in s.body)
