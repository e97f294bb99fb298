"""Extents that are known when a function is specialised: of literals, of numbers made arrays, and what follows.

Functions for numbers and arrays alike ask ``np.atleast_1d(x).shape[0] == 1``; the
answer decides which rank a variable has, so it must be known.  The extents of an
operation's result are found as its type is: the operation runs on ones.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Array, Const, Span, Var

__all__ = ["element_extents", "note_common", "note_extents", "span_extent"]

_ELEMENTS_AT_MOST = 4096
_VALUES = {"full": 1}               # leading operands of a creation that are no extents


def note_extents(t, made: Var, op: str, args, static) -> None:
    """Note the extents of what an operation has made, if they follow from those of its operands."""
    if not isinstance(t.type_of(made), Array) or op not in PRIMITIVES or PRIMITIVES[op].opaque:
        return
    kind = PRIMITIVES[op].kind
    operands = []
    for k, atom in enumerate(args):
        is_value = kind in ("elementwise", "reduction", "contraction") or op == "array" or k < _VALUES.get(op, 0)
        operands.append(_dummy(t, atom, is_value))
    if None not in operands:
        shape = _shape(op, tuple(operands), tuple(sorted(static.items())))
        if shape is not None:
            t.extents[made.name] = shape


def _dummy(t, atom, is_value):
    """Return the shape of an array, or a constant; None if run time decides."""
    if isinstance(atom, Const):
        return atom
    if isinstance(t.type_of(atom), Array):
        return t.extents.get(atom.name)
    return Const(1) if is_value else None


@functools.lru_cache(maxsize=4096)
def _shape(op, operands, static):
    shapes = [x for x in operands if isinstance(x, tuple)]
    if PRIMITIVES[op].kind == "elementwise":
        return _broadcast(shapes)
    if any(math.prod(shape) > _ELEMENTS_AT_MOST for shape in shapes):
        return None
    values = [np.ones(x) if isinstance(x, tuple) else x.value for x in operands]
    if op == "take":
        values[1] = np.zeros(operands[1], dtype=int)
    if not shapes and any(isinstance(v, int) and v > _ELEMENTS_AT_MOST for v in values):
        return None
    try:
        with np.errstate(all="ignore"):
            return np.shape(PRIMITIVES[op].evaluate(*values, **dict(static)))
    except Exception:               # ones do not do for it, or it fails at run time too
        return None


def _broadcast(shapes):
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:              # it fails at run time too
        return None


def element_extents(t, base: str, index, made: Var) -> None:
    """Note the extents of what an index with known bounds reads."""
    shape = t.extents.get(base)
    if shape is None or not isinstance(t.type_of(made), Array):
        return
    parts = [_part(t, n, item) for n, item in zip(shape, index, strict=True)]
    arrays = sum(isinstance(item, Var) and t.ndim(item) > 0 for item in index)
    if None not in parts and (not arrays or arrays == 1 and () not in parts):
        t.extents[made.name] = sum(parts, ())


def _part(t, n: int, item) -> tuple[int, ...] | None:
    """Return the extents that an item of an index gives for an axis of extent `n`, if they are known."""
    if isinstance(item, Span):
        length = span_extent(Const(n), item)
        return None if length is None else (length,)
    if isinstance(item, Var) and t.ndim(item):
        return None if t.type_of(item).dtype == "bool" else t.extents.get(item.name)
    return ()


def span_extent(n, span: Span) -> int | None:
    """Return the length of a slice of an axis of extent `n`, if all of that is known."""
    bounds = (span.start, span.stop, span.step)
    if not isinstance(n, Const) or not all(b is None or isinstance(b, Const) for b in bounds):
        return None
    return len(range(*slice(*(b and b.value for b in bounds)).indices(n.value)))


def note_common(t, name: str, values) -> None:
    """Note the extents of a variable that holds one of these arrays."""
    found = {t.extents.get(v.name) if isinstance(v, Var) else None for v in values}
    if len(found) == 1 and None not in found:
        t.extents[name] = found.pop()
