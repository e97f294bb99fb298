"""Compare extents of parameters on entry: code that stretches no axis takes them to be equal from there on.

>>> from srcdiff.notation import read
>>> for pair in sorted(equal_extents(read('''
... def f(a: "float64[:,:]", x: "float64[:]", y: "float64[:]", n: "weak int64"):
...     z = copy(y)
...     for i in range(0, n, 1):
...         t = matmul(a, x)
...         z = add(t, y)
...     return z
... ''')).items()):
...     print(*pair)
('x', 0) ('a', 1)
('y', 0) ('a', 0)

Where two arrays meet, code that stretches no axis raises if they are not equally
long.  What is known behind such a check is known on entry, too, if the check
is made there: who calls that code turns to the general one where it raises, so
that it may raise early, and where a loop does not run at all.  Then what a
loop hands on has the same extents in each iteration, as far as they are those
of parameters, and is written into the memory that it has.  What stands in a
branch says nothing: it may be another one that runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from srcdiff.lower.extents import Extents
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Array, Assign, If, Program, Raise, Stmt, Var, blocks_of

__all__ = ["equal_extents"]

Place = tuple[str, int]                 # an array and an axis of it
CODE = "[SD0340]"
SQUARE = ("solve", "inv", "cholesky", "det", "eigvalsh", "eigenvectors", "logabsdet", "det_sign")


def equal_extents(program: Program) -> dict[Place, Place]:
    """Return for axes of parameters those of other ones that have to be as long."""
    equal: dict[Place, Place] = {}
    # A seed has the extents of its primal, not the other way round.
    order = sorted(range(len(program.params)), key=lambda i: bool(program.params[i].like))
    params = {program.params[i].name: rank for rank, i in enumerate(order)}
    statements = list(_always(program.body))
    while True:
        forms = Extents(program, equal)
        found = next(_new_pairs(forms, statements, params), None)
        if found is None:
            return equal
        first, other = sorted(found, key=lambda place: (params[place[0]], place[1]))
        equal = {place: first if target == other else target for place, target in equal.items()} | {other: first}


def _always(body) -> Iterator[Stmt]:
    """Give the statements that do not stand in a branch; of a branch its test alone."""
    for stmt in body:
        yield stmt
        if not isinstance(stmt, If):
            for block in blocks_of(stmt):
                yield from _always(block)


def _new_pairs(forms: Extents, statements, params) -> Iterator[tuple[Place, Place]]:
    """Give pairs of axes of parameters that have to be equally long and are not known to be."""
    tests = {s.target: s.args for s in statements if isinstance(s, Assign) and s.op == "not_equal" and forms.counts[s.target] == 1}
    for stmt in statements:
        for group in _groups(forms, stmt, tests):
            places = [place for place in map(_place, group) if place is not None and place[0] in params]
            yield from ((places[0], other) for other in places[1:] if other != places[0])


def _groups(forms: Extents, stmt: Stmt, tests) -> Iterator[list]:
    """Give sets of extents that a statement takes to be equal."""
    match stmt:
        case If(condition=Var(name=name), then=(*_, Raise(message=text)), orelse=()) if name in tests and text.startswith(CODE):
            yield [forms.scalar(a) for a in tests[name]]
        case Assign(op="matmul", args=(a, b)):
            left, right = forms.forms_of(a), forms.forms_of(b)
            yield [left[-1], right[0 if len(right) == 1 else -2]]
        case Assign(op=op, args=(a, *more)) if op in SQUARE:
            yield [*forms.forms_of(a), *(forms.forms_of(b)[0] for b in more)]
        case Assign(op=op, args=args) if isinstance(forms.types[stmt.target], Array) and PRIMITIVES[op].kind == "elementwise":
            operands = [of[::-1] for of in map(forms.forms_of, args) if of]
            for axis in range(max(map(len, operands), default=0)):
                yield [of[axis] for of in operands if len(of) > axis]


def _place(form) -> Place | None:
    """Return the axis of an array of which a form is the extent."""
    match form:
        case (0, ((("size", name, axis), 1),)):
            return name, axis
    return None
