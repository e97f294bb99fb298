"""Turn a nest of two loops around, so that threads may share the one that was inside.

``np.sum(x, axis=0)`` is a loop over rows that adds each row to the result: its
iterations write the same elements.  Inside out, each thread owns columns, and adds
up each of them in the order in which one thread would: the sums are the same to the
last bit, and neighbouring threads read neighbouring elements.

>>> from dataclasses import replace
>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:,:]"):
...     n = size(x, axis=1)
...     y = zeros(n, dtype='float64')
...     for i in range(0, 3, 1):
...         for j in range(0, 5, 1):
...             t = x[i, j]
...             y[j] += t
...     return y
... ''')
>>> *front, nest = program.body
>>> print(show(replace(program, body=(*front, turned(nest, program.types)))), end="")
def f(x: "float64[:,:]"):
    n = size(x, axis=1)
    y = zeros(n, dtype='float64')
    for j in range(0, 5, 1):
        for i in range(0, 3, 1):
            t = x[i, j]
            y[j] += t
    return y
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.kernels.loops import side_by_side, trips
from srcdiff.syntax import Assign, For, Load, Raise, Stmt, Store, While, walk

__all__ = ["turned"]


def turned(loop: Stmt, types) -> For | None:
    """Return a nest with its inner loop outside; None where that could change a result.

    What stands before the inner loop must be numbers alone.  They are computed in
    each iteration of the inner loop then.
    """
    if not isinstance(loop, For) or not loop.body or not isinstance(loop.body[-1], For):
        return None
    *before, inner = loop.body
    inside = list(walk(loop.body))
    stored = {s.array for s in inside if isinstance(s, Store)}
    if trips(loop) is None or trips(inner) is None or any(isinstance(s, Raise | While) for s in inside):
        return None
    if any(isinstance(s, Assign) and types[s.target].ndim for s in inside):
        return None
    if not all(isinstance(s, Assign) or isinstance(s, Load) and s.array not in stored for s in before):
        return None
    if not all(side_by_side(inner, name) for name in stored):
        return None
    return replace(inner, body=(replace(loop, body=(*before, *inner.body)),))
