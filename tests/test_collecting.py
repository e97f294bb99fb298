"""The collector of garbage rests while something is made and compiled, and only then."""

import gc

import numpy as np

import srcdiff as sd
from srcdiff.collecting import paused


def test_pauses_overlap():
    first, second = paused(), paused()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_a_collector_that_rests_is_not_woken():
    gc.disable()
    try:
        with paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_no_collection_while_a_derivative_is_made(monkeypatch):
    from srcdiff import compiler
    seen = []
    lower = compiler.compile_program
    monkeypatch.setattr(compiler, "compile_program", lambda *args, **keywords: (
        seen.append(gc.isenabled()), lower(*args, **keywords))[1])

    def cubed_and_more(x):
        return np.sum(x ** 3 + 1.0625)

    gradient = sd.differentiate(cubed_and_more, target="python").grad
    np.testing.assert_allclose(gradient(np.array([1.0, 2.0])), [3.0, 12.0])
    assert seen == [False] and gc.isenabled()
