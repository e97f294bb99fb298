"""Whether a nest of loops is faster the other way round: steps to another row, and values that wait for each other.

>>> from srcdiff.notation import read
>>> outer = read('''
... def f(p: "float64[:,:]", x: "float64[:,:]"):
...     q = copy(p)
...     for i in range(0, 9, 1):
...         for j in range(1, 9, 1):
...             k = subtract(j, 1)
...             a = q[i, k]
...             b = divide(2.0, a)
...             q[i, j] = b
...     return q
... ''').body[1]
>>> inner = outer.body[0]
>>> strides(inner.body, "j"), strides(inner.body, "i"), chain(inner)
(0, 2, ('divide',))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from srcdiff.analysis.uses import exposed
from srcdiff.lower.effects import Sum, follow, followed
from srcdiff.lower.expensive import EXPENSIVE
from srcdiff.syntax import Assign, For, Load, Store, Var, atoms_of, mentions

__all__ = ["SLOW", "accesses_handed_on", "chain", "depends_on", "handed_on", "is_faster_turned", "strides"]

SLOW = EXPENSIVE | {"divide", "sqrt", "reciprocal"}


def depends_on(body, var: str) -> set[str]:
    """Return the variables that simple statements compute of a loop's variable, and that itself."""
    found = {var}
    for s in body:
        if isinstance(s, Assign) and any(a.name in found for a in s.args if isinstance(a, Var)):
            found.add(s.target)
    return found


def strides(body, var: str, among: Iterable[str] | None = None, before=()) -> int:
    """Count the accesses that a step of a loop's variable moves to another row; of the arrays `among` only.

    `before` are statements in front of the loop that may compute indices of its variable.
    """
    moved = depends_on((*before, *body), var)

    def moves(item) -> bool:
        return isinstance(item, Var) and item.name in moved

    return sum(any(map(moves, s.index[:-1])) for s in body if isinstance(s, Load | Store)
               and (among is None or s.array in among))


def chain(loop: For) -> tuple[str, ...]:
    """Return the operations that an iteration of a loop of simple statements does on what the one before has computed.

    These are numbers that it hands on, and elements that are stored at one
    index and loaded at another, or stored and loaded at one that stays.  Sums
    whose order is nobody's are no chain.
    """
    late, places = handed_on(loop.body), accesses_handed_on(loop)
    found = []
    for s in loop.body:
        match s:
            case Load() if id(s) in places:
                late.add(s.target)
            case Store(accumulate=True) if id(s) in places:
                found.append("add")
            case Assign(target=target) if any(a.name in late for a in s.args if isinstance(a, Var)):
                late.add(target)
                found.append(s.op)
    return tuple(found)


def handed_on(body) -> set[str]:
    """Return the numbers that an iteration reads and then sets, but for sums in any order that nothing reads."""
    found = exposed(body) & {s.target for s in body if isinstance(s, Assign | Load)}
    sums = Counter(s.target for s in body if isinstance(s, Assign) and s.where.any_order and s.op in ("add", "subtract"))
    return found - {name for name, count in sums.items() if mentions(body)[name] == 2 * count}


def accesses_handed_on(loop: For) -> set[int]:
    """Return the identities of the loads and ordered sums of elements that another iteration stores."""
    moved, sums, places = depends_on(loop.body, loop.var), {}, []
    for s in loop.body:
        if isinstance(s, Load | Store):
            places.append((s, followed(s.index, sums)))
        elif isinstance(s, Assign):
            follow(s, sums)
    reading = [(s, at) for s, at in places if isinstance(s, Load) or s.accumulate and not s.where.any_order]
    return {id(s) for s, at in reading
            if any(isinstance(t, Store) and t.array == s.array and _meet(at, there, moved) for t, there in places)}


def _meet(at: tuple[Sum, ...], there: tuple[Sum, ...], moved: set[str]) -> bool:
    """Tell whether an element of one iteration may be that of another one: a shift along the loop, or no step at all."""
    steps = [isinstance(i.atom, Var) and i.atom.name in moved for i in (*at, *there)]
    same = all(i.atom == k.atom for i, k in zip(at, there, strict=True))
    return same and (at != there if any(steps) else at == there)


def is_faster_turned(outer: For, inner: For, before, local: set[str]) -> bool:
    """Tell whether a loop of simple statements should be inside the one that it stands in.

    Parameters
    ----------
    before
        Statements of the outer loop that may compute indices.
    local
        Arrays whose axes may change places (`srcdiff.lower.layout`).
    """
    arrays = {s.array for s in inner.body if isinstance(s, Load | Store)}
    now, then = (strides(inner.body, loop.var, arrays - local, before) for loop in (inner, outer))
    if then == 0 < now:
        return True
    done = chain(inner)
    if SLOW.intersection(done):
        return True
    all_now, all_then = (strides(inner.body, loop.var, None, before) for loop in (inner, outer))
    return then == now == 0 and (bool(done) or all_then == 0 < all_now)


def reads_of(body) -> set[str]:
    """Return the variables that a block reads."""
    return {a.name for s in body for a in atoms_of(s) if isinstance(a, Var)}
