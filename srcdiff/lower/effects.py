"""What a statement reads and changes, and which statements may change places."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from srcdiff.syntax import (
    Array,
    Assign,
    Load,
    Raise,
    Store,
    Var,
    While,
    atoms_of,
    defined,
    walk,
)

__all__ = ["Effects", "effects_of"]


@dataclass
class Effects:
    """Reads and changes of a statement, nested statements included.

    `elements` maps each array to the indices at which its elements are loaded
    or stored; `bound` are the arrays that are allocated or used as a whole.
    """

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    stores: set[str] = field(default_factory=set)
    elements: dict[str, list] = field(default_factory=lambda: defaultdict(list))
    bound: set[str] = field(default_factory=set)
    raises: bool = False
    loops_on: bool = False
    operations: set[str] = field(default_factory=set)

    def conflicts(self, other: Effects) -> bool:
        """Tell whether the order of the two statements matters."""
        if self.writes & other.reads or self.writes & other.writes or self.reads & other.writes:
            return True
        return self.raises and other.raises

    @property
    def plain(self) -> bool:
        """Nothing but loads, stores and scalars, in counted loops."""
        return not (self.raises or self.loops_on)


def effects_of(stmt, types) -> Effects:
    """Return the effects of a statement."""
    found = Effects()
    for s in walk((stmt,)):
        found.reads.update(a.name for a in atoms_of(s) if isinstance(a, Var))
        if (name := defined(s)) is not None:
            found.writes.add(name)
        match s:
            case Load(array=array, index=index):
                found.elements[array].append(index)
            case Store(array=array, index=index):
                found.elements[array].append(index)
                found.stores.add(array)
                found.reads.add(array)
            case Raise():
                found.raises = True
            case While():
                found.loops_on = True
            case Assign():
                _assign(found, s, types)
    return found


def _assign(found, s, types):
    found.operations.add(s.op)
    if isinstance(types[s.target], Array):
        found.bound.add(s.target)
    if s.op != "size":
        found.bound.update(a.name for a in s.args
                           if isinstance(a, Var) and isinstance(types[a.name], Array))


