"""Parts of an array assigned to other parts of it: NumPy's result, or a refusal where NumPy reads what it has written."""

import itertools

import numpy as np
import pytest

from srcdiff.errors import UnsupportedError
from srcdiff.notation import run
from tests.modes import specialised
from tests.test_shared_memory import function_of

SLICES = ["::2", "1::2", ":3", "1:4", "2:5", "1:", ":-1", "::-1", "::-2", "4:1:-1", "::3"]
OF_A_VECTOR = [f"y[{a}] = y[{b}]" for a, b in itertools.product(SLICES, SLICES)
               if len(np.arange(6.0)[eval(f"np.s_[{a}]")]) == len(np.arange(6.0)[eval(f"np.s_[{b}]")])]
LINES = ["y[0]", "y[1]", "y[:, 0]", "y[:, 2]", "y[1, ::-1]", "y.T[1]", "y[:, 1:2].T[0]"]
OF_A_MATRIX = [f"{a}[:] = {b}" for a, b in itertools.product(LINES, LINES)] + [
    "y[:] = y.T", "y[1] = y[:, 2].copy()", "y[1] = 1.0 * y[:, 2]", "y[1:] = y[:-1]", "np.copyto(y[1], y[:, 2])",
    "y[1] = y.ravel()[2::3]", "y[1], y[:, 2] = y[:, 2], y[1]", "y[1] = y[:, 2:].T"]
REFUSED = {"y[::2] = y[:3]", "y[1][:] = y[:, 2]", "y[:, 2][:] = y[1]", "np.copyto(y[1], y[:, 2])", "y[1] = y.ravel()[2::3]"}


@pytest.mark.parametrize("statement", OF_A_VECTOR + OF_A_MATRIX)
def test_parts_assigned_to_parts(statement):
    x = (np.arange(6.0) if statement in OF_A_VECTOR else np.arange(9.0).reshape(3, 3)) + 0.5
    f = function_of("0.0", statement)
    try:
        program = specialised(f, (x,)).program
    except UnsupportedError as error:
        assert error.problems[0].code == "SD0224"
    else:
        assert statement not in REFUSED
        np.testing.assert_array_equal(run(program, x)[0], f(x)[0])
