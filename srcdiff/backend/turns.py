"""Chunks of a batch for whichever thread is free: a counter that threads take from.

OpenMP's loops, below Numba's `prange`, give each thread its share beforehand.  Samples differ in cost, and so
do cores (other processes, clock rates): the slower one decides then.
"""

from __future__ import annotations

from numba.core import types
from numba.extending import intrinsic

__all__ = ["next_turn"]


@intrinsic
def next_turn(typingctx, counter):
    """Return the number in an array of one int64 and add one to it, in one step for all threads."""
    if not (isinstance(counter, types.Array) and counter.dtype == types.int64):
        return None

    def generate(context, builder, signature, args):
        place = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", place, place.type.pointee(1), "monotonic")
    return types.int64(counter), generate
