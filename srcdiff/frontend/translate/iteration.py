"""What can be iterated: how many items, and the item at a position."""

from __future__ import annotations

import functools
import itertools
import operator

from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.values import (
    Dict,
    Endless,
    Enumerate,
    Generator,
    Grown,
    Intrinsic,
    Known,
    Mapped,
    Once,
    Poison,
    Product,
    Range,
    Ref,
    Refused,
    Tuple,
    View,
    Zipped,
    is_atom,
)
from srcdiff.frontend.translate.views import as_atom, axis_size, given
from srcdiff.syntax import Const, If, Raise

__all__ = ["SHORTER", "as_range", "item_at", "items_of", "length", "require_length", "reversed_", "static_items", "steps"]


SHORTER = "[SD0358] an array is shorter than what it is gone through beside"


def static_items(t: Translator, value):
    """Return the items of an iterable whose length is known, else None.

    A range with known bounds is not meant: it stays a loop.
    """
    if isinstance(value, Poison):
        t.use_poison(value)
    value = given(t, value)
    if isinstance(value, Once):
        value = value.iterable
    if isinstance(value, Ref):
        value = t.contents(value)
    if isinstance(value, Tuple):
        return value.items
    if isinstance(value, Dict):
        return tuple(lift(t, k) for k, _ in value.items)
    if isinstance(value, Endless) or isinstance(value, Known) and _without_end(value.value):
        return None
    if isinstance(value, Known) and not isinstance(value.value, range):
        try:
            return tuple(lift(t, v, value.origin and value.origin.item(i))
                         for i, v in enumerate(value.value))
        except TypeError:
            raise Refused(f"{describe(value)} cannot be iterated",
                          fix="iterate over a range, an array, a list, a tuple, a dict or a generator") from None
    if isinstance(value, Enumerate):
        items = static_items(t, value.iterable)
        start = t.static_number(value.start)
        if items is None or start is None:
            return None
        return tuple(Tuple((Const(start + k), item)) for k, item in enumerate(items))
    if isinstance(value, Zipped):
        return _static_zip(t, value)
    if isinstance(value, Product):
        parts = [static_items(t, v) for v in value.iterables]
        return None if None in parts else tuple(map(Tuple, itertools.product(*parts)))
    if isinstance(value, Mapped):
        from srcdiff.frontend.translate.calls import call
        rows = static_items(t, Zipped(value.iterables))
        return None if rows is None else tuple(call(t, value.function, r.items, {}) for r in rows)
    if isinstance(value, Generator):
        from srcdiff.frontend.translate.comprehensions import unrolled
        return unrolled(t, value.node, value.frame)
    return None


def steps(t: Translator, value) -> list | None:
    """Return what gives the items of an iterable whose length is known, each when its turn has come; else None.

    A list, an array beside a tuple, and what `map` calls are read then, as Python reads them.
    """
    if isinstance(value, Poison):
        t.use_poison(value)
    value = given(t, value)
    if isinstance(value, Once):
        return steps(t, value.iterable)
    if isinstance(value, Ref) and isinstance(contents := t.contents(value), Tuple):
        count = len(contents.items)
        return [functools.partial(_present, t, value, k, count) for k in range(count)]
    if isinstance(value, Enumerate) and (start := t.static_number(value.start)) is not None:
        inner = steps(t, value.iterable)
        return inner and [lambda k=k, item=item: Tuple((Const(start + k), item())) for k, item in enumerate(inner)]
    if isinstance(value, Zipped):
        return _steps_of_zip(t, value)
    if isinstance(value, Mapped):
        from srcdiff.frontend.translate.calls import call
        rows = steps(t, Zipped(value.iterables))
        return rows and [lambda row=row: call(t, value.function, row().items, {}) for row in rows]
    items = static_items(t, value)
    return None if items is None else [lambda item=item: item for item in items]


def _present(t, ref, k, count):
    """Return an item of a list, which a loop must leave as long as it was."""
    require_length(t, ref, count)
    return t.contents(ref).items[k]


def require_length(t, ref, count) -> None:
    contents = t.contents(ref)
    if not isinstance(contents, Tuple) or len(contents.items) != count:
        raise Refused("a list changes its length while a loop goes through it", fix="loop over a copy: list(...)", code="SD0215")


def _steps_of_zip(t, value) -> list | None:
    parts = [steps(t, v) for v in value.iterables]
    count = _count_of_zip(t, value, parts)
    if count is None:
        return None

    def row(k):
        return Tuple(tuple(p[k]() if p is not None else item_at(t, v, Const(k)) for v, p in zip(value.iterables, parts, strict=True)))
    return [functools.partial(row, k) for k in range(count)]


