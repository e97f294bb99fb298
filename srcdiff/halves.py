"""A program in two halves: what can be computed before some of its parameters are known, and the rest.

The first half returns what the second one reads of it.  A value that is cheap to
compute again from the parameters, or from what is handed over anyway, is.  So are
extents of arrays that only the first half has: handed over as numbers, nothing
would be known of them, and loops over equal extents could not be joined.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:]", w: "float64[:]"):
...     t = sin(x)
...     u = multiply(2.0, x)
...     y = exp(t)
...     v = multiply(y, w)
...     v = multiply(u, v)
...     return y, v
... ''')
>>> first, second = halves(program, frozenset({"w"}), 1)
>>> print(show(first) + show(second), end="")
def f_first(x: "float64[:]"):
    t = sin(x)
    u = multiply(2.0, x)
    y = exp(t)
    return y, y
def f_second(x: "float64[:]", y: "float64[:]", w: "float64[:]"):
    u = multiply(2.0, x)
    v = multiply(y, w)
    v = multiply(u, v)
    return v
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.analysis.cost import EXPENSIVE, FUNCTIONS
from srcdiff.analysis.extents import ExtentWriter
from srcdiff.analysis.shapes import Extent, Root, Shapes
from srcdiff.analysis.uses import Uses, changed, live_into
from srcdiff.builder import INT, Builder
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    Param,
    Program,
    Scalar,
    Stmt,
    Var,
    atoms_of,
    defined,
    rename,
    walk,
)

__all__ = ["early_first", "halves"]


def halves(program: Program, late: frozenset[str], count: int) -> tuple[Program, Program]:
    """Split a program before the first statement that reads one of the parameters `late`.

    Returns
    -------
    Program
        Without the parameters `late`; its results are the first `count` ones, and
        what the other half reads.
    Program
        Its parameters are those of `program` with what is handed over before those
        of `late`; its results are the others.  Captured parameters are handed
        over, as they were when the first half ran.
    """
    head, tail = _beginnings_later(*_extents_first(*_cut(program.body, late)), program.results[:count])
    early = {p.name for p in program.params if not p.captured and p.name not in late}
    live = live_into(tail, {a.name for a in program.results[count:] if isinstance(a, Var)}) - early - late
    again = _Again(program, head, early, live)
    handed = [name for name in sorted(live) if name not in again.made and name not in again.extents]
    first, second = Builder(program.types), Builder(program.types)
    first.append(*head)
    captured = tuple(p for p in program.params if p.captured)
    names = {p.name: second.fresh(f"{p.name}_kept", p.type) for p in captured if p.name in handed}
    given = tuple((Var(name), names[name]) if name in names else _hand_over(first, second, name, name in changed(tail))
                  for name in handed)
    second.append(*rename((*again.write(second), *tail), names))
    before = tuple(p for p in program.params if p.name not in late and not p.captured)
    taken = tuple(Param(new, first.type_of(atom)) for atom, new in given)
    behind = tuple(p for p in program.params if p.name in late)
    results = tuple(Var(names.get(a.name, a.name)) if isinstance(a, Var) else a for a in program.results[count:])
    return (replace(program, name=f"{program.name}_first", params=before + captured, body=first.take(),
                    results=program.results[:count] + tuple(atom for atom, _ in given), types=first.types),
            replace(program, name=f"{program.name}_second", params=before + taken + behind, body=second.take(),
                    results=results, types=second.types))


def early_first(program: Program, late: frozenset[str], count: int) -> tuple[Program, int]:
    """Return a program in the order of its halves, and how many statements the first one has.

    The second half reads the variables of the first one as they are left then:
    this is for who puts both into one program, not for two programs.
    """
    head, tail = _beginnings_later(*_cut(program.body, late), program.results[:count])
    return replace(program, body=(*head, *tail)), len(head)


def _cut(body, late: frozenset[str]) -> tuple[tuple[Stmt, ...], tuple[Stmt, ...]]:
    at = next((i for i, stmt in enumerate(body) if _reads(stmt) & late), len(body))
    return body[:at], body[at:]


def _extents_first(head, tail) -> tuple[tuple[Stmt, ...], tuple[Stmt, ...]]:
    """Read extents of what the first half has in the first half: an array need not be handed over for them."""
    there = set(changed(head)) - set(changed(tail))
    early = [s for s in tail if isinstance(s, Assign) and s.op == "size" and s.args[0].name in there
             and sum(_sets(t, s.target) for t in walk(tail)) == 1]
    return (*head, *early), tuple(s for s in tail if not any(s is e for e in early))


def _beginnings_later(head, tail, results) -> tuple[tuple[Stmt, ...], tuple[Stmt, ...]]:
    """Leave the zeros that only the second half adds to, to that half."""
    late: list[Stmt] = []
    for stmt in head:
        if isinstance(stmt, Assign) and (stmt.op == "zeros" or stmt.op == "copy" and isinstance(stmt.args[0], Const)):
            inside = [s for s in walk(head) if s is not stmt and (defined(s) == stmt.target or Var(stmt.target) in atoms_of(s))]
            if not inside and Var(stmt.target) not in results and all(isinstance(a, Const) or a.name not in changed(tail) for a in stmt.args):
                late.append(stmt)
    return tuple(s for s in head if not any(s is x for x in late)), (*late, *tail)


def _sets(stmt: Stmt, name: str) -> bool:
    return getattr(stmt, "target", None) == name


def _reads(stmt: Stmt) -> set[str]:
    return {a.name for s in walk((stmt,)) for a in atoms_of(s) if isinstance(a, Var)}


def _hand_over(first: Builder, second: Builder, name: str, is_changed: bool) -> tuple[Atom, str]:
    """Return the result of the first half that hands a value over, and the parameter of the second that takes it.

    Flags shape the code of a call, so they travel as numbers.
    """
    type_ = first.types[name]
    if type_.dtype == "bool" and isinstance(type_, Scalar):
        sent = first.op("weaken", first.op("cast", Var(name), dtype="int64"), stem=f"{name}_kept")
        taken = second.fresh(f"{name}_kept", INT)
        second.assign(name, "not_equal", Var(taken), Const(0))
        return sent, taken
    if not is_changed:
        return Var(name), name
    taken = second.fresh(f"{name}_kept", type_)
    second.copy(name, Var(taken))
    return Var(name), taken


class _Again:
    """The live values that the second half computes itself: cheap, and from what it has."""

    def __init__(self, program: Program, head, early: set[str], live: set[str]):
        self.uses, self.early, self.live, self.types = Uses(program), early, live, program.types
        self.definitions = {s.target: s for s in head if isinstance(s, Assign)}
        self.made: dict[str, Assign] = {}
        self.extents: dict[str, Extent] = {}        # numbers that are extents of arrays of the first half
        self.shapes = Shapes(program, trust_seeds=False)
        for name in sorted(live):
            self.can_make(name)

    def can_make(self, name: str) -> bool:
        """Tell whether a value can be made again, and note what makes it."""
        if name in self.made or name in self.extents:
            return True
        stmt = self.definitions.get(name)
        if stmt is None or not self.uses.constant(name) or not _is_cheap(stmt):
            return False
        if not all(isinstance(a, Const) or self.is_there(a.name, name) for a in stmt.args):
            return stmt.op == "size" and self.can_write(name)
        self.made[name] = stmt
        return True

    def can_write(self, name: str) -> bool:
        """Tell whether an extent follows from those of arrays that are there, and note it."""
        extent = self.shapes.value(Var(name))
        if extent is None or not self.writer(Builder()).possible(extent):
            return False
        self.extents[name] = extent
        return True

    def writer(self, builder: Builder) -> ExtentWriter:
        def exists(root: Root) -> bool:
            name = root.key[0]
            return name in self.early or root.kind == "extent" and name in self.live and self.uses.constant(name)

        def leaf(root: Root) -> Atom:
            return Var(root.key[0]) if root.kind == "value" else builder.size(*root.key)

        return ExtentWriter(builder, self.shapes, exists, leaf)

    def is_there(self, operand: str, reader: str) -> bool:
        if operand in self.early:
            return True
        if not self.uses.constant(operand):
            return False
        if self.can_make(operand):
            return True
        return operand in self.live and isinstance(self.types[operand], Array) == isinstance(self.types[reader], Array)

    def write(self, builder: Builder) -> list[Stmt]:
        """Return the statements that compute them."""
        with builder.nested() as block:
            writer = self.writer(builder)
            for name, extent in self.extents.items():
                builder.assign(name, "weaken", writer.write(extent))
        return [*block, *(s for name, s in self.definitions.items() if name in self.made)]


def _is_cheap(stmt: Assign) -> bool:
    kind, op = PRIMITIVES[stmt.op].kind, stmt.op
    return not PRIMITIVES[op].opaque and (kind == "extent" or kind == "elementwise" and not (
        op in EXPENSIVE or op.startswith(FUNCTIONS)))
