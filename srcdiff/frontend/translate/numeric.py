"""Arithmetic, comparison and truth with Python's and NumPy's meaning of the operand types."""

from __future__ import annotations

import operator

import numpy as np

from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.kinds import NUMPY, PYTHON, kind_of, marked
from srcdiff.frontend.translate.values import (
    Dict,
    Known,
    ListView,
    Poison,
    Ref,
    Refused,
    RunTimeText,
    Tuple,
    View,
    is_atom,
)
from srcdiff.frontend.translate.views import as_atom
from srcdiff.syntax import Array, Const, Scalar, Var

__all__ = ["BINARY", "COMPARE", "SHIFT", "arithmetic", "binary", "compare", "elementwise", "truth", "unary"]

BINARY = {
    "Add": ("add", operator.add), "Sub": ("subtract", operator.sub), "Mult": ("multiply", operator.mul),
    "Div": ("divide", operator.truediv), "Pow": ("power", operator.pow),
    "FloorDiv": ("floor_divide", operator.floordiv), "Mod": ("remainder", operator.mod),
    "MatMult": ("matmul", operator.matmul), "BitAnd": ("bitwise_and", operator.and_),
    "BitOr": ("bitwise_or", operator.or_), "BitXor": ("bitwise_xor", operator.xor),
}

COMPARE = {
    "Lt": ("less", operator.lt), "LtE": ("less_equal", operator.le), "Gt": ("greater", operator.gt),
    "GtE": ("greater_equal", operator.ge), "Eq": ("equal", operator.eq), "NotEq": ("not_equal", operator.ne),
}

# A shift of integers is a multiplication by, or a floor division by, a power of two.
SHIFT = {"LShift": ("Mult", operator.lshift), "RShift": ("FloorDiv", operator.rshift)}

_BITWISE = {"bitwise_and", "bitwise_or", "bitwise_xor"}


# -- binary operators ---------------------------------------------------------------

def binary(t: Translator, kind: str, a, b):
    """Translate ``a <kind> b`` for any two values."""
    for v in (a, b):
        if isinstance(v, Poison):
            t.use_poison(v)
    if kind in SHIFT:
        return _shifted(t, kind, a, b)
    sequence = _sequence(t, kind, a, b)
    if sequence is not None:
        return sequence
    if _static(a) and _static(b) and (isinstance(a, Known) or isinstance(b, Known)):
        if any(isinstance(v.value, RunTimeText) for v in (a, b)):
            return Known(RunTimeText("<text>"))
        return t.lift(_evaluate(BINARY[kind][1], _python(a), _python(b)))
    return arithmetic(t, kind, as_atom(t, a), as_atom(t, b))


def _shifted(t, kind, a, b):
    """Translate ``a << b`` and ``a >> b`` of integers."""
    if _static(a) and _static(b):
        return t.lift(_evaluate(SHIFT[kind][1], _python(a), _python(b)))
    a, b = as_atom(t, a), as_atom(t, b)
    for atom in (a, b):
        if t.type_of(atom).dtype[0] not in "iub":
            raise Refused(f"a shift of {t.type_of(atom)}", why="only integers have bits to shift",
                          fix="multiply or divide by a power of two", python=TypeError)
    return arithmetic(t, SHIFT[kind][0], a, arithmetic(t, "Pow", Const(2), b))


def _sequence(t, kind, a, b):
    """Translate `+` and `*` of tuples and lists; None if it is neither."""
    if kind in ("Add", "Mult") and (_unknown_length(t, a) or _unknown_length(t, b)):
        return _joined(t, kind, a, b)
    a_items, b_items = _items(t, a), _items(t, b)
    kinds = {v.kind if isinstance(v, Ref) else tuple
             for v, items in ((a, a_items), (b, b_items)) if items is not None}
    made = None
    if kind == "Add" and a_items is not None and b_items is not None:
        made = a_items + b_items
    elif kind == "Mult" and (a_items is not None) != (b_items is not None):
        items, times = (a_items, b) if a_items is not None else (b_items, a)
        count = t.static_number(times)
        if count is not None and isinstance(count, int | np.integer):
            made = items * int(count)
        elif is_atom(times) and isinstance(t.type_of(times), Scalar) and t.type_of(times).dtype == "int64":
            return _repeated(t, items, times)
    if made is None:
        return None
    return t.allocate(Tuple(made), list) if list in kinds else Tuple(made)


