"""Functions whose code depends on the extents of their arguments.

Code is made for types: extents are facts of run time.  Where a function cannot
be translated so, because the rank of a variable or the number of items is a
matter of extents (``x[0] if x.shape[0] == 1 else x``, ``a, b = x``), it is
translated once more for the extents of the call, and its callers are kept apart
by them.
"""

from __future__ import annotations

from collections.abc import Callable

from srcdiff.api.special import Special
from srcdiff.errors import UnsupportedError
from srcdiff.log import stage
from srcdiff.structure import abstract, extents_key

__all__ = ["ByShape", "abstract_call", "specialised_call"]


def abstract_call(function, args, keywords, sized: bool = False):
    """Return the specs of the arguments of a call."""
    specs = tuple(abstract(a, function.argument_name(i), sized) for i, a in enumerate(args))
    return specs, {name: abstract(value, name, sized) for name, value in keywords.items()}


def specialised_call(function, args, keywords, sized: bool = False) -> tuple[tuple | None, Special]:
    """Return the specs of a call and its specialisation; None for the specs where it holds for these extents only (`sized`: always).

    Raises
    ------
    UnsupportedError
        The function is refused whatever the extents; with what remains to be said.
    """
    if sized:
        return None, function.specialise(*abstract_call(function, args, keywords, sized=True))
    specs = abstract_call(function, args, keywords)
    with stage("transforms"):
        try:
            return specs, function.specialise(*specs)
        except UnsupportedError as error:
            general = error
        sized = abstract_call(function, args, keywords, sized=True)
        if sized == specs:
            raise general
        try:
            return None, function.specialise(*sized)
        except UnsupportedError as error:
            raise min(error, general, key=lambda e: len(e.problems)) from None


class ByShape:
    """Calls by the extents of the arguments: one runner for each combination."""

    def __init__(self, function, call: tuple, run: Callable, make: Callable):
        self.function, self.make = function, make
        self.runners = {extents_key(call): run}

    def __call__(self, *args, **keywords):
        key = extents_key((args, keywords))
        run = self.runners.get(key)
        if run is None:
            with self.function._lock:
                run = self.runners[key] = self.make(args, keywords)
        return run(*args, **keywords)
