"""Loops that run where their values are needed: the same derivative, and nothing kept of all samples."""

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.errors import SrcdiffError
from srcdiff.lower import lower
from srcdiff.lower.overwritten import is_overwritten
from srcdiff.lower.rejoin import rejoin
from srcdiff.notation import read
from tests.oracle import differences


def mixture(w, x):
    """A sum over samples; scratch is used again, and numbers have the names of others after the loop."""
    n, d = x.shape
    scratch, score = np.empty(d), np.empty(d)
    total = 0.0
    for i in range(n):
        for a in range(d):
            scratch[a] = np.sin(x[i, a] * w[a])
        largest = 0.0
        for a in range(d):
            score[a] = scratch[a] * scratch[a]
            largest += score[a] * score[a]
        total += np.exp(largest) * scratch[0]
    largest = 0.0
    for a in range(d):
        largest += w[a] * w[a]
    return total * 2.0 + np.exp(largest)


def branches(w, x):
    """Scratch is filled on both paths, and one path keeps a value that the other has not."""
    total = 0.0
    scratch = np.empty(len(w))
    for i in range(x.shape[0]):
        if x[i, 0] > 0.0:
            for a in range(len(w)):
                scratch[a] = np.exp(w[a])
        else:
            for a in range(len(w)):
                scratch[a] = w[a] ** 2
        for a in range(len(w)):
            total += np.tanh(scratch[a] * x[i, a]) * scratch[a]
    return total


def matrices(w, x):
    """Scratch of two axes; the samples of the loop are arrays."""
    total = 0.0
    outer = np.empty((len(w), len(w)))
    for i in range(x.shape[0]):
        for a in range(len(w)):
            for b in range(len(w)):
                outer[b, a] = np.exp(x[i, a] * w[b])
        s = 0.0
        for a in range(len(w)):
            for b in range(len(w)):
                s += outer[a, b] * w[b]
        total += s * s
    return total


def chained(w, x):
    """Each iteration reads what the one before it has left."""
    total, state = 0.0, np.zeros(len(w))
    for i in range(x.shape[0]):
        for a in range(len(w)):
            state[a] = np.tanh(w[a] * state[a] + x[i, a])
        for a in range(len(w)):
            total += state[a] * state[a]
    return total


def partial(w, x):
    """The last element is that of the first iteration."""
    total, scratch = 0.0, np.ones(len(w))
    for i in range(x.shape[0]):
        for a in range(len(w) - 1):
            scratch[a] = np.exp(w[a] * x[i, a])
        if i == 0:
            scratch[len(w) - 1] = w[0]
        for a in range(len(w)):
            total += scratch[a] ** 3
    return total


def read_after(w, x):
    """What the last iteration leaves is part of the result."""
    total, scratch = 0.0, np.zeros(len(w))
    for i in range(x.shape[0]):
        for a in range(len(w)):
            scratch[a] = np.exp(w[a] * x[i, a])
        for a in range(len(w)):
            total += scratch[a] ** 2
    for a in range(len(w)):
        total *= scratch[a]
    return total


def raising(w, x):
    """An error of the user's has its time."""
    total = 0.0
    scratch = np.empty(len(w))
    for i in range(x.shape[0]):
        if x[i, 0] > 100.0:
            raise ValueError("too large")
        for a in range(len(w)):
            scratch[a] = np.exp(w[a] * x[i, a])
        for a in range(len(w)):
            total += scratch[a] ** 2
    if w[0] > 100.0:
        raise ArithmeticError("too large as well")
    return total


RNG = np.random.default_rng(8)
W, X = RNG.normal(size=3), RNG.normal(size=(5, 3))


@pytest.mark.parametrize("function", [mixture, branches, matrices, chained, partial, read_after, raising])
def test_the_gradient_is_right(function):
    got = sd.grad(function)(W, X)
    np.testing.assert_allclose(got, sd.grad(sd.differentiate(target="python")(function))(W, X), rtol=1e-13)
    direction = RNG.normal(size=3)
    (slope, _), = differences(function, (W, X), (direction, None))
    np.testing.assert_allclose(got @ direction, slope, rtol=1e-8)


