"""Algebra: operations that give back an operand, or that a simpler operation replaces.

>>> from srcdiff.notation import read, show
>>> print(show(simplify(read('''
... def f(x: "float64[:]", g: "float64[:]"):
...     n = size(x, axis=0)
...     y = multiply(x, 1.0)
...     y_bar = zeros(n, dtype='float64')
...     c = multiply(g, y)
...     m = negative(c)
...     d = subtract(m, y_bar)
...     e = add(y_bar, g)
...     k = size(d, axis=0)
...     t = broadcast_to(e, n)
...     s = sum_to(t)
...     return s, k
... '''))), end="")
def f(x: "float64[:]", g: "float64[:]"):
    n = size(x, axis=0)
    y = copy(x)
    y_bar = zeros(n, dtype='float64')
    c = multiply(g, y)
    m = negative(c)
    d = copy(m)
    e = add(y_bar, g)
    k = size(d, axis=0)
    t = broadcast_to(e, n)
    s = sum(t, axis=(0,))
    return s, k

Nothing above became shorter on the strength of a guess: that `g` is as long as
`x` is known at run time only, so `e` may be longer than `g`, and `t` may fail.
(`m` is the broadcast of both already, so `d` is no longer.)

What is kept: ``0.0 * x`` is nan where x is infinite or nan, so it stays.
``x + 0.0`` becomes `x`; they differ in the sign of a zero only.  A load of an
element of an array of zeros stays a load, because it may fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from srcdiff.analysis.shapes import Shapes
from srcdiff.optimize.constants import may_replace
from srcdiff.optimize.walking import Forward
from srcdiff.optimize.zeros import is_zero, zero_variables
from srcdiff.primitives import PRIMITIVES, infer
from srcdiff.syntax import Array, Assign, Atom, Const, Program, Store, Var, is_complex, is_float

__all__ = ["simplify"]


def simplify(program: Program) -> Program:
    """Apply the rules below to every statement once."""
    return _Simplify(program).run()


class _Simplify(Forward):
    """`made` maps a variable to its stamp, the statement that made it, and the stamps of its operands."""

    def __init__(self, program: Program):
        super().__init__(program)
        self.shapes = Shapes(program, trust_seeds=False)
        self.zeros = zero_variables(program)
        self.made: dict[str, tuple] = {}

    def simple(self, stmt):
        if isinstance(stmt, Store):
            self.assigned(stmt)
            return () if stmt.accumulate and self.zero(stmt.value) else stmt
        if isinstance(stmt, Assign):
            rule = RULES.get(stmt.op)
            stmt = (rule and rule(self, stmt)) or _unbroadcast(self, _unembed(self, stmt))
            operands = tuple(self.stamped(a) for a in stmt.args)
            self.assigned(stmt)
            self.made[stmt.target] = self.stamps[stmt.target], stmt, operands
            if not self.depth:
                self.shapes.assume(stmt)
        else:
            self.assigned(stmt)
        return stmt

    def nest(self, stmt):
        new = super().nest(stmt)
        if not self.depth:
            self.shapes.assume(new)
        return new

    # -- what the rules ask ----------------------------------------------------------------

    def definition(self, atom: Atom, op: str) -> Assign | None:
        """Return ``atom = op(...)`` if that is what `atom` holds and its operands are unchanged."""
        if not isinstance(atom, Var) or atom.name not in self.made:
            return None
        stamp, stmt, operands = self.made[atom.name]
        current = (stmt.op == op and stamp == self.stamps[atom.name]
                   and operands == tuple(self.stamped(a) for a in stmt.args))
        return stmt if current else None

    def unbroadcast(self, atom: Atom) -> Atom | None:
        """Return the array or number of the same dtype that `atom` was made of by repeating it."""
        made = self.definition(atom, "broadcast_to") or self.definition(atom, "full")
        if made is None or self.type_of(made.args[0]).dtype != self.types[made.target].dtype:
            return None
        return made.args[0]

    def zero(self, atom: Atom) -> bool:
        """Tell whether all elements are zero."""
        if isinstance(atom, Var):
            return atom.name in self.zeros
        return is_zero(atom)

    def like(self, atom: Atom, stmt: Assign) -> bool:
        """Tell whether the result of elementwise `stmt` has the dtype and the extents of `atom`."""
        type_, result = self.type_of(atom), self.types[stmt.target]
        if (type_.dtype, type_.ndim) != (result.dtype, result.ndim):
            return False
        if infer(stmt.op, tuple(map(self.type_of, stmt.args)), stmt.static).dtype != type_.dtype:
            return False                # what the variable then holds is converted
        arrays = [a for a in stmt.args if isinstance(self.type_of(a), Array)]
        if all(a == atom for a in arrays):
            return True
        extents = self.shapes.broadcast_all([self.shapes.of(a) for a in arrays])
        return self.equal(extents, self.shapes.of(atom))

    def equal(self, first, second) -> bool:
        return len(first) == len(second) and all(map(self.shapes.equal, first, second))

    # -- what the rules answer ---------------------------------------------------------------

    def same(self, stmt: Assign, atom: Atom) -> Assign | None:
        """Return ``target = atom`` if that converts nothing."""
        type_, result = self.type_of(atom), self.types[stmt.target]
        if (type_.dtype, type_.ndim) != (result.dtype, result.ndim):
            return None
        return Assign(stmt.target, "copy", (atom,), (), stmt.where)

    def instead(self, stmt: Assign, op: str, *args: Atom, **static) -> Assign | None:
        """Return ``target = op(*args)`` if its result has the type of what `stmt` computes."""
        pairs = tuple(sorted(static.items()))
        before = infer(stmt.op, tuple(map(self.type_of, stmt.args)), stmt.static)
        if infer(op, tuple(map(self.type_of, args)), pairs) != before:
            return None
        return Assign(stmt.target, op, args, pairs, stmt.where)


# -- broadcasting ------------------------------------------------------------------------------

def _unbroadcast(self, stmt):
    """Operate on what was broadcast instead, where the other operands have all the extents."""
    if len(stmt.args) < 2 or not isinstance(self.types[stmt.target], Array) or (
            PRIMITIVES[stmt.op].kind != "elementwise"):
        return stmt
    for position, atom in enumerate(stmt.args):
        small = self.unbroadcast(atom)
        if small is None:
            continue
        args = (*stmt.args[:position], small, *stmt.args[position + 1:])
        types = tuple(map(self.type_of, stmt.args)), tuple(map(self.type_of, args))
        shapes = [self.shapes.broadcast_all([self.shapes.of(a) for a in operands]) for operands in (stmt.args, args)]
        if self.equal(*shapes) and may_replace(stmt.op, *types, stmt.static):
            stmt = replace(stmt, args=args)
    return stmt


def _unembed(self, stmt):
    """Operate on a real number instead of on the complex one that it was converted to."""
    if stmt.op not in ("add", "subtract", "multiply", "divide") or not is_complex(self.types[stmt.target]):
        return stmt
    for position, atom in enumerate(stmt.args):
        made = self.definition(atom, "cast")
        if made and not is_complex(self.type_of(made.args[0])):
            args = (*stmt.args[:position], made.args[0], *stmt.args[position + 1:])
            stmt = self.instead(stmt, stmt.op, *args) or stmt
    return stmt


# -- elementwise -------------------------------------------------------------------------------

def _add(self, stmt):
    x, y = stmt.args
    for zero, other in ((x, y), (y, x)):
        if self.zero(zero) and self.like(other, stmt):
            return self.same(stmt, other)
        if self.zero(zero) and not self.type_of(other).ndim and (made := self.definition(zero, "zeros")):
            return self.instead(stmt, "full", other, *made.args, **made.keywords)
    for minuend, other in ((x, y), (y, x)):
        if made := self.definition(other, "negative"):
            return self.instead(stmt, "subtract", minuend, *made.args)
    return self.instead(stmt, "multiply", Const(2), x) if x == y and is_float(self.type_of(x)) else None


def _subtract(self, stmt):
    x, y = stmt.args
    if self.zero(y) and self.like(x, stmt):
        return self.same(stmt, x)
    if self.zero(x) and self.like(y, stmt):
        return self.instead(stmt, "negative", y)
    if made := self.definition(y, "negative"):
        return self.instead(stmt, "add", x, *made.args)
    return None


def _is(atom, number) -> bool:
    return isinstance(atom, Const) and type(atom.value) is not bool and atom.value == number


def _multiply(self, stmt):
    x, y = stmt.args
    for factor, other in ((x, y), (y, x)):
        if _is(factor, 1) and self.like(other, stmt):
            return self.same(stmt, other)
        if _is(factor, -1) and self.like(other, stmt):
            return self.instead(stmt, "negative", other)
    first, second = self.definition(x, "negative"), self.definition(y, "negative")
    return self.instead(stmt, "multiply", *first.args, *second.args) if first and second else None


def _divide(self, stmt):
    x, y = stmt.args
    if _is(y, 1) and self.like(x, stmt):
        return self.same(stmt, x)
    return self.instead(stmt, "negative", x) if _is(y, -1) and self.like(x, stmt) else None


def _power(self, stmt):
    x, y = stmt.args
    return self.same(stmt, x) if _is(y, 1) and self.like(x, stmt) else None


def _negative(self, stmt):
    made = self.definition(stmt.args[0], "negative")
    return self.same(stmt, made.args[0]) if made and self.like(stmt.args[0], stmt) else None


def _identity(self, stmt):
    return self.same(stmt, stmt.args[0]) if self.like(stmt.args[0], stmt) else None


def _weaken(self, stmt):
    return self.same(stmt, stmt.args[0]) if self.type_of(stmt.args[0]) == self.types[stmt.target] else None


def _where(self, stmt):
    condition, x, y = stmt.args
    if isinstance(condition, Const):
        x = y = x if condition.value else y
    return self.same(stmt, x) if x == y and self.like(x, stmt) else None


def _either(self, stmt):
    """Return x for ``op(x, x)``: ties share the slope, and the shares add up to one."""
    x, y = stmt.args
    return self.same(stmt, x) if x == y and self.like(x, stmt) else None


# -- structure -----------------------------------------------------------------------------------

def _reduce(self, stmt):
    return self.same(stmt, stmt.args[0]) if stmt.keywords["axis"] == () else None


def _sum_to(self, stmt):
    """Sum over given axes, where it is known which axes were broadcast."""
    x, *wanted = stmt.args
    extents, wanted = self.shapes.of(x), tuple(map(self.shapes.value, wanted))
    added = len(extents) - len(wanted)
    if self.equal(extents[added:], wanted):
        return self.instead(stmt, "sum", x, axis=tuple(range(added))) if added else self.same(stmt, x)
    ones = tuple(i for i, e in enumerate(wanted) if self.shapes.is_one(e))
    fits = all(i in ones or self.shapes.equal(e, n) for i, (e, n) in enumerate(zip(wanted, extents[added:],
                                                                                  strict=True)))
    return self.instead(stmt, "sum", x, axis=ones, keepdims=True) if fits and not added else None


def _broadcast_to(self, stmt):
    x, *extents = stmt.args
    if isinstance(x, Const):
        return self.instead(stmt, "full", x, *extents, dtype=self.types[stmt.target].dtype)
    if self.equal(self.shapes.of(x), tuple(map(self.shapes.value, extents))):
        return self.same(stmt, x)
    made = self.definition(x, "broadcast_to")
    return self.instead(stmt, "broadcast_to", made.args[0], *extents) if made else None


def _full(self, stmt):
    value, *extents = stmt.args
    zero = isinstance(value, Const) and str(value) in ("0", "0.0", "False")
    return self.instead(stmt, "zeros", *extents, **stmt.keywords) if zero else None


def _reshape(self, stmt):
    x, *extents = stmt.args
    if self.equal(self.shapes.of(x), tuple(map(self.shapes.value, extents))):
        return self.same(stmt, x)
    made = self.definition(x, "reshape")
    return self.instead(stmt, "reshape", made.args[0], *extents) if made else None


def _transpose(self, stmt):
    perm = stmt.keywords["perm"]
    if perm == tuple(range(len(perm))):
        return self.same(stmt, stmt.args[0])
    if made := self.definition(stmt.args[0], "transpose"):
        inner = made.keywords["perm"]
        return self.instead(stmt, "transpose", *made.args, perm=tuple(inner[i] for i in perm))
    return None


def _undone_by(inverse: str):
    def rule(self, stmt):
        made = self.definition(stmt.args[0], inverse)
        return self.same(stmt, made.args[0]) if made and made.static == stmt.static else None
    return rule


def _size(self, stmt):
    """Ask a parameter or an integer for an extent, so that no array is made only to be measured."""
    axis = stmt.keywords["axis"]
    match self.shapes.source(self.shapes.of(stmt.args[0])[axis]):
        case Const() | Var() as atom:
            return self.same(stmt, atom)
        case (array, of_axis) if (Var(array), of_axis) != (stmt.args[0], axis):
            return replace(stmt, args=(Var(array),), static=(("axis", of_axis),))
    return None


def _trips(self, stmt):
    source = self.shapes.source(self.shapes.value(Var(stmt.target)))
    return self.same(stmt, source) if isinstance(source, Const) or source in stmt.args else None


RULES: dict[str, Callable[[_Simplify, Assign], Assign | None]] = {
    "add": _add, "subtract": _subtract, "multiply": _multiply, "divide": _divide, "power": _power,
    "negative": _negative, "positive": _identity, "cast": _identity, "weaken": _weaken, "where": _where,
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin", "logical_and", "logical_or"), _either),
    "sum": _reduce, "prod": _reduce, "max": _reduce, "min": _reduce,
    "sum_to": _sum_to, "broadcast_to": _broadcast_to, "full": _full, "reshape": _reshape,
    "transpose": _transpose, "expand_dims": _undone_by("squeeze"), "squeeze": _undone_by("expand_dims"),
    "size": _size, "trips": _trips,
}
