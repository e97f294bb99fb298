"""Where variables are assigned, stored to, read and still needed.

>>> from srcdiff.notation import read
>>> program = read('''
... def f(x: "float64[:]", n: "weak int64"):
...     s = 0.0
...     y = zeros(n, dtype='float64')
...     for i in range(0, n, 1):
...         t = x[i]
...         s = add(s, t)
...         y[i] = s
...     return y
... ''')
>>> uses = Uses(program)
>>> [name for name in program.types if uses.single(name)], sorted(uses.stores)
(['x', 'n', 'y', 'i', 't'], ['y'])
>>> changed(program.body[2:])
('i', 't', 's', 'y')
>>> sorted(exposed(program.body[2:]))
['n', 's', 'x', 'y']
"""

from __future__ import annotations

from collections import Counter

from srcdiff.syntax import Assign, For, If, Load, Program, Store, Var, While, walk

__all__ = ["Stamps", "Uses", "changed", "exposed", "live_into"]


class Uses:
    """How often each variable of a program is assigned, stored to and read.

    Attributes
    ----------
    assigned
        Assignments, loads and loops that set the variable; a parameter has one.
    stores
        Stores into the array.
    reads
        Reads of the variable, by statements and by the results.
    definition
        The statement that assigns a variable that is assigned once.
    """

    def __init__(self, program: Program):
        self.assigned = Counter(p.name for p in program.params)
        self.stores: Counter[str] = Counter()
        self.reads = Counter(a.name for a in program.results if isinstance(a, Var))
        definition = {}
        for stmt in walk(program.body):
            match stmt:
                case Assign(target=name) | Load(target=name) | For(var=name):
                    self.assigned[name] += 1
                    definition[name] = stmt
                case Store(array=name):
                    self.stores[name] += 1
        self.reads.update(a.name for stmt in walk(program.body) for a in stmt.reads if isinstance(a, Var))
        self.definition = {n: s for n, s in definition.items() if self.assigned[n] == 1}

    def single(self, name: str) -> bool:
        """Tell whether one statement assigns the variable (or it is a parameter).

        Every read then sees the newest execution of that statement, because a
        program assigns before it reads on every path: what the statement says
        of its operands holds wherever the variable may be read.
        """
        return self.assigned[name] == 1

    def constant(self, name: str) -> bool:
        """Tell whether the variable is assigned once and its elements are never stored to."""
        return self.assigned[name] == 1 and not self.stores[name]


def changed(*blocks) -> tuple[str, ...]:
    """Return the variables that the blocks assign or store to, in program order."""
    return tuple(dict.fromkeys(name for block in blocks for stmt in block for name in stmt.changes))


def exposed(body) -> set[str]:
    """Return the variables whose value at the start of a block the block may read.

    A store keeps the other elements, so it reads its array.
    """
    return live_into(body, set())


def live_into(body, live: set[str]) -> set[str]:
    """Return the variables that are live before `body` where `live` are after it."""
    live = set(live)
    for stmt in reversed(body):
        match stmt:
            case Assign(target=name) | Load(target=name):
                live.discard(name)
            case Store(array=name):
                live.add(name)
            case If(then=then, orelse=orelse):
                live = live_into(then, live) | live_into(orelse, live)
            case For(var=name, body=inner):
                # What an iteration reads and does not assign before: one round is enough.
                live |= exposed(inner) - {name}
            case While(test=test, condition=condition, body=inner):
                live |= {condition.name} if isinstance(condition, Var) else set()
                live = live_into(test, live | exposed(inner))
                continue
        live.update(a.name for a in stmt.reads if isinstance(a, Var))
    return live


class Stamps:
    """Tell, while a program is walked forwards, whether a variable still has the value it had.

    Two reads of one variable between which its stamp did not change read the
    same value.  An assignment or store gives a new stamp; so does the head of a
    loop for what the loop changes, and the end of a branch for what either
    branch changes.  Stamps are never used twice, so what was learnt in one
    branch is not believed in the other.
    """

    def __init__(self):
        self.stamp: dict[str, int] = {}
        self._count = 0

    def __getitem__(self, name: str) -> int:
        return self.stamp.get(name, 0)

    def bump(self, *names: str) -> None:
        for name in names:
            self._count += 1
            self.stamp[name] = self._count

    def save(self, names) -> dict[str, int]:
        return {name: self[name] for name in names}

    def restore(self, saved: dict[str, int]) -> None:
        self.stamp.update(saved)

