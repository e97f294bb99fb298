"""Python's built-in functions, and those of `math` that are no elementwise operation."""

from __future__ import annotations

import functools
import itertools
import math
import operator

import numpy as np

from srcdiff.frontend.translate.attributes import attribute, class_of, has_attribute
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.iteration import items_of, length, reversed_, static_items
from srcdiff.frontend.translate.kinds import combined, marked, one_class
from srcdiff.frontend.translate.methods import copy_of
from srcdiff.frontend.translate.numeric import (
    BINARY,
    COMPARE,
    SHIFT,
    _evaluate,
    arithmetic,
    binary,
    compare,
    logical,
    truth,
    truth_atom,
    unary,
)
from srcdiff.frontend.translate.numpy_shapes import derived
from srcdiff.frontend.translate.values import (
    Closure,
    Dict,
    Enumerate,
    Generator,
    Grown,
    Intrinsic,
    Known,
    Mapped,
    Method,
    Once,
    Partial,
    Product,
    Range,
    Ref,
    Refused,
    RunTimeText,
    Slice,
    Tuple,
    View,
    Zipped,
    is_atom,
    is_iterator,
)
from srcdiff.frontend.translate.views import array_of, as_atom
from srcdiff.syntax import Const, Scalar

__all__ = ["HANDLERS"]


# -- numbers ---------------------------------------------------------------------------

def scalar(t: Translator, value):
    """Return a number; an array of extents 1 is refused where its shape is not known."""
    atom = as_atom(t, value)
    if t.ndim(atom):
        return t.emit("reshape", atom) if False else _only_element(t, atom)
    return atom


def _only_element(t, atom):
    raise Refused("an array is converted to a number", why=f"it is {t.type_of(atom)} here",
                  fix="index it: x[0]", code="SD0242")


def plain_text(text: str) -> str:
    """Return a text that is known; refuse one with run-time parts."""
    return text if not isinstance(text, RunTimeText) else text.ask()


def float_(t, value=Const(0.0)):
    if isinstance(value, Known) and isinstance(value.value, str):
        return Const(_evaluate(float, plain_text(value.value)))
    atom = scalar(t, value)
    if isinstance(atom, Const):
        return Const(float(atom.value))
    return t.weak(t.cast(atom, "float64"))


def int_(t, value=Const(0)):
    if isinstance(value, Known) and isinstance(value.value, str):
        return Const(_evaluate(int, plain_text(value.value)))
    atom = scalar(t, value)
    if isinstance(atom, Const):
        return Const(int(atom.value))
    made = t.weak(t.cast(atom, "int64"))
    if t.is_nonnegative(atom):
        t.nonnegative.add(made.name)
    return made


def bool_(t, value=Const(False)):
    return truth_atom(t, value)


def round_(t, value, ndigits=None):
    atom = scalar(t, value)
    digits = t.static_number(ndigits) if ndigits is not None else None
    if isinstance(atom, Const):
        return Const(round(atom.value) if digits is None else round(atom.value, int(digits)))
    if t.type_of(atom).dtype == "int64":
        return atom
    if digits is not None:
        scale = Const(10.0 ** int(digits))
        return t.emit("divide", t.emit("rint", t.emit("multiply", atom, scale)), scale)
    return t.weak(t.cast(t.emit("rint", atom), "int64"))


def rounded(op):
    """`math.floor` and its like give integers."""
    def handler(t, value):
        atom = scalar(t, value)
        if isinstance(atom, Const):
            return Const(getattr(math, op)(atom.value))
        if t.type_of(atom).dtype == "int64":
            return atom
        return t.weak(t.cast(t.emit(op, atom), "int64"))
    return handler


def absolute(t, value):
    atom = as_atom(t, value)
    if isinstance(atom, Const):
        return Const(abs(atom.value))
    if t.type_of(atom) == Scalar("bool", True):
        atom = t.weak(t.cast(atom, "int64"))
    return t.emit("absolute", atom)


def divmod_(t, a, b):
    return Tuple((binary(t, "FloorDiv", a, b), binary(t, "Mod", a, b)))


def power(t, a, b):
    return binary(t, "Pow", a, b)


# -- of several values --------------------------------------------------------------------

