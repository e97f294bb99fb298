"""The shortest way of a call: straight to the machine code for the types of its arguments.

Where a call needs no more than compiled code (no captured values, copies or
checks), its key says nothing that the types of its arguments do not say, and
Numba finds the code in C.  Frozen: another thread may be calling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from srcdiff.api.lazy import lazy

__all__ = ["MISSING", "PLAIN", "Direct", "Way", "nothing"]

entry, table, types_of = (lazy("srcdiff.backend.entries", name) for name in ("entry", "table", "types_of"))

PLAIN = frozenset({np.ndarray, float})       # types whose values Numba tells apart as `key_of` does
MISSING = object()


class Way(NamedTuple):
    """How a runner goes: to a dispatcher, and from what it returns to the user's result.

    `text` is the code of `form`, which is None where there is nothing to do.
    """

    dispatcher: Callable
    text: str
    form: Callable | None


def missing(*args):
    """Answer that no machine code is known for arguments of these types."""
    return MISSING


class Direct:
    """Machine code for calls with `count` arguments, whose results are formed alike.

    `call` takes arguments of plain types and returns what the code returns, or `MISSING`.
    """

    __slots__ = ("call", "count", "entries", "form")

    def __init__(self, entries: Mapping[tuple, tuple[Callable, Way]], newest: Way | None = None, count: int = -1):
        self.entries, self.count = entries, count
        functions = {types: function for types, (function, way) in entries.items()
                     if len(types) == count and way.text == newest.text}
        self.call = table(functions, missing) if functions else missing
        self.form = newest and newest.form

    def joined(self, way: Way, args: tuple) -> Direct:
        """Return this with the code that a dispatcher has for such arguments."""
        if not hasattr(way.dispatcher, "overloads") or {*map(type, args)} - PLAIN:
            return self
        function = entry(way.dispatcher, args)
        return Direct({**self.entries, types_of(args): (function, way)}, way, len(args)) if function else self

    def without(self, args: tuple) -> Direct:
        """Return this without the code for such arguments."""
        if not self.entries or types_of(args) not in self.entries:
            return self
        kept = {types: found for types, found in self.entries.items() if types != types_of(args)}
        types, (_, way) = next(reversed(kept.items()), ((), (None, None)))
        return Direct(kept, way, len(types)) if kept else nothing


nothing = Direct({})
