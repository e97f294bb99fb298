"""Symbolic extents: what is provable is proved, and nothing else is."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from srcdiff.analysis.extents import ExtentWriter
from srcdiff.analysis.shapes import Extent, Shapes
from srcdiff.builder import Builder
from srcdiff.notation import read, run
from srcdiff.syntax import For, Var, While, walk
from tests.random_ir import random_arguments, random_program


def shapes_of(text: str) -> Shapes:
    return Shapes(read(text))


def shown(shapes, name):
    return [shapes.show(e) for e in shapes.extents(name)]


OPERATIONS = {
    "add(x, x)": ["x.0"], "add(m, x)": ["m.0", "broadcast(x.0, m.1)"], "add(x, 1.0)": ["x.0"],
    "sum(m, axis=(1,))": ["m.0"], "sum(m, axis=(0,), keepdims=True)": ["1", "m.1"],
    "argmax(m, axis=0)": ["m.1"], "transpose(m, perm=(1, 0))": ["m.1", "m.0"],
    "expand_dims(x, axis=1)": ["x.0", "1"], "expand_dims(x, axis=(0,))": ["1", "x.0"],
    "matmul(m, x)": ["m.0"], "matmul(x, m)": ["m.1"], "matmul(m, m)": ["m.0", "m.1"],
    "reshape(m, -1)": ["product(m.0, m.1)"], "reshape(x, n, 1)": ["t.0", "1"],
    "broadcast_to(x, n, n)": ["n", "n"], "sum_to(m, n)": ["n"], "cumsum(x, axis=0)": ["x.0"],
    "concatenate(x, x, axis=0)": ["2*x.0"], "take(m, idx, axis=0)": ["idx.0", "m.1"],
    "zeros(n, 2, dtype='float64')": ["n", "2"], "full(0.5, n, dtype='float64')": ["n"],
    "inv(m)": ["m.0", "m.1"], "solve(m, x)": ["x.0"], "solve(m, m)": ["m.0", "m.1"], "eigvalsh(m)": ["m.0"],
    "qr_q(m)": ["m.0", "minimum(m.0, m.1)"], "qr_r(m)": ["minimum(m.0, m.1)", "m.1"], "svdvals(m)": ["minimum(m.0, m.1)"],
    "arange(0, n, 1, dtype='int64')": ["atleast0(n)"], "array(1.0, 2.0, dtype='float64', shape=(2,))": ["2"],
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_extents_of_operations(operation):
    shapes = shapes_of(f'''
def f(x: "float64[:]", m: "float64[:,:]", idx: "int64[:]", n: "weak int64"):
    t = {operation}
    return t
''')
    assert shown(shapes, "t") == OPERATIONS[operation]


LOADS = {
    "x[:]": ["x.0"], "x[::-1]": ["x.0"], "x[1:]": ["atleast0(x.0 + -1)"], "x[:-1]": ["atleast0(x.0 + -1)"],
    "x[1:-1]": ["atleast0(x.0 + -2)"], "m[0, :]": ["m.1"], "m[:, n]": ["m.0"], "x[idx]": ["idx.0"],
    "m[idx, :]": ["idx.0", "m.1"], "m[:, idx]": ["m.0", "idx.0"], "m[0, idx]": ["idx.0"], "m[idx, idx]": ["idx.0"],
    "x[mask]": ["t.0"],
}


@pytest.mark.parametrize("load", LOADS)
def test_extents_of_loads(load):
    shapes = shapes_of(f'''
def f(x: "float64[:]", m: "float64[:,:]", idx: "int64[:]", mask: "bool[:]", n: "weak int64"):
    t = {load}
    return t
''')
    assert shown(shapes, "t") == LOADS[load]


def test_integers_are_linear_forms():
    shapes = shapes_of('''
def f(x: "float64[:]", n: "weak int64"):
    a = size(x, axis=0)
    b = add(a, n)
    c = subtract(b, 1)
    d = multiply(c, 2)
    e = subtract(d, n)
    z = zeros(e, dtype='float64')
    k = trips(0, a, 1)
    return z, k
''')
    assert shown(shapes, "z") == ["2*x.0 + n + -2"]
    assert shapes.equal(shapes.value(Var("k")), shapes.extents("x")[0])


def test_broadcasting_with_an_unknown_extent_proves_nothing():
    shapes = shapes_of('''
def f(x: "float64[:]", y: "float64[:]"):
    s = add(x, y)
    t = multiply(y, x)
    u = add(s, 1.0)
    one = sum(x, axis=(0,), keepdims=True)
    v = add(one, y)
    return s, t, u, v
''')
    assert not shapes.same_shape("s", "x") and not shapes.same_shape("s", "y")
    assert shapes.same_shape("s", "t") and shapes.same_shape("s", "u")
    assert shapes.is_one(shapes.extents("one")[0]) and shapes.same_shape("v", "y")


def test_a_variable_with_several_assignments_has_the_extents_they_agree_on():
    shapes = shapes_of('''
def f(x: "float64[:]", m: "float64[:,:]", n: "weak int64"):
    k = size(x, axis=0)
    a = zeros(k, dtype='float64')
    b = zeros(1, dtype='float64')
    for i in range(0, n, 1):
        a = add(a, x)
        b = add(b, x)
        c = add(b, 1.0)
    return a, b
''')
    assert shapes.same_shape("a", "x")
    assert shapes.extents("b") == (None,)
    assert not shapes.equal(shapes.extents("b")[0], shapes.extents("b")[0])
    assert shown(shapes, "c") == ["c.0"]


def test_shape_known_loop_invariant():
    program = read('''
def f(x: "float64[:]", n: "weak int64"):
    for i in range(0, n, 1):
        a = add(x, 1.0)
        b = zeros(i, dtype='float64')
        c = copy(b)
    return n
''')
    loop = program.body[0]
    known = Shapes(program).shape_known_loop_invariant
    assert [known(name, loop) for name in "xabc"] == [True, True, False, False]


def test_what_a_product_proves_is_assumed_after_it_only():
    program = read('''
def f(w: "float64[:,:]", x: "float64[:]"):
    z = matmul(w, x)
    return z
''')
    shapes = Shapes(program)
    inner, extent = shapes.extents("w")[1], shapes.extents("x")[0]
    assert not shapes.equal(inner, extent)
    shapes.assume(program.body[0])
    assert shapes.equal(inner, extent)
    assert shapes.broadcast(inner, extent) in (inner, extent)


def test_source_is_a_constant_a_variable_or_an_axis():
    shapes = shapes_of('''
def f(x: "float64[:]", n: "weak int64"):
    y = sin(x)
    z = zeros(n, 3, dtype='float64')
    w = x[1:]
    return y, z, w
''')
    assert shapes.source(shapes.extents("y")[0]) == ("x", 0)
    assert [str(shapes.source(e)) for e in shapes.extents("z")] == ["n", "3"]
    assert shapes.source(shapes.extents("w")[0]) is None
    assert shapes.source(Extent(7)).value == 7


@pytest.mark.parametrize("seed", range(60))
def test_extents_are_those_at_run_time(seed):
    """Give every array variable that is assigned once, at the top, as a result, and compare."""
    program = random_program(seed, size=20)
    shapes = Shapes(program)
    inner = {s.target for stmt in program.body if isinstance(stmt, For | While) for s in walk((stmt,))
             if hasattr(s, "target")}
    names = [s.target for s in program.body if hasattr(s, "target") and s.target not in inner]
    names = [n for n in dict.fromkeys(names) if program.types[n].ndim] + ["x", "m"]
    arguments = random_arguments(seed)
    with np.errstate(all="ignore"):
        values = run(program.with_body(program.body, results=tuple(map(Var, names))), *arguments)
    seen = {}
    for name, value in zip(names, values, strict=True):
        for extent, length in zip(shapes.extents(name), value.shape, strict=True):
            if extent is not None:
                assert seen.setdefault(extent, length) == length, (name, shapes.show(extent))
            if extent is not None and not extent.terms:
                assert extent.constant == length
    assert seen


@pytest.mark.parametrize("bounds", ["start:stop", "start:", ":stop"])
def test_the_length_of_a_slice_is_written_without_the_slice(bounds):
    program = read(f'''
def f(x: "float64[:]", start: "weak int64", stop: "weak int64"):
    t = x[{bounds}]
    return t
''')
    builder, shapes = Builder(program.types), Shapes(program)

    def leaf(root):
        return Var(root.key[0]) if root.kind == "value" else builder.size(*root.key)

    length = ExtentWriter(builder, shapes, lambda root: True, leaf).write(shapes.extents("t")[0])
    written = program.with_body(builder.take(), types=builder.types, results=(length,))
    for n, start, stop in itertools.product(range(4), range(-5, 6), range(-5, 6)):
        x = np.zeros(n)
        assert run(written, x, start, stop) == len(run(program, x, start, stop))
    assert "arange" not in {getattr(s, "op", "") for s in written.body}


def test_seeds_of_arrays_that_were_made_with_the_extents_of_other_seeds():
    program = read("""
def f(x: "float64[:]", a_bar: "float64[:]", b_bar: "float64[:]"):
    n = size(b_bar, axis=0)
    m = size(a_bar, axis=0)
    a = zeros(n, dtype='float64')
    b = zeros(m, dtype='float64')
    return a, b
""")
    x, *seeds = program.params
    shapes = Shapes(replace(program, params=(x, *(replace(p, like=p.name[0]) for p in seeds))))
    assert shapes.same_shape("a", "b") and shapes.same_shape("a_bar", "b_bar")
