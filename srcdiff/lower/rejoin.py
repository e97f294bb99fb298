"""Run a loop where its values are needed: in the reverse loop, so that one iteration is kept and not all.

>>> from srcdiff.notation import read, show
>>> print(show(rejoin(read('''
... def f(x: "float64[:,:]"):
...     n = size(x, axis=0)
...     m = size(x, axis=1)
...     last = subtract(n, 1)
...     s_tape = empty(n, dtype='float64')
...     x_bar = zeros(n, m, dtype='float64')
...     for i in range(0, n, 1):
...         s = 0.0
...         for j in range(0, m, 1):
...             v = x[i, j]
...             s = add(s, v)
...         s_tape[i] = s
...     for k in range(last, -1, -1):
...         g = s_tape[k]
...         for l in range(0, m, 1):
...             x_bar[k, l] += g
...     return x_bar
... '''))), end="")
def f(x: "float64[:,:]"):
    n = size(x, axis=0)
    m = size(x, axis=1)
    last = subtract(n, 1)
    x_bar = zeros(n, m, dtype='float64')
    for k in range(last, -1, -1):
        s = 0.0
        for j in range(0, m, 1):
            v = x[k, j]
            s = add(s, v)
        s_held = copy(s)
        g = copy(s_held)
        for l in range(0, m, 1):
            x_bar[k, l] += g
    return x_bar

The first loop may move where its iterations do not depend on each other, nothing
but the same iteration of the second loop reads what they make, and what
they read is still the same there.  That is the usual sum over samples whose value
nobody asks for.  Innermost loops stay apart: they vectorise as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from srcdiff.analysis.uses import changed, exposed, live_into
from srcdiff.builder import Builder
from srcdiff.lower.effects import Sum, effects_of
from srcdiff.lower.extents import Extents
from srcdiff.lower.forms import ONE, plus
from srcdiff.lower.overwritten import is_overwritten
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import (
    Array,
    Assign,
    Const,
    For,
    Load,
    Program,
    Raise,
    Scalar,
    Stmt,
    Store,
    Var,
    atoms_of,
    blocks_of,
    defined,
    mentions,
    rename,
    walk,
    with_blocks,
)

__all__ = ["rejoin"]

OURS = ("[SD", "zero-size array")       # how messages begin that are not the user's


def rejoin(program: Program) -> Program:
    """Move loops of the top block into the loops that read their values in reverse."""
    while (joined := _one(program)) is not None:
        program = joined
    return program


def _one(program: Program) -> Program | None:
    """Return the program with one loop moved, None if none can be."""
    nests = [(at, s) for at, s in enumerate(program.body) if isinstance(s, For) and any(isinstance(inner, For) for inner in s.nested)]
    forward = [(at, s) for at, s in nests if (s.start, s.step) == (Const(0), Const(1))]
    backward = [(at, s) for at, s in nests if (s.stop, s.step) == (Const(-1), Const(-1))]
    if not (forward and backward):
        return None
    forms = Extents(program)
    for at, first in forward:
        for later, second in backward:
            if at < later and _is_reverse(first, second, forms):
                pair = _Pair(program, at, later)
                if pair.may_join():
                    return pair.joined()
    return None


def _is_reverse(first: For, second: For, forms: Extents) -> bool:
    """Tell whether a loop down to 0 runs through the iterations of a loop up from 0, from the last to the first."""
    stop, start = forms.scalar(first.stop), forms.scalar(second.start)
    return None not in (stop, start) and plus(start, ONE) == stop


class _Pair:
    """Two loops of the top block, and what becomes of the variables that the first one changes.

    Attributes
    ----------
    tapes
        Arrays with an entry for each iteration, which only these loops use.
    """

    def __init__(self, program: Program, at: int, later: int):
        self.program, self.at, self.later = program, at, later
        body = program.body
        self.first, self.second = body[at], body[later]
        self.between, self.after = body[at + 1:later], body[later + 1:]
        self.results = {a.name for a in program.results if isinstance(a, Var)}
        self.effects = [effects_of(s, program.types) for s in (self.first, self.second)]
        self.tapes: list[str] = []

    # -- may it move? -----------------------------------------------------------------

    def may_join(self) -> bool:
        writes = set(changed((self.first,)))
        needed = (exposed((self.first,)) | {a.name for s in walk(self.first.body) for a in atoms_of(s)
                                            if isinstance(a, Var)}) - writes
        if needed & set(changed(self.between, (self.second,))) or self.has_its_time():
            return False
        self.live = live_into((*self.between, self.second, *self.after), self.results)
        self.carried = exposed(self.first.body) - {self.first.var}
        self.elsewhere = {*mentions((*self.between, *self.after)), *self.results}
        return all(self.is_own(name) for name in writes) and bool(self.tapes)

    def has_its_time(self) -> bool:
        """Tell whether the loop raises an error of the user's, or calls a function that may remember its calls."""
        return any(isinstance(s, Raise) and not s.message.startswith(OURS)
                   or isinstance(s, Assign) and PRIMITIVES[s.op].opaque for s in walk(self.first.body))

    def is_own(self, name: str) -> bool:
        """Tell whether a variable serves an iteration, or hands its value to the same one of the second loop."""
        if name not in self.live and name not in self.carried:
            return True                         # assigned in each iteration that reads it
        if not self.program.types[name].ndim or name in self.elsewhere:
            return False
        if name in self.effects[1].elements:
            return self.is_tape(name)
        stored = name in self.effects[0].elements and name not in self.effects[0].bound
        return stored and name not in mentions((self.second,)) and is_overwritten(self.program, self.first.body, name)

    def is_tape(self, name: str) -> bool:
        made = [s for s in walk(self.program.body) if isinstance(s, Assign | Load) and s.target == name]
        before = [s for s in self.program.body[:self.at] if s not in made]
        if len(made) != 1 or len(before) == self.at or getattr(made[0], "op", "") != "empty":
            return False
        if name in mentions(before):
            return False
        for loop, effects in zip((self.first, self.second), self.effects, strict=True):
            if name in effects.bound or any(index[0] != Sum(Var(loop.var), 0) for index in effects.elements[name]):
                return False
        if any(isinstance(s, Store) and s.array == name for s in walk(self.second.body)) or any(
                isinstance(s, Store) and s.array == name and s.accumulate for s in walk(self.first.body)):
            return False
        self.tapes.append(name)
        return True

    # -- the joint loop -----------------------------------------------------------------

    def joined(self) -> Program:
        builder = Builder(self.program.types)
        body = rename(self.first.body, self.new_names(builder))
        body = (*body, *self.second.body)
        top = [*self.program.body[:self.at], *self.between]
        for name in self.tapes:
            top, body = self.contracted(name, top, body, builder)
        top = [*top, replace(self.second, body=body), *self.after]
        return self.program.with_body(top, types=builder.types)

    def new_names(self, builder: Builder) -> dict[str, str]:
        """Return new names for what the first loop assigns where they mean something else in the rest."""
        others = self.elsewhere | set(mentions((self.second, *self.program.body[:self.at])))
        names = {self.first.var: self.second.var}
        for s in walk(self.first.body):
            name = defined(s)
            if isinstance(s, Assign | Load | For) and name in others and name not in names:
                names[name] = builder.fresh(name, self.program.types[name])
        return names

    def contracted(self, name: str, top: list[Stmt], body: tuple, builder: Builder):
        """Let a tape hold one iteration: an array without its first axis, or a number."""
        type_ = self.program.types[name]
        if type_.ndim == 1 and not any(isinstance(s, Store) and s.array == name for s in self.first.body):
            return top, body
        held = Scalar(type_.dtype) if type_.ndim == 1 else Array(type_.dtype, type_.ndim - 1)
        new = builder.fresh(name.removesuffix("_tape") + "_held", held)
        made = [self.made(s, new, held) if isinstance(s, Assign) and s.target == name else (s,) for s in top]
        return [s for part in made for s in part], _held(body, name, new, builder)

    @staticmethod
    def made(stmt: Assign, new: str, held) -> tuple[Stmt, ...]:
        return (Assign(new, "empty", stmt.args[1:], stmt.static, stmt.where),) if held.ndim else ()


def _held(body: Sequence[Stmt], tape: str, new: str, builder: Builder) -> tuple[Stmt, ...]:
    """Return a block in which `new` stands for the entry of a tape."""
    type_ = builder.types[new]

    def one(s: Stmt) -> Stmt:
        match s:
            case Store(array=array, index=(_, *rest)) if array == tape and rest:
                return Store(new, tuple(rest), s.value, s.accumulate, s.where)
            case Store(array=array) if array == tape:
                if builder.type_of(s.value) == type_:
                    return Assign(new, "copy", (s.value,), (), s.where)
                return Assign(new, "cast", (s.value,), (("dtype", type_.dtype),), s.where)
            case Load(array=array, index=(_, *rest)) if array == tape and rest:
                return Load(s.target, new, tuple(rest), s.where)
            case Load(array=array) if array == tape:
                return Assign(s.target, "copy", (Var(new),), (), s.where)
        return with_blocks(s, [_held(b, tape, new, builder) for b in blocks_of(s)]) if blocks_of(s) else s

    return tuple(map(one, body))
