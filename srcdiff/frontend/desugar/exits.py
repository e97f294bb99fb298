"""Leave blocks at their end only: without `break`, `continue`, `else` of loops and early `return`.

An early `return` outside loops needs nothing new: what follows moves into the other branch.  So does
what follows a `continue`.  A loop that is left early gets a flag: a `while` tests it first, a `for`
is marked, ``node.exit_flag = "_broke"``: it stops before the next iteration once the flag is true.
What follows the exit in the body, and the `else` of the loop, stand under ``if not _broke``.
A `return` inside a loop sets ``_returned``, and ``_result`` too, unless all returns of the loop give the same names, which
have values before it: then what they give is looked up once, after the loop.  The one `return` left is the last statement.
``tree.answer`` names the ``_result``, unless a `finally` may run once it is set: nothing else of the user's does.

Where only a part of a branch leaves, what follows stands under a test of flags; a short rest is
written twice instead.

>>> from srcdiff.frontend.desugar.text import example
>>> print(example(rewrite, '''
... def f(x, n):
...     if n < 0:
...         return 0.0
...     for i in range(n):
...         if x[i] == 0:
...             continue
...         if x[i] < 0:
...             break
...         x[i] = 1 / x[i]
...     else:
...         n = 1
...     while True:
...         if n > 9:
...             return x[n]
...         n = n + 1
... '''))
def f(x, n):
    _returned = False
    if n < 0:
        _result = 0.0
    else:
        _broke = False
        for i in range(n):
            if not x[i] == 0:
                if x[i] < 0:
                    _broke = True
                else:
                    x[i] = 1 / x[i]
            if _broke:
                break
        if not _broke:
            n = 1
        while not _returned:
            if n > 9:
                _result = x[n]
                _returned = True
            else:
                n = n + 1
    return _result
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import gast

from srcdiff.frontend.desugar.making import Names, assign, at, blocks, load, negate, own_nodes, some
from srcdiff.frontend.source import clone

__all__ = ["rewrite"]

SHORT = 30                          # nodes: a rest up to this size is copied rather than guarded
COMPOUND = (gast.If, gast.For, gast.While, gast.With, gast.Try, gast.FunctionDef)


def rewrite(tree):
    returns = [n for n in own_nodes(tree.body) if isinstance(n, gast.Return)]
    exits = _Exits(tree, returns)
    tree.body = exits.function(tree)
    tree.answer = None if exits.cleans_up else exits.result
    return tree


# -- how control leaves a block ---------------------------------------------------------

def escapes(block) -> set[str]:
    """Return how control can leave a block other than at its end or by an exception."""
    found = set()
    for stmt in block:
        match stmt:
            case gast.Return() | gast.Break() | gast.Continue():
                found.add(type(stmt).__name__.lower())
            case gast.For() | gast.While():
                found |= escapes(stmt.body) - {"break", "continue"} | escapes(stmt.orelse)
            case _:
                for owner, field in blocks(stmt):
                    found |= escapes(getattr(owner, field))
    return found


def ends(block) -> bool:
    """Tell whether control never arrives at the end of a block."""
    return any(map(_ends, block))


def _ends(stmt) -> bool:
    match stmt:
        case gast.Return() | gast.Raise() | gast.Break() | gast.Continue():
            return True
        case gast.If(body=body, orelse=orelse):
            return ends(body) and ends(orelse)
        case gast.For(body=body, orelse=orelse):
            return "break" not in escapes(body) and ends(orelse)
        case gast.While(test=test, body=body, orelse=orelse):
            return "break" not in escapes(body) and (_is_true(test) or ends(orelse))
        case gast.With(body=body):
            return ends(body)
        case gast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
            regular = ends(body) or ends(orelse)
            return ends(finalbody) or regular and all(ends(h.body) for h in handlers)
    return False


def _is_true(test) -> bool:
    return isinstance(test, gast.Constant) and bool(test.value)


def _is_none(value) -> bool:
    return value is None or isinstance(value, gast.Constant) and value.value is None


def _names_in(value) -> set[str]:
    """Return the names of an expression that is a name, or a tuple of names and constants; else none."""
    items = value.elts if isinstance(value, gast.Tuple) else [value]
    return {n.id for n in items if isinstance(n, gast.Name)} if all(
        isinstance(n, gast.Name | gast.Constant) for n in items) else set()


def _named_before(tree) -> dict[int, set[str]]:
    """Return, by the id of a loop, the names that surely have a value before it."""
    args, found = tree.args, {}
    named = {a.id for a in [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg] if a is not None}
    for stmt in tree.body:
        found |= {id(n): set(named) for n in own_nodes([stmt]) if isinstance(n, gast.For | gast.While)}
        if isinstance(stmt, gast.Assign):
            named |= {t.id for t in stmt.targets if isinstance(t, gast.Name)}
    return found


def _is_short(block) -> bool:
    return len(block) == 1 and not isinstance(block[0], COMPOUND) \
        and sum(1 for _ in gast.walk(block[0])) <= SHORT


# -- the rewriting -------------------------------------------------------------------------

@dataclass(frozen=True)
class _Scope:
    """What has to be told when control leaves from here.

    `flags` are the flags of the enclosing loops, innermost last (None for a loop nothing leaves);
    `mark` says that someone asks `_returned`; `skip` is the flag that `continue` has to set.
    """

    flags: tuple[str | None, ...] = ()
    mark: bool = False
    skip: str | None = None


class _Exits:
    def __init__(self, tree, returns):
        self.names = Names(tree)
        self.returns = returns
        self.cleans_up = any(isinstance(n, gast.Try) and n.finalbody for n in own_nodes(tree.body))
        self.named = _named_before(tree)
        self.result = self.returned = None      # the names, once they are needed

    def function(self, tree) -> list:
        body, returns = tree.body, self.returns
        end = at(body[-1], gast.Return(None))
        if not returns or (len(returns) == 1 and returns[0] is body[-1]):
            last = returns[0] if returns else end
            return [*self.block(body[:-1] if returns else body, _Scope()), last]
        if not all(_is_none(r.value) for r in returns):
            self.result = self.names.fresh("_result")
        if not ends(body):
            body = [*body, end]
        new = self.block(body, _Scope())
        if self.returned:
            new = [assign(body[0], self.returned, False), *new]
        if self.result:
            end = at(returns[-1], gast.Return(load(self.result)))
        return [*new, end]

    def block(self, stmts, scope) -> list:
        """Rewrite statements so that control leaves only at their end."""
        out, stmts = [], list(stmts)
        while stmts:
            stmt, rest = stmts[0], stmts[1:]
            match stmt:
                case gast.Return() | gast.Break() | gast.Continue():
                    return out + self.leave(stmt, scope)
                case gast.For() | gast.While():
                    value = self.postponed(stmt, scope)
                    loop, stmts, returned = self.loop(stmt, rest, scope)
                    out += loop
                    if value is not None:
                        return out + self.looked_up(stmt, value, stmts, scope)
                    if returned:
                        return out + self.guarded(stmt, {"return"}, stmts, scope)
                case _ if not escapes([stmt]):
                    self.inside(stmt, scope)
                    out.append(stmt)
                    stmts = [] if ends([stmt]) else rest
                case gast.If():
                    return out + self.branch(stmt, rest, scope)
                case gast.Try() if self.is_clean(stmt):
                    stmt.orelse = stmt.orelse + rest
                    self.inside(stmt, scope)
                    return [*out, stmt]
                case _:
                    return out + self.partial(stmt, rest, scope)
        return out

    def inside(self, stmt, scope) -> None:
        for owner, field in blocks(stmt):
            new = self.block(getattr(owner, field), scope)
            setattr(owner, field, some(new, stmt) if field == "body" else new)

    def leave(self, stmt, scope) -> list:
        """Return what stands in place of `return`, `break` or `continue`."""
        if isinstance(stmt, gast.Break):
            return [assign(stmt, scope.flags[-1], True)]
        if isinstance(stmt, gast.Continue):
            return [assign(stmt, scope.skip, True)] if scope.skip else []
        out = []
        if self.result and not getattr(stmt, "postponed", False):
            out.append(assign(stmt, self.result, stmt.value))
        if scope.mark:
            flags = [self.returned_flag(), *reversed(scope.flags)]
            out += [assign(stmt, flag, True) for flag in dict.fromkeys(flags) if flag]
        return out

    def returned_flag(self) -> str:
        self.returned = self.returned or self.names.fresh("_returned")
        return self.returned

    # -- branches ---------------------------------------------------------------------------

    def branch(self, stmt, rest, scope) -> list:
        """Rewrite an `if` from which control may leave, with all that follows it."""
        if ends(stmt.body):
            stmt.orelse = stmt.orelse + rest
        elif ends(stmt.orelse):
            stmt.body = stmt.body + rest
        elif _is_short(rest):
            stmt.orelse = stmt.orelse + [clone(s) for s in rest]
            stmt.body = stmt.body + rest
        elif rest:
            return self.partial(stmt, rest, scope)
        body, orelse = self.block(stmt.body, scope), self.block(stmt.orelse, scope)
        if orelse and not body:
            return [at(stmt, gast.If(negate(stmt.test), orelse, []))]
        return [at(stmt, gast.If(stmt.test, some(body, stmt), orelse))]

    def partial(self, stmt, rest, scope) -> list:
        """Rewrite a statement from which control may leave, and put the rest under a test."""
        kinds = escapes([stmt])
        inner, out = scope, []
        if rest or isinstance(stmt, gast.Try):
            inner = replace(scope, mark=scope.mark or "return" in kinds)
            if "continue" in kinds and not inner.skip:
                inner = replace(inner, skip=self.names.fresh("_skipped"))
                out = [assign(stmt, inner.skip, False)]
        if isinstance(stmt, gast.Try) and (left := escapes(stmt.body)) and stmt.orelse:
            test = self.unless(stmt, left, inner)
            stmt.orelse = [] if ends(stmt.body) else [at(stmt, gast.If(test, stmt.orelse, []))]
        self.inside(stmt, inner)
        if ends([stmt]):
            return [*out, stmt]
        return [*out, stmt, *self.guarded(stmt, kinds, rest, scope, inner.skip)]

    def guarded(self, stmt, kinds, rest, scope, skip=None) -> list:
        """Return the rest, to run only if control did not leave before in one of these ways."""
        if not (body := self.block(rest, scope)):
            return []
        test = self.unless(stmt, kinds, replace(scope, skip=skip or scope.skip))
        return [at(rest[0], gast.If(test, body, []))]

    def unless(self, stmt, kinds, scope):
        """Make the test that control did not leave in one of these ways."""
        flags = []
        if "break" in kinds:
            flags.append(scope.flags[-1])       # set by a `return`, too
        elif "return" in kinds:
            flags.append(self.returned_flag())
        if "continue" in kinds:
            flags.append(scope.skip)
        tests = [gast.UnaryOp(gast.Not(), load(flag)) for flag in flags]
        return at(stmt, tests[0] if len(tests) == 1 else gast.BoolOp(gast.And(), tests))

    @staticmethod
    def is_clean(stmt) -> bool:
        """Tell whether what follows a `try` may move into its `else`."""
        return not escapes(stmt.body) and not stmt.finalbody and all(ends(h.body) for h in stmt.handlers)

    # -- loops --------------------------------------------------------------------------------

    def loop(self, stmt, rest, scope) -> tuple[list, list, bool]:
        """Rewrite a loop; return it, what follows it, and whether control may return inside."""
        self.shorten(stmt)
        kinds = escapes(stmt.body)
        flag = None
        if "break" in kinds:
            flag = self.names.fresh("_broke")
        elif "return" in kinds:
            flag = self.returned_flag()
        body = self.block(stmt.body, _Scope((*scope.flags, flag), mark=True))
        orelse, stmt.orelse = stmt.orelse, []
        stmt.body = some(body, stmt)
        endless = isinstance(stmt, gast.While) and _is_true(stmt.test)
        if endless:
            stmt.runs_once = True
        if flag:
            self.mark(stmt, flag)
        start = []
        if "break" in kinds:
            start = [assign(stmt, flag, False)]
            if orelse:
                test = at(orelse[0], gast.UnaryOp(gast.Not(), load(flag)))
                orelse = [at(orelse[0], gast.If(test, orelse, []))]
        elif endless:
            rest = []
        return [*start, stmt], orelse + rest, "return" in kinds

    def postponed(self, loop, scope):
        """Return what all returns of an outermost loop give, if names tell it after the loop, too; these then set flags only.

        What stands in its `else` is no part of the loop: it follows it.
        """
        returns = [n for n in own_nodes(loop.body) if isinstance(n, gast.Return)]
        if scope.flags or self.cleans_up or len({gast.dump(n.value) if n.value else "" for n in returns}) != 1:
            return None
        value = returns[0].value
        names = _names_in(value)
        if not names or not names <= self.named.get(id(loop), set()):
            return None
        for stmt in returns:
            stmt.postponed = True
        return value

    def looked_up(self, loop, value, rest, scope) -> list:
        """Return what follows a loop whose returns give `value`."""
        found, body = assign(loop, self.result, value), self.block(rest, scope)
        return [at(loop, gast.If(load(self.returned_flag()), [found], body))] if body else [found]

    @staticmethod
    def mark(stmt, flag) -> None:
        stmt.exit_flag = flag
        if isinstance(stmt, gast.While):
            going = at(stmt.test, gast.UnaryOp(gast.Not(), load(flag)))
            both = gast.BoolOp(gast.And(), [going, stmt.test])
            stmt.test = going if _is_true(stmt.test) else at(stmt.test, both)

    @staticmethod
    def shorten(stmt) -> None:
        """Turn ``while a: if b: break; ...`` into ``while a and not b: ...``."""
        while isinstance(stmt, gast.While) and not stmt.orelse:
            match stmt.body[0]:
                case gast.If(test=test, body=[gast.Break()], orelse=orelse):
                    stop = negate(test)
                    if _is_true(stmt.test):
                        stmt.test = stop
                    else:
                        stmt.test = at(stmt, gast.BoolOp(gast.And(), [stmt.test, stop]))
                    stmt.body = some(orelse + stmt.body[1:], stmt)
                case _:
                    return
