"""Arithmetic, comparison and truth with Python's and NumPy's meaning of the operand types."""

from __future__ import annotations

import operator

import numpy as np

from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.kinds import NUMPY, PYTHON, NumpyBool, kind_of, marked
from srcdiff.frontend.translate.powers import checked_base
from srcdiff.frontend.translate.sequences import has_unknown_length, sequence_operation
from srcdiff.frontend.translate.values import (
    Dict,
    Known,
    ListView,
    MaybeNone,
    Poison,
    Ref,
    Refused,
    RunTimeText,
    Summed,
    Tuple,
    View,
    is_atom,
    raises_too,
)
from srcdiff.frontend.translate.views import as_atom, given, spread
from srcdiff.syntax import Array, Const, Scalar

__all__ = ["BINARY", "SHIFT", "arithmetic", "binary", "elementwise", "inner_product", "truth", "unary"]

BINARY = {
    "Add": ("add", operator.add), "Sub": ("subtract", operator.sub), "Mult": ("multiply", operator.mul),
    "Div": ("divide", operator.truediv), "Pow": ("power", operator.pow),
    "FloorDiv": ("floor_divide", operator.floordiv), "Mod": ("remainder", operator.mod),
    "MatMult": ("matmul", operator.matmul), "BitAnd": ("bitwise_and", operator.and_),
    "BitOr": ("bitwise_or", operator.or_), "BitXor": ("bitwise_xor", operator.xor),
}


# A shift of integers is a multiplication by, or a floor division by, a power of two.
SHIFT = {"LShift": ("Mult", operator.lshift), "RShift": ("FloorDiv", operator.rshift)}

_BITWISE = {"bitwise_and", "bitwise_or", "bitwise_xor"}


# -- binary operators ---------------------------------------------------------------

SPREADING = ("Add", "Sub", "Mult", "Div")         # of an array and zeros, as of the array and 0


def binary(t: Translator, kind: str, a, b):
    """Translate ``a <kind> b`` for any two values."""
    for v in (a, b):
        if isinstance(v, Poison):
            t.use_poison(v)
    if kind in SPREADING:
        a, b = spread(t, a, b), spread(t, b, a)
    if (multiple := _multiple(t, kind, a, b)) is not None:
        return multiple
    a, b = given(t, a), given(t, b)
    if kind in SHIFT:
        return _shifted(t, kind, a, b)
    sequence = sequence_operation(t, kind, a, b)
    if sequence is not None:
        return sequence
    if is_known(a) and is_known(b) and (isinstance(a, Known) or isinstance(b, Known)):
        if any(isinstance(v.value, RunTimeText) for v in (a, b)):
            return Known(RunTimeText("<text>"))
        return lift(t, on_known(BINARY[kind][1], _python(a), _python(b)))
    return arithmetic(t, kind, as_atom(t, a), as_atom(t, b))


def _multiple(t, kind, a, b) -> Summed | None:
    """Return a sum of arrays times or by a number: it too is 0 where the sum has no arrays."""
    if isinstance(a, Summed) and kind in ("Mult", "Div") and is_atom(b) and not t.ndim(b):
        return Summed(binary(t, kind, a.value, b), a.some)
    if isinstance(b, Summed) and kind == "Mult" and is_atom(a) and not t.ndim(a):
        return Summed(binary(t, kind, a, b.value), b.some)
    return None


def _shifted(t, kind, a, b):
    """Translate ``a << b`` and ``a >> b`` of integers."""
    if is_known(a) and is_known(b):
        return lift(t, on_known(SHIFT[kind][1], _python(a), _python(b)))
    a, b = as_atom(t, a), as_atom(t, b)
    for atom in (a, b):
        if t.type_of(atom).dtype[0] not in "iub":
            raise Refused(f"a shift of {t.type_of(atom)}", why="only integers have bits to shift",
                          fix="multiply or divide by a power of two", python=TypeError)
    return arithmetic(t, SHIFT[kind][0], a, arithmetic(t, "Pow", Const(2), b, shift=True))


def is_known(value) -> bool:
    """Tell whether a value is known when the function is specialised."""
    return isinstance(value, Known | Const)


def _python(value):
    return np.bool_(value.value) if isinstance(value, NumpyBool) else value.value


def on_known(function, *operands):
    """Call a function now; what it raises, the user's function raises."""
    try:
        return function(*operands)
    except Refused:
        raise
    except Exception as error:
        raise raises_too(error) from error


