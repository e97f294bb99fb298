"""Turn `assert` into a test that raises; under ``python -O`` it is dropped, as Python does.

>>> from srcdiff.frontend.desugar.text import example
>>> print(example(rewrite, '''
... def f(x):
...     assert x > 0, "negative"
...     return x
... '''))
def f(x):
    if not x > 0:
        raise AssertionError('negative')
    return x
"""

from __future__ import annotations

import gast

from srcdiff.frontend.desugar.making import at, expand, load, negate, some

__all__ = ["rewrite"]


def rewrite(tree):
    tree.body = some(expand(tree.body, _statement), tree)
    return tree


def _statement(stmt) -> list:
    if not isinstance(stmt, gast.Assert):
        return [stmt]
    if not __debug__:
        return []
    message = [] if stmt.msg is None else [stmt.msg]
    failure = gast.Raise(gast.Call(load("AssertionError"), message, []), None)
    return [at(stmt, gast.If(negate(stmt.test), [failure], []))]
