"""Push a direction axis into a program: many tangents or cotangents at once.

A tangent program pushes one direction through the derivative; vectorized, it
pushes K of them, and everything that does not depend on the direction is
computed once.  The axis has a run-time extent, so the code does not grow with K.

Files
-----
spread
    Which variables depend on the direction; control flow must not.
axis
    The axis itself: where it stands, and how operands are lined up with it.
batch
    One short rule per kind of operation.
access
    Loads and stores.
structure, structures, algebra, blocks, facts
    Values that are known to be zero or diagonal, so that identity seeds are
    never built and never multiplied with.
transform
    The walk over the program.
"""

from srcdiff.vectorize.spread import batched_results
from srcdiff.vectorize.transform import vectorize

__all__ = ["batched_results", "vectorize"]
