"""Elements that are read where they stand: the dependence test against runs of random loops."""

import itertools
import random

import numpy as np
import pytest

from srcdiff.notation import read
from srcdiff.reverse import adjoint
from srcdiff.reverse.finals import Finals, have_solution
from srcdiff.reverse.nodes import Tree
from srcdiff.syntax import Const, For, Load, Store, Var, walk
from tests.modes import Modes
from tests.oracle import assert_adjoint

N = 4


# -- programs -------------------------------------------------------------------------------

def finals_of(text):
    """Return, for each load from `a` in the text, whether it reads a final element."""
    program = read(text)
    tree = Tree(program)
    finals = Finals(tree, program.types)
    return [finals.is_final(n) for n in tree.top.walk() if isinstance(n.stmt, Load) and n.stmt.array == "a"]


HEAD = '''
def f(x: "float64[:]", n: "weak int64", m: "weak int64"):
    a = copy(x)
'''


@pytest.mark.parametrize("body, expected", [
    # a recurrence forwards reads what is complete, backwards what is not
    ("for i in range(1, n, 1):\n    p = subtract(i, 1)\n    t = a[p]\n    a[i] = t", [True]),
    ("for i in range(1, n, 1):\n    p = subtract(i, 1)\n    t = a[i]\n    a[p] = t", [False]),
    ("for i in range(1, n, 1):\n    p = subtract(i, 1)\n    t = a[p]\n    a[p] = t", [False]),
    ("for i in range(0, n, 1):\n    p = add(i, 1)\n    t = a[p]\n    a[i] = t", [False]),
    # at i = 0 the index -1 means the last element, which is written later
    ("for i in range(0, n, 1):\n    p = subtract(i, 1)\n    t = a[p]\n    a[i] = t", [False]),
    # the start may be negative
    ("for i in range(m, n, 1):\n    t = a[i]\n    j = add(i, 1)\n    a[j] = t", [False]),
    # triangles
    ("for i in range(0, n, 1):\n    for k in range(0, i, 1):\n        t = a[k]\n        a[i] += t", [True]),
    ("for i in range(0, n, 1):\n    for k in range(0, n, 1):\n        t = a[k]\n        a[i] += t", [False]),
    # downwards, and by steps whose sign is known or not
    ("for i in range(5, 0, -1):\n    t = a[i]\n    p = subtract(i, 1)\n    a[p] = t", [True]),
    ("for i in range(5, 0, -1):\n    p = add(i, 1)\n    t = a[p]\n    a[i] = t", [True]),
    ("for i in range(0, 6, 2):\n    p = add(i, 1)\n    t = a[p]\n    a[i] = t", [True]),
    ("for i in range(1, 6, m):\n    p = subtract(i, 1)\n    t = a[p]\n    a[i] = t", [False]),
    # slices
    ("for i in range(1, n, 1):\n    p = subtract(i, 1)\n    t = a[p]\n    a[i:] = t", [True]),
    ("for i in range(1, n, 1):\n    p = subtract(i, 1)\n    t = a[p]\n    a[p:] = t", [False]),
    ("for i in range(1, n, 1):\n    t = a[i]\n    a[:i] = t", [False]),
    ("for i in range(1, n, 1):\n    t = a[i]\n    a[0:1] = t", [True]),
    # the array is made anew afterwards, or the store stands behind
    ("t = a[0]\nfor i in range(0, n, 1):\n    a[0] = t", [False]),
    ("t = a[0]\nfor i in range(1, n, 1):\n    a[i] = t", [True]),
    ("t = a[0]\na = copy(x)", [False]),
])
def test_which_loads_are_final(body, expected):
    text = HEAD + "".join(f"    {line}\n" for line in body.split("\n")) + "    return a\n"
    assert finals_of(text) == expected


def test_axes_are_told_apart():
    text = '''
def f(x: "float64[:,:]", n: "weak int64"):
    a = copy(x)
    for i in range(0, n, 1):
        t = a[i, :]
        a[:, i] = t
    return a
'''
    assert finals_of(text) == [False]


def test_inequalities():
    assert have_solution([("i", "j", 3), ("j", "i", -3)])
    assert not have_solution([("i", "j", 3), ("j", "k", -2), ("k", "i", -2)])
    assert have_solution([])


# -- random loops against what really happens ---------------------------------------------------

