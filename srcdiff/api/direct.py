"""The shortest way of a call: straight to the machine code for the types of its arguments.

Where a call needs no more than compiled code (no captured values, copies or
checks), its key says nothing that the types of its arguments do not say, and
Numba finds the code in C.  Frozen: another thread may be calling.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from srcdiff.api.lazy import lazy

__all__ = ["MISSING", "PLAIN", "Direct", "Way", "nothing", "parts_of"]

entry, table, types_of = (lazy("srcdiff.backend.entries", name) for name in ("entry", "table", "types_of"))

PLAIN = frozenset({np.ndarray, float, int})  # types whose values Numba tells apart as `key_of` does
MISSING = object()


# For each argument of a call None, or the number of items of a tuple.
Parts = tuple[int | None, ...]


def parts_of(args: tuple) -> Parts:
    """Return what of a call's arguments is a tuple.

    >>> parts_of(((1.0, 2.0), 3.0))
    (2, None)
    """
    return tuple(len(a) if type(a) is tuple else None for a in args)


def flat(args: tuple) -> tuple:
    """Return the arguments of a call, and the items of tuples in their places."""
    return tuple(v for a in args for v in (a if type(a) is tuple else (a,)))


@functools.cache
def flattener(parts: Parts) -> Callable | None:
    """Return a faster `flat` for arguments with these parts, None where none is a tuple; of others it makes one that is not plain."""
    if parts.count(None) == len(parts):
        return None
    items = "".join(f"args[{i}], " if n is None else f"*args[{i}], " for i, n in enumerate(parts))
    tests = [f"type(args[{i}]) is tuple and len(args[{i}]) == {n}" for i, n in enumerate(parts) if n is not None]
    return eval(f"lambda args: ({items}) if {' and '.join(tests)} else (None,)")


class Way(NamedTuple):
    """How a runner goes: to a dispatcher, and from what it returns to the user's result.

    `text` is the code of `form`, which is None where there is nothing to do.
    """

    dispatcher: Callable
    text: str
    form: Callable | None
    parts: Parts


def missing(*args):
    """Answer that no machine code is known for arguments of these types."""
    return MISSING


class Direct:
    """Machine code for calls with `count` arguments, whose results are formed alike.

    `flat` gives the arguments that code takes, where some come in tuples; `call` takes these, of plain types, and
    returns what the code returns, or `MISSING`.
    """

    __slots__ = ("call", "count", "entries", "flat", "form")

    def __init__(self, entries: Mapping[tuple, tuple[Callable, Way]], newest: Way | None = None):
        self.entries = entries
        functions = {types: function for types, (function, way) in entries.items()
                     if (way.text, way.parts) == (newest.text, newest.parts)}
        self.call = table(functions, missing) if functions else missing
        self.count, self.form, self.flat = (len(newest.parts), newest.form, flattener(newest.parts)) if newest else (-1, None, None)

    def joined(self, way: Way, args: tuple) -> Direct:
        """Return this with the code that a dispatcher has for such arguments."""
        given = flat(args)
        if not hasattr(way.dispatcher, "overloads") or {*map(type, given)} - PLAIN:
            return self
        function = entry(way.dispatcher, given)
        return Direct({**self.entries, types_of(given): (function, way)}, way) if function else self

    def without(self, args: tuple) -> Direct:
        """Return this without the code for such arguments."""
        given = flat(args)
        if not self.entries or {*map(type, given)} - PLAIN or types_of(given) not in self.entries:
            return self
        kept = {types: found for types, found in self.entries.items() if types != types_of(given)}
        return Direct(kept, next(reversed(kept.values()))[1]) if kept else nothing


nothing = Direct({})
