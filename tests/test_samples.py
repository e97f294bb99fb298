"""Mapped programs against the programs they come from, one sample at a time."""

import numpy as np
import pytest

from srcdiff.errors import ArgumentError
from srcdiff.forward import tangent
from srcdiff.notation import read, run, show
from srcdiff.reverse import adjoint
from srcdiff.sample_blocks import sample_blocks
from srcdiff.samples import samples
from srcdiff.syntax import Array, For
from srcdiff.verify import verify
from tests.test_vectorize import PROGRAMS, value_of

B = 3

MORE = {
    "control that depends on the sample": '''
def f(x: "float64", n: "weak int64"):
    c = greater(x, 0.0)
    if c:
        y = multiply(x, x)
    else:
        y = negative(x)
    s = 0.0
    for i in range(0, n, 1):
        s = add(s, y)
    while True:
        d = greater(y, 0.5)
        if not d:
            break
        y = multiply(y, 0.5)
    return y, s, c
''',
    "computed extents": '''
def f(x: "float64[:]", a: "float64[:,:]"):
    n = size(x, axis=0)
    m = add(n, 1)
    t = multiply(2, n)
    z = zeros(t, m, dtype='float64')
    z[0, 0:n] = x
    u = x[1:]
    v = x[::2]
    w = a[1:, -2:]
    b = add(a, x)
    d = concatenate(x, u, axis=0)
    r = reshape(a, -1)
    e = x[0:2]
    f = subtract(n, 5)
    g = trips(f, n, 2)
    h = zeros(g, dtype='float64')
    k = expand_dims(x, axis=0)
    l = add(k, a)
    return z, u, v, w, b, d, r, e, h, l, n
''',
    "constants and parameters": '''
def f(x: "float64[:]", n: "weak int64", s: "weak float64"):
    return 1.5, n, x, True, s
''',
    "a state that each sample begins anew": '''
def f(x: "float64[:]"):
    y = zeros(2, dtype='float64')
    s = 0.0
    t = x[0]
    y[0] += t
    s = add(s, t)
    s = add(s, t)
    return y, s
''',
}
ALL_PROGRAMS = {name: text for name, text in (PROGRAMS | MORE).items() if name != "two-dimensional mask"}


def check(program, values, in_axes, out_axes):
    """Compare the mapped program with one run for each sample."""
    mapped = samples(program, in_axes, out_axes)
    verify(mapped)
    given = [v if axis is None else np.stack(v, axis) for v, axis in zip(values, in_axes, strict=True)]
    together = run(mapped, *given)
    single = [run(program, *(v if axis is None else v[b] for v, axis in zip(values, in_axes, strict=True)))
              for b in range(B)]
    if len(out_axes) == 1:
        together, single = (together,), [(one,) for one in single]
    for position, axis in enumerate(out_axes):
        expected = np.stack([one[position] for one in single], axis)
        assert together[position].shape == expected.shape, show(mapped)
        assert together[position].dtype == program.type_of(program.results[position]).dtype
        np.testing.assert_array_equal(together[position], expected)
    blocks = sample_blocks(program, in_axes, out_axes, size=2)
    if blocks is not None:
        verify(blocks)
        side_by_side = run(blocks, *given)
        for one, other in zip(side_by_side if len(out_axes) > 1 else (side_by_side,), together, strict=True):
            assert one.dtype == other.dtype and one.shape == other.shape, show(blocks)
            few = 1e3 * np.finfo(one.dtype).eps if one.dtype.kind == "f" else 0.0      # sums in another order
            np.testing.assert_allclose(one, other, few, few)
    return mapped


def different(program, rng, mapped):
    """Return the values of the parameters, B of them where they are mapped."""
    def one(p):
        return value_of(p, rng)
    return [[one(p) for _ in range(B)] if is_mapped else one(p)
            for p, is_mapped in zip(program.params, mapped, strict=True)]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", ALL_PROGRAMS)
def test_every_argument_mapped(name, last):
    program = read(ALL_PROGRAMS[name])
    values = different(program, np.random.default_rng(5), [True] * len(program.params))
    if name == "copies of unbatched arrays":
        values[1] = [v[:2] for v in values[1]]
    in_axes = [p.type.ndim if last else 0 for p in program.params]
    out_axes = [program.type_of(a).ndim if last else 0 for a in program.results]
    check(program, values, in_axes, out_axes)


@pytest.mark.parametrize("name", ALL_PROGRAMS)
def test_one_argument_mapped(name):
    program = read(ALL_PROGRAMS[name])
    for position in range(len(program.params)):
        flags = [i == position for i in range(len(program.params))]
        values = different(program, np.random.default_rng(6), flags)
        if name == "copies of unbatched arrays":
            values[1] = [v[:2] for v in values[1]] if flags[1] else values[1][:2]
        check(program, values, [0 if f else None for f in flags], [-1] * len(program.results))


def test_which_samples_are_computed_side_by_side():
    """Not those that may take different paths, nor where only a sample tells the extents of a result."""
    alone = set()
    for name, text in ALL_PROGRAMS.items():
        program = read(text)
        real = [0 if p.type.dtype.startswith("float") else None for p in program.params]
        blocks = sample_blocks(program, real, [0] * len(program.results))
        alone |= {name} if blocks is None else set()
    assert alone == {"control that depends on the sample", "branches", "while", "fancy and masks", "structure", "tapes",
                     "reads itself", "computed extents"}


