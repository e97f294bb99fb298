"""Extents as symbolic numbers: which axes provably have the same length.

A *form* is a linear combination of symbols, ``constant + sum(k * symbol)``, as
a nested tuple; two equal forms are equal numbers in every run.  `Extents` gives
each integer scalar and each axis of each array a form, or None where nothing
can be said (a variable that changes).

A variable with one definition is as good as a value in static single
assignment form, because definitions precede reads on every path.  A variable
with several definitions has the extents on which all of them agree, found by
assuming the first and withdrawing what is contradicted.
"""

from __future__ import annotations

from collections import Counter

from srcdiff.builder import INT
from srcdiff.lower.forms import (
    ONE,
    ZERO,
    at_least_zero,
    broadcast,
    constant,
    extent,
    is_constant,
    plus,
    product,
    symbol,
    trips,
)
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Array, Assign, Const, For, Load, Scalar, Span, Store, Var, blocks_of, defined, walk

__all__ = ["Extents"]


def definitions(program) -> Counter:
    """Return how often each variable is defined (a `Store` is not a definition)."""
    counts = Counter(p.name for p in program.params)
    counts.update(defined(s) for s in walk(program.body) if not isinstance(s, Store))
    return counts


class Extents:
    """Forms of the integer scalars and of the extents of a program.

    Parameters
    ----------
    program
        What to analyse.
    equal
        For axes of parameters those of other ones that are as long (`srcdiff.lower.entry`).
    """

    def __init__(self, program, equal=None):
        self.types = program.types
        self.equal = equal or {}
        self.counts = definitions(program)
        self.withdrawn: set[tuple[str, int]] = set()
        self.natural = self._counters(program)
        while True:
            self.scalars, self.arrays, self.stable = {}, {}, True
            for p in program.params:
                self._define_param(p)
            self._block(program.body)
            if self.stable:
                break

    # -- questions ------------------------------------------------------------------

    def scalar(self, atom):
        """Return the form of an integer atom, or None."""
        if isinstance(atom, Const):
            return constant(int(atom.value)) if isinstance(atom.value, int) else None
        return self.scalars.get(atom.name)

    def of(self, array: str) -> tuple:
        """Return one form (or None) for each axis of `array`."""
        return self.arrays.get(array, (None,) * self.types[array].ndim)

    def nonnegative(self, atom) -> bool:
        form = self.scalar(atom)
        return form is not None and at_least_zero(form) or isinstance(atom, Var) and atom.name in self.natural

    def _counters(self, program) -> set[str]:
        """Return the integers with several definitions: never negative, until one of these says otherwise."""
        loops = {s.var for s in walk(program.body) if isinstance(s, For)}
        return {n for n, count in self.counts.items() if n is not None and count > 1 and n not in loops
                and n not in {p.name for p in program.params} and self.types[n] in (INT, Scalar("int64"))}

    # -- the walk ---------------------------------------------------------------------

    def _define_param(self, p):
        if isinstance(p.type, Array):
            self.arrays[p.name] = tuple(symbol("size", *self.equal.get((p.name, k), (p.name, k))) if n is None else constant(n)
                                        for k, n in enumerate(p.extents or (None,) * p.type.ndim))
        elif p.type.dtype == "int64":
            self.scalars[p.name] = symbol("var", p.name)

    def _block(self, body):
        for stmt in body:
            if isinstance(stmt, For):
                natural = isinstance(stmt.step, Const) and (
                    self.nonnegative(stmt.start) if stmt.step.value > 0 else
                    isinstance(stmt.stop, Const) and stmt.stop.value >= -1)
                self.scalars[stmt.var] = symbol("index" if natural else "var", stmt.var)
            for block in blocks_of(stmt):
                self._block(block)
            if isinstance(stmt, Assign | Load):
                self._define(stmt)

    def _define(self, stmt):
        type_, name = self.types[stmt.target], stmt.target
        if isinstance(type_, Array):
            forms = _RULES_OF_LOAD(self, stmt) if isinstance(stmt, Load) else self._assign(stmt)
            self._define_array(name, forms)
        elif type_.dtype in ("int64", "bool") and self.counts[name] == 1:
            form = self._number(stmt) if isinstance(stmt, Assign) else None
            kind = "natural" if form is None and self._is_natural(stmt) else "var"
            self.scalars[name] = symbol(kind, name) if form is None else form
        elif name in self.natural and not self._is_natural(stmt):
            self.natural.remove(name)
            self.stable = False

    def _define_array(self, name, forms):
        if self.counts[name] == 1:
            forms = tuple(symbol("size", name, k) if f is None else f
                          for k, f in enumerate(forms))
        else:
            old = self.arrays.get(name, forms)
            for k, (f, g) in enumerate(zip(old, forms, strict=True)):
                if (f is None or f != g) and (name, k) not in self.withdrawn:
                    self.withdrawn.add((name, k))
                    self.stable = False
            forms = tuple(None if (name, k) in self.withdrawn else f for k, f in enumerate(old))
        self.arrays[name] = forms

    def _number(self, stmt):
        """Return the form of an integer scalar that `stmt` computes, or None."""
        if stmt.op == "size":
            return self.of(stmt.args[0].name)[stmt.keywords["axis"]]
        forms = [self.scalar(a) if not isinstance(self._type(a), Array) else None
                 for a in stmt.args]
        if any(f is None for f in forms) or stmt.op not in _NUMBERS:
            return None
        return _NUMBERS[stmt.op](*forms)

    def _is_natural(self, stmt) -> bool:
        """Tell whether an assignment gives an integer that is at least 0."""
        if not isinstance(stmt, Assign) or stmt.op not in _NATURAL:
            return False
        operands = stmt.args[1:] if stmt.op == "where" else stmt.args
        return _NATURAL[stmt.op](map(self.nonnegative, operands))

    def _type(self, atom):
        return self.types[atom.name] if isinstance(atom, Var) else None

    def forms_of(self, atom) -> tuple:
        """Return the extents of an operand; none for a scalar."""
        return self.of(atom.name) if isinstance(self._type(atom), Array) else ()

    def _assign(self, stmt):
        rule = _RULES.get(stmt.op)
        if rule is None and PRIMITIVES[stmt.op].kind == "elementwise":
            rule = _elementwise
        ndim = self.types[stmt.target].ndim
        forms = rule(self, stmt) if rule else (None,) * ndim
        assert len(forms) == ndim, stmt
        return forms


