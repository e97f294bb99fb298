"""Every rule of the registry: shapes x dtypes x modes, second order, what it reads, kinks.

The cases come from the registry itself: a new row is tested without a line
here.  Oracles: the complex step where the operation is analytic, else Richardson
differences; the adjoint against the tangent by <g, J v> = <J' g, v>.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from srcdiff.builder import Builder
from srcdiff.errors import UnsupportedError, Where
from srcdiff.forward import tangent
from srcdiff.notation import run
from srcdiff.primitives import PRIMITIVES, infer, type_of_value
from srcdiff.rules import RULES
from srcdiff.rules.rule import Choice, Row
from srcdiff.rules.table import row
from srcdiff.syntax import Array, Assign, Const, Param, Program, Var, atoms_of, is_float, walk
from srcdiff.vectorize import vectorize
from srcdiff.verify import verify
from tests.oracle import differences, inner

# -- cases --------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One statement: an operation on operands, each a shape, a number given as it is, or a sampled one."""

    op: str
    operands: tuple
    static: tuple = ()

    def __str__(self):
        shown = ("x".join(map(str, o)) or "()" if isinstance(o, tuple) else str(o) for o in self.operands)
        return f"{self.op}-{','.join(shown)}" + "".join(f"-{k}={v}" for k, v in self.static)


