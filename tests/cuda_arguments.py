"""What a batch on the GPU is given: lists, arrays of other libraries and other devices, memory for results, streams.

`tests.test_cuda` runs this file in a process of its own, because the simulator
is chosen before Numba is imported.
"""

import numpy as np
import pytest
from numba import cuda as numba_cuda

import srcdiff as sd
from srcdiff.api.repeated import form_of
from srcdiff.backend import gpu
from tests.cuda_cases import EXACT, Foreign, X


def mixed(x):
    return x[0] * x[1] + x[1] * x[2] + x[2] ** 2 * x[0]


GRADIENT = sd.vmap(sd.grad(mixed), target="cuda")
EXPECTED = np.stack([X[:, 1] + X[:, 2] ** 2, X[:, 0] + X[:, 2], X[:, 1] + 2 * X[:, 0] * X[:, 2]], axis=1)


def test_lists_of_numbers_are_arrays_where_the_jacobian_chooses_its_mode():
    def scaled(x, c):
        return x * c[0] * x[0]

    jacobian = sd.vmap(sd.jacobian(scaled), in_dims=(0, None), target="cuda")
    expected = sd.vmap(sd.jacobian(scaled), in_dims=(0, None))(X, [2.0, 1.0])
    np.testing.assert_allclose(jacobian(X, [2.0, 1.0]), expected, **EXACT)
    np.testing.assert_allclose(jacobian(X.tolist(), [2.0, 1.0]), expected, **EXACT)


@pytest.mark.parametrize("target", ["python", "cuda"])
def test_chunks_of_lists_and_out_for_all_chunks(target):
    chunked, out = sd.vmap(sd.grad(mixed), chunk_size=2, target=target), np.empty((5, 3))
    assert chunked(X.tolist(), out=out) is out
    np.testing.assert_allclose(out, EXPECTED, **EXACT)


def test_chunks_leave_arrays_on_the_device_there():
    result = sd.vmap(sd.grad(mixed), chunk_size=2, target="cuda")(numba_cuda.to_device(X))
    assert gpu.is_device_array(result)
    np.testing.assert_allclose(result.copy_to_host(), EXPECTED, **EXACT)


def test_host_memory_for_the_result_of_device_arrays():
    out = np.empty((5, 3))
    assert GRADIENT(numba_cuda.to_device(X), out=out) is out
    np.testing.assert_allclose(out, EXPECTED, **EXACT)


# -- calls like one before, which the host does not look at anew -----------------------------------


def placed(array):
    return numba_cuda.to_device(np.ascontiguousarray(array))


def scaled_sum(x, c):
    return c * mixed(x)


def test_a_call_is_made_again_with_the_arrays_and_numbers_of_each_call():
    function = sd.vmap(sd.grad(scaled_sum), in_dims=(0, None), target="cuda")
    results = [function(placed(k * X), k + 0.5) for k in (1, 1, 2, 3)]
    [again] = function._repeated.values()
    assert gpu.simulated() or all(launch._direct for launch in again.prepared.launches)
    for k, result in zip((1, 1, 2, 3), results, strict=True):
        expected = sd.vmap(sd.grad(scaled_sum), in_dims=(0, None))(k * X, k + 0.5)
        np.testing.assert_allclose(result.copy_to_host(), expected, **EXACT)
    assert len({gpu.address(r) for r in results}) == 4
    assert form_of((1,), None) == form_of((2,), None) and form_of((2 ** 63,), None) is None


def test_other_types_extents_and_strides_are_other_calls():
    function = sd.vmap(sd.grad(mixed), target="cuda")
    turned = sd.vmap(sd.grad(mixed), target="cuda")(placed(X))      # samples side by side
    for given in (placed(X), placed(X.astype(np.float32)), placed(np.concatenate([X, X])), turned) * 2:
        expected = sd.vmap(sd.grad(mixed))(given.copy_to_host())
        np.testing.assert_allclose(function(given).copy_to_host(), expected, rtol=1e-6 if given.dtype == "f4" else 1e-14)
    assert len(function._repeated) == 4


def test_memory_for_the_result_of_a_repeated_call():
    function, out = sd.vmap(sd.grad(mixed), target="cuda"), numba_cuda.device_array((5, 3))
    for k in (1.0, 2.0):
        given = placed(k * X)
        assert function(given, out=out) is out
        np.testing.assert_allclose(out.copy_to_host(), sd.vmap(sd.grad(mixed))(k * X), **EXACT)
    with pytest.raises(sd.errors.ArgumentError, match="shares memory"):
        function(out, out=out)
    with pytest.raises(sd.errors.ArgumentError, match="SD0308"):
        function(placed(X), stream=3)


def test_a_repeated_call_sees_that_a_value_outside_has_changed():
    def shifted(x):
        return FACTORS[0] * mixed(x)

    function = sd.vmap(sd.grad(shifted), target="cuda")
    for FACTORS[0] in (2.0, 2.0, 3.0):
        np.testing.assert_allclose(function(placed(X)).copy_to_host(), FACTORS[0] * EXPECTED, **EXACT)


FACTORS = [1.0]


def powers(x, n):
    total = np.zeros(n)
    for i in range(n):
        total[i] = x[0] ** i
    return total


def test_numbers_that_decide_extents_are_looked_at_in_each_call():
    function = sd.vmap(sd.jacfwd(powers), in_dims=(0, None), target="cuda")
    for n in (2, 3, 2):
        expected = sd.vmap(sd.jacfwd(powers), in_dims=(0, None))(X, n)
        np.testing.assert_allclose(function(placed(X), n).copy_to_host(), expected, **EXACT)


