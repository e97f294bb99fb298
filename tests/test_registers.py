"""Elements kept in variables: the same results, and nothing touched that the loop would not touch."""

import textwrap

import numpy as np
import pytest

from srcdiff.lower.registers import registers
from srcdiff.notation import in_any_order, read, run, show
from srcdiff.syntax import For, Load, Store, walk
from srcdiff.verify import verify

X = np.arange(12.0).reshape(3, 4) + 1.0

PROGRAMS = {
    "sums of rows, and one element that every iteration reads": '''
        def f(x: "float64[:,:]", m: "weak int64"):
            n = size(x, axis=0)
            a = zeros(n, dtype='float64')
            b = zeros(m, dtype='float64')
            for i in range(0, n, 1):
                for j in range(0, m, 1):
                    u = x[2, 1]
                    t = x[i, j]
                    v = multiply(u, t)
                    a[i] += v
                    b[j] += v
            return a, b
    ''',
    "an index that is out of range where the loop does not run": '''
        def f(x: "float64[:,:]", m: "weak int64"):
            a = zeros(m, dtype='float64')
            c = zeros(m, dtype='float64')
            for j in range(0, m, 1):
                u = x[j, 0]
                a[0] += u
                c[j] = u
            return a, c
    ''',
    "a store that a loop which does not run must not make": '''
        def f(x: "float64[:,:]", m: "weak int64"):
            a = zeros(3, dtype='float64')
            c = zeros(4, dtype='float64')
            for i in range(0, 3, 1):
                a[i] = 1.0
                for j in range(0, m, 1):
                    a[i] = 5.0
                    c[j] += 1.0
            return a, c
    ''',
    "elements of one array that are not the same, and that may be": '''
        def f(x: "float64[:,:]", m: "weak int64"):
            a = copy(x)
            b = copy(x)
            for i in range(0, 3, 1):
                for k in range(0, i, 1):
                    t = a[k, 0]
                    u = a[i, 1]
                    v = multiply(t, u)
                    a[i, 0] += v
                    w = b[k, 0]
                    b[i, 0] += w
                    b[k, 0] += w
            for j in range(0, m, 1):
                s = b[0, j]
                b[0, 1] += s
            return a, b
    ''',
    "a store on one of two paths": '''
        def f(x: "float64[:,:]", m: "weak int64"):
            a = zeros(2, dtype='float64')
            c = zeros(4, dtype='float64')
            for j in range(0, m, 1):
                t = x[0, j]
                big = greater(t, 2.0)
                if big:
                    a[1] = t
                c[j] = t
            return a, c
    ''',
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("m", [0, 1, 4])
def test_results_are_the_same(name, m):
    program = read(PROGRAMS[name])
    if m == 4 and "a[0]" in PROGRAMS[name]:
        m = 3                           # `x` has three rows
    changed = registers(program)
    verify(changed, "registers")
    for old, new in zip(run(program, X, m), run(changed, X, m), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-15)


def inner(name):
    """Return the statements of the innermost loops after the pass."""
    loops = [s for s in walk(registers(read(PROGRAMS[name])).body) if isinstance(s, For)]
    return [s for loop in loops if not any(isinstance(i, For) for i in walk(loop.body)) for s in loop.body]


def test_what_is_used_at_one_place_leaves_the_loop():
    body = inner("sums of rows, and one element that every iteration reads")
    assert {s.array for s in body if isinstance(s, Store)} == {"b"}
    assert sum(isinstance(s, Load) for s in body) == 1


def test_elements_that_may_be_the_same_stay():
    text = show(registers(read(PROGRAMS["elements of one array that are not the same, and that may be"])))
    assert "b[0, 1] += s" in text                       # j may be 1
    assert "a[i, 0] += v" not in text                   # k < i


MEETING = '''
    def f(x: "float64[:]", i: "weak int64"):
        n = size(x, axis=0)
        a = copy(x)
        for j in range(0, n, 1):
            u = x[j]
            a[{first}] += u
            v = multiply(2.0, u)
            a[j] += v{more}
        return a
'''


@pytest.mark.parametrize("first, more, marked, moves", [
    ("2", "", True, True),
    ("2", "", False, False),                            # the order of these sums is the user's
    ("2", "\n            w = a[j]\n            a[0] += w", True, False),
    ("i", "", True, True),                              # out of range where the loop does not run: added where it does
])
def test_sums_that_may_meet_others(first, more, marked, moves):
    program = read(textwrap.dedent(MEETING.format(first=first, more=more)))
    program = in_any_order(program) if marked else program
    new = registers(program)
    verify(new)
    for x in (np.arange(5.0), np.empty(0)):
        np.testing.assert_allclose(run(new, x, 2), run(program, x, 2), rtol=1e-14)
    body = next(s for s in walk(new.body) if isinstance(s, For)).body
    assert sum(isinstance(s, Store) for s in body) == (1 if moves else 2 + bool(more))
