"""Vectorized programs against the programs they come from, one direction at a time."""

import numpy as np
import pytest

from srcdiff.errors import UnsupportedError
from srcdiff.notation import read, run, show
from srcdiff.syntax import Array
from srcdiff.vectorize import batched_results, vectorize
from srcdiff.verify import verify

K = 3

# Each program has parameters whose names end in _dot: those get the directions.
PROGRAMS = {
    "elementwise": '''
def f(x: "float64[:]", x_dot: "float64[:]"):
    c = cos(x)
    y_dot = multiply(c, x_dot)
    z = multiply(x, 2.0)
    return y_dot, z
''',
    "broadcast matrix by vector": '''
def f(a: "float64[:,:]", a_dot: "float64[:,:]", x: "float64[:]", x_dot: "float64[:]"):
    t = multiply(a_dot, x)
    u = multiply(a, x_dot)
    y = add(t, u)
    w = subtract(x_dot, a_dot)
    return y, w
''',
    "scalars": '''
def f(s: "float64", s_dot: "float64", x: "float64[:]"):
    t = multiply(s_dot, s)
    y = multiply(x, t)
    z = divide(t, 3.0)
    return y, z, t
''',
    "weak scalars keep float32": '''
def f(s_dot: "weak float64", x: "float32[:]"):
    y = multiply(x, s_dot)
    u = weaken(s_dot)
    z = negative(u)
    return y, z
''',
    "where": '''
def f(x: "float64[:]", x_dot: "float64[:]", s_dot: "float64"):
    m = greater(x, 0.0)
    y = where(m, x_dot, 0.0)
    z = where(m, s_dot, x_dot)
    p = greater(x_dot, s_dot)
    q = where(p, x, 1.0)
    return y, z, q
''',
    "reductions": '''
def f(a_dot: "float64[:,:]", a: "float64[:,:]"):
    s = sum(a_dot, axis=(0, 1))
    r = sum(a_dot, axis=(0,))
    k = sum(a_dot, axis=(1,), keepdims=True)
    m = max(a_dot, axis=(1,))
    e = sum(a, axis=())
    d = sum(a_dot, axis=())
    return s, r, k, m, e, d
''',
    "structure": '''
def f(a_dot: "float64[:,:]", x_dot: "float64[:]", n: "weak int64", idx: "int64[:]"):
    t = transpose(a_dot, perm=(1, 0))
    r = reshape(a_dot, -1)
    r2 = reshape(a_dot, 3, -1, 1)
    c = expand_dims(x_dot, axis=1)
    d = expand_dims(x_dot, axis=0)
    e = squeeze(d, axis=0)
    u = cumsum(a_dot, axis=1)
    v = take(a_dot, idx, axis=1)
    w = take(a_dot, 1, axis=0)
    return t, r, r2, c, d, e, u, v, w
''',
    "broadcast_to and sum_to": '''
def f(a: "float64[:,:]", a_dot: "float64[:,:]", x_dot: "float64[:]", s_dot: "float64"):
    m = size(a_dot, axis=0)
    n = size(a_dot, axis=1)
    b = broadcast_to(x_dot, m, n)
    c = broadcast_to(s_dot, m, n)
    d = sum_to(a_dot, n)
    e = sum_to(a_dot, m, 1)
    g = sum_to(a_dot)
    h = sum_to(a_dot, 1)
    k = broadcast_to(s_dot, 2, m, n)
    return b, c, d, e, g, h, k
''',
    "concatenate": '''
def f(a: "float64[:,:]", a_dot: "float64[:,:]", x_dot: "float64[:]", x: "float64[:]"):
    c = concatenate(a, a_dot, axis=0)
    d = concatenate(a_dot, a, a_dot, axis=1)
    e = concatenate(x_dot, x, axis=0)
    return c, d, e
''',
    "creation": '''
def f(s_dot: "float64", t_dot: "float64", s: "float64", n: "weak int64"):
    a = array(s_dot, s, 2.0, t_dot, dtype='float64', shape=(2, 2))
    b = full(s_dot, n, 2, dtype='float64')
    c = array(s, s_dot, dtype='float64', shape=(2,))
    return a, b, c
''',
    "loop with a carried scalar": '''
def f(x: "float64[:]", x_dot: "float64[:]"):
    n = size(x, axis=0)
    s = 1.0
    s_dot = 0.0
    for i in range(0, n, 1):
        t = x[i]
        t_dot = x_dot[i]
        a = multiply(s_dot, t)
        b = multiply(s, t_dot)
        s_dot = add(a, b)
        s = multiply(s, t)
    return s, s_dot
''',
    "branches": '''
def f(x: "float64", x_dot: "float64"):
    c = greater(x, 0.0)
    if c:
        y_dot = multiply(x_dot, 2.0)
    else:
        y_dot = 0.0
    if c:
        z_dot = 1.5
    else:
        z_dot = x_dot
    return y_dot, z_dot
''',
    "while": '''
def f(x: "float64", x_dot: "float64"):
    y = x
    y_dot = x_dot
    while True:
        c = greater(y, 0.25)
        if not c:
            break
        y = multiply(y, 0.5)
        y_dot = multiply(y_dot, 0.5)
    return y, y_dot
''',
    "stores and loads": '''
def f(x: "float64[:]", x_dot: "float64[:]", a: "float64[:,:]", s_dot: "float64"):
    n = size(x, axis=0)
    y = zeros(n, n, dtype='float64')
    z = zeros(n, n, dtype='float64')
    z[0, :] = x_dot
    z[:, 1] = x
    z[1:, 2] += s_dot
    z[2, 2] = 7.0
    z[:, :] += x
    z[:, :] += x_dot
    for i in range(0, n, 1):
        t = x_dot[i]
        y[i, i] = t
        y[i, 0] += t
    r = z[1, :]
    c = z[:, 0]
    d = z[::-1, 1:]
    w = z[-1, 2]
    return y, z, r, c, d, w
''',
    "copies of unbatched arrays": '''
def f(x: "float64[:]", x_dot: "float64[:]", a: "float64[:,:]"):
    y = copy(x)
    y[1:] = x_dot
    w = a[0, :]
    w[0:2] += x_dot
    e = full(3.0, 2, 2, dtype='float64')
    e[0, :] = x_dot
    q = multiply(x, 2.0)
    q[0:2] = x_dot
    i = eye(2, 2, dtype='float64')
    i[1, :] = x_dot
    return y, w, e, q, i
''',
    "fancy and masks": '''
def f(a_dot: "float64[:,:,:]", v_dot: "float64[:]", i: "int64[:]", j: "int64[:]",
      m: "bool[:]", w: "float64[:]"):
    b = a_dot[i, j, :]
    c = a_dot[:, i, j]
    d = a_dot[i, :, j]
    e = a_dot[0, :, j]
    g = a_dot[:, m, 1]
    h = a_dot[i, :, :]
    k = a_dot[:, :, m]
    z = zeros(3, 3, 3, dtype='float64')
    z[i, :, j] += v_dot
    z[i, :, j] = w
    z[:, i, 0] += v_dot
    z[i, i, i] += v_dot
    z[0, :, j] += b
    z[:, :, m] = 2.0
    u = v_dot[0:2]
    z[0, m, 0] += u
    z[0, m, 1] += 1.5
    return b, c, d, e, g, h, k, z
''',
    "two-dimensional mask": '''
def f(a: "float64[:,:]", a_dot: "float64[:,:]"):
    m = greater(a, 0.0)
    b = a_dot[m]
    z = copy(a_dot)
    z[m] = 0.0
    z[m] += b
    return b, z
''',
    "tapes": '''
def f(x: "float64[:]", x_dot: "float64[:]"):
    n = size(x, axis=0)
    t = zeros(1, n, dtype='float64')
    count = 0
    for i in range(0, 5, 1):
        needed = add(i, 1)
        t = tape_grow(t, needed)
        t[i, :] = x_dot
    u = tape_grow(t, 2)
    v = t[4, :]
    w = t[0:5, :]
    return v, w
''',
    "extents": '''
def f(a_dot: "float64[:,:]"):
    m = size(a_dot, axis=0)
    n = size(a_dot, axis=1)
    z = zeros(m, n, dtype='float64')
    k = trips(0, n, 2)
    return m, n, z, k
''',
    "arg": '''
def f(a_dot: "float64[:,:]", x_dot: "float64[:]"):
    i = argmax(a_dot, axis=None)
    j = argmin(x_dot, axis=None)
    k = argmax(a_dot, axis=1)
    return i, j, k
''',
    "reads itself": '''
def f(x: "float64[:]", x_dot: "float64[:]"):
    y_dot = x_dot
    y_dot = multiply(x, y_dot)
    y_dot = add(y_dot, y_dot)
    y_dot = y_dot[::-1]
    s = sum(y_dot, axis=(0,))
    s = multiply(s, s)
    return y_dot, s
''',
}


