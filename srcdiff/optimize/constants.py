"""Propagate and fold constants, with the meaning that the operations have at run time.

>>> from srcdiff.notation import read, show
>>> print(show(constants(read('''
... def f(x: "float64", n: "weak int64"):
...     zero = 0.0
...     half = divide(1.0, 2.0)
...     s = x
...     for i in range(0, n, 1):
...         t = multiply(half, x)
...         u = add(zero, t)
...         s = add(s, u)
...         zero = 0.0
...     return s
... '''))), end="")
def f(x: "float64", n: "weak int64"):
    zero = 0.0
    half = 0.5
    s = copy(x)
    for i in range(0, n, 1):
        t = multiply(0.5, x)
        u = add(0.0, t)
        s = add(s, u)
        zero = 0.0
    return s

A variable is constant if all its assignments give the same constant, around
loops too.  A constant is a weak number: it replaces a variable only where the
type of the result stays what it is.  What would raise, warn or overflow is
left for run time, and so is what the last digit of a library function decides.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict

import numpy as np

from srcdiff.optimize.walking import Forward
from srcdiff.primitives import PRIMITIVES, infer
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    Load,
    Program,
    Scalar,
    Store,
    Type,
    Var,
    const_type,
    map_atoms,
    walk,
)

__all__ = ["constants", "fold", "may_replace", "substitute"]

# Operations that IEEE arithmetic and Python integers determine to the last bit.
FOLDED = frozenset({
    "copy", "weaken", "cast", "negative", "positive", "absolute", "add", "subtract", "multiply", "divide",
    "floor_divide", "remainder", "maximum", "minimum", "sqrt", "root_of_squares", "square", "less", "less_equal", "greater",
    "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_not", "logical_xor",
    "where", "trips",
})
LARGE = 2 ** 31                         # below it no sum or product of two integers overflows


def constants(program: Program) -> Program:
    """Replace variables that are constant, and operations on constants."""
    values = constant_values(program)
    return _Constants(program, values).run()


class _Constants(Forward):
    def __init__(self, program, values):
        super().__init__(program)
        self.values = values

    def run(self):
        program = super().run()
        results = tuple(self.result(a) for a in program.results)
        return program if results == program.results else program.with_body(program.body, results=results)

    def result(self, atom):
        value = self.values.get(atom.name) if isinstance(atom, Var) else None
        return value if value and const_type(value) == self.types[atom.name] else atom

    def simple(self, stmt):
        stmt = self.header(stmt)
        if isinstance(stmt, Assign) and stmt.op in FOLDED and stmt.target in self.values:
            value = (self.values[stmt.target],)
            if stmt.op != "copy" or stmt.args != value:
                return Assign(stmt.target, "copy", value, (), stmt.where)
        return stmt

    def header(self, stmt):
        return substitute(stmt, self.values.get, self.types) if self.values else stmt


# -- putting one atom for another ---------------------------------------------------------

def substitute(stmt, change, types):
    """Put ``change(name)`` for each variable that `stmt` reads, where it returns an atom.

    Only where the statement then still computes the same in the same type.
    The array of a `Load` is left alone.
    """
    swapped = []

    def swap(atom):
        if isinstance(atom, Var) and (new := change(atom.name)) is not None:
            swapped.append(atom)
            return new
        return atom

    new = map_atoms(stmt, swap)
    if not swapped:
        return stmt
    if isinstance(stmt, Assign) and not _same_meaning(stmt, new, types):
        for atom in tuple(swapped):     # one operand at a time: some may go
            one = map_atoms(stmt, lambda a, atom=atom: swap(a) if a == atom else a)
            if _same_meaning(stmt, one, types):
                stmt = one
        return stmt
    if isinstance(stmt, Store) and stmt.accumulate and not _same_sum(stmt, new, types):
        return map_atoms(stmt, lambda a: a if a is stmt.value else swap(a))
    return new


def _type(atom: Atom, types) -> Type:
    return types[atom.name] if isinstance(atom, Var) else const_type(atom)


def _same_meaning(old: Assign, new: Assign, types) -> bool:
    return may_replace(old.op, tuple(_type(a, types) for a in old.args),
                       tuple(_type(a, types) for a in new.args), old.static)


def _same_sum(old: Store, new: Store, types) -> bool:
    before, after = _type(old.value, types), _type(new.value, types)
    return before == after or (before.dtype, before.ndim) == (types[old.array].dtype, after.ndim)


@functools.cache
def may_replace(op: str, old: tuple[Type, ...], new: tuple[Type, ...], static) -> bool:
    """Tell whether `op` computes the same on operands of equal values and the types `new`."""
    if old == new:
        return True
    try:
        if infer(op, old, static) != infer(op, new, static):
            return False
    except Exception:                   # NumPy refuses the new types: keep the old ones
        return False
    if infer(op, old, static).dtype == "bool":      # a comparison: made in which type?
        return _promoted(old) == _promoted(new)
    return True


def _promoted(types) -> str:
    return functools.reduce(lambda a, b: infer("add", (a, b)), types).dtype


# -- which variables are constant --------------------------------------------------------------

def constant_values(program: Program) -> dict[str, Const]:
    """Return the constant of each variable that holds the same one after all its assignments.

    Optimistic: a variable counts as unknown-yet until an assignment says
    otherwise, so a constant that is only carried around a loop is found.
    """
    varying = {p.name for p in program.params}
    users, queue = defaultdict(list), []
    for stmt in walk(program.body):
        match stmt:
            case Assign(target=name, op=op, args=args) if op in FOLDED:
                queue.append(stmt)
                for atom in args:
                    if isinstance(atom, Var):
                        users[atom.name].append(stmt)
            case Assign(target=name) | Load(target=name) | For(var=name):
                varying.add(name)
    values: dict[str, Const] = {}
    queue = [s for s in queue if s.target not in varying]
    while queue:
        stmt = queue.pop()
        name = stmt.target
        if name in varying:
            continue
        value = _evaluate(stmt, values, varying, program.types)
        if value is not None and values.get(name) != value:
            if value is NotImplemented or name in values:
                varying.add(name)
                values.pop(name, None)
            else:
                values[name] = value
            queue.extend(users[name])
    return values


def _evaluate(stmt, values, varying, types):
    """Return the constant, None where an operand is not known yet, NotImplemented where it varies."""
    operands = []
    for atom in stmt.args:
        if isinstance(atom, Const):
            operands.append(atom.value)
        elif atom.name in varying or isinstance(types[atom.name], Array):
            return NotImplemented
        elif atom.name not in values:
            return None
        else:
            operands.append(_typed(values[atom.name].value, types[atom.name]))
    if isinstance(types[stmt.target], Array):
        return NotImplemented
    value = fold(stmt.op, operands, stmt.static, types[stmt.target])
    return NotImplemented if value is None else value


def _typed(value, type_: Scalar):
    return value if type_.weak else np.dtype(type_.dtype).type(value)


def _on_the_real_line(op: str, value: complex) -> float | None:
    """Return the real number that a conversion to complex took: a constant that is complex is left for run time."""
    return value.real if op in ("copy", "cast", "weaken") and str(value.imag) == "0.0" else None


def fold(op: str, operands, static, type_: Scalar) -> Const | None:
    """Return what a variable of `type_` holds after ``op(*operands)``; None if run time has to tell."""
    if PRIMITIVES[op].opaque or op != "copy" and any(type(x) is not bool and isinstance(x, int | np.integer) and abs(x) >= LARGE
                            for x in operands):
        return None
    try:
        with np.errstate(all="raise"):
            value = PRIMITIVES[op].evaluate(*operands, **dict(static))
            value = np.dtype(type_.dtype).type(value).item()
    except Exception:                   # it raises or warns: so it shall, at run time
        return None
    if isinstance(value, complex):
        value = _on_the_real_line(op, value)
    if value is None or isinstance(value, float) and not math.isfinite(value):
        return None
    if op in ("copy", "cast") and value != operands[0]:
        return None                     # a float32 has another value than the number it was written as
    return Const(value)
