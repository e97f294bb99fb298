"""What the figures are held to: each target with what was measured.

``python -m bench.targets FILE`` prints the table of recorded results.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.chart import best_by_kind

__all__ = ["summary"]

ONE_CALL = ("symm", "mlp", "conv2d")            # what JAX does as one product of matrices or convolution


class Results:
    """The medians in microseconds of recorded results, by workload and kind of contestant."""

    def __init__(self, record: dict):
        self.record = record
        self.rows = record["microseconds"]
        self.names = list(dict.fromkeys(m["workload"] for m in self.rows))
        self.best = {name: best_by_kind(self.rows, name) for name in self.names}

    def named(self, start: str) -> list[str]:
        return [n for n in self.names if n.startswith(start)]

    def ratio(self, name: str, over: str, under: str = "srcdiff") -> float:
        best = self.best[name]
        return best[over] / best[under] if over in best and under in best else math.nan

    @property
    def kernels(self) -> list[str]:
        from bench.workloads.kernels import KERNELS
        return [n for n in self.names if n in KERNELS]


# A row: workload, target, what was measured, whether it holds (None where nothing was measured).
Row = tuple[str, str, str, bool | None]


def tutorial(r: Results) -> Iterator[Row]:
    for name in (n for n in r.names if n.startswith(("Jacobian", "Hessian 32", "batch", "hvp"))):
        peer = min(r.best[name].get(k, math.inf) for k in ("torch.func", "JAX"))
        ours, hand = r.best[name]["srcdiff"], r.best[name]["by hand"]
        holds = peer >= 2 * ours and (ours <= 1.5 * hand or ours <= hand + 1.0)
        yield (name, "2x faster than torch.func and JAX; at most 1.5x by hand or 1 us above",
               f"{peer / ours:.1f}x faster; {ours / hand:.2f}x by hand, {ours - hand:+.2f} us", holds)


def rosenbrock(r: Results) -> Iterator[Row]:
    for name in r.named("Rosenbrock"):
        cost = r.ratio(name, "srcdiff", "objective")
        peers = {k: r.ratio(name, k) for k in ("Enzyme", "JAX") if k in r.best[name]}
        said = "".join(f"; {ratio:.1f}x faster than {k}" for k, ratio in peers.items())
        yield (name, "at most 2.5 objectives (without the cost of a call); not slower than Enzyme or JAX",
               f"{cost:.2f} objectives{said}",
               (cost <= 2.5 or r.best[name]["srcdiff"] <= 2.5 * r.best[name]["objective"] + 1.0)
               and min(peers.values(), default=1.0) >= 1.0)


def against(start: str, bound: float, faster: float | None) -> Callable[[Results], Iterator[Row]]:
    """Make rows: at most `bound` objectives, and `faster` times as fast as JAX."""
    def rows(r: Results) -> Iterator[Row]:
        for name in r.named(start):
            cost, jax = r.ratio(name, "srcdiff", "objective"), r.ratio(name, "JAX")
            target, said, holds = f"at most {bound:g} objectives", f"{cost:.2f} objectives", cost <= bound
            if faster and not math.isnan(jax):
                target += "; not slower than JAX" if faster == 1.0 else f"; {faster:g}x faster than JAX"
                said += f"; {jax:.2f}x faster"
                holds = holds and jax >= faster
            yield name, target, said, holds
    return rows


def kernels(r: Results) -> Iterator[Row]:
    for product, said in (("vjp", "gradient"), ("value and vjp", "value and gradient")):
        loops = {n: _against_loops(r, n, product) for n in r.kernels}
        loops = {n: x for n, x in loops.items() if not math.isnan(x)}
        if not loops:
            continue
        mean = math.exp(statistics.fmean(math.log(x) for x in loops.values()))
        yield f"loop kernels, {said}", "geometric mean 5x faster than JAX loops", f"{mean:.1f}x faster", mean >= 5.0
        slower = {n: x for n, x in loops.items() if x < (0.9 if n in ONE_CALL else 1.0)}
        yield (f"loop kernels, {said}", "none slower than JAX (one call of a library: 0.9x)",
               ", ".join(f"{n} {x:.2f}x" for n, x in slower.items()) or "none slower", not slower)
        costs = [_contestant(r, n, f"srcdiff {product}") / r.best[n]["objective"] for n in r.kernels]
        median = statistics.median(costs)
        yield f"loop kernels, {said}", "at most 4 primals in the median", f"{median:.2f}", median <= 4.0


def _contestant(r: Results, workload: str, name: str) -> float:
    return next((m["median"] for m in r.rows if (m["workload"], m["contestant"]) == (workload, name)), math.nan)


def _against_loops(r: Results, name: str, product: str) -> float:
    """Return how much faster than JAX's loops; than its library call where there are no loops."""
    loops, library = (_contestant(r, name, f"JAX {product}{ending}") for ending in ("", ", library"))
    return (library if math.isnan(loops) else loops) / _contestant(r, name, f"srcdiff {product}")


