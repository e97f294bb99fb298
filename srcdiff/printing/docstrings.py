"""The docstring of a printed function: what it computes, its parameters, its results (numpydoc)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from srcdiff.syntax import Array, Doc, Program, Scalar, Type, Var

__all__ = ["describe"]

_TEMPORARY = re.compile(r"t(_?\d+)?$")
_NUMBERS = {"int64": "int", "float64": "float", "bool": "bool", "complex128": "complex"}


def describe(program: Program, names: Mapping[str, str], summary: str | None = None) -> str:
    """Return the docstring of a program, indented.

    `names` holds the printed name of each variable that is printed; `summary`
    stands for the program's own.
    """
    doc = program.doc if isinstance(program.doc, Doc) else Doc(program.doc)
    lines = [(summary or doc.summary or f"Compute `{program.name}`.").strip()]
    if doc.formula:
        lines += ["", doc.formula]
    if program.params:
        lines += ["", "Parameters", "----------"]
        for param, text in _with_texts(program.params, doc.params):
            captured = ", captured" * param.captured
            lines += [f"{names[param.name]} : {type_text(param.type)}{captured}", *_indented(text)]
    if program.results:
        lines += ["", "Returns", "-------"]
        for atom, text in _with_texts(program.results, doc.results):
            name = names.get(atom.name, "t") if isinstance(atom, Var) else "t"
            lines += [f"{name} : " * (not _TEMPORARY.match(name)) + type_text(program.type_of(atom)), *_indented(text)]
    lines = "\n".join(lines).splitlines()
    if len(lines) == 1:
        return lines[0]
    return "\n".join([lines[0], *("    " + line if line else "" for line in lines[1:]), "    "])


def type_text(type_: Type) -> str:
    """Return how a docstring names a type.

    >>> print(type_text(Array("float32", 2)))
    float32 array [:, :]
    """
    if isinstance(type_, Array):
        return f"{type_.dtype} array [{', '.join(':' * type_.ndim)}]"
    return _NUMBERS.get(type_.dtype, type_.dtype) if isinstance(type_, Scalar) else str(type_)


def _with_texts(items, texts):
    texts = (*texts, *[""] * (len(items) - len(texts)))
    return zip(items, texts, strict=True)


def _indented(text):
    return [f"    {text}"] if text else []
