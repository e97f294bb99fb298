"""What the notes of a module allow: accesses without a test for negative indices, sums in any order.

Numba adds the extent to an index below zero, as Python does: three instructions
for each axis of each access, and a choice that keeps LLVM from vectorising the
loop.  `srcdiff.analysis.signs` proves that hardly any array needs that; the
indices of all others are lowered as unsigned numbers, which cannot be negative.

LLVM may not regroup a sum of floats, so a loop that adds to a number adds one
term after the other.  Where the order is nobody's (`np.sum`, a dot product, an
adjoint), ``s += t`` is lowered as an addition with the flag "reassoc".  No other
operation has it, so what a user's compensated summation does stays as written.

Where Numba's compiler has another form than the one known here, nothing is done.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass

from srcdiff.marks import ANY_ORDER, FROM_FRONT

__all__ = ["Notes", "of", "pipeline"]


@dataclass(frozen=True)
class Notes:
    """What is known of one function.

    Attributes
    ----------
    arrays
        Those that no index counts from the end of.
    sums
        The numbers to which ``+=`` adds in any order.
    flags
        LLVM's flags of such an addition.
    """

    arrays: frozenset[str] = frozenset()
    sums: frozenset[str] = frozenset()
    flags: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.arrays or self.sums)


def of(module, function: str, fastmath) -> Notes:
    """Return what a module says of its function; sums have their order where no fast math is wanted."""
    arrays, sums = (frozenset(vars(module).get(mark, {}).get(function, ())) for mark in (FROM_FRONT, ANY_ORDER))
    if isinstance(fastmath, bool) or not fastmath:
        return Notes(arrays)
    return Notes(arrays, sums, ("reassoc", *sorted(set(fastmath) - {"reassoc"})))


@functools.cache
def pipeline(notes: Notes, base=None):
    """Return Numba's compiler, or the one of `base`, for a function of which this is known; None if there is none."""
    try:
        from numba.core import compiler
        from numba.core.compiler_machinery import register_pass
        from numba.core.typed_passes import BaseNativeLowering, NativeLowering
        lowering = _lowering(notes)
    except (ImportError, AttributeError):
        return None

    @register_pass(mutates_CFG=True, analysis_only=False)
    class WithNotes(BaseNativeLowering):
        _name = "native_lowering_with_notes"
        lowering_class = lowering

    class Compiler(base or compiler.Compiler):
        def define_pipelines(self):
            passes = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
            made = compiler.PassManager(passes.pipeline_name)
            for one, text in passes.passes:
                made.add_pass(WithNotes if one is NativeLowering else one, text)
            made.finalize()
            return [made]

    return Compiler


def _lowering(notes: Notes):
    """Return Numba's lowering for a function of which this is known."""
    from numba.core import ir, types
    from numba.core.lowering import Lower

    def counted(index):
        if isinstance(index, types.Integer):
            return types.uintp
        if isinstance(index, types.BaseTuple) and all(isinstance(i, types.Integer) for i in index):
            return types.BaseTuple.from_types([types.uintp] * len(index))
        return index

    class Lowering(Lower):
        def __init__(self, *args, **keywords):
            self.read: dict[str, str] = {}      # which variable a name of the interpreter's stack is a copy of
            super().__init__(*args, **keywords)

        def lower_assign(self, ty, inst):
            if isinstance(inst.value, ir.Var):
                self.read[inst.target.name] = inst.value.name
            return super().lower_assign(ty, inst)

        def named(self, var, names) -> bool:
            name = var.name
            while name.startswith("$") and name in self.read:
                name = self.read[name]
            return name.partition(".")[0] in names

        def unsigned(self, array, signature):
            """Return the signature of an access, its index unsigned where the array is one of ours."""
            base, index, *value = signature.args
            if not self.named(array, notes.arrays) or not isinstance(base, types.Array):
                return signature
            return signature.replace(args=(base, counted(index), *value))

        def lower_getitem(self, resty, expr, value, index, signature):
            return super().lower_getitem(resty, expr, value, index, self.unsigned(value, signature))

        def lower_setitem(self, target_var, index_var, value_var, signature):
            return super().lower_setitem(target_var, index_var, value_var, self.unsigned(target_var, signature))

        def lower_expr(self, resty, expr):
            if expr.op == "inplace_binop" and expr.fn in (operator.iadd, operator.isub) and isinstance(
                    resty, types.Float) and self.named(expr.lhs, notes.sums):
                add = self.builder.fadd if expr.fn is operator.iadd else self.builder.fsub
                operands = (self.context.cast(self.builder, self.loadvar(v.name), self.typeof(v.name), resty)
                            for v in (expr.lhs, expr.rhs))
                return add(*operands, flags=notes.flags)
            return super().lower_expr(resty, expr)

    return Lowering
