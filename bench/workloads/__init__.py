"""The workloads, one file for each family."""

from bench.workloads import kernel_runs, models, rosenbrock, tutorial
from bench.workloads.adbench import runs as adbench

__all__ = ["FAMILIES"]

FAMILIES = {"tutorial": tutorial.WORKLOADS, "rosenbrock": rosenbrock.WORKLOADS, "models": models.WORKLOADS,
            "adbench": adbench.WORKLOADS, "kernels": kernel_runs.WORKLOADS}
