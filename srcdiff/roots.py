"""The derivative of a root, by the implicit function theorem.

A statement ``x = implicit(y, p, q, ..., of=Root(G))`` says that the value `y`,
however it was found, is a root: G(y, p, q, ...) = 0.  Its value is `y`; its
derivative has nothing to do with how `y` was found ::

    tangent    G_x dx = -(G_p dp + G_q dq)
    adjoint    G_x^T w = -x_bar,   p_bar += G_p^T w,   q_bar += G_q^T w

The statements that say so read `x` itself, so they can be differentiated again,
to any order.  Where no more derivatives are taken, `found` replaces the
statement by a copy of `y`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from srcdiff.assemble import keep
from srcdiff.builder import Builder
from srcdiff.forward import tangent
from srcdiff.jacobians import forward_jacobian
from srcdiff.primitives import PRIMITIVES, Primitive
from srcdiff.reverse import adjoint
from srcdiff.rules import RULES, Rule
from srcdiff.rules.emission import settle
from srcdiff.rules.rule import Choice
from srcdiff.syntax import Array, Assign, Atom, Const, Program, Var, blocks_of, rename, walk, with_blocks

__all__ = ["Root", "found", "spliced"]


@dataclass(frozen=True, repr=False)
class Root(Rule):
    """The rule of a root of ``equation(x, p, q, ...) = 0``.

    Attributes
    ----------
    equation
        One result, shaped like its first parameter: a number, or an array of one axis.
    """

    equation: Program

    def tangent(self, builder, stmt, tangents):
        known = {i: atom for i, atom in tangents.items() if i}
        if not known:
            return builder.zeros(builder.types[stmt.target], builder.extents(stmt.target))
        names = tuple(self.equation.params[i].name for i in sorted(known))
        along = keep(tangent(self.equation, names), [1])
        given = (settle(builder, known[i], self.equation.params[i].type) for i in sorted(known))
        (moved,) = spliced(builder, along, (*self.point(stmt), *given))
        dx = self.solved(builder, stmt, moved, transposed=False)
        return settle(builder, dx, builder.types[stmt.target])

    def adjoint(self, builder, stmt, g, wanted, extents):
        positions = [i for i in sorted(wanted) if i]
        if not positions:
            return {}
        names = tuple(self.equation.params[i].name for i in positions)
        weight = self.solved(builder, stmt, g, transposed=True)
        backward = adjoint(self.equation, names, outputs=(0,))
        weight = settle(builder, weight, backward.params[-1].type)
        found = spliced(builder, keep(backward, range(1, 1 + len(names))), (*self.point(stmt), weight))
        return {i: settle(builder, atom, builder.type_of(stmt.args[i]))
                for i, atom in zip(positions, found, strict=True)}

    def needs(self, stmt, wanted):
        return {"ans", *(i for i, a in enumerate(stmt.args) if i and not isinstance(a, Const))}

    def point(self, stmt: Assign) -> tuple[Atom, ...]:
        """Return the values at which the equation is linearized."""
        return (Var(stmt.target), *stmt.args[1:])

    def solved(self, builder: Builder, stmt: Assign, right: Atom, transposed: bool) -> Atom:
        """Write the solution of -G_x z = right, or of its transpose."""
        x = self.equation.params[0]
        slope = keep(forward_jacobian(self.equation, (x.name,), (0,)), [1])
        (slope,) = spliced(builder, slope, self.point(stmt))
        if not isinstance(x.type, Array):
            return builder.op("negative", builder.op("divide", right, slope))
        if transposed:
            slope = builder.op("transpose", slope, perm=(1, 0))
        return builder.op("negative", builder.op("solve", slope, right))


def spliced(builder: Builder, program: Program, operands) -> list[Atom]:
    """Append the statements of a program under fresh names; return its results."""
    names = {}
    for param, atom in zip(program.params, operands, strict=True):
        names[param.name] = (builder.op("copy", atom) if isinstance(atom, Const) else atom).name
    for name, type_ in program.types.items():
        if name not in names:
            names[name] = builder.fresh(name, type_)
    builder.append(*rename(program.body, names))
    return [Var(names[a.name]) if isinstance(a, Var) else a for a in program.results]


def found(program: Program) -> Program:
    """Replace each root by the value that was found: all derivatives have been taken."""
    def block(body):
        return tuple(with_blocks(one(stmt), [*map(block, blocks_of(stmt))]) for stmt in body)

    def one(stmt):
        if isinstance(stmt, Assign) and stmt.op == "implicit":
            return replace(stmt, op="copy", args=stmt.args[:1], static=())
        return stmt

    if not any(isinstance(s, Assign) and s.op == "implicit" for s in walk(program.body)):
        return program
    return program.with_body(block(program.body))


def _value(y, *parameters, of):
    return y.copy() if hasattr(y, "copy") else y


PRIMITIVES.own["implicit"] = Primitive("implicit", "structural", _value)
RULES.own["implicit"] = Choice(lambda stmt: stmt.keywords["of"])
