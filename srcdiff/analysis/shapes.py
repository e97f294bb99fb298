"""Symbolic extents: which axes of which arrays are provably equally long, which are 1.

>>> from srcdiff.notation import read
>>> shapes = Shapes(read('''
... def f(x: "float64[:,:]", b: "float64[:]", n: "weak int64"):
...     m = size(x, axis=0)
...     z = zeros(m, n, dtype='float64')
...     t = add(x, b)
...     u = transpose(x, perm=(1, 0))
...     w = x[1:, 0]
...     v = x[:-1, 0]
...     s = sum(z, axis=(1,), keepdims=True)
...     return s
... '''))
>>> for name in ("x", "z", "t", "u", "s"):
...     print(name, *map(shapes.show, shapes.extents(name)))
x x.0 x.1
z x.0 n
t x.0 broadcast(x.1, b.0)
u x.1 x.0
s x.0 1
>>> shapes.equal(shapes.extents("w")[0], shapes.extents("v")[0])
True
>>> shapes.equal(shapes.extents("x")[1], shapes.extents("t")[1])
False

An extent is a linear form in *roots*: the extents of parameters, integers that
the program computes or is given, and results of broadcasting, slicing and the
like that are roots of their own.  Equal forms are equal extents wherever both
arrays may be read (a program assigns before it reads, on every path).  Forms
that differ prove nothing: broadcasting is a run-time fact.

A variable with several assignments has the extents on which they all agree,
and None for the others.
"""

from __future__ import annotations

from srcdiff.analysis.forms import Extent, Forms, Root
from srcdiff.analysis.results import EXTENTS, unknown
from srcdiff.analysis.uses import Uses
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
    Span,
    Stmt,
    Var,
    blocks_of,
    walk,
)

__all__ = ["Extent", "Root", "Shapes"]

MOST_ROUNDS = 4                         # of looking for assignments that do not agree


