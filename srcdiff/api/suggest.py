"""`sd.suggest(f, *args)`: which mode and which composition, why, and what it is expected to cost."""

from __future__ import annotations

from dataclasses import dataclass

from srcdiff.analysis.cost import Cost
from srcdiff.api.costs import call_cost
from srcdiff.api.differentiate import as_function
from srcdiff.api.function import Function
from srcdiff.api.recipes import Jacobian
from srcdiff.api.transforms import selected
from srcdiff.errors import SrcdiffError

__all__ = ["Candidate", "Suggestion", "suggest"]

SECOND = {"forward over reverse": ("reverse", "forward"), "forward over forward": ("forward", "forward"),
          "reverse over forward": ("forward", "reverse")}


@dataclass(frozen=True)
class Candidate:
    """One way to a derivative: its name, its function, and its cost or why it is refused."""

    name: str
    function: Function
    cost: Cost | None
    refused: str = ""


@dataclass(frozen=True)
class Suggestion:
    """What `suggest` found; its text is for reading.

    Attributes
    ----------
    value
        The cost of the function itself.
    first, second
        The ways to the Jacobian (the gradient of a function of one number) and
        to the Hessian, cheapest first.
    """

    name: str
    value: Cost
    first: tuple[Candidate, ...]
    second: tuple[Candidate, ...]

    @property
    def jacobian(self) -> str:
        """The name of the cheapest mode."""
        return self.first[0].name

    @property
    def hessian(self) -> str:
        """The name of the cheapest composition."""
        return self.second[0].name

    def __str__(self):
        lines = [f"{self.name}: about {self.value.operations:.2g} operations"]
        for title, candidates in (("Jacobian", self.first), ("Hessian", self.second)):
            lines += self._lines(title, candidates)
        costs = [c.cost for c in (*self.first, *self.second) if c.cost]
        if any(c.unknown for c in (self.value, *costs)):
            lines.append("Iterations that depend on data (while loops, data-dependent extents) count once.")
        return "\n".join(lines)

    def _lines(self, title, candidates):
        best = candidates[0]
        if best.cost is None:
            return [f"{title}: refused ({best.refused})"]
        lines = [f"{title}: {best.name}, {self._text(best.cost)}"]
        for other in candidates[1:]:
            lines.append(f"    {other.name}: " + (self._text(other.cost, best.cost) if other.cost else
                                                  f"refused ({other.refused})"))
        return lines

    def _text(self, cost: Cost, best: Cost | None = None) -> str:
        times = cost.operations / max(self.value.operations, 1)
        text = f"about {cost.operations:.2g} operations, {times:.2g} times the function"
        more = cost.operations / max(best.operations, 1) if best else 1
        return text + (f", {more:.2g} times the best" if more >= 1.1 else ", about the same" if best else "")


def suggest(f, *args, argnums=0, **keywords) -> Suggestion:
    """Say which mode and composition fit `f` at arguments of these shapes, why, and at what cost.

    Nothing is compiled: the costs are counted in the generated programs, with
    the extents and integers of the arguments.

    Examples
    --------
    >>> import numpy as np, srcdiff as sd
    >>> def f(x): return np.sum(np.sin(x) * x[::-1])
    >>> sd.suggest(f, np.ones(50)).jacobian
    'reverse'
    """
    function = as_function(f)
    argnums = selected(argnums, None)
    first = [_candidate(mode, function.derive(Jacobian(mode, argnums)), args, keywords)
             for mode in ("reverse", "forward")]
    second = [_candidate(name, function.derive(Jacobian(inner, argnums)).derive(Jacobian(outer, argnums)),
                         args, keywords) for name, (inner, outer) in SECOND.items()]
    return Suggestion(function.__name__, call_cost(function, args, keywords), _ranked(first), _ranked(second))


def _candidate(name: str, function: Function, args, keywords) -> Candidate:
    try:
        return Candidate(name, function, call_cost(function, args, keywords))
    except SrcdiffError as error:
        return Candidate(name, function, None, error.problems[0].what)


def _ranked(candidates) -> tuple[Candidate, ...]:
    """Cheapest first; the order stays where costs are equal."""
    return tuple(sorted(candidates, key=lambda c: c.cost.operations if c.cost else float("inf")))
