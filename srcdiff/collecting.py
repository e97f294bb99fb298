"""Compile without collections of garbage in between.

Programs, syntax trees and the code of a compiler are made by the hundred thousand, and nearly all of it
lives until the function is compiled.  Python's collector, which counts what is made, walks over all of it
again and again: a tenth of the time of a first call.  What is in cycles meanwhile is collected afterwards.
"""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager

__all__ = ["paused"]

_LOCK = threading.Lock()
_PAUSES: list[bool] = []            # for each pause that has not ended: whether it stopped the collector


@contextmanager
def paused():
    """Stop the collector for the body of a ``with``; pauses may overlap, in any threads.

    >>> with paused():
    ...     gc.isenabled()
    False
    """
    with _LOCK:
        _PAUSES.append(gc.isenabled())
        gc.disable()
    try:
        yield
    finally:
        with _LOCK:
            stopped = _PAUSES.pop()
            if stopped and _PAUSES:
                _PAUSES[-1] = True
            elif stopped:
                gc.enable()
