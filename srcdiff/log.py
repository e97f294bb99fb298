"""Where the time of a first call goes: ``SRCDIFF_LOG=1`` shows it on standard error.

Each stage reports what it took itself, without the stages inside it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager

__all__ = ["LOG", "in_stage", "stage"]

LOG = logging.getLogger("srcdiff")
_LOCAL = threading.local()

if os.environ.get("SRCDIFF_LOG") == "1":
    _handler = logging.StreamHandler()
    _handler.setFormatter(logging.Formatter("srcdiff: %(message)s"))
    LOG.addHandler(_handler)
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False


def in_stage(name: str, function: Callable) -> Callable:
    """Return a function that reports its time, if anyone wants to know; else the function itself."""
    if not LOG.isEnabledFor(logging.INFO):
        return function

    def reported(*args, **keywords):
        with stage(name):
            return function(*args, **keywords)
    return reported


@contextmanager
def stage(name: str, what: str = ""):
    """Report the time that the body of a ``with`` takes."""
    if not LOG.isEnabledFor(logging.INFO):
        yield
        return
    outer, _LOCAL.inner = getattr(_LOCAL, "inner", 0.0), 0.0
    began = time.perf_counter()
    try:
        yield
    finally:
        took = time.perf_counter() - began
        LOG.info("%8.1f ms  %-10s %s", 1e3 * (took - _LOCAL.inner), name, what)
        _LOCAL.inner = outer + took
