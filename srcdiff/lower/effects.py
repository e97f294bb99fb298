"""What a statement reads and changes, and which statements may change places."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from srcdiff.lower.expensive import is_expensive
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    Load,
    Raise,
    Store,
    Var,
    While,
    atoms_of,
    defined,
    walk,
)

__all__ = ["Effects", "Sum", "effects_of", "follow", "followed"]


@dataclass(frozen=True)
class Sum:
    """The number ``atom + more``."""

    atom: Atom
    more: int

    def plus(self, distance: int) -> Sum:
        return Sum(self.atom, self.more + distance)


@dataclass
class Order:
    """What decides whether statements may change places."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    raises: bool = False

    def conflicts(self, other: Order) -> bool:
        """Tell whether the order of the two matters."""
        if self.writes & other.reads or self.writes & other.writes or self.reads & other.writes:
            return True
        return self.raises and other.raises

    def add(self, other: Order) -> None:
        """Include other statements."""
        self.reads |= other.reads
        self.writes |= other.writes
        self.raises |= other.raises


@dataclass
class Effects(Order):
    """Reads and changes of a statement, nested statements included.

    `elements` maps each array to the indices at which its elements are loaded
    or stored, each item as a `Sum`, `stored` those of stores alone; `bound` are the arrays that are allocated or
    used as a whole, `ordered` those to whose elements more happens than sums.
    """

    stores: set[str] = field(default_factory=set)
    elements: dict[str, list] = field(default_factory=lambda: defaultdict(list))
    stored: dict[str, list] = field(default_factory=lambda: defaultdict(list))
    bound: set[str] = field(default_factory=set)
    ordered: set[str] = field(default_factory=set)
    loops_on: bool = False
    is_expensive: bool = False

    @property
    def plain(self) -> bool:
        """Nothing but loads, stores and scalars, in counted loops."""
        return not (self.raises or self.loops_on)


def effects_of(stmt, types, once=frozenset()) -> Effects:
    """Return the effects of a statement; indices are followed through the variables of `once`, set at one place."""
    found, sums = Effects(), {}
    for s in walk((stmt,)):
        found.reads.update(a.name for a in atoms_of(s) if isinstance(a, Var))
        if (name := defined(s)) is not None:
            found.writes.add(name)
        match s:
            case Load(array=array, index=index):
                found.elements[array].append(followed(index, sums))
                found.ordered.add(array)
            case Store(array=array, index=index):
                found.elements[array].append(followed(index, sums))
                found.stored[array].append(found.elements[array][-1])
                found.stores.add(array)
                found.reads.add(array)
                if not s.accumulate:
                    found.ordered.add(array)
            case Raise():
                found.raises = True
            case While():
                found.loops_on = True
            case Assign():
                _assign(found, s, types)
                if s.target in once:
                    follow(s, sums)
    return found


def followed(index, sums: dict[str, Sum]) -> tuple[Sum, ...]:
    """Return the items of an index as sums, following the variables that `sums` has."""
    return tuple(sums[item.name] if isinstance(item, Var) and item.name in sums else Sum(item, 0) for item in index)


def follow(stmt: Assign, sums: dict[str, Sum]) -> None:
    """Add a variable that is another one and a constant to `sums`."""
    match stmt:
        case Assign(target, "add", (Var() as other, Const(int(n)))) | Assign(target, "add", (Const(int(n)), Var() as other)):
            pass
        case Assign(target, "subtract", (Var() as other, Const(int(n)))):
            n = -n
        case _:
            return
    sums[target] = sums.get(other.name, Sum(other, 0)).plus(n)


def _assign(found, s, types):
    found.is_expensive |= is_expensive(s)
    if isinstance(types[s.target], Array):
        found.bound.add(s.target)
    if s.op != "size":
        found.bound.update(a.name for a in s.args
                           if isinstance(a, Var) and isinstance(types[a.name], Array))


