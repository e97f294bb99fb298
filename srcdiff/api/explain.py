"""`f.explain(*args)`: the user's source, each line with what the derivative does there."""

from __future__ import annotations

from srcdiff.analysis.activity import active_variables
from srcdiff.api.function import Function
from srcdiff.api.special import Special
from srcdiff.structure import leaves
from srcdiff.syntax import Static, Var, defined, is_float, walk

__all__ = ["explain"]


def explain(function: Function, *args, **keywords) -> str:
    """Return the lines of a function, marked "active" where a derivative flows through them.

    Lines that only compute inactive values are "constant"; lines without a
    mark leave no code.
    """
    special = function.special_for(*args, **keywords)
    marks, texts = line_marks(special)
    width = max((len(str(number)) for _, number in marks), default=1)
    lines = [f"{function.__name__}: active lines carry a derivative"]
    for (_, number), mark in sorted(marks.items()):
        lines.append(f"{number:>{width}}  {mark:<8}  {texts[_, number]}")
    return "\n".join(lines)


def line_marks(special: Special):
    """Return, by (file, line), the mark and the text of each line that computes something."""
    program = special.bare
    inputs = [special.name(p) for p in leaves(special.inputs)
              if not isinstance(p, Static) and is_float(special.type(p))]
    outputs = [a.name for a in program.results if isinstance(a, Var)]
    active = active_variables(program, inputs, outputs)
    marks: dict[tuple[str, int], str] = {}
    texts: dict[tuple[str, int], str] = {}
    for stmt in walk(program.body):
        if not stmt.where.line:
            continue
        place = (stmt.where.file, stmt.where.line)
        texts[place] = stmt.where.text.rstrip()
        if marks.get(place) != "active":
            marks[place] = "active" if defined(stmt) in active else "constant"
    return marks, texts
