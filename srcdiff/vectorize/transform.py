"""The walk: every statement that depends on the direction is written for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from srcdiff.builder import Builder
from srcdiff.syntax import (
    Assign,
    Atom,
    Load,
    Param,
    Program,
    Stmt,
    Store,
    Type,
    Var,
    blocks_of,
    defined,
    rename,
    walk,
    with_blocks,
)
from srcdiff.vectorize import access
from srcdiff.vectorize.axis import Directions, Operand, lifted
from srcdiff.vectorize.batch import batch
from srcdiff.vectorize.spread import direction_variables, refuse_control
from srcdiff.vectorize.structure import filled
from srcdiff.vectorize.structures import Structures

__all__ = ["vectorize"]


def vectorize(program: Program, batched: frozenset[str], axis: Literal[0, -1] = -1,
              count: Atom | None = None) -> Program:
    """Return the program that computes `program` for K directions at once.

    Parameters
    ----------
    program
        Usually a tangent or an adjoint.
    batched
        Parameters that get one more axis, of extent K: last for ``axis=-1``,
        first for ``axis=0``.  A ``seed`` statement also defines directions: one
        for each element of the variable that it seeds.
    axis
        Where the direction axis stands, in parameters and in results.
    count
        K, where it is known.  The values may then be anything, such as samples:
        nothing is left away because it is linear in a direction that is zero.

    Returns
    -------
    Program
        The results that depend on the direction (`batched_results` tells which)
        have the direction axis, the others are computed once.

    Raises
    ------
    UnsupportedError
        A condition, index, extent or loop bound depends on the direction, or an
        operation has no batch rule.

    Examples
    --------
    >>> from srcdiff.notation import read, show
    >>> program = read('''
    ... def f(x: "float64[:]", x_dot: "float64[:]"):
    ...     c = cos(x)
    ...     y_dot = multiply(c, x_dot)
    ...     return y_dot
    ... ''')
    >>> print(show(vectorize(program, frozenset({"x_dot"}))), end="")
    def f_vectorized(x: "float64[:]", x_dot: "float64[:,:]"):
        n_directions = size(x_dot, axis=1)
        c = cos(x)
        t = expand_dims(c, axis=1)
        y_dot = multiply(t, x_dot)
        return y_dot
    """
    unknown = sorted(set(batched) - {p.name for p in program.params})
    if unknown:
        raise ValueError(f"{program.name} has no parameter {', '.join(unknown)}")
    names = direction_variables(program, batched)
    refuse_control(program, names)
    writer = _Vectorizer(program, names, axis, count)
    if count is None:
        writer.start(batched)
    writer.block(program.body)
    return writer.finish()


class _Vectorizer:
    def __init__(self, program: Program, names: frozenset[str], axis: int, count: Atom | None):
        self.program, self.names = program, names
        self.builder = Builder({name: lifted(t) if name in names else t
                                for name, t in program.types.items()})
        self.directions = Directions(self.builder, axis)
        self.directions.count = count
        self.structures = Structures(program, names, self.directions, sought=count is None)

    # -- the whole program -----------------------------------------------------------

    def start(self, batched: frozenset[str]) -> None:
        """Find the number of directions in the batched parameters, which must agree."""
        for param in self.program.params:
            if param.name not in batched:
                continue
            place = self.directions.place(param.type.ndim)
            self.counted(self.builder.op("size", Var(param.name), stem="n_directions", axis=place))

    def counted(self, count: Atom) -> None:
        """Let `count` be the number of directions, or check that it is."""
        if self.directions.count is None:
            self.directions.count = count
        elif count != self.directions.count:
            differs = self.builder.op("not_equal", count, self.directions.count, stem="differs")
            with self.builder.nested() as body:
                self.builder.fail("ValueError", "[SD0342] seeds with different numbers of directions")
            self.builder.branch(differs, body)

    def finish(self) -> Program:
        types = self.builder.types
        for atom in self.program.results:
            self.operand(atom)
        params = tuple(replace(p, type=types[p.name], like=self._like(p)) for p in self.program.params)
        body = filled(self.builder.take())
        return replace(self.program, name=f"{self.program.name}_vectorized", params=params,
                       body=body, types=_used(types, params, body))

    def _like(self, param: Param) -> str | None:
        """Return what the parameter is still shaped like: both have directions, or neither."""
        return param.like if (param.like in self.names) == (param.name in self.names) else None

    # -- statements --------------------------------------------------------------------

    def block(self, body) -> None:
        for stmt in body:
            with self.builder.at(stmt.where):
                self.statement(stmt)

    def nested(self, body) -> list[Stmt]:
        with self.builder.nested() as block, self.structures.inside():
            self.block(body)
        return block

    def statement(self, stmt: Stmt) -> None:
        match stmt:
            case Assign() if stmt.target in self.names:
                self.assign(stmt)
            case Assign(op="size", args=(Var(name),)) if name in self.names:
                self.size(stmt, name)
            case Load() if stmt.target in self.names:
                self.load(stmt)
            case Store(array=array, value=value) if array in self.names:
                access.store(self.directions, stmt, self.operand(value))
            case _:
                self.builder.append(with_blocks(stmt, [self.nested(b) for b in blocks_of(stmt)]))
        self.structures.learn(stmt)

    def operand(self, atom: Atom) -> Operand:
        """Return an operand, dense."""
        batched = isinstance(atom, Var) and atom.name in self.names
        if batched:
            self.structures.make_dense(atom.name)
        return Operand(atom, self.program.type_of(atom).ndim, batched)

    def size(self, stmt: Assign, name: str) -> None:
        """Write an extent of a batched variable, which need not be dense for that."""
        axis = stmt.keywords["axis"]
        if (known := self.structures.size(name, axis)) is not None:
            self.builder.copy(stmt.target, known)
        else:
            self.structures.make_dense(name)
            self.builder.append(replace(stmt, static=(("axis", self.directions.shift(axis)),)))

    def assign(self, stmt: Assign) -> None:
        if stmt.op == "seed":
            self.counted(self.structures.count(stmt))
        start = len(self.builder.block)
        if self.structures.hold(stmt):
            return
        atom = self.structures.shortcut(stmt)
        if atom is None:
            operands = [self.operand(a) for a in stmt.args]
            dense = any(operand.batched for operand in operands)
            atom = batch(self.directions, stmt, operands) if dense else self.constant(stmt)
        self.structures.forget(stmt.target)
        self.settle(stmt.target, atom, start)

    def load(self, stmt: Load) -> None:
        start = len(self.builder.block)
        if stmt.array in self.names:
            self.structures.make_dense(stmt.array)
            atom = access.load(self.directions, stmt)
        else:
            once = self.builder.load(stmt.array, stmt.index, stem=stmt.target)
            ndim = self.program.types[stmt.target].ndim
            atom = self.directions.spread(Operand(once, ndim, False))
        self.settle(stmt.target, atom, start)

    def constant(self, stmt: Assign) -> Atom:
        """Write a value that is the same for all directions into a batched variable."""
        type_ = self.program.types[stmt.target]
        match stmt:
            case Assign(op="zeros" | "empty" as op, args=extents):
                return self.builder.op(op, *self.directions.extents(extents), stem=stmt.target,
                                       dtype=type_.dtype)
            case Assign(op="full", args=(value, *extents)):
                return self.directions.fill(value, type_.dtype, extents)
            case Assign(op="seed", args=extents):
                count = self.directions.count
                eye = self.builder.op("eye", count, count, dtype=type_.dtype)
                return self.builder.op("reshape", eye, *self.directions.extents(extents))
            case Assign(op="copy", args=(atom,)):
                return self.directions.spread(self.operand(atom))
        once = self.builder.op(stmt.op, *stmt.args, stem=stmt.target, **stmt.keywords)
        return self.directions.spread(Operand(once, type_.ndim, False))

    def settle(self, target: str, atom: Atom, start: int) -> None:
        """Let `target` be the value `atom`, written by the statements from `start` on.

        Its dtype is that of the unbatched program, where a Python number may
        have been weaker than the array it is now.
        """
        builder = self.builder
        declared = builder.types[target]
        if builder.type_of(atom).dtype != declared.dtype:
            atom = builder.op("cast", atom, stem=target, dtype=declared.dtype)
        written = builder.block[start:]
        made = {defined(s) for s in walk(written)} - set(self.program.types)
        if atom.name in made and not _mentions(written, target):
            del builder.types[atom.name]
            builder.block[start:] = rename(written, {atom.name: target})
        else:
            builder.copy(target, atom)


def _mentions(body, name: str) -> bool:
    """Tell whether a statement reads or changes `name`, unless the last alone reads it."""
    touching = [stmt for stmt in body if _touches(stmt, name)]
    return bool(touching) and (touching != [body[-1]] or not isinstance(body[-1], Assign | Load))


def _touches(stmt: Stmt, name: str) -> bool:
    return rename((stmt,), {name: name + "'"}) != (stmt,)


def _used(types: Mapping[str, Type], params, body) -> dict[str, Type]:
    """Return the types of the variables that are still there."""
    names = {p.name for p in params} | {defined(s) for s in walk(body)}
    return {name: type_ for name, type_ in types.items() if name in names}


