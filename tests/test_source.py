"""The source that is found is the source that runs, and places are exact."""

import doctest
import functools
import importlib
import linecache
import os
import subprocess
import sys
import textwrap

import gast
import numba
import pytest

from srcdiff.errors import NoSourceError
from srcdiff.frontend.desugar.text import runnable, show
from srcdiff.frontend.environment import environment, fetch
from srcdiff.frontend.source import source_of, unwrap, where

SCALE = 3.0


def plain(x, n=2):
    """Scale."""
    return x * n


LAMBDAS = [lambda x: x * 2, lambda x: x * 2.0, lambda x: x * 2, lambda x: x + SCALE, lambda x: x * -2]
FIRST, SECOND = (lambda x: 1.0), (lambda x: 1)
OUTER = lambda x=lambda: 1.0: lambda y: lambda: 1.0      # noqa: E731


class Model:
    __hidden = 4

    def __init__(self, scale):
        self.scale = scale

    def method(self, x):
        return self.scale * x * self.__hidden

    @staticmethod
    def static(x):
        return x

    @classmethod
    def named(cls, x):
        return x

    twice = staticmethod(lambda x: 2 * x)

    def __call__(self, x):
        return x


def doubled(function):
    @functools.wraps(function)
    def wrapper(*args):
        return 2 * function(*args)
    return wrapper


@doubled
def decorated(x):
    return x


@functools.lru_cache
def cached(x):
    return x


@numba.njit(
    cache=False)
def compiled(x):
    return x + 1


def maker(a):
    def inner(x):
        return x * a + later
    later = 5
    return inner, lambda x: x + a, lambda: missing  # noqa: F821


def text_of(function):
    return show(source_of(function).tree)


def run_again(function, *args):
    """Run the definition that was found, compiled anew."""
    import ast
    module = ast.Module([runnable(source_of(function).tree)], [])
    names = dict(globals())
    exec(compile(module, "<again>", "exec"), names)
    return names[source_of(function).tree.name](*args)


def test_plain_function():
    source = source_of(plain)
    assert (source.name, source.file, source.function) == ("plain", __file__, plain)
    assert source.lines == ("def plain(x, n=2):", '    """Scale."""', "    return x * n")
    assert source.first_line == plain.__code__.co_firstlineno
    assert run_again(plain, 3) == 6


def test_lambdas_on_one_line():
    assert [text_of(f).split("return ")[1] for f in LAMBDAS] == ["x * 2", "x * 2.0", "x * 2", "x + SCALE", "x * -2"]
    columns = [where(source_of(f), source_of(f).tree.body[0]).column for f in LAMBDAS]
    assert columns == sorted(set(columns))
    assert [text_of(f)[-3:] for f in (FIRST, SECOND)] == ["1.0", "n 1"]


def test_lambdas_inside_a_lambda():
    within = OUTER, OUTER(0), OUTER(0)(0), OUTER.__defaults__[0]
    texts = [text_of(f).split("return ")[1] for f in within]
    assert texts == ["lambda y: lambda: 1.0", "lambda: 1.0", "1.0", "1.0"]
    columns = [where(source_of(f), source_of(f).tree.body[0]).column for f in within]
    assert len(set(columns)) == 4


def test_a_lambda_over_several_lines():
    function = functools.reduce(lambda f, g: f, [
        lambda x: (x
                   + 1), None])
    source = source_of(function)
    assert source.name == source.tree.name == "lambda_"
    assert source.lines == ("        lambda x: (x", "                   + 1), None])")
    place = where(source, source.tree.body[0])
    assert (place.function, place.text[place.column:place.end_column]) == ("<lambda>", "x")


@pytest.mark.parametrize("function, expected", [
    (Model(2).method, "return self.scale * x * self._Model__hidden"),
    (Model.method, "return self.scale * x * self._Model__hidden"),
    (Model.static, "return x"), (Model.named, "return x"), (Model.twice, "return 2 * x"),
    (functools.partial(plain, n=3), "return x * n"),
    (functools.partial(functools.partial(Model(2).method), 1), "return self.scale * x * self._Model__hidden"),
    (cached, "return x"), (compiled, "return x + 1"), (Model.__dict__["static"], "return x"),
    (maker(1)[0], "return x * a + later"), (maker(1)[1], "return x + a"),
])
def test_what_stands_behind_other_callables(function, expected):
    assert text_of(function).splitlines()[-1].strip() == expected
    assert source_of(function).tree.decorator_list == []


