"""Check that a program obeys the grammar and the promises of the normal form.

A transform or pass that breaks one of them is wrong even where the result
happens to run.  `verify` names the statement, and the pass that is to blame
where its caller says which one ran last.  It proves nothing about the values.

>>> from srcdiff.notation import read
>>> verify(read('''
... def f(x: "float64", n: "weak int64"):
...     for i in range(0, n, 1):
...         y = multiply(x, x)
...     return y
... '''))
Traceback (most recent call last):
    ...
srcdiff.errors.VerifyError: [SD0900] f is not in normal form: y is read before it is assigned
  why:  in `return y`
"""

from __future__ import annotations

from srcdiff.builder import Builder
from srcdiff.errors import NOWHERE, Problem, VerifyError
from srcdiff.notation import show_statement
from srcdiff.primitives import PRIMITIVES, infer, unify
from srcdiff.syntax import (
    Array,
    Assign,
    Const,
    For,
    If,
    Load,
    Program,
    Raise,
    Scalar,
    Span,
    Store,
    Var,
    While,
    atoms_of,
    walk,
)

__all__ = ["fits", "verify"]


def verify(program: Program, guilty: str = "") -> None:
    """Raise `VerifyError` unless `program` is in normal form.

    Parameters
    ----------
    program
        What to check.
    guilty
        The pass that made it, for the message.
    """
    _Checker(program, guilty).program_()


def fits(declared, given) -> bool:
    """Tell whether a variable declared `declared` can hold a value of type `given`.

    It can where the two unify to the declared dtype: an integer fits a float,
    a weak number fits any scalar that it would promote to.
    """
    if declared == given:
        return True
    both = unify(given, declared)
    return both is not None and both.dtype == declared.dtype


