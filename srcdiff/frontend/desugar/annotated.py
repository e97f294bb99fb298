"""Turn annotated assignments into plain ones, and drop annotations without a value.

>>> from srcdiff.frontend.desugar.text import example
>>> print(example(rewrite, '''
... def f(x):
...     z: float
...     y: float = 2 * x
...     return y
... '''))
def f(x):
    y = 2 * x
    return y
"""

from __future__ import annotations

import gast

from srcdiff.frontend.desugar.making import at, expand, some

__all__ = ["rewrite"]


def rewrite(tree):
    tree.body = some(expand(tree.body, _statement), tree)
    return tree


def _statement(stmt) -> list:
    if not isinstance(stmt, gast.AnnAssign):
        return [stmt]
    return [] if stmt.value is None else [at(stmt, gast.Assign([stmt.target], stmt.value, None))]