def _without_end(iterator) -> bool:
    """Tell whether an iterator of `itertools` goes on for ever."""
    return isinstance(iterator, itertools.repeat | itertools.count | itertools.cycle) and operator.length_hint(iterator, -1) < 0


def _number_of(iterable) -> int:
    """Return how many items an object has that is known; a `repeat` tells without being used up."""
    if _without_end(iterable):
        raise _no_end()
    if isinstance(iterable, itertools.repeat):
        return operator.length_hint(iterable)
    try:
        return len(iterable)
    except TypeError:
        raise Refused(f"how many items a `{type(iterable).__name__}` has is not known", code="SD0237",
                      fix="pass an array, a list, a tuple or a range") from None


def _no_end() -> Refused:
    return Refused("what is gone through has no end", code="SD0237",
                   why="`repeat`, `count` and `cycle` of itertools go on for ever; beside something that ends, in `zip` or `map`, they may stand",
                   fix="write the loop with a counter, or give `repeat` a number of times")


def _goes_on(value) -> bool:
    """Tell whether an iterable of a `zip` has no end of its own."""
    if isinstance(value, Once | Enumerate):
        return _goes_on(value.iterable)
    if isinstance(value, Zipped | Mapped):
        return all(map(_goes_on, value.iterables))
    return isinstance(value, Endless) or isinstance(value, Known) and _without_end(value.value)


def _count_of_zip(t, value, parts) -> int | None:
    """Return how many rows a `zip` has of which some iterables, `parts` that are not None, have a known number of items.

    Beside a tuple, an array or a range is taken item by item; zip stops at the shortest.
    """
    known = [len(p) for p in parts if p is not None]
    if not known:
        return None if parts else 0
    lengths = [length(t, v) for v, p in zip(value.iterables, parts, strict=True) if p is None and not _goes_on(v)]
    count = min(known + [n for m in lengths if (n := t.static_number(m)) is not None])
    for m in lengths:
        if t.static_number(m) is None:
            _require_items(t, m, count)
    return count


def _static_zip(t, value):
    parts = [static_items(t, v) for v in value.iterables]
    count = _count_of_zip(t, value, parts)
    if count is None:
        return None
    return tuple(Tuple(tuple(p[k] if p is not None else item_at(t, v, Const(k)) for v, p in zip(value.iterables, parts, strict=True)))
                 for k in range(count))


def _require_items(t, length, count) -> None:
    """Append a check that an array is not shorter than the tuple beside it: such calls have code of their own."""
    shorter = t.emit("less", length, Const(count))
    t.builder.append(If(shorter, (Raise("ValueError", SHORTER, t.builder.where),), (), t.builder.where))


def items_of(t: Translator, value) -> tuple:
    """Return the items of an iterable, whose number must be known."""
    items = static_items(t, value)
    if items is not None:
        return items
    count = t.static_number(length(t, value))
    if count is None:
        raise Refused("the number of items must be known when the function is specialised",
                      why=f"this is {'an array' if is_atom(value) else describe(value)} whose length only run time knows",
                      fix="use an array and index it", code="SD0236")
    return tuple(item_at(t, value, Const(k)) for k in range(int(count)))


def length(t: Translator, value):
    """Return the number of items as an atom."""
    if isinstance(value, Poison):
        t.use_poison(value)
    value = given(t, value)
    if isinstance(value, Once):
        value = value.iterable
    if isinstance(value, Ref):
        value = t.contents(value)
    if isinstance(value, Grown):
        return value.count
    if isinstance(value, Tuple | Dict):
        return Const(len(value.items))
    if isinstance(value, Known):
        return Const(_number_of(value.value))
    if isinstance(value, Range):
        return trips(t, value)
    if isinstance(value, Enumerate):
        return length(t, value.iterable)
    if isinstance(value, Zipped) and value.strict and value.iterables:
        return length(t, value.iterables[0])
    if isinstance(value, Zipped | Mapped):
        ending = [v for v in value.iterables if not _goes_on(v)] or value.iterables
        return _shortest(t, [length(t, v) for v in ending])
    if isinstance(value, Endless):
        raise _no_end()
    if isinstance(value, Product):
        from srcdiff.frontend.translate.numeric import arithmetic
        return functools.reduce(lambda a, b: arithmetic(t, "Mult", a, b),
                                (length(t, v) for v in value.iterables), Const(1))
    if isinstance(value, View):
        return axis_size(t, value, 0)
    if is_atom(value) and t.ndim(value):
        return t.size(value, 0)
    raise Refused(f"{describe(value) if not is_atom(value) else 'a number'} has no length here",
                  fix="pass an array, a tuple or a range", code="SD0237",
                  python=TypeError if is_atom(value) else None)


