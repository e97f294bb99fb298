"""The workloads, one file for each family."""

from bench.workloads import overhead, tutorial

__all__ = ["FAMILIES"]

FAMILIES = {"tutorial": tutorial.WORKLOADS, "overhead": overhead.WORKLOADS}
