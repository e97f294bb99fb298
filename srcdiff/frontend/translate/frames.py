"""One activation of a function of the user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from srcdiff.frontend.translate.liveness import assigned_names, liveness_of

__all__ = ["Frame"]


@dataclass(eq=False)
class Frame:
    """One activation of a user function: its source, its scopes, its liveness."""

    key: int
    name: str
    source: object
    node: object
    globals: dict
    cells: dict[str, tuple[str, Callable]] = field(default_factory=dict)     # a unique path, and a getter
    parent: Frame | None = None
    code: object = None
    caller: Frame | None = None
    depths: tuple = ()              # the known integers and lengths among its arguments

    @property
    def is_own(self) -> bool:
        """Tell whether the function is none of the user's, but one that stands for one of NumPy's."""
        return self.globals.get("__name__", "").startswith("srcdiff.frontend.")

    def __post_init__(self):
        self.liveness = liveness_of(self.node)
        args = self.node.args
        every = [*args.args, *args.posonlyargs, *args.kwonlyargs, args.vararg, args.kwarg]
        self.params = [a.id for a in every if a is not None]
        self.locals = {*self.params, *assigned_names(self.node.body)}