def value_of(param, rng):
    """Return a value for an unbatched parameter; extents 3, indices with repeats."""
    shape = (3,) * param.type.ndim
    if param.type.dtype == "int64":
        return np.array([2, 0, 2]) if shape else 3
    if param.type.dtype == "bool":
        return np.array([True, False, True])
    value = rng.normal(size=shape).astype(param.type.dtype)
    return value if shape else float(value) if param.type.weak else value[()]


def arguments(program, rng, shapes=None):
    """Return the arguments of one run, and K versions of those that are batched."""
    values = {}
    for p in program.params:
        like = value_of(p, rng)
        if shapes and p.name in shapes:
            like = rng.normal(size=shapes[p.name])
        values[p.name] = like
        if p.name.endswith("_dot"):
            values[p.name] = [np.asarray(rng.normal(size=np.shape(like)), p.type.dtype)[()]
                              for _ in range(K)]
    return values


def check(program, values, axis, tolerance=1e-13):
    """Compare the vectorized program with K runs of the program."""
    batched = frozenset(n for n, v in values.items() if isinstance(v, list))
    vectorized = vectorize(program, batched, axis)
    verify(vectorized)
    together = run(vectorized, *(np.stack(v, axis) if isinstance(v, list) else v
                                 for v in values.values()))
    single = [run(program, *(v[k] if isinstance(v, list) else v for v in values.values()))
              for k in range(K)]
    flags = batched_results(program, batched)
    if len(flags) == 1:
        together, single = (together,), [(one,) for one in single]
    for position, flag in enumerate(flags):
        parts = [one[position] for one in single]
        expected = np.stack(parts, axis) if flag else parts[0]
        assert np.shape(together[position]) == np.shape(expected), show(vectorized)
        np.testing.assert_allclose(together[position], expected, tolerance, tolerance)
        if flag:
            assert together[position].dtype == program.type_of(program.results[position]).dtype
    return vectorized


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("name", PROGRAMS)
def test_directions_together_equal_one_by_one(name, axis):
    program = read(PROGRAMS[name])
    shapes = {"structure": {"a_dot": (4, 3)}, "broadcast_to and sum_to": {"a_dot": (2, 3)},
              "copies of unbatched arrays": {"x_dot": (2,)},
              "reductions": {"a_dot": (4, 2)}}.get(name)
    check(program, arguments(program, np.random.default_rng(1), shapes), axis)


