"""Drop statements that do nothing at run time.

Docstrings and other constants, `del` of names, and `global` or `nonlocal` of names
that are only read (the fence refuses those that are written, and names that are read after `del`).
A `del` of elements stays: it changes a list or a dict.

>>> from srcdiff.frontend.desugar.text import example
>>> print(example(rewrite, '''
... def f(x):
...     "Square."
...     global n
...     y = x ** n
...     del x
...     return y
... '''))
def f(x):
    y = x ** n
    return y
"""

from __future__ import annotations

import gast

from srcdiff.frontend.desugar.making import expand, some

__all__ = ["rewrite"]


def rewrite(tree):
    tree.body = some(expand(tree.body, _statement), tree)
    return tree


def _statement(stmt) -> list:
    match stmt:
        case gast.Expr(value=gast.Constant()) | gast.Global() | gast.Nonlocal():
            return []
        case gast.Delete(targets=targets):
            return [gast.copy_location(gast.Delete([part]), stmt) for part in targets if not isinstance(part, gast.Name)]
    return [stmt]
