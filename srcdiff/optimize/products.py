"""A matrix product that nobody reads still checks its operands.

The reverse sweep rarely reads the value of ``a @ b``, but what it computes is
only right if their inner extents agree.  Before `dead` removes such a product,
its check is written out.

>>> from srcdiff.notation import read, show
>>> print(show(products(read('''
... def f(a: "float64[:,:]", x: "float64[:]"):
...     t = matmul(a, x)
...     return x
... '''))), end="")
def f(a: "float64[:,:]", x: "float64[:]"):
    n_a = size(a, axis=1)
    n_x = size(x, axis=0)
    differ = not_equal(n_a, n_x)
    if differ:
        raise ValueError('[SD0341] the inner extents of a matrix product differ')
    return x
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.analysis.shapes import Shapes
from srcdiff.builder import Builder
from srcdiff.optimize.dead import dead
from srcdiff.optimize.walking import map_blocks
from srcdiff.primitives import MISFIT_OF_PRODUCT
from srcdiff.syntax import Assign, Const, Program, Raise, Var, atoms_of, walk

__all__ = ["products"]


def products(program: Program) -> Program:
    """Replace each matrix product that `dead` would remove by its check."""
    calls = [s for s in walk(program.body) if isinstance(s, Assign) and s.op == "matmul"]
    if not calls:
        return program
    kept = {id(s) for s in walk(dead(program).body)}
    lost = {id(s) for s in calls if id(s) not in kept}
    while lost:
        checked = _checked(program, lost)
        read = _read(checked)
        needed = {id(s) for s in calls if id(s) in lost and s.target in read}
        if not needed:
            return checked
        lost -= needed          # a check is inside a branch, and the branch depends on the product
    return program


def _checked(program: Program, lost: set[int]) -> Program:
    shapes, builder = Shapes(program), Builder(program.types)

    def change(body):
        if not any(id(s) in lost for s in body):
            return body
        return tuple(new for s in body for new in (_check(builder, shapes, s) if id(s) in lost else (s,)))

    checked = map_blocks(program, change)
    return dead(replace(checked, types=builder.types))


def _read(program: Program) -> set[str]:
    atoms = [*program.results, *(a for stmt in walk(program.body) for a in atoms_of(stmt))]
    return {a.name for a in atoms if isinstance(a, Var)}


def _check(builder: Builder, shapes: Shapes, stmt: Assign):
    """Return the statements that raise unless the inner extents agree; none where that is proved."""
    if any(isinstance(a, Const) for a in stmt.args):
        return ()
    axes = _inner_axes(*(builder.type_of(a).ndim for a in stmt.args))
    if shapes.equal(*(shapes.extents(a.name)[k] for a, k in zip(stmt.args, axes, strict=True))):
        return ()
    with builder.at(stmt.where), builder.nested() as out:
        sizes = [builder.size(a.name, k) for a, k in zip(stmt.args, axes, strict=True)]
        differ = builder.op("not_equal", *sizes, stem="differ")
        builder.branch(Var(differ.name), [Raise("ValueError", MISFIT_OF_PRODUCT, stmt.where)])
    return tuple(out)


def _inner_axes(left: int, right: int) -> tuple[int, int]:
    return left - 1, max(right - 2, 0)
