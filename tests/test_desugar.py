"""Desugared functions do what the originals do, and hold only the statements the translator knows."""

import ast
import contextlib
import random

import gast
import pytest

from srcdiff.frontend.desugar import desugar
from srcdiff.frontend.desugar.making import own_nodes
from srcdiff.frontend.desugar.text import parse, runnable, show

KEPT = (gast.Assign, gast.AugAssign, gast.Expr, gast.If, gast.For, gast.While, gast.Return, gast.Raise,
        gast.Pass, gast.Try, gast.With, gast.FunctionDef, gast.Import, gast.ImportFrom)


def check_form(tree):
    """Assert the contract of `desugar`: the grammar of what is left, and a place for every node."""
    nodes = list(own_nodes(tree.body))
    for node in nodes:
        assert not isinstance(node, gast.stmt) or isinstance(node, KEPT), ast.dump(node)
        assert not isinstance(node, gast.NamedExpr)
        assert "lineno" not in node._attributes or node.lineno >= 1
        if isinstance(node, gast.For | gast.While):
            assert node.orelse == [] and node.body
        if isinstance(node, gast.For):
            check_target(node.target)
        if isinstance(node, gast.Assign):
            [target] = node.targets
            check_target(target)
    assert [n for n in nodes if isinstance(n, gast.Return)] == [tree.body[-1]]


def check_target(target):
    elements = target.elts if isinstance(target, gast.Tuple) else [target]
    for element in elements:
        if isinstance(element, gast.Starred):
            element = element.value
            assert isinstance(element, gast.Name)
        assert isinstance(element, gast.Name | gast.Subscript)


def compile_tree(tree):
    module = ast.Module([runnable(tree)], [])
    return compile(module, "<desugared>", "exec")


def define(code, name, namespace):
    exec(code, namespace)
    return namespace[name]


def both(text, name="f", **namespace):
    """Return the original and the desugared function."""
    tree = parse(text)
    before = gast.dump(tree)
    new = desugar(tree)
    assert gast.dump(tree) == before
    check_form(new)
    original = define(compile(text.strip("\n"), "<original>", "exec"), name, dict(namespace))
    return original, define(compile_tree(new), name, dict(namespace))


def outcome(function, *args):
    try:
        return "value", function(*args)
    except Exception as error:
        return type(error), str(error).replace(" where it is not associated with a value", "")


# -- single rewritings ----------------------------------------------------------------------

