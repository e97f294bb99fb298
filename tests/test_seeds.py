"""The transform tutorial, row by row: what the reference API promises, on plain NumPy functions."""

import functools
import tracemalloc

import numpy as np
import pytest

import srcdiff as sd

M, N, B = 4, 3, 5


@pytest.fixture(autouse=True)
def python_target(monkeypatch):
    """Run the generated code as it is; compiled code has tests of its own."""
    monkeypatch.setenv("SRCDIFF_TARGET", "python")


def predict(weight, bias, x):
    return np.tanh(weight @ x + bias)


def loss(x):
    return np.sum(np.sin(x) * x**2) + np.prod(x)


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    return rng.normal(size=(M, N)), rng.normal(size=M), rng.normal(size=N)


def jacobian_of_x(w, b, x):
    return (1 - np.tanh(w @ x + b) ** 2)[:, None] * w


def hessian_of_x(w, b, x):
    t = np.tanh(w @ x + b)
    return (-2 * t * (1 - t**2))[:, None, None] * w[:, :, None] * w[:, None, :]


def close(a, b, rtol=1e-12):
    assert np.shape(a) == np.shape(b)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14)


def test_s1_vjp_of_partials_and_lambdas(data):
    w, b, x = data
    for f in (functools.partial(predict, w, b), lambda x: predict(w, b, x)):
        out, pullback = sd.vjp(f, x)
        close(out, predict(w, b, x))
        result = pullback(np.ones(M))
        assert isinstance(result, tuple) and len(result) == 1
        close(result[0], jacobian_of_x(w, b, x).sum(0))
    _, pullback = sd.vjp(predict, w, b, x)
    assert [g.shape for g in pullback(np.ones(M))] == [(M, N), (M,), (N,)]


def test_s2_vmap_of_a_pullback_is_one_program(data):
    w, b, x = data
    _, pullback = sd.vjp(functools.partial(predict, w, b), x)
    rows = sd.vmap(pullback)
    (jacobian,) = rows(np.eye(M))
    close(jacobian, jacobian_of_x(w, b, x))
    text = rows.source(np.eye(M), level="array")
    text = text[text.index("def predict"):]
    assert "in range(" not in text, "the loop over directions is in the statements"
    assert "= np.tanh(" not in text, "the primal has been computed by `vjp`"
    (columns,) = sd.vmap(pullback, in_dims=1, out_dims=1)(np.eye(M))
    close(columns, jacobian_of_x(w, b, x).T)
    _, along = sd.linearize(functools.partial(predict, w, b), x)
    close(sd.vmap(along, out_dims=-1)(np.eye(N)), jacobian_of_x(w, b, x))


@pytest.mark.parametrize("transform", [sd.jacrev, sd.jacfwd, sd.jacobian])
def test_s3_jacobians(data, transform):
    w, b, x = data
    single = transform(predict, argnums=2)(w, b, x)
    close(single, jacobian_of_x(w, b, x))
    one, = transform(predict, argnums=(2,))(w, b, x)
    close(one, single)
    matrix = transform(lambda a: a @ a)(w @ w.T)
    assert matrix.shape == (M, M, M, M)
    a = w @ w.T
    eye = np.eye(M)
    close(matrix, np.einsum("ik,lj->ijkl", eye, a) + np.einsum("ik,jl->ijkl", a, eye))
    first, second = transform(lambda x: (np.sin(x), x.sum()))(x)
    close(first, np.diag(np.cos(x)))
    close(second, np.ones(N))


@pytest.mark.parametrize("transform", [sd.jacrev, sd.jacfwd, sd.jacobian])
def test_s4_has_aux(data, transform):
    _, _, x = data
    jacobian, value = transform(lambda x: (np.sin(x), np.sin(x)), has_aux=True)(x)
    close(jacobian, np.diag(np.cos(x)))
    close(value, np.sin(x))
    gradient, (name, square) = sd.grad(lambda x: (x.sum(), ("sum", x * x)), has_aux=True)(x)
    close(gradient, np.ones(N))
    assert name == "sum"
    close(square, x * x)
    out, tangent, aux = sd.jvp(lambda x: (x * x, x), (x,), (np.ones(N),), has_aux=True)
    close(tangent, 2 * x)
    close(aux, x)
    out, pullback, aux = sd.vjp(lambda x: (x * x, x), x, has_aux=True)
    close(pullback(np.ones(N))[0], 2 * x)
    hess, aux = sd.hessian(lambda x: (loss(x), x), has_aux=True)(x)
    close(hess, sd.hessian(loss)(x))
    close(aux, x)


