"""Translate Python functions and run their programs; register functions with what is expected of them."""

from __future__ import annotations

import numpy as np
import pytest

from srcdiff.errors import UnsupportedError
from srcdiff.frontend import specialise
from srcdiff.notation import run
from srcdiff.primitives import type_of_value
from srcdiff.syntax import Static
from srcdiff.verify import verify

__all__ = ["agree", "assert_refused", "cases", "flat", "name_of", "refusals", "translated", "value_of"]


def cases():
    """Return a list, and the decorator that adds a function to it, once with each tuple of arguments."""
    found = []

    def case(*argument_lists):
        def register(function):
            found.extend((function, args) for args in argument_lists)
            return function
        return register
    return found, case


def refusals():
    """Return a list, and the decorator that adds a function that is refused with a code, at a line."""
    found = []

    def refused(code, line, *args):
        def register(function):
            found.append((function, args, code, line))
            return function
        return register
    return found, refused


def name_of(value) -> str:
    """Name a registered function in the id of its test."""
    return getattr(value, "__name__", "")


def spec_of(value):
    """Return the `Spec` of an argument."""
    if isinstance(value, dict):
        return {k: spec_of(v) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(spec_of, value))
    if isinstance(value, tuple | list):
        return type(value)(map(spec_of, value))
    if isinstance(value, bool | int | float | np.ndarray | np.generic):
        return type_of_value(value)
    return Static(value)


def flat(value):
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in flat(v)]
    if isinstance(value, tuple | list):
        return [leaf for v in value for leaf in flat(v)]
    return [value] if isinstance(value, bool | int | float | np.ndarray | np.generic) else []


def rebuild(tree, results):
    if tree is None:
        return results[0]
    if isinstance(tree, Static):
        return tree.value
    if isinstance(tree, dict):
        return {k: rebuild(v, results) for k, v in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuild(v, results) for v in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(rebuild(v, results) for v in tree)
    return results[tree]


def translated(function, *args, **keywords):
    made = specialise(function, tuple(map(spec_of, args)), {k: spec_of(v) for k, v in keywords.items()})
    verify(made.program)
    return made


def value_of(made, *args):
    """Run a specialisation on user arguments."""
    results = run(made.program, *flat(args), *(get() for get in made.captures))
    results = results if isinstance(results, tuple) else (results,)
    return rebuild(made.program.tree, results)


def agree(got, want, grown=False):
    """Compare results, their containers and dtypes; with `grown` an array may stand for a list, and for its items' type."""
    if grown and isinstance(want, list) and isinstance(got, np.ndarray):
        got = [got.dtype.type(v) if got.ndim == 1 else v for v in got]
    assert type(got) is type(want) or not isinstance(want, tuple | list | dict), (got, want)
    if isinstance(want, dict):
        assert list(got) == list(want)
        got, want = list(got.values()), list(want.values())
    if isinstance(want, tuple | list):
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            agree(g, w, grown)
    elif want is None or isinstance(want, str):
        assert got == want
    else:
        assert np.shape(got) == np.shape(want)
        assert np.asarray(got).dtype == np.asarray(want).dtype
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-300)


def assert_refused(function, args, code, line):
    """Require the refusal of a function: its code, the line of the user's, and how to mend it."""
    with pytest.raises(UnsupportedError) as caught:
        translated(function, *args)
    problem = caught.value.problems[0]
    assert problem.code == code
    assert problem.where.line and line in problem.where.text
    assert problem.where.file == function.__code__.co_filename
    assert problem.fix
