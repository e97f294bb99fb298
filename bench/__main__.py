"""Run the benchmarks: ``python -m bench [family or part of a workload's name ...]``.

Writes ``bench/results/<date>.json``, a chart and the targets beside it, and
prints a table.  One thread each, apart from the family "batches".
"""

from __future__ import annotations

import argparse
import os
import tempfile

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ["SRCDIFF_CACHE_DIR"] = tempfile.mkdtemp(prefix="srcdiff-bench-")     # first calls compile

from bench.growth import growth  # noqa: E402
from bench.measure import measure  # noqa: E402
from bench.report import machine, save, table  # noqa: E402
from bench.startup import startup  # noqa: E402
from bench.workloads import FAMILIES  # noqa: E402
from bench.workloads.batches import batches  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="families, parts of workload names, 'batches', 'growth', 'startup'")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", default="bench/results")
    options = parser.parse_args()
    found, times, sizes = [], {}, []
    where = machine()
    for family, workloads in FAMILIES.items():
        for workload in workloads:
            if not options.names or any(n == family or n in workload.name for n in options.names):
                found += shown(measure(workload, options.rounds))
    if wanted("batches", options):
        rows = batches(options.rounds)
        for name in dict.fromkeys(m.workload for m in rows):
            found += shown([m for m in rows if m.workload == name])
    if wanted("growth", options):
        for size in growth():
            sizes.append(size)
            print("{workload:<28}{work:>10}{microseconds:14.1f} us{peak:>12} bytes".format(**size), flush=True)
    if wanted("startup", options):
        times = startup()
        for name, seconds in times.items():
            print(f"{name:<40}{seconds:8.3f} s")
    print("written:", save(found, times, sizes, where, options.output))


def wanted(part: str, options) -> bool:
    return not options.names or part in options.names


def shown(measurements):
    print(table(measurements), flush=True)
    return measurements


if __name__ == "__main__":
    main()