@pytest.mark.parametrize("transform", [sd.jacrev, sd.jacfwd])
def test_s5_chunks(data, transform):
    w, b, x = data
    whole = transform(predict, argnums=(0, 2))(w, b, x)
    for size in (1, 2, 3, 100):
        parts = transform(predict, argnums=(0, 2), chunk_size=size)(w, b, x)
        for a, c in zip(whole, parts, strict=True):
            close(a, c, 1e-13)
    with pytest.raises(sd.errors.ArgumentError, match="chunk_size is 0"):
        transform(predict, chunk_size=0)


def test_s5_memory_shrinks_with_the_chunk():
    x = np.linspace(0.1, 1.0, 400)

    def peak(**options):
        jacobian = sd.jacrev(lambda x: np.cumsum(np.sin(np.cumsum(x))), **options)
        jacobian(x)
        tracemalloc.start()
        jacobian(x)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    one = 400 * 400 * 8
    assert peak(chunk_size=10) - one < 0.5 * one < peak(chunk_size=200) - one


def test_s6_parameters(data):
    w, b, x = data
    for transform in (sd.jacrev, sd.jacfwd, sd.jacobian):
        dw, db = transform(predict, argnums=(0, 1))(w, b, x)
        assert dw.shape == (M, M, N) and db.shape == (M, M)
        slope = 1 - predict(w, b, x) ** 2
        close(db, np.diag(slope))
        close(dw, np.einsum("i,ij,k->ijk", slope, np.eye(M), x))


def test_s7_the_cheaper_mode():
    rng = np.random.default_rng(0)
    f = sd.differentiate(lambda w, x: np.tanh(w @ x))
    tall, wide = rng.normal(size=(64, 4)), rng.normal(size=(4, 64))
    auto = sd.jacobian(f, argnums=1)
    for w, mode in ((tall, "forward"), (wide, "reverse")):
        x = rng.normal(size=w.shape[1])
        close(auto(w, x), sd.jacrev(f, argnums=1)(w, x))
        close(sd.jacfwd(f, argnums=1)(w, x), sd.jacrev(f, argnums=1)(w, x))
        assert auto.why(w, x).startswith(f"{mode} mode: {w.shape[1]} input directions")
        assert auto.choose(w, x).recipe.mode == mode
    with pytest.raises(sd.errors.ArgumentError, match="mode='sideways'"):
        sd.jacobian(f, mode="sideways")


def test_s8_hessians_of_vectors(data):
    w, b, x = data
    expected = hessian_of_x(w, b, x)
    close(sd.hessian(predict, argnums=2)(w, b, x), expected)
    for outer in (sd.jacfwd, sd.jacrev):
        for inner in (sd.jacfwd, sd.jacrev):
            close(outer(inner(predict, argnums=2), argnums=2)(w, b, x), expected, 1e-11)
    blocks = sd.hessian(lambda a, c: np.sum(a) * np.sum(c * c), argnums=(0, 1))(x, b)
    assert [[h.shape for h in row] for row in blocks] == [[(N, N), (N, M)], [(M, N), (M, M)]]
    close(blocks[0][1], np.broadcast_to(2 * b, (N, M)))


