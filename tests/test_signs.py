"""Arrays that are said to be indexed from the front are; all others count from the end as in Python."""

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.analysis.signs import from_front
from srcdiff.backend import Options, compile_program, compile_source
from srcdiff.builder import Builder
from srcdiff.lower import lower
from srcdiff.notation import read, run
from srcdiff.optimize import optimize
from srcdiff.syntax import Assign, Const, If, Load, Raise, Scalar, Store, Var, blocks_of, with_blocks
from tests.modes import Modes
from tests.programs import PROGRAMS


def watched(program):
    """Return the program with an error before each access that `from_front` says does not happen."""
    arrays, builder = from_front(program), Builder(program.types)

    def block(body):
        out = []
        for s in body:
            if isinstance(s, Load | Store) and s.array in arrays:
                for item in s.index:
                    test = builder.fresh("negative", Scalar("bool"))
                    out += [Assign(test, "less", (item, Const(0))), If(Var(test), (Raise("AssertionError", s.array),))]
            out.append(with_blocks(s, [block(b) for b in blocks_of(s)]) if blocks_of(s) else s)
        return tuple(out)

    body = block(program.body)
    return program.with_body(body, types=builder.types)


@pytest.mark.parametrize("name", list(PROGRAMS)[::4])
def test_no_index_of_the_corpus_is_negative_where_that_is_said(name):
    sample, found = PROGRAMS[name], []

    def execute(program, *args):
        program = lower(optimize(program))
        found.append(program)
        return run(watched(program), *args)

    modes, plain = Modes(sample.function, sample.args, execute=execute), Modes(sample.function, sample.args)
    rng = np.random.default_rng(5)
    direction = modes.directions(rng)
    cotangents = modes.random(rng, [plain.jvp(direction)[i] for i in modes.outputs])
    for got, expected in zip(modes.vjp(cotangents), plain.vjp(cotangents), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-11)
    assert found


CASES = {
    "a triangle by columns, its index quadratic": ('''
        def f(x: "float64[:]", d: "weak int64"):
            s = 0.0
            twice = multiply(2, d)
            for b in range(0, d, 1):
                rest = subtract(twice, b)
                less_one = subtract(rest, 1)
                square = multiply(b, less_one)
                half = floor_divide(square, 2)
                first = add(d, half)
                for a in range(b, d, 1):
                    at = add(first, a)
                    k = subtract(at, b)
                    v = x[k]
                    s = add(s, v)
            return s
    ''', {"x"}),
    "half of a negative number": ('''
        def f(x: "float64[:]"):
            n = size(x, axis=0)
            s = 0.0
            for i in range(0, n, 1):
                below = subtract(i, 1)
                half = floor_divide(below, 2)
                v = x[half]
                s = add(s, v)
            return s
    ''', set()),
    "a product of two negative numbers, and of one": ('''
        def f(x: "float64[:]", y: "float64[:]"):
            n = size(x, axis=0)
            s = 0.0
            for i in range(1, n, 1):
                minus = negative(i)
                square = multiply(minus, minus)
                v = x[square]
                mixed = multiply(minus, i)
                w = y[mixed]
                t = add(v, w)
                s = add(s, t)
            return s
    ''', set()),
    "constants": ('''
        def f(x: "float64[:]", y: "float64[:]"):
            a = x[1]
            b = y[-1]
            c = add(a, b)
            return c
    ''', {"x"}),
    "an index that the data decide, and one that a test decides": ('''
        def f(x: "float64[:]", k: "int64[:]", y: "float64[:]"):
            j = k[0]
            a = x[j]
            good = greater_equal(j, 0)
            b = 0.0
            if good:
                b = y[j]
            c = add(a, b)
            return c
    ''', {"k", "y"}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_proved(name):
    text, expected = CASES[name]
    assert from_front(read(text)) == expected


def around(x, y, k):
    """Neighbours on a ring, the last and the first element, and one that the data decide."""
    s = 0.0
    for i in range(len(x)):
        s += x[i] * x[i - 1] * y[i, -1] + y[0, i] * x[k[i]]
    return s * x[-1]


def test_negative_indices_count_from_the_end_in_compiled_code():
    rng = np.random.default_rng(3)
    x, y, k = rng.normal(size=4), rng.normal(size=(4, 4)), np.array([-1, 2, -3, 0])
    gradient = sd.grad(around, argnums=(0, 1))
    expected = sd.grad(sd.differentiate(target="python")(around), argnums=(0, 1))(x, y, k)
    for got, right in zip(gradient(x, y, k), expected, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-13)


def test_only_what_is_listed_is_unsigned():
    text = "import numpy as np\n\n__all__ = ['f']\n{}\n\ndef f(x, y, i, j):\n    y[i, j] = x[i, j]\n    y[i, 0] += x[0, j]\n"
    x, tests = np.arange(6.0).reshape(2, 3), []
    for note in ("", "__from_front__ = {'f': ('x',)}", "__from_front__ = {'f': ('x', 'y')}"):
        y = np.zeros((2, 3))
        f = compile_source("f", text.format(note), 1, "numba", Options(cache=False))
        f(x, y, 1, 2)
        np.testing.assert_array_equal(y, [[0.0, 0.0, 0.0], [2.0, 0.0, 5.0]])
        tests.append(next(iter(f.dispatcher.inspect_llvm().values())).count(" select "))
    assert tests[0] > tests[1] > tests[2] == 0, tests


def test_no_test_for_negative_indices_is_compiled():
    def rows(x):
        s = 0.0
        for i in range(1, x.shape[0]):
            for j in range(i):
                s += x[i, j] * x[i - 1, i - j]
        return s
    program = lower(optimize(Modes(rows, (np.ones((3, 3)),)).program))
    compiled = compile_program(program, "numba", Options(cache=False))
    assert "__from_front__ = {" in compiled.source
    assert np.isclose(compiled(np.arange(16.0).reshape(4, 4))[0], rows(np.arange(16.0).reshape(4, 4)))
