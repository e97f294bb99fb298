"""Sums into neighbouring elements in loops of their own: the same results, and the loops in which that must not be done."""

from __future__ import annotations

import numpy as np
import pytest

from srcdiff.lower import lower
from srcdiff.lower.aside import aside
from srcdiff.lower.gather import gather
from srcdiff.notation import in_any_order, read, run
from srcdiff.optimize import optimize
from srcdiff.verify import verify
from tests.modes import Modes
from tests.oracle import assert_adjoint

RNG = np.random.default_rng(8)
FORWARDS, BACKWARDS = "range(3, stop, 1)", "range(start, 2, -1)"
DIVIDED = ["t = a[i]", "v = divide(t, 3.0)"]
SPREAD = [line for n, d in enumerate((-1, 0, 1)) for line in (f"p_{n} = add(i, {d})", f"c[p_{n}] += v")]


def loop(body, header=FORWARDS):
    lines = ["    n = size(a_0, axis=0)", "    a = copy(a_0)", "    c = zeros(n, dtype='float64')",
             f"    for i in {header}:", *("        " + s for s in body), "    return a, c"]
    return 'def f(a_0: "float64[:]", start: "weak int64", stop: "weak int64"):\n' + "\n".join(lines) + "\n"


def is_divided(text, count, marked=True):
    """Assert that the results stay, for a loop of so many iterations; tell whether it was divided."""
    program = in_any_order(read(text)) if marked else read(text)
    new = aside(program)
    verify(new)
    args = RNG.normal(size=count + 7), 2 + count, 3 + count
    for expected, found in zip(run(program, *args), run(new, *args), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    return any(name.endswith("_row") for name in new.types)


@pytest.mark.parametrize("header", [FORWARDS, BACKWARDS])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_what_keeps_a_loop_from_gathering_stays_in_it(header, count):
    assert is_divided(loop([*DIVIDED, "a[0] += v", *SPREAD], header), count)


def test_what_is_cheap_is_computed_again():
    """One row is kept of which the others follow."""
    body = [*DIVIDED, "a[0] += v", "w = negative(v)", *SPREAD, "a[1] += w", "p = add(i, 2)", "x = multiply(w, 2.0)", "c[p] += x"]
    assert is_divided(loop(body), 6)
    assert sum(name.endswith("_row") for name in aside(in_any_order(read(loop(body)))).types) == 1


@pytest.mark.parametrize("body, reason", [
    ([*DIVIDED, *SPREAD[:4], "a[0] += v"], "too few sums"),
    ([*DIVIDED, *SPREAD, "u = c[i]", "a[i] = u"], "sums are read in the same iteration"),
    (["k = c[i]", *DIVIDED, "v = add(v, k)", *SPREAD], "sums are read in a later one"),
    (["c[i] = 0.0", *DIVIDED, *SPREAD], "a later iteration stores over them"),
    ([*DIVIDED, "r = multiply(i, i)", "c[r] += v", "a[i] = 0.0", *(s.replace("c[", "a[") for s in SPREAD)], "a later one reads them"),
    ([*DIVIDED, *SPREAD, "v = add(v, 1.0)", "a[0] += v"], "what they add is not what the number is at the end"),
])
def test_it_stays_one_loop(body, reason):
    assert not is_divided(loop(body).replace("n, dtype", "100, dtype"), 6), reason


def test_sums_of_the_user_keep_their_order():
    assert not is_divided(loop([*DIVIDED, "a[0] += v", *SPREAD]), 5, marked=False)


def test_random_loops():
    """Loads, stores, sums and cheap numbers at random distances, against the loop as it was."""
    fired = 0
    for _ in range(150):
        body = ["t = a[i]", *(["a[i] = 0.0"] if RNG.random() < 0.6 else []), "v = divide(t, 3.0)", "w = negative(v)"]
        if RNG.random() < 0.5:
            body.append(f"w = {RNG.choice(['multiply', 'add', 'subtract'])}({RNG.choice(['v', 'w', '0.5'])}, w)")
        if RNG.random() < 0.3:
            body += [f"k = add(i, {RNG.integers(-3, 4)})", f"u = {RNG.choice(['a', 'c'])}[k]", "v = add(v, u)"]
        for n in range(RNG.integers(3, 7)):
            body += [f"{RNG.choice(['v', 'w'])} = multiply(v, 1.5)"] * (RNG.random() < 0.1)
            body += [f"p_{n} = add(i, {RNG.integers(-3, 4)})", f"{RNG.choice(['a', 'c', 'c'])}[p_{n}] += {RNG.choice(['v', 'w'])}"]
        fired += is_divided(loop(body, RNG.choice([FORWARDS, BACKWARDS])), int(RNG.integers(0, 8)))
    assert fired > 20


def swept(u, steps):
    """Thomas' algorithm along the columns of what the rows give, as an implicit step of a heat equation."""
    n = u.shape[0]
    q = np.zeros((n, n))
    p = np.zeros((n, n))
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                p[i, j] = 0.3 / (2.0 - 0.3 * p[i, j - 1])
                q[i, j] = (0.2 * u[j, i - 1] + 0.6 * u[j, i] + 0.2 * u[j, i + 1] + 0.3 * q[i, j - 1]) / (2.0 - 0.3 * p[i, j - 1])
            for j in range(n - 2, 0, -1):
                u[i, j] = p[i, j] * u[i, j + 1] + q[i, j]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_an_implicit_step(n):
    """The lowered adjoint is the tangent's transpose, for all lengths of rows."""
    modes = Modes(swept, (RNG.normal(size=(n, n)), 2), lambda p: lower(optimize(p)))
    direction, cotangents = modes.directions(RNG), [RNG.normal(size=(n, n))]
    assert_adjoint(modes.jvp(direction), cotangents, modes.vjp(cotangents), direction, rtol=1e-12)


def test_what_could_gather_stays():
    """A loop that gathers has another one for few iterations, which is left as it is."""
    text = loop(["t = a[i]", "a[i] = 0.0", *(s.replace("v", "t") for s in SPREAD)])
    gathered = gather(in_any_order(read(text)))
    assert gathered != in_any_order(read(text)) and aside(gathered) is gathered