EARLY = {
    "early return": ("def f(x):\n if x > 0:\n  return 1\n x = x - 1\n if x < -3:\n  return 2\n return x",
                     [(v,) for v in (-5, -2, 0, 3)]),
    "both branches": ("def f(x):\n if x > 0:\n  return 1\n else:\n  return 2", [(1,), (0,)]),
    "falls off": ("def f(x):\n if x > 0:\n  return 1", [(1,), (0,)]),
    "nothing returned": ("def f(x):\n x[0] = 3\n if x[1]:\n  return\n x[0] = 4", [([0, 1],), ([0, 0],)]),
    "raise at the end": ("def f(x):\n if x > 0:\n  return 1\n raise ValueError(x)", [(1,), (0,)]),
    "elif chain": ("def f(x):\n if x == 0:\n  return 5\n elif x == 1:\n  y = 3\n elif x == 2:\n  return 6\n"
                   " else:\n  raise KeyError(x)\n return y + x", [(v,) for v in range(4)]),
    "partial branch": ("def f(x):\n if x > 0:\n  if x > 1:\n   return 1\n  x = 7\n y = x + 1\n x = y * y\n"
                       " z = x - y * 3 + x * 4 - 6\n return x + z", [(0,), (1,), (2,)]),
    "search": ("def f(x):\n for i, v in enumerate(x):\n  if v > 2:\n   return i\n return -1",
               [([],), ([1, 5],), ([1],)]),
    "for else": ("def f(x):\n for v in x:\n  if v > 2:\n   break\n else:\n  return 'none'\n return v",
                 [([],), ([1, 5, 1],), ([1],)]),
    "for else that returns a name": ("def f(x, y):\n for v in x:\n  y = y + v\n else:\n  if y > 3:\n   return x\n return y",
                                     [([], 0), ([1, 5], 1), ([1], 0)]),
    "for else that returns what the loop returns": (
        "def f(x, y):\n for v in x:\n  if v > 4:\n   return x\n else:\n  if y > 3:\n   return x\n return y",
        [([], 0), ([], 4), ([1, 5], 1), ([1], 7), ([1], 0)]),
    "nested return": ("def f(x):\n for i in x:\n  for j in x:\n   if i * j == 6:\n    return i, j\n  else:\n"
                      "   if i == 5:\n    break\n else:\n  return 'else'\n return 'end'",
                      [([],), ([2, 3],), ([1, 5, 2, 3],), ([5],)]),
    "while true": ("def f(x):\n while True:\n  x = x // 2\n  if x % 7 == 3:\n   return x\n  if x < 5:\n   break\n"
                   " return -x", [(v,) for v in range(5, 60)]),
    "while else": ("def f(x):\n while x > 3:\n  x -= 1\n  if x == 7:\n   break\n else:\n  x = 100\n return x",
                   [(v,) for v in range(12)]),
    "loop variable after": ("def f(x):\n for v in x:\n  if v > 2:\n   break\n return v", [([],), ([1, 3, 4],)]),
    "unbound": ("def f(x):\n if x:\n  y = 1\n return y", [(0,), (1,)]),
    "dead code": ("def f(x):\n return x\n x = x / 0", [(1,)]),
    "local in dead code": ("def f(x):\n return q\n q = 3", [(1,)]),
    "only raises": ("def f(x):\n raise ValueError('no')", [(1,)]),
    "nothing at all": ("def f(x):\n pass", [(1,)]),
    "only text": ("def f(x):\n 'doc'", [(1,)]),
    "try returns": ("def f(x):\n try:\n  return 1 / x\n except ZeroDivisionError:\n  x = 5\n return x + 1",
                    [(0,), (2,)]),
    "handler returns": ("def f(x):\n try:\n  y = 1 / x\n except ZeroDivisionError:\n  return 0\n y = 1 / (x - 1)\n"
                        " return y", [(0,), (1,), (2,)]),
    "try else": ("def f(x):\n try:\n  if x == 3:\n   return 3\n  y = 1 / x\n except ZeroDivisionError:\n  y = 9\n"
                 " else:\n  y = -1\n finally:\n  x = 8\n return x + y", [(0,), (1,), (3,)]),
    "assert": ("def f(x):\n assert x > 0\n assert x > 1, ('a', x)\n return x", [(0,), (1,), (2,)]),
    "annotated": ("def f(x):\n y: float = x\n z: float\n return y", [(1,)]),
}


@pytest.mark.parametrize("name", EARLY)
def test_control_flow(name):
    text, arguments = EARLY[name]
    original, desugared = both(text)
    for args in arguments:
        again = [list(a) if isinstance(a, list) else a for a in args]
        assert outcome(original, *args) == outcome(desugared, *again)
        assert list(args) == again


def test_early_returns_outside_loops_need_no_flags():
    tree = desugar(parse("def f(x):\n if x > 0:\n  if x > 1:\n   return 1\n  x = 3\n return x"))
    assert tree.locals == ("x", "_result")


def test_ninety_early_returns_in_a_row():
    text = "def f(x):\n" + "".join(f" if x == {k}:\n  return {k}, x\n x += 100\n" for k in range(90))
    original, desugared = both(text)
    for x in (0, 5, -8900, -800):
        assert original(x) == desugared(x)


def test_names_never_collide():
    text = "def f(x):\n _result = 1\n for _broke in x:\n  if _broke:\n   return _result\n  break\n return _returned"
    original, desugared = both(text, _returned=7)
    for x in ([], [0], [1]):
        assert original(x) == desugared(x)


def test_marks_on_loops():
    text = ("def f(x):\n for i in x:\n  if i:\n   break\n while True:\n  x = x + 1\n  if x > i:\n   break\n"
            " while x:\n  x = 0\n return x")
    loops = [n for n in gast.walk(desugar(parse(text))) if isinstance(n, gast.For | gast.While)]
    flags = [(getattr(n, "exit_flag", None), getattr(n, "runs_once", False)) for n in loops]
    assert flags == [("_broke", False), ("_broke_2", True), (None, False)]


