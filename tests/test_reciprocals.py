"""Divisions of differentials become products; those of the function itself never do."""

from __future__ import annotations

import numpy as np
import pytest

from srcdiff.forward import tangent
from srcdiff.lower import lower
from srcdiff.lower.reciprocals import reciprocals
from srcdiff.lower.tidy import tidy
from srcdiff.notation import of_differentials, read, run, show
from srcdiff.optimize import optimize
from srcdiff.optimize.subexpressions import subexpressions
from srcdiff.reverse import adjoint
from srcdiff.syntax import Assign, walk
from srcdiff.verify import verify

QUOTIENTS = '''
def f(x: "float64[:]", y: "float64"):
    u = divide(x, 3.0)
    v = divide(u, y)
    return v
'''
X, Y = np.linspace(-2.0, 3.0, 17), 7.0


def divisions(program) -> list[Assign]:
    return [s for s in walk(program.body) if isinstance(s, Assign) and s.op == "divide"]


def test_the_value_is_divided_and_the_differential_multiplied():
    along = lower(optimize(tangent(read(QUOTIENTS), ("x",))))
    value, dot = run(along, X, Y, np.ones(17))
    np.testing.assert_array_equal(value, X / 3.0 / Y)
    np.testing.assert_allclose(dot, 1 / 21.0, rtol=1e-15)
    assert len(divisions(along)) == 3                   # two of each element, and the reciprocal of y


def test_of_the_adjoint_too():
    back = lower(optimize(adjoint(read(QUOTIENTS), ("x",))))
    value, bar = run(back, X, Y, np.ones(17))
    np.testing.assert_array_equal(value, X / 3.0 / Y)
    np.testing.assert_allclose(bar, 1 / 21.0, rtol=1e-15)


def marked(text: str, target: str):
    """Read a program in which the division that gives `target` is one of a differential."""
    program, all_marked = read(text), of_differentials(read(text))
    return program.with_body(new if isinstance(new, Assign) and new.target == target else old
                             for old, new in zip(program.body, all_marked.body, strict=True))


@pytest.mark.parametrize("one_pass", [subexpressions, tidy])
def test_the_functions_own_quotient_is_not_replaced_by_that_of_a_differential(one_pass):
    """Both divide the same numbers; only the second one's rounding is the user's."""
    text = '''
def f(x: "float64"):
    t = divide(x, 3.0)
    u = divide(x, 3.0)
    return t, u
'''
    found = reciprocals(one_pass(marked(text, "t")))
    verify(found)
    for x in (X, X * np.pi):
        for value in x:
            assert run(found, value)[1] == value / 3.0


@pytest.mark.parametrize("text, products", [
    ('''
def f(g: "float64[:]", y: "float64[:]"):
    n = size(g, axis=0)
    b = empty(n, dtype='float64')
    for i in range(0, n, 1):
        t = g[i]
        d = y[i]
        u = divide(t, d)
        b[i] = u
    return b
''', 0),                                                # another divisor in each iteration
    ('''
def f(g: "float64", y: "float32"):
    s = 0.0
    for i in range(0, 3, 1):
        u = divide(g, y)
        s = add(s, u)
    return s
''', 0),                                                # a reciprocal in single precision
    ('def f(g: "float64"):\n    u = divide(g, 1e-310)\n    return u\n', 0),
    ('def f(g: "float64"):\n    u = divide(g, 0.0)\n    return u\n', 0),
    ('def f(g: "complex128"):\n    u = divide(g, 3.0)\n    return u\n', 0),
    ('def f(g: "float64"):\n    u = divide(g, -4)\n    return u\n', 1),
])
def test_where(text, products):
    program = of_differentials(read(text))
    new = reciprocals(program)
    verify(new)
    assert sum("multiply" in line for line in show(new).splitlines()) == products
    assert reciprocals(new) == new


def test_a_reciprocal_stands_before_the_outermost_loop_that_leaves_it():
    program = of_differentials(read('''
def f(g: "float64[:,:]", y: "float64[:]"):
    b = copy(g)
    for i in range(0, 3, 1):
        d = y[i]
        for j in range(0, 4, 1):
            for k in range(0, 2, 1):
                t = g[i, j]
                u = divide(t, d)
                b[i, j] = u
    return b
'''))
    new = reciprocals(program)
    outer = next(s for s in new.body if s.blocks)
    assert [s.op for s in outer.body if isinstance(s, Assign)] == ["divide"]
    g, y = np.arange(12.0).reshape(3, 4), np.array([3.0, 5.0, 7.0])
    np.testing.assert_allclose(run(new, g, y), run(program, g, y), rtol=1e-15)
