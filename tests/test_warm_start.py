"""Derivatives found on disk: valid while nothing that shapes them has changed, never after."""

import importlib
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.api import surroundings, warm

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SRCDIFF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path / "cache"
    sys.modules.pop("user_module", None)
    sys.modules.pop("user_helpers", None)


@pytest.fixture
def lookups(monkeypatch):
    """Return the list that tells of each first call whether it was found on disk."""
    told, load = [], warm.load

    def telling(*args):
        found = load(*args)
        told.append(found is not None)
        return found

    monkeypatch.setattr(warm, "load", telling)
    return told


def module(tmp_path, text, name="user_module"):
    """Return a module of this text as a new process would have it."""
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return importlib.import_module(name)


PLAIN = """
    def helper(x):
        return 2.0 * x

    SCALE, FLAG, MODE, COUNT, WORDS = 3.0, True, "double", 2, {"a": 1.0}

    class Settings:
        power = 2

        def __init__(self, k):
            self.k = k

    settings = Settings(5.0)

    def f(x, shift=1.0):
        y = helper(x) * SCALE * settings.k + shift * x * x
        for _ in (1,) * COUNT:
            y = y * x
        return y + x if FLAG else y

    def table(x):
        return WORDS["a"] * x * np.array([1.0, 2.0])[1] ** settings.power

    import numpy as np
"""


def gradient(user, name="f"):
    return sd.grad(getattr(user, name))(1.5)


def by_hand(user, x=1.5, step=1e-6):
    return (user.f(x + step) - user.f(x - step)) / (2 * step)


