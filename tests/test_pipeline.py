"""The compiler of generated functions: Numba's, with fewer steps, shorter code, and fewer passes of LLVM for long ones."""

import sys

import numpy as np
import pytest
from numba import njit
from numba.core import lowering as numba_lowering
from numba.core.untyped_passes import ReconstructSSA

from srcdiff.backend import Options, numba, passes, pipeline

TEXT = '''
import numpy as np

__all__ = ["twice"]


def part(x, i):
    if i >= x.shape[0]:
        raise IndexError("too far")
    return x[i] / 2.0


def twice(x):
    y = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        y[i] = 4.0 * part(x, i)
    return y, y.copy()
'''


def load(name, text, comment=""):
    """Return the compiled function of a module whose text is its own: equal texts are one module."""
    return numba.load(name, f"{text}\n# {sys._getframe(1).f_code.co_name} {comment}\n", Options(cache=False))


def is_long(function):
    return function._compiler.pipeline_class is pipeline.compiler(pipeline.Notes(vector_math=True), True)


@pytest.mark.skipif(pipeline.library() is None, reason="this Numba has other parts")
def test_long_functions_are_compiled_with_it_and_callable_from_others(monkeypatch):
    monkeypatch.setattr(pipeline, "LONG", 0)
    twice = load("twice", TEXT)
    assert is_long(twice)

    @njit
    def caller(x):
        first, second = twice(x)
        return first[-1] + second[0]

    x = np.array([1.0, 3.0])
    first, second = twice(x)
    assert np.array_equal(first, 2.0 * x) and np.array_equal(second, 2.0 * x) and caller(x) == 8.0


@pytest.mark.parametrize("long", [0, 500])
def test_errors_are_raised(monkeypatch, long):
    monkeypatch.setattr(pipeline, "LONG", long)
    part = load("part", TEXT, long)
    assert is_long(part) == (long == 0)
    with pytest.raises(IndexError, match="too far"):
        part(np.ones(2), 2)


def test_another_numba_is_left_as_it_is(monkeypatch):
    def missing(*args):
        raise AttributeError("_compile_core")

    monkeypatch.setattr(pipeline, "_library", missing)
    monkeypatch.setattr(passes, "passes", missing)
    monkeypatch.setattr(pipeline, "LONG", 0)
    pipeline.library.cache_clear()
    try:
        assert pipeline.library() is None
        assert load("twice", TEXT)(np.ones(1))[0][0] == 2.0
    finally:
        pipeline.library.cache_clear()


# -- the steps ----------------------------------------------------------------------------

@pytest.fixture
def split(monkeypatch):
    """Return the list of the functions whose variables were split by their assignments."""
    found, run = [], ReconstructSSA.run_pass

    def noted(self, state):
        found.append(state.func_id.func_name)
        return run(self, state)

    monkeypatch.setattr(ReconstructSSA, "run_pass", noted)
    return found


LOOPS = '''
import numpy as np


def loops(x):
    k = 0
    total = 0
    for i in range(x.shape[0]):
        total = total + x[i]
        k = i + 2
    for i in range(k, -1, -1):
        total = total + i
    for i in range(1, k, 3):
        total = total * 2.0
    y = np.empty(2)
    y = y.copy()
    return total, k, y
'''


def test_names_with_one_type_are_not_split(split):
    total, k, y = load("loops", LOOPS)(np.array([0.5, 1.5]))
    assert (total, k, y.shape) == (((2.0 + 6.0) * 2.0), 3, (2,))
    assert split.count("loops") == 0


VIEWS = '''
import numpy as np


def views(x):
    s = 0.0
    for i in range(3):
        y = np.ones(2)
        s += y[1] + y[-1]
    for i in range(2):
        y = x[::2]
        s += y[-1]
    return s
'''


def test_names_of_arrays_in_two_layouts_are_split(split):
    assert load("views", VIEWS)(np.arange(5.0)) == 14.0
    assert split.count("views") == 1


def test_what_cannot_be_typed_is_said_of_the_users_names():
    from numba.core.errors import TypingError
    with pytest.raises(TypingError, match="y"):
        load("wrong", "def wrong(x):\n    y = x.nothing\n    return y\n")(np.ones(2))


# -- the code -----------------------------------------------------------------------------

