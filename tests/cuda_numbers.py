"""Narrow numbers and the names of variables in kernels: the same as on the CPU.

`tests.test_cuda` runs this file in a process of its own, because the simulator
is chosen before Numba is imported.  The simulator computes as NumPy does; a
kernel's types are Numba's, so some kernels are compiled for the CPU and run here.
"""

import math
import re

import numba
import numpy as np
import pytest
from numba import cuda as numba_cuda

import srcdiff as sd
from srcdiff.kernels import module_text
from srcdiff.structure import leaves
from tests.cuda_cases import EXACT, RNG, X

HALVES = RNG.uniform(0.5, 2.0, (4, 3))


def integers(dtype: str) -> tuple:
    """Return operands whose sums and products wrap, and small ones to shift by."""
    most, least = np.iinfo(dtype).max, np.iinfo(dtype).min
    return (np.array([most, most - 3, least, 7], dtype), np.array([3, 100, most, 2], dtype),
            np.array([1, 2, 3, 0], dtype), np.array([3, 5, 7, 2], dtype))


def operations(a, b, s, m):
    return (a + b, a * b, a - b, -a, abs(a), a // b, a % b, a / b, (a + b) * 0.5, a << s, a >> s, a & b, a | b, a ^ b, ~a,
            a ** 2, m ** 3, a < b, a * 2, a * 2.0, a + 1, a // 3, a % 5, a & 7, a / 3, np.maximum(a, b), np.sign(a),
            np.where(a > b, a, b), m % 2.5, float(a) * 0.5, int(m) * 2, np.int8(m) + np.int8(1))


def reductions(a, b):
    return (np.sum(a), np.prod(a), np.cumsum(a), np.cumprod(a), np.dot(a, b), np.mean(a), np.max(a), a.astype(np.int8),
            a + b, np.diff(a), np.clip(a, 2, 5))


def truths(a, b):
    return (a + b, a * b, a - 1, a * 2, a * 2.0, a & b, a | b, a ^ b, ~a, not a, a // True, a / True, a ** b, a < b,
            float(a), int(a), np.maximum(a, b))


def counts(a, b):
    return np.sum(a), np.any(a), np.all(a), np.mean(a), np.dot(a, b), np.cumsum(a), np.count_nonzero(a), a + b, a * b


def unequal(got, expected) -> list[int]:
    """Return which results differ, in dtype or value."""
    return [i for i, (a, b) in enumerate(zip(got, expected, strict=True))
            if a.dtype != b.dtype or not np.allclose(a, b, rtol=1e-12, atol=0, equal_nan=True)]


def batch(function, *args):
    return list(leaves(sd.vmap(function, target="cuda")(*args)))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_wrap_as_numpys(dtype):
    a, b, s, m = integers(dtype)
    assert not unequal(batch(operations, a, b, s, m), list(leaves(sd.vmap(operations)(a, b, s, m))))
    assert not unequal(batch(np.power, m, s), [m ** s])        # a kernel that can fail: exponents may be negative
    rows = np.stack([a, a]), np.stack([b, b])
    assert not unequal(batch(reductions, *rows), list(leaves(sd.vmap(reductions)(*rows))))
    # From NumPy itself: a sum counts in 64 bits, elements keep their own.
    total = np.sum(rows[0], axis=1)
    assert not unequal(batch(reductions, *rows)[:1], [total])


def test_truth_values_count_as_numpys():
    a, b = np.array([True, False, True]), np.array([True, True, False])
    assert not unequal(batch(truths, a, b), list(leaves(sd.vmap(truths)(a, b))))
    assert not unequal(batch(counts, np.stack([a, b]), np.stack([b, b])), list(leaves(sd.vmap(counts)(
        np.stack([a, b]), np.stack([b, b])))))


