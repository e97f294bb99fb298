"""The loop kernels: forward against differences, reverse against forward, lowered against not."""

import numpy as np
import pytest

import srcdiff as sd
from bench.workloads.kernels import KERNELS
from srcdiff.backend import compile_program
from srcdiff.lower import lower
from srcdiff.optimize import optimize
from srcdiff.syntax import Scalar
from tests.modes import Modes, primal_results
from tests.oracle import assert_adjoint, flat

SIZES = {"jacobi_1d": 8, "go_fast": 5, "conv2d": 3, "hdiff": 3, "nbody": 4}
COMPILED = ("lu", "softmax", "spmv", "durbin")


def softmax_of_rows(x, out):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    out[:] = e / np.sum(e, axis=-1, keepdims=True)


def conv2d_of_windows(image, weights, bias):
    size = weights.shape[0]
    batch, rows, columns = image.shape[0], image.shape[1] - size + 1, image.shape[2] - size + 1
    out = np.empty((batch, rows, columns, weights.shape[3]))
    for i in range(rows):
        for j in range(columns):
            out[:, i, j, :] = np.sum(
                image[:, i:i + size, j:j + size, :, np.newaxis] * weights[np.newaxis, :, :, :], axis=(1, 2, 3))
    return out + bias


def fields_of_nbody(mass, position, softening):
    x, y, z = position[:, 0:1], position[:, 1:2], position[:, 2:3]
    dx, dy, dz = x.T - x, y.T - y, z.T - z
    weight = (dx**2 + dy**2 + dz**2 + softening**2) ** (-1.5)
    return np.hstack(((dx * weight) @ mass, (dy * weight) @ mass, (dz * weight) @ mass))


RNG = np.random.default_rng(12)
# The same computations as NumPy users write them, whole arrays at a time.
WHOLE_ARRAYS = {
    "softmax_of_rows": (softmax_of_rows, (RNG.normal(size=(2, 2, 3, 4)), np.zeros((2, 2, 3, 4)))),
    "conv2d_of_windows": (conv2d_of_windows, (RNG.normal(size=(2, 4, 3, 2)), RNG.normal(size=(2, 2, 2, 3)),
                                              RNG.normal(size=3))),
    "fields_of_nbody": (fields_of_nbody, (RNG.uniform(0.5, 1.5, (4, 1)), RNG.normal(size=(4, 3)), 0.1)),
}
NAMES = [*KERNELS, *WHOLE_ARRAYS]


def sample(name):
    """Return a kernel and arguments of a small size."""
    if name in WHOLE_ARRAYS:
        return WHOLE_ARRAYS[name]
    kernel = KERNELS[name]
    return kernel.function, kernel.make(SIZES.get(name, 6), np.random.default_rng(3))


def printed(program, *args):
    """Run the text of a program as plain Python, on values of the declared types."""
    kinds = {"float64": float, "int64": int}
    values = tuple(kinds[p.type.dtype](a) if isinstance(p.type, Scalar) and p.type.weak else np.copy(a)[()]
                   for p, a in zip(program.params, args, strict=True))
    return compile_program(program, "python")(*values)


# One for both tests of a kernel: they run one after the other, and the derivatives are made once.
@pytest.fixture(scope="module")
def modes(request):
    return Modes(*sample(request.param), optimize, printed)


@pytest.mark.parametrize("modes", NAMES, indirect=True)
def test_value_tangent_and_adjoint(modes):
    rng = np.random.default_rng(4)
    for got, expected in zip(modes.call(modes.program), primal_results(modes.function, modes.args), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)
    direction = modes.directions(rng)
    tangents = modes.jvp(direction)
    for got, (expected, error) in zip(tangents, modes.oracle(direction), strict=True):
        assert error < 1e-8
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-8)
    tangents = [tangents[i] for i in modes.outputs]
    cotangents = modes.random(rng, tangents)
    adjoints = modes.vjp(cotangents)
    assert any(np.any(a != 0) for a in adjoints)
    assert_adjoint(tangents, cotangents, adjoints, direction, rtol=1e-12)


@pytest.mark.parametrize("modes", NAMES, indirect=True)
def test_loops_compute_what_arrays_compute(modes):
    rng = np.random.default_rng(5)
    results = modes.call(modes.program)
    cotangents = modes.random(rng, [results[i] for i in modes.outputs])
    for program, more in ((modes.tangent_program(), modes.directions(rng)), (modes.adjoint_program(), cotangents)):
        for got, expected in zip(modes.call(lower(program), *more), modes.call(program, *more), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name):
    function, args = sample(name)
    modes, rng = Modes(function, args, optimize, printed), np.random.default_rng(6)
    results = modes.call(modes.program)
    cotangents = modes.random(rng, [results[i] for i in modes.outputs])
    before = [np.copy(a) for a in args]
    seed = cotangents if len(cotangents) > 1 else cotangents[0]
    value, adjoints = sd.functional.vjp(function, args, seed)
    for got, expected in zip(flat(value), results, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)
    got = [adjoints[i] for i in modes.positions]
    for g, expected in zip(got, modes.vjp(cotangents), strict=True):
        np.testing.assert_allclose(g, expected, rtol=1e-11, atol=1e-12)
    for a, old in zip(args, before, strict=True):
        np.testing.assert_array_equal(a, old)
