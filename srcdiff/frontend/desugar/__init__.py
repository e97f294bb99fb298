"""Rewrite a function to the few statements that the translator knows.

Afterwards there are only

* ``target = value`` with one target: a name, an element, or a flat tuple of those (one of them may
  be starred).  The whole right side is evaluated first;
* ``target op= value`` on a name or an element;
* expression statements, `if`, `raise`, `pass`, `with`, `try`, imports and nested functions (as they are);
* `for` and `while` without `break`, `continue` and `else`;
* one `return`, the last statement.

What the nodes tell besides
---------------------------
``For.exit_flag``, ``While.exit_flag``
    The name of a boolean variable (absent or None: the loop runs to its end).  A `for` stops before
    its next iteration, leaving its variable alone, once the flag is true; a `while` tests the flag
    already.
``While.runs_once``
    The body runs at least once.
``Name.assured``
    True on a read of a local variable that in Python surely has a value there (see `assured`), and
    on every read of a variable made here.  False where a condition decides.
``FunctionDef.locals``
    The local variables, parameters first; any other name comes from outside.

The rewritten function means what the original means, statement by statement and error by error.
Every node keeps the place of the user's code that it came from.
"""

from __future__ import annotations

import functools

import gast

from srcdiff.frontend.desugar import (
    annotated,
    asserts,
    assured,
    exits,
    inert,
    matches,
    targets,
    walrus,
)
from srcdiff.frontend.desugar.making import assign, at, bound
from srcdiff.frontend.desugar.text import runnable
from srcdiff.frontend.source import clone

__all__ = ["REWRITINGS", "desugar", "runnable"]

REWRITINGS = (annotated, asserts, matches, assured, inert, walrus, targets, exits)


@functools.lru_cache(maxsize=128)
def desugar(tree: gast.FunctionDef) -> gast.FunctionDef:
    """Return `tree` rewritten; `tree` stays as it is, and the result must not be changed either."""
    local = bound(tree)
    new = clone(tree)
    for rewriting in REWRITINGS:
        new = rewriting.rewrite(new)
    present = set(bound(new))
    lost = [assign(new, name, None) for name in local if name not in present]
    if lost:                        # set only in code that never runs, they are local all the same
        new.body.insert(0, at(new, gast.If(gast.Constant(False, None), lost, [])))
    new.locals = tuple(dict.fromkeys((*local, *bound(new))))
    return new
