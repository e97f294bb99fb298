"""What Numba's compiler does with a generated function: its steps, without those that find nothing to do there.

Each variable of generated code has one type, so it need not be split into one variable for each assignment, and
joined again before lowering.  There are no functions inside functions to inline, and no expressions of whole arrays
to fuse.  Each of these steps costs about a tenth of a second for a hundred lines.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import types as python_types
from collections import Counter

from numba.core import errors, ir, types
from numba.core.compiler import DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.ir_utils import get_definition, guard
from numba.core.typed_passes import (
    BaseNativeLowering,
    NativeLowering,
    NopythonRewrites,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import InlineClosureLikes, IRProcessing, ReconstructSSA

from srcdiff.backend import large_pages
from srcdiff.backend.lowering import lowering
from srcdiff.backend.notes import Notes

__all__ = ["passes"]

DEEP = 100_000                          # calls inside calls of Python functions, which need no stack of C's
NOTHING_TO_DO = {IRProcessing, InlineClosureLikes, ReconstructSSA, PreLowerStripPhis, NopythonRewrites}


def passes(state, notes: Notes, long: bool = False) -> PassManager:
    """Return the steps for the function of a compiler's state, of which this is known."""
    standard = DefaultPassBuilder.define_nopython_pipeline(state)
    replaced = {NativeLowering: _lowering_pass(notes, long)}
    skipped = frozenset()
    if not any(isinstance(constant, python_types.CodeType) for constant in state.func_id.func.__code__.co_consts):
        replaced[NopythonTypeInference], skipped = TypesOfNames, NOTHING_TO_DO
    manager = PassManager(standard.pipeline_name)
    for step, text in standard.passes:
        if step not in skipped:
            manager.add_pass(replaced.get(step, step), text)
    manager.finalize()
    return manager


@functools.cache
def _lowering_pass(notes: Notes, long: bool):
    @register_pass(mutates_CFG=True, analysis_only=False)
    class Lowering(BaseNativeLowering):
        _name = "native_lowering_of_generated_code"
        lowering_class = lowering(notes, long)

    return Lowering


@register_pass(mutates_CFG=True, analysis_only=False)
class TypesOfNames(NopythonTypeInference):
    """Infer one type for each name; where one does not do for all its assignments, split the names first, as Numba does."""

    _name = "types_of_names"

    def run_pass(self, state):
        if large_pages.available():
            from srcdiff.backend.products import with_own_products
            with_own_products(state.func_ir)
            state.typingctx.refresh()           # the first time, `product` is new to it
        with _remembering(state.typingctx):
            return self._infer(state)

    def _infer(self, state):
        try:
            super().run_pass(state)
            if _one_type_each(state):
                return True
        except errors.NumbaError:
            pass                                # said again below, of the variables that Numba would speak of
        with _deep_recursion():
            ReconstructSSA().run_pass(state)
        super().run_pass(state)
        PreLowerStripPhis().run_pass(state)
        return True


@contextlib.contextmanager
def _deep_recursion():
    """Let Numba follow the branches of a long function: it calls itself for each of them."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEP))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextlib.contextmanager
def _remembering(context):
    """Let a typing context find the signature of a function for some types once.

    A long function has a thousand operators and calls, of a hundred kinds.  Each is resolved twice by
    trying templates one after the other, which is half of the time of type inference.
    """
    known, resolve = {}, context.resolve_function_type

    def remembered(func, args, kws):
        if type(func) is not types.Function or kws:
            return resolve(func, args, kws)
        key = func, tuple(args)
        if key not in known:
            known[key] = resolve(func, args, kws)
        return known[key]

    if "resolve_function_type" in vars(context):        # this function is called by one whose types are inferred
        yield
        return
    context.resolve_function_type = remembered
    try:
        yield
    finally:
        del context.resolve_function_type


def _one_type_each(state) -> bool:
    """Tell whether each value has the type of the variable that it is assigned to, or is a constant."""
    assigned = [s for block in state.func_ir.blocks.values() for s in block.find_insts(ir.Assign)]
    times = Counter(s.target.name for s in assigned)
    return all(_fits(state, s) for s in assigned if times[s.target.name] > 1)


def _fits(state, assign) -> bool:
    value, kind = assign.value, types.unliteral(state.typemap[assign.target.name])
    if isinstance(value, ir.Var):
        of = state.typemap[value.name]
        value = guard(get_definition, state.func_ir, value)
    elif isinstance(value, ir.Arg):
        of = state.typemap[f"arg.{value.name}"]
    else:
        of = getattr(state.calltypes.get(value), "return_type", None)
    if isinstance(value, ir.Const):
        return isinstance(kind, types.Number | types.Boolean)
    return of is not None and types.unliteral(of) == kind
