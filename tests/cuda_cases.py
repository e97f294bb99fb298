"""Batches on the GPU, or in Numba's simulator: arrays in and out, errors, linear algebra.

`tests.test_cuda` runs this file in a process of its own, because the simulator
is chosen before Numba is imported.
"""

import math

import numpy as np
import pytest
from numba import cuda as numba_cuda

import srcdiff as sd
from srcdiff.backend import cuda, device_memory, gpu
from srcdiff.kernels import plan
from srcdiff.notation import read
from srcdiff.structure import leaves

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 1.5, (5, 3))
EXACT = dict(rtol=1e-12, atol=1e-12) if gpu.simulated() else dict(rtol=1e-10, atol=1e-10)


def wave(x):
    return np.sum(np.sin(x) ** 2)


def product(x):
    return np.sin(x) * x[0]


def element(x, i):
    return x[i]


def at(matrix, vector):
    return matrix @ vector


GRADIENT = sd.vmap(sd.grad(wave), target="cuda")
EXPECTED = np.sin(2 * X)


class Foreign:
    """An array of another library: nothing but the interface."""

    def __init__(self, array):
        self.array = array

    @property
    def __cuda_array_interface__(self):
        if gpu.simulated():
            return dict(self.array.__array_interface__, version=3)
        return self.array.__cuda_array_interface__


def test_numpy_in_gives_numpy_out_and_launches_a_kernel():
    before = cuda.launches()
    result = GRADIENT(X)
    assert type(result) is np.ndarray and result.flags.c_contiguous
    np.testing.assert_allclose(result, EXPECTED, **EXACT)
    assert cuda.launches() == before + 1


def test_device_arrays_in_give_device_arrays_out_with_the_samples_side_by_side():
    result = GRADIENT(numba_cuda.to_device(X))
    assert gpu.is_device_array(result)
    assert result.strides == (8, 40)
    np.testing.assert_allclose(result.copy_to_host(), EXPECTED, **EXACT)


def test_arrays_of_other_libraries():
    given = X.copy() if gpu.simulated() else numba_cuda.to_device(X)
    result = GRADIENT(Foreign(given))
    np.testing.assert_allclose(result.copy_to_host(), EXPECTED, **EXACT)


@pytest.mark.parametrize("given", [np.asfortranarray(X), X[:, ::-1], X[::2], X.astype(np.float32)])
def test_any_layout_and_precision(given):
    exact = dict(rtol=1e-6) if given.dtype == np.float32 else EXACT
    result = GRADIENT(given)
    assert result.dtype == given.dtype
    np.testing.assert_allclose(result, np.sin(2 * given), **exact)


def test_out_on_the_host_and_on_the_device():
    out = np.empty((5, 3))
    assert GRADIENT(X, out=out) is out
    np.testing.assert_allclose(out, EXPECTED, **EXACT)
    out = numba_cuda.device_array((5, 3))
    assert GRADIENT(numba_cuda.to_device(X), out=out) is out
    np.testing.assert_allclose(out.copy_to_host(), EXPECTED, **EXACT)


@pytest.mark.parametrize("shape, dtype", [((5, 2), np.float64), ((5, 3), np.float32)])
def test_an_out_that_does_not_fit_is_refused(shape, dtype):
    with pytest.raises(sd.SrcdiffError, match="SD0308|SD0310"):
        GRADIENT(X, out=np.empty(shape, dtype))
    with pytest.raises(sd.errors.ArgumentError, match="SD0308"):
        GRADIENT(X, out=numba_cuda.device_array(shape, dtype))


def test_streams():
    stream = numba_cuda.stream()
    np.testing.assert_allclose(GRADIENT(X, stream=stream), EXPECTED, **EXACT)


def test_a_batch_without_samples_launches_nothing():
    before = cuda.launches()
    assert GRADIENT(np.empty((0, 3))).shape == (0, 3)
    assert cuda.launches() == before


@pytest.mark.parametrize("given, code", [(X.astype(np.float16), "SD0301"), (X.astype(int), "SD0303")])
def test_wrong_dtypes_are_refused(given, code):
    with pytest.raises(sd.errors.ArgumentError, match=code):
        GRADIENT(given)


