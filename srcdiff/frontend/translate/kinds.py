"""What a number is in Python: a Python number, a NumPy scalar, or an array without axes.

Programs know one type of number, but the user's functions tell them apart: by
`isinstance`, `hasattr`, `np.isscalar`, `x.shape`, and because ``x += 1`` changes
an array without axes under all its names.  A kind is the set of what a number
may be.  That of a variable follows from its type (weak: Python's own) unless
`Translator.kinds` says otherwise.
"""

from __future__ import annotations

import numpy as np

from srcdiff.frontend.translate.values import Dict, MaybeNone, MaybeUnbound, Record, Refused, Tuple
from srcdiff.syntax import Array, Const, Scalar, Var

__all__ = ["ARRAY", "NUMPY", "PYTHON", "NumpyBool", "array_without_axes", "classes_of", "combined", "kind_of", "marked",
           "number_in", "one_class", "require_not_among", "result_kind", "set_cell"]

PYTHON = frozenset({"a Python number"})
NUMPY = frozenset({"a NumPy scalar"})
ARRAY = frozenset({"an array without axes"})


class NumpyBool(Const):
    """``np.True_`` or ``np.False_``: the constant, but True + True is 2 and theirs is True."""

    def __eq__(self, other):
        return isinstance(other, Const) and self._key == other._key

    __hash__ = Const.__hash__


_OWN = {"b": bool, "i": int, "u": int, "f": float, "c": complex}


def kind_of(t, atom) -> frozenset | None:
    """Return the kind of a number; None for an array with axes."""
    type_ = t.type_of(atom)
    if isinstance(type_, Array):
        return None
    if isinstance(atom, Const):
        return NUMPY if isinstance(atom, NumpyBool) else PYTHON
    return t.kinds.get(atom.name) or (PYTHON if type_.weak else NUMPY)


def marked(t, value, kind: frozenset):
    """Note the kind of a number, and return it; anything else is returned as it is."""
    if isinstance(value, Var) and isinstance(t.type_of(value), Scalar) and kind_of(t, value) != kind:
        t.kinds[value.name] = kind
    return value


def result_kind(t, operands) -> frozenset:
    """Return the kind of what an operation makes: NumPy's where one of its operands surely is."""
    kinds = [kind_of(t, a) for a in operands]
    if any(k is None or not k & PYTHON for k in kinds):
        return NUMPY
    return PYTHON if all(k == PYTHON for k in kinds) else PYTHON | NUMPY


def combined(t, values) -> frozenset:
    """Return the kind of a variable that holds these numbers on different paths."""
    return frozenset().union(*(kind_of(t, v) or NUMPY for v in values)) or PYTHON


def classes_of(t, atom) -> tuple[type, ...]:
    """Return the Python classes that a number, or an array, may have when the user's function runs."""
    kind, dtype = kind_of(t, atom), np.dtype(t.type_of(atom).dtype)
    if kind is None:
        return (np.ndarray,)
    classes = ((PYTHON, _OWN[dtype.kind]), (NUMPY, dtype.type), (ARRAY, np.ndarray))
    return tuple(cls for one, cls in classes if one <= kind)


def one_class(t, atom, question: str, answer):
    """Return ``answer(cls)`` where all classes that the number may have give the same."""
    answers = {answer(cls) for cls in classes_of(t, atom)}
    if len(answers) > 1:
        raise Refused(f"{question} of a number depends on the path taken",
                      why=f"it is {' or '.join(sorted(kind_of(t, atom)))}",
                      fix="make it the same on all paths: float(x), or np.float64(x)", code="SD0203")
    return answers.pop()


# -- arrays without axes ------------------------------------------------------------------

def array_without_axes(t, atom):
    """Return a new array without axes that holds this number."""
    made = marked(t, t.emit("copy", atom), ARRAY)
    t.cells.add(made.name)
    return made


def number_in(t, atom):
    """Return the number that an array without axes holds now; any other number is returned as it is."""
    return marked(t, t.emit("copy", atom), NUMPY) if kind_of(t, atom) & ARRAY else atom


def set_cell(t, old: Var, new) -> None:
    """Let an array without axes hold another number: all names of it see that."""
    if any(root == t.memory(old) and shown != old for root, shown in t.roots_in_use()):
        raise Refused("an array without axes is written while a reshaped view of it is in use",
                      why="the view is kept as an array of its own", fix="take a copy first: `.reshape(...).copy()`",
                      code="SD0222")
    require_not_among(t, old, t.operands[:t.statement_operands])
    made = array_without_axes(t, t.cast(new, t.type_of(old).dtype))
    for place, value in list(t.state.items()):
        if value == old and old.name in t.cells:
            t.state[place] = made
        else:
            require_not_among(t, old, [value])


def require_not_among(t, cell: Var, values) -> None:
    """Refuse to change an array without axes that some of these values may hold, as a number read before."""
    if any(_may_be(t, cell, number) for value in values for number in _numbers(value)):
        raise Refused("an array without axes is changed in place that another name may hold too",
                      why="which array it is depends on the path taken, or it is in a list, or an operand of the same expression",
                      fix="write x = x + ... in place of x += ...", code="SD0220")


def _may_be(t, cell, number) -> bool:
    known = cell.name in t.cells and isinstance(number, Var) and number.name in t.cells
    return bool((kind_of(t, number) or NUMPY) & ARRAY) and (number == cell or not known)


def _numbers(value):
    """Yield the numbers in a value of the state."""
    match value:
        case Var():
            yield value
        case Tuple(items=items):
            for item in items:
                yield from _numbers(item)
        case Dict(items=items) | Record(items=items):
            for _, item in items:
                yield from _numbers(item)
        case MaybeUnbound(value=inner) | MaybeNone(value=inner):
            yield from _numbers(inner)
