"""Arrays that nobody has assigned yet have the extents that they will have.

>>> from srcdiff.notation import read, show
>>> print(show(unset(read('''
... def f(x: "float64[:]", n: "weak int64"):
...     y = unset(dtype='float64', ndim=1)
...     for i in range(0, n, 1):
...         y = multiply(x, 2.0)
...     return y
... '''))), end="")
def f(x: "float64[:]", n: "weak int64"):
    n_x = size(x, axis=0)
    y = empty(n_x, dtype='float64')
    for i in range(0, n, 1):
        y = multiply(x, 2.0)
    return y

A name that only a loop or a branch assigns has to be something before, and
`unset` stands for that: nobody reads its elements or asks for its extents before
they are assigned.  With no elements at all its extents would be others than
those of all that is assigned later, and each iteration would have to note them.
Where they cannot be computed there, it has none.
"""

from __future__ import annotations

from srcdiff.analysis.extents import ExtentWriter
from srcdiff.analysis.shapes import Root, Shapes
from srcdiff.builder import Builder
from srcdiff.optimize.versions import restore, versions
from srcdiff.syntax import Assign, Atom, Const, Load, Program, Stmt, Var, blocks_of, walk, with_blocks

__all__ = ["unset"]


def unset(program: Program) -> Program:
    """Return `program` with an array in the place of each `unset`."""
    if not any(isinstance(s, Assign) and s.op == "unset" for s in walk(program.body)):
        return program
    return restore(_Placer(versions(program)).placed(), program.types)


class _Placer:
    """Walks along a program, with what is assigned wherever the present statement is reached."""

    def __init__(self, program: Program):
        self.program, self.shapes, self.builder = program, Shapes(program), Builder(program.types)
        self.there = {p.name for p in program.params}

    def placed(self) -> Program:
        self.block(self.program.body)
        body = self.builder.take()
        return self.program.with_body(body, types=self.builder.types)

    def block(self, body) -> None:
        for stmt in body:
            if isinstance(stmt, Assign) and stmt.op == "unset":
                with self.builder.at(stmt.where):
                    self.builder.assign(stmt.target, "empty", *self.extents(stmt), dtype=stmt.keywords["dtype"])
            else:
                self.builder.append(with_blocks(stmt, [self.inner(b) for b in blocks_of(stmt)]))
            if isinstance(stmt, Assign | Load):
                self.there.add(stmt.target)

    def inner(self, body) -> tuple[Stmt, ...]:
        there = set(self.there)
        with self.builder.nested() as out:
            self.block(body)
        self.there = there
        return tuple(out)

    def extents(self, stmt: Assign) -> tuple[Atom, ...]:
        """Append what computes the extents that the variable will have; no elements where that is not known here."""
        writer = ExtentWriter(self.builder, self.shapes, self._is_there, self._read)
        extents = self.shapes.extents(stmt.target)
        if not all(map(writer.possible, extents)):
            return (Const(0),) * len(extents)
        return tuple(map(writer.write, extents))

    def _is_there(self, root: Root) -> bool:
        return root.key[0] in self.there and self.shapes.uses.single(root.key[0])

    def _read(self, root: Root) -> Atom:
        return Var(root.key[0]) if root.kind == "value" else self.builder.size(*root.key)
