"""Give values that never meet names of their own.

>>> from srcdiff.notation import read, show
>>> print(show(versions(read('''
... def f(x: "float64", n: "weak int64"):
...     t = multiply(x, x)
...     t = sin(t)
...     s = t
...     for i in range(0, n, 1):
...         t = multiply(s, x)
...         s = add(s, t)
...     return s
... '''))), end="")
def f(x: "float64", n: "weak int64"):
    t = multiply(x, x)
    t_2 = sin(t)
    s = copy(t_2)
    for i in range(0, n, 1):
        t_3 = multiply(s, x)
        s = add(s, t_3)
    return s

Two assignments keep one name where some read may see either of them (`s`
above): before and inside a loop, or in two branches.  All other variables are
assigned once afterwards, which is what the other passes ask for.  `restore`
gives the names back when they are done.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.analysis.uses import Uses
from srcdiff.analysis.webs import Webs
from srcdiff.builder import Builder
from srcdiff.syntax import (
    Assign,
    For,
    Load,
    Program,
    Store,
    Var,
    atoms_of,
    blocks_of,
    defined,
    map_atoms,
    rename,
    walk,
    with_blocks,
)

__all__ = ["restore", "versions"]


def versions(program: Program) -> Program:
    """Rename apart the assignments of a variable that no read can confuse."""
    uses = Uses(program)
    several = [name for name in program.types if uses.assigned[name] > 1]
    if not several:
        return program
    webs = Webs(program, several)
    builder = Builder(program.types)
    names = _names(webs, builder, {s.var for s in walk(program.body) if isinstance(s, For)})
    if all(names[n] == webs.names[n] for n in names):
        return program
    return _Renamer(webs, names).program(program, builder.types)


def _names(webs, builder, loop_variables) -> dict[int, str]:
    """Name each web: one web of a variable keeps its name, preferably the one that is returned.

    Loop variables keep theirs: a loop is the only thing that sets them.
    """
    returned = {webs.web(n) for n in webs.reads[-1].values()}
    targets = [n for n in webs.targets if n is not None]
    owner: dict[str, int] = {}
    for web in sorted({webs.web(n) for n in targets}, key=lambda w: w not in returned):
        owner.setdefault(webs.names[web], web)
    names = {}
    for number in targets:
        web, name = webs.web(number), webs.names[number]
        if web not in names:
            keeps = owner[name] == web or name in loop_variables
            names[web] = name if keeps else builder.fresh(name, builder.types[name])
    return names


class _Renamer:
    """Write a program again, with the name of its web for each variable."""

    def __init__(self, webs: Webs, names: dict[int, str]):
        self.webs, self.names, self.at = webs, names, 0

    def program(self, program, types):
        body = self.block(program.body)
        reads = self.reads(-1)
        params = tuple(replace(p, like=self.like(p.like, reads)) for p in program.params)
        return program.with_body(body, results=_renamed(program.results, reads), types=types, params=params)

    def like(self, name, reads):
        """Return the version that a seed is like: the last, unless the end cannot tell which that is."""
        return reads.get(name) if name in self.webs.wanted else name

    def reads(self, at) -> dict[str, str]:
        web, names = self.webs.web, self.names
        return {name: names.get(web(n), name) for name, n in self.webs.reads[at].items()}

    def block(self, body):
        return tuple(map(self.stmt, body))

    def stmt(self, stmt):
        reads, target = self.reads(self.at), self.webs.targets[self.at]
        self.at += 1
        if reads or target is not None:
            stmt = self.simple(stmt, reads, target)
        blocks = blocks_of(stmt)
        return with_blocks(stmt, [self.block(b) for b in blocks]) if blocks else stmt

    def simple(self, stmt, reads, target):
        stmt = map_atoms(stmt, lambda a: Var(reads.get(a.name, a.name)) if isinstance(a, Var) else a)
        name = None if target is None else self.names[self.webs.web(target)]
        match stmt:
            case Assign():
                return replace(stmt, target=name or stmt.target)
            case Load(array=array):
                return replace(stmt, target=name or stmt.target, array=reads.get(array, array))
            case Store(array=array):
                return replace(stmt, array=reads.get(array, array))
            case For():
                return replace(stmt, var=name or stmt.var)
        return stmt


# -- giving the names back -----------------------------------------------------------------

def restore(program: Program, original) -> Program:
    """Give the variables that are not in `original` the name they were split from.

    A variable and its versions become one again if then still no read sees an
    assignment of another version.
    """
    stems = {name: _stem(name, original) for name in program.types if name not in original}
    stems = {name: stem for name, stem in stems.items()
             if stem is not None and program.types[name] == original[stem]}
    for name in _confused(program, stems):
        stems.pop(name, None)
    if not stems:
        return program
    results = _renamed(program.results, stems)
    types = {stems.get(name, name): type_ for name, type_ in program.types.items()}
    return program.with_body(rename(program.body, stems), results=results, types=types)


def _stem(name: str, original) -> str | None:
    stem, _, digits = name.rpartition("_")
    return stem if digits.isdigit() and stem in original else None


def _confused(program: Program, stems: dict[str, str]) -> list[str]:
    """Return the versions that a read would mix up with another one under their common stem."""
    webs = Webs(program.with_body(rename(program.body, stems), results=_renamed(program.results, stems)),
                stems.values())
    version: dict[int, str] = {}
    fixed = {p.name for p in program.params}
    fixed.update(s.var for s in walk(program.body) if isinstance(s, For))
    bad = fixed & set(stems.values())

    def see(number, name):
        if number is not None and version.setdefault(webs.web(number), name) != name:
            bad.add(stems.get(name, name))

    for at, stmt in enumerate([*walk(program.body), None]):
        for atom in program.results if stmt is None else _touched(stmt):
            if isinstance(atom, Var):
                see(webs.reads[at].get(stems.get(atom.name, atom.name)), atom.name)
        if stmt is not None and webs.targets[at] is not None:
            see(webs.targets[at], defined(stmt))
    return [name for name, stem in stems.items() if stem in bad or name in fixed]


def _touched(stmt):
    return [*atoms_of(stmt), Var(stmt.array)] if isinstance(stmt, Store) else list(atoms_of(stmt))


def _renamed(atoms, names):
    return tuple(Var(names.get(a.name, a.name)) if isinstance(a, Var) else a for a in atoms)
