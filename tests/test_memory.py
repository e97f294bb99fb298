"""`memory=`: loops held to a budget by checkpoints have the same derivatives, and keep what the budget says."""

import functools
import math
import os
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.notation import run
from srcdiff.optimize import optimize
from srcdiff.reverse import adjoint
from srcdiff.schedule import Within, next_checkpoint, segment_length
from srcdiff.syntax import walk
from srcdiff.verify import verify
from tests.modes import specialised
from tests.oracle import flat

# -- functions as people write them ------------------------------------------------------

def heat(u0, k, steps):
    u = u0.copy()
    new = u.copy()
    for _ in range(steps):
        for i in range(1, u.shape[0] - 1):
            new[i] = u[i] + k * (u[i - 1] - 2 * u[i] + u[i + 1]) + 0.01 * np.sin(u[i])
        u, new = new, u
    return np.sum(u * u)


def leapfrog(q0, p0, w, steps):
    q, p, energy = q0.copy(), p0.copy(), 0.0
    for t in range(steps):
        p -= 0.005 * np.sin(w * q)
        q += 0.01 * p
        p -= 0.005 * np.sin(w * q)
        if t % 10 == 0 and q[0] > 0.0:
            energy += np.sum(p * p) * q[0]
    return energy + np.sum(q * q * q)


def rate(y, theta):
    return np.array([y[1] * theta[0] - y[0] ** 3, np.sin(y[0]) * theta[1]])


def runge_kutta(y0, theta, h, steps):
    y = y0
    for _ in range(steps):
        k1 = rate(y, theta)
        k2 = rate(y + h / 2 * k1, theta)
        k3 = rate(y + h / 2 * k2, theta)
        k4 = rate(y + h * k3, theta)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.sum(y * y)


def trajectory(x0, a, steps):
    u = np.zeros((steps + 1, x0.shape[0]))
    u[0] = x0
    for t in range(steps):
        for i in range(x0.shape[0]):
            u[t + 1, i] = u[t, i] + 0.1 * np.sin(a * u[t, i]) * np.exp(-u[t, i])
    return np.sum(u * u)


def triangle(x, n):
    s = 0.0
    for i in range(n):
        for j in range(i):
            s = np.sin(s + x[j] * x[i])
    return s * s


def backwards(x, n, step):
    s = x[0]
    for i in range(3 * n, -1, -step):
        s = np.sin(s) * 1.1 + x[i % len(x)] * s
    return s


def two_loops(x, n, m):
    s = x[0]
    for i in range(n):
        s = np.sin(s) + 0.1 * x[i % len(x)]
    q = x.copy()
    for _ in range(m):
        q = np.sin(q * s)
    return np.sum(q) * s


def in_a_branch(x, n, flag):
    s, t = x[0], 1.0
    if flag > 0:
        for i in range(n):
            s = np.sin(s * t) + 0.1 * x[i % len(x)]
            if s > 0.3:
                t = t * np.cos(s)
    else:
        s = s * s
    return s * t


def newton_in_time(x, n):
    y, total = 1.0, 0.0
    for i in range(n):
        z = y
        while abs(z * z * z - x * (1 + 0.01 * i)) > 1e-10:
            z = z - (z * z * z - x * (1 + 0.01 * i)) / (3 * z * z)
        y = z
        total += y * np.sin(y)
    return total


def until_small(x, limit):
    y, k = x, 0
    while y > limit:
        y = y * 0.99 - 0.001 * np.sin(y)
        k += 1
    return y * y + k * x


def stops_early(x, n):
    s = x[0]
    for i in range(n):
        s = np.sin(s) + 0.2 * x[i % len(x)]
        if s > 1.05:
            break
    return s * s


def averaged(x, n):
    y, mean = x.copy(), np.zeros(x.shape[0])
    for _ in range(n):
        y = y * np.cos(y)
        mean += y / n
    return np.sum(mean * mean)


def slices(x, n):
    y = x.copy()
    for i in range(n):
        part = y[: 2 + i % 3]
        y[: 2 + i % 3] = np.sin(part) * part
    return np.sum(y * y)