def test_places_are_those_of_the_user():
    text = "def f(x):\n  for v in x:\n    if v > 2:\n      return v\n    x = a = (b, [c, d]) = g(v)\n  return x\n"
    tree = desugar(parse(text))
    lines = {type(n).__name__: set() for n in gast.walk(tree)}
    for node in gast.walk(tree):
        if hasattr(node, "lineno"):
            assert 1 <= node.lineno <= 6 and node.col_offset >= 0 and node.end_lineno >= node.lineno
            lines[type(node).__name__].add(node.lineno)
    assert lines["For"] == {2} and lines["Return"] == {6} and {4, 5} < lines["Assign"]


# -- assignments ---------------------------------------------------------------------------------

ASSIGNMENTS = [
    "a = b = x[0]; x[0] = 9; return a, b, x",
    "i = x[i] = 1; return i, x",
    "x[i] = i = 2; return i, x",
    "a = (b, c) = [a, *d] = x[:3]; return a, b, c, d",
    "a, (b, c) = 1, x; return a, b, c",
    "a, [b, *c], d = 1, x, 3; return a, b, c, d",
    "i, x[i] = 2, 7; return i, x",
    "x[0], x[1] = x[1], x[0]; return x",
    "(i, (i, a), x[i]) = 1, (0, 5), 8; return i, a, x",
    "*a, b = x; return a, b",
    "(a, *x[0:1]), b = x, 2; return a, x, b",
    "a, (b, c) = 1, 2; return a",
    "i = a = b = 0; i += 1; return i, a, b",
    "[a, b] = x; return a, b",
]


@pytest.mark.parametrize("body", ASSIGNMENTS)
@pytest.mark.parametrize("x", [[3, 4], [5, 6, 7]])
def test_assignments(body, x):
    original, desugared = both(f"def f(x, i):\n {body}")
    assert outcome(original, list(x), 0) == outcome(desugared, list(x), 0)


def test_loop_targets():
    text = ("def f(x, i):\n s = []\n for i, (a, x[i]) in enumerate(zip(x[:], 'abc')):\n  s.append((i, a))\n"
            " for x[0] in (4, 5):\n  s.append(x[0])\n return s, x, a")
    original, desugared = both(text)
    assert original([1, 2, 3], 0) == desugared([1, 2, 3], 0)


# -- walrus -----------------------------------------------------------------------------------------

WALRUS = [
    "return (y := t(x)) + y",
    "return y + (y := t(x)) + y",
    "return t(y) + (y := t(x)) * y + t(z)",
    "if (y := t(x)) > 1 and (z := t(y)) > 2:\n  return y, z\n return y, z",
    "if t(0) or (y := t(x)) or (z := t(5)):\n  return y, z\n return y, z",
    "return (y := t(1)) if t(x) else t(z := 4), y, z",
    "while (y := t(x)) > 0:\n  x -= 1\n  if x == 2:\n   continue\n  t(y)\n else:\n  t('else')\n return x, y",
    "while (y := t(x)) > 0 and (z := t(y)) < 9:\n  x -= 1\n  if x == 1:\n   break\n else:\n  t('else')\n return x, y, z",
    "for i in range((y := t(x))):\n  t(i)\n return y",
    "a = {t(1): (y := t(2)), t(y): (z := t(3))}\n return a, z",
    "return t(y, (y := t(2)), *[y], end=(z := 4))",
    "return [y, y := 3, y][t(0):(y := t(2)):(z := t(1))], y, z",
    "(z := t(8))\n if x == 0:\n  return z\n elif (z := t(9)) == 9:\n  return -z",
    "return 0 < (y := t(x)) < 3, y",
    "assert (y := t(x)), y\n return y",
    "return not (y := t(x)), -(y := t(4)), y",
]


@pytest.mark.parametrize("body", WALRUS)
@pytest.mark.parametrize("x", range(4))
def test_walrus(body, x):
    def run(function):
        seen = []

        def t(*values, end=0):
            seen.append((values, end))
            return values[0]
        function.__globals__["t"] = t
        return outcome(function, x, 11, 22), seen

    original, desugared = both(f"def f(x, y, z):\n {body}")
    assert run(original) == run(desugared)


# -- match ---------------------------------------------------------------------------------------------