def test_a_wrapper_is_what_runs():
    assert unwrap(decorated) is decorated
    assert text_of(decorated) == "def wrapper(*args):\n    return 2 * function(*args)"
    assert environment(decorated)["function"] == ("closure", decorated.__wrapped__)


def test_lines_start_at_def():
    source = source_of(compiled)
    assert source.lines[0] == "def compiled(x):" and source.tree.lineno == source.first_line
    assert where(source, source.tree).text == "def compiled(x):"


def test_places_are_those_of_the_file():
    source = source_of(Model.method)
    with open(__file__, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for node in gast.walk(source.tree):
        if isinstance(node, gast.Name) and isinstance(node.ctx, gast.Load):
            place = where(source, node)
            assert place.text == lines[place.line - 1]
            assert place.text[place.column:place.end_column] == node.id
            assert (place.file, place.function) == (__file__, "method")


def test_columns_count_characters():
    def f(x):
        é = "ß→"; y = x  # noqa: E702
        return é, y
    source = source_of(f)
    place = where(source, source.tree.body[1].value)
    assert place.text[place.column:place.end_column] == "x"
    assert place.excerpt().splitlines()[-1].index("^") == place.excerpt().splitlines()[-2].rindex("x")


def test_a_node_over_several_lines_is_marked_to_the_end_of_the_first():
    def f(x):
        return max(x,
                   1)
    source = source_of(f)
    place = where(source, source.tree.body[0].value)
    assert place.text[place.column:place.end_column] == "max(x,"


def test_text_in_strings_is_kept():
    def f():
        return """a
  b"""
    assert source_of(f).tree.body[0].value.value == f()


def test_asserts_that_pytest_rewrote():
    def f(x):
        assert x > 0, "positive"
        return x
    assert "@py_assert" in str(f.__code__.co_varnames)
    assert "assert x > 0" in text_of(f)


# -- text that is no file -------------------------------------------------------------------------

def made(text, file, name="f", fill=True):
    text = textwrap.dedent(text).strip("\n") + "\n"
    if fill:
        linecache.cache[file] = len(text), None, text.splitlines(True), file
    namespace = {}
    exec(compile(text, file, "exec"), namespace)
    return namespace[name]


def test_generated_text_in_linecache():
    f = made("def f(x):\n    return x ** 2", "<generated 1>")
    assert text_of(f) == "def f(x):\n    return x ** 2"


def test_text_without_linecache_is_refused():
    with pytest.raises(NoSourceError, match=r"\[SD0101\] the source of f cannot be found[\s\S]*fix:.*linecache"):
        source_of(made("def f(x): return x", "<generated 2>", fill=False))


def test_two_functions_of_one_name_and_line():
    f = made("if True:\n    def f(x): return x\nf1 = f\ndef f(x): return -x", "<generated 3>")
    g = made("if True:\n    def f(x): return x\nf1 = f\ndef f(x): return -x", "<generated 3>", "f1")
    assert text_of(f).endswith("-x") and text_of(g).endswith("return x")


def test_same_code_in_two_texts_keeps_its_file():
    f, g = (made("def f(x): return x", f"<generated {k}>") for k in (4, 5))
    assert f.__code__ == g.__code__
    assert (source_of(f).file, source_of(g).file) == ("<generated 4>", "<generated 5>")


@pytest.mark.parametrize("edit", [("x + 1", "x + 2"), ("x + 1", "x + 1.0"), ("+", "-"), ("x", "z"), ("f", "g")])
def test_text_that_changed_is_refused(edit):
    text = "def f(x): return x + 1"
    f = made(text, "<generated 6>")
    new = text.replace(*edit) + "\n"
    linecache.cache["<generated 6>"] = len(new), None, [new], "<generated 6>"
    with pytest.raises(NoSourceError, match="SD0103.*does not match"):
        source_of(f)


def test_a_file_edited_after_the_import(tmp_path, monkeypatch):
    file = tmp_path / "edited_module.py"
    file.write_text("def f(x):\n    return x\ndef g(x):\n    return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("edited_module")
    assert text_of(module.f).endswith("return x")
    file.write_text("def f(x):\n    return x\ndef g(x):\n    return -2 * x\n")
    os.utime(file, (1, 1))
    with pytest.raises(NoSourceError, match="SD0103"):
        source_of(module.g)


def test_text_that_does_not_parse_is_refused():
    f = made("def f(x): return x", "<generated 7>")
    linecache.cache["<generated 7>"] = 3, None, ["def f(x: return x\n"], "<generated 7>"
    with pytest.raises(NoSourceError, match="does not parse"):
        source_of(f)


def test_future_annotations_and_top_level_await():
    f = made("from __future__ import annotations\ndef f(x: int) -> int: return x", "<generated 8>")
    assert "return x" in text_of(f)
    g = made("async def a(): pass\ndef f(x): return x", "<generated 9>")
    assert "return x" in text_of(g)


def test_functions_in_doctests():
    test = doctest.DocTestParser().get_doctest(textwrap.dedent("""
        >>> def f(x):
        ...     return x * 2
        >>> print(source_of(f).lines[1])
            return x * 2
        >>> text_of(lambda x: x + 1)
        'def lambda_(x):\\n    return x + 1'
        """), {"source_of": source_of, "text_of": text_of}, "example", None, 0)
    result = doctest.DocTestRunner().run(test)
    assert (result.failed, result.attempted) == (0, 3)


# From Python 3.13 on the text of ``-c`` is remembered, so there is a source.
@pytest.mark.parametrize("how", ["-"] if sys.version_info >= (3, 13) else ["-c", "-"])
def test_code_without_a_file(how):
    text = ("from srcdiff.frontend.source import source_of\n"
            "from srcdiff.errors import NoSourceError\n"
            "try:\n    source_of(lambda x: x)\n"
            "except NoSourceError as error:\n    print(error)\n")
    command = [sys.executable, "-c", text] if how == "-c" else [sys.executable, "-"]
    answer = subprocess.run(command, input=text if how == "-" else None, capture_output=True, text=True, check=True,
                            cwd=os.path.dirname(os.path.dirname(__file__)))
    assert "[SD0101] the source of <lambda> cannot be found" in answer.stdout
    assert "fix:  put the function into a file" in answer.stdout


# -- what has no source -----------------------------------------------------------------------------

class Wrapped:
    def __init__(self, function):
        functools.update_wrapper(self, function)

    def __call__(self, x):
        return 2 * self.__wrapped__(x)


@pytest.mark.parametrize("thing, message", [
    (len, "built in"), (Model, "is a class"), (3.0, "not a Python function"), (Wrapped(plain), "__wrapped__"),
    (Model(1), "callable object"), (None, "not a Python function")])
def test_no_python_function(thing, message):
    with pytest.raises(NoSourceError, match=f"SD0102[\\s\\S]*{message}"):
        source_of(thing)


# -- names from outside ---------------------------------------------------------------------------------

def test_environment():
    inner = maker(7)[0]
    names = environment(inner)
    assert names["a"] == ("closure", 7)
    assert names["SCALE"] == ("global", SCALE)
    assert names["len"] == ("builtin", len)
    assert "nothing_of_this_name" not in names and "x" not in names
    assert len(names) == len(list(names)) > 100


def test_an_empty_cell_has_no_value():
    def outer():
        def inner():
            return late
        yield inner
        late = 3
        yield inner
    steps = outer()
    inner = next(steps)
    value = fetch(inner, "late")
    assert "late" not in environment(inner)
    with pytest.raises(NameError, match="late"):
        value()
    next(steps)
    assert value() == 3


def test_fetch_gives_the_present_value(monkeypatch):
    value = fetch(LAMBDAS[3], "SCALE")
    monkeypatch.setitem(globals(), "SCALE", 4.0)
    assert value() == 4.0
    monkeypatch.delitem(globals(), "SCALE")
    with pytest.raises(NameError, match="'SCALE' is not defined"):
        value()


@pytest.mark.parametrize("text", [
    "def f(x):\n    def g(z=(y := 2)): return z\n    return g()\n",
    "def f(x):\n    if x > 0:\n        class A: pass\n    return x\n",
    "def f(x):\n    y = x\n    return (lambda a=x, *, b=y: (lambda c=a: c + b)())(y, b=x)\n",
    "def f(x, k=lambda a=(lambda: 0): a): return x\n",
    "def f(x):\n    h = lambda: 0; k = lambda a=h: a; return k(x, lambda b=x: b), x\n",
], ids=["def and call", "class", "defaults", "default of a default", "one line"])
def test_functions_inside_leave_the_instructions_around_them_alone(text):
    """From Python 3.13 on, instructions of one line are joined, and a class keeps its line."""
    assert source_of(made(text, f"<inside {text}>")).tree.name == "f"
