"""Tapes get their length before the loops run, wherever the iterations can be counted."""

import numpy as np
import pytest

from srcdiff.reverse import adjoint
from srcdiff.syntax import Assign, walk
from srcdiff.verify import verify
from tests.modes import Modes
from tests.oracle import assert_adjoint, inner

RNG = np.random.default_rng(2)
X = RNG.uniform(0.5, 1.5, 7)


def backwards(x):
    """The bound is computed inside the outer loop, but is always the same."""
    s = 0.0
    for i in range(len(x)):
        last = len(x) - 1
        for j in range(last, -1, -2):
            s = np.sin(s) + x[j] * x[i]
    return s


def triangle(x):
    s = 0.0
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            for _ in range(j - i):
                s = np.sin(s) + x[j] * x[i]
    return s


def triangle_of_rows(x):
    a = np.outer(x, x)
    s = 0.0
    for i in range(len(x)):
        for j in range(i):
            a[j] = np.sin(a[i]) * a[j]
            s += np.sum(a[j] * a[j])
    return s


def ragged(x, starts):
    s = 0.0
    for i in range(len(starts) - 1):
        for k in range(starts[i], starts[i + 1]):
            s = np.sin(s) * x[k]
    return s


def under_a_condition(x):
    s = 0.0
    for i in range(len(x)):
        if x[i] > 0.9:
            for j in range(i):
                s = np.sin(s) + x[j] * x[i]
    return s


def bound_of_an_earlier_loop(x):
    """What a loop leaves behind is not the bound of each iteration."""
    s = 0.0
    m = 1
    for i in range(len(x)):
        for j in range(m):
            s = np.sin(s) + x[j] * x[i]
        m = i % 3
    return s


def data_dependent(x):
    s = 0.0
    for i in range(len(x)):
        m = int(4.0 * x[i])
        for _ in range(m):
            s = np.sin(s) + x[i]
    return s


COUNTED = [(backwards, (X,)), (triangle, (X,)), (triangle_of_rows, (X[:4],)),
           (ragged, (X, np.array([0, 2, 2, 5, 7]))), (under_a_condition, (X,))]
GROWING = [(bound_of_an_earlier_loop, (X,))]
OTHERS = [(data_dependent, (X,))]


def grows(modes):
    return any(isinstance(s, Assign) and s.op == "tape_grow"
               for s in walk(adjoint(modes.program, modes.active).body))


def ids(samples):
    return [f.__name__ for f, _ in samples]


@pytest.mark.parametrize("function, args", COUNTED, ids=ids(COUNTED))
def test_counted(function, args):
    assert not grows(Modes(function, args))


@pytest.mark.parametrize("function, args", GROWING, ids=ids(GROWING))
def test_not_counted(function, args):
    assert grows(Modes(function, args))


@pytest.mark.parametrize("function, args", COUNTED + GROWING + OTHERS, ids=ids(COUNTED + GROWING + OTHERS))
def test_right(function, args):
    modes, rng = Modes(function, args), np.random.default_rng(3)
    direction = modes.directions(rng)
    tangents = modes.jvp(direction)
    for got, (expected, error) in zip(tangents, modes.oracle(direction), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-9 + 10 * error)
    cotangents = modes.random(rng, tangents)
    assert_adjoint(tangents, cotangents, modes.vjp(cotangents), direction, rtol=1e-12)


@pytest.mark.parametrize("function, args", COUNTED, ids=ids(COUNTED))
def test_arrays_too_short_for_any_iteration(function, args):
    if function is ragged:
        args = (args[0], np.array([3]))
    else:
        args = (args[0][:1] * 0.5,)
    modes = Modes(function, args)
    direction = modes.directions(np.random.default_rng(4))
    tangents = modes.jvp(direction)
    assert_adjoint(tangents, (1.0,), modes.vjp((1.0,)), direction, rtol=1e-12)


# -- constants of inner loops ----------------------------------------------------------------

def scratch_of_each_point(x, y):
    """`work[b]` varies with i and b; the loop over a runs not at all for the last b."""
    n = len(x)
    work = np.empty(n)
    out = np.zeros(n)
    for i in range(len(y)):
        for a in range(n):
            work[a] = np.sin(x[a] * y[i])
        for b in range(n):
            for a in range(b + 1, n):
                out[a] += x[a] * work[b]
    return out


def changed_in_the_inner_loop(x, y):
    n = len(x)
    work = x.copy()
    out = np.zeros(n)
    for i in range(len(y)):
        for a in range(n):
            out[a] += np.sin(work[i] * x[a])
            work[(i + a) % n] = out[a] * y[i]
    return out


def chosen_in_the_inner_loop(x, y):
    n = len(x)
    work = np.empty(n)
    out = np.zeros(n)
    for i in range(len(y)):
        for a in range(n):
            work[a] = np.sin(x[a] * y[i])
        for a in range(n):
            if x[a] > 1.0:
                out[a] += x[a] * work[i]
            work[a] = out[a]
    return out


CONSTANTS = [(scratch_of_each_point, (X[:4], X[4:])), (changed_in_the_inner_loop, (X[:4], X[4:])),
             (chosen_in_the_inner_loop, (X[:4], X[4:]))]


@pytest.mark.parametrize("function, args", CONSTANTS, ids=ids(CONSTANTS))
def test_constants_of_inner_loops(function, args):
    test_right(function, args)


def test_a_constant_of_an_inner_loop_is_kept_once():
    program = Modes(*CONSTANTS[0]).adjoint_program()
    kept = [s for s in walk(program.body) if isinstance(s, Assign) and s.op == "empty" and "tape" in s.target]
    assert {len(s.args) for s in kept} == {2}


def test_a_tape_is_sized_by_what_is_there_before_the_loop():
    """A part of the same length is made after the loop, and the snapshots before it put many statements in front."""
    def f(x, k, n):
        y = x * 1.0
        y[:] = np.sin(y) * y + 0.5
        y[:] = np.sin(y) * y + 0.4
        y[:] = np.sin(y) * y + 0.3
        y[:] = np.sin(y) * y - 0.2
        y[:] = np.sin(y) * y - 0.1
        y[:] = np.sin(y) * y - 0.2
        y[:] = np.sin(y) * y - 0.3
        y[:] = np.sin(y) * y - 0.4
        y[:] = np.sin(y) * y - 0.5
        y[:] = np.sin(y) * y - 0.6
        y[:] = np.sin(y) * y - 0.7
        y[:] = np.sin(y) * y - 0.8
        y[:] = np.sin(y) * y - 0.9
        total = 0.0
        for i in range(n):
            w = np.exp(y[:k] * np.sin(total + i))
            total += np.sum(np.cos(w) * w) / 8
        z = y[:k] * 2.0
        return total + np.sum(z * z)

    case = Modes(f, (np.linspace(0.1, 1.0, 5), 3, 4))
    verify(case.adjoint_program())
    direction = (np.cos(np.arange(5.0)),)
    (expected, error), = case.oracle(direction)
    np.testing.assert_allclose(inner(case.vjp((1.0,)), direction), expected, rtol=1e-9, atol=10 * error)
