"""Every refusal says what to do, shown on the source of the package itself."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import srcdiff
from srcdiff.api.special import refuse
from srcdiff.errors import Problem, SrcdiffError
from srcdiff.frontend.translate.values import Refused

ROOT = Path(srcdiff.__file__).parent
MODULES = sorted(".".join(p.relative_to(ROOT.parent).with_suffix("").parts) for p in ROOT.rglob("*.py")
                 if p.stem not in ("__init__", "__main__"))
# Found while the package itself is built or checked: nobody meets them who does not change srcdiff.
FOR_CONTRIBUTORS = ("srcdiff.backend.harvest", "srcdiff.rules.table", "srcdiff.verify", "srcdiff.errors")


def without_fix(source: str, meaning) -> list[str]:
    """Return the refusals in a source text that say no way out; `meaning` finds what a name stands for there."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [ast.unparse(call) for call in calls if lacks_fix(call, meaning(ast.unparse(call.func)))]


def lacks_fix(call: ast.Call, called) -> bool:
    if called in (Problem, Refused, refuse):
        place = list(inspect.signature(called).parameters).index("fix")
        return len(call.args) <= place and not any(k.arg == "fix" for k in call.keywords)
    return (isinstance(called, type) and issubclass(called, SrcdiffError) and called is not SrcdiffError
            and bool(call.args) and isinstance(call.args[0], ast.Constant | ast.JoinedStr))     # a bare message


@pytest.mark.parametrize("name", [n for n in MODULES if n not in FOR_CONTRIBUTORS])
def test_every_refusal_says_what_to_do(name):
    module = importlib.import_module(name)
    assert without_fix(inspect.getsource(module), lambda called: getattr(module, called, None)) == []


def test_a_refusal_without_a_fix_is_seen():
    names = {"Problem": Problem, "Refused": Refused, "refuse": refuse, "ShapeError": srcdiff.errors.ShapeError}
    seeded = ["Problem('SD0200', 'what', where, why)", "Refused('what', 'why')", "refuse('what', why='why')",
              "ShapeError('bare')"]
    for text in seeded:
        assert without_fix(text, names.get) == [text]
    said = ["Problem('SD0200', 'what', where, why, 'do this')", "Refused('what', 'why', 'do this')",
            "refuse('what', fix='do this')", "ShapeError(problems)"]
    assert all(without_fix(text, names.get) == [] for text in said)