def _unknown_length(t, value) -> bool:
    """Tell whether a value is a list whose length only run time knows."""
    return isinstance(value, ListView) or (isinstance(value, Ref) and value.kind is list
                                           and not isinstance(t.contents(value), Tuple))


def _is_sequence(value) -> bool:
    """Tell whether a value is a list or a tuple in Python."""
    return isinstance(value, ListView | Tuple) or isinstance(value, Ref) and value.kind is list


def _joined(t, kind, a, b):
    """Translate ``a + b`` of lists of which one has a length that only run time knows."""
    from srcdiff.frontend.translate.methods import copy_of, extend
    a, b = (t.allocate(t.emit("copy", as_atom(t, v)), list) if isinstance(v, ListView) else v for v in (a, b))
    if not (isinstance(a, Ref) and isinstance(b, Ref) and a.kind is b.kind is list):
        array = b if _unknown_length(t, a) else a
        if isinstance(array, View) or is_atom(array) and t.ndim(array):
            return None                 # NumPy takes the list as an array
        raise Refused("a list whose length only run time knows is an operand",
                      fix="make it an array with np.array", code="SD0215")
    if kind != "Add":
        raise Refused("lists are multiplied", fix="make them arrays with np.array")
    made = copy_of(t, a)
    extend(t, made, b)
    return made


def _repeated(t, items, times):
    """Translate ``[value] * n`` with a run-time n: the list is kept as an array."""
    if len(items) != 1:
        raise Refused("a list of several items is repeated a number of times that only run time knows",
                      fix="use np.tile or a loop")
    value = as_atom(t, items[0])
    if t.ndim(value):
        raise Refused("a list of arrays is repeated a number of times that only run time knows",
                      why="all items would be the same array", fix="use np.zeros((n, ...))")
    return t.allocate(t.emit("full", value, times, dtype=t.type_of(value).dtype), list)


def _items(t, value):
    if isinstance(value, Ref):
        value = t.contents(value)
    return value.items if isinstance(value, Tuple) else None


def _static(value) -> bool:
    return isinstance(value, Known | Const)


def _python(value):
    return value.value


def _evaluate(function, *operands):
    try:
        return function(*operands)
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"this raises {type(error).__name__}: {error}", python=type(error)) from error


def arithmetic(t: Translator, kind: str, a, b):
    """Emit an arithmetic operation on two atoms, folded where both are numbers."""
    op, python = BINARY[kind]
    if isinstance(a, Const) and isinstance(b, Const):
        try:
            value = python(a.value, b.value)
            if isinstance(value, bool | int | float | complex):
                return Const(value)
        except (ArithmeticError, ValueError):
            pass
    if op not in _BITWISE:
        a, b = _number(t, a), _number(t, b)
    if op == "power":
        a = _power_base(t, a, b)
    if op == "matmul" and 0 in (t.ndim(a), t.ndim(b)):
        raise Refused("@ needs arrays, not numbers", fix="use *", code="SD0233")
    if op == "matmul" and t.ndim(a) == t.ndim(b) == 1:
        return t.emit("sum", t.emit("multiply", a, b), axis=(0,))
    if t.trying is not None:
        from srcdiff.frontend.translate.trying import divisor
        b = divisor(t, op, a, b)
    result = t.emit(op, a, b)
    if t.type_of(result) == Scalar("int64", weak=True):
        t.integers[result.name] = (python, a, b)
    both = t.is_nonnegative(a) and t.is_nonnegative(b)
    if op in ("add", "multiply", "floor_divide") and both or op == "remainder" and t.is_nonnegative(b):
        if t.type_of(result).dtype == "int64":
            t.nonnegative.add(result.name)
    return result


def _number(t, atom):
    """Return an int for a Python bool, as Python's arithmetic does."""
    type_ = t.type_of(atom)
    if isinstance(type_, Scalar) and type_.dtype == "bool" and type_.weak:
        if isinstance(atom, Const):
            return Const(int(atom.value))
        return t.weak(t.emit("cast", atom, dtype="int64"))
    return atom


def _power_base(t, base, exponent):
    """Return the base of a power as a float where an integer one cannot hold the result."""
    type_ = t.type_of(base)
    if (isinstance(exponent, Const) and isinstance(exponent.value, int) and exponent.value < 0
            and isinstance(type_, Scalar) and type_.dtype.startswith("int") and type_.weak):
        return t.cast(base, "float64")
    return base


# -- unary --------------------------------------------------------------------------------