def compiled_for_the_cpu(function, args):
    """Run the kernel of a batch as one thread, compiled by Numba, whose rules for types are those of its CUDA target."""
    (kernel,) = sd.vmap(function, target="cuda").kernels(*args)
    text = re.sub(r"from numba import cuda|cuda\.gridsize\(1\)|cuda\.grid\(1\)", lambda found: {
        "cuda.gridsize(1)": "1", "cuda.grid(1)": "0"}.get(found[0], ""), module_text([kernel]))
    scope = {"np": np, "math": math}
    exec(text.replace("cuda.local.array(", "np.empty(").replace("math.fmod(", "np.fmod("), scope)       # that one is CUDA's alone
    expected = list(map(np.asarray, leaves(sd.vmap(function)(*args))))
    results = [np.zeros_like(e) for e in expected]
    given = {"count": lambda _: len(args[0]), "input": args.__getitem__, "result": results.__getitem__}
    name = kernel.program.name
    for helper in set(re.findall(r"^def (\w+)", text, re.MULTILINE)) - {name}:
        scope[helper] = numba.njit(error_model="numpy")(scope[helper])
    numba.njit(error_model="numpy")(scope[name])(*(given[role](what) for role, what in kernel.roles))
    return results, expected


def test_integers_wrap_where_numba_decides_the_types():
    assert not unequal(*compiled_for_the_cpu(operations, integers("int8")))


def test_unsigned_numbers_of_64_bits_beside_signed_ones():
    u, i = np.array([2 ** 64 - 8, 2 ** 63 + 5, 7], np.uint64), np.array([-3, 5, 2 ** 62], np.int64)

    def beside(u, i):
        return u + i, u * i, u - i, u >> 3, u // 3, u % 10, u ^ 5, np.maximum(u, 5)

    assert not unequal(*compiled_for_the_cpu(beside, (u, i)))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_remainders_and_reciprocals_of_integers(dtype):
    """Compared with NumPy, whose reciprocal of 0 is left out: it is whatever the processor makes of it."""
    signs = np.array([1, -1, 1, -1], dtype)
    a, b = np.array([7, 7, 100, 3], dtype) * signs, np.array([2, 3, 7, 5], dtype) * signs[::-1]
    one = np.array([1, 1, 2, 7], dtype) * signs
    wanted = [np.fmod(a, b), np.reciprocal(one)]

    def both(a, b, one):
        return np.fmod(a, b), np.reciprocal(one)

    assert not unequal(batch(both, a, b, one), wanted)
    assert not unequal(compiled_for_the_cpu(both, (a, b, one))[0], wanted)


# -- names ------------------------------------------------------------------------------------


def like_helpers(sign, maximum, chunk):
    """Names of device functions, of modules and of what a kernel calls its own."""
    cbrt = np.sign(sign[0]) * 2
    for thread in range(3):
        status = sign[thread] * cbrt
        cuda = status * maximum
        sign = sign * (1 + 0.1 * cuda)
    threads = np.sign(sign[2])
    sign_ = 3 * cbrt + np.maximum(maximum, 0.1) * chunk
    return np.sum(sign) * np.sign(threads * sign_) * np.cbrt(maximum) * np.logaddexp(sign[0], chunk)


def test_variables_named_like_what_a_kernel_calls():
    gradient = sd.grad(like_helpers, argnums=(0, 1, 2))
    args = HALVES, HALVES[:, 0], HALVES[:, 1]
    for got, expected in zip(sd.vmap(gradient, target="cuda")(*args), sd.vmap(gradient)(*args), strict=True):
        np.testing.assert_allclose(got, expected, **EXACT)


def test_the_sign_of_a_determinant_beside_the_function_of_that_name():
    matrices = RNG.normal(size=(3, 3, 3))
    signs = sd.vmap(lambda a: np.linalg.slogdet(a)[0] * a[0, 0], target="cuda")(matrices)
    np.testing.assert_allclose(signs, np.sign(np.linalg.det(matrices)) * matrices[:, 0, 0], **EXACT)


def test_parameters_named_like_device_functions_in_kernels_of_the_users():
    derivative = sd.grad(lambda sign, digamma: np.sign(sign) * np.maximum(digamma, sign) * digamma, argnums=(0, 1))

    @numba_cuda.jit
    def kernel(x, y, out):
        i = numba_cuda.grid(1)
        if i < out.size:
            a, b = derivative(x[i], y[i])
            out[i] = a + b

    out = numba_cuda.to_device(np.zeros(5))
    kernel[1, 5](numba_cuda.to_device(X[:, 0].copy()), numba_cuda.to_device(X[:, 1].copy()), out)
    np.testing.assert_allclose(out.copy_to_host(), sum(sd.vmap(derivative)(X[:, 0], X[:, 1])), **EXACT)
