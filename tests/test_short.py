"""Deep nests with another version for short innermost loops: the same numbers, bit for bit, whatever the extents."""

import numpy as np
import pytest

from srcdiff.compiler import Options, build, prepare, pullback
from srcdiff.lower.layout import layout
from srcdiff.lower.short import short
from srcdiff.notation import read, run
from srcdiff.syntax import For, If, Load, Store, walk
from srcdiff.verify import verify
from tests.modes import primal_results, specialised
from tests.oracle import differences, directions, inner

EXTENTS = ((3, 14, 2, 3), (3, 15, 3, 5), (3, 14, 2, 7), (3, 7, 2, 3), (3, 14, 0, 3), (3, 14, 2, 0), (2, 2, 1, 1))


def same(got, wanted) -> bool:
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(got, wanted, strict=True))


def versions(program) -> list[If]:
    """Return the choices between two versions of a loop."""
    return [s for s in walk(program.body) if isinstance(s, If) and any(isinstance(t, For) for t in s.orelse)]


def rows(program) -> int:
    """Return how many loops put rows back."""
    return sum(isinstance(s, For) and any(isinstance(t, Load) and t.array.split("_")[-1].startswith("row") for t in s.body)
               and isinstance(s.body[-1], Store) and not s.body[-1].accumulate for s in walk(program.body))


class Deep:
    """A random program: a nest over p and q in a loop over j, in one over i, with sums, neighbours and numbers."""

    def __init__(self, rng):
        self.rng, self.lines, self.count = rng, [], 0
        self.own = self.take(0.8, 1.0, 1.0)             # how often an access is to the iteration's own column
        self.is_flipped = self.take(False, True)        # whether columns are the first axis

    def take(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def number(self, text: str) -> str:
        self.count += 1
        self.line(f"t{self.count} = {text}")
        return f"t{self.count}"

    def header(self, var: str, low: str, high: str) -> None:
        if self.rng.random() < 0.7:
            self.line(f"for {var} in range({low}, {high}, 1):")
        else:
            first = self.number(f"subtract({high}, 1)")
            stop = self.number(f"subtract({low}, 1)")
            self.line(f"for {var} in range({first}, {stop}, -1):")
        self.depth += 1

    def column(self) -> str:
        if self.rng.random() < self.own:
            return "j"
        return self.take("1", self.number("subtract(j, 1)"), self.number("add(j, 1)"))

    def place(self, arrays=("z", "u", "v", "x")) -> str:
        array = self.take(*arrays)
        if array == "v":
            return f"v[p, {self.take('q', 'q', '0')}]"
        if array == "z":
            return self.at("z", self.take("i", "i", self.number("subtract(i, 1)")), self.column())
        return self.at(array, self.take("r", "i"), self.take(self.number("add(j, q)"), self.column()))

    def at(self, array: str, row: str, column: str) -> str:
        return f"{array}[{column}, {row}]" if self.is_flipped else f"{array}[{row}, {column}]"

    def within(self, known, sums) -> None:
        """Write what an iteration of all loops does."""
        for _ in range(self.rng.integers(1, 4)):
            known.append(self.number(self.place()))
            op = self.take("multiply", "add", "subtract", "divide")
            known.append(self.number(f"{op}({self.take(*known)}, {self.take(*known)})"))
        if sums and self.rng.random() < 0.7:
            self.line(f"{sums[0]} = {self.take('add', 'add', 'multiply')}({sums[0]}, {known[-1]})")
        if not sums or self.rng.random() < 0.5:
            self.line(f"{self.place(('z', 'z', 'u', 'v'))} {self.take('=', '+=', '+=')} {known[-1]}")

    def text(self) -> str:
        self.depth = 1
        self.lines.append('def f(x: "float64[:,:]", w: "float64[:,:]", y: "float64[:,:]"):')
        for text in (f"n = size(y, axis={+self.is_flipped})", f"m = size(y, axis={1 - self.is_flipped})", "h = size(w, axis=0)", "l = size(w, axis=1)",
                     "z = copy(y)", "u = copy(x)", "v = copy(w)", "last = subtract(m, 1)"):
            self.line(text)
        self.header("i", "1", "n")
        self.header("j", self.take("0", "1"), "last")
        known, sums = ["0.5"], []
        if self.rng.random() < 0.6:
            sums.append(self.number(self.take("0.25", self.at("z", "i", "j"))))
        if self.rng.random() < 0.3:
            self.line(f"{self.at('z', 'i', self.column())} = {self.take('1.5', *sums)}")
        self.header("p", "0", "h")
        self.line("r = add(i, p)")
        if self.rng.random() < 0.3:
            known.append(self.number(self.at(self.take("x", "z"), "i", "p")))
        self.header("q", "0", "l")
        self.within(known, sums)
        self.depth = 3
        if sums:
            self.line(f"{self.at('z', 'i', self.column())} {self.take('=', '+=')} {sums[0]}")
        self.lines.append("    return z, u, v")
        return "\n".join(self.lines) + "\n"


@pytest.mark.parametrize("seed", range(4))
def test_random_nests(seed):
    """Axes long and short, and empty; a fair share of the nests has two versions."""
    rng, found = np.random.default_rng(seed), 0
    for number in range(40):
        nest = Deep(rng)
        before = read(nest.text())
        after = layout(short(before))
        verify(after)
        found += bool(versions(after))
        if after is before:
            continue
        for n, m, h, k in EXTENTS if number % 8 == 0 else EXTENTS[:2]:
            shapes = (n + h, m + k), (h, k), (n, m)
            args = [np.sin(np.arange(1.0, 1.0 + np.prod(s))).reshape(s) for s in shapes]
            args = [args[0].T.copy(), args[1], args[2].T.copy()] if nest.is_flipped else args
            with np.errstate(all="ignore"):
                assert same(run(after, *args), run(before, *args))
    assert found >= 5


def filtered(image, weights, out):
    """A filter with several results for each pixel, its sums in a number."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for o in range(out.shape[2]):
                total = 0.5
                for p in range(weights.shape[0]):
                    for q in range(weights.shape[1]):
                        total += image[i + p, j + q] * weights[p, q, o]
                out[i, j, o] = np.sin(total)


def added(image, weights, out):
    """A filter whose sums are elements, which start as they are given."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for o in range(out.shape[2]):
                out[i, j, o] *= 0.5
            for p in range(weights.shape[0]):
                for q in range(weights.shape[1]):
                    for o in range(out.shape[2]):
                        out[i, j, o] += image[i + p, j + q] * weights[p, q, o]


def arguments(columns, filters):
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, columns + 2)), rng.normal(size=(2, 3, filters)), rng.normal(size=(2, columns, filters))


