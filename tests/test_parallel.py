"""Batches on all cores: the proof, the parts, errors from a part; and choosing by estimated costs."""

import pickle
import sys
import types
import warnings

import numpy as np
import pytest
from numba import njit, prange

import srcdiff as sd
from srcdiff import compiler
from srcdiff.analysis.cost import Cost, estimate
from srcdiff.analysis.independent import independent
from srcdiff.api import parallel
from srcdiff.backend import Options
from srcdiff.backend.turns import next_turn
from srcdiff.batches import CHUNKS
from srcdiff.marks import FROM_FRONT
from srcdiff.notation import read


def picklable(x):
    return x * np.sin(x)


def solution(a, b):
    return np.linalg.solve(a, np.sin(b)).sum()


def recurrence(x, k):
    y = x.copy()
    for _ in range(k):
        for i in range(1, x.shape[0]):
            y[i] += np.sin(y[i - 1]) * x[i]
    return y


def looked_up(x, places):
    return np.sum(np.sin(x) * x[places])


LOOP = '''
def f(x: "float64[:,:]", w: "float64[:]", k: "weak int64"):
    n = size(x, axis=0)
    y = empty(n, dtype="float64")
    z = zeros(n, dtype="float64")
    s = 0.0
    for i in range(0, n, 1):
        {}
    return y
'''


@pytest.mark.parametrize("body, proved", [
    ("a = x[i, 0]\n        y[i] = a", True),
    ("a = x[i, 0]\n        y[0] = a", False),                           # all write the same place
    ("j = add(i, 1)\n        a = x[i, 0]\n        y[j] = a", False),        # a place that is not the variable
    ("a = y[i]\n        y[i] = a", False),                               # reads what it writes
    ("a = x[i, 0]\n        s = add(s, a)\n        y[i] = s", False),        # a sum over iterations
    ("c = greater(i, 0)\n        if c:\n            y[i] = d\n        d = x[i, 0]", False),      # carried over
    ("c = greater(i, 0)\n        d = x[i, 0]\n        if c:\n            e = d\n        y[i] = e", False),
    ("for j in range(0, k, 1):\n            e = x[i, j]\n        y[i] = e", False),          # may not run
    ("e = 0.0\n        for j in range(0, k, 1):\n            a = x[i, j]\n            e = add(e, a)\n        y[i] = e",
     True),
    ("t = zeros(k, dtype='float64')\n        t[i] += 1.0\n        a = t[i]\n        y[i] = a", True),
    ("y = zeros(n, dtype='float64')\n        y[i] = 1.0", False),
])
def test_independence_is_proved_or_not_claimed(body, proved):
    text = LOOP.format(body)
    if "= d\n" in body and "d = x" not in body.split("y[i]")[0]:
        text = text.replace("s = 0.0", "s = 0.0\n    d = w[0]")
    if "= e" in body and "e = 0.0" not in body:
        text = text.replace("s = 0.0", "s = 0.0\n    e = w[0]")
    program = read(text)
    assert (independent(program, len(program.body) - 1) is not None) == proved


def test_a_value_kept_from_another_iteration_is_no_proof():
    program = read(LOOP.format("c = equal(i, 0)\n        if c:\n            a = x[i, 0]\n        y[i] = a"))
    assert independent(program, len(program.body) - 1) is None


def layer(w, b, x):
    return np.tanh(w @ x + b)


def cubed(w, x):
    return np.tanh((w @ w @ w) @ x)


def root(a):
    x = a * a + 1.0
    while abs(x * x - a * a) > 1e-9:
        x = 0.5 * (x + a * a / x)
    return x


def pieces(x):
    if x[0] > 0:
        y = np.exp(x)
    else:
        y = np.zeros(x.shape[0])
        for i in range(x.shape[0]):
            y[i] = x[i] ** 2 if x[i] < 0 else np.sin(x[i])
    return y, y.sum()


