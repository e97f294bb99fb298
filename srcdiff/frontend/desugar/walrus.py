"""Turn ``name := value`` inside an expression into an assignment before the statement.

What the expression evaluates before the walrus is evaluated before the new assignment too: into a
fresh variable, unless nothing can change it.  Where evaluation depends on a condition (`and`, `or`,
a conditional expression), the assignment stands under that condition.  A `while` test that assigns
moves into the body.  `misplaced` finds the places that have no such form.

>>> from srcdiff.frontend.desugar.text import example
>>> print(example(rewrite, '''
... def f(x):
...     while (y := g(x)) > 0:
...         x = y
...     return h(x) + (z := x + 1) * z
... '''))
def f(x):
    _going = True
    while _going:
        y = g(x)
        if y > 0:
            x = y
        else:
            _going = False
    _value = h(x)
    z = x + 1
    return _value + z * z
"""

from __future__ import annotations

from collections.abc import Iterator

import gast

from srcdiff.frontend.desugar.making import COMPREHENSIONS, Names, assign, at, expand, load, some

__all__ = ["misplaced", "rewrite"]

# The one expression of each statement that is evaluated first, once, before all else.
LIFTED = {gast.Expr: "value", gast.Assign: "value", gast.AnnAssign: "value", gast.Return: "value",
          gast.If: "test", gast.For: "iter", gast.Raise: "exc", gast.Assert: "test", gast.While: "test",
          gast.Match: "subject"}


def rewrite(tree):
    lift = _Lift(Names(tree))
    tree.body = expand(tree.body, lift.statement)
    return tree


def misplaced(tree) -> Iterator[gast.NamedExpr]:
    """Yield each walrus that stands where it cannot be moved in front of its statement."""
    own = _own_to_comprehensions(tree)

    def visit(node, allowed):
        if id(node) in own:
            allowed = True
        if isinstance(node, gast.NamedExpr) and not allowed:
            yield node
        for field, value in gast.iter_fields(node):
            parts = value if isinstance(value, list) else [value]
            for i, part in enumerate(parts):
                if isinstance(part, gast.AST):
                    yield from visit(part, _may_hold(node, field, i, allowed))

    yield from visit(tree, False)


def _own_to_comprehensions(tree) -> set[int]:
    """Return the walruses in comprehensions whose names stand nowhere else: they are lifted where these become loops."""
    def mentions(node, name):
        return sum(isinstance(n, gast.Name) and n.id == name for n in gast.walk(node))
    return {id(part) for node in gast.walk(tree) if isinstance(node, COMPREHENSIONS)
            for name in _assigned_in(node) if mentions(node, name) == mentions(tree, name)
            for part in gast.walk(node) if isinstance(part, gast.NamedExpr) and part.target.id == name}


def _may_hold(node, field, i, allowed) -> bool:
    """Tell whether this child of `node` is a place where a walrus can be lifted from."""
    if isinstance(node, COMPREHENSIONS | gast.Lambda | gast.comprehension | gast.arguments):
        return False
    if isinstance(node, gast.match_case):
        return field == "guard"
    if isinstance(node, gast.stmt | gast.ExceptHandler | gast.withitem):
        return LIFTED.get(type(node)) == field
    if isinstance(node, gast.Compare):
        return allowed and not (field == "comparators" and i > 0)
    return allowed


def _assigned(node) -> set[str]:
    """Return the names that the walruses inside `node` bind; those in a comprehension are lifted later."""
    if isinstance(node, COMPREHENSIONS):
        return set()
    own = {node.target.id} if isinstance(node, gast.NamedExpr) else set()
    return own.union(*map(_assigned, gast.iter_child_nodes(node)))


def _assigned_in(node) -> set[str]:
    return {part.target.id for part in gast.walk(node) if isinstance(part, gast.NamedExpr)}


