"""Small samples of a batch are computed in blocks, side by side: which are, and that they are right."""

import numpy as np
import pytest

import srcdiff as sd


def decay(p, t):
    return p[0] * np.exp(-p[1] * t) + p[2]


def path(state, steps):
    x, y, h = state[0], state[1], 0.01
    for _ in range(steps):
        dx, dy = y, (1.0 - x * x) * y - x
        x += h * dx
        y += h * dy
    return np.array([x, y])


def hinge(x):
    s = 0.0
    for v in x:
        if v > 0.0:
            s += v * v
        else:
            s += np.exp(v)
    return s


def clipped(x):
    return np.sum(np.where(x > 0.0, x * x, np.exp(x)))


def square(x):
    return np.sum(x * x)


RNG = np.random.default_rng(1)
STATES = RNG.normal(size=(300, 2))


def one_by_one(derivative, *args):
    return np.stack([derivative(sample, *args) for sample in STATES])


def is_side_by_side(mapped, *args) -> bool:
    return mapped.form(args, {}) is mapped.blocks


def test_a_jacobian_of_a_loop_over_time():
    derivative = sd.jacfwd(path)
    mapped = sd.vmap(derivative, in_dims=(0, None))
    assert is_side_by_side(mapped, STATES, 20)
    expected = one_by_one(derivative, 20)
    np.testing.assert_allclose(mapped(STATES, 20), expected, 1e-12, 1e-12)
    out = np.zeros_like(expected)
    assert mapped(STATES, 20, out=out) is out
    np.testing.assert_allclose(out, expected, 1e-12, 1e-12)
    single = mapped(STATES[:127], 20)                   # too few
    assert not is_side_by_side(mapped, STATES[:127], 20)
    np.testing.assert_allclose(single, expected[:127], 1e-12, 1e-12)
    assert "block" in mapped.source(STATES, 20) and "block" not in mapped.source(STATES[:5], 20)


def test_samples_on_another_axis_and_all_cores():
    t = np.linspace(0.0, 1.0, 5)
    derivative = sd.jacrev(decay)
    points = RNG.normal(size=(3, 70_000))
    parallel = sd.vmap(derivative, in_dims=(1, None), out_dims=2, parallel=True)
    assert is_side_by_side(parallel, points, t) and parallel.why(points, t).startswith("all cores")
    expected = np.stack([np.exp(-points[1] * t[:, None]), -points[0] * t[:, None] * np.exp(-points[1] * t[:, None]),
                         np.ones((5, 70_000))], 1)
    found = parallel(points, t)
    np.testing.assert_allclose(found, expected, 1e-13)
    out = np.zeros_like(expected)
    assert parallel(points, t, out=out) is out
    np.testing.assert_array_equal(out, found)


@pytest.mark.parametrize("function, side_by_side", [(hinge, False), (clipped, True)])
def test_samples_that_may_take_different_paths_are_computed_one_after_the_other(function, side_by_side):
    mapped = sd.vmap(sd.grad(function))
    assert is_side_by_side(mapped, STATES) is side_by_side
    np.testing.assert_allclose(mapped(STATES), np.where(STATES > 0.0, 2.0 * STATES, np.exp(STATES)), 1e-14)


def test_a_batch_that_cannot_be_one_says_why():
    mapped = sd.vmap(sd.grad(clipped))
    with pytest.raises(sd.errors.ArgumentError, match="SD0330"):
        mapped(1.0)
    two = sd.vmap(sd.jacrev(decay), in_dims=(0, 0))
    with pytest.raises(sd.errors.ShapeError, match="SD0331"):
        two(np.ones((300, 3)), np.ones((200, 3)))
    assert mapped(np.ones((0, 2))).shape == (0, 2)


def test_arguments_may_be_structures_and_flags():
    def model(p, x, kind):
        z = p["a"] * x + p["b"][0]
        return np.sum(np.exp(-z)) if kind == "exp" else np.sum(z if z[0] > 0.0 else np.exp(z))

    p, x = {"a": RNG.normal(size=300), "b": RNG.normal(size=(300, 2))}, RNG.normal(size=(300, 5))
    mapped = sd.vmap(sd.grad(model), in_dims=({"a": 0, "b": 0}, 0, None))
    assert is_side_by_side(mapped, p, x, "exp") and not is_side_by_side(mapped, p, x, "either")
    slopes = -np.exp(-p["a"][:, None] * x - p["b"][:, :1])
    found = mapped(p, x, "exp")
    np.testing.assert_allclose(found["a"], np.sum(slopes * x, 1), 1e-13)
    np.testing.assert_allclose(found["b"], np.stack([np.sum(slopes, 1), np.zeros(300)], 1), 1e-13)


def test_large_samples_and_other_targets_run_one_after_the_other():
    mapped = sd.vmap(sd.grad(clipped))
    assert not is_side_by_side(mapped, np.ones((300, 17)))
    assert is_side_by_side(mapped, np.ones((300, 16)))
    assert not is_side_by_side(sd.vmap(sd.hessian(clipped)), np.ones((300, 16)))            # too many numbers to turn around
    assert not is_side_by_side(sd.vmap(sd.grad(square)), np.ones((300, 16)))                # too little work
    python = sd.vmap(sd.grad(sd.differentiate(clipped, target="python")))
    assert not is_side_by_side(python, STATES)
    assert sd.vmap(sd.grad(clipped)).__class__ is mapped.__class__ and repr(mapped).startswith("<vmap of")