def extreme(op, python, reduction):
    """`min` and `max`: of several numbers, of a sequence, of a generator."""
    def pair(t, a, b):
        a, b = as_atom(t, a), as_atom(t, b)
        if isinstance(a, Const) and isinstance(b, Const):
            return Const(python(a.value, b.value))
        if t.ndim(a) or t.ndim(b):
            raise Refused(f"`{python.__name__}` of whole arrays", fix=f"use np.{op}", code="SD0234")
        made = marked(t, t.emit(op, a, b), combined(t, (a, b)))
        nonneg = t.is_nonnegative(a) and t.is_nonnegative(b) or op == "maximum" and (
            t.is_nonnegative(a) or t.is_nonnegative(b))
        if nonneg and t.type_of(made).dtype == "int64":
            t.nonnegative.add(made.name)
        return made

    def handler(t, *values, key=None, default=None):
        if key is not None:
            raise Refused(f"`{python.__name__}` with a key", fix="use a loop")
        if len(values) == 1:
            (value,) = values
            value = _array_in(t, value)
            if is_atom(value) or isinstance(value, View):
                atom = as_atom(t, value)
                if t.ndim(atom) != 1:
                    raise Refused(f"`{python.__name__}` of an array of rows", fix=f"use np.{python.__name__}")
                return t.emit(reduction, atom, axis=(0,))
            values = static_items(t, value)
            if values is None:
                return running(t, value, default)
        if not values:
            if default is not None:
                return default
            raise Refused(f"`{python.__name__}` of nothing")
        return functools.reduce(lambda a, b: pair(t, a, b), values[1:], as_atom(t, values[0]))

    def running(t, value, default):
        from srcdiff.frontend.translate.comprehensions import fold
        if not isinstance(value, Generator):
            raise Refused(f"`{python.__name__}` of this iterable", fix="use a loop")
        start = Const(math.inf if op == "minimum" else -math.inf)
        return fold(t, value.node, value.frame, Intrinsic(pair), start)
    return handler


def sum_(t, value, start=Const(0)):
    value = _array_in(t, value)
    if is_atom(value) or isinstance(value, View):
        atom = as_atom(t, value)
        total = t.emit("sum", atom, axis=(0,))
        return total if start == Const(0) else binary(t, "Add", start, total)
    items = static_items(t, value)
    if items is not None:
        total = start
        for item in items:
            if isinstance(item, Tuple | Ref):
                total = binary(t, "Add", total, item)
            else:
                total = _first(t, item) if total == Const(0) else binary(t, "Add", total, item)
        return total
    return _accumulated(t, value, start, "Add")


def _first(t, item):
    """Return ``0 + item`` without the addition where nothing can tell."""
    atom = as_atom(t, item)
    if isinstance(atom, Const) or t.type_of(atom).dtype == "bool":
        return binary(t, "Add", Const(0), atom)
    return t.emit("copy", atom) if t.ndim(atom) else atom


def _accumulated(t, value, start, kind):
    from srcdiff.frontend.translate.comprehensions import accumulate
    if isinstance(value, Generator):
        return accumulate(t, value.node, value.frame, start, kind)
    if isinstance(value, Mapped):
        from srcdiff.frontend.translate.comprehensions import accumulate_items
        return accumulate_items(t, value, start, kind)
    raise Refused("this iterable cannot be added up", fix="use a loop")


def prod(t, value, start=Const(1)):
    value = _array_in(t, value)
    if is_atom(value) or isinstance(value, View):
        return t.emit("prod", as_atom(t, value), axis=(0,))
    items = static_items(t, value)
    if items is not None:
        return functools.reduce(lambda a, b: binary(t, "Mult", a, b), items, start)
    return _accumulated(t, value, start, "Mult")


def _array_in(t, value):
    """Return the array behind a list that is kept as one, or that an iterator goes through."""
    if isinstance(value, Once):
        value = value.iterable
    if isinstance(value, Ref) and not isinstance(t.contents(value), Tuple | Dict):
        return as_atom(t, t.contents(value))
    return value


def quantified(kind, start):
    """`any` and `all` of a sequence or a generator."""
    def handler(t, value):
        value = _array_in(t, value)
        if is_atom(value) or isinstance(value, View):
            return t.emit("any" if kind == "or" else "all", as_atom(t, value), axis=(0,))
        items = static_items(t, value)
        if items is not None:
            return functools.reduce(lambda a, b: logical(t, kind, a, truth_atom(t, b)), items, Const(start))
        from srcdiff.frontend.translate.comprehensions import fold
        if isinstance(value, Generator):
            combine = Intrinsic(lambda t, a, b: logical(t, kind, a, truth_atom(t, b)))
            return fold(t, value.node, value.frame, combine, Const(start))
        raise Refused("this iterable cannot be tested", fix="use a loop")
    return handler


# -- containers and iteration -----------------------------------------------------------------

def len_(t, value):
    if isinstance(value, Method | Closure):
        raise Refused("a function has no length")
    return length(t, value)


def range_(t, *bounds):
    atoms = [as_atom(t, b) for b in bounds]
    for atom in atoms:
        type_ = t.type_of(atom)
        if not isinstance(type_, Scalar) or type_.dtype[0] not in "iub":
            raise Refused(f"the bounds of range must be integers, not {type_}", fix="convert with int(...)")
    start, stop, step = {1: (Const(0), *atoms, Const(1)), 2: (*atoms, Const(1)), 3: tuple(atoms)}[len(atoms)]
    return Range(start, stop, step)