MATCH = """
def f(x, y):
    match x:
        case 0 | -1:
            return "zero"
        case "a" | None:
            y = "word"
        case [a, 2]:
            return "pair", a
        case (a, (b, _)) if a > b:
            return "nested", a, b
        case [a, b, 3 as c]:
            y = a, b, c
        case str():
            return "str"
        case True | 1.5 as x:
            return x
        case z if z == y:
            return "same", z
    match y:
        case 1:
            y = 2
        case _:
            z = 5
    return y, z
"""


@pytest.mark.parametrize("x", [0, -1, "a", None, [7, 2], (3, (1, 9)), (1, (3, 9)), [1, 2, 3], "b", True, 1, 1.5,
                               4, 5, (), [[1], [2, 3]], {1: 2}, (4, (1, 2, 3))])
@pytest.mark.parametrize("y", [1, 4])
def test_match(x, y):
    original, desugared = both(MATCH)
    assert outcome(original, x, y) == outcome(desugared, x, y)


# -- which reads are sure ---------------------------------------------------------------------------------

def unsure(text):
    tree = desugar(parse(text))
    return sorted({n.id for n in gast.walk(tree) if getattr(n, "assured", None) is False})


@pytest.mark.parametrize("body, expected", [
    ("if x:\n  y = 1\n return y", ["y"]),
    ("if x:\n  y = 1\n else:\n  y = 2\n return y", []),
    ("if x:\n  y = 1\n else:\n  raise ValueError\n return y", []),
    ("for i in x:\n  y = i\n return y, i", ["i", "y"]),
    ("while True:\n  y = x\n  if x:\n   break\n  z = y\n return y", []),
    ("while True:\n  if x:\n   break\n  z = 3\n return z", ["z"]),
    ("for i in x:\n  if i:\n   y = i\n   break\n else:\n  y = 3\n return y", []),
    ("for i in x:\n  if i:\n   return i\n  y = i\n return x", []),
    ("if x and (y := x):\n  return y\n return x", []),
    ("if x or (y := x):\n  return y\n return y", ["y"]),
    ("del x\n return x", ["x"]),
    ("try:\n  y = x\n except ValueError:\n  y = 3\n return y", []),
    ("try:\n  y = x\n  z = y\n except ValueError:\n  y = z\n return y", ["z"]),
    ("try:\n  y = x\n finally:\n  z = 2\n return y, z", []),
    ("y += 1\n y = 3\n return y", ["y"]),
    ("y = [y for y in x]\n return y", []),
    ("match x:\n  case (y, 1) if y:\n   return y\n  case z:\n   return z", []),
])
def test_assured(body, expected):
    assert unsure(f"def f(x):\n {body}") == expected


# -- random programs ------------------------------------------------------------------------------------------

class Stop(BaseException):
    """Ends a program that ran long enough."""