@pytest.mark.parametrize("columns, filters", ((12, 3), (2, 16), (12, 16)))
@pytest.mark.parametrize("function", (filtered, added))
def test_filters(function, columns, filters):
    """The value is the user's, bit for bit, and the gradient that of differences, in either version."""
    args = arguments(columns, filters)
    special = specialised(function, args)
    program = prepare(pullback(special.program, tuple(p.name for p in special.program.params), (0,)), "tight")
    assert len(versions(program)) == 2
    values = primal_results(function, args)
    rng = np.random.default_rng(1)
    seeds, moves = directions(values, rng), directions(args, rng)
    found = run(program, *args, *seeds)
    assert same(found[:len(values)], values)
    slopes = differences(lambda *given: primal_results(function, given), args, moves)
    np.testing.assert_allclose(inner(found[len(values):], moves), inner([s[0] for s in slopes], seeds), rtol=1e-8)


def mixed(image, weights, out):
    """A filter of several channels: the loop over q only shifts what that over j goes through."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for p in range(weights.shape[0]):
                for q in range(weights.shape[1]):
                    for c in range(weights.shape[2]):
                        for o in range(out.shape[2]):
                            out[i, j, o] += image[i + p, j + q, c] * weights[p, q, c, o]


@pytest.mark.parametrize("taps", range(4))
@pytest.mark.parametrize("channels", (0, 2))
def test_a_loop_that_shifts(taps, channels):
    """What it reaches altogether is packed once, and nothing where it does not run: there need be no such elements."""
    rng, columns = np.random.default_rng(taps), 12
    shapes = (3 if taps else 1, columns + taps - 1 if taps else 0, channels), (2, taps, channels, 3), (2, columns, 3)
    args = tuple(rng.normal(size=shape) for shape in shapes)
    special = specialised(mixed, args)
    program = prepare(pullback(special.program, tuple(p.name for p in special.program.params), (0,)), "tight")
    wide = {n for n, t in program.types.items() if n.startswith(("image_row", "image_bar_row")) and t.ndim == 2}
    assert len(wide) == 3
    seeds = [rng.normal(size=shapes[2])]
    out, image_bar, weights_bar, out_bar = run(program, *args, *seeds)
    value = args[2].copy()
    mixed(*args[:2], value)
    assert same([out], [value])
    windows = [[args[0][p:p + 2, q:q + columns] for q in range(taps)] for p in range(2)]
    wanted = np.zeros(shapes[0])
    for p, q in np.ndindex(2, taps):
        np.testing.assert_allclose(weights_bar[p, q], np.einsum("ijc,ijo->co", windows[p][q], seeds[0]), rtol=1e-12, atol=1e-12)
        wanted[p:p + 2, q:q + columns] += seeds[0] @ args[1][p, q].T
    np.testing.assert_allclose(image_bar, wanted, rtol=1e-12, atol=1e-12)
    assert same([out_bar], seeds)


def test_compiled():
    args = arguments(12, 3)
    special = specialised(added, args)
    along = pullback(special.program, tuple(p.name for p in special.program.params), (0,))
    seeds = directions(args[2:], np.random.default_rng(1))
    wanted = run(prepare(along, "tight"), *args, *seeds)
    for got, one in zip(build(along, Options(), tight=True)(*args, *seeds), wanted, strict=True):
        np.testing.assert_allclose(got, one, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("text, inner", (
    ("t = x[j, q]", "j"), ("t = x[q, j]", "j"), ("t = y[i, j, q]", "j"), ("t = y[j, i, q]", "i"), ("t = y[j, p, i]", "i"), ("t = y[j, p, q]", "i")))
def test_the_step_inside_is_short(text, inner):
    """A loop goes inside only if it moves along the last two axes."""
    assert nest(f"{text}; u[i, j] += t") == inner


@pytest.mark.parametrize("text, inner", (
    ("u[i, j] += t", "j"), ("u[i, q] += t", "i"), ("u[p, j] = t", "j"), ("u[p, q] = t", "j"), ("u[0, q] += t", ""), ("v = add(v, t)", "")))
def test_what_depends_on_the_order(text, inner):
    """An element, or a number, that several iterations of the loop change keeps it where it is."""
    assert nest(f"t = x[j, q]; {text}") == inner


def nest(text: str) -> str:
    """Return which loop of a nest over i, j, p and q goes inside."""
    program = read(f"""
def f(x: "float64[:,:]", y: "float64[:,:,:]", z: "float64[:,:]", n: "int64", m: "int64"):
    u = copy(z)
    v = 0.0
    for i in range(0, n, 1):
        for j in range(0, n, 1):
            for p in range(0, m, 1):
                for q in range(0, m, 1):
                    {text}
    return u, v
""")
    found = versions(short(program))
    return [s.var for s in walk(found[0].then) if isinstance(s, For)][-1] if found else ""
