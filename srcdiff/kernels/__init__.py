"""Programs as GPU kernels: what a thread computes, where its arrays live, and how that is printed.

`plan` takes the program of a batch apart into kernels and what the host
computes for them; `memory` gives each array a place; `spelling` and `text` print.
"""

from srcdiff.kernels.algebra import with_algebra
from srcdiff.kernels.device_functions import device_function
from srcdiff.kernels.grid import GridPlan, grid_plan
from srcdiff.kernels.inlined import with_own_functions
from srcdiff.kernels.kernel import Kernel
from srcdiff.kernels.plan import Plan, plan
from srcdiff.kernels.shapes import with_extents
from srcdiff.kernels.text import device_text, module_text

__all__ = ["GridPlan", "Kernel", "Plan", "device_function", "device_text", "grid_plan", "module_text", "plan", "with_algebra",
           "with_extents", "with_own_functions"]