@pytest.mark.parametrize("function, argnums, in_dims, shapes", [
    (cubed, 1, (None, 0), ((3, 3), (9, 3))),                # the cube is computed once, before
    (root, 0, 0, ((70,),)),
    (pieces, 0, 0, ((66, 4),)),
    (recurrence, 0, (0, None), ((5, 3), 2)),
    (layer, 2, (None, None, 0), ((3, 4), (3,), (70, 4))),
    (layer, (0, 1), (None, None, 1), ((3, 4), (3,), (4, 7))),
    (solution, 0, (0, None), ((6, 3, 3), (3,))),            # the extents are known from a sample only
])
def test_the_text_runs_as_python(function, argnums, in_dims, shapes, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)         # whoever keeps the text may not have Numba
    rng = np.random.default_rng(0)
    args = [rng.normal(size=s) if isinstance(s, tuple) else s for s in shapes]
    batch = sd.vmap(sd.jacrev(sd.differentiate(function, target="python"), argnums=argnums), in_dims=in_dims)
    program = batch.special_for(*args).bare
    source = compiler.parallel_text(program, jit=True)
    assert "prange" in source and max(map(len, source.splitlines())) <= 110
    module = {}
    exec(source, module)
    expected, found = batch(*args), module[program.name](*args)
    for ours, theirs in zip(*(v if isinstance(v, tuple) else (v,) for v in (found, expected)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_user_code_and_sums_stay_serial():
    total = sd.differentiate(lambda x: np.sum(x**2), target="numba")
    assert not compiler.is_parallel(sd.grad(total).special_for(np.ones(3)).bare, Options())


# -- compiled --------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    return rng.normal(size=(300, 4)), rng.integers(-4, 4, size=(300, 4))


@pytest.fixture(scope="module")
def batches():
    f = sd.differentiate(looked_up, parallel=True, cache=False)
    return sd.vmap(f.grad).base, sd.vmap(f.grad, parallel=False).base       # one sample after the other


@pytest.fixture
def always(batches, monkeypatch):
    """Let every batch run on all cores."""
    monkeypatch.setattr(parallel, "LARGE", 0.0)
    batches[0]._large.clear()


def test_small_batches_run_on_one_core(batches, data):
    many, one = batches
    assert isinstance(many, parallel.ParallelMap) and not isinstance(one, parallel.ParallelMap)
    assert many.why(*data).startswith("one core: about")
    np.testing.assert_array_equal(many(*data), one(*data))
    assert not many._programs


def test_parallel_is_serial(batches, data, always):
    many, one = batches
    assert many.why(*data).startswith("all cores: about")
    expected = one(*data)
    for _ in range(20):
        np.testing.assert_allclose(many(*data), expected, rtol=1e-14)
    for few in (0, 1, CHUNKS - 1, CHUNKS + 1):
        np.testing.assert_allclose(many(data[0][:few], data[1][:few]), expected[:few], rtol=1e-14)
    assert "for chunk in prange" in many.source(*data) and many._programs


def test_the_compiled_parts_are_taken_in_turn(batches, data, always):
    many, _ = batches
    text = compiler.parallel_text(many.special_for(*data).bare)
    assert "chunk = next_turn(turn)" in text and "_part': ['" in text.partition(FROM_FRONT)[2].partition("\n")[0]

    @njit(parallel=True)
    def takers(turn, taken):
        for worker in prange(5):
            for _ in range(1000):
                taken[next_turn(turn)] += worker + 1

    taken, turn = np.zeros(5000), np.zeros(1, np.int64)
    takers(turn, taken)
    assert turn[0] == 5000 and taken.min() >= 1 and taken.sum() == 1000 * 15        # each number once


def test_the_machine_code_is_kept(batches, data, always, monkeypatch, tmp_path):
    """Numba keeps no code that calls by an address, as `get_num_threads` is called."""
    monkeypatch.setenv("SRCDIFF_CACHE_DIR", str(tmp_path))
    many = sd.vmap(sd.differentiate(lambda x: np.sum(np.sin(x) * x), parallel=True).grad).base
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(many(data[0]), np.sin(data[0]) + data[0] * np.cos(data[0]), rtol=1e-14)
    assert any("vmap-" in path.name for path in tmp_path.rglob("*.nbc"))


def test_an_error_in_a_sample_is_raised(batches, data, always):
    x, places = data
    wrong = places.copy()
    wrong[217, 2] = 4
    for function in batches:
        with pytest.raises(IndexError, match="out of bounds"):
            function(x, wrong)
        with pytest.raises(sd.errors.ShapeError, match="different numbers of samples"):
            function(x, places[:-1])
    np.testing.assert_allclose(*(function(x, places) for function in batches), rtol=1e-14)


def test_threads_and_processes(batches, data, always, monkeypatch):
    """A second batch at the same time, and a forked process, run on one core."""
    many, one = batches
    assert many.is_large(data, {})
    many(*data)                                 # compiled from what is replaced below
    calls = []
    monkeypatch.setattr(many, "base", lambda *args: calls.append(args) or one(*args))
    with parallel._CORES:
        many(*data)
    monkeypatch.setattr(parallel, "_PROCESS", [0])
    many(*data)
    assert len(calls) == 2
    monkeypatch.setattr(parallel, "_PROCESS", [])
    np.testing.assert_allclose(many(*data), one(*data), rtol=1e-14)
    assert len(calls) == 2


def test_mapped_functions_pickle():
    many = sd.vmap(sd.grad(picklable), parallel=True)
    assert many is sd.vmap(sd.grad(picklable), parallel=True)
    found = pickle.loads(pickle.dumps(sd.vmap(sd.grad(picklable), parallel=True, chunk_size=7)))
    assert found.size == 7 and found.base is many and isinstance(many.base, parallel.ParallelMap)
    assert found.base.__signature__ == many.__signature__


# -- progress --------------------------------------------------------------------------------------

def test_progress_counts_the_chunks(monkeypatch):
    seen = []
    bar = types.ModuleType("tqdm.auto")
    bar.tqdm = lambda steps, desc: seen.append((len(steps), desc)) or steps
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", bar)
    f = sd.differentiate(lambda x: np.sin(x) * x, target="python")
    xs = np.linspace(0, 1, 250)
    expected = sd.vmap(sd.grad(f))(xs)
    np.testing.assert_array_equal(sd.vmap(sd.grad(f), progress=True)(xs), expected)
    np.testing.assert_array_equal(sd.vmap(sd.grad(f), progress=True, chunk_size=100)(xs), expected)
    assert [count for count, _ in seen] == [84, 3]
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(sd.errors.ArgumentError, match="tqdm"):
        sd.vmap(sd.grad(f), progress=True)


# -- estimated costs -------------------------------------------------------------------------------

def test_costs_count_elements_and_iterations():
    program = read('''
def f(a: "float64[:,:]", x: "float64[:]", k: "weak int64"):
    y = matmul(a, x)
    for i in range(0, k, 1):
        for j in range(0, i, 1):
            z = multiply(y, y)
    c = less(k, 3)
    w = 0.0
    while True:
        c = less(w, 3.0)
        if not c:
            break
        w = add(w, 1.0)
    return z, w
''')
    cost = estimate(program, [(10, 20), (20,), ()], {"k": 5})
    assert cost == Cost(10 * 20 + 5 * 2 * 10 + 1 + 1 + 1, 1, cost.results)


def test_suggestions_follow_the_shapes():
    def loss(x):
        s = 0.0
        for i in range(x.shape[0] - 1):
            s += (x[i + 1] - x[i] ** 2) ** 2
        return s

    found = sd.suggest(loss, np.ones(40))
    assert (found.jacobian, found.hessian) == ("reverse", "forward over reverse")
    text = str(found)
    assert text.startswith("loss: about") and "Jacobian: reverse" in text and "times the best" in text

    def curve(t):
        y = np.zeros(30)
        for i in range(30):
            y[i] = np.sin(t * i)
        return y

    assert sd.suggest(curve, 0.3).jacobian == "forward"
    auto = sd.jacobian(sd.differentiate(loss, target="python"))
    assert auto.choose(np.ones(40)).recipe.mode == "reverse"
    assert "operations forward" in auto.why(np.ones(40))