_NUMBERS = {
    "copy": lambda a: a, "weaken": lambda a: a,
    "add": plus,
    "subtract": lambda a, b: plus(a, b, -1),
    "negative": lambda a: plus(ZERO, a, -1),
    "multiply": product,
    "maximum": lambda a, b: extent(a) if b == ZERO else extent(b) if a == ZERO else
        constant(max(a[0], b[0])) if is_constant(a) and is_constant(b) else None,
    "minimum": lambda a, b: constant(min(a[0], b[0])) if is_constant(a) and is_constant(b)
        else symbol("minimum", *sorted((a, b), key=repr)),
    "trips": trips,
}

_NATURAL = {"maximum": any, "trips": lambda _: True, "size": lambda _: True,
            **dict.fromkeys(("where", "minimum", "floor_divide", "add", "multiply", "copy", "weaken"), all)}


# -- extents of results ---------------------------------------------------------------


def _elementwise(self, stmt):
    forms = [self.forms_of(a) for a in stmt.args]
    ndim = max(map(len, forms))
    return tuple(broadcast([f[len(f) - ndim + k] for f in forms if len(f) >= ndim - k])
                 for k in range(ndim))


def _reduction(self, stmt):
    forms, axis = self.forms_of(stmt.args[0]), stmt.keywords["axis"]
    axis = (axis,) if isinstance(axis, int) else range(len(forms)) if axis is None else axis
    if stmt.keywords.get("keepdims"):
        return tuple(ONE if k in axis else f for k, f in enumerate(forms))
    return tuple(f for k, f in enumerate(forms) if k not in axis)


def _expand(self, stmt):
    forms, axis = list(self.forms_of(stmt.args[0])), stmt.keywords["axis"]
    for k in sorted((axis,) if isinstance(axis, int) else axis):
        forms.insert(k, ONE)
    return tuple(forms)


