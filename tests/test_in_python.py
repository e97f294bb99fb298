"""NumPy and SciPy functions that are translated as Python: values, both modes and second order against differences."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.special as sp

import srcdiff as sd
from srcdiff.frontend.in_python import FUNCTIONS
from tests.oracle import differences

V, W = np.array([0.3, -0.8, 1.7, 0.9]), np.array([1.1, 0.4, -0.6, 2.0])
P = np.array([0.3, 0.6, 0.8])
M = np.array([[2.0, 0.3, 0.1], [0.2, 1.5, -0.4], [0.5, -0.1, 1.8]])
R = np.array([[0.2, 1.3, -0.7], [0.9, -0.4, 0.5]])
C = np.arange(24.0).reshape(2, 3, 4) / 10 + 0.05 * np.sin(np.arange(24.0)).reshape(2, 3, 4)
TALL = np.vstack([M, R])
POSITIVE = np.stack([M @ M.T + np.diag([1.0, 2.0, 4.0]), np.diag([3.0, 5.0, 9.0])])
ABOVE = np.array([1.2, 1.3, 1.6])


def sorted_in_place(x):
    y = x.copy()
    y.sort()
    return y * np.arange(4.0)


def two_shapes(x):
    return np.tensordot(x, M, axes=([1], [0])), np.tensordot(x, x, axes=0)[0, 0, 0]


def least_squares(a, b):
    x, residuals, rank, s = np.linalg.lstsq(a, b, rcond=None)
    return x * rank, residuals, s


def uniques(x):
    values, first, inverse, counts = np.unique(x, True, True, True)
    return values * first + np.sum(values[inverse] * counts[inverse])


def histogram_of(x, w):
    counts, edges = np.histogram(x, bins=3, weights=w)
    return counts * edges[1:], edges


def in_place_where(x):
    made = np.zeros_like(x)
    np.log(x, out=made, where=x > 0)
    return made + np.divide(1.0, x, out=np.ones_like(x), where=x > 0)


def product_of_cross(x):
    y = x.copy()
    y[np.ix_([0, 2], [1, 2])] = x[:2, :2] ** 2
    return y * y


def of_nonzero(x):
    i, j = np.nonzero(x > 0)
    return x[i, j] ** 2


def of_at(x, w):
    y = x * x
    np.multiply.at(y, [0, 2, 0], w)
    np.divide.at(y, [1, 1], w[:2])
    np.maximum.at(y, [1, 3], w[:2])
    np.minimum.at(y, [0, 3], 0.5)
    return y


def smoothed(x):
    return np.fft.irfft(np.fft.rfft(x * x) * np.exp(-np.arange(3.0)), 4)


# name -> (function, arguments); functions of SciPy and NumPy by their names where they need no more
CASES = {
    "sort rows": (lambda x: np.sort(x, axis=1) * np.arange(3.0), R), "sort columns": (lambda x: np.sort(x, axis=0), R),
    "sort all": (lambda x: np.sort(x, axis=None)[:2], R), "sort last of three": (lambda x: np.sort(x), C),
    "argsort": (lambda x: np.take_along_axis(x, np.argsort(x, axis=1), axis=1) ** 2, R),
    "x.sort()": (sorted_in_place, V), "x.argsort()": (lambda x: x[x.argsort()] ** 2, V),
    "median of what may be overwritten": (lambda x: np.median(x * x, overwrite_input=True) * x, V),
    "repeat counts": (lambda x: np.repeat(x * x, [2, 0, 1, 3]) * np.arange(6.0), V),
    "repeat columns": (lambda x: np.repeat(x * x, np.array([1, 2, 0]), axis=1), R),
    "median rows": (lambda x: np.median(x, axis=1), R), "median all": (lambda x: np.median(x), R),
    "percentile": (lambda x: np.percentile(x, 30), V), "percentiles": (lambda x: np.percentile(x, [30, 60]), V),
    "quantile rows": (lambda x: np.quantile(x, 0.3, axis=1), R), "quantile in q": (lambda q: np.quantile(V, q), 0.3),
    "quantile keepdims": (lambda x: x - np.quantile(x, 0.3, axis=1, keepdims=True), R),
    "compress": (lambda x: np.compress(x > 0, x) ** 2, V), "x.compress()": (lambda x: x.compress(x > 0) ** 2, V),
    "extract": (lambda x: np.extract(x > 0, x) ** 2, V),
    "choose": (lambda x: np.choose(np.array([0, 1, 0, 1]), [x, x * x]), V),
    "bincount": (lambda x: np.bincount(np.array([0, 1, 1, 3]), weights=x) ** 2, V),
    "digitize": (lambda x: x * np.digitize(x, np.array([-1.0, 0, 1.0])), V),
    "interp period": (lambda x, y: np.interp(x, np.array([0.0, 1.0, 2.0]), y, period=3.0), V, P),
    "take_along broadcast": (lambda x: np.take_along_axis(x, np.array([[1, 0]]), axis=1) ** 2, R),
    **{f"rot90 {k}": (lambda x, k=k: np.rot90(x, k) * np.rot90(np.ones((2, 3)), k), R) for k in (-1, 0, 1, 2)},
    "fliplr": (lambda x: np.fliplr(x) * x, R), "flipud": (lambda x: np.flipud(x) * x, R),
    "rollaxis": (lambda x: np.rollaxis(x, 2), C), "matrix_transpose": (lambda x: np.matrix_transpose(x) * 2, C),
    "mT": (lambda x: x.mT @ x, C), "dstack": (lambda x: np.dstack([x, x * x]), V),
    "atleast_3d": (lambda x: np.atleast_3d(x) * 2, V), "ediff1d": (lambda x: np.ediff1d(x), V),
    "split": (lambda x: np.split(x, 2)[1] ** 2, V), "split at": (lambda x: np.split(x, [1, 3])[1] ** 2, V),
    "array_split": (lambda x: np.array_split(x, 3)[0] ** 2, V), "hsplit": (lambda x: np.hsplit(x, 3)[1] ** 2, R),
    "vsplit": (lambda x: np.vsplit(x, 2)[1] ** 2, R), "pad": (lambda x: np.pad(x, 1), V),
    "pad by": (lambda x: np.pad(x, (1, 2), mode="constant", constant_values=3.0) * 2, V),
    "pad matrix": (lambda x: np.pad(x, ((1, 0), (0, 2))), R),
    **{f"pad {mode}": (lambda x, mode=mode: np.pad(x, 2, mode=mode) ** 2, V)
       for mode in ("edge", "reflect", "symmetric", "wrap")},
    "triu_indices": (lambda x: x[np.triu_indices(3, 1)] ** 2, M),
    "tril_indices": (lambda x: x[np.tril_indices(len(x))] ** 2, M),
    "tri": (lambda x: np.tri(3) * x, M), "diagflat": (lambda x: np.diagflat(x), V),
    "vander": (lambda x: np.vander(x), P), "vander up": (lambda x: np.vander(x, 2, increasing=True), P),
    "diagonal": (lambda x: np.diagonal(x, 1, 1, 2) ** 2, C), "trace": (lambda x: np.trace(x, axis1=1, axis2=2), C),
    "linalg.trace": (lambda x: np.linalg.trace(x), C), "linalg.diagonal": (lambda x: np.linalg.diagonal(x), C),
    "gradient": (lambda x: np.gradient(x), V), "gradient h": (lambda x: np.gradient(x, 0.1), V),
    "gradient at": (lambda x, t: np.gradient(x, t), V, np.array([0.0, 1.0, 1.5, 3.0])),
    "gradient of a matrix": (lambda x: np.gradient(x)[1], M), "gradient axis": (lambda x: np.gradient(x, axis=0), M),
    "trapezoid rows": (lambda x: np.trapezoid(x, axis=0), R),
    "cumprod rows": (lambda x: np.cumprod(x, axis=1), R), "x.cumprod()": (lambda x: x.cumprod(), V),
    "diff prepend": (lambda x: np.diff(x, prepend=0.0, append=x[:1]) ** 2, V), "unwrap": (lambda x: np.unwrap(9 * x), V),
    **{f"convolve {mode}": (lambda x, y, mode=mode: np.convolve(x, y, mode), V, P) for mode in ("full", "same", "valid")},
    **{f"convolve short {mode}": (lambda x, y, mode=mode: np.convolve(x, y, mode), P[:2], V) for mode in ("same", "valid")},
    **{f"correlate {mode}": (lambda x, y, mode=mode: np.correlate(x, y, mode), V, P) for mode in ("full", "same", "valid")},
    **{f"correlate short {mode}": (lambda x, y, mode=mode: np.correlate(x, y, mode), P[:2], V)
       for mode in ("full", "same", "valid")},
    "average": (lambda x, w: np.average(x, axis=1, weights=w), R, P),
    "cov": (lambda x: np.cov(x), R), "cov of two": (lambda x: np.cov(x, W, bias=True), V),
    "corrcoef": (lambda x: np.corrcoef(x), R),
    "nanmean": (lambda x: np.nanmean(np.array([x[0], np.nan, x[1] * x[2]])), V),
    "nanmean rows": (lambda x: np.nanmean(x, axis=0), R), "nanvar": (lambda x: np.nanvar(x, axis=1, ddof=1), R),
    "nanstd": (lambda x: np.nanstd(x), R), "nanprod": (lambda x: np.nanprod(x), V),
    "nancumsum": (lambda x: np.nancumsum(x), V), "nanmedian": (lambda x: np.nanmedian(x), V),
    "maximum.accumulate": (lambda x: np.maximum.accumulate(x) * x, V),
    "minimum.accumulate": (lambda x: np.minimum.accumulate(x, axis=1), R),
    "add.accumulate": (lambda x: np.add.accumulate(x), V), "multiply.accumulate": (lambda x: np.multiply.accumulate(x), R),
    "add.reduce": (lambda x: np.add.reduce(x), R), "multiply.reduce": (lambda x: np.multiply.reduce(x, axis=1), R),
    "maximum.reduce": (lambda x: np.maximum.reduce(x), R), "logaddexp.reduce": (lambda x: np.logaddexp.reduce(x), R),
    **{f"{name}.reduceat": (lambda x, name=name: getattr(np, name).reduceat(x, [0, 2, 1, 3]), V[:4])
       for name in ("add", "multiply", "maximum", "minimum")},
    "reduceat rows": (lambda x: np.add.reduceat(x, np.array([0, 1]), axis=1), R),
    "multiply.outer": (lambda x: np.multiply.outer(x, R), P), "subtract.outer": (lambda x: np.subtract.outer(x, x * x), V),
    "tensordot": (lambda x: np.tensordot(x, x, axes=2), M), "tensordot axes": (two_shapes, R),
    "tensordot one": (lambda x: np.tensordot(x, M, axes=1), C[:, :, :3]),
    "dot of many axes": (lambda x: np.dot(x[:, :, :3], np.moveaxis(x, 2, 1)[:, :3, :])[0, 1], C),
    "multi_dot": (lambda x: np.linalg.multi_dot([x, x, x[:, 0]]), M), "vecdot": (lambda x: np.vecdot(x, x * x), R),
    **{f"norm of a matrix {order}": (lambda x, order=order: np.linalg.norm(x, order), M)
       for order in (1, -1, 2, -2, np.inf, -np.inf, "nuc")},
    **{f"norm {order}": (lambda x, order=order: np.linalg.norm(x, order), V) for order in (0, 3, 2.5, -1)},
    "norms of rows": (lambda x: np.linalg.norm(x, 3, axis=1, keepdims=True), R),
    "norms of matrices": (lambda x: np.linalg.norm(x, 1, axis=(1, 2)), C),
    "cond": (lambda x: np.linalg.cond(x), M), "cond 1": (lambda x: np.linalg.cond(x, 1), M),
    "lstsq": (least_squares, TALL, np.arange(5.0)), "pinv wide": (lambda a: np.linalg.pinv(a), R),
    "inv of many": (lambda x: np.linalg.inv(np.stack([x, x.T])), M),
    "det of many": (lambda x: np.linalg.det(np.stack([x, x.T])), M),
    "solve many": (lambda x: np.linalg.solve(np.stack([x, x.T]), np.ones((2, 3, 1))), M),
    "cholesky of many": (lambda x: np.linalg.cholesky(POSITIVE * x[0, 0] ** 2), M),
    "slogdet of many": (lambda x: np.linalg.slogdet(np.stack([x, x.T @ x]))[1], M),
    "eigh of many": (lambda x: np.linalg.eigh(POSITIVE + x + x.T).eigenvectors ** 2, M),
    "eigvalsh of many": (lambda x: np.linalg.eigvalsh(POSITIVE + x + x.T), M),
    "names of results": (lambda x: np.linalg.qr(x).R ** 2 * np.linalg.slogdet(x).logabsdet + np.linalg.svd(x, False).S, M),
    "inner of many": (lambda x: np.inner(x, x[0] * 2), C),
    "qr r": (lambda x: np.linalg.qr(x, mode="r") ** 2, M),
    "einsum twice": (lambda x: np.einsum("ii->i", x) * np.einsum("jj", x), M),
    "einsum optimize": (lambda x: np.einsum("ij,jk,kl->il", x, x, x, optimize=True), M),
    "vector_norm": (lambda x: np.linalg.vector_norm(x), V), "matrix_norm": (lambda x: np.linalg.matrix_norm(x), C),
    "logsumexp": (lambda x: sp.logsumexp(x, axis=1, keepdims=True), R),
    "logsumexp b": (lambda x, b: sp.logsumexp(x, b=b), V, W + 1.0),
    "expit of a number": (lambda x: sp.expit(x), -0.7), "ldexp": (lambda x: np.ldexp(x, 2), V),
    "modf": (lambda x: np.modf(x)[0] ** 2, V), "divmod": (lambda x: np.divmod(x, 0.5)[1], V),
    "fix": (lambda x: np.fix(x) + x, V), "signbit": (lambda x: np.where(np.signbit(x), x, 2 * x), V),
    "logspace": (lambda x: np.logspace(0, x, 4), 0.7), "geomspace": (lambda a, b: np.geomspace(a, b, 4), 0.3, 1.7),
    "array_equal": (lambda x: x * np.array_equal(x, x), V), "isin": (lambda x: x * np.isin(x, [5.0]), V),
    **{name: (getattr(sp, name), P) for name in (
        "expit log_expit logit entr ndtr log_ndtr exp10 factorial expm1 log1p cbrt").split()},
    **{name: (getattr(sp, name), P, ABOVE) for name in (
        "xlogy xlog1py rel_entr kl_div betaln beta huber pseudo_huber boxcox poch").split()},
    "unique": (uniques, V), "histogram": (histogram_of, V, W), "where= and out=": (in_place_where, V),
    "histogram density": (lambda x: np.histogram(x, bins=2, density=True)[0] * x[:2], V),
    "histogram range": (lambda x: x * np.histogram(x, bins=4, range=(-1, 2))[0], V),
    "sum where": (lambda x: np.sum(x, axis=1, where=x > 0) + np.prod(x, axis=1, initial=2.0, where=x < 1), R),
    "max where": (lambda x: np.max(x, axis=0, where=x < 1, initial=0.2) * np.min(x, initial=0.1), R),
    "mean where": (lambda x: np.mean(x, axis=1, where=x > 0, keepdims=True), R),
    "take wrap": (lambda x: np.take(x, [5, -1], mode="wrap") * np.take(x, [9, -3], mode="clip"), V),
    "lexsort": (lambda x: x[np.lexsort((x, np.array([1, 0, 1, 0])))] ** 2, V), "nonzero": (of_nonzero, R),
    "argwhere": (lambda x: x[np.argwhere(x > 0)[0, 0]], R), "ix_": (product_of_cross, M),
    "unravel_index": (lambda x: x[np.unravel_index(4, x.shape)] ** 2, R),
    "delete": (lambda x: np.delete(x, 1) ** 2, V), "delete rows": (lambda x: np.delete(x, [0, -1], axis=0), M),
    "insert": (lambda x: np.insert(x, 2, x[0] ** 2), V), "insert row": (lambda x: np.insert(x, 1, x[0] * x[1], axis=0), M),
    "insert many": (lambda x: np.insert(x, [1, 0, 3], x[:3] ** 2), V), "block": (lambda x: np.block([[x, x * x], [x, x]]), R),
    "apply_along_axis": (lambda x: np.apply_along_axis(lambda r: r[0] * np.sum(r), 1, x), R),
    "apply_along_axis rows": (lambda x: np.apply_along_axis(lambda r, k: k * r * r[0], 0, x, 2.0), R),
    "piecewise": (lambda x: np.piecewise(x, [x < -0.5, x > 1], [1.0, lambda t: t * t, lambda t: 3 * t]), V),
    "polyfit": (lambda x, y: np.polyfit(x, y, 1, w=1 + y * y), V, W), "polyder": (lambda x: np.polyder(x, 2), V),
    "polyint": (lambda x: np.polyint(x * x), V), "polymul": (lambda x: np.polymul(x, x[:2]) ** 2, V),
    "polyadd": (lambda x: np.polyadd(x, x[:2]) * np.polysub(x[1:], x), V),
    "fft": (lambda x: np.abs(np.fft.fft(x)) ** 2, V), "fft of 6": (lambda x: np.fft.fft(np.ravel(x)).imag, R),
    "fft norms": (lambda x: np.fft.fft(x, axis=0, norm="ortho").imag + np.fft.ifft(x, axis=0, norm="forward").real, TALL),
    "fft lengths": (lambda x: np.fft.fft(x, 8).real[1:4] * np.fft.fft(x, 3).real, V), "rfft": (smoothed, V),
    "irfft odd": (lambda x: np.fft.irfft(np.fft.rfft(x, 5) * 1j, 5) * np.fft.fftfreq(5), V),
    "fft2": (lambda x: np.fft.ifft2(np.fft.fft2(x) ** 2).real, R), "rfft2": (lambda x: np.abs(np.fft.rfft2(x)), M),
    "irfft2": (lambda x: np.fft.irfft2(np.fft.rfft2(x) * 2), R.T), "ifftn": (lambda x: np.fft.ifftn(x * x).imag, R),
    "fftshift": (lambda x: np.fft.fftshift(x) * np.fft.ifftshift(x) + np.fft.rfftfreq(5)[:1], V),
    "partition": (lambda x: np.partition(x, 1)[1] * x[np.argpartition(x, 2)[2]], V),
    "multiply.at": (of_at, V, P), "r_": (lambda x: np.r_[x, 1.0, x[:2]] * np.r_[1:4, 0:1:4j], V),
    "c_": (lambda x: np.c_[x, x * x], V), "flat": (lambda x: x.flat[3] * x.flat[-1] + sum(v * v for v in x.flat), R),
    "order F": (lambda x: x.reshape((3, -1), order="F") * x.ravel(order="F")[:2] + x.flatten("F")[1], R),
    "histogram_bin_edges": (lambda x: np.histogram_bin_edges(x, 3), V), "hypot of three": (lambda x: math.hypot(x, 2.0, x * x), 0.7),
    "nan_to_num": (lambda x: x * np.nan_to_num(np.append(x[1:], [np.nan, np.inf, -np.inf])[-len(x):], nan=2.0, posinf=1.0), V),
    "rfftn": (lambda x: np.fft.irfftn(np.fft.rfftn(x * x), s=(2, 3), axes=(0, 1)) * np.fft.fftn(x).real, R),
    "float_power": (lambda x: np.float_power(x * x, 1.5) + np.float_power(np.array([2, 100], np.int8), 2)[1], V),
    "heaviside": (lambda x: x[0] * np.nan_to_num(np.heaviside(np.append(x, [np.nan, 0.0, -0.0])[-4:], 0.25), nan=3.0), V),
    "binom": (sp.binom, ABOVE + 2.0, P), "logaddexp2": (np.logaddexp2, V, W),
}
COMPILED = ("pad reflect", "norms of rows", "unique")


def close(found, expected, **tolerance):
    found, expected = (r if isinstance(r, tuple) else (r,) for r in (found, expected))
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, **tolerance)


def along(jacobian, direction):
    if isinstance(jacobian, tuple):
        return tuple(along(j, direction) for j in jacobian)
    return np.tensordot(jacobian, direction, np.ndim(direction)) if np.ndim(direction) else jacobian * direction


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    f, *args = CASES[name]
    g, rng = sd.differentiate(f, target="python"), np.random.default_rng(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "numpy.fix is deprecated")        # from NumPy 2.5 on; it is still there
        expected = f(*args)
        close(g(*args), expected, rtol=1e-12, atol=1e-14)
        jacobians = [transform(g, argnums=tuple(range(len(args))))(*args) for transform in (sd.jacfwd, sd.jacrev)]
        for i, x in enumerate(args):
            direction = rng.normal(size=np.shape(x))
            def moved(v, i=i):
                return f(*args[:i], v, *args[i + 1:])
            numeric = differences(moved, (x,), (direction,))
            assert all(error < 1e-6 for _, error in numeric), "the oracle is not trusted here: move the sample"
            for jacobian in jacobians:
                of_results = jacobian if isinstance(expected, tuple) else (jacobian,)
                close(tuple(along(of_arguments[i], direction) for of_arguments in of_results),
                      tuple(value for value, _ in numeric), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("tensordot axes", "histogram", "lstsq", "pinv wide", "cond")][::4])
def test_second_order(name):
    """The gradient of a fixed combination of the results, against differences of the first gradient."""
    f, *args = CASES[name]
    weights = np.cos(np.arange(200.0))
    x, direction = args[0], np.random.default_rng(4).normal(size=np.shape(args[0]))

    def combined(x):
        y = np.asarray(f(x, *args[1:]))
        return np.sum(np.ravel(y) * weights[:y.size])
    g = sd.differentiate(combined, target="python")
    (expected, error), = differences(sd.grad(g), (x,), (direction,))
    close(g.hvp(x, direction), expected, rtol=1e-6, atol=1e-7 + 10 * error)


@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name):
    f, *args = CASES[name]
    close(sd.differentiate(f)(*args), f(*args), rtol=1e-11, atol=1e-13)
    with_python = sd.jacrev(sd.differentiate(f, target="python"))(*args)
    close(sd.jacrev(f)(*args), with_python, rtol=1e-9, atol=1e-11)


def test_every_function_is_tested():
    """By its name in the text of this file, or of those for iterators and for SciPy."""
    text = "".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("test_in_python.py", "test_iterators.py", "test_scipy_functions.py"))
    missing = [f.__name__ for f in FUNCTIONS if f.__name__ not in text and f.__name__.rstrip("_") not in text]
    assert set(missing) <= {"nancumprod", "tril_indices_from", "triu_indices_from", "reduce", "outer", "accumulate"}


# -- edges ----------------------------------------------------------------------------------------

def python(f):
    return sd.differentiate(f, target="python")


def test_nan_is_handed_on_or_passed_over():
    x = np.array([0.5, np.nan, 2.0])
    assert np.isnan(python(lambda x: np.quantile(x, 0.5))(x))
    assert python(np.nanmean)(x) == np.nanmean(x)
    np.testing.assert_array_equal(python(lambda x: np.nanmean(x)).grad(x), [0.5, 0.0, 0.5])
    np.testing.assert_array_equal(python(lambda x: np.nanmedian(x)).grad(x), [0.5, 0.0, 0.5])


def test_special_functions_at_their_edges():
    for x in (-745.0, -30.0, 0.0, 30.0, 745.0, np.inf, -np.inf):
        assert python(lambda x: sp.expit(x))(x) == pytest.approx(sp.expit(x), rel=1e-14)
        assert python(lambda x: sp.log_expit(x))(x) == pytest.approx(sp.log_expit(x), rel=1e-14)
    assert python(lambda x: sp.xlogy(0.0, x)).grad(0.3) == 0.0
    assert python(lambda x: sp.xlogy(x, 0.0))(0.0) == 0.0
    assert python(lambda x: sp.logsumexp(x))(np.array([-np.inf, -np.inf])) == -np.inf


def reciprocal(a):
    return np.linalg.inv(a)[0, 0]


def squared_q(a):
    return np.linalg.qr(a)[0] ** 2


def of_two_lines(a):
    r = np.linalg.qr(a)[1]
    return np.linalg.solve(a, r)


@pytest.mark.parametrize("f, a, text", [
    (reciprocal, np.ones((2, 2)), "Singular matrix.*inv.*\n.*fix:  take out what depends"),
    (reciprocal, R, "must be square.*inv.*fix:  pass a square matrix"),
    (lambda a: np.linalg.cholesky(a - 9.0), M, "positive definite.*cholesky.*symmetric"),
    (lambda a: np.linalg.eigvalsh(a * a), M * np.nan, "eigvalsh.*nan and infinities"),
    (lambda a: np.linalg.slogdet(a)[1], np.ones((2, 2)), "Singular matrix.*slogdet"),
    (squared_q, R, "as many rows as columns.*qr.*fix:  of a wide matrix, factorize the first columns"),
    (squared_q, np.zeros((2, 2)), "Singular matrix.*qr"),
    (of_two_lines, np.ones((2, 2)), "Singular matrix.*of one of these: `r = .*; `return np.linalg.solve"),
], ids=["singular", "not square", "not definite", "nan", "slogdet", "wide", "dependent columns", "two lines"])
def test_matrices_that_are_refused_name_the_line(f, a, text):
    for derivative in (sd.jacfwd, sd.jacrev):
        with pytest.raises(sd.errors.LinearAlgebraError, match=f"(?s)SD0349.*{text}") as error:
            derivative(python(f))(a)
        assert isinstance(error.value, np.linalg.LinAlgError) and __file__ in str(error.value)


def test_compiled_code_names_the_line_of_a_singular_matrix():
    with pytest.raises(sd.errors.LinearAlgebraError, match="(?s)SD0349.*test_in_python.py.*inv"):
        sd.differentiate(reciprocal).grad(np.ones((2, 2)))


def test_the_first_columns_of_a_wide_matrix_are_factorized():
    """What the refusal tells to write."""
    def f(a):
        q, r = np.linalg.qr(a[:, :len(a)])
        return q, np.hstack((r, q.T @ a[:, len(a):]))
    close(python(f)(R), tuple(np.linalg.qr(R)), rtol=1e-12, atol=1e-14)
    direction = np.cos(np.arange(6.0)).reshape(2, 3)
    for found, (expected, _) in zip(sd.jacrev(python(f))(R), differences(np.linalg.qr, (R,), (direction,)), strict=True):
        close(along(found, direction), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("f, a", [
    (lambda x: np.linalg.svd(x)[1], C), (lambda x: np.linalg.qr(x)[0], C), (lambda x: np.linalg.cond(x, "fro"), C),
    (lambda x: np.linalg.matrix_power(x, 0), C), (lambda x: np.linalg.outer(x, x), M), (lambda x: np.linalg.multi_dot([x, x]), C),
], ids=["svd", "qr", "cond", "matrix_power", "outer", "multi_dot"])
def test_stacks_that_are_refused(f, a):
    with pytest.raises(sd.errors.UnsupportedError, match="(?s)test_in_python.py.*fix:"):
        python(f).jacobian(a)


def test_a_rank_deficient_matrix_has_no_pseudo_inverse_here():
    for f in (lambda a: np.linalg.pinv(a), lambda a: np.linalg.lstsq(a, np.ones(3))[0]):
        with pytest.raises(ValueError, match="SD0346.*full rank"):
            python(f).jacobian(np.outer(P, P))


@pytest.mark.parametrize("f", [
    lambda x: np.roots(x), lambda x: (np.median(x, overwrite_input=True), x), lambda x: np.polyfit(x, x, 1, full=True)[0], lambda x: np.log(x, where=x > 0),
    lambda x: np.max(x, where=x > 0), lambda x: np.reshape(x, (2, 2), order="A"), lambda x: np.fft.hfft(x),
    lambda x: np.pad(x, 1, mode="mean"), lambda x: np.linalg.eigvals(np.diag(x)), lambda x: sp.zeta(x, 1.0),
    lambda x: np.quantile(x, 0.5, method="lower"), lambda x: np.linalg.norm(x, "other"),
], ids=lambda f: f.__code__.co_names[-1])
def test_what_stays_refused_names_the_line(f):
    with pytest.raises((sd.errors.UnsupportedError, sd.errors.SrcdiffError)) as error:
        python(f).jacobian(P)
    text = str(error.value)
    assert "test_in_python.py" in text and "SD0" in text and "fix:" in text


def test_lengths_are_checked():
    with pytest.raises(ValueError, match="equal division"):
        python(lambda x: np.split(x, 3)[0])(V)
    with pytest.raises(ValueError, match="shape-mismatch"):
        python(lambda x: np.tensordot(x, R, axes=1))(V)
    assert math.isfinite(python(lambda x: np.sum(np.split(x, 2)[0]))(V))


@pytest.mark.parametrize("x, indices, axis", [
    (R, np.array([[1, 0], [0, 1]]), None), (V, np.array([0]), 1), (V, np.array([0]), -2), (R, np.array([0]), 0),
], ids=["indices with axes and no axis", "axis 1 of a vector", "axis -2 of a vector", "other ranks"])
def test_take_along_axis_refuses_what_numpy_refuses(x, indices, axis):
    def f(x):
        return np.take_along_axis(x, indices, axis)
    for call in (f, python(f)):
        with pytest.raises((ValueError, sd.errors.UnsupportedError)):
            call(x)


def test_take_along_no_axis_takes_from_all_elements():
    def f(x):
        return np.take_along_axis(x * x, np.array([3, 0, 3]), axis=None)
    assert np.array_equal(python(f)(R), f(R))
    assert np.array_equal(python(f).jacobian(R).sum((1, 2)), 2.0 * R.ravel()[[3, 0, 3]])