def test_batches_of_different_lengths_are_refused():
    with pytest.raises(sd.errors.ShapeError, match="SD0331"):
        sd.vmap(at, target="cuda")(np.ones((2, 3, 3)), np.ones((3, 3)))


def test_shapes_that_do_not_fit():
    with pytest.raises(sd.errors.ShapeError, match="SD0341"):
        sd.vmap(at, target="cuda")(np.ones((2, 3, 3)), np.ones((2, 2)))
    with pytest.raises(sd.errors.ShapeError, match="SD0342"):           # found where the adjoint of a broadcast is summed
        sd.vmap(sd.grad(lambda x, y: np.sum(x * y)), target="cuda")(np.ones((2, 3)), np.ones((2, 2)))


def test_what_has_no_hash_is_refused():
    with pytest.raises(sd.errors.ArgumentError, match="SD0330"):
        GRADIENT(memoryview(X))


def test_the_first_sample_that_fails_raises_with_its_line():
    with pytest.raises(sd.errors.IndexOutOfRangeError, match="return x\\[i\\]"):
        sd.vmap(sd.grad(element), target="cuda")(X, np.array([0, 1, 2, 5, 1]))


def test_what_threads_cannot_do_is_refused():
    program = read("""
def f(a: "float64[:,:,:]"):
    n = size(a, axis=0)
    y = empty(n, 3, dtype='float64')
    for sample in range(0, n, 1):
        t = a[sample, ::, ::]
        w = svdvals(t)
        y[sample, ::] = w
    return y
""")
    with pytest.raises(sd.errors.UnsupportedError, match=r"svdvals of arrays does not run on the GPU(?s:.*)neither BLAS nor LAPACK"):
        plan(program)


def test_functions_that_only_numpy_has_are_refused_with_their_line():
    with pytest.raises(sd.errors.UnsupportedError, match="log1p of complex128 numbers does not run on the GPU"):
        sd.vmap(lambda x: np.log1p(1j * x).real, target="cuda")(X[:, 0])


def test_captured_values_are_read_at_each_call():
    factor = np.array([1.0, 2.0])

    def scaled(x):
        return np.sum(factor * x ** 2)

    gradient = sd.vmap(sd.grad(scaled), target="cuda")
    np.testing.assert_allclose(gradient(np.ones((2, 2))), [[2, 4]] * 2)
    factor[:] = 3.0
    np.testing.assert_allclose(gradient(np.ones((2, 2))), [[6, 6]] * 2)
    factor = np.array([1.0])
    np.testing.assert_allclose(gradient(np.ones((2, 2))), [[2, 2]] * 2)


def pulled(x, weights):
    _, pullback = sd.vjp(product, x)
    return pullback(weights)[0]


F = sd.differentiate(wave)


@pytest.mark.parametrize("function, arguments", [
    (F, (X,)), (F.grad, (X,)), (F.value_and_grad, (X,)), (F.jacobian, (X,)), (F.hessian, (X,)), (F.hvp, (X, X)),
    (F.jvp, ((X,), (X,))), (sd.value_and_jacobian(product), (X,)), (pulled, (X, X)),
    (sd.vmap(sd.grad(wave)), (X[:, None, :],)), (sd.jacfwd(product, chunk_size=2), (X,)),
], ids=str)
def test_every_derivative_of_a_batch(function, arguments):
    expected, got = sd.vmap(function)(*arguments), sd.vmap(function, target="cuda")(*arguments)
    for a, b in zip(leaves(got), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, **EXACT)


def test_axes_of_samples_anywhere():
    jacobian = sd.jacobian(product)
    np.testing.assert_allclose(sd.vmap(jacobian, in_dims=1, out_dims=-1, target="cuda")(X.T),
                               sd.vmap(jacobian, in_dims=1, out_dims=-1)(X.T), **EXACT)


def test_a_decorated_function_runs_its_batches_there():
    f = sd.differentiate(lambda x: math.exp(x) * x, target="cuda")
    before = cuda.launches()
    np.testing.assert_allclose(sd.vmap(f.grad)(X[:, 0]), np.exp(X[:, 0]) * (1 + X[:, 0]), **EXACT)
    assert cuda.launches() > before


