"""What the names that a function takes from outside mean now."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping

from srcdiff.frontend.source import unwrap

__all__ = ["Environment", "environment", "fetch"]


class Environment(Mapping):
    """What the free names of a function mean now: name -> (kind, value).

    `kind` is "closure", "global" or "builtin".  A closure name that has no value yet is missing, as
    is a name that means nothing.
    """

    def __init__(self, function):
        self.function = unwrap(function)
        self.cells = dict(zip(self.function.__code__.co_freevars, self.function.__closure__ or (), strict=True))
        self.globals = self.function.__globals__
        found = self.globals.get("__builtins__", builtins)
        self.builtins = found if isinstance(found, dict) else vars(found)

    def __getitem__(self, name: str) -> tuple[str, object]:
        if name in self.cells:
            try:
                return "closure", self.cells[name].cell_contents
            except ValueError:
                raise KeyError(name) from None
        if name in self.globals:
            return "global", self.globals[name]
        return "builtin", self.builtins[name]

    def __iter__(self):
        return iter(dict.fromkeys((*self.cells, *self.globals, *self.builtins)))

    def __len__(self):
        return len(list(iter(self)))


def environment(function) -> Environment:
    """Return the resolver of the names that `function` takes from outside."""
    return Environment(function)


def fetch(function, name: str) -> Callable[[], object]:
    """Return a callable that gives the present value of a captured name.

    It raises `NameError` when the name has no value at that time.
    """
    names = environment(function)

    def value():
        try:
            return names[name][1]
        except KeyError:
            raise NameError(f"name {name!r} is not defined") from None
    return value
