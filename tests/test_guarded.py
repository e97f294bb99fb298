"""Sums of what only a branch gives stand in the branch, where they may and where it helps."""

from __future__ import annotations

import numpy as np
import pytest

from srcdiff.lower.guarded import guarded
from srcdiff.notation import read, run
from srcdiff.syntax import If, Store, walk
from srcdiff.verify import verify

TEXT = '''
def f(x: "float64[:]", taken: "bool[:]", other: "bool[:]", n: "weak int64"):
    a = copy(x)
    b = zeros(n, dtype="float64")
    s = 0.0
    for i in range(0, n, 1):
        c = taken[i]
        d = other[i]
        t = 0.0
        {branch}
        b[i] += t
        {after}
    return a, b, s
'''
PLAIN = "if c:\n            t = a[i]\n            a[i] = 0.5"
CASES = {
    "moved": (PLAIN, "b[0] += t", 2),
    "one of two": (PLAIN, "b[0] += s", 1),
    "assigned in a branch of the branch": (PLAIN.replace("t = a[i]", "if d:\n                t = a[i]"), "b[0] += t", 2),
    "a branch that stores nothing": ("if c:\n            t = a[i]", "b[0] += t", 0),
    "two branches": (PLAIN + "\n        else:\n            t = 2.0", "b[0] += t", 0),
    "read elsewhere": (PLAIN, "s = add(s, t)", 0),
    "stored, not added": (PLAIN, "b[0] = t", 0),
    "something in between": (PLAIN + "\n        b[i] = 3.0", "b[0] += t", 0),
    "not zero before": ("t = 1.0\n        " + PLAIN, "b[0] += t", 0),
}


@pytest.mark.parametrize(("branch", "after", "moved"), CASES.values(), ids=CASES.keys())
def test_sums_in_branches(branch, after, moved):
    program = read(TEXT.format(branch=branch, after=after))
    new = guarded(program)
    verify(new)
    rng = np.random.default_rng(2)
    for n in (0, 1, 6):
        args = rng.normal(size=n), rng.random(n) > 0.4, rng.random(n) > 0.5, n
        for expected, found in zip(run(program, *args), run(new, *args), strict=True):
            np.testing.assert_array_equal(found, expected)
    inside = [s for b in walk(new.body) if isinstance(b, If) for s in b.then]
    assert sum(isinstance(s, Store) and s.accumulate for s in inside) == moved
