"""Nests over complete trailing axes become one loop, and compute bit for bit what they computed."""

import ast

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.backend import compile_program
from srcdiff.lower import lower
from srcdiff.lower.ravel import ravel
from srcdiff.notation import read, run, show
from srcdiff.optimize import optimize
from srcdiff.printing import to_source
from srcdiff.syntax import Assign, For, walk
from srcdiff.verify import verify
from tests.modes import specialised

PARAMS = ", ".join(f'{name}: "{dtype}"' for name, dtype in (
    ("x", "float64[:,:,:]"), ("y", "float64[:,:,:]"), ("w", "float64[:]"), ("mask", "bool[:,:,:]"),
    ("count", "int64[:,:,:]"), ("narrow", "float32[:,:,:]")))
SHAPES = ((2, 3, 4), (1, 1, 1), (0, 3, 2), (2, 0, 3), (3, 2, 0), (1, 4, 3), (4, 1, 2))


def depth(program) -> int:
    """Return how deep the loops of a program are nested."""
    def of(body):
        return max((1 + of(s.body) if isinstance(s, For) else max((of(b) for b in s.blocks), default=0) for s in body), default=0)
    return of(program.body)


def nest(*body, ranges=("0, n", "0, m", "0, c"), results="z"):
    """Return a program with loops over i, j and k around a body."""
    lines = ["n = size(x, axis=0)", "m = size(x, axis=1)", "c = size(x, axis=2)", "last = subtract(m, 1)",
             *(line for axis, extent in ((1, "m"), (2, "c")) for other in ("y", "mask", "count", "narrow") for line in (
                 f"n_{other}_{axis} = size({other}, axis={axis})", f"wrong_{other}_{axis} = not_equal({extent}, n_{other}_{axis})",
                 f"if wrong_{other}_{axis}:", "    raise ValueError('lengths')")),
             "z = zeros(n, m, c, dtype='float64')", "b = zeros(n, m, c, dtype='bool')", "s = 0.0",
             f"for i in range({ranges[0]}, 1):", "    i_next = add(i, 1)", f"    for j in range({ranges[1]}, 1):",
             "        j_next = add(j, 1)", "        j_prev = subtract(j, 1)", f"        for k in range({ranges[2]}, 1):",
             *("            " + line for line in body)]
    return read(f"def f({PARAMS}):\n" + "".join(f"    {line}\n" for line in [*lines, f"return {results}"]))


def arguments(shape, rng):
    return (rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=shape[2]), rng.random(shape) < 0.5,
            rng.integers(-3, 4, shape), rng.normal(size=shape).astype(np.float32))


def check(program, levels, shapes=SHAPES):
    """Assert how deep the loops are afterwards, and that nothing else changes, interpreted and printed."""
    made = ravel(program)
    assert depth(made) == levels, show(made)
    verify(made)
    for shape in shapes:
        args = arguments(shape, np.random.default_rng(5))
        expected = run(program, *args)
        for got in (run(made, *args), compile_program(made, "python")(*map(np.copy, args))):
            got, wanted = (v if isinstance(v, tuple) else (v,) for v in (got, expected))
            for a, b in zip(got, wanted, strict=True):
                assert np.shape(a) == np.shape(b) and np.asarray(a).dtype == np.asarray(b).dtype
                assert np.array_equal(a, b), show(made)
    return made


def test_all_axes():
    made = check(nest("t = x[i, j, k]", "u = y[i, j, k]", "v = multiply(t, u)", "z[i, j, k] = v", "s = add(s, v)",
                      results="z, s"), 1, [s for s in SHAPES if s])
    assert "y_flat = view(y, -1)" in show(made)


def test_a_part_of_the_outermost_axis_and_its_neighbours():
    made = check(nest("t = x[i, j_next, k]", "u = x[i, j_prev, k]", "v = subtract(t, u)", "z[i, j, k] += v",
                      ranges=("0, n", "1, last", "0, c")), 2)
    assert "x_rows = view(x, n, " in show(made)


