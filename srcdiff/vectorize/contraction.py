"""Matrix products of all directions: as few BLAS calls as the ranks allow.

In the comments `k` is the direction axis, and a product is written as an
einsum would: ``mn,nk->mk``.
"""

from __future__ import annotations

from srcdiff.errors import Problem, UnsupportedError
from srcdiff.syntax import Assign, Atom
from srcdiff.vectorize.axis import Directions, Operand

__all__ = ["matmul", "solve"]


def matmul(directions: Directions, stmt: Assign, operands: list[Operand]) -> Atom:
    """Write ``a @ b`` for every direction, where a, b or both are batched."""
    a, b = operands
    if max(a.ndim, b.ndim) > 2:
        return _stacked(directions, a, b)
    product = _Product(directions)
    if a.batched and b.batched:
        return (product.both_first if directions.first else product.both_last)(a, b)
    if a.batched:
        return (product.left_first if directions.first else product.left_last)(a, b)
    return (product.right_first if directions.first else product.right_last)(a, b)


class _Product:
    """The cases by ranks: 1 is a vector, 2 a matrix; the methods are named after the
    batched operand and the place of the direction axis."""

    def __init__(self, directions: Directions):
        self.directions = directions
        self.op = directions.builder.op

    def size(self, atom: Atom, axis: int) -> Atom:
        return self.directions.builder.size(atom.name, axis)

    def flat_left(self, x: Atom) -> Atom:
        """Join the first two axes of three."""
        rows = self.op("multiply", self.size(x, 0), self.size(x, 1))
        return self.op("reshape", x, rows, self.size(x, 2))

    def flat_right(self, x: Atom) -> Atom:
        """Join the last two axes of three."""
        columns = self.op("multiply", self.size(x, 1), self.size(x, 2))
        return self.op("reshape", x, self.size(x, 0), columns)

    def swapped(self, x: Atom) -> Atom:
        return self.op("transpose", x, perm=(1, 0))

    def left_last(self, a, b):
        match a.ndim, b.ndim:
            case 1, 1:                                  # nk,n->k
                return self.op("matmul", b.atom, a.atom)
            case 2, 1:                                  # mnk,n->mk
                column = self.directions.expand(b.atom, 1)
                return self.op("sum", self.op("multiply", a.atom, column), axis=(1,))
            case 1, 2:                                  # nk,np->pk
                return self.op("matmul", self.swapped(b.atom), a.atom)
        # mnk,np->mpk: for each m one product (p,n) @ (n,k)
        return self.op("matmul", self.swapped(b.atom), a.atom)

    def right_last(self, a, b):
        if b.ndim == 1:                                 # n,nk->k   mn,nk->mk
            return self.op("matmul", a.atom, b.atom)
        # n,npk->pk   mn,npk->mpk: one product with the matrix (n,p*k)
        product = self.op("matmul", a.atom, self.flat_right(b.atom))
        rows = () if a.ndim == 1 else (self.size(a.atom, 0),)
        return self.op("reshape", product, *rows, self.size(b.atom, 1), self.size(b.atom, 2))

    def both_last(self, a, b):
        match a.ndim, b.ndim:
            case 1, 1:                                  # nk,nk->k
                return self.op("sum", self.op("multiply", a.atom, b.atom), axis=(0,))
            case 2, 1:                                  # mnk,nk->mk
                return self.op("sum", self.op("multiply", a.atom, b.atom), axis=(1,))
            case 1, 2:                                  # nk,npk->pk
                column = self.directions.expand(a.atom, 1)
                return self.op("sum", self.op("multiply", column, b.atom), axis=(0,))
        # mnk,npk->mpk: one product for each k
        a, b = (self.op("transpose", x.atom, perm=(2, 0, 1)) for x in (a, b))
        return self.op("transpose", self.op("matmul", a, b), perm=(1, 2, 0))

    def left_first(self, a, b):
        if a.ndim == 1:                                 # kn,n->k   kn,np->kp
            return self.op("matmul", a.atom, b.atom)
        # kmn,n->km   kmn,np->kmp: one product with the matrix (k*m,n)
        product = self.op("matmul", self.flat_left(a.atom), b.atom)
        columns = () if b.ndim == 1 else (self.size(b.atom, 1),)
        return self.op("reshape", product, self.size(a.atom, 0), self.size(a.atom, 1), *columns)

    def right_first(self, a, b):
        match a.ndim, b.ndim:
            case 1, 1:                                  # n,kn->k
                return self.op("matmul", b.atom, a.atom)
            case 2, 1:                                  # mn,kn->km
                return self.op("matmul", b.atom, self.swapped(a.atom))
            case 1, 2:                                  # n,knp->kp
                column = self.directions.expand(a.atom, 1)
                return self.op("sum", self.op("multiply", column, b.atom), axis=(1,))
        return self.op("matmul", a.atom, b.atom)        # mn,knp->kmp: one product for each k

    def both_first(self, a, b):
        match a.ndim, b.ndim:
            case 1, 1:                                  # kn,kn->k
                return self.op("sum", self.op("multiply", a.atom, b.atom), axis=(1,))
            case 2, 1:                                  # kmn,kn->km
                row = self.directions.expand(b.atom, 1)
                return self.op("sum", self.op("multiply", a.atom, row), axis=(2,))
            case 1, 2:                                  # kn,knp->kp
                column = self.directions.expand(a.atom, 2)
                return self.op("sum", self.op("multiply", column, b.atom), axis=(1,))
        return self.op("matmul", a.atom, b.atom)        # kmn,knp->kmp


