"""The variables that a loop carries, and what is copied to them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from srcdiff.frontend.translate import growing
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.kinds import combined, marked
from srcdiff.frontend.translate.merge import stem_of_place, value_type
from srcdiff.frontend.translate.values import (
    UNBOUND,
    Dict,
    Grown,
    MaybeNone,
    MaybeUnbound,
    Poison,
    Record,
    Ref,
    Refused,
    Tuple,
    Unbound,
    View,
    is_atom,
    is_none,
    same,
)
from srcdiff.primitives import unify
from srcdiff.syntax import Array, Const, Scalar, Var, index_atoms

__all__ = ["UNROLLED_AT_MOST", "Variables"]

BOOL = Scalar("bool", weak=True)
UNROLLED_AT_MOST = 64


class Part(enum.Enum):
    """Parts of a carried place; no string, for names and keys of the user's are strings."""

    VALUE, FLAG, GIVEN, ITEMS, BUFFER, COUNT = "value", "flag", "given", "items", "buffer", "count"


@dataclass
class Variables:
    """The variables that one loop carries: one for each place, or a structure of them.

    Attributes
    ----------
    count
        The number of iterations, where it is known.
    entry
        The state before the loop.
    names
        The variable of each place and part of a place.
    refs
        By place, the list or dict that it carries.
    contents
        By the key of such a list, its contents at the header.
    source
        The state that lists are looked up in.
    changed
        Whether something differs from the last translation of the body: then it is translated again.
    known
        The variables from before the loop.
    """

    t: Translator
    node: object
    count: Const | None
    entry: dict
    names: dict = field(default_factory=dict)
    refs: dict = field(default_factory=dict)
    contents: dict = field(default_factory=dict)
    source: dict = field(default_factory=dict)
    changed: bool = False
    known: frozenset = frozenset()

    def __post_init__(self):
        self.known = frozenset(self.t.builder.types)

    def of(self, place, entry, back):
        """Return the value at the header of a place that enters as `entry` and comes back as `back`."""
        stem = stem_of_place(place) if isinstance(place[1], str) or len(place) == 2 else place[-1]
        if isinstance(entry, Poison) or isinstance(back, Poison):
            return entry if isinstance(entry, Poison) else back
        if isinstance(entry, Unbound | MaybeUnbound) or isinstance(back, Unbound | MaybeUnbound):
            return self.unbound(place, stem, entry, back)
        if isinstance(entry, MaybeNone) or isinstance(back, MaybeNone) or back is not None and is_none(entry) != is_none(back):
            return self.maybe_none(place, stem, entry, back)
        if isinstance(entry, Ref) and (isinstance(back, Ref) and back != entry or place[-1] == Part.VALUE):
            return self.list_(place, entry, back)
        if self.grows(place, entry, back):
            return self.grown(place, entry, back)
        if isinstance(entry, Tuple) and (back is None or isinstance(back, Tuple)
                                         and len(back.items) == len(entry.items)):
            backs = back.items if back is not None else [None] * len(entry.items)
            return Tuple(tuple(self.of((*place, k), e, b)
                               for k, (e, b) in enumerate(zip(entry.items, backs, strict=True))), entry.cls)
        if isinstance(entry, Dict | Record) and (back is None or type(back) is type(entry)):
            if back is not None and [k for k, _ in back.items] != [k for k, _ in entry.items]:
                return self.poison(stem, entry, back)
            return type(entry)(tuple((k, self.of((*place, k), e, back and back.get(k)))
                                     for k, e in entry.items))
        if isinstance(entry, View) and place not in self.names and self.lasts(entry) and (back is None or same(entry, back)):
            return entry
        types = []
        for v, state in ((entry, self.entry), (back, self.t.state)):
            if v is not None:
                with self.t.in_state(state):
                    types.append(value_type(self.t, v))
        if not types or None in types:
            if back is None or same(entry, back):
                return entry
            return self.poison(stem, entry, back)
        type_ = types[0] if len(types) == 1 else unify(*types)
        old = self.names.get(place)
        if old is not None and type_ is not None:
            type_ = unify(self.t.builder.types[old], type_)
        if type_ is None:
            return self.poison(stem, entry, back, types)
        return self.of_kind(Var(self.named(place, _stem(place), type_)), entry, back)

    def of_kind(self, variable, entry, back):
        """Note what a number that is carried is in Python; where that changes, translate once more."""
        t, before = self.t, self.t.kinds.get(variable.name)
        kind = combined(t, filter(is_atom, (entry, back)))
        marked(t, variable, kind | (before or kind))
        self.changed |= t.kinds.get(variable.name) != before
        return variable

    def grows(self, place, entry, back) -> bool:
        """Tell whether a place holds a list that has another length after the body."""
        contents = place[0] == "heap" and len(place) == 2 or place[-1] == Part.ITEMS
        if not contents or back is None:
            return isinstance(entry, Grown)
        if isinstance(entry, Grown) or isinstance(back, Grown):
            return all(isinstance(v, Grown | Tuple | Var) for v in (entry, back))
        if not (isinstance(entry, Tuple) and isinstance(back, Tuple)):
            return False
        few = self.count is not None and self.count.value <= UNROLLED_AT_MOST
        return len(entry.items) != len(back.items) and not few      # few iterations are unrolled

    def grown(self, place, entry, back):
        """Carry a list that grows: its count, and its arrays where these are others."""
        t, specs = self.t, []
        try:
            for v, state in ((entry, self.entry), (back, t.state)):
                if v is not None:
                    with t.in_state(state):
                        specs.append(growing.spec_of(t, v))
            form, types = growing.unified(specs)
        except Refused as refused:
            refused.node = refused.node or self.node
            return Poison(refused)
        both = isinstance(entry, Grown) and (back is None or isinstance(back, Grown))
        buffers = []
        for k, type_ in enumerate(types):
            whole = Array(type_.dtype, type_.ndim + 1)
            if both and t.type_of(entry.buffers[k]) == whole and (
                    back is None or back.buffers[k] == entry.buffers[k]):
                buffers.append(entry.buffers[k])
            else:
                buffers.append(Var(self.named((*place, Part.BUFFER, k), _stem(place), whole)))
        if back is not None and both and entry.count == back.count:
            count = entry.count
        else:
            count = Var(self.named((*place, Part.COUNT), "count", Scalar("int64", weak=True)))
            t.nonnegative.add(count.name)
        return Grown(tuple(buffers), count, form, tuple(getattr(x, "weak", False) for x in types))

    def named(self, place, stem, type_):
        old = self.names.get(place)
        if old is not None and self.t.builder.types[old] == type_:
            return old
        name = self.names[place] = self.t.builder.fresh(stem, type_)
        self.t.stems[name] = stem
        return name

    def unbound(self, place, stem, entry, back):
        """Carry a name that has no value yet, with a flag that tells when it has."""
        inner = [v.value if isinstance(v, MaybeUnbound) else v for v in (entry, back)
                 if v is not None and not isinstance(v, Unbound)]
        if not inner:
            return UNBOUND
        value = self.of((*place, Part.VALUE), inner[0], inner[1] if len(inner) > 1 else None)
        if isinstance(value, Poison):
            return value
        flag = self.named((*place, Part.FLAG), f"{stem}_assigned", BOOL)
        return MaybeUnbound(value, Var(flag))

    def maybe_none(self, place, stem, entry, back):
        """Carry a name that is None in some iterations, with a flag that tells when it has a value."""
        inner = [v.value if isinstance(v, MaybeNone) else v for v in (entry, back) if v is not None and not is_none(v)]
        value = self.of((*place, Part.VALUE), inner[0], inner[1] if len(inner) > 1 else None)
        if isinstance(value, Poison):
            return value
        return MaybeNone(value, Var(self.named((*place, Part.GIVEN), f"{stem}_given", BOOL)))

    def list_(self, place, entry, back):
        """Carry a list that is made anew in each iteration: what is carried are its contents."""
        stem = _stem(place)
        for ref in (entry, back):
            if ref is not None and _holders(self.t.state, ref, place) + _holders(self.entry, ref, place):
                return Poison(Refused(f"`{stem}` is rebound in the loop while another name holds the list",
                                      node=self.node, fix="copy the list: list(...)"))
        ref = self.refs.setdefault(place, Ref(self.t.key(), entry.kind))
        for held in (entry, back):
            if isinstance(held, Ref) and held.key in self.t.frozen:
                self.t.frozen[ref.key] = self.t.frozen[held.key]
        first = self.entry.get(("heap", entry.key), self.t.state.get(("heap", entry.key), UNBOUND))
        second = self.t.state.get(("heap", back.key), UNBOUND) if isinstance(back, Ref) else None
        made = self.of((*place, Part.ITEMS), first, second)
        if isinstance(made, Poison):
            return made
        if not same(made, self.contents.get(ref.key)):
            self.contents[ref.key], self.changed = made, True
        return ref

    def lasts(self, view: View) -> bool:
        """Tell whether a view shows the same in all iterations: an array from before the loop, at indices from there."""
        return all(name in self.known for name in (view.base, *(a.name for a in index_atoms(view.index) if isinstance(a, Var))))

    def poison(self, stem, entry, back, types=()):
        if isinstance(entry, Tuple) and isinstance(back, Tuple) and len(entry.items) != len(back.items):
            return Poison(Refused(f"a list or tuple (`{stem}`) changes its length in a loop", node=self.node,
                                  why="how long it becomes is known only at run time", code="SD0215",
                                  fix="allocate an array before the loop, and assign its elements"))
        kinds = " and then ".join(map(str, types)) or f"{describe(entry)} and then {describe(back)}"
        return Poison(Refused(f"`{stem}` changes its kind in the loop: {kinds}",
                              why="one variable has one type in the generated code", node=self.node,
                              fix="use another name, or an array of fixed rank, inside the loop"))

    # -- what is copied to them ---------------------------------------------------

    def matched(self, target, value):
        """Return pairs (merged variable, value) of two values of one structure."""
        if isinstance(target, Poison) or target is UNBOUND:
            return []
        if isinstance(target, MaybeUnbound):
            if isinstance(value, MaybeUnbound):
                return self.matched(target.value, value.value) + self.matched(target.flag, value.flag)
            if isinstance(value, Unbound):
                return [(target.flag, Const(False))] + self.matched(target.value, value)
            return self.matched(target.value, value) + self.matched(target.flag, Const(True))
        if isinstance(target, MaybeNone):
            if isinstance(value, MaybeNone):
                return self.matched(target.value, value.value) + self.matched(target.flag, value.flag)
            given = value is not UNBOUND and not is_none(value)
            return self.matched(target.flag, Const(given)) + self.matched(target.value, value if given else UNBOUND)
        if isinstance(target, Grown):
            return self.matched_list(target, value)
        if isinstance(target, Ref):
            if target.key not in self.contents:
                return []
            held = self.source.get(("heap", value.key), UNBOUND) if isinstance(value, Ref) else UNBOUND
            return self.matched(self.contents[target.key], held)
        if isinstance(target, Tuple | Dict | Record) and isinstance(value, Tuple | Dict | Record):
            first = target.items if isinstance(target, Tuple) else [v for _, v in target.items]
            second = value.items if isinstance(value, Tuple) else [v for _, v in value.items]
            return [p for a, b in zip(first, second, strict=True) for p in self.matched(a, b)]
        if isinstance(target, Tuple):
            return [p for a in target.items for p in self.matched(a, value)]
        if isinstance(target, Var) and target.name in self.names.values():
            return [] if target == value else [(target, value)]
        return []

    def matched_list(self, target, value):
        """Return the pairs of a list that grows: its arrays and its count."""
        if value is UNBOUND:
            return []
        with self.t.in_state(self.source):
            given, count = growing.columns(self.t, value)
        given = [UNBOUND] * len(target.buffers) if given is None else given
        pairs = [*zip(target.buffers, given, strict=True), (target.count, count)]
        return [(a, b) for a, b in pairs if a != b and a.name in self.names.values()]


def _holders(state, ref, place) -> int:
    """Return in how many other places a list is held."""
    def holds(value):
        if isinstance(value, Tuple):
            return any(map(holds, value.items))
        return value == ref
    return sum(holds(v) for p, v in state.items() if p != place[:2] and isinstance(v, Ref | Tuple))


def _stem(place) -> str:
    if place[0] == "same":
        return stem_of_place(place)
    parts = [p.value if isinstance(p, Part) else str(p) for p in place[1:]
             if p not in (Part.VALUE, Part.ITEMS)]
    if place[0] == "heap":
        parts = ["items", *parts[1:]]
    return "_".join(parts)
