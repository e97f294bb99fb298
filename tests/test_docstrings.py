"""The examples in the docstrings of the package, each module's alone."""

import doctest
import importlib
import sys
from pathlib import Path

import pytest

from srcdiff.frontend.desugar import REWRITINGS, assured
from srcdiff.optimize import PASSES

PACKAGE = Path(__file__).resolve().parents[1] / "srcdiff"


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = [module_name(path) for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed


def test_each_pass_and_each_rewriting_has_an_example():
    modules = {sys.modules[p.__module__] for p in PASSES} | set(REWRITINGS) - {assured}
    assert {m.__name__ for m in modules} <= set(MODULES)
