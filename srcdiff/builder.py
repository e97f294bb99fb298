"""Write statements: fresh names, computed types, and nothing about derivatives.

Every transform and pass that makes new statements makes them with a `Builder`,
so that no one computes a result type by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace

from srcdiff.errors import NOWHERE, Where
from srcdiff.primitives import infer
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    If,
    Load,
    Raise,
    Scalar,
    Span,
    Stmt,
    Store,
    Type,
    Var,
    While,
    const_type,
)

__all__ = ["Builder", "as_identifier"]

INT = Scalar("int64", weak=True)
ONE = Const(1)


def as_identifier(stem: str) -> str:
    """Return a text as part of a name: keys of dicts may hold anything."""
    if stem.isidentifier():
        return stem
    made = re.sub(r"\W", "_", stem)
    return made if made.isidentifier() else f"t_{made}".rstrip("_")


class Builder:
    """Collect statements into nested blocks and keep the types of all variables.

    Parameters
    ----------
    types
        Variables that exist already; copied.
    """

    def __init__(self, types: Mapping[str, Type] = (), reserved: Iterable[str] = ()):
        self.types: dict[str, Type] = dict(types)
        self.reserved = set(reserved)
        self.where: Where = NOWHERE
        self._blocks: list[list[Stmt]] = [[]]
        self._counts: dict[str, int] = {}       # per stem: smaller numbers are taken, and stay so

    # -- names and types --------------------------------------------------------

    def fresh(self, stem: str, type_: Type) -> str:
        """Declare a new variable called `stem`, or `stem_2`, `stem_3`, ... if taken."""
        stem = as_identifier(stem)
        name, count = stem, self._counts.get(stem, 2)
        while name in self.types or name in self.reserved:
            name, count = f"{stem}_{count}", count + 1
        self._counts[stem] = count
        self.types[name] = type_
        return name

    def type_of(self, atom: Atom) -> Type:
        return self.types[atom.name] if isinstance(atom, Var) else const_type(atom)

    # -- blocks -------------------------------------------------------------------

    @property
    def block(self) -> list[Stmt]:
        """The statements of the innermost open block."""
        return self._blocks[-1]

    def append(self, *statements: Stmt) -> None:
        self.block.extend(statements)

    def definition(self, name: str) -> Stmt | None:
        """Return the last statement of the open blocks that gives `name` its value, if there is one."""
        stmts = [s for block in self._blocks for s in block if getattr(s, "target", None) == name]
        return stmts[-1] if stmts else None

    def take(self) -> tuple[Stmt, ...]:
        """Return the statements of the innermost block and empty it."""
        body = tuple(self.block)
        self.block.clear()
        return body

    @contextmanager
    def nested(self):
        """Open a block; yields the list that its statements are appended to."""
        block: list[Stmt] = []
        self._blocks.append(block)
        try:
            yield block
        finally:
            self._blocks.pop()

    @contextmanager
    def continued(self, block: list[Stmt]):
        """Reopen a block that `nested` has closed: what is written inside is appended to it."""
        self._blocks.append(block)
        try:
            yield
        finally:
            self._blocks.pop()

    @contextmanager
    def at(self, where: Where):
        """Give the statements made inside this place in the user's source."""
        before, self.where = self.where, where
        try:
            yield
        finally:
            self.where = before

    def in_any_order(self):
        """Mark the statements made inside as adding to sums whose order is nobody's."""
        return self.at(replace(self.where, any_order=True))

    # -- statements -----------------------------------------------------------------

    def op(self, op: str, *args: Atom, stem: str = "t", **static) -> Var:
        """Append ``fresh = op(*args, **static)`` and return the new variable."""
        pairs = tuple(sorted(static.items()))
        type_ = infer(op, tuple(map(self.type_of, args)), pairs)
        target = self.fresh(stem, type_)
        self.append(Assign(target, op, args, pairs, self.where))
        return Var(target)

    def assign(self, target: str, op: str, *args: Atom, **static) -> None:
        """Append ``target = op(*args, **static)`` for a declared variable."""
        self.append(Assign(target, op, args, tuple(sorted(static.items())), self.where))

    def copy(self, target: str, atom: Atom) -> None:
        self.assign(target, "copy", atom)

    def load(self, array: str, index, stem: str = "t") -> Var:
        """Append ``fresh = array[index]`` and return the new variable."""
        target = self.fresh(stem, self.load_type(array, index))
        self.append(Load(target, array, tuple(index), self.where))
        return Var(target)

    def load_type(self, array: str, index) -> Type:
        """Return the type of ``array[index]``.

        Integers remove their axes, spans keep them.  Integer arrays together
        give the axes of their broadcast, a mask gives one axis.
        """
        ndim, fancy = 0, 0
        for item in index:
            if isinstance(item, Span):
                ndim += 1
            elif isinstance(type_ := self.type_of(item), Array):
                fancy = max(fancy, 1 if type_.dtype == "bool" else type_.ndim)
        ndim += fancy
        dtype = self.types[array].dtype
        return Array(dtype, ndim) if ndim else Scalar(dtype)

    def store(self, array: str, index, value: Atom, accumulate: bool = False) -> None:
        self.append(Store(array, tuple(index), value, accumulate, self.where))

    def size(self, array: str, axis: int) -> Var:
        return self.op("size", Var(array), stem=f"n_{array}", axis=axis)

    def extents(self, array: str) -> tuple[Var, ...]:
        """Append the extents of `array` and return them; none for a scalar."""
        return tuple(self.size(array, axis) for axis in range(self.types[array].ndim))

    def zeros(self, type_: Type, extents, stem: str = "t") -> Atom:
        """Return a zero of `type_`: a constant, or a new array of these extents."""
        if isinstance(type_, Array):
            return self.op("zeros", *extents, stem=stem, dtype=type_.dtype)
        return Const(0.0)

    @contextmanager
    def loop(self, start: Atom, stop: Atom, step: Atom = ONE, stem: str = "i"):
        """Append a `For` whose body is what is written inside; yields the index."""
        var = self.fresh(stem, INT)
        with self.nested() as body:
            yield Var(var)
        self.append(For(var, start, stop, step, tuple(body), self.where))

    def branch(self, condition: Atom, then, orelse=()) -> None:
        self.append(If(condition, tuple(then), tuple(orelse), self.where))

    def repeat(self, test, condition: Atom, body) -> None:
        self.append(While(tuple(test), condition, tuple(body), self.where))

    def fail(self, exception: str, message: str) -> None:
        self.append(Raise(exception, message, self.where))
