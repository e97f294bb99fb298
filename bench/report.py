"""Tables, JSON and the bar chart."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["chart", "machine", "save", "table"]

PACKAGES = ("srcdiff", "numpy", "numba", "llvmlite", "scipy", "torch", "jax", "jaxlib")


def machine() -> dict[str, object]:
    """Return what the figures depend on: processor, versions, threads."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"processor": _processor(), "python": platform.python_version(),
            "system": platform.system(), "versions": versions, "threads": 1}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def table(measurements) -> str:
    """Return the rows of one workload: median, spread, ratio to our best, first call."""
    ours = min(m.median for m in measurements if m.contestant.startswith("srcdiff"))
    lines = [measurements[0].workload]
    for m in measurements:
        flag = "" if m.agrees else "   DISAGREES"
        lines.append(f"  {m.contestant:<28}{m.median:12.2f} us  +-{m.spread:9.2f}"
                     f"{m.median / ours:9.2f} x   first {m.first:6.2f} s{flag}")
    return "\n".join(lines)


def save(measurements, startup, where, folder) -> Path:
    """Write everything as JSON, and the chart beside it; returns the path of the JSON."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = folder / f"{now:%Y-%m-%d}.json"
    record = {"date": f"{now:%Y-%m-%d %H:%M} UTC", "machine": where, "startup_seconds": startup,
              "microseconds": [asdict(m) for m in measurements]}
    path.write_text(json.dumps(record, indent=1) + "\n")
    if measurements:
        path.with_suffix(".svg").write_text(chart(measurements))
    return path


def chart(measurements) -> str:
    """Return an SVG of bars: time of the best peer of each kind, relative to srcdiff's best."""
    rows, names = {}, list(dict.fromkeys(m.workload for m in measurements))
    for name in names:
        mine = [m for m in measurements if m.workload == name]
        best = min(m.median for m in mine if m.contestant.startswith("srcdiff"))
        kinds: dict[str, float] = {}
        for m in mine:
            kind = m.contestant.split()[0] if m.contestant[:2] != "by" else "by hand"
            kinds[kind] = min(kinds.get(kind, float("inf")), m.median / best)
        rows[name] = kinds
    return _svg(rows)


COLOURS = {"srcdiff": "#1b6ca8", "by hand": "#7a7a7a", "torch.func": "#d9662b", "JAX": "#4a9a5b"}


def _svg(rows) -> str:
    import math
    height, y, body = 20 + sum(18 * len(k) + 22 for k in rows.values()), 20, []
    top = max(max(k.values()) for k in rows.values())
    scale = 380 / math.log10(max(top, 10) * 10)
    for name, kinds in rows.items():
        body.append(f'<text x="8" y="{y}" font-weight="bold">{name}</text>')
        for kind, ratio in kinds.items():
            y += 18
            width = max(2.0, scale * math.log10(max(ratio, 0.1) * 10))
            body.append(f'<rect x="110" y="{y - 11}" width="{width:.1f}" height="13" '
                        f'fill="{COLOURS.get(kind, "#999")}"/>'
                        f'<text x="8" y="{y}">{kind}</text>'
                        f'<text x="{116 + width:.1f}" y="{y}">{ratio:.2f}</text>')
        y += 22
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="620" height="{height}" '
            'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
            + "".join(body) + "</svg>\n")