def test_a_workspace_that_is_too_small_is_doubled():
    def grown(x, n):
        y = np.zeros(n)
        for i in range(n):
            y[i] = x[0] * i + (y[i - 1] if i else 0.0)
        return np.sum(y * y)

    gradient = sd.vmap(sd.grad(grown), in_dims=(0, None), target="cuda")
    before = cuda.launches()
    np.testing.assert_allclose(gradient(X, 200), sd.vmap(sd.grad(grown), in_dims=(0, None))(X, 200), **EXACT)
    first = cuda.launches()
    assert first > before + 1
    gradient(X, 200)
    assert cuda.launches() == first + 1             # the room is remembered


def test_a_batch_that_does_not_fit_is_cut_in_two(monkeypatch):
    run = cuda.Launcher.__call__

    def small_device(self, flat, outs, stream=0, host=True):
        if flat[0].shape[0] > 2:
            raise cuda.Overfull("no memory")
        return run(self, flat, outs, stream, host)

    monkeypatch.setattr(cuda.Launcher, "__call__", small_device)
    monkeypatch.setattr(cuda.Prepared, "__call__", small_device)
    np.testing.assert_allclose(GRADIENT(X), EXPECTED, **EXACT)
    with pytest.raises(sd.errors.DeviceError, match="SD0511"):
        GRADIENT(numba_cuda.to_device(X))


A = RNG.normal(size=(3, 4, 4))
B = RNG.normal(size=(3, 4))


def cholesky(a, b):
    return np.linalg.cholesky(a @ a.T + np.eye(4)) @ b


def qr(a, b):
    q, r = np.linalg.qr(a)
    return q @ b + r @ b


def exponential(a, b):
    w, v = np.linalg.eigh(a + a.T)
    return (v * np.exp(w / 4)) @ v.T @ b


@pytest.mark.parametrize("function", [
    np.linalg.solve, lambda a, b: np.linalg.solve(a, np.outer(b, b + 1)).sum(axis=0), lambda a, b: np.linalg.inv(a) @ b,
    lambda a, b: np.linalg.det(a) * b, lambda a, b: np.linalg.slogdet(a)[1] * b, cholesky, qr,
    lambda a, b: np.linalg.eigvalsh(a + a.T) * b, exponential, lambda a, b: np.linalg.svdvals(a) * b,
    lambda a, b: np.linalg.svdvals(a[:3]) @ b[:3] * b,
])
def test_linear_algebra(function):
    def f(a, b):
        return np.sum(function(a, b) * np.array([1.0, -0.5, 0.25, 2.0]))

    derivative = sd.grad(f, argnums=(0, 1))
    for got, expected in zip(sd.vmap(derivative, target="cuda")(A, B), sd.vmap(derivative)(A, B), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)


