"""Built-in functions that make, order or iterate containers."""

from __future__ import annotations

from srcdiff.frontend.translate.builtin_reductions import array_in
from srcdiff.frontend.translate.iteration import items_of, length, reversed_, static_items
from srcdiff.frontend.translate.methods import copy_of
from srcdiff.frontend.translate.numeric import truth
from srcdiff.frontend.translate.numpy_arguments import none
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
    Product,
    Range,
    Ref,
    Refused,
    Slice,
    Tuple,
    View,
    Zipped,
    is_atom,
    is_iterator,
)
from srcdiff.frontend.translate.views import array_of, as_atom, shape_of
from srcdiff.syntax import Const, Scalar

__all__ = ["dict_", "enumerate_", "iter_", "len_", "list_", "map_", "ndenumerate", "ndindex", "range_", "reversed_handler", "slice_", "sorted_", "tuple_", "zip_"]


def len_(t, value):
    if isinstance(value, Method | Closure):
        raise Refused("a function has no length", fix="call it, and take the length of what it returns")
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
            raise Refused(message, fix="zip what is equally long, or leave `strict` out", python=ValueError)
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
    value = array_in(t, value)
    if is_atom(value) or isinstance(value, View):
        return t.allocate(array_copy(t, value), list) if t.static_number(length(t, value)) is None \
            else t.allocate(Tuple(items_of(t, value)), list)
    if isinstance(value, Range) and t.static_number(length(t, value)) is None:
        return t.allocate(array_of(t, value), list)
    items = static_items(t, value)
    if items is None and (isinstance(value, Generator) or t.static_number(length(t, value)) is None):
        from srcdiff.frontend.translate.comprehensions import listed
        return listed(t, value)
    return t.allocate(Tuple(items_of(t, value) if items is None else items), list)


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


def ndindex(t, *shape):
    """All indices of an array of this shape."""
    if len(shape) == 1 and isinstance(shape[0], Tuple | Ref):
        shape = items_of(t, shape[0])
    return Product(tuple(range_(t, n) for n in shape))


def ndenumerate(t, arr):
    """All indices of an array, each with the element that is there when it is asked for."""
    from srcdiff.frontend.translate.indexing import load
    x = arr if isinstance(arr, View) else as_atom(t, arr)
    indices = ndindex(t, *shape_of(t, x))
    return Mapped(Intrinsic(lambda t, index: Tuple((index, load(t, x, index)))), (indices,), (x,))


def iter_(t, value):
    """Return an iterator; what cannot be iterated raises in Python too."""
    if is_atom(value) and not t.ndim(value):
        raise Refused("a number cannot be iterated", fix="pass an array", python=TypeError)
    return value if is_iterator(value) else Once(value)


def sorted_(t, value, *, key=None, reverse=Const(False)):
    """Sort what is known when the function is specialised, numbers or tuples of them at run time, or by a key."""
    from srcdiff.frontend.translate.by_key import in_order, order_by
    from srcdiff.frontend.translate.library import sorted_array
    backwards = truth(t, reverse) is not False
    if key is not None and not none(key):
        return t.allocate(order_by(t, value, key, backwards), list)
    grown = isinstance(value, Ref) and isinstance(t.contents(value), Grown) and t.contents(value).form != 0
    array = value if grown else array_in(t, value)
    items = static_items(t, value) if array is value else None
    numbers = array is not value or is_atom(value) or isinstance(value, View)
    if items is not None and not all(isinstance(v, Const | Known) for v in items):
        numbers = all(is_atom(v) and isinstance(t.type_of(v), Scalar) for v in items)
    if numbers:
        made = sorted_array(t, value, backwards)
        return t.allocate(made if items is None else Tuple(tuple(
            t.builder.load(made.name, (Const(k),)) for k in range(len(items)))), list)
    if items is None or not all(isinstance(v, Const | Known) for v in items):
        return t.allocate(in_order(t, value, items, backwards), list)
    ordered = sorted(items, key=lambda v: v.value, reverse=backwards)
    return t.allocate(Tuple(tuple(ordered)), list)
