"""Run the benchmarks: ``python -m bench [family or part of a workload's name ...]``.

Writes ``bench/results/<date>.json`` and prints a table.  One thread each.
"""

from __future__ import annotations

import argparse
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

from bench.measure import measure  # noqa: E402
from bench.report import machine, save, table  # noqa: E402
from bench.startup import startup  # noqa: E402
from bench.workloads import FAMILIES  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="families, or parts of workload names")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", default="bench/results")
    options = parser.parse_args()
    found = []
    for family, workloads in FAMILIES.items():
        for workload in workloads:
            if options.names and not any(n == family or n in workload.name for n in options.names):
                continue
            measurements = measure(workload, options.rounds)
            print(table(measurements), flush=True)
            found += measurements
    times = startup() if not options.names or "startup" in options.names else {}
    for name, seconds in times.items():
        print(f"{name:<40}{seconds:8.3f} s")
    save(found, times, machine(), options.output)


if __name__ == "__main__":
    main()
