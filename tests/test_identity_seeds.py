"""Identity seeds: structured results equal those of dense identities, and are never built needlessly."""

from dataclasses import replace

import numpy as np
import pytest

from srcdiff.forward import tangent
from srcdiff.jacobians import forward_jacobian, reverse_jacobian
from srcdiff.notation import read, run, show
from srcdiff.reverse import adjoint
from srcdiff.syntax import Var, is_float, walk
from srcdiff.vectorize import vectorize
from srcdiff.verify import verify
from tests.modes import Modes
from tests.programs import PROGRAMS as SAMPLES

# Functions of x and others, with the shapes of their arguments; several where
# an extent may be 1 or 0 at run time.
PROGRAMS = {
    "predict": ('''
def f(x: "float64[:]", w: "float64[:,:]", b: "float64[:]"):
    t = matmul(w, x)
    u = add(t, b)
    y = tanh(u)
    return y
''', [((4,), (3, 4), (3,)), ((4,), (1, 4), (3,)), ((4,), (3, 4), (1,)), ((1,), (1, 1), (1,))]),
    "ufunc": ('''
def f(x: "float64[:]"):
    y = sin(x)
    return y
''', [((4,),), ((1,),), ((0,),)]),
    "products": ('''
def f(x: "float64[:]", w: "float64[:]"):
    t = multiply(x, w)
    u = divide(t, 3.0)
    v = exp(u)
    y = multiply(v, w)
    z = add(y, x)
    s = sum(z, axis=(0,))
    return y, z, s
''', [((4,), (4,)), ((1,), (4,)), ((4,), (1,)), ((0,), (0,)), ((0,), (1,))]),
    "sums of diagonals": ('''
def f(x: "float64[:]", w: "float64[:]"):
    a = multiply(x, x)
    b = multiply(x, w)
    c = add(a, b)
    d = subtract(x, c)
    e = negative(d)
    g = multiply(3.0, x)
    h = subtract(g, x)
    k = multiply(e, h)
    return c, d, e, h, k
''', [((4,), (4,)), ((1,), (4,)), ((4,), (1,))]),
    "quotients": ('''
def f(x: "float64[:]", w: "float64[:]"):
    a = divide(w, x)
    b = divide(x, w)
    c = sqrt(x)
    d = power(x, 3)
    e = add(a, b)
    return e, c, d
''', [((4,), (4,)), ((1,), (4,)), ((4,), (1,))]),
    "branches of where": ('''
def f(x: "float64[:]", w: "float64[:]"):
    m = greater(x, 0.5)
    a = where(m, x, 0.0)
    b = multiply(x, 2.0)
    c = where(m, x, b)
    n = greater(w, 0.5)
    d = where(n, x, 1.5)
    e = maximum(x, 0.7)
    return a, c, d, e
''', [((4,), (4,)), ((1,), (4,)), ((4,), (1,))]),
    "rosenbrock": ('''
def f(x: "float64[:]"):
    a = x[1:]
    b = x[:-1]
    c = multiply(b, b)
    d = subtract(a, c)
    e = multiply(d, d)
    g = subtract(1.0, b)
    h = multiply(g, g)
    k = multiply(100.0, e)
    l = add(k, h)
    s = sum(l, axis=(0,))
    return l, s
''', [((5,),)]),
    "quadratic form": ('''
def f(x: "float64[:]", w: "float64[:,:]"):
    t = matmul(w, x)
    u = matmul(x, w)
    s = matmul(x, t)
    v = matmul(u, u)
    r = matmul(u, t)
    y = add(t, x)
    return t, u, s, v, r, y
''', [((3,), (3, 3)), ((1,), (1, 1))]),
    "transposed products": ('''
def f(x: "float64[:]", w: "float64[:,:]"):
    a = transpose(w, perm=(1, 0))
    b = matmul(x, a)
    c = sin(x)
    d = matmul(w, c)
    e = add(b, d)
    return b, e
''', [((4,), (3, 4)), ((1,), (3, 1))]),
    "dense and diagonal": ('''
def f(x: "float64[:]", w: "float64[:,:]"):
    t = matmul(w, x)
    c = sin(x)
    a = add(t, x)
    b = subtract(t, c)
    d = subtract(c, t)
    e = subtract(x, a)
    g = add(e, 0.0)
    h = multiply(x, t)
    return a, b, d, e, g, h
''', [((4,), (4, 4)), ((1,), (4, 1))]),
    "matrix products": ('''
def f(x: "float64[:,:]", a: "float64[:,:]", b: "float64[:,:]"):
    t = matmul(a, x)
    u = matmul(x, b)
    v = sin(x)
    p = matmul(a, v)
    q = matmul(v, b)
    return t, u, p, q
''', [((2, 3), (4, 2), (3, 5)), ((1, 1), (4, 1), (1, 5)), ((0, 3), (4, 0), (3, 5))]),
    "loop": ('''
def f(x: "float64[:]"):
    n = size(x, axis=0)
    y = zeros(n, dtype='float64')
    s = 1.0
    u = multiply(x, x)
    for i in range(0, n, 1):
        t = u[i]
        s = multiply(s, t)
        y[i] = s
    z = multiply(y, x)
    return y, s, z
''', [((4,),), ((0,),)]),
    "overwritten": ('''
def f(x: "float64[:]", w: "float64[:]"):
    c = multiply(w, 2.0)
    y = multiply(c, x)
    c = multiply(c, w)
    z = multiply(c, x)
    w2 = copy(w)
    a = multiply(w2, x)
    w2[0] = 7.0
    b = multiply(w2, x)
    y2 = add(y, z)
    return y, z, a, b, y2
''', [((4,), (4,)), ((4,), (1,))]),
    "structure in a loop": ('''
def f(x: "float64[:]", n: "weak int64"):
    z = zeros(3, dtype='float64')
    for i in range(0, n, 1):
        k = add(i, 1)
        u = multiply(x, k)
        v = sin(u)
        s = sum(v, axis=(0,))
        z[i] = s
    return z
''', [((4,), 3), ((4,), 0)]),
    "branches": ('''
def f(x: "float64[:]", n: "weak int64"):
    c = greater(n, 1)
    if c:
        y = sin(x)
        z = multiply(y, 2.0)
        s = sum(z, axis=(0,))
    else:
        s = sum(x, axis=(0,))
    return s
''', [((4,), 3), ((4,), 0)]),
    "matrix of an elementwise function": ('''
def f(x: "float64[:,:]", w: "float64[:,:]", b: "float64[:]"):
    y = sin(x)
    z = multiply(y, w)
    s = sum(z, axis=(0, 1))
    u = multiply(y, b)
    return y, z, s, u
''', [((2, 3), (2, 3), (3,)), ((2, 3), (1, 3), (1,)), ((1, 3), (2, 3), (3,)), ((2, 1), (2, 3), (1,))]),
    "matrix parameter": ('''
def f(x: "float64[:,:]", b: "float64[:]", w: "float64[:,:]"):
    t = matmul(x, b)
    y = tanh(t)
    r = sum(x, axis=(1,))
    q = sum(x, axis=(0,))
    c = multiply(x, x)
    p = matmul(c, b)
    l = matmul(w, x)
    d = transpose(w, perm=(1, 0))
    e = matmul(d, w)
    g = matmul(e, c)
    h = transpose(x, perm=(1, 0))
    k = matmul(c, h)
    v = matmul(e, p)
    o = matmul(v, x)
    z = sum(x, axis=(1,), keepdims=True)
    return y, r, q, p, l, g, k, o, z
''', [((2, 3), (3,), (4, 2)), ((1, 3), (3,), (4, 1)), ((0, 3), (3,), (4, 0))]),
    "reshaped": ('''
def f(x: "float64[:]", w: "float64[:,:]"):
    a = multiply(x, x)
    m = reshape(a, 2, 3)
    b = sin(m)
    c = reshape(b, -1)
    d = matmul(w, c)
    e = reshape(x, 3, 2)
    g = transpose(e, perm=(1, 0))
    h = expand_dims(x, axis=1)
    k = multiply(h, x)
    return c, d, g, k, b
''', [((6,), (4, 6))]),
    "scalar argument": ('''
def f(x: "float64", w: "float64[:]"):
    t = multiply(x, x)
    u = sin(t)
    y = multiply(u, w)
    s = multiply(t, u)
    return y, s
''', [((), (4,))]),
    "broadcast": ('''
def f(x: "float64[:]", w: "float64[:]", m: "float64[:,:]"):
    n = size(w, axis=0)
    y = broadcast_to(x, n)
    z = multiply(y, w)
    a = multiply(m, x)
    s = sum_to(x)
    t = sum_to(x, 1)
    u = sum(x, axis=(0,), keepdims=True)
    return z, a, s, t, u
''', [((4,), (4,), (2, 4)), ((1,), (4,), (2, 3))]),
    "constant results": ('''
def f(x: "float64[:]", w: "float64[:]"):
    y = zeros(2, dtype='float64')
    z = multiply(w, 2.0)
    return x, y, z, 1.5
''', [((4,), (4,))]),
    "float32": ('''
def f(x: "float32[:]", w: "float64[:]", i: "int64[:]"):
    a = multiply(x, 2.0)
    b = multiply(x, i)
    c = cast(b, dtype='float32')
    d = multiply(c, a)
    e = multiply(x, w)
    return a, b, d, e
''', [((4,), (4,), (4,)), ((4,), (1,), (4,))]),
    "cumulative": ('''
def f(x: "float64[:]", i: "int64[:]"):
    a = cumsum(x, axis=0)
    b = take(x, i, axis=0)
    c = x[i]
    d = x[::-1]
    e = concatenate(x, d, axis=0)
    return a, b, c, d, e
''', [((4,), (3,))]),
    "stacked products": ('''
def f(x: "float64[:,:,:]", w: "float64[:,:]"):
    a = matmul(x, w)
    b = sum(a, axis=(0,))
    return a, b
''', [((2, 3, 4), (4, 2))]),
}
# Its adjoint reads, in a second branch on the same condition, extents of what the first one assigned.
COLUMNS_ONLY = ("branches",)
CASES = [(name, i) for name, (_, shapes) in PROGRAMS.items() for i in range(len(shapes))]