UNARY = [((),), ((3,),), ((2, 3),), ((0,),)]
BINARY = [((), ()), ((3,), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((), (3,)), ((2, 3), ()), ((1,), (3,))]
TERNARY = [((), (), ()), ((3,), (3,), (3,)), ((3,), (), (2, 3)), ((2, 1), (1, 3), ()), ((), (1,), (3,))]
STATIC = {"cast": (("dtype", "float64"),)}

# Operations with operands that are not all floating-point arrays of any shape.
AXES = [((2, 3, 2), axis, keep) for axis in [(0,), (1, 2), (0, 2), (0, 1, 2), ()] for keep in (False, True)]
REDUCED = [((shape,), (("axis", axis), ("keepdims", keep))) for shape, axis, keep in AXES]
SPECIAL = {
    "polygamma": [((Const(n), shape), ()) for n in (1, 2, 3) for shape in [(), (3,)]],
    "sum": REDUCED + [(((3,),), (("axis", (0,)),))], "prod": REDUCED, "max": REDUCED, "min": REDUCED,
    "matmul": [(pair, ()) for pair in [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((5, 2, 3), (3,)),
        ((3,), (5, 3, 4)), ((6, 5, 2, 3), (3,)), ((1, 2, 3), (5, 3, 4))]],
    "transpose": [(((2, 3, 4),), (("perm", (2, 0, 1)),)), (((2, 3),), (("perm", (1, 0)),))],
    "reshape": [(((2, 3), Const(3), Const(2)), ()), (((6,), Const(2), Const(3)), ()), (((), Const(1)), ())],
    "expand_dims": [(((2, 3),), (("axis", 1),)), (((),), (("axis", 0),))],
    "squeeze": [(((2, 1),), (("axis", 1),)), (((1,),), (("axis", 0),))],
    "broadcast_to": [(((3,), Const(2), Const(3)), ()), (((2, 1), Const(2), Const(3)), ()),
                     (((), Const(2)), ())],
    "sum_to": [(((2, 3), Const(3)), ()), (((2, 3), Const(2), Const(1)), ()), (((2, 3),), ())],
    "concatenate": [(((2,), (3,), (1,)), (("axis", 0),)), (((2, 2), (2, 3)), (("axis", 1),))],
    "cumsum": [(((4,),), (("axis", 0),)), (((2, 3),), (("axis", 1),))],
    "take": [(((4,), np.array([1, 1, -1])), (("axis", 0),)), (((2, 3), Const(1)), (("axis", 1),)),
             (((2, 3), np.array([[0, 1], [1, 1]])), (("axis", 0),))],
    "tape_grow": [(((2, 3), Const(5)), ()), (((4,), Const(2)), ())],
    "array": [(((), (), ()), (("dtype", "float64"), ("shape", (3,)))),
              (((), (), (), ()), (("dtype", "float64"), ("shape", (2, 2))))],
    "full": [(((), Const(2), Const(3)), (("dtype", "float64"),))],
    "solve": [(((3, 3), (3,)), ()), (((3, 3), (3, 2)), ())],
    **{name: [(((3, 3),), ()), (((1, 1),), ())] for name in (
        "inv", "det", "logabsdet", "cholesky", "eigvalsh", "eigenvectors")},
    **{name: [(((3, 3),), ()), (((4, 3),), ()), (((2, 3),), ())] for name in ("svdvals", "svd_u", "svd_vt")},
    **{name: [(((3, 3),), ()), (((4, 3),), ())] for name in ("qr_q", "qr_r")},
}


def cases():
    for name, rule in RULES.items():
        if rule.zero:
            continue
        if name in SPECIAL:
            yield from (Case(name, operands, static) for operands, static in SPECIAL[name])
        elif PRIMITIVES[name].kind == "elementwise":
            shapes = (UNARY, BINARY, TERNARY)[len(rule.samples) - 1]
            yield from (Case(name, s, STATIC.get(name, ())) for s in shapes)


CASES = list(cases())
POWERS = [Case("power", (shape, Const(n)))
          for n in (-2, -1, 0, 1, 2, 3, 0.5, 2.5, -1.5) for shape in [(), (3,)]]
everything = pytest.mark.parametrize("case", CASES + POWERS, ids=str)


def sample(case: Case, dtype="float64", seed=0):
    """Return a value for each operand; constants stay `Const`."""
    rng = np.random.default_rng([seed, *map(ord, case.op)])
    samplers = RULES[case.op].samples or (lambda rng, s: rng.normal(size=s),)
    samplers += samplers[-1:] * len(case.operands)
    values = []
    for shape, sampler in zip(case.operands, samplers, strict=False):
        if not isinstance(shape, tuple):
            values.append(shape)
        elif sampler is None:
            values.append(rng.integers(0, 2, size=shape).astype(bool)[()])
        else:
            values.append(np.asarray(sampler(rng, shape)).astype(dtype)[()])
    return values


# -- the programs of one statement ------------------------------------------------------

HERE = Where("user.py", 7, 4, 9, "    y = f(x)", "f")


class Statement:
    """A statement ``ans = op(x0, x1, ...)`` and the programs that its rule makes."""

    def __init__(self, case: Case, values):
        self.case, self.values, self.rule = case, values, RULES[case.op]
        self.args = tuple(v if isinstance(v, Const) else Var(f"x{i}") for i, v in enumerate(values))
        types = {f"x{i}": type_of_value(v) for i, v in enumerate(values) if not isinstance(v, Const)}
        self.params = tuple(Param(n, t) for n, t in types.items())
        self.active = [i for i, v in enumerate(values) if f"x{i}" in types and is_float(types[f"x{i}"])]
        self.inputs = [v for v in values if not isinstance(v, Const)]
        self.ans = infer(case.op, tuple(Builder(types).type_of(a) for a in self.args), case.static)
        self.stmt = Assign("ans", case.op, self.args, case.static, HERE)
        self.types = types | {"ans": self.ans}

    def evaluate(self, *active):
        values = [v.value if isinstance(v, Const) else v for v in self.values]
        for i, v in zip(self.active, active, strict=True):
            values[i] = v
        return PRIMITIVES[self.case.op].evaluate(*values, **dict(self.case.static))

    def actives(self):
        return [self.values[i] for i in self.active]

    def tangent(self, wanted) -> Program:
        dots = {i: f"x{i}_dot" for i in wanted}
        params = tuple(Param(d, self.types[f"x{i}"]) for i, d in dots.items())
        b = Builder(self.types | {p.name: p.type for p in params})
        b.append(self.stmt)
        with b.at(HERE):
            result = self.rule.tangent(b, self.stmt, {i: Var(d) for i, d in dots.items()})
        return self.program(b, self.params + params, (result,))

    def adjoint(self, wanted) -> Program:
        g = Param("g", self.ans)
        b = Builder(self.types | {"g": g.type})
        b.append(self.stmt)

        def extents(i):
            return b.extents(self.args[i].name) if isinstance(self.args[i], Var) else ()
        with b.at(HERE):
            found = self.rule.adjoint(b, self.stmt, Var("g"), set(wanted), extents)
        return self.program(b, self.params + (g,), tuple(found.get(i, Const(0.0)) for i in wanted))

    def program(self, builder, params, results) -> Program:
        made = Program("f", params, builder.take(), results, builder.types)
        verify(made)
        assert all(s.where == HERE for s in walk(made.body)), "every statement says where it comes from"
        return made

    def subsets(self):
        for size in range(1, len(self.active) + 1):
            yield from itertools.combinations(self.active, size)

    def directions(self, wanted, seed=1):
        rng = np.random.default_rng(seed)
        return [rng.normal(size=np.shape(self.values[i])).astype(np.asarray(self.values[i]).dtype)[()]
                for i in wanted]

    def cotangent(self):
        shape = np.shape(self.evaluate(*self.actives()))
        return np.random.default_rng(2).normal(size=shape).astype(self.ans.dtype)[()]


def statement(case, dtype="float64"):
    return Statement(case, sample(case, dtype))


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


# -- first order ----------------------------------------------------------------------------

ANALYTIC = frozenset("""
    negative exp exp2 expm1 log log2 log10 log1p sqrt square reciprocal sin cos tan arcsin arccos arctan
    sinh cosh tanh arcsinh arccosh arctanh add subtract multiply divide power sum prod matmul transpose
    reshape expand_dims squeeze broadcast_to sum_to concatenate cumsum take where positive copy solve inv det
""".split())


def trusted(s: Statement, wanted, direction):
    """Return the directional derivative and its tolerance, by an independent oracle."""
    full = [direction[wanted.index(i)] if i in wanted else None for i in s.active]
    if s.case.op in ANALYTIC:
        h = 1e-200
        moved = [v if d is None else v + 1j * h * d for v, d in zip(s.actives(), full, strict=True)]
        return np.asarray(s.evaluate(*moved)).imag / h, 1e-13
    (value, error), = differences(s.evaluate, s.actives(), full, step=2e-2 if s.case.op != "fmod" else 1e-3)
    assert error < 1e-6, "the oracle is not trusted here: move the sample"
    return value, max(1e-9, 10 * error)


@everything
def test_tangent_against_trusted_derivatives(case):
    s = statement(case)
    for wanted in s.subsets():
        direction = s.directions(wanted)
        got = run(s.tangent(wanted), *s.inputs, *direction)
        expected, tolerance = trusted(s, wanted, direction)
        assert np.shape(got) == np.shape(s.evaluate(*s.actives()))
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


@everything
def test_adjoint_against_tangent(case):
    s = statement(case)
    for wanted in s.subsets():
        direction, g = s.directions(wanted), s.cotangent()
        forward = run(s.tangent(wanted), *s.inputs, *direction)
        program = s.adjoint(wanted)
        back = as_tuple(run(program, *s.inputs, g))
        for i, atom, value in zip(wanted, program.results, back, strict=True):
            assert np.shape(value) == np.shape(s.values[i]) or atom == Const(0.0), "left out only where zero"
        left, right = inner([g], [forward]), inner(back, direction)
        scale = max(inner([np.abs(g)], [np.abs(forward)]), 1e-3)
        assert abs(left - right) <= 1e-12 * scale


@everything
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_types_are_those_of_answer_and_operands(case, dtype):
    s = statement(case, dtype)
    for wanted in s.subsets():
        forward = s.tangent(wanted)
        fits(forward.type_of(forward.results[0]), s.ans, forward.results[0])
        back = s.adjoint(wanted)
        for i, atom in zip(wanted, back.results, strict=True):
            fits(back.type_of(atom), s.types[f"x{i}"], atom)


def fits(found, expected, atom):
    assert found == expected or atom == Const(0.0), (found, expected)


@everything
def test_single_precision_agrees_with_double(case):
    s = statement(case, "float32")
    wide = Statement(case, [v.astype("float64") if getattr(v, "dtype", None) == "float32" else v
                            for v in s.values])
    wanted = tuple(s.active)
    direction = s.directions(wanted)
    got = run(s.tangent(wanted), *s.inputs, *direction)
    expected = run(wide.tangent(wanted), *wide.inputs, *(d.astype("float64") for d in direction))
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-5)