class Shapes(Forms):
    """The symbolic extents of the arrays of a program, and values of its integers.

    Parameters
    ----------
    program
        What to analyse.
    trust_seeds
        Whether a parameter that is `like` a variable has its extents.  A
        program that checks that on entry must not be rewritten by one who
        already believes it.
    """

    def __init__(self, program: Program, trust_seeds: bool = True):
        key = (Shapes, trust_seeds)
        if key not in program.analyses:
            self._analyse(program, trust_seeds)
            program.analyses[key] = vars(self).copy()
        # What is assumed later is of this object alone.
        vars(self).update({name: value.copy() if isinstance(value, dict | list | set) else value
                           for name, value in program.analyses[key].items()})

    def _analyse(self, program: Program, trust_seeds: bool) -> None:
        super().__init__()
        self.program, self.types, self.uses = program, program.types, Uses(program)
        self._unknown: set[tuple] = set()
        statements = [s for s in walk(program.body) if isinstance(s, Assign | Load | For)]
        self._settle(statements)
        while trust_seeds and self._learn_equalities():
            self._settle(statements)

    def _settle(self, statements) -> None:
        """Walk over the assignments until those that do not agree are known."""
        rounds = 0
        while self._round(statements):
            rounds += 1
            if rounds == MOST_ROUNDS:   # enough: what is assigned several times is unknown
                self._unknown = {(n, axis) for n, count in self.uses.assigned.items() if count > 1
                                 for axis in (None, *range(self.types[n].ndim))}

    def _learn_equalities(self) -> bool:
        """Note that a seed has the extents of its primal; tell whether that is new."""
        top = {s.target for s in self.program.body if isinstance(s, Assign | Load)}
        pairs = [(ours, theirs) for p in self.program.params if p.like in self._extents
                 and self.types[p.like].ndim == p.type.ndim
                 for ours, theirs in zip(self._extents[p.name], self._extents[p.like], strict=True)]
        return any([self._equate(a, b, top) for a, b in pairs])

    def _equate(self, seed: Extent, primal: Extent | None, top: set[str]) -> bool:
        """Let one root stand for the other side, so that parameters are what remains.

        An extent of the seed may be read before the primal is there; and what
        is made in a loop has been of other extents in other iterations.
        """
        params = {p.name for p in self.program.params}
        if primal is None:
            return False
        seed, primal = self._resolved(seed), self._resolved(primal)
        if seed == primal:
            return False
        if self._leaf(seed) and self._leaf(seed).key[0] not in self.depends(primal) <= params:
            self._equal[self._leaf(seed)] = primal
            return True
        root = self._leaf(primal)
        if root is None or root.key[0] not in top or not self.depends(seed) <= params:
            return False
        self._equal[root] = seed
        return True

    def assume(self, stmt: Stmt) -> None:
        """Note what holds after a statement of the top block that fails if it does not.

        The inner extents of a product are equal; so are integers after a check
        that raises if they are not.  For walks along a program: what is asked
        before the statement must not know, or the failure might be optimised
        away.
        """
        match stmt:
            case Assign(op="matmul"):
                left, right = map(self.of, stmt.args)
                pair = left[-1], right[0 if len(right) == 1 else -2]
            case If(condition=Var(name=name), then=(*_, Raise()), orelse=()):
                check = self.uses.definition.get(name)
                if not (isinstance(check, Assign) and check.op == "not_equal"):
                    return
                pair = tuple(map(self.value, check.args))
            case _:
                return
        a, b = map(self.normal, pair)
        if a is not None and b is not None and a != b:
            # A broadcast stands for nothing: it may contain what it would stand for.
            a, b = sorted((a, b), key=lambda e: -len(self.broadcast_parts(e)))
            self._assumed[a] = b

    # -- questions ---------------------------------------------------------------------

    def extents(self, name: str) -> tuple[Extent | None, ...]:
        """Return the extents of an array, outermost first; none for a scalar."""
        return self._extents.get(name, (None,) * self.types[name].ndim)

    def value(self, atom: Atom) -> Extent | None:
        """Return the value of an integer scalar, None where it has no one value."""
        if isinstance(atom, Const):
            return Extent(atom.value) if type(atom.value) is int else None
        return self._values.get(atom.name)

    def same_shape(self, a: str, b: str) -> bool:
        """Tell whether two arrays provably have equal extents."""
        ours, theirs = self.extents(a), self.extents(b)
        return len(ours) == len(theirs) and all(map(self.equal, ours, theirs))

    def source(self, extent: Extent | None) -> Atom | tuple[str, int] | None:
        """Return a constant, a variable, or an array and axis, that has this value; None if there is none.

        What is returned is assigned wherever the array of this extent is.
        """
        if extent is None:
            return None
        if not extent.terms:
            return Const(extent.constant)
        if extent.constant == 0 and len(extent.terms) == 1 and extent.terms[0][1] == 1:
            root = self.roots[extent.terms[0][0]]
            if root.kind == "value":
                return Var(root.key[0])
            if root.kind == "extent":
                return root.key
        return None

    def shape_known_loop_invariant(self, name: str, loop: Stmt) -> bool:
        """Tell whether an array's extents are known and the same in all iterations of `loop`."""
        extents = self.extents(name)
        inner = {s.target for block in blocks_of(loop) for s in walk(block) if isinstance(s, Assign | Load)}
        inner.update(s.var for s in walk((loop,)) if isinstance(s, For))
        return None not in extents and all(inner.isdisjoint(self.depends(e)) for e in extents)

    # -- one walk over the assignments ---------------------------------------------------------

    def _round(self, statements) -> bool:
        """Compute all extents; tell whether assignments were found that do not agree."""
        self._values: dict[str, Extent | None] = {}
        self._extents: dict[str, tuple[Extent | None, ...]] = {}
        known = len(self._unknown)
        for p in self.program.params:
            self._learn(p.name, None, [None if n is None else Extent(n) for n in p.extents or [None] * p.type.ndim])
        for stmt in statements:
            match stmt:
                case Assign(target=name, op="unset") if self.uses.assigned[name] > 1:
                    pass                    # nobody sees its extents
                case Assign(target=name):
                    extents = EXTENTS.get(stmt.op, unknown)(self, stmt)
                    self._learn(name, self._integer(stmt), extents)
                case Load(target=name):
                    self._learn(name, None, self._loaded(stmt))
                case For(var=name):
                    self._learn(name, None, ())
        return len(self._unknown) > known

    def _learn(self, name, value, extents):
        type_ = self.types[name]
        if isinstance(type_, Scalar):
            if type_.dtype == "int64":
                self._values[name] = self._agreed(name, None, self._values, value)
        else:
            before = self._extents.get(name)
            extents = extents if extents is not None and len(extents) == type_.ndim else [None] * type_.ndim
            self._extents[name] = tuple(
                self._agreed(name, axis, {} if before is None else {name: before[axis]}, extent)
                for axis, extent in enumerate(extents))

    def _agreed(self, name, axis, before, extent):
        if self.uses.single(name):
            if extent is None:
                return self.root("value", name) if axis is None else self.root("extent", name, axis)
            return extent
        if (name, axis) in self._unknown:
            return None
        if extent is None or before.get(name, extent) != extent:
            self._unknown.add((name, axis))
            return None
        return extent

    # -- integers ------------------------------------------------------------------------------

    def _integer(self, stmt) -> Extent | None:
        if self.types[stmt.target] not in (Scalar("int64"), Scalar("int64", weak=True)):
            return None
        match stmt.op:
            case "size":
                return self.of(stmt.args[0])[stmt.keywords["axis"]]
            case "trips":
                return self.trips(*map(self.value, stmt.args))
            case "copy" | "weaken" | "positive":
                return self.value(stmt.args[0])
            case "add" | "subtract":
                a, b = map(self.value, stmt.args)
                return self.combine(a, b, 1 if stmt.op == "add" else -1)
            case "negative":
                return self.combine(Extent(), self.value(stmt.args[0]), -1)
            case "multiply":
                return self.product(map(self.value, stmt.args))
            case "floor_divide" | "remainder" | "maximum" | "minimum":
                operands = tuple(map(self.value, stmt.args))
                return None if None in operands else self.root(stmt.op, *operands)
        return None

    # -- arrays ------------------------------------------------------------------------------------

    def of(self, atom: Atom) -> tuple[Extent | None, ...]:
        """Return the extents of an atom; none for a scalar."""
        return self.extents(atom.name) if isinstance(atom, Var) else ()

    def _loaded(self, stmt):
        """Return the extents of ``array[index]``; advanced indices as NumPy places them."""
        axes, fancy, places, axis = [], [], [], 0
        source = self.of(Var(stmt.array))
        for item in stmt.index:
            if isinstance(item, Span):
                axes.append(self._span(source[axis], item))
                axis += 1
                continue
            places.append((axis, len(axes)))
            type_ = self.program.type_of(item)
            mask = isinstance(type_, Array) and type_.dtype == "bool"
            if isinstance(type_, Array):
                fancy.append((None,) if mask else self.of(item))
            axis += type_.ndim if mask else 1
        if not fancy:
            return axes
        together = len({position for _, position in places}) == 1
        at = places[0][1] if together else 0
        return [*axes[:at], *self.broadcast_all(fancy), *axes[at:]]

    def _span(self, n, span):
        bounds = [None if b is None else self.value(b) for b in (span.start, span.stop, span.step)]
        given = [b is not None for b in (span.start, span.stop, span.step)]
        if n is None or any(g and b is None for g, b in zip(given, bounds, strict=True)):
            return None
        start, stop, step = bounds
        if step in (None, Extent(1)):
            first = 0 if start is None else start.constant if not start.terms else -1
            last = 0 if stop is None else -stop.constant if not stop.terms else -1
            if stop == n and first >= 0:
                last = 0
            if first >= 0 and (last > 0 or last == 0 and (stop is None or stop == n)):
                return self.at_least_zero(self.combine(n, Extent(first + last), -1)) if first + last else n
        elif step == Extent(-1) and start is None and stop is None:
            return n
        if not n.terms and all(b is None or not b.terms for b in bounds):
            bounds = (None if b is None else b.constant for b in bounds)
            return Extent(len(range(*slice(*bounds).indices(n.constant))))
        return self.root("span", n, start, stop, step)
