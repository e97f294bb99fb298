"""Every program of the corpus in every mode, passes off and on, on the reference interpreter, and what is printed of it."""

import numpy as np
import pytest

from srcdiff.backend import compile_program, harvest
from srcdiff.lower import lower
from srcdiff.notation import run
from srcdiff.optimize import optimize
from srcdiff.syntax import Scalar
from srcdiff.verify import verify
from tests.modes import Modes, primal_results
from tests.oracle import assert_adjoint
from tests.programs import PROGRAMS


def verified(program):
    verify(program)
    return program


TRANSFORMS = {"plain": verified, "optimized": lambda p: verified(optimize(p))}
CASES = [(name, mode) for mode in ("optimized", "plain") for name in PROGRAMS]
INFERRED = [sample.function for sample in PROGRAMS.values() if sample.compiled][::2]


# One for all tests of a program: they run one after the other, and the derivatives are made once.
@pytest.fixture(scope="module")
def modes(request):
    name, transform = request.param
    sample = PROGRAMS[name]
    return Modes(sample.function, sample.args, TRANSFORMS[transform])


def cases(test, among=CASES):
    return pytest.mark.parametrize("modes", among, indirect=True, ids=[f"{n}-{m}" for n, m in among])(test)


def optimized_cases(test):
    return cases(test, CASES[:len(PROGRAMS)])


def tolerance(modes):
    single = any(getattr(a, "dtype", None) == np.float32 for a in modes.args)
    return (2e-3, 2e-3, 1e-5) if single else (1e-7, 1e-8, 1e-11)


def compare(got, expected, modes, what):
    rtol, atol, _ = tolerance(modes)
    assert len(got) == len(expected)
    for position, (g, (e, error)) in enumerate(zip(got, expected, strict=True)):
        assert np.shape(g) == np.shape(e), f"{what}: result {position} has shape {np.shape(g)}"
        np.testing.assert_allclose(g, e, rtol=rtol, atol=atol + 10 * error,
                                   err_msg=f"{what} of result {position}")


@cases
def test_primal(modes):
    expected = primal_results(modes.function, modes.args)
    got = modes.call(modes.program)
    assert len(got) == len(expected)
    for g, e in zip(got, expected, strict=True):
        assert np.asarray(g).dtype == np.asarray(e).dtype or not isinstance(e, np.ndarray)
        np.testing.assert_allclose(g, e, rtol=tolerance(modes)[2], atol=1e-13)


@cases
def test_tangent(modes):
    direction = modes.directions(np.random.default_rng(7))
    compare(modes.jvp(direction), modes.oracle(direction), modes, "tangent")


@cases
def test_adjoint(modes):
    rng = np.random.default_rng(8)
    direction = modes.directions(rng)
    tangents = modes.jvp(direction)
    cotangents = modes.random(rng, [tangents[i] for i in modes.outputs])
    adjoints = modes.vjp(cotangents)
    for a, position in zip(adjoints, modes.positions, strict=True):
        assert np.shape(a) == np.shape(modes.args[position])
    assert_adjoint([tangents[i] for i in modes.outputs], cotangents, adjoints, direction,
                   rtol=tolerance(modes)[2])


@cases
def test_second_order(modes):
    rng = np.random.default_rng(9)
    direction = modes.directions(rng)
    results = run(modes.program, *modes.inputs)
    results = results if isinstance(results, tuple) else (results,)
    cotangents = modes.random(rng, [results[i] for i in modes.outputs])
    forward, reverse = modes.second_order(cotangents, direction)
    compare(forward, modes.second_oracle(cotangents, direction), modes, "second derivative")
    rtol, _, exact = tolerance(modes)
    for f, r in zip(forward, reverse, strict=True):
        np.testing.assert_allclose(r, f, rtol=max(1e-9, exact), atol=max(1e-10, exact),
                                   err_msg="reverse over reverse")


# -- as text --------------------------------------------------------------------------------------


def as_declared(type_, value):
    """Give a seed the kind of number that its parameter declares."""
    if isinstance(type_, Scalar):
        kinds = {"float64": float, "int64": int, "bool": bool, "complex128": complex}
        return kinds[type_.dtype](value) if type_.weak else np.dtype(type_.dtype).type(value)
    return np.asarray(value, type_.dtype)


def check_printed(program, lowered, *args):
    """Compare what is printed of a program, before and after lowering, with what the interpreter makes of it."""
    args = tuple(as_declared(p.type, a) for p, a in zip(program.params, args, strict=True))
    with np.errstate(all="ignore"):
        want = run(program, *args)
    want = want if len(program.results) != 1 else (want,)
    for form in (program, lowered):
        before = [np.array(a) for a in args]
        got = compile_program(form, "python")(*args)
        for g, w, atom in zip(got, want, program.results, strict=True):
            single = program.type_of(atom).dtype == "float32"
            np.testing.assert_allclose(g, w, rtol=1e-4 if single else 1e-10, atol=1e-6 if single else 1e-13)
            assert np.shape(g) == np.shape(w)
            assert np.asarray(g).dtype == np.asarray(w).dtype
        for a, old in zip(args, before, strict=True):
            np.testing.assert_array_equal(a, old)


@optimized_cases
def test_what_is_printed_computes_what_the_program_means(modes):
    rng = np.random.default_rng(3)
    results = modes.call(modes.program)
    direction, cotangents = modes.directions(rng), modes.random(rng, [results[i] for i in modes.outputs])
    for program, more in ((modes.program, ()), (modes.tangent_program(), direction), (modes.adjoint_program(), cotangents)):
        lowered = lower(program)
        check_printed(program, lowered, *modes.inputs, *more)
        if modes.function in INFERRED:
            assert harvest.check(lowered), "Numba infers the types that the program declares"
