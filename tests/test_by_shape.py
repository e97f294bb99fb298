"""Functions whose ranks or lengths depend on the extents of their arguments: code for each shape, right in every mode."""

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.api.by_shape import ByShape
from tests.oracle import differences

X2, X3 = np.array([0.4, 1.3]), np.array([0.7, -0.4, 1.9])
ONE, TALL, WIDE = X3[None], np.vstack([X3, X3 ** 2 + 1.0]), np.vstack([X2, X2 - 2.0, X2 * X2]).copy()


def one_row_or_many(x):
    """Vectors stand for matrices of one row, as packages of navigation have it."""
    x = np.atleast_2d(x)
    if x.shape[1] != 3:
        x = x.T
    if x.shape[0] == 1:
        x = x[0]
    return np.sin(x) * x


def starred(x):
    first, *rest, last = x
    return first * last + sum(v * v for v in rest)


def passed_on(x):
    return np.array(polynomial(*x))


def polynomial(constant, *coefficients):
    return [constant ** 2, *(c * constant ** k for k, c in enumerate(coefficients))]


def as_many_names(x):
    if len(x) == 2:
        a, b = x
        return a * np.cos(b)
    a, b, c = x
    return a * np.exp(b * c)


def in_place(x):
    """Write the argument, whose rows are as many as there are names."""
    *before, last = x
    for row in before:
        row *= last
    return np.sum(x * x, axis=-1)


def list_of_numbers(x):
    head, *tail = x
    return head * np.prod(tail)


CASES = {
    "one row": (one_row_or_many, ONE), "many rows": (one_row_or_many, TALL), "columns": (one_row_or_many, WIDE),
    "a vector": (one_row_or_many, X3), "star": (starred, X3), "star, two": (starred, X2), "star, rows": (starred, TALL),
    "arguments": (passed_on, X3), "two names": (as_many_names, X2), "three names": (as_many_names, X3),
    "in place": (in_place, TALL), "columns in place": (in_place, WIDE),
}


def close(got, expected, tolerance=1e-8):
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("f, x", CASES.values(), ids=CASES)
def test_forward_reverse_and_second_order(f, x):
    g, v = sd.differentiate(f, target="python"), np.cos(np.arange(x.size)).reshape(x.shape)
    ((expected, _),) = differences(lambda x: (f(x.copy()),), (x,), (v,))
    out, forward = g.jvp((x,), (v,))
    close(forward, expected)
    close(out, f(x.copy()))
    w = np.sin(1.0 + np.arange(np.size(out))).reshape(np.shape(out))
    (back,) = g.vjp(x)[1](w)
    close(np.sum(back * v), np.sum(w * forward), 1e-12)
    jacobian = np.asarray(g.jacrev(x))
    close(g.jacfwd(x), jacobian, 1e-12)
    ((second, _),) = differences(lambda x: (np.asarray(g.jacrev(x)),), (x,), (v,))
    close(np.tensordot(np.asarray(g.hessian(x)), v, x.ndim), second, 1e-7)


def test_a_list_has_a_length():
    g = sd.differentiate(list_of_numbers, target="python")
    close(g.grad([2.0, 3.0, 5.0]), [15.0, 10.0, 6.0])
    close(g.grad([2.0, 3.0]), [3.0, 2.0])


def test_each_shape_has_its_code_and_each_is_made_once():
    g = sd.differentiate(starred, target="python").grad
    for x in (X3, X2, X3, X2 + 1.0):
        close(g(x), differences_of(starred, x))
    (run,) = g._table.values()
    assert isinstance(run, ByShape) and len(run.runners) == len(g._programs) == 2


def differences_of(f, x):
    return [differences(lambda x: (f(x),), (x,), (e,))[0][0] for e in np.eye(len(x))]


def test_what_holds_for_all_shapes_is_made_once():
    g = sd.differentiate(lambda x: np.sum(x * x), target="python").grad
    close(g(X3), 2.0 * X3)
    close(g(X2), 2.0 * X2)
    assert len(g._programs) == 1 and not any(isinstance(run, ByShape) for run in g._table.values())


def test_the_code_refuses_other_shapes():
    g = sd.differentiate(starred, target="python").grad
    scope = {}
    exec(g.source(X3), scope)
    close(scope["starred_grad"](X3), g(X3), 1e-15)
    with pytest.raises(ValueError, match=r"SD0348\] this code is made for x with the extents \(3,\)"):
        scope["starred_grad"](X2)


def test_samples_and_structures():
    g = sd.differentiate(starred, target="python")
    columns = np.column_stack([X3, X3 + 1.0])
    close(sd.vmap(g.grad, in_dims=1)(columns), [g.grad(c.copy()) for c in columns.T], 1e-15)
    h = sd.differentiate(lambda p, scale: starred(p["x"]) * scale, target="python")
    close(h.grad({"x": X3}, 2.0)["x"], 2.0 * g.grad(X3), 1e-15)
    close(h.grad({"x": X2}, scale=2.0)["x"], 2.0 * g.grad(X2), 1e-15)


def test_compiled():
    g = sd.differentiate(starred).value_and_grad
    for x in (X3, X2):
        value, gradient = g(x)
        close(value, starred(x), 1e-14)
        close(gradient, differences_of(starred, x))


def test_what_no_shape_helps_keeps_its_message():
    def refused(x):
        first, *rest = x
        return first * hash(rest[0])
    with pytest.raises(sd.errors.UnsupportedError) as error:
        sd.differentiate(refused, target="python").grad(X3)
    assert "hash" in str(error.value) and "star" not in str(error.value)
