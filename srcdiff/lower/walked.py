"""A walk along a program that knows its integers, and writes the program anew: for passes that move accesses."""

from __future__ import annotations

from dataclasses import replace

from srcdiff.analysis.inequalities import at_most
from srcdiff.analysis.integers import Integers
from srcdiff.builder import Builder
from srcdiff.syntax import Const, For, If, Load, Program, Raise, Store, Var, While, blocks_of, with_blocks

__all__ = ["Walked"]


class Walked:
    """Writes each statement to `builder`; `integers` are known at the place that the walk has come to.

    What becomes of a loop is for subclasses to say.
    """

    def __init__(self, program: Program):
        self.program, self.builder = program, Builder(program.types)
        self.integers = Integers(program)
        self.integers.types = self.builder.types    # which grow

    def loop(self, stmt: For) -> None:
        raise NotImplementedError

    def block(self, body) -> None:
        for stmt in body:
            match stmt:
                case For():
                    self.loop(stmt)
                case While() | If():
                    self.nested(stmt)
                case _:
                    self.simple(stmt)

    def entered(self, stmt: For) -> None:
        """Write a loop as it is, with its body walked."""
        integers, limits, place = self.integers, self.integers.bounds(stmt), self.integers.here()
        integers.meet(stmt.body)
        integers.enter_loop(stmt, limits)
        body = self.inside(stmt.body)
        integers.back(place)
        self.builder.append(replace(stmt, body=body))
        integers.meet(stmt.body)

    def simple(self, stmt) -> None:
        self.builder.append(stmt)
        if isinstance(stmt, Load | Store):
            self.in_range(stmt.array, stmt.index, learn=True)
        self.integers.after(stmt)

    def inside(self, body) -> tuple:
        with self.builder.nested() as block:
            self.block(body)
        return tuple(block)

    def nested(self, stmt: While | If) -> None:
        integers, place, blocks = self.integers, self.integers.here(), []
        if isinstance(stmt, While):
            integers.meet(*blocks_of(stmt))
            place = integers.here()
        for number, block in enumerate(blocks_of(stmt)):
            if isinstance(stmt, If):
                integers.assume_test(stmt.condition, number == 0)
            blocks.append(self.inside(block))
            integers.back(place)
        self.builder.append(with_blocks(stmt, blocks))
        if isinstance(stmt, If) and stmt.then and isinstance(stmt.then[-1], Raise):
            integers.assume_test(stmt.condition, False)
        integers.meet(*blocks_of(stmt))

    # -- what is known of indices -------------------------------------------------------

    def differ(self, index, other) -> bool:
        """Tell whether two indices of an array differ in some axis; neither counts from the end."""
        integers, prove = self.integers, self.integers.facts.prove
        for a, b in zip(index, other, strict=True):
            values = [integers.value(i) if isinstance(i, Var | Const) else None for i in (a, b)]
            if None not in values and all(map(prove, values)) and (
                    prove(at_most(integers, *values, 1)) or prove(at_most(integers, *values[::-1], 1))):
                return True
        return False

    def in_range(self, array: str, index, learn: bool = False) -> bool:
        """Tell whether an index is provably in range here; or learn that it is, as it has been used."""
        integers, proved = self.integers, True
        for axis, item in enumerate(index):
            if not isinstance(item, Var | Const) or self.builder.type_of(item).ndim:
                return False
            value, extent = integers.value(item), integers.extent(array, axis)
            low, high = integers.combine(extent, value), at_most(integers, value, extent, 1)
            if learn:
                integers.facts.learn(low, high)
            else:
                proved = proved and integers.facts.prove(low) and integers.facts.prove(high)
        return proved