def test_indices_that_count_from_the_end():
    check(nest("t = x[i, j_prev, k]", "z[i, j, k] = t"), 2)         # row -1 is the last one, in both


def test_sums_into_neighbours_keep_their_order():
    check(nest("t = x[i, j, k]", "z[i, j, k] += t", "z[i, j_next, k] += t", "u = z[i, j, k]", "v = multiply(t, u)",
               "z[i, j_next, k] += v", ranges=("0, n", "0, last", "0, c")), 2)


def test_other_types():
    check(nest("t = narrow[i, j, k]", "u = mask[i, j, k]", "v = count[i, j, k]", "e = multiply(t, v)", "q = where(u, e, t)",
               "z[i, j, k] = q", "h = greater(q, 0.0)", "b[i, j, k] = h", results="z, b"), 1)


def test_branches():
    check(nest("t = x[i, j, k]", "p = greater(t, 0.0)", "if p:", "    u = y[i, j_next, k]", "    z[i, j, k] = u", "else:",
               "    z[i, j, k] = 1.0", ranges=("0, n", "0, last", "0, c")), 2)


def test_an_element_that_the_loops_do_not_move():
    check(nest("t = x[i, 0, 0]", "u = y[i, j, k]", "v = multiply(t, u)", "z[i, j, k] = v"), 2,
          [(2, 3, 4), (1, 1, 1)])


def test_the_loops_around_decide_which_axes_are_one():
    check(nest("t = x[i_next, j, k]", "z[i, j, k] = t", ranges=("0, 1", "0, m", "0, c")), 1, [(2, 3, 4), (3, 1, 1), (2, 0, 3)])
    check(nest("t = w[k]", "u = x[i, j, k]", "v = multiply(t, u)", "z[i, j, k] = v"), 3)


@pytest.mark.parametrize("body, ranges", [
    (("t = x[i, j, k]", "z[i, j, k] = t"), ("0, n", "0, m", "1, c")),               # not from the beginning
    (("t = x[i, j, k]", "z[i, j, k] = t"), ("0, n", "0, m", "0, last")),            # not to the end
    (("t = x[i, j, 0]", "z[i, j, k] = t"), ("0, n", "0, m", "0, c")),               # broadcast
    (("p = add(k, j)", "t = float(p)", "z[i, j, k] = t"), ("0, n", "0, m", "0, c")),    # the place itself is used
    (("t = x[i, j, k]", "z[i, j, k] = t", "z[0, 0, 0] += 1.0"), ("0, n", "0, m", "0, c")),   # also seen as it was
], ids=["start", "stop", "broadcast", "place", "both"])
def test_left_alone(body, ranges):
    body = tuple(line.replace("float(p)", "cast(p, dtype='float64')") for line in body)
    program = nest(*body, ranges=ranges)
    assert ravel(program) is program


def test_an_array_of_another_length_is_left_alone():
    program = read('''
def f(x: "float64[:,:]", y: "float64[:,:]"):
    n = size(x, axis=0)
    m = size(x, axis=1)
    z = zeros(n, m, dtype='float64')
    for i in range(0, n, 1):
        for j in range(0, m, 1):
            t = y[i, j]
            z[i, j] = t
    return z
''')
    assert ravel(program) is program
    equal = read(show(program).replace("    z = zeros", '''    q = size(y, axis=1)
    wrong = not_equal(m, q)
    if wrong:
        raise ValueError("lengths")
    z = zeros'''))
    made = ravel(equal)
    assert depth(made) == 1
    x, y = np.ones((3, 2)), np.arange(6.0).reshape(3, 2)
    assert np.array_equal(run(made, x, y), y)


