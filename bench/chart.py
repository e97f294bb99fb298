"""The bar chart: the best of each kind of contestant, relative to srcdiff's best."""

from __future__ import annotations

import math
from html import escape

__all__ = ["KINDS", "best_by_kind", "chart"]

# Kinds of contestants by the beginnings of their names, the longer one first.
KINDS = {"srcdiff": "#1b6ca8", "objective": "#c9c9c9", "by hand": "#7a7a7a", "torch.func": "#d9662b",
         "JAX float32": "#a5cfae", "JAX": "#4a9a5b", "Enzyme": "#8a5bb0", "autograd": "#c9a227"}


def best_by_kind(measurements, workload: str) -> dict[str, float]:
    """Return the smallest median of each kind; the float32 rows of JAX are a kind of their own.

    >>> rows = [{"workload": "w", "contestant": c, "median": m} for c, m in
    ...         [("srcdiff grad", 2.0), ("JAX grad", 9.0), ("JAX float32 grad", 5.0), ("JAX jacfwd", 8.0)]]
    >>> best_by_kind(rows, "w")
    {'srcdiff': 2.0, 'JAX float32': 5.0, 'JAX': 8.0}
    """
    best: dict[str, float] = {}
    for m in measurements:
        kind = next((k for k in KINDS if m["contestant"].startswith(k)), m["contestant"])
        if m["workload"] == workload:
            best[kind] = min(best.get(kind, math.inf), m["median"])
    return {k: best[k] for k in [*KINDS, *(set(best) - set(KINDS))] if k in best}


def chart(measurements) -> str:
    """Return an SVG of bars whose lengths are logarithms."""
    rows = {}
    for name in dict.fromkeys(m["workload"] for m in measurements):
        best = best_by_kind(measurements, name)
        rows[name] = {kind: median / best["srcdiff"] for kind, median in best.items()}
    return _svg(rows)


def _svg(rows) -> str:
    height, y, body = 20 + sum(18 * len(k) + 22 for k in rows.values()), 20, []
    top = max(max(k.values()) for k in rows.values())
    scale = 380 / math.log10(max(top, 10) * 10)
    for name, kinds in rows.items():
        body.append(f'<text x="8" y="{y}" font-weight="bold">{escape(name)}</text>')
        for kind, ratio in kinds.items():
            y += 18
            width = max(2.0, scale * math.log10(max(ratio, 0.1) * 10))
            body.append(f'<rect x="110" y="{y - 11}" width="{width:.1f}" height="13" '
                        f'fill="{KINDS.get(kind, "#999")}"/>'
                        f'<text x="8" y="{y}">{escape(kind)}</text>'
                        f'<text x="{116 + width:.1f}" y="{y}">{ratio:.2f}</text>')
        y += 22
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="620" height="{height}" '
            'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
            + "".join(body) + "</svg>\n")
