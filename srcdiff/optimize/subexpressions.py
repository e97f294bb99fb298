"""Compute a value once where it is computed again and its operands did not change.

>>> from srcdiff.notation import read, show
>>> print(show(subexpressions(read('''
... def f(x: "float64[:]", n: "weak int64"):
...     y = zeros(n, dtype='float64')
...     for i in range(0, n, 1):
...         t = x[i]
...         a = exp(t)
...         u = x[i]
...         y[i] = a
...         v = y[i]
...         b = multiply(t, a)
...         c = multiply(a, t)
...         w = add(b, c)
...         y[i] += w
...         d = y[i]
...     return y
... '''))), end="")
def f(x: "float64[:]", n: "weak int64"):
    y = zeros(n, dtype='float64')
    for i in range(0, n, 1):
        t = x[i]
        a = exp(t)
        u = copy(t)
        y[i] = a
        v = copy(a)
        b = multiply(t, a)
        c = copy(b)
        w = add(b, c)
        y[i] += w
        d = y[i]
    return y

The copies are for `copies` to remove.  Loads count, until their array is
stored to; a store of one element is known to the loads that follow.  Integers
are also the same if their symbolic values are: so an extent is read off once.
"""

from __future__ import annotations

from srcdiff.analysis.shapes import Shapes
from srcdiff.analysis.uses import Uses
from srcdiff.optimize.walking import Forward
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Array, Assign, Const, Load, Program, Raise, Scalar, Span, Store, Var

__all__ = ["subexpressions"]

COMMUTATIVE = frozenset({"add", "multiply", "equal", "not_equal", "logical_and", "logical_or", "logical_xor"})
# A seed stands for directions of its own; the elements of an `empty` are nobody's.
NEVER = frozenset({"copy", "seed", "empty", "stop_gradient", "tape_grow"})


def subexpressions(program: Program) -> Program:
    """Replace what was computed before, on every path to here, by a copy of it."""
    return _Subexpressions(program).run()


class _Subexpressions(Forward):
    """`known` maps what was computed to the atom that holds it, and the stamp of that."""

    def __init__(self, program: Program):
        super().__init__(program)
        self.uses, self.shapes = Uses(program), Shapes(program, trust_seeds=False)
        self.known: dict[object, tuple] = {}
        for p in program.params:
            if (value := self.integer(p.name)) is not None:
                self.known[value] = Var(p.name), 0

    def simple(self, stmt):
        if isinstance(stmt, Store):
            self.assigned(stmt)
            self.stored(stmt)
            return stmt
        if isinstance(stmt, Raise):
            return stmt
        keys = self.keys(stmt)
        if (atom := self.find(keys, stmt)) is not None:
            new = Assign(stmt.target, "copy", (atom,), (), stmt.where)
            self.assigned(new)
            return new
        self.assigned(stmt)
        for key in keys:
            self.known[key] = Var(stmt.target), self.stamps[stmt.target]
        return stmt

    def find(self, keys, stmt):
        """Return an atom that holds one of the keys, and can be copied without conversion."""
        wanted = self.types[stmt.target]
        for key in keys:
            atom, stamp = self.known.get(key, (None, 0))
            if atom is None or isinstance(atom, Var) and self.stamps[atom.name] != stamp:
                continue
            given = self.type_of(atom)
            if (given.dtype, given.ndim) == (wanted.dtype, wanted.ndim) and atom != Var(stmt.target):
                return atom
        return None

    def keys(self, stmt) -> list:
        """Return what stands for the value that `stmt` computes; two equal keys are equal values."""
        match stmt:
            case Load(array=array, index=index):
                return [self.element(array, index)]
            case Assign(op=op, args=args, static=static) if self.shareable(stmt):
                operands = [self.stamped(a) for a in args]
                if op in COMMUTATIVE:
                    operands.sort(key=repr)
                keys = [(op, tuple(operands), static, op == "divide" and stmt.where.of_differential)]
                value = self.integer(stmt.target)
                return keys if value is None else [*keys, value]
        return []

    def shareable(self, stmt) -> bool:
        if stmt.op in NEVER:
            return False
        fresh = PRIMITIVES[stmt.op].kind == "creation" and isinstance(self.types[stmt.target], Array)
        return not fresh or self.uses.constant(stmt.target)

    def integer(self, name: str):
        """Return the symbolic value of an integer that is assigned once, unless it is a constant."""
        if isinstance(self.types[name], Scalar) and self.uses.single(name):
            value = self.shapes.value(Var(name))
            if value is not None and value.terms:
                return value
        return None

    def element(self, array, index):
        def item(i):
            if isinstance(i, Span):
                return tuple(None if b is None else self.stamped(b) for b in (i.start, i.stop, i.step))
            return self.stamped(i)
        return "load", array, self.stamps[array], tuple(map(item, index))

    def stored(self, stmt):
        """Note which value an element has after a store."""
        scalars = not any(isinstance(i, Span) or isinstance(self.type_of(i), Array) for i in stmt.index)
        if scalars and not stmt.accumulate and self.type_of(stmt.value).dtype == self.types[stmt.array].dtype:
            value = stmt.value
            stamp = 0 if isinstance(value, Const) else self.stamps[value.name]
            self.known[self.element(stmt.array, stmt.index)] = value, stamp