def test_a_buffer_that_is_exchanged_is_left_alone():
    program = read('''
def f(x: "float64[:,:]", steps: "weak int64"):
    n = size(x, axis=0)
    m = size(x, axis=1)
    a = zeros(n, m, dtype='float64')
    b = zeros(n, m, dtype='float64')
    for step in range(0, steps, 1):
        for i in range(0, n, 1):
            for j in range(0, m, 1):
                t = a[i, j]
                u = x[i, j]
                v = add(t, u)
                b[i, j] = v
        old = copy(a, move=True)
        a = copy(b, move=True)
        b = copy(old, move=True)
    return a
''')
    assert ravel(program) is program


def test_what_was_read_before_a_view_is_changed_stays():
    """A value read through the array must not move behind a store through its view when it is printed."""
    program = read('''
def f(x: "float64[:,:]"):
    n = size(x, axis=0)
    m = size(x, axis=1)
    z = zeros(n, m, dtype='float64')
    z[0, 0] = 3.0
    t = z[0, 0]
    for i in range(0, n, 1):
        for j in range(0, m, 1):
            u = x[i, j]
            z[i, j] = u
    v = z[0, 1]
    w = multiply(t, v)
    return z, w
''')
    x = np.arange(2.0, 8.0).reshape(2, 3)
    made = ravel(program)
    assert depth(made) == 1
    z, w = compile_program(made, "python")(x)
    assert np.array_equal(z, x) and w == 9.0
    assert run(made, x)[1] == 9.0


def test_an_array_used_through_one_view_is_made_with_its_axes():
    program = nest("t = x[i, j_next, k]", "z[i, j, k] = t", ranges=("0, n", "0, last", "0, c"))
    program = read(show(program).replace("return z", '''r = 0.0
    for i2 in range(0, n, 1):
        for j2 in range(0, last, 1):
            for k2 in range(0, c, 1):
                e = z[i2, j2, k2]
                r = add(r, e)
    return r'''))
    made = check(program, 2)
    assert "z_rows" not in show(made) and made.types["z"].ndim == 2


PARTS = """
def f(x: "float64[:,:,:]"):
    n = size(x, axis=0)
    m = size(x, axis=1)
    c = size(x, axis=2)
    last = subtract(m, 1)
    y = zeros(n, m, c, dtype='float64')
    z = zeros(n, m, c, dtype='float64')
    for i in range(0, n, 1):
        for j in range(0, last, 1):
            p = add(j, 1)
            for k in range(0, c, 1):
                t = x[i, p, k]
                y[i, FIRST, k] = t
                z[i, j, k] += t
            for k2 in range(0, c, 1):
                u = y[i, SECOND, k2]
                v = multiply(u, u)
                x2[i, p, k2] += v
    return y, z, x2
""".replace("    y = zeros", "    x2 = zeros(n, m, c, dtype='float64')\n    y = zeros", 1)


@pytest.mark.parametrize("first, second, levels", [("j", "j", 2), ("p", "p", 2), ("p", "j", 3), ("j", "p", 3)])
def test_loops_beside_each_other_part(first, second, levels):
    """Each becomes a loop of its own, where an iteration of the second needs of the first what the same one has done."""
    program = read(PARTS.replace("FIRST", first).replace("SECOND", second))
    made = ravel(program)
    assert depth(made) == levels, show(made)
    for shape in SHAPES:
        x = np.random.default_rng(1).normal(size=shape)
        for got in (run(made, x), compile_program(made, "python")(x)):
            assert all(map(np.array_equal, got, run(program, x)))


def test_loops_beside_each_other_stay_where_they_share_a_row():
    """Rows of a matrix are read again while they are near: nothing around the loops moves the arrays."""
    program = read(PARTS.replace("FIRST", "j").replace("SECOND", "j").replace("[i, ", "[").replace("n, m, c", "m, c")
                   .replace("[:,:,:]", "[:,:]").replace("x, axis=1", "x, axis=0").replace("x, axis=2", "x, axis=1"))
    assert ravel(program) is program


def views_of(text: str) -> list[str]:
    """Return the arrays that a module looks at in other axes."""
    return [n.func.value.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)
            and isinstance(n.func, ast.Attribute) and n.func.attr == "reshape"]