def _squeeze(self, stmt):
    forms, axis = self.forms_of(stmt.args[0]), stmt.keywords["axis"]
    axis = (axis,) if isinstance(axis, int) else axis
    return tuple(f for k, f in enumerate(forms) if k not in axis)


def _given(skip):
    """The operands after the first `skip` are the extents."""
    def rule(self, stmt):
        return tuple(None if (f := self.scalar(a)) is None else extent(f)
                     for a in stmt.args[skip:])
    return rule


def _reshape(self, stmt):
    if any(isinstance(a, Const) and a.value < 0 for a in stmt.args[1:]):
        return (None,) * (len(stmt.args) - 1)
    return _given(1)(self, stmt)


def _concatenate(self, stmt):
    forms, axis = [self.forms_of(a) for a in stmt.args], stmt.keywords["axis"]
    total = ZERO
    for f in forms:
        total = None if total is None or f[axis] is None else plus(total, f[axis])
    return tuple(total if k == axis else next((f[k] for f in forms if f[k] is not None), None)
                 for k in range(len(forms[0])))


def _take(self, stmt):
    forms, index = self.forms_of(stmt.args[0]), self.forms_of(stmt.args[1])
    axis = stmt.keywords["axis"]
    return forms[:axis] + index + forms[axis + 1:]


def _matmul(self, stmt):
    a, b = map(self.forms_of, stmt.args)
    lead = max(len(a), len(b)) - 2
    batch = tuple(broadcast([f[len(f) - 2 - lead + k] for f in (a, b) if len(f) >= 2 + lead - k])
                  for k in range(max(lead, 0)))
    return batch + a[-2:-1] + (b[-1:] if len(b) > 1 else ())


_RULES = {
    **dict.fromkeys(("sum", "prod", "max", "min", "any", "all", "argmax", "argmin"), _reduction),
    "transpose": lambda self, s: tuple(self.forms_of(s.args[0])[p] for p in s.keywords["perm"]),
    "expand_dims": _expand, "squeeze": _squeeze,
    **dict.fromkeys(("cumsum", "inv", "cholesky", "eigenvectors"), lambda self, s: self.forms_of(s.args[0])),
    "solve": lambda self, s: self.forms_of(s.args[1]), "eigvalsh": lambda self, s: self.forms_of(s.args[0])[:1],
    "broadcast_to": _given(1), "sum_to": _given(1), "full": _given(1), "reshape": _reshape,
    "zeros": _given(0), "empty": _given(0), "eye": _given(0), "seed": _given(0),
    "array": lambda self, s: tuple(map(constant, s.keywords["shape"])),
    "concatenate": _concatenate, "take": _take, "matmul": _matmul,
    "tape_grow": lambda self, s: (None,) + self.forms_of(s.args[0])[1:],
}


def span_form(self, form, span):
    """Return the length of ``x[span]`` for an axis of length `form`, or None."""
    step = 1 if span.step is None else span.step.value if isinstance(span.step, Const) else None
    if form is None or step is None:
        return None
    if span.start is None and span.stop is None and step in (1, -1):
        return form
    start = ZERO if span.start is None else self.scalar(span.start)
    if step < 1 or start is None or not at_least_zero(start):
        return None
    stop = form if span.stop is None else self.scalar(span.stop)
    if stop is None:
        return None
    if is_constant(stop) and stop[0] < 0 or isinstance(span.stop, Const) and span.stop.value < 0:
        stop = plus(form, stop)
    elif span.stop is not None and not (at_least_zero(stop) and at_least_zero(plus(form, stop, -1))):
        return None
    return trips(start, stop, constant(step))


def _RULES_OF_LOAD(self, stmt):
    forms, out, axis = self.of(stmt.array), [], 0
    if any(isinstance(self._type(i), Array) for i in stmt.index if not isinstance(i, Span)):
        return (None,) * self.types[stmt.target].ndim
    for item in stmt.index:
        if isinstance(item, Span):
            out.append(span_form(self, forms[axis], item))
        axis += 1
    return tuple(out)
