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
from collections.abc import Callable

from srcdiff.optimize.accumulate import accumulate
from srcdiff.optimize.branches import branches
from srcdiff.optimize.constants import constants
from srcdiff.optimize.copies import copies, targets
from srcdiff.optimize.dead import dead
from srcdiff.optimize.fills import fills
from srcdiff.optimize.hoist import hoist
from srcdiff.optimize.products import products
from srcdiff.optimize.simplify import simplify
from srcdiff.optimize.subexpressions import subexpressions
from srcdiff.optimize.versions import restore, versions
from srcdiff.syntax import Program
from srcdiff.verify import verify

__all__ = ["PASSES", "optimize"]

Pass = Callable[[Program], Program]

PASSES: tuple[Pass, ...] = (
    versions,           # a name for each value, so that most are assigned once
    constants,
    branches,           # with a constant condition
    simplify,           # algebra
    subexpressions,     # computed once
    copies,
    products,           # whose check stays
    dead,               # what nobody reads
    accumulate,         # a[i] += v
    fills,              # zeros that are overwritten
    hoist,              # out of loops
    targets,            # no copy into the final name
)

MOST_ROUNDS = 12


def optimize(program: Program, passes: tuple[Pass, ...] = PASSES) -> Program:
    """Run `passes` in turn until none of them changes the program, then give names back.

    With SRCDIFF_CHECK=1 in the environment the program is verified after each
    pass, and a `VerifyError` names the pass that broke it.
    """
    check = os.environ.get("SRCDIFF_CHECK") == "1"
    if check:
        verify(program)
    original = program.types
    idle, number = 0, 0
    while passes and idle < len(passes) and number < MOST_ROUNDS * len(passes):
        step = passes[number % len(passes)]
        new = step(program)
        number += 1
        idle = idle + 1 if new is program or new == program else 0
        if idle == 0:
            program = new
            if check:
                verify(program, step.__name__)
    program = dead(restore(program, original))      # a copy between versions is one to itself
    if check:
        verify(program, "restore")
    return program
