"""A module imports only from layers below it; `forward` and `reverse` never import each other."""

import ast
from pathlib import Path
from types import ModuleType

import pytest

import srcdiff

ROOT = Path(srcdiff.__file__).parent
DOCUMENT = ROOT.parent / "docs" / "architecture.md"


def layers() -> list[str]:
    """Return the layers, lowest first, as docs/architecture.md lists them."""
    text = DOCUMENT.read_text()
    listed = text[text.index("`errors` ->"):text.index("`forward` and `reverse` never import")]
    return [name.rstrip("/") for name in listed.replace(".", "").split("`")[1::2]]


LAYERS = layers()


def imported(path: Path) -> set[str]:
    """Return the layers that a module imports, at its top or anywhere inside."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("srcdiff"):
            parts = node.module.split(".")
            names.update(parts[1:2] or [a.name for a in node.names])
        elif isinstance(node, ast.Import):
            names.update(a.name.split(".")[1] for a in node.names if a.name.startswith("srcdiff."))
    return names


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down(layer):
    folder, file = ROOT / layer, ROOT / f"{layer}.py"
    below = set(LAYERS[:LAYERS.index(layer) + 1]) - ({"forward"} if layer == "reverse" else set())
    for path in [*folder.rglob("*.py"), *([file] if file.exists() else [])]:
        assert imported(path) & set(LAYERS) <= below, path


def test_every_module_has_a_layer():
    modules = {p.stem if p.suffix else p.name for p in ROOT.iterdir()
               if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert modules - {"__init__", "__main__"} <= set(LAYERS)


def test_no_module_hides_a_public_function():
    modules = {p.stem for p in ROOT.iterdir()}
    functions = {name for name in srcdiff.__all__ if not isinstance(getattr(srcdiff, name), ModuleType)}
    assert not modules & functions
