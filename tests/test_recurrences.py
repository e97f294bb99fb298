"""Sums taken out of recurrences: the same results, wherever it is done; and the loops in which it must not be done."""

from __future__ import annotations

import numpy as np
import pytest

from srcdiff.lower import lower
from srcdiff.lower.recurrences import recurrences
from srcdiff.notation import in_any_order, read, run
from srcdiff.optimize import optimize
from srcdiff.syntax import For, walk
from srcdiff.verify import verify
from tests.modes import Modes
from tests.oracle import assert_adjoint

RNG = np.random.default_rng(5)
HEAD = 'def f(a_0: "float64[:]", start: "weak int64", stop: "weak int64"):\n'


def loop(*body, header="range(start, stop, 1)", before=(), results="a, c"):
    lines = ["    n = size(a_0, axis=0)", "    a = copy(a_0)", "    c = zeros(n, dtype='float64')",
             *("    " + s for s in before), f"    for i in {header}:", *("        " + s for s in body), f"    return {results}"]
    return HEAD + "\n".join(lines) + "\n"


def sums(array, distances, value="v"):
    return [line for n, d in enumerate(distances) for line in (f"{array}_at_{n} = add(i, {d})", f"{array}[{array}_at_{n}] += {value}")]


def divided(program) -> bool:
    return sum(isinstance(s, For) for s in walk(program.body)) > 1


def same(text, *args, marked=True):
    """Assert that dividing a loop keeps the results; returns the new program."""
    program = in_any_order(read(text)) if marked else read(text)
    new = recurrences(program)
    verify(new)
    for expected, found in zip(run(program, *args), run(new, *args), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    return new


RELAXED = ["t = a[i]", "a[i] = 0.0", "v = multiply(0.25, t)"]


@pytest.mark.parametrize("step, next_one", [(1, 1), (-1, -1)])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_one_sum_is_waited_for(step, next_one, count):
    """The sum to the element that comes next stays in the loop; in both directions, for loops of all lengths."""
    start, stop = (2, 2 + count) if step > 0 else (count + 1, 1)
    header = "range(2, stop, 1)" if step > 0 else "range(start, 1, -1)"
    text = loop(*RELAXED, *sums("a", (-1, 0, 1)), *sums("c", (-1, 1)), header=header)
    assert divided(same(text, RNG.normal(size=14), start, stop))
    assert next_one == step


@pytest.mark.parametrize("body, reason", [
    ([*RELAXED, *sums("a", (1, 2, 3, 4))], "every element that is added to is read later"),
    ([*RELAXED, *sums("a", (1,)), *sums("c", (0, 1))], "too few sums"),
    ([*RELAXED, *sums("c", (-1, 0, 1, 2))], "nothing is waited for"),
    ([*RELAXED, *sums("a", (1,)), *sums("c", (0, 0, 0))], "no sums into neighbours: the nest had better be turned"),
    ([*RELAXED, *sums("c", (0, 1, -1)), *sums("a", (1,)), "u = c[i]", "a[i] = u"], "sums are read in the same iteration"),
    ([*RELAXED, "k = c[i]", "v_2 = add(v, k)", *sums("a", (1,)), *sums("c", (1, 2, 3), "v_2")], "sums are read in later ones"),
    ([*RELAXED, *sums("c", (1, 2, 3)), "v = add(v, 1.0)", *sums("a", (1,))], "what they add is not what the number is at the end"),
])
def test_it_stays_one_loop(body, reason):
    assert not divided(same(loop(*body, header="range(2, stop, 1)"), RNG.normal(size=14), 2, 8)), reason


def test_a_tape_of_what_a_number_was_before_is_no_row():
    body = [*RELAXED, "w[i] = v", "v = add(v, 1.0)", *sums("a", (1, -1)), *sums("c", (-1, 1))]
    text = loop(*body, header="range(2, stop, 1)", before=["w = zeros(n, dtype='float64')"], results="a, c, w")
    assert divided(same(text, RNG.normal(size=12), 2, 8))


def test_a_place_that_counts_from_the_end_may_be_one_of_the_others():
    """Nothing is known of `start`: i - 1 may be the last element, which a later iteration reads."""
    text = loop(*RELAXED, *sums("a", (1, 0, -1)), *sums("c", (0,)))
    assert not divided(same(text, RNG.normal(size=9), 0, 8))


def test_sums_of_the_user_keep_their_order():
    text = loop(*RELAXED, *sums("a", (-1, 0, 1)), *sums("c", (-1, 1)), header="range(2, stop, 1)")
    assert not divided(same(text, RNG.normal(size=9), 2, 7, marked=False))


def test_random_loops():
    """Loads, stores and sums at random distances, against the loop as it was."""
    fired = 0
    for _ in range(150):
        count, step = int(RNG.integers(0, 8)), int(RNG.choice([1, -1]))
        body = ["t = a[i]", *(["a[i] = 0.0"] if RNG.random() < 0.6 else []), "v = multiply(0.5, t)"]
        if RNG.random() < 0.3:
            body += [f"k = add(i, {RNG.integers(-3, 4)})", f"u = {RNG.choice(['a', 'c'])}[k]", "v = add(v, u)"]
        for n in range(RNG.integers(3, 7)):
            body += ["v = multiply(v, 1.5)"] * (RNG.random() < 0.1)
            body += [f"p_{n} = add(i, {RNG.integers(-3, 4)})", f"{RNG.choice(['a', 'a', 'c'])}[p_{n}] += v"]
        header = "range(3, stop, 1)" if step > 0 else "range(start, 2, -1)"
        start, stop = (3, 3 + count) if step > 0 else (2 + count, 2)
        fired += divided(same(loop(*body, header=header), RNG.normal(size=count + 7), start, stop))
    assert fired > 20


def relaxed(steps, a):
    for _ in range(steps):
        for i in range(1, a.shape[0] - 1):
            for j in range(1, a.shape[1] - 1):
                a[i, j] = (1.0 - 1.5) * a[i, j] + 1.5 * (a[i - 1, j] + a[i + 1, j] + a[i, j - 1] + a[i, j + 1]) / 4.0


def test_successive_over_relaxation():
    """The lowered adjoint has a loop over a row that is kept, and is the tangent's transpose."""
    modes = Modes(relaxed, (2, RNG.normal(size=(6, 7))), lambda p: lower(optimize(p)))
    direction, cotangents = modes.directions(RNG), [RNG.normal(size=(6, 7))]
    assert_adjoint(modes.jvp(direction), cotangents, modes.vjp(cotangents), direction, rtol=1e-12)
    assert any(name.endswith("_row") for name in modes.adjoint_program().types)
