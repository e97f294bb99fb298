"""Complex numbers inside real functions at the public surface: values, refusals, shared memory, compiled code.

The corpus (`tests/programs/complex_numbers.py`) is differentiated in every mode elsewhere.
"""

import cmath
import math

import numpy as np
import pytest

import srcdiff as sd
from tests.oracle import differences

X = np.array([0.3, -0.8, 1.7])


def python(function):
    return sd.differentiate(function, target="python")


def gradient_by_differences(f, x):
    return np.array([differences(f, (x,), (e,))[0][0] for e in np.eye(len(x))])


# -- closed forms ------------------------------------------------------------------------

def test_the_modulus_of_a_phase_does_not_depend_on_it():
    f = python(lambda x: np.sum(np.abs(np.exp(1j * x))))
    np.testing.assert_allclose(f.grad(X), 0.0, atol=1e-15)
    np.testing.assert_allclose(f.hessian(X), 0.0, atol=1e-15)


def test_the_argument_of_a_phase_is_the_phase():
    f = python(lambda t, r: cmath.phase(r * cmath.exp(1j * t)))
    assert f.grad(0.7, 2.0) == pytest.approx(1.0, rel=1e-14)
    assert sd.grad(f, argnums=1)(0.7, 2.0) == pytest.approx(0.0, abs=1e-16)


def test_parseval():
    """Sum |F x|^2 = n sum x^2, so the gradient is 2 n x and the Hessian 2 n I."""
    def power(x):
        n = len(x)
        k = np.arange(n)
        z = np.exp(-2j * np.pi * np.outer(k, k) / n) @ x
        return np.sum(z.real ** 2 + z.imag ** 2)
    f = python(power)
    np.testing.assert_allclose(f.grad(X), 6 * X, rtol=1e-13)
    np.testing.assert_allclose(f.hessian(X), 6 * np.eye(3), rtol=1e-13, atol=1e-13)


def test_a_root_of_a_polynomial():
    """z^2 + p z + q = 0 has dz/dp = -z / (2 z + p), dz/dq = -1 / (2 z + p)."""
    def root(p, q):
        z = 0.5 * (-p + cmath.sqrt(p * p - 4 * q))
        return z.real, z.imag
    p, q = 1.0, 3.0
    z = complex(*root(p, q))
    found = sd.jacrev(python(root), argnums=(0, 1))(p, q)
    for which, slope in ((0, -z / (2 * z + p)), (1, -1 / (2 * z + p))):
        assert complex(found[0][which], found[1][which]) == pytest.approx(slope, rel=1e-13)


def test_both_sides_of_a_branch_cut():
    f = python(lambda x, side: np.sqrt(x + side * 1e-300j).imag)
    assert f.grad(-4.0, 1.0) == pytest.approx(-0.25) and f.grad(-4.0, -1.0) == pytest.approx(0.25)


def test_the_slope_of_the_modulus_at_zero_is_zero():
    assert python(lambda x: abs(x * (1 + 1j))).grad(0.0) == 0.0


# -- constants -----------------------------------------------------------------------------

def scaled(x, z):
    return np.sum(np.abs(x * z) ** 2)


def test_complex_arguments_are_constants():
    z = np.array([1 + 2j, 0.5j, -1.0])
    expected = 2 * X * np.abs(z) ** 2
    np.testing.assert_allclose(python(scaled).grad(X, z), expected, rtol=1e-14)
    value, pullback = sd.vjp(python(scaled), X, z)
    np.testing.assert_allclose(pullback(1.0)[0], expected, rtol=1e-14)
    assert pullback(1.0)[1] is None
    _, tangent = sd.jvp(python(scaled), (X, z), (np.ones(3), None))
    assert tangent == pytest.approx(expected.sum(), rel=1e-14)


def test_aux_may_be_complex():
    gradient, z = sd.grad(python(lambda x: (abs(x * 2j), x * 2j)), has_aux=True)(1.5)
    assert (gradient, z) == (2.0, 3j)


def test_captured_complex_numbers_are_seen_anew():
    factor = 2j
    f = python(lambda x: (x * factor).imag)
    assert f.grad(1.0) == 2.0
    factor = 3j
    assert f.grad(1.0) == 3.0


# -- refusals ------------------------------------------------------------------------------

def stored(x):
    y = np.zeros(2)
    y[0] = x * 1j
    return y[0]