def test_no_view_is_a_copy():
    """Each `reshape` of a module gives a view, or a store into it would be lost."""
    program = lower(optimize(specialised(blur, (np.ones((4, 5, 3)), 2.0)).program), stretch=False)
    text = to_source(ravel(program))
    assert views_of(text)
    seen = []

    class Watched(np.ndarray):
        def reshape(self, *extents):
            found = super().reshape(*extents)
            seen.append(np.shares_memory(found, self) or not self.size)
            return found

    class Numbers:
        def __getattr__(self, name):
            made = getattr(np, name)
            return (lambda *a, **k: made(*a, **k).view(Watched)) if name in ("empty", "zeros") else made

    for shape in ((4, 5, 3), (4, 5, 0), (3, 3, 1)):
        namespace = {}
        exec(text, namespace)
        function, namespace["np"] = namespace["blur"], Numbers()
        x, w = np.ones(shape).view(Watched), 2.0
        assert np.allclose(np.asarray(function(x, w)), blur(np.ones(shape), w))
    assert seen and all(seen)


def blur(image, weight):
    smooth = 0.25 * (image[1:-1, 1:-1] + image[2:, 1:-1] + image[1:-1, 2:] + image[1:-1, :-2])
    edge = np.tanh(smooth - image[1:-1, 1:-1])
    return smooth * edge * weight


def drift(position, velocity, dt):
    for _ in range(2):
        for i in range(position.shape[0]):
            for c in range(position.shape[1]):
                velocity[i, c] -= np.sin(position[i, c]) * dt
                position[i, c] += velocity[i, c] * dt
    return np.sum(position * velocity)


@pytest.mark.parametrize("shape", [(5, 3), (1, 3), (4, 1), (2, 2)])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_gradient_against_complex_step(shape, layout):
    rng = np.random.default_rng(8)
    x, v = rng.normal(size=shape), rng.normal(size=shape)
    given = {"C": np.ascontiguousarray, "F": np.asfortranarray,
             "strided": lambda a: np.repeat(a, 2, axis=1)[:, ::2]}[layout](x)
    got = sd.grad(drift, argnums=(0, 1))(given, v, 0.1)
    for position, g in enumerate(got):
        for at in np.ndindex(*shape):
            moved = [x.astype(complex), v.astype(complex)]
            moved[position][at] += 1e-30j
            assert np.isclose(g[at], drift(*moved, 0.1).imag / 1e-30, rtol=1e-11, atol=1e-13)


def test_the_text_alone_takes_arrays_of_any_layout():
    """Compiled by Numba, which gives views of arrays in C order only, and run as Python, where a view would be a copy."""
    def energy(x, y):
        return np.sum(np.sin(x) * y * x)

    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(8, 3))[::2]
    namespace: dict = {}
    exec(sd.grad(energy).source(x, y), namespace)
    function = namespace[namespace["__all__"][0]]
    expected = np.cos(x) * y * x + np.sin(x) * y
    for run_it in (function, function.py_func):
        np.testing.assert_allclose(run_it(np.asfortranarray(x), y), expected, rtol=1e-12)


def test_compiled_as_printed():
    """Compiled and interpreted text agree, on images without rows too; the second derivative knows nothing of views."""
    rng = np.random.default_rng(2)

    def total(image, weight):
        return np.sum(blur(image, weight) ** 2)

    compiled, plain = sd.value_and_grad(total), sd.value_and_grad(sd.differentiate(total, target="python"))
    for shape in ((4, 5, 3), (3, 3, 1), (2, 4, 3)):
        image, weight = rng.normal(size=shape), rng.normal()
        for a, b in zip(compiled(image, weight), plain(image, weight), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
    assert "reshape" in compiled.source(image, weight)
    assert not any(isinstance(s, Assign) and s.op == "view" for s in walk(lower(specialised(blur, (image, weight)).program).body))
