"""What the notes of a module say: which arrays are indexed from the front, which sums have any order, which iterations.

`srcdiff.analysis.signs` proves the first, `srcdiff.lower.at_once` the last, `srcdiff.printing.notes` writes all
down, and `srcdiff.backend.lowering` makes use of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from srcdiff.marks import ANY_ORDER, AT_ONCE, FROM_FRONT

__all__ = ["Notes", "of"]


@dataclass(frozen=True)
class Notes:
    """What is known of one function.

    Attributes
    ----------
    arrays
        Those that no index counts from the end of.
    sums
        The numbers to which ``+=`` adds in any order.
    flags
        LLVM's flags of such an addition.
    at_once
        A letter for each loop of the text, "1" where its iterations may run at once.
    vector_math
        Whether functions may be vectorised (`srcdiff.backend.vector_math`).
    """

    arrays: frozenset[str] = frozenset()
    sums: frozenset[str] = frozenset()
    flags: tuple[str, ...] = ()
    vector_math: bool = False
    at_once: str = ""


def of(module, function: str, fastmath, vector_math: bool) -> Notes:
    """Return what a module says of its function; sums have their order where no fast math is wanted."""
    arrays, sums = (frozenset(vars(module).get(mark, {}).get(function, ())) for mark in (FROM_FRONT, ANY_ORDER))
    at_once = vars(module).get(AT_ONCE, {}).get(function, "")
    if isinstance(fastmath, bool) or not fastmath or not sums:
        return Notes(arrays, vector_math=vector_math, at_once=at_once)
    return Notes(arrays, sums, ("reassoc", *sorted(set(fastmath) - {"reassoc"})), vector_math, at_once)