SHAPES = {1: (4,), 2: (3, 4), 3: (2, 3, 4)}
TURNED = {1: (4,), 2: (4, 5), 3: (2, 4, 5)}


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("both", ["left", "right", "both"])
@pytest.mark.parametrize("right", [1, 2, 3])
@pytest.mark.parametrize("left", [1, 2, 3])
def test_matmul_of_all_ranks(left, right, both, axis):
    a, b = ("a_dot" if both != "right" else "a"), ("b_dot" if both != "left" else "b")
    types = [f'"float64[{",".join(":" * n)}]"' for n in (left, right)]
    program = read(f'''
def f({a}: {types[0]}, {b}: {types[1]}):
    c = matmul({a}, {b})
    return c
''')
    shapes = {a: SHAPES[left], b: TURNED[right]}
    check(program, arguments(program, np.random.default_rng(2), shapes), axis)


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("left, right", [((1, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((4,), (6, 2, 4, 5))])
def test_matmul_broadcasts_leading_axes(left, right, axis):
    types = [f'"float64[{",".join(":" * len(n))}]"' for n in (left, right)]
    program = read(f'def f(a_dot: {types[0]}, b: {types[1]}):\n    c = matmul(a_dot, b)\n    return c\n')
    values = arguments(program, np.random.default_rng(2), {"a_dot": left, "b": right})
    check(program, values, axis)


@pytest.mark.parametrize("axis", [0, -1])
def test_vectorized_programs_vectorize_again(axis):
    """The second axis of directions goes over the parameter that the first left alone."""
    for name in ("elementwise", "scalars", "broadcast matrix by vector", "loop with a carried scalar",
                 "stores and loads"):
        program = read(PROGRAMS[name])
        first = next(p.name for p in program.params if p.name.endswith("_dot"))
        once = vectorize(program, frozenset({first}), axis)
        rng = np.random.default_rng(3)
        values = arguments(program, rng)
        values[first] = np.stack(values[first], axis)
        for other in values:
            if isinstance(values[other], list):
                values[other] = values[other][0]
        values["x" if "x" in values else "a"] = list(rng.normal(size=(K, *np.shape(
            values["x" if "x" in values else "a"]))))
        check(once, values, axis)


def test_what_does_not_depend_is_computed_once():
    program = read(PROGRAMS["elementwise"])
    assert batched_results(program, frozenset({"x_dot"})) == (True, False)
    types = vectorize(program, frozenset({"x_dot"})).types
    assert types["c"] == Array("float64", 1) and types["y_dot"] == Array("float64", 2)


def test_one_matrix_product_does_all_directions():
    program = read('''
def f(w: "float64[:,:]", x_dot: "float64[:]"):
    y_dot = matmul(w, x_dot)
    return y_dot
''')
    assert "    y_dot = matmul(w, x_dot)\n" in show(vectorize(program, frozenset({"x_dot"}), -1))


def test_numbers_of_directions_must_agree():
    program = read('''
def f(x_dot: "float64[:]", y_dot: "float64[:]"):
    z = add(x_dot, y_dot)
    return z
''')
    vectorized = vectorize(program, frozenset({"x_dot", "y_dot"}))
    with pytest.raises(ValueError, match="different numbers of directions"):
        run(vectorized, np.ones((2, 3)), np.ones((2, 1)))


REFUSED = {
    "condition": '''
def f(x_dot: "float64"):
    c = less(x_dot, 0.0)
    y = 0.0
    if c:
        y = 1.0
    return y
''',
    "while": '''
def f(x_dot: "float64"):
    while True:
        c = less(x_dot, 0.0)
        if not c:
            break
        y = 1.0
    return x_dot
''',
    "index": '''
def f(x: "float64[:]", x_dot: "float64[:]"):
    m = less(x_dot, 0.0)
    y = x[m]
    return y
''',
    "loop bound": '''
def f(x_dot: "float64"):
    n = cast(x_dot, dtype='int64')
    s = 0.0
    for i in range(0, n, 1):
        s = add(s, 1.0)
    return s
''',
    "extent": '''
def f(x_dot: "float64"):
    n = cast(x_dot, dtype='int64')
    z = zeros(n, dtype='float64')
    return z
''',
}


@pytest.mark.parametrize("name", REFUSED)
def test_control_that_depends_on_the_direction_is_refused(name):
    kind = {"while": "condition"}.get(name, name)
    with pytest.raises(UnsupportedError, match=f"SD0250.*the {kind}.*depends on the direction"):
        vectorize(read(REFUSED[name]), frozenset({"x_dot"}))
