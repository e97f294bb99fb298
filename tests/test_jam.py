"""Rows taken two at a time, and loops whose iterations may run at once: only where that changes no number."""

from dataclasses import replace

import numpy as np
import pytest

from srcdiff.compiler import Options, build, prepare, pullback
from srcdiff.lower.at_once import at_once
from srcdiff.lower.jam import jam
from srcdiff.notation import in_any_order, read, run
from srcdiff.syntax import Assign, Const, For, Program, Var, blocks_of, walk, with_blocks
from srcdiff.verify import verify
from tests.modes import specialised

X = np.sin(np.arange(64.0)).reshape(8, 8) + 1.5
BOUNDS = [("0", "4"), ("0", "i"), ("i", "6"), ("1", "i"), ("0", "0"), ("5", "i"), ("i", "i"), ("0", "m")]


class Nest:
    """A random program: in a loop over i, one over k around one over j, with accesses to rows and columns of both."""

    def __init__(self, rng):
        self.rng, self.lines, self.count = rng, [], 0

    def take(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def element(self) -> str:
        place = self.take("j", "j", "j", "jn", "k", "0")
        return self.take(f"z[{self.take('k', 'k', 'i', 'kn', 'j')}, {place}]", f"z[{self.take('k', 'i')}, j]", "w[j]",
                         f"w[{place}]", f"x[{self.take('i', 'k')}, {place}]", f"v[{self.take('i', 'k')}]")

    def statements(self, indent: str, count: int) -> None:
        for _ in range(count):
            a, b, c = (f"t{self.count + k}" for k in range(3))
            self.count += 3
            lines = [f"{a} = {self.element()}", f"{b} = {self.element()}", f"{a}s = multiply(0.01, {a})", f"{c} = multiply({a}s, {b})"]
            target = self.element()
            lines += [] if target.startswith("x") else [f"{target} {self.take('=', '+=', '+=')} {c}"]
            if len(indent) < 16:                        # in front of the loop over j
                lines = [line.replace("jn", "1").replace("j", "0") for line in lines]
            self.lines += [indent + line for line in lines]

    def program(self) -> Program:
        low, high = self.take(*BOUNDS)
        self.lines += [f"        for k in range({low}, {high}, 1):", "            kn = add(k, 1)"]
        self.statements(" " * 12, self.take(0, 0, 1))
        self.lines += [f"            for j in range({self.take('0', '0', '1', 'i')}, {self.take('m', '5', 'i')}, 1):", "                jn = add(j, 1)"]
        self.statements(" " * 16, self.take(1, 1, 2))
        head = ["def f(x: \"float64[:,:]\"):", "    z = copy(x)", "    w = x[0, :]", "    v = x[:, 1]", "    n = size(v, axis=0)",
                "    m = subtract(n, 1)", "    for i in range(0, 3, 1):"]
        return read("\n".join([*head, *self.lines, "    return z, w, v"]) + "\n")


def same(got, wanted) -> bool:
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(got, wanted, strict=True))


def backwards(program: Program) -> tuple[Program, int]:
    """Return the program with its marked loops run backwards, and how many there are."""
    count = 0

    def block(body):
        return tuple(one(s) for stmt in body for s in around(stmt))

    def around(stmt):
        nonlocal count
        if not (isinstance(stmt, For) and stmt.at_once):
            return (stmt,)
        count += 1
        first, last = f"first_{count}", f"last_{count}"
        program.types.update(dict.fromkeys((first, last), program.types[stmt.var]))
        return (Assign(first, "subtract", (stmt.start, Const(1))), Assign(last, "subtract", (stmt.stop, Const(1))),
                replace(stmt, start=Var(last), stop=Var(first), step=Const(-1)))

    def one(stmt):
        return with_blocks(stmt, [block(b) for b in blocks_of(stmt)]) if blocks_of(stmt) else stmt

    return program.with_body(block(program.body)), count


