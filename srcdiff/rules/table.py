"""The words of which the tables of rules are made, and the registry they fill.

``differential("tanh", lambda x, dx, ans: (1 - ans * ans) * dx, on=(real,))``
gives an operation its rule; `on` says where tests sample each operand.
``moves("transpose")`` and ``zero("floor")`` are for operations that are linear
in their first operand, and for those whose derivative vanishes.
"""

from __future__ import annotations

from collections.abc import Callable

from srcdiff.errors import RuleError
from srcdiff.primitives import PRIMITIVES, Table
from srcdiff.rules.expression import parse
from srcdiff.rules.forms import attained, exclusive, quotient
from srcdiff.rules.rule import Choice, Moves, Row, Rule, Zero

__all__ = [
    "RULES", "above", "attained", "choice", "differential", "exclusive", "moves", "pos", "quotient", "real",
    "row", "rule", "unit", "zero",
]

RULES: dict[str, Rule] = Table()


# -- where tests sample an operand: (rng, shape) -> values ------------------------------

def real(rng, shape):
    """Sample the real line."""
    return rng.normal(size=shape)


def pos(rng, shape):
    """Sample positive numbers, well away from 0."""
    return rng.uniform(0.5, 2.0, size=shape)


def unit(rng, shape):
    """Sample the inside of [-1, 1]."""
    return rng.uniform(-0.9, 0.9, size=shape)


def above(rng, shape):
    """Sample numbers above 1."""
    return rng.uniform(1.2, 3.0, size=shape)


# -- rows ---------------------------------------------------------------------------------

def rule(name: str, rule_: Rule) -> None:
    """Register the rule of a primitive."""
    if name not in PRIMITIVES:
        raise RuleError(f"a rule for {name}, which is not a primitive")
    if name in RULES:
        raise RuleError(f"two rules for {name}")
    RULES[name] = rule_


def row(function: Callable, on: tuple[Callable, ...] = ()) -> Row:
    """Return the rule that a lambda spells, without registering it."""
    return Row(parse(function), on)


def differential(name: str, function: Callable, on: tuple[Callable, ...] = ()) -> None:
    """Register the differential of a primitive."""
    rule(name, row(function, on))


def choice(name: str, choose: Callable, on: tuple[Callable, ...] = ()) -> None:
    """Register a primitive whose rule depends on the statement."""
    rule(name, Choice(choose, on))


def moves(*names: str) -> None:
    """Register primitives that are linear in their first operand."""
    for name in names:
        rule(name, Moves(samples=(real,)))


def zero(*names: str) -> None:
    """Register primitives whose derivative is zero wherever it exists."""
    for name in names:
        rule(name, Zero())