class Writer:
    """Write a random function made of all statements that change the flow of control.

    `c(k)` is a condition that the test decides, `t(...)` leaves a trace, `r(k)` may raise.
    """

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0
        self.lines = ["def f(a, b):"]

    def number(self):
        self.count += 1
        return self.count

    def write(self, depth, text):
        self.lines.append(" " * depth + text)

    def condition(self):
        k = self.number()
        return self.random.choice([
            f"c({k})", f"c({k})", f"not c({k})", f"c({k}) and c({-k})", f"(b := c({k}))",
            f"c({k}) or (a := c({-k}))", "a == b"])

    def block(self, depth, loop, size=None):
        for _ in range(size or self.random.randint(1, 3)):
            self.statement(depth, loop)

    def statement(self, depth, loop):
        kinds = ["trace", "trace", "assign", "return", "raise", "assert"]
        kinds += ["break", "break", "continue", "continue"] * loop
        if depth < 5:
            kinds += ["if", "if", "if", "if", "for", "for", "while", "while", "forever", "try", "with", "match"]
        getattr(self, self.random.choice(kinds) + "_")(depth, loop)

    def trace_(self, depth, loop):
        self.write(depth, f"t({self.number()}, a, b)")

    def assign_(self, depth, loop):
        k = self.number()
        self.write(depth, self.random.choice([
            f"a = {k}", f"a, b = b, {k}", f"a = b = t({k})", f"a += {k}", f"q = {k}", "t(q)"]))

    def return_(self, depth, loop):
        if self.random.random() < 0.6:
            self.write(depth, f"if {self.condition()}:")
            depth += 1
        self.write(depth, self.random.choice(["return", f"return {self.number()}, a, b", "return t(a)"]))

    def raise_(self, depth, loop):
        self.write(depth, f"r({self.number()})")

    def assert_(self, depth, loop):
        self.write(depth, f"assert c({self.number()}), b")

    def break_(self, depth, loop):
        self.write(depth, "break")

    def continue_(self, depth, loop):
        self.write(depth, "continue")

    def if_(self, depth, loop):
        self.write(depth, f"if {self.condition()}:")
        self.block(depth + 1, loop)
        if self.random.random() < 0.3:
            self.write(depth, f"elif {self.condition()}:")
            self.block(depth + 1, loop)
        if self.random.random() < 0.5:
            self.write(depth, "else:")
            self.block(depth + 1, loop)

    def loop(self, depth, loop, head):
        self.write(depth, head)
        self.write(depth + 1, f"t({self.number()})")     # every loop comes to its end
        self.block(depth + 1, True)
        if self.random.random() < 0.3:
            self.write(depth, "else:")
            self.block(depth + 1, loop)

    def for_(self, depth, loop):
        target = self.random.choice(["a", "i", "(a, b)"])
        items = [(k, k + 1) if target == "(a, b)" else k for k in range(self.random.randint(0, 3))]
        self.loop(depth, loop, f"for {target} in {items}:")

    def while_(self, depth, loop):
        self.loop(depth, loop, f"while {self.condition()}:")

    def forever_(self, depth, loop):
        self.loop(depth, loop, "while True:")

    def try_(self, depth, loop):
        self.write(depth, "try:")
        self.block(depth + 1, loop)
        kind = self.random.choice(["except", "else", "finally", "all"])
        if kind != "finally":
            self.write(depth, "except ValueError:")
            self.block(depth + 1, loop)
        if kind in ("else", "all"):
            self.write(depth, "else:")
            self.block(depth + 1, loop)
        if kind in ("finally", "all"):
            self.write(depth, "finally:")
            self.write(depth + 1, f"t({self.number()})")

    def with_(self, depth, loop):
        self.write(depth, f"with w({self.number()}):")
        self.block(depth + 1, loop)

    def match_(self, depth, loop):
        self.write(depth, f"match {self.random.choice(['a', 'a, b', f't({self.number()})'])}:")
        for pattern in self.random.sample(["1", "(a, 1)", "(q, b) if c(0)", "None | True", "(False, _)"], 2):
            self.write(depth + 1, f"case {pattern}:")
            self.block(depth + 2, loop)
        if self.random.random() < 0.5:
            self.write(depth + 1, "case q:")
            self.block(depth + 2, loop)


def observe(function, seed):
    """Run a function; return what it gave or raised, and all that could be seen on the way."""
    seen, decide = [], random.Random(seed)

    def t(*values):
        seen.append(values)
        if len(seen) > 60:
            raise Stop
        return values[0] if len(values) == 1 else None

    def c(k):
        t("c", k)
        return decide.random() < 0.5

    def r(k):
        if c(k):
            raise ValueError(k)

    @contextlib.contextmanager
    def w(k):
        t("enter", k)
        try:
            yield
        finally:
            t("exit", k)

    function.__globals__.update(t=t, c=c, r=r, w=w)
    try:
        result = outcome(function, 1, 2)
    except Stop:
        result = "stopped"
    return result, seen


def write_program(seed):
    writer = Writer(seed)
    writer.block(1, False, size=4)
    return "\n".join(writer.lines)


@pytest.mark.parametrize("first", range(0, 60, 30))
def test_random_programs(first):
    for seed in range(first, first + 30):
        text = write_program(seed)
        original, desugared = both(text)
        tree = desugar(parse(text))
        hints = {n.id for n in gast.walk(tree) if getattr(n, "assured", None) is False}
        for run in range(8):
            expected = observe(original, run)
            assert observe(desugared, run) == expected, f"{text}\n\n{show(tree)}"
            if expected[0][0] is UnboundLocalError:
                assert any(f"'{name}'" in expected[0][1] for name in hints), text