def solve(directions: Directions, stmt: Assign, operands: list[Operand]) -> Atom:
    """Write ``solve(a, b)`` for every direction of b: one solution with more columns."""
    a, b = operands
    if a.batched:
        raise UnsupportedError(Problem(
            "SD0251", "solve cannot be computed for many matrices at once", stmt.where,
            "each direction has a matrix of its own", "compute one direction at a time: use jvp or vjp"))
    product = _Product(directions)
    op, x = product.op, b.atom
    if directions.first:
        x = op("transpose", x, perm=(1, 0, *range(2, b.ndim + 1)))
    matrix = product.flat_right(x) if b.ndim == 2 else x
    found = op("solve", a.atom, matrix)
    if b.ndim == 2:
        found = op("reshape", found, *(product.size(x, axis) for axis in range(3)))
    return op("transpose", found, perm=(1, 0, *range(2, b.ndim + 1))) if directions.first else found


def _stacked(directions: Directions, a: Operand, b: Operand) -> Atom:
    """Multiply stacks of matrices: the direction axis becomes one more leading axis.

    A vector becomes a matrix of one row or column, which is squeezed out again.
    """
    op, leading = directions.builder.op, max(a.ndim, b.ndim, 2) - 2
    left = _as_stack(directions, a, leading, 1 if a.ndim == 1 else None, row=True)
    right = _as_stack(directions, b, leading, 1 if b.ndim == 1 else None, row=False)
    product = op("matmul", left, right)
    ndim = leading + 2
    if a.ndim == 1:
        product, ndim = op("squeeze", product, axis=ndim - 1), ndim - 1
    elif b.ndim == 1:
        product, ndim = op("squeeze", product, axis=ndim), ndim - 1
    if directions.first:
        return product
    return op("transpose", product, perm=(*range(1, ndim + 1), 0))


def _as_stack(directions, x: Operand, leading: int, vector, row: bool) -> Atom:
    """Return x as (k, leading axes, rows, columns); an unbatched x has no k."""
    op, atom, ndim = directions.builder.op, x.atom, x.ndim
    if x.batched and not directions.first:
        atom = op("transpose", atom, perm=(ndim, *range(ndim)))
    first = int(x.batched)
    if vector:
        atom, ndim = directions.expand(atom, first if row else first + 1), 2
    if x.batched:
        atom = directions.expand(atom, 1, leading + 2 - ndim)
    return atom