def arithmetic(t: Translator, kind: str, a, b, shift: bool = False):
    """Emit an arithmetic operation on two atoms, folded where both are numbers; a shift may be by a negative number."""
    op, python = BINARY[kind]
    if isinstance(a, Const) and isinstance(b, Const):
        try:
            value = on_known(python, _python(a), _python(b)) if NumpyBool in (type(a), type(b)) else python(a.value, b.value)
            if isinstance(value, bool | int | float | complex | np.generic):
                return lift(t, value)
        except (ArithmeticError, ValueError):
            pass
    if op not in _BITWISE:
        a, b = _number(t, a, b), _number(t, b, a)
    if op == "power" and not shift:
        a = checked_base(t, a, b)
    if op == "matmul" and 0 in (t.ndim(a), t.ndim(b)):
        raise Refused("@ needs arrays, not numbers", fix="use *", code="SD0233")
    if op == "matmul" and t.ndim(a) == t.ndim(b) == 1:
        return inner_product(t, a, b)
    if t.trying is not None:
        from srcdiff.frontend.translate.raising import base, divisor
        a, b = base(t, a, b) if op == "power" else a, divisor(t, op, a, b)
    result = t.emit(op, a, b)
    if t.type_of(result) == Scalar("int64", weak=True):
        t.integers[result.name] = (python, a, b)
    both = t.is_nonnegative(a) and t.is_nonnegative(b)
    if op in ("add", "multiply", "floor_divide") and both or op == "remainder" and t.is_nonnegative(b):
        if t.type_of(result).dtype == "int64":
            t.nonnegative.add(result.name)
    return result


def inner_product(t, a, b):
    """Return the inner product of two vectors; of narrow integers it is as narrow, as sums are not."""
    products = t.emit("multiply", a, b)
    return t.cast(t.emit("sum", products, axis=(0,)), t.type_of(products).dtype)


def _number(t, atom, other=None):
    """Return an int for a Python bool, as Python's arithmetic does; beside a NumPy bool it is one of these."""
    type_ = t.type_of(atom)
    if kind_of(t, atom) == NUMPY or other is not None and t.type_of(other).dtype == "bool" and kind_of(t, other) != PYTHON:
        return atom
    if isinstance(type_, Scalar) and type_.dtype == "bool" and type_.weak:
        if isinstance(atom, Const):
            return Const(int(atom.value))
        return t.weak(t.emit("cast", atom, dtype="int64"))
    return atom


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
        return lift(t, on_known(python, _python(value)))
    atom = as_atom(t, value)
    is_mask = op == "invert" and kind_of(t, atom) != PYTHON         # ~True is -2, of a NumPy bool it is False
    return t.emit(op, atom if is_mask else _number(t, atom))


# -- comparison and truth --------------------------------------------------------------------


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
    if isinstance(value, Summed):
        value = given(t, value)
    if isinstance(value, MaybeNone):        # None is false
        held = truth(t, value.value)
        return value.flag if held is True else held and t.emit("logical_and", value.flag, held)
    if isinstance(value, Ref):
        tests = hasattr(value.kind, "__bool__") or hasattr(value.kind, "__len__")
        if tests and value.kind not in (list, dict):
            raise Refused(f"the truth of an object of class `{value.kind.__name__}`", fix="test an attribute")
        if has_unknown_length(t, value):
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
        atoms[0] = checked_base(t, *atoms, of_numpy=not python_numbers)
    if not python_numbers:
        if all(isinstance(t.type_of(a), Scalar) and t.type_of(a).weak for a in atoms):
            atoms = [t.strong(a) for a in atoms]        # beside an array, a Python number takes its dtype
        return marked(t, t.emit(op, *atoms), NUMPY)
    for atom in atoms:
        if t.ndim(atom):
            raise Refused("a `math` function of an array", why=f"it is {t.type_of(atom)} here",
                          fix="use the NumPy function", code="SD0235")
    floats = [t.cast(a, "float64") if op in _INTEGERS_STAY or t.type_of(a).dtype != "int64" else a
              for a in atoms]
    if t.trying is not None:
        from srcdiff.frontend.translate.raising import operands
        floats = operands(t, op, floats)
    return t.weak(marked(t, t.emit(op, *floats), PYTHON))


# NumPy keeps integers here; `math` gives floats.
_INTEGERS_STAY = {"absolute", "power", "fmod", "floor", "ceil", "trunc"}


def short_circuit_test(t: Translator, first, rest):
    """Translate ``first and rest()`` to one atom of type bool."""
    from srcdiff.frontend.translate.expressions import short_circuit
    return truth_atom(t, short_circuit(t, "and", first, rest))
