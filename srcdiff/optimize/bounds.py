"""Check the scalar indices that are not provably in range.

>>> from srcdiff.notation import read, show
>>> print(show(bounds(read('''
... def f(x: "float64[:]", m: "weak int64", k: "weak int64"):
...     n = size(x, axis=0)
...     s = x[k]
...     last = subtract(n, 1)
...     for i in range(0, last, 1):
...         t = add(i, 1)
...         u = x[t]
...     for j in range(0, m, 1):
...         v = x[j]
...         w = x[j]
...     return s
... '''))), end="")
def f(x: "float64[:]", m: "weak int64", k: "weak int64"):
    n = size(x, axis=0)
    n_x = size(x, axis=0)
    reach = negative(n_x)
    below = less(k, reach)
    above = greater_equal(k, n_x)
    outside = logical_or(below, above)
    if outside:
        raise IndexError('[SD0343] index out of range: axis 0 of x')
    s = x[k]
    last = subtract(n, 1)
    for i in range(0, last, 1):
        t = add(i, 1)
        u = x[t]
    n_x_2 = size(x, axis=0)
    outside_2 = less(n_x_2, m)
    if outside_2:
        raise IndexError('[SD0343] index out of range: axis 0 of x')
    for j in range(0, m, 1):
        v = x[j]
        w = x[j]
    return s

Compiled loops do not check indices.  What `srcdiff.analysis.integers` proves to
be in range costs nothing.  An index that each iteration of a loop uses, linear
in its variable, is largest and smallest in the first and last iteration: these
are checked before the loop, if it runs at all.  Any other is checked where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from srcdiff.analysis.extents import ExtentWriter
from srcdiff.analysis.forms import Extent, Root
from srcdiff.analysis.inequalities import Facts, at_most, coefficient, substitute
from srcdiff.analysis.integers import Integers
from srcdiff.builder import Builder
from srcdiff.errors import Where
from srcdiff.primitives import PRIMITIVES
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
    Span,
    Store,
    Var,
    While,
    walk,
    with_blocks,
)

__all__ = ["CODE", "bounds"]

CODE = "SD0343"
MOST_TEXT = 70                          # of the user's line in a message


def bounds(program: Program) -> Program:
    """Insert a check before each scalar index, or its loop, that is not provably in range.

    Negative indices count from the end, as in Python.  To be run once: a check
    that another one before it implies is not always seen to be superfluous.
    Accesses of a program that has been through here, and now stands inside
    another one (`Load.checked`), only tell what holds behind them.
    """
    if not any(isinstance(s, Load | Store) and not s.checked for s in walk(program.body)):
        return program
    checker = _Bounds(program)
    checker.block(program.body)
    body = checker.builder.take()
    return program if body == program.body else replace(program, body=body, types=checker.builder.types)


@dataclass(frozen=True)
class _Check:
    """`form` must not be negative, provided that those of `guards` are not."""

    form: Extent
    guards: tuple[Extent, ...]
    message: str
    where: Where


@dataclass
class _Frame:
    """A loop around the statement, each iteration of which runs the statement.

    `before` and `facts` are what was known before the loop; `var` is the root of
    its variable, between `lowest` and `highest`, each `step` one is taken.
    """

    var: int
    lowest: Extent
    highest: Extent
    step: int
    assigned: frozenset[str]
    before: dict[str, Extent]
    facts: Facts
    checks: list[_Check] = field(default_factory=list)


class _Bounds:
    """One walk; `frames` has a loop, or None for what may not run, for each block around."""

    def __init__(self, program: Program):
        self.program, self.builder = program, Builder(program.types)
        self.integers = Integers(program)
        self.frames: list[_Frame | None] = []

    # -- the walk ---------------------------------------------------------------------

    def block(self, body) -> None:
        for stmt in body:
            match stmt:
                case For():
                    self.loop(stmt)
                case While():
                    self.builder.append(with_blocks(stmt, [self.inside(b, None) for b in self.integers.turns(stmt)]))
                case If():
                    self.builder.append(with_blocks(stmt, [self.inside(b, None) for b in self.integers.branches(stmt)]))
                case _:
                    if isinstance(stmt, Load | Store):
                        self.access(stmt)
                    self.builder.append(stmt)
                    self.integers.after(stmt)

    def inside(self, body, frame: _Frame | None) -> tuple:
        self.frames.append(frame)
        with self.builder.nested() as block:
            self.block(body)
        self.frames.pop()
        return tuple(block)

    def loop(self, stmt: For) -> None:
        integers = self.integers
        self.name_extents(stmt)
        place, limits = integers.here(), integers.bounds(stmt)
        integers.meet(stmt.body)
        frame = self.frame(stmt, limits, integers.enter_loop(stmt, limits), place)
        body = self.inside(stmt.body, frame)
        integers.back(place)
        for check in _strongest(frame.checks) if frame else ():
            self.check_before(check, frame)
        self.builder.append(replace(stmt, body=body))
        integers.meet(stmt.body)

    def name_extents(self, loop: For) -> None:
        """Give the extents that the loop indexes and does not change a root before it."""
        changing = _assigned(loop)
        for s in walk(loop.body):
            if isinstance(s, Load | Store) and s.array not in changing:
                for axis in range(self.program.types[s.array].ndim):
                    self.integers.extent(s.array, axis)

    def frame(self, loop: For, limits, var: Extent, place) -> _Frame | None:
        """Return the frame of a loop; None if a check must not be moved before it."""
        start, stop, step = limits
        if start is None or stop is None or step is None or any(isinstance(s, Raise) for s in walk(loop.body)):
            return None
        shapes, up = self.integers, step.constant > 0
        if abs(step.constant) == 1:
            last = shapes.combine(stop, step, -1)
        else:
            trips = shapes.combine(shapes.trips(start, stop, step), Extent(1), -1)
            last = shapes.combine(start, trips, step.constant)
        lowest, highest = (start, last) if up else (last, start)
        return _Frame(var.terms[0][0], lowest, highest, step.constant, _assigned(loop), place[0], place[2])

    # -- accesses -----------------------------------------------------------------------

    def access(self, stmt: Load | Store) -> None:
        """Check the scalar items of an index."""
        axis = 0
        for item in stmt.index:
            type_ = None if isinstance(item, Span) else self.program.type_of(item)
            if type_ is not None and not type_.ndim and "int" in type_.dtype:
                self.item(stmt, item, axis)
            axis += type_.ndim if isinstance(type_, Array) and type_.dtype == "bool" else 1

    def item(self, stmt, atom: Atom, axis: int) -> None:
        integers = self.integers
        value, extent = integers.value(atom), integers.extent(stmt.array, axis)
        if value is None:
            value = integers.now[atom.name] = integers.fresh(atom.name)
        low, high = integers.combine(extent, value), at_most(integers, value, extent, 1)
        below, above = (not stmt.checked and not integers.facts.prove(form) for form in (low, high))
        if below or above:
            message = self.message(stmt, axis)
            below = below and not self.before_loop(_Check(low, (), message, stmt.where))
            above = above and not self.before_loop(_Check(high, (), message, stmt.where))
            with self.builder.at(stmt.where):
                self.check_here(stmt.array, axis, atom, below, above, message)
        integers.facts.learn(low, high)

    def message(self, stmt, axis: int) -> str:
        text = stmt.where.text.strip()
        text = text if len(text) <= MOST_TEXT else text[:MOST_TEXT - 3] + "..."
        return f"[{CODE}] index out of range: axis {axis} of {stmt.array}" + (f", in `{text}`" if text else "")

    def check_here(self, array, axis, atom, below: bool, above: bool, message: str) -> None:
        if not (below or above):
            return
        if isinstance(atom, Const) and atom.value >= 0 and self.widened(array, axis, atom, message):
            return
        extent, tests = self.builder.size(array, axis), []
        if isinstance(atom, Const):
            found = ("less_equal", Const(atom.value)) if atom.value >= 0 else ("less", Const(-atom.value))
            tests.append(self.builder.op(found[0], extent, found[1], stem="outside"))
        else:
            if below:
                reach = self.builder.op("negative", extent, stem="reach")
                tests.append(self.builder.op("less", atom, reach, stem="below"))
            if above:
                tests.append(self.builder.op("greater_equal", atom, extent, stem="above"))
        self.fail_if(tests, message)

    def widened(self, array, axis, atom: Const, message: str) -> bool:
        """Let the check of another element, which says the same in the same words, cover this one too."""
        block = self.builder.block
        for at in range(len(block) - 1, -1, -1):
            match block[at]:
                case If(condition=Var(name=test), then=(Raise(message=said),), orelse=()) if said == message:
                    made = block[at - 1]
                    if isinstance(made, Assign) and made.target == test and made.op == "less_equal" and (
                            isinstance(made.args[1], Const)):
                        block[at - 1] = replace(made, args=(made.args[0], max(made.args[1], atom, key=lambda c: c.value)))
                        return True
                    return False
                case Assign(target=name) | Load(target=name) if name == array:
                    return False
                case Load():
                    pass
                case Assign(op=op) if PRIMITIVES[op].kind in ("elementwise", "extent") and not PRIMITIVES[op].opaque:
                    pass
                case _:
                    return False
        return False

    def fail_if(self, tests: list[Atom], message: str) -> None:
        test = tests[0] if len(tests) == 1 else self.builder.op("logical_or", *tests, stem="outside")
        self.builder.append(If(test, (Raise("IndexError", message, self.builder.where),), (), self.builder.where))

    # -- before loops -------------------------------------------------------------------

    def before_loop(self, check: _Check) -> bool:
        """Leave a check to the outermost loop before which it says the same; tell if there is one."""
        target = None
        for frame in reversed(self.frames):
            moved = None if frame is None else self.moved(check, frame)
            if moved is None:
                break
            check, target = moved, frame
        if target is not None:
            target.checks.append(check)
        return target is not None

    def moved(self, check: _Check, frame: _Frame) -> _Check | None:
        """Return the check of all iterations, None if that cannot be said before the loop."""
        facts, violated = frame.facts, at_most(self.integers, check.form, Extent(), 1)
        guards = [g for g in check.guards if not facts.prove(g, (violated,))]
        limits = self.narrowed([g for g in guards if coefficient(g, frame.var)], frame)
        if limits is None:
            return None
        form = self.least(check.form, frame.var, *limits)
        guards = [g for g in guards if not coefficient(g, frame.var)]
        if not facts.prove(runs := at_most(self.integers, *limits)):
            guards.append(runs)
        forms, writer = (form, *guards), self.writer(frame)
        if not all(map(writer.possible, forms)) or not all(map(self.cannot_fail, forms)):
            return None
        return replace(check, form=form, guards=tuple(guards))

    def narrowed(self, guards, frame: _Frame) -> tuple[Extent, Extent] | None:
        """Return the least and largest value of the loop's variable for which the guards hold.

        None if it is not known which of two bounds is the closer one, or whether
        the variable takes that value.
        """
        integers, prove = self.integers, frame.facts.prove
        limits = [frame.lowest, frame.highest]
        for guard in guards:
            factor = coefficient(guard, frame.var)
            if abs(factor) != 1 or abs(frame.step) != 1:
                return None
            side = factor < 0                   # i >= bound, or i <= bound
            bound = substitute(integers, guard, frame.var, Extent())
            bound = bound if side else integers.combine(Extent(), bound, -1)
            inside = at_most(integers, limits[side], bound)
            outside = at_most(integers, bound, limits[side])
            closer, wider = (outside, inside) if side else (inside, outside)
            if prove(closer):
                limits[side] = bound
            elif not prove(wider):
                return None
        return tuple(limits)

    def least(self, form: Extent, var: int, lowest: Extent, highest: Extent) -> Extent:
        """Return the least value of a form where the variable is between two limits that it takes."""
        factor = coefficient(form, var)
        return substitute(self.integers, form, var, lowest if factor > 0 else highest) if factor else form

    def cannot_fail(self, form: Extent) -> bool:
        """Tell whether a form may be computed where the loop does not run."""
        for number, _ in form.terms:
            root = self.integers.roots[number]
            parts = [part for part in root.key if isinstance(part, Extent)]
            if root.kind in ("floor_divide", "remainder") and (parts[1].terms or not parts[1].constant):
                return False
            if root.kind in ("span", "broadcast") or not all(map(self.cannot_fail, parts)):
                return False
        return True

    def writer(self, frame: _Frame) -> ExtentWriter:
        def exists(root: Root) -> bool:
            name = root.key[0]
            if root.kind == "value" and len(root.key) == 2:
                return frame.before.get(name) == self.integers.root(root.kind, *root.key)
            return name not in frame.assigned
        return ExtentWriter(self.builder, self.integers, exists, self.leaf)

    def leaf(self, root: Root) -> Atom:
        """Read the value of a root; an extent that `Shapes` does not know has a name with a dot."""
        name, *rest = root.key
        array, dot, axis = name.partition(".")
        if root.kind == "value" and not dot:
            return Var(name)
        return self.builder.size(array, int(axis) if dot else rest[0])

    def check_before(self, check: _Check, frame: _Frame) -> None:
        """Write the check that a loop's accesses have left to the place before it."""
        integers, writer = self.integers, self.writer(frame)
        if integers.facts.prove(check.form, check.guards):
            return
        violated = at_most(integers, check.form, Extent(), 1)
        guards = [g for g in check.guards if not integers.facts.prove(g, (violated,))]
        with self.builder.at(check.where):
            test = self.compare("less", check.form, writer, "outside")
            for guard in guards:
                runs = self.compare("greater_equal", guard, writer, "runs")
                test = self.builder.op("logical_and", runs, test, stem="outside")
            self.fail_if([test], check.message)
        if not guards:
            integers.facts.learn(check.form)

    def compare(self, op: str, form: Extent, writer: ExtentWriter, stem: str) -> Atom:
        """Compare a form with 0, its negative terms on the other side."""
        left = Extent(max(form.constant, 0), tuple((n, k) for n, k in form.terms if k > 0))
        right = Extent(max(-form.constant, 0), tuple((n, -k) for n, k in form.terms if k < 0))
        return self.builder.op(op, writer.write(left), writer.write(right), stem=stem)


def _strongest(checks: list[_Check]) -> list[_Check]:
    """Return the checks without those that another one, in the same words, implies."""
    least: dict[tuple, _Check] = {}
    for check in checks:
        key = (check.form.terms, check.guards, check.message)
        if key not in least or check.form.constant < least[key].form.constant:
            least[key] = check
    return list(least.values())


def _assigned(loop: For) -> frozenset[str]:
    """Return what a loop assigns; a store leaves its array's extents alone."""
    return frozenset(s.var if isinstance(s, For) else s.target
                     for s in walk((loop,)) if isinstance(s, Assign | Load | For))
