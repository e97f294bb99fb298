"""Mark the reads of local variables that are sure to have a value.

This looks at the control flow the user wrote, with its `break` and `return`.  When these are gone
(`exits`), a variable that is set before every `break` seems to be set under a condition only.  The
mark ``assured`` on a `Name` says that in Python the variable has a value whenever it is read there,
whatever the conditions: then any value will do on the other paths.

A read without the mark may still be fine: whoever knows some of the conditions knows better.
"""

from __future__ import annotations

import gast

from srcdiff.frontend.desugar.making import (
    COMPREHENSIONS,
    FUNCTIONS,
    bound,
    own_nodes,
    params,
    targets_of,
)

__all__ = ["rewrite"]

State = frozenset | None            # the variables that have a value; None where nothing arrives


def rewrite(tree):
    """Set ``assured`` on every read of a local variable of `tree`, in place."""
    deleted = {node.id for node in own_nodes(tree.body)
               if isinstance(node, gast.Name) and isinstance(node.ctx, gast.Del)}
    flow = _Flow(frozenset(bound(tree)), frozenset(deleted))
    flow.block(tree.body, frozenset(params(tree)))
    return tree


def _join(*states: State) -> State:
    known = [state for state in states if state is not None]
    return frozenset.intersection(*known) if known else None


class _Flow:
    """One walk in the order of execution, with the set of variables that have a value.

    `deleted` are the names that some `del` removes: where control joins from an unknown place of a
    loop or of a `try`, they count as gone.
    """

    def __init__(self, local, deleted):
        self.local, self.deleted = local, deleted
        self.breaks: list[list[State]] = []
        self.marking = True

    # -- statements -----------------------------------------------------------------

    def block(self, stmts, state: State) -> State:
        for stmt in stmts:
            state = self.statement(stmt, state)
        return state

    def statement(self, stmt, state: State) -> State:
        name = type(stmt).__name__.lower()
        visit = getattr(self, name + "_", None) or getattr(self, name, self.simple)
        return visit(stmt, state)

    def simple(self, stmt, state):
        """A statement without blocks: it reads everything, then binds its targets."""
        for field in ("value", "exc", "cause"):
            if isinstance(part := getattr(stmt, field, None), gast.AST):
                state = self.read(part, state)
        for target in getattr(stmt, "targets", ()):
            state = self.bind(target, state)
        return state

    def augassign(self, stmt, state):
        for part in own_nodes([stmt.target]):
            self.mark(part, state)
        return self.bind(stmt.target, self.read(stmt.value, state))

    def delete(self, stmt, state):
        gone = {name for target in stmt.targets for name in targets_of(target)}
        return None if state is None else state - gone

    def leave(self, stmt, state):
        self.simple(stmt, state)
        return None

    return_ = raise_ = continue_ = leave

    def break_(self, stmt, state):
        self.breaks[-1].append(state)
        return None

    def define(self, stmt, state):
        for part in own_nodes([stmt]):
            if part is not stmt:
                self.mark(part, state)
        return self.add(state, [stmt.name])

    functiondef = asyncfunctiondef = classdef = define

    def import_(self, stmt, state):
        return self.add(state, [a.asname or a.name.split(".")[0] for a in stmt.names])

    importfrom = import_

    def if_(self, stmt, state):
        then, orelse = self.condition(stmt.test, state)
        return _join(self.block(stmt.body, then), self.block(stmt.orelse, orelse))

    def while_(self, stmt, state):
        head = self.without_deleted(state)
        then, after = self.condition(stmt.test, head)
        return self.loop(stmt, then, after)

    def for_(self, stmt, state):
        head = self.without_deleted(self.read(stmt.iter, state))
        return self.loop(stmt, self.bind(stmt.target, head), head)

    asyncfor = for_

    def loop(self, stmt, then, after):
        self.breaks.append([])
        self.block(stmt.body, then)
        breaks = self.breaks.pop()
        return _join(self.block(stmt.orelse, after), *breaks)

    def with_(self, stmt, state):
        for item in stmt.items:
            state = self.read(item.context_expr, state)
            if item.optional_vars is not None:
                state = self.bind(item.optional_vars, state)
        return self.block(stmt.body, state)

    asyncwith = with_

    def try_(self, stmt, state):
        anywhere = self.without_deleted(state)
        ends = [self.block(stmt.orelse, self.block(stmt.body, state))]
        for handler in stmt.handlers:
            inside = anywhere if handler.type is None else self.read(handler.type, anywhere)
            name = handler.name
            if name is not None:
                inside = self.bind(name, inside)
            end = self.block(handler.body, inside)
            ends.append(end if end is None or name is None else end - {name.id})
        if not stmt.finalbody:
            return _join(*ends)
        self.block(stmt.finalbody, anywhere)
        before, self.marking = self.marking, False
        end = self.block(stmt.finalbody, _join(*ends))
        self.marking = before
        return end

    trystar = try_

    # -- expressions ------------------------------------------------------------------

    def add(self, state, names) -> State:
        return None if state is None else state | set(names)

    def without_deleted(self, state) -> State:
        return None if state is None else state - self.deleted

    def bind(self, target, state) -> State:
        if not isinstance(target, gast.Name):
            for part in own_nodes([target]):
                if isinstance(getattr(part, "ctx", None), gast.Load):
                    self.mark(part, state)
        return self.add(state, targets_of(target))

    def mark(self, node, state) -> None:
        """Mark a name that is read (or a target that `+=` reads), unless a rewriting knew already."""
        if isinstance(node, gast.Name) and self.marking and node.id in self.local \
                and not hasattr(node, "assured"):
            node.assured = state is None or node.id in state

    def condition(self, test, state) -> tuple[State, State]:
        """Return the states where the test holds and where it does not."""
        match test:
            case gast.Constant(value=value):
                return (state, None) if value else (None, state)
            case gast.UnaryOp(op=gast.Not(), operand=operand):
                return self.condition(operand, state)[::-1]
            case gast.BoolOp(op=op, values=values):
                stays, leaves = state, []
                for value in values:
                    true, false = self.condition(value, stays)
                    stays, gone = (true, false) if isinstance(op, gast.And) else (false, true)
                    leaves.append(gone)
                both = stays, _join(*leaves)
                return both if isinstance(op, gast.And) else both[::-1]
        state = self.read(test, state)
        return state, state

    def read(self, node, state) -> State:
        """Mark the names that an expression reads; return the state after it."""
        match node:
            case gast.Name():
                self.mark(node, state)
                return state
            case gast.NamedExpr(target=target, value=value):
                return self.bind(target, self.read(value, state))
            case gast.BoolOp():
                return _join(*self.condition(node, state))
            case gast.IfExp(test=test, body=body, orelse=orelse):
                then, other = self.condition(test, state)
                return _join(self.read(body, then), self.read(orelse, other))
            case gast.Compare(left=left, comparators=[first, *rest]):
                state = self.read(first, self.read(left, state))
                for part in rest:
                    self.read(part, state)
                return state
        if isinstance(node, FUNCTIONS):
            for part in own_nodes([node]):
                self.mark(part, state)
            return state
        if isinstance(node, COMPREHENSIONS):
            return self.comprehension(node, state)
        for part in gast.iter_child_nodes(node):
            state = self.read(part, state)
        return state

    def comprehension(self, node, state) -> State:
        inner = state
        for part in node.generators:
            inner = self.add(self.read(part.iter, inner), targets_of(part.target))
            for test in part.ifs:
                inner = self.condition(test, inner)[0]
        for field in ("elt", "key", "value"):
            if hasattr(node, field):
                self.read(getattr(node, field), inner)
        return state
