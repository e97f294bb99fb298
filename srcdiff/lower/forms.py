"""Arithmetic on symbolic integers: linear combinations of symbols.

A form is ``(constant, ((symbol, coefficient), ...))``, sorted, so that equal
forms compare equal.  A symbol is a tuple whose first entry says what it is;
those of `NATURAL` are never negative.
"""

from __future__ import annotations

NATURAL = ("size", "index", "extent", "broadcast", "product", "natural", "trips")


def constant(n: int):
    return (n, ())


ZERO, ONE = constant(0), constant(1)


def symbol(*parts):
    return (0, ((parts, 1),))


def is_constant(form) -> bool:
    return not form[1]


def plus(a, b, sign=1):
    """Return ``a + sign * b``."""
    terms = dict(a[1])
    for key, k in b[1]:
        terms[key] = terms.get(key, 0) + sign * k
    kept = sorted(((key, k) for key, k in terms.items() if k), key=repr)
    return (a[0] + sign * b[0], tuple(kept))


def product(a, b):
    """Return ``a * b``: exact for a constant factor, else a symbol of the two."""
    if is_constant(b):
        a, b = b, a
    if is_constant(a):
        return (a[0] * b[0], tuple((key, k * a[0]) for key, k in b[1])) if a[0] else ZERO
    if at_least_zero(a) and at_least_zero(b):
        return symbol("product", *sorted((a, b), key=repr))
    return symbol("times", *sorted((a, b), key=repr))


def at_least_zero(form) -> bool:
    """Tell whether the number is provably not negative."""
    return form[0] >= 0 and all(k > 0 and _natural(key) for key, k in form[1])


def _natural(key) -> bool:
    return key[0] in NATURAL or key[0] == "minimum" and all(map(at_least_zero, key[1:]))


def extent(form):
    """Return ``max(form, 0)``: what a length that is computed as `form` is."""
    if at_least_zero(form):
        return form
    if is_constant(form):
        return ZERO
    return symbol("extent", form)


def trips(start, stop, step):
    """Return the length of ``range(start, stop, step)``."""
    return extent(plus(stop, start, -1)) if step == ONE else symbol("trips", start, stop, step)


def broadcast(forms):
    """Return the common extent of axes that broadcast together, or None."""
    if any(f is None for f in forms):
        return None
    members = []
    for f in forms:
        if is_constant(f) and f[0] != 1:
            return f
        is_set = not f[0] and len(f[1]) == 1 and f[1][0][1] == 1 and f[1][0][0][0] == "broadcast"
        for part in f[1][0][0][1:] if is_set else (f,):
            if part != ONE and part not in members:
                members.append(part)
    if not members:
        return ONE
    return members[0] if len(members) == 1 else symbol("broadcast", *sorted(members, key=repr))


def substitute(form, facts: dict):
    """Replace symbols that are known to equal other forms, also inside other symbols."""
    if form is None or not facts:
        return form
    total = constant(form[0])
    for key, k in form[1]:
        total = plus(total, product(constant(k), _replaced(key, facts)))
    return total


_REBUILD = {
    "extent": extent, "product": product, "trips": trips,
    "broadcast": lambda *parts: broadcast(parts),
    "minimum": lambda a, b: a if a == b else symbol("minimum", *sorted((a, b), key=repr)),
}


def _replaced(key, facts):
    if key in facts:
        return substitute(facts[key], facts)
    if key[0] in _REBUILD:
        return _REBUILD[key[0]](*(substitute(part, facts) for part in key[1:]))
    return symbol(*key)


def equation(a, b):
    """Return ``(symbol, form)`` such that replacing it makes two forms equal, or None."""
    for x, y in ((b, a), (a, b)):
        if x[0] == 0 and len(x[1]) == 1 and x[1][0][1] == 1 and not _mentions(y, x[1][0][0]):
            return x[1][0][0], y
    return None


def _mentions(form, key) -> bool:
    return any(repr(key) in repr(other) for other, _ in form[1])
