"""Shapes that do not fit, where NumPy finds it: in the array statements of the target "python", in concatenations."""

from __future__ import annotations

import linecache
import re
import traceback

from srcdiff.errors import Problem, ShapeError

__all__ = ["refused_shapes"]

_MISFIT = re.compile("could not be broadcast|could not broadcast|cannot reshape array of size|must match exactly"
                     "|must have the same shape|mismatch in its core dimension|cannot sum down to this shape"
                     "|zero-size array to reduction|of an empty sequence")


def refused_shapes(error: ValueError, fix: str) -> ShapeError | None:
    """Return the error for shapes that NumPy says do not fit, or leave nothing to reduce; None if it says something else.

    The reason shows the generated statement, where it is Python's.
    """
    if not _MISFIT.search(str(error)):
        return None
    lines = [linecache.getline(frame.filename, frame.lineno).strip() for frame in traceback.extract_tb(error.__traceback__)
             if frame.filename.startswith("<srcdiff ")]
    why = f"the generated code computes `{lines[-1]}`" if lines else ""
    return ShapeError(Problem("SD0342", str(error).strip(), why=why, fix=fix))
