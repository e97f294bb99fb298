"""Symbolic integers: linear forms in roots that are numbered by `Shapes`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Extent", "Root"]


@dataclass(frozen=True)
class Root:
    """A non-linear or unknown integer.

    `kind` is "extent" (of the array `key[0]`, axis `key[1]`), "value" (of the
    integer variable `key[0]`), or an operation whose operands are in `key`.
    """

    kind: str
    key: tuple


@dataclass(frozen=True)
class Extent:
    """The integer ``constant + sum(coefficient * root)``; `terms` by the order of the roots."""

    constant: int = 0
    terms: tuple[tuple[int, int], ...] = ()         # (number of the root, coefficient)
