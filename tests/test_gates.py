"""The branch of a `where` that is not taken never reaches a derivative."""

from __future__ import annotations

import numpy as np
import pytest

from srcdiff.analysis.activity import active_variables
from srcdiff.forward import tangent
from srcdiff.notation import read, run, show
from srcdiff.reverse import adjoint
from srcdiff.reverse.gates import gated
from srcdiff.syntax import is_float
from srcdiff.verify import verify

HEAD = "def f({}):\n    {}\n    s = sum(y, axis=(0,))\n    return s\n"
VECTOR = 'x: "float64[:]"'


def program(*lines, params=VECTOR):
    return read(HEAD.format(params, "\n    ".join(lines)))


def gradients(f, *values):
    """Return the value and the gradient for every parameter, by both modes, which must agree."""
    names = tuple(p.name for p in f.params if is_float(p.type))
    back = adjoint(f, names)
    verify(back)
    with np.errstate(all="ignore"):
        value, *adjoints = run(back, *values, 1.0)
        forward = tangent(f, names)
        for v, bar in zip(values, adjoints, strict=True):
            basis = np.eye(np.size(v)).reshape(-1, *np.shape(v))
            columns = [run(forward, *values, *(e[()] if w is v else np.zeros_like(w)[()] for w in values))[1]
                       for e in basis]
            np.testing.assert_allclose(np.ravel(bar), columns, rtol=1e-13)
    return value, adjoints


CASES = [
    (("t = sqrt(x)", "c = greater(x, 0.0)", "y = where(c, t, 0.0)"), [4.0, -1.0, 0.0], [0.25, 0, 0]),
    (("c = greater(x, 0.0)", "l = log(x)", "t = multiply(x, l)", "y = where(c, t, 0.0)"),
     [1.0, 0.0, -3.0], [1.0, 0, 0]),
    (("c = not_equal(x, 0.0)", "t = divide(1.0, x)", "y = where(c, t, 5.0)"),
     [2.0, 0.0, -1.0], [-0.25, 0, -1]),
    (("c = equal(x, 0.0)", "u = sin(x)", "t = divide(u, x)", "y = where(c, 1.0, t)"),
     [np.pi, 0.0], [-1 / np.pi, 0]),
    # softplus: exp overflows where the other branch is taken
    (("c = greater(x, 30.0)", "e = exp(x)", "t = log1p(e)", "y = where(c, x, t)"), [0.0, 1000.0], [0.5, 1.0]),
    # one inside the other
    (("a = sqrt(x)", "c = greater(x, 1.0)", "b = where(c, a, x)", "d = log(b)", "e = greater(x, 0.0)",
      "y = where(e, d, x)"), [4.0, 0.5, -2.0], [0.125, 2.0, 1.0]),
    # both branches have edges
    (("c = greater(x, 0.0)", "a = sqrt(x)", "n = negative(x)", "b = log(n)", "y = where(c, a, b)"),
     [4.0, -2.0], [0.25, -0.5]),
]


