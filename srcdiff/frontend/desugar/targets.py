"""Give every assignment one target: a name, an element, or a flat tuple of them.

A tuple assignment stays one statement, whose whole right side is evaluated first (so swaps are
right).  What happens after that, from left to right in Python, cannot be told from the order of the
elements any more: an element ``x[i]`` whose index is set by the same statement is split off.
A flat tuple may hold one starred name.

>>> from srcdiff.frontend.desugar.text import example
>>> print(example(rewrite, '''
... def f(x, i):
...     a = b = 0.0
...     u, (v, w) = x
...     i, x[i] = x[i], i
...     x[0], x[1] = x[1], x[0]
...     for k, (p, q) in enumerate(x):
...         a += p * q
...     return a
... '''))
def f(x, i):
    a = 0.0
    b = 0.0
    u, _item = x
    v, w = _item
    i, _item_2 = (x[i], i)
    x[i] = _item_2
    x[0], x[1] = (x[1], x[0])
    for k, _item_3 in enumerate(x):
        p, q = _item_3
        a += p * q
    return a
"""

from __future__ import annotations

import gast

from srcdiff.frontend.desugar.making import Names, assign, at, expand, load, store, targets_of
from srcdiff.frontend.source import clone

__all__ = ["rewrite"]


def rewrite(tree):
    targets = _Targets(Names(tree))
    tree.body = expand(tree.body, targets.statement)
    return tree


class _Targets:
    def __init__(self, names):
        self.names = names

    def statement(self, stmt) -> list:
        match stmt:
            case gast.Assign(targets=[target], value=value):
                return self.one(stmt, target, value)
            case gast.Assign(targets=targets, value=value):
                return self.chain(stmt, targets, value)
            case gast.For(target=gast.Name()):
                return [stmt]
            case gast.For(target=target) if isinstance(target, gast.Tuple | gast.List):
                stmt.target, after = self.flat(stmt, target)
                stmt.body = after + stmt.body
            case gast.For(target=target):
                item = self.names.fresh("_item")
                stmt.target = at(target, store(item))
                stmt.body = self.one(stmt, target, at(target, load(item))) + stmt.body
        return [stmt]

    def one(self, stmt, target, value) -> list:
        if not isinstance(target, gast.Tuple | gast.List):
            return [at(stmt, gast.Assign([target], value, None))]
        target, after = self.flat(stmt, target)
        return [at(stmt, gast.Assign([target], value, None)), *after]

    def chain(self, stmt, targets, value) -> list:
        """Split ``a = b = value``: one evaluation, then one assignment a target, left to right."""
        rebound = [name for target in targets[1:] for name in targets_of(target)]
        if isinstance(value, gast.Constant):
            return [s for target in targets for s in self.one(stmt, target, clone(value))]
        first = targets[0]
        if isinstance(first, gast.Name) and first.id not in rebound:
            name, out = first.id, self.one(stmt, first, value)
            targets = targets[1:]
        else:
            name = self.names.fresh("_value")
            out = [assign(stmt, name, value)]
        for target in targets:
            out += self.one(stmt, target, at(stmt, load(name)))
        return out

    def flat(self, stmt, target) -> tuple[gast.Tuple, list]:
        """Return a flat tuple target and the assignments that must follow it."""
        elements, after, before = [], [], set()
        for element in target.elts:
            if after or _is_nested(element) or _reads(element) & before:
                item = self.names.fresh("_item")
                starred = isinstance(element, gast.Starred)
                inner = element.value if starred else element
                after += self.one(stmt, inner, at(inner, load(item)))
                element = gast.Starred(store(item), gast.Store()) if starred else store(item)
            before.update(targets_of(element))
            elements.append(at(target, element))
        return at(target, gast.Tuple(elements, gast.Store())), after


def _is_nested(element) -> bool:
    if isinstance(element, gast.Starred):
        return not isinstance(element.value, gast.Name)
    return not isinstance(element, gast.Name | gast.Subscript)


def _reads(element) -> set[str]:
    return {node.id for node in gast.walk(element)
            if isinstance(node, gast.Name) and isinstance(node.ctx, gast.Load)}
