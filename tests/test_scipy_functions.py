"""Functions of SciPy that are written in Python here: SciPy's values, and derivatives against differences of them."""

import inspect

import numpy as np
import pytest
import scipy.integrate as si
import scipy.linalg as sl
import scipy.signal as ss
import scipy.special as sp
import scipy.stats as st

import srcdiff as sd
from srcdiff.frontend.in_python import dense, distributions, special
from tests.oracle import differences, directions

RNG = np.random.default_rng(0)
M, B, RIGHT = RNG.normal(size=(4, 4)) / 2, RNG.normal(size=4), RNG.normal(size=(4, 2))
P = M @ M.T + np.eye(4)
BAND = RNG.normal(size=(4, 6)) + np.array([[0.0], [3.0], [0.0], [0.0]])

LINALG = {
    "solve": (lambda a, b: sl.solve(a, b), M, B), "solve pos": (lambda a, b: sl.solve(a + a.T, b, assume_a="pos"), P, RIGHT),
    "solve sym": (lambda a, b: sl.solve(a, b, lower=True, assume_a="sym", transposed=False), P, B),
    "cholesky": (lambda a: sl.cholesky(a, lower=True) + sl.cholesky(a), P),
    "cho_solve": (lambda a, b: sl.cho_solve(sl.cho_factor(a), b) + sl.cho_solve(sl.cho_factor(a, lower=True), b), P, B),
    "triangular": (lambda a, b: sl.solve_triangular(a, b, trans="T") + sl.solve_triangular(a, b, lower=True, unit_diagonal=True), P, RIGHT),
    "lu": (lambda a, b: sl.lu_solve(sl.lu_factor(a), b) + sl.lu_solve(sl.lu_factor(a), b, trans=1), M, RIGHT),
    "banded": (lambda a, b: sl.solve_banded((2, 1), a, b), BAND, RNG.normal(size=6)),
    "tridiagonal": (lambda a, b: sl.solve_banded((1, 1), a, b), BAND[:3], RNG.normal(size=(6, 2))),
    "expm": (lambda a: sl.expm(a) + sl.expm(9.0 * a) * 1e-3, M), "eigvalsh": (lambda a: sl.eigh(a + a.T, eigvals_only=True), M),
    "lyapunov": (lambda a, q: sl.solve_continuous_lyapunov(a, q) + sl.solve_discrete_lyapunov(0.3 * a, q), M, P),
    "patterns": (lambda c, r: sl.block_diag(sl.toeplitz(c, r), c), B, RNG.normal(size=3)),
    "lfilter": (lambda b, a, x: ss.lfilter(b, a, x), B[:3], np.array([2.0, 0.3]), RNG.normal(size=6)),
    "cumulative_trapezoid": (lambda y, x: si.cumulative_trapezoid(y, x, initial=0) + si.cumulative_trapezoid(y, dx=0.5, initial=0), B, np.cumsum(P[0]**2)),
    "simpson": (lambda y: si.simpson(y, dx=0.1) + si.simpson(y[1:], x=np.arange(3.0)**2), B),
    "frozen": (lambda x, m: st.norm(m[0], 2.0).logpdf(x) + st.norm(scale=3.0).cdf(x), B, B[:1]),
    "normal": (lambda x, m, c: st.multivariate_normal.logpdf(x, m, c @ c.T), RIGHT.T, B, M + np.eye(4)),
    "leggauss": (lambda x: sum(w * np.exp(t * x) for t, w in zip(*np.polynomial.legendre.leggauss(4), strict=True)), B),
}