def arguments(program, shapes, rng):
    values = []
    for p, shape in zip(program.params, shapes, strict=True):
        if p.type.dtype == "int64":
            values.append(shape if isinstance(shape, int) else rng.integers(0, 4, size=shape))
        else:
            values.append(np.asarray(rng.uniform(0.3, 1.7, size=shape), p.type.dtype)[()])
    return values


def identity(like, axis):
    """Return the dense identity over the elements of `like`."""
    like = np.asarray(like)
    eye = np.eye(like.size, dtype=like.dtype)
    return eye.reshape((like.size, *like.shape) if axis == 0 else (*like.shape, like.size))


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def pick(program, position):
    """Return the program with one more result only: the one at `position`."""
    return replace(program, results=(program.results[position],), tree=None)


def columns(program, values, active="x"):
    """Return (structured, dense) programs by forward mode, and the arguments of each."""
    structured = vectorize(tangent(program, (active,), seed="identity"), frozenset(), -1)
    along = tangent(program, (active,))
    dense = vectorize(along, frozenset({along.params[-1].name}), -1)
    at = [p.name for p in program.params].index(active)
    return structured, dense, values, [*values, identity(values[at], -1)]


def rows(program, values, active="x"):
    """Return (structured, dense) programs by reverse mode for a program of one result."""
    structured = vectorize(adjoint(program, (active,), seed="identity"), frozenset(), 0)
    along = adjoint(program, (active,))
    seed = along.params[-1].name
    dense = vectorize(along, frozenset({seed}), 0)
    return structured, dense, values, [*values, identity(run(program, *values), 0)]


