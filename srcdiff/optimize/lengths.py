"""The square root of a sum of squares is a length.

>>> from srcdiff.notation import read, show
>>> print(show(lengths(read('''
... def f(x: "float64[:]", y: "float64"):
...     s = 0.0
...     n = size(x, axis=0)
...     for i in range(0, n, 1):
...         d = x[i]
...         t = multiply(d, d)
...         s = add(s, t)
...     r = sqrt(s)
...     q = sqrt(y)
...     return r, q
... '''))), end="")
def f(x: "float64[:]", y: "float64"):
    s = 0.0
    n = size(x, axis=0)
    for i in range(0, n, 1):
        d = x[i]
        t = multiply(d, d)
        s = add(s, t)
    r = root_of_squares(s)
    q = sqrt(y)
    return r, q

Both are the same number.  They differ in what is known of them: a sum of squares
is 0 only where each square is, and there it changes by nothing, in whatever
direction, while the slope of a square root at 0 is infinite.  What follows from
the slope of a length is a number at 0, too: the distance of a point from itself.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.optimize.walking import map_blocks
from srcdiff.syntax import Assign, Atom, Const, Load, Program, Stmt, Store, Var, defined, is_float, walk

__all__ = ["lengths"]

# What makes a sum of squares of sums of squares.
KEEPING = frozenset("""add multiply copy cast sum transpose reshape expand_dims squeeze broadcast_to sum_to concatenate
    cumsum take array zeros maximum minimum""".split())


def lengths(program: Program) -> Program:
    """Write `root_of_squares` for each square root of a real sum of squares."""
    stmts = list(walk(program.body))
    if not any(map(_is_root, stmts)):
        return program
    sums = sums_of_squares(program, stmts)

    def renamed(stmt: Stmt) -> Stmt:
        if _is_root(stmt) and stmt.args[0].name in sums and program.types[stmt.target] == program.types[stmt.args[0].name]:
            return replace(stmt, op="root_of_squares", args=stmt.args[:1])
        return stmt

    def block(stmts):
        new = tuple(map(renamed, stmts))
        return stmts if all(a is b for a, b in zip(stmts, new, strict=True)) else new
    return map_blocks(program, block)


def _is_root(stmt: Stmt) -> bool:
    match stmt:
        case Assign(op="sqrt", args=(Var(),)) | Assign(op="power", args=(Var(), Const(value=0.5))):
            return True
    return False


def sums_of_squares(program: Program, stmts: list[Stmt]) -> set[str]:
    """Return the variables all of whose values are sums of squares: what remains when others are taken out."""
    makers: dict[str, list[Stmt]] = {}
    for stmt in stmts:
        if (name := defined(stmt)) is not None:
            makers.setdefault(name, []).append(stmt)
    found = {name for name in makers if is_float(program.types[name])} - {p.name for p in program.params}
    while lost := {name for name in found if not all(_is_sum(s, found) for s in makers[name])}:
        found -= lost
    return found


def _is_sum(stmt: Stmt, sums: set[str]) -> bool:
    """Tell whether a statement gives a sum of squares, if the variables `sums` are some."""
    def one(atom: Atom) -> bool:
        return isinstance(atom, Var) and atom.name in sums or isinstance(atom, Const) and atom.value == 0

    match stmt:
        case Assign(op="square"):
            return True
        case Assign(op="multiply", args=(a, b)) if a == b or _positive(a) and one(b) or _positive(b) and one(a):
            return True
        case Assign(op="power", args=(_, Const(value=exponent))):
            return exponent in (2, 4, 6)
        case Assign(op="where", args=(_, a, b)):
            return one(a) and one(b)
        case Assign(op="divide", args=(a, _)):
            return one(a)
        case Assign(op=op, args=args):
            return op in KEEPING and all(one(a) for a in args if not _is_extent(a, op, args))
        case Load(array=array):
            return array in sums
        case Store(value=value):
            return one(value)
    return False


def _positive(atom: Atom) -> bool:
    return isinstance(atom, Const) and isinstance(atom.value, int | float) and atom.value > 0


def _is_extent(atom: Atom, op: str, args: tuple[Atom, ...]) -> bool:
    """Tell whether an operand is an extent or a position of a result, not a value in it."""
    return op == "zeros" or op in ("reshape", "broadcast_to", "sum_to", "take") and atom is not args[0]