def test_random_nests_give_the_same_bits():
    jammed = marked = 0
    for seed in range(80):
        program = Nest(np.random.default_rng(seed)).program()
        wanted = run(program, X)
        changed = jam(program)
        verify(changed)
        jammed += changed != program
        assert same(run(changed, X), wanted), seed
        reversed_, count = backwards(at_once(changed))
        marked += count
        assert same(run(reversed_, X), wanted), seed
    assert jammed > 5 and marked > 30


@pytest.mark.parametrize("body", [
    "t = z[k, j]\nz[kn, j] += t",                       # the next row is made of this one
    "t = w[j]\nz[k, j] += t\nu = z[k, jn]\nw[jn] += u",
    "t = x[k, j]\nw[0] += t",                           # not a row
    "t = w[k]\nu = x[k, j]\ns = multiply(t, u)\nw[j] += s",     # what is added to is a factor of the next row
])
def test_rows_that_depend_on_each_other_are_taken_one_by_one(body):
    lines = ["def f(x: \"float64[:,:]\"):", "    z = copy(x)", "    w = x[0, :]", "    for i in range(0, 5, 1):",
             "        for k in range(0, 5, 1):", "            kn = add(k, 1)", "            for j in range(0, 6, 1):",
             "                jn = add(j, 1)", *(" " * 16 + line for line in body.split("\n")), "    return z, w"]
    program = read("\n".join(lines) + "\n")
    assert jam(program) == program


@pytest.mark.parametrize("body, marks", [
    ("t = x[j, 0]\nz[j, 0] += t", "1"),
    ("t = z[j, 1]\nz[j, 0] += t", "1"),
    ("p = add(j, 1)\nt = z[p, 0]\nz[j, 0] = t", "0"),
    ("t = x[j, 0]\nz[0, 0] += t", "0"),                 # a sum of all iterations, in memory
    ("p = places[j]\nt = x[j, 0]\nz[p, 0] += t", "0"),
    ("p = remainder(j, 2)\nt = x[j, 0]\nz[p, 0] = t", "0"),
    ("top = add(top, 1)\nt = x[j, 0]\nz[top, 0] = t", "0"),
    ("p = cast(s, dtype='int64')\nt = x[j, 0]\nz[p, 0] = t\ns = add(s, 1.0)", "0"),
    ("t = x[j, 0]\ns = add(s, t)\nz[j, 0] = s", "1"),   # the sum is a number, which LLVM sees
])
def test_which_iterations_may_run_at_once(body, marks):
    lines = ["def f(x: \"float64[:,:]\", places: \"int64[:]\"):", "    z = copy(x)", "    s = 0.0", "    top = 0",
             "    for j in range(0, 5, 1):", *("        " + line for line in body.split("\n")), "    return z, s"]
    found = at_once(in_any_order(read("\n".join(lines) + "\n")))
    assert "".join(str(int(s.at_once)) for s in walk(found.body) if isinstance(s, For)) == marks


def updated(a, b):
    """Add rows of b to rows of a, below the diagonal, and overwrite them."""
    for i in range(a.shape[0]):
        for k in range(i):
            for j in range(a.shape[1]):
                a[i, j] += b[i, k] * a[k, j]
        for j in range(a.shape[1] - 1):
            a[i, j] = a[i, j] * a[i, j + 1]
    return a


def test_compiled_rows_are_those_of_python():
    rng = np.random.default_rng(2)
    a, b, g = rng.normal(size=(7, 9)), rng.normal(size=(7, 7)), rng.normal(size=(7, 9))
    program = pullback(specialised(updated, (a, b)).program, ("a", "b"), (0,))
    loops = [s for s in walk(prepare(program, "numba").body) if isinstance(s, For)]
    assert [s.step for s in loops].count(Const(2)) == 1 and any(s.at_once for s in loops)
    found, wanted = (build(program, Options(target))(a, b, g) for target in ("numba", "python"))
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
