"""Masks of a row: compared again where that gives the same, kept where it might not."""

from __future__ import annotations

import numpy as np
import pytest

from srcdiff.lower.masks import masks
from srcdiff.notation import read, run
from srcdiff.syntax import Assign, walk
from srcdiff.verify import verify

NEST = '''
def f(x: "float64[:,:]", y: "float64[:]"):
    n = size(x, axis=0)
    m = size(x, axis=1)
    z = copy(x)
    w = copy(y)
    h = 0.5
    mask = zeros(m, dtype='bool')
    for i in range(0, n, 1):
        for j in range(0, m, 1):
            t = z[i, j]
            u = w[j]
            v = multiply(t, u)
            c = less(v, h)
            mask[{at}] = c
            {more}
        {between}
        for k in range({start}, m, 1):
            d = mask[k]
            e = where(d, 1.0, -2.0)
            {last}
            {target}[{place}] += e
    return z, w
'''
GIVEN = {"at": "j", "more": "q = 0.0", "between": "r = 0.0", "start": "0", "last": "o = 0.0", "target": "z", "place": "i, k"}
AGAIN = {"the sums go to an array that is not compared": {"target": "a", "place": "i, k"},
         "another array changes": {"target": "a", "place": "i, k", "between": "a[0, 0] = 3.0"}}
KEPT = {"the next loop changes what was compared": {},
        "another loop changes it": {"target": "a", "between": "for l in range(0, m, 1): w[l] = 2.0"},
        "a number changes": {"target": "a", "between": "h = add(h, 0.25)"},
        "it changes after it was compared": {"target": "a", "more": "w[j] = 0.25"},
        "another place": {"target": "a", "at": "0"},
        "another range": {"target": "a", "start": "1"},
        "a second store": {"target": "a", "between": "mask[0] = True"}}


def text(changes) -> str:
    found = NEST.format(**{**GIVEN, **changes})
    return found.replace("    h = 0.5", "    h = 0.5\n    a = zeros(n, m, dtype='float64')").replace("return z, w", "return z, w, a")


def keeps(program) -> bool:
    return any(isinstance(s, Assign) and s.target == "mask" for s in walk(program.body))


@pytest.mark.parametrize("name", [*AGAIN, *KEPT])
def test_masks(name):
    program = read(text({**AGAIN, **KEPT}[name]))
    new = masks(program)
    verify(new)
    assert keeps(new) == (name in KEPT)
    for shape in ((3, 4), (1, 1), (0, 3), (2, 0)):
        x, y = np.random.default_rng(1).normal(size=shape), np.random.default_rng(2).normal(size=shape[1])
        try:
            expected = run(program, x, y)
        except IndexError:                      # an empty axis
            continue
        for before, after in zip(expected, run(new, x, y), strict=True):
            np.testing.assert_array_equal(after, before)
