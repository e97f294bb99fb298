"""The corpus: plain numeric functions, as people write them, each with sample arguments.

A program is registered with the arguments at which it is differentiated.  All
floating-point arguments are differentiated at once.  `smooth=False` marks a
program whose second derivative does not exist at the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["PROGRAMS", "Sample", "program"]


@dataclass(frozen=True)
class Sample:
    """A program of the corpus.

    Attributes
    ----------
    args
        The arguments of the sample call.
    compiled
        Part of the share that is also compiled with Numba.
    """

    function: Callable
    args: tuple
    smooth: bool = True
    compiled: bool = False
    tags: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"


PROGRAMS: dict[str, Sample] = {}


def program(*args, smooth=True, compiled=False, tags=()):
    """Register the decorated function with its sample arguments."""
    def register(function):
        sample = Sample(function, args, smooth, compiled, tags)
        assert sample.name not in PROGRAMS, sample.name
        PROGRAMS[sample.name] = sample
        return function
    return register


from tests.programs import (  # noqa: E402
    arrays,  # noqa: F401
    branches,  # noqa: F401
    complex_numbers,  # noqa: F401
    everyday,  # noqa: F401
    found,  # noqa: F401
    gauntlet,  # noqa: F401
    helpers,  # noqa: F401
    loops,  # noqa: F401
    numbers,  # noqa: F401
    real_code,  # noqa: F401
    scalars,  # noqa: F401
    shapes_of_numbers,  # noqa: F401
)
