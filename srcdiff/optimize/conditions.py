"""What a branch has tested is known in it, and what has not failed is known behind it.

>>> from srcdiff.notation import read, show
>>> print(show(conditions(read('''
... def f(x: "float64", given: "bool", other: "bool"):
...     y = x
...     both = logical_and(given, other)
...     if both:
...         none = logical_not(given)
...         if none:
...             raise TypeError('no value')
...         y = sin(x)
...     if other:
...         raise ValueError('no')
...     z = where(other, x, y)
...     return z
... '''))), end="")
def f(x: "float64", given: "bool", other: "bool"):
    y = copy(x)
    both = logical_and(given, other)
    if both:
        none = False
        if none:
            raise TypeError('no value')
        y = sin(x)
    if other:
        raise ValueError('no')
    z = where(False, x, y)
    return z

The constants are for `constants` to fold and for `branches` to decide.
"""

from __future__ import annotations

from srcdiff.optimize.constants import substitute
from srcdiff.optimize.walking import Forward
from srcdiff.syntax import Assign, Atom, Const, If, Program, Raise, Scalar, Stmt, Var, While

__all__ = ["conditions"]

# For each operation on truth values: the value that says what its operands are, and what they are then.
TELLING = {"copy": {True: True, False: False}, "logical_not": {True: False, False: True},
           "logical_and": {True: True}, "logical_or": {False: False}}


def conditions(program: Program) -> Program:
    """Put a constant for a truth value that has been tested, wherever it is read and has not changed since."""
    return _Conditions(program).run()


class _Conditions(Forward):
    """`holds` maps truth values, each with its stamp, to what they are here; `made` maps them to what they were computed from."""

    def __init__(self, program: Program):
        super().__init__(program)
        self.holds: dict[object, bool] = {}
        self.made: dict[object, tuple[str, tuple]] = {}

    def simple(self, stmt: Stmt) -> Stmt:
        if not (isinstance(stmt, Assign) and stmt.op in TELLING and all(map(self.is_flag, (Var(stmt.target), *stmt.args)))):
            stmt = self.header(stmt)
            self.assigned(stmt)
            return stmt
        operands = tuple(map(self.stamped, stmt.args))
        outcome = self.outcome(stmt.op, operands)
        self.assigned(stmt)
        flag = self.stamped(Var(stmt.target))
        self.made[flag] = stmt.op, operands
        return stmt if outcome is None else Assign(stmt.target, "copy", (Const(outcome),), (), stmt.where)

    def outcome(self, op: str, operands: tuple) -> bool | None:
        """Return what an operation on truth values gives, None where that is not known."""
        known = [self.holds.get(operand) for operand in operands]
        if op == "logical_and":
            return False if False in known else None if None in known else True
        if op == "logical_or":
            return True if True in known else None if None in known else False
        return None if known[0] is None else known[0] != (op == "logical_not")

    def header(self, stmt: Stmt) -> Stmt:
        if isinstance(stmt, If) and (known := self.value(stmt.condition)) is not None:
            return If(known, stmt.then, stmt.orelse, stmt.where)
        return substitute(stmt, lambda name: self.value(Var(name)), self.types) if self.holds else stmt

    def value(self, atom: Atom) -> Const | None:
        known = self.holds.get(self.stamped(atom))
        return None if known is None else Const(known)

    def is_flag(self, atom: Atom) -> bool:
        return isinstance(atom, Var) and isinstance(type_ := self.types[atom.name], Scalar) and type_.dtype == "bool"

    # -- what a test tells ----------------------------------------------------------------

    def nest(self, stmt: Stmt) -> Stmt:
        if not isinstance(stmt, If):
            return super().nest(stmt)
        new = super().nest(stmt)
        if stmt.then and isinstance(stmt.then[-1], Raise) and not stmt.orelse:
            self.learn(stmt.condition, False)
        return new

    def branch(self, stmt: If | While, body, outcome: bool):
        outside = dict(self.holds)
        self.learn(stmt.condition, outcome)
        body = self.isolated(body)
        self.holds = outside
        return body

    def learn(self, condition: Atom, outcome: bool) -> None:
        """Note what a condition is, and what follows for what it was computed from."""
        if not self.is_flag(condition):
            return
        queue = [(self.stamped(condition), outcome)]
        while queue:
            flag, known = queue.pop()
            self.holds[flag] = known
            op, operands = self.made.get(flag, ("", ()))
            if known in TELLING.get(op, {}):
                queue += [(operand, TELLING[op][known]) for operand in operands]
