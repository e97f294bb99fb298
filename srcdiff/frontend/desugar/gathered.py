"""Let a generator gather what it yields in a list, and return that.

What goes through all of its items at once cannot tell (see `translate.generators`).  A generator that
receives or returns values, or yields inside `try` or `with`, stays as it is, and the fence refuses it.

>>> from srcdiff.frontend.desugar.text import example
>>> print(example(rewrite, '''
... def pairs(x):
...     for i in range(len(x) - 1):
...         yield x[i], x[i + 1]
...     yield from x
... '''))
def pairs(x):
    _yielded = []
    for i in range(len(x) - 1):
        _yielded.append((x[i], x[i + 1]))
    _yielded.extend(x)
    return _yielded
"""

from __future__ import annotations

from dataclasses import replace

import gast

from srcdiff.frontend.desugar.making import Names, assign, at, expand, load, own_nodes
from srcdiff.frontend.source import Source, clone

__all__ = ["gathered", "gathers", "rewrite"]

YIELDS = gast.Yield | gast.YieldFrom


def gathered(source: Source) -> Source:
    """Return a source whose generators gather what they yield."""
    if not any(isinstance(node, YIELDS) for node in gast.walk(source.tree)):
        return source
    return replace(source, tree=rewrite(clone(source.tree)))


def gathers(tree) -> bool:
    """Tell whether a function was a generator."""
    return getattr(tree, "gathers", False)


def rewrite(tree):
    names = Names(tree)
    for function in [n for n in gast.walk(tree) if isinstance(n, gast.FunctionDef) and _is_simple(n)]:
        name = names.fresh("_yielded")
        function.body = expand(function.body, lambda stmt, name=name: [_changed(stmt, name)])
        first, last = function.body[0], function.body[-1]
        function.body = [assign(first, name, gast.List([], gast.Load())), *function.body,
                         at(last, gast.Return(load(name)))]
        function.gathers = True
    return tree


def _is_simple(function) -> bool:
    """Tell whether a function yields, by statements of their own, and does no more than that."""
    nodes = list(own_nodes(function.body))
    yields = [n for n in nodes if isinstance(n, YIELDS)]
    plain = {id(n.value) for n in nodes if isinstance(n, gast.Expr)}
    guarded = [n for n in nodes if isinstance(n, gast.Try | gast.With | gast.AsyncWith | gast.TryStar)]
    return (bool(yields) and not guarded and all(id(n) in plain and n.value is not None for n in yields)
            and not any(isinstance(n, gast.Return) and n.value is not None for n in nodes))


def _changed(stmt, name: str):
    if isinstance(stmt, gast.Return):
        return at(stmt, gast.Return(load(name)))
    if not (isinstance(stmt, gast.Expr) and isinstance(stmt.value, YIELDS)):
        return stmt
    method = "extend" if isinstance(stmt.value, gast.YieldFrom) else "append"
    call = gast.Call(gast.Attribute(load(name), method, gast.Load()), [stmt.value.value], [])
    return at(stmt, gast.Expr(at(stmt.value, call)))
