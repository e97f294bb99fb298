"""A fixed share of the random programs; `python -m tests.random_checks FIRST COUNT` runs as many as wanted."""

from collections import Counter

import numpy as np
import pytest

from srcdiff.errors import UnsupportedError
from srcdiff.syntax import Const
from tests.random_api import SHARES as OF_THE_API
from tests.random_checks import (
    Case,
    Failure,
    check,
    check_compiled,
    check_halves,
    check_lowered,
    check_memory,
    check_optimised,
    check_second,
    check_vectorized,
    judged,
    one,
)
from tests.random_programs import Generated, load

SEEDS = range(100_000, 100_040)
SHARES = {check_optimised: 2, check_lowered: 3, check_memory: 4, check_halves: 3, check_second: 10, check_vectorized: 10}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", SEEDS)
def test_program(seed):
    assert one(seed, Counter(), SHARES) is None, load(seed).text


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check_of_the_api", OF_THE_API)
@pytest.mark.parametrize("seed", [100_101, 100_102])
def test_the_public_functions(check_of_the_api, seed):
    case = Case(load(seed))
    with np.errstate(all="ignore"):
        assert judged(case)
        check_of_the_api(case)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [100_016, 100_024])
def test_compiled_program(seed):
    case = Case(load(seed))
    assert judged(case)
    check_compiled(case)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [1_900_870])       # extents that are computed from others, in a segment that runs again
def test_within_the_least_memory(seed):
    case = Case(load(seed))
    assert judged(case)
    check_memory(case)


def test_the_same_program_for_a_seed():
    first, second = load(7), load(7)
    assert first.text == second.text
    for a, b in zip(first.args, second.args, strict=True):
        np.testing.assert_array_equal(a, b)


def test_few_programs_are_refused_and_each_refusal_names_a_line():
    refused = []
    for seed in SEEDS:
        try:
            Case(load(seed))
        except UnsupportedError as error:
            refused.append(error)
            assert all(p.where.line for p in error.problems)
    assert len(refused) <= len(SEEDS) // 8      # of thousands, 10 to 12 % are: docs/random-programs.md


def product(x, y):
    s = x[0] * y
    return s * s


def case_of_product():
    return Case(Generated(0, "", product, (np.array([0.5, 1.5]), 0.7)))


def test_a_wrong_adjoint_is_noticed():
    case = case_of_product()
    program = case.adjoint_program()
    case.made["adjoint"] = program.with_body(program.body, results=(*program.results[:-1], Const(0.0)))
    with pytest.raises(Failure, match="<w, Jv>"):
        check(case)


def test_a_wrong_tangent_is_noticed():
    """The adjoint of another function agrees with its tangent, but not with differences."""
    case, other = case_of_product(), case_of_product()
    other.function = lambda x, y: np.float64(x[0] * y) ** 2 + 0.01 * (y - 0.7)
    assert check(case) == "checked"
    with pytest.raises(Failure, match="tangent"):
        check(other)


def test_a_wrong_value_is_noticed():
    case = case_of_product()
    case.function = lambda x, y: product(x, y) + 1e-6
    with pytest.raises(Failure, match="primal"):
        check(case)


def test_kinks_are_not_judged():
    case = case_of_product()
    case.function = lambda x, y: product(x, y) + abs(y - 0.7)
    assert check(case) == "not smooth"
