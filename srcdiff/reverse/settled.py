"""Arrays that a loop hands on from one iteration to the next, made to keep their shape.

In ``y = y + h * k`` an array `y` of one element would be stretched to the length
of `k`, which only the run tells.  Checkpoints need a fixed size: each value that
such a loop gives the array must have the shape of the first one, or the
program raises.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:]", k: "float64[:]", n: "weak int64"):
...     y = copy(x)
...     for i in range(0, n, 1):
...         y = add(y, k)
...     return y
... ''')
>>> print(show(settled(program, {id(program.body[1])})), end="")
def f(x: "float64[:]", k: "float64[:]", n: "weak int64"):
    y = copy(x)
    for i in range(0, n, 1):
        y_new = add(y, k)
        n_x = size(x, axis=0)
        n_y_new = size(y_new, axis=0)
        differs = not_equal(n_y_new, n_x)
        if differs:
            raise ValueError('[SD0345] an array changes its shape in a loop that is held to a memory budget')
        y = reshape(y_new, n_x)
    return y
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.analysis.uses import changed, exposed
from srcdiff.assemble import require_equal
from srcdiff.builder import Builder
from srcdiff.reverse.extents import KnownExtents, Source, emit
from srcdiff.reverse.nodes import Tree
from srcdiff.syntax import Array, Assign, For, Load, Program, Stmt, Var, blocks_of, with_blocks

__all__ = ["Handed", "checked", "first_shapes", "settled"]

MESSAGE = "[SD0345] an array changes its shape in a loop that is held to a memory budget"


Handed = dict[int, frozenset[str]]      # for each loop, by its id: the arrays that it hands on and whose shapes may change
First = dict[int, dict[str, tuple[Source, ...]]]        # where their first shapes are read


def settled(program: Program, loops: set[int]) -> Program:
    """Return `program` with the shapes of what some `for` loops, given by their ids, hand on settled where needed."""
    tree = Tree(program)
    known = KnownExtents(program, tree)
    handed: Handed = {}
    for node in tree.top.walk():
        if id(node.stmt) in loops and isinstance(node.stmt, For):
            body = node.stmt.body
            handed[id(node.stmt)] = frozenset(
                name for name in exposed(body).intersection(changed(body))
                if isinstance(program.types[name], Array) and known.sources(name, before=node) is None)
    if not any(handed.values()):
        return program
    return checked(program, first_shapes(program, handed), MESSAGE, "reshape")[0]


# -- first shapes -----------------------------------------------------------------------

def first_shapes(program: Program, handed: Handed) -> First:
    """Return where the extents are read that arrays have before the loops, where these extents are known."""
    loops: dict[int, Stmt] = {}
    before = program.with_body(_without(program.body, handed, frozenset(), loops))
    tree = Tree(before)
    nodes = {id(node.stmt): node for node in tree.top.walk()}
    known = KnownExtents(before, tree)
    first: First = {}
    for loop, names in handed.items():
        sources = {name: known.sources(name, before=nodes[id(loops[loop])]) for name in names}
        first[loop] = {name: found for name, found in sources.items() if found is not None}
    return first


def _without(body, handed: Handed, names: frozenset[str], loops: dict[int, Stmt]) -> tuple[Stmt, ...]:
    """Return a block without what loops assign to the arrays that they hand on; note in `loops` what a loop has become."""
    out = []
    for stmt in body:
        if isinstance(stmt, Assign | Load) and stmt.target in names:
            continue
        inner = names | handed.get(id(stmt), frozenset())
        left = with_blocks(stmt, [_without(b, handed, inner, loops) for b in blocks_of(stmt)])
        loops[id(stmt)] = left
        out.append(left)
    return tuple(out)


# -- checks -----------------------------------------------------------------------------

def checked(program: Program, first: First, message: str, shaped: str) -> tuple[Program, dict[str, str]]:
    """Return a program that raises where arrays do not keep their first shapes, and what each value that is checked is assigned to.

    `shaped` is the operation that gives a value of the extents that it has been checked to have.
    """
    builder = Builder(program.types)
    new: dict[str, str] = {}

    def block(body, shapes) -> tuple[Stmt, ...]:
        with builder.nested() as out:
            for stmt in body:
                if isinstance(stmt, Assign | Load) and stmt.target in shapes:
                    with builder.at(stmt.where):
                        new[_check(builder, stmt, shapes[stmt.target], message, shaped)] = stmt.target
                else:
                    inner = {**shapes, **first.get(id(stmt), {})}
                    builder.append(with_blocks(stmt, [block(b, inner) for b in blocks_of(stmt)]))
        return tuple(out)

    body = block(program.body, {})
    return program.with_body(body, types=builder.types), new


def _check(builder: Builder, stmt: Assign | Load, sources: tuple[Source, ...], message: str, shaped: str) -> str:
    """Append an assignment of a value that must have the first shape; returns the name of the value."""
    new = builder.fresh(f"{stmt.target}_new", builder.types[stmt.target])
    builder.append(replace(stmt, target=new))
    extents = emit(builder, sources)
    for axis, extent in enumerate(extents):
        require_equal(builder, builder.size(new, axis), extent, message)
    builder.assign(stmt.target, shaped, Var(new), *extents)
    return new
