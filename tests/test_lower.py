"""Lowering keeps the meaning and leaves only scalar statements and element accesses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from srcdiff.forward import tangent
from srcdiff.lower import lower
from srcdiff.lower.fuse import fuse
from srcdiff.lower.names import names
from srcdiff.lower.tidy import tidy
from srcdiff.notation import read, run, show
from srcdiff.optimize import optimize
from srcdiff.syntax import Array, Assign, For, If, Load, Span, Store, walk
from srcdiff.verify import verify
from tests.modes import specialised
from tests.oracle import flat
from tests.random_ir import random_arguments, random_program

RNG = np.random.default_rng(7)
KEPT = {"empty", "zeros", "size", "matmul", "reshape", "tape_grow", "copy", "transpose",
        "solve", "inv", "det"}


def a(*shape, dtype="float64"):
    if np.dtype(dtype).kind == "f":
        return RNG.normal(size=shape).astype(dtype)
    if dtype == "bool":
        return RNG.random(shape) > 0.5
    return RNG.integers(0, 3, size=shape).astype(dtype)


def is_scalar_code(program) -> bool:
    for stmt in walk(program.body):
        arrays = [x for x in getattr(stmt, "args", ()) if isinstance(program.type_of(x), Array)]
        match stmt:
            case Assign(target=t, op=op):
                if (arrays or isinstance(program.type_of(t), Array)) and op not in KEPT:
                    return False
                if op == "copy" and arrays and not stmt.keywords.get("move"):
                    return False
            case Load(index=index) | Store(index=index):
                if any(isinstance(i, Span) or isinstance(program.type_of(i), Array)
                       for i in index):
                    return False
    return True


def check(text, *args, level=lower):
    """Assert that the lowered program is scalar code and gives the same results."""
    program = read(text)
    lowered = level(program)
    verify(lowered)
    assert is_scalar_code(lowered), show(lowered)
    try:
        expected = run(program, *args)
    except Exception as error:
        with pytest.raises(type(error)):
            run(lowered, *args)
        return lowered
    actual = run(lowered, *args)
    expected, actual = (x if isinstance(x, tuple) else (x,) for x in (expected, actual))
    assert len(expected) == len(actual)
    for e, r in zip(expected, actual, strict=True):
        assert np.shape(e) == np.shape(r), show(lowered)
        assert np.asarray(e).dtype == np.asarray(r).dtype, show(lowered)
        tolerance = 1e-5 if np.asarray(e).dtype == np.float32 else 1e-12
        np.testing.assert_allclose(r, e, rtol=tolerance, atol=tolerance, err_msg=show(lowered))
    return lowered


def one(params, *lines):
    """A program from its parameters, its statements and (last) its results."""
    body = "\n".join("    " + line for line in lines[:-1])
    return f"def f({params}):\n{body}\n    return {lines[-1]}\n"


V, M, T = '"float64[:]"', '"float64[:,:]"', '"float64[:,:,:]"'
CASES = {
    "elementwise": (one(f"x: {V}, y: {V}", "t = multiply(x, y)", "u = sin(t)", "u"),
                    [(a(5), a(5)), (a(1), a(4)), (a(4), a(1)), (a(1), a(1)), (a(0), a(1)),
                     (a(3), a(2))]),
    "rank broadcast": (one(f"x: {M}, y: {V}", "t = subtract(x, y)", "t"),
                       [(a(3, 4), a(4)), (a(3, 1), a(4)), (a(3, 4), a(1)), (a(1, 4), a(3))]),
    "weak number": (one('x: "float32[:]", c: "weak float64"', "t = multiply(c, x)",
                        "u = add(t, 2.5)", "u"), [(a(4, dtype="float32"), 1.5)]),
    "where": (one(f"x: {V}", "m = greater(x, 0.0)", "r = where(m, x, 0.0)", "r"), [(a(6),)]),
    "cast": (one(f"x: {V}", 'r = cast(x, dtype="int64")', 'm = cast(x, dtype="float32")', "r, m"),
             [(a(6) * 5,)]),
    "sum": (one(f"x: {M}", "s = sum(x, axis=(0, 1))", "s"), [(a(3, 4),), (a(0, 4),)]),
    "sum rows": (one(f"x: {M}", "s = sum(x, axis=(1,))", "s"), [(a(3, 4),), (a(3, 0),)]),
    "sum columns": (one(f"x: {M}", "s = sum(x, axis=(0,))", "s"), [(a(3, 4),)]),
    "sum keepdims": (one(f"x: {T}", "s = sum(x, axis=(1,), keepdims=True)",
                         "t = subtract(x, s)", "t"), [(a(3, 4, 2),)]),
    "sum nothing": (one(f"x: {V}", "s = sum(x, axis=())", "s"), [(a(3),)]),
    "sum float32": (one('x: "float32[:,:]"', "s = sum(x, axis=(0, 1))", "r = sum(x, axis=(1,))",
                        "c = sum(x, axis=(0,))", "s, r, c"), [(a(30, 5, dtype="float32"),)]),
    "sum of bools": (one('x: "bool[:]"', "s = sum(x, axis=(0,))", "s"), [(a(9, dtype="bool"),)]),
    "max min prod": (one(f"x: {M}", "s = max(x, axis=(0, 1))", "t = min(x, axis=(0,))",
                         "p = prod(x, axis=(1,))", "s, t, p"),
                     [(a(3, 4),), (a(0, 4),), (np.array([[np.nan, 1.0], [2.0, -np.inf]]),)]),
    "any all": (one(f"x: {M}", "m = greater(x, 0.0)", "s = any(m, axis=(1,))",
                    "t = all(m, axis=(0, 1))", "s, t"), [(a(3, 4),)]),
    "argmax": (one(f"x: {M}", "s = argmax(x, axis=1)", "t = argmin(x, axis=0)", "s, t"),
               [(a(3, 4),), (np.array([[1.0, np.nan, np.nan], [2.0, 2.0, 1.0]]),)]),
    "argmax scalar": (one(f"x: {V}", "s = argmax(x, axis=0)", "s"), [(a(7),), (a(0),)]),
    "transpose": (one(f"x: {T}", "t = transpose(x, perm=(2, 0, 1))", "u = exp(t)", "t, u"),
                  [(a(2, 3, 4),)]),
    "expand squeeze": (one(f"x: {V}, y: {V}", "c = expand_dims(x, axis=1)",
                           "r = expand_dims(y, axis=0)", "t = multiply(c, r)",
                           "u = squeeze(c, axis=1)", "t, u"), [(a(3), a(4))]),
    "squeeze wrong": (one(f"x: {M}", "u = squeeze(x, axis=0)", "u"), [(a(1, 3),)]),
    "broadcast_to": (one(f'x: {V}, n: "weak int64"', "m = size(x, axis=0)",
                         "t = broadcast_to(x, n, m)", "u = multiply(t, 2.0)", "t, u"),
                     [(a(3), 4), (a(1), 2)]),
    "broadcast stretch": (one(f'x: {V}, n: "weak int64"', "t = broadcast_to(x, n)",
                              "u = multiply(t, 2.0)", "u"), [(a(3), 3), (a(1), 2), (a(2), 3)]),
    "broadcast scalar": (one('x: "float64", n: "weak int64"', "t = broadcast_to(x, n, 2)", "t"),
                         [(np.float64(3.0), 4)]),
    "sum_to": (one(f'x: {M}, n: "weak int64", m: "weak int64"', "t = sum_to(x, n, m)",
                   "u = sum_to(x, m)", "s = sum_to(x)", "t, u, s"),
               [(a(3, 4), 3, 4), (a(3, 4), 1, 4), (a(3, 4), 3, 1), (a(3, 4), 1, 1)]),
    "sum_to wrong": (one(f'x: {V}, n: "weak int64"', "t = sum_to(x, n)", "t"), [(a(3), 2)]),
    "reshape": (one(f"x: {M}", "n = size(x, axis=0)", "m = size(x, axis=1)",
                    "k = multiply(n, m)", "t = reshape(x, k)", "u = reshape(t, m, n)",
                    "c = reshape(t, k, 1)", "v = add(c, 1.0)", "t, u, v"), [(a(3, 4),)]),
    "concatenate": (one(f"x: {M}, y: {M}", "t = concatenate(x, y, axis=0)",
                        "u = concatenate(y, y, axis=1)", "t, u"), [(a(2, 3), a(4, 3))]),
    "cumsum": (one(f"x: {M}", "t = cumsum(x, axis=0)", "u = cumsum(x, axis=1)", "t, u"),
               [(a(3, 4),)]),
    "creation": (one('n: "weak int64", v: "float64"', 't = full(v, n, 2, dtype="float64")',
                     'e = eye(n, 3, dtype="float32")', 'r = arange(0, n, 1, dtype="int64")',
                     'q = arange(0.5, v, 0.25, dtype="float64")',
                     'w = array(1.0, v, 3.0, 4.0, dtype="float64", shape=(2, 2))',
                     "t, e, r, q, w"), [(4, np.float64(2.1)), (0, np.float64(0.1))]),
    "matmul": (one(f"A: {M}, B: {M}, x: {V}, y: {V}", "C = matmul(A, B)", "u = matmul(A, x)",
                   "v = matmul(y, A)", "s = matmul(x, x)", "At = transpose(A, perm=(1, 0))",
                   "w = matmul(At, y)", "C, u, v, s, w"), [(a(3, 4), a(4, 2), a(4), a(3))]),
    "matmul wrong": (one(f"A: {M}, x: {V}", "u = matmul(A, x)", "u"), [(a(3, 4), a(3))]),
    "matmul batched": (one(f"A: {T}, B: {T}, C: {M}, x: {V}", "D = matmul(A, B)",
                           "E = matmul(A, C)", "F = matmul(C, B)", "u = matmul(A, x)",
                           "w = matmul(x, B)", "D, E, F, u, w"),
                       [(a(5, 4, 4), a(5, 4, 4), a(4, 4), a(4)),
                        (a(1, 4, 4), a(5, 4, 4), a(4, 4), a(4))]),
    "take": (one(f'x: {M}, i: "int64[:]", k: "weak int64"', "t = take(x, i, axis=1)",
                 "u = take(x, k, axis=0)", "t, u"),
             [(a(3, 4), np.array([3, 0, 0, -1, 2]), 1), (a(3, 4), np.array([4]), 1)]),
    "gather": (one(f'x: {V}, i: "int64[:]"', "t = x[i]", "t"),
               [(a(5), np.array([4, -5, 0, 0])), (a(5), np.array([5]))]),
    "gather rows": (one(f'x: {T}, i: "int64[:]", j: "int64[:]"', "t = x[i, :, j]", "u = x[:, i, j]",
                        "v = x[:, i, 1:3]", "w = x[0, :, i]", "t, u, v, w"),
                    [(a(3, 3, 3), np.array([2, -1]), np.array([0, 1]))]),
    "gather 2d": (one(f'x: {M}, i: "int64[:,:]"', "t = x[i, 1]", "u = x[:, i]", "t, u"),
                  [(a(3, 3), np.array([[2, -1], [0, 0]]))]),
    "scatter": (one(f'x: {V}, i: "int64[:]"', "n = size(x, axis=0)",
                    'y = zeros(n, dtype="float64")', "y[i] += 1.5", "t = x[i]", "y[i] += t", "y"),
                [(a(5), np.array([4, -5, 0, 0]))]),
    "mask": (one(f"x: {V}", "m = greater(x, 0.0)", "t = x[m]", "y = copy(x)", "y[m] = 0.0",
                 "z = copy(x)", "u = multiply(t, 2.0)", "z[m] = u", "t, y, z"), [(a(8),)]),
    "mask rows": (one(f"x: {M}, c: {V}", "m = greater(c, 0.0)", "t = x[m, :]", "g = greater(x, 0.0)",
                      "u = x[g]", "t, u"), [(a(4, 3), a(4))]),
    "scalars only": (one('x: "float64", n: "weak int64"', 't = zeros(dtype="float64")',
                         "u = add(t, x)", "v = broadcast_to(x)", "u, v"), [(np.float64(2), 2)]),
    "argument back": (one(f"x: {V}", "y = copy(x)", "y"), [(a(4),)]),
}
SPANS = ["1:", ":-1", "::-1", "::2", "1::2", "-3:", ":3", "2:5", "-4:-1", "5:2", "4:1:-1",
         "-2::-2", ":2:-1", "::-3", "9:", ":9", "-9:", "9::-1", ":-9:-1", "-9:9:2"]


@pytest.mark.parametrize("name", CASES)
def test_statement(name):
    text, samples = CASES[name]
    for args in samples:
        check(text, *args)


@pytest.mark.parametrize("span", SPANS)
def test_slice(span):
    load = one(f"x: {V}", f"t = x[{span}]", "u = multiply(t, t)", "t, u")
    store = one(f"x: {V}, v: {V}", "y = copy(x)", f"y[{span}] = 2.0", f"t = y[{span}]",
                f"y[{span}] += v", "y")
    chain = one(f"x: {M}", f"t = x[{span}, 1:]", "u = transpose(t, perm=(1, 0))", f"v = u[:, {span}]",
                "w = exp(v)", "w")
    for n in (0, 1, 3, 7):
        check(load, a(n))
        check(store, a(n), a(1))
        check(chain, a(n, 3))


@pytest.mark.parametrize("step", [1, 2, -1, -3])
def test_slice_with_bounds_from_variables(step):
    text = one(f'x: {V}, p: "weak int64", q: "weak int64", s: "weak int64"', f"t = x[p:q:{step}]",
               "u = x[p:q:s]", "v = x[::s]", "t, u, v")
    for p in (-9, -2, 0, 3, 9):
        for q in (-9, -2, 0, 3, 9):
            check(text, a(6), p, q, step)


def test_reads_of_a_slice_happen_before_the_store():
    check(one(f"x: {V}", "y = copy(x)", "t = y[:-1]", "y[1:] = t", "r = y[::-1]", "y[:] += r",
              "u = y[:]", "y[0] = 7.0", "v = add(u, y)", "y, v"), a(6))


def test_negative_index_into_a_view():
    check(one(f'x: {V}, k: "weak int64"', "t = x[1:-1]", "u = t[-1]", "v = t[k]", "u, v"), a(6), -2)


def test_a_slice_that_begins_where_its_array_does_is_shorter():
    check(one(f'x: {V}, k: "weak int64"', "t = x[0:2]", "u = t[-1]", "v = t[k]", "u, v"), a(6), -2)
    check(one(f'A: {M}, i: "int64[:]"', "B = A[:2, :]", "C = A[:, :2]", "D = matmul(B, C)", "E = B[i, :]",
              'F = reshape(B, 6)', "D, E, F"), a(3, 3), np.array([-1, 0]))


LOOPS = {
    "recurrence": one(f"x: {V}, x_dot: {M}", "n = size(x, axis=0)", "k = size(x_dot, axis=1)",
                      "s = 0.0", 's_dot = zeros(k, dtype="float64")',
                      "for i in range(0, n, 1):", "    xi = x[i]", "    t = x_dot[i, :]",
                      "    c = cos(xi)", "    y = sin(xi)", "    u = multiply(c, t)",
                      "    s_dot = add(s_dot, u)", "    s = add(s, y)", "s, s_dot"),
    "swap": one(f"x: {V}, m: {M}", "n = size(m, axis=0)", "u = copy(x)", "v = multiply(x, 2.0)",
                "for i in range(0, n, 1):", "    w = u[:-1]", "    v[1:] = w", "    t = copy(u)",
                "    u = copy(v)", "    v = copy(t)", "u, v"),
    "growing": one(f"x: {V}, m: {M}", "n = size(m, axis=0)", "y = copy(x)",
                   "for i in range(0, n, 1):", "    y = concatenate(y, x, axis=0)",
                   "    z = multiply(y, 2.0)", "    y = copy(z)", "y"),
    "branch": one(f"x: {V}, m: {M}", "n = size(m, axis=0)", "m2 = copy(m)", "for i in range(0, n, 1):",
                  "    c = m[i, 0]", "    p = greater(c, 0.0)", "    if p:",
                  "        y = multiply(x, c)", "    else:", "        y = x[::-1]",
                  "    m2 = add(m, y)", "m2"),
    "while": one(f"x: {V}, m: {M}", "y = copy(x)", "while True:", "    s = sum(y, axis=(0,))",
                 "    q = absolute(s)", "    p = greater(q, 0.1)", "    if not p:", "        break",
                 "    y = multiply(y, 0.5)", "y"),
    "transposed update": one(f"x: {V}, m: {M}", "y = matmul(m, m)", "for i in range(0, 3, 1):",
                             "    t = transpose(y, perm=(1, 0))", "    y = add(y, t)",
                             "    y = transpose(y, perm=(1, 0))", "    y = matmul(y, y)",
                             "    y = cumsum(y, axis=0)", "y"),
    "tape": one(f"x: {V}, m: {M}", 'tape = zeros(1, 4, dtype="float64")', "y = copy(x)",
                "for i in range(0, 5, 1):", "    q = add(i, 1)", "    tape = tape_grow(tape, q)",
                "    tape[i, :] = y", "    y = multiply(y, y)", "for i2 in range(4, -1, -1):",
                "    r = tape[i2, :]", "    y = add(y, r)", "y"),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loop(name):
    check(LOOPS[name], a(4), a(4, 4))


# -- what the lowered programs look like -----------------------------------------------------


def loops(program, inside=None):
    return [s for s in walk(program.body if inside is None else inside.body) if isinstance(s, For)]


def arrays_made(program):
    return [s.target for s in walk(program.body)
            if isinstance(s, Assign) and s.op in ("empty", "zeros")]


def test_a_chain_becomes_one_loop_without_temporaries():
    lowered = check(one(f"x: {V}", "t = multiply(x, x)", "u = add(t, x)", "v = multiply(u, t)",
                        "w = transpose(v, perm=(0,))", "r = negative(w)", "r"), a(5))
    assert len(loops(lowered)) == 1
    assert arrays_made(lowered) == ["r"]


def test_a_reduction_joins_its_producer():
    lowered = check(one(f"x: {M}", "t = multiply(x, x)", "s = sum(t, axis=(0, 1))", "s"), a(3, 4))
    assert len(loops(lowered)) == 2
    assert arrays_made(lowered) == []


def test_expensive_functions_stay_out_of_loops_that_carry_a_sum():
    lowered = check(one(f"x: {V}", "t = exp(x)", "s = sum(t, axis=(0,))", "s"), a(5))
    assert len(loops(lowered)) == 2


def test_shifted_reads_are_not_fused():
    lowered = check(one(f"x: {V}", "n = size(x, axis=0)", "t = multiply(x, x)", "u = t[::-1]",
                        "v = add(t, u)", "v"), a(5))
    assert len(loops(lowered)) == 2


ROWS = '''
def f(x: "float64[:,:]", y: "float64[:,:]", n: "weak int64", m: "weak int64"):
    a = copy(x)
    b = copy(y)
    for i in range(0, n, 1):
        p = add(i, {wrote})
        q = add(i, {read})
        for j in range(0, m, 1):
            t = b[q, j]
            u = a[p, j]
            v = multiply(t, 0.5)
            w = add(u, v)
            a[p, j] = w
    for k in range(0, n, 1):
        r = add(k, {wrote_2})
        s = add(k, {read_2})
        for l in range(0, m, 1):
            c = a[s, l]
            d = multiply(c, 0.25)
            b[r, l] {store} d
    return a, b
'''


@pytest.mark.parametrize("store", ["=", "+="])
def test_loops_of_rows_are_joined_where_rows_are_done(store):
    """The second loop may use rows of earlier iterations of the first, and change rows that later ones do not read."""
    rng, joined = np.random.default_rng(5), set()
    for wrote, read_, wrote_2, read_2 in itertools.product(range(3), repeat=4):
        program = read(ROWS.format(wrote=wrote, read=read_, wrote_2=wrote_2, read_2=read_2, store=store))
        new = fuse(program)
        verify(new)
        if sum(isinstance(s, For) for s in new.body) == 1:
            joined.add((read_2 - wrote, wrote_2 - read_))
        x, y = rng.normal(size=(2, 6, 3))
        for expected, found in zip(run(program, x, y, 4, 3), run(new, x, y, 4, 3), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert joined == set(itertools.product((-2, -1, 0), repeat=2))


def test_directions_in_a_loop_need_one_inner_loop_and_no_temporaries():
    lowered = check(LOOPS["recurrence"], a(4), a(4, 4))
    outer = loops(lowered)[0]
    assert len(loops(lowered, outer)) == 1
    assert arrays_made(lowered) == ["s_dot"]


PRODUCTS = [f"multiply(x, {k}.0)" for k in range(25)]
FUNCTIONS = [f"{name}(x)" for name in ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "expm1", "arctan")]


@pytest.mark.parametrize("values, split", [(PRODUCTS, [12, 12, 1]), (FUNCTIONS, [4, 4, 1])], ids=["products", "functions"])
def test_crowded_loops_are_split(values, split):
    lines = [f"t{k} = {value}" for k, value in enumerate(values)]
    lowered = check(one(f"x: {V}", *lines, ", ".join(f"t{k}" for k in range(len(values)))), a(5))
    stored = [len({s.array for s in walk(loop.body) if isinstance(s, Store)})
              for loop in loops(lowered)]
    assert stored == split


def test_temporaries_of_a_loop_are_allocated_once():
    text = one(f"x: {V}, m: {M}", "n = size(m, axis=0)", "s = 0.0", "for i in range(0, n, 1):",
               "    r = m[i, :]", "    t = multiply(r, x)", "    u = cumsum(t, axis=0)",
               "    w = u[::-1]", "    q = matmul(u, w)", "    s = add(s, q)", "s")
    lowered = check(text, a(4), a(4, 4))
    inside = [s for loop in loops(lowered) for s in loop.body
              if isinstance(s, Assign) and s.op in ("empty", "zeros")]
    assert inside == [] and arrays_made(lowered)


def test_time_steps_exchange_their_buffers():
    text = one(f'x: {V}, m: "weak int64"', "u = copy(x)", "n = size(x, axis=0)",
               "for t in range(0, m, 1):", "    p = u[:-2]", "    q = u[2:]", "    c = add(p, q)",
               '    v = zeros(n, dtype="float64")', "    v[1:-1] = c", "    u = copy(v)", "u")
    lowered = check(text, a(7), 3)
    copies = [s for s in walk(lowered.body) if isinstance(s, Assign) and s.op == "copy"]
    assert len(copies) == 3 and all(s.keywords["move"] for s in copies)
    check(text, a(7), 0)


def test_a_buffer_with_values_of_its_own_is_copied_not_exchanged():
    text = one(f'x: {V}, m: "weak int64"', "u = copy(x)", "v = multiply(x, 0.0)",
               "for t in range(0, m, 1):", "    p = u[1:]", "    v[:-1] = p", "    u = copy(v)",
               "u, v")
    check(text, a(7), 3)


def test_checks_that_passed_make_extents_equal():
    text = one(f"x: {V}, y: {V}", "n = size(x, axis=0)", "m = size(y, axis=0)",
               "wrong = not_equal(n, m)", "if wrong:", "    raise ValueError('no')",
               "t = multiply(x, y)", "u = add(t, y)", "u")
    lowered = check(text, a(4), a(4))
    assert len(loops(lowered)) == 1
    assert sum(isinstance(s, If) for s in walk(lowered.body)) == 1
    check(text, a(4), a(1))


def test_without_stretching_unequal_lengths_raise():
    text, _ = CASES["elementwise"]
    lowered = lower(read(text), stretch=False)
    assert len(loops(lowered)) == 1
    with pytest.raises(ValueError, match="SD0340"):
        run(lowered, a(4), a(1))
    np.testing.assert_allclose(run(lowered, a(4) * 0, a(4)), np.zeros(4))


def test_large_products_call_blas_small_ones_do_not():
    text = one(f"A: {M}, B: {M}", "C = matmul(A, B)", "C")
    for shape in ((2, 3), (40, 40)):
        check(text, a(*shape), a(*shape[::-1]))
    assert any(s.op == "matmul" for s in walk(lower(read(text)).body) if isinstance(s, Assign))
    loops_only = lower(read(text), blas=False)
    assert all(s.op != "matmul" for s in walk(loops_only.body) if isinstance(s, Assign))


def test_loops_that_share_a_variable_are_not_confused():
    text = one(f"x: {V}", "n = size(x, axis=0)", "s = 0.0", 't = zeros(n, dtype="float64")',
               "for i in range(0, n, 1):", "    t = x[:i]", "for i in range(0, 1, 1):",
               "    u = x[:i]", "    v = multiply(u, t)", "    q = sum(v, axis=(0,))",
               "    s = add(s, q)", "for i in range(0, n, 1):", "    for k in range(0, n, 1):",
               "        s = add(s, i)", "for k in range(0, n, 1):", "    for i in range(0, n, 1):",
               "        s = add(s, k)", "s, t")
    check(text, a(2))
    assert {loop.var for loop in loops(check(text, a(1)))} >= {"i", "k"}


# -- whole programs ---------------------------------------------------------------------------


def same_values(program, args, **options):
    lowered = lower(program, **options)
    assert is_scalar_code(lowered), show(lowered)
    with np.errstate(all="ignore"):
        expected, actual = flat(run(program, *args)), flat(run(lowered, *args))
    assert len(expected) == len(actual)
    for e, r in zip(expected, actual, strict=True):
        assert np.shape(e) == np.shape(r)
        np.testing.assert_allclose(r, e, rtol=1e-5 if np.asarray(e).dtype == np.float32 else 1e-9,
                                   atol=1e-10)


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed):
    program, args = random_program(seed), random_arguments(seed)
    same_values(program, args)
    active = ("x", "y", "a", "m")
    directions = tuple(np.asarray(args[k])[()] for k in (0, 1, 2, 6))
    same_values(tangent(program, active), args + directions)


def test_small_products_in_a_loop_share_one_buffer():
    text = one(f'A: {M}, x: {V}, n: "weak int64"', "s = 0.0", "for i in range(0, n, 1):",
               "    y = matmul(A, x)", "    z = multiply(y, y)", "    q = matmul(z, y)",
               "    s = add(s, q)", "s")
    for size in (3, 40):
        lowered = check(text, a(size, size), a(size), 3)
        made = [s for s in walk(loops(lowered)[0].body) if isinstance(s, Assign) and s.op == "empty"]
        assert made == []


# -- extents that checks make equal ----------------------------------------------------------

def test_checks_behind_a_loop_go_in_front_of_it():
    """What they establish makes the ranges of the loops between them equal: the slices of a stencil are one loop."""
    program = specialised(laplacian, (np.zeros((5, 6)), np.zeros((3, 4)))).program
    lowered = lower(optimize(program), stretch=False)
    statements = list(walk(lowered.body))
    assert sum(isinstance(s, For) for s in statements) == 2
    assert sum(isinstance(s, Assign) and s.op == "empty" for s in statements) == 1
    for shape in ((5, 6), (3, 3), (2, 5)):
        field, out = np.random.default_rng(3).normal(size=shape), np.zeros((shape[0] - 2, shape[1] - 2))
        np.testing.assert_allclose(run(lowered, field, out), laplacian(field, out), rtol=1e-14)
    with pytest.raises(ValueError, match="SD0340"):
        run(lowered, np.zeros((4, 6)), np.zeros((3, 4)))


def laplacian(field, out):
    n, m = out.shape
    return 4.0 * field[1:n + 1, 1:m + 1] - (field[2:n + 2, 1:m + 1] + field[0:n, 1:m + 1]
                                            + field[1:n + 1, 2:m + 2] + field[1:n + 1, 0:m])


def test_a_choice_between_equal_numbers_is_the_number():
    program = read('''
def f(x: "float64[:]"):
    n = size(x, axis=0)
    t = zeros(n, dtype='float64')
    one = equal(n, 1)
    m = where(one, n, n)
    z = zeros(m, dtype='float64')
    for i in range(0, m, 1):
        u = x[i]
        z[i] = u
    return z
''')
    assert "where" not in show(tidy(program))


def test_a_loop_takes_no_name_from_a_loop_inside():
    program = read("""
def f(m: "float64[:,:]"):
    n = size(m, axis=0)
    k = size(m, axis=1)
    s = 0.0
    for i_5 in range(0, n, 1):
        for i in range(0, k, 1):
            e = m[i_5, i]
            s = add(s, e)
    return s
""")
    text = show(names(program, frozenset()))
    assert "for i in range(0, n, 1)" in text and "for j in range(0, k, 1)" in text and "e = m[i, j]" in text