def _shortest(t, lengths):
    unique = list(dict.fromkeys(lengths))
    if all(isinstance(n, Const) for n in unique):
        return min(unique, key=lambda n: n.value)
    least = unique[0]
    for n in unique[1:]:
        least = t.emit("minimum", least, n)
    return least


def trips(t: Translator, value: Range):
    bounds = [t.static_number(v) if isinstance(v, Const) else None
              for v in (value.start, value.stop, value.step)]
    if None not in bounds:
        return Const(len(range(*bounds)))
    if value.start == Const(0) and value.step == Const(1) and t.is_nonnegative(value.stop):
        return value.stop
    result = t.emit("trips", value.start, value.stop, value.step)
    t.nonnegative.add(result.name)
    return result


def item_at(t: Translator, value, position):
    """Return the item at a position that is not negative."""
    from srcdiff.frontend.translate import growing, indexing
    from srcdiff.frontend.translate.numeric import arithmetic
    if isinstance(value, Once):
        return item_at(t, value.iterable, position)
    if isinstance(value, Enumerate):
        return Tuple((arithmetic(t, "Add", position, as_atom(t, value.start))
                      if value.start != Const(0) else position, item_at(t, value.iterable, position)))
    if isinstance(value, Product):
        return _combination(t, value, position)
    if isinstance(value, Endless):
        return value.item(t, position)
    if isinstance(value, Zipped):
        return Tuple(tuple(item_at(t, v, position) for v in value.iterables))
    if isinstance(value, Mapped):
        from srcdiff.frontend.translate.calls import call
        return call(t, value.function, tuple(item_at(t, v, position) for v in value.iterables), {})
    if isinstance(value, Range) and value.start == Const(0) and value.step == Const(1):
        return position
    contents = t.contents(value) if isinstance(value, Ref) else value
    if isinstance(contents, Grown):
        return growing.item(t, contents, position)
    return indexing.load(t, value, position)


def _combination(t, value, position):
    """Return the items at a position: its digits, with the lengths as bases."""
    from srcdiff.frontend.translate.numeric import arithmetic
    items, rest = [], position
    for k, iterable in enumerate(reversed(value.iterables)):
        if k + 1 == len(value.iterables):
            items.append(item_at(t, iterable, rest))
            break
        base = length(t, iterable)
        items.append(item_at(t, iterable, arithmetic(t, "Mod", rest, base)))
        rest = arithmetic(t, "FloorDiv", rest, base)
    return Tuple(tuple(reversed(items)))


def reversed_(t: Translator, value):
    """Return the iterable backwards."""
    if isinstance(value, Ref) and isinstance(contents := t.contents(value), Tuple):
        count = len(contents.items)         # read when its turn has come
        return Mapped(Intrinsic(lambda t, k: _present(t, value, k.value, count)), (Tuple(tuple(Const(k) for k in reversed(range(count)))),))
    items = static_items(t, value)
    if items is not None:
        return Tuple(tuple(reversed(items)))
    if isinstance(value, Range):
        from srcdiff.frontend.translate.numeric import arithmetic
        count = trips(t, value)
        last = arithmetic(t, "Sub", count, Const(1))
        start = arithmetic(t, "Add", value.start, arithmetic(t, "Mult", last, value.step))
        before = arithmetic(t, "Sub", value.start, value.step)
        return Range(start, before, arithmetic(t, "Sub", Const(0), value.step))
    if isinstance(value, Ref) and isinstance(t.contents(value), Grown):
        from srcdiff.frontend.translate.growing import elements
        value = elements(t, t.contents(value)) or value
    if isinstance(value, View) or is_atom(value):
        from srcdiff.frontend.translate.indexing import load
        from srcdiff.frontend.translate.values import Slice
        return load(t, value, Slice(None, None, Const(-1)))
    raise Refused(f"{describe(value)} cannot be reversed", fix="reverse a list, a tuple, a range or an array")


def as_range(t: Translator, value) -> Range | None:
    """Return the range that a `for` loop counts through, None where items are looked up."""
    if isinstance(value, Once):
        value = value.iterable
    if isinstance(value, Known) and isinstance(value.value, range):
        r = value.value
        return Range(Const(r.start), Const(r.stop), Const(r.step))
    return value if isinstance(value, Range) else None
