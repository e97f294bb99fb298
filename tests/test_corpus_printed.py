"""The corpus and its derivatives as text: what is printed computes what the program means."""

import numpy as np
import pytest

from srcdiff.backend import compile_program, harvest
from srcdiff.lower import lower
from srcdiff.notation import run
from srcdiff.optimize import optimize
from srcdiff.syntax import Scalar
from tests.modes import Modes
from tests.programs import PROGRAMS

COMPILED = [name for name, sample in PROGRAMS.items() if sample.compiled]


def both(program, *args):
    """Run a program by the interpreter and as printed Python, before and after lowering."""
    args = tuple(_as_declared(p.type, a) for p, a in zip(program.params, args, strict=True))
    with np.errstate(all="ignore"):
        want = run(program, *args)
    want = want if len(program.results) != 1 else (want,)
    for form in (program, lower(program)):
        before = [np.array(a) for a in args]
        got = compile_program(form, "python")(*args)
        for g, w, atom in zip(got, want, program.results, strict=True):
            single = program.type_of(atom).dtype == "float32"
            np.testing.assert_allclose(g, w, rtol=1e-4 if single else 1e-10, atol=1e-6 if single else 1e-13)
            assert np.shape(g) == np.shape(w)
            assert np.asarray(g).dtype == np.asarray(w).dtype
        for a, old in zip(args, before, strict=True):
            np.testing.assert_array_equal(a, old)
    return want


def _as_declared(type_, value):
    """Give a seed the kind of number that its parameter declares."""
    if isinstance(type_, Scalar):
        kinds = {"float64": float, "int64": int, "bool": bool, "complex128": complex}
        return kinds[type_.dtype](value) if type_.weak else np.dtype(type_.dtype).type(value)
    return np.asarray(value, type_.dtype)


# One for both tests of a program: they run one after the other, and the derivatives are made once.
@pytest.fixture(scope="module")
def modes(request):
    sample = PROGRAMS[request.param]
    return Modes(sample.function, sample.args, optimize, both)


@pytest.mark.parametrize("modes", PROGRAMS, indirect=True)
def test_the_corpus_prints_right(modes):
    rng = np.random.default_rng(3)
    results = modes.call(modes.program)
    modes.jvp(modes.directions(rng))
    modes.vjp(modes.random(rng, [results[i] for i in modes.outputs]))


@pytest.mark.parametrize("modes", COMPILED[::2], indirect=True)
def test_numba_infers_the_types_that_programs_declare(modes):
    for program in (modes.program, modes.tangent_program(), modes.adjoint_program()):
        assert harvest.check(lower(program))
