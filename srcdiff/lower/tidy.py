"""Name equal numbers once, and hand stored elements on to the loads that follow.

>>> from srcdiff.notation import read, show
>>> print(show(tidy(read('''
... def f(x: "float64[:]"):
...     n = size(x, axis=0)
...     t = empty(n, dtype="float64")
...     m = size(t, axis=0)
...     for i in range(0, m, 1):
...         a = x[i]
...         b = exp(a)
...         t[i] = b
...         c = t[i]
...         d = x[i]
...         e = multiply(c, d)
...         t[i] = e
...     return t
... '''))), end="")
def f(x: "float64[:]"):
    n = size(x, axis=0)
    t = empty(n, dtype='float64')
    for i in range(0, n, 1):
        a = x[i]
        b = exp(a)
        e = multiply(b, a)
        t[i] = e
    return t

Equal integers are found by their forms (see `extents`), other scalars where the
same operation has the same operands.  A load of what was just stored becomes
that value, converted as the store would.  Memory that nobody reads any more is
then removed by `dead`: that is how temporaries of fused loops become scalars.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.lower.extents import Extents
from srcdiff.lower.forms import ONE, at_least_zero, plus
from srcdiff.lower.overwritten import without_overwritten
from srcdiff.optimize.dead import dead
from srcdiff.primitives import PRIMITIVES
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
    blocks_of,
    index_atoms,
    is_float,
    map_atoms,
    with_blocks,
)

__all__ = ["tidy"]

EXTENT = Scalar("int64", weak=True)
EVERYWHERE = ()                 # in the place of an index
ROUNDS = 2                      # what one round shares can make more values equal in the next


def tidy(program: Program) -> Program:
    """Return `program` with equal scalars shared and stored values forwarded."""
    for _ in range(ROUNDS):
        program = dead(_Tidy(program).run())
    return program


class _Tidy:
    """One forward walk.

    `same` maps a variable to the atom that replaces it; `known` is a stack of
    maps from what was computed to the atom that holds it, one for each open
    block; `memory` maps (array, index) to the atom that holds that element, and
    (array, EVERYWHERE) to the zeros that an array consists of.
    """

    def __init__(self, program):
        self.program, self.types = program, dict(program.types)
        self.forms = Extents(program)
        self.same, self.known, self.memory = {}, [], {}
        self.mentions = {}              # variable -> keys of `memory` that have depended on it
        self.tests, self.facts = {}, []
        self.zeros = set()              # numbers that are 0.0
        self.last = {}                  # loop variable -> form of its greatest value

    def run(self) -> Program:
        body = self.block(self.program.body)
        results = tuple(map(self.atom, self.program.results))
        return replace(self.program, body=body, results=results, types=self.types)

    def once(self, atom) -> bool:
        return isinstance(atom, Const) or self.forms.counts[atom.name] <= 1

    def atom(self, atom):
        while isinstance(atom, Var) and atom.name in self.same:
            atom = self.same[atom.name]
        return atom

    # -- blocks --------------------------------------------------------------------------

    def block(self, body):
        self.known.append({})
        self.facts.append({})
        out = []
        for stmt in body:
            out.extend(self.statement(map_atoms(stmt, self.atom)))
        self.known.pop()
        for name in self.facts.pop():
            del self.same[name]
        return without_overwritten(out)

    def statement(self, stmt):
        match stmt:
            case Assign():
                return self.assign(stmt)
            case Load():
                return self.load(stmt)
            case Store():
                return self.store(stmt)
            case If(condition=Const(value), then=then, orelse=orelse):
                return self.inline(then if value else orelse)
            case For() | While() | If():
                new = self.compound(stmt)
                if isinstance(new, If):
                    self.learn(new)
                return (new,)
        return (stmt,)

    def compound(self, stmt):
        if not isinstance(stmt, If):
            self.forget(stmt)
        if isinstance(stmt, For) and stmt.step == Const(1) \
                and (stop := self.forms.scalar(stmt.stop)) is not None:
            self.last[stmt.var] = plus(stop, ONE, -1)
        blocks, before = [], dict(self.memory)
        if isinstance(stmt, While):
            self.known.append({})
            test = self.block(stmt.test)
            stmt = replace(stmt, condition=self.atom(stmt.condition))
            self.forget(stmt)
            blocks = [test, self.block(stmt.body)]
            self.known.pop()
        else:
            for block in blocks_of(stmt):
                self.memory = dict(before)
                blocks.append(self.block(block))
        self.memory = before
        self.forget(stmt)
        return with_blocks(stmt, blocks)

    def inline(self, body):
        """Return the statements of the one branch that is taken."""
        return tuple(new for s in body for new in self.statement(map_atoms(s, self.atom)))

    def learn(self, check: If):
        """After a check that raises, its condition is false, and what it compared is equal."""
        if not (check.then and isinstance(check.then[-1], Raise)) or check.orelse \
                or not isinstance(check.condition, Var) or not self.once(check.condition):
            return
        self.fact(check.condition.name, Const(False))
        for a, b in self.tests.get(check.condition.name, ()):
            a, b = (self.atom(b), self.atom(a)) if isinstance(b, Const) else (self.atom(a), self.atom(b))
            if isinstance(b, Var) and a != b and self.forms.counts[b.name] == 1 \
                    and self.types[b.name] == EXTENT and self.once(a) \
                    and self.program.type_of(a) == EXTENT:
                self.fact(b.name, a)

    def fact(self, name, atom):
        """Let `atom` stand for a variable in the rest of the block."""
        if name not in self.same:
            self.same[name] = self.facts[-1][name] = atom

    def note(self, stmt):
        if stmt.op == "not_equal":
            self.tests[stmt.target] = [stmt.args]
        elif stmt.op == "logical_or":
            tests = [self.tests.get(getattr(a, "name", None), []) for a in stmt.args]
            self.tests[stmt.target] = tests[0] + tests[1]

    def forget(self, stmt):
        """Forget the elements that a compound statement may change."""
        for name in stmt.changes:
            self.kill(name)

    # -- statements ------------------------------------------------------------------------

    def assign(self, stmt):
        target, type_ = stmt.target, self.types[stmt.target]
        if self.forms.counts[target] != 1 or isinstance(type_, Array):
            self.kill(target)
            if stmt.op == "zeros" and is_float(type_):
                self.remember((target, EVERYWHERE), Const(0.0))
            return (stmt,)
        value = stmt.args[0] if stmt.op == "copy" else self.without_zero(stmt) or simplified(stmt, self.number, self.last)
        if value is not None and self.forwards(value, type_):
            self.same[target] = value
            return ()
        form = self.forms.scalars.get(target) if type_ == EXTENT else None
        if form is not None and not form[1]:
            self.same[target] = Const(form[0])
            return ()
        self.note(stmt)
        keys = [] if form is None else [("form", form)]
        if self.pure(stmt):
            keys.append((stmt.op, stmt.args, stmt.static, type_, stmt.where.of_differential))
        return self.share(stmt, keys)

    def without_zero(self, stmt):
        """Return what a sum is, one operand of which has been found to be 0.0."""
        if stmt.op == "add" and self.zeros:
            for a, b in (stmt.args, stmt.args[::-1]):
                if isinstance(a, Var) and a.name in self.zeros:
                    return b
        return None

    def share(self, stmt, keys):
        found = next((known[key] for key in keys for known in self.known if key in known), None)
        for key in keys:
            self.known[-1].setdefault(key, Var(stmt.target) if found is None else found)
        if found is None:
            return (stmt,)
        self.same[stmt.target] = found
        return ()

    def number(self, atom):
        """Return the form of an integer of extents, None for anything else."""
        return self.forms.scalar(atom) if self.program.type_of(atom) == EXTENT else None

    def pure(self, stmt) -> bool:
        """Tell whether equal operands give the same scalar again later."""
        scalars = all(isinstance(a, Const) or isinstance(self.types[a.name], Scalar)
                      and self.once(a) for a in stmt.args)
        return scalars and (PRIMITIVES[stmt.op].kind == "elementwise" or stmt.op == "trips")

    def forwards(self, atom, type_) -> bool:
        return self.once(atom) and self.program.type_of(atom) == type_

    def load(self, stmt):
        target, type_ = stmt.target, self.types[stmt.target]
        key = (stmt.array, stmt.index)
        if any(isinstance(i, Span) for i in stmt.index) or isinstance(type_, Array):
            self.kill(target)
            return (stmt,)
        value = self.memory.get(key, self.memory.get((stmt.array, EVERYWHERE)))
        if value is None:
            self.kill(target)
            if target not in (a.name for a in index_atoms(stmt.index) if isinstance(a, Var)):
                self.remember(key, Var(target))
            return (stmt,)
        once = self.forms.counts[target] == 1
        if once and self.forwards(value, type_):
            self.same[target] = value
            return ()
        self.kill(target)
        if once and value == Const(0.0):
            self.zeros.add(target)
        convert = self.program.type_of(value) != type_
        if convert:
            return (Assign(target, "cast", (value,), (("dtype", type_.dtype),), stmt.where),)
        return (Assign(target, "copy", (value,), (), stmt.where),)

    def store(self, stmt):
        key = (stmt.array, stmt.index)
        for other in self.mentions.get(stmt.array, ()):
            if other[0] == stmt.array and (other[1] in (stmt.index, EVERYWHERE) or not _apart(other[1], stmt.index)):
                self.memory.pop(other, None)
        scalar = not any(isinstance(i, Span) for i in stmt.index) \
            and isinstance(self.program.type_of(stmt.value), Scalar)
        if scalar and not stmt.accumulate:
            self.remember(key, stmt.value)
        return (stmt,)

    def remember(self, key, value):
        """Note which atom holds an element, and which variables that mentions."""
        self.memory[key] = value
        for name in _mentioned(key, value):
            self.mentions.setdefault(name, {})[key] = None

    def kill(self, name):
        for key in self.mentions.get(name, ()):
            if key in self.memory and name in _mentioned(key, self.memory[key]):
                del self.memory[key]


def simplified(stmt, number, last):
    """Return the atom that an integer or logical operation is certain to give, or None.

    `number` gives the form of an integer, `last` the greatest value of a loop variable.
    """
    args = stmt.args
    match stmt.op:
        case "not_equal" | "equal":
            a, b = map(number, args)
            if a is not None and b is not None and not plus(a, b, -1)[1]:
                return Const((a == b) == (stmt.op == "equal"))
        case "minimum":
            for a, b in (args, args[::-1]):
                high, other = last.get(getattr(a, "name", None)), number(b)
                if None not in (high, other) and at_least_zero(plus(other, high, -1)):
                    return a
        case "where" if isinstance(args[0], Const):
            return args[1] if args[0].value else args[2]
        case "where" if args[1] == args[2]:
            return args[1]
        case "logical_and" | "logical_or":
            decides = stmt.op == "logical_or"
            for a, b in (args, args[::-1]):
                if isinstance(a, Const) and isinstance(a.value, bool):
                    return a if a.value == decides else b
        case "multiply" if number(args[0]) is not None and number(args[1]) is not None:
            for a, b in (args, args[::-1]):
                if a == Const(1):
                    return b
    return None


def _mentioned(key, value) -> set[str]:
    """Return the variables that an element and what it holds depend on."""
    array, index = key
    return {array, *(a.name for a in (*index_atoms(index), value) if isinstance(a, Var))}


def _apart(a, b) -> bool:
    """Tell whether two indices provably differ: in two different non-negative constants."""
    return any(isinstance(x, Const) and isinstance(y, Const) and x.value != y.value
               and x.value >= 0 and y.value >= 0 for x, y in zip(a, b, strict=True))