@pytest.mark.parametrize("function", [mixture, branches, matrices])
def test_nothing_is_kept_of_all_samples(function):
    text = sd.grad(function).source(W, X)
    assert "np.empty(n_x)" not in text and "np.empty((n_x," not in text and "_tape" not in text, text
    assert "_held" in text


@pytest.mark.parametrize("function", [chained, partial, read_after, raising])
def test_a_loop_that_must_run_first_does(function):
    assert "_tape" in sd.grad(function).source(W, X)


def test_a_value_that_is_asked_for_is_computed_in_the_order_of_the_user():
    value, slope = sd.value_and_grad(mixture)(W, X)
    assert value == sd.differentiate(mixture)(W, X)
    np.testing.assert_allclose(slope, sd.grad(mixture)(W, X), rtol=1e-13)


def test_second_order():
    v = RNG.normal(size=3)
    h = 1e-5
    ahead, behind = (sd.grad(mixture)(W + s * v, X) for s in (h, -h))
    np.testing.assert_allclose(sd.hvp(mixture, (W, X), (v, np.zeros_like(X)))[0], (ahead - behind) / (2 * h), rtol=1e-6)


def test_errors_come_as_they_did():
    with pytest.raises(ArithmeticError, match="as well"):
        sd.grad(raising)(W + 200.0, X)
    with pytest.raises(ValueError, match="large$"):
        sd.grad(raising)(W + 200.0, X + 200.0)
    with pytest.raises((IndexError, SrcdiffError)):
        sd.grad(mixture)(W[:2], X)


FILLS = '''
    def f(x: "float64[:]", m: "weak int64"):
        n = size(x, axis=0)
        a = empty(n, dtype='float64')
        for k in range(0, 3, 1):
            {}
            u = a[1]
        return n
'''
STORES = {
    "all": ("for i in range(0, n, 1):\n                a[i] = 1.0", True),
    "all but one": ("for i in range(1, n, 1):\n                a[i] = 1.0", False),
    "as many as a number says": ("for i in range(0, m, 1):\n                a[i] = 1.0", False),
    "in a loop that may not run": ("for j in range(0, m, 1):\n                for i in range(0, n, 1):\n"
                                   "                    a[i] = 1.0", False),
    "added to": ("for i in range(0, n, 1):\n                a[i] += 1.0", False),
    "read before": ("for i in range(0, n, 1):\n                v = a[i]\n                a[i] = 1.0", False),
    "read after": ("for i in range(0, n, 1):\n                a[i] = 1.0\n                v = a[i]", True),
    "read elsewhere": ("for i in range(0, n, 1):\n                a[i] = 1.0\n                v = a[0]", False),
    "one element": ("a[1] = 1.0", False),
}


@pytest.mark.parametrize("name", STORES)
def test_what_counts_as_overwritten(name):
    text, expected = STORES[name]
    program = read(FILLS.format(text))
    assert is_overwritten(program, program.body[2].body, "a") is expected


def test_kernels_keep_their_loops_apart():
    program = read('''
        def f(x: "float64[:,:]"):
            n = size(x, axis=0)
            m = size(x, axis=1)
            last = subtract(n, 1)
            s_tape = empty(n, dtype='float64')
            x_bar = zeros(n, m, dtype='float64')
            for i in range(0, n, 1):
                for j in range(0, m, 1):
                    v = x[i, j]
                s_tape[i] = v
            for k in range(last, -1, -1):
                g = s_tape[k]
                for l in range(0, m, 1):
                    x_bar[k, l] += g
            return x_bar
    ''')
    assert rejoin(program) is program                            # v may be that of the iteration before
    assert "s_tape" in lower(program, device=True).types