def agree(structured, dense, values, seeded, tolerance=1e-12):
    verify(structured)
    verify(dense)
    ours, theirs = as_tuple(run(structured, *values)), as_tuple(run(dense, *seeded))
    for one, other in zip(ours, theirs, strict=True):
        assert np.shape(one) == np.shape(other), show(structured)
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_allclose(one, other, tolerance, tolerance)


@pytest.mark.parametrize("name, case", CASES)
def test_columns_equal_those_of_a_dense_identity(name, case):
    program = read(PROGRAMS[name][0])
    values = arguments(program, PROGRAMS[name][1][case], np.random.default_rng(11))
    agree(*columns(program, values), 1e-6 if name == "float32" else 1e-12)


@pytest.mark.parametrize("name, case", [c for c in CASES if c[0] not in COLUMNS_ONLY])
def test_rows_equal_those_of_a_dense_identity(name, case):
    program = read(PROGRAMS[name][0])
    values = arguments(program, PROGRAMS[name][1][case], np.random.default_rng(12))
    done = 0
    for position, atom in enumerate(program.results):
        one = pick(program, position)
        if is_float(program.type_of(atom)) and show(one).count("return 1.5") == 0:
            if "_seed" in show(adjoint(one, ("x",), seed="identity")):
                agree(*rows(one, values), 1e-6 if name == "float32" else 1e-12)
                done += 1
    assert done


