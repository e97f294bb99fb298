"""Jacobians, Hessians, Hessian-vector products: the function-transform tutorial, section by section.

The running example is a layer ``predict(weight, bias, x) = tanh(weight @ x + bias)``.  Each section prints the shapes,
checks that the ways to the same derivative agree, and times them.  The names, the argument order and the result shapes
are those of ``torch.func``.

Run:  python examples/jacobians_hessians.py
"""

from __future__ import annotations

import functools
import time

import numpy as np

import srcdiff as sd

RNG = np.random.default_rng(0)
D = 16
WEIGHT = RNG.normal(size=(D, D))
BIAS = RNG.normal(size=D)
X = RNG.normal(size=D)


def predict(weight, bias, x):
    return np.tanh(weight @ x + bias)


def median_time(call, repeat=21):
    """Return the median of `repeat` timed calls, in microseconds; compilation is not counted."""
    call()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * sorted(times)[repeat // 2]


def title(text):
    print(f"\n{text}\n{'-' * len(text)}")


def report(name, microseconds):
    print(f"  {name:<44}{microseconds:12.1f} us")


def one_row_at_a_time():
    """The Jacobian as a Python loop of vector-Jacobian products, one for each row."""
    _, pullback = sd.vjp(functools.partial(predict, WEIGHT, BIAS), X)
    return np.stack([pullback(row)[0] for row in np.eye(D)])


def computing_the_jacobian():
    title("1. The Jacobian: a loop of vjps, vmap of a vjp, jacrev, jacfwd")
    by_loop = one_row_at_a_time()
    _, pullback = sd.vjp(functools.partial(predict, WEIGHT, BIAS), X)
    all_rows = sd.vmap(pullback)
    (by_vmap,) = all_rows(np.eye(D))
    jacrev = sd.jacrev(predict, argnums=2)
    jacfwd = sd.jacfwd(predict, argnums=2)
    by_jacrev, by_jacfwd = jacrev(WEIGHT, BIAS, X), jacfwd(WEIGHT, BIAS, X)
    print("  shape", by_jacrev.shape)
    for other in (by_vmap, by_jacrev, by_jacfwd):
        np.testing.assert_allclose(other, by_loop, rtol=1e-12, atol=1e-14)
    print("  all four agree")
    report("loop of vjps", median_time(one_row_at_a_time))
    report("vmap of the vjp", median_time(lambda: all_rows(np.eye(D))))
    report("jacrev", median_time(lambda: jacrev(WEIGHT, BIAS, X)))
    report("jacfwd", median_time(lambda: jacfwd(WEIGHT, BIAS, X)))


def jacobians_of_parameters():
    title("2. Jacobians with respect to the parameters, and the value in the same run")
    by_weight, by_bias = sd.jacrev(predict, argnums=(0, 1))(WEIGHT, BIAS, X)
    print("  shapes", by_weight.shape, by_bias.shape)

    def predict_and_value(weight, bias, x):
        y = predict(weight, bias, x)
        return y, y

    jacobian, value = sd.jacrev(predict_and_value, argnums=2, has_aux=True)(WEIGHT, BIAS, X)
    np.testing.assert_allclose(value, predict(WEIGHT, BIAS, X), rtol=1e-14)
    rows = sd.jacrev(predict, argnums=2, chunk_size=4)(WEIGHT, BIAS, X)
    np.testing.assert_allclose(rows, jacobian, rtol=1e-13, atol=1e-15)
    print("  value and Jacobian in one run; the Jacobian four rows at a time is the same")


def forward_or_reverse():
    title("3. Forward or reverse: the shape decides")
    jacfwd, jacrev = sd.jacfwd(predict, argnums=2), sd.jacrev(predict, argnums=2)
    for outputs, inputs in ((2048, 32), (32, 2048)):
        args = RNG.normal(size=(outputs, inputs)), RNG.normal(size=outputs), RNG.normal(size=inputs)
        np.testing.assert_allclose(jacfwd(*args), jacrev(*args), rtol=1e-11, atol=1e-13)
        print(f"  {outputs} x {inputs}")
        report("jacfwd", median_time(functools.partial(jacfwd, *args)))
        report("jacrev", median_time(functools.partial(jacrev, *args)))


def hessians():
    title("4. The Hessian: four compositions")
    ways = {
        "hessian": sd.hessian(predict, argnums=2),
        "jacfwd(jacrev)": sd.jacfwd(sd.jacrev(predict, argnums=2), argnums=2),
        "jacfwd(jacfwd)": sd.jacfwd(sd.jacfwd(predict, argnums=2), argnums=2),
        "jacrev(jacrev)": sd.jacrev(sd.jacrev(predict, argnums=2), argnums=2),
        "jacrev(jacfwd)": sd.jacrev(sd.jacfwd(predict, argnums=2), argnums=2),
    }
    expected = ways["hessian"](WEIGHT, BIAS, X)
    print("  shape", expected.shape)
    for name, hessian in ways.items():
        np.testing.assert_allclose(hessian(WEIGHT, BIAS, X), expected, rtol=1e-10, atol=1e-12)
        report(name, median_time(lambda hessian=hessian: hessian(WEIGHT, BIAS, X)))


def batches():
    title("5. A batch of Jacobians and of Hessians")
    batch, outputs, inputs = 64, 33, 31
    weight, bias = RNG.normal(size=(outputs, inputs)), RNG.normal(size=outputs)
    samples = RNG.normal(size=(batch, inputs))
    jacobians = sd.vmap(sd.jacrev(predict, argnums=2), in_dims=(None, None, 0))
    forward = sd.vmap(sd.jacfwd(predict, argnums=2), in_dims=(None, None, 0))
    second = sd.vmap(sd.hessian(predict, argnums=2), in_dims=(None, None, 0))
    found = jacobians(weight, bias, samples)
    print("  shapes", found.shape, second(weight, bias, samples).shape)
    np.testing.assert_allclose(forward(weight, bias, samples), found, rtol=1e-11, atol=1e-13)

    def summed(weight, bias, samples):
        return np.sum(np.tanh(samples @ weight.T + bias), axis=0)

    trick = np.moveaxis(sd.jacrev(summed, argnums=2)(weight, bias, samples), 1, 0)
    np.testing.assert_allclose(trick, found, rtol=1e-11, atol=1e-13)
    print("  vmap(jacrev), vmap(jacfwd) and the sum-the-outputs trick agree")
    report("vmap(jacrev)", median_time(lambda: jacobians(weight, bias, samples)))
    report("vmap(hessian)", median_time(lambda: second(weight, bias, samples)))


def hessian_vector_products():
    title("6. Hessian-vector products, without the Hessian")

    def f(x):
        return np.sum(np.sin(x))

    x, v = RNG.normal(size=2048), RNG.normal(size=2048)

    def forward_over_reverse(x, v):
        return sd.jvp(sd.grad(f), (x,), (v,))[1]

    def reverse_over_reverse(x, v):
        return sd.vjp(sd.grad(f), x)[1](v)[0]

    for product in (forward_over_reverse, reverse_over_reverse):
        np.testing.assert_allclose(product(x, v), -np.sin(x) * v, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(sd.hvp(f, (x,), (v,)), -np.sin(x) * v, rtol=1e-12, atol=1e-14)
    report("forward over reverse", median_time(lambda: forward_over_reverse(x, v)))
    report("reverse over reverse", median_time(lambda: reverse_over_reverse(x, v)))
    report("hvp", median_time(lambda: sd.hvp(f, (x,), (v,))))


def the_generated_source():
    title("7. The derivative is Python: the generated Jacobian of the layer")
    print(sd.jacrev(predict, argnums=2).source(WEIGHT, BIAS, X, level="array"))


def main():
    computing_the_jacobian()
    jacobians_of_parameters()
    forward_or_reverse()
    hessians()
    batches()
    hessian_vector_products()
    the_generated_source()


if __name__ == "__main__":
    main()
