"""From arguments to machine code in one step: Numba's own dispatch in C, for calls that need no thought.

Numba finds compiled code by the types of the arguments in about a tenth of a
microsecond.  A table uses that for functions that were compiled one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from numba import typeof
from numba.core.dispatcher import _DispatcherBase
from numba.core.typeconv.rules import default_type_manager

__all__ = ["entry", "table", "types_of"]


def types_of(args: tuple) -> tuple:
    """Return Numba's types of some arguments.

    >>> types_of((1.0, 2))
    (float64, int64)
    """
    return tuple(map(typeof, args))


def entry(dispatcher, args: tuple) -> Callable | None:
    """Return what runs a dispatcher's machine code for the types of these arguments, if there is any."""
    found = dispatcher.overloads.get(types_of(args))
    return None if found is None else found.entry_point


def table(entries: Mapping[tuple, Callable], otherwise: Callable) -> Callable:
    """Return a function that calls the entry for the types of its arguments, or else `otherwise`.

    All entries take the same number of arguments, and so must every call.  Subclasses
    of arrays and NumPy's numbers are taken for arrays and Python's numbers.
    """
    return _Table(entries, otherwise)


class _Table(_DispatcherBase.__base__):
    typeof_pyval = _DispatcherBase.typeof_pyval

    def __init__(self, entries: Mapping[tuple, Callable], otherwise: Callable):
        self._types_active_call = set()
        self._kept = entries            # the C code borrows the functions
        self._otherwise = otherwise
        self._enable_sysmon, self.__code__ = False, otherwise.__code__      # asked for by profilers
        count = len(next(iter(entries)))
        names = tuple(f"a{i}" for i in range(count))
        super().__init__(default_type_manager.get_pointer(), count, True, names, (), False, False, True)
        for types, function in entries.items():
            self._insert([type_._code for type_ in types], function)

    def _compile_for_args(self, *args):
        """Return what the C code calls where it has no entry."""
        return self._otherwise