EDITS = {
    "the function": ("y = helper(x) *", "y = 2.0 * helper(x) *"),
    "a callee": ("return 2.0 * x", "return 4.0 * x"),
    "a default": ("shift=1.0", "shift=2.0"),
    "a flag": ("True", "False"),
    "a structural integer": ("True, \"double\", 2", "True, \"double\", 3"),
    "a number of another type": ("3.0, True", "3, True"),
    "a method of an object's class": ("self.k = k", "self.k = -k"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_change_is_seen(tmp_path, lookups, edit):
    assert np.isclose(gradient(user := module(tmp_path, PLAIN)), by_hand(user))
    before, after = EDITS[edit]
    assert before in PLAIN
    changed = module(tmp_path, PLAIN.replace(before, after))
    assert np.isclose(gradient(changed), by_hand(changed), rtol=1e-6)
    assert lookups == [False, False]


def test_captured_numbers_are_those_of_the_new_process(tmp_path, lookups):
    gradient(module(tmp_path, PLAIN))
    user = module(tmp_path, PLAIN.replace("3.0, True", "7.0, True").replace("Settings(5.0)", "Settings(6.0)"))
    assert np.isclose(gradient(user), by_hand(user), rtol=1e-6)
    user.SCALE = -1.0
    assert np.isclose(gradient(user), by_hand(user), rtol=1e-6)
    assert lookups == [False, True]


def test_assumptions_hold_in_the_process_that_finds_the_code(tmp_path, lookups):
    gradient(module(tmp_path, PLAIN))
    user = module(tmp_path, PLAIN)
    assert np.isclose(gradient(user), by_hand(user), rtol=1e-6)
    user.FLAG = False
    assert np.isclose(gradient(user), by_hand(user), rtol=1e-6)
    assert lookups[:2] == [False, True] and not lookups[2]


def test_class_attributes_and_dicts(tmp_path, lookups):
    assert np.isclose(gradient(module(tmp_path, PLAIN), "table"), 4.0)
    assert np.isclose(gradient(module(tmp_path, PLAIN), "table"), 4.0)
    cubic = PLAIN.replace("power = 2", "power = 3")
    assert np.isclose(gradient(module(tmp_path, cubic), "table"), 8.0)
    words = cubic.replace('"a": 1.0', '"a": 3.0')
    assert np.isclose(gradient(module(tmp_path, words), "table"), 24.0)
    assert lookups[:2] == [False, True]


def test_a_callee_in_another_module(tmp_path, lookups):
    text = """
        import user_helpers

        def f(x):
            return user_helpers.inner(x)
    """
    helpers = """
        FACTOR = "two"

        def inner(x):
            return 2.0 * x if FACTOR == "two" else 3.0 * x
    """
    for factor, expected, hit in (("two", 2.0, False), ("two", 2.0, True), ("three", 3.0, False)):
        module(tmp_path, helpers.replace('"two"\n', f'"{factor}"\n'), "user_helpers")
        assert gradient(module(tmp_path, text)) == expected
        assert lookups[-1] is hit


CLOSURES = """
    import functools

    def power(n, k, mode):
        def f(x):
            return k * x**n if mode == "plain" else -k * x**n
        return f

    def weighted(x, k):
        return k * x

    class Model:
        def __init__(self, k):
            self.k = k

        def value(self, x):
            return self.k * x
"""


def test_closures_methods_and_partials(tmp_path, lookups):
    def gradients(user, k, n, mode="plain"):
        values = [user.power(n, k, mode), user.Model(k).value, user.functools.partial(user.weighted, k=k)]
        return [sd.grad(value)(2.0) for value in values]

    assert np.allclose(gradients(module(tmp_path, CLOSURES), 2.0, 3), [24.0, 2.0, 2.0])
    assert np.allclose(gradients(module(tmp_path, CLOSURES), 3.0, 3), [36.0, 3.0, 3.0])
    assert lookups == [False] * 3 + [True] * 3
    assert np.allclose(gradients(module(tmp_path, CLOSURES), 3.0, 2), [12.0, 3.0, 3.0])
    assert np.allclose(gradients(module(tmp_path, CLOSURES), 3.0, 2, "minus"), [-12.0, 3.0, 3.0])


def test_dtypes_options_and_transforms_are_kept_apart(tmp_path, lookups):
    x = np.ones(3)
    text = "def f(x):\n    return (x * x).sum()\n"

    def results(user):
        return [sd.grad(user.f)(x), sd.grad(user.f)(x.astype(np.float32)), sd.grad(user.f)(x[:, None]),
                sd.value_and_grad(user.f)(x), sd.differentiate(user.f, boundscheck=True).grad(x),
                sd.hessian(user.f)(x)]

    first = results(module(tmp_path, text))
    again = results(module(tmp_path, text))
    assert lookups == [False] * 6 + [True] * 6
    for a, b in zip(first, again, strict=True):
        if isinstance(a, tuple):
            (value, a), (value_again, b) = a, b
            assert type(value) is type(value_again) and value == value_again
        assert a.dtype == b.dtype and np.array_equal(a, b)
    assert again[1].dtype == np.float32


def test_stretched_axes_and_structures_of_results(tmp_path, lookups):
    text = """
        from typing import NamedTuple

        class Pair(NamedTuple):
            first: float
            second: object

        def f(x, y):
            return ((x + y) ** 2).sum(), {"parts": [x.sum(), "text", None]}

        def of_pair(p):
            return p.first * p.second.sum()
    """
    x, y = np.arange(3.0), np.ones(1)

    def results(user):
        pair = user.Pair(2.0, x)
        return sd.grad(user.f, argnums=(0, 1), has_aux=True)(x, y), sd.grad(user.of_pair)(pair)

    first, again = (results(module(tmp_path, text)) for _ in range(2))
    assert lookups == [False, False, False, True, True, True]
    assert repr(first) == repr(again) and type(again[1]).__name__ == "Pair"
    assert type(again[1]) is sys.modules["user_module"].Pair


@pytest.mark.parametrize("damage", ["", "{", '{"key": 1}', "null"])
def test_a_damaged_entry_costs_time_only(tmp_path, cache, lookups, damage):
    text = "def f(x):\n    return x * x\n"
    gradient(module(tmp_path, text))
    entries = list(cache.glob("*.json"))
    assert len(entries) == 1
    entries[0].write_text(damage)
    assert gradient(module(tmp_path, text)) == 3.0
    assert gradient(module(tmp_path, text)) == 3.0
    assert lookups == [False, False, True]


def test_an_entry_with_other_assumptions_is_not_used(tmp_path, cache, lookups):
    """What is checked is what stands in the entry: a wrong digest or type is a miss."""
    text = "K = 2.0\n\ndef f(x):\n    return K * x * x\n"
    gradient(module(tmp_path, text))
    (path,) = cache.glob("*.json")
    entry = json.loads(path.read_text())
    assert entry["metadata"]["captures"] == [[[["global", "user_module", "K"]], ["float64", 0, True]]]
    for change in ({"digest": "0" * 64}, {"captures": [[[["global", "user_module", "K"]], ["int64", 0, True]]]}):
        from srcdiff.backend import modules
        modules.store(entry["key"], entry["text"], {**entry["metadata"], **change})
        assert gradient(module(tmp_path, text)) == 6.0
        assert lookups[-1] is False


UNNAMED = {
    "a random generator": "import numpy\nR = numpy.random.default_rng()\n\ndef f(x):\n    R\n    return x\n",
    "an import inside": "def f(x):\n    import math\n    return x * math.pi\n",
    "builtins that look": "def f(x):\n    y = id\n    return x\n",
    "attributes on demand": ("class A:\n    def __getattr__(self, name):\n        return 1.0\n\n"
                             "a = A()\n\ndef f(x):\n    return a.k * x\n"),
    "a subclass of int": "class A(int):\n    pass\n\na = A(2)\n\ndef f(x):\n    return a * x\n",
    "a ufunc made at run time": "import numpy\ng = numpy.frompyfunc(abs, 1, 1)\n\ndef f(x):\n    g\n    return x\n",
}


@pytest.mark.parametrize("reason", UNNAMED)
def test_what_cannot_be_named_has_no_digest(tmp_path, reason):
    user = module(tmp_path, UNNAMED[reason])
    with pytest.raises(surroundings.Unnamed):
        surroundings.digest([(user.f, (("function",),))], frozenset())


CHANGES = {
    "a name that becomes global": ("def f(x):\n    return abs(x)\n", "abs = float\n\ndef f(x):\n    return abs(x)\n"),
    "what a wrapper wraps": ("def w(g):\n    def f(x):\n        return g(x)\n    return f\n\nf = w(lambda x: x)\n",
                             "def w(g):\n    def f(x):\n        return g(x)\n    return f\n\nf = w(lambda x: 2 * x)\n"),
    "an alias of a built-in": ("import math\ns = math.sin\n\ndef f(x):\n    return s(x)\n",
                               "import math\ns = math.cos\n\ndef f(x):\n    return s(x)\n"),
    "a base class": ("class B:\n    k = 1\n\nclass C(B):\n    pass\n\nc = C()\n\ndef f(x):\n    return c.k * x\n",
                     "class B:\n    k = 2\n\nclass C(B):\n    pass\n\nc = C()\n\ndef f(x):\n    return c.k * x\n"),
    "a field's factory": (
        "import dataclasses\n\ndef make():\n    return 1.0\n\n@dataclasses.dataclass\nclass D:\n"
        "    k: float = dataclasses.field(default_factory=make)\n\ndef f(x):\n    return D().k * x\n",
        "import dataclasses\n\ndef make():\n    return 2.0\n\n@dataclasses.dataclass\nclass D:\n"
        "    k: float = dataclasses.field(default_factory=make)\n\ndef f(x):\n    return D().k * x\n"),
    "a name that getattr gets": (
        "import user_helpers\n\ndef f(x):\n    return getattr(user_helpers, 'k1')(x)\n",
        "import user_helpers\n\ndef f(x):\n    return getattr(user_helpers, 'k2')(x)\n"),
    "the same text elsewhere": ("def f(x):\n    return x\n", "\ndef f(x):\n    return x\n"),
    "a constant's type": ("def f(x):\n    return x * 1.0\n", "def f(x):\n    return x * 1\n"),
    "a zero's sign": ("def f(x):\n    return x + 0.0\n", "def f(x):\n    return x + -0.0\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_digests_differ(tmp_path, change):
    module(tmp_path, "def k1(x):\n    return x\n\ndef k2(x):\n    return x\n", "user_helpers")
    before, after, same = (surroundings.digest([(module(tmp_path, text).f, (("function",),))], frozenset())
                           for text in (*CHANGES[change], CHANGES[change][0]))
    assert before == same != after


def test_a_module_handed_to_another_function_is_described(tmp_path):
    digests = set()
    for value in ("1.0", "2.0"):
        module(tmp_path, f"class K:\n    k = {value}\n", "user_helpers")
        user = module(tmp_path, "import user_helpers\n\ndef g(m, x):\n    return m.K.k * x\n\n"
                                "def f(x):\n    return g(user_helpers, x)\n")
        digests.add(surroundings.digest([(user.f, None)], frozenset()))
    assert len(digests) == 2


def test_a_rule_of_the_users_own_is_not_overlooked(tmp_path, lookups):
    text = "def helper(x):\n    return x * x\n\ndef f(x):\n    return helper(x)\n"
    assert gradient(module(tmp_path, text)) == 3.0
    user = module(tmp_path, text)
    user.helper = sd.custom_rule(lambda x, dx, ans: 5.0 * dx)(user.helper)
    assert gradient(user) == 5.0
    assert lookups == [False, False]


PROCESS = """
import json, os, sys
opened = set()
sys.addaudithook(lambda event, args: event == "open" and str(args[0]).startswith(os.environ["SRCDIFF_CACHE_DIR"])
                 and opened.add(str(args[0])))
import numpy as np
import srcdiff as sd
from user_module import f, fingers
x = np.linspace(0.1, 1.0, 5)
results = [sd.grad(f)(x).tolist(), sd.differentiate(f).value_and_grad(x)[0], sd.hessian(f)(x).tolist(),
           sd.grad(fingers)(2.0)]
heavy = [m for m in ("srcdiff.frontend", "srcdiff.compiler", "srcdiff.rules", "srcdiff.backend.lowering",
                     "srcdiff.api.linear", "srcdiff.api.vmap", "scipy.special", "gast") if m in sys.modules]
kinds = [sum(name.endswith(kind) for name in opened) for kind in (".json", ".py", ".nbi", ".nbc")]
print(json.dumps([results, heavy, str(sd.grad(fingers)), kinds]))
"""


def test_another_process_needs_no_front_end(tmp_path, cache):
    (tmp_path / "user_module.py").write_text(
        "import math\n\nPAIRS = [(1.0, 2.0), (3.0, 4.0)]\n\ndef f(x):\n    total = 0.0\n"
        "    for i in range(x.shape[0]):\n        total += math.exp(x[i]) * x[0]\n    return total\n\n"
        "def fingers(x):\n    return sum(a * x**b for a, b in PAIRS)\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "SRCDIFF_CHECK": "0"}

    def process():
        done = subprocess.run([sys.executable, "-W", "error", "-c", PROCESS], env=environment, check=True,
                              capture_output=True, text=True)
        return json.loads(done.stdout)

    cold, warm_ = process(), process()
    assert "srcdiff.frontend" in cold[1] and warm_[1] == []
    assert cold[0] == warm_[0] and cold[0][3] == 100.0
    assert cold[2] == warm_[2] and "def fingers_grad" in cold[2]
    assert warm_[3] == [4, 4, 4, 4]     # of each derivative: what is known of it, its text, Numba's index and machine code
    for path in cache.iterdir():
        path.chmod(0o500 if path.is_dir() else 0o400)
    cache.chmod(0o500)
    try:
        assert process()[0] == cold[0]
    finally:
        cache.chmod(0o700)
        for path in cache.iterdir():
            path.chmod(0o700 if path.is_dir() else 0o600)