@pytest.mark.parametrize("f, what", [
    (lambda x: np.maximum(x * 1j, 0).imag, "`maximum` of complex"),
    (lambda x: x if x * 1j < 1j else 2 * x, "`less` of complex"),
    (lambda x: np.var(np.array([x, x * 1j])).real, "`var` of complex"),
    (lambda x: np.floor(x * 1j).real, "`floor` of complex"),
    (lambda x: np.sign(x * 1j).imag, "`sign` of complex"),
    (lambda x: float(x * 1j), "converted to float64"),
    (lambda x: math.sin(x * 1j), "converted to float64"),
    (lambda x: max(x * 1j, 1j).imag, "`maximum` of complex"),
    (lambda x: np.sort(np.array([x, 1j]))[0].imag, "`sort` of complex"),
    (lambda x: np.array([x, 1j]).max().imag, "`max` of complex"),
    (lambda x: np.array([x, 1j]).std(), "`std` of complex"),
    (lambda x: np.linalg.eigh(x * np.eye(2) * 1j)[0][0], "`eigh` of complex"),
    (lambda x: cmath.acosh(x).real, "`arccosh` of complex"),
    (lambda x: ((x * 1j) % 2).real, "`remainder` of complex"),
    (lambda x: np.linspace(0, x * 1j, 3)[1].imag, "`linspace` of complex"),
    (lambda x: np.isclose(x * 1j, 1j) * x, "`isclose` of complex"),
    (lambda x: x if np.any(np.array([x * 1j])) else x * 2, "`any` of complex"),
    (stored, "stored in `y`"),
])
def test_what_complex_numbers_do_not_have_is_refused(f, what):
    with pytest.raises(sd.errors.UnsupportedError, match=what) as error:
        python(f).grad(2.0)
    assert "test_complex.py" in str(error.value) and "fix:" in str(error.value)
    assert error.value.problems[0].code == "SD0245"


def test_complex_arguments_are_not_differentiated():
    for call in (lambda: python(scaled).grad(1j, 2.0), lambda: sd.jvp(python(scaled), (1j, 2.0), (1.0, None)),
                 lambda: sd.grad(python(scaled), argnums=1)(X, np.array([1j]))):
        with pytest.raises(sd.errors.ArgumentError) as error:
            call()
        assert error.value.problems[0].code == "SD0303"


def test_complex_results_are_not_differentiated():
    f = python(lambda x: (x * 1j, 2 * x))
    for call in (lambda: sd.jacrev(f)(1.0), lambda: sd.jacfwd(f)(1.0), lambda: sd.jvp(f, (1.0,), (1.0,)),
                 lambda: sd.vjp(f, 1.0)[1]((1.0, 1.0)), lambda: sd.hessian(f)(1.0)):
        with pytest.raises(sd.errors.ArgumentError, match="is complex") as error:
            call()
        assert error.value.problems[0].code == "SD0321"


# -- the parts of an array share its memory ----------------------------------------------------

def written_part(x):
    z = x * 1j
    part = z.imag
    part[0] = 3.0
    return np.sum(z.imag)


def written_whole(x):
    z = x * 1j
    part = np.imag(z)
    z[0] = 3j
    return np.sum(part)


@pytest.mark.parametrize("f", [written_part, written_whole])
def test_a_write_through_a_part_is_refused(f):
    with pytest.raises(sd.errors.UnsupportedError, match="view of the same memory"):
        python(f).grad(X)


def parts_kept(x):
    z = x * (1 + 1j)
    part = z.imag.copy()
    z[0] = 3j
    part[1] = x[1] ** 2
    same = x.conj()
    return np.sum(part * x) + np.sum(np.conj(x) * same) + np.sum(z.real) + np.sum(x.imag)


def test_copies_of_parts_may_be_written():
    np.testing.assert_allclose(python(parts_kept).grad(X), gradient_by_differences(parts_kept, X), rtol=1e-9)


# -- compiled ------------------------------------------------------------------------------------

def quotients(x, d):
    z = np.zeros(len(x), dtype=np.complex128)
    for i in range(len(x)):
        z[i] = (x[i] + 1j) / d[i]
    return z.real * x


def test_division_by_zero_is_that_of_numpy():
    d = np.array([1.0, 0.0, 2.0])
    with np.errstate(all="ignore"):
        expected = quotients(X, d)
        found = sd.differentiate(quotients)(X, d)
        by_rows = sd.jacrev(quotients)(X, d)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(np.diag(by_rows)[[0, 2]], 2 * X[[0, 2]] / d[[0, 2]], rtol=1e-14)
    assert not np.isfinite(by_rows[1, 1])


def test_types_of_compiled_code_and_the_check():
    def f(x):
        z = 1.0
        for v in x:
            z = z * (v + 0.5j)
        return abs(z) + z.imag
    report = sd.differentiate(f).check(X)
    assert report.value < 1e-12 and report.differences < 1e-8 and report.complex_step is None
    np.testing.assert_allclose(sd.hessian(f)(X), python(f).hessian(X), rtol=1e-12)


def test_the_source_reads_as_written():
    text = sd.grad(python(lambda t: (1j * cmath.exp(-2j * t) / (1 + 2j)).real)).source(0.5)
    assert "1j" in text and "complex(1.0, 2.0)" in text and "np.complex128(" not in text.partition('"""')[2]
