"""Which names of a function are read later: a backward walk over the desugared tree.

Only names that are live where two paths meet need a merged variable there, and
an alias that nobody reads again cannot be noticed.
"""

from __future__ import annotations

import functools

import gast

__all__ = ["Liveness", "assigned_names", "liveness_of", "read_names", "with_called"]


def read_names(node) -> frozenset[str]:
    """Return every name that is loaded anywhere below `node`."""
    return frozenset(n.id for n in gast.walk(node)
                     if isinstance(n, gast.Name) and isinstance(n.ctx, gast.Load))


def _targets(node):
    if isinstance(node, gast.Name):
        yield node.id
    elif isinstance(node, gast.Tuple | gast.List):
        for element in node.elts:
            yield from _targets(element)
    elif isinstance(node, gast.Starred):
        yield from _targets(node.value)


def assigned_names(nodes) -> list[str]:
    """Return the names that a block binds, in order of first appearance."""
    found: dict[str, None] = {}
    for node in nodes:
        if isinstance(node, gast.Assign):
            for target in node.targets:
                found.update(dict.fromkeys(_targets(target)))
        elif isinstance(node, gast.AugAssign | gast.For):
            found.update(dict.fromkeys(_targets(node.target)))
        elif isinstance(node, gast.FunctionDef):
            found[node.name] = None
        elif isinstance(node, gast.Import | gast.ImportFrom):
            found.update((a.asname or a.name.split(".")[0], None) for a in node.names)
        elif isinstance(node, gast.With):
            for item in node.items:
                if item.optional_vars is not None:
                    found.update(dict.fromkeys(_targets(item.optional_vars)))
        if isinstance(node, gast.FunctionDef):
            continue
        for block in ("body", "orelse", "finalbody"):
            found.update(dict.fromkeys(assigned_names(getattr(node, block, []) or [])))
        for handler in getattr(node, "handlers", []) or []:
            if handler.name is not None:
                found[getattr(handler.name, "id", handler.name)] = None
            found.update(dict.fromkeys(assigned_names(handler.body)))
        for child in gast.walk(node) if not hasattr(node, "body") else ():
            if isinstance(child, gast.NamedExpr):
                found.update(dict.fromkeys(_targets(child.target)))
    return list(found)


def only_augmented(node) -> frozenset[str]:
    """Return the names below `node` that ``+=`` and its like assign, and nothing else."""
    targets = [n.target for n in gast.walk(node) if isinstance(n, gast.AugAssign)]
    others = {n.id for n in gast.walk(node) if isinstance(n, gast.Name) and isinstance(n.ctx, gast.Store)
              and not any(n is target for target in targets)}
    return frozenset(t.id for t in targets if isinstance(t, gast.Name)) - others


def with_called(names, called) -> frozenset[str]:
    """Return names, and what the nested functions among them read."""
    return names.union(*(called[name] for name in names if name in called))


def nested_reads(function) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """Return what nested functions read: by the name of those that are only called by it, and of all others together."""
    inner = [n for n in gast.walk(function) if isinstance(n, gast.FunctionDef | gast.Lambda) and n is not function]
    if not inner:
        return {}, frozenset()
    owners = {id(n.value): n.targets[0].id for n in gast.walk(function)
              if isinstance(n, gast.Assign) and len(n.targets) == 1 and isinstance(n.targets[0], gast.Name)}
    calls = [n for n in gast.walk(function) if isinstance(n, gast.Call)]
    at_once = {id(n) for call in calls for n in (call.func, *call.args)}
    callees = {id(call.func) for call in calls}
    escaping = {n.id for n in gast.walk(function)
                if isinstance(n, gast.Name) and isinstance(n.ctx, gast.Load) and id(n) not in callees}
    called: dict[str, frozenset[str]] = {}
    always = frozenset()
    for node in inner:
        name = node.name if isinstance(node, gast.FunctionDef) else owners.get(id(node))
        if name is None or name in escaping or _makes_functions(node, at_once):
            always |= read_names(node)
        else:
            called[name] = called.get(name, frozenset()) | read_names(node)
    for _ in called:
        called = {name: with_called(names, called) for name, names in called.items()}
    return called, with_called(always, called)


def _makes_functions(node, at_once) -> bool:
    """Tell whether a nested function makes what may read its names after its end: a function, or a generator."""
    return any(isinstance(n, gast.FunctionDef | gast.Lambda) or isinstance(n, gast.GeneratorExp) and id(n) not in at_once
               for n in gast.walk(node) if n is not node)


class Liveness:
    """Sets of live names: `after[id(statement)]`, `header[id(loop)]`, `inside[id(try)]`.

    A nested function that is called by its name, and does nothing else, reads its names where it is called.  What
    any other one reads, and a lambda without a name, is always live, for it may be called at any time.
    """

    def __init__(self, function):
        self.after: dict[int, frozenset[str]] = {}
        self.header: dict[int, frozenset[str]] = {}
        self.inside: dict[int, frozenset[str]] = {}
        self.called, self.always = nested_reads(function)
        self.block(function.body, frozenset())

    def reads(self, node) -> frozenset[str]:
        """Return the names that are read below `node`, also by the nested functions that are called there."""
        return with_called(read_names(node), self.called)

    def block(self, nodes, live):
        for node in reversed(nodes):
            self.after[id(node)] = live | self.always
            live = self.statement(node, live)
        return live

    def statement(self, node, live):
        match node:
            case gast.Assign():
                killed = frozenset(n for t in node.targets for n in _targets(t))
                return (live - killed) | self.reads(node)
            case gast.AugAssign():
                return live | self.reads(node) | frozenset(_targets(node.target))
            case gast.If():
                return (self.reads(node.test) | self.block(node.body, live)
                        | self.block(node.orelse, live))
            case gast.For():
                return self.for_loop(node, live)
            case gast.While():
                return self.while_loop(node, live)
            case gast.FunctionDef(name=name):
                return (live - {name}) | (self.reads(node.args) if name in self.called else self.reads(node))
            case gast.With():
                inside = self.block(node.body, live)
                return inside.union(*(self.reads(i) for i in node.items))
            case gast.Try():
                # A handler may run from anywhere in the body, the rest after any of them.
                self.inside[id(node)] = live | self.reads(node) | self.always
                for handler in node.handlers:
                    self.block(handler.body, self.inside[id(node)])
                self.block(node.orelse, self.inside[id(node)])
                self.block(node.finalbody, live)
                return self.reads(node) | self.block(node.body, live | self.reads(node))
            case gast.Raise():
                return self.reads(node)
        return live | self.reads(node)

    def for_loop(self, node, live):
        targets = frozenset(_targets(node.target))
        flag = {node.exit_flag} if getattr(node, "exit_flag", None) else set()
        header = live | flag
        for _ in range(3):
            header = header | (self.block(node.body, header) - targets)
        self.header[id(node)] = header | self.always
        return header | self.reads(node.iter)

    def while_loop(self, node, live):
        flag = {node.exit_flag} if getattr(node, "exit_flag", None) else set()
        header = live | flag | self.reads(node.test)
        for _ in range(3):
            header = header | self.block(node.body, header)
        self.header[id(node)] = header | self.always
        return header


@functools.lru_cache(maxsize=512)
def liveness_of(function) -> Liveness:
    """Return the liveness of a desugared function, which is not changed any more."""
    return Liveness(function)
