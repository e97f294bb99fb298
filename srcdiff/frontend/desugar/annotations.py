"""Turn annotated assignments into plain ones.

>>> from srcdiff.frontend.desugar.text import example
>>> print(example(rewrite, '''
... def f(x):
...     y: float = 2 * x
...     return y
... '''))
def f(x):
    y = 2 * x
    return y
"""

from __future__ import annotations

import gast

from srcdiff.frontend.desugar.making import at, expand

__all__ = ["rewrite"]


def rewrite(tree):
    tree.body = expand(tree.body, _statement)
    return tree


def _statement(stmt) -> list:
    if isinstance(stmt, gast.AnnAssign):
        return [at(stmt, gast.Assign([stmt.target], stmt.value, None))]
    return [stmt]
