"""What a program costs to run, estimated from its statements and the extents of its arguments.

>>> from srcdiff.notation import read
>>> program = read('''
... def f(x: "float64[:]", k: "weak int64"):
...     y = exp(x)
...     for i in range(0, k, 1):
...         y = multiply(y, x)
...     return y
... ''')
>>> estimate(program, [(100,), ()], {"k": 3})
Cost(operations=1800.0, unknown=0, results=100.0)

A unit is one multiplication of two numbers that are in a cache.  A statement
costs its weight times the elements that it makes, a loop its body times its
iterations.  What the arguments do not tell (the iterations of a `while`, an
extent that depends on data) counts once, and is counted in `unknown`; of two
branches the dearer one counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srcdiff.analysis.shapes import Extent, Root, Shapes
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Assign, Const, For, If, Load, Program, Raise, Span, Store, Var, While

__all__ = ["Cost", "estimate"]

EXPENSIVE = {"divide": 4, "quotient": 4, "reciprocal": 4, "sqrt": 5, "root_of_squares": 5,
             "remainder": 5, "floor_divide": 5, "fmod": 5}
FUNCTIONS = ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arc", "erf", "power", "cbrt", "gamma",
             "hypot", "polygamma")
FUNCTION = 15                   # a function of `math`
FREE = ("size", "trips", "copy", "weaken", "stop_gradient", "expand_dims", "squeeze", "reshape", "empty")


@dataclass(frozen=True)
class Cost:
    """A number of operations, and of numbers in the results; `unknown` counts the extents and iterations that had to be guessed."""

    operations: float
    unknown: int = 0
    results: float = 0.0


def estimate(program: Program, shapes: Sequence[tuple[int, ...]], values: Mapping[str, int]) -> Cost:
    """Return the estimated cost of an unlowered program.

    Parameters
    ----------
    shapes
        Of each parameter; ``()`` for a number.
    values
        Of the parameters that are integers, as far as they are known.
    """
    counter = _Counter(program, shapes, values)
    operations, unknown = float(counter.block(program.body)), len(counter.unknown)
    return Cost(operations, unknown, float(sum(counter.elements(a.name) if isinstance(a, Var) else 1 for a in program.results)))


class _Counter:
    def __init__(self, program: Program, shapes, values):
        self.program, self.types = program, program.types
        self.shapes = Shapes(program)
        self.given = {p.name: shape for p, shape in zip(program.params, shapes, strict=True)}
        self.values: dict[str, float] = dict(values)
        self.unknown: dict[object, None] = {}
        self.chosen = {name for name, type_ in self.types.items() if not type_.ndim and type_.dtype == "int64"}

    # -- integers -----------------------------------------------------------------------------

    def number(self, extent: Extent | None) -> float:
        """Return the number that an extent is; 1 for one that is not known."""
        if extent is None:
            return self.guess(None)
        return extent.constant + sum(k * self.root(self.shapes.roots[n]) for n, k in extent.terms)

    def guess(self, what) -> float:
        self.unknown[what] = None
        return 1

    def root(self, root: Root) -> float:
        match root.kind, root.key:
            case "extent", (name, axis) if name in self.given and axis < len(self.given[name]):
                return self.given[name][axis]
            case "value", (name, *_) if name in self.values:
                return self.values[name]
            case "broadcast" | "maximum", parts:
                return max(map(self.number, parts))
            case "minimum", parts:
                return min(map(self.number, parts))
            case "product", parts:
                return math.prod(map(self.number, parts))
            case "atleast0", (part,):
                return max(self.number(part), 0)
            case "sum", (a, k, b):
                return self.number(a) + self.number(k) * self.number(b)
            case "floor_divide", (a, b):
                return self.number(a) // (self.number(b) or 1)
            case "trips", bounds:
                return trips(*map(self.number, bounds))
            case "span", (n, *bounds):
                return self.span(self.number(n), bounds)
        return self.guess(root)

    def span(self, n: float, bounds) -> float:
        start, stop, step = (None if b is None else int(self.number(b)) for b in bounds)
        return len(range(*slice(start, stop, step or None).indices(max(int(n), 0))))

    def elements(self, name: str) -> float:
        return math.prod(max(self.number(e), 0) for e in self.shapes.extents(name))

    def integer(self, atom) -> float:
        if isinstance(atom, Var) and atom.name in self.values:
            return self.values[atom.name]
        return self.number(self.shapes.value(atom))

    # -- statements -----------------------------------------------------------------------------

    def block(self, body) -> float:
        return sum(map(self.statement, body))

    def statement(self, stmt) -> float:
        match stmt:
            case Assign(target=name, op="where") if name in self.chosen:
                self.values[name] = max(map(self.integer, stmt.args[1:]))       # an axis that may be stretched
                return 1
            case Assign():
                return self.operation(stmt)
            case Load(target=name):
                return self.elements(name)
            case Store(index=index, value=value, array=array):
                return self.region(array, index) if any(isinstance(i, Span) for i in index) \
                    else self.elements(value.name) if isinstance(value, Var) else 1
            case For(var=var, start=start, stop=stop, step=step, body=body):
                bounds = [self.integer(a) for a in (start, stop, step)]
                count = trips(*bounds)
                self.values[var] = bounds[0] + (count - 1) / 2 * bounds[2]      # the mean stands for all
                return count * self.block(body)
            case While(test=test, body=body):
                self.guess(stmt.condition)
                return self.block(test) + self.block(body)
            case If(then=then, orelse=orelse):
                if then and isinstance(then[-1], Raise):
                    return self.block(orelse)
                return max(self.block(then), self.block(orelse))
        return 0

    def region(self, array: str, index) -> float:
        extents = self.shapes.extents(array)
        if len(index) != len(extents):
            return self.elements(array)
        sizes = [self.span(self.number(e), (i.start and self.shapes.value(i.start),
                                            i.stop and self.shapes.value(i.stop),
                                            i.step and self.shapes.value(i.step)))
                 if isinstance(i, Span) else self.elements(i.name) if isinstance(i, Var) else 1
                 for e, i in zip(extents, index, strict=True)]
        return math.prod(sizes)

    def operation(self, stmt: Assign) -> float:
        kind, op = PRIMITIVES[stmt.op].kind, stmt.op
        if op in FREE:
            return 0
        operands = max((self.elements(a.name) for a in stmt.args if isinstance(a, Var)), default=1)
        made = self.elements(stmt.target)
        if op == "matmul":
            left = stmt.args[0]
            inner = self.number(self.shapes.extents(left.name)[-1])
            return made * inner
        if kind == "contraction":
            return operands ** 1.5 + made           # n x n: n^3
        if op == "power" and isinstance(exponent := stmt.args[1], Const) and exponent.value in (-2, -1, 2, 3, 4):
            return 2 * made
        if kind == "elementwise":
            return made * (FUNCTION if op.startswith(FUNCTIONS) else EXPENSIVE.get(op, 1))
        return max(made, operands)


def trips(start: float, stop: float, step: float) -> float:
    """Return how often a loop runs; the bounds may be means."""
    return max(0.0, math.ceil((stop - start) / step)) if step else 0.0
