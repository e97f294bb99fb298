"""The workloads, one file for each family."""

from bench.workloads import batches, kernel_runs, overhead, tutorial
from bench.workloads.adbench import runs as adbench

__all__ = ["FAMILIES"]

FAMILIES = {"tutorial": tutorial.WORKLOADS, "overhead": overhead.WORKLOADS, "adbench": adbench.WORKLOADS,
            "kernels": kernel_runs.WORKLOADS, "batches": batches.WORKLOADS}
