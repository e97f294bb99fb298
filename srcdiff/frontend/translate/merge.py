"""Where paths meet: one value for each name that differs between them.

A number or array that differs gets a merged variable, to which every path
copies its own value.  For arrays this is by value, so an alias that only one
path has would be lost: such arrays are noted in `shared`, and storing into
one is refused.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from srcdiff.frontend.translate import growing
from srcdiff.frontend.translate.aliases import pairs
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.extents import note_common
from srcdiff.frontend.translate.kinds import combined, marked
from srcdiff.frontend.translate.values import (
    UNBOUND,
    Closure,
    Dict,
    Generator,
    Grown,
    Intrinsic,
    Known,
    MaybeNone,
    MaybeUnbound,
    Poison,
    Produced,
    Record,
    Ref,
    Refused,
    Summed,
    Tuple,
    Unbound,
    View,
    is_atom,
    is_none,
    same,
)
from srcdiff.frontend.translate.views import as_atom
from srcdiff.primitives import unify
from srcdiff.syntax import Array, Assign, Const, Load, Scalar, Type, Var, walk

__all__ = ["Merger", "join", "stem_of_place"]


def stem_of_place(place) -> str:
    if place[0] == "same":
        return "same_array"
    return place[1] if isinstance(place[1], str) else "items"


def join(t: Translator, arms, live) -> None:
    """Make the translator's state the one where the arms meet.

    Parameters
    ----------
    arms
        ``(state, block)`` of each path that arrives: its places, and the
        statements to which its copies are appended.  No arm: nothing arrives.
    live
        The names of the present frame that are read later.
    """
    if not arms:
        return
    if len(arms) == 1:
        t.state = arms[0][0]
        return
    merger = Merger(t, [block for _, block in arms], [state for state, _ in arms])
    places = list(dict.fromkeys(p for state, _ in arms for p in state))
    state = t.state = {}
    for place in places:
        if place[0] == t.frame.key and place[1] not in live:
            continue
        values = [arm.get(place, Const(False) if place[0] == "same" else UNBOUND) for arm, _ in arms]
        if place[0] == "heap":
            values = merger.everywhere(values)
        state[place] = merger.value(place, values)
    merger.note_lost_aliases()


def _grows(values) -> bool:
    """Tell whether the contents of a list differ in length between paths."""
    if any(isinstance(v, Grown) for v in values):
        return all(isinstance(v, Grown | Tuple) or is_atom(v) for v in values)
    return (all(isinstance(v, Tuple) and v.cls is None for v in values)
            and len({len(v.items) for v in values}) > 1)


class Merger:
    """Merge the values of places; remembers what was copied to find lost aliases."""

    def __init__(self, t: Translator, blocks, states):
        self.t, self.blocks, self.states = t, blocks, states
        self.made: list[tuple[str, tuple]] = []     # merged array, the values on each path

    def value(self, place, values):
        first = values[0]
        if all(same(first, v) for v in values[1:]):
            return first
        if place[0] == "heap" and len(place) == 2 and _grows(values):
            return self.grown(stem_of_place(place), values)
        return self.differing(stem_of_place(place), values)

    def differing(self, stem, values):
        for v in values:
            if isinstance(v, Poison):
                return v
        if any(isinstance(v, Unbound | MaybeUnbound) for v in values):
            return self.maybe(stem, values)
        if any(is_none(v) or isinstance(v, MaybeNone) for v in values):
            return self.maybe_none(stem, values)
        if all(isinstance(v, Tuple) for v in values) and len({(len(v.items), v.cls) for v in values}) == 1:
            parts = zip(*(v.items for v in values), strict=True)
            return Tuple(tuple(self.value((0, f"{stem}_{k}"), list(p)) for k, p in enumerate(parts)),
                         values[0].cls)
        if (all(isinstance(v, Dict | Record) for v in values)
                and len({(type(v), tuple(k for k, _ in v.items)) for v in values}) == 1):
            keys = [k for k, _ in values[0].items]
            return type(values[0])(tuple(
                (k, self.value((0, f"{stem}_{k}"), [v.get(k) for v in values])) for k in keys))
        if all(isinstance(v, Ref) for v in values) and len({v.kind for v in values}) == 1:
            self.freeze(values)
            contents = self.value(("heap", stem), [state.get(("heap", v.key), UNBOUND)
                                              for v, state in zip(values, self.states, strict=True)])
            if isinstance(contents, Poison):
                return contents
            made = self.t.allocate(contents, values[0].kind)
            if any(v.key in self.t.nested for v in values):
                self.t.nested.add(made.key)
            if why := next((self.t.frozen[v.key] for v in values if v.key in self.t.frozen), None):
                self.t.frozen[made.key] = why
            return made
        return self.atoms(stem, values)

    def everywhere(self, values):
        """Let a value that only some paths have stand for all of them.

        What it consists of gets a value on the other paths too; nobody reads it there.
        """
        bound = [v for v in values if v is not UNBOUND]
        if not bound or len(bound) == len(values):
            return values
        made = [{s.target for s in walk(block) if isinstance(s, Assign | Load)} for block in self.blocks]
        for name in dict.fromkeys(variables_in(bound[0])):
            if any(name in names for names in made):
                for block, names in zip(self.blocks, made, strict=True):
                    if name not in names:
                        fill(self.t, name, self.t.builder.types[name], UNBOUND, block)
        return [bound[0] if v is UNBOUND else v for v in values]

    def freeze(self, values):
        """Let no list be changed that is one of several, and has another name besides."""
        for state in self.states:
            held = [v for v in state.values() if isinstance(v, Ref) and v in values]
            if len(held) > 1:
                self.t.frozen.update((v.key, "which list it is depends on the path taken") for v in values)

    def grown(self, stem, values):
        """Merge the contents of a list that has another length on each path."""
        t = self.t
        specs = []
        try:
            for v, state in zip(values, self.states, strict=True):
                with t.in_state(state):
                    specs.append(growing.spec_of(t, v))
            form, types = growing.unified(specs)
        except Refused as refused:
            return Poison(refused)
        given = []
        for v, state, block in zip(values, self.states, self.blocks, strict=True):
            with t.in_state(state), t.builder.continued(block):
                given.append(growing.columns(t, v))
        buffers = []
        for k, type_ in enumerate(types):
            whole = Array(type_.dtype, type_.ndim + 1)
            parts = [c[k] if c is not None else UNBOUND for c, _ in given]
            if all(p == parts[0] for p in parts) and isinstance(parts[0], Var) and (
                    t.type_of(parts[0]) == whole):
                buffers.append(parts[0])
                continue
            name = t.builder.fresh(stem, whole)
            t.stems[name] = stem
            for part, block, state in zip(parts, self.blocks, self.states, strict=True):
                with t.in_state(state):
                    fill(t, name, whole, part, block)
            buffers.append(Var(name))
        count = self.value((0, "count"), [n for _, n in given])
        if isinstance(count, Var):
            t.nonnegative.add(count.name)
        return Grown(tuple(buffers), count, form, tuple(getattr(x, "weak", False) for x in types))

    def maybe(self, stem, values):
        """Merge where some path has no value: a flag says whether there is one."""
        parts = [(v.value, v.flag) if isinstance(v, MaybeUnbound)
                 else (UNBOUND, Const(False)) if isinstance(v, Unbound) else (v, Const(True))
                 for v in values]
        bound = [v for v, _ in parts if v is not UNBOUND]
        sample = bound[0] if all(same(bound[0], b) for b in bound) else None
        if sample is not None and not (is_atom(sample) or isinstance(sample, View)):
            merged = self.everywhere([v for v, _ in parts])[0]
        else:
            merged = self.differing(stem, [v for v, _ in parts]) if len(bound) == len(parts) \
                else self.atoms(stem, [v for v, _ in parts])
        if isinstance(merged, Poison):
            return merged
        flags = [f for _, f in parts]
        flag = flags[0] if all(f == flags[0] for f in flags) else self.atoms(f"{stem}_assigned", flags)
        return MaybeUnbound(merged, flag)

    def maybe_none(self, stem, values):
        """Merge where some path has None: a flag says where there is a value."""
        parts = [(v.value, v.flag) if isinstance(v, MaybeNone)
                 else (UNBOUND, Const(False)) if is_none(v) else (v, Const(True)) for v in values]
        merged = self.partly(stem, [v for v, _ in parts])
        flags = [f for _, f in parts]
        flag = flags[0] if all(f == flags[0] for f in flags) else self.atoms(f"{stem}_given", flags)
        return merged if isinstance(merged, Poison) else MaybeNone(merged, flag)

    def partly(self, stem, values):
        """Merge what some paths may have no value for."""
        bound = [v for v in values if v is not UNBOUND]
        if all(is_atom(v) or isinstance(v, View) for v in bound):
            return self.differing(stem, values) if len(bound) == len(values) else self.atoms(stem, values)
        if all(same(bound[0], v) for v in bound):
            return self.everywhere(values)[0]
        if all(isinstance(v, Tuple) for v in bound) and len({(len(v.items), v.cls) for v in bound}) == 1:
            parts = ([UNBOUND if v is UNBOUND else v.items[k] for v in values] for k in range(len(bound[0].items)))
            return Tuple(tuple(self.partly(f"{stem}_{k}", part) for k, part in enumerate(parts)), bound[0].cls)
        kinds = " and ".join(dict.fromkeys("a number" if is_atom(v) else describe(v) for v in bound))
        return Poison(Refused(f"`{stem}` is None and {kinds} on different paths",
                              why="one variable has one type in the generated code",
                              fix="use different names, or one type on all paths"))

    def atoms(self, stem, values):
        """Merge numbers and arrays into one variable."""
        for variable, merged_values in self.made:
            if all(map(same, merged_values, values)):
                return Var(variable)
        with_type = []
        for v, state in zip(values, self.states, strict=True):
            with self.t.in_state(state):
                if v is not UNBOUND:
                    with_type.append((v, value_type(self.t, v)))
        if any(type_ is None for _, type_ in with_type):
            kinds = " and ".join(dict.fromkeys(describe(v) if type_ is None else "a number"
                                               for v, type_ in with_type))
            return Poison(Refused(f"`{stem}` is {kinds} on different paths",
                                  why="one variable has one type in the generated code",
                                  fix="use different names, or one type on all paths"))
        type_ = unify_all([type_ for _, type_ in with_type])
        if type_ is None:
            kinds = " and ".join(dict.fromkeys(str(x) for _, x in with_type))
            return Poison(Refused(f"`{stem}` has different ranks on different paths: {kinds}",
                                  why="one variable has one type in the generated code",
                                  fix="use different names on the different paths"))
        name = self.t.builder.fresh(stem, type_)
        self.t.stems[name] = stem
        for value, block, state in zip(values, self.blocks, self.states, strict=True):
            with self.t.in_state(state):
                fill(self.t, name, type_, value, block)
        if isinstance(type_, Array):
            self.made.append((name, tuple(values)))
            note_common(self.t, name, values)
        return marked(self.t, Var(name), combined(self.t, filter(is_atom, values)))

    def note_lost_aliases(self):
        """Mark the merged arrays whose source is still seen under another name."""
        note_lost_aliases(self.t, self.made)
        if self.t.mirrors:
            self.note_sameness()

    def note_sameness(self):
        """Say of each merged array and its twins whether they are one array on each path."""
        t, made = self.t, {name: values for name, values in self.made}
        held = {root for root, _ in t.roots_in_use()} - set(made)
        found = [dict(pairs(t, made, held, {name: values[k] for name, values in self.made}, state))
                 for k, state in enumerate(self.states)]
        for place in found[0]:
            t.state[place] = self.value(place, [flags[place] for flags in found])


def note_lost_aliases(t: Translator, made, replaced=()) -> None:
    """Note as twins each merged array and what other places show of the same memory.

    A merged array may be, in Python, the very array that it was copied from, or
    any twin of that one.  Of those, only the ones that some place still shows
    can tell the difference.

    Parameters
    ----------
    made
        Pairs of a merged array and the values that it gets, one per path.
    replaced
        Variables that get a new value at the same time: what shows them now
        will show that.
    """
    if not made:
        return
    why = f"line {t.where().line}" if t.where().line else "a line above"
    seen = {p.name for p in t.params}           # by the caller
    held = seen.union((root for _, root, _ in t.roots_in_state()), (root for root, _ in t.roots_in_use())) - set(replaced)
    for name, values in made:
        for k, value in enumerate(values):
            root = t.root(value)
            if root is None or root == name:
                continue
            if t.shared.get(root) == growing.HELD:
                t.shared.setdefault(name, growing.HELD)
            one_memory = [root, *t.twins.get(root, ())]
            for other in one_memory:
                if other in held:
                    t.twin(name, other, why)
            for other, theirs in made:
                if other != name and t.root(theirs[k]) in one_memory:
                    t.twin(name, other, why)


def variables_in(value):
    """Yield the variables that a value is made of."""
    if isinstance(value, Var):
        yield value.name
    elif isinstance(value, tuple):
        for item in value:
            yield from variables_in(item)
    elif is_dataclass(value) and not isinstance(value, Known | Closure | Generator | Produced | Intrinsic | Poison | Const):
        if isinstance(value, View):
            yield value.base
        for part in fields(value):
            yield from variables_in(getattr(value, part.name))


def value_type(t: Translator, value) -> Type | None:
    """Return the type of a number, an array, a view or a list of numbers; None for anything else."""
    if isinstance(value, Summed):
        value = value.value
    if is_atom(value):
        return t.type_of(value)
    if isinstance(value, View):
        dtype = t.builder.types[value.base].dtype
        return Array(dtype, len(value.axes)) if value.axes else Scalar(dtype)
    if isinstance(value, Tuple) and value.cls is None and value.items:
        types = [t.type_of(v) if is_atom(v) else None for v in value.items]
        if all(isinstance(x, Scalar) for x in types):
            return Array(unify_all(types).dtype, 1)
        rows = [value_type(t, t.contents(v) if isinstance(v, Ref) else v) for v in value.items
                if isinstance(v, Ref | Tuple)]
        if len(rows) == len(value.items) and None not in rows and unify_all(rows) is not None:
            return Array(unify_all(rows).dtype, rows[0].ndim + 1)
    return None


def unify_all(types):
    result = types[0]
    for type_ in types[1:]:
        result = None if result is None else unify(result, type_)
    return result


def fill(t: Translator, name: str, type_: Type, value, block) -> None:
    """Append to `block` the copy of a path's value into a merged variable."""
    with t.builder.continued(block):
        if value is UNBOUND:
            if isinstance(type_, Array):
                t.builder.assign(name, "unset", dtype=type_.dtype, ndim=type_.ndim)
                return
            value = Const(zero_of(type_.dtype))
        atom = as_atom(t, value)
        t.converted += isinstance(type_, Scalar) and t.type_of(atom).dtype != type_.dtype
        if isinstance(atom, Const):
            atom = Const(converted(atom.value, type_.dtype))
        elif t.type_of(atom).dtype != type_.dtype and isinstance(type_, Array):
            t.builder.assign(name, "cast", atom, dtype=type_.dtype)
            return
        t.builder.copy(name, atom)


def zero_of(dtype: str):
    return {"b": False, "i": 0, "u": 0, "f": 0.0, "c": 0j}[dtype[0]]


def converted(value, dtype: str):
    kind = {"b": bool, "i": int, "u": int, "f": float, "c": complex}[dtype[0]]
    return kind(value)


def either(t: Translator, held, first, second):
    """Translate a two-way choice of values: ``first()`` where `held`, else ``second()``."""
    before, place = dict(t.state), ("chosen", "t")
    with t.builder.nested() as then:
        chosen = {place: first()}
    state, t.state = t.state, dict(before)
    with t.builder.nested() as orelse:
        other = {place: second()}
    join(t, [(chosen | state, then), (other | t.state, orelse)], t.frame.locals)
    merged = t.state.pop(place)
    if isinstance(merged, Poison):
        t.use_poison(merged)
    if isinstance(merged, Var):
        t.stems.pop(merged.name, None)
    t.builder.branch(held, then, orelse)
    return merged