def random_text(rng):
    """Return a nest of loops over a small matrix, with a load and two stores."""
    def form(names):
        name, shift = rng.choice([*names, "0"]), rng.choice([-1, 0, 0, 1])
        return name, shift

    lines, temps, indent = [], itertools.count(), "    "

    def atom(names):
        name, shift = form(names)
        if name == "0":
            return str(max(0, shift))
        if shift == 0:
            return name
        temp = f"q{next(temps)}"
        lines.append(f"{indent}{temp} = add({name}, {shift})")
        return temp

    names = []
    for depth in range(rng.choice([1, 2, 2, 3])):
        low, high = (atom(names), "n") if rng.random() < 0.6 else ("0", atom(names) if names else "n")
        backwards = rng.random() < 0.3
        bounds = f"{high}, {low}, -1" if backwards else f"{low}, {high}, 1"
        lines.append(f"{indent}for i{depth} in range({bounds}):")
        names.append(f"i{depth}")
        indent += "    "
    accesses = ["t = a[{0}, {1}]", "a[{0}, {1}] = 1.0", "a[{0}, {1}] += 1.0"]
    rng.shuffle(accesses)
    for access in accesses:
        index = [atom(names), atom(names)]
        if "t =" not in access and rng.random() < 0.2:
            index[rng.randrange(2)] = f"{atom(names)}:"
        lines.append(indent + access.format(*index))
    head = 'def f(x: "float64[:,:]", n: "weak int64"):\n    a = copy(x)\n'
    return head + "\n".join(lines) + "\n    return a\n"


class Trace:
    """Run the loops of a text; note for each load whether its element is stored to later."""

    def __init__(self, program, n):
        self.values, self.read, self.hit = {"n": n}, {}, set()
        self.block(program.body)

    def value(self, atom):
        return atom.value if isinstance(atom, Const) else self.values[atom.name]

    def block(self, body):
        for stmt in body:
            match stmt:
                case For():
                    for i in range(*map(self.value, (stmt.start, stmt.stop, stmt.step))):
                        self.values[stmt.var] = i
                        self.block(stmt.body)
                case Load(index=index):
                    self.read.setdefault(self.elements(index), set()).add(id(stmt))
                case Store(index=index):
                    for elements, loads in self.read.items():
                        if elements & self.elements(index):
                            self.hit |= loads
                case _ if stmt.op == "add":
                    self.values[stmt.target] = self.value(stmt.args[0]) + self.value(stmt.args[1])

    def elements(self, index):
        numbers = np.arange(64).reshape(8, 8)
        place = tuple(self.value(i) if isinstance(i, Var | Const) else slice(self.value(i.start), None)
                      for i in index)
        return frozenset(np.ravel(numbers[place]).tolist())


def test_random_loops():
    rng, proved = random.Random(5), 0
    for _ in range(1500):
        program = read(random_text(rng))
        tree = Tree(program)
        finals = Finals(tree, program.types)
        for node in tree.top.walk():
            if isinstance(node.stmt, Load) and finals.is_final(node):
                proved += 1
                (load,) = [s for s in walk(program.body) if isinstance(s, Load)]
                for n in range(1, N + 1):
                    assert id(load) not in Trace(program, n).hit, program
    assert proved > 100


# -- what it is for --------------------------------------------------------------------------

def wrapped(x):
    """Each element meets its left neighbour; the first one meets the last, which is not there yet."""
    a = x.copy()
    for i in range(len(a)):
        a[i] = a[i] * a[i - 1]
    return a


def eliminated(x):
    a = x.copy()
    for i in range(len(a)):
        for j in range(i):
            for k in range(j):
                a[i, j] -= a[i, k] * a[k, j]
            a[i, j] /= a[j, j]
        for j in range(i, len(a)):
            for k in range(i):
                a[i, j] -= a[i, k] * a[k, j]
    return a


@pytest.mark.parametrize("function", [wrapped, eliminated])
def test_adjoint(function):
    rng = np.random.default_rng(1)
    x = rng.uniform(0.5, 1.5, 6) if function is wrapped else rng.normal(size=(5, 5)) / 5 + 2 * np.eye(5)
    modes = Modes(function, (x,))
    direction = modes.directions(rng)
    tangents = modes.jvp(direction)
    for got, (expected, _) in zip(tangents, modes.oracle(direction), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-9)
    cotangents = modes.random(rng, tangents)
    assert_adjoint(tangents, cotangents, modes.vjp(cotangents), direction, rtol=1e-12)


def test_elimination_keeps_the_quotients_alone():
    modes = Modes(eliminated, (np.eye(3),))
    made = [s for s in walk(adjoint(modes.program, modes.active).body) if getattr(s, "op", None) == "empty"]
    assert len(made) == 1
