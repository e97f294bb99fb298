"""Run the benchmarks of batches on a GPU: ``python -m bench.gpu [part of a name ...]``.

Writes ``bench/results/gpu-<date>.json`` with the device's name, and prints a
table: microseconds, samples a second, and the share of the device's limit that
binds (memory or arithmetic), counted from the fewest bytes and operations the
work needs.  Without a GPU the script runs in Numba's simulator on a few
samples: that proves that it works, and says nothing about speed.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

# Peers must leave the device memory to each other.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

SIZES = (64, 1_000, 10_000, 100_000, 1_000_000)
TINY = (3,)
COMPARED = 1000                 # samples whose results are compared

# Bytes a second, and operations a second in float64 and float32 outside of tensor cores, from the makers' data sheets.
LIMITS = {
    "H200": (4.8e12, 34e12, 67e12), "H100": (3.35e12, 34e12, 67e12), "A100": (1.555e12, 9.7e12, 19.5e12),
    "L4": (0.3e12, 0.47e12, 30e12), "T4": (0.32e12, 0.25e12, 8.1e12),
}


def device() -> str:
    """Return the name of the device; turn to the simulator where there is none."""
    from numba import cuda
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        return "simulator"
    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else name


def has_device() -> bool:
    """Tell whether there is a GPU, in a process that has not decided for the simulator yet."""
    import subprocess
    import sys
    test = "from numba import cuda; raise SystemExit(not cuda.is_available())"
    return subprocess.run([sys.executable, "-c", test], capture_output=True).returncode == 0


def limits(name: str, itemsize: int) -> tuple[float, float] | None:
    """Return the peak bytes and operations a second of a device, None if they are not listed."""
    for part, (memory, double, single) in LIMITS.items():
        if part in name:
            return memory, double if itemsize == 8 else single
    return None


def share(batch, count: int, itemsize: int, seconds: float, name: str) -> dict[str, float]:
    """Return what part of each limit a time of `seconds` reaches."""
    found = limits(name, itemsize)
    if found is None:
        return {}
    memory, arithmetic = found
    return {"of_memory_limit": batch.bytes(count, itemsize) / memory / seconds,
            "of_arithmetic_limit": batch.operations(count) / arithmetic / seconds}


def compared(result):
    """Return the first samples of a result, on the host; the whole may be gigabytes."""
    import numpy as np
    head = result[:COMPARED]
    return np.asarray(head.cpu() if hasattr(head, "cpu") else head)


def run(batch, count: int, dtype, name: str, rounds: int) -> list[dict]:
    """Time one workload at one size; returns a record for each contestant."""
    import numpy as np

    from bench.measure import Workload, measure
    from bench.report import table
    itemsize = np.dtype(dtype).itemsize
    title = f"{batch.name}, {count} samples, float{8 * itemsize}"
    workload = Workload(title, lambda: batch.make(count, dtype), 1e-8 if itemsize == 8 else 1e-3)
    found = measure(workload, rounds, on_host=compared)
    print(table(found), flush=True)
    records = []
    for m in found:
        shares = share(batch, count, itemsize, m.median * 1e-6, name)
        records.append({**asdict(m), "samples": count, "dtype": f"float{8 * itemsize}", **shares})
        if shares and not m.is_peer:
            print(f"    {m.contestant:<26}" + ", ".join(f"{100 * v:.0f} % {k.replace('_', ' ')}" for k, v in shares.items()))
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of workload names")
    parser.add_argument("--sizes", type=int, nargs="*")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", default="bench/results")
    options = parser.parse_args()
    simulated = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" or not has_device()
    if simulated:
        os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
    import numpy as np

    from bench.report import machine
    from bench.workloads.gpu import WORKLOADS
    name, records = device(), []
    rounds = 1 if simulated else options.rounds
    for batch in WORKLOADS:
        if options.names and not any(n in batch.name for n in options.names):
            continue
        for count in options.sizes or (TINY if simulated else SIZES):
            for dtype in (np.float64, np.float32):
                if count <= batch.largest:
                    records += run(batch, count, dtype, name, rounds)
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = folder / f"gpu-{now:%Y-%m-%d}{'-simulator' if simulated else ''}.json"
    record = {"date": f"{now:%Y-%m-%d %H:%M} UTC", "device": name, "machine": machine(), "microseconds": records}
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