def test_s9_batches(data):
    w, b, _ = data
    xs = np.random.default_rng(2).normal(size=(B, N))
    dims = (None, None, 0)
    expected = np.stack([jacobian_of_x(w, b, x) for x in xs])
    for transform in (sd.jacrev, sd.jacfwd, sd.jacobian):
        close(sd.vmap(transform(predict, argnums=2), in_dims=dims)(w, b, xs), expected)
    hessians = sd.vmap(sd.hessian(predict, argnums=2), in_dims=dims)(w, b, xs)
    close(hessians, np.stack([hessian_of_x(w, b, x) for x in xs]))
    last = sd.vmap(sd.jacrev(predict, argnums=2), in_dims=(None, None, 1), out_dims=2, chunk_size=2)
    close(last(w, b, xs.T), np.moveaxis(expected, 0, 2))
    nested = sd.vmap(sd.vmap(predict, in_dims=dims), in_dims=(0, 0, None))
    ws, bs = np.stack([w, 2 * w]), np.stack([b, b])
    close(nested(ws, bs, xs), np.stack([np.tanh(xs @ w.T + b), np.tanh(2 * xs @ w.T + b)]))
    summed = sd.jacrev(lambda xs: np.tanh(xs @ w.T + b).sum(axis=0))(xs)
    close(np.moveaxis(summed, 1, 0), expected)


def test_s10_hessian_vector_products():
    rng = np.random.default_rng(3)
    x, v = rng.normal(size=6), rng.normal(size=6)
    expected = sd.hessian(loss)(x) @ v
    close(sd.jvp(sd.grad(loss), (x,), (v,))[1], expected, 1e-11)
    close(sd.vjp(sd.grad(loss), x)[1](v)[0], expected, 1e-11)
    close(sd.hvp(loss, (x,), (v,)), expected, 1e-11)
    close(sd.vhp(loss, (x,), (v,)), expected, 1e-11)
    close(sd.differentiate(loss).hvp(x, v), expected, 1e-11)
    first, second = sd.hvp(lambda a, c: np.sum(a * a * c), (x, v), (v, x))
    close(first, 2 * v * v + 2 * x * x)
    close(second, 2 * x * v)


def test_s10_never_forms_the_hessian():
    x, v = np.linspace(0, 1, 2000), np.ones(2000)
    f = sd.differentiate(lambda x: np.sum(np.sin(x)))
    f.hvp(x, v)
    tracemalloc.start()
    f.hvp(x, v)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2000 * 8


def test_s11_ufuncs_have_diagonal_jacobians(data):
    _, _, x = data
    for transform in (sd.jacrev, sd.jacfwd, sd.jacobian):
        close(transform(np.sin)(x), np.diag(np.cos(x)))
    close(sd.jacrev(np.multiply, argnums=1)(x, x), np.diag(x))


def test_s12_depth(data):
    _, _, x = data
    close(sd.jacrev(sd.jacrev(loss))(x), sd.hessian(loss)(x))
    xs = np.random.default_rng(4).normal(size=(64, 5))
    batch = sd.vmap(sd.jacrev(np.sin))(xs)
    assert batch.shape == (64, 5, 5)
    close(batch, np.stack([np.diag(np.cos(x)) for x in xs]))
    third = sd.jacfwd(sd.jacrev(sd.jacfwd(lambda x: np.sum(np.sin(x)))))(x)
    expected = np.zeros((N, N, N))
    expected[range(N), range(N), range(N)] = -np.cos(x)
    close(third, expected)
    fourth = sd.grad(sd.grad(sd.grad(sd.grad(lambda t: np.sin(2 * t)))))(0.3)
    close(fourth, 16 * np.sin(0.6))


def test_s13_constants():
    def f(x):
        with sd.no_grad():
            c = x**2
        return x - c

    def g(x):
        return x - sd.stop_gradient(x**2)

    for h in (f, g):
        assert sd.grad(h)(3.0) == 1.0
        assert sd.differentiate(h)(3.0) == -6.0
        assert sd.jvp(h, (3.0,), (1.0,)) == (-6.0, 1.0)
    with sd.no_grad():
        assert sd.grad(lambda x: x * x)(3.0) == 6.0
    assert sd.stop_gradient(2.0) == 2.0


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_s14_functional(data, strategy):
    _, b, x = data
    functional = sd.functional

    def f(a, c):
        return np.sum(a * a) * np.sum(np.sin(c))

    hess = functional.hessian(f, (x, b), outer_jacobian_strategy=strategy)
    assert [[h.shape for h in row] for row in hess] == [[(N, N), (N, M)], [(M, N), (M, M)]]
    close(hess[0][1], np.outer(2 * x, np.cos(b)))
    close(functional.hessian(loss, x, outer_jacobian_strategy=strategy), sd.hessian(loss)(x))
    first, second = functional.jacobian(f, (x, b), strategy=strategy, create_graph=True)
    close(first, 2 * x * np.sin(b).sum())
    assert functional.jacobian(np.sin, x, strategy=strategy).shape == (N, N)