class _Lift:
    def __init__(self, names):
        self.names = names

    def statement(self, stmt) -> list:
        field = LIFTED.get(type(stmt))
        value = getattr(stmt, field) if field else None
        if value is None or not _assigned(value):
            return [stmt]
        before, value = self.lift(value)
        if isinstance(stmt, gast.While):
            return self.loop(stmt, before, value)
        setattr(stmt, field, value)
        if isinstance(stmt, gast.Expr) and isinstance(value, gast.Name):
            return before
        return [*before, stmt]

    def loop(self, stmt, before, test) -> list:
        """Move the test into the body; the loop still ends by its test, so `else` stays right."""
        flag = self.names.fresh("_going")
        stop = assign(stmt.test, flag, False)
        branch = at(stmt.test, gast.If(test, stmt.body, [stop]))
        start = assign(stmt.test, flag, True)
        stmt.test = at(stmt.test, load(flag))
        stmt.body = [*before, branch]
        stmt.runs_once = True
        return [start, stmt]

    def lift(self, node) -> tuple[list, object]:
        """Return the statements to run first, and the expression without walruses."""
        if not _assigned(node):
            return [], node
        match node:
            case gast.NamedExpr(target=target, value=value):
                before, value = self.lift(value)
                return [*before, assign(node, target.id, value)], at(node, load(target.id))
            case gast.BoolOp(values=values) if any(map(_assigned, values[1:])):
                return self.circuit(node)
            case gast.IfExp(body=body, orelse=orelse) if _assigned(body) or _assigned(orelse):
                return self.conditional(node)
        return self.in_order(node)

    def circuit(self, node):
        """Lift from `and` and `or`: each later operand runs only if the earlier ones let it."""
        name, out = self.names.fresh("_test"), []
        block = out
        for value in node.values:
            if block is not out or out:
                test = at(value, load(name))
                if isinstance(node.op, gast.Or):
                    test = at(value, gast.UnaryOp(gast.Not(), test))
                branch = at(value, gast.If(test, [], []))
                block.append(branch)
                block = branch.body
            before, value = self.lift(value)
            block += [*before, assign(value, name, value)]
        return out, at(node, load(name))

    def conditional(self, node):
        name = self.names.fresh("_value")
        before, test = self.lift(node.test)
        then, value = self.lift(node.body)
        then.append(assign(node.body, name, value))
        orelse, value = self.lift(node.orelse)
        orelse.append(assign(node.orelse, name, value))
        return [*before, at(node, gast.If(test, some(then, node), orelse))], at(node, load(name))

    def in_order(self, node):
        """Lift from the children in the order of evaluation; freeze what stands before a walrus."""
        slots, out = list(_slots(node)), []
        for at_, (owner, field, i) in enumerate(slots):
            child = _get(owner, field, i)
            before, child = self.lift(child)
            out += before
            later = set().union(*(_assigned(_get(*slot)) for slot in slots[at_ + 1:]))
            if later:
                before, child = self.freeze(child, later)
                out += before
            _set(owner, field, i, child)
        return out, node

    def freeze(self, node, rebound) -> tuple[list, object]:
        """Evaluate `node` now, unless its value stays the same while `rebound` change."""
        if _is_stable(node, rebound):
            return [], node
        if isinstance(node, gast.Slice | gast.Tuple | gast.List | gast.Starred | gast.keyword):
            out = []
            for owner, field, i in list(_slots(node)):
                before, part = self.freeze(_get(owner, field, i), rebound)
                out += before
                _set(owner, field, i, part)
            return out, node
        name = self.names.fresh("_value")
        return [assign(node, name, node)], at(node, load(name))


def _is_stable(node, rebound) -> bool:
    match node:
        case gast.Constant():
            return True
        case gast.Name(id=name):
            return name not in rebound
        case gast.Attribute(value=value):
            return _is_stable(value, rebound)
    return False


def _slots(node) -> Iterator[tuple[object, str, int | None]]:
    """Yield where the child expressions of `node` stand, in the order Python evaluates them."""
    if isinstance(node, gast.Dict):
        for i, key in enumerate(node.keys):
            if key is not None:
                yield node, "keys", i
            yield node, "values", i
        return
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            for i, part in enumerate(value):
                if isinstance(part, gast.keyword):
                    yield part, "value", None
                elif isinstance(part, gast.expr | gast.Slice):
                    yield node, field, i
        elif isinstance(value, gast.expr | gast.Slice):
            yield node, field, None


def _get(owner, field, i):
    value = getattr(owner, field)
    return value if i is None else value[i]


def _set(owner, field, i, value) -> None:
    if i is None:
        setattr(owner, field, value)
    else:
        getattr(owner, field)[i] = value
