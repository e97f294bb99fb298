"""What shares memory with an array in NumPy is seen to change with it here, or refused.

Each expression makes `z` from a new array `y`; then one of them is written, and the other is looked at.
"""

import linecache

import numpy as np
import pytest

from srcdiff.errors import UnsupportedError
from srcdiff.notation import run
from tests.modes import flatten, specialised
from tests.oracle import flat

MATRIX, VECTOR = np.arange(1.0, 10).reshape(3, 3) / 7, np.arange(1.0, 6) / 3

OF_ANY = ["y", "y[::-1]", "y[1:]", "y[None]", "y[..., None]", "y.T", "y.real", "+y", "1.0 * y", "y.copy()", "y.ravel()", "y.flatten()",
          "y.reshape(-1)", "y.astype(float)", "y.astype(float, copy=False)", "np.array(y)", "np.array(y, copy=False)",
          "np.array(y, copy=None)", "np.array(y, copy=True)", "np.asarray(y)", "np.asarray(y, copy=True)",
          "np.ascontiguousarray(y)", "np.broadcast_to(y, (2, *y.shape))", "np.broadcast_arrays(y, 1.0)[0]",
          "np.clip(y, None, None)", "np.clip(y, -9.0, 9.0)", "y.clip()", "np.nan_to_num(y)", "np.nan_to_num(y, copy=False)",
          "np.flip(y)", "np.atleast_2d(y)", "np.expand_dims(y, 0)", "np.squeeze(y[None], axis=0)", "np.where(True, y, y)",
          "np.concatenate([y])", "np.stack([y, y])[0]", "np.roll(y, 1)", "np.diff(y)", "np.take(y, [0], axis=0)", "y[[0, 1]]",
          "y[y > 0]", "sum([y])", "sum([y], y)", "(y, y)[0]", "[y, y][1]", "dict(a=y)['a']", "(lambda *a: a)(y)[0]",
          "y if y.sum() > 0 else y * 2.0", "y or 1.0 if False else y", "np.positive(y)", "np.real(y)", "np.conj(y)"]
OF_A_MATRIX = ["y[0]", "y[:, 1]", "list(y)[0]", "[*y][0]", "tuple(y)[1]", "[r for r in y][0]", "list(zip(y, y))[0][1]", "np.diag(y)",
               "np.diag(y, 1)", "y.diagonal()", "np.diagonal(y, -1)", "np.einsum('ij->ji', y)", "np.einsum('ij->ij', y)",
               "np.einsum('ij->i', y)", "np.transpose(y)", "np.swapaxes(y, 0, 1)", "np.moveaxis(y, 0, 1)", "np.tril(y)",
               "y.T.ravel()", "np.linalg.matrix_power(y, 1)", "np.vstack([y])"]
OF_A_VECTOR = ["np.meshgrid(y, y)[0]", "np.meshgrid(y, y, copy=False)[0]", "np.diag(y)", "np.outer(y, y)", "np.sort(y)", "np.cumsum(y)",
               "np.interp(y, y, y)", "np.repeat(y, 2)", "np.tile(y, 2)", "sorted(y)", "list(y)", "y.tolist()"]
OF_ONE_ELEMENT = ["y[..., 0]", "y[..., 0][..., None]", "y[:1].reshape(())", "y[1:2].squeeze(0)", "np.squeeze(y[:1], axis=0)",
                  "y[::-1][..., 1]", "y[1:][..., 0].reshape(1)"]
OF_NO_AXES = ["y[...]", "y[()]", "y[None]", "y[None, ...]", "y.reshape(1)", "y.reshape(())", "np.atleast_1d(y)", "np.atleast_2d(y)",
              "y.ravel()", "y.flatten()", "np.expand_dims(y, 0)", "np.broadcast_to(y, (2,))", "y.T", "np.array(y, ndmin=1)",
              "np.array(y)", "np.asarray(y)", "y.copy()", "np.squeeze(y)", "1.0 * y", "y[None][0]", "y[None][..., 0]", "[y][0]",
              "y.item()", "float(y)", "y.tolist()", "y.sum()", "y.mean()", "y.max()", "np.prod(y)", "np.average(y)", "y.std()", "+y", "y.real",
              "y.astype(float)", "y.astype(float, copy=False)", "np.round(y, 3)", "np.clip(y, None, None)", "np.nan_to_num(y)",
              "np.broadcast_to(y, ())", "np.einsum('->', y)", "np.where(True, y, y)", "max(y, -9.0)", "sum([y])", "np.array([y])[0]"]
CASES = [(e, a) for e in OF_ANY for a in (MATRIX, VECTOR)] + [(e, MATRIX) for e in OF_A_MATRIX] + [
    (e, VECTOR) for e in OF_A_VECTOR + OF_ONE_ELEMENT] + [(e, np.array(1.5)) for e in OF_NO_AXES]
CHANGES = {"the array": "y[...] = 100.0 + y", "what is made": "z[...] = 50.0", "what is made, in place": "z *= 3.0"}


def function_of(expression, change):
    text = f"import numpy as np\ndef f(x):\n    y = np.array(x)\n    z = {expression}\n    {change}\n    return y, z\n"
    file = f"<shared {expression} {change}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space = {}
    exec(compile(text, file, "exec"), space)
    return space["f"]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("expression", "x"), CASES, ids=[f"{e}-{a.ndim}" for e, a in CASES])
def test_writes_are_seen_or_refused(expression, x, change):
    f = function_of(expression, CHANGES[change])
    try:
        expected = flatten(f(x))
    except (ValueError, TypeError, DeprecationWarning):     # NumPy refuses: a read-only view, or a list
        return
    try:
        program = specialised(f, (x,)).program
    except UnsupportedError as error:
        assert all(p.where.line for p in error.problems)
        return
    np.testing.assert_allclose(together(flat(run(program, x))), together(expected))


def together(values):
    return np.concatenate([np.ravel(v) for v in values])


@pytest.mark.parametrize("expression", ["np.broadcast_to(y, (2, *y.shape))", "y.diagonal()", "np.diag(y, 1)"])
def test_a_read_only_view_is_not_written(expression):
    f = function_of(expression, "z[0] = 1.0")
    with pytest.raises(UnsupportedError, match=r"SD0222.*read-only"):
        specialised(f, (MATRIX,))
