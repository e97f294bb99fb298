"""What is said where NumPy's linear algebra refuses a matrix."""

from __future__ import annotations

from collections.abc import Sequence

from srcdiff.api.lazy import lazy
from srcdiff.errors import NOWHERE, LinearAlgebraError, Problem, Where
from srcdiff.syntax import Assign, Program, walk

__all__ = ["refused_matrix"]

primitives = lazy("srcdiff.primitives")

WIDE = ("the derivative of np.linalg.qr takes a matrix with at least as many rows as columns",
        "of a wide matrix, factorize the first columns: q, r = np.linalg.qr(a[:, :len(a)]); the rest of R is q.T @ a[:, len(a):]")

# The way out, by a word of the message of NumPy or Numba.
FIXES = {
    "square": "pass a square matrix",
    "ingular": "take out what depends on other rows or columns, or add a small multiple of the identity",
    "definite": "pass a symmetric matrix with positive eigenvalues, or add a small multiple of the identity",
    "incompatible": "check the shapes of the arguments",
}
NOT_FINITE = "look for nan and infinities in the matrix"


def refused_matrix(error: Exception, programs: Sequence[Program]) -> LinearAlgebraError:
    """Return the error for a matrix that a program cannot invert or factorize.

    The place is that of the one line that can fail so; where several lines
    have linear algebra, they are named instead.
    """
    what, places = str(error), _places(programs)
    fix = next((fix for word, fix in FIXES.items() if word in what), NOT_FINITE)
    if "square" in what and all(ops & {"qr_q", "qr_r"} for ops in places.values()):
        what, fix = WIDE
    if len(places) == 1:
        return LinearAlgebraError(Problem(LinearAlgebraError.code, what, *places, fix=fix))
    lines = "; ".join(f"`{place.text.strip()}` ({place.file}:{place.line})" for place in sorted(places, key=lambda p: (p.file, p.line)))
    return LinearAlgebraError(Problem(LinearAlgebraError.code, what, why=f"it is a matrix of one of these: {lines}", fix=fix))


def _places(programs: Sequence[Program]) -> dict[Where, set[str]]:
    """Return the user's lines that have linear algebra, with the operations; a line counts once."""
    firsts, found = {}, {}
    for program in programs:
        for s in walk(program.body):
            if isinstance(s, Assign) and s.op in primitives.LINEAR_ALGEBRA and s.where != NOWHERE:
                first = firsts.setdefault((s.where.file, s.where.line), s.where)
                found.setdefault(first, set()).add(s.op)
    return found
