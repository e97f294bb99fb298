"""What is refused because of how it is written, before anything is known about values.

`ROWS` is the table, and the documentation is generated from it.  A row holds *anywhere* in a function
when the function cannot be rewritten with it (a generator is one even where its `yield` is never
reached).  The other rows hold where the statement is *reached*: a branch that the arguments exclude
may hold anything.  `fence` lists all problems of a function once one of them refuses it; `reason` tells
the translator why a statement that it reached has no translation.

Not for what is wrong with values or calls: the translator refuses those.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gast

from srcdiff.errors import Problem
from srcdiff.frontend.desugar import assured, exits, matches, walrus
from srcdiff.frontend.desugar.making import declared, own_nodes
from srcdiff.frontend.source import Source, clone, where

__all__ = ["ROWS", "Row", "fence", "reason", "table"]


@dataclass(frozen=True)
class Row:
    """One refused construct.

    Attributes
    ----------
    code, what, why, fix
        As in `Problem`; `what` names the construct in the plural-free form of the table.
    find
        ``find(tree)`` yields the offending nodes of one function, nested functions excluded.
    anywhere
        Whether it refuses the function wherever it stands.
    """

    code: str
    what: str
    why: str
    fix: str
    find: Callable[[gast.FunctionDef], Iterator]
    anywhere: bool = True


# -- finders ------------------------------------------------------------------------------

@functools.lru_cache(maxsize=16)
def _nodes(tree) -> tuple:
    """Return the nodes of a scope; all rows look through the same ones."""
    return tuple(own_nodes(tree.body))


def _kinds(*kinds):
    def find(tree):
        return (node for node in _nodes(tree) if isinstance(node, kinds))
    return find


def _coroutines(tree):
    if isinstance(tree, gast.AsyncFunctionDef):
        yield tree
    for node in _nodes(tree):
        if isinstance(node, gast.Await | gast.AsyncFor | gast.AsyncWith):
            yield node
        elif isinstance(node, gast.comprehension) and node.is_async:
            yield node.target


def _outer_writes(tree):
    outer, seen = declared(tree), set()
    for node in _nodes(tree):
        match node:
            case gast.Name(id=name, ctx=gast.Store() | gast.Del()):
                names = [name]
            case gast.FunctionDef(name=name) | gast.AsyncFunctionDef(name=name) | gast.ClassDef(name=name):
                names = [name]
            case gast.Import(names=aliases) | gast.ImportFrom(names=aliases):
                names = [a.asname or a.name.split(".")[0] for a in aliases]
            case gast.MatchAs(name=str() as name) | gast.MatchStar(name=str() as name):
                names = [name]
            case _:
                continue
        if any(name in outer and name not in seen for name in names):
            seen.update(names)
            yield node


def _walruses(tree):
    return walrus.misplaced(tree)


def _patterns(tree):
    for node in _nodes(tree):
        if isinstance(node, gast.match_case):
            yield from matches.refused(node.pattern)


def _left_by_finally(tree):
    for node in _nodes(tree):
        if isinstance(node, gast.TryStar):
            yield node
        elif isinstance(node, gast.Try):
            for stmt in node.finalbody:
                if exits.escapes([stmt]):
                    yield stmt


def _read_after_del(tree):
    deleted = {n.id for n in _nodes(tree) if isinstance(n, gast.Name) and isinstance(n.ctx, gast.Del)}
    if deleted:
        marked = assured.rewrite(clone(tree))
        for node in own_nodes(marked.body):
            if isinstance(node, gast.Name) and node.id in deleted and not getattr(node, "assured", True):
                yield node


def _attribute_targets(tree):
    return (node for node in _nodes(tree)
            if isinstance(node, gast.Attribute) and isinstance(node.ctx, gast.Store))


def _deleted_parts(tree):
    return (part for node in _nodes(tree) if isinstance(node, gast.Delete)
            for part in node.targets if not isinstance(part, gast.Name))


def _contexts(tree):
    for node in _nodes(tree):
        if isinstance(node, gast.With):
            for item in node.items:
                if _last_name(item.context_expr) not in CONTEXTS:
                    yield item.context_expr


CONTEXTS = ("no_grad", "errstate", "catch_warnings", "printoptions")


def _last_name(node) -> str:
    """Return ``c`` of ``a.b.c(...)``."""
    if isinstance(node, gast.Call):
        node = node.func
    return getattr(node, "attr", None) or getattr(node, "id", "")


# -- the table -----------------------------------------------------------------------------

ROWS = (
    Row("SD0260", "async and await", "a coroutine is suspended and resumed: it has no value to differentiate",
        "write a plain function", _coroutines),
    Row("SD0261", "yield in a generator that receives or returns values, or inside try or with", "it runs in parts, in between what surrounds it",
        "collect the values in a list and return it", _kinds(gast.Yield, gast.YieldFrom)),
    Row("SD0262", "assignment to a global name, or to a nonlocal one of a function outside",
        "a derivative call must not change anything outside the function",
        "return the value, or keep it in a local variable", _outer_writes),
    Row("SD0263", "a walrus (:=) where it cannot be moved in front of the statement, or in a comprehension whose name is used outside of it",
        "when or how often it runs depends on what surrounds it",
        "put the assignment on a line of its own", _walruses),
    Row("SD0264", "a match pattern with a mapping, a star, class arguments, or names in alternatives",
        "only literals, names, classes and plain sequences of these are turned into tests",
        "use if and elif", _patterns),
    Row("SD0265", "return, break or continue inside finally, and except*",
        "they make a pending exception disappear",
        "leave after the try statement", _left_by_finally),
    Row("SD0266", "a variable that may be read after `del`", "it may have no value there",
        "remove the del", _read_after_del),
    Row("SD0267", "a class definition", "only functions are translated",
        "define the class outside of the function", _kinds(gast.ClassDef), anywhere=False),
    Row("SD0268", "del of an attribute, or of what is no item of a list or a dict", "an array cannot lose elements",
        "build a new list or array without them", _deleted_parts, anywhere=False),
    Row("SD0269", "with, other than no_grad, np.errstate, np.printoptions and warnings.catch_warnings",
        "what a context does on entry and exit cannot be differentiated",
        "move it outside of the function", _contexts, anywhere=False),
    Row("SD0223", "assignment to an attribute", "a derivative call must not change objects from outside",
        "keep the value in a local variable and return it", _attribute_targets, anywhere=False),
    Row("SD0270", "a type alias", "types have no meaning at run time",
        "define it outside of the function", _kinds(gast.TypeAlias), anywhere=False),
)


def table() -> list[tuple[str, str, str, str]]:
    """Return the rows for the documentation: code, construct, why, fix."""
    return [(row.code, row.what, row.why, row.fix) for row in ROWS]


# -- the fence -------------------------------------------------------------------------------

def fence(source: Source) -> list[Problem]:
    """Return every syntactic problem of a function, in the order of its lines.

    The list is empty unless something refuses the function wherever it stands.
    """
    functions = [source.tree, *(node for node in gast.walk(source.tree) if node is not source.tree
                                and isinstance(node, gast.FunctionDef | gast.AsyncFunctionDef))]
    functions += [_as_function(n) for n in gast.walk(source.tree) if isinstance(n, gast.Lambda)]
    found = [(row, node) for row in ROWS for node in _once(row, functions)]
    if not any(row.anywhere for row, _ in found):
        return []
    problems = [_problem(row, source, node) for row, node in found]
    return sorted(problems, key=lambda p: (p.where.line, p.where.column, p.code))


def _once(row, functions) -> list:
    """Return the nodes that a row finds, each once though nested functions are walked again."""
    places = {}
    for tree in functions:
        for node in row.find(tree):
            places.setdefault((getattr(node, "lineno", 0), getattr(node, "col_offset", 0)), node)
    return list(places.values())


def _as_function(node: gast.Lambda) -> gast.FunctionDef:
    value = gast.Return(node.body)
    tree = gast.FunctionDef("lambda_", node.args, [value], [], None, None, [])
    for field in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
        for new in (tree, value):
            setattr(new, field, getattr(node, field))
    return tree


def _problem(row: Row, source: Source, node) -> Problem:
    return Problem(row.code, f"not supported: {row.what}", where(source, node), row.why, row.fix)


def reason(stmt) -> Row | None:
    """Return the row that refuses a statement which was reached, or None."""
    tree = gast.FunctionDef("reason", None, [stmt], [], None, None, [])
    rows = [row for row in ROWS if not row.anywhere]
    return next((row for row in rows if next(iter(row.find(tree)), None) is not None), None)
