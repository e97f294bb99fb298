"""Loops: which variables they carry, of which types, and what is bound after them.

A name that the body assigns and that is live at the loop's header is carried:
it gets a merged variable, copied to before the loop and at the end of the body.
Its type is found by translating the body until nothing changes; only the last
translation is kept.
"""

from __future__ import annotations

import enum
from contextlib import contextmanager
from dataclasses import dataclass, field

import gast

from srcdiff.frontend.translate import growing
from srcdiff.frontend.translate.context import Attempt, Translator, describe
from srcdiff.frontend.translate.expressions import evaluate
from srcdiff.frontend.translate.iteration import as_range, item_at, length, static_items, trips
from srcdiff.frontend.translate.kinds import combined, marked
from srcdiff.frontend.translate.liveness import assigned_names, only_augmented
from srcdiff.frontend.translate.merge import fill, note_lost_aliases, stem_of_place, value_type
from srcdiff.frontend.translate.numeric import short_circuit_test, truth_atom
from srcdiff.frontend.translate.values import (
    UNBOUND,
    Dict,
    Enumerate,
    Grown,
    Mapped,
    MaybeUnbound,
    Once,
    Poison,
    Product,
    Range,
    Record,
    Ref,
    Refused,
    Tuple,
    Unbound,
    View,
    Zipped,
    is_atom,
    same,
)
from srcdiff.frontend.translate.views import as_atom
from srcdiff.primitives import unify
from srcdiff.syntax import Array, Const, Scalar, Var

__all__ = ["for_", "while_"]

BOOL = Scalar("bool", weak=True)
UNROLLED_AT_MOST = 64


class Part(enum.Enum):
    """Parts of a carried place; no string, for names and keys of the user's are strings."""

    VALUE, FLAG, ITEMS, BUFFER, COUNT = "value", "flag", "items", "buffer", "count"


# -- for ---------------------------------------------------------------------------------

def for_(t: Translator, node):
    """Translate a `for`: counted, over items of arrays, or unrolled over a tuple."""
    from srcdiff.frontend.translate.statements import assign_to
    iterable = evaluate(t, node.iter)
    items = static_items(t, iterable)
    if items is not None:
        with holding(t, Tuple(tuple(items))):
            unroll(t, node, items)
        return
    counted = as_range(t, iterable)
    if counted is None:
        counted, source = Range(Const(0), length(t, iterable), Const(1)), iterable
    else:
        source = None
    counted = Range(*(_integer(t, b) for b in (counted.start, counted.stop, counted.step)))
    count = trips(t, counted) if all(isinstance(b, Const) for b in
                                     (counted.start, counted.stop, counted.step)) else None
    if count == Const(0):
        return
    stem = node.target.id if isinstance(node.target, gast.Name) and source is None else "i"

    def enter(position):
        assign_to(t, node.target, position if source is None else item_at(t, source, position))

    with holding(t, source):
        _loop(t, node, counted, count, source, enter, stem)


def _loop(t, node, counted, count, source, enter, stem) -> None:
    """Emit a counted loop, or unroll it where that alone works."""
    attempt = Attempt.of(t)
    lengths = growing.counts(t, source)
    if getattr(node, "exit_flag", None):
        Loop(t, node, assigned_names([node]), count).counted_while(counted, node.exit_flag, enter, stem)
    else:
        Loop(t, node, assigned_names([node]), count).counted(counted, enter, stem)
    if lengths != growing.counts(t, source) and len(t.problems) == attempt.problems:
        raise Refused("a list changes its length while a loop goes through it",
                      fix="loop over a copy: list(...)", code="SD0215")
    if len(t.problems) > attempt.problems and count is not None and count.value <= UNROLLED_AT_MOST:
        attempt.undo(t)
        numbers = range(*(b.value for b in (counted.start, counted.stop, counted.step)))
        unroll(t, node, [Const(k) if source is None else (lambda k=k: item_at(t, source, Const(k)))
                         for k in numbers])
        if len(t.problems) > attempt.problems:
            # Neither way works: what is wrong with the loop as it stands says more.
            del t.problems[attempt.problems + attempt.kept:]


@contextmanager
def holding(t: Translator, iterable):
    """Let the state show the arrays that a loop goes through, whatever their names come to mean."""
    place = ("iterated", t.key())
    t.state[place] = Tuple(tuple(_arrays(iterable)))
    yield
    if t.state is not None:
        t.state.pop(place, None)


def _arrays(value):
    if isinstance(value, Enumerate | Once):
        yield from _arrays(value.iterable)
    elif isinstance(value, Zipped | Mapped | Product):
        for item in value.iterables:
            yield from _arrays(item)
    elif isinstance(value, Tuple):
        for item in value.items:
            yield from _arrays(item)
    elif isinstance(value, Var | View):
        yield value


