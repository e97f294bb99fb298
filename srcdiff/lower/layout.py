"""Lay local arrays out so that the loops that run along one of their axes find it last.

>>> from srcdiff.notation import read, show
>>> print(show(layout(read('''
... def f(x: "float64[:]", n: "weak int64"):
...     m = size(x, axis=0)
...     p = empty(m, n, dtype='float64')
...     for j in range(0, n, 1):
...         for i in range(0, m, 1):
...             t = x[i]
...             p[i, j] = t
...     t = p[0, 0]
...     return t
... '''))), end="")
def f(x: "float64[:]", n: "weak int64"):
    m = size(x, axis=0)
    p_T = empty(n, m, dtype='float64')
    for j in range(0, n, 1):
        for i in range(0, m, 1):
            t = x[i]
            p_T[j, i] = t
    t = p_T[0, 0]
    return t

That is possible where an array is made here, and only its elements are used: tapes
above all, whose order is nobody's business, and the work space of the user's
function.  Each access votes for the axis along which its innermost loop runs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from srcdiff.builder import Builder
from srcdiff.syntax import (
    Array,
    Assign,
    Const,
    For,
    Load,
    Program,
    Scalar,
    Store,
    Var,
    mentions,
    rename,
    walk,
    with_blocks,
)

__all__ = ["layout", "local_arrays"]

WEIGHT = 8                              # of an access, against one that has one loop less around it


def layout(program: Program) -> Program:
    """Return `program` with the axes of local arrays in the order in which loops run along them."""
    orders = {name: order for name, votes in _votes(program).items()
              if (order := _order(votes, program.types[name].ndim)) is not None}
    if not orders:
        return program
    builder = Builder(program.types)
    names = {name: builder.fresh(f"{name}_T", builder.types[name]) for name, order in orders.items() if len(order) == 2}
    body = rename(tuple(_laid_out(s, orders) for s in program.body), names)
    return program.with_body(body, types=builder.types)


def local_arrays(program: Program) -> set[str]:
    """Return the arrays of several axes that are made here once, and of which only elements are used."""
    total = mentions(program.body) + Counter(a.name for a in program.results if isinstance(a, Var))
    plain: Counter[str] = Counter()
    made: Counter[str] = Counter()
    for s in walk(program.body):
        match s:
            case Assign(target=name, op="empty" | "zeros"):
                made[name] += 1
                plain[name] += 1
            case Assign(op="size"):
                plain[s.args[0].name] += 1
            case Load(array=name) | Store(array=name):
                plain[name] += _is_element(program, s)
    return {name for name, type_ in program.types.items()
            if isinstance(type_, Array) and type_.ndim > 1 and made[name] == 1 and plain[name] == total[name]}


def _is_element(program: Program, access: Load | Store) -> bool:
    return len(access.index) == program.types[access.array].ndim and all(
        isinstance(i, Const) or isinstance(i, Var) and isinstance(program.types[i.name], Scalar) for i in access.index)


def _votes(program: Program) -> dict[str, Counter]:
    """Return for each local array how often loops run along each of its axes; inner loops count more."""
    local, votes = local_arrays(program), defaultdict(Counter)
    moved: dict[str, frozenset[str]] = {}           # by variable: the loops whose variables it is computed of

    def block(body, loops):
        for s in body:
            if isinstance(s, Assign):
                moved[s.target] = frozenset().union(*(moved.get(a.name, ()) for a in s.args if isinstance(a, Var)))
            elif isinstance(s, Load | Store) and s.array in local:
                axis, depth = _runs_along(s.index, loops, moved)
                votes[s.array][axis] += WEIGHT ** depth
            if isinstance(s, For):
                moved[s.var] = frozenset((s.var,))
            for inner in s.blocks:
                block(inner, (*loops, s.var) if isinstance(s, For) else loops)

    block(program.body, ())
    return votes


def _runs_along(index, loops: tuple[str, ...], moved) -> tuple[int | None, int]:
    """Return the axis along which the innermost loop that matters runs, if it is one, and how deep that loop is."""
    for depth in range(len(loops), 0, -1):
        axes = [k for k, i in enumerate(index) if isinstance(i, Var) and loops[depth - 1] in moved.get(i.name, ())]
        if axes:
            return axes[0] if len(axes) == 1 else None, depth
    return None, 0


def _order(votes: Counter, ndim: int) -> tuple[int, ...] | None:
    """Return the axes with the one that most votes are for last; None where that is so."""
    axes = [k for k in votes if k is not None]
    last = max(axes, key=lambda k: (votes[k], k), default=ndim - 1)
    return None if last == ndim - 1 else (*(k for k in range(ndim) if k != last), last)


def _laid_out(stmt, orders):
    """Return a statement, at any depth, for arrays with their axes in other orders."""
    if stmt.blocks:
        return with_blocks(stmt, [[_laid_out(s, orders) for s in block] for block in stmt.blocks])
    match stmt:
        case Assign(target=name, op="empty" | "zeros") if name in orders:
            return replace(stmt, args=tuple(stmt.args[k] for k in orders[name]))
        case Assign(op="size", args=(Var(name=name),)) if name in orders:
            axis = orders[name].index(stmt.keywords["axis"])
            return replace(stmt, static=(("axis", axis),))
        case Load(array=name) | Store(array=name) if name in orders:
            return replace(stmt, index=tuple(stmt.index[k] for k in orders[name]))
    return stmt
