"""Move what does not change in a loop before it.

>>> from srcdiff.notation import read, show
>>> print(show(hoist(read('''
... def f(x: "float64[:]", a: "float64", n: "weak int64", k: "weak int64"):
...     s = 0.0
...     for i in range(0, n, 1):
...         for j in range(0, n, 1):
...             b = exp(a)
...             c = floor_divide(n, k)
...             m = size(x, axis=0)
...             t = x[c]
...             u = multiply(b, t)
...             s = add(s, u)
...     return s
... '''))), end="")
def f(x: "float64[:]", a: "float64", n: "weak int64", k: "weak int64"):
    s = 0.0
    b = exp(a)
    m = size(x, axis=0)
    for i in range(0, n, 1):
        for j in range(0, n, 1):
            c = floor_divide(n, k)
            t = x[c]
            u = multiply(b, t)
            s = add(s, u)
    return s

A loop may run zero times, so only what cannot fail is moved: integer division,
loads, and array operations whose operands may not fit stay where they are.
Statements inside a branch stay there: they may be there because they are rare.
"""

from __future__ import annotations

from srcdiff.analysis.shapes import Shapes
from srcdiff.analysis.uses import Uses, changed
from srcdiff.optimize.walking import replace_blocks
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Assign, Const, For, Load, Program, Store, Var, While, blocks_of, walk

__all__ = ["hoist"]

# Operations that accept every operand of the right type.
SAFE = frozenset({"transpose", "expand_dims", "cumsum", "sum", "prod", "any", "all", "size", "array"})
# Elementwise operations that fail on some integers, or on floats that become integers.
TRAPS = frozenset({"floor_divide", "remainder", "fmod", "power", "reciprocal", "cast", "weaken"})
# A copy costs as much before the loop.
NEVER = frozenset({"copy", "stop_gradient"})


def hoist(program: Program) -> Program:
    """Move assignments whose operands a loop does not change before the loop, inner loops first."""
    if not any(isinstance(s, For | While) for s in walk(program.body)):
        return program
    hoister = _Hoist(program)
    body = hoister.block(program.body)
    return program if body is program.body else program.with_body(body)


class _Hoist:
    def __init__(self, program: Program):
        self.program, self.types = program, program.types
        self.shapes, self.uses = Shapes(program, trust_seeds=False), Uses(program)

    def block(self, body):
        out = []
        for stmt in body:
            if blocks := blocks_of(stmt):
                stmt = replace_blocks(stmt, tuple(map(self.block, blocks)))
            if isinstance(stmt, For | While):
                moved, stmt = self.loop(stmt)
                out += moved
            out.append(stmt)
        same = len(out) == len(body) and all(a is b for a, b in zip(out, body, strict=True))
        return body if same else tuple(out)

    def loop(self, loop):
        """Return the statements that may run before the loop, and the loop without them."""
        blocks = blocks_of(loop)
        changing = set(changed((loop,)))
        assigned = changing - {s.array for s in walk((loop,)) if isinstance(s, Store)}
        assigned |= {s.target for s in walk((loop,)) if isinstance(s, Assign | Load)}
        moved, rest = [], []
        for block in blocks:
            kept = []
            for stmt in block:
                if self.invariant(stmt, changing, assigned):
                    moved.append(stmt)
                    changing.discard(stmt.target)
                    assigned.discard(stmt.target)
                else:
                    kept.append(stmt)
            rest.append(block if len(kept) == len(block) else tuple(kept))
        return moved, replace_blocks(loop, tuple(rest)) if moved else loop

    def invariant(self, stmt, changing, assigned) -> bool:
        """Tell whether `stmt` computes the same in every iteration, and may be run if there is none."""
        if not isinstance(stmt, Assign) or stmt.op in NEVER or not self.uses.constant(stmt.target):
            return False
        depends = assigned if stmt.op == "size" else changing       # a store leaves the extents alone
        if any(isinstance(a, Var) and a.name in depends for a in stmt.args):
            return False
        return stmt.op in SAFE or self.cannot_fail(stmt)

    def cannot_fail(self, stmt) -> bool:
        types = list(map(self.program.type_of, stmt.args))
        match PRIMITIVES[stmt.op].kind:
            case "elementwise" if PRIMITIVES[stmt.op].opaque:
                return False
            case "elementwise":
                if stmt.op in TRAPS and not self.floats_stay(stmt, types):
                    return False
                return self.fit([self.shapes.of(a) for a in stmt.args])
            case "creation" if stmt.op in ("zeros", "full", "eye"):
                return all(map(self.length, stmt.args[stmt.op == "full":]))
            case "structural" if stmt.op == "broadcast_to":
                return not types[0].ndim and all(map(self.length, stmt.args[1:]))
            case "contraction":
                return self.multiplies(stmt)
        return stmt.op == "trips" and isinstance(stmt.args[2], Const) and stmt.args[2].value != 0

    def floats_stay(self, stmt, types) -> bool:
        """Tell whether an operation that may fail on integers has floats only, before and after."""
        return all("float" in t.dtype for t in (*types[:1], self.types[stmt.target]))

    def length(self, atom) -> bool:
        return self.shapes.nonnegative(self.shapes.value(atom))

    def fit(self, shapes) -> bool:
        """Tell whether arrays of these extents provably broadcast; a single array always does."""
        shapes = [s for s in shapes if s]
        if len(shapes) < 2:
            return True
        ends = [s[::-1] for s in shapes]
        for axis in range(max(map(len, ends))):
            extents = [s[axis] for s in ends if len(s) > axis and not self.shapes.is_one(s[axis])]
            if len(extents) > 1 and (None in extents or len(set(extents)) > 1):
                return False
        return True

    def multiplies(self, stmt) -> bool:
        if stmt.op != "matmul":
            return False
        a, b = map(self.shapes.of, stmt.args)
        return len(a) <= 2 and len(b) <= 2 and self.shapes.equal(a[-1], b[0])
