"""Gates: what only the branch of a `where` that is not taken computes stays out of the adjoint.

In ``np.where(x > 0, np.sqrt(x), 0.0)`` the square root is computed everywhere.
Where x <= 0 its cotangent is zero, its slope infinite or nan, and their product
is nan.  So the operands of such a branch pass a gate first, a `where` of the
same condition between x and a copy of x that carries no derivative.  No value
changes; in reverse the gate lets nothing through where the branch is not taken,
whatever was computed behind it, and so do the derivatives of the adjoint.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:]"):
...     t = sqrt(x)
...     c = greater(x, 0.0)
...     y = where(c, t, 0.0)
...     return y
... ''')
>>> print(show(gated(program, frozenset({"x", "t", "y"}))), end="")
def f(x: "float64[:]"):
    c = greater(x, 0.0)
    x_held = stop_gradient(x)
    x_taken = where(c, x, x_held)
    t = sqrt(x_taken)
    y = where(c, t, 0.0)
    return y
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from srcdiff.analysis.uses import Uses, changed
from srcdiff.builder import Builder
from srcdiff.primitives import PRIMITIVES, infer
from srcdiff.rules import RULES
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Program,
    Stmt,
    Var,
    atoms_of,
    blocks_of,
    is_float,
    walk,
    with_blocks,
)

__all__ = ["gated"]

def gated(program: Program, carriers: frozenset[str]) -> Program:
    """Return `program` with gates before the branches of each `where`.

    Parameters
    ----------
    carriers
        The active variables.
    """
    for where in [s for s in walk(program.body) if _is_where(s, carriers)]:
        for position in (1, 2):
            gate = _Gate(program, Uses(program), Builder(program.types), carriers, where.target, position)
            body = gate.block(program.body)
            if body != program.body:
                carriers |= gate.active
                program = replace(program, body=body, types=gate.builder.types)
    return program


def _is_where(stmt: Stmt, carriers) -> bool:
    return (isinstance(stmt, Assign) and stmt.op == "where" and stmt.target in carriers
            and isinstance(stmt.args[0], Var))


@dataclass
class _Gate:
    """The gate of one branch (operand `position`) of the statement that assigns `target`."""

    program: Program
    uses: Uses
    builder: Builder
    carriers: frozenset[str]
    target: str
    position: int
    active: set[str] = field(default_factory=set)      # what is new and carries a derivative

    def block(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        for at, stmt in enumerate(body):
            if _is_where(stmt, self.carriers) and stmt.target == self.target:
                return self.gate(body, at)
        return tuple(with_blocks(s, [self.block(b) for b in blocks_of(s)]) for s in body)

    def gate(self, body, at: int) -> tuple[Stmt, ...]:
        """Move what only the branch reads to right before the `where`, behind gates."""
        where = body[at]
        branch = self.branch(body, at)
        if not any(map(self.has_slope, branch.values())):
            return body
        made = {stmt.target for stmt in branch.values()}
        read = {a.name for stmt in branch.values() for a in stmt.args if isinstance(a, Var)} - made
        rest = [s for i, s in enumerate(body[:at]) if i not in branch]
        passed = [s for i, s in enumerate(body[:at]) if i not in branch and i > min(branch)]
        if read & set(changed(passed)):
            return body
        with self.builder.at(where.where):
            names = {x: self.pass_gate(where.args[0], x) for x in sorted(read & self.carriers)}
        for _, stmt in sorted(branch.items()):
            self.again(stmt, names)
        args = tuple(names.get(getattr(a, "name", None), a) if i == self.position else a
                     for i, a in enumerate(where.args))
        args = self.as_declared(replace(where, args=args))
        return (*rest, *self.builder.take(), replace(where, args=args), *body[at + 1:])

    def as_declared(self, where: Assign) -> tuple[Atom, ...]:
        """Return the operands; a number of Python's that has gained axes is an array of the dtype that it had left alone."""
        dtype = self.builder.types[where.target].dtype
        if infer("where", tuple(map(self.builder.type_of, where.args)), where.static).dtype == dtype:
            return where.args
        with self.builder.at(where.where):
            narrow = self.builder.op("cast", where.args[self.position], dtype=dtype)
        self.active.add(narrow.name)
        return tuple(narrow if i == self.position else a for i, a in enumerate(where.args))

    def branch(self, body, at: int) -> dict[int, Assign]:
        """Return the statements before `at` that nothing but the branch reads, by place."""
        where = body[at]
        everywhere = not isinstance(self.builder.type_of(where.args[0]), Array)
        reads = Counter([where.args[self.position]])
        found: dict[int, Assign] = {}
        for i in range(at - 1, -1, -1):
            stmt = body[i]
            if (isinstance(stmt, Assign) and self.uses.constant(stmt.target) and stmt.target in self.carriers
                    and 0 < self.uses.reads[stmt.target] == reads[Var(stmt.target)]
                    and (everywhere or PRIMITIVES[stmt.op].kind == "elementwise")):
                found[i] = stmt
                reads.update(atoms_of(stmt))
        return found

    def has_slope(self, stmt: Assign) -> bool:
        """Tell whether the slope of a statement depends on numbers, which may be infinite or nan."""
        wanted = {i for i, a in enumerate(stmt.args) if isinstance(a, Var) and a.name in self.carriers}
        return any(need == "ans" or is_float(self.builder.type_of(stmt.args[need]))
                   for need in RULES[stmt.op].needs(stmt, wanted))

    def pass_gate(self, condition: Atom, name: str) -> Var:
        """Write the gate of one operand; where the condition holds for the branch, it is open."""
        held = self.builder.op("stop_gradient", Var(name), stem=f"{name}_held")
        sides = (Var(name), held) if self.position == 1 else (held, Var(name))
        taken = self.builder.op("where", condition, *sides, stem=f"{name}_taken")
        self.active.add(taken.name)
        return taken

    def again(self, stmt: Assign, names: dict[str, Atom]) -> None:
        """Write a statement of the branch for the gated operands; they may have gained axes."""
        args = tuple(names.get(a.name, a) if isinstance(a, Var) else a for a in stmt.args)
        type_ = infer(stmt.op, tuple(map(self.builder.type_of, args)), stmt.static)
        if type_ == self.builder.types[stmt.target]:
            self.builder.append(replace(stmt, args=args))
            return
        with self.builder.at(stmt.where):
            made = self.builder.op(stmt.op, *args, stem=stmt.target, **stmt.keywords)
        self.active.add(made.name)
        names[stmt.target] = made
