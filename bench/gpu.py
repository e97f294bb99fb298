"""Run the benchmarks of batches on a GPU: ``python -m bench.gpu [part of a name ...]``.

Writes ``bench/results/gpu-<date>.json`` with the device's name, and prints a
line for each contestant: microseconds, samples a second, and the share of the
device's limit that binds (memory or arithmetic), counted from the fewest bytes
and operations the work needs.  The file is written anew after each batch, and a
later run of the same day replaces what it measures again and keeps the rest: a
run may be cut off, or be made in parts (``--minutes``, names, ``--sizes``).

Each workload runs in a process of its own (`bench.gpu_run`).  One that crashes,
hangs, finds no memory or lacks a peer leaves a row that says so.  Without a GPU the script runs in
Numba's simulator on a few samples: that proves that it works, and says nothing about speed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

# Peers must leave the device memory to each other.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

SIZES = (100_000, 1_000, 64, 10_000, 1_000_000)         # what matters most comes first: time may run out
TINY = (3,)
DTYPES = ("float64", "float32")
LONGEST = 150                   # seconds of one workload in one precision


def has_device() -> bool:
    """Tell whether there is a GPU, in a process of its own: this one may still decide for the simulator."""
    test = "from numba import cuda; raise SystemExit(not cuda.is_available())"
    return subprocess.run([sys.executable, "-c", test], capture_output=True).returncode == 0


def driver() -> str:
    """Return the device's name, driver, memory and highest clocks, as NVIDIA's tool says them; "" where it is not found."""
    tool = shutil.which("nvidia-smi")
    asked = "--query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem"
    done = tool and subprocess.run([tool, asked, "--format=csv,noheader"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done else ""


def in_process(seconds: float, *arguments) -> str:
    """Run one workload in a process of its own; return what went wrong with the process, "" if nothing did."""
    from bench.gpu_run import run
    process = multiprocessing.get_context("fork").Process(target=run, args=arguments)
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return f"stopped after {seconds:.0f} seconds"
    return f"ended with exit status {process.exitcode}" if process.exitcode else ""


class Results:
    """The file of results: one record for each workload, precision, size and contestant; the last one counts."""

    def __init__(self, folder: Path, simulated: bool):
        from bench.report import machine
        folder.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)
        self.path = folder / f"gpu-{now:%Y-%m-%d}{'-simulator' if simulated else ''}.json"
        self.about = {"date": f"{now:%Y-%m-%d %H:%M} UTC", "machine": machine(), "driver": "" if simulated else driver()}
        known = json.loads(self.path.read_text())["microseconds"] if self.path.exists() else []
        self.records = {self._key(r): r for r in known}

    @staticmethod
    def _key(record: dict) -> tuple:
        return tuple(record.get(k) for k in ("device", "workload", "dtype", "samples", "contestant"))

    def add(self, records: list[dict]) -> None:
        """Take records in, and write the file: beside its place first, so that it is whole at any time."""
        self.records |= {self._key(r): r for r in records}
        found = list(self.records.values())
        device = next((r["device"] for r in reversed(found) if r.get("device")), "")
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps({**self.about, "device": device, "microseconds": found}, indent=1) + "\n")
        beside.replace(self.path)


def lines_of(path: str) -> list[dict]:
    """Return the records that a process wrote, without a last one that it did not finish."""
    found = []
    for line in Path(path).read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of workload names")
    parser.add_argument("--sizes", type=int, nargs="*")
    parser.add_argument("--dtypes", nargs="*", default=DTYPES)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--minutes", type=float, default=25, help="no workload starts, and none goes on, after so long")
    parser.add_argument("--output", default="bench/results")
    options = parser.parse_args()
    simulated = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" or not has_device()
    if simulated:
        os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
    from bench.workloads.gpu import WORKLOADS
    chosen = [i for i, b in enumerate(WORKLOADS) if not options.names or any(n in b.name for n in options.names)]
    results, end = Results(Path(options.output), simulated), time.monotonic() + 60 * options.minutes
    sizes = options.sizes or (TINY if simulated else SIZES)
    for dtype in options.dtypes:
        for number in chosen:
            left = min(end - time.monotonic(), 60 * LONGEST if simulated else LONGEST)
            with tempfile.NamedTemporaryFile(suffix=".jsonl") as lines:
                wrong = in_process(left, number, dtype, sizes, 1 if simulated else options.rounds, lines.name) if (
                    left > 1) else "not started: the time was up"
                results.add(lines_of(lines.name))
            if wrong:
                name = WORKLOADS[number].name
                print(f"{name}, {dtype}: {wrong}", flush=True)
                results.add([{"workload": name, "dtype": dtype, "error": wrong}])
    print(f"written: {results.path}")


if __name__ == "__main__":
    main()
