"""Functions that are linear at a point: pullbacks (`vjp`) and tangent maps (`linearize`)."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace

import numpy as np

from srcdiff.api.differentiate import as_function, within
from srcdiff.api.function import Function
from srcdiff.api.recipes import Pullback, Pushforward, Recipe
from srcdiff.api.special import Special, output_leaves, refuse, split_aux
from srcdiff.structure import (
    abstract,
    array_of_list,
    children,
    flat_values,
    is_leaf,
    map_tree,
    ready,
    rebuild,
)
from srcdiff.syntax import Static

__all__ = ["Bound", "Value", "linearize", "vjp"]


@dataclass(frozen=True)
class Value(Recipe):
    """The function itself, as a program: it never writes its arguments."""

    has_aux: bool = False
    word = "value"

    def specialise(self, base, args, keywords):
        primal = base.specialise(args, keywords)
        if self.has_aux:
            split_aux(primal.program.tree, True, base.__name__)
        return primal


class Bound(Function):
    """A linear map at a point: `base` with its first argument, the primals, given.

    The primals are copied, because the caller may change them afterwards.

    Parameters
    ----------
    spread
        Take the directions as separate arguments, not as one.
    """

    def __init__(self, base: Function, primals: tuple, spread: bool):
        self.primals, self.spread = tuple(map(kept, primals)), spread
        self._lists = has_list(self.primals)
        super().__init__(base, base.recipe, base.options)

    def _make_signature(self):
        if self.spread:
            return inspect.Signature([inspect.Parameter("tangents", inspect.Parameter.VAR_POSITIONAL)])
        return inspect.Signature([inspect.Parameter("cotangent", inspect.Parameter.POSITIONAL_ONLY)])

    def given(self, args: tuple):
        """Return what `base` takes after the primals."""
        return tuple(args) if self.spread else args[0]

    def __call__(self, *args, **keywords):
        if keywords or (not self.spread and len(args) != 1):
            self.bind(args, keywords)
        out = self.base(self.primals, self.given(args))
        return like_lists(self.primals, out) if self._lists and not self.spread else out

    def specialise(self, args, keywords) -> Special:
        specs = tuple(abstract(p, f"primal {i}") for i, p in enumerate(self.primals))
        found = self.base.specialise((specs, self.given(args)), {})
        bound = output_leaves(found.inputs[0][0])
        names = [found.name(p) for p in bound]
        values = [v for p in self.primals for v in flat_values(p)]
        params = [p for p in found.program.params if p.name not in names]
        own = [replace(p, captured=True) for p in found.program.params if p.name in names]
        free = [p for p in params if not p.captured]
        params = (*free, *own, *(p for p in params if p.captured))
        getters = tuple((lambda value=value: value) for value in values)
        place = {p.name: i for i, p in enumerate(free)}
        tree = map_tree(lambda leaf: leaf if isinstance(leaf, Static) else place[found.name(leaf)],
                        found.inputs[0][1])
        inputs = (tuple(tree) if self.spread else (tree,), {})
        return replace(found, program=replace(found.program, params=params), inputs=inputs,
                       captures=getters + found.captures)

    def derive(self, recipe):
        if hasattr(recipe, "bound"):
            return Bound(self.base.derive(recipe.bound(self.spread)), self.primals, self.spread)
        return super().derive(recipe)

    def with_options(self, options):
        return Bound(self.base.with_options(options), self.primals, self.spread)

    def describe(self):
        return f"{self.base.describe()} at a point"

    def __reduce__(self):
        return Bound, (self.base, self.primals, self.spread)


def kept(value):
    """Return a copy of a primal that the caller cannot change."""
    if isinstance(value, np.ndarray):
        return ready(value).copy() if value.ndim else value[()]
    if isinstance(value, list) and array_of_list(value) is not None:
        return [kept(v) for v in value]
    return value if is_leaf(value) else rebuild(value, list(map(kept, children(value))))


def has_list(value) -> bool:
    if isinstance(value, list) and array_of_list(value) is not None:
        return True
    return not is_leaf(value) and any(map(has_list, children(value)))


def like_lists(primals, results):
    """Return arrays as lists where the primal was a list of numbers."""
    if isinstance(primals, list) and array_of_list(primals) is not None:
        return results.tolist() if isinstance(results, np.ndarray) else results
    if is_leaf(primals) or is_leaf(results):
        return results
    return rebuild(results, list(map(like_lists, children(primals), children(results))))


def vjp(f, *primals, has_aux: bool = False, memory: int | str | None = None):
    """Evaluate `f` and return its pullback: ``(out, pullback)``.

    ``pullback(w)`` is the tuple of J_i^T w, one entry for each primal, None for
    one that is not floating-point.  With `has_aux`, `f` returns ``(out, aux)``
    and the result is ``(out, pullback, aux)``.  `memory` is a budget for what is
    kept of loops; see `differentiate`.

    Examples
    --------
    >>> import numpy as np
    >>> import srcdiff as sd
    >>> out, pullback = sd.vjp(np.sin, np.zeros(2))
    >>> pullback(np.array([1.0, 2.0]))
    (array([1., 2.]),)
    """
    function = within(f, memory)
    out = function.derive(Value(has_aux))(*primals)
    pullback = Bound(function.derive(Pullback(has_aux)), primals, spread=False)
    return (out[0], pullback, out[1]) if has_aux else (out, pullback)


def linearize(f, *primals, has_aux: bool = False):
    """Evaluate `f` and return its tangent map: ``(out, f_jvp)``; ``f_jvp(*tangents)`` is J tangents."""
    function = as_function(f)
    if not primals:
        refuse("linearize needs the point at which to linearize", code="SD0306")
    out = function.derive(Value(has_aux))(*primals)
    along = Bound(function.derive(Pushforward(has_aux, value=False)), primals, spread=True)
    return (out[0], along, out[1]) if has_aux else (out, along)
