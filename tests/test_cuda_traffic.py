"""How the kernels of batches use memory: what a warp touches, counted from the addresses that its threads use."""

import numpy as np

import srcdiff as sd
from tests.cuda_traffic import WARP, traffic

M, N, SAMPLES = 9, 5, 64


def predict(weights, bias, x):
    return np.tanh(weights @ x + bias)


def elementwise(x):
    return np.sin(x) * x


def in_a_branch(x):
    y = x
    if x[0] > 0.5:
        w = np.sin(x)
        y = np.array([w[1] * x[2], w[2] * w[0], x[0]]) * w
    return np.sum(y * y * x)


def samples_fastest(shape) -> np.ndarray:
    """Return a result as the launcher allocates it on the device: its first axis has the smallest stride."""
    return np.moveaxis(np.empty((*shape[1:], shape[0])), -1, 0)


def of_jacobian(parts: int) -> dict:
    rng = np.random.default_rng(0)
    weights, bias, x = rng.normal(size=(M, N)), rng.normal(size=M), rng.normal(size=(SAMPLES, N))
    batch = sd.vmap(sd.jacobian(predict, argnums=2), in_dims=(None, None, 0), target="cuda")
    (kernel,) = batch.kernels(weights, bias, x)
    result = samples_fastest((SAMPLES, M, N))
    given = {"count": SAMPLES, "parts": parts, "weights": weights, "bias": bias, "x": x, "result": result}
    assert len(kernel.roles) == len(given)
    return traffic(kernel, given, SAMPLES * parts)


def test_stores_of_a_warp_are_whole_sectors():
    _, writes = of_jacobian(1)["result"]
    assert writes.instructions == M * N
    assert writes.sectors_each == WARP * 8 / 32         # 256 bytes: none is moved in vain
    assert writes.sectors == writes.different           # and each once


def test_each_input_of_a_sample_is_read_once_by_each_of_its_threads():
    for parts in (1, 2):
        reads, _ = of_jacobian(parts)["x"]
        assert reads.instructions == N                  # not once for each of the rows
        assert reads.different == -(-WARP * N * 8 // 32)


def test_what_all_samples_share_is_one_sector_for_the_warp():
    found = of_jacobian(1)
    assert found["weights"][0].sectors_each == found["bias"][0].sectors_each == 1


def test_several_threads_of_a_sample_take_different_rows():
    _, writes = of_jacobian(2)["result"]
    assert writes.instructions == -(-M // 2) * N and writes.sectors_each == 8


def test_an_input_that_is_divided_among_threads_is_read_where_it_is():
    x = np.ones((SAMPLES, 16))
    text = sd.vmap(elementwise, target="cuda").source(x)
    assert "parts" in text and "local" not in text


def test_what_a_branch_holds_for_the_reverse_sweep_is_local():
    """Its shape is known: no workspace, so nothing that can overflow, and no call waits to see whether it did."""
    (kernel,) = sd.vmap(sd.jacrev(in_a_branch), target="cuda").kernels(np.ones((2, 3)))
    assert {role for role, _ in kernel.roles} == {"count", "input", "result"}


def test_what_all_samples_share_is_computed_by_several_threads():
    once, _ = sd.vmap(lambda w, x: np.exp(w) @ x, in_dims=(None, 0), target="cuda").kernels(np.ones((M, N)), np.ones((2, N)))
    assert once.items == M
