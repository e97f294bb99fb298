"""What LLVM is told of memory holds: variables that may share it are in one group, whatever makes them."""

import numpy as np
import pytest
from numba import njit
from numba.core import types

from srcdiff.backend import Options, apart, compile_source
from srcdiff.backend.apart import OUTSIDE, groups
from srcdiff.backend.notes import Notes
from srcdiff.backend.pipeline import compiler

VECTOR = types.Array(types.float64, 1, "C")
MATRIX = types.Array(types.float64, 2, "C")
GLOBAL = np.zeros(3)


@njit
def handed_on(x):
    return GLOBAL if x[0] > 0.0 else x


def of(function, *kinds):
    """Return the groups of the variables of a function, as it is compiled like generated ones."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apart, "groups", lambda *args: found.append(groups(*args)) or found[-1])
        njit(kinds, pipeline_class=compiler(Notes(), False))(function)
    return found[0]


def views(x, n):
    a, b = np.empty((n, n)), np.zeros((n, n))
    c, d, e = a.reshape(-1), b.T, x.reshape(-1)
    for i in range(n):
        c[i] = d[i, 0] = e[i]
    return a, b


def exchanged(x, n):
    a, b, c = np.empty((n, n)), np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        a, b = b, a
        c[i, 0] = a[i, 0] = x[i, i]
    return a, b, c


def handed_over(x, n):
    a, b, c = np.empty(n), np.zeros(n), x @ x
    d = handed_on(a)
    return a, b, c, d


def in_a_list(x, n):
    a, b = np.empty(n), np.zeros(n)
    several = [a]
    several.append(b)
    d = several[0]
    return a, d


def from_a_tuple(x, n):
    a, b, c = np.empty(n), np.zeros(n), np.zeros(n)
    both = (a, b)
    d = both[1]
    return c, d


TOGETHER = {
    views: ("ac", "bd", "xe"),
    exchanged: ("ab", "c", "x"),
    handed_over: ("ad", "b", "c", "x"),
    in_a_list: ("abd", "x"),
    from_a_tuple: ("abd", "c", "x"),
}


@pytest.mark.parametrize("function", TOGETHER, ids=lambda f: f.__name__)
def test_what_may_share_memory_is_together(function):
    found = of(function, MATRIX, types.int64)

    def group(name):
        return next(found[key] for key in found if key.partition(".")[0] == name)

    ours = {names: {group(name) for name in names} for names in TOGETHER[function]}
    assert all(len(together) == 1 for together in ours.values())
    assert len({tuple(one) for one in ours.values()}) == len(ours) - (function is handed_over)
    assert group("x") == OUTSIDE and (function is not handed_over or group("d") == OUTSIDE)


TEXT = '''
import numpy as np

__all__ = ["f"]


def f(x, n):
    a = np.zeros(n)
    b = np.zeros(n)
    table = np.empty((n, n))
    flat = table.reshape(-1)
    turned = table.T
    for i in range(n):
        for j in range(n):
            flat[i * n + j] = x[i, j]
            turned[j, i] += table[i, j] * 0.5
    s = 0.0
    for k in range(5):
        new = np.empty(n)
        for i in range(n):
            new[i] = a[i] + table[k, i]
        for i in range(1, n):
            b[i] = b[i - 1] + new[i]
            new[i - 1] = b[i] * 0.5
            s += new[i] + new[i - 1] + x[k, i]
        a = new
        new = b
        b = a
        a = new
        for i in range(n - 1):
            a[i + 1] = b[i] + a[i]
    return s, a, b, table
'''


def test_compiled_code_sees_what_it_stores_through_views_and_other_names():
    x = np.random.default_rng(0).normal(size=(40, 40))
    ours, plain = (compile_source("f", TEXT, 4, options=Options(target=t)) for t in ("numba", "python"))
    for got, wanted in zip(ours(x, 40), plain(x, 40), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13)


def test_arrays_of_a_function_need_no_test_whether_they_overlap():
    """Seven arrays in one loop: LLVM would have to compare each with each."""
    arrays = "abcdefg"
    text = '__all__ = ["f"]\nimport numpy as np\n\ndef f(x):\n    n = x.shape[0]\n' \
        + "".join(f"    {one} = np.empty(n)\n" for one in arrays) + "    for i in range(n):\n" \
        + "".join(f"        {one}[i] = x[i] + {k}.0\n" for k, one in enumerate(arrays)) \
        + f"    return {', '.join(arrays)}\n"
    made = compile_source("f", text, len(arrays), options=Options(target="numba"))
    made(np.ones(9))
    code = made.dispatcher.inspect_llvm(made.dispatcher.signatures[0])
    assert "alias.scope" in code and "vector.body" in code and "vector.memcheck" not in code