def restarts(x, n):
    """A short loop around a long one, with an array of each outer iteration."""
    y, total = x.copy(), 0.0
    for i in range(3):
        w = np.cos(0.3 * i + y[0] * x)
        for _ in range(n):
            y = np.sin(y) * w + 0.1 * x
        total += np.sum(y * y) * w[1]
    return total


def epochs(x, n):
    """Two long loops after one another in a short one that runs down, the second of them data-dependent."""
    s, total = x[0], 0.0
    for e in range(4, -2, -3):
        rate = np.exp(-0.1 * e) * x
        for t in range(n):
            s = np.sin(s + rate[t % len(x)])
        k = 0
        while k < n + e and s < 50.0:
            s = s + 0.01 * np.cos(s * rate[1])
            k += 1
        total += s * s + rate[2]
    return total


def until_settled(x, n):
    """A `while` around a long loop."""
    y, c = x[0] + 1.0, 0
    while y > 0.2 and c < 4:
        for t in range(n):
            y = y * (1 - 0.001 * np.sin(y + x[t % len(x)]))
        c += 1
        if y < 0.3:
            y = y * y
    return y * y


def leaves_two_loops(x, n):
    """What the test of the outer loop sets is read behind it."""
    y = x.copy()
    for i in range(3):
        for j in range(n):
            y[j % 9] *= np.arctan(y[0] + 0.1 * i + 1.0)
            if y[j % 9] > 1.2:
                return y[0] * y[j % 9]
        y[1] += np.cos(y[0])
    return np.sum(y * y)


def three_deep(x, n):
    s = x[0]
    for i in range(2):
        a = np.sin(s + i)
        for _ in range(3):
            b = a * s
            for k in range(n):
                s = np.sin(s + 0.1 * b) + 0.1 * x[k % len(x)]
    return s * a


X = np.linspace(0.0, 1.0, 9) ** 2
NESTS = [(restarts, 200, 4000), (epochs, 150, 2500), (until_settled, 150, 1500), (leaves_two_loops, 100, 1500), (three_deep, 60, 1500)]
CASES = [
    (heat, (X, 0.1, 100), (0, 1), 1500), (heat, (X, 0.1, 1), (0, 1), 1500), (heat, (X, 0.1, 0), (0, 1), 1500),
    (leapfrog, (X, X + 1, 1.5, 200), (0, 1, 2), 1000), (runge_kutta, (X[3:5], X[5:7], 0.01, 300), (0, 1, 2), 1000),
    (trajectory, (X, 0.3, 50), (0, 1), 500), (triangle, (X, 9), 0, 200), (backwards, (X, 100, 4), 0, 200),
    (two_loops, (X, 100, 200), 0, 700), (in_a_branch, (X, 100, 1), 0, 150), (in_a_branch, (X, 100, 0), 0, 150),
    (newton_in_time, (2.0, 100), 0, 1000), (until_small, (2.0, 0.1), 0, 200), (stops_early, (X, 1000), 0, 200),
    (averaged, (X, 100), 0, 1500), (slices, (X, 50), 0, 2000),
]


@functools.cache
def object_of(function, target="python"):
    return sd.differentiate(function, target=target)


def same(found, expected, tolerance=1e-13):
    found, expected = (f if isinstance(f, tuple) else (f,) for f in (found, expected))
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(f, e, rtol=tolerance, atol=tolerance)


def takes_checkpoints(text) -> bool:
    return "next_checkpoint(" in text


# -- the same derivatives ------------------------------------------------------------------

@pytest.mark.parametrize("function, args, argnums, memory", CASES, ids=lambda v: getattr(v, "__name__", ""))
def test_gradients_are_the_same(function, args, argnums, memory):
    f = object_of(function)
    expected = sd.value_and_grad(f, argnums)(*args)
    within = sd.value_and_grad(f, argnums, memory=memory)
    value, gradient = within(*args)
    assert takes_checkpoints(within.source(*args))
    assert value == expected[0]
    same(gradient, expected[1])


@pytest.mark.parametrize("memory", [3000, 20_000, "1GB"])
def test_budgets_in_which_some_or_all_fits(memory):
    for function, args in ((averaged, (X, 200)), (two_loops, (X, 100, 200))):
        f = object_of(function)
        same(sd.grad(f, memory=memory)(*args), f.grad(*args))