# -- other arguments --------------------------------------------------------------------------------


def test_a_device_array_without_axes_is_a_number():
    scaled = sd.vmap(sd.grad(lambda x, c: c * mixed(x)), in_dims=(0, None), target="cuda")
    two = numba_cuda.to_device(np.full(1, 2.0)).reshape(())
    np.testing.assert_allclose(scaled(numba_cuda.to_device(X), two).copy_to_host(), 2 * EXPECTED, **EXACT)


@pytest.mark.parametrize("first", [0, 1, 3])
def test_memory_that_is_read_is_not_written(first):
    """Row 5 of the memory alone would be free; the sixth column is not between the others."""
    memory = numba_cuda.to_device(np.concatenate([X, X[:3]]))
    with pytest.raises(sd.errors.ArgumentError, match=r"SD0308(?s:.*)shares memory"):
        GRADIENT(memory[:5], out=memory[first:first + 5])
    GRADIENT(memory[:3], out=memory[5:])
    np.testing.assert_allclose(memory.copy_to_host()[5:], EXPECTED[:3], **EXACT)


class Described(Foreign):
    """An array of another library that says more of itself, or on another device."""

    def __init__(self, array, device=0, **more):
        super().__init__(array)
        self.device, self.more = device, more

    @property
    def __cuda_array_interface__(self):
        return super().__cuda_array_interface__ | self.more

    def __dlpack_device__(self):
        return 2, self.device


def on_device(array=X):
    return array.copy() if gpu.simulated() else numba_cuda.to_device(array)


def test_masked_arrays_are_refused():
    given = Described(on_device(), mask=Foreign(on_device(X > 1)))
    with pytest.raises(sd.errors.ArgumentError, match="SD0301.*with a mask"):
        GRADIENT(given)


def test_read_only_memory_for_results_is_refused():
    memory = Described(on_device())
    memory.more["data"] = (memory.__cuda_array_interface__["data"][0], True)
    np.testing.assert_allclose(GRADIENT(memory).copy_to_host(), EXPECTED, **EXACT)
    with pytest.raises(sd.errors.ArgumentError, match="SD0308.*read-only"):
        GRADIENT(Foreign(on_device()), out=memory)
    out = np.empty((5, 3))
    out.setflags(write=False)
    for target in ("cuda", "python"):
        with pytest.raises(sd.errors.ArgumentError, match="SD0308.*read-only"):
            sd.vmap(sd.grad(mixed), target=target)(X, out=out)


def test_arrays_of_another_device_are_refused():
    np.testing.assert_allclose(GRADIENT(Described(on_device())).copy_to_host(), EXPECTED, **EXACT)
    for call in (lambda far: GRADIENT(far), lambda far: GRADIENT(Described(on_device()), out=far),
                 lambda far: sd.grad(sd.differentiate(lambda x: np.sum(x * x), target="cuda"))(far)):
        with pytest.raises(sd.errors.DeviceError, match=r"SD0513(?s:.*)lives on device 1(?s:.*)numba\.cuda\.gpus"):
            call(Described(on_device(), device=1))


WEIGHTS = numba_cuda.to_device(np.arange(3.0))


@pytest.mark.parametrize("weights", [WEIGHTS, Foreign(on_device(X[0]))])
def test_an_array_on_the_device_that_is_no_argument_is_refused_with_what_to_do(weights):
    with pytest.raises(sd.errors.UnsupportedError, match=r"array on a device(?s:.*)weights \* x(?s:.*)in_dims=None"):
        sd.vmap(sd.grad(lambda x: np.sum(weights * x)), target="cuda")(X)
    passed = sd.vmap(sd.grad(lambda x, w: np.sum(w * x)), in_dims=(0, None), target="cuda")(X, WEIGHTS)
    np.testing.assert_allclose(passed.copy_to_host(), [np.arange(3.0)] * 5, **EXACT)


class Stream:
    def synchronize(self):
        pass


def test_streams_of_other_libraries_become_numbas(monkeypatch):
    """CuPy calls the address `ptr`, torch `cuda_stream`; `__cuda_stream__` is the protocol of CUDA's own packages."""
    monkeypatch.setattr(gpu, "simulated", lambda: False)
    monkeypatch.setattr(numba_cuda, "external_stream", lambda address: ("stream", address), raising=False)
    cupy, torch, other, default = Stream(), Stream(), Stream(), Stream()
    cupy.ptr, torch.cuda_stream, other.__cuda_stream__, default.ptr = 7, 8, lambda: (0, 9), 0
    assert [gpu.as_stream(s) for s in (cupy, torch, other)] == [("stream", 7), ("stream", 8), ("stream", 9)]
    assert gpu.as_stream(default) == gpu.as_stream(None) == gpu.as_stream(0) == 0


def rank_by_extent(x, y):
    z = x[0] if y.shape[0] == 3 else x
    return np.sum(z * z)


@pytest.mark.parametrize("transform, y", [(sd.grad, X), (sd.grad, X[:, :2].copy()), (sd.hessian, X)])
def test_ranks_that_depend_on_the_extents_of_a_sample(transform, y):
    derivative = transform(rank_by_extent)
    np.testing.assert_allclose(sd.vmap(derivative, target="cuda")(X, y), sd.vmap(derivative)(X, y), **EXACT)


def test_ranks_that_depend_on_extents_of_large_arrays():
    gradient = sd.differentiate(rank_by_extent, target="cuda").grad
    np.testing.assert_allclose(gradient(X[0], X[1]), [2 * X[0, 0], 0, 0], **EXACT)
    np.testing.assert_allclose(gradient(X[0], X[:, 0]), 2 * X[0], **EXACT)
