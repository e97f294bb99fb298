"""Accumulate in place, and store nothing that the next store overwrites.

>>> from srcdiff.notation import read, show
>>> print(show(accumulate(read('''
... def f(x: "float64[:]", g: "float64", i: "weak int64"):
...     a = copy(x)
...     t = a[i]
...     u = add(t, g)
...     a[i] = u
...     a[0] = 1.0
...     a[0] = 0.0
...     a[0] += g
...     w = a[1]
...     a[1] = w
...     return a
... '''))), end="")
def f(x: "float64[:]", g: "float64", i: "weak int64"):
    a = copy(x)
    t = a[i]
    u = add(t, g)
    a[i] += g
    a[0] = g
    w = a[1]
    return a

An index must be made of integers and slices: a fancy index may name an element
twice, and ``a[idx] += v`` then differs from a load, a sum and a store.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.optimize.walking import Forward
from srcdiff.optimize.zeros import is_zero
from srcdiff.syntax import (
    Array,
    Assign,
    Const,
    Load,
    Program,
    Raise,
    Span,
    Store,
    Var,
    atoms_of,
    defined,
    walk,
)

__all__ = ["accumulate"]


def accumulate(program: Program) -> Program:
    """Turn load, sum and store into ``a[i] += v``; merge stores into one element or region."""
    return _Accumulate(program).run()


class _Accumulate(Forward):
    """`made` maps a variable to its stamp, the statement that made it, and a key of what that read.

    `last` maps an array to its store in this block that nothing has read yet.
    """

    def __init__(self, program: Program):
        super().__init__(program)
        self.made: dict[str, tuple] = {}

    def block(self, body):
        self.last: dict[str, tuple[int, Store, tuple]]
        outer, self.last = getattr(self, "last", {}), {}
        out = []
        for stmt in body:
            new = self.one(stmt, out)
            if new is not None:
                out.append(new)
        self.last = outer
        out = [s for s in out if s is not None]
        same = len(out) == len(body) and all(a is b for a, b in zip(out, body, strict=True))
        return body if same else tuple(out)

    def one(self, stmt, out):
        if isinstance(stmt, Store):
            return self.store(stmt, out)
        for inner in walk((stmt,)):
            for name in _touched(inner):
                self.last.pop(name, None)
        if not isinstance(stmt, Assign | Load):
            return stmt if isinstance(stmt, Raise) else self.nest(stmt)
        key = self.key(stmt)
        self.assigned(stmt)
        self.made[stmt.target] = self.stamps[stmt.target], stmt, key
        return stmt

    # -- stores ------------------------------------------------------------------------------

    def store(self, stmt: Store, out):
        if isinstance(stmt.value, Var):
            self.last.pop(stmt.value.name, None)
        if not self.plain(stmt.index):
            self.last.pop(stmt.array, None)
            self.assigned(stmt)
            return stmt
        if self.changes_nothing(stmt):
            return None
        stmt = self.sum(stmt)
        index = self.index(stmt.index)
        at, before, same = self.last.pop(stmt.array, (None, None, None))
        if same == index:
            stmt = self.merge(at, before, stmt, out)
        self.last[stmt.array] = len(out), stmt, index
        self.assigned(stmt)
        return stmt

    def changes_nothing(self, stmt: Store) -> bool:
        """Tell whether a store puts back what was loaded from the same place."""
        load = None if stmt.accumulate else self.definition(stmt.value, None)
        return load is not None and (load.array, load.index) == (stmt.array, stmt.index)

    def sum(self, stmt: Store) -> Store:
        """Return ``a[i] += v`` for ``t = a[i]; u = add(t, v); a[i] = u``."""
        if stmt.accumulate or (total := self.definition(stmt.value, "add")) is None:
            return stmt
        dtype = self.types[stmt.array].dtype
        if self.types[stmt.value.name].dtype != dtype:
            return stmt                 # the sum is made in another precision than the array's
        for old, new in (total.args, total.args[::-1]):
            if dtype in ("float32", "complex64") and self.type_of(new).dtype != dtype:
                continue                # a Python number is narrowed before a sum, not before a store
            load = self.definition(old, None)
            if load is not None and (load.array, load.index) == (stmt.array, stmt.index) and (
                    new != Var(stmt.array)):
                return replace(stmt, value=new, accumulate=True)
        return stmt

    def merge(self, at, before: Store, stmt: Store, out) -> Store:
        """Drop an earlier store into the same place if this one overwrites it."""
        if not stmt.accumulate:
            out[at] = None
        elif not before.accumulate and isinstance(before.value, Const) and is_zero(before.value) and (
                self.type_of(stmt.value).dtype == self.types[stmt.array].dtype):
            out[at] = None
            return replace(stmt, accumulate=False)
        return stmt

    # -- what is known ---------------------------------------------------------------------------

    def plain(self, index) -> bool:
        return not any(isinstance(i, Var) and isinstance(self.types[i.name], Array) for i in index)

    def index(self, index):
        def item(i):
            if isinstance(i, Span):
                return tuple(None if b is None else self.stamped(b) for b in (i.start, i.stop, i.step))
            return self.stamped(i)
        return tuple(map(item, index))

    def key(self, stmt):
        """Return a key that changes when an operand of the statement changes."""
        return tuple(self.stamped(a) for a in atoms_of(stmt))

    def definition(self, atom, op: str | None):
        """Return the `Assign` with `op` (the `Load` for None) that made `atom`, if nothing changed since."""
        if not isinstance(atom, Var) or atom.name not in self.made:
            return None
        stamp, stmt, key = self.made[atom.name]
        if stamp != self.stamps[atom.name] or getattr(stmt, "op", None) != op or key != self.key(stmt):
            return None
        return stmt


def _touched(stmt):
    return [defined(stmt), *(a.name for a in atoms_of(stmt) if isinstance(a, Var))]
