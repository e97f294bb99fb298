"""Tables and JSON: what was measured, and on what."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench.chart import chart
from bench.targets import summary

__all__ = ["machine", "save", "table"]

PACKAGES = ("srcdiff", "numpy", "numba", "numba-cuda", "llvmlite", "scipy", "torch", "jax", "jaxlib", "enzyme-ad", "autograd")


def machine() -> dict[str, object]:
    """Return what the figures depend on: processor, versions, threads."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"processor": _processor(), "cores": os.cpu_count(), "load": os.getloadavg()[1],
            "python": platform.python_version(), "system": platform.system(), "versions": versions, "threads": 1}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def table(measurements) -> str:
    """Return the rows of one workload: median, spread, ratio to our best, memory, first call."""
    ours = min(m.median for m in measurements if m.contestant.startswith("srcdiff"))
    lines = [measurements[0].workload]
    for m in measurements:
        flag = "" if m.agrees else "   DISAGREES"
        lines.append(f"  {m.contestant:<28}{m.median:12.2f} us  +-{m.spread:9.2f}{m.median / ours:9.2f} x"
                     f"{m.peak / 1e6:9.2f} MB   first {m.first:6.2f} s{flag}")
    return "\n".join(lines)


def save(measurements, startup, growth, where, folder) -> Path:
    """Write everything as JSON, beside it the chart and the targets; returns the path of the JSON."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = folder / f"{now:%Y-%m-%d}.json"
    record = {"date": f"{now:%Y-%m-%d %H:%M} UTC", "machine": where, "startup_seconds": startup,
              "growth": growth, "microseconds": [asdict(m) for m in measurements]}
    path.write_text(json.dumps(record, indent=1) + "\n")
    path.with_suffix(".md").write_text(summary(record))
    if measurements:
        path.with_suffix(".svg").write_text(chart(record["microseconds"]))
    return path
