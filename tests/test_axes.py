"""What takes an axis takes that of NumPy: the same result for each kind of axis, or a refusal."""

import linecache

import numpy as np
import pytest

from srcdiff.errors import UnsupportedError
from srcdiff.notation import run
from tests.modes import flatten, specialised
from tests.oracle import flat

T = np.random.default_rng(0).normal(size=(2, 3, 4))
AXES = ("None", "0", "-1", "(0, 2)", "(1,)", "(2, -3)", "(0, 1, 2)")
SEVERAL = """sum mean max min prod var std ptp all any median nanmean nansum nanmax nanmin nanprod count_nonzero flip
    average quantile percentile linalg.norm linalg.vector_norm""".split()
ONE = """argmax argmin cumsum cumprod nancumsum nancumprod sort argsort diff gradient trapezoid unwrap repeat take append
    concatenate stack split expand_dims roll maximum.accumulate swapaxes moveaxis rollaxis""".split()
SECOND = {"quantile": "0.3, ", "percentile": "30, ", "repeat": "2, ", "take": "[0, 1], ", "append": "T, ", "roll": "1, ", "split": "1, ",
          "swapaxes": "0, ", "moveaxis": "0, ", "rollaxis": ""}
POSITIONAL = ("swapaxes", "moveaxis", "rollaxis", "maximum.accumulate")


def call_of(name: str, axis: str) -> str:
    first = "[T, 2.0 * T]" if name in ("concatenate", "stack") else "T"
    return f"np.{name}({first}, {SECOND.get(name, '')}{'' if name in POSITIONAL else 'axis='}{axis})"


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", SEVERAL + ONE)
def test_an_axis_is_that_of_numpy_or_refused(name, axis):
    text = f"import numpy as np\ndef f(T):\n    return {call_of(name, axis)}\n"
    file = f"<{name} along {axis}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space = {}
    exec(compile(text, file, "exec"), space)
    try:
        program = specialised(space["f"], (T,)).program
    except UnsupportedError as error:
        assert all(p.where.line for p in error.problems)
        return
    expected = flatten(space["f"](T))           # what NumPy refuses is refused
    for got, wanted in zip(flat(run(program, T)), expected, strict=True):
        assert np.shape(got) == np.shape(wanted)
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14)


def test_roll_along_several_axes():
    def f(T):
        return np.roll(T, (1, -2), axis=(0, 2)) * np.roll(T, 1, axis=(1, 2))

    np.testing.assert_array_equal(run(specialised(f, (T,)).program, T), f(T))
