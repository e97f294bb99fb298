"""Loops divided and nests turned: the same numbers, bit for bit, whatever the nest."""

import numpy as np
import pytest

from bench.workloads.kernels import KERNELS
from srcdiff.compiler import Options, build, prepare, pullback
from srcdiff.lower.interchange import interchange
from srcdiff.lower.layout import layout
from srcdiff.notation import read, run
from srcdiff.syntax import For, is_float
from srcdiff.verify import verify
from tests.modes import primal_results, specialised
from tests.oracle import differences, directions, flat, inner

SHAPES = ((6, 7), (3, 3), (2, 5), (5, 2), (1, 4), (4, 1), (3, 6), (1, 1))


def nests(program) -> list[tuple[str, ...]]:
    """Return the stems of the variables of nested loops, for each innermost loop."""
    def block(body, outer):
        for s in body:
            if isinstance(s, For):
                path = (*outer, s.var.split("_")[0])
                inner = list(block(s.body, path))
                yield from inner or [path]
    return list(block(program.body, ()))


def same(got, wanted) -> bool:
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(got, wanted, strict=True))


class Nest:
    """A random program: loops over rows `i`, columns `j`, and perhaps `g`, which is both, around them."""

    def __init__(self, rng):
        self.rng, self.lines, self.count = rng, [], 0
        self.outer, self.inner = ("j", "i") if rng.random() < 0.75 else ("i", "j")
        self.has_g = rng.random() < 0.6
        self.stack = self.take("", "", "push", "pop")
        self.own = self.take(0.4, 0.7, 0.95)         # how often an access is to the iteration's own row or column

    def take(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def header(self, axis: str, number: int = 0) -> str:
        """Write a loop over 1, ..., n - 2, or the part of it on one side of `g`, in either direction."""
        low, high = "1", {"i": "last", "j": "last_2"}[axis]
        if self.has_g and self.rng.random() < 0.5:
            low, high = self.take(("1", "g"), ("g", high), ("next_g", high))
        var = axis + f"_{number + 1}" * bool(number)
        if self.rng.random() < 0.6:
            return f"for {var} in range({low}, {high}, 1):"
        first, stop = self.fresh("first"), self.fresh("stop")
        self.line(f"{first} = subtract({high}, 1)")
        self.line(f"{stop} = subtract({low}, 1)" if low != "1" else f"{stop} = 0")
        return f"for {var} in range({first}, {stop}, -1):"

    def item(self, axis: str, names) -> str:
        """Return an index of an axis: its variable, a neighbour's, the fixed `g`, or a constant."""
        chance, var = self.rng.random(), next((name for name in names if name.split("_")[0] == axis), None)
        if var == self.outer and self.rng.random() < self.own:
            return var
        if var is None or chance < 0.03:
            return "g" if self.has_g and self.rng.random() < 0.7 else "0"
        if chance < 0.6:
            return var
        if self.has_g and chance < 0.75:
            return "g"
        made = self.fresh("k")
        self.line(f"{made} = {self.take('add', 'subtract')}({var}, 1)")
        return made

    def place(self, names, arrays=("z", "z", "z", "u", "x")) -> str:
        array = self.take(*arrays, "w") if self.outer == "j" else self.take(*arrays)
        if array == "w":
            return f"w[{self.item('j', names)}]"
        return f"{array}[{self.item('i', names)}, {self.item('j', names)}]"

    def statement(self, names, known, carried) -> None:
        chance = self.rng.random()
        if chance < 0.35:
            made = self.fresh("t")
            self.line(f"{made} = {self.place(names)}")
            known.append(made)
        elif chance < 0.55:
            made = self.fresh("t")
            self.line(f"{made} = {self.take('multiply', 'add', 'subtract', 'divide')}({self.take(*known)}, {self.take(*known)})")
            known.append(made)
        elif chance < 0.72 and carried:
            name = self.take(*carried)
            self.line(f"{name} = {self.take('multiply', 'add', 'add', 'divide')}({name}, {self.take(*known)})")
        else:
            self.line(f"{self.place(names, ('z', 'z', 'u'))} {self.take('=', '+=')} {self.take(*known)}")

    def on_stack(self, known) -> None:
        """Put a number on the stack, or take one from it."""
        if self.stack == "pop":
            known.append(self.fresh("t"))
            for text in ("top = subtract(top, 1)", f"{known[-1]} = stack[top]"):
                self.line(text)
        else:
            place = self.fresh("k")
            for text in (f"{place} = copy(top)", "top = add(top, 1)", f"stack[{place}] = {known[-1]}"):
                self.line(text)

    def text(self) -> str:
        self.depth = 1
        self.lines.append('def f(x: "float64[:,:]"):')
        for text in ("n = size(x, axis=0)", "m = size(x, axis=1)", "last = subtract(n, 1)", "last_2 = subtract(m, 1)",
                     "z = copy(x)", "w = x[0, :]", "u = empty(n, m, dtype='float64')", "for a in range(0, n, 1):",
                     "    for b in range(0, m, 1):", "        v = x[a, b]", "        u[a, b] = v", "least = minimum(last, last_2)", "stack = zeros(600, dtype='float64')", "stack[599] = 2.5", "stack[598] = 0.5",
                     "top = 600" if self.stack == "pop" else "top = 0"):
            self.line(text)
        if self.has_g:
            self.line("for g in range(1, least, 1):")
            self.depth += 1
            self.line("next_g = add(g, 1)")
        self.loop()
        self.depth = 1
        for text in ("y = empty(n, m, dtype='float64')", "for c in range(0, n, 1):", "    for d in range(0, m, 1):",
                     "        e = u[c, d]", "        y[c, d] = e", "return z, w, y, stack, top"):
            self.line(text)
        return "\n".join(self.lines) + "\n"

    def loop(self) -> None:
        """Write a loop with one or two inner loops between other statements, and numbers that all of them use."""
        header = self.header(self.outer)
        bounds = [self.header(self.inner, number) for number in range(self.rng.integers(1, 3))]
        self.line(header)
        self.depth += 1
        known, carried = [self.take("0.5", "1.5")], []
        for _ in range(self.rng.integers(0, 3)):
            carried.append(self.fresh("s"))
            self.line(f"{carried[-1]} = {self.take('0.25', self.place([self.outer]))}")
        for bound in bounds:
            for _ in range(self.rng.integers(0, 2)):
                self.statement([self.outer], known, carried)
            self.line(bound)
            self.depth += 1
            names, within = [self.outer, bound.split()[1]], [*known, *carried]
            for _ in range(self.rng.integers(2, 6)):
                self.statement(names, within, carried)
            if self.stack and bound is bounds[0]:
                self.on_stack(within)
            self.line(f"{self.place(names, ('z', 'z', 'u'))} {self.take('=', '+=')} {within[-1]}")
            self.depth -= 1
        for _ in range(self.rng.integers(0, 3)):
            self.statement([self.outer], [*known, *carried], [])


@pytest.mark.parametrize("seed", range(8))
def test_random_nests(seed):
    """Each nest with enough iterations, with one, and with none; a fair share of them is turned."""
    rng, turned = np.random.default_rng(seed), 0
    for number in range(50):
        before = read(Nest(rng).text())
        after = interchange(before)
        verify(after)
        if after is before:
            continue
        turned += nests(after) != nests(before)
        laid = layout(after)
        verify(laid)
        for shape in SHAPES if number % 4 == 0 else SHAPES[:2]:
            x = np.sin(np.arange(1.0, 1.0 + np.prod(shape))).reshape(shape)
            with np.errstate(all="ignore"):
                wanted = run(before, x)
                assert same(run(after, x), wanted) and same(run(laid, x), wanted)
    assert turned >= 20


# -- kernels -------------------------------------------------------------------------------


def smoothed_columns(x, y):
    """Recurrences down the columns with numbers that are handed on, through views of one array."""
    left, right = x[:, :-1], x[:, 1:]
    for j in range(left.shape[1]):
        before = earlier = 0.5
        for i in range(1, x.shape[0]):
            right[i, j] = np.sin(right[i, j]) + 0.25 * left[i - 1, j] + before * 0.1 - earlier * 0.2
            earlier = before
            before = left[i, j]
    for j in range(x.shape[1] - 1, -1, -1):
        before = y[j]
        for i in range(x.shape[0] - 2, -1, -1):
            before = before * 0.3 + x[i, j] / (2.0 + before * before)
            x[i, j] = before
        y[j] = before


def dot_products(x, y):
    """A sum down each column that is divided by in front of, and subtracted in, another walk down it."""
    for j in range(x.shape[1]):
        total = 1.0
        for i in range(x.shape[0]):
            total += x[i, j] * x[i, j]
        for i in range(x.shape[0]):
            x[i, j] -= x[i, j] * y[j] / total
        y[j] = total


CASES = {
    **{name: (KERNELS[name].function, KERNELS[name].make) for name in ("adi", "symm", "lu", "gramschmidt", "deriche", "trisolv")},
    **{f.__name__: (f, lambda n, rng: (rng.normal(size=(n, n + 1)), rng.normal(size=n + 1)))
       for f in (smoothed_columns, dot_products)},
}


@pytest.mark.parametrize("size", (3, 6))
@pytest.mark.parametrize("name", CASES)
def test_kernels(name, size):
    """The value is that of the user's function, bit for bit, and the gradient that of differences."""
    function, make = CASES[name]
    rng = np.random.default_rng(size)
    args = make(size, rng)
    special = specialised(function, args)
    active = tuple(p.name for p in special.program.params if is_float(p.type))
    along = pullback(special.program, active, tuple(range(len(special.program.results))))
    program = prepare(along, "tight")
    values = primal_results(function, args)
    seeds = directions(values, rng)
    found = run(program, *args, *seeds)
    assert same(found[:len(values)], values) and same(flat(run(prepare(special.program, "tight"), *args)), values)
    moves = directions(args, rng)
    slopes = differences(lambda *given: primal_results(function, given), args, moves)
    floats = [m for m in moves if m is not None]
    np.testing.assert_allclose(inner(found[len(values):], floats), inner([s[0] for s in slopes], seeds), rtol=1e-8)


@pytest.mark.parametrize("shape", ((0, 4), (4, 0), (1, 1), (1, 4), (4, 1), (2, 2)))
@pytest.mark.parametrize("function", (smoothed_columns, dot_products))
def test_few_rows_and_columns(function, shape):
    x, y = np.random.default_rng(0).normal(size=shape), np.ones(shape[1])
    program = prepare(specialised(function, (x, y)).program, "tight")
    found = run(program, x, y)
    function(x, y)
    assert same(found, (x, y))


def test_a_python_number_stays_weak():
    """A number that gives way to single precision is not handed on in an array of double precision."""
    def scaled(x):
        for j in range(x.shape[1]):
            factor = 0.1
            for i in range(1, x.shape[0]):
                x[i, j] = x[i, j] * factor + x[i - 1, j]
                factor = factor * 0.5
            x[0, j] = factor

    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    found = run(prepare(specialised(scaled, (x,)).program, "tight"), x)
    scaled(x)
    assert same((found,), (x,))


def test_compiled():
    """Rows, views of one array, and a stack: the compiled code computes what the interpreter does."""
    def eliminated(x, y):
        for k in range(x.shape[1]):
            for j in range(k + 1, x.shape[1]):
                total = 0.0
                for i in range(x.shape[0]):
                    total += np.sin(x[i, j]) * x[i, k]
                for i in range(x.shape[0]):
                    x[i, j] = np.cos(x[i, j]) - 0.5 * x[i, k]
                y[j] += total

    rng = np.random.default_rng(0)
    args = rng.normal(size=(5, 6)), rng.normal(size=6)
    special = specialised(eliminated, args)
    along = pullback(special.program, ("x", "y"), (0, 1))
    program = prepare(along, "tight")
    assert any(path[-2:] == ("i", "j") for path in nests(program))
    seeds = directions(args, rng)
    wanted = run(program, *args, *seeds)
    for got, one in zip(build(along, Options(), tight=True)(*args, *seeds), wanted, strict=True):
        np.testing.assert_allclose(got, one, rtol=1e-11, atol=1e-12)
    slopes = differences(lambda *given: primal_results(eliminated, given), args, args)
    np.testing.assert_allclose(inner(wanted[2:], args), inner([s[0] for s in slopes], seeds), rtol=1e-8)
