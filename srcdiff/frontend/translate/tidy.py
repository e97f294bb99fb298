"""Make a translated program read like the user's code.

Translation gives each assignment a variable of its own and copies where paths
meet.  Here what nobody reads is dropped, copies between variables that never
hold different values at one time are joined into one variable, and everything
gets its final name.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64[:]"):
...     s = 0.0
...     n = size(x, axis=0)
...     for i in range(0, n, 1):
...         t = x[i]
...         s_2 = add(s, t)
...         unused = exp(t)
...         s = copy(s_2)
...     return s
... ''')
>>> print(show(tidy(program, {"s": "s", "s_2": "s", "i": "i", "n": ("n", "x")})), end="")
def f(x: "float64[:]"):
    s = 0.0
    n_x = size(x, axis=0)
    for i in range(0, n_x, 1):
        t = x[i]
        s = add(s, t)
    return s
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.builder import as_identifier
from srcdiff.syntax import (
    Assign,
    For,
    If,
    Load,
    Program,
    Raise,
    Scalar,
    Store,
    Var,
    While,
    atoms_of,
    blocks_of,
    defined,
    rename,
    walk,
    with_blocks,
)

__all__ = ["tidy"]

_WIDE = {"float64", "int64", "bool", "complex128"}


def tidy(program: Program, stems) -> Program:
    """Drop dead statements, join copies, and give every variable its final name."""
    program = program.with_body(without_dead(program.body, program.results))
    program, stems = join_copies(program, dict(stems))
    return with_final_names(program, stems)


# -- dead code -----------------------------------------------------------------------

def without_dead(body, results):
    """Drop assignments and stores to variables that no result, test or bound depends on."""
    while True:
        needed = _needed(body, results)
        smaller = _sweep(body, needed)
        if smaller == body:
            return body
        body = smaller


def _needed(body, results) -> set[str]:
    makers: dict[str, list] = {}
    queue = [a.name for a in results if isinstance(a, Var)]
    for stmt in walk(body):
        if isinstance(stmt, Assign | Load | Store):
            makers.setdefault(defined(stmt), []).append(stmt)
        else:
            queue += [a.name for a in atoms_of(stmt) if isinstance(a, Var)]
    needed: set[str] = set()
    while queue:
        name = queue.pop()
        if name not in needed:
            needed.add(name)
            for stmt in makers.get(name, ()):
                queue += [a.name for a in atoms_of(stmt) if isinstance(a, Var)]
    return needed


def _sweep(body, needed):
    kept = []
    for stmt in body:
        if isinstance(stmt, Assign | Load | Store) and defined(stmt) not in needed:
            continue
        stmt = with_blocks(stmt, [_sweep(block, needed) for block in blocks_of(stmt)])
        if isinstance(stmt, If | For) and not any(blocks_of(stmt)):
            continue
        kept.append(stmt)
    return tuple(kept)


# -- copies ------------------------------------------------------------------------------

def join_copies(program: Program, stems):
    """Give one name to variables joined by copies whose values never conflict."""
    fixed = {p.name for p in program.params}
    wide = all(type_.dtype in _WIDE for type_ in program.types.values())

    def alike(a, b):
        # A Python number and a NumPy scalar differ only beside narrower types.
        return a == b or wide and isinstance(a, Scalar) and isinstance(b, Scalar) and a.dtype == b.dtype

    fixed |= {s.var for s in walk(program.body) if isinstance(s, For)}
    copies = [(depth, k, s) for k, (depth, s) in enumerate(_with_depth(program.body, 0))
              if isinstance(s, Assign) and s.op == "copy" and isinstance(s.args[0], Var)
              and s.target not in fixed and s.args[0].name not in fixed
              and alike(program.types[s.target], program.types[s.args[0].name])]
    if not copies:
        return program, stems
    names = {n for _, _, s in copies for n in (s.target, s.args[0].name)}
    conflicts = Conflicts(names)
    conflicts.block(program.body, {a.name for a in program.results if isinstance(a, Var)} & names)
    leader: dict[str, str] = {}
    types = dict(program.types)

    def find(name):
        while name in leader:
            name = leader[name]
        return name

    for _, _, stmt in sorted(copies, key=lambda c: (-c[0], c[1])):
        a, b = find(stmt.target), find(stmt.args[0].name)
        if a == b or b in conflicts.edges[a]:
            continue
        leader[b] = a
        if types[b] != types[a]:
            types[a] = Scalar(types[a].dtype)
        for other in conflicts.edges[b]:
            conflicts.edges[other].add(a)
        conflicts.edges[a] |= conflicts.edges[b]
        if a not in stems and b in stems:
            stems[a] = stems[b]
    renamed = {name: find(name) for name in names}
    body = _without_identities(rename(program.body, renamed))
    results = tuple(Var(renamed.get(a.name, a.name)) if isinstance(a, Var) else a for a in program.results)
    stems = {n: (s[0], renamed.get(s[1], s[1])) if isinstance(s, tuple) else s for n, s in stems.items()}
    return program.with_body(body, results=results, types=types), stems


def _with_depth(body, depth):
    for stmt in body:
        yield depth, stmt
        for block in blocks_of(stmt):
            yield from _with_depth(block, depth + isinstance(stmt, For | While))


def _without_identities(body):
    kept = []
    for stmt in body:
        if isinstance(stmt, Assign) and stmt.op == "copy" and stmt.args == (Var(stmt.target),):
            continue
        stmt = with_blocks(stmt, [_without_identities(b) for b in blocks_of(stmt)])
        if isinstance(stmt, If) and not stmt.then and not stmt.orelse:
            continue
        kept.append(stmt)
    return tuple(kept)


class Conflicts:
    """Which of `names` hold different values at one time: a backward walk over the body.

    A variable conflicts with all that are live where it is assigned or stored
    to, except with the one that it is copied from.
    """

    def __init__(self, names):
        self.names = names
        self.edges: dict[str, set[str]] = {name: set() for name in names}

    def define(self, name, live, source=None):
        if name in self.names:
            for other in live:
                if other != name and other != source:
                    self.edges[name].add(other)
                    self.edges[other].add(name)

    def reads(self, stmt):
        return {a.name for a in atoms_of(stmt) if isinstance(a, Var)} & self.names

    def block(self, body, live):
        for stmt in reversed(body):
            live = self.statement(stmt, live)
        return live

    def statement(self, stmt, live):
        match stmt:
            case Assign(target=name) | Load(target=name):
                source = stmt.args[0].name if isinstance(stmt, Assign) and stmt.op == "copy" and isinstance(
                    stmt.args[0], Var) else None
                self.define(name, live, source)
                return (live - {name}) | self.reads(stmt)
            case Store(array=name):
                self.define(name, live)
                return live | self.reads(stmt) | ({name} & self.names)
            case If(then=then, orelse=orelse):
                return self.block(then, live) | self.block(orelse, live) | self.reads(stmt)
            case For(body=body):
                return self.loop(lambda header: live | self.block(body, header)) | live | self.reads(stmt)
            case While(test=test, body=body):
                return self.loop(lambda header: self.block(
                    test, live | self.reads(stmt) | self.block(body, header)))
            case Raise():
                return set()
        return live

    def loop(self, once):
        header: set[str] = set()
        while True:
            larger = header | once(header)
            if larger == header:
                return header
            header = larger


# -- names -----------------------------------------------------------------------------------

def with_final_names(program: Program, stems) -> Program:
    """Name variables after the user's, numbered in order of first assignment."""
    order = list(dict.fromkeys(n for n in map(defined, walk(program.body)) if n is not None))
    names = {p.name: p.name for p in program.params}
    order = [n for n in order if n not in names]
    taken = set(names.values())

    def give(name, stem):
        stem = as_identifier(stem)
        chosen, count = stem, 2
        while chosen in taken:
            chosen, count = f"{stem}_{count}", count + 1
        taken.add(chosen)
        names[name] = chosen

    for name in order:
        if isinstance(stems.get(name), str):
            give(name, stems[name].rstrip("'"))
    for name in order:
        if name not in names and not isinstance(stems.get(name), tuple):
            give(name, "t")
    for name in order:
        if name not in names:
            stem, array = stems[name]
            give(name, f"{stem}_{names.get(array, 't')}")
    body = rename(program.body, names)
    results = tuple(Var(names[a.name]) if isinstance(a, Var) else a for a in program.results)
    types = {new: program.types[old] for old, new in names.items()}
    return replace(program, body=body, results=results, types=types)
