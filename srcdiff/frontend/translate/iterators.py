"""`next`, and what `itertools` makes of items whose number is known.

The rest of `itertools` is written in Python (`srcdiff.frontend.in_python.iterators`).
"""

from __future__ import annotations

import itertools
import math

import gast
import numpy as np

from srcdiff.frontend.in_python import iterators
from srcdiff.frontend.translate.builtin_containers import list_
from srcdiff.frontend.translate.expressions import evaluate
from srcdiff.frontend.translate.iteration import item_at, items_of, length, static_items
from srcdiff.frontend.translate.library import in_python_call
from srcdiff.frontend.translate.numeric import arithmetic
from srcdiff.frontend.translate.values import (
    Endless,
    Generator,
    Intrinsic,
    Known,
    Mapped,
    Product,
    Range,
    Refused,
    Tuple,
)
from srcdiff.frontend.translate.views import as_atom
from srcdiff.syntax import Const

__all__ = ["HANDLERS"]

MOST = 200              # tuples of items that are written out


def known_items(t, iterable):
    """Return the items of an iterable, where their number is known."""
    items = static_items(t, iterable)
    if items is not None:
        return items
    count = t.static_number(length(t, iterable))
    return items_of(t, iterable) if count is not None and count <= MOST else None


def choosing(choose, count, in_python):
    """A function of `itertools` that chooses tuples of items: written out if they are few, else gone through by loops."""
    def handler(t, iterable, r=None):
        items = known_items(t, iterable)
        size = None if items is None else len(items) if r is None else t.static_number(r)
        if size is not None and count(len(items), size) <= MOST:
            return Tuple(tuple(map(Tuple, choose(items, size))))
        return in_python_call(t, in_python, iterable, *(() if r is None else (r,)))
    return handler


def product(t, *iterables, repeat=None):
    """The combinations of items of several iterables."""
    times = 1 if repeat is None else t.static_number(repeat)
    if times is None:
        raise Refused("itertools.product with a `repeat` that only run time knows", fix="write the loops out")
    return Product(iterables * times)


def next_(t, iterator, *default):
    """The first item of an iterator that has no name: nobody asks it for another."""
    (node, *_) = t.node.args
    if not isinstance(node, gast.Call | gast.GeneratorExp):
        raise Refused("`next` of an iterator that has a name", why="how far it has come is not followed",
                      fix="go through it by a loop, or take the items of a list by their numbers")
    if isinstance(iterator, Generator):
        items = evaluate(t, gast.copy_location(gast.ListComp(node.elt, node.generators), node))
    else:
        items = list_(t, iterator)
    return in_python_call(t, iterators.first_or if default else iterators.first, items, *default)


def repeat(t, object, times=None):      # noqa: A002
    """One value for ever, or so many times."""
    if times is None:
        return Endless(lambda t, position: object, (object,))
    count = t.static_number(times)
    if count is None:
        return Mapped(Intrinsic(lambda t, position: object), (Range(Const(0), as_atom(t, times), Const(1)),), (object,))
    return Tuple((object,) * count)


def count(t, start=Const(0), step=Const(1)):
    """start, start + step, ... for ever."""
    def item(t, position):
        return arithmetic(t, "Add", as_atom(t, start), arithmetic(t, "Mult", position, as_atom(t, step)))
    return Endless(item, ())


def cycle(t, iterable):
    """The items again and again."""
    from srcdiff.frontend.translate.calls import call
    items = known_items(t, iterable)
    if items is None:
        raise Refused("itertools.cycle of items whose number only run time knows", why="it keeps the items that it has given",
                      fix="take them by their numbers: w[k % len(w)]")
    if not items:
        return Tuple(())

    def item(t, position):
        at = arithmetic(t, "Mod", position, Const(len(items)))
        if isinstance(at, Const):
            return items[at.value]
        return item_at(t, as_atom(t, call(t, Known(np.array), (Tuple(tuple(items)),), {})), at)
    return Endless(item, tuple(items))


HANDLERS = {
    itertools.repeat: repeat, itertools.count: count, itertools.cycle: cycle,
    itertools.product: product, next: next_,
    itertools.combinations: choosing(itertools.combinations, math.comb, iterators.combinations),
    itertools.permutations: choosing(itertools.permutations, math.perm, iterators.permutations),
    itertools.combinations_with_replacement: choosing(
        itertools.combinations_with_replacement, lambda n, r: math.comb(n + r - 1, r), iterators.combinations_with_replacement),
}
