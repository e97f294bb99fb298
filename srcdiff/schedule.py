"""How long a tape to make, and where to take checkpoints: whole numbers, found while the program runs.

A loop of n iterations whose states take c bytes each, and whose tape takes t bytes
for each iteration, is reversed in segments of L iterations: from a checkpoint the
iterations are run again with a tape, and reversed.  One checkpoint for each of
the n / L segments and one tape take n c / L + t L bytes, least where
L = sqrt(n c / t), and cost one more forward sweep.  Where that is too much, fewer
checkpoints are taken and iterations are run again more often; the places are
those of Griewank & Walther's binomial schedule (Revolve, 2000), with which s
checkpoints and r repetitions reach C(s + r, s) segments.

The functions are plain Python on integers, and stand in generated modules as they
are here; `min` and `max` take two numbers, as they do on a GPU.
"""

import math
from typing import NamedTuple

__all__ = ["Within", "next_checkpoint", "segment_length", "segment_within"]


class Within(NamedTuple):
    """A memory budget: the bytes that loops may keep, and how many levels of loops inside them are divided too."""

    bytes: int
    levels: int = 0


def segment_length(trips, state, tape, memory):
    """Return for how many iterations to make a tape, given the bytes of a state and of an iteration's tape."""
    room = memory - state
    if room < state + tape:
        raise ValueError("[SD0344] the memory budget is too small", memory, 2 * state + tape)
    best = max(int(math.sqrt(trips * (state / tape))), 64)
    most = min(room // (2 * tape), (room - state) // tape)
    return max(min(min(best, trips), most), 1)


def segment_within(segment, tape, room):
    """Return a length of at most `segment` iterations whose tape fits into `room` bytes."""
    if room < tape:
        raise ValueError("[SD0344] the memory budget is too small", room, tape)
    return min(segment, room // tape)


def next_checkpoint(remaining, free, segment):
    """Return how many iterations to run from a checkpoint to the next one.

    `remaining` iterations are to be reversed, a `segment` at a time; `free`
    checkpoints can be taken besides the one that stands here.
    """
    if remaining <= segment:
        return remaining
    segments = (remaining + segment - 1) // segment
    slots, repeats = free + 1, 0
    earliest, earlier, reach = 0, 0, 1
    while reach < segments:
        repeats += 1
        earliest, earlier, reach = earlier, reach, reach * (slots + repeats) // repeats
    behind = reach * slots // (slots + repeats)
    return segment * max(max(earliest, segments - behind), 1)
