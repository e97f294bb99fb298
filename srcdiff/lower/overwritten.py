"""Elements that are written before anyone could read them.

Whether a block writes all elements of an array before it reads any of them, and
a block without the stores that a later one makes vain.

>>> from srcdiff.notation import read
>>> program = read('''
... def f(x: "float64[:]", n: "weak int64"):
...     a = empty(n, dtype='float64')
...     b = empty(n, dtype='float64')
...     for k in range(0, 3, 1):
...         for i in range(0, n, 1):
...             v = x[i]
...             a[i] = v
...         b[0] = 1.0
...         u = a[1]
...         w = b[1]
...     return n
... ''')
>>> [is_overwritten(program, program.body[2].body, name) for name in "ab"]
[True, False]
>>> from srcdiff.notation import show
>>> program = read('''
... def f(x: "float64[:]", n: "weak int64"):
...     a = zeros(n, dtype='float64')
...     a[0] = 0.0
...     s = 0.0
...     for i in range(0, n, 1):
...         v = x[i]
...         s = add(s, v)
...     a[0] = s
...     return a
... ''')
>>> print(show(program.with_body(without_overwritten(program.body))), end="")
def f(x: "float64[:]", n: "weak int64"):
    a = zeros(n, dtype='float64')
    s = 0.0
    for i in range(0, n, 1):
        v = x[i]
        s = add(s, v)
    a[0] = s
    return a
"""

from __future__ import annotations

from srcdiff.lower.extents import Extents
from srcdiff.lower.forms import extent
from srcdiff.syntax import Assign, Const, For, If, Load, Program, Span, Stmt, Store, Var, mentions

__all__ = ["is_overwritten", "without_overwritten"]


def is_overwritten(program: Program, body: tuple[Stmt, ...], name: str) -> bool:
    """Tell whether each read of an array in a block sees what this execution of the block has written."""
    return _reads(body, name, Extents(program)) is not None


def _reads(body, name: str, extents: Extents) -> bool | None:
    """Return None if the block may read what it has not written, else whether it overwrites the whole array."""
    for stmt in body:
        if name not in mentions((stmt,)):
            continue
        match stmt:
            case Store(accumulate=False) | Assign(op="size"):
                pass
            case For(body=inner):
                if _fills(stmt, name, (), extents):
                    return True
                if _reads(inner, name, extents) is None:
                    return None
            case If(then=then, orelse=orelse):
                ends = [_reads(block, name, extents) for block in (then, orelse)]
                if None in ends:
                    return None
                if all(ends):
                    return True
            case _:
                return None
    return False


def _fills(loop: For, name: str, outer: tuple[For, ...], extents: Extents) -> bool:
    """Tell whether a nest of loops stores each element once, and loads it only after that."""
    loops, stored = (*outer, loop), None
    for stmt in loop.body:
        if name not in mentions((stmt,)):
            continue
        match stmt:
            case For() if stored is None and _fills(stmt, name, loops, extents):
                stored = ()
            case Store(accumulate=False, index=index) if stored is None and _is_all(
                    index, loops, extents.of(name), extents):
                stored = index
            case Load(index=index) if stored == index:
                pass
            case _:
                return False
    return stored is not None


def _is_all(index, loops: tuple[For, ...], shape, extents: Extents) -> bool:
    """Tell whether an index takes each value once as the loops run."""
    by_var = {Var(loop.var): loop for loop in loops}
    if not len(index) == len(set(index)) == len(shape) == len(loops):
        return False
    for item, length in zip(index, shape, strict=True):
        loop = by_var.get(item)
        if loop is None or (loop.start, loop.step) != (Const(0), Const(1)):
            return False
        stop = extents.scalar(loop.stop)
        if None in (stop, length) or extent(stop) != length:
            return False
    return True


# -- stores made in vain ------------------------------------------------------------------

def without_overwritten(body) -> tuple[Stmt, ...]:
    """Drop stores of a block that a later one of the same block overwrites before anyone could read."""
    kept: list[Stmt] = []
    doomed: set[tuple] = set()          # elements: arrays and places
    for stmt in reversed(body):
        if isinstance(stmt, Store) and not any(isinstance(i, Span) for i in stmt.index):
            element = stmt.array, stmt.index
            if element in doomed:
                continue
            if not stmt.accumulate:
                doomed.add(element)
        elif not isinstance(stmt, Store):
            named = mentions((stmt,))
            doomed = {(array, index) for array, index in doomed if array not in named
                      and not any(isinstance(a, Var) and a.name in stmt.changes for a in index)}
        kept.append(stmt)
    return tuple(reversed(kept))
