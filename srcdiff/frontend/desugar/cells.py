"""Keep a variable that a nested function rebinds (`nonlocal`) as the item of a list.

The functions share the list, so each sees what the others assign.  Only variables that plain
assignments bind are kept so; the fence refuses the others.

>>> from srcdiff.frontend.desugar.text import example
>>> print(example(rewrite, '''
... def f(x):
...     total = 0.0
...     def add(v):
...         nonlocal total
...         total += v
...     add(x)
...     return total
... '''))
def f(x):
    _total = [0.0]
<BLANKLINE>
    def add(v):
        _total[0] += v
    add(x)
    return _total[0]
"""

from __future__ import annotations

from dataclasses import replace

import gast

from srcdiff.frontend.desugar.making import Names, assign, bound, load, own_nodes, params, some
from srcdiff.frontend.source import Source, clone

__all__ = ["celled", "rewrite"]


def celled(source: Source) -> Source:
    """Return a source whose own `nonlocal` variables are kept in lists."""
    if not any(isinstance(node, gast.Nonlocal) for node in gast.walk(source.tree)):
        return source
    return replace(source, tree=rewrite(clone(source.tree)))


def rewrite(tree):
    names = Names(tree)
    for owner in [n for n in gast.walk(tree) if isinstance(n, gast.FunctionDef)]:
        for name in _shared(owner):
            _keep(owner, name, names.fresh(f"_{name}"))
    return tree


def _shared(owner) -> list[str]:
    """Return the variables of a function that nested functions rebind, by plain assignments only."""
    inner = [n for n in gast.walk(owner) if isinstance(n, gast.FunctionDef) and n is not owner]
    found = {name for function in inner for node in own_nodes(function.body)
             if isinstance(node, gast.Nonlocal) for name in node.names}
    return [name for name in bound(owner) if name in found and _is_plain(owner, name)]


def _sees(function, name) -> bool:
    """Tell whether `name` in a nested function is the variable of the function around it."""
    if isinstance(function, gast.Lambda):
        return name not in params(function)
    outside = any(isinstance(n, gast.Global) and name in n.names for n in own_nodes(function.body))
    return name not in bound(function) and not outside


def _is_plain(owner, name) -> bool:
    """Tell whether only assignments bind the name, there and in the functions that see it."""
    for node in own_nodes(owner.body):
        match node:
            case gast.Assign() | gast.AugAssign() | gast.AnnAssign():
                continue
            case gast.FunctionDef() | gast.Lambda() if _sees(node, name):
                body = [node.body] if isinstance(node, gast.Lambda) else node.body
                if not _is_plain(gast.FunctionDef("inner", node.args, body, [], None, None, []), name):
                    return False
            case gast.ClassDef():
                return False
        if name in _binds(node):
            return False
    return True


def _binds(node) -> set[str]:
    """Return the names that a node which is no assignment binds or deletes."""
    match node:
        case gast.For(target=part) | gast.comprehension(target=part) | gast.NamedExpr(target=part):
            parts = [part]
        case gast.withitem(optional_vars=part) | gast.ExceptHandler(name=part):
            parts = [part] if part is not None else []
        case gast.Delete(targets=parts):
            pass
        case gast.FunctionDef(name=found) | gast.MatchAs(name=found) | gast.MatchStar(name=found):
            return {found}
        case gast.alias(name=imported, asname=asname):
            return {asname or imported.split(".")[0]}
        case _:
            return set()
    return {n.id for part in parts for n in gast.walk(part) if isinstance(n, gast.Name)}


class _Items(gast.NodeTransformer):
    """Replace a name by the item of a list, where it is the variable of the function that is visited."""

    def __init__(self, name: str, cell: str):
        self.name, self.cell = name, cell

    def visit_Name(self, node):
        if node.id != self.name:
            return node
        return gast.copy_location(gast.Subscript(
            gast.copy_location(load(self.cell), node), gast.copy_location(gast.Constant(0, None), node), node.ctx), node)

    def visit_arguments(self, node):
        node.defaults = [self.visit(v) for v in node.defaults]
        node.kw_defaults = [v and self.visit(v) for v in node.kw_defaults]
        return node

    def visit_FunctionDef(self, node):
        node.args = self.visit(node.args)
        if _sees(node, self.name):
            node.body = some([new for stmt in node.body if (new := self.visit(stmt)) is not None], node)
        return node

    def visit_Lambda(self, node):
        node.args = self.visit(node.args)
        if _sees(node, self.name):
            node.body = self.visit(node.body)
        return node

    def visit_Nonlocal(self, node):
        node.names = [name for name in node.names if name != self.name]
        return node if node.names else None


def _keep(owner, name: str, cell: str) -> None:
    """Replace a variable by the item of a list, in its function and in those that see it."""
    items = _Items(name, cell)
    start = next((k for k, stmt in enumerate(owner.body) if name in _names_in(stmt)), None)
    start = start if start is not None and _begins(owner.body[start], name) else None
    given = name in params(owner)
    owner.body = [items.visit(stmt) for stmt in owner.body]
    if start is not None and not given:
        stmt = owner.body[start]
        owner.body[start] = assign(stmt, cell, gast.copy_location(gast.List([stmt.value], gast.Load()), stmt))
    else:
        value = load(name) if given else gast.Constant(None, None)
        owner.body.insert(0, assign(owner.body[0], cell, gast.List([value], gast.Load())))


def _begins(stmt, name: str) -> bool:
    """Tell whether a statement gives a variable its first value, and does no more."""
    return (isinstance(stmt, gast.Assign) and len(stmt.targets) == 1 and isinstance(stmt.targets[0], gast.Name)
            and stmt.targets[0].id == name and name not in _names_in(stmt.value))


def _names_in(node) -> set[str]:
    return {n.id for n in gast.walk(node) if isinstance(n, gast.Name)}
