"""Functions that are linear at a point: pullbacks (`vjp`) and tangent maps (`linearize`)."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from srcdiff.api.arguments import float_leaves, names_of, signature_of
from srcdiff.api.differentiate import as_function, within
from srcdiff.api.directions import cotangents, fill
from srcdiff.api.function import Function
from srcdiff.api.lazy import lazy
from srcdiff.api.recipes import Pullback, Pushforward, Recipe
from srcdiff.api.special import Special, output_leaves, refuse, split_aux
from srcdiff.errors import SrcdiffError
from srcdiff.structure import (
    abstract,
    array_of_list,
    children,
    flat_values,
    is_leaf,
    leaves,
    map_tree,
    ready,
    rebuild,
)
from srcdiff.syntax import Program, Static, is_float

__all__ = ["Bound", "Sweeps", "Value", "linearize", "vjp"]

compiler, Builder = lazy("srcdiff.compiler"), lazy("srcdiff.builder", "Builder")
keep, early_first = lazy("srcdiff.assemble", "keep"), lazy("srcdiff.halves", "early_first")


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


@dataclass(frozen=True)
class Forward(Recipe):
    """``primals -> (value, what the reverse sweep reads of it)``: the first half of a pullback.

    The second half would have to be made for the same extents: where code for
    the extents of the call is needed, the pullback is one program.  Both halves
    read and write what is kept in one way, whatever shapes loops change.
    """

    has_aux: bool = False
    is_half = True
    word = "forward sweep"

    def specialise(self, base, args, keywords):
        primal = base.specialise(args, keywords)
        outputs, _ = split_aux(primal.program.tree, self.has_aux, base.__name__)
        first, _ = split_pullback(primal, outputs)
        n = len(primal.program.results)
        return primal.made(first, (primal.program.tree, tuple(range(n, len(first.results)))))


@dataclass(frozen=True)
class Reverse(Pullback):
    """``(primals, cotangent, held) -> cotangents of the primals``: the second half of a pullback."""

    is_half = True

    def specialise(self, base, args, keywords):
        primals, given, held = args
        primal = base.specialise(tuple(primals), keywords)
        outputs, _ = split_aux(primal.program.tree, self.has_aux, base.__name__)
        active = float_leaves(primal, primal.inputs[0])
        _, second = split_pullback(primal, outputs)
        params = second.params[sum(not p.captured for p in primal.program.params):][:len(held)]
        taken: list[str] = []

        def make(names, positions):
            program = second
            if positions != float_outputs(primal, outputs):         # the forward sweep was that of other outputs
                whole = compiler.pullback(primal.bare, names, positions)
                program = keep(whole, range(len(primal.program.results), len(whole.results)))
            program, found = with_arguments(program, primal.program, params, len(positions))
            taken.extend(found)
            return program

        program, bars, linear = cotangents(primal, outputs, given, active, base, make)
        place = {p: i for i, p in enumerate(active)}
        tree = map_tree(lambda p: Static(None) if p not in place else place[p], primal.inputs[0])
        names = ((primal.names[0], fill(given, bars), tuple(taken)), {})
        return primal.made(program, tree, names=names, linear=linear)

    def signature(self, base):
        return signature_of("primals", "cotangent", "held")


@dataclass(frozen=True)
class Sweeps(Recipe):
    """``primals -> (value, cotangents of the primals)`` with further parameters: a cotangent of each floating-point output.

    This is for `vjp` inside a differentiated function.  The first statements, as
    many as `Special.early` says, stand where `vjp` is called, the others where
    the pullback is: all that is known of the ones holds for the others.
    """

    word = "pullback"

    def specialise(self, base, args, keywords):
        primal = base.specialise(tuple(args[0]), keywords)
        found = Pullback(value=True).of(primal, base, map_tree(partial(own_cotangent, primal.program), primal.program.tree))
        late = frozenset(leaf for leaf in leaves(found.names[0][1]) if not isinstance(leaf, Static))
        program, early = early_first(found.program, late, len(set(output_leaves(primal.program.tree))))
        return replace(found, program=program, early=early)

    def signature(self, base):
        return signature_of("primals")


def own_cotangent(program: Program, leaf):
    """Return the type of the cotangent of a result; None where it has none."""
    if isinstance(leaf, Static) or not is_float(type_ := program.type_of(program.results[leaf])):
        return Static(None)
    return type_


def with_arguments(program: Program, primal: Program, held, count: int) -> tuple[Program, list[str]]:
    """Let a program take all arguments of the second half, whether or not it reads them; the last `count` are cotangents.

    Returns the program and the names of what is held.
    """
    builder = Builder(program.types)
    own = {p.name for p in program.params}
    taken = [p if p.name in own else replace(p, name=builder.fresh(p.name, p.type)) for p in held]
    bars = program.params[len(program.params) - count:]
    return replace(program, params=(*primal.params, *taken, *bars), types=builder.types), [p.name for p in taken]


def float_outputs(primal: Special, outputs) -> tuple[int, ...]:
    """Return the positions of the floating-point outputs, in order."""
    return tuple(p for p in output_leaves(outputs) if is_float(primal.program.type_of(primal.program.results[p])))


def split_pullback(primal: Special, outputs):
    """Return both halves of the pullback of all floating-point outputs."""
    active = names_of(primal, float_leaves(primal, primal.inputs[0]))
    return compiler.pullback_halves(primal.bare, active, float_outputs(primal, outputs))


class Bound(Function):
    """A linear map at a point: `base` with its first argument, the primals, given.

    The primals are copies, because the caller may change his own afterwards.

    Parameters
    ----------
    spread
        Take the directions as separate arguments, not as one.
    held
        What `base` takes behind the directions: nothing, or what a forward sweep has kept.
    """

    def __init__(self, base: Function, primals: tuple, spread: bool, held: tuple = ()):
        self.primals, self.spread, self.held = tuple(primals), spread, held
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
        out = self.base(self.primals, self.given(args), *self.held)
        return like_lists(self.primals, out) if self._lists and not self.spread else out

    def specialise(self, args, keywords) -> Special:
        specs = tuple(abstract(p, f"primal {i}") for i, p in enumerate(self.primals))
        held = tuple(abstract(h, "what is kept") for h in self.held)
        found = self.base.specialise((specs, self.given(args), *held), {})
        trees = found.inputs[0]
        names = [found.name(p) for tree in (trees[0], *trees[2:]) for p in output_leaves(tree)]
        values = [v for p in (*self.primals, *self.held) for v in flat_values(p)]
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
            recipe = recipe.bound(self.spread, len(self.held))
            return Bound(self.base.derive(recipe), self.primals, self.spread, self.held)
        return super().derive(recipe)

    def with_options(self, options):
        return Bound(self.base.with_options(options), self.primals, self.spread, self.held)

    def describe(self):
        return f"{self.base.describe()} at a point"

    def __reduce__(self):
        return Bound, (self.base, self.primals, self.spread, self.held)


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
    try:
        out, pullback = in_halves(function, primals, has_aux)
    except SrcdiffError:            # what is wrong with the reverse sweep is said when it is asked for
        out = function.derive(Value(has_aux))(*primals)
        pullback = Bound(function.derive(Pullback(has_aux)), tuple(map(kept, primals)), spread=False)
    return (out[0], pullback, out[1]) if has_aux else (out, pullback)


def in_halves(function: Function, primals: tuple, has_aux: bool):
    """Run the forward sweep, and return the value and the pullback that reads what it has kept."""
    if function.options.memory is not None:
        refuse("what a budget saves would be kept", fix="leave memory= out")
    out, held = function.derive(Forward(has_aux))(*primals)
    held = tuple(apart(v, leaves(primals)) for v in held)
    pullback = Bound(function.derive(Reverse(has_aux)), tuple(map(kept, primals)), False, (held,))
    return map_tree(lambda v: apart(v, held), out), pullback


def apart(value, others):
    """Return an array, or a copy of it if it shares memory with one of the others."""
    if isinstance(value, np.ndarray) and any(np.may_share_memory(value, v) for v in others if isinstance(v, np.ndarray)):
        return value.copy()
    return value


def linearize(f, *primals, has_aux: bool = False):
    """Evaluate `f` and return its tangent map: ``(out, f_jvp)``; ``f_jvp(*tangents)`` is J tangents."""
    function = as_function(f)
    if not primals:
        refuse("linearize needs the point at which to linearize", code="SD0306",
               fix="call it as linearize(f, *primals)")
    out = function.derive(Value(has_aux))(*primals)
    along = Bound(function.derive(Pushforward(has_aux, value=False)), tuple(map(kept, primals)), spread=True)
    return (out[0], along, out[1]) if has_aux else (out, along)
