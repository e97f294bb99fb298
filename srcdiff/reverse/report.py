"""What the adjoint keeps, said per value: for `explain`, and for memory forecasts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from srcdiff.analysis.activity import active_variables
from srcdiff.errors import Where
from srcdiff.reverse.sweep import Sweep, differentiable_results
from srcdiff.syntax import Assign, Atom, Const, Load, Program, Store, Var

__all__ = ["Kept", "Report", "report"]


@dataclass(frozen=True)
class Kept:
    """A primal value that the reverse sweep reads.

    Attributes
    ----------
    how
        "indexed" (a tape indexed by the iteration), "stack", "held" (one value of
        a branch), or "recomputed".
    item_bytes
        Bytes of one element; 0 for what is not kept.
    result
        Position in the results of `Report.sizes` of the number of elements kept.
    """

    name: str
    where: Where
    how: Literal["indexed", "stack", "held", "recomputed"]
    item_bytes: int = 0
    result: int | None = None


@dataclass(frozen=True)
class Report:
    """The activity of each statement, what is kept, and a program that counts it.

    Attributes
    ----------
    sizes
        The forward sweep alone; its results are the numbers of elements kept.
    """

    statements: tuple[tuple[Where, str, bool], ...]       # place, variable set, active
    kept: tuple[Kept, ...]
    sizes: Program


def report(program: Program, active: tuple[str, ...]) -> Report:
    """Return what `adjoint(program, active)` would keep, per value and place."""
    seeded = [program.results[i] for i in differentiable_results(program)]
    carriers = active_variables(program, active, [a.name for a in seeded if isinstance(a, Var)])
    sweep = Sweep(program, carriers)
    sweep.forward(sweep.tree.top)
    kept, results = [], []
    for tape in sweep.tapes.values():
        for name in tape.scalars + tape.arrays:
            dtype = sweep.builder.types[name].dtype
            kept.append(Kept(tape.stems[name], sweep.keep.definition(name).stmt.where,
                             tape.layout(name), np.dtype(dtype).itemsize, len(results)))
            results.append(_count(sweep, tape.tapes[name]))
    for name in sweep.keep.recomputed:
        kept.append(Kept(name, sweep.keep.definition(name).stmt.where, "recomputed"))
    sizes = replace(program, name=f"{program.name}_tape", body=sweep.builder.take(),
                    results=tuple(results), types=sweep.builder.types, tree=None)
    return Report(tuple(_activity(sweep, carriers)), tuple(kept), sizes)


def _count(sweep: Sweep, tape: str) -> Atom:
    total: Atom = Const(1)
    for extent in sweep.builder.extents(tape):
        total = sweep.builder.op("multiply", total, extent, stem="count")
    return total


def _activity(sweep: Sweep, carriers):
    for node in sweep.tree.top.walk():
        match node.stmt:
            case Assign(target=name) | Load(target=name) | Store(array=name):
                yield node.stmt.where, name, name in carriers