def test_against_complex_step():
    """An oracle that knows nothing of tapes: the loop run on complex numbers."""
    x, k, steps = X + 0.1, 0.1, 60
    expected = []
    for i in range(len(x)):
        z = x.astype(complex)
        z[i] += 1e-30j
        expected.append(heat(z, k, steps).imag / 1e-30)
    same(sd.grad(object_of(heat), memory=1000)(x, k, steps), np.array(expected), 1e-12)


@pytest.mark.parametrize("steps", [*range(12), 63, 64, 65, 129])
@pytest.mark.parametrize("memory", [600, 800, 2000, 5000])
def test_every_number_of_iterations(steps, memory):
    f = object_of(averaged)
    same(sd.grad(f, memory=memory)(X, steps + 1), f.grad(X, steps + 1))


def test_compiled_long_loop():
    def logistic(x, r, n):
        for i in range(n):
            x = r * x * (1 - x) + 1e-3 * np.sin(x * i)
        return x

    f = sd.differentiate(logistic)
    for n in (10, 1_000_000):
        same(sd.grad(f, (0, 1), memory="20kB")(0.3, 2.9, n), sd.grad(f, (0, 1))(0.3, 2.9, n))


# -- short loops around long ones ---------------------------------------------------------------

@pytest.mark.parametrize("function, n, memory", NESTS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_short_loop_around_a_long_one(function, n, memory):
    """One outer iteration does not fit: checkpoints are taken inside it."""
    f = object_of(function)
    within = sd.value_and_grad(f, memory=memory)
    expected = f.value_and_grad(X, n)
    for _ in range(2):                          # the second call knows where to go
        value, gradient = within(X, n)
        assert value == expected[0]
        same(gradient, expected[1], 1e-12)
    assert "stage" not in within.source(X, n)
    one = adjoint(specialised(function, (X, n)).program, ("x",), memory=memory)
    with pytest.raises(ValueError, match="SD0344"):
        run(one, X, n, 1.0)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("function", [f for f, *_ in NESTS])
def test_every_way_to_divide_a_nest(function, levels, n):
    program = specialised(function, (X, n)).program
    expected = flat(run(adjoint(program, ("x",)), X, n, 1.0))
    for memory in (2500, 20_000):
        found = adjoint(program, ("x",), memory=Within(memory, levels))
        verify(found)
        same(flat(run(found, X, n, 1.0)), expected, 1e-12)


def test_second_order_within_iterations():
    f = object_of(restarts)
    v = np.cos(X)
    same(sd.hvp(f, (X, 60), (v, None), memory=4000)[0], f.hvp(X, v, 60), 1e-11)


def test_peak_of_a_short_loop_around_a_long_one():
    """A budget that holds far less than the tape of one outer iteration."""
    x = np.linspace(0.0, 1.0, 500)
    f, memory = object_of(restarts), 400_000
    within = sd.grad(f, memory=memory)
    same(within(x, 300), f.grad(x, 300), 1e-12)
    assert peak_of(lambda: f.grad(x, 300)) > 5_000_000
    assert peak_of(lambda: within(x, 300)) < memory + 60 * x.nbytes


def test_what_cannot_be_divided_is_still_refused():
    with pytest.raises(sd.errors.MemoryBudgetError, match="SD0344"):
        sd.grad(object_of(restarts), memory=500)(X, 50)


# -- composed -----------------------------------------------------------------------------------

@pytest.mark.parametrize("function, args, memory", [(heat, (X, 0.1, 40), 2000), (until_small, (2.0, 0.5), 200),
                                                    (newton_in_time, (2.0, 30), 1000), (two_loops, (X, 30, 20), 800)],
                         ids=lambda v: getattr(v, "__name__", ""))
def test_second_order(function, args, memory):
    f = object_of(function)
    x = args[0]
    v = np.cos(np.arange(np.size(x)) + 1.0).reshape(np.shape(x)) if np.ndim(x) else 0.7
    expected = f.hvp(x, v, *args[1:])
    within = sd.differentiate(function, target="python", memory=memory)
    same(within.hvp(x, v, *args[1:]), expected, 1e-12)


def test_reverse_over_reverse():
    f = object_of(heat)

    def along(x, v):
        return np.sum(f.grad(x, 0.1, 20) * v)

    def along_within(x, v):
        return np.sum(sd.grad(f, memory=1500)(x, 0.1, 20) * v)

    v = np.cos(X)
    expected = f.hvp(X, v, 0.1, 20)
    same(sd.grad(sd.differentiate(along_within, target="python"))(X, v), expected, 1e-12)
    same(sd.grad(sd.differentiate(along, target="python"), memory=50_000)(X, v), expected, 1e-12)


def test_every_transform_takes_a_budget():
    def final(x, n):
        y = x.copy()
        for _ in range(n):
            y = np.sin(y) * x[0]
        return y

    f = sd.differentiate(final, target="python")
    x, n = X[:4] + 0.5, 50
    expected = f.jacrev(x, n)
    same(sd.jacrev(f, memory=500)(x, n), expected)
    same(sd.jacrev(f, memory=500, chunk_size=2)(x, n), expected)
    same(sd.jacobian(f, mode="reverse", memory=500)(x, n), expected)
    same(sd.value_and_jacobian(f, mode="reverse", memory=500)(x, n)[1], expected)
    _, pullback = sd.vjp(f, x, n, memory=500)
    same(pullback(np.ones(4))[0], expected.sum(axis=0))
    same(f.vjp(x, n, memory=500)[1](np.ones(4))[0], expected.sum(axis=0))
    same(sd.vmap(pullback)(np.eye(4))[0], expected)
    assert takes_checkpoints(pullback.source(np.ones(4)))
    h = object_of(heat)
    same(sd.vhp(h, (X, 0.1, 9), (X, 0.0, None), memory=2000)[0], sd.vhp(h, (X, 0.1, 9), (X, 0.0, None))[0])
    same(sd.hessian(h, memory=2000)(X, 0.1, 9), h.hessian(X, 0.1, 9), 1e-12)
    many = np.stack([X, X + 0.5])
    same(sd.vmap(sd.grad(h, memory=2000), in_dims=(0, None, None))(many, 0.1, 9),
         sd.vmap(h.grad, in_dims=(0, None, None))(many, 0.1, 9))


def test_an_object_has_its_budget_and_pickles():
    f = object_of(heat)
    within = sd.grad(f, memory="2kB")
    assert within is sd.grad(f, memory=2000) is not f.grad
    again = pickle.loads(pickle.dumps(within))
    assert again.options.memory == 2000
    same(again(X, 0.1, 50), f.grad(X, 0.1, 50))
    assert sd.differentiate(heat, target="python", memory=2000).grad is within


def test_nothing_changes_without_a_budget_or_where_nothing_is_kept():
    f = object_of(heat)
    assert not takes_checkpoints(f.grad.source(X, 0.1, 10))

    def linear(x, n):
        y = x.copy()
        for _ in range(n):
            y = 2.0 * y + x
        return np.sum(y)

    def short(x):
        s = x
        for _ in range(3):
            s = np.sin(s)
        return s

    for function, args in ((linear, (X, 10)), (short, (0.5,))):
        g = sd.differentiate(function, target="python")
        assert sd.grad(g, memory=1000).source(*args) == g.grad.source(*args)


# -- what is kept ------------------------------------------------------------------------------

def peak_of(call) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("memory", [200_000, 1_000_000])
def test_peak_of_an_array_loop(memory):
    """The budget and the arrays of the function and its adjoint: 25 times the state at most."""
    x = np.linspace(0.0, 1.0, 1000)
    f = object_of(leapfrog)
    within = sd.grad(f, (0, 1), memory=memory)
    plain = sd.grad(f, (0, 1))
    arguments = (x, x + 1.0, 1.5, 400)
    same(within(*arguments), plain(*arguments))
    assert peak_of(lambda: plain(*arguments)) > 6_000_000
    assert peak_of(lambda: within(*arguments)) < memory + 25 * 2 * x.nbytes


PROCESS = """
import re
import numpy as np
import srcdiff as sd
from tests.test_memory import heat

def resident(what):
    return int(re.search(what + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

x = np.linspace(0.0, 1.0, 1000)
for options in ({"memory": 8_000_000}, {}):             # the smaller first: what it needs cannot hide in what was freed
    gradient = sd.grad(sd.differentiate(heat), **options)
    gradient(x, 0.1, 10)
    before = resident("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")       # forget the peak of the compiler
    result = gradient(x, 0.1, 20_000)
    print(resident("VmHWM") - before, repr(float(np.sum(result * np.cos(x)))))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="reads the peak from Linux")
def test_peak_of_a_process():
    """160 MB of tape, held to 8 MB: the process grows by that and little more."""
    done = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True)
    within, plain = (line.split() for line in done.stdout.splitlines())
    assert int(plain[0]) > 150_000_000
    assert int(within[0]) < 8_000_000 + 2_000_000
    assert math.isclose(float(within[1]), float(plain[1]), rel_tol=1e-13)


def test_explain_shows_checkpoints_and_what_they_save():
    memory = 100_000
    x = np.linspace(0.0, 1.0, 50)
    plain = object_of(heat).explain(x, 0.1, 1000)
    found = sd.differentiate(heat, target="python", memory=memory).explain(x, 0.1, 1000)
    (loop,) = [line for line in found.lines if "for _ in" in line.where.text]
    assert {(v.name, v.how) for v in loop.values} == {(name, "checkpoints") for name in ("u", "new", "_")}
    (update,) = [line for line in found.lines if "new[i]" in line.where.text]
    assert {v.how for v in update.values} == {"indexed", "recomputed"}
    assert update.bytes == 64 * 48 * 2 * 8                    # two values for a segment of 64 iterations
    assert loop.bytes == 16 * (2 * x.nbytes + 8)              # of 1000
    assert found.bytes == loop.bytes + update.bytes < memory
    assert found.unbounded == plain.bytes == 1000 * 48 * 2 * 8
    assert plain.unbounded is None
    assert str(found).splitlines()[0].endswith(f"{found.bytes} bytes are kept in reverse mode, "
                                               f"{plain.bytes} without the memory budget")


@pytest.mark.parametrize("function, args, memory", [(f, args, memory) for f, args, _, memory in CASES[3::2]],
                         ids=lambda v: getattr(v, "__name__", ""))
def test_what_is_kept_fits(function, args, memory):
    found = sd.differentiate(function, target="python", memory=memory).explain(*args)
    assert 0 < found.bytes <= memory


def test_finished_elements_are_no_state():
    """A trajectory is kept by the function itself: the checkpoints are only numbers."""
    found = sd.differentiate(trajectory, target="python", memory=2000).explain(X, 0.3, 400)
    loop = next(line for line in found.lines if "for t in" in line.where.text)
    assert [v.name for v in loop.values] == ["t"]


# -- the schedule -----------------------------------------------------------------------------------

def steps_taken(segments: int, slots: int) -> int:
    """Run the schedule on segments of one iteration; count the iterations run without a tape."""
    places, begin, taken = [], 0, 0
    while begin < segments:
        if len(places) < slots:
            places.append(begin)
        length = next_checkpoint(segments - begin, slots - len(places), 1)
        begin, taken = begin + length, taken + length
    end = segments
    while end > 0:
        begin = places[-1]
        while end - begin > 1:
            length = next_checkpoint(end - begin, slots - len(places), 1)
            assert 0 < length < end - begin
            begin, taken = begin + length, taken + length
            if len(places) < slots:
                places.append(begin)
        if places[-1] == begin:
            places.pop()
        end = begin
    assert not places
    return taken


@functools.cache
def fewest(segments: int, slots: int) -> int:
    """The fewest iterations that have to be run without a tape (Griewank 1992), by dynamic programming."""
    if segments <= 1:
        return 0
    if slots == 1:
        return segments * (segments - 1) // 2
    return min(n + fewest(segments - n, slots - 1) + fewest(n, slots) for n in range(1, segments))


@pytest.mark.parametrize("slots", [1, 2, 3, 5, 8, 100])
def test_the_schedule_is_near_the_best(slots):
    for segments in range(1, 50):
        # The forward sweep runs to the end, past the last checkpoint.
        assert fewest(segments, slots) < steps_taken(segments, slots) <= fewest(segments, slots) + 2 * segments


def test_segments_fit():
    rng = np.random.default_rng(0)
    for trips, state, tape, memory in rng.integers(1, (10**6, 10**4, 10**4, 10**7), (1000, 4)).tolist():
        if memory < 2 * state + tape:
            with pytest.raises(ValueError, match="SD0344"):
                segment_length(trips, state, tape, memory)
            continue
        length = segment_length(trips, state, tape, memory)
        assert 1 <= length <= trips
        assert 2 * state + length * tape <= memory           # one checkpoint, the state that is run on, the tape


# -- refusals -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("target", ["python", "numba"])
def test_a_budget_that_cannot_be_met_says_what_is_needed(target):
    def slow(x, n):
        for _ in range(n):
            x = np.sin(x)
        return np.sum(x)

    f = sd.differentiate(slow, target=target)
    with pytest.raises(sd.errors.MemoryBudgetError, match="SD0344.*too small") as caught:
        sd.grad(f, memory=100)(X, 100)
    assert isinstance(caught.value, MemoryError)
    needed = int(caught.value.problems[0].fix.split("=")[1].split()[0])
    same(sd.grad(f, memory=needed)(X, 100), f.grad(X, 100))


def test_a_stack_that_turns_out_too_large():
    """The runs of the inner loop are more than were expected; then checkpoints are taken between them, if those fit."""
    f = object_of(newton_in_time)
    one = adjoint(optimize(specialised(newton_in_time, (2.0, 100)).program), ("x",), memory=300)
    with pytest.raises(ValueError, match="SD0344"):
        run(one, 2.0, 100, 1.0)
    same(sd.grad(f, memory=300)(2.0, 100), f.grad(2.0, 100), 1e-12)
    with pytest.raises(sd.errors.MemoryBudgetError, match="SD0344"):
        sd.grad(f, memory=100)(2.0, 100)


def test_an_array_that_changes_its_shape():
    def stretched(x, k, n):
        y = x.copy()
        for _ in range(n):
            y = np.sin(y + k)
        return np.sum(y)

    f = sd.differentiate(stretched, target="python")
    one = np.array([0.5])
    same(sd.grad(f, memory=400)(X, one, 20), f.grad(X, one, 20))
    assert f.grad(one, X, 20).shape == (1,)
    with pytest.raises(sd.errors.ShapeError, match="SD0345.*changes its shape"):
        sd.grad(f, memory=4000)(one, X, 20)


def test_a_state_without_a_fixed_shape_is_refused():
    def grows(x, n):
        y = x[:2] if n > 3 else x[:3] * 2.0
        for _ in range(n):
            y = np.sin(np.concatenate((y, x)))
        return np.sum(y)

    with pytest.raises(sd.errors.UnsupportedError, match="SD0243.*held to a memory budget") as caught:
        sd.grad(sd.differentiate(grows, target="python"), memory=1000)(X, 4)
    assert "for _ in range(n)" in str(caught.value)


@pytest.mark.parametrize("memory", ["64 apples", "", "MB", -1, 0, 1.5, True, "0MB"])
def test_what_is_no_budget(memory):
    with pytest.raises(sd.errors.ArgumentError, match="no memory budget"):
        sd.grad(heat, memory=memory)


def test_units():
    for text, size in (("64MB", 64 * 10**6), ("1.5 GiB", 3 * 2**29), ("10kb", 10**4), ("7", 7), ("8B", 8)):
        assert sd.differentiate(heat, memory=text).options.memory == size


def test_programs_without_long_loops_are_left_alone():
    f = object_of(heat)
    program = optimize(f.special_for(X, 0.1, 3).bare)
    assert not any(getattr(s, "op", "") == "segment_length" for s in walk(adjoint(program, ("u0",)).body))
    assert any(getattr(s, "op", "") == "segment_length" for s in walk(adjoint(program, ("u0",), memory=10**6).body))