def unary(t: Translator, kind: str, value):
    if isinstance(value, Poison):
        t.use_poison(value)
    if kind == "Not":
        held = truth(t, value)
        return Const(not held) if isinstance(held, bool) else t.emit("logical_not", held)
    functions = {"USub": ("negative", operator.neg), "UAdd": ("positive", operator.pos),
                 "Invert": ("invert", operator.invert)}
    op, python = functions[kind]
    if isinstance(value, Const) or isinstance(value, Known) and not isinstance(value.value, str):
        return t.lift(_evaluate(python, value.value))
    atom = as_atom(t, value)
    return t.emit(op, atom if op == "invert" else _number(t, atom))


# -- comparison and truth --------------------------------------------------------------------

def compare(t: Translator, kind: str, a, b):
    """Translate one comparison; the result is a Const or a Var of booleans."""
    for v in (a, b):
        if isinstance(v, Poison):
            t.use_poison(v)
    if kind in ("Is", "IsNot"):
        found = _identical(t, a, b)
        return found if kind == "Is" else unary(t, "Not", found)
    if kind in ("In", "NotIn"):
        found = _contains(t, b, a)
        return found if kind == "In" else unary(t, "Not", found)
    op, python = COMPARE[kind]
    if _static(a) and _static(b):
        return Const(bool(_evaluate(python, a.value, b.value)))
    if isinstance(a, Known) != isinstance(b, Known) and kind in ("Eq", "NotEq"):
        known = a if isinstance(a, Known) else b
        if known.value is None or isinstance(known.value, str | type | np.dtype):
            return Const(kind == "NotEq")
    if _is_sequence(a) or _is_sequence(b):
        found = _sequences_compared(t, kind, a, b)
        if found is not None:
            return found
    return t.emit(op, as_atom(t, a), as_atom(t, b))


def _sequences_compared(t, kind, a, b):
    """Compare lists and tuples as Python does; None where NumPy takes one as an array."""
    if _is_sequence(a) and _is_sequence(b):
        if isinstance(a, Tuple) != isinstance(b, Tuple) and kind in ("Eq", "NotEq"):
            return Const(kind == "NotEq")           # a list and a tuple
        a_items, b_items = _items(t, a), _items(t, b)
        if a_items is None or b_items is None:
            raise Refused("lists whose length only run time knows are compared",
                          fix="make them arrays, and use np.array_equal or .all()", code="SD0215")
        return _compare_sequences(t, kind, a_items, b_items)
    other = as_atom(t, b if _is_sequence(a) else a)
    if not t.ndim(other):
        raise Refused("a list or a tuple is compared with a number", why="a Python number is not equal to it, "
                      "a NumPy number is compared with each item", fix="compare an item", code="SD0215")
    return None


def _identical(t, a, b):
    """Translate ``a is b``: known, or whether a Python bool that only run time knows is True."""
    if isinstance(a, Known) and isinstance(b, Known):
        return Const(a.value is b.value)
    if isinstance(a, Known) or isinstance(b, Known):
        return Const(False)
    if is_atom(a) and is_atom(b) and t.ndim(a) == t.ndim(b) == 0:
        return _identical_numbers(t, a, b)
    if isinstance(a, Const) or isinstance(b, Const):
        return Const(False)
    if a == b and (isinstance(a, Ref) or is_atom(a)):
        return Const(True)
    if is_atom(a) and is_atom(b) and t.root(a) != t.root(b):
        return Const(False)
    return _unknown_identity()


def _identical_numbers(t, a, b):
    types = t.type_of(a).dtype, t.type_of(b).dtype
    if types[0] != types[1] or isinstance(a, Const) and isinstance(b, Const) and a != b:
        return Const(False)
    if types[0] == "bool" and all(kind_of(t, v) == PYTHON for v in (a, b)):
        return a if b == Const(True) else t.emit("equal", a, b) if a != b else Const(True)
    if isinstance(a, Const) and isinstance(a.value, int) and a == b:
        return Const(True)              # CPython keeps one object for a literal
    if not (kind_of(t, a) & kind_of(t, b)):
        return Const(False)
    if all(isinstance(v, Var) and v.name in t.cells for v in (a, b)):
        return Const(a == b)
    return _unknown_identity()


def _unknown_identity():
    raise Refused("whether two values are the same object is not known here", fix="compare with ==")


