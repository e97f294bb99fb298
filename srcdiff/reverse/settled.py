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
from srcdiff.syntax import Array, Assign, For, If, Load, Program, Stmt, Var, blocks_of, with_blocks

__all__ = ["settled"]

MESSAGE = "[SD0345] an array changes its shape in a loop that is held to a memory budget"


def settled(program: Program, loops: set[int]) -> Program:
    """Return `program` with the shapes of what some `for` loops, given by their ids, hand on settled where needed."""
    builder = Builder(program.types)

    def block(body) -> tuple[Stmt, ...]:
        out = []
        for stmt in body:
            if id(stmt) in loops and isinstance(stmt, For):
                shapes = _first_shapes(program, stmt)
                stmt = with_blocks(stmt, [_settled(builder, stmt.body, shapes)]) if shapes else stmt
            elif isinstance(stmt, If):
                stmt = with_blocks(stmt, [block(b) for b in blocks_of(stmt)])
            out.append(stmt)
        return tuple(out)

    body = block(program.body)
    return program.with_body(body, types=builder.types)


def _first_shapes(program: Program, loop: For) -> dict[str, tuple[Source, ...]]:
    """Return where the extents are read that the arrays have before the loop, for those that may have others in it."""
    tree = Tree(program)
    node = next(n for n in tree.top.walk() if n.stmt is loop)
    known = KnownExtents(program, tree)
    open_ = {name for name in changed(loop.body) if name in exposed(loop.body)
             and isinstance(program.types[name], Array) and known.sources(name, before=node) is None}
    if not open_:
        return {}
    without = replace(loop, body=_without(loop.body, open_))
    before = _replaced(program, loop, without)
    tree = Tree(before)
    node = next(n for n in tree.top.walk() if n.stmt is without)
    known = KnownExtents(before, tree)
    found = {name: known.sources(name, before=node) for name in open_}
    return {name: sources for name, sources in found.items() if sources is not None}


def _without(body, names: set[str]) -> tuple[Stmt, ...]:
    """Return a block without what assigns some variables."""
    return tuple(with_blocks(s, [_without(b, names) for b in blocks_of(s)]) for s in body
                 if not (isinstance(s, Assign | Load) and s.target in names))


def _replaced(program: Program, old: Stmt, new: Stmt) -> Program:
    def block(body):
        return tuple(new if s is old else with_blocks(s, [block(b) for b in blocks_of(s)]) for s in body)
    return program.with_body(block(program.body))


def _settled(builder: Builder, body, shapes) -> tuple[Stmt, ...]:
    """Return a block in which what is assigned to some arrays has their first shape, or raises."""
    with builder.nested() as out:
        for stmt in body:
            if isinstance(stmt, Assign | Load) and stmt.target in shapes:
                with builder.at(stmt.where):
                    _settle(builder, stmt, shapes[stmt.target])
            else:
                builder.append(with_blocks(stmt, [_settled(builder, b, shapes) for b in blocks_of(stmt)]))
    return tuple(out)


def _settle(builder: Builder, stmt: Assign | Load, sources) -> None:
    new = builder.fresh(f"{stmt.target}_new", builder.types[stmt.target])
    builder.append(replace(stmt, target=new))
    extents = emit(builder, sources)
    for axis, extent in enumerate(extents):
        require_equal(builder, builder.size(new, axis), extent, MESSAGE)
    builder.assign(stmt.target, "reshape", Var(new), *extents)
