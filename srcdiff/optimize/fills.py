"""Arrays of zeros that are filled as a whole before anything reads them.

>>> from srcdiff.notation import read, show
>>> print(show(fills(read('''
... def f(x: "float64[:]", s: "float64"):
...     n = size(x, axis=0)
...     a = zeros(n, dtype='float64')
...     a[:] += x
...     b = zeros(n, dtype='float64')
...     b[:] = s
...     c = zeros(n, dtype='float64')
...     for i in range(0, n, 1):
...         t = x[i]
...         c[i] = t
...         c[i] += s
...     d = zeros(n, dtype='float64')
...     last = subtract(n, 1)
...     for i in range(last, -1, -1):
...         d[i] += s
...     return a, b, c, d
... '''))), end="")
def f(x: "float64[:]", s: "float64"):
    n = size(x, axis=0)
    a = copy(x)
    b = full(s, n, dtype='float64')
    c = empty(n, dtype='float64')
    for i in range(0, n, 1):
        t = x[i]
        c[i] = t
        c[i] += s
    d = empty(n, dtype='float64')
    last = subtract(n, 1)
    for i in range(last, -1, -1):
        d[i] = s
    return a, b, c, d

That a loop runs over the whole axis, or that a value has the extents of the
array, must be provable; otherwise the zeros stay.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.analysis.shapes import Extent, Shapes
from srcdiff.analysis.uses import Uses
from srcdiff.optimize.walking import map_blocks, touched
from srcdiff.syntax import (
    ALL,
    Array,
    Assign,
    Const,
    For,
    If,
    Load,
    Program,
    Store,
    Var,
    atoms_of,
    blocks_of,
    walk,
    with_blocks,
)

__all__ = ["fills"]


def fills(program: Program) -> Program:
    """Make what fills a whole array its value, or leave the array uninitialised before."""
    if not any(isinstance(s, Assign) and s.op in ("zeros", "empty") for s in walk(program.body)):
        return program
    filler = _Fills(program)
    return map_blocks(program, filler.block)


class _Fills:
    def __init__(self, program: Program):
        self.program, self.types = program, program.types
        self.shapes, self.uses = Shapes(program, trust_seeds=False), Uses(program)

    def block(self, body):
        """Follow each array from its `zeros` to the statement of this block that touches it next."""
        fresh: dict[str, int] = {}
        out = list(body)
        for at, stmt in enumerate(body):
            for name in [n for n in _touched(stmt) if n in fresh] if fresh else ():
                if name in fresh:
                    self.touched(out, fresh.pop(name), at, name)
            if isinstance(stmt, Assign) and stmt.op in ("zeros", "empty") and (
                    isinstance(self.types[stmt.target], Array)):
                fresh[stmt.target] = at
        same = all(a is b for a, b in zip(out, body, strict=True))
        return body if same else tuple(s for s in out if s is not None)

    def touched(self, out, made_at, at, name):
        made, stmt = out[made_at], out[at]
        if stmt is None or made is None:
            return
        if (whole := self.whole(made, stmt, name)) is not None:
            out[made_at], out[at] = None, whole
        elif made.op == "zeros":
            self.first: list[Store] = []
            if self.fills((stmt,), made, ()):
                out[made_at] = Assign(name, "empty", made.args, made.static, made.where)
                out[at] = self.stored(stmt)

    def stored(self, stmt):
        """Return a statement whose first sums into the array are what it stores."""
        if any(stmt is s for s in self.first):
            return replace(stmt, accumulate=False)
        return with_blocks(stmt, [tuple(map(self.stored, b)) for b in blocks_of(stmt)]) if self.first and blocks_of(stmt) else stmt

    def whole(self, made, stmt, name):
        """Return what ``a[:] = v`` (or ``+=`` on zeros) makes of the array, as one assignment."""
        if not (isinstance(stmt, Store) and stmt.array == name and all(i == ALL for i in stmt.index)):
            return None
        if stmt.accumulate and made.op != "zeros" or stmt.value == Var(name):
            return None
        value = self.program.type_of(stmt.value)
        extents = tuple(map(self.shapes.value, made.args))
        if value == self.types[name] and all(map(self.shapes.equal, extents, self.shapes.of(stmt.value))):
            return Assign(name, "copy", (stmt.value,), (), stmt.where)
        unchanged = all(isinstance(a, Const) or self.uses.single(a.name) for a in made.args)
        if value.ndim == 0 and value.dtype == self.types[name].dtype and unchanged:
            return Assign(name, "full", (stmt.value, *made.args), made.static, stmt.where)
        return None

    # -- loops that fill an array ------------------------------------------------------------

    def fills(self, body, made, prefix) -> bool:
        """Tell whether `body` stores all of ``a[prefix, ...]`` before it reads any of it.

        Later it may read and store there, but not elsewhere, unless `prefix`
        is empty: another iteration may not have come to another place yet.
        A sum into zeros stores, too (`first`).
        """
        name = made.target
        touching = [s for s in body if name in _touched(s)]
        if not touching:
            return False
        first, *later = touching
        match first:
            case Store(array=array, index=index):
                self.first += [first] if first.accumulate else []
                rest = index[len(prefix):]
                done = array == name and index[:len(prefix)] == prefix and all(i == ALL for i in rest) and (
                    Var(name) not in atoms_of(first))
            case For(var=var, body=inner):
                done = self.spans(first, made, len(prefix)) and self.fills(inner, made, (*prefix, Var(var)))
            case If(then=then, orelse=orelse):
                done = self.fills(then, made, prefix) and self.fills(orelse, made, prefix)
            case _:
                return False
        return done and (not prefix or all(_within(s, name, prefix) for s in later))

    def spans(self, loop, made, axis) -> bool:
        """Tell whether a loop runs over all positions of an axis."""
        extent = self.shapes.value(made.args[axis]) if axis < len(made.args) else None
        if (loop.stop, loop.step) == (Const(-1), Const(-1)):
            return self.shapes.equal(extent, self.shapes.combine(self.shapes.value(loop.start), Extent(1)))
        return (loop.start, loop.step) == (Const(0), Const(1)) and (
            self.shapes.equal(extent, self.shapes.value(loop.stop)))


def _touched(stmt) -> list[str]:
    """Return the arrays that a statement or its blocks read or store to, without those only measured."""
    return [name for inner in walk((stmt,)) for name in touched(inner)]


def _within(stmt, name, prefix) -> bool:
    """Tell whether a statement touches only ``name[prefix, ...]``."""
    for inner in walk((stmt,)):
        if isinstance(inner, Load | Store) and inner.array == name:
            reads = list(atoms_of(inner)).count(Var(name)) - isinstance(inner, Load)
            if inner.index[:len(prefix)] != prefix or reads:
                return False
        elif name in _touched(inner) and not blocks_of(inner):
            return False
    return True
