"""The text of a module whose result is written into an array of the caller's.

Only the line that makes the result changes, and the parameters:

>>> print(into('''
... def double(x):
...     y = np.empty(x.shape[0])
...     for i in range(x.shape[0]):
...         y[i] = 2.0 * x[i]
...     return y
... ''', "double"))
<BLANKLINE>
def double(x, out):
    y = np.empty(x.shape[0], out=out)
    for i in range(x.shape[0]):
        y[i] = 2.0 * x[i]
    return y
<BLANKLINE>

In compiled modules `np.empty` and `np.zeros` take the memory that they are given so (`srcdiff.backend.large_pages`).  To the passes
and to LLVM it is a new array like any other, so the caller must see to it that it overlaps with no argument.
"""

from __future__ import annotations

import ast

__all__ = ["into"]


def into(source: str, name: str) -> str | None:
    """Return the text in which the function has one more parameter, for its result; None where it does not make that itself."""
    function = next(s for s in ast.parse(source).body if isinstance(s, ast.FunctionDef) and s.name == name)
    made = _making(function)
    if made is None or not function.args.args:
        return None
    names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)} | {a.arg for a in function.args.args}
    out = next(n for n in ("out", *(f"out_{i}" for i in range(2, 2 + len(names)))) if n not in names)
    last = function.args.args[-1]
    return _inserted(source, [(last.end_lineno, last.end_col_offset, f", {out}"),
                              (made.end_lineno, made.end_col_offset - 1, f", out={out}")])


def _making(function: ast.FunctionDef) -> ast.Call | None:
    """Return the call that makes the result, once, in all runs of the function."""
    if not (isinstance(function.body[-1], ast.Return) and isinstance(result := function.body[-1].value, ast.Name)):
        return None
    stored = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == result.id and isinstance(n.ctx, ast.Store)]
    returns = [n for n in ast.walk(function) if isinstance(n, ast.Return)]
    makes = [s.value for s in function.body if isinstance(s, ast.Assign) and stored == s.targets
             and isinstance(s.value, ast.Call) and ast.unparse(s.value.func) in ("np.empty", "np.zeros")]
    return makes[0] if len(makes) == len(returns) == 1 else None


def _inserted(source: str, pieces: list[tuple[int, int, str]]) -> str:
    """Return the text with pieces at lines and columns, which Python counts in bytes."""
    lines = [line.encode() for line in source.split("\n")]
    for line, column, piece in sorted(pieces, reverse=True):
        lines[line - 1] = lines[line - 1][:column] + piece.encode() + lines[line - 1][column:]
    return b"\n".join(lines).decode()
