"""Random programs in normal form, from a seed, that run on any input without failing.

Each has parameters ``x, y: float64[:]`` of one extent, ``a: float64``,
``w: weak float64``, ``n``: that extent, ``z``: a small trip count that may be
zero, and ``m: float64[:, :]`` of extents (n, n).  Nothing is computed whose
value depends on the sign of a zero, so that
results compare exactly.  All vectors have extent `n`, all matrices (n, n).
There are loops, branches, `while` loops, stores,
variables assigned on several paths, broadcasts, and the resets and
accumulations that adjoint code is made of.  With ``dtype="float32"`` the
floats are narrow, some are widened, and Python numbers stay weak.
"""

from __future__ import annotations

import random

import numpy as np

from srcdiff.builder import Builder
from srcdiff.primitives import infer, unify
from srcdiff.syntax import ALL, Array, Const, Param, Program, Scalar, Span, Var

__all__ = ["random_arguments", "random_program"]

FLOAT, WEAK, INT = Scalar("float64"), Scalar("float64", weak=True), Scalar("int64", weak=True)
VECTOR, MATRIX = Array("float64", 1), Array("float64", 2)
UNARY = ("sin", "tanh", "negative", "absolute", "cos")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum")


def random_arguments(seed: int, dtype: str = "float64") -> tuple:
    """Return arguments for any of the programs."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    values = rng.standard_normal((2 + n, n)).round(2).astype(dtype)
    a = values.dtype.type(values[0, 0] + 0.5)
    return values[0], values[1], a, float(values[1, 0]), n, seed % 3, values[2:]


def random_program(seed: int, size: int = 25, dtype: str = "float64") -> Program:
    """Return a program of about `size` statements."""
    return _Writer(random.Random(seed), dtype).program(size)


def kind_of(type_):
    """Return the type with which a type may be mixed: its float64 relative."""
    if isinstance(type_, Array):
        return Array("float64", type_.ndim) if type_.dtype.startswith("float") else type_
    return FLOAT if type_.dtype == "float32" else type_


class _Writer:
    """Write statements at random; `scope` lists what is assigned on every path to here."""

    def __init__(self, rng: random.Random, dtype: str):
        self.rng, self.dtype = rng, dtype
        self.params = (Param("x", Array(dtype, 1)), Param("y", Array(dtype, 1)), Param("a", Scalar(dtype)),
                       Param("w", WEAK), Param("n", INT), Param("z", INT), Param("m", Array(dtype, 2)))
        self.builder = Builder({p.name: p.type for p in self.params})
        self.scope = [p.name for p in self.params]
        self.indices: list[str] = []    # loop variables that are positions of every array
        self.fixed = set(self.scope)    # not to be assigned: parameters, loop variables, counters
        self.depth = 0

    def program(self, size) -> Program:
        for _ in range(size):
            self.statement()
        names = [n for n in self.scope if n not in self.fixed]
        chosen = self.rng.sample(names, min(len(names), 4)) or ["a"]
        return Program("f", self.params, self.builder.take(), tuple(map(Var, chosen)), dict(self.builder.types))

    def statement(self):
        kinds = (["unary", "binary", "vector"] * 3 + ["load", "store", "store", "update"] * 2
                 + ["matrix", "reset", "copy", "size", "integer", "structure", "reduce", "compare"]
                 + ["loop", "loop", "branch", "repeat"] * (self.depth < 3))
        getattr(self, self.rng.choice(kinds))()

    # -- operands ------------------------------------------------------------------------

    def names(self, *types, local=False):
        return [n for n in self.scope
                if kind_of(self.builder.types[n]) in types and not (local and n in self.fixed)]

    def pick(self, *types):
        return Var(self.rng.choice(self.names(*types)))

    def scalar(self):
        if self.rng.random() < 0.2:
            return Const(self.rng.choice([0.0, 1.0, -1.0, 0.5, 2.0]))
        return self.pick(FLOAT, WEAK)

    def some_dtype(self):
        return self.dtype if self.rng.random() < 0.8 else "float64"

    def position(self):
        return Var(self.rng.choice(self.indices)) if self.indices and self.rng.random() < 0.9 else Const(0)

    def put(self, op, *args, **static):
        """Assign to a variable: a new one, or one of the right type that there is."""
        static_ = tuple(sorted(static.items()))
        type_ = infer(op, tuple(map(self.builder.type_of, args)), static_)
        names = [n for n in self.names(kind_of(type_), local=True) if self.builder.types[n] == type_]
        if names and self.rng.random() < 0.4:
            self.builder.assign(self.rng.choice(names), op, *args, **static)
        else:
            self.scope.append(self.builder.op(op, *args, stem=self.rng.choice("stuvpq"), **static).name)

    # -- simple statements --------------------------------------------------------------------

    def unary(self):
        self.put(self.rng.choice(UNARY), self.scalar())

    def binary(self):
        self.put(self.rng.choice(BINARY), self.scalar(), self.scalar())

    def vector(self):
        other = self.rng.choice([self.pick(VECTOR), self.scalar()])
        self.put(self.rng.choice(BINARY), self.pick(VECTOR), other)

    def matrix(self):
        other = self.rng.choice([self.pick(VECTOR), self.scalar(), self.pick(MATRIX)])
        self.put(self.rng.choice(BINARY), self.pick(MATRIX), other)

    def reset(self):
        match self.rng.randrange(4):
            case 0:
                self.put("zeros", Var("n"), dtype=self.some_dtype())
            case 1:
                self.put("zeros", Var("n"), Var("n"), dtype=self.some_dtype())
            case 2:
                self.put("full", self.scalar(), Var("n"), dtype=self.some_dtype())
            case 3:
                self.put("copy", Const(0.0))

    def copy(self):
        self.put("copy", self.pick(FLOAT, WEAK, VECTOR, MATRIX))

    def size(self):
        self.put("size", self.pick(VECTOR, MATRIX), axis=0)

    def integer(self):
        self.put(self.rng.choice(("add", "multiply")), self.pick(INT), Const(self.rng.randrange(2)))

    def compare(self):
        condition = self.builder.op("less", self.scalar(), self.scalar(), stem="c")
        self.put("where", condition, self.scalar(), self.scalar())

    def reduce(self):
        match self.rng.randrange(4):
            case 0:
                self.put("sum", self.pick(VECTOR), axis=(0,))
            case 1:
                self.put("sum", self.pick(MATRIX), axis=(self.rng.randrange(2),))
            case 2:
                self.put("sum_to", self.pick(VECTOR, MATRIX))
            case 3:
                self.put("sum_to", self.pick(VECTOR, MATRIX), Var("n"))

    def structure(self):
        match self.rng.randrange(5):
            case 0:
                self.put("transpose", self.pick(MATRIX), perm=self.rng.choice([(0, 1), (1, 0)]))
            case 1:
                self.put("broadcast_to", self.rng.choice([self.scalar(), self.pick(VECTOR)]), Var("n"), Var("n"))
            case 2:
                self.put("broadcast_to", self.rng.choice([self.scalar(), self.pick(VECTOR)]), Var("n"))
            case 3:
                column = self.builder.op("expand_dims", self.pick(VECTOR), axis=(1,))
                self.put("add", column, self.pick(VECTOR, MATRIX))
            case 4:
                self.put("cast", self.pick(FLOAT, VECTOR), dtype=self.some_dtype())

    # -- elements -----------------------------------------------------------------------------------

    def element(self, array):
        """Return an index of one element, or of a row or all, and the type of the region."""
        match self.builder.types[array]:
            case Array(ndim=1):
                return self.rng.choice([((self.position(),), FLOAT)] * 5 + [((ALL,), VECTOR)])
        return self.rng.choice([((self.position(), self.position()), FLOAT), ((self.position(), ALL), VECTOR),
                                ((ALL, ALL), MATRIX)])

    def load(self):
        array = self.pick(VECTOR, MATRIX).name
        index, _ = self.element(array)
        name = self.builder.load(array, index, stem=self.rng.choice("stuv")).name
        self.scope.append(name)

    def writable(self):
        """Return an array that may be stored to; makes one if there is none."""
        if not self.names(VECTOR, MATRIX, local=True):
            self.scope.append(self.builder.op("zeros", Var("n"), stem="b", dtype=self.some_dtype()).name)
        return self.rng.choice(self.names(VECTOR, MATRIX, local=True))

    def store(self):
        array = self.writable()
        index, region = self.element(array)
        values = self.names(region) if region.ndim else []
        value = Var(self.rng.choice(values)) if values and self.rng.random() < 0.6 else self.scalar()
        if value != Var(array):
            self.builder.store(array, index, value, accumulate=self.rng.random() < 0.4)
        if self.builder.types[array].ndim == 1 and self.rng.random() < 0.1:
            self.shift(array)

    def shift(self, array):
        part = self.builder.load(self.pick(VECTOR).name, (Span(Const(1)),))
        self.builder.store(array, (Span(None, Const(-1)),), part, accumulate=self.rng.random() < 0.5)

    def update(self):
        """Load an element, change it and store it again, as adjoint code does."""
        array = self.writable()
        index, _ = self.element(array)
        old = self.builder.load(array, index, stem="e")
        new = self.builder.op(self.rng.choice(("add", "multiply")), old, self.scalar(), stem="e")
        self.builder.store(array, index, new)
        if self.rng.random() < 0.5:
            self.builder.store(array, index, Const(0.0))

    # -- blocks -----------------------------------------------------------------------------------------

    def block(self):
        """Write a block; what it declares is out of scope after it."""
        scope, self.depth = list(self.scope), self.depth + 1
        with self.builder.nested() as body:
            for _ in range(self.rng.randrange(1, 6)):
                self.statement()
        self.depth -= 1
        self.inner, self.scope = self.scope, scope
        return body

    def loop(self):
        stop = self.rng.choice([Var("n"), Var("n"), Var("z"), Const(2), Const(0)])
        with self.builder.loop(Const(0), stop, stem=self.rng.choice("ij")) as index:
            self.fixed.add(index.name)
            positions, scope = list(self.indices), list(self.scope)
            self.scope.append(index.name)
            if stop == Var("n"):
                self.indices.append(index.name)
            self.builder.append(*self.block())
        self.indices, self.scope = positions, scope

    def branch(self):
        """Write a branch at whose end both sides assign one variable."""
        condition = self.builder.op("less", self.scalar(), self.scalar(), stem="c")
        then, first = self.block(), self.inner
        orelse, second = self.block(), self.inner
        values = []
        for scope in (first, second):
            self.scope, outer = scope, self.scope
            values.append(self.pick(FLOAT))
            self.scope = outer
        merged = self.builder.fresh("r", unify(*map(self.builder.type_of, values)))
        for block, value in zip((then, orelse), values, strict=True):
            with self.builder.nested() as end:
                self.builder.copy(merged, value)
            block += end
        self.builder.branch(condition, then, orelse)
        self.scope.append(merged)

    def repeat(self):
        """Write a `while` loop that a counter ends."""
        counter = self.builder.op("copy", Const(0), stem="k").name
        self.fixed.add(counter)
        limit = self.rng.choice([Var("z"), Const(2), Const(0)])
        with self.builder.nested() as test:
            condition = self.builder.op("less", Var(counter), limit, stem="c")
        body = self.block()
        with self.builder.nested() as end:
            self.builder.assign(counter, "add", Var(counter), Const(1))
        self.builder.repeat(test, condition, body + end)
