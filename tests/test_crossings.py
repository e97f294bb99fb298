"""Loops divided at the iteration that meets what the others read: the same results, and the loops that stay whole."""

from __future__ import annotations

import numpy as np
import pytest

import srcdiff as sd
from bench.workloads.kernels import KERNELS
from srcdiff.lower.at_once import at_once
from srcdiff.lower.crossings import crossings
from srcdiff.lower.registers import registers
from srcdiff.notation import in_any_order, read, run
from srcdiff.syntax import For, walk
from srcdiff.verify import verify
from tests.oracle import assert_adjoint, differences

RNG = np.random.default_rng(11)
UP, DOWN = "range(0, n, 1)", "range(last, -1, -1)"
PATHS = ["a_ = y[i, k]", "b_ = y[k, j]", "s = add(a_, b_)", "t = y[i, j]", "c = less(s, t)", "if c:", "    y[i, j] = s"]
ADJOINT = ["t = y[i, j]", "c = less(t, 0.3)", "if c:", "    y[i, j] = 0.0", "    y[k, j] += t", "    y[i, k] += t"]


def nest(body, header=UP, k="range(0, n, 1)"):
    lines = ["    n = size(x, axis=0)", "    last = subtract(n, 1)", "    y = zeros(n, n, dtype='float64')",
             "    for a in range(0, n, 1):", "        for b in range(0, n, 1):", "            z = x[a, b]", "            y[a, b] = z",
             "    carried = 0.0",
             f"    for k in {k}:", "        for i in range(0, n, 1):", f"            for j in {header}:",
             *("                " + s for s in body), "    return y, carried"]
    return 'def f(x: "float64[:,:]"):\n' + "\n".join(lines) + "\n"


def loops_of(text):
    """Assert that the results stay; return the innermost loops but the first, which copies."""
    program = in_any_order(read(text))
    new = at_once(registers(crossings(program)))
    verify(new)
    for n in (0, 1, 2, 5):
        x = RNG.normal(size=(n, n))
        for found, expected in zip(run(new, x), run(program, x), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    return [s for s in walk(new.body) if isinstance(s, For) and not any(isinstance(t, For) for t in walk(s.body))][1:]


@pytest.mark.parametrize("header", [UP, DOWN])
@pytest.mark.parametrize("body", [PATHS, ADJOINT, [*PATHS, "carried = add(carried, s)"]], ids=["paths", "adjoint", "sum"])
def test_both_parts_may_run_at_once(body, header):
    assert [loop.at_once for loop in loops_of(nest(body, header))] == [True, True]


@pytest.mark.parametrize("body, header, k", [
    (PATHS, "range(1, n, 1)", "range(0, n, 1)"),
    (PATHS, UP, "range(0, 7, 1)"),
    ([*PATHS, "m = subtract(n, 1)", "u = y[i, m]"], UP, "range(0, n, 1)"),
    (["p = add(j, 0)", "a_ = y[i, k]", "y[i, j] = a_", "y[i, p] = a_"], UP, "range(0, n, 1)"),
    (["c = less(j, 1)", "if c:", "    u = y[i, k]", "v = multiply(u, 2.0)", "y[i, j] = v"], UP, "range(0, n, 1)"),
], ids=["begins behind k", "k may be outside", "two numbers", "unknown places", "what goes from one iteration to the next"])
def test_loops_that_stay_whole(body, header, k):
    program = in_any_order(read(nest(body, header, k=k)))
    assert crossings(program) is program


def shortest(path):
    path = path.copy()
    KERNELS["floyd_warshall"].function(path)
    return path


@pytest.mark.parametrize("negative", [False, True])
def test_shortest_paths(negative):
    """Where a circle is negative, the iteration at k changes what later ones read."""
    x, seed, along = RNG.uniform(-0.5 if negative else 0.1, 1.0, size=(5, 5)), *RNG.normal(size=(2, 5, 5))
    kernel = KERNELS["floyd_warshall"].function
    fast, plain = sd.differentiate(kernel), sd.differentiate(kernel, target="python")
    bar, = fast.pullback((x,), seed)
    out, dot = fast.jvp((x,), (along,))
    np.testing.assert_array_equal(out, shortest(x))
    np.testing.assert_allclose(bar, plain.pullback((x,), seed)[0], rtol=1e-13)
    np.testing.assert_allclose(dot, differences(shortest, (x,), (along,))[0][0], rtol=1e-8, atol=1e-8)
    assert_adjoint(dot, seed, bar, along)