class _Checker:
    """One walk over a program; `assigned` holds what is assigned on every path to here."""

    def __init__(self, program: Program, guilty: str):
        self.program, self.guilty, self.types = program, guilty, program.types
        self.builder = Builder(program.types)
        self.params = {p.name for p in program.params}
        self.loops: list[str] = []
        self.assigned = set(self.params)
        self.changes: dict[str, bool] = {}
        self.stmt = None

    # -- messages ---------------------------------------------------------------

    def fail(self, what: str):
        shown = show_statement(self.stmt)[0] if self.stmt is not None else (
            "return " + ", ".join(map(str, self.program.results)))
        raise VerifyError(Problem(
            VerifyError.code, f"{self.program.name} is not in normal form: {what}",
            getattr(self.stmt, "where", NOWHERE), f"in `{shown}`",
            f"this is a bug in the pass `{self.guilty}`" if self.guilty else ""))

    def require(self, condition, what: str):
        if not condition:
            self.fail(what)

    # -- the program --------------------------------------------------------------

    def program_(self):
        names = [p.name for p in self.program.params]
        self.require(len(set(names)) == len(names), "two parameters have one name")
        for p in self.program.params:
            self.require(self.types.get(p.name) == p.type,
                         f"the type of parameter {p.name} is not that of the variable")
        ended = self.block(self.program.body)
        self.stmt = None
        for atom in self.program.results:
            self.atom(atom, reads=not ended)

    # -- which variables are assigned ---------------------------------------------------

    def mark(self, name: str, now: bool = True):
        """Note that `name` is assigned from here on, or that its value is lost."""
        self.changes.setdefault(name, name in self.assigned)
        (self.assigned.add if now else self.assigned.discard)(name)

    def isolated(self, body) -> dict[str, bool] | None:
        """Check a block and undo what it assigns; return that, None if it always raises."""
        outer, self.changes = self.changes, {}
        ended = self.block(body)
        after = {name: name in self.assigned for name in self.changes}
        for name, before in self.changes.items():
            (self.assigned.add if before else self.assigned.discard)(name)
        self.changes = outer
        return None if ended else after

    def join(self, first, second) -> bool:
        """Keep what is assigned at the end of both branches; tell if there is no such path."""
        if first is None and second is None:
            return True
        first, second = (second if first is None else first), (first if second is None else second)
        for name in {**first, **second}:
            here = name in self.assigned
            self.mark(name, first.get(name, here) and second.get(name, here))
        return False

    def define(self, name: str, given):
        self.require(name not in self.params, f"parameter {name} is assigned")
        self.require(name not in self.loops, f"loop variable {name} is assigned in its loop")
        self.require(name in self.types, f"{name} has no type")
        self.require(fits(self.types[name], given),
                     f"{name} is declared {self.types[name]} and gets {given}")
        self.mark(name)

    # -- operands ---------------------------------------------------------------------------

    def atom(self, atom, reads: bool = True):
        """Check an atom and return its type."""
        if isinstance(atom, Const):
            return self.program.type_of(atom)
        self.require(isinstance(atom, Var), f"{atom!r} is not an atom")
        self.require(atom.name in self.types, f"{atom.name} has no type")
        self.require(not reads or atom.name in self.assigned,
                     f"{atom.name} is read before it is assigned")
        return self.types[atom.name]

    def integer(self, atom, role: str):
        type_ = self.atom(atom)
        self.require(isinstance(type_, Scalar) and type_.dtype.startswith(("int", "uint")),
                     f"{role} {atom} is {type_}, not an integer")

    def truth(self, atom):
        self.require(isinstance(self.atom(atom), Scalar), f"condition {atom} is not a scalar")

    def index(self, array: str, index):
        """Check an index and return the type of what it selects."""
        type_ = self.atom(Var(array))
        self.require(isinstance(type_, Array), f"{array} is not an array")
        covered = sum(map(self.item, index))
        self.require(covered == type_.ndim,
                     f"the index covers {covered} of the {type_.ndim} axes of {array}")
        return self.builder.load_type(array, index)

    def item(self, item) -> int:
        """Check one item and return how many axes it stands for."""
        if isinstance(item, Span):
            for bound in (item.start, item.stop, item.step):
                if bound is not None:
                    self.integer(bound, "slice bound")
            return 1
        type_ = self.atom(item)
        if isinstance(type_, Scalar):
            self.integer(item, "index")
            return 1
        self.require(type_.dtype == "bool" or type_.dtype.startswith(("int", "uint")),
                     f"index {item} is {type_}")
        return type_.ndim if type_.dtype == "bool" else 1

    # -- statements -----------------------------------------------------------------------------

    def block(self, body) -> bool:
        """Check the statements of a block; tell whether it always raises."""
        ended = False
        for stmt in body:
            self.stmt = stmt
            if ended:                   # no path leads here: any variable counts as assigned
                self.assigned.update(a.name for a in atoms_of(stmt) if isinstance(a, Var))
            ended = getattr(self, "on_" + type(stmt).__name__)(stmt) or ended
        return ended

    def on_Assign(self, stmt: Assign):
        self.require(stmt.op in PRIMITIVES, f"there is no operation {stmt.op}")
        operands = tuple(map(self.atom, stmt.args))
        try:
            given = infer(stmt.op, operands, stmt.static)
        except Exception as error:      # NumPy raises whatever it likes for a misfit
            shown = ", ".join(map(str, operands))
            self.fail(f"{stmt.op} does not take ({shown}): {error}")
        self.define(stmt.target, given)

    def on_Load(self, stmt: Load):
        self.define(stmt.target, self.index(stmt.array, stmt.index))

    def on_Store(self, stmt: Store):
        self.require(stmt.array not in self.params, f"parameter {stmt.array} is stored to")
        region, value = self.index(stmt.array, stmt.index), self.atom(stmt.value)
        self.require(value.ndim <= region.ndim, f"{value} does not broadcast to {region}")
        self.require("complex" in region.dtype or "complex" not in value.dtype,
                     f"complex values are stored in {stmt.array}, which is {region.dtype}")

    def on_For(self, stmt: For):
        for bound in (stmt.start, stmt.stop, stmt.step):
            self.integer(bound, "loop bound")
        for inner in walk(stmt.body):   # an inner loop leaves its variable undefined
            if isinstance(inner, For):
                self.mark(inner.var, False)
        self.define(stmt.var, Scalar("int64", weak=True))
        self.loops.append(stmt.var)
        after = self.isolated(stmt.body) or {}
        self.loops.pop()
        for name in [stmt.var, *(n for n, here in after.items() if not here)]:
            self.mark(name, False)

    def on_While(self, stmt: While):
        for inner in walk(stmt.test + stmt.body):
            if isinstance(inner, For):
                self.mark(inner.var, False)
        if self.block(stmt.test):
            return True
        self.stmt = stmt
        self.truth(stmt.condition)
        for name, here in (self.isolated(stmt.body) or {}).items():
            if not here:
                self.mark(name, False)
        return False

    def on_If(self, stmt: If):
        self.truth(stmt.condition)
        return self.join(self.isolated(stmt.then), self.isolated(stmt.orelse))

    def on_Raise(self, stmt: Raise):
        return True
