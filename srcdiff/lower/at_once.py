"""Mark the innermost loops whose iterations may run at once: none touches an element that another one stores.

>>> from srcdiff.notation import read
>>> program = at_once(read('''
... def f(x: "float64[:,:]", k: "int64"):
...     n = size(x, axis=0)
...     m = size(x, axis=1)
...     y = zeros(n, m, dtype='float64')
...     s = 0.0
...     for i in range(1, n, 1):
...         p = subtract(i, 1)
...         for j in range(0, m, 1):
...             t = x[i, j]
...             y[p, j] += t
...             u = y[i, j]
...             s = add(s, u)
...     for l in range(1, n, 1):
...         q = subtract(l, 1)
...         v = y[q, 0]
...         y[l, 0] = v
...     return y, s
... '''))
>>> [(s.var, s.at_once) for s in walk(program.body) if isinstance(s, For)]
[('i', False), ('j', True), ('l', False)]

LLVM cannot see that rows of one array do not overlap.  It tests for that before the loop, or before the loops around it, for all
their rows together: then rows do overlap, and the loop is not vectorised.  Numbers that one iteration hands to the
next are no obstacle, LLVM sees them; so what is compared here is memory only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from srcdiff.analysis.independent import Own
from srcdiff.lower.commuting import Commuting, accesses, meeting
from srcdiff.syntax import Assign, For, Load, Program, Store, Var, While, mentions, walk

__all__ = ["Marker", "at_once"]


def at_once(program: Program) -> Program:
    """Return `program` with its innermost loops marked where that is proved."""
    if not any(isinstance(s, For) for s in walk(program.body)):
        return program
    writer = Marker(program)
    writer.block(program.body)
    return program.with_body(writer.builder.take())


class Marker(Commuting):
    """A walk that can tell whether the iterations of a loop may run at once, and marks those that may."""

    def loop(self, stmt: For) -> None:
        self.entered(replace(stmt, at_once=True) if self.may_run_at_once(stmt) else stmt)

    def may_run_at_once(self, loop: For) -> bool:
        """Tell whether a loop is innermost, stores, and no iteration touches what another one stores."""
        inside = list(walk(loop.body))
        if any(isinstance(s, For | While) for s in inside) or not any(isinstance(s, Store) for s in inside) \
                or not self.is_plain((loop,)):
            return False
        own = self.own_integers(loop)
        if own is None:
            return False
        with self.another(loop, own) as (again, names):
            pairs = [(loop.var, names[loop.var])]
            return all(self.are_others(a, b, pairs) for a, b in meeting(list(accesses((loop,))), list(accesses((again,)))))

    def own_integers(self, loop: For) -> set[str] | None:
        """Return the integers of an iteration, the loop's variable among them; None if it is not known what they are."""
        numbers = [s for s in walk(loop.body) if isinstance(s, Assign | Load) and "int" in self.builder.types[s.target].dtype]
        own, within = {loop.var} | {s.target for s in numbers}, mentions((loop,))
        once = max(Counter(s.target for s in numbers).values(), default=1) == 1
        if not once or any(within[name] != self.mentions[name] for name in own) or not all(map(self._follows_from_integers, numbers)):
            return None
        found = Own(frozenset(own - {loop.var}))
        found.block(loop.body, set())
        return None if found.carried else own

    def _follows_from_integers(self, stmt: Assign | Load) -> bool:
        """Tell whether a number is that of the copy where its integers are: floats and truth values are not told apart from the copy's."""
        return isinstance(stmt, Load) or stmt.op == "size" or all(
            "int" in self.builder.type_of(a).dtype for a in stmt.args if isinstance(a, Var))