def test_a_map_of_a_map():
    program = read(PROGRAMS["broadcast matrix by vector"])
    once = samples(program, (0, None, None, 1), (0, 0))
    rng = np.random.default_rng(7)
    values = [rng.normal(size=(2, 3, 4)), [rng.normal(size=(3, 4)) for _ in range(B)],
              rng.normal(size=4), [rng.normal(size=(4, 2)) for _ in range(B)]]
    check(once, values, (None, 2, None, 1), (1, 0))


def test_the_derivatives_of_a_map():
    """The mapped program is ordinary: both modes, equal to the map of the derivative."""
    program = read('''
def f(w: "float64[:]", x: "float64[:]"):
    t = multiply(w, x)
    y = tanh(t)
    s = sum(y, axis=(0,))
    return s
''')
    rng = np.random.default_rng(8)
    w, x, d = rng.normal(size=3), rng.normal(size=(B, 3)), rng.normal(size=(B, 3))
    mapped = samples(program, (None, 0), (0,))
    expected = run(samples(tangent(program, ("x",)), (None, 0, 0), (0, 0)), w, x, d)
    for one, other in zip(run(tangent(mapped, ("x",)), w, x, d), expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-14)
    seeds = rng.normal(size=B)
    expected = run(samples(adjoint(program, ("x",)), (None, 0, 0), (0, 0)), w, x, seeds)
    for one, other in zip(run(adjoint(mapped, ("x",)), w, x, seeds), expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-14)


def test_what_no_sample_changes_is_computed_once():
    program = read('''
def f(w: "float64[:]", x: "float64"):
    t = exp(w)
    z = copy(t)
    z[0] = 1.0
    u = sum(z, axis=(0,))
    z[1] = u
    y = multiply(u, x)
    return y, z
''')
    mapped = samples(program, (None, 0), (0, 0))
    loop = next(s for s in mapped.body if isinstance(s, For))
    assert loop.var == "sample"
    assert [getattr(s, "target", "store") for s in loop.body] == ["x_sample", "y", "store", "store"]
    check(program, [np.array([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]], (None, 0), (0, 1))


def test_a_value_read_between_changes_stays_in_the_loop():
    program = read('''
def f(w: "float64", x: "float64"):
    t = exp(w)
    a = multiply(t, x)
    t = sin(w)
    b = multiply(t, x)
    return a, b
''')
    check(program, [0.3, [1.0, 2.0, 3.0]], (None, 0), (0, 0))


RAGGED = '''
def f(x: "float64[:]"):
    m = greater(x, 0.0)
    y = x[m]
    s = sum(y, axis=(0,))
    return y, s
'''


def test_extents_known_only_from_a_sample():
    program = read(RAGGED)
    x = [np.array([1.0, -1.0, 2.0]), np.array([-3.0, 1.0, 2.0]), np.array([3.0, 1.0, -2.0])]
    check(program, [x], (0,), (0, 0))
    check(program, [x], (1,), (1, 0))


def test_results_of_different_shapes_are_an_error():
    with pytest.raises(ValueError, match="SD0333.*different shapes"):
        run(samples(read(RAGGED), (0,), (0, 0)), np.array([[1.0, -1.0], [1.0, 1.0]]))


def test_no_samples():
    program = read(MORE["computed extents"])
    mapped = samples(program, (0, None), (0,) * 11)
    shapes = [r.shape for r in run(mapped, np.zeros((0, 3)), np.zeros((3, 3)))]
    one = run(program, np.zeros(3), np.zeros((3, 3)))
    assert shapes == [(0, *np.shape(r)) for r in one]
    with pytest.raises(ValueError, match="SD0332.*no samples"):
        run(samples(read(RAGGED), (0,), (0, 0)), np.zeros((0, 3)))


def test_numbers_of_samples_must_agree():
    program = read('def f(x: "float64", y: "float64"):\n    z = add(x, y)\n    return z\n')
    with pytest.raises(ValueError, match="SD0331.*y and x have different numbers of samples"):
        run(samples(program, (0, 0), (0,)), np.ones(3), np.ones(2))


@pytest.mark.parametrize("in_axes, out_axes, message", [
    ((None, None), (0,), "no argument is mapped"),
    ((0, 3), (0,), "argument 1 has no axis 3"),
    ((0, -3), (0,), "argument 1 has no axis -3"),
    ((0, 0), (2,), "result 0 has no axis 2"),
    ((0,), (0,), "1 axes for 2 arguments"),
])
def test_axes_that_do_not_exist(in_axes, out_axes, message):
    program = read('def f(x: "float64", y: "float64[:]"):\n    z = add(x, y)\n    return z\n')
    with pytest.raises(ArgumentError, match=message):
        samples(program, in_axes, out_axes)


def test_a_seed_is_like_its_primal_if_both_are_mapped_alike():
    program = tangent(read('def f(x: "float64[:]"):\n    y = sin(x)\n    return y\n'), ("x",))
    assert [p.like for p in program.params] == [None, "x"]
    assert [p.like for p in samples(program, (0, 0), (0, 0)).params] == [None, "x"]
    for in_axes in ((0, 1), (None, 0), (0, None)):
        assert [p.like for p in samples(program, in_axes, (0, 0)).params] == [None, None]


def test_weak_numbers_stay_weak():
    program = read('def f(x: "float32[:]", s: "weak float64"):\n    y = multiply(x, s)\n    return y\n')
    mapped = samples(program, (None, 0), (0,))
    verify(mapped)
    assert mapped.types["y_samples"] == Array("float32", 2)
    assert run(mapped, np.ones(2, "float32"), np.ones(3)).dtype == np.float32
