"""Time to the first derivative: in a process where Numba is warm, and from the disk cache.

Each figure is taken in fresh processes, the contestants in turns; medians are
reported, in seconds.  As with every installed package, the bytecode of srcdiff
is there before.  What was allocated earlier (by Numba, mostly) is collected
before the clock starts: a full collection takes 50 ms, and whose allocation
sets it off is chance.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["startup"]

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = '''
import gc, json, math, sys, time
import numpy as np
from numba import njit
sys.path[:0] = {paths!r}
{given}
njit(lambda v: v + 1.0)(1.0)
gc.collect()
began = time.perf_counter()
{body}
print(json.dumps(time.perf_counter() - began))
'''

FUNCTION = '''
import math

def energy(x):
    total = 0.0
    previous = x[0]
    for i in range(1, x.shape[0]):
        d = x[i] - previous
        r = math.sqrt(d * d + 0.1)
        if r > 0.5:
            total += math.exp(-r) / r
        else:
            total += r * r
        previous = x[i]
    return total
'''

SMALL = "from startup_function import energy; x = np.linspace(0.1, 1.0, 8)"
HAND = "import data, hand; args = data.read_hand('hand/test.txt', False)"
FIRST = "import srcdiff as sd; sd.differentiate(energy).grad(x)"
JACOBIAN = "import srcdiff as sd; sd.jacobian(hand.simple)(*args)"
NUMBA = "njit(cache=True)(energy)(x)"


def _seconds(given: str, body: str, folder: Path, cache: str) -> float:
    paths = [str(folder), str(ROOT / "bench" / "workloads" / "adbench")]
    environment = os.environ | {"SRCDIFF_CACHE_DIR": cache, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(paths=paths, given=given, body=body)],
                          env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def startup(rounds: int = 5) -> dict[str, float]:
    """Return the medians in seconds: cold, from the disk cache, and a cached njit function."""
    cold, warm, plain, hand = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "startup_function.py").write_text(FUNCTION)
        cache = str(folder / "cache")
        _seconds(SMALL, FIRST, folder, cache)
        _seconds(SMALL, NUMBA, folder, cache)
        for i in range(rounds):
            cold.append(_seconds(SMALL, FIRST, folder, str(folder / f"cold{i}")))
            warm.append(_seconds(SMALL, FIRST, folder, cache))
            plain.append(_seconds(SMALL, NUMBA, folder, cache))
            if i < 3:
                hand.append(_seconds(HAND, JACOBIAN, folder, str(folder / f"hand{i}")))
    return {"first derivative, cold": statistics.median(cold),
            "first derivative, disk cache": statistics.median(warm),
            "cached njit function": statistics.median(plain),
            "first Jacobian of hand tracking, cold": statistics.median(hand)}


if __name__ == "__main__":
    for name, seconds in startup().items():
        print(f"{name:<40}{seconds:8.3f} s")