@pytest.mark.parametrize("lines, x, expected", CASES)
def test_no_nan_from_the_branch_not_taken(lines, x, expected):
    value, (x_bar,) = gradients(program(*lines), np.array(x))
    assert np.isfinite(value)
    np.testing.assert_allclose(x_bar, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("lines, x, expected", CASES)
def test_no_nan_in_second_derivatives(lines, x, expected):
    """Forward over reverse; reverse over reverse agrees with it."""
    f, x, one = program(*lines), np.array(x), 1.0
    back = adjoint(f, ("x",))
    with np.errstate(all="ignore"):
        columns = [run(tangent(back, ("x",)), x, one, e)[3] for e in np.eye(len(x))]
        again = adjoint(back, ("x",), outputs=(1,))
        verify(again)
        rows = [run(again, x, one, e)[-1] for e in np.eye(len(x))]
    assert np.isfinite(columns).all()
    np.testing.assert_allclose(rows, columns, rtol=1e-13, atol=1e-15)


def test_a_scalar_operand_beside_an_array_condition():
    f = program("c = greater(x, 0.0)", "t = power(x, p)", "y = where(c, t, 0.0)",
                params=VECTOR + ', p: "float64"')
    value, (x_bar, p_bar) = gradients(f, np.array([4.0, -2.0]), 0.5)
    assert value == 2.0 and p_bar == 2.0 * np.log(4.0)
    np.testing.assert_array_equal(x_bar, [0.25, 0.0])


def test_missing_data():
    """A nan in data that the condition takes out does not reach the parameter."""
    f = program("c = isnan(d)", "r = subtract(d, m)", "t = multiply(r, r)", "y = where(c, 0.0, t)",
                params='m: "float64", d: "float64[:]"')
    assert run(adjoint(f, ("m",)), 1.0, np.array([3.0, np.nan, 4.0]), 1.0)[1] == -10.0


def test_a_scalar_condition_gates_reductions_too():
    f = read('''
def f(x: "float64[:]", c: "bool"):
    l = log(x)
    s = sum(l, axis=(0,))
    y = where(c, s, 2.0)
    return y
''')
    back = adjoint(f, ("x",))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(run(back, np.array([0.0, -1.0]), False, 1.0)[1], np.zeros(2))
        np.testing.assert_array_equal(run(back, np.array([2.0, 4.0]), True, 1.0)[1], [0.5, 0.25])


def test_inside_a_loop():
    f = read('''
def f(x: "float64[:]", n: "weak int64"):
    s = 0.0
    for i in range(0, n, 1):
        v = x[i]
        r = sqrt(v)
        c = greater(v, 0.0)
        t = where(c, r, 0.0)
        s = add(s, t)
    return s
''')
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(run(adjoint(f, ("x",)), np.array([4.0, -1.0, 1.0]), 3, 1.0)[1],
                                      [0.25, 0.0, 0.5])


@pytest.mark.parametrize("lines", [
    ("c = greater(x, 0.0)", "t = multiply(2.0, x)", "y = where(c, t, 0.0)"),       # slopes are constants
    ("t = sqrt(x)", "c = greater(x, 0.0)", "u = where(c, t, 0.0)", "y = add(u, t)"),  # read elsewhere too
])
def test_programs_that_need_no_gate_are_left_alone(lines):
    f = program(*lines)
    assert gated(f, active_variables(f, ("x",), ["s"])) == f


def test_a_branch_stays_where_its_operands_change():
    """x is stored to between the branch and the `where`: it cannot be moved."""
    f = read('''
def f(p: "float64[:]"):
    x = copy(p)
    t = sqrt(x)
    x[0] = 9.0
    c = greater(x, 0.0)
    y = where(c, t, 0.0)
    return y
''')
    assert gated(f, frozenset({"p", "x", "t", "y"})) == f


def test_values_do_not_change():
    f = program(*CASES[5][0])
    g = gated(f, active_variables(f, ("x",), ["s"]))
    verify(g)
    assert show(g).count("_held") == 4, "one gate for each of the two"
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(run(g, np.array(CASES[5][1])), run(f, np.array(CASES[5][1])))


def test_a_number_of_pythons_stays_single_among_single_precision():
    """Behind its gate the number is an array, which would make the others double."""
    f = program("c = greater(x, 0.3)", "a = cast(b, dtype='float64')", "t = sin(a)", "u = weaken(t)", "y = where(c, u, x)",
                params='x: "float32[:]", b: "float32"')
    back = adjoint(f, ("x", "b"))
    verify(back)
    assert {back.types[name].dtype for name in ("y", "x_bar", "b_bar")} == {"float32"}
    x = np.array([0.2, 0.5, 0.9], "float32")
    value, x_bar, b_bar = run(back, x, np.float32(0.7), np.float32(1.0))
    np.testing.assert_allclose(value, 0.2 + 2 * np.sin(0.7), rtol=1e-6)
    np.testing.assert_array_equal(x_bar, [1.0, 0.0, 0.0])
    np.testing.assert_allclose(b_bar, 2 * np.cos(0.7), rtol=1e-6)
