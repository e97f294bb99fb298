"""What a loop carries: its body is translated until the carried places and their types settle.

A name that the body assigns and that is live at the loop's header is carried:
it gets a merged variable (`srcdiff.frontend.translate.carried`), copied to
before the loop and at the end of the body.  Only the last translation is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from srcdiff.frontend.translate.aliases import pairs
from srcdiff.frontend.translate.carried import Variables
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.expressions import lookup
from srcdiff.frontend.translate.liveness import only_augmented
from srcdiff.frontend.translate.merge import fill, note_lost_aliases
from srcdiff.frontend.translate.numeric import short_circuit_test, unary
from srcdiff.frontend.translate.values import UNBOUND, MaybeUnbound, Poison, Range, Refused, Tuple, View, same
from srcdiff.frontend.translate.views import as_atom
from srcdiff.syntax import Array, Const, Scalar, Var

__all__ = ["Loop"]


@dataclass
class Carried:
    """One place that the loop carries: its variable (or structure of them) and entry value."""

    entry: object
    value: object = None


@dataclass
class Loop:
    """Find what one loop carries, and emit the loop.

    `count` is the number of its iterations where that is known; `runs` says that there is at least one.
    """

    t: Translator
    node: object
    assigned: list
    count: Const | None
    runs: bool = False
    carried: dict = field(default_factory=dict)

    def __post_init__(self):
        self.variables = Variables(self.t, self.node, self.count, dict(self.t.state))

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
        stem = "count" if stem == "_" else stem
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
                condition = short_circuit_test(t, inside, lambda: unary(t, "Not", lookup(t, flag)))
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
        entry = self.variables.entry
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
            lasts = known | set(self.variables.names.values())
            return (sum(name in lasts for name in t.shared),
                    sum(len(lasts & set(twins)) for name, twins in t.twins.items() if name in lasts))

        for _ in range(12):
            del t.problems[problems:]
            self.enter(entry, live)
            self.variables.changed = False
            shared = lasting()
            result = once()
            self.note_entries(entry)
            if not self.variables.changed and lasting() == shared:
                break
        else:
            raise Refused("the types of the loop's variables do not settle", node=self.node,
                          fix="use one type for each variable", code="SD0217")
        t.loaded.clear()
        self.copy_entries(entry)
        return result

    def carry(self, place, entry):
        """Begin to carry a place: a merged variable for its entry value."""
        self.carried[place] = Carried(entry, self.variables.of(place, entry, None))

    def enter(self, entry, live):
        """Set the state at the header of the loop."""
        t = self.t
        state = {p: v for p, v in entry.items()
                 if p[0] != t.frame.key or p[1] in live}
        for place, carried in self.carried.items():
            state[place] = carried.value
        for key, contents in self.variables.contents.items():
            state["heap", key] = contents
        self.header = {p: v for p, v in state.items() if v is not UNBOUND}
        if t.mirrors:
            given = self.given({place: entry.get(place, UNBOUND) for place in self.carried}, entry)
            self.header = self.sameness(given, entry) | self.header
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

    def given(self, values, source) -> dict:
        """Return what each variable of the loop gets where the carried places have these values."""
        self.variables.source = source
        with self.t.builder.nested():           # what the lengths of lists need is written later
            return {target.name: value for place, carried in self.carried.items()
                    for target, value in self.variables.matched(carried.value, values.get(place, UNBOUND))}

    def sameness(self, given, state) -> dict:
        """Return, of each two twins at the header, whether they are one array where the variables of the loop get values."""
        t = self.t
        names = {name for name in self.variables.names.values() if isinstance(t.builder.types[name], Array)}
        with t.in_state(self.header):
            held = {root for root, _ in t.roots_in_use()} - names
        return dict(pairs(t, names, held, given, state))

    def go_back(self):
        """Compare the state at the end of the body with the header; append the copies."""
        t = self.t
        if t.mirrors:
            t.state.update(self.sameness(self.given(t.state, t.state), t.state))
        moves = []
        self.variables.source = t.state
        rebound = {r.key for p, r in self.variables.refs.items() if t.state.get(p[:2]) != r}
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
                self.variables.changed = True
            value = self.variables.of(place, carried.entry, back)
            if not _alike(value, carried.value):
                carried.value, self.variables.changed = value, True
            if not self.variables.changed:
                moves += self.variables.matched(value, back)
        if not self.variables.changed:
            self.copy(moves, t.builder.block)

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
                with t.builder.continued(block), t.in_state(self.variables.source):
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
        self.variables.source = entry
        return [pair for place, carried in self.carried.items() for pair in self.variables.matched(
            carried.value, carried.entry if place[0] == "same" else entry.get(place, UNBOUND))]

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
