"""The pipelines: from a program to a callable, and every public derivative as a composition.

Read top to bottom.  The derivative pipelines take and give unlowered programs,
so they compose; `build` runs once, at the outermost call.  All of them append
to the results of the program they are given: what is kept is chosen by the
caller (`srcdiff.assemble.keep`).

========================  ======================================================
value and gradient        adjoint, seeded with 1
directional derivative    tangent
pullback                  adjoint
Jacobian by columns       vectorize(tangent, seeded with the identity), reshape
Jacobian by rows          vectorize(adjoint, seeded with the identity), reshape
Hessian                   the one Jacobian of the other
Hessian times vector      tangent of the gradient
========================  ======================================================
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from srcdiff.assemble import bind, keep, require_same_shape, require_shape_of_results
from srcdiff.backend import Compiled, Options, compile_program, compile_source
from srcdiff.batches import Batch, batch_text, split
from srcdiff.collecting import paused
from srcdiff.forward import tangent
from srcdiff.halves import halves
from srcdiff.jacobians import forward_jacobian, reverse_jacobian
from srcdiff.kernels import (
    GridPlan,
    Plan,
    device_function,
    device_text,
    grid_plan,
    module_text,
    plan,
    with_algebra,
    with_extents,
    with_own_functions,
)
from srcdiff.log import stage
from srcdiff.lower import lower
from srcdiff.lower.ravel import of_any_layout, ravel
from srcdiff.optimize import optimize
from srcdiff.optimize.barriers import without_barriers
from srcdiff.optimize.lengths import lengths
from srcdiff.printing import to_source
from srcdiff.reverse import adjoint
from srcdiff.roots import found
from srcdiff.sample_blocks import sample_blocks
from srcdiff.samples import samples
from srcdiff.schedule import Within
from srcdiff.steady import steady
from srcdiff.syntax import Const, Doc, Program
from srcdiff.vectorize import vectorize

__all__ = ["Options", "build", "build_parallel", "derivatives", "gradient", "gradient_along", "is_parallel",
           "jacobian", "over_directions", "over_sample_blocks", "over_samples", "parallel_text", "pullback", "pullback_halves",
           "pushforward", "taking", "text"]


# -- derivatives: Program -> Program ---------------------------------------------------

def _remembered(function):
    """Transform equal programs once: a new lambda in each iteration costs its parse only."""
    return functools.lru_cache(maxsize=512)(function)


_STEADY = ContextVar("steady", default=False)


@contextmanager
def taking(is_steady: bool):
    """Say, for the derivatives made inside, whether arrays are taken to keep their shapes in loops (`srcdiff.steady`)."""
    token = _STEADY.set(is_steady)
    try:
        yield
    finally:
        _STEADY.reset(token)


def _by_steadiness(function):
    """Remember what is made of equal programs, with arrays taken to keep their shapes in loops and without."""
    made = _remembered(lambda is_steady, *args: function(*args))
    return functools.wraps(function)(lambda *args: made(_STEADY.get(), *args))


def _derivative(function):
    """Differentiate the optimised program: less is active, and less is kept on tapes."""
    @_by_steadiness
    @functools.wraps(function)
    def of_optimised(program, *rest):
        program = optimised(program)
        return function(lengths(steadied(program) if _STEADY.get() else program), *rest)
    return of_optimised


@_remembered
def optimised(program: Program) -> Program:
    return optimize(program)


@_remembered
def steadied(program: Program) -> Program:
    checked = steady(program)
    return program if checked is program else optimize(checked)


@_derivative
def gradient(program: Program, active: tuple[str, ...], output: int, memory: Within | None = None) -> Program:
    """Append the adjoint of each active parameter, for the scalar result `output`."""
    return adjoint(program, active, outputs=(output,), seed="one", memory=memory)


@_derivative
def pushforward(program: Program, active: tuple[str, ...]) -> Program:
    """Append a tangent for each result; the tangents of `active` are further parameters."""
    along = tangent(program, active)
    dots = [p.name for p in along.params[len(program.params):]]
    return require_same_shape(along, zip(dots, active, strict=True), "tangent")


@_derivative
def pullback(program: Program, active: tuple[str, ...], outputs: tuple[int, ...], memory: Within | None = None) -> Program:
    """Append the adjoint of each active parameter; the cotangents are further parameters."""
    along = adjoint(program, active, outputs=outputs, memory=memory)
    bars = [p.name for p in along.params[len(program.params):]]
    models = [program.results[position] for position in outputs]
    return require_shape_of_results(along, list(zip(bars, models, strict=True)))


@_by_steadiness
def pullback_halves(program: Program, active: tuple[str, ...], outputs: tuple[int, ...]) -> tuple[Program, Program]:
    """Split the pullback: the program with what is kept appended, and the adjoints alone, from that and the cotangents."""
    along = optimised(pullback(program, active, outputs))
    bars = [p.name for p in along.params[len(program.params):]]
    return halves(along, frozenset(bars), len(program.results))


@_derivative
def jacobian(program: Program, active: tuple[str, ...], outputs: tuple[int, ...],
             mode: str, chunk: int | None = None, memory: Within | None = None) -> Program:
    """Append the Jacobian of each output with respect to each active parameter."""
    if mode == "forward":
        return forward_jacobian(program, active, outputs, chunk)
    return reverse_jacobian(program, active, outputs, chunk, memory)


@_by_steadiness
def gradient_along(program: Program, active: tuple[str, ...], output: int, memory: Within | None = None) -> Program:
    """Append the derivative of the gradient along a direction: one Hessian-vector product."""
    n, k = len(program.results), len(active)
    grads = keep(gradient(program, active, output, memory), range(n + k))
    return keep(pushforward(grads, active), [*range(n), *range(n + k + n, n + k + n + k)])


@_remembered
def derivatives(program: Program, active: str, order: int) -> Program:
    """Append f', f'', ... of a scalar function of a scalar to its one result."""
    for done in range(order):
        along = tangent(program, (active,))
        along = bind(along, {along.params[-1].name: Const(1.0)})
        program = keep(along, [*range(done + 1), 2 * done + 1])
    return program


