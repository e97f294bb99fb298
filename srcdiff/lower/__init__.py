"""From array statements to loops: `lower(program) -> Program`.

Passes, in order: `scalarize` writes each array statement as a loop nest.
"""

from __future__ import annotations

from srcdiff.lower.scalarize import scalarize
from srcdiff.syntax import Program

__all__ = ["PASSES", "lower"]

PASSES = (scalarize,)


def lower(program: Program) -> Program:
    """Return an equivalent program of scalar statements, loops and element accesses."""
    for one in PASSES:
        program = one(program)
    return program