def _compare_sequences(t, kind, a, b):
    if kind not in ("Eq", "NotEq"):
        raise Refused("tuples are compared by order", fix="compare their items")
    result = Const(len(a) == len(b))
    for x, y in zip(a, b, strict=True) if len(a) == len(b) else ():
        result = logical(t, "and", result, truth_atom(t, compare(t, "Eq", x, y)))
    return result if kind == "Eq" else unary(t, "Not", result)


def _contains(t, container, item):
    if isinstance(container, Ref):
        container = t.contents(container)
    if isinstance(container, Known) and (_static(item)):
        return Const(bool(_evaluate(operator.contains, container.value, item.value)))
    if isinstance(container, Dict):
        return Const(any(k == getattr(item, "value", item) for k, _ in container.items))
    if isinstance(container, Tuple):
        result = Const(False)
        for other in container.items:
            result = logical(t, "or", result, truth_atom(t, compare(t, "Eq", item, other)))
        return result
    if isinstance(container, Known):
        found = t.lift(tuple(container.value))
        return _contains(t, found, item)
    return t.emit("any", t.emit("equal", as_atom(t, container), as_atom(t, item)), axis=tuple(
        range(t.ndim(as_atom(t, container)))))


def logical(t, kind: str, a, b):
    """Combine two truth values that are evaluated already."""
    neutral = kind == "and"
    for x, y in ((a, b), (b, a)):
        if isinstance(x, Const):
            return y if x.value == neutral else x
    return t.emit("logical_" + kind, a, b)


def truth(t: Translator, value):
    """Return a Python bool where the truth of `value` is known, else an atom of type bool."""
    if isinstance(value, Poison):
        t.use_poison(value)
    if isinstance(value, Const):
        return bool(value.value)
    if isinstance(value, Known):
        return bool(value.value)
    if isinstance(value, Ref):
        tests = hasattr(value.kind, "__bool__") or hasattr(value.kind, "__len__")
        if tests and value.kind not in (list, dict):
            raise Refused(f"the truth of an object of class `{value.kind.__name__}`", fix="test an attribute")
        if _unknown_length(t, value):
            from srcdiff.frontend.translate.iteration import length
            return t.emit("greater", length(t, value), Const(0))
        value = t.contents(value)
    if isinstance(value, Tuple | Dict):
        return bool(value.items)
    if not (is_atom(value) or isinstance(value, View)):
        return True
    if isinstance(value, ListView):
        from srcdiff.frontend.translate.iteration import length
        return t.emit("greater", length(t, value), Const(0))
    atom = as_atom(t, value)
    type_ = t.type_of(atom)
    if isinstance(type_, Array):
        raise Refused("the truth of a whole array is ambiguous", why=f"it is {type_} here",
                      fix="use .any() or .all()", code="SD0234")
    if type_.dtype == "bool":
        return atom
    return t.emit("not_equal", atom, Const(0))


def truth_atom(t, value):
    held = truth(t, value)
    return Const(held) if isinstance(held, bool) else held


# -- functions of numbers ------------------------------------------------------------------------

def elementwise(t: Translator, op: str, values, python_numbers: bool):
    """Emit an elementwise operation; `python_numbers` for `math` functions.

    `math` functions compute in double precision and give Python numbers, NumPy's
    give NumPy scalars.
    """
    atoms = [as_atom(t, v) for v in values]
    if op == "power":
        atoms[0] = _power_base(t, *atoms)
    if not python_numbers:
        return marked(t, t.emit(op, *map(t.strong, atoms)), NUMPY)
    for atom in atoms:
        if t.ndim(atom):
            raise Refused("a `math` function of an array", why=f"it is {t.type_of(atom)} here",
                          fix="use the NumPy function", code="SD0235")
    floats = [t.cast(a, "float64") if op in _INTEGERS_STAY or t.type_of(a).dtype != "int64" else a
              for a in atoms]
    if t.trying is not None:
        from srcdiff.frontend.translate.trying import operands
        floats = operands(t, op, floats)
    return t.weak(marked(t, t.emit(op, *floats), PYTHON))


# NumPy keeps integers here; `math` gives floats.
_INTEGERS_STAY = {"absolute", "power", "fmod", "floor", "ceil", "trunc"}


def short_circuit_test(t: Translator, first, rest):
    """Translate ``first and rest()`` to one atom of type bool."""
    from srcdiff.frontend.translate.expressions import short_circuit
    return truth_atom(t, short_circuit(t, "and", first, rest))