def enumerate_(t, value, start=Const(0)):
    return Enumerate(value, start)


def zip_(t, *values, strict=Const(False)):
    checked = truth(t, strict) is not False
    if checked:
        _equally_long(t, [length(t, v) for v in values])
    return Zipped(values, checked)


def _equally_long(t, lengths):
    """Raise, now or at run time, where the arguments of a strict `zip` are not equally long."""
    for position, n in enumerate(lengths[1:], 2):
        if n == lengths[0]:
            continue
        message = f"zip() argument {position} is of another length than argument 1"
        if isinstance(n, Const) and isinstance(lengths[0], Const):
            raise Refused(message, python=ValueError)
        with t.builder.nested() as body:
            t.builder.fail("ValueError", message)
        t.builder.branch(t.emit("not_equal", n, lengths[0]), body)


def reversed_handler(t, value):
    return Once(reversed_(t, value))


def map_(t, function, *values):
    return Mapped(function, values)


def list_(t, value=None):
    if value is None:
        return t.allocate(Tuple(()), list)
    if isinstance(value, Ref) and isinstance(t.contents(value), Grown):
        return copy_of(t, value)
    value = _array_in(t, value)
    if is_atom(value) or isinstance(value, View):
        return t.allocate(array_copy(t, value), list) if t.static_number(length(t, value)) is None \
            else t.allocate(Tuple(items_of(t, value)), list)
    if isinstance(value, Range) and t.static_number(length(t, value)) is None:
        return t.allocate(array_of(t, value), list)
    return t.allocate(Tuple(items_of(t, value)), list)


def array_copy(t, value):
    """Return the items of an array as the contents of a list; rows remain views of the array."""
    made = t.emit("copy", as_atom(t, value))
    return derived(t, made, value) if t.ndim(made) > 1 else made


def tuple_(t, value=None):
    return Tuple(()) if value is None else Tuple(tuple(items_of(t, value)))


def dict_(t, value=None, **items):
    start = ()
    if isinstance(value, Ref) and isinstance(t.contents(value), Dict):
        start = t.contents(value).items
    elif value is not None:
        from srcdiff.frontend.translate.indexing import key_of
        start = tuple((key_of(t, items_of(t, pair)[0]), items_of(t, pair)[1]) for pair in items_of(t, value))
    return t.allocate(Dict(tuple({**dict(start), **items}.items())), dict)


def slice_(t, *bounds):
    parts = {1: (None, *bounds, None), 2: (*bounds, None), 3: bounds}[len(bounds)]
    return Slice(*(None if isinstance(p, Known) and p.value is None else p for p in parts))


# -- about values -----------------------------------------------------------------------------

def isinstance_(t, value, classes):
    wanted = [c for c in _classes(t, classes)]
    if is_atom(value):
        return Const(one_class(t, value, "isinstance", lambda cls: any(issubclass(cls, c) for c in wanted)))
    cls = class_of(t, value)
    if isinstance(value, Known) and not isinstance(value.value, type):
        return Const(any(isinstance(value.value, c) for c in wanted))
    return Const(any(issubclass(cls, c) for c in wanted))


def _classes(t, value):
    if isinstance(value, Tuple):
        for item in value.items:
            yield from _classes(t, item)
    elif isinstance(value, Known) and isinstance(value.value, type | tuple):
        yield from value.value if isinstance(value.value, tuple) else (value.value,)
    elif isinstance(value, Known) and hasattr(value.value, "__args__"):     # int | float
        yield from value.value.__args__
    else:
        raise Refused("isinstance of something that is not a class")


def type_(t, value):
    return Known(class_of(t, value))


def hasattr_(t, value, name):
    return Const(has_attribute(t, value, name.value))


def getattr_(t, value, name, default=None):
    if default is not None and not has_attribute(t, value, name.value):
        return default
    return attribute(t, value, name.value)


def callable_(t, value):
    if isinstance(value, Known):
        return Const(callable(value.value))
    return Const(isinstance(value, Closure | Partial | Method))


def str_(t, value=Known("")):       # noqa: B008
    if not isinstance(value, Known | Const):
        return Known(RunTimeText("<value>"))
    return value if isinstance(value.value, RunTimeText) else Known(str(value.value))


def id_(t, value):
    raise Refused("id() has no meaning for a derivative")


def nothing(t, *args, **keywords):
    """Calls that change no value: `print`, `warnings.warn`."""
    return Known(None)


def product(t, *iterables):
    return Product(iterables)


def ndindex(t, *shape):
    """All indices of an array of this shape."""
    if len(shape) == 1 and isinstance(shape[0], Tuple | Ref):
        shape = items_of(t, shape[0])
    return Product(tuple(range_(t, n) for n in shape))


