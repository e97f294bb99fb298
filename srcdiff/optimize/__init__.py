"""Passes that make a program smaller and faster and know nothing of derivatives.

Each pass is a pure function ``Program -> Program`` in a file of its own, with
an example before and after in its docstring.  `PASSES` reads in the order in
which they help each other; `optimize` runs them until none changes anything.

>>> from srcdiff.notation import read, show
>>> print(show(optimize(read('''
... def f_adjoint(x: "float64[:]", y_bar: "float64"):
...     n = size(x, axis=0)
...     x_bar = zeros(n, dtype='float64')
...     t_bar = zeros(n, dtype='float64')
...     s_bar = 0.0
...     s_bar = add(s_bar, y_bar)
...     t = sin(x)
...     g = broadcast_to(s_bar, n)
...     t_bar = add(t_bar, g)
...     c = cos(x)
...     h = multiply(t_bar, c)
...     x_bar = add(x_bar, h)
...     return x_bar
... '''))), end="")
def f_adjoint(x: "float64[:]", y_bar: "float64"):
    c = cos(x)
    x_bar = multiply(y_bar, c)
    return x_bar
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from srcdiff.errors import VerifyError
from srcdiff.optimize.accumulate import accumulate
from srcdiff.optimize.branches import branches
from srcdiff.optimize.conditions import conditions
from srcdiff.optimize.constants import constants
from srcdiff.optimize.copies import copies, targets
from srcdiff.optimize.dead import dead
from srcdiff.optimize.fills import fills
from srcdiff.optimize.forgotten import forgotten
from srcdiff.optimize.hoist import hoist
from srcdiff.optimize.products import products
from srcdiff.optimize.simplify import simplify
from srcdiff.optimize.subexpressions import subexpressions
from srcdiff.optimize.unset import unset
from srcdiff.optimize.versions import restore, versions
from srcdiff.syntax import Program
from srcdiff.verify import verify

__all__ = ["PASSES", "optimize"]

Pass = Callable[[Program], Program]

PASSES: tuple[Pass, ...] = (
    versions,           # a name for each value, so that most are assigned once
    conditions,         # that were tested before
    unset,              # what is not assigned yet
    constants,
    branches,           # with a constant condition
    simplify,           # algebra
    subexpressions,     # computed once
    copies,
    products,           # whose check stays
    dead,               # what nobody reads
    forgotten,          # elements that nobody reads
    accumulate,         # a[i] += v
    fills,              # zeros that are overwritten
    hoist,              # out of loops
    targets,            # no copy into the final name
)

MOST_ROUNDS = 12


def optimize(program: Program, passes: tuple[Pass, ...] = PASSES) -> Program:
    """Run `passes` in turn until none of them changes the program, then give names back.

    With SRCDIFF_CHECK=1 in the environment the result is verified, and where it
    is not in normal form, or a pass fails, a `VerifyError` names the first pass
    whose result was not.
    """
    passed = [("", program)]
    try:
        for step, changed in _steps(program, passes):
            passed.append((step.__name__, changed))
        # A copy between versions is one to itself when they have their names back.
        passed.append(("restore", dead(restore(passed[-1][1], program.types))))
    finally:
        if os.environ.get("SRCDIFF_CHECK") == "1":
            _verify(passed)
    return passed[-1][1]


def _steps(program: Program, passes: tuple[Pass, ...]) -> Iterator[tuple[Pass, Program]]:
    """Yield each pass that changes the program, with what it makes of it."""
    idle, number = 0, 0
    while passes and idle < len(passes) and number < MOST_ROUNDS * len(passes):
        step = passes[number % len(passes)]
        new = step(program)
        number += 1
        if new is program or new == program:
            idle += 1
        else:
            idle, program = 0, new
            yield step, program


def _verify(passed: list[tuple[str, Program]]) -> None:
    """Verify what passes have made, in turn only if the last is not in normal form."""
    try:
        verify(passed[-1][1])
    except VerifyError:
        for name, program in passed:
            verify(program, name)
        raise