SECOND = [n for n in PROGRAMS if n not in (
    "float32", "constant results", "stacked products", "cumulative", *COLUMNS_ONLY)]


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_equal_those_of_dense_identities(name):
    """Differentiate the vectorized programs again: columns of columns and columns of rows."""
    program = read(PROGRAMS[name][0])
    values = arguments(program, PROGRAMS[name][1][0], np.random.default_rng(13))
    first = vectorize(tangent(program, ("x",), seed="identity"), frozenset(), -1)
    agree(*columns(first, values))
    for position in range(len(program.results)):
        one = pick(program, position)
        first = vectorize(adjoint(one, ("x",), seed="identity"), frozenset(), 0)
        agree(*columns(first, values))
    plain = vectorize(tangent(program, ("x",)), frozenset({"x_dot"}), -1)
    at = [p.name for p in program.params].index("x")
    ours = as_tuple(run(vectorize(tangent(first, ("x",), seed="identity"), frozenset(), -1), *values))
    theirs = as_tuple(run(vectorize(tangent(pick(plain, -1), ("x",), seed="identity"), frozenset(), -1),
                          *values, identity(values[at], -1)))
    left, right = ours[-1], theirs[-1]          # (k1, n..., k2) by rows and (m..., k1, k2) by columns
    if np.ndim(values[at]) == np.ndim(run(one, *values)) == 1:
        np.testing.assert_allclose(left, right, 1e-11, 1e-12)


def operations(program):
    return [getattr(s, "op", type(s).__name__) for s in walk(program.body)]


def test_the_jacobian_of_predict_is_the_closed_form():
    program = read(PROGRAMS["predict"][0])
    forward = vectorize(tangent(program, ("x",), seed="identity"), frozenset(), -1)
    backward = vectorize(adjoint(program, ("x",), seed="identity"), frozenset(), 0)
    for derivative in (forward, backward):
        found = operations(derivative)
        assert found.count("matmul") == 1                   # that of the primal
        assert not {"eye", "For", "transpose", "zeros"} & set(found)
    *_, column, product, result = backward.body
    assert (column.op, product.op, result.op) == ("expand_dims", "multiply", "copy")
    assert product.args == (Var("w"), Var(column.target)) and result.args == (Var(product.target),)


def test_a_diagonal_stays_one_until_the_end():
    program = read('''
def f(x: "float64[:]", c: "float64"):
    a = sin(x)
    b = multiply(a, c)
    y = exp(b)
    s = sum(y, axis=(0,))
    return s
''')
    gradient = vectorize(tangent(program, ("x",), seed="identity"), frozenset(), -1)
    assert not {"eye", "For", "zeros", "matmul"} & set(operations(gradient))
    assert all(t.ndim < 2 for t in gradient.types.values())


def test_the_hessian_of_a_separable_function_has_one_matrix():
    program = read('''
def f(x: "float64[:]"):
    a = sin(x)
    s = sum(a, axis=(0,))
    return s
''')
    hessian = vectorize(tangent(adjoint(program, ("x",), seed="one"), ("x",), seed="identity"), frozenset())
    assert [n for n, t in hessian.types.items() if t.ndim == 2] == ["x_bar_dot"]
    x = np.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(run(hessian, x)[-1], np.diag(-np.sin(x)), 1e-15)


def test_a_dense_form_is_written_before_the_loop_that_reads_it():
    program = read('''
def f(x: "float64[:]", n: "weak int64"):
    u = multiply(x, x)
    s = 0.0
    for i in range(0, n, 1):
        for j in range(0, i, 1):
            t = u[j]
            s = add(s, t)
    return s
''')
    columns_ = vectorize(tangent(program, ("x",), seed="identity"), frozenset(), -1)
    top = [getattr(s, "op", type(s).__name__) for s in columns_.body]
    assert top.count("zeros") - top.count("eye") >= 1 and "zeros" in top
    inner = columns_.body[-1]
    assert not {"zeros", "eye"} & {getattr(s, "op", "") for s in walk((inner,)) if s is not inner}


def test_off_diagonal_zeros_are_zeros_beside_infinities():
    program = read('''
def f(x: "float64[:]"):
    y = sqrt(x)
    return y
''')
    with np.errstate(divide="ignore"):
        jacobian = run(vectorize(tangent(program, ("x",), seed="identity"), frozenset()), np.array([0.0, 1.0]))[1]
    np.testing.assert_array_equal(jacobian, [[np.inf, 0.0], [0.0, 0.5]])


@pytest.mark.parametrize("name", SAMPLES)
def test_columns_and_rows_agree_over_the_corpus(name):
    """Every program of the corpus has the same Jacobians by columns and by rows."""
    modes = Modes(SAMPLES[name].function, SAMPLES[name].args)
    outputs, count = tuple(modes.outputs), len(modes.program.results)
    single = any(np.asarray(v).dtype == np.float32 for v in modes.inputs)
    with np.errstate(all="ignore"):
        by_columns, by_rows = (
            as_tuple(run(make(modes.program, modes.active, outputs), *modes.inputs))[count:]
            for make in (forward_jacobian, reverse_jacobian))
    for one, other in zip(by_columns, by_rows, strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, *((1e-5, 1e-6) if single else (1e-9, 1e-10)))
