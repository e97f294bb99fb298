"""Loops that add to neighbouring elements: gathered where the iterations commute, left alone where they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from srcdiff.lower import lower
from srcdiff.lower.gather import gather
from srcdiff.notation import in_any_order, read, run
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Assign, If, walk
from srcdiff.verify import verify

RNG = np.random.default_rng(3)
HEAD = 'def f(a: "float64[:]", b: "float64[:]", start: "weak int64", stop: "weak int64"):\n'


def loop(*body, header="range(start, stop, 1)", before=(), results="a, b"):
    """Return a program with one loop; it may change the copies of its arguments."""
    lines = ["    a = copy(a_0)", "    b = copy(b_0)", *("    " + s for s in before), f"    for i in {header}:",
             *("        " + s for s in body), f"    return {results}"]
    return HEAD.replace("a:", "a_0:").replace("b:", "b_0:") + "\n".join(lines) + "\n"


def shifted(distance, name="p"):
    return f"{name} = add(i, {distance})" if distance >= 0 else f"{name} = subtract(i, {-distance})"


def scatter(distances, clear=True):
    """Return the statements that hand ``a[i]`` to the elements of `b` at these distances."""
    body = ["t = a[i]", "v = multiply(2.0, t)"] + (["a[i] = 0.0"] if clear else [])
    for n, d in enumerate(distances):
        body += [shifted(d, f"p_{n}"), f"b[p_{n}] += {'v' if n % 2 else 't'}"]
    return body


def gathers(program) -> bool:
    return any(isinstance(s, If) for s in walk(program.body))


def same(text, *args):
    """Assert that gathering keeps the results; returns the gathered program."""
    program = in_any_order(read(text))
    new = gather(program)
    verify(new)
    for expected, found in zip(run(program, *args), run(new, *args), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    return new


@pytest.mark.parametrize("distances", [(1, 0, -1), (0, 2), (-3, 1), (2, 2, 0), (-1, -2), (1, -1, 0, 3)])
@pytest.mark.parametrize("size", [8, 9, 10, 11, 13, 20])
@pytest.mark.parametrize("step", [1, -1])
def test_each_element_collects_its_terms(distances, size, step):
    """Loops of all lengths, from none to many iterations; both directions."""
    start, stop = 3, size - 5                   # no iteration where size is 8
    header = "range(3, stop, 1)" if step > 0 else "range(start, 2, -1)"
    given = (0, stop) if step > 0 else (stop - 1, 0)
    new = same(loop(*scatter(distances), header=header), RNG.normal(size=size), RNG.normal(size=size), *given)
    assert gathers(new) == (len(set(distances)) > 1)
    assert start == 3


def test_random_loops():
    """Several values, several arrays, several widths, against the loop as it was."""
    for _ in range(60):
        distances = RNG.integers(-3, 4, size=RNG.integers(2, 6))
        start, count = int(RNG.integers(3, 6)), int(RNG.integers(0, 9))
        size = start + count + 3
        body = ["u = a[i]", "w = multiply(u, u)", "t = add(w, 1.5)"]
        for n, d in enumerate(distances):
            body += [shifted(int(d), f"p_{n}"), f"{RNG.choice(['b', 'c'])}[p_{n}] += {RNG.choice(['t', 'u', 'w'])}"]
        text = loop(*body, header=f"range({start}, stop, 1)", before=[f"c = zeros({size}, dtype='float64')"],
                    results="a, b, c")
        same(text, RNG.normal(size=size), RNG.normal(size=size), 0, start + count)


def test_indices_from_the_end_stay():
    """An index that is -1 in the first iteration is that of the last element."""
    text = loop(*scatter((-1, 0), clear=False), header="range(0, stop, 1)")
    assert gathers(same(text, RNG.normal(size=9), RNG.normal(size=9), 0, 9))


ILLEGAL = {
    "the array is read": loop("t = b[i]", "p = add(i, 1)", "b[p] += t", "b[i] += t", header="range(0, stop, 1)"),
    "what is read changes elsewhere": loop("t = a[i]", "p = add(i, 1)", "a[p] = 0.0", "b[p] += t", "b[i] += t",
                                           header="range(0, stop, 1)"),
    "two iterations may meet at an index from the end": loop(*scatter((0, 1)), header="range(start, stop, 1)"),
    "a scalar is carried": loop("s = add(s, 1.0)", "p = add(i, 1)", "b[p] += s", "b[i] += s", before=["s = 0.0"],
                                header="range(0, stop, 1)"),
    "a scalar is read after the loop": loop("t = a[i]", "p = add(i, 1)", "b[p] += t", "b[i] += t", before=["t = 0.0"],
                                            header="range(0, stop, 1)", results="t, b"),
    "the value was changed before": loop("a[i] = 0.5", "t = a[i]", "p = add(i, 1)", "b[p] += t", "b[i] += t",
                                         header="range(0, stop, 1)"),
    "a plain store among the sums": loop("t = a[i]", "p = add(i, 1)", "b[p] += t", "b[i] = t",
                                         header="range(0, stop, 1)"),
    "a step of two": loop(*scatter((0, 1)), header="range(1, stop, 2)"),
    "one place": loop(*scatter((0, 0)), header="range(0, stop, 1)"),
    "an expensive value": loop("t = a[i]", "v = exp(t)", "p = add(i, 1)", "b[p] += v", "b[i] += v",
                               header="range(0, stop, 1)"),
}


@pytest.mark.parametrize("text", ILLEGAL.values(), ids=ILLEGAL.keys())
def test_left_alone(text):
    assert not gathers(same(text, RNG.normal(size=12), RNG.normal(size=12), -3, 10))


def test_rows():
    """Neighbours in the row are gathered; other rows are other groups."""
    text = '''
def f(x: "float64[:,:]", n: "weak int64", m: "weak int64"):
    y = zeros(n, m, dtype="float64")
    last = subtract(m, 1)
    end = subtract(n, 1)
    for i in range(1, end, 1):
        above = subtract(i, 1)
        for j in range(1, last, 1):
            t = x[i, j]
            p = add(j, 1)
            q = subtract(j, 1)
            y[i, p] += t
            y[i, j] += t
            y[above, j] += t
            y[above, q] += t
    return y
'''
    for shape in ((5, 7), (3, 3), (4, 2), (2, 5), (3, 4)):
        x = RNG.normal(size=shape)
        assert gathers(gather(in_any_order(read(text))))
        np.testing.assert_allclose(run(lower(in_any_order(read(text))), x, *shape), run(read(text), x, *shape), rtol=1e-13)


def test_a_term_that_is_a_number_of_its_iteration_and_a_constant():
    """``1 + t * t`` is no place, though it is another number and a whole one; neither is a place that was looked up."""
    text = '''
def f(x: "float64[:]", at: "int64[:]"):
    y = zeros(8, dtype='float64')
    for i in range(1, 7, 1):
        u = x[i]
        t = multiply(u, u)
        v = add(1, t)
        j = subtract(i, 1)
        y[i] += v
        y[j] += v
        q = at[i]
        p = add(q, 1)
        w = x[p]
        y[i] += w
    return y
'''
    program = in_any_order(read(text))
    verify(gather(program))
    x, at = RNG.normal(size=8), np.arange(8)[::-1].copy()
    assert gathers(gather(program))
    np.testing.assert_allclose(run(lower(program), x, at)[0], run(read(text), x, at)[0], rtol=1e-13)


def rows(*body, before=(), inner="range(1, m, 1)", outer="range(2, n, 1)"):
    """Return a program with a nest of two loops over copies of two matrices of 4 more rows and 2 more columns."""
    lines = ["    a = copy(a_0)", "    b = copy(b_0)", *("    " + s for s in before), f"    for i in {outer}:",
             f"        for j in {inner}:", *("            " + s for s in body), "    return a, b"]
    return 'def f(a_0: "float64[:,:]", b_0: "float64[:,:]", n: "weak int64", m: "weak int64"):\n' + "\n".join(lines) + "\n"


def row_sums(pairs, value="t"):
    """Return the statements that add to the elements of `b` at these distances from (i, j)."""
    found = []
    for n, (up, along) in enumerate(pairs):
        found += [f"p_{n} = {'add' if up >= 0 else 'subtract'}(i, {abs(up)})",
                  f"q_{n} = {'add' if along >= 0 else 'subtract'}(j, {abs(along)})", f"b[p_{n}, q_{n}] += {value}"]
    return found


def matrices(n, m):
    return RNG.normal(size=(n + 4, m + 2)), RNG.normal(size=(n + 4, m + 2)), n + 2, m + 1


@pytest.mark.parametrize("pairs", [[(0, 0), (1, 0)], [(-1, 0), (0, 0), (1, 0)], [(0, 1), (0, -1), (-1, 0), (1, 0), (0, 0)],
                                   [(-2, 1), (0, 1), (1, 0)], [(0, 0), (1, 1)]], ids=str)
@pytest.mark.parametrize("step", [1, -1])
def test_neighbouring_rows_are_gathered(pairs, step):
    """Nests of all sizes, from none to many iterations of each loop, that also make zero what they have read."""
    outer = "range(2, n, 1)" if step > 0 else "range(last, 1, -1)"
    body = ["t = a[i, j]", "a[i, j] = 0.0", *row_sums(pairs)]
    for n, m in ((0, 3), (1, 4), (2, 0), (2, 1), (3, 5), (6, 4)):
        new = same(rows(*body, before=["last = subtract(n, 1)"], outer=outer), *matrices(n, m))
        in_rows = [along for _, along in pairs]
        assert gathers(new) == (len(set(in_rows)) < len(in_rows) or len({along for up, along in pairs if up == 0}) > 1)


def test_random_rows():
    """Several values, several arrays, a third loop, against the nest as it was."""
    turned = 0
    for _ in range(60):
        n, m = int(RNG.integers(0, 5)), int(RNG.integers(0, 5))
        body = ["u = a[i, j]", "w = multiply(u, 1.5)", "t = add(w, u)"]
        for k, (up, along) in enumerate(RNG.integers([-2, -1], [3, 2], size=(RNG.integers(2, 6), 2)).tolist()):
            body += [line.replace("_0", f"_{k}").replace("b[", f"{RNG.choice(['b', 'c'])}[")
                     for line in row_sums([(up, along)], RNG.choice(["t", "u", "w"]))]
        text = rows(*body, before=[f"c = zeros({n + 4}, {m + 2}, dtype='float64')"]).replace("return a, b", "return a, b, c")
        if RNG.random() < 0.5:                          # a loop around both
            text = text.replace("    for i in", "    for k in range(0, 3, 1):\n      for i in")
        turned += gathers(same(text, *matrices(n, m)))
    assert turned > 20


SUMS = row_sums([(0, 0), (1, 0)])

ILLEGAL_ROWS = {
    "columns": rows("t = a[j, i]", "p = add(i, 1)", "b[j, i] += t", "b[j, p] += t", inner="range(1, 3, 1)", outer="range(1, 2, 1)"),
    "a triangle": rows("t = a[i, j]", *SUMS, inner="range(1, i, 1)", outer="range(2, 5, 1)"),
    "the array is read": rows("t = b[i, j]", *SUMS),
    "what is read changes along the row": rows("t = a[i, 0]", "u = multiply(t, 0.5)", "a[i, 0] = u", *SUMS),
    "what is read changes with another row": rows("t = a[i, j]", "p = add(i, 1)", "a[p, j] = t", *SUMS),
    "a plain store among the sums": rows("t = a[i, j]", "p = add(i, 1)", "b[p, j] += t", "b[i, j] = t"),
    "many rows": rows("t = a[i, j]", *row_sums([(-2, 0), (1, 0)])),
}


@pytest.mark.parametrize("text", ILLEGAL_ROWS.values(), ids=ILLEGAL_ROWS.keys())
def test_rows_left_alone(text):
    assert not gathers(same(text, *matrices(4, 4)))


def test_sums_of_a_user_keep_their_order():
    """Gathered, the sums of an element would be added up before they are added to it."""
    for text in (loop(*scatter((0, 1)), header="range(0, stop, 1)"), rows("t = a[i, j]", *SUMS)):
        assert gathers(gather(in_any_order(read(text)))) and gather(read(text)) == read(text)


def test_sums_to_equal_extents_are_views():
    """Where no axis may be stretched, nothing is summed: what is read is the operand itself."""
    text = '''
def f(x: "float64[:,:]", n: "weak int64", m: "weak int64"):
    t = sum_to(x, n, m)
    y = sin(t)
    return y
'''
    x, tight = RNG.normal(size=(3, 4)), lower(read(text), stretch=False)
    np.testing.assert_allclose(run(tight, x, 3, 4), np.sin(x))
    with pytest.raises(ValueError, match="SD0340"):
        run(tight, x, 1, 4)
    np.testing.assert_allclose(run(lower(read(text)), x, 1, 4), np.sin(x.sum(0, keepdims=True)))


SLICES = '''
def f(a: "float64[:,:]", b: "float64[:,:]", n: "weak int64", m: "weak int64"):
    y = copy(b)
    for step in range(0, 2, 1):
        t = a[1:-1:, 1:-1:]
        u = multiply(0.5, t)
        y[1:-1:, 1:-1:] += u
        y[1:-1:, :-2:] += u
        {between}
        y[1:-1:, 2::] += u
        y[:-2:, 1:-1:] += u
    return y
'''


@pytest.mark.parametrize("between", ["y[2::, 1:-1:] += u", "v = y[1:-1:, 1:-1:]; u = add(u, v)"],
                         ids=["sums alone", "a read in between"])
@pytest.mark.parametrize("stretch", [True, False])
def test_sums_of_slices_are_joined(between, stretch):
    """Slices of one array that are only added to share a loop; one that is read keeps its place."""
    text = SLICES.format(between=between.replace("; ", "\n        "))
    for shape in ((5, 6), (3, 3), (4, 9), (2, 4)):
        a, b = RNG.normal(size=shape), RNG.normal(size=shape)
        program = lower(in_any_order(read(text)), stretch=stretch)
        verify(program)
        np.testing.assert_allclose(run(program, a, b, *shape), run(read(text), a, b, *shape), rtol=1e-13)


def test_checks_stand_before_loops():
    """What a check compares is the same in all iterations; one that a branch guards stays."""
    text = '''
def f(x: "float64[:]", y: "float64[:]", steps: "weak int64", guard: "bool"):
    n = size(x, axis=0)
    a = zeros(n, dtype='float64')
    for i in range(0, steps, 1):
        if guard:
            z = add(x, y)
            a = add(a, z)
    return a
'''
    tight = lower(read(text), stretch=False)
    x = RNG.normal(size=3)
    np.testing.assert_allclose(run(tight, x, x, 2, True), 4.0 * x)
    np.testing.assert_allclose(run(tight, x, RNG.normal(size=4), 2, False), np.zeros(3))
    bare = text.replace("        if guard:\n            z = add(x, y)\n            a = add(a, z)",
                        "        z = add(x, y)\n        a = add(a, z)")
    tight = lower(read(bare), stretch=False)
    np.testing.assert_allclose(run(tight, x, x, 2, True), 4.0 * x)
    with pytest.raises(ValueError, match="SD0340"):
        run(tight, x, RNG.normal(size=4), 0, True)


def poisoned(*extents, dtype):
    return np.full(extents, np.nan, dtype)


@pytest.mark.parametrize("distances", [(-1, 0, 1), (0, 1), (0, -2), (3, 0, 1, 0)])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 12])
@pytest.mark.parametrize("step", [1, -1])
def test_zeros_that_the_loop_fills_are_written_once(distances, n, step, monkeypatch):
    first, last = min(distances), max(distances)
    before = ["n = size(a, axis=0)", "c = zeros(n, dtype='float64')", f"m = subtract(n, {last})", "e = subtract(m, 1)"]
    header = f"range({-first}, m, 1)" if step > 0 else f"range(e, {-first - 1}, -1)"
    body = [line.replace("b[", "c[") for line in scatter(distances)]
    monkeypatch.setitem(PRIMITIVES, "empty", replace(PRIMITIVES["empty"], evaluate=poisoned))
    new = same(loop(*body, header=header, before=before, results="a, c"), RNG.normal(size=n), RNG.normal(size=n), 0, 0)
    made = [s.op for s in walk(new.body) if isinstance(s, Assign) and s.target == "c"]
    assert made == ["empty"]


@pytest.mark.parametrize("change", [
    ("n = size(a, axis=0)", "n = add(stop, 9)"),                                 # longer than what the loop reaches
    ("c = zeros(n, dtype='float64')", "c = zeros(n, dtype='float64')\n    c[0] = 2.0"),
    ("range(1, m, 1)", "range(2, m, 1)"),
])
def test_zeros_that_are_needed_stay(change):
    before = ["n = size(a, axis=0)", "c = zeros(n, dtype='float64')", "l = size(a, axis=0)", "m = subtract(l, 1)"]
    text = loop(*[line.replace("b[", "c[") for line in scatter((-1, 0, 1))], header="range(1, m, 1)", before=before,
                results="a, c").replace(*change)
    new = same(text, RNG.normal(size=9), RNG.normal(size=9), 0, 0)
    assert gathers(new) and [s.op for s in walk(new.body) if isinstance(s, Assign) and s.target == "c"] == ["zeros"]
