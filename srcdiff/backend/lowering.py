"""How Numba's intermediate code of a generated function becomes LLVM's: in less than half of Numba's instructions.

Generated functions are loops over ranges and accesses to single elements.  For each access Numba takes the whole
structure of the array apart, for each loop it computes the number of iterations of any step, and at the end of a
variable it clears it.  LLVM removes all of that again, which is most of its work on a long function.  Here an access
loads the parts of the array that it needs, a range has the step 1 or -1 that the text says, and only arrays are
released.  What is of another form is left to Numba.

Besides, what the notes of a module allow: Numba adds the extent to an index below zero, as Python does, three
instructions for each axis of each access, and a choice that keeps LLVM from vectorising the loop.  The indices of
arrays that are only indexed from the front are unsigned numbers, which cannot be negative.  And where the order of
a sum is nobody's (`np.sum`, a dot product, an adjoint), ``s += t`` is an addition with the flag "reassoc", so that
LLVM may add up several terms at once.  No other operation has it: what a user's compensated summation does stays.
A power is libm's function, not LLVM's operation, which has no vector version.
The larger of two numbers is one operation of LLVM's, which then finds the largest of several at once, too, and NumPy's
functions of one float32 are libm's that have vector versions (`srcdiff.backend.vector_math`).
"""

from __future__ import annotations

import operator
from collections import Counter

import numpy as np
from llvmlite.binding import llvm_version_info as LLVM
from llvmlite.ir import Constant, FunctionType, Undefined
from numba.core import cgutils, ir, types
from numba.core.ir_utils import find_const, guard
from numba.core.lowering import Lower
from numba.np import arrayobj

from srcdiff.backend import large_pages, powers
from srcdiff.backend.apart import Apart
from srcdiff.backend.loops import NotedLoops
from srcdiff.backend.notes import Notes
from srcdiff.backend.vector_math import called, of_doubles, of_floats

__all__ = ["lowering"]


def lowering(notes: Notes, long: bool = False) -> type[Lower]:
    """Return the class that lowers a function of which this is known."""
    parts = (_Loops, NotedLoops, Apart, _Elements, _Sums, _Functions, _Methods, _Unbuilt, Lower)
    return type("GeneratedLower", parts, {"notes": notes, "rolled": long})


class _Sums:
    """Sums in any order, and which variable is meant."""

    notes = Notes()

    def init(self):
        super().init()
        self.read: dict[str, str] = {}          # which variable a name of the interpreter's stack is a copy of

    def lower_assign(self, ty, inst):
        if isinstance(inst.value, ir.Var):
            self.read[inst.target.name] = inst.value.name
        return super().lower_assign(ty, inst)

    def named(self, var, names) -> bool:
        """Tell whether a variable is one of those that a note names."""
        name = var.name
        while name.startswith("$") and name in self.read:
            name = self.read[name]
        return name.partition(".")[0] in names

    def lower_expr(self, resty, expr):
        if expr.op == "inplace_binop" and expr.fn in (operator.iadd, operator.isub) and isinstance(
                resty, types.Float) and self.named(expr.lhs, self.notes.sums):
            add = self.builder.fadd if expr.fn is operator.iadd else self.builder.fsub
            return add(*(self._cast_var(v, resty) for v in (expr.lhs, expr.rhs)), flags=self.notes.flags)
        return super().lower_expr(resty, expr)


EXTREMES = {np.maximum: "llvm.maximum", np.minimum: "llvm.minimum"}     # nan if one is


class _Functions:
    """The larger or the smaller one of two floating-point numbers, powers, and functions of float32."""

    notes = Notes()

    def lower_expr(self, resty, expr):
        if expr.op == "call" and isinstance(resty, types.Float) and (ufunc := self._called(expr)):
            if ufunc in EXTREMES and len(expr.args) == 2 and LLVM >= (18,):         # older ones cannot compile it
                return self._extreme(EXTREMES[ufunc], resty, expr.args)
            if resty == types.float32 and self.notes.vector_math and (name := of_floats(ufunc.__name__)):
                return called(self.builder, name, [self._cast_var(arg, resty) for arg in expr.args])
        if powers.is_power(expr) and (found := self._as_numpy(resty, expr)) is not None:
            return found
        if expr.op == "binop" and expr.fn is operator.pow and self.notes.vector_math and (name := self._power(resty, expr)):
            return called(self.builder, name, [self._cast_var(arg, resty) for arg in (expr.lhs, expr.rhs)])
        return super().lower_expr(resty, expr)

    def _as_numpy(self, resty, expr):
        """Return a power that Numba computes otherwise than NumPy."""
        kinds = self.fndesc.calltypes[expr].args
        if any(isinstance(kind, types.Array) for kind in kinds):
            return None
        values = [self._cast_var(v, kind) for v, kind in zip((expr.lhs, expr.rhs), kinds, strict=True)]
        return powers.power(self.context, self.builder, resty, kinds, values)

    def _power(self, resty, expr) -> str | None:
        """Return libm's function for a power with an exponent that is no integer; None where it has no vector version."""
        if self.fndesc.calltypes[expr].args != (resty, resty):
            return None
        return {types.float64: of_doubles, types.float32: of_floats}.get(resty, lambda name: None)("power")

    def _called(self, expr):
        """Return the function that a call is to; None where that is no function of the module."""
        key = getattr(self.typeof(expr.func.name), "typing_key", None)
        return key if isinstance(key, np.ufunc) else None

    def _extreme(self, name, resty, args):
        kind = self.context.get_value_type(resty)
        function = self.module.declare_intrinsic(name, [kind], FunctionType(kind, [kind, kind]))
        return self.builder.call(function, [self._cast_var(arg, resty) for arg in args])


