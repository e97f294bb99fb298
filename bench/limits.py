"""What GPUs can do at most, from their makers' data sheets, and how close to it a time comes."""

from __future__ import annotations

__all__ = ["limits", "share"]

# Bytes a second, and operations a second in float64 and float32 outside of tensor cores.
LIMITS = {
    "H200": (4.8e12, 34e12, 67e12), "H100": (3.35e12, 34e12, 67e12), "A100": (1.555e12, 9.7e12, 19.5e12),
    "L4": (0.3e12, 0.47e12, 30e12), "T4": (0.32e12, 0.25e12, 8.1e12),
}


def limits(name: str, itemsize: int) -> tuple[float, float] | None:
    """Return the peak bytes and operations a second of a device, None if they are not listed."""
    for part, (memory, double, single) in LIMITS.items():
        if part in name:
            return memory, double if itemsize == 8 else single
    return None


def share(batch, count: int, itemsize: int, seconds: float, name: str) -> dict[str, float]:
    """Return what part of each limit a time of `seconds` reaches, by the fewest bytes and operations of the work."""
    found = limits(name, itemsize)
    if found is None:
        return {}
    memory, arithmetic = found
    return {"of_memory_limit": batch.bytes(count, itemsize) / memory / seconds,
            "of_arithmetic_limit": batch.operations(count) / arithmetic / seconds}