@everything
def test_weak_numbers(case):
    """Python numbers beside NumPy ones: types fit, values are the same."""
    strong = statement(case)
    weak = Statement(case, [v.item() if isinstance(v, np.floating) else v for v in strong.values])
    for wanted in weak.subsets():
        direction, g = weak.directions(wanted), weak.cotangent()
        program, back = weak.tangent(wanted), weak.adjoint(wanted)
        fits(program.type_of(program.results[0]), weak.ans, program.results[0])
        for i, atom in zip(wanted, back.results, strict=True):
            fits(back.type_of(atom), weak.types[f"x{i}"], atom)
        np.testing.assert_array_equal(run(program, *weak.inputs, *direction),
                                      run(strong.tangent(wanted), *strong.inputs, *direction))
        for a, b in zip(as_tuple(run(back, *weak.inputs, g)),
                        as_tuple(run(strong.adjoint(wanted), *strong.inputs, g)), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("op", ["add", "multiply", "divide", "maximum", "where", "power"])
def test_operands_of_different_precision(op):
    """A contribution has the dtype of its operand, whatever the answer has."""
    condition = [np.array([True, False])] * (op == "where")
    values = [*condition, np.array([1.5, 2.5], "float32"), np.array([[0.5, 3.0]])]
    s = Statement(Case(op, ()), values)
    back = s.adjoint(tuple(s.active))
    assert [back.type_of(a).dtype for a in back.results] == ["float32", "float64"]


# -- second order -----------------------------------------------------------------------------

SMALL = [c for c in CASES + POWERS if all(not isinstance(o, tuple) or np.prod(o, dtype=int) <= 12
                                          for o in c.operands)]


@pytest.mark.parametrize("mode", ["tangent", "adjoint"])
@pytest.mark.parametrize("case", SMALL, ids=str)
def test_second_order(case, mode):
    """Forward over each mode: the emitted statements are differentiated like any others."""
    s = statement(case)
    wanted = tuple(s.active)
    program = s.tangent(wanted) if mode == "tangent" else s.adjoint(wanted)
    seeds = s.directions(wanted, seed=5) if mode == "tangent" else [s.cotangent()]
    if case.op == "polygamma" and mode == "tangent":
        assert case.operands[0].value in (1, 2, 3)
    values = [*s.inputs, *seeds]
    active = tuple(p.name for p in program.params if is_float(p.type))
    rng = np.random.default_rng(3)
    direction = [rng.normal(size=np.shape(v))[()] if is_float(p.type) else None
                 for p, v in zip(program.params, values, strict=True)]
    second = tangent(program, active)
    verify(second)
    results = as_tuple(run(second, *values, *(d for d in direction if d is not None)))
    got = results[len(results) // 2:]
    step = 1e-3 if case.op in ("fmod", "remainder") else 1e-2
    oracle = differences(lambda *v: run(program, *v), values, direction, step=step)
    for (expected, error), value in zip(oracle, got, strict=True):
        assert np.shape(value) == np.shape(expected)
        assert error < 1e-5, "the oracle is not trusted here: move the sample"
        np.testing.assert_allclose(value, expected, rtol=max(1e-7, 10 * error), atol=max(1e-8, 10 * error))


# -- many directions ----------------------------------------------------------------------------

@everything
@pytest.mark.parametrize("axis", [0, -1])
def test_many_directions_at_once(case, axis):
    """With a direction axis, the derivative is that of each direction, for both modes."""
    s = statement(case)
    wanted = tuple(s.active)
    for program, seeds in (
            (s.tangent(wanted), [s.directions(wanted, seed=k) for k in (1, 2)]),
            (s.adjoint(wanted), [[s.cotangent()], [2.0 * s.cotangent() + 1.0]])):
        batched = {p.name for p in program.params[len(s.params):]}
        many = vectorize(program, frozenset(batched), axis)
        verify(many)
        each = [as_tuple(run(program, *s.inputs, *seed)) for seed in seeds]
        stacked = [np.stack(pair, axis=axis) for pair in zip(*seeds, strict=True)]
        got = as_tuple(run(many, *s.inputs, *stacked))
        for value, *expected in zip(got, *each, strict=True):
            if np.ndim(value) == np.ndim(expected[0]):          # a zero for all directions
                expected = expected[0]
            else:
                expected = np.stack(expected, axis=axis)
            np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-13)


# -- what a rule reads --------------------------------------------------------------------------

def values_read(program: Program, s: Statement) -> set:
    """Return the operands whose values the statements after the first read; extents do not count."""
    names = {f"x{i}": i for i in range(len(s.values))} | {"ans": "ans"}
    return {names[a.name] for stmt in walk(program.body[1:]) if getattr(stmt, "op", "") != "size"
            for a in atoms_of(stmt) if isinstance(a, Var) and a.name in names}


@everything
def test_needs_is_exactly_what_the_adjoint_reads(case):
    s = statement(case)
    for wanted in s.subsets():
        needs = s.rule.needs(s.stmt, set(wanted))
        read = values_read(s.adjoint(wanted), s)
        assert read <= needs
        if case in CASES and case.op not in ("transpose", "reshape", "squeeze"):
            assert read == needs, "nothing is kept that is not read"
        assert values_read(s.tangent(wanted), s) <= needs


def test_needs_of_single_operands():
    def needs(op, wanted, *args):
        return RULES[op].needs(Assign("y", op, args or (Var("a"), Var("b"))), set(wanted))
    assert needs("multiply", {0}) == {1} and needs("multiply", {1}) == {0}
    assert needs("multiply", {0, 1}) == {0, 1} and needs("multiply", {0}, Var("a"), Const(2.0)) == set()
    assert needs("divide", {0}) == {1} and needs("divide", {1}) == {1, "ans"}
    assert needs("add", {0, 1}) == set() and needs("matmul", {0}) == {1}
    assert needs("power", {0}) == {0, 1} and needs("power", {1}) == {0, "ans"}
    assert needs("tanh", {0}, Var("a")) == {"ans"} and needs("sin", {0}, Var("a")) == {0}
    assert needs("where", {1}, Var("c"), Var("a"), Var("b")) == {0}


# -- the row as Python and the row as statements -------------------------------------------------

@pytest.mark.parametrize("case", [c for c in CASES if type(RULES[c.op]) is Row], ids=str)
def test_the_statements_compute_what_the_row_says(case):
    s = statement(case)
    values = [v.value if isinstance(v, Const) else v for v in s.values]
    direction = dict(zip(s.active, s.directions(tuple(s.active)), strict=True))
    differentials = [direction.get(i, 0.0) for i in range(len(values))]
    ans = s.evaluate(*s.actives())
    said = s.rule.expression.function(*values, *differentials, ans, **dict(case.static))
    got = run(s.tangent(tuple(s.active)), *s.inputs, *direction.values())
    np.testing.assert_allclose(got, np.broadcast_to(said, np.shape(ans)), rtol=1e-15, atol=0)


# -- the registry ---------------------------------------------------------------------------------

# Operations that the last pass alone writes, after all transforms.
LAST = {"view"}


def test_every_primitive_has_a_rule():
    assert set(PRIMITIVES) - set(RULES) == LAST


def test_every_rule_is_tested():
    assert {c.op for c in CASES} == {name for name, rule in RULES.items() if not rule.zero}


CONSTANT = [n for n, r in RULES.items() if r.zero and PRIMITIVES[n].kind == "elementwise"]


@pytest.mark.parametrize("name", sorted(set(CONSTANT) - {"stop_gradient"}))
def test_what_is_declared_zero_is_locally_constant(name):
    x = np.random.default_rng(0).normal(size=3)
    operands = [x + 0.3, x * x + 1.7][:1 if _takes(name, x) else 2]
    if any(word in name for word in ("bitwise", "invert")):
        with pytest.raises(TypeError):          # not for floating-point numbers at all
            PRIMITIVES[name].evaluate(*operands)
        return
    at, near = ([v + h for v in operands] for h in (0.0, 1e-9))
    np.testing.assert_array_equal(PRIMITIVES[name].evaluate(*at), PRIMITIVES[name].evaluate(*near))


def _takes(name, *operands) -> bool:
    """Tell whether the operation takes that many operands."""
    try:
        infer(name, tuple(type_of_value(v) if "bitwise" not in name and name != "invert"
                          else Array("int64", 1) for v in operands))
    except (TypeError, ValueError):
        return False
    return True


def test_a_declared_zero_gives_zeros_of_the_answer():
    x = np.array([0.5, 1.5])
    s = Statement(Case("floor", ()), [x])
    np.testing.assert_array_equal(run(s.tangent((0,)), x, x), np.zeros(2))
    assert s.adjoint((0,)).results == (Const(0.0),) and s.rule.needs(s.stmt, {0}) == set()


def test_complex_operands_are_refused_where_the_rule_is_that_of_a_real_function():
    s = Statement(Case("hypot", ()), [np.array([1.0]), np.array([1.0])])
    s.types["x0"] = Array("complex128", 1)
    with pytest.raises(UnsupportedError, match="complex") as error:
        s.tangent((0,))
    assert "user.py:7" in str(error.value)


# -- broadcasting -----------------------------------------------------------------------------------

def test_no_needless_statements():
    """A broadcast or a sum only where ranks leave a doubt."""
    def ops(program):
        return [s.op for s in program.body[1:] if isinstance(s, Assign)]
    scalars = Statement(Case("add", ()), [1.0, 2.0])
    assert ops(scalars.tangent((0, 1))) == ["add"] and ops(scalars.adjoint((0, 1))) == []
    x = np.ones(3)
    unary = Statement(Case("tanh", ()), [x])
    assert ops(unary.adjoint((0,))) == ["multiply", "subtract", "multiply"]
    scaled = Statement(Case("multiply", ()), [2.0, x])
    assert ops(scaled.adjoint((1,))) == ["multiply"] and ops(scaled.tangent((1,))) == ["multiply"]
    assert ops(scaled.adjoint((0,))) == ["multiply", "sum_to", "weaken"]
    shifted = Statement(Case("add", ()), [x, x])
    assert "broadcast_to" in ops(shifted.tangent((0,))) and ops(shifted.tangent((0, 1))) == ["add"]


def test_shared_coefficients_are_emitted_once():
    s = Statement(Case("divide", ()), [1.0, 2.0])
    body = s.adjoint((0, 1)).body[1:]
    assert [x.op for x in body].count("divide") == 1


def test_constants_fold():
    s = Statement(Case("power", (), ()), [np.float64(3.0), Const(2)])
    body = s.tangent((0,)).body[1:]
    assert [(x.op, x.args) for x in body] == [
        ("multiply", (Const(2), Var("x0"))), ("multiply", (Var(body[0].target), Var("x0_dot")))]


def test_the_first_power_has_slope_one():
    s = Statement(Case("power", (), ()), [np.ones(3), Const(1)])
    assert s.tangent((0,)).results == (Var("x0_dot"),)


def test_an_operand_that_is_overwritten_by_the_answer():
    """x = x + y with x active only, of extent 1: the tangent has the extents of the new x."""
    types = {"x": Array("float64", 1), "y": Array("float64", 1), "x_dot": Array("float64", 1)}
    stmt = Assign("x", "add", (Var("x"), Var("y")))
    b = Builder(types)
    result = RULES["add"].tangent(b, stmt, {0: Var("x_dot")})
    program = Program("f", tuple(Param(n, t) for n, t in types.items()), b.take(), (result,), b.types)
    verify(program)
    np.testing.assert_array_equal(run(program, np.ones(1), np.ones(3), np.array([2.0])), np.full(3, 2.0))
    np.testing.assert_array_equal(run(program, np.ones(3), np.ones(1), np.arange(3.0)), np.arange(3.0))


# -- kinks and edges of domains --------------------------------------------------------------------

def slopes(op, *values, static=()):
    """Return the derivative with respect to each operand, by both modes, which must agree."""
    s = Statement(Case(op, (), static), [v if isinstance(v, Const) else np.float64(v) for v in values])
    with np.errstate(all="ignore"):
        forward = [run(s.tangent((i,)), *s.inputs, 1.0) for i in s.active]
        back = as_tuple(run(s.adjoint(tuple(s.active)), *s.inputs, 1.0))
    np.testing.assert_array_equal(forward, back)
    return [float(x) for x in forward]


@pytest.mark.parametrize("op, values, expected", [
    ("absolute", (0.0,), [0.0]), ("absolute", (-0.0,), [0.0]), ("absolute", (-2.0,), [-1.0]),
    ("maximum", (1.0, 1.0), [0.5, 0.5]), ("minimum", (1.0, 1.0), [0.5, 0.5]),
    ("maximum", (0.0, -0.0), [0.5, 0.5]), ("maximum", (2.0, 1.0), [1.0, 0.0]),
    ("fmax", (np.nan, 1.0), [0.0, 1.0]), ("fmin", (1.0, np.nan), [1.0, 0.0]),
    ("fmax", (1.0, 1.0), [0.5, 0.5]),
    ("hypot", (0.0, 0.0), [0.0, 0.0]), ("hypot", (3.0, -4.0), [0.6, -0.8]),
    ("sqrt", (0.0,), [np.inf]), ("cbrt", (0.0,), [np.inf]), ("arcsin", (1.0,), [np.inf]),
    ("arccos", (1.0,), [-np.inf]), ("arccosh", (1.0,), [np.inf]),
    ("cbrt", (-8.0,), [1 / 12]), ("copysign", (2.0, -0.0), [-1.0, 0.0]),
    ("copysign", (-2.0, 1.0), [-1.0, 0.0]),
    ("power", (-2.0, Const(2)), [-4.0]), ("power", (-2.0, Const(3)), [12.0]),
    ("power", (-2.0, Const(2.0)), [-4.0]),
    ("power", (0.0, Const(1)), [1.0]), ("power", (0.0, Const(2)), [0.0]), ("power", (0.0, Const(0)), [0.0]),
    ("power", (0.0, Const(0.5)), [np.inf]), ("power", (-2.0, Const(-1)), [-0.25]),
    ("power", (0.0, 0.0), [0.0, 0.0]), ("power", (0.0, 1.0), [1.0, 0.0]), ("power", (0.0, 2.0), [0.0, 0.0]),
    ("power", (0.0, 0.5), [np.inf, 0.0]), ("power", (3.0, 0.0), [0.0, np.log(3.0)]),
    ("remainder", (5.5, 2.0), [1.0, -2.0]), ("remainder", (-5.5, 2.0), [1.0, 3.0]),
    ("remainder", (5.5, -2.0), [1.0, 3.0]), ("fmod", (-5.5, 2.0), [1.0, 2.0]),
    ("fmod", (5.5, -2.0), [1.0, 2.0]),
    ("fmod", (1e17, 3.0), [1.0, -(1e17 - np.fmod(1e17, 3.0)) / 3.0]),
    ("logaddexp", (-np.inf, 1.0), [0.0, 1.0]), ("logaddexp", (800.0, -800.0), [1.0, 0.0]),
    ("exp2", (3.0,), [8 * np.log(2.0)]), ("expm1", (-50.0,), [np.exp(-50.0)]),
])
def test_kinks_and_edges(op, values, expected):
    np.testing.assert_allclose(slopes(op, *values), expected, rtol=1e-15)


def test_a_negative_power_is_not_computed_again():
    """The slope of x**-1.5 is -1.5 ans / x: nothing is as dear as a power."""
    s = Statement(Case("power", (), ()), [np.float64(4.0), Const(-1.5)])
    program = s.adjoint((0,))
    assert [x.op for x in program.body if isinstance(x, Assign)].count("power") == 1
    np.testing.assert_allclose(run(program, 4.0, 1.0), -1.5 * 4.0**-2.5, rtol=1e-15)


def test_a_negative_base_never_meets_a_logarithm():
    """With only the base active nothing but powers is computed, and no warning is raised."""
    s = Statement(Case("power", ()), [np.array([-2.0, -1.5]), np.array([3.0, 2.0])])
    np.testing.assert_array_equal(run(s.adjoint((0,)), *s.inputs, np.ones(2)), [12.0, -3.0])
    assert "log" not in [x.op for x in s.adjoint((0,)).body if isinstance(x, Assign)]


@pytest.mark.parametrize("op, value", [("sqrt", 0.0), ("cbrt", 0.0), ("arcsin", -1.0), ("arccos", 1.0),
                                       ("arccosh", 1.0)])
def test_a_zero_differential_at_an_infinite_slope(op, value):
    s = Statement(Case(op, ()), [np.array([value, value])])
    np.testing.assert_array_equal(run(s.tangent((0,)), *s.inputs, np.zeros(2)), np.zeros(2))
    np.testing.assert_array_equal(run(s.adjoint((0,)), *s.inputs, np.zeros(2)), np.zeros(2))


def test_a_zero_differential_does_not_hide_the_second_derivative():
    """sqrt at x = 4 with dx = 0: the derivative of the tangent in dx is still 1 / (2 sqrt(x))."""
    s = Statement(Case("sqrt", ()), [np.float64(4.0)])
    second = tangent(s.tangent((0,)), ("x0_dot",))
    assert run(second, 4.0, 0.0, 1.0)[1] == 0.25


def test_where_never_mixes_in_the_branch_not_taken():
    values = [np.array([True, False]), np.array([1.0, np.nan]), np.array([np.nan, 2.0])]
    s = Statement(Case("where", ()), values)
    got = run(s.tangent((1, 2)), *s.inputs, np.array([3.0, np.nan]), np.array([np.nan, 4.0]))
    np.testing.assert_array_equal(got, [3.0, 4.0])
    back = run(s.adjoint((1, 2)), *s.inputs, np.array([5.0, np.nan]))
    np.testing.assert_array_equal(back, [[5.0, 0.0], [0.0, np.nan]])


@pytest.mark.parametrize("op", ["max", "min"])
def test_ties_of_reductions_share_equally(op):
    x = np.array([[1.0, 1.0, 0.0], [1.0, 2.0, 0.0]]) * (1 if op == "max" else -1)
    s = Statement(Case(op, (), (("axis", (1,)), ("keepdims", False))), [x])
    back = run(s.adjoint((0,)), x, np.array([1.0, 3.0]))
    np.testing.assert_array_equal(back, [[0.5, 0.5, 0.0], [0.0, 3.0, 0.0]])
    x_dot = np.array([[1.0, 2.0, 9.0], [9.0, 4.0, 9.0]])
    np.testing.assert_array_equal(run(s.tangent((0,)), x, x_dot), [1.5, 4.0])


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_products_with_zeros_to_second_order(zeros):
    """The Hessian of a product is the product of the others, whatever they are."""
    x = np.array([0.0] * zeros + [2.0, 3.0, 5.0][zeros:])
    s = Statement(Case("prod", (), (("axis", (0,)), ("keepdims", False))), [x])
    back = s.adjoint((0,))
    expected = [np.prod(np.delete(x, i)) for i in range(3)]
    np.testing.assert_array_equal(run(back, x, 1.0), expected)
    second = tangent(back, ("x0",))
    for j in range(3):
        column = run(second, x, 1.0, np.eye(3)[j])[1]
        expected = [0.0 if i == j else np.prod(np.delete(x, [i, j])) for i in range(3)]
        np.testing.assert_array_equal(column, expected)


def test_take_adds_repeated_indices():
    s = Statement(Case("take", (), (("axis", 0),)), [np.array([1.0, 2.0, 3.0]), np.array([2, 0, 2, -1])])
    np.testing.assert_array_equal(run(s.adjoint((0,)), *s.inputs, np.array([1.0, 10.0, 100.0, 1000.0])),
                                  [10.0, 0.0, 1101.0])


# -- the tests themselves ----------------------------------------------------------------------------

@pytest.mark.parametrize("op, wrong", [
    ("tanh", lambda x, dx, ans: (1 - ans) * (1 - ans) * dx),
    ("arctan2", lambda y, x, dy, dx, ans: (y * dx - x * dy) / (x * x + y * y)),
    ("arctan", lambda x, dx, ans: dx / (1 - x * x)),
    ("divide", lambda x, y, dx, dy, ans: (dx - x * dy) / y),
    ("sqrt", lambda x, dx, ans: dx / ans),
])
def test_a_wrong_row_is_caught(op, wrong, monkeypatch):
    samples = RULES[op].samples
    monkeypatch.setitem(RULES, op, row(wrong, samples))
    case = next(c for c in CASES if c.op == op and c.operands[0] == (3,))
    with pytest.raises(AssertionError):
        test_tangent_against_trusted_derivatives(case)


def test_only_rows_have_samples():
    assert all(isinstance(rule, Row | Choice) for rule in RULES.values() if rule.samples)
