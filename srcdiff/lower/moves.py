"""Hand arrays on instead of copying them.

>>> from srcdiff.notation import read, show
>>> print(show(moves(read('''
... def f(n: "weak int64"):
...     t = zeros(n, dtype="float64")
...     y = empty(n, dtype="float64")
...     for i in range(0, n, 1):
...         a = t[i]
...         y[i] = a
...     return y
... '''))), end="")
def f(n: "weak int64"):
    t = zeros(n, dtype='float64')
    y = copy(t, move=True)
    return y

A loop that copies a whole array, the last to read it, becomes a move.  In a
loop over time steps the two buffers change places (`exchange`), so that no step
allocates.
"""

from __future__ import annotations

from srcdiff.builder import Builder
from srcdiff.lower.extents import Extents
from srcdiff.lower.forms import extent
from srcdiff.optimize.dead import dead
from srcdiff.syntax import (
    Assign,
    Const,
    For,
    Load,
    Program,
    Store,
    Var,
    blocks_of,
    mentions,
    with_blocks,
)

__all__ = ["exchange", "moves"]


def moves(program: Program) -> Program:
    """Return `program` with final copies of local arrays made moves."""
    forms = Extents(program)
    total = mentions(program.body)
    total.update(a.name for a in program.results if isinstance(a, Var))

    params = {p.name for p in program.params}

    def is_own(name: str, before, is_top: bool) -> bool:
        """Tell whether an array belongs to this run of a block: no other iteration reads what it holds now."""
        return name not in params if is_top else _made_in(before, name) and forms.counts[name] == 1

    def block(body, is_top=False):
        out = []
        for position, stmt in enumerate(body):
            pair = full_copy(stmt, forms, program.types)
            if pair and is_own(pair[1], body[:position], is_top) \
                    and total[pair[1]] == mentions(body[:position + 1])[pair[1]]:
                stmt = Assign(pair[0], "copy", (Var(pair[1]),), (("move", True),), stmt.where)
            elif blocks_of(stmt):
                stmt = with_blocks(stmt, [block(b) for b in blocks_of(stmt)])
            out.append(stmt)
        return tuple(out)

    return dead(program.with_body(block(program.body, is_top=True)))


def exchange(body, buffers, outside: set[str], forms, builder: Builder):
    """Let a loop body exchange two buffers where it copied one to the other.

    Parameters
    ----------
    body
        The statements of the loop body.
    buffers
        Arrays that the body fills anew in each iteration, allocated before the
        loop and not used outside it.
    outside
        The arrays that are not allocated in the body.
    """
    out, handed = [], set()
    for position, stmt in enumerate(body):
        pair = full_copy(stmt, forms, builder.types)
        if pair and pair[1] in buffers and pair[0] in outside and not handed & set(pair) \
                and pair[1] not in mentions(body[position + 1:]):
            target, source = pair
            handed |= set(pair)
            old = builder.fresh(f"{target}_old", builder.types[target])
            move = (("move", True),)
            out += [Assign(old, "copy", (Var(target),), move, stmt.where),
                    Assign(target, "copy", (Var(source),), move, stmt.where),
                    Assign(source, "copy", (Var(old),), move, stmt.where)]
        else:
            out.append(stmt)
    return tuple(out)


def full_copy(stmt, forms, types) -> tuple[str, str] | None:
    """Return ``(y, t)`` if `stmt` is a loop nest that copies all of `t` to `y`."""
    loops, body = [], (stmt,)
    while len(body) == 1 and isinstance(body[0], For):
        loops.append(body[0])
        body = body[0].body
    match body:
        case (Load(target=e, array=t, index=there), Store(array=y, index=here, value=value)):
            pass
        case _:
            return None
    index = tuple(Var(loop.var) for loop in loops)
    if not loops or body[1].accumulate or value != Var(e) or not here == there == index \
            or types[t] != types[y]:
        return None
    for loop, ours, theirs in zip(loops, forms.of(y), forms.of(t), strict=True):
        whole = (loop.start, loop.step) == (Const(0), Const(1)) and ours is not None \
            and ours == theirs == _length(forms, loop.stop)
        if not whole:
            return None
    return y, t


def _length(forms, stop):
    form = forms.scalar(stop)
    return None if form is None else extent(form)


def _made_in(body, name) -> bool:
    return any(isinstance(s, Assign) and s.target == name and s.op in ("empty", "zeros")
               for s in body)
