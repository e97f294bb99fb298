"""Which array variables are one array in Python, where that depends on the path taken.

Where paths meet, or an iteration ends, an array gets a variable of its own, to which each path copies.  In Python
the name means the very array that it was copied from, which another name may still show: the two are *twins*.  What
is written under one name has to be seen under the other.  So the state says of two twins, at the place
``("same", a, b)``, whether they are one array here: a truth value that each path sets, like that of any other variable.
A store into one is then made in the other too, where they are one.

Two variables that are one array hold equal elements, so such a store is exact.  It is not made where that cannot be
said of them as a whole: a part of an array, a reshaped one, one of another dtype.  Then the place is `UNCLEAR`, and the
store is refused.  All this costs tests and stores, so a function is translated first without it: a store into an
array with a twin in use is refused then, and the function translated again (`Translator.mirrors`).
"""

from __future__ import annotations

from srcdiff.frontend.translate.values import Poison, Refused, View
from srcdiff.syntax import Const, Var

__all__ = ["CODE", "UNCLEAR", "mirrors", "pairs", "place_of", "sameness"]

CODE = "SD0220"
NO = Const(False)
UNCLEAR = Poison(Refused("two names may mean parts of one array", fix="make one of them a copy", code=CODE))


def place_of(one: str, other: str) -> tuple:
    """Return the place that says whether two array variables are one array."""
    return ("same", *sorted((one, other)))


def sameness(t, state, one, other):
    """Return whether two values are one array in a state: a truth value, or `UNCLEAR`."""
    first, second = t.root(one), t.root(other)
    if first is None or second is None:
        return NO
    whole = _is_whole(t, one, first) and _is_whole(t, other, second)
    held = Const(True) if first == second else state.get(place_of(first, second), NO)
    return held if whole or held == NO else UNCLEAR


def _is_whole(t, value, root: str) -> bool:
    return value == Var(root) or value == t.full_view(root)


def merged(t, name: str, value, other: str, theirs, state):
    """Return whether two variables are one array on a path that gives them these values."""
    held = sameness(t, state, value, theirs)
    converted = any(t.builder.types[variable].dtype != t.builder.types[t.root(v)].dtype
                    for variable, v in ((name, value), (other, theirs)) if t.root(v) is not None)
    return UNCLEAR if converted and held != NO else held


def pairs(t, names, held, given, state):
    """Yield the place of each two twins that get values together, and whether they are one array then.

    Parameters
    ----------
    names
        Variables that get a value here.
    held
        Variables that keep theirs, and are in use.
    given
        The values of those in `names` that get another one.
    state
        The state in which the values stand.
    """
    for name in names:
        for other in t.twins.get(name, ()):
            if other in held or other in names and name < other:
                yield place_of(name, other), merged(t, name, given.get(name, Var(name)), other,
                                                    given.get(other, Var(other)), state)


def mirrors(t, base: str) -> list:
    """Return the arrays in use that a store into `base` changes too, each with the truth value that says so.

    Raises
    ------
    Refused
        Where that cannot be said.
    """
    whole = t.derived.get(base, base)
    twins = t.twins.get(whole, {})
    for name in dict.fromkeys((base, whole, *twins)):
        if name in t.shared and _may_be(t, base, Var(name)) != NO:
            raise _refusal(t, base, t.shared[name])
        if t.state.get(place_of(whole, name)) != NO:        # None: an argument that only the caller can see
            t.touched.add(name)
    found = {}
    for root, shown in t.roots_in_use() if twins else ():
        if root not in twins:
            continue
        held = _may_be(t, base, Var(shown.base) if isinstance(shown, View) else shown)
        if held is UNCLEAR:
            raise _refusal(t, base, twins[root])
        if held != NO:
            found[root] = held
    return list(found.items())


def _may_be(t, base, shown):
    """Return whether a variable and what shows another one are one array, which is said only where stores are mirrored."""
    return sameness(t, t.state, Var(base), shown) if t.mirrors or shown == Var(base) else UNCLEAR


def _refusal(t, base, why):
    return Refused(f"`{t.stems.get(base, base)}` is written, and may share memory with another array",
                   why=f"which array it is depends on the path taken ({why})",
                   fix="make one of them a copy: `b = a.copy()`", code=CODE)