def test_s14_products_and_strictness(data):
    _, b, x = data
    functional = sd.functional
    value, product = functional.hvp(loss, x, np.ones(N))
    close(value, loss(x))
    close(product, sd.hessian(loss)(x).sum(0), 1e-11)
    assert isinstance(functional.hvp(loss, (x,), (np.ones(N),))[1], tuple)
    close(functional.vhp(loss, x, np.ones(N))[1], product)
    value, tangent = functional.jvp(np.sin, x, np.ones(N))
    close(tangent, np.cos(x))
    value, cotangent = functional.vjp(np.sin, x, np.ones(N))
    close(cotangent, np.cos(x))
    close(functional.vjp(loss, x)[1], sd.grad(loss)(x))
    close(functional.hessian(lambda x: np.sum(x * x, keepdims=True), x), 2 * np.eye(N))
    with pytest.raises(sd.errors.NotScalarError, match="must return one element"):
        functional.hessian(np.sin, x)

    def first_only(a, c):
        return np.sum(a * a)

    close(functional.jacobian(first_only, (x, b))[1], np.zeros(M))
    with pytest.raises(sd.errors.ArgumentError, match="does not depend on input 1 .'c'."):
        functional.jacobian(first_only, (x, b), strict=True)
    with pytest.raises(sd.errors.ArgumentError, match="gradient 0 .* does not depend on input 0"):
        functional.hessian(lambda x: np.sum(x), x, strict=True)
    with pytest.raises(sd.errors.ArgumentError, match="v is missing"):
        functional.jvp(np.sin, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_s15_dtypes(data, dtype):
    w, b, x = (a.astype(dtype) for a in data)
    for result in (sd.jacrev(predict, argnums=2)(w, b, x), sd.jacfwd(predict, argnums=2)(w, b, x),
                   sd.hessian(predict, argnums=2)(w, b, x), sd.grad(loss)(x),
                   sd.jacrev(predict, argnums=2, chunk_size=2)(w, b, x), sd.hvp(loss, (x,), (x,)),
                   sd.vmap(np.sin)(x), *sd.vjp(predict, w, b, x)[1](b)):
        assert result.dtype == dtype
    value, gradient = sd.value_and_grad(lambda t: 2.0 * t * t)(dtype(3))
    assert type(value) is dtype and type(gradient) is dtype


def test_s15_integers_are_refused_by_name():
    for value, shown in ((np.arange(3), "an array of dtype int64"), (3, "a number of dtype int64")):
        with pytest.raises(sd.errors.ArgumentError, match="argument 'count' cannot .*" + shown):
            sd.grad(lambda x, count: x * np.sum(count), argnums=1)(1.0, value)
        with pytest.raises(TypeError):
            sd.jacfwd(lambda x, count: x * np.sum(count), argnums=1)(1.0, value)
    assert sd.grad(lambda x, count: x * count)(2.0, 3) == 3.0


def test_s16_the_tutorial_in_one_piece(data):
    w, b, x = data
    _, pullback = sd.vjp(functools.partial(predict, w, b), x)
    by_rows = np.stack([pullback(row)[0] for row in np.eye(M)])
    (at_once,) = sd.vmap(pullback)(np.eye(M))
    for other in (at_once, sd.jacrev(predict, argnums=2)(w, b, x), sd.jacfwd(predict, argnums=2)(w, b, x)):
        close(by_rows, other)
    xs = np.stack([x, 2 * x])
    hess = sd.vmap(sd.hessian(predict, argnums=2), in_dims=(None, None, 0))(w, b, xs)
    assert hess.shape == (2, M, N, N)
    close(hess[0], hessian_of_x(w, b, x))