class _Methods:
    """Methods of arrays that make views and copies."""

    def lower_expr(self, resty, expr):
        method = getattr(self.typeof(expr.func.name), "typing_key", None) if expr.op == "call" else None
        if method not in ("array.reshape", "array.copy") or not large_pages.available():
            return super().lower_expr(resty, expr)
        from srcdiff.backend import arrays, views
        signature = self.fndesc.calltypes[expr]
        of, array = signature.recvr, self.loadvar(expr.func.name)
        if of is None or not views.is_plain(of) or expr.kws:
            return super().lower_expr(resty, expr)
        if method == "array.copy":
            return views.copied(self.context, self.builder, resty, of, array)
        extents = [e for arg, kind in zip(expr.args, signature.args, strict=True)
                   for e in arrays.extents_of(self.context, self.builder, kind, self._cast_var(arg, kind))]
        return views.reshaped(self.context, self.builder, resty, of, array, extents)


class _Unbuilt:
    """Tuples of indices and ranges that are only taken apart again are never built."""

    def init(self):
        super().init()
        self.parts: dict[str, list] = {}        # what is in them
        everything = [s for block in self.blocks.values() for s in block.body]
        read = Counter(v.name for s in everything for v in s.list_vars())
        read.subtract(s.target.name for s in everything if isinstance(s, ir.Assign))
        apart = Counter(name for s in everything for name in self._taken_apart(s))
        self.unbuilt = {name for name in apart if name in self._singly_assigned_vars and read[name] == apart[name]}

    def _taken_apart(self, statement):
        """Give the tuple or the range of which a statement only reads the parts."""
        value = statement.value if isinstance(statement, ir.Assign) else None
        op = value.op if isinstance(value, ir.Expr) else None
        if isinstance(statement, ir.SetItem) and self.is_element(statement.target, statement.index):
            yield statement.index.name
        elif op == "getitem" and self.is_element(value.value, value.index):
            yield value.index.name
        elif op == "getiter":
            yield value.value.name

    def lower_assign(self, ty, inst):
        if inst.target.name in self.unbuilt and isinstance(inst.value, ir.Expr):
            parts = self._parts(ty, inst.value)
            if parts is not None:
                self.parts[inst.target.name] = parts
                return Constant(self.context.get_value_type(ty), Undefined)
        return super().lower_assign(ty, inst)

    def _parts(self, ty, expr):
        """Return the integers of an index, or (start, stop, step) of a range whose step is 1 or -1."""
        if expr.op == "build_tuple":
            return [self._cast_var(item, of) for item, of in zip(expr.items, ty, strict=True)]
        if expr.op != "call" or not isinstance(ty, types.RangeType) or expr.kws or expr.vararg:
            return None
        step = guard(find_const, self.func_ir, expr.args[2]) if len(expr.args) == 3 else 1
        if step not in (1, -1):
            return None
        *start, stop = (self._cast_var(arg, ty.dtype) for arg in expr.args[:2])
        return [*(start or [stop.type(0)]), stop, stop.type(step)]


