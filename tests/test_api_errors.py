"""What is refused at the entry, by which error, and in which words."""

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.errors import NotScalarError

X = np.array([1.0, 2.0, 3.0])


@pytest.fixture(autouse=True)
def python_target(monkeypatch):
    monkeypatch.setenv("SRCDIFF_TARGET", "python")


def area(width, height):
    return np.sum(width * height)


def ratio(x, y):
    return x / y


REFUSED = [
    # what is done, the error, the built-in it is, what the message says
    (lambda: sd.grad(area, argnums=5)(X, X), sd.errors.ArgumentError, TypeError,
     r"argnums=5 names no argument: area is called with 2 positional arguments"),
    (lambda: sd.grad(area, argnums=-3)(X, X), sd.errors.ArgumentError, TypeError, "argnums=-3 names no"),
    (lambda: sd.grad(area, argnums="width"), sd.errors.ArgumentError, TypeError, "argnums holds 'width'"),
    (lambda: sd.grad(area, argnums=()), sd.errors.ArgumentError, TypeError, "argnums is empty"),
    (lambda: sd.grad(area, 0, argnames="height"), sd.errors.ArgumentError, TypeError,
     r"argnums and argnames are both given[^$]*fix:"),
    (lambda: sd.hessian(area, argnums=(0, 1), argnames="height"), sd.errors.ArgumentError, TypeError, "both given"),
    (lambda: sd.grad(area, argnames="depth")(X, X), sd.errors.ArgumentError, TypeError,
     r"argnames='depth' names no argument[^$]*area\(width, height\)"),
    (lambda: sd.grad(area)(X), sd.errors.ArgumentError, TypeError, "missing a required argument: 'height'"),
    (lambda: sd.grad(area)(X, X, depth=1), sd.errors.ArgumentError, TypeError, "unexpected keyword argument"),
    (lambda: sd.grad(area)("text", X), sd.errors.ArgumentError, TypeError,
     "argument 'width' cannot be differentiated: it is 'text'"),
    (lambda: sd.grad(area)(None, X), sd.errors.ArgumentError, TypeError, "it is None, not a number"),
    (lambda: sd.grad(area)([1, 2], X), sd.errors.ArgumentError, TypeError, "array of dtype int64"),
    (lambda: sd.grad(area)(True, X), sd.errors.ArgumentError, TypeError, "it is True"),
    (lambda: sd.grad(area)(np.ma.array(X), X), sd.errors.ArgumentError, TypeError, "is a MaskedArray"),
    (lambda: sd.grad(area)(X.astype(object), X), sd.errors.ArgumentError, TypeError, "dtype object"),
    (lambda: sd.grad(area)(X.astype(np.float16), X), sd.errors.ArgumentError, TypeError, "dtype float16"),
    (lambda: sd.grad(area)(np.longdouble(1), X), sd.errors.ArgumentError, TypeError, "a longdouble number"),
    (lambda: sd.grad(ratio)(X, 2.0), sd.errors.NotScalarError, TypeError,
     r"grad needs a function that returns one number; ratio returns an array of type float64\[:\] and shape \(3,\)"),
    (lambda: sd.grad(lambda x: (x, x))(1.0), sd.errors.NotScalarError, TypeError, "returns 2 values"),
    (lambda: sd.grad(lambda x: int(x))(1.0), sd.errors.NotScalarError, TypeError, "has dtype int64"),
    (lambda: sd.grad(lambda x: x > 0)(1.0), sd.errors.NotScalarError, TypeError, "has dtype bool"),
    (lambda: sd.grad(lambda x: None)(1.0), sd.errors.NotScalarError, TypeError, "returns None"),
    (lambda: sd.grad(lambda x: x * 1j)(1.0), sd.errors.NotScalarError, TypeError, "has dtype complex128"),
    (lambda: sd.grad(area, has_aux=True)(X, X), sd.errors.ArgumentError, TypeError,
     r"area does not return a pair \(output, aux\)"),
    (lambda: sd.jvp(area, (X, X), (X,)), sd.errors.ArgumentError, TypeError, "2 primals and 1 tangents"),
    (lambda: sd.jvp(area, X, X), sd.errors.ArgumentError, TypeError, "primals must be a tuple"),
    (lambda: sd.jvp(area, (X, X), (X[:2], X)), sd.errors.ShapeError, ValueError,
     "the tangent of width does not have its shape"),
    (lambda: sd.jvp(area, (X, X), (X[None], X)), sd.errors.ShapeError, ValueError, "has 2 axes, width has 1"),
    (lambda: sd.jvp(area, (X, X), (X.astype(np.float32), X)), sd.errors.ArgumentError, TypeError,
     "the tangent of width has dtype float32, width has float64"),
    (lambda: sd.jvp(area, (X, X), ((X, X), X)), sd.errors.ArgumentError, TypeError,
     "the tangent of width has 2 parts, width is one value"),
    (lambda: sd.jvp(lambda p: p[0] * p[1], ((1.0, 2.0),), (1.0,)), sd.errors.ArgumentError, TypeError,
     r"the tangent of p does not have its structure"),
    (lambda: sd.jvp(lambda x, n: x * n, (1.0, 2), (1.0, 1)), sd.errors.ArgumentError, TypeError,
     "argument 'n' has dtype int64 and no tangent"),
    (lambda: sd.jvp(lambda x: x, (1.0,), (1j,)), sd.errors.ArgumentError, TypeError, "is complex, x is real"),
    (lambda: sd.vjp(np.sin, X)[1](X[:2]), sd.errors.ShapeError, ValueError,
     "the cotangent does not have the shape of the output"),
    (lambda: sd.vjp(np.sin, X)[1](1.0), sd.errors.ShapeError, ValueError, "has 0 axes, the output of sin has 1"),
    (lambda: sd.differentiate(np.sin).pullback(X, X), sd.errors.ArgumentError, TypeError, "primals must be a tuple"),
    (lambda: sd.vjp(np.sin, X)[1](X, X), sd.errors.ArgumentError, TypeError, "too many positional arguments"),
    (lambda: sd.vjp(lambda x: (x, x), 1.0)[1](1.0), sd.errors.ArgumentError, TypeError, "its structure"),
    (lambda: sd.linearize(np.sin), sd.errors.ArgumentError, TypeError, "needs the point"),
    (lambda: sd.vmap(area, in_dims=(0,))(X, X), sd.errors.ArgumentError, TypeError,
     "in_dims has 1 entries, area is called with 2 positional arguments"),
    (lambda: sd.vmap(area, in_dims=(0, 1))(X, X), sd.errors.ArgumentError, TypeError,
     "in_dims=1 is no axis of argument 'height', which has 1 axes"),
    (lambda: sd.vmap(area)(X, 1.0), sd.errors.ArgumentError, TypeError,
     "cannot map over argument 'height': it is a number"),
    (lambda: sd.vmap(area, in_dims=None)(X, X), sd.errors.ArgumentError, TypeError, "nothing to map over"),
    (lambda: sd.vmap(area, in_dims="x")(X, X), sd.errors.ArgumentError, TypeError, "in_dims holds 'x'"),
    (lambda: sd.vmap(area, out_dims=1)(X, X), sd.errors.ArgumentError, TypeError,
     "out_dims=1 is no axis of an output with 1 axes"),
    (lambda: sd.vmap(area)(X, X[:2]), sd.errors.ShapeError, ValueError, "different numbers of samples"),
    (lambda: sd.vmap(area, chunk_size=0), sd.errors.ArgumentError, TypeError, "chunk_size is 0"),
    (lambda: sd.grad(3), sd.errors.ArgumentError, TypeError, "3 is not callable"),
    (lambda: sd.grad(np.ndarray), sd.errors.ArgumentError, TypeError, "is not a function that can be differ"),
    (lambda: sd.grad(eval("lambda x: x"))(1.0), sd.errors.NoSourceError, OSError,
     "the source of `<lambda>` cannot be found"),
    (lambda: sd.differentiate(area, target="tpu"), sd.errors.ArgumentError, TypeError, "target='tpu' is unknown"),
    (lambda: sd.functional.hessian(area, (X, X), outer_jacobian_strategy="sideways"),
     sd.errors.ArgumentError, TypeError, "strategy is 'sideways'"),
    (lambda: sd.differentiate(area).hvp(X), sd.errors.ArgumentError, TypeError, "missing a required argument"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_refusals(case):
    action, error, builtin, text = REFUSED[case]
    with pytest.raises(error, match=text) as caught:
        action()
    assert isinstance(caught.value, builtin)
    assert isinstance(caught.value, sd.SrcdiffError)
    assert str(caught.value).startswith("[SD0")


def test_a_refused_call_leaves_nothing_behind():
    gradient = sd.grad(ratio)
    with pytest.raises(sd.errors.NotScalarError):
        gradient(X, X)
    assert gradient(6.0, 2.0) == 0.5
    with pytest.raises(sd.errors.NotScalarError):
        gradient(X, X)


def test_a_derivative_inside_a_function_has_the_line_of_its_call():
    counted = sd.differentiate(lambda x: 1)

    def f(x):
        y = 2.0 * x
        return y + sd.grad(counted)(x)

    with pytest.raises(NotScalarError, match=r"SD0320(.|\n)*return y \+ sd\.grad"):
        sd.grad(f)(1.0)
