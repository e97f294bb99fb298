"""Write the counted loops of a kernel as `while` loops.

Numba's iterator of a range counts down beside the index, so that LLVM does not see
that the index is never negative: each element of an array gets a test for an index
counted from the end, and no loop is unrolled.  A `while` loop from a constant is
unrolled with its indices known, and arrays that it walks over become registers.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:]"):
...     s = 0.0
...     for i in range(0, 3, 1):
...         t = x[i]
...         s = add(s, t)
...     return s
... ''')
>>> print(show(with_whiles(program)), end="")
def f(x: "float64[:]"):
    s = 0.0
    i = 0
    while True:
        more = less(i, 3)
        if not more:
            break
        t = x[i]
        s = add(s, t)
        i = add(i, 1)
    return s
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.builder import Builder
from srcdiff.syntax import Atom, Const, For, Program, Var, blocks_of, defined, walk, with_blocks

__all__ = ["with_whiles"]


def with_whiles(program: Program) -> Program:
    """Return a lowered program without counted loops, but for those whose direction is not known."""
    builder = Builder(program.types)
    body = _block(builder, program.body)
    return replace(program, body=body, types=builder.types)


def _block(builder: Builder, body) -> tuple:
    with builder.nested() as block:
        for stmt in body:
            stmt = with_blocks(stmt, [_block(builder, inner) for inner in blocks_of(stmt)])
            if isinstance(stmt, For) and isinstance(stmt.step, Const):
                with builder.at(stmt.where):
                    _loop(builder, stmt)
            else:
                builder.append(stmt)
    return tuple(block)


def _loop(builder: Builder, loop: For) -> None:
    stop = _kept(builder, loop)
    builder.copy(loop.var, loop.start)
    with builder.nested() as test:
        more = builder.op("less" if loop.step.value > 0 else "greater", Var(loop.var), stop, stem="more")
    with builder.nested() as body:
        builder.append(*loop.body)
        builder.assign(loop.var, "add", Var(loop.var), loop.step)
    builder.repeat(test, more, body)


def _kept(builder: Builder, loop: For) -> Atom:
    """Return the end of the range, which the body may change afterwards without effect."""
    if isinstance(loop.stop, Var) and loop.stop.name in {defined(s) for s in walk(loop.body)}:
        return builder.op("copy", loop.stop, stem=f"last_{loop.var}")
    return loop.stop
