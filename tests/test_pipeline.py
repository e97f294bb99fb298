"""The compiler of long generated functions: Numba's, with fewer passes of LLVM before the module is optimised."""

import numpy as np
import pytest
from numba import njit

from srcdiff.backend import Options, numba, pipeline

pytestmark = pytest.mark.skipif(pipeline.compiler() is None, reason="this Numba has other parts")

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


def test_long_functions_are_compiled_with_it_and_callable_from_others(monkeypatch):
    monkeypatch.setattr(pipeline, "LONG", 0)
    twice = numba.load("twice", TEXT, Options(cache=False))
    assert twice._compiler.pipeline_class is pipeline.compiler()

    @njit
    def caller(x):
        first, second = twice(x)
        return first[-1] + second[0]

    x = np.array([1.0, 3.0])
    first, second = twice(x)
    assert np.array_equal(first, 2.0 * x) and np.array_equal(second, 2.0 * x) and caller(x) == 8.0


def test_errors_are_raised(monkeypatch):
    monkeypatch.setattr(pipeline, "LONG", 0)
    part = numba.load("part", TEXT + "\n# long\n", Options(cache=False))
    assert part._compiler.pipeline_class is pipeline.compiler()
    with pytest.raises(IndexError, match="too far"):
        part(np.ones(2), 2)


def test_short_functions_are_left_to_numba():
    twice = numba.load("twice", TEXT + "\n# short\n", Options(cache=False))
    assert twice._compiler.pipeline_class is not pipeline.compiler()


def test_another_numba_is_left_as_it_is(monkeypatch):
    def missing():
        raise AttributeError("_compile_core")

    monkeypatch.setattr(pipeline, "_compiler", missing)
    monkeypatch.setattr(pipeline, "LONG", 0)
    pipeline.compiler.cache_clear()
    try:
        assert pipeline.compiler() is None
        twice = numba.load("twice", TEXT + "\n# compiled by Numba's own compiler\n", Options(cache=False))
        assert twice(np.ones(1))[0][0] == 2.0
    finally:
        pipeline.compiler.cache_clear()