def test_singular_values_of_matrices_that_are_not_square_or_not_of_full_rank():
    def parts(a):
        u, w, vt = np.linalg.svd(a, full_matrices=False)
        return u, w, vt, np.linalg.norm(a, 2)

    deficient = A.copy()
    deficient[:, 3] = deficient[:, 0]
    for matrices in (A[:, :, :2].copy(), A[:, :2].copy(), deficient):
        u, w, vt, norm = sd.vmap(parts, target="cuda")(matrices)
        np.testing.assert_allclose(w, np.linalg.svdvals(matrices), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose((u * w[:, None]) @ vt, matrices, rtol=1e-12, atol=1e-14)
        one = np.broadcast_to(np.eye(w.shape[1]), (len(w), w.shape[1], w.shape[1]))
        np.testing.assert_allclose(u.transpose(0, 2, 1) @ u, one, atol=1e-14)
        np.testing.assert_allclose(vt @ vt.transpose(0, 2, 1), one, atol=1e-14)
        np.testing.assert_allclose(norm, w[:, 0], rtol=1e-12)


def test_factors_are_computed_once_for_all_that_is_read_of_them():
    def changing(a):
        total = 0.0
        for _ in range(2):
            w, v = np.linalg.eigh(a)
            a = a + np.outer(v[:, 0] ** 2, v[:, 0] ** 2)
            total = total + w[0] * np.linalg.eigvalsh(a)[1]
        return total

    matrices = A + A.transpose(0, 2, 1)
    mapped = sd.vmap(changing, target="cuda")
    np.testing.assert_allclose(mapped(matrices), [changing(a) for a in matrices], rtol=1e-9)
    assert mapped.source(matrices).count("< 30") == 2           # sweeps of rotations: of a, and of the new a
    assert sd.vmap(sd.grad(lambda a: np.sum(np.linalg.svdvals(a))), target="cuda").source(A).count("< 30") == 1


def test_results_of_known_extents_are_allocated_by_the_host():
    """Not by the first sample, in a kernel of one thread that has to be run before."""
    before = cuda.launches()
    sd.vmap(np.linalg.inv, target="cuda")(A)
    assert cuda.launches() == before + 1
    assert sd.vmap(sd.jacobian(lambda a: np.linalg.inv(a)), target="cuda")(np.empty((0, 2, 2))).shape == (0, 2, 2, 2, 2)


def test_room_for_arrays_of_known_extents_is_there_at_the_first_launch():
    def tabled(x):
        table = np.zeros((40, 40))                  # too large for local memory
        for i in range(40):
            table[i, 3] = x[0] * i
            table[i, i] += x[1]
        return np.sum(table[:, 3] * table[:, 5])

    before = cuda.launches()
    got = sd.vmap(tabled, target="cuda")(X[:1])
    assert cuda.launches() == before + 1
    np.testing.assert_allclose(got, [tabled(X[0])], **EXACT)


def test_what_is_cheap_is_computed_where_it_is_read():
    """No kernel of one thread before the samples for a transposed argument, the negative of one, or numbers of a literal."""
    def turned(matrix, x):
        return np.sin(-matrix.T @ np.cross(x, np.array([1.0, 2.0, 3.0])))

    derivative = sd.jacobian(turned, argnums=1)
    before = cuda.launches()
    got = sd.vmap(derivative, in_dims=(None, 0), target="cuda")(X[:3], X)
    np.testing.assert_allclose(got, sd.vmap(derivative, in_dims=(None, 0))(X[:3], X), **EXACT)
    assert cuda.launches() == before + 1
    text = sd.vmap(lambda w, x: x * np.exp(w), in_dims=(None, 0), target="cuda").source(X[0], X)
    assert text.count("math.exp") == 1 and "_once" in text              # but what is dear is computed once


@pytest.mark.parametrize("small", [1e-9, 1e-200, 0.0])
def test_reflections_see_elements_that_a_difference_of_squares_loses(small):
    """Such a column must be reflected as LAPACK does: else r keeps it below its diagonal, and signs differ."""
    matrices = A.copy()
    matrices[:, 1:, 0] *= small
    factors = sd.vmap(lambda a: np.linalg.qr(a), target="cuda")(matrices)
    for got, expected in zip(factors, np.linalg.qr(matrices), strict=True):
        if small > 1e-150 or not small:             # the square of smaller ones is zero: the sign is free
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(factors[0] @ factors[1], matrices, rtol=1e-12, atol=1e-14)


def test_the_source_is_a_module_that_runs():
    scope = {}
    exec(GRADIENT.source(X), scope)
    result = numba_cuda.device_array((5, 3))
    scope["wave_grad_vmap_kernel"][1, 5](5, numba_cuda.to_device(X), result)
    np.testing.assert_allclose(result.copy_to_host(), EXPECTED, **EXACT)


def test_derivatives_inside_a_kernel_of_the_users():
    f, cubes = sd.grad(lambda x, y: x * math.sin(y), argnums=(0, 1)), sd.differentiate(lambda x: np.sum(x ** 3))

    @numba_cuda.jit
    def kernel(x, out):
        i = numba_cuda.grid(1)
        if i < x.shape[0]:
            cubes.grad(x[i], out=out[i])
            out[i, 0] += f(x[i, 0], x[i, 1])[1]

    result = numba_cuda.device_array((5, 3))
    kernel[1, 5](numba_cuda.to_device(X), result)
    expected = 3 * X ** 2
    expected[:, 0] += X[:, 0] * np.cos(X[:, 1])
    np.testing.assert_allclose(result.copy_to_host(), expected, **EXACT)


# -- one big problem ---------------------------------------------------------------------------

N = 2000
LONG = RNG.uniform(0.5, 1.5, N)


def payoff(spot, strike, volatility):
    d = (np.log(spot / strike) + volatility * volatility / 2) / volatility
    value = spot * 0.5 * (1 + np.tanh(d)) - strike * 0.5 * (1 + np.tanh(d - volatility))
    return np.mean(value ** 2)


def likelihood(p, x):
    mean, width = p[0], p[1]
    total = 0.0
    for i in range(len(x)):
        z = (x[i] - mean) / width
        total += 0.5 * z * z + math.log(width)
    return total


def softmax_of(x):
    largest = np.max(x)
    return largest + np.log(np.sum(np.exp(x - largest)))


def branches(x):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 1:
            total += x[i] ** 2
        else:
            total -= math.sin(x[i])
    return total


def recurrence(x):
    state, total = 0.0, 0.0
    for i in range(len(x)):
        state = state * 0.5 + x[i]
        total += state
    return total


@pytest.mark.parametrize("function, args", [
    (payoff, (LONG, LONG + 0.5, 0.3)), (likelihood, (np.array([0.1, 1.2]), LONG)), (softmax_of, (LONG,)),
    (branches, (LONG,)), (recurrence, (LONG[:600],))])
def test_large_arrays_in_both_modes(function, args):
    argnums = tuple(range(len(args)))
    directions = tuple(np.ones_like(a) for a in args)

    def results(target):
        f = sd.differentiate(function, target=target)
        return f(*args), sd.value_and_grad(f, argnums=argnums)(*args), f.jvp(args, directions)

    before = cuda.launches()
    got = list(leaves(results("cuda")))
    assert cuda.launches() >= before + 3
    for a, b in zip(got, leaves(results("python")), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_an_elementwise_gradient_is_one_shared_loop_and_deterministic():
    f = sd.differentiate(payoff, target="cuda")
    args = LONG, LONG + 0.5, 0.3
    text = sd.grad(f).source(*args)
    assert text.count("while i < 2000:") == 1 and text.count("math.log") == 1
    first = sd.grad(f, argnums=(0, 2))(*args)
    again = sd.grad(f, argnums=(0, 2))(*args)
    assert np.array_equal(first[0], again[0]) and first[1] == again[1]


WIDE = RNG.uniform(0.5, 1.5, (4, 600))


def columns(x):
    return np.sin(np.sum(x ** 2, axis=0))


def of_columns(x, w):
    return np.sum(np.mean(np.exp(x) * w, axis=0) ** 2)


def weighted_rows(v, x):
    out = np.zeros(x.shape[1])
    for i in range(x.shape[0]):
        s = np.sin(v[i])
        for j in range(x.shape[1]):
            out[j] += s * x[i, j] ** 2
    return np.sum(out ** 2)


@pytest.mark.parametrize("function, args", [
    (of_columns, (WIDE, WIDE[0])), (weighted_rows, (WIDE[:, 0], WIDE))])
def test_reductions_along_the_first_axis_in_both_modes(function, args):
    on_gpu, on_host = (sd.differentiate(function, target=t) for t in ("cuda", "python"))
    got, expected = (sd.value_and_grad(f, argnums=(0, 1))(*args) for f in (on_gpu, on_host))
    for a, b in zip(leaves(got), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    np.testing.assert_allclose(on_gpu.jvp(args, args)[1], on_host.jvp(args, args)[1], rtol=1e-12)


def test_sums_of_columns_are_shared_and_deterministic():
    f = sd.differentiate(columns, target="cuda")
    first = f(WIDE)
    np.testing.assert_allclose(first, columns(WIDE), rtol=1e-12)
    assert np.array_equal(f(WIDE), first)
    text = f.source(WIDE)
    assert text.count("j = thread") + text.count("i = thread") == text.count("@cuda.jit")      # no kernel is serial
    huge = np.lib.stride_tricks.as_strided(np.ones(1), (10 ** 4, 10 ** 4), (0, 0))
    assert "thread" in f.source(huge)                  # one thread would be refused it


def test_large_device_arrays_stay_there_and_out_is_filled():
    f = sd.differentiate(payoff, target="cuda")
    result = f.grad(numba_cuda.to_device(LONG), numba_cuda.to_device(LONG + 0.5), 0.3)
    assert gpu.is_device_array(result)
    out = np.empty(N)
    assert f.grad(LONG, LONG + 0.5, 0.3, out=out) is out
    assert np.array_equal(result.copy_to_host(), out)


def test_a_long_loop_that_depends_on_its_order_is_refused_with_its_line():
    f = sd.differentiate(recurrence, target="cuda")
    with pytest.raises(sd.errors.UnsupportedError, match="SD0354") as caught:
        f.grad(np.lib.stride_tricks.as_strided(np.ones(1), (10 ** 7,), (0,)))
    assert "for i in range(len(x))" in str(caught.value) and "sd.vmap" in str(caught.value)


def test_a_function_that_writes_its_argument_is_not_run_on_a_copy():
    def doubled(x):
        x *= 2.0

    with pytest.raises(sd.errors.ArgumentError, match="SD0355"):
        sd.differentiate(doubled, target="cuda")(LONG.copy())


# -- the host's part of a call ---------------------------------------------------------------------

def test_the_second_call_is_a_look_up(monkeypatch):
    gradient = sd.vmap(sd.grad(wave), target="cuda")
    first = gradient(X)

    def again(*args):
        raise AssertionError("specialised again")

    monkeypatch.setattr(type(gradient), "_made", again)
    assert np.array_equal(gradient(X), first)
    with pytest.raises(AssertionError):
        gradient(X[:4])                                 # another number of samples: found once, then known


def test_another_number_of_samples_is_the_same_code():
    gradient = sd.vmap(sd.grad(lambda x: np.sum(np.sin(x) ** 2)), target="cuda")
    for count in (5, 4, 5, 1):
        np.testing.assert_allclose(gradient(X[:count]), EXPECTED[:count], **EXACT)
    assert len({id(made.launcher) for made in gradient._table.values()}) == 1


# -- functions with rules of their own ---------------------------------------------------------------

@sd.custom_rule(lambda x, dx, ans: 2.0 * x * dx)
def squared(x):
    total = 0.0
    for _ in range(4):
        total += x * x / 4
    return total


@sd.custom_rule(lambda x, y, dx, dy, ans: ans * (y * dx + x * dy))
def growth(x, y):
    return math.exp(x * y) if x > 0 else 1.0 / math.exp(-x * y)


@sd.custom_rule(jvp=lambda x, dx, ans: math.cos(x) * dx, vjp=lambda x, g, ans: math.cos(x) * g)
def swing(x):
    return math.sin(x)


@sd.custom_rule(lambda x, dx, ans: FACTOR * dx)
def scaled_by_a_global(x):
    return FACTOR * x


FACTOR = 3.0


def with_own_rules(x):
    return np.sum(squared(x) * growth(x, 0.5)) + swing(x[0]) * squared(x[1]) + np.sum(growth(x, squared(x)))


@pytest.mark.parametrize("derivative", [sd.grad, sd.jacfwd, sd.hessian])
def test_functions_with_a_rule_are_translated(derivative):
    batch = sd.vmap(derivative(with_own_rules), target="cuda")
    np.testing.assert_allclose(batch(X), sd.vmap(derivative(with_own_rules))(X), **EXACT)


def test_functions_with_a_rule_over_large_arrays():
    f = sd.differentiate(lambda x: np.sum(squared(x)), target="cuda")
    np.testing.assert_allclose(f.grad(LONG), 2 * LONG, **EXACT)


def test_a_function_with_a_rule_that_reads_a_global_is_refused():
    with pytest.raises(sd.errors.UnsupportedError, match="scaled_by_a_global is a function with a rule of its own"):
        sd.vmap(lambda x: scaled_by_a_global(x), target="cuda")(X[:, 0])


# -- what does not fit ------------------------------------------------------------------------------

@pytest.mark.parametrize("given, what", [
    (X.astype(np.float16), "argument 'x' is an array of dtype float16"),
    (X.astype(int), "argument 'x' cannot be differentiated: it is an array of dtype int64"),
    (X > 1, "argument 'x' cannot be differentiated: it is an array of dtype bool"),
    (np.array(1.0), "vmap cannot map over argument 'x': it is a number, without axes"),
])
def test_device_arrays_that_are_refused(given, what):
    with pytest.raises(sd.SrcdiffError, match=what):
        GRADIENT(numba_cuda.to_device(given))


@pytest.mark.parametrize("given", [np.asfortranarray(X), np.repeat(X, 2, axis=1)])
def test_device_arrays_of_any_layout(given):
    placed = numba_cuda.to_device(given)
    result = GRADIENT(placed if given.shape == X.shape else placed[:, ::2])
    np.testing.assert_allclose(result.copy_to_host(), EXPECTED, **EXACT)


def test_a_device_batch_without_samples():
    nothing = numba_cuda.device_array((0, 3))
    assert GRADIENT(nothing).shape == (0, 3)
    with pytest.raises(sd.errors.ArgumentError, match=r"out has dtype float64 and shape \(4, 3\)"):
        GRADIENT(nothing, out=numba_cuda.device_array((4, 3)))


@pytest.mark.parametrize("name, value, what", [
    ("out", [1.0], "out is a list, not an array"), ("stream", "first", "stream is a str, not a stream")])
def test_what_is_no_array_and_no_stream(name, value, what):
    with pytest.raises(sd.errors.ArgumentError, match=what):
        GRADIENT(X, **{name: value})


def test_a_full_device_says_how_much_was_wanted(monkeypatch):
    def full(*args, **keywords):
        raise RuntimeError("Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")

    placed = numba_cuda.to_device(X)
    monkeypatch.setattr(numba_cuda, "device_array", full)
    monkeypatch.setattr(device_memory, "kept", lambda: None)            # no memory that waits from a call before
    with pytest.raises(sd.errors.DeviceError, match="no memory left for results of 120 bytes(?s:.*)chunk_size"):
        GRADIENT(placed)


def steps(x, n):
    state = x * 1.0
    for _ in range(n):
        state = state + 0.01 * np.sin(state) * x[1]
    return np.sum(state)


def test_a_memory_budget_holds_in_each_thread():
    trips = np.array([90, 3, 0, 250, 40])
    gradient = sd.grad(steps, memory="2KB")
    before = cuda.launches()
    got = sd.vmap(gradient, in_dims=(0, 0), target="cuda")(X, trips)
    assert cuda.launches() > before
    np.testing.assert_allclose(got, sd.vmap(sd.grad(steps), in_dims=(0, 0))(X, trips), **EXACT)
    text = sd.vmap(gradient, in_dims=(0, 0), target="cuda").source(X, trips)
    assert "segment_length(" in text and "raise" not in text


def nested_steps(x, outer, inner):
    state = x * 1.0
    for _ in range(outer):
        for _ in range(inner):
            state = state + 0.01 * np.sin(state) * x[1]
    return np.sum(state)


def test_a_memory_budget_divides_loops_inside_loops():
    gradient = sd.vmap(sd.grad(nested_steps, memory="1KB"), in_dims=(0, None, None), target="cuda")
    expected = sd.vmap(sd.grad(nested_steps), in_dims=(0, None, None))(X[:2], 2, 60)
    out = np.empty((2, 3))
    assert gradient(X[:2], 2, 60, out=out) is out
    np.testing.assert_allclose(out, expected, **EXACT)
    before = cuda.launches()
    np.testing.assert_allclose(gradient(X[:2], 2, 60), expected, **EXACT)
    assert cuda.launches() == before + 1            # the code that fits is found at once


def test_what_all_samples_share_is_computed_once_by_several_threads():
    def shared(w, x):
        return np.tanh(np.exp(w) @ x) * np.sum(np.sin(w))

    weights = RNG.normal(size=(4, 3))
    for derivative in (sd.jacobian(shared, argnums=1), sd.jacobian(shared, argnums=(0, 1))):
        got, expected = (sd.vmap(derivative, in_dims=(None, 0), target=target)(weights, X) for target in ("cuda", "python"))
        for a, b in zip(leaves(got), leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, **EXACT)


def test_a_memory_budget_that_is_too_small():
    with pytest.raises(sd.errors.MemoryBudgetError, match="SD0344(?s:.*)give more memory"):
        sd.vmap(sd.grad(steps, memory="50B"), in_dims=(0, None), target="cuda")(X, 90)
