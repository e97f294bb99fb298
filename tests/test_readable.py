"""What makes printed code readable changes no number: exact algebra, names, accumulations."""

from dataclasses import replace

import gast
import numpy as np
import pytest

import srcdiff as sd
from srcdiff.backend import compile_program
from srcdiff.errors import Where
from srcdiff.notation import in_any_order, read, run
from srcdiff.printing import to_source
from srcdiff.printing.algebra import chosen, merged, tidy, tidy_integers
from srcdiff.printing.stems import stems
from srcdiff.syntax import blocks_of, map_atoms, with_blocks

OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
OPERANDS = ["x", "-x", "y", "-y * x", "2 * x", "x * 0.5", "-2 * y", "3.0 * x", "x - y", "-(x + y)", "x / -y", "0.1", "-4", "1"]


def parsed(text):
    return gast.parse(text, mode="eval").body


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("a", OPERANDS)
def test_rewriting_is_exact(op, a):
    rng = np.random.default_rng(5)
    for b in OPERANDS:
        tree = tidy(op, parsed(a), parsed(b), True)
        for x, y in rng.normal(size=(20, 2)):
            before = eval(f"({a}) {OPERATORS[op]} ({b})", {"x": x, "y": y})
            after = before if tree is None else eval(gast.unparse(tree), {"x": x, "y": y})
            assert before == after, (a, op, b, gast.unparse(tree))


@pytest.mark.parametrize("a", OPERANDS)
def test_negation_is_exact(a):
    tree = tidy("negative", parsed(a), None, True)
    assert eval(gast.unparse(tree), {"x": 0.3, "y": -1.7}) == -eval(a, {"x": 0.3, "y": -1.7})


def test_a_factor_of_one_stays_where_it_makes_a_float():
    assert tidy("multiply", parsed("i"), parsed("1.0"), True, (False, True)) is None
    assert gast.unparse(tidy("multiply", parsed("x"), parsed("1.0"), True)) == "x"
    assert gast.unparse(tidy("multiply", parsed("2.0 * i"), parsed("0.5"), True)) == "1.0 * i"


def test_a_factor_of_one_goes_where_the_rest_is_a_float():
    shown = tidy("multiply", parsed("2.0 * x"), parsed("0.5"), True, real=lambda tree: gast.unparse(tree) == "x")
    assert gast.unparse(shown) == "x"


def test_a_choice_inside_a_choice_by_the_same_test_is_made():
    inner = "(y if test else 0.0) / x + (y if other else 1.0)"
    shown = gast.unparse(chosen(parsed("test"), parsed(inner), parsed("(2.0 if test else x)")))
    assert shown == "y / x + (y if other else 1.0) if test else x"


def test_constants_of_integer_sums():
    assert gast.unparse(tidy_integers("subtract", parsed("n - 1"), parsed("1"))) == "n - 2"
    assert gast.unparse(tidy_integers("add", parsed("n - 1"), parsed("1"))) == "n"
    assert tidy_integers("add", parsed("n"), parsed("1")) is None


@pytest.mark.parametrize("first", "+-")
@pytest.mark.parametrize("second", "+-")
def test_two_accumulations_are_one(first, second):
    one, two = (gast.parse(f"s {sign}= {name}").body[0] for sign, name in ((first, "a"), (second, "b")))
    values = {"s": 8.0, "a": 2.0, "b": 0.5}
    expected = 8.0 + (2.0 if first == "+" else -2.0) + (0.5 if second == "+" else -0.5)
    exec(gast.unparse(merged(one, two)), {}, values)
    assert values["s"] == expected


# -- whole programs -------------------------------------------------------------------------

def placed(program, text):
    """Give every statement of a program a line of the user's."""
    def one(stmt):
        stmt = replace(map_atoms(stmt, lambda a: a), where=Where("f.py", 1, 0, 1, text, "f"))
        return with_blocks(stmt, [tuple(map(one, b)) for b in blocks_of(stmt)]) if blocks_of(stmt) else stmt
    return program.with_body(map(one, program.body))


PROGRAM = placed(read('''
def f(x: "float64[:]", g: "float64"):
    n_x_3 = size(x, axis=0)
    x_bar = zeros(n_x_3, dtype="float64")
    last = subtract(n_x_3, 1)
    for i_4 in range(0, last, 1):
        t_7 = add(i_4, 1)
        t_8 = x[t_7]
        t_9 = x[i_4]
        t_10 = multiply(t_8, t_9)
        t_11 = multiply(t_10, t_10)
        x_bar[i_4] += t_11
        t_12 = sin(t_9)
        t_14 = multiply(t_12, t_12)
        x_bar[i_4] += t_14
    for i_5 in range(0, n_x_3, 1):
        t_13 = x[i_5]
        t_15 = multiply(t_13, t_13)
        x_bar[i_5] += t_15
    return x_bar
'''), "total += x[i + 1] * x[i] * g")


def test_names_say_what_values_are():
    names = stems(PROGRAM)
    assert (names["n_x_3"], names["t_7"], names["t_8"], names["t_9"], names["t_12"]) == (
        "n_x", "i_next", "x_next", "x_i", "sin_x_i")


def test_blocks_beside_each_other_share_names_and_accumulations_meet():
    text = to_source(in_any_order(PROGRAM))
    assert text.count("x_i = x[i]") == 2 and "_2" not in text and text.count("x_bar[i] +=") == 2
    x = np.array([0.3, -0.4, 2.0])
    got, = compile_program(PROGRAM, "python")(x, 1.0)
    np.testing.assert_allclose(got, run(PROGRAM, x, 1.0), rtol=1e-14)


def test_accumulations_in_the_order_of_the_user_stay():
    assert to_source(PROGRAM).count("x_bar[i] +=") == 3

    def rounded(x):
        y = np.zeros(2)
        for i in range(2):
            y[i] = x[i] * 1e16
            y[i] += x[i]
            y[i] += x[i]
        return y

    value, _ = sd.functional.vjp(rounded, (np.ones(2),), np.ones(2))
    np.testing.assert_array_equal(value, rounded(np.ones(2)))


def test_what_reads_an_element_between_two_accumulations_sees_the_first():
    program = placed(read('''
def f(x: "float64[:]", a: "float64", i: "weak int64"):
    y = copy(x)
    y[i] += a
    t = y[i]
    u = multiply(t, t)
    v = multiply(u, u)
    y[i] += v
    w = add(u, v)
    return y, w
'''), "y[i] += a")
    got = compile_program(program, "python")(np.array([1.0, 2.0]), 0.5, 1)
    want = run(program, np.array([1.0, 2.0]), 0.5, 1)
    for g, w in zip(got, want, strict=True):
        np.testing.assert_array_equal(g, w)


def test_an_index_that_changes_keeps_two_accumulations_apart():
    program = placed(read('''
def f(x: "float64[:]", a: "float64", n: "weak int64"):
    y = copy(x)
    i = copy(n)
    y[i] += a
    i = add(i, 1)
    y[i] += a
    return y
'''), "i += 1")
    got, = compile_program(program, "python")(np.zeros(3), 0.5, 1)
    np.testing.assert_array_equal(got, [0.0, 0.5, 0.5])


def test_a_bool_takes_no_minus_sign():
    program = placed(read('''
def f(b: "bool", x: "float64"):
    t = negative(x)
    u = multiply(b, t)
    return u
'''), "b * -x")
    assert compile_program(program, "python")(np.True_, 2.0) == (-2.0,)