def _integer(t, value):
    atom = as_atom(t, value)
    type_ = t.type_of(atom)
    if not isinstance(type_, Scalar) or type_.dtype[0] not in "iub":
        raise Refused(f"the bounds of range must be integers, not {type_}", fix="convert with int(...)")
    return Const(int(atom.value)) if isinstance(atom, Const) else atom


def unroll(t: Translator, node, items) -> None:
    """Translate the body once for each item."""
    from srcdiff.frontend.translate.statements import assign_to, block
    flag = getattr(node, "exit_flag", None)
    header = t.frame.liveness.header[id(node)]

    def one(item):
        assign_to(t, node.target, item() if callable(item) else item)
        block(t, node.body)

    def rest(k):
        if k == len(items) or t.state is None:
            return
        stopped = truth_atom(t, _flag(t, flag)) if flag else Const(False)
        if stopped == Const(True):
            return
        if stopped == Const(False):
            one(items[k])
        else:
            from srcdiff.frontend.translate.merge import join
            before = dict(t.state)
            with t.builder.nested() as body:
                one(items[k])
            arms = [(t.state, body)] if t.state is not None else []
            with t.builder.nested() as other:
                pass
            arms.append((before, other))
            go_on = t.emit("logical_not", stopped)
            join(t, arms, header)
            t.builder.branch(go_on, body, other)
        rest(k + 1)
    rest(0)


def _flag(t, name):
    from srcdiff.frontend.translate.expressions import lookup
    return lookup(t, name)


# -- while -------------------------------------------------------------------------------------

def while_(t: Translator, node):
    """Translate a `while`; its test includes the flag of a `break`."""
    def test():
        return truth_atom(t, evaluate(t, node.test))
    before = Attempt.of(t)
    with t.builder.nested():
        first = test()
    t.state = before.state
    if first == Const(False):
        return
    runs = first == Const(True) or bool(getattr(node, "runs_once", False))
    Loop(t, node, assigned_names([node]), None, runs=runs).conditional(test)


def _not(t, value):
    from srcdiff.frontend.translate.numeric import unary
    return unary(t, "Not", value)


# -- carried variables ---------------------------------------------------------------------------

@dataclass
class Carried:
    """One place that the loop carries: its variable (or structure of them) and entry value."""

    entry: object
    value: object = None
    failed: Poison | None = None


