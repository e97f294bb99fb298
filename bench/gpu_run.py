"""Time one workload of `bench.gpu`: its contestants one after another, each alone on the device.

What a contestant raises is a record like a time: a peer that is not installed, a
device that is full.  Each record is one line of JSON, written as soon as it is known.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import time

import numpy as np
from numba import cuda

from bench.limits import share
from bench.measure import seconds, to_numpy
from bench.workloads.gpu_peers import Absent

__all__ = ["run"]

COMPARED = 500                  # samples whose results are compared
WARM = 0.3                      # seconds before the rounds
SECONDS = 3.0                   # of the rounds of one contestant
TOLERANCE = {"float64": 1e-8, "float32": 1e-3}


def run(number: int, dtype: str, sizes, rounds: int, path: str) -> None:
    """Time a workload at each size, in one precision; appends records to the file at `path`."""
    from bench.workloads.gpu import WORKLOADS
    batch, name = WORKLOADS[number], device()
    with open(path, "a") as lines:
        for count in sizes:
            if count > batch.largest:
                continue
            print(f"{batch.name}, {count} samples, {dtype}", flush=True)
            first = None
            for rival in batch.contestants():
                record, head = measured(batch, rival, count, dtype, rounds, name, first)
                first = head if first is None else first
                lines.write(json.dumps(record) + "\n")
                lines.flush()
                os.fsync(lines.fileno())
                print(shown(record), flush=True)


def device() -> str:
    """Return the name of the device."""
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        return "simulator"
    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else name


def measured(batch, rival, count: int, dtype: str, rounds: int, name: str, first) -> tuple[dict, object]:
    """Return the record of one contestant, and its first results on the host; None where there are none."""
    record = {"workload": batch.name, "contestant": rival.name, "is_peer": rival.is_peer, "samples": count,
              "dtype": dtype, "device": name}
    head = None
    try:
        times, took, head = timed(batch, rival, count, dtype, rounds)
        low, median, high = (float(q) * 1e6 for q in np.percentile(times, [25, 50, 75]))
        record |= {"median": median, "spread": high - low, "fastest": min(times) * 1e6, "rounds": len(times), "first": took,
                   "agrees": first is None or close(head, first, TOLERANCE[dtype]),
                   **share(batch, count, np.dtype(dtype).itemsize, median * 1e-6, name)}
    except Absent as why:
        record |= {"absent": str(why)}
    except Exception as error:                  # whatever a package raises: the others go on
        record |= {"error": f"{type(error).__name__}: {error}"[:500]}
    released()
    return record, head


def timed(batch, rival, count: int, dtype: str, rounds: int) -> tuple[list[float], float, np.ndarray]:
    """Return the seconds per call of some rounds, those of the first call, and the first results."""
    arrays = batch.inputs(count, np.dtype(dtype))
    placed = [cuda.to_device(a) for a in arrays]
    began = time.perf_counter()
    queue = rival.make(arrays, placed)

    def call():
        result = queue()
        if rival.wait is None:
            cuda.synchronize()
        else:
            rival.wait(result)
        return result

    head = first_samples(call())
    took = time.perf_counter() - began
    warm = time.perf_counter() + WARM
    while time.perf_counter() < warm:           # an idle device runs slower for a while
        call()
    calls = max(1, min(1000, int(0.01 / max(seconds(call, 1), 1e-8))))
    times, began = [], time.perf_counter()
    while len(times) < rounds and not (times and time.perf_counter() - began > SECONDS):
        times.append(seconds(call, calls))
    return times, took, head


def first_samples(result) -> np.ndarray:
    """Return the first samples of a result, on the host; the whole may be gigabytes."""
    count = min(COMPARED, result.shape[0])
    if not getattr(type(result), "__cuda_ndarray__", False):
        head = result[:count]
        return to_numpy(head.cpu() if hasattr(head, "cpu") else head)
    head = cuda.device_array((count, *result.shape[1:]), result.dtype)
    COPIERS[result.ndim][min(8, count), 8](result, head)
    return head.copy_to_host()


@cuda.jit
def _matrices(result, head):
    for s in range(cuda.grid(1), head.shape[0], cuda.gridsize(1)):
        for i in range(head.shape[1]):
            head[s, i] = result[s, i]


@cuda.jit
def _cubes(result, head):
    for s in range(cuda.grid(1), head.shape[0], cuda.gridsize(1)):
        for i in range(head.shape[1]):
            for j in range(head.shape[2]):
                head[s, i, j] = result[s, i, j]


@cuda.jit
def _four_axes(result, head):
    for s in range(cuda.grid(1), head.shape[0], cuda.gridsize(1)):
        for i in range(head.shape[1]):
            for j in range(head.shape[2]):
                for k in range(head.shape[3]):
                    head[s, i, j, k] = result[s, i, j, k]


# What copies the first samples, whatever the strides of a result, by its number of axes.
COPIERS = {2: _matrices, 3: _cubes, 4: _four_axes}


def close(found: np.ndarray, first: np.ndarray, tolerance: float) -> bool:
    """Tell whether results agree, relative to the largest of them; nan agrees with nothing."""
    scale = max(float(np.max(np.abs(first), initial=0.0)), 1e-30)
    return found.shape == first.shape and bool(np.max(np.abs(found - first), initial=0.0) <= tolerance * scale)


def released() -> None:
    """Give the memory of the last contestant back to the device: the next one may need all of it."""
    gc.collect()
    with contextlib.suppress(Exception):        # a memory manager that keeps no list, a device that failed, the simulator
        cuda.current_context().memory_manager.deallocations.clear()
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def shown(record: dict) -> str:
    """Return a line for people."""
    said = record.get("absent") or record.get("error")
    if said:
        return f"  {record['contestant']:<20} {said.splitlines()[0][:150]}"
    shares = "".join(f", {100 * record[k]:.0f} % {k.replace('_', ' ')}" for k in ("of_memory_limit", "of_arithmetic_limit")
                     if k in record)
    rate = record["samples"] / record["median"]
    return (f"  {record['contestant']:<20}{record['median']:13.1f} us +-{record['spread']:9.1f}{rate:12.3f} samples/us"
            f"{shares}, first {record['first']:.2f} s{'' if record['agrees'] else '   DISAGREES'}")
