"""The tangent transform: forward mode, line by line beside the primal.

For y = f(x) the tangent program computes y and y_dot = f'(x) x_dot.  Each
active variable ``x`` gets a tangent ``x_dot`` of its own type; a statement on
inactive values gets none.  See Griewank & Walther, chapter 3.1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from srcdiff.analysis.activity import active_variables
from srcdiff.builder import Builder
from srcdiff.rules import RULES
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    Load,
    Param,
    Program,
    Store,
    Var,
    blocks_of,
    is_float,
    with_blocks,
)

__all__ = ["tangent"]

ZERO = Const(0.0)


def tangent(program: Program, active: tuple[str, ...],
            seed: Literal["param", "identity"] = "param") -> Program:
    """Return the program that computes the results and their tangents.

    Parameters
    ----------
    program
        The primal.
    active
        The parameters with respect to which to differentiate.
    seed
        "param": a parameter ``x_dot``, shaped like ``x``, for each active one,
        after the primal parameters.  "identity": the tangents are ``seed``
        statements, to be given a direction axis by `srcdiff.vectorize`.

    Returns
    -------
    Program
        Its results are those of `program`, then one tangent for each of them;
        the tangent of an integer or bool is a zero of its own type.
    """
    outputs = [a.name for a in program.results if isinstance(a, Var)]
    carriers = active_variables(program, active, outputs)
    writer = _Tangent(program, carriers)
    params = writer.seeds(active, seed)
    writer.block(program.body)
    tangents = tuple(writer.result_tangent(a) for a in program.results)
    return replace(program, name=f"{program.name}_tangent", params=program.params + params,
                   body=writer.builder.take(), results=program.results + tangents,
                   types=writer.builder.types, tree=None)


class _Tangent:
    def __init__(self, program: Program, carriers: frozenset[str]):
        self.program = program
        self.builder = Builder(program.types)
        self.dot = {name: self.builder.fresh(f"{name}_dot", type_)
                    for name, type_ in program.types.items() if name in carriers}

    def seeds(self, active, seed) -> tuple[Param, ...]:
        """Declare the tangents of the active parameters, used or not."""
        params = []
        for name in active:
            type_ = self.program.types[name]
            dot = self.dot.get(name) or self.builder.fresh(f"{name}_dot", type_)
            if seed == "param":
                params.append(Param(dot, type_, like=name))
            elif name in self.dot:
                self.builder.assign(dot, "seed", *self.builder.extents(name), dtype=type_.dtype)
        return tuple(params)

    def tangents(self, args) -> dict[int, Atom]:
        return {i: Var(self.dot[a.name]) for i, a in enumerate(args)
                if isinstance(a, Var) and a.name in self.dot}

    def block(self, body) -> None:
        for stmt in body:
            with self.builder.at(stmt.where):
                match stmt:
                    case Assign() if stmt.target in self.dot:
                        self.assign(stmt)
                    case Load(target=target) if target in self.dot:
                        self.load(stmt)
                    case Store(array=array) if array in self.dot:
                        self.store(stmt)
                    case _:
                        self.builder.append(with_blocks(stmt, [*map(self.nested, blocks_of(stmt))]))

    def nested(self, body):
        with self.builder.nested() as block:
            self.block(body)
        return block

    def assign(self, stmt: Assign) -> None:
        """Write the tangent beside the primal, reading the operands before they change."""
        dot, tangents = self.dot[stmt.target], self.tangents(stmt.args)
        rule = RULES.get(stmt.op)
        if not tangents or rule is None or rule.zero:
            self.builder.append(stmt)
            self.zero(dot, stmt)
        elif Var(stmt.target) not in stmt.args:
            self.builder.append(stmt)
            self.settle(dot, rule.tangent(self.builder, stmt, tangents))
        elif "ans" not in rule.needs(stmt, set(tangents)):
            # y = op(y, b): the tangent reads the old y, so it comes first.
            self.settle(dot, rule.tangent(self.builder, stmt, tangents))
            self.builder.append(stmt)
        else:
            answer = self.builder.fresh(f"{stmt.target}_new", self.program.types[stmt.target])
            moved = replace(stmt, target=answer)
            self.builder.append(moved)
            self.settle(dot, rule.tangent(self.builder, moved, tangents))
            self.builder.copy(stmt.target, Var(answer))

    def settle(self, name: str, atom: Atom) -> None:
        """Give the tangent just computed its name, renaming the last statement if it can be."""
        block, types = self.builder.block, self.builder.types
        last = block[-1] if block else None
        if (isinstance(atom, Var) and isinstance(last, Assign | Load) and last.target == atom.name
                and atom.name not in self.program.types and atom.name not in self.dot.values()
                and types[atom.name].ndim == types[name].ndim
                and types[atom.name].dtype == types[name].dtype):
            del types[atom.name]
            block[-1] = replace(last, target=name)
        else:
            self.builder.copy(name, atom)

    def zero(self, dot: str, stmt: Assign) -> None:
        """Write a zero tangent for a variable that is active elsewhere."""
        type_ = self.builder.types[dot]
        if not isinstance(type_, Array):
            self.builder.copy(dot, ZERO)
            return
        extents = stmt.args if stmt.op in ("zeros", "empty") else self.builder.extents(stmt.target)
        self.builder.assign(dot, "zeros", *extents, dtype=type_.dtype)

    def load(self, stmt: Load) -> None:
        dot = self.dot[stmt.target]
        if stmt.array in self.dot:
            tangent_ = replace(stmt, target=dot, array=self.dot[stmt.array])
            reads_itself = Var(stmt.target) in stmt.index or stmt.target == stmt.array
            self.builder.append(*((tangent_, stmt) if reads_itself else (stmt, tangent_)))
        else:
            self.builder.append(stmt)
            type_ = self.builder.types[dot]
            if isinstance(type_, Array):
                self.builder.assign(dot, "zeros", *self.builder.extents(stmt.target),
                                    dtype=type_.dtype)
            else:
                self.builder.copy(dot, ZERO)

    def store(self, stmt: Store) -> None:
        value = stmt.value
        moves = isinstance(value, Var) and value.name in self.dot
        self.builder.append(stmt)
        if moves or not stmt.accumulate:
            new = Var(self.dot[value.name]) if moves else ZERO
            self.builder.append(replace(stmt, array=self.dot[stmt.array], value=new))

    def result_tangent(self, atom: Atom) -> Atom:
        if isinstance(atom, Var) and atom.name in self.dot:
            return Var(self.dot[atom.name])
        type_ = self.builder.type_of(atom)
        if isinstance(type_, Array):
            return self.builder.op("zeros", *self.builder.extents(atom.name),
                                   stem=f"{atom.name}_dot", dtype=type_.dtype)
        if is_float(type_):
            return ZERO
        return Const(False) if type_.dtype == "bool" else Const(0)
