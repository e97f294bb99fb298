"""Generated source as text: a change of style is seen here, and what is shown is what computes.

Renew the files with ``python -m pytest tests/test_golden.py --renew``.
"""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.golden_functions import CASES
from tests.modes import flatten

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(params=CASES, ids=str)
def name(request):
    return request.param


def test_the_text_is_the_one_reviewed(name, request):
    path, text = GOLDEN / f"{name}.py", CASES[name].source()
    if request.config.getoption("--renew"):
        path.write_text(text)
    assert text == path.read_text(), "renew with: python -m pytest tests/test_golden.py --renew"


def test_every_file_has_its_case():
    assert {p.stem for p in GOLDEN.glob("*.py")} == set(CASES)


def entry(name):
    """Import a golden file as a module of its own; return the function it offers."""
    spec = importlib.util.spec_from_file_location(f"golden_{name}", GOLDEN / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (only,) = module.__all__
    return getattr(module, only)


def compare(name):
    case = CASES[name]
    got, expected = flatten(entry(name)(*case.flat_args())), flatten(case.expected())
    assert len(got) == len(expected)
    for g, e in zip(got, expected, strict=True):
        assert np.shape(g) == np.shape(e)
        np.testing.assert_allclose(g, e, rtol=case.rtol, atol=case.rtol)


def test_the_file_runs_without_numba(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)         # as if it were not installed
    compare(name)


COMPILED = [name for name, case in CASES.items() if case.level == "loops"]


@pytest.mark.parametrize("name", COMPILED, indirect=True)
def test_the_file_runs_compiled(name):
    compare(name)


def test_the_file_needs_nothing_of_this_package(name):
    tree = ast.parse((GOLDEN / f"{name}.py").read_text())
    modules = {n.module if isinstance(n, ast.ImportFrom) else n.names[0].name
               for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)}
    assert modules <= {"math", "numpy", "numba"}


def test_names_and_docstrings(name):
    """The docstring names the function with its file, every parameter and every result."""
    *_, function = (n for n in ast.parse((GOLDEN / f"{name}.py").read_text()).body if isinstance(n, ast.FunctionDef))
    text = ast.get_docstring(function)
    assert "(golden_functions.py:" in text.splitlines()[0]
    assert all(f"\n{a.arg} : " in text for a in function.args.args)
    assert "Returns\n-------\n" in text
    assert not function.name.startswith("_") and "adjoint" not in function.name


@pytest.mark.parametrize("seed", ["0", "1"])
def test_every_process_writes_the_same(seed):
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-m", "tests.golden_functions"], capture_output=True, text=True,
                          env=environment, cwd=GOLDEN.parents[1], check=True)
    texts = [(GOLDEN / f"{name}.py").read_text() for name in CASES]
    assert done.stdout == "\0".join(texts) + "\n"
