"""Rules: both modes, and what they read, derived from one differential.

`Rule` is the contract; `Row` derives everything from an `Expression`, `Moves`
from the operation itself where it is linear in its first operand, `Zero` says
that the derivative vanishes, `Choice` picks a rule by the statement.

Shapes
------
A tangent is shaped like the answer, a contribution like its operand.  Equal
rank does not prove equal extents (an extent may be 1 at run time), so an
elementwise rule broadcasts or sums whenever ranks leave a doubt; the optimizer
removes what symbolic shapes prove needless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from srcdiff.builder import Builder
from srcdiff.errors import Problem, UnsupportedError
from srcdiff.primitives import PRIMITIVES
from srcdiff.rules.emission import ANS, Emission, settle
from srcdiff.rules.expression import (
    Apply,
    Differential,
    Expression,
    Operand,
    differentials,
    is_pointwise,
    reads,
)
from srcdiff.rules.transposes import TRANSPOSES
from srcdiff.syntax import Array, Assign, Atom, Const, Var, is_complex

__all__ = ["Choice", "Moves", "Row", "Rule", "Zero", "answer_extents", "as_operand"]

Extents = Callable[[int], tuple[Atom, ...]]


class Rule:
    """The derivative of one operation.

    `tangent` emits d(ans) from the tangents of some operands; `adjoint` emits
    the contribution of the cotangent `g` to each wanted operand, leaving out
    those that are zero; `needs` tells whose values these read.  A returned atom
    may be one of those given.
    """

    zero = False
    samples: tuple[Callable, ...] = ()

    def tangent(self, builder: Builder, stmt: Assign, tangents: dict[int, Atom]) -> Atom:
        raise NotImplementedError

    def adjoint(self, builder: Builder, stmt: Assign, g: Atom, wanted: set[int],
                extents: Extents) -> dict[int, Atom]:
        raise NotImplementedError

    def needs(self, stmt: Assign, wanted: set[int]) -> set:
        raise NotImplementedError


@dataclass(frozen=True)
class Zero(Rule):
    """A derivative that is zero wherever it exists, by declaration."""

    zero = True

    def tangent(self, builder, stmt, tangents):
        type_ = builder.types[stmt.target]
        return builder.zeros(type_, builder.extents(stmt.target))

    def adjoint(self, builder, stmt, g, wanted, extents):
        return {}

    def needs(self, stmt, wanted):
        return set()


@dataclass(frozen=True)
class Row(Rule):
    """A rule given by its differential."""

    expression: Expression
    samples: tuple[Callable, ...] = ()

    def tangent(self, builder, stmt, tangents):
        _permitted(builder, stmt)
        emission = Emission(builder, stmt, lambda i: _extents_of(builder, stmt.args[i]), self.defaults)
        for i, tangent in tangents.items():
            emission.shaped_like(tangent, i)
        result = emission.linear(self.node(stmt), tangents)
        if result is None:
            return builder.zeros(builder.types[stmt.target], builder.extents(stmt.target))
        return _as_answer(emission, result)

    def adjoint(self, builder, stmt, g, wanted, extents):
        _permitted(builder, stmt)
        emission = Emission(builder, stmt, extents, self.defaults)
        terms: dict[int, list[Atom]] = {i: [] for i in sorted(wanted)}
        pull_back(emission, self.node(stmt), g, terms)
        return {i: as_operand(emission, i, parts) for i, parts in terms.items() if parts}

    def needs(self, stmt, wanted):
        found = reads(self.node(stmt), frozenset(wanted))
        return {i for i in found if i == ANS or not isinstance(stmt.args[i], Const)}

    def node(self, stmt: Assign):
        """Return the differential for this statement."""
        return self.expression.node

    @property
    def defaults(self) -> dict[str, object]:
        return self.expression.static if self.expression else {}


@dataclass(frozen=True)
class Moves(Row):
    """A rule for an operation that is linear in its first operand: the operation itself.

    d op(x, *rest) = op(dx, *rest), with the static keywords of the statement.
    """

    expression: Expression = None

    def node(self, stmt):
        rest = tuple(map(Operand, range(1, len(stmt.args))))
        return Apply(stmt.op, (Differential(0), *rest), stmt.static)


@dataclass(frozen=True)
class Choice(Rule):
    """A rule that depends on the statement, such as a power by its exponent."""

    choose: Callable[[Assign], Rule]
    samples: tuple[Callable, ...] = ()

    def tangent(self, builder, stmt, tangents):
        return self.choose(stmt).tangent(builder, stmt, tangents)

    def adjoint(self, builder, stmt, g, wanted, extents):
        return self.choose(stmt).adjoint(builder, stmt, g, wanted, extents)

    def needs(self, stmt, wanted):
        return self.choose(stmt).needs(stmt, wanted)


# -- reverse: from the cotangent of an expression to those of its differentials -------

def pull_back(emission: Emission, node, g: Atom, terms: dict[int, list[Atom]]) -> None:
    """Add to `terms` what the cotangent `g` of a linear expression gives each differential.

    Every linear function has its transpose; those that act on each element by
    itself are their own.
    """
    wanted = [i for i in terms if i in differentials(node)]
    if not wanted:
        return
    if isinstance(node, Differential):
        terms[node.position].append(g)
    elif node.function == "where" and is_pointwise(node):
        # Each element reaches one branch: as one expression per differential
        # this is shorter than masks handed down.
        for i in wanted:
            terms[i].append(emission.linear(node, {i: g}))
    elif node.function == "where":
        condition, zero = emission.value(node.args[0]), Const(0.0)
        for branch, args in zip(node.args[1:], ((g, zero), (zero, g)), strict=True):
            if any(i in differentials(branch) for i in wanted):
                pull_back(emission, branch, emission.op("where", condition, *args), terms)
    elif node.function in ("add", "subtract"):
        left, right = node.args
        pull_back(emission, left, g, terms)
        if node.function == "subtract" and any(i in differentials(right) for i in wanted):
            g = emission.op("negative", g)
        pull_back(emission, right, g, terms)
    else:
        position = next(i for i, arg in enumerate(node.args) if differentials(arg))
        if transpose := TRANSPOSES.get((node.function, position)):
            values = [None if i == position else emission.value(a) for i, a in enumerate(node.args)]
            g = transpose(emission, g, values, shape_of(node.args[position]), **emission.keywords(node))
        else:
            values = [g if i == position else emission.value(a) for i, a in enumerate(node.args)]
            g = emission.apply_to_differential(node.function, *values, **emission.keywords(node))
        pull_back(emission, node.args[position], g, terms)


def shape_of(node) -> int:
    """Return the operand that a linear argument is shaped like: the one of its differential."""
    return min(differentials(node))


# -- shapes and dtypes of what a rule returns -------------------------------------------

def _permitted(builder: Builder, stmt: Assign) -> None:
    """Refuse an operation on complex numbers that is not proved right for them."""
    types = [builder.types[stmt.target], *map(builder.type_of, stmt.args)]
    if any(map(is_complex, types)) and not PRIMITIVES[stmt.op].on_complex:
        raise UnsupportedError(Problem(
            "SD0232", f"no derivative of {stmt.op} is known for complex numbers", stmt.where,
            "its rule is that of a real function", "separate real and imaginary parts"))


def _extents_of(builder: Builder, atom: Atom) -> tuple[Atom, ...]:
    return builder.extents(atom.name) if isinstance(atom, Var) else ()


def _arrays(emission: Emission) -> list[int]:
    return [i for i in range(len(emission.stmt.args)) if isinstance(emission.operand(i), Array)]


def _as_answer(emission: Emission, tangent: Atom) -> Atom:
    """Give a tangent the extents and the dtype of the answer."""
    builder, target = emission.builder, emission.stmt.target
    type_ = builder.types[target]
    if isinstance(type_, Array) and PRIMITIVES[emission.stmt.op].kind == "elementwise":
        shape = emission.shape(tangent)
        if ANS not in shape and not shape.issuperset(_arrays(emission)):
            tangent = builder.op("broadcast_to", tangent, *answer_extents(emission))
    return settle(builder, tangent, type_)


def answer_extents(emission: Emission) -> tuple[Atom, ...]:
    """Emit the extents of the answer; from the operands where it takes the name of one of them.

    In ``x = x + y`` the tangent is computed before the new x is there.
    """
    builder, stmt = emission.builder, emission.stmt
    if Var(stmt.target) not in stmt.args:
        return builder.extents(stmt.target)
    total: list[Atom] = [Const(1)] * builder.types[stmt.target].ndim
    for i in _arrays(emission):
        sizes = emission.extents(i)
        for axis, n in enumerate(sizes, start=len(total) - len(sizes)):
            one = emission.op("equal", total[axis], Const(1))
            total[axis] = emission.op("where", one, n, total[axis])
    return tuple(total)


def as_operand(emission: Emission, position: int, parts: list[Atom]) -> Atom:
    """Add the terms of a contribution; give it the extents and the dtype of its operand."""
    total = parts[0]
    for part in parts[1:]:
        total = emission.op("add", total, part)
    if PRIMITIVES[emission.stmt.op].kind == "elementwise":
        total = _unbroadcast(emission, position, total)
    return settle(emission.builder, total, emission.operand(position))


def _unbroadcast(emission: Emission, position: int, total: Atom) -> Atom:
    if not isinstance(emission.builder.types[emission.stmt.target], Array):
        return total
    if not isinstance(emission.operand(position), Array):
        return emission.op("sum_to", total)
    others = {emission.stmt.args[i] for i in _arrays(emission)}
    if len(others) == 1:
        return total
    return emission.op("sum_to", total, *emission.extents(position))
