"""Turn `match` on simple patterns into a chain of `if`.

Simple are literals, dotted names, `None`, `True`, `False`, `_`, captures, a class without
arguments, alternatives without captures, and sequences of those without a star.  `refused` finds the others.
The subject is evaluated once.  Names that a pattern captures are bound before the guard is tested,
and stay bound when it fails.

>>> from srcdiff.frontend.desugar.text import example
>>> print(example(rewrite, '''
... def f(kind, x):
...     match kind:
...         case "a" | "b":
...             return x
...         case (p, 0) if p > x:
...             return p
...         case other:
...             return other
... '''))
def f(kind, x):
    if kind == 'a' or kind == 'b':
        return x
    else:
        _matched = False
        if isinstance(kind, (tuple, list)) and len(kind) == 2 and (kind[1] == 0):
            p = kind[0]
            if p > x:
                _matched = True
        if _matched:
            return p
        else:
            other = kind
            return other
"""

from __future__ import annotations

from collections.abc import Iterator

import gast

from srcdiff.frontend.desugar.making import Names, assign, at, expand, load, own_nodes, some
from srcdiff.frontend.source import clone

__all__ = ["refused", "rewrite"]


def rewrite(tree):
    matches = _Matches(tree)
    tree.body = expand(tree.body, matches.statement)
    return tree


def refused(pattern) -> Iterator:
    """Yield the parts of a pattern that have no simple test."""
    match pattern:
        case gast.MatchValue() | gast.MatchSingleton() | gast.MatchAs(pattern=None):
            return
        case gast.MatchAs(pattern=inner):
            yield from refused(inner)
        case gast.MatchOr(patterns=parts):
            for part in parts:
                yield from [part] if _captures(part) else refused(part)
        case gast.MatchSequence(patterns=parts):
            for part in parts:
                yield from refused(part)
        case gast.MatchClass(patterns=[], kwd_patterns=[]):
            return
        case _:
            yield pattern


def _captures(pattern) -> list[str]:
    return [node.name for node in gast.walk(pattern)
            if isinstance(node, gast.MatchAs | gast.MatchStar) and node.name]


class _Matches:
    def __init__(self, tree):
        self.names = Names(tree)
        self.deleted = {node.id for node in own_nodes(tree.body)
                        if isinstance(node, gast.Name) and isinstance(node.ctx, gast.Del)}

    def statement(self, stmt) -> list:
        if not isinstance(stmt, gast.Match):
            return [stmt]
        captured = {name for case in stmt.cases for name in _captures(case.pattern)}
        subject, out = stmt.subject, []
        if not isinstance(subject, gast.Name) or subject.id in captured:
            name = self.names.fresh("_subject")
            out = [assign(stmt, name, subject)]
            subject = at(subject, load(name))
        return out + self.cases(subject, stmt.cases)

    def cases(self, subject, cases) -> list:
        """Return the chain for these cases; an empty chain lets everything through."""
        if not cases:
            return []
        case, rest = cases[0], cases[1:]
        pattern = case.pattern
        test = _all(pattern, list(_tests(subject, pattern)))
        bindings = list(_bindings(subject, pattern))
        self.assure(case, [b.targets[0].id for b in bindings])
        if bindings and case.guard is not None:
            return self.guarded(subject, case, test, bindings, rest)
        body = bindings + case.body
        tests = [t for t in (test, case.guard) if t is not None]
        if not tests:
            return body
        return [at(pattern, gast.If(_all(pattern, tests), body, self.cases(subject, rest)))]

    def guarded(self, subject, case, test, bindings, rest) -> list:
        """Return a case whose guard may read what its pattern captured."""
        if test is None:
            return [*bindings,
                    at(case.guard, gast.If(case.guard, case.body, self.cases(subject, rest)))]
        flag = self.names.fresh("_matched")
        hit = at(case.guard, gast.If(case.guard, [assign(case.guard, flag, True)], []))
        return [assign(case.pattern, flag, False),
                at(case.pattern, gast.If(test, [*bindings, hit], [])),
                at(case.pattern, gast.If(load(flag), case.body, self.cases(subject, rest)))]

    def assure(self, case, names) -> None:
        """Mark the reads of captured names in a case: they have a value there."""
        for node in own_nodes(some(list(case.body), case.pattern)):
            if isinstance(node, gast.Name) and node.id in names and node.id not in self.deleted:
                node.assured = True


def _all(pattern, tests):
    if len(tests) < 2:
        return tests[0] if tests else None
    return at(pattern, gast.BoolOp(gast.And(), tests))


def _element(subject, i):
    return gast.Subscript(clone(subject), gast.Constant(i, None), gast.Load())


def _compare(pattern, subject, op, value):
    return at(pattern, gast.Compare(clone(subject), [op], [value]))


def _tests(subject, pattern) -> Iterator:
    """Yield what must hold for the pattern to match, in the order in which it is tested."""
    match pattern:
        case gast.MatchValue(value=value):
            yield _compare(pattern, subject, gast.Eq(), value)
        case gast.MatchSingleton(value=value):
            yield _compare(pattern, subject, gast.Is(), gast.Constant(value, None))
        case gast.MatchAs(pattern=inner) if inner is not None:
            yield from _tests(subject, inner)
        case gast.MatchClass(cls=cls):
            yield at(pattern, gast.Call(load("isinstance"), [clone(subject), cls], []))
        case gast.MatchOr(patterns=parts):
            tests = [_all(part, list(_tests(subject, part))) for part in parts]
            if None not in tests:           # an alternative that always matches stands last
                yield at(pattern, gast.BoolOp(gast.Or(), tests))
        case gast.MatchSequence(patterns=parts):
            kinds = gast.Tuple([load("tuple"), load("list")], gast.Load())
            yield at(pattern, gast.Call(load("isinstance"), [clone(subject), kinds], []))
            length = gast.Call(load("len"), [clone(subject)], [])
            yield at(pattern, gast.Compare(length, [gast.Eq()], [gast.Constant(len(parts), None)]))
            for i, part in enumerate(parts):
                yield from _tests(at(part, _element(subject, i)), part)


def _bindings(subject, pattern) -> Iterator:
    """Yield the assignments of the names that the pattern captures."""
    match pattern:
        case gast.MatchAs(pattern=inner, name=name):
            if inner is not None:
                yield from _bindings(subject, inner)
            if name is not None:
                yield assign(pattern, name, clone(subject))
        case gast.MatchSequence(patterns=parts):
            for i, part in enumerate(parts):
                yield from _bindings(at(part, _element(subject, i)), part)