@dataclass
class Loop:
    """Find what one loop carries, and emit the loop."""

    t: Translator
    node: object
    assigned: list
    count: Const | None
    runs: bool = False
    carried: dict = field(default_factory=dict)
    changed: bool = False
    names: dict = field(default_factory=dict)
    refs: dict = field(default_factory=dict)        # place -> the list or dict that it carries
    contents: dict = field(default_factory=dict)    # key of such a list -> its contents at the header
    source: dict = field(default_factory=dict)      # the state that lists are looked up in

    def counted(self, counted: Range, enter, stem):
        """Emit a `For`."""
        t = self.t

        def once():
            with t.builder.nested() as outer:
                with t.builder.loop(counted.start, counted.stop, counted.step, stem=stem) as index:
                    t.stems[index.name] = stem
                    if _never_negative(t, counted):
                        t.nonnegative.add(index.name)
                    self.body(lambda: enter(index))
                    block = t.builder.block
            return outer, block, dict(self.header)

        outer, _, after = self.settle(once)
        t.builder.append(*outer)
        self.leave(after)

    def conditional(self, test):
        """Emit a `While`."""
        t = self.t

        def once():
            with t.builder.nested() as before:
                condition = test()
            after = dict(t.state)
            with t.builder.nested() as block:
                self.body(lambda: None)
            return (before, condition, block), block, after

        (before, condition, block), _, after = self.settle(once)
        t.builder.repeat(before, condition, block)
        self.leave(after)

    def counted_while(self, counted: Range, flag, enter, stem):
        """Emit a `While` that counts, and stops when the flag is set."""
        t = self.t
        counter = t.builder.fresh(f"{stem}_next", Scalar("int64", weak=True))
        t.stems[counter] = f"{stem}_next"
        if _never_negative(t, counted):
            t.nonnegative.add(counter)
        t.builder.copy(counter, counted.start)

        def once():
            with t.builder.nested() as before:
                up = t.static_number(counted.step)
                if up is None:
                    raise Refused("a loop with break and a step that only run time knows",
                                  fix="use a literal step", code="SD0212")
                inside = t.emit("less" if up > 0 else "greater", Var(counter), counted.stop)
                condition = short_circuit_test(t, inside, lambda: _not(t, _flag(t, flag)))
            after = dict(t.state)
            with t.builder.nested() as block:
                position = t.emit("copy", Var(counter))
                t.stems[position.name] = stem
                if counter in t.nonnegative:
                    t.nonnegative.add(position.name)

                def end():
                    t.builder.assign(counter, "add", position, counted.step)
                self.body(lambda: enter(position), end)
            return (before, condition, block), block, after

        (before, condition, block), _, after = self.settle(once)
        t.builder.repeat(before, condition, block)
        self.leave(after)

    # -- the search for a state that the loop keeps ------------------------------------------

    def settle(self, once):
        """Translate until the carried places and their types do not change; return the last."""
        t = self.t
        self.entry = entry = dict(t.state)
        t.loaded.clear()
        live = t.frame.liveness.header[id(self.node)]
        in_place = only_augmented(self.node)
        for name in self.assigned:
            place = (t.frame.key, name)
            value = entry.get(place, UNBOUND)
            if name in live and not (name in in_place and t.root(value) is not None):
                self.carry(place, value)    # `a += b` changes an array, not what the name means
        problems, known = len(t.problems), set(t.builder.types)

        def lasting():
            # Variables made inside one translation of the body are others in the next.
            lasts = known | set(self.names.values())
            return (sum(name in lasts for name in t.shared),
                    sum(len(lasts & set(twins)) for name, twins in t.twins.items() if name in lasts))

        for _ in range(12):
            del t.problems[problems:]
            self.enter(entry, live)
            self.changed = False
            shared = lasting()
            result = once()
            self.note_entries(entry)
            if not self.changed and lasting() == shared:
                break
        else:
            raise Refused("the types of the loop's variables do not settle", node=self.node,
                          fix="use one type for each variable", code="SD0217")
        t.loaded.clear()
        self.copy_entries(entry)
        return result

    def carry(self, place, entry):
        """Begin to carry a place: a merged variable for its entry value."""
        self.carried[place] = Carried(entry, self.variable(place, entry, None))

    def variable(self, place, entry, back):
        """Return the value at the header of a place that enters as `entry` and comes back as `back`."""
        stem = stem_of_place(place) if isinstance(place[1], str) or len(place) == 2 else place[-1]
        if isinstance(entry, Poison) or isinstance(back, Poison):
            return entry if isinstance(entry, Poison) else back
        if isinstance(entry, Unbound | MaybeUnbound) or isinstance(back, Unbound | MaybeUnbound):
            return self.unbound(place, stem, entry, back)
        if isinstance(entry, Ref) and (isinstance(back, Ref) and back != entry or place[-1] == Part.VALUE):
            return self.list_(place, entry, back)
        if self.grows(place, entry, back):
            return self.grown(place, entry, back)
        if isinstance(entry, Tuple) and (back is None or isinstance(back, Tuple)
                                         and len(back.items) == len(entry.items)):
            backs = back.items if back is not None else [None] * len(entry.items)
            return Tuple(tuple(self.variable((*place, k), e, b)
                               for k, (e, b) in enumerate(zip(entry.items, backs, strict=True))), entry.cls)
        if isinstance(entry, Dict | Record) and (back is None or type(back) is type(entry)):
            if back is not None and [k for k, _ in back.items] != [k for k, _ in entry.items]:
                return self.poison(stem, entry, back)
            return type(entry)(tuple((k, self.variable((*place, k), e, back and back.get(k)))
                                     for k, e in entry.items))
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
        value = self.variable((*place, Part.VALUE), inner[0], inner[1] if len(inner) > 1 else None)
        if isinstance(value, Poison):
            return value
        flag = self.named((*place, Part.FLAG), f"{stem}_assigned", BOOL)
        return MaybeUnbound(value, Var(flag))

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
        made = self.variable((*place, Part.ITEMS), first, second)
        if isinstance(made, Poison):
            return made
        if not same(made, self.contents.get(ref.key)):
            self.contents[ref.key], self.changed = made, True
        return ref

    def poison(self, stem, entry, back, types=()):
        if isinstance(entry, Tuple) and isinstance(back, Tuple) and len(entry.items) != len(back.items):
            return Poison(Refused(f"a list or tuple (`{stem}`) changes its length in a loop", node=self.node,
                                  why="how long it becomes is known only at run time", code="SD0215",
                                  fix="allocate an array before the loop, and assign its elements"))
        kinds = " and then ".join(map(str, types)) or f"{describe(entry)} and then {describe(back)}"
        return Poison(Refused(f"`{stem}` changes its kind in the loop: {kinds}",
                              why="one variable has one type in the generated code", node=self.node,
                              fix="use another name, or an array of fixed rank, inside the loop"))

    def enter(self, entry, live):
        """Set the state at the header of the loop."""
        t = self.t
        state = {p: v for p, v in entry.items()
                 if p[0] != t.frame.key or p[1] in live}
        for place, carried in self.carried.items():
            state[place] = carried.value
        for key, contents in self.contents.items():
            state["heap", key] = contents
        self.header = {p: v for p, v in state.items() if v is not UNBOUND}
        t.state = dict(self.header)

    def body(self, begin, end=lambda: None):
        """Translate the body into the open block, then the copies back to the header."""
        from srcdiff.frontend.translate.statements import block
        t = self.t
        with t.guard(self.node, lambda: None):
            begin()
        block(t, self.node.body)
        if t.state is not None:
            self.go_back()
            end()

    def go_back(self):
        """Compare the state at the end of the body with the header; append the copies."""
        t = self.t
        pairs = []
        self.source = t.state
        rebound = {r.key for p, r in self.refs.items() if t.state.get(p[:2]) != r}
        for place in list(self.header) + [p for p in self.carried if p not in self.header]:
            back = t.state.get(place, UNBOUND)
            carried = self.carried.get(place)
            if isinstance(back, Poison) and back.problem is None:
                continue                # reported already
            header = carried.value if carried else self.header[place]
            if same(back, header) or place[0] == "heap" and place[1] in rebound:
                continue
            if place[0] == t.frame.key and place[1] not in t.frame.liveness.header[id(self.node)]:
                continue
            if carried is None:
                carried = self.carried[place] = Carried(self.header[place])
                self.changed = True
            value = self.variable(place, carried.entry, back)
            if not _alike(value, carried.value):
                carried.value, self.changed = value, True
            if not self.changed:
                pairs += self.matched(value, back)
        if not self.changed:
            self.copy(pairs, t.builder.block)

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

    def copy(self, pairs, block):
        """Append copies that all read before any is written, as one tuple assignment would."""
        t = self.t
        self.note(pairs)
        targets = {target.name for target, _ in pairs}
        ready = []
        for target, value in pairs:
            type_ = t.type_of(target)
            base = value.name if isinstance(value, Var) else getattr(value, "base", None)
            if (base in targets and base != target.name) or isinstance(value, View | Tuple):
                with t.builder.continued(block), t.in_state(self.source):
                    atom = as_atom(t, value)
                    if isinstance(atom, Var) and atom.name in targets:
                        atom = t.emit("copy", atom)
                value = atom
            ready.append((target, type_, value))
        for target, type_, value in ready:
            fill(t, target.name, type_, value, block)

    def note(self, pairs):
        """Mark as shared the arrays whose aliases these copies lose."""
        t = self.t
        made = [(target.name, (value,)) for target, value in pairs
                if value is not UNBOUND and isinstance(t.type_of(target), Array)]
        with t.in_state(self.header):
            note_lost_aliases(t, made, {target.name for target, _ in pairs})

    def entries(self, entry):
        """Return pairs (merged variable, value) of what enters the loop."""
        self.source = entry
        return [pair for place, carried in self.carried.items()
                for pair in self.matched(carried.value, entry.get(place, UNBOUND))]

    def note_entries(self, entry):
        """Note what the copies before the loop lose, so that the next translation of the body sees it."""
        with self.t.builder.nested():           # what the lengths of lists need is written later
            self.note(self.entries(entry))

    def copy_entries(self, entry):
        """Append the copies before the loop."""
        self.copy(self.entries(entry), self.t.builder.block)

    def leave(self, after):
        """Set the state after the loop: that of the header, for the last test failed there."""
        t = self.t
        if self.runs or self.count is not None and self.count.value > 0:
            after = {p: v.value if isinstance(v, MaybeUnbound) and p in self.carried else v
                     for p, v in after.items()}
        t.state = {p: v for p, v in after.items() if v is not UNBOUND}
        t.versions["loop"] = t.versions.get("loop", 0) + 1


def _holders(state, ref, place) -> int:
    """Return in how many other places a list is held."""
    def holds(value):
        if isinstance(value, Tuple):
            return any(map(holds, value.items))
        return value == ref
    return sum(holds(v) for p, v in state.items() if p != place[:2] and isinstance(v, Ref | Tuple))


def _stem(place) -> str:
    parts = [p.value if isinstance(p, Part) else str(p) for p in place[1:]
             if p not in (Part.VALUE, Part.ITEMS)]
    if place[0] == "heap":
        parts = ["items", *parts[1:]]
    return "_".join(parts)


def _alike(a, b) -> bool:
    if isinstance(a, Poison) and isinstance(b, Poison):
        return True
    return same(a, b)


def _never_negative(t, counted: Range) -> bool:
    """Tell whether every number of the range is certainly not negative."""
    step = counted.step
    if not isinstance(step, Const):
        return False
    if step.value > 0:
        return t.is_nonnegative(counted.start)
    return isinstance(counted.stop, Const) and counted.stop.value >= -1
