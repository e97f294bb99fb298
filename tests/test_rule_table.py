"""Reading rows: what the language of rules accepts, refuses, and finds out by itself."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import srcdiff.rules
from srcdiff.errors import RuleError
from srcdiff.rules import RULES
from srcdiff.rules.emission import EMIT_FORM
from srcdiff.rules.expression import (
    FORMS,
    LINEAR_IN,
    Answer,
    Apply,
    Differential,
    Number,
    Operand,
    differentials,
    parse,
    reads,
)
from srcdiff.rules.table import RULES as REGISTRY
from srcdiff.rules.table import differential, rule, zero
from srcdiff.rules.transposes import TRANSPOSES

FACTOR = 2.5


def test_a_row_is_read_as_it_is_written():
    got = parse(lambda x, y, dx, dy, ans: (dx - ans * dy) / y)
    assert got.operands == ("x", "y")
    assert got.node == Apply("divide", (
        Apply("subtract", (Differential(0), Apply("multiply", (Answer(), Differential(1))))), Operand(1)))


def test_numbers_and_functions_are_looked_up():
    got = parse(lambda x, dx, ans: -FACTOR * np.cos(x) ** 2 * np.pi * dx).node
    coefficient = got.args[0]
    assert coefficient.args[1] == Number(np.pi)
    assert coefficient.args[0] == Apply("multiply", (
        Apply("negative", (Number(2.5),)), Apply("power", (Apply("cos", (Operand(0),)), Number(2)))))


def test_static_keywords():
    got = parse(lambda x, dx, ans, *, axis, keepdims=False: np.sum(dx, axis=axis, keepdims=keepdims))
    assert got.static == {"axis": None, "keepdims": False}
    assert [key for key, _ in got.node.static] == ["axis", "keepdims"]


@pytest.mark.parametrize("wrong, message", [
    (lambda x, dx, ans: dx * dx, "multiply of two differentials"),
    (lambda x, dx, ans: np.sin(dx), "sin of a differential"),
    (lambda x, dx, ans: x / dx, "divide of a differential"),
    (lambda x, dx, ans: dx + 1, "a term without a differential"),
    (lambda x, dx, ans: x - dx, "a term without a differential"),
    (lambda x, dx, ans: np.where(dx > 0, dx, 0), "greater of a differential"),
    (lambda x, dx, ans: np.where(x > 0, dx, 1), "a term without a differential"),
    (lambda x, dx, ans: dx ** 2, "power of a differential"),
    (lambda a, b, da, db, ans: np.matmul(da, db), "matmul of two differentials"),
    (lambda x, dx, ans: np.sum(np.matmul(dx, x), axis=(0,)), "not shaped like an operand"),
    (lambda x, dx, ans: 2 * x, "does not depend on dx"),
    (lambda x, dx, ans: undefined * dx, "the name is not known"),  # noqa: F821
    (lambda x, dx, ans: pytest.approx(x) * dx, "not in the language"),
    (lambda x, dx, ans: x[0] * dx, "not in the language"),
    (lambda x, dx, ans: dx if x else 0, "not in the language"),
    (lambda x, dx, ans: x // 2 * dx, "not in the language"),
    (lambda x, dx, ans: np.sum(dx, axis=x), "x is not a static keyword"),
    (lambda x, ans: 2 * x, "takes its operands"),
    (lambda x, y, dx, ans: dx, "takes its operands"),
    (lambda x, dy, ans: x * dy, "takes its operands"),
])
def test_what_is_not_a_linear_differential_is_refused(wrong, message):
    with pytest.raises(RuleError, match=message):
        parse(wrong)


def test_a_refusal_shows_the_row():
    with pytest.raises(RuleError) as error:
        parse(lambda x, dx, ans: x * dx + np.sin(dx))
    assert "parse(lambda x, dx, ans: x * dx + np.sin(dx))\n" in str(error.value)
    assert str(error.value).splitlines()[3].endswith("^" * len("np.sin(dx)"))


def test_two_lambdas_on_one_line_are_told_apart():
    first, second = parse(lambda x, dx, ans: x * dx), parse(lambda x, dx, ans: ans * dx)
    assert first.node.args[0] == Operand(0) and second.node.args[0] == Answer()


def test_a_row_without_source_is_refused():
    function = eval("lambda x, dx, ans: x * dx")
    with pytest.raises(RuleError, match="is not found"):
        parse(function)


def test_reads_follows_the_wanted_terms():
    node = parse(lambda x, y, dx, dy, ans: y * dx + np.exp(x) * dy / ans).node
    assert reads(node, frozenset({0})) == {1}
    assert reads(node, frozenset({1})) == {0, "ans"}
    assert reads(node, frozenset({0, 1})) == {0, 1, "ans"}
    assert reads(node, frozenset()) == set()
    assert differentials(node) == {0, 1}


def test_the_registry_refuses_seconds_and_strangers():
    with pytest.raises(RuleError, match="two rules for exp"):
        differential("exp", lambda x, dx, ans: ans * dx)
    with pytest.raises(RuleError, match="not a primitive"):
        zero("no_such_operation")
    with pytest.raises(RuleError, match="two rules"):
        rule("floor", RULES["floor"])
    assert RULES is REGISTRY


def test_every_form_is_given_in_both_ways():
    assert set(FORMS) == set(EMIT_FORM)
    assert {function for function, _ in TRANSPOSES} <= set(LINEAR_IN)


def test_a_new_function_is_one_line(monkeypatch):
    """What CONTRIBUTING promises: one line, and both modes work."""
    from srcdiff.builder import Builder
    from srcdiff.syntax import Assign, Scalar, Var
    monkeypatch.delitem(REGISTRY, "sinh")
    differential("sinh", lambda x, dx, ans: np.cosh(x) * dx)
    b = Builder({n: Scalar("float64") for n in ("x", "y", "g")})
    got = RULES["sinh"].adjoint(b, Assign("y", "sinh", (Var("x"),)), Var("g"), {0}, lambda i: ())
    assert [s.op for s in b.take()] == ["cosh", "multiply"] and set(got) == {0}


def test_the_tables_are_read_from_an_archive_too(tmp_path):
    """An installation that is a zip file has the sources, but no files."""
    package = Path(srcdiff.rules.__file__).parents[1]
    archive = tmp_path / "srcdiff.zip"
    wanted = ["__init__.py", "errors.py", "syntax.py", "primitives.py", "builder.py", "custom.py"]
    with zipfile.ZipFile(archive, "w") as z:
        for file in wanted[1:]:
            z.write(package / file, f"srcdiff/{file}")
        z.writestr("srcdiff/__init__.py", "")
        for file in sorted((package / "rules").glob("*.py")):
            z.write(file, f"srcdiff/rules/{file.name}")
    code = "import srcdiff.rules as r; assert '.zip' in r.__file__, r.__file__; print(len(r.RULES))"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(archive), "PATH": ""},
                          capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(RULES)


def test_rows_keep_to_one_line_width():
    """The tables are for reading: no line is longer than 110 characters."""
    for name in ("elementwise", "reductions", "contractions", "structure"):
        module = importlib.import_module(f"srcdiff.rules.{name}")
        text = Path(module.__file__).read_text()
        assert max(map(len, text.splitlines())) <= 110
        assert ast.get_docstring(ast.parse(text))