def hessian(r: Results) -> Iterator[Row]:
    for name in r.named("Hessian of 50"):
        cost = r.ratio(name, "srcdiff", "gradient (srcdiff)")
        yield name, "at most 25 gradients", f"{cost:.1f} gradients", cost <= 25.0


def overhead(r: Results) -> Iterator[Row]:
    for name in r.named("Rosenbrock gradient, n = 10")[:1]:
        above = r.best[name]["srcdiff"] - r.best[name]["by hand"]
        yield "call overhead", "at most 1 us above a Numba function", f"{above:+.2f} us", above <= 1.0


def cores(r: Results) -> Iterator[Row]:
    for name in (n for n in r.names if "Jacobians" in n):
        rows = {m["contestant"]: m for m in r.rows if m["workload"] == name}
        one, many = rows["srcdiff, one core"], rows["srcdiff, all cores"]
        # Other guests slow a core for seconds at a time: the medians of the two may be of different times.
        gain, median = one["fastest"] / many["fastest"], one["median"] / many["median"]
        said, holds = f"{gain:.2f}x (fastest rounds; medians {median:.2f}x)", gain >= 1.7
        if jax := [m for n, m in rows.items() if n.startswith("JAX")]:
            ratio = jax[0]["median"] / one["median"]
            said += f"; {ratio:.2f}x faster than JAX, one core each"
        yield name, "1.7x one core on two", said, holds


def first_call(r: Results) -> Iterator[Row]:
    times = r.record["startup_seconds"]
    for what, limit in (("first derivative, cold", 1.5), ("first Jacobian of hand tracking, cold", 5.0)):
        if what in times:
            yield what, f"below {limit:g} s", f"{times[what]:.2f} s", times[what] < limit
    if times:
        above = times["first derivative, disk cache"] - times["cached njit function"]
        yield "first derivative, disk cache", "0.1 s above a cached njit function", f"{above:+.3f} s", above <= 0.1


def linear(r: Results) -> Iterator[Row]:
    from bench.growth import orders
    for name, (time, memory) in orders(r.record.get("growth", [])).items():
        holds = time <= 1.1 and (memory <= 1.1 or math.isnan(memory))
        grows = f"memory ~ work^{memory:.2f}" if memory > 0.0 else "no memory to speak of at any size" if not memory \
            else "memory only at the largest size"
        yield f"growth: {name}", "linear in the work", f"time ~ work^{time:.2f}, {grows}", holds


ROWS = (tutorial, rosenbrock, against("GMM", 3.0, 1.0), against("BA", 8.0, 2.0), against("LSTM", 3.2, None), kernels,
        hessian, overhead, cores, first_call, linear)


def summary(record: dict) -> str:
    """Return the targets and what was measured, as Markdown."""
    results = Results(record)
    lines = [f"Targets and what a run on {record['date']} gave ({record['machine']['processor']}):", "",
             "| workload | target | measured | |", "|---|---|---|---|"]
    for rows in ROWS:
        for workload, target, measured, holds in rows(results):
            lines.append(f"| {workload} | {target} | {measured} | {'holds' if holds else 'missed'} |")
    disagree = [f"{m['workload']}: {m['contestant']}" for m in results.rows if not m["agrees"]]
    lines += ["", "Disagree: " + ("; ".join(disagree) or "none") + "."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(summary(json.loads(Path(sys.argv[1]).read_text())))
