"""Which variables depend on the direction, and what may not.

The propagation is flow-insensitive: a variable that depends on the direction at
one place does so everywhere, because a variable has one type in the program.
"""

from __future__ import annotations

from srcdiff.errors import Problem, UnsupportedError
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import (
    Assign,
    Atom,
    For,
    If,
    Load,
    Program,
    Stmt,
    Store,
    Var,
    While,
    index_atoms,
    walk,
)

__all__ = ["EXTENTS_FROM", "batched_results", "direction_variables", "refuse_control"]

# Operations that take extents, and the first operand that is one; the others
# (the moved values) may depend on the direction.
EXTENTS_FROM = {"zeros": 0, "empty": 0, "eye": 0, "arange": 0, "trips": 0, "seed": 0, "full": 1,
                "reshape": 1, "broadcast_to": 1, "sum_to": 1, "take": 1, "tape_grow": 1}


def batched_results(program: Program, batched: frozenset[str]) -> tuple[bool, ...]:
    """Tell for each result whether `vectorize` gives it the direction axis."""
    names = direction_variables(program, batched)
    return tuple(isinstance(a, Var) and a.name in names for a in program.results)


def direction_variables(program: Program, batched: frozenset[str]) -> frozenset[str]:
    """Return the variables whose values depend on the direction.

    These are `batched`, the targets of ``seed`` statements, and whatever is
    computed from one of them other than its extents.
    """
    names: set[str] = set(batched)
    statements = list(walk(program.body))
    before = -1
    while len(names) != before:
        before = len(names)
        names.update(name for stmt in statements for name in _receives(stmt, names))
    return frozenset(names)


def _receives(stmt: Stmt, names: set[str]):
    match stmt:
        case Assign(target, "seed"):
            yield target
        case Assign(target, op, args) if PRIMITIVES[op].kind != "extent":
            if any(depends(a, names) for a in args):
                yield target
        case Load(target, array) if array in names:
            yield target
        case Store(array, value=value) if depends(value, names):
            yield array


def depends(atom: Atom, names) -> bool:
    return isinstance(atom, Var) and atom.name in names


def refuse_control(program: Program, names: frozenset[str]) -> None:
    """Refuse a program in which a condition, an index or an extent depends on the direction.

    Raises
    ------
    UnsupportedError
        With one problem for each such place.
    """
    problems = []
    for stmt in walk(program.body):
        for kind, atom in _control(stmt):
            if depends(atom, names):
                problems.append(Problem(
                    "SD0250", f"the {kind} `{atom}` depends on the direction of differentiation",
                    stmt.where,
                    "all directions are computed together, so they must take the same path "
                    "through the program",
                    "compute one direction at a time: map over samples, or use jvp or vjp"))
    if problems:
        raise UnsupportedError(problems)


def _control(stmt: Stmt):
    match stmt:
        case If(condition) | While(condition=condition):
            yield "condition", condition
        case For(start=start, stop=stop, step=step):
            yield from (("loop bound", a) for a in (start, stop, step))
        case Load(index=index) | Store(index=index):
            yield from (("index", a) for a in index_atoms(index))
        case Assign(op=op, args=args) if op in EXTENTS_FROM:
            yield from (("extent or index", a) for a in args[EXTENTS_FROM[op]:])