ACCESSES = '''
import numpy as np

{note}

def accesses(x, k, flags):
    y = np.zeros((2, 3))
    for i in range(2):
        for j in range(3):
            y[i, j] = x[i, j]
            y[i, j] += 1
    y[-1, k[0]] = x[k[1], -1]
    flags[1] = y[0, 0] > 0
    for i in range(4, 4, -1):
        y[0, 0] = np.nan
    for i in range(3, 1):
        y[0, 0] = np.nan
    for i in range(0, 2, 1):
        y[0, i] -= k[i]
    return y, x[1, 2], k[np.int32(1)], flags[-1]
'''


@pytest.mark.parametrize("order", ["C", "F", "A"])
@pytest.mark.parametrize("note", ["", '__from_front__ = {"accesses": ["y_unused", "z"]}'])
def test_accesses_to_elements_are_those_of_python(order, note):
    x = np.asarray(np.arange(6.0).reshape(2, 3), order=order)
    x = np.repeat(x, 2, axis=1)[:, ::2] if order == "A" else x
    text = ACCESSES.format(note=note)
    names = {}
    exec(text, names)
    got, expected = (function(x, np.array([1, -2], np.int32), np.array([False, False]))
                     for function in (load("accesses", text), names["accesses"]))
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


FROM_FRONT = '''
__from_front__ = {"gathered": ["x", "k"]}


def gathered(x, k):
    s = 0.0
    for i in range(k.shape[0]):
        s += x[k[i], i] * x[1, k[i]]
    return s
'''


@pytest.mark.parametrize("order", ["C", "F", "A"])
def test_accesses_from_the_front(order):
    x = np.asarray(np.arange(9.0).reshape(3, 3), order=order)
    x = np.repeat(x, 2, axis=1)[:, ::2] if order == "A" else x
    for dtype in (np.int32, np.int64, np.uint8):
        k = np.array([2, 0, 1], dtype)
        assert load("gathered", FROM_FRONT, order)(x, k) == sum(x[k[i], i] * x[1, k[i]] for i in range(3))


def lowered(function, args, monkeypatch):
    """Compile a function, and return the instructions that it was lowered to."""
    found, lower = {}, numba_lowering.Lower.lower_normal_function

    def counted(self, fndesc):
        lower(self, fndesc)
        found[fndesc.qualname.rpartition(".")[2]] = [one for block in self.function.blocks for one in block.instructions]

    with monkeypatch.context() as patch:
        patch.setattr(numba_lowering.Lower, "lower_normal_function", counted)
        function(*args)
    return found[function.__name__]


MANY = '''
__from_front__ = {"many": ["x", "y"]}


def many(x, y):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] + x[j, i]
            y[j, i] = y[i, j] * x[i, i]
    return y
'''


def test_less_than_half_of_numbas_instructions(monkeypatch):
    names = {}
    exec(MANY, names)
    args = np.ones((2, 2)), np.ones((2, 2))
    ours, numbas = (len(lowered(f, args, monkeypatch)) for f in (load("many", MANY), njit(names["many"])))
    assert 2 * ours < numbas


@pytest.mark.parametrize("long", [0, 500])
def test_loops_of_long_functions_are_not_unrolled(monkeypatch, long):
    monkeypatch.setattr(pipeline, "LONG", long)
    x, y = np.ones((3, 3)), np.ones((3, 3))
    marked = [one for one in lowered(load("many", MANY, long), (x, y), monkeypatch) if "llvm.loop" in one.metadata]
    assert len(marked) == (0 if long else 2) and np.array_equal(y, [[2, 2, 2]] * 3)


def test_long_functions_whose_names_are_split_are_not_too_deep(monkeypatch):
    branches = "".join(f"    if x[0, 0] > {i}:\n        y = np.empty((2, 2))\n" for i in range(100))
    text = f"import numpy as np\n\n__all__ = ['f']\n\n\ndef f(x):\n    y = x.T\n{branches}    return y[0, 0]\n"
    limits = []
    split = ReconstructSSA.run_pass

    def noted(self, state):
        limits.append(sys.getrecursionlimit())
        return split(self, state)
    monkeypatch.setattr(ReconstructSSA, "run_pass", noted)
    before = sys.getrecursionlimit()
    assert load("f", text)(np.zeros((2, 2))) == 0.0
    assert limits == [passes.DEEP] and sys.getrecursionlimit() == before
