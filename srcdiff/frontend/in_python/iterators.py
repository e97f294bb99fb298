"""`filter`, `next` and functions of `itertools`, as generators.

Their items are gone through at once, as those of the user's generators are.
"""

from __future__ import annotations

import builtins
import itertools

__all__ = ["FUNCTIONS", "first", "first_or"]


def filter(function, iterable):         # noqa: A001
    for item in iterable:
        if item if function is None else function(item):
            yield item


def accumulate(iterable, func=None, *, initial=None):
    items = list(iterable)
    if initial is None:
        total = items[0]
        rest = items[1:]
    else:
        total = initial
        rest = items
    yield total
    for item in rest:
        total = total + item if func is None else func(total, item)
        yield total


def chain(*iterables):
    for iterable in iterables:
        yield from iterable


def from_iterable(iterables):
    for iterable in iterables:
        for item in iterable:           # noqa: UP028
            yield item


def takewhile(predicate, iterable):
    for item in iterable:
        if not predicate(item):
            break
        yield item


def dropwhile(predicate, iterable):
    dropping = True
    for item in iterable:
        if dropping and predicate(item):
            continue
        dropping = False
        yield item


def filterfalse(predicate, iterable):
    for item in iterable:
        if not (item if predicate is None else predicate(item)):
            yield item


def zip_longest(*iterables, fillvalue=None):
    lists = [list(iterable) for iterable in iterables]
    for k in range(max([len(items) for items in lists])):
        yield tuple([items[k] if k < len(items) else fillvalue for items in lists])


def pairwise(iterable):
    items = list(iterable)
    for k in range(1, len(items)):
        yield items[k - 1], items[k]


def islice(iterable, *bounds):
    items = list(iterable)
    yield from items[slice(*bounds)]


def starmap(function, iterable):
    for arguments in iterable:
        yield function(*arguments)


def combinations(iterable, r):
    items = list(iterable)
    if r == 1:
        for a in items:
            yield (a,)
    elif r == 2:
        for i in range(len(items)):
            for j in range(i + 1, len(items)):
                yield items[i], items[j]
    elif r == 3:
        for i in range(len(items)):
            for j in range(i + 1, len(items)):
                for k in range(j + 1, len(items)):
                    yield items[i], items[j], items[k]
    else:
        raise NotImplementedError("combinations of more than three items, of a number that only run time knows")


def combinations_with_replacement(iterable, r):
    items = list(iterable)
    if r != 2:
        raise NotImplementedError("combinations that are no pairs, of a number of items that only run time knows")
    for i in range(len(items)):
        for j in range(i, len(items)):
            yield items[i], items[j]


def permutations(iterable, r=None):
    items = list(iterable)
    if r != 2:
        raise NotImplementedError("permutations that are no pairs, of a number of items that only run time knows")
    for i in range(len(items)):
        for j in range(len(items)):
            if i != j:
                yield items[i], items[j]


def first(items):
    if len(items) == 0:
        raise StopIteration
    return items[0]


def first_or(items, default):
    return items[0] if len(items) > 0 else default


FUNCTIONS = {
    builtins.filter: filter, itertools.accumulate: accumulate, itertools.chain: chain, itertools.zip_longest: zip_longest,
    itertools.chain.from_iterable: from_iterable, itertools.takewhile: takewhile, itertools.dropwhile: dropwhile,
    itertools.filterfalse: filterfalse, itertools.pairwise: pairwise, itertools.islice: islice, itertools.starmap: starmap,
}
