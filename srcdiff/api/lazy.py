"""Modules that are imported when they are first used.

`import srcdiff`, and a derivative that is found on disk, need neither the front
end nor the transforms.
"""

from __future__ import annotations

import importlib
import sys

from srcdiff.log import stage

__all__ = ["lazy"]


class Lazy:
    """A module, or one function or class of it, before its import."""

    def __init__(self, module: str, name: str = ""):
        self._module, self._name = module, name

    def _import(self):
        if self._module in sys.modules:
            return importlib.import_module(self._module)
        with stage("import", self._module):
            return importlib.import_module(self._module)

    def __getattr__(self, attribute):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return getattr(self._import(), attribute)

    def __call__(self, *args, **keywords):
        return getattr(self._import(), self._name)(*args, **keywords)

    def __repr__(self):
        return f"<lazy {self._module} {self._name}>".replace(" >", ">")


def lazy(module: str, name: str = "") -> Lazy:
    """Return what stands for a module, or for its function or class `name`, until it is used.

    >>> lazy("math").floor(2.5), lazy("math", "floor")(2.5)
    (2, 2)
    """
    return Lazy(module, name)
