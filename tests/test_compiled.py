"""A representative share of the corpus compiled by Numba: every mode against the python backend."""

import copy

import numpy as np
import pytest

from srcdiff.backend import compile_program
from srcdiff.lower import lower
from srcdiff.optimize import optimize
from tests.modes import Modes
from tests.programs import PROGRAMS

COMPILED = [name for name, sample in PROGRAMS.items() if sample.compiled]
SECOND = COMPILED[1::2]               # half of them: code of second order takes longest to compile


def on_numba(program, *args):
    compiled = compile_program(lower(optimize(program)), target="numba")
    results = tuple(compiled(*args))
    return results[0] if len(results) == 1 else results


def agree(got, expected):
    assert len(got) == len(expected)
    for g, e in zip(got, expected, strict=True):
        assert np.shape(g) == np.shape(e)
        np.testing.assert_allclose(g, e, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", COMPILED)
def test_every_mode_compiled(name):
    sample = PROGRAMS[name]
    plain = Modes(sample.function, sample.args)
    numba = copy.copy(plain)                # it shares the derivatives
    numba.execute = on_numba
    rng = np.random.default_rng(11)
    direction = plain.directions(rng)
    tangents = plain.jvp(direction)
    agree(numba.jvp(direction), tangents)
    cotangents = plain.random(rng, [tangents[i] for i in plain.outputs])
    agree(numba.vjp(cotangents), plain.vjp(cotangents))
    if name not in SECOND:
        return
    over, _ = plain.second_programs()
    agree(numba.call(over, *cotangents, *direction), plain.call(over, *cotangents, *direction))
