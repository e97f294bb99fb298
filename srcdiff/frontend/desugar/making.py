"""Small tools that the rewritings share: fresh names, new nodes at old places, walks of a scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import gast

__all__ = [
    "COMPREHENSIONS", "FUNCTIONS", "Names", "assign", "at", "bound", "declared", "expand", "load", "negate",
    "own_nodes", "params", "some", "store", "targets_of",
]

FUNCTIONS = gast.FunctionDef | gast.AsyncFunctionDef | gast.Lambda
COMPREHENSIONS = gast.ListComp | gast.SetComp | gast.DictComp | gast.GeneratorExp
_SCOPES = (gast.FunctionDef, gast.AsyncFunctionDef, gast.Lambda, gast.ClassDef)
PLACE = ("lineno", "col_offset", "end_lineno", "end_col_offset")


class Names:
    """Make names that nothing in `tree` uses: ``_broke``, then ``_broke_2``, ``_broke_3``."""

    def __init__(self, tree):
        self.taken = set()
        for node in gast.walk(tree):
            match node:
                case gast.Name(id=name) | gast.FunctionDef(name=name) | gast.MatchAs(name=name):
                    self.taken.add(name)
                case gast.Global(names=names) | gast.Nonlocal(names=names):
                    self.taken.update(names)
                case gast.alias(name=name, asname=asname):
                    self.taken.add(asname or name.split(".")[0])

    def fresh(self, stem: str) -> str:
        name, count = stem, 2
        while name in self.taken:
            name, count = f"{stem}_{count}", count + 1
        self.taken.add(name)
        return name


# -- new nodes ------------------------------------------------------------------------

def at(origin, node):
    """Give every part of `node` that has no place yet the place of `origin`."""
    for part in gast.walk(node):
        if "lineno" in part._attributes and not hasattr(part, "lineno"):
            for field in PLACE:
                setattr(part, field, getattr(origin, field))
    return node


def load(name: str) -> gast.Name:
    """Read a name that is sure to have a value there."""
    node = gast.Name(name, gast.Load(), None, None)
    node.assured = True
    return node


def store(name: str) -> gast.Name:
    return gast.Name(name, gast.Store(), None, None)


def assign(origin, name: str, value) -> gast.Assign:
    """Make ``name = value``, where `value` is a node or a plain constant."""
    if not isinstance(value, gast.AST):
        value = gast.Constant(value, None)
    return at(origin, gast.Assign([store(name)], value, None))


def negate(test):
    """Make ``not test``; a test that is a negation already loses it."""
    if isinstance(test, gast.UnaryOp) and isinstance(test.op, gast.Not):
        return test.operand
    return at(test, gast.UnaryOp(gast.Not(), test))


def some(block: list, origin) -> list:
    """Return a block that is not empty."""
    return block or [at(origin, gast.Pass())]


# -- walks ------------------------------------------------------------------------------

def blocks(stmt) -> Iterator[tuple[object, str]]:
    """Yield (owner, field) of each nested block of a statement, never those of a nested function."""
    if isinstance(stmt, gast.FunctionDef | gast.AsyncFunctionDef | gast.ClassDef):
        return
    for field in ("body", "orelse", "finalbody"):
        if isinstance(getattr(stmt, field, None), list):
            yield stmt, field
    for part in (*getattr(stmt, "handlers", ()), *getattr(stmt, "cases", ())):
        yield part, "body"


def expand(block: list, change: Callable[[gast.AST], list]) -> list:
    """Replace each statement by the list `change` returns for it, innermost statements first."""
    out = []
    for stmt in block:
        for owner, field in blocks(stmt):
            old = getattr(owner, field)
            new = expand(old, change)
            setattr(owner, field, some(new, stmt) if field == "body" else new)
        out.extend(change(stmt))
    return out


def own_nodes(roots: Iterable) -> Iterator:
    """Yield the nodes of a scope; a nested function or class is yielded but not entered."""
    stack = list(reversed(list(roots)))
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(_parts_outside(node)))


def _parts_outside(node) -> list:
    """Return the children that are evaluated in the scope where `node` stands."""
    if not isinstance(node, _SCOPES):
        return _children(node)
    parts = list(getattr(node, "decorator_list", ()))
    if isinstance(node, FUNCTIONS):
        return parts + node.args.defaults + [d for d in node.args.kw_defaults if d is not None]
    return parts


def _children(node) -> list:
    """Return the child nodes in the order of their fields; a list, and faster than `gast.iter_child_nodes`."""
    found = []
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            found += [part for part in value if isinstance(part, gast.AST)]
        elif isinstance(value, gast.AST):
            found.append(value)
    return found


def params(tree) -> list[str]:
    """Return the names of all parameters, in the order of the signature."""
    a = tree.args
    nodes = [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg]
    return [node.id for node in nodes if node is not None]


def targets_of(node) -> list[str]:
    """Return the names that an assignment target binds, from left to right."""
    if isinstance(node, gast.Name):
        return [node.id]
    if isinstance(node, gast.Starred):
        return targets_of(node.value)
    if isinstance(node, gast.Tuple | gast.List):
        return [name for part in node.elts for name in targets_of(part)]
    return []


def declared(tree) -> set[str]:
    """Return the names that `tree` declares global or nonlocal."""
    return {name for node in own_nodes(tree.body) if isinstance(node, gast.Global | gast.Nonlocal)
            for name in node.names}


def bound(tree) -> list[str]:
    """Return the local variables of a function, parameters first, in order of appearance.

    The targets of a comprehension are its own.
    """
    names, nodes = dict.fromkeys(params(tree)), list(own_nodes(tree.body))
    inner = {id(target) for node in nodes if isinstance(node, gast.comprehension) for target in gast.walk(node.target)}
    for node in nodes:
        match node:
            case gast.Name(id=name, ctx=gast.Store() | gast.Del()) if id(node) not in inner:
                names[name] = None
            case gast.FunctionDef(name=name) | gast.AsyncFunctionDef(name=name) | gast.ClassDef(name=name):
                names[name] = None
            case gast.MatchAs(name=str() as name) | gast.MatchStar(name=str() as name):
                names[name] = None
            case gast.alias(name=name, asname=asname):
                names[asname or name.split(".")[0]] = None
    outside = declared(tree)
    return [name for name in names if name not in outside]
