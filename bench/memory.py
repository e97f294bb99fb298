"""The memory that one call takes beyond what the process holds: Linux counts the peak, and can forget it."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

__all__ = ["peak_bytes"]

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _held() -> dict[str, int]:
    lines = (line.split() for line in STATUS.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[0] in ("VmHWM:", "VmRSS:")}


def peak_bytes(call) -> int:
    """Return by how much `call` raises the resident memory at its highest; 0 where that is not told.

    Free memory is given back to the system before, so that what the call takes
    is counted even if the process had it earlier.
    """
    try:
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        FORGET.write_text("5")
    except OSError:
        return 0
    before = _held()["VmRSS"]
    call()
    return max(0, _held()["VmHWM"] - before)
