"""Every promise of the normal form, broken once: the verifier must name the statement."""

from dataclasses import replace

import pytest

from srcdiff.errors import VerifyError
from srcdiff.notation import read
from srcdiff.optimize import optimize
from srcdiff.syntax import Array, Assign, Const, For, If, Load, Raise, Scalar, Span, Store, Var, While
from srcdiff.verify import fits, verify

GOOD = read('''
def f(x: "float64[:]", a: "float64", n: "weak int64"):
    s = 0.0
    y = copy(x)
    for i in range(0, n, 1):
        t = x[i]
        c = less(t, a)
        if c:
            u = sin(t)
        else:
            u = cos(t)
        s = add(s, u)
        y[i] = u
    k = 0
    while True:
        more = less(k, n)
        if not more:
            break
        k = add(k, 1)
    return s, y, more
''')


def changed(*body, results=GOOD.results[:1], **types):
    """Return the good program with other statements and more types."""
    return replace(GOOD, body=body or GOOD.body, results=results, types={**GOOD.types, **types})


FLOAT, INT, BOOL = Scalar("float64"), Scalar("int64", weak=True), Scalar("bool")
S = Assign("s", "copy", (Const(0.0),))

BROKEN = [
    ("there is no operation nonsense", [Assign("s", "nonsense", ())]),
    ("s is declared float64 and gets float64[:]", [Assign("s", "sin", (Var("x"),))]),
    ("k is declared weak int64 and gets float64", [S, Assign("k", "sin", (Var("a"),))]),
    ("sin does not take (float64, float64)", [Assign("s", "sin", (Var("a"), Var("a")))]),
    ("u is read before it is assigned", [Assign("s", "copy", (Var("u"),))]),
    ("s is read before it is assigned", [For("i", Const(0), Var("n"), Const(1), (S,))]),
    ("s is read before it is assigned", [If(Var("n"), (S,))]),
    ("s is read before it is assigned", [While((), Var("n"), (S,))]),
    ("i is read before it is assigned", [
        S, For("i", Const(0), Var("n"), Const(1), ()), Assign("k", "copy", (Var("i"),))]),
    ("i is read before it is assigned", [
        S, Assign("i", "copy", (Const(0),)), For("k", Const(0), Var("n"), Const(1), (
            Assign("t", "copy", (Var("i"),)), For("i", Const(0), Var("n"), Const(1), ())))]),
    ("parameter a is assigned", [S, Assign("a", "copy", (Const(0.0),))]),
    ("parameter x is stored to", [S, Store("x", (Const(0),), Const(0.0))]),
    ("loop variable i is assigned in its loop", [
        S, For("i", Const(0), Var("n"), Const(1), (Assign("i", "copy", (Const(0),)),))]),
    ("the index covers 2 of the 1 axes of x", [S, Load("t", "x", (Const(0), Const(0)))]),
    ("index a is float64, not an integer", [S, Load("t", "x", (Var("a"),))]),
    ("slice bound a is float64", [S, Assign("y", "copy", (Var("x"),)), Load("y", "x", (Span(Var("a")),))]),
    ("loop bound a is float64", [S, For("i", Const(0), Var("a"), Const(1), ())]),
    ("a is not an array", [S, Load("t", "a", (Const(0),))]),
    ("condition x is not a scalar", [S, If(Var("x"), ())]),
    ("does not broadcast", [S, Assign("y", "copy", (Var("x"),)), Store("y", (Const(0),), Var("x"))]),
    ("complex values are stored", [S, Assign("y", "copy", (Var("x"),)), Store("y", (Const(0),), Const(1j))]),
    ("z has no type", [S, Assign("z", "copy", (Var("a"),))]),
]


def test_accepts_a_program_with_everything():
    verify(GOOD)


@pytest.mark.parametrize("what, body", BROKEN, ids=[w for w, _ in BROKEN])
def test_names_what_is_wrong(what, body):
    with pytest.raises(VerifyError) as caught:
        verify(changed(*body))
    assert what in str(caught.value)
    assert "SD0900" in str(caught.value)


def test_results_must_be_assigned():
    with pytest.raises(VerifyError, match="u is read before it is assigned"):
        verify(changed(S, results=(Var("u"),)))


def test_shows_the_statement_and_the_guilty_pass():
    with pytest.raises(VerifyError) as caught:
        verify(changed(S, Assign("t", "sin", (Var("u"),))), guilty="simplify")
    assert "in `t = sin(u)`" in str(caught.value)
    assert "bug in the pass `simplify`" in str(caught.value)


def test_a_raise_ends_a_path():
    body = (If(Var("n"), (S,), (Raise("ValueError", "no"),)),)
    verify(changed(*body))
    verify(changed(Raise("ValueError", "no")))
    verify(changed(Raise("ValueError", "no"), Assign("s", "copy", (Var("u"),))))


def test_a_while_test_runs_at_least_once():
    verify(changed(While((S,), Var("n"), ())))


def test_optimize_names_the_guilty_pass(monkeypatch):
    def careless(program):
        return program.with_body(program.body[1:])

    monkeypatch.setenv("SRCDIFF_CHECK", "1")
    with pytest.raises(VerifyError, match="careless"):
        optimize(GOOD, (careless,))
    monkeypatch.setenv("SRCDIFF_CHECK", "0")
    assert optimize(GOOD, (lambda p: p,)).body == optimize(GOOD, ()).body


@pytest.mark.parametrize("declared, given, answer", [
    (FLOAT, INT, True), (FLOAT, Scalar("float64", weak=True), True), (Scalar("float64", weak=True), FLOAT, True),
    (Scalar("float32"), Scalar("float64", weak=True), True), (Scalar("float32"), FLOAT, False),
    (INT, Scalar("float64", weak=True), False), (INT, BOOL, True), (BOOL, INT, False),
    (Array("float64", 1), Array("float32", 1), True), (Array("float64", 1), Array("float64", 2), False),
    (Array("float64", 1), FLOAT, False),
])
def test_fits(declared, given, answer):
    assert fits(declared, given) is answer
