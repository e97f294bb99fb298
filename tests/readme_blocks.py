"""The generated parts of the README: the adjoint on the first screen, the tables, the figures."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from bench.chart import KINDS as KINDS_OF_CONTESTANTS
from bench.chart import best_by_kind
from srcdiff.frontend.fence import ROWS
from srcdiff.primitives import COMPLEX, PRIMITIVES
from srcdiff.rules import RULES

__all__ = ["BLOCKS", "ROOT", "rendered"]

ROOT = Path(__file__).resolve().parents[1]

EXAMPLE = '''
import math

def decay(rate, noise):
    level = 1.0
    total = 0.0
    for i in range(len(noise)):
        level = level * math.exp(-rate * noise[i])
        total += level * level
    return total
'''


def decay_gradient() -> str:
    """Return the generated gradient, without the module header and the docstring."""
    import linecache
    import math

    import numpy as np

    import srcdiff as sd
    name = "decay.py"
    text = EXAMPLE.strip() + "\n"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    namespace = {"math": math, "__name__": "decay"}
    exec(compile(text, name, "exec"), namespace)
    source = sd.grad(namespace["decay"], argnums=0).source(0.5, np.ones(3))
    function = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)][-1]
    lines = source.splitlines()
    first = function.body[1].lineno - 1           # behind the docstring
    while lines[first - 1].strip().startswith("#"):
        first -= 1
    header = lines[function.lineno - 1]
    return "\n".join([header, *lines[first:function.end_lineno]])


def adjoint() -> str:
    function = EXAMPLE.strip().partition("\n\n")[2]
    return "\n".join(["Your function:", "", "```python", function, "```", "",
                      "Its gradient with respect to `rate`, as `sd.grad(decay).source(0.5, noise)` prints it:", "",
                      "```python", decay_gradient(), "```"])


KINDS = {
    "elementwise": "elementwise, with broadcasting", "reduction": "reductions (`axis`, `keepdims`)",
    "contraction": "products and linear algebra", "structural": "structure", "creation": "creation",
}


def understood() -> dict[str, list[str]]:
    """Return the functions and methods that the front end takes, by where they come from."""
    import cmath
    import math

    import numpy as np
    import scipy.special

    from srcdiff.frontend.translate import calls, complex_numbers, library, numpy_calls, numpy_more
    functions = [*calls.HANDLERS, *(c for p in PRIMITIVES.values() for c in p.callables)]
    found = {"in terms of these: `np.`": np, "`np.linalg.`": np.linalg, "`math.`": math, "`cmath.`": cmath,
             "`scipy.special.`": scipy.special}
    rows = {title: sorted({f.__name__ for f in functions if vars(module).get(getattr(f, "__name__", "")) is f})
            for title, module in found.items()}
    methods = {**numpy_calls.METHODS, **complex_numbers.METHODS, **library.METHODS, **numpy_more.METHODS}
    rows["methods of arrays"] = sorted(n for n in methods if not n.startswith("_"))
    return rows


def supported() -> str:
    rows = ["| kind | operations |", "|---|---|"]
    for kind, title in KINDS.items():
        names = [f"`{n}`" for n, p in PRIMITIVES.items() if p.kind == kind and n in RULES and not RULES[n].zero]
        if names:
            rows.append(f"| {title} | {', '.join(names)} |")
    for title, names in understood().items():
        rows.append(f"| {title} | {', '.join(f'`{n}`' for n in names)} |")
    zero = [f"`{n}`" for n, p in PRIMITIVES.items() if p.kind == "elementwise" and RULES[n].zero]
    rows.append(f"| derivative zero, declared | {', '.join(zero)} |")
    between = [f"`{n}`" for n in PRIMITIVES if n in COMPLEX and n in RULES and not RULES[n].zero]
    rows.append(f"| on complex numbers inside real functions | `abs`, `angle`, {', '.join(between)} |")
    return "\n".join(["Everything that NumPy, `math` and Python offer in terms of these operations, on numbers and on arrays of any "
                      "dimension, layout and of dtype float32 or float64:", "", *rows])


def refused() -> str:
    rows = ["| code | what | why | instead |", "|---|---|---|---|"]
    rows += [f"| {row.code} | {row.what} | {row.why} | {row.fix} |".replace("\n", " ") for row in ROWS]
    return "\n".join(rows)


GAUNTLET = {
    "G1": "a variable set before a loop with a run-time bound, read after it",
    "G2": "nested loops, the inner bound depends on the outer index",
    "G3": "`continue` and `break` under a condition on active values",
    "G4": "scalar `*=`, `/=`, `**=` inside a loop",
    "G5": "an array element overwritten after it was read",
    "G6": "`v[i] = v[i] + x` against `v[i] += x`",
    "G7": "the same buffer used twice; `a, b = b, a` in a time loop",
    "G8": "two arguments that are the same array, one of them written",
    "G9": "views (`A[i]`, `x.T`, `x[:, 0]`) written through",
    "G10": "slice assignment from an overlapping slice",
    "G11": "early return from inside a loop; several returns",
    "G12": "`while` with a trip count that depends on active data",
    "G13": "a variable assigned in one branch and used later",
    "G14": "a loop that runs zero times",
    "G15": "indices taken from data, repeated and negative",
    "G16": "division by a loop-carried divisor",
    "G17": "kinks and powers at their edges",
    "G18": "a branch not taken that would give NaN",
    "G19": "an unused value outside its domain",
    "G20": "an argument mutated in place, returned or not",
    "G21": "an argument returned as it is; a constant returned",
    "G22": "integers, flags, and floats turned into indices",
    "G23": "other dtypes, shapes, layouts at the second call",
    "G24": "globals and closure values changed after decoration",
    "G25": "a helper that mutates its argument; recursion",
    "G26": "`a[i] += f(a[j])` where i == j for some data",
    "G27": "`//`, `%`, `round`, `int()`, `floor` of active values",
    "G28": "loops over arrays, `enumerate`, `zip`, `reversed`",
    "G29": "chained and tuple assignment, swaps",
    "G30": "two threads, the first call at once",
}
REFUSED = {"G8": "right; refused at the call where memory is shared and written (SD0319)",
           "G25": "right; recursion is refused with the chain of calls"}


def gauntlet() -> str:
    rows = ["| | case | result |", "|---|---|---|"]
    rows += [f"| {g} | {case} | {REFUSED.get(g, 'right')} |" for g, case in GAUNTLET.items()]
    return "\n".join(rows)


def speed() -> str:
    """Return a table of the newest results in bench/results: the best of each contestant."""
    files = sorted((ROOT / "bench" / "results").glob("20*.json"))
    if not files:
        return "(no results recorded yet)"
    record = json.loads(files[-1].read_text())
    names = list(dict.fromkeys(m["workload"] for m in record["microseconds"]))
    best = {name: best_by_kind(record["microseconds"], name) for name in names}
    kinds = [k for k in KINDS_OF_CONTESTANTS if any(k in row for row in best.values())]
    rows = ["| microseconds, one thread | " + " | ".join(kinds) + " |", "|---|" + "---|" * len(kinds)]
    for name in names:
        cells = [f"{best[name][k]:.3g}" if k in best[name] else "" for k in kinds]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    where = record["machine"]
    rows += ["", f"Medians of one interleaved run on {record['date']}, {where['processor']}, Python {where['python']}, "
             + ", ".join(f"{k} {v}" for k, v in where["versions"].items()) + "."]
    return "\n".join(rows)


def on_gpu(samples: int = 100_000) -> str:
    """Return a table of the newest results of a GPU: batches of this size, the best transform of each package."""
    files = sorted(f for f in (ROOT / "bench" / "results").glob("gpu-*.json") if "simulator" not in f.name)
    record = json.loads(files[-1].read_text())
    kinds = {"srcdiff": "srcdiff", "srcdiff, out=": "srcdiff, out=", "by hand (CUDA)": "a simple kernel by hand", "JAX": "JAX", "torch": "torch.func"}
    rows = [f"| microseconds, {samples:,} samples | " + " | ".join(kinds.values()) + " | of the device's limit |",
            "|---|" + "---|" * (len(kinds) + 1)]
    found = [r for r in record["microseconds"] if r.get("samples") == samples and "median" in r]
    for name, dtype in dict.fromkeys((r["workload"], r["dtype"]) for r in found):
        here = [r for r in found if (r["workload"], r["dtype"]) == (name, dtype)]
        best = {k: min((r for r in here if r["contestant"] == k or r["contestant"].startswith(f"{k}.") or
                        r["contestant"].startswith(f"{k} ")), key=lambda r: r["median"], default=None) for k in kinds}
        cells = [f"{r['median']:,.0f}{'' if r['agrees'] else ' (less exact)'}" if (r := best[k]) else "" for k in kinds]
        share = max(best["srcdiff"][f"of_{limit}_limit"] for limit in ("memory", "arithmetic"))
        rows.append(f"| {name}, {dtype} | " + " | ".join(cells) + f" | {100 * share:.0f} % |")
    where = record["machine"]
    return "\n".join([*rows, "", f"Medians of calls one after another, each waited for, arrays on the device ({record['device']}, "
                      f"{record['date'][:10]}, Python {where['python']}, "
                      + ", ".join(f"{k} {v}" for k, v in where["versions"].items()) + ")."])


BLOCKS = {"adjoint": adjoint, "supported": supported, "refused": refused, "gauntlet": gauntlet, "gpu": on_gpu,
          "speed": speed}


def rendered(text: str) -> str:
    """Return the README with every generated block made anew."""
    for name, make in BLOCKS.items():
        start, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
        head, _, rest = text.partition(start)
        _, _, tail = rest.partition(end)
        text = head + start + make() + "\n" + end + tail
    return text


def executed_blocks(text: str) -> list[str]:
    """Return the Python blocks that are marked as executed."""
    found = []
    for part in text.split("<!-- executed -->\n```python\n")[1:]:
        found.append(part.partition("\n```")[0])
    return found


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(rendered(path.read_text()))
    print("README.md is up to date")
