"""A `while` loop as a `for` loop: its iterations are counted by a run that keeps nothing.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64"):
...     y = copy(x)
...     while True:
...         more = greater(y, 0.1)
...         if not more:
...             break
...         y = multiply(0.5, y)
...     return y
... ''')
>>> print(show(counted(program, {id(program.body[1])})), end="")
def f(x: "float64"):
    y = copy(x)
    trips = 0
    y_counted = copy(y)
    while True:
        more_counted = greater(y_counted, 0.1)
        if not more_counted:
            break
        y_counted = multiply(0.5, y_counted)
        trips = add(trips, 1)
    for i in range(0, trips, 1):
        more = greater(y, 0.1)
        y = multiply(0.5, y)
    more = greater(y, 0.1)
    return y
"""

from __future__ import annotations

from srcdiff.analysis.uses import changed, exposed
from srcdiff.builder import INT, Builder
from srcdiff.syntax import Assign, Const, For, If, Program, Var, While, blocks_of, rename, walk, with_blocks

__all__ = ["counted"]


def counted(program: Program, loops: set[int]) -> Program:
    """Return `program` with the iterations of some `while` loops, given by their ids, counted before they run.

    The loops are not inside others.
    """
    builder = Builder(program.types)

    def block(body) -> tuple:
        with builder.nested() as out:
            for stmt in body:
                if isinstance(stmt, While) and id(stmt) in loops:
                    with builder.at(stmt.where):
                        _count_and_run(builder, stmt)
                elif isinstance(stmt, If):
                    builder.append(with_blocks(stmt, [block(b) for b in blocks_of(stmt)]))
                else:
                    builder.append(stmt)
        return tuple(out)

    return program.with_body(block(program.body), types=builder.types)


def _count_and_run(builder: Builder, loop: While) -> None:
    trips, index = builder.fresh("trips", INT), builder.fresh("i", INT)
    counters = {s.var for s in walk((loop,)) if isinstance(s, For)}
    names = {name: builder.fresh(f"{name}_counted", builder.types[name])
             for name in changed((loop,)) if name not in counters}
    builder.copy(trips, Const(0))
    for name in names:
        if name in exposed((loop,)):
            builder.copy(names[name], Var(name))
    (again,) = rename((loop,), names)
    once_more = Assign(trips, "add", (Var(trips), Const(1)), where=loop.where)
    builder.append(with_blocks(again, [again.test, (*again.body, once_more)]))
    builder.append(For(index, Const(0), Var(trips), Const(1), loop.test + loop.body, loop.where))
    builder.append(*loop.test)