# -- many at once: Program -> Program ----------------------------------------------------

@_remembered
def over_directions(program: Program, batched: frozenset[str]) -> Program:
    """Push many directions through a program that is linear in `batched`; their axis is first."""
    return vectorize(program, batched, axis=0)


@_remembered
def over_samples(program: Program, in_axes: tuple[int | None, ...], out_axes: tuple[int, ...]) -> Program:
    """Put a loop over samples around a whole program."""
    return samples(program, in_axes, out_axes)


@_remembered
def over_sample_blocks(program: Program, in_axes: tuple[int | None, ...], out_axes: tuple[int, ...]) -> Program | None:
    """Put a loop over blocks of samples around a program in which all samples take one path; None for another."""
    return sample_blocks(optimised(program), in_axes, out_axes)


# -- from a program to a callable ------------------------------------------------------

def optimised_once(program: Program) -> Program:
    """Optimise a program, once whatever it is called: an estimate of its cost has often done it before."""
    made = optimised(replace(program, name="", tree=None, doc=""))
    return replace(made, name=program.name, tree=program.tree, doc=program.doc)


# "tight" code takes axes that meet to be equally long and fails, with SD0340, where
# one of them has to be stretched from 1; the dispatcher then turns to "numba".
PIPELINES: dict[str, list[Callable[[Program], Program]]] = {
    "python": [found, without_barriers, optimised_once],
    "tight": [found, without_barriers, optimised_once, functools.partial(lower, stretch=False), ravel],
    "numba": [found, without_barriers, optimised_once, lower, ravel],
    "cuda": [found, without_barriers, optimised_once, with_own_functions],    # and then for one set of shapes: `build_kernels`
}


@_remembered
@paused()
def prepare(program: Program, target: str = "numba") -> Program:
    """Run the passes of a target: what comes out is what is printed and compiled."""
    for run in PIPELINES[target]:
        with stage(getattr(run, "func", run).__name__):
            program = run(program)
    return program


