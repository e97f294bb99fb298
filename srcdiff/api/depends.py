"""Does a result depend on an argument?  Read off the program, so that "no" is certain.

A result depends on an argument if a differentiable value can flow from one to
the other, whatever the values are (`srcdiff.analysis.activity`).
"""

from __future__ import annotations

from srcdiff.analysis.activity import active_variables
from srcdiff.api.function import Function
from srcdiff.api.special import Special, output_leaves, refuse
from srcdiff.compiler import prepare
from srcdiff.structure import leaves
from srcdiff.syntax import Program, Static, Var, is_float

__all__ = ["independent", "require_dependence"]


def independent(special: Special) -> list[tuple[int, int]]:
    """Return (argument, result) for each pair without a dependence."""
    program: Program = prepare(special.bare, "python")
    args, _ = special.inputs
    missing = []
    for number, tree in enumerate(args):
        names = [special.name(p) for p in leaves(tree) if not isinstance(p, Static)]
        for position in output_leaves(special.program.tree):
            atom = program.results[position]
            if not is_float(program.type_of(atom)):
                continue
            if not isinstance(atom, Var) or not _reaches(program, names, atom.name):
                missing.append((number, position))
    return missing


def _reaches(program, names, result) -> bool:
    if result in names:
        return True
    return bool(active_variables(program, names, [result]) & set(names))


def require_dependence(function: Function, primals: tuple, what: str) -> None:
    """Refuse a function of which a result does not depend on an input (``strict=True``)."""
    missing = independent(function.special_for(*primals))
    if missing:
        number, position = missing[0]
        refuse(f"{what} {position} of {function.__name__} does not depend on input {number} "
               f"('{function.argument_name(number)}')",
               why="strict=True asks for that", fix="use strict=False to get zeros", code="SD0317")
