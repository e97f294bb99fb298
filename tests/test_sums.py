"""Sums whose order is nobody's are vectorised; those that a user wrote are added up as written."""

import re

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.backend import Options, compile_source
from srcdiff.compiler import build, gradient
from srcdiff.errors import NOWHERE
from srcdiff.marks import ANY_ORDER
from tests.modes import specialised

RNG = np.random.default_rng(12)
X = RNG.normal(size=500) * 10.0 ** RNG.integers(-8, 8, 500)


def total(x):
    return np.sum(x * x)


def added(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i] * x[i]
    return s


def scaled(a, x):
    s = 0.0
    for i in range(len(x)):
        s += (a * x[i] + a) ** 2
    return s


def compensated(x):
    """Kahan's sum, as it stands in books."""
    s, c = 0.0, 0.0
    for i in range(len(x)):
        y = x[i] - c
        t = s + y
        c = (t - s) - y
        s = t
    return s


def compensated_in_place(x):
    """The same with additions in place, and Neumaier's correction."""
    s, c = 0.0, 0.0
    for i in range(len(x)):
        before = s
        s += x[i]
        if abs(before) >= abs(x[i]):
            c += (before - s) + x[i]
        else:
            c += (x[i] - s) + before
    return s + c


def listed(source: str) -> list[str]:
    found = re.search(ANY_ORDER + r" = \{'?\"?\w+'?\"?: (\[.*?\])", source)
    return eval(found[1]) if found else []


def compiled(function, *args):
    return build(specialised(function, args).program, Options(cache=False), tight=True)


def in_order(x):
    s = 0.0
    for v in x:
        s += v
    return s


def test_sums_of_numpy_and_adjoints_have_any_order_and_those_of_users_theirs():
    assert len(listed(compiled(total, X).source)) == 1
    assert listed(compiled(added, X).source) == []
    both = build(gradient(specialised(scaled, (1.5, X)).program, ("a",), 0), Options(cache=False), tight=True)
    assert "a_bar" in listed(both.source) and "s" not in listed(both.source)


@pytest.mark.parametrize("fastmath", [False, True])
def test_without_contraction_sums_keep_their_order(fastmath):
    from srcdiff.backend import notes
    module = type("Module", (), {ANY_ORDER: {"f": ["s"]}})
    assert notes.of(module, "f", fastmath, False) == notes.Notes()
    assert notes.of(module, "f", frozenset({"contract"}), True).flags == ("reassoc", "contract")


TEXT = '''import numpy as np

__all__ = ["f"]
__any_order__ = {NAMES}


def f(x):
    s = 0.0
    for i in range(x.shape[0]):
        s += x[i]
    return s
'''


def test_the_note_alone_lets_a_loop_be_vectorised():
    x = np.concatenate([[1e16, 1.0, -1e16, 1.0], np.ones(60)])
    for names, exact in (("{}", True), ("{'f': ['s']}", False), ("{'f': ['t']}", True), ("{'g': ['s']}", True)):
        f = compile_source("f", TEXT.replace("{NAMES}", names), 1, "numba", Options(cache=False))
        (value,) = f(x)
        assembly = next(iter(f.dispatcher.inspect_llvm().values()))
        assert bool(value == in_order(x)) is exact
        assert ("fadd reassoc contract" in assembly or "fadd contract reassoc" in assembly) is not exact


@pytest.mark.parametrize("function", [compensated, compensated_in_place])
def test_compensated_sums_keep_their_meaning(function):
    x = np.concatenate([X, -X[::-1], [1e-3]])
    exact = 1e-3
    assert abs(in_order(x) - exact) > 1e-9
    assert abs(sd.differentiate(compensated_in_place)(x) - exact) < 1e-12
    for value in (sd.differentiate(function)(x), sd.value_and_grad(function)(x)[0]):
        assert value == sd.differentiate(target="python")(function)(x)
    np.testing.assert_allclose(sd.grad(function)(x), np.ones(len(x)), rtol=1e-12)


def test_a_sum_of_the_user_has_the_bits_of_its_order():
    assert sd.differentiate(added, fastmath=False)(X) == sd.value_and_grad(sd.differentiate(added, fastmath=False))(X)[0]
    x = RNG.normal(size=1000)
    assert sd.differentiate(summed)(x) == in_order(x)


def summed(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i]
    return s


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan, -0.0, 1e308])
def test_infinities_and_nan_pass_through(special):
    x = np.ones(37)
    x[11] = special
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(sd.differentiate(plain)(x), np.sum(x))
        expected = sd.grad(sd.differentiate(target="python")(scaled))(1.0, x)
        np.testing.assert_allclose(sd.grad(scaled)(1.0, x), expected)
    np.testing.assert_array_equal(sd.differentiate(plain)(np.array([np.inf, -np.inf])), np.nan)


def plain(x):
    return np.sum(x)


def test_backends_agree_to_rounding_and_the_text_is_plain():
    a, x = 1.5, RNG.normal(size=1001)
    slope = sd.grad(scaled)
    right = sd.grad(sd.differentiate(target="python")(scaled))(a, x)
    np.testing.assert_allclose(slope(a, x), right, rtol=1e-13)
    assert slope(a, x) == slope(a, x)
    shown = slope.source(a, x)
    assert ANY_ORDER not in shown and "a_bar += " in shown


def test_the_mark_is_no_part_of_a_place():
    from dataclasses import replace
    assert replace(NOWHERE, any_order=True) == NOWHERE and hash(replace(NOWHERE, any_order=True)) == hash(NOWHERE)
