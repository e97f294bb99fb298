"""Questions about the loops of a lowered program: how long, and whether threads may share the iterations."""

from __future__ import annotations

from srcdiff.syntax import (
    Const,
    For,
    If,
    Load,
    Stmt,
    Store,
    Var,
    While,
    atoms_of,
    blocks_of,
    defined,
    walk,
)

__all__ = ["own", "side_by_side", "steps", "trips"]

UNKNOWN = 1000                          # iterations of a loop of which nothing is known


def trips(loop: For) -> int | None:
    """Return the number of iterations, if it is known."""
    bounds = (loop.start, loop.stop, loop.step)
    if not all(isinstance(b, Const) for b in bounds):
        return None
    return len(range(*(b.value for b in bounds)))


def steps(stmt: Stmt) -> int:
    """Estimate the iterations that a statement takes."""
    inner = sum(steps(s) for block in blocks_of(stmt) for s in block)
    if isinstance(stmt, For):
        count = trips(stmt)
        return (UNKNOWN if count is None else count) * max(inner, 1)
    return UNKNOWN * max(inner, 1) if isinstance(stmt, While) else inner


def own(body, numbers: set[str], known: set[str]) -> bool:
    """Tell whether each iteration sets these numbers before it reads them."""
    for stmt in body:
        if any(isinstance(a, Var) and a.name in numbers and a.name not in known
               for a in atoms_of(stmt) if not isinstance(stmt, While)):
            return False
        if isinstance(stmt, For):
            known.add(stmt.var)
        after = []
        for block in blocks_of(stmt):
            inside = set(known)
            if not own(block, numbers, inside):
                return False
            after.append(inside)
            if isinstance(stmt, While):
                known |= after[0]                   # the test runs at least once
        if isinstance(stmt, If) and len(after) == 2:
            known |= after[0] & after[1]
        if (name := defined(stmt)) is not None:
            known.add(name)
    return True


def side_by_side(loop: For, array: str) -> bool:
    """Tell whether each iteration touches a part of its own of an array: the loop variable is on one axis always."""
    axes = None
    for stmt in walk(loop.body):
        if array in {a.name for a in atoms_of(stmt) if isinstance(a, Var)} and not isinstance(stmt, Load):
            return False
        if isinstance(stmt, Load | Store) and stmt.array == array:
            here = {k for k, item in enumerate(stmt.index) if item == Var(loop.var)}
            axes = here if axes is None else axes & here
    return bool(axes)
