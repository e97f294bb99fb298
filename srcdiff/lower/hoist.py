"""Allocate once, before the loops: memory of a loop body whose extents do not change.

>>> from srcdiff.notation import read, show
>>> print(show(hoist(read('''
... def f(x: "float64[:,:]"):
...     n = size(x, axis=0)
...     s = 0.0
...     for i in range(0, n, 1):
...         m = size(x, axis=1)
...         t = zeros(m, dtype="float64")
...         t[0] += 1.0
...         a = t[0]
...         s = add(s, a)
...     return s
... '''))), end="")
def f(x: "float64[:,:]"):
    n = size(x, axis=0)
    s = 0.0
    m = size(x, axis=1)
    t = empty(m, dtype='float64')
    for i in range(0, n, 1):
        for k in range(0, m, 1):
            t[k] = 0.0
        t[0] += 1.0
        a = t[0]
        s = add(s, a)
    return s

An array is filled before it is read in each iteration, so the iterations can
share its memory, unless the array itself is handed on (a move, a reshape).
"""

from __future__ import annotations

from collections import Counter, defaultdict

from srcdiff.builder import Builder
from srcdiff.lower.extents import Extents
from srcdiff.lower.forms import at_least_zero
from srcdiff.lower.moves import exchange
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import (
    Assign,
    Const,
    For,
    If,
    Program,
    Scalar,
    Store,
    Var,
    While,
    blocks_of,
    defined,
    mentions,
    walk,
    with_blocks,
)

__all__ = ["hoist"]

SHARING = ("copy", "reshape", "transpose", "tape_grow", "expand_dims", "squeeze", "broadcast_to",
           "stop_gradient")
UNSAFE = ("floor_divide", "remainder", "fmod", "power", "divide")
ALLOCATE = ("empty", "zeros")
ANEW = ("matmul",)              # makes an array of its own, whatever the variable held


def hoist(program: Program) -> Program:
    """Return `program` with loop-invariant extents and allocations before the loops."""
    return _Hoister(program).run()


def _made_by(body, ops) -> Counter:
    return Counter(s.target for s in walk(body) if isinstance(s, Assign) and s.op in ops)


class _Hoister:
    def __init__(self, program):
        self.program, self.builder = program, Builder(program.types)
        self.forms = Extents(program)
        self.types = self.builder.types         # grows with what `exchange` declares
        statements = list(walk(program.body))
        self.handed = {a.name for s in statements if isinstance(s, Assign) and s.op in SHARING
                       for a in s.args if isinstance(a, Var)}
        self.total = mentions(program.body)
        self.total.update(a.name for a in program.results if isinstance(a, Var))
        self.made = _made_by(program.body, ALLOCATE)
        self.products = _made_by(program.body, ANEW)
        self.lengths = defaultdict(set)         # of a product, too: it takes the place of memory that has its extents
        for s in statements:
            if isinstance(s, Assign) and s.op in ALLOCATE:
                self.lengths[s.target].add(tuple(map(self.forms.scalar, s.args)))
        self.other = {s.target for s in statements
                      if isinstance(s, Assign) and s.op not in ALLOCATE + ANEW}

    def run(self) -> Program:
        body = self.block(self.program.body)
        return self.program.with_body(body, types=dict(self.builder.types))

    def block(self, body):
        out = []
        for stmt in body:
            if isinstance(stmt, For | While):
                out.extend(self.loop(stmt))
            elif isinstance(stmt, If):
                out.append(with_blocks(stmt, [self.block(b) for b in blocks_of(stmt)]))
            else:
                out.append(stmt)
        return tuple(out)

    def loop(self, stmt):
        """Return what moves in front of a loop, and the loop."""
        stmt = with_blocks(stmt, [self.block(b) for b in blocks_of(stmt)])
        changed = {defined(s) for s in walk((stmt,)) if not isinstance(s, Store)}
        front: list = []
        moved: set[str] = set()
        within = mentions((stmt,))
        self.inside = _made_by((stmt,), ALLOCATE)
        self.inner_products = _made_by((stmt,), ANEW)
        blocks = [self.take(b, changed, front, moved) for b in blocks_of(stmt)]
        for name in moved:
            self.made[name] = 1
        if moved:
            outside = set(self.program.types) - set(self.inside)
            private = {t for t in moved if within[t] >= self.total[t]}
            blocks[-1] = exchange(blocks[-1], private, outside, self.forms, self.builder)
            self.handed |= {s.target for s in blocks[-1] if isinstance(s, Assign)
                            and s.op == "copy" and s.keywords.get("move")}
        return (*front, with_blocks(stmt, blocks))

    def take(self, body, changed, front, moved):
        """Move invariant integers and allocations of a block to `front`."""
        out = []
        for s in body:
            if blocks_of(s):
                s = with_blocks(s, [self.take(b, changed, front, moved) for b in blocks_of(s)])
                out.append(s)
            elif isinstance(s, Assign) and self.invariant(s, changed):
                front.append(s)
                changed.discard(s.target)
            elif isinstance(s, Assign) and self.allocation(s, changed, moved):
                if s.target not in moved:
                    front.append(Assign(s.target, "empty", s.args, s.static, s.where))
                    moved.add(s.target)
                    changed.discard(s.target)
                if s.op == "zeros":
                    out.append(self.fill(s))
            else:
                out.append(s)
        return tuple(out)

    def invariant(self, s, changed) -> bool:
        type_ = self.types[s.target]
        if not isinstance(type_, Scalar) or type_.dtype not in ("int64", "bool") \
                or self.forms.counts[s.target] != 1 or s.op in UNSAFE:
            return False
        if PRIMITIVES[s.op].kind not in ("elementwise", "extent"):
            return False
        if any(isinstance(a, Var) and a.name in changed for a in s.args):
            return False
        return s.op == "size" or all(
            isinstance(a, Const) or self.types[a.name].ndim == 0
            and self.types[a.name].dtype in ("int64", "bool") for a in s.args)

    def allocation(self, s, changed, moved) -> bool:
        """Tell whether this array can be allocated before the loop."""
        if s.op not in ALLOCATE or s.target in self.handed | self.other:
            return False
        if s.target in moved:
            return True
        if self.inside[s.target] != self.made[s.target] \
                or self.inner_products[s.target] != self.products[s.target]:
            return False                # it has a value before the loop
        if any(isinstance(a, Var) and a.name in changed for a in s.args):
            return False
        if self.made[s.target] + self.products[s.target] > 1 and len(self.lengths[s.target]) > 1:
            return False
        return all((f := self.forms.scalar(a)) is not None and at_least_zero(f) for a in s.args)

    def fill(self, s):
        """Return the loops that set an array to zero."""
        b = self.builder
        names = [b.fresh("k", Scalar("int64", weak=True)) for _ in s.args]
        zero = Const(0.0) if b.types[s.target].dtype.startswith(("float", "complex")) else Const(0)
        body: tuple = (Store(s.target, tuple(map(Var, names)), zero, False, s.where),)
        for name, n in zip(reversed(names), reversed(s.args), strict=True):
            body = (For(name, Const(0), n, Const(1), body, s.where),)
        return body[0]