class _Elements:
    """Accesses to single elements."""

    def is_element(self, array, index) -> bool:
        """Tell whether an access is to one number of an array, by integers."""
        kind, by = self.typeof(array.name), self._axes(index)
        return (type(kind) is types.Array and isinstance(kind.dtype, types.Number | types.Boolean)
                and len(by) == kind.ndim and all(isinstance(i, types.Integer) for i in by)
                and not self.context.enable_boundscheck)

    def _axes(self, index) -> tuple:
        by = self.typeof(index.name)
        return by.types if isinstance(by, types.BaseTuple) else (by,)

    def _values(self, index) -> list:
        if index.name in self.parts:
            return self.parts[index.name]
        value = self.loadvar(index.name)
        is_tuple = isinstance(self.typeof(index.name), types.BaseTuple)
        return cgutils.unpack_tuple(self.builder, value, len(self._axes(index))) if is_tuple else [value]

    def _field(self, array, name, *axis):
        """Load one part of the structure of an array."""
        position = self.context.data_model_manager[self.typeof(array.name)].get_field_position(name)
        if array.name in self._blk_local_varmap:
            return self.builder.extract_value(self._blk_local_varmap[array.name], (position, *axis))
        return self.builder.load(cgutils.gep_inbounds(self.builder, self.getvar(array.name), 0, position, *axis))

    def _address(self, array, index):
        kind = self.typeof(array.name)
        if self.named(array, self.notes.arrays):
            # C order needs all extents but the first, Fortran's all but the last.
            unread = {"C": 0, "F": kind.ndim - 1}.get(kind.layout)
            shape = [None if i == unread else self._field(array, "shape", i) for i in range(kind.ndim)]
            places = [self.context.cast(self.builder, value, of, types.uintp)
                      for value, of in zip(self._values(index), self._axes(index), strict=True)]
        else:
            shape = [self._field(array, "shape", i) for i in range(kind.ndim)]
            places = [arrayobj.fix_integer_index(self.context, self.builder, of, value, n)
                      for value, of, n in zip(self._values(index), self._axes(index), shape, strict=True)]
        strides = [] if kind.layout in "CF" else [self._field(array, "strides", i) for i in range(kind.ndim)]
        return cgutils.get_item_pointer2(self.context, self.builder, self._field(array, "data"), shape, strides,
                                         kind.layout, places)

    def lower_getitem(self, resty, expr, value, index, signature):
        if not self.is_element(value, index):
            return super().lower_getitem(resty, expr, value, index, signature)
        kind = self.typeof(value.name)
        found = arrayobj.load_item(self.context, self.builder, kind, self._address(value, index))
        self.last("load", value)
        return self.context.cast(self.builder, found, kind.dtype, resty)

    def lower_setitem(self, target_var, index_var, value_var, signature):
        if not self.is_element(target_var, index_var):
            return super().lower_setitem(target_var, index_var, value_var, signature)
        kind, given = self.typeof(target_var.name), signature.args[2]
        value = self.context.cast(self.builder, self._cast_var(value_var, given), given, kind.dtype)
        arrayobj.store_item(self.context, self.builder, kind, value, self._address(target_var, index_var))
        self.last("store", target_var)

    def last(self, access: str, array) -> None:
        """Say what is known of the last load or store."""
        instruction = next((i for i in reversed(self.builder.block.instructions) if i.opname == access), None)
        if instruction is not None:
            self.said(array, instruction)

    def delvar(self, name):
        """End a variable: release an array; what owns no memory is left as it is."""
        kind = self.typeof(name)
        owns = self.context.data_model_manager[kind].contains_nrt_meminfo()
        if owns and (name in self._blk_local_varmap or type(kind) is not types.Array):
            return super().delvar(name)
        if name in self._blk_local_varmap:
            return None
        self._singly_assigned_vars.discard(name)
        self._alloca_var(name, kind)
        if owns:
            owner = cgutils.gep_inbounds(self.builder, self.getvar(name), 0, 0)
            self.decref(types.MemInfoPointer(kind.dtype), self.builder.load(owner))
            self.builder.store(Constant(owner.type.pointee, None), owner)   # it may end twice
        return None


class _Loops:
    """Loops over ranges."""

    def lower_expr(self, resty, expr):
        short = {"getiter": self._begin, "iternext": self._next, "pair_first": self._first, "pair_second": self._second}
        found = short[expr.op](resty, expr) if expr.op in short else None
        return super().lower_expr(resty, expr) if found is None else found

    def _structure(self, type_, values):
        made = Constant(self.context.get_value_type(type_), Undefined)
        for i, value in enumerate(values):
            made = self.builder.insert_value(made, value, i)
        return made

    def _begin(self, resty, expr):
        """Lower ``iter(range)``: Numba's structure, with the number of iterations of a step 1 or -1."""
        if expr.value.name not in self.parts:
            return None
        start, stop, step = self.parts[expr.value.name]
        place, count = (cgutils.alloca_once(self.builder, start.type) for _ in range(2))
        ends = (stop, start) if step.constant == 1 else (start, stop)
        self.builder.store(start, place)
        self.builder.store(self.builder.sub(*ends), count)
        return self._structure(resty, (place, stop, step, count))

    def _next(self, resty, expr):
        """Lower ``next``: (the present value, whether there is one), and go on if there is."""
        if not isinstance(self.typeof(expr.value.name), types.RangeIteratorType):
            return None
        builder = self.builder
        place, step, count = (builder.extract_value(self.loadvar(expr.value.name), i) for i in (0, 2, 3))
        left = builder.load(count)
        present, some = cgutils.alloca_once(builder, left.type), builder.icmp_signed(">", left, left.type(0))
        # Without the branch LLVM makes slower code of some loops around loops.
        with builder.if_then(some):
            value = builder.load(place)
            builder.store(value, present)
            builder.store(builder.sub(left, left.type(1), flags=["nsw"]), count)
            builder.store(builder.add(value, step), place)
        return self._structure(resty, (builder.load(present), some))

    def _first(self, resty, expr, which=0):
        if not isinstance(self.typeof(expr.value.name).first_type, types.Integer):
            return None
        return self.builder.extract_value(self.loadvar(expr.value.name), which)

    def _second(self, resty, expr):
        return self._first(resty, expr, 1)
