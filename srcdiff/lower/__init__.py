"""From array statements to loops: `lower(program) -> Program`.

The passes, in order: `scalarize` writes each array statement as a loop nest,
`tidy` names equal extents once, `fuse` joins neighbouring loops, and `tidy`
turns the temporaries inside them into scalars.
"""

from __future__ import annotations

from srcdiff.lower.fuse import fuse
from srcdiff.lower.scalarize import scalarize
from srcdiff.lower.tidy import tidy
from srcdiff.syntax import Program

__all__ = ["PASSES", "lower"]

PASSES = (scalarize, tidy, fuse, tidy)


def lower(program: Program) -> Program:
    """Return an equivalent program of scalar statements, loops and element accesses."""
    for one in PASSES:
        program = one(program)
    return program