def iter_(t, value):
    """Return an iterator; what cannot be iterated raises in Python too."""
    if is_atom(value) and not t.ndim(value):
        raise Refused("a number cannot be iterated", fix="pass an array", python=TypeError)
    return value if is_iterator(value) else Once(value)


def sorted_(t, value, *, key=None, reverse=Const(False)):
    """Sort what is known when the function is specialised, or numbers at run time."""
    from srcdiff.frontend.translate.library import sorted_array
    array = _array_in(t, value)
    items = static_items(t, value) if array is value else None
    numbers = array is not value or is_atom(value) or isinstance(value, View)
    if key is None and items is not None and not all(isinstance(v, Const | Known) for v in items):
        numbers = all(is_atom(v) and isinstance(t.type_of(v), Scalar) for v in items)
    if key is None and numbers:
        made = sorted_array(t, value, bool(reverse.value))
        return t.allocate(made if items is None else Tuple(tuple(
            t.builder.load(made.name, (Const(k),)) for k in range(len(items)))), list)
    if items is None:
        raise Refused("sorting with a key, or of an iterable whose length only run time knows",
                      fix="sort an array, and use np.argsort for the others")
    if key is not None or not all(isinstance(v, Const | Known) for v in items):
        raise Refused("sorting run-time numbers is not supported", fix="sort outside of the function")
    ordered = sorted(items, key=lambda v: v.value, reverse=bool(reverse.value))
    return t.allocate(Tuple(tuple(ordered)), list)


def partial_(t, function, *args, **keywords):
    return Partial(function, args, tuple(keywords.items()))


def isclose(t, a, b, *, rel_tol=Const(1e-09), abs_tol=Const(0.0)):
    a, b = scalar(t, a), scalar(t, b)
    gap = t.emit("absolute", arithmetic(t, "Sub", a, b))
    largest = t.emit("maximum", absolute(t, a), absolute(t, b))
    bound = t.emit("maximum", arithmetic(t, "Mult", as_atom(t, rel_tol), largest), as_atom(t, abs_tol))
    near = t.emit("less_equal", gap, bound)
    return t.emit("logical_or", near, t.emit("equal", a, b))


def reduce_(t, function, iterable, start=None):
    from srcdiff.frontend.translate.calls import call
    items = list(items_of(t, iterable))
    total = items.pop(0) if start is None else start
    for item in items:
        total = call(t, function, (total, item), {})
    return total


def modf(t, x):
    whole = t.emit("trunc", scalar(t, x))
    return Tuple((arithmetic(t, "Sub", scalar(t, x), whole), whole))


def dist(t, p, q):
    a, b = as_atom(t, p), as_atom(t, q)
    gap = arithmetic(t, "Sub", a, b)
    return t.emit("sqrt", t.emit("sum", t.emit("square", gap), axis=(0,)))


def _operator(kind):
    return lambda t, a, b: binary(t, kind, a, b)


def _comparison(kind):
    return lambda t, a, b: compare(t, kind, a, b)


def _item(t, base, index):
    from srcdiff.frontend.translate.indexing import load
    return load(t, base, index)


HANDLERS = {
    float: float_, int: int_, bool: bool_, round: round_, abs: absolute, divmod: divmod_, pow: power,
    min: extreme("minimum", min, "min"), max: extreme("maximum", max, "max"), sum: sum_,
    math.fsum: sum_, math.prod: prod, any: quantified("or", False), all: quantified("and", True),
    len: len_, range: range_, enumerate: enumerate_, zip: zip_, reversed: reversed_handler, map: map_,
    list: list_, tuple: tuple_, dict: dict_, slice: slice_, isinstance: isinstance_, type: type_,
    hasattr: hasattr_, getattr: getattr_, callable: callable_, str: str_, id: id_, print: nothing,
    itertools.product: product, np.ndindex: ndindex, iter: iter_, sorted: sorted_,
    functools.partial: partial_, functools.reduce: reduce_, math.floor: rounded("floor"),
    math.ceil: rounded("ceil"), math.trunc: rounded("trunc"), math.isclose: isclose, math.modf: modf,
    math.dist: dist, operator.getitem: _item,
    **{python: _operator(kind) for kind, (_, python) in (BINARY | SHIFT).items()},
    **{python: _comparison(kind) for kind, (_, python) in COMPARE.items()},
    operator.neg: lambda t, x: unary(t, "USub", x), operator.not_: lambda t, x: unary(t, "Not", x),
}


def _register_others():
    import warnings

    import numba
    HANDLERS[warnings.warn] = nothing
    HANDLERS[numba.prange] = range_
    try:
        from scipy._lib._array_api import array_namespace
    except ImportError:                 # private to SciPy: without it, its functions are just inlined
        return
    HANDLERS[array_namespace] = lambda t, *arrays, **options: Known(np)


_register_others()
