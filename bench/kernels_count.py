"""Count what the kernels of `bench.gpu` execute, without a GPU: ``python -m bench.kernels_count [H200]``.

Their PTX is executed thread by thread (`bench.ptx_device`), for arrays as they lie
on a device, and assembled by ptxas.  Prints tables as they stand in `docs/design.md`:
what a sample costs, and how many samples a second each of the device's limits would allow.
"""

from __future__ import annotations

import argparse
import os
import re
import warnings
from dataclasses import dataclass

import numpy as np

from bench.limits import limits

SAMPLES = 2
SHARING = 2                     # threads of a sample whose last loop they may share: as many as at 100,000 samples
BLOCK = 128
REGISTERS, MOST_THREADS, BLOCKS = 65536, 2048, 32      # of a multiprocessor
PROCESSORS, CLOCK = 132, 1.98e9                        # of an H100 or H200
ISSUED = PROCESSORS * 4 * 32 * CLOCK                   # instructions of threads that all schedulers issue a second
EXPANDED = {"div.rn.f64": 10, "sqrt.rn.f64": 10, "rcp.rn.f64": 8, "div.rn.f32": 8, "sqrt.rn.f32": 8, "rcp.rn.f32": 6,
            "rem.s64": 60, "div.s64": 60, "rem.u32": 12, "div.u32": 12}     # about as many instructions ptxas makes


@dataclass(frozen=True)
class Counted:
    """What one sample takes of a kernel.

    Attributes
    ----------
    arithmetic, all
        Instructions in the precision of the arrays; and all, without those that only name registers or parameters.
    loaded, stored
        Bytes of the arrays that have samples.
    shared
        Bytes of arrays that all samples read: from the caches.
    """

    name: str
    dtype: str
    fewest: int
    operations: int
    arithmetic: float
    all: float
    loaded: float
    stored: float
    shared: float
    registers: int
    local: int
    spilled: int
    difference: float

    @property
    def resident(self) -> int:
        """Threads that the registers leave on a multiprocessor."""
        blocks = REGISTERS // (-(-max(self.registers, 1) // 8) * 8 * BLOCK)
        return min(blocks, BLOCKS, MOST_THREADS // BLOCK) * BLOCK


def counted(batch, dtype: str) -> Counted:
    """Run a workload on a few samples, compare it with the CPU, and count."""
    import srcdiff as sd
    from bench.ptx_device import place, ptx_device
    from srcdiff.backend.ptx import assembled
    arrays = batch.inputs(SAMPLES, np.dtype(dtype))
    expected = np.asarray(sd.vmap(batch.derivative, in_dims=batch.dims, target="python")(*arrays))
    mapped = batch.mapped()
    with ptx_device(SHARING * SAMPLES) as device:
        got = mapped(*map(place, arrays)).copy_to_host()
    (name, machine), = device.machines.items()
    (kernel,) = mapped.kernels(*arrays)
    role = {p.name: r for p, r in zip(kernel.program.params, kernel.roles, strict=False)}
    dims = batch.dims if isinstance(batch.dims, tuple) else (batch.dims,) * len(arrays)
    moved = {"ld": 0, "st": 0, "shared": 0}
    for (array, direction), size in machine.bytes.items():
        kind, what = role.get(array, ("", ""))
        if kind == "input":
            moved["ld" if what < len(dims) and dims[what] is not None else "shared"] += size
        elif kind in ("result", "work"):
            moved[direction[:2]] += size
    takes = assembled(name, device.texts[name])
    size = np.dtype(dtype).itemsize
    precise = _instructions(machine.executed, rf"\.f{8 * size}$")
    return Counted(batch.name, dtype, batch.bytes(1, size), batch.operations(1), precise / SAMPLES,
                   _instructions(machine.executed, "") / SAMPLES, moved["ld"] / SAMPLES, moved["st"] / SAMPLES,
                   moved["shared"] / SAMPLES, takes.registers, takes.local_bytes, takes.spill_bytes,
                   float(np.max(np.abs(got - expected)) / np.max(np.abs(expected))))


def _instructions(executed, kind: str) -> int:
    """Count instructions, those that ptxas expands as often as it does; moves of registers and parameters are none."""
    return sum(count * EXPANDED.get(name, 1) for name, count in executed.items()
               if re.search(kind, name) and not re.match(r"mov|ld\.param|st\.param|cvta|skipped|ret", name)
               and not (kind and re.match(r"ld|st", name)))


def rates(c: Counted, device: str) -> dict[str, float]:
    """Return how many samples a second each limit allows."""
    memory, operations = limits(device, 8 if c.dtype == "float64" else 4)
    return {"memory": memory / c.fewest, "arithmetic": operations / 2 / c.arithmetic, "issue": ISSUED / c.all}


def row(c: Counted, device: str) -> str:
    """Return a line of the table."""
    allowed = rates(c, device)
    binds = min(allowed, key=allowed.__getitem__)
    least = min(allowed["memory"], limits(device, 8 if c.dtype == "float64" else 4)[1] / c.operations)
    cells = [c.name.removeprefix("batched "), f"{c.fewest:,}", f"{c.loaded:,.0f} + {c.stored:,.0f}", f"{c.shared:,.0f}",
             f"{c.arithmetic:,.0f}", f"{c.all:,.0f}", str(c.registers), str(c.resident), f"{c.local} / {c.spilled}",
             *(f"{allowed[k] / 1e9:.3g}" for k in allowed), binds, f"{100 * min(allowed.values()) / least:.0f} %"]
    return "| " + " | ".join(cells) + " |"


HEAD = ["", "bytes, fewest", "loaded + stored", "of shared inputs", "arithmetic", "all", "registers", "threads", "local / spilled",
        "memory", "arithmetic", "issue", "binds", "at most"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("device", nargs="?", default="H200")
    parser.add_argument("--names", nargs="*", default=[""], help="parts of workload names")
    options = parser.parse_args()
    os.environ.pop("NUMBA_ENABLE_CUDASIM", None)
    warnings.simplefilter("ignore")
    from bench.workloads.gpu import WORKLOADS
    for dtype in ("float64", "float32"):
        found = [counted(b, dtype) for b in WORKLOADS if any(n in b.name for n in options.names)]
        print("| " + " | ".join([dtype, *HEAD[1:]]) + " |\n|" + "---|" * len(HEAD))
        print("\n".join(row(c, options.device) for c in found))
        print(f"\nlargest difference from the CPU: {max(c.difference for c in found):.1e}\n", flush=True)


if __name__ == "__main__":
    main()
