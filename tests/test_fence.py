"""Every row of the fence refuses what it names, at the right place, and nothing else."""

import linecache
import textwrap

import pytest

from srcdiff.errors import UnsupportedError
from srcdiff.frontend import specialise
from srcdiff.frontend.desugar.text import parse
from srcdiff.frontend.fence import ROWS, fence, reason, table
from srcdiff.frontend.source import source_of
from srcdiff.syntax import Scalar

_count = iter(range(10_000))


def made(text, name="f"):
    """Define a function from text that `linecache` knows."""
    text, file = textwrap.dedent(text).strip("\n") + "\n", f"<fenced {next(_count)}>"
    linecache.cache[file] = len(text), None, text.splitlines(True), file
    namespace = {}
    exec(compile(text, file, "exec"), namespace)
    return namespace[name]


def sourced(text):
    return source_of(made(text))


# code, program, the text under each caret
REFUSED = [
    ("SD0260", "async def f(x):\n    return x", ["async def f(x):"]),
    ("SD0260", "def f(x):\n    async def g(y):\n        return await y\n    return x",
     ["async def g(y):", "await y"]),
    ("SD0261", "def f(x):\n    if x:\n        yield x\n    yield from x", ["yield x", "yield from x"]),
    ("SD0261", "def f(x):\n    g = lambda: (yield x)\n    return g", ["yield x"]),
    ("SD0261", "def f(x):\n    def g():\n        yield x\n    return g", ["yield x"]),
    ("SD0262", "def f(x):\n    global n\n    n = x\n    n = 2\n    return x", ["n"]),
    ("SD0262", "def f(x):\n    def g():\n        nonlocal x\n        x += 1\n    g()\n    return x", ["x"]),
    ("SD0262", "def f(x):\n    global g\n    def g(y): return y\n    return x", ["def g(y): return y"]),
    ("SD0262", "def f(x):\n    global np\n    import numpy as np\n    return x", ["import numpy as np"]),
    ("SD0263", "def f(x):\n    return [y := v for v in x], y", ["y := v"]),
    ("SD0263", "def f(x):\n    x += (y := 2)\n    return x", ["y := 2"]),
    ("SD0263", "def f(x):\n    x[y := 2] = 1\n    return x", ["y := 2"]),
    ("SD0263", "def f(x):\n    return 0 < x < (y := 2)", ["y := 2"]),
    ("SD0263", "def f(x):\n    g = lambda: (y := 2)\n    return g()", ["y := 2"]),
    ("SD0263", "def f(x):\n    def g(z=(y := 2)): return z\n    return g()", ["y := 2"]),
    ("SD0264", "def f(x):\n    match x:\n        case {'a': y}:\n            return y\n        case [y, *_]:\n"
               "            return y", ["{'a': y}", "*_"]),
    ("SD0264", "def f(x):\n    match x:\n        case complex(real=y):\n            return y", ["complex(real=y)"]),
    ("SD0264", "def f(x):\n    match x:\n        case [1, y] | [y, 1]:\n            return y",
     ["[1, y]", "[y, 1]"]),
    ("SD0265", "def f(x):\n    for i in x:\n        try:\n            x = 1 / i\n        finally:\n            break\n"
               "    return x", ["break"]),
    ("SD0265", "def f(x):\n    try:\n        return 1 / x\n    finally:\n        if x:\n            return 0",
     ["if x:"]),
    ("SD0266", "def f(x):\n    y = 1\n    if x:\n        del y\n    return y", ["y"]),
]


@pytest.mark.parametrize("code, text, carets", REFUSED)
def test_refused(code, text, carets):
    problems = fence(sourced(text))
    assert [p.code for p in problems] == [code] * len(carets)
    for problem, caret in zip(problems, carets, strict=True):
        place = problem.where
        assert place.text[place.column:place.end_column] == caret
        assert place.text == text.splitlines()[place.line - 1]
        assert place.function == "f"
        assert problem.what and problem.why and problem.fix


def test_every_problem_is_listed_at_once_in_order():
    source = sourced("""
        def f(x):
            class A:
                pass
            x.y = 1
            with open("a") as file:
                del x[0]
            yield x
            z = [w := v for v in x], w
        """)
    assert [p.code for p in fence(source)] == [
        "SD0267", "SD0223", "SD0269", "SD0268", "SD0261", "SD0263"]


ALLOWED = """
def f(x, mode="a"):
    "Document."
    global np
    import numpy as np
    if (n := len(x)) > 2 and (m := n):
        raise ValueError(f"wrong {n}")
    while (y := x[0]) > 0:
        x[0] = y - 1
    match mode:
        case "a" | "b": pass
        case (1, [p, None]) if p: pass
        case int(): pass
    try:
        for i in range(n):
            if i: break
    except ValueError as error:
        return None
    finally:
        for i in range(n):
            break
    with np.errstate(all="ignore"):
        g = lambda t: t + 1
    def h(u, *v, k=1, **w):
        return u
    a = b, *c = [v for v in x if v], 2, 3
    del i
    assert mode in {"a", "b"}, "mode"
    return {k: v for k, v in zip(x, x)}
"""


def test_allowed():
    text = ALLOWED.replace("    global np\n    import numpy as np\n", "    import numpy as np\n")
    assert fence(sourced(text)) == []
    assert {p.code for p in fence(sourced(ALLOWED))} == {"SD0262"}


def test_a_global_that_is_only_read_is_allowed():
    assert fence(sourced("def f(x):\n    global n\n    return x * n")) == []


@pytest.mark.parametrize("statement, code", [
    ("class A: pass", "SD0267"), ("del x[0]", "SD0268"), ("with open(x): pass", "SD0269"), ("x.y = 1", "SD0223"),
    ("x.y += 1", "SD0223"), ("for x.y in z: pass", "SD0223")])
def test_what_is_refused_only_where_it_is_reached(statement, code):
    text = f"def f(x, z):\n    {statement}\n    return x"
    assert fence(sourced(text)) == []
    assert reason(parse(text).body[0]).code == code


def test_a_statement_inside_the_fence_has_no_reason():
    assert reason(parse("def f(x):\n    x = 1").body[0]) is None


def test_the_table():
    codes = [row.code for row in ROWS]
    assert len(set(codes)) == len(codes)
    assert set(codes) - {code for code, *_ in REFUSED} == {row.code for row in ROWS if not row.anywhere}
    for code, what, why, fix in table():
        assert code.startswith("SD02") and what and why and fix
        assert "|" not in what + why + fix


def test_too_deep_for_the_stack_is_refused_with_a_place():
    function = made("def f(x):\n    return " + " + ".join(["x"] * 900))
    with pytest.raises(UnsupportedError, match=r"\[SD0271\] `f`.*\n.*<fenced \d+>:1, in f"):
        specialise(function, (Scalar("float64", weak=True),))
