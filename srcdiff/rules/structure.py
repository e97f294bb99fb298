"""Rules of the operations that move values and of those that make arrays."""

from __future__ import annotations

from dataclasses import dataclass

from srcdiff.rules.emission import settle
from srcdiff.rules.rule import Rule
from srcdiff.rules.table import moves, rule, zero
from srcdiff.syntax import ALL, Array, Const, Span

moves("transpose", "reshape", "expand_dims", "squeeze", "broadcast_to", "sum_to", "cumsum", "take")
moves("tape_grow")
zero("zeros", "empty", "unset", "eye", "arange", "seed", "size", "trips")
zero("segment_length", "segment_within", "next_checkpoint")


@dataclass(frozen=True)
class Concatenate(Rule):
    """d concatenate(x, y, ...) = concatenate(dx, dy, ...); in reverse each operand receives its slice."""

    def tangent(self, builder, stmt, tangents):
        def part(i, x):
            if i in tangents:
                return tangents[i]
            return builder.zeros(builder.type_of(x), builder.extents(x.name))
        parts = [part(i, x) for i, x in enumerate(stmt.args)]
        return settle(builder, builder.op(stmt.op, *parts, **stmt.keywords), builder.types[stmt.target])

    def adjoint(self, builder, stmt, g, wanted, extents):
        axis, ndim = stmt.keywords["axis"], builder.type_of(g).ndim
        found, start = {}, Const(0)
        for i, x in enumerate(stmt.args):
            if not any(j >= i for j in wanted):
                break
            length = extents(i)[axis]
            stop = length if start == Const(0) else builder.op("add", start, length)
            if i in wanted:
                index = [ALL] * ndim
                index[axis] = Span(start, stop)
                found[i] = settle(builder, builder.load(g.name, index), builder.type_of(x))
            start = stop
        return found

    def needs(self, stmt, wanted):
        return set()


@dataclass(frozen=True)
class Create(Rule):
    """d array(x, y, ...) = array(dx, dy, ...); in reverse each number receives its element."""

    def tangent(self, builder, stmt, tangents):
        parts = (tangents.get(i, Const(0.0)) for i in range(len(stmt.args)))
        return builder.op(stmt.op, *parts, **stmt.keywords)

    def adjoint(self, builder, stmt, g, wanted, extents):
        shape, found = stmt.keywords["shape"], {}
        for i in sorted(wanted):
            index, rest = [], i
            for n in reversed(shape):
                rest, at = divmod(rest, n)
                index.insert(0, Const(at))
            found[i] = settle(builder, builder.load(g.name, index), builder.type_of(stmt.args[i]))
        return found

    def needs(self, stmt, wanted):
        return set()


@dataclass(frozen=True)
class Fill(Rule):
    """d full(x, *extents) = full(dx, *extents); in reverse the number receives the sum."""

    def tangent(self, builder, stmt, tangents):
        if 0 not in tangents:
            return builder.zeros(builder.types[stmt.target], stmt.args[1:])
        return builder.op(stmt.op, tangents[0], *stmt.args[1:], **stmt.keywords)

    def adjoint(self, builder, stmt, g, wanted, extents):
        if 0 not in wanted:
            return {}
        total = builder.op("sum_to", g) if isinstance(builder.type_of(g), Array) else g
        return {0: settle(builder, total, builder.type_of(stmt.args[0]))}

    def needs(self, stmt, wanted):
        return set()


rule("concatenate", Concatenate())
rule("array", Create())
rule("full", Fill())
