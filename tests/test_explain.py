"""`f.explain`: activity, rules, what is kept, and how many bytes of it."""

import numpy as np
import pytest

import srcdiff as sd

SCALE = np.array([1.5, 2.5, 3.5])


def damped(a, rate):
    decay = np.exp(a * rate)
    return decay * 2.0


@sd.differentiate(target="python")
def f(x, n, y=1.0):
    s = 0.0
    k = n + 1
    for i in range(n):
        s = np.sin(s) * x[i]
    while s > 1:
        s = s * s / 10
    if s > -5.0:
        s = damped(s, 0.1) + k
    return s + y


def line(found, text):
    (one,) = [found_line for found_line in found.lines if text in found_line.where.text]
    return one


def test_lines_of_a_function_with_loops_and_a_helper():
    found = f.explain(np.ones(5), 5)
    assert found.arguments == ("x",) and found.function == "f"
    loop = line(found, "np.sin(s)")
    assert loop.active and loop.operations == ("sin", "index", "multiply")
    assert {(v.name, v.how) for v in loop.values} == {
        ("s", "indexed"), ("sin(s)", "indexed"), ("x[...]", "recomputed")}
    assert loop.bytes == 5 * 8 * 2                         # s and its sine, for each iteration
    assert line(found, "s * s / 10").fate.endswith("(stack)")
    assert not line(found, "k = n + 1").active and line(found, "k = n + 1").fate == ""
    assert not line(found, "for i in").active
    assert line(found, "decay * 2.0").fate == "free"
    assert line(found, "np.exp").where.function == "damped"
    assert found.bytes == sum(one.bytes for one in found.lines)


def test_lines_stand_in_the_users_order_with_their_text():
    found = f.explain(np.ones(2), 2)
    numbers = [one.where.line for one in found.lines if one.where.function == "f"]
    assert numbers == sorted(numbers)
    rows = str(found).splitlines()
    assert rows[0] == f"f, with respect to x: {found.bytes} bytes are kept in reverse mode"
    assert any(row.endswith("        s = np.sin(s) * x[i]") for row in rows)
    assert any(row.startswith("in damped, ") for row in rows)
    assert repr(found) == str(found)


def test_bytes_grow_with_the_loop():
    few, many = (line(f.explain(np.ones(n), n), "np.sin(s)").bytes for n in (10, 1000))
    assert many == 100 * few


def test_arguments_can_be_chosen():
    assert f.explain(np.ones(2), 2, 3.0).arguments == ("x", "y")
    found = f.explain(np.ones(2), 2, 3.0, argnums=2)
    assert found.arguments == ("y",)
    assert not line(found, "np.sin(s)").active and found.bytes == 0
    assert line(found, "return s + y").active
    assert f.explain(np.ones(2), 2, 3.0, argnums="y").lines == found.lines
    with pytest.raises(sd.errors.ArgumentError, match="names no argument"):
        f.explain(np.ones(2), 2, argnums="z")


def test_captured_arrays_and_keywords():
    @sd.differentiate(target="python")
    def g(x, *, power=2.0):
        t = x * SCALE
        for _ in range(3):
            t = t**power
        return np.sum(t)

    found = g.explain(np.ones(3), power=3.0)
    assert line(found, "t**power").bytes >= 3 * 3 * 8
    assert found.arguments == ("x", "power")


def test_compiled_functions_count_the_same():
    compiled = sd.differentiate(f, target="numba")
    assert compiled.explain(np.ones(4), 4).lines == f.explain(np.ones(4), 4).lines
