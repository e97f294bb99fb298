"""Read the original instead of its copy, and make a value under its final name at once.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:]", a: "float64"):
...     b = copy(a)
...     t = multiply(b, a)
...     y = copy(x)
...     u = y[0]
...     y[0] = t
...     s = add(t, u)
...     r = copy(s)
...     return y, r
... ''')
>>> print(show(copies(program)), end="")
def f(x: "float64[:]", a: "float64"):
    b = copy(a)
    t = multiply(a, a)
    y = copy(x)
    u = x[0]
    y[0] = t
    s = add(t, u)
    r = copy(s)
    return y, s
>>> print(show(targets(program)), end="")
def f(x: "float64[:]", a: "float64"):
    b = copy(a)
    t = multiply(b, a)
    y = copy(x)
    u = y[0]
    y[0] = t
    r = add(t, u)
    return y, r

A program returns values that share no memory: an array that is a copy of a
parameter, or of another result, stays a copy.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.analysis.uses import Uses
from srcdiff.optimize.constants import fold, substitute
from srcdiff.optimize.walking import Forward, map_blocks
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    Load,
    Program,
    Scalar,
    Var,
    atoms_of,
    defined,
    rename,
    walk,
)

__all__ = ["copies", "targets"]


def copies(program: Program) -> Program:
    """Replace the reads of ``y`` after ``y = copy(x)`` while both still hold that value."""
    return _Copies(program).run()


class _Copies(Forward):
    """`origin` maps a copy to its stamp, the atom it was made of, and the stamp of that."""

    def __init__(self, program):
        super().__init__(program)
        self.origin: dict[str, tuple] = {}

    def run(self):
        program = super().run()
        results = self.results()
        return program if results == program.results else program.with_body(program.body, results=results)

    def source(self, name: str) -> Atom | None:
        """Return what `name` is a copy of, if both are as they were."""
        found = self.origin.get(name)
        if found is None or found[0] != self.stamps[name]:
            return None
        _, atom, stamp = found
        return atom if isinstance(atom, Const) or self.stamps[atom.name] == stamp else None

    def results(self):
        out = []
        for atom in self.program.results:
            new = self.source(atom.name) if isinstance(atom, Var) else None
            if new is not None and self.type_of(new) == self.type_of(atom) and (
                    isinstance(self.type_of(new), Scalar)):
                atom = new
            out.append(atom)
        return tuple(out)

    def header(self, stmt):
        return substitute(stmt, self.source, self.types) if self.origin else stmt

    def simple(self, stmt):
        stmt = self.header(stmt)
        if isinstance(stmt, Load) and isinstance(source := self.source(stmt.array), Var):
            stmt = replace(stmt, array=source.name)
        self.assigned(stmt)
        if isinstance(stmt, Assign) and stmt.op == "copy" and stmt.args[0] != Var(stmt.target):
            self.learn(stmt.target, stmt.args[0])
        return stmt

    def learn(self, name, atom):
        if isinstance(atom, Const):
            if isinstance(type_ := self.types[name], Scalar):
                held = fold("copy", (atom.value,), (), type_)
                if held is not None:
                    self.origin[name] = (self.stamps[name], held, 0)
        elif _alike(self.types[atom.name], self.types[name]):
            self.origin[name] = (self.stamps[name], atom, self.stamps[atom.name])


def _alike(a, b) -> bool:
    """Tell whether a copy converts nothing (a weak number may become a strong one)."""
    return (a.dtype, a.ndim) == (b.dtype, b.ndim)


# -- making a value under its final name ---------------------------------------------------

def targets(program: Program) -> Program:
    """Drop ``y = copy(t)`` where `t` has no other purpose, and make `t` as `y` at once."""
    uses = Uses(program)
    return map_blocks(program, lambda body: _Targets(program, uses).block(body))


class _Targets:
    """One block: where its variables were made, and where each name occurred last."""

    def __init__(self, program: Program, uses: Uses):
        self.types, self.uses = program.types, uses
        self.made: dict[str, int] = {}
        self.last: dict[str, int] = {}

    def block(self, body):
        if not any(isinstance(s, Assign) and s.op == "copy" for s in body):
            return body
        out = list(body)
        for at, stmt in enumerate(body):
            if (start := self.start(stmt, out, at)) is not None:
                self.retarget(out, start, at, stmt.args[0].name, stmt.target)
            if isinstance(stmt, Assign | Load) and self.uses.single(stmt.target):
                self.made[stmt.target] = at if start is None else start
            for name in _touched(stmt):
                self.last[name] = at
        return tuple(s for s in out if s is not None) if None in out else body

    def start(self, stmt, out, at) -> int | None:
        """Return where the value was made that `stmt` copies, if it may be made as the copy."""
        if not (isinstance(stmt, Assign) and stmt.op == "copy" and isinstance(stmt.args[0], Var)):
            return None
        temporary = stmt.args[0].name
        start = self.made.get(temporary)
        if start is None or self.types[temporary] != self.types[stmt.target]:
            return None
        if self.last.get(stmt.target, -1) > start:
            return None
        elsewhere = self.uses.reads[temporary] - 1 + self.uses.stores[temporary]
        if elsewhere and isinstance(self.types[temporary], Array):
            elsewhere -= sum(_touched(s).count(temporary) for s in out[start + 1:at] if s is not None)
        return None if elsewhere else start

    def retarget(self, out, start, at, temporary, target):
        elsewhere = self.uses.reads[temporary] - 1 + self.uses.stores[temporary]
        for i in range(start, at if elsewhere else start + 1):
            if out[i] is not None:
                out[i] = rename((out[i],), {temporary: target})[0]
        self.uses.reads[target] += elsewhere        # it is now the occurrences of `target`
        out[at] = None


def _touched(stmt) -> list[str]:
    """Return the variables that a statement and its blocks read or change, with repetitions."""
    names = []
    for inner in walk((stmt,)):
        names += [a.name for a in atoms_of(inner) if isinstance(a, Var)]
        names.append(defined(inner))
    return names
