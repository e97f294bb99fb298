"""Extents of parameters that are compared on entry, and arrays that are not assigned yet."""

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.lower.entry import equal_extents
from srcdiff.notation import read, show
from srcdiff.optimize.unset import unset
from tests.oracle import assert_close, differences, inner


def power_iteration(a, v, steps):
    for _ in range(steps):
        v = a @ v
        v = v / np.linalg.norm(v)
    return v @ a @ v


def assert_gradient(function, x, *rest):
    """Compare a compiled gradient with Richardson's differences along a direction."""
    direction = np.random.default_rng(1).normal(size=x.shape)
    ((expected, _),) = differences(lambda x: function(x, *rest), (x,), (direction,))
    assert_close(inner((sd.grad(function)(x, *rest),), (direction,)), expected, rtol=1e-8)


A, V = np.random.default_rng(0).normal(size=(3, 3)), np.ones(3)


def test_adjoints_of_a_loop_are_added_to_in_place():
    source = sd.grad(power_iteration).source(A, V, 4)
    assert source.count("[SD0340]") == 2 and "a_bar[i, j] +=" in source
    body = source[source.index("for trip in range(n"):] if "for trip in range(n" in source else source
    assert "np.empty" not in body[body.rindex("for trip in"):]


def read_(body: str, params: str = 'a: "float64[:,:]", x: "float64[:]", y: "float64[:]", n: "weak int64", c: "bool"'):
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return read(f"\ndef f({params}):\n{lines}")


@pytest.mark.parametrize("body, pairs", {
    "elements": ("z = add(x, y)\nreturn z", {("y", 0): ("x", 0)}),
    "a row for each row": ("z = multiply(a, x)\nreturn z", {("x", 0): ("a", 1)}),
    "products": ("z = matmul(a, x)\nreturn z", {("x", 0): ("a", 1)}),
    "systems": ("z = solve(a, y)\nreturn z", {("a", 1): ("a", 0), ("y", 0): ("a", 0)}),
    "through other arrays": ("t = sin(x)\nu = matmul(a, t)\nz = add(u, y)\nreturn z", {("x", 0): ("a", 1), ("y", 0): ("a", 0)}),
    "in a loop": ("z = 0.0\nfor i in range(0, n, 1):\n    t = add(x, y)\n    z = sum(t, axis=(0,))\nreturn z", {("y", 0): ("x", 0)}),
    "not in a branch": ("z = x\nif c:\n    z = add(x, y)\nreturn z", {}),
    "not of a part": ("p = x[1:]\nq = y[:-1]\nz = add(p, q)\nreturn z", {}),
    "not what is stretched for certain": ("p = expand_dims(x, axis=(1,))\nz = add(p, y)\nreturn z", {}),
}.values())
def test_which_extents_have_to_be_equal(body, pairs):
    assert equal_extents(read_(body)) == pairs


@pytest.mark.parametrize("a, v", [(A, V), (np.array([[1.5]]), V[:1])])
def test_gradients_where_they_are_equal(a, v):
    assert_gradient(power_iteration, a, v, 3)


def stretched(x, y, steps):
    for _ in range(steps):
        x = np.sin(x) + y
    return np.sum(x * y)


@pytest.mark.parametrize("m, n", [(1, 4), (4, 1), (4, 4)])
def test_who_passes_other_extents_gets_other_code(m, n):
    x, y = np.linspace(0.1, 0.5, m), np.linspace(0.2, 0.9, n)
    compiled, plain = sd.grad(stretched, argnums=(0, 1))(x, y, 2), sd.grad(sd.differentiate(stretched, target="python"), argnums=(0, 1))(x, y, 2)
    for ours, theirs in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)


# -- not assigned yet ----------------------------------------------------------------------

def test_the_extents_are_those_of_what_is_assigned_later():
    text = show(unset(read_("z = unset(dtype='float64', ndim=1)\nfor i in range(0, n, 1):\n    t = matmul(a, x)\n    z = add(t, y)\nreturn z")))
    assert "unset" not in text and "z = empty(n" in text


@pytest.mark.parametrize("assigned", ["m = greater(x, 0.0)\n    z = x[m]", "p = add(i, 1)\n    z = zeros(p, dtype='float64')"])
def test_there_are_none_where_nobody_knows(assigned):
    text = show(unset(read_(f"z = unset(dtype='float64', ndim=1)\nfor i in range(0, n, 1):\n    {assigned}\nreturn z")))
    assert "z = empty(0, dtype='float64')" in text


def last(x, steps):
    total = 0.0
    for i in range(steps):
        if x[i] > 0:
            best = x * x[i]
            total += best[0]
    return total + np.sum(best ** 2)


def test_a_name_of_a_loop_that_is_read_behind_it():
    x = np.array([-1.0, 2.0, 3.0])
    assert_gradient(last, x, 3)
    source = sd.grad(last).source(x, 3)
    assert "np.zeros(0" not in source and "np.empty(0" not in source
