"""Passes keep the meaning of programs, are idempotent, and clean what transforms write."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from srcdiff.forward import tangent
from srcdiff.notation import read, run, show
from srcdiff.optimize import PASSES, optimize
from srcdiff.optimize.versions import restore, versions
from srcdiff.primitives import PRIMITIVES
from srcdiff.reverse import adjoint
from srcdiff.syntax import Const, walk
from srcdiff.verify import verify
from tests.random_ir import random_arguments, random_program

HEAD = 'def f(x: "float64[:]", y: "float64[:]", a: "float64", w: "weak float64", n: "weak int64", ' \
       'z: "weak int64", m: "float64[:,:]"):\n'


@pytest.fixture(autouse=True)
def garbage_in_empty_arrays(monkeypatch):
    """Fill what `empty` gives with nan: whoever reads it is found out."""
    def garbage(*extents, dtype):
        return np.full(extents, np.nan if "float" in dtype else 77, dtype)
    monkeypatch.setitem(PRIMITIVES, "empty", replace(PRIMITIVES["empty"], evaluate=garbage))


def outcome(program, arguments):
    """Return the results as a tuple, or the type of the exception."""
    try:
        with np.errstate(all="ignore"):
            results = run(program, *arguments)
    except (ValueError, IndexError, ZeroDivisionError) as error:
        return type(error)
    return results if isinstance(results, tuple) else (results,)


def agree(before, after):
    if isinstance(before, type) or isinstance(after, type):
        return before == after
    return all(np.asarray(a).dtype == np.asarray(b).dtype and np.array_equal(a, b, equal_nan=True)
               for a, b in zip(before, after, strict=True))


def check(program, transform, seeds=(1, 2, 3), dtype="float64"):
    """Verify and run a program before and after `transform`; return what it gives."""
    verify(program)
    after = transform(program)
    verify(after, transform.__name__)
    for seed in seeds:
        arguments = random_arguments(seed, dtype)
        assert agree(outcome(program, arguments), outcome(after, arguments)), show(after)
    return after


def function(body: str, head: str = HEAD):
    """Read a program with the parameters of the random ones."""
    return read(head + "".join(f"    {line}\n" for line in body.strip().splitlines()))


def body_of(program) -> list[str]:
    return [line[4:] for line in show(program).splitlines()[1:]]


# -- random programs ----------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(40))
def test_all_passes_on_random_programs(seed, dtype):
    program = random_program(seed, size=15, dtype=dtype)
    once = check(program, optimize, seeds=(seed, seed + 1, seed + 2), dtype=dtype)
    assert optimize(once) == once


@pytest.mark.parametrize("transform", [tangent, adjoint], ids=["tangent", "adjoint"])
@pytest.mark.parametrize("seed", range(300, 312))
def test_all_passes_on_derivatives_of_random_programs(seed, transform):
    program = random_program(seed, size=10)
    derivative = transform(program, ("x", "a", "m"))
    verify(derivative)
    once = optimize(derivative)
    assert optimize(once) == once
    arguments = [*random_arguments(seed)]
    for p in derivative.params[len(arguments):]:
        rng = np.random.default_rng(len(arguments))
        value = rng.standard_normal((arguments[4],) * p.type.ndim)
        arguments.append(value if p.type.ndim else float(value) if p.type.weak else np.float64(value))
    assert agree(outcome(derivative, arguments), outcome(once, arguments)), show(once)


@pytest.mark.parametrize("pass_", PASSES, ids=[p.__name__ for p in PASSES])
@pytest.mark.parametrize("seed", range(100, 112))
def test_each_pass_alone_on_random_programs(pass_, seed):
    program = versions(random_program(seed, size=12))
    after = check(program, pass_, seeds=(seed, seed + 1))
    for _ in range(20):
        again = pass_(after)
        if again == after:
            break
        after = again
    assert pass_(after) == after
    assert pass_(after) is after, "a pass that has nothing to do gives its argument back"


@pytest.mark.parametrize("seed", range(200, 220))
def test_versions_can_be_given_back(seed):
    program = random_program(seed)
    apart = check(program, versions)
    assert check(apart, lambda p: restore(p, program.types)).body == program.body


# -- what must be cleaned -----------------------------------------------------------------------------

CLEANED = {
    "zeros of an adjoint": ('''
x_bar = zeros(n, dtype='float64')
k = size(x, axis=0)
g = sin(x)
t_bar = zeros(k, dtype='float64')
t_bar = add(t_bar, g)
return t_bar
''', '''
t_bar = sin(x)
return t_bar
'''),
    "an adjoint that is reset in a loop": ('''
s_bar = a
t_bar = 0.0
x_bar = zeros(n, dtype='float64')
for i in range(0, n, 1):
    t = x[i]
    t_bar = add(t_bar, s_bar)
    c = cos(t)
    g = multiply(c, t_bar)
    t_bar = 0.0
    u = x_bar[i]
    v = add(u, g)
    x_bar[i] = v
return x_bar
''', '''
x_bar = empty(n, dtype='float64')
for i in range(0, n, 1):
    t = x[i]
    c = cos(t)
    g = multiply(c, a)
    x_bar[i] = g
return x_bar
'''),
    "elements that nobody reads again": ('''
k = size(m, axis=0)
l = size(m, axis=1)
e = copy(m)
b = empty(k, l, dtype='float64')
last = subtract(k, 2)
for i in range(last, -1, -1):
    p = add(i, 1)
    for j in range(0, l, 1):
        e[p, j] += a
        t = e[p, j]
        e[p, j] = 0.0
        u = multiply(t, t)
        b[i, j] = u
return b
''', '''
k = size(m, axis=0)
l = size(m, axis=1)
e = copy(m)
b = empty(k, l, dtype='float64')
last = subtract(k, 2)
for i in range(last, -1, -1):
    p = add(i, 1)
    for j in range(0, l, 1):
        e[p, j] += a
        t = e[p, j]
        u = multiply(t, t)
        b[i, j] = u
return b
'''),
    "a copy to which nobody needs to store": ('''
k = size(x, axis=0)
e = copy(x)
s = 0.0
for i in range(0, k, 1):
    t = e[i]
    e[i] = 0.0
    s = add(s, t)
return s
''', '''
k = size(x, axis=0)
s = 0.0
for i in range(0, k, 1):
    t = x[i]
    s = add(s, t)
return s
'''),
    "a measured array": ('''
p = exp(x)
q = add(p, 1.0)
k = size(q, axis=0)
return k
''', '''
k = size(x, axis=0)
return k
'''),
    "undone structure": ('''
t = transpose(m, perm=(1, 0))
u = transpose(t, perm=(1, 0))
v = expand_dims(u, axis=2)
w_2 = squeeze(v, axis=2)
k = size(m, axis=0)
l = size(m, axis=1)
p = sum_to(w_2, k, l)
q = broadcast_to(p, k, l)
r = sum_to(q, l)
return r
''', '''
r = sum(m, axis=(0,))
return r
'''),
    "what was repeated meets what is as long": ('''
k = size(x, axis=0)
g = broadcast_to(a, k)
o = full(1.0, k, dtype='float64')
b = zeros(k, dtype='float64')
t = multiply(x, g)
u = multiply(t, o)
v = add(b, a)
c = multiply(v, y)
return u, c
''', '''
k = size(x, axis=0)
u = multiply(x, a)
v = full(a, k, dtype='float64')
c = multiply(v, y)
return u, c
'''),
    "a chain of accumulations": ('''
x_bar = 0.0
x_bar = add(x_bar, a)
h = negative(w)
x_bar = add(x_bar, h)
x_bar = multiply(x_bar, 1.0)
return x_bar
''', '''
x_bar = subtract(a, w)
return x_bar
'''),
    "work in a loop whose result nobody reads": ('''
s = 0.0
d = 0.0
for i in range(0, n, 1):
    t = x[i]
    u = exp(t)
    d = add(d, u)
    s = add(s, t)
return s
''', '''
s = 0.0
for i in range(0, n, 1):
    t = x[i]
    s = add(s, t)
return s
'''),
    "zeros that a loop fills": ('''
k = size(m, axis=0)
l = size(m, axis=1)
b = zeros(k, l, dtype='float64')
for i in range(0, k, 1):
    for j in range(0, l, 1):
        c = less(a, w)
        if c:
            b[i, j] = a
        else:
            b[i, j] = w
        t = b[i, j]
        b[i, j] += t
return b
''', '''
k = size(m, axis=0)
l = size(m, axis=1)
b = empty(k, l, dtype='float64')
c = less(a, w)
for i in range(0, k, 1):
    for j in range(0, l, 1):
        if c:
            b[i, j] = a
        else:
            b[i, j] = w
        t = b[i, j]
        b[i, j] += t
return b
'''),
    "an array made under another name": ('''
t = zeros(n, dtype='float64')
t[0] = a
b = copy(t)
return b
''', '''
b = zeros(n, dtype='float64')
b[0] = a
return b
'''),
}


@pytest.mark.parametrize("name", CLEANED)
def test_cleaned(name):
    before, after = CLEANED[name]
    assert body_of(check(function(before), optimize)) == after.strip().splitlines()


# -- what must be kept ----------------------------------------------------------------------------------

KEPT = {
    "zero times a variable may be nan": '''
t = multiply(0.0, a)
return t
''',
    "zeros of an extent that is not provably the same": '''
b = zeros(z, dtype='float64')
t = add(b, x)
return t
''',
    "an old value that is read after its variable changes": '''
r = copy(a)
s = copy(w)
for i in range(0, n, 1):
    t = add(s, r)
    r = copy(s)
    s = copy(t)
return r
''',
    "a copy of an argument that is returned": '''
b = copy(x)
return b
''',
    "a copy of an array that is stored to": '''
b = copy(x)
b[0] = a
return b
''',
    "division that may fail, in a loop that may not run": '''
s = 0
for i in range(0, z, 1):
    t = floor_divide(n, z)
    s = add(s, t)
return s
''',
    "a load that may fail, in a loop that may not run": '''
s = 0.0
for i in range(0, z, 1):
    t = x[n]
    s = add(s, t)
return s
''',
    "arrays that may not fit, in a loop that may not run": '''
b = zeros(z, dtype='float64')
s = 0.0
for i in range(0, z, 1):
    t = add(x, b)
    u = sum(t, axis=(0,))
    s = add(s, u)
return s
''',
    "a fancy store and sum: the last of equal indices wins": '''
k = array(0, 0, dtype='int64', shape=(2,))
b = copy(x)
b[0] = a
t = b[k]
u = add(t, a)
b[k] = u
return b
''',
    "a condition that leads to an error": '''
c = less(a, 0.0)
if c:
    raise ValueError('negative')
return w
''',
    "zeros that a loop fills but for one": '''
b = zeros(n, dtype='float64')
k = subtract(n, 1)
for i in range(0, k, 1):
    b[i] = a
return b
''',
    "an element that the next iteration reads": '''
k = size(x, axis=0)
e = copy(x)
s = 0.0
for i in range(1, k, 1):
    p = subtract(i, 1)
    t = e[p]
    e[i] = a
    s = add(s, t)
return s
''',
    "elements that another loop reads": '''
k = size(x, axis=0)
e = copy(x)
s = 0.0
for i in range(0, k, 1):
    t = e[i]
    e[i] = a
    s = add(s, t)
for j in range(0, k, 1):
    u = e[j]
    s = add(s, u)
return s
''',
    "elements that a loop outside meets again": '''
k = size(x, axis=0)
e = copy(x)
s = 0.0
for j in range(0, n, 1):
    for i in range(0, k, 1):
        t = e[i]
        e[i] = a
        s = add(s, t)
return s
''',
    "elements that may count from the end": '''
k = size(x, axis=0)
e = copy(x)
s = 0.0
for i in range(-1, k, 1):
    t = e[i]
    e[i] = a
    s = add(s, t)
return s
''',
    "an element that is the same in all iterations": '''
k = size(x, axis=0)
e = copy(x)
s = 0.0
for i in range(0, k, 1):
    t = e[0]
    e[0] = a
    s = add(s, t)
return s
''',
    "elements of an array that is read as a whole": '''
k = size(x, axis=0)
e = copy(x)
s = 0.0
for i in range(0, k, 1):
    t = e[i]
    e[i] = a
    h = sum(e, axis=None)
    s = add(s, h)
    s = add(s, t)
return s
''',
    "zeros to which a loop adds from the end, but for one": '''
b = zeros(n, dtype='float64')
k = subtract(n, 1)
for i in range(k, 0, -1):
    b[i] += a
return b
''',
    "zeros to each of which a loop adds several times": '''
k = size(x, axis=0)
b = zeros(k, dtype='float64')
for i in range(0, k, 1):
    for j in range(0, k, 1):
        b[i] += a
return b
''',
    "zeros that a loop reads before it fills them": '''
k = size(x, axis=0)
b = zeros(k, dtype='float64')
for i in range(0, k, 1):
    b[i] = a
    t = b[-1]
    b[i] += t
return b
''',
    "a store between a load and its sum": '''
b = copy(x)
b[::] += w
t = b[0]
b[::] += a
u = add(t, a)
b[0] = u
return b
''',
    "a float32 variable is not its float64 constant": '''
s = cast(0.1, dtype='float32')
c = equal(s, w)
return c
''',
    "a Python number that is added in the precision of the array": '''
b = cast(x, dtype='float32')
t = b[0]
u = add(t, w)
b[0] = u
return b
''',
    "an accumulation in a wider type than its array": '''
b = cast(x, dtype='float32')
t = b[0]
u = add(t, a)
b[0] = u
return b
''',
    "a merge of two branches": '''
c = less(a, w)
if c:
    t = 0.0
else:
    t = 1.0
s = add(t, a)
return s
''',
}


@pytest.mark.parametrize("name", KEPT)
def test_kept(name):
    program = function(KEPT[name])
    assert body_of(check(program, optimize)) == KEPT[name].strip().splitlines()


def test_a_product_that_fails_still_fails():
    """That the inner extents agree is known after the product, not before it."""
    program = read('''
def f(w: "float64[:,:]", x: "float64[:]"):
    n = size(x, axis=0)
    y = zeros(n, dtype='float64')
    z = matmul(w, y)
    x_bar = zeros(n, dtype='float64')
    t = matmul(z, w)
    x_bar = add(x_bar, t)
    return x_bar
''')
    after = optimize(program)
    assert outcome(after, (np.ones((2, 3)), np.ones(4))) is ValueError
    assert body_of(after) == ["n = size(x, axis=0)", "y = zeros(n, dtype='float64')", "z = matmul(w, y)",
                              "x_bar = matmul(z, w)", "return x_bar"]


@pytest.mark.parametrize("text", ["1.0", "2", "True"])
def test_types_of_results_are_kept(text):
    """A variable that is constant may be strong; its constant is weak."""
    program = function(f'''
s = cast({text}, dtype='float32')
t = multiply(s, 2.0)
return s, t
''')
    assert [v.dtype for v in outcome(optimize(program), random_arguments(0))] == [np.float32, np.float32]
    check(program, optimize)


def test_infinite_and_failing_constants_are_left_for_run_time():
    program = function('''
s = divide(1.0, 0.0)
k = floor_divide(1, 0)
p = multiply(4000000000, 4000000000)
return s, k, p
''')
    assert not [s for s in walk(optimize(program).body) if s.args and s.op == "copy"
                and isinstance(s.args[0], Const)]


def test_where_is_kept():
    from srcdiff.errors import Where
    program = function('''
t = sin(a)
u = multiply(t, 1.0)
s = add(u, w)
return s
''')
    marked = program.with_body(replace(s, where=Where("model.py", line)) for line, s in enumerate(program.body, 1))
    assert [(s.target, s.where.line) for s in optimize(marked).body] == [("t", 1), ("s", 3)]


# -- speed ----------------------------------------------------------------------------------------------------

def test_the_work_of_the_optimiser_grows_with_the_statements(monkeypatch):
    """Calls are counted, not seconds: four times the statements are four times the calls, sixteen times in a quadratic pass."""
    def calls(count):
        lines = ["s = 0.0"]
        for i in range(count // 4):
            lines += [f"t_{i} = multiply(s, {i}.5)", f"u_{i} = sin(t_{i})", "s_bar = 0.0", f"s = add(s, u_{i})"]
        program = function("\n".join([*lines, "return s"]))
        counted = 0

        def count_call(frame, event, argument):
            nonlocal counted
            counted += event == "call"

        sys.setprofile(count_call)
        try:
            optimize(program)
        finally:
            sys.setprofile(None)
        return counted

    monkeypatch.setenv("SRCDIFF_CHECK", "0")
    calls(40)
    assert calls(1000) < 5 * calls(250)


def test_a_check_of_a_seed_is_not_answered_by_what_it_checks():
    """`like` is a promise; the program that keeps it must not be rewritten by believing it."""
    program = read('''
def f(x: "float64[:]", x_dot: "float64[:]"):
    n_x_dot = size(x_dot, axis=0)
    n_x = size(x, axis=0)
    differs = not_equal(n_x_dot, n_x)
    if differs:
        raise ValueError('wrong shape')
    t = zeros(n_x, dtype='float64')
    y = add(t, x_dot)
    return y
''')
    program = replace(program, params=(program.params[0], replace(program.params[1], like="x")))
    after = optimize(program)
    assert outcome(after, (np.ones(3), np.ones(2))) is ValueError
    assert "zeros" not in show(after), "the check is believed after it"


def test_what_a_seed_is_like_follows_the_versions():
    program = function('''
y_2 = zeros(3, dtype='float64')
y_2 = concatenate(y_2, x, axis=0)
return y_2
''')
    program = replace(program, params=(*program.params[:-1], replace(program.params[-1], like="y_2")))
    apart = versions(program)
    assert apart.params[-1].like == apart.results[0].name