@_remembered
def build(program: Program, options: Options, tight: bool = False) -> Compiled:
    """Compile: flat arguments to a flat tuple of results."""
    pipeline = "tight" if tight and options.target == "numba" else options.target
    return compile_program(prepare(_unplaced(program), pipeline), options=options)


def text(program: Program, level: str = "loops") -> str:
    """Return a complete Python module: what is compiled, or before lowering (level="array")."""
    target = {"loops": "tight", "array": "python"}[level]
    return to_source(replace(of_any_layout(prepare(_unplaced(program), target)), doc=program.doc), jit=level == "loops")


# -- a batch on all cores ----------------------------------------------------------------

@_remembered
def build_parallel(program: Program, options: Options, tight: bool = False) -> Compiled:
    """Compile a loop over samples for all cores; for one where that is not proved safe."""
    if not is_parallel(program, options):
        return build(program, options, tight)
    source = parallel_text(program, tight)
    if source is None:
        return build(program, options, tight)
    return compile_source(program.name, source, len(program.results), options=replace(options, parallel=True))


def is_parallel(program: Program, options: Options) -> bool:
    """Tell whether a batch can be computed on all cores."""
    return options.target == "numba" and _batch(_unplaced(program)) is not None


@_remembered
def _batch(program: Program) -> Batch | None:
    return split(prepare(program, "python"))


def parallel_text(program: Program, tight: bool = True, jit: bool = False) -> str | None:
    """Return the module of a batch on all cores, None where there is none."""
    batch = _batch(_unplaced(program))
    summary = program.doc.summary if jit and isinstance(program.doc, Doc) else ""
    return batch and batch_text(batch, functools.partial(lower, stretch=not tight), jit, summary)


# -- a batch on the GPU -------------------------------------------------------------------

Shapes = tuple[tuple[str, tuple[int | None, ...]], ...]


@_remembered
def kernels(program: Program, shapes: Shapes) -> Plan:
    """Return the kernels of a loop over samples, for parameters of these extents (None: samples)."""
    program = prepare(_unplaced(program), "cuda")
    with stage("kernels"):
        return plan(optimize(with_extents(with_algebra(program), dict(shapes))))


@_remembered
def build_kernels(program: Program, shapes: Shapes, options: Options):
    """Return what runs the kernels of a loop over samples (`srcdiff.backend.cuda.Launcher`)."""
    from srcdiff.backend.cuda import Launcher
    made = kernels(program, shapes)
    constants = {name: compile_program(one, "python")()[0] for name, one in made.constants}
    return Launcher(made, options, compile_program(made.sizes, "python"), constants)


def kernel_text(program: Program, shapes: Shapes, batch: bool = True) -> str:
    """Return the module of the kernels, as a user would write it."""
    if batch:
        made = kernels(program, shapes)
        found = [k for k in (made.once, made.each) if k is not None]
    else:
        found = list(grid(program, shapes).kernels)
    summary = program.doc.summary if isinstance(program.doc, Doc) else ""
    return module_text(found, summary, jit=True)


@_remembered
def grid(program: Program, shapes: Shapes) -> GridPlan:
    """Return the kernels of one problem with large arrays, of these extents."""
    program = prepare(_unplaced(program), "cuda")
    with stage("kernels"):
        return grid_plan(optimize(with_extents(with_algebra(program), dict(shapes))))


@_remembered
def build_grid(program: Program, shapes: Shapes, options: Options):
    """Return what runs the kernels of one problem with large arrays (`srcdiff.backend.grid.GridLauncher`)."""
    from srcdiff.backend.grid import GridLauncher
    return GridLauncher(grid(program, shapes), options)


@_remembered
def build_device_function(program: Program, options: Options, out: str | None):
    """Return what a kernel of the user's can call; an array is written into a further parameter `out`."""
    from srcdiff.backend.cuda import load
    program = device_function(with_algebra(prepare(_unplaced(program), "cuda")), out)
    return getattr(load(device_text(program), options), program.name)


def _unplaced(program: Program) -> Program:
    """Return a program whose docstring names no file: moved code is not compiled again."""
    doc = program.doc
    return replace(program, doc=replace(doc, summary="") if isinstance(doc, Doc) else "")
