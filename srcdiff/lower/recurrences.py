"""Take out of a recurrence what only adds to elements that it is done with.

>>> from srcdiff.notation import in_any_order, read, show
>>> print(show(recurrences(in_any_order(read('''
... def f(a: "float64[:]", n: "weak int64"):
...     b = copy(a)
...     c = zeros(n, dtype='float64')
...     for i in range(0, n, 1):
...         t = b[i]
...         p = add(i, 1)
...         q = add(i, 2)
...         u = multiply(t, t)
...         b[p] += u
...         c[i] += u
...         c[p] += u
...         c[q] += u
...     return b, c
... ''')))), end="")
def f(a: "float64[:]", n: "weak int64"):
    b = copy(a)
    c = zeros(n, dtype='float64')
    n_2 = maximum(n, 0)
    u_row = empty(n_2, dtype='float64')
    for i in range(0, n, 1):
        p = add(i, 1)
        t = b[i]
        u = multiply(t, t)
        b[p] += u
        u_row[i] = u
    for i_part in range(0, n, 1):
        p_2 = add(i_part, 1)
        q = add(i_part, 2)
        u_2 = u_row[i_part]
        c[i_part] += u_2
        c[p_2] += u_2
        c[q] += u_2
    return b, c

The adjoint of a relaxation in place (Gauss and Seidel, SOR) reads an element, and adds
to its neighbours in this row and in those beside it.  The iteration waits for one
of these sums only, that to the element which comes next.  The others may follow in a
loop that gathers (`srcdiff.lower.gather`), and runs as vectors; what they add is kept in a row.
Where all of them go to elements of their own, nothing is gained, and the nest may be turned instead.

A sum may follow all iterations where its element is not used in a later iteration,
but by other sums, and not in the same iteration after it.
"""

from __future__ import annotations

from collections import defaultdict

from srcdiff.lower.commuting import is_sum
from srcdiff.lower.distribute import Division, Pair, Part, computed_again
from srcdiff.lower.effects import Sum, follow, followed
from srcdiff.lower.halved import Halving, is_long
from srcdiff.syntax import Assign, For, Program, Store, Var, walk

__all__ = ["recurrences"]

LEAST_SUMS = 3                          # that are worth a loop of their own, and a row


def recurrences(program: Program) -> Program:
    """Return `program` with the sums that no iteration waits for in loops of their own."""
    if not any(isinstance(s, For) and is_long(s) and _has_sums(s) for s in walk(program.body)):
        return program
    return _Recurrences(program).run()


def _has_sums(loop: For) -> bool:
    """Tell whether a loop could have enough sums besides one that it waits for."""
    return sum(isinstance(s, Store) and is_sum(s) for s in loop.body) > LEAST_SUMS


def _has_neighbours(loop: For, sums: list[Store]) -> bool:
    """Tell whether some of the sums go to different elements along the loop, as loops do that gather."""
    integers: dict[str, Sum] = {}
    for s in loop.body:
        if isinstance(s, Assign):
            follow(s, integers)
    rows = defaultdict(set)
    for s in sums:
        at = followed(s.index, integers)
        rows[s.array, tuple(None if i.atom == Var(loop.var) else i for i in at)].add(at)
    return any(len(places) > 1 for places in rows.values())


class _Recurrences(Halving):
    def halves(self, loop: For) -> Division | None:
        """Return how to divide a loop into what waits and what follows; None where nothing waits, or little follows."""
        if not _has_sums(loop) or (own := self.own_numbers(loop)) is None:
            return None
        again = computed_again(loop)
        kept = [p for p, s in enumerate(loop.body) if s not in again]
        sums = [p for p in kept if isinstance(loop.body[p], Store) and is_sum(loop.body[p])]
        rest = [p for p in kept if p not in sums]
        with self.another(loop, own) as (copy, names):
            pair = Pair(loop, copy, names)
            late = [p for p in sums if self.may_follow(pair, p, rest)]
        if not LEAST_SUMS <= len(late) < len(sums) or not _has_neighbours(loop, [loop.body[p] for p in late]):
            return None
        return Division(loop, again, tuple(Part(tuple(part), False) for part in ([p for p in kept if p not in late], late)))
