"""Every rule of an operation that takes complex numbers, on complex operands and on mixed ones.

The oracle is differences of the operation along complex directions; the adjoint is held to the
tangent by the pairing that `srcdiff.rules.complex_plane` states, Re(g J v) = Re((J' g) v).
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from srcdiff.forward import tangent
from srcdiff.notation import run
from srcdiff.primitives import COMPLEX, PRIMITIVES
from srcdiff.rules import RULES
from srcdiff.syntax import Const, is_float
from srcdiff.vectorize import vectorize
from srcdiff.verify import verify
from tests.oracle import differences, inner
from tests.test_rules import CASES, POWERS, Case, Statement, as_tuple, sample


def turned(values, which, seed=4):
    """Move the operands in `which` off the real line."""
    rng = np.random.default_rng(seed)
    return [v + 1j * rng.uniform(0.2, 0.6, size=np.shape(v)) * rng.choice([-1, 1], size=np.shape(v))
            if i in which else v for i, v in enumerate(values)]


def floating(values):
    return [i for i, v in enumerate(values) if getattr(v, "dtype", np.dtype(bool)).kind == "f"]


def cases():
    for case in CASES + POWERS:
        if case.op not in COMPLEX or case.op in ("complex", "cast", "array", "full"):
            continue
        places = floating(sample(case))
        for count in range(1, len(places) + 1):
            for which in itertools.combinations(places, count):
                mixed = case.op in ("matmul", "solve") or case.op == "power" and 0 not in which
                if count == len(places) or not mixed:   # the frontend gives these one dtype
                    yield case, which


EVERY = list(cases())
everything = pytest.mark.parametrize("case, which", EVERY, ids=lambda v: str(v).replace(" ", ""))


def statement(case, which) -> Statement:
    return Statement(case, turned(sample(case), which))


def direction_of(values, seed):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=np.shape(v)) + (1j * rng.normal(size=np.shape(v)) if np.iscomplexobj(v) else 0.0))[()]
            for v in values]


def cotangent(s, seed=2):
    return direction_of([s.evaluate(*s.actives())], seed)[0]


@everything
def test_both_modes(case, which):
    s = statement(case, which)
    wanted, direction = tuple(s.active), direction_of(s.actives(), 1)
    got = run(s.tangent(wanted), *s.inputs, *direction)
    (expected, error), = differences(s.evaluate, s.actives(), direction, step=2e-2)
    assert error < 1e-6, "the oracle is not trusted here: move the sample"
    np.testing.assert_allclose(got, expected, rtol=max(1e-9, 10 * error), atol=max(1e-9, 10 * error))
    g = cotangent(s)
    back = as_tuple(run(s.adjoint(wanted), *s.inputs, g))
    for value, own in zip(back, s.actives(), strict=True):
        assert np.shape(value) == np.shape(own) or case.operands[-1] == Const(0), "left out only where zero"
        assert np.iscomplexobj(own) or not np.iscomplexobj(value)
    scale = max(inner([np.abs(g)], [np.abs(got)]), 1e-3)
    assert abs(inner([g], [got]) - inner(back, direction)) <= 1e-12 * scale


@pytest.mark.parametrize("mode", ["tangent", "adjoint"])
@everything
def test_second_order(case, which, mode):
    s = statement(case, which)
    wanted = tuple(s.active)
    program = s.tangent(wanted) if mode == "tangent" else s.adjoint(wanted)
    seeds = direction_of(s.actives(), 5) if mode == "tangent" else [cotangent(s)]
    values = [*s.inputs, *seeds]
    second = tangent(program, tuple(p.name for p in program.params if is_float(p.type)))
    verify(second)
    moves = [is_float(p.type) for p in program.params]
    direction = [d if m else None for d, m in zip(direction_of(values, 3), moves, strict=True)]
    results = as_tuple(run(second, *values, *(d for d in direction if d is not None)))
    oracle = differences(lambda *v: run(program, *v), values, direction, step=1e-2)
    for (expected, error), value in zip(oracle, results[len(results) // 2:], strict=True):
        assert error < 1e-5, "the oracle is not trusted here: move the sample"
        np.testing.assert_allclose(value, expected, rtol=max(1e-7, 10 * error), atol=max(1e-8, 10 * error))


@pytest.mark.parametrize("case, which", EVERY[::3], ids=lambda v: str(v).replace(" ", ""))
def test_many_directions_at_once(case, which):
    s = statement(case, which)
    wanted = tuple(s.active)
    for program, seeds in ((s.tangent(wanted), [direction_of(s.actives(), k) for k in (1, 2)]),
                           (s.adjoint(wanted), [[cotangent(s, k)] for k in (1, 2)])):
        many = vectorize(program, frozenset(p.name for p in program.params[len(s.params):]), -1)
        verify(many)
        each = [as_tuple(run(program, *s.inputs, *seed)) for seed in seeds]
        got = as_tuple(run(many, *s.inputs, *(np.stack(pair, axis=-1) for pair in zip(*seeds, strict=True))))
        for value, *expected in zip(got, *each, strict=True):
            np.testing.assert_allclose(value, np.stack(np.broadcast_arrays(*expected), axis=-1), rtol=1e-13, atol=1e-13)


def test_every_permitted_operation_is_sampled_or_has_no_derivative():
    sampled = {case.op for case, _ in EVERY}
    assert {name for name in COMPLEX if not RULES[name].zero} - sampled == {"complex", "cast", "array", "full"}


def test_numpy_and_the_primitive_agree_on_complex_parts():
    made = PRIMITIVES["complex"].evaluate(np.array([np.inf, 1.0]), np.array([1.0, -np.inf]))
    np.testing.assert_array_equal(made.real, [np.inf, 1.0])
    np.testing.assert_array_equal(made.imag, [1.0, -np.inf])


def test_the_parts_of_a_complex_number_are_its_operands():
    s = Statement(Case("complex", ((), ())), [np.float64(0.5), np.float64(-1.5)])
    assert run(s.tangent((0, 1)), 0.5, -1.5, 2.0, 3.0) == 2 + 3j
    assert run(s.adjoint((0, 1)), 0.5, -1.5, 1 - 4j) == (1.0, 4.0)
