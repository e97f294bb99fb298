"""What is known of the integers at each place of a program, found by a walk along it.

`Shapes` knows integers that are assigned once.  A `Walk` follows the others
too: an integer gets a form at each assignment, and a root of its own where
paths meet.  Loop bounds, conditions and counters that only grow give facts.
"""

from __future__ import annotations

from collections.abc import Iterator

from srcdiff.analysis.forms import Extent
from srcdiff.analysis.inequalities import Facts, at_most
from srcdiff.analysis.shapes import Shapes
from srcdiff.analysis.uses import changed
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    If,
    Load,
    Program,
    Raise,
    Scalar,
    Stmt,
    Var,
    While,
    walk,
)

__all__ = ["Integers"]

COMPARED = {"less": 0, "less_equal": 1, "greater": 2, "greater_equal": 3, "equal": 4, "not_equal": 5}


class Integers(Shapes):
    """The integers of a program at the place where a walk along it has come to.

    A root ``("value", name, stamp)`` is the value that an assignment gave to
    `name`; it can be read from the variable as long as no other one is made.
    """

    now: dict[str, Extent] = {}         # forms of the integers, here

    def __init__(self, program: Program):
        super().__init__(program)
        self.now = {}
        self.facts = Facts(self)
        self.tests: dict[str, tuple[tuple, tuple]] = {}         # forms not negative if true, if false
        self._stamp = 0
        for p in program.params:
            self._enter(p.name)

    def _enter(self, name: str) -> None:
        type_ = self.types[name]
        if isinstance(type_, Scalar) and "int" in type_.dtype and super().value(Var(name)) is None:
            self.now[name] = self.fresh(name)

    def value(self, atom: Atom) -> Extent | None:
        if isinstance(atom, Var) and atom.name in self.now:
            return self.now[atom.name]
        return super().value(atom)

    def fresh(self, name: str) -> Extent:
        """Return a root for a value that nothing is known of."""
        self._stamp += 1
        return self.root("value", name, self._stamp)

    def extent(self, array: str, axis: int) -> Extent:
        """Return the extent of an axis, here; note that it is not negative."""
        extent = self.extents(array)[axis]
        if extent is None:
            key = f"{array}.{axis}"
            extent = self.now.get(key)
            if extent is None:
                extent = self.now[key] = self.fresh(key)
        self.facts.learn(extent)
        return extent

    # -- statements -------------------------------------------------------------------

    def after(self, stmt: Stmt) -> None:
        """Note what an assignment or load changes."""
        if not isinstance(stmt, Assign | Load):
            return
        type_ = self.types[stmt.target]
        if isinstance(type_, Array):
            for axis in range(type_.ndim):
                self.now.pop(f"{stmt.target}.{axis}", None)
            if isinstance(stmt, Assign) and stmt.op == "tape_grow":
                self.facts.learn(at_most(self, self.value(stmt.args[1]), self.extent(stmt.target, 0)))
        elif type_.dtype == "bool":
            self.tests.pop(stmt.target, None)
            if isinstance(stmt, Assign) and (test := self._test(stmt)):
                self.tests[stmt.target] = test
        elif "int" in type_.dtype:
            value = self._integer(stmt) if isinstance(stmt, Assign) else None
            self._assigned(stmt.target, value, super().value(Var(stmt.target)))

    def _assigned(self, name: str, value: Extent | None, known: Extent | None) -> None:
        """Note the value of an integer here, and that it is what `Shapes` calls it."""
        if value is not None and known is not None:
            self.facts.learn(at_most(self, value, known), at_most(self, known, value))
        self.now[name] = value or known or self.fresh(name)

    def _test(self, stmt: Assign):
        """Return the forms that are not negative where a test is true, and where it is false."""
        if stmt.op in COMPARED:
            a, b = map(self.value, stmt.args)
            less, more = at_most(self, a, b, 1), at_most(self, b, a, 1)
            most, least = at_most(self, a, b), at_most(self, b, a)
            forms = (((less,), (least,)), ((most,), (more,)), ((more,), (most,)), ((least,), (less,)),
                     ((most, least), ()), ((), (most, least)))
            return forms[COMPARED[stmt.op]]
        known = [self.tests.get(str(a), ((), ())) for a in stmt.args]
        match stmt.op:
            case "copy" | "weaken":
                return known[0]
            case "logical_not":
                return known[0][::-1]
            case "logical_and":
                return known[0][0] + known[1][0], ()
            case "logical_or":
                return (), known[0][1] + known[1][1]
        return None

    def assume_test(self, condition: Atom, truth: bool) -> None:
        """Learn what holds where a condition is true, or false."""
        if isinstance(condition, Var) and condition.name in self.tests:
            self.facts.learn(*self.tests[condition.name][0 if truth else 1])

    def branches(self, stmt: If) -> Iterator[tuple]:
        """Yield the blocks of a branch, each where what its test says is known; then know what holds after it."""
        place = self.here()
        for block, truth in ((stmt.then, True), (stmt.orelse, False)):
            self.assume_test(stmt.condition, truth)
            yield block
            self.back(place)
        for block, truth in ((stmt.then, False), (stmt.orelse, True)):
            if block and isinstance(block[-1], Raise):
                self.assume_test(stmt.condition, truth)
        self.meet(stmt.then, stmt.orelse)

    def turns(self, stmt: While) -> Iterator[tuple]:
        """Yield the test and the body of a loop, where what holds in all turns is known; then know what holds after it."""
        place = self.here()
        self.meet(stmt.test, stmt.body)
        yield stmt.test
        self.assume_test(stmt.condition, True)
        yield stmt.body
        self.back(place)
        self.meet(stmt.test, stmt.body)

    # -- where paths meet ---------------------------------------------------------------

    def meet(self, *blocks) -> None:
        """Forget what blocks that may have run, any number of times, change."""
        bound = {s.target for b in blocks for s in walk(b) if isinstance(s, Assign | Load)}
        for name in changed(*blocks):
            type_ = self.types[name]
            self.tests.pop(name, None)
            for axis in range(type_.ndim):
                if name in bound:
                    self.now.pop(f"{name}.{axis}", None)
            if not type_.ndim and "int" in type_.dtype and not self.uses.single(name):
                before, self.now[name] = self.now.get(name), self.fresh(name)
                grows, falls = self._direction(name, blocks)
                self.facts.learn(at_most(self, before, self.now[name]) if grows else None,
                                 at_most(self, self.now[name], before) if falls else None)

    def here(self) -> tuple:
        """Return all that is known at this place, for `back`."""
        return dict(self.now), dict(self.tests), self.facts.copy()

    def back(self, place: tuple) -> None:
        """Know again what was known at a place, and nothing that was learnt since."""
        self.now, self.tests, self.facts = dict(place[0]), dict(place[1]), place[2].copy()

    def _direction(self, name: str, blocks) -> tuple[bool, bool]:
        """Tell whether all that happens to an integer are steps up, and whether steps down."""
        steps = [self._step(s, name) for b in blocks for s in walk(b)
                 if isinstance(s, Assign | Load) and s.target == name or isinstance(s, For) and s.var == name]
        known = None not in steps
        return known and all(k >= 0 for k in steps), known and all(k <= 0 for k in steps)

    def _step(self, stmt: Stmt, name: str) -> int | None:
        """Return by how much an assignment changes an integer: ``n = n + k``, or ``m = n + k`` and then ``n = m``."""
        match stmt:
            case Assign(op="copy", args=(Var(name=other),)) if other != name and self.uses.single(other):
                return self._step(self.uses.definition[other], name) if other in self.uses.definition else None
            case Assign(op="add" | "subtract", args=(Var(name=own), Const(value=int(k)))) if own == name:
                return k if stmt.op == "add" else -k
            case Assign(op="add", args=(Const(value=int(k)), Var(name=own))) if own == name:
                return k
        return None

    # -- loops ------------------------------------------------------------------------------

    def bounds(self, loop: For) -> tuple[Extent | None, Extent | None, Extent | None]:
        """Return start, stop and step of a loop; the step only if it is a constant."""
        start, stop, step = map(self.value, (loop.start, loop.stop, loop.step))
        return start, stop, step if step is not None and not step.terms and step.constant else None

    def enter_loop(self, loop: For, bounds) -> Extent:
        """Set the loop's variable and learn its bounds; returns its root."""
        start, stop, step = bounds
        single = self.uses.single(loop.var)
        var = self.now[loop.var] = self.root("value", loop.var) if single else self.fresh(loop.var)
        if step is not None and step.constant > 0:
            self.facts.learn(at_most(self, start, var), at_most(self, var, stop, 1))
        elif step is not None:
            self.facts.learn(at_most(self, var, start), at_most(self, stop, var, 1))
        return var