def agrees(f, args):
    """Compare value and derivative with the function run as it is, and differences of it."""
    direction = directions(args, np.random.default_rng(1))
    value, tangent = sd.jvp(sd.differentiate(f, target="python"), args, direction)
    (expected, error), = differences(f, args, direction, step=1e-3)
    np.testing.assert_allclose(value, f(*args), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(tangent, expected, rtol=1e-7, atol=1e-8 + 10 * error)


@pytest.mark.parametrize("name", LINALG)
def test_values_and_derivatives(name):
    f, *args = LINALG[name]
    agrees(f, tuple(args))


SHAPES = {"lognorm": (0.7,), "gamma": (2.3,), "invgamma": (2.1,), "chi2": (3.0,), "beta": (2.0, 3.0), "t": (4.5,), "poisson": (2.2,),
          "binom": (5, 0.3)}
ONE_VARIABLE = [(name, f) for name, f in vars(distributions).items()
                if hasattr(st, name.rpartition("_")[0]) and not name.startswith("multivariate")]


@pytest.mark.parametrize("name, function", ONE_VARIABLE, ids=[n for n, _ in ONE_VARIABLE])
def test_densities_are_scipys(name, function):
    family, _, what = name.rpartition("_")
    counts = "mu" in inspect.signature(function).parameters or "n" in inspect.signature(function).parameters
    x = np.array([-1.0, 0.0, 2.0, 0.5, 5.0]) if counts else np.array([0.07, 0.5, 0.93]) if what in ("ppf", "isf") \
        else np.array([-1.3, 0.2, 0.45, 0.9, 1.9, 3.1])
    more = SHAPES.get(family, ()) + (() if counts else (0.2, 1.7))
    np.testing.assert_allclose(function(x, *more), getattr(getattr(st, family), what)(x, *more), rtol=1e-12)
    if not counts:
        inside = x[(x > 0.2) & (x < 1.9)]
        agrees(lambda x, scale: getattr(getattr(st, family), what)(x, *more[:-1], scale), (inside, more[-1]))


def test_quantiles_to_the_last_places():
    p = np.concatenate([np.logspace(-300, -1, 40), np.linspace(0.05, 0.95, 19), 1.0 - np.logspace(-1, -15, 15)])
    np.testing.assert_allclose(special.ndtri(p), sp.ndtri(p), rtol=2e-14, atol=1e-16)
    y = np.concatenate([np.logspace(-12, -1, 12), np.linspace(-0.999, 0.999, 12)])
    np.testing.assert_allclose(special.erfinv(y), sp.erfinv(y), rtol=2e-14)
    x = np.concatenate([-np.logspace(-3, 3, 40), np.logspace(-3, 1.4, 20)])
    np.testing.assert_allclose(special.log_ndtr(x), sp.log_ndtr(x), rtol=1e-12)
    for f in (sp.ndtri, sp.erfinv, sp.erfcinv):
        agrees(lambda x, f=f: f(x), (np.array([0.02, 0.3, 0.8]),))
    agrees(lambda x: sp.log_ndtr(x), (np.array([-30.0, -3.0, 1.0]),))


def test_singular_bands_and_indefinite_matrices_raise():
    with pytest.raises(np.linalg.LinAlgError):
        dense.solve_banded((0, 0), np.zeros((1, 2)), np.ones(2))
    with pytest.raises(sd.errors.LinearAlgebraError):
        sd.differentiate(lambda a: sl.cho_factor(a)[0].sum(), target="python").grad(-P)


@pytest.mark.parametrize("f, what", [
    (lambda x: si.quad(lambda t: np.exp(-x[0] * t), 0, 1)[0], "scipy.integrate.quad"), (lambda x: sp.zeta(x[0], 1.0), "scipy.special.zeta"),
    (lambda x: np.sum(x * np.random.default_rng(3).normal(size=4)), "random numbers are drawn"),            # noqa: NPY002
], ids=["quad", "zeta", "random"])
def test_what_is_missing_is_said_of_the_users_line(f, what):
    with pytest.raises(sd.errors.UnsupportedError) as caught:
        sd.differentiate(f, target="python").grad(B)
    problem, = caught.value.problems
    assert what in problem.what and problem.where.file == __file__ and problem.fix


# -- arrays without axes --------------------------------------------------------------------------------

def quotient(x):
    return 2.0 * np.true_divide(x[0], x[1], out=np.zeros_like(x[1]), where=x[1] != 0)


def filled_and_read(x):
    held = np.zeros(())
    total = np.add(x[0], x[1], out=held)
    return total * held


@pytest.mark.parametrize("f", [quotient, filled_and_read])
def test_out_without_axes_is_what_was_stored(f):
    agrees(f, (B,))


def changed(a):
    a += 1.0
    return a


@pytest.mark.parametrize("f", [
    lambda x: (lambda a: a + np.add(x[0], x[1], out=a))(np.zeros(())), lambda x: (lambda a: [a, changed(a)][0])(np.array(x[0])),
    lambda x: (lambda a: a * changed(a))(np.array(x[0])),
], ids=["out", "list", "product"])
def test_an_operand_that_a_later_one_changes_is_refused(f):
    with pytest.raises(sd.errors.UnsupportedError, match="SD0220.*without axes"):
        sd.differentiate(f, target="python").grad(B)
