"""Systems of linear equations, inverses, Cholesky factors, determinants: functions of LLVM's that call LAPACK.

For the first ``np.linalg.solve`` Numba compiles some sixty functions of its own, most of them for the text of an error:
more than five seconds, and as many again for a matrix on the right-hand side.  Here each of these is one function of LLVM's
for each type of element, which takes matrices of any strides.  As in NumPy, results lie in C order, an inverse is the
solution for the unit matrix, and numbers that are not finite give others that are not.
"""

from __future__ import annotations

import numpy as np
from llvmlite.ir import Constant, FunctionType, IntType, LiteralStructType
from numba.core import cgutils, types
from numba.np import arrayobj, linalg

from srcdiff.backend.arrays import (
    WHOLE,
    address,
    answer,
    call,
    copy_matrix,
    fail,
    helper,
    itemsize_of,
    passed_on,
    strided,
    structure,
)
from srcdiff.backend.large_pages import maker
from srcdiff.backend.views import as_numba_does

__all__ = ["typed"]

CHARACTER, STATUS = IntType(8), IntType(32)
FIRST = WHOLE(1)

SQUARE = "Last 2 dimensions of the array must be square."
FITTING = "Incompatible array sizes, system is not dimensionally valid."
SINGULAR = "Matrix is singular to machine precision."
INDEFINITE = "Matrix is not positive definite."
NO_MEMORY = "Allocation failed (probably too large)."


class _Work:
    """What a helper computes with: its arguments, new memory, and memory that it gives back."""

    def __init__(self, context, builder, dtype):
        self.context, self.builder, self.dtype = context, builder, dtype
        self.of = types.Array(dtype, 2, "C")
        self.element = context.get_data_type(dtype)
        self.owner, self.borrowed = None, []

    # -- memory -----------------------------------------------------------------------

    def new(self, rows, columns):
        """Return where the elements of the result lie."""
        align = self.context.get_preferred_array_alignment(self.dtype)
        make = maker(self.context, self.builder.module, 2, itemsize_of(self.context, self.of), align, False)
        self.owner = passed_on(self.builder, self.builder.call(make, [rows, columns]))
        return address(self.context, self.builder, self.of, self.owner)

    def borrow(self, count, bytes_each: int):
        """Return memory, of nothing too."""
        size = self.builder.add(self.builder.mul(count, WHOLE(bytes_each)), WHOLE(1))
        memory = self.context.nrt.allocate_unchecked(self.builder, size)
        self.fail_if(cgutils.is_null(self.builder, memory), MemoryError, NO_MEMORY)
        self.borrowed.append(memory)
        return memory

    def elements(self, count):
        return self.builder.bitcast(self.borrow(count, itemsize_of(self.context, self.of)), self.element.as_pointer())

    def pivots(self, n):
        memory = self.borrow(n, np.dtype(linalg.F_INT_nptype).itemsize)
        return self.builder.bitcast(memory, self.context.get_data_type(linalg.F_INT_nbtype).as_pointer())

    def give_back(self) -> None:
        for memory in self.borrowed:
            self.context.nrt.free(self.builder, memory)

    def fail_if(self, condition, error: type[Exception], text: str) -> None:
        """Answer with an error, if a condition holds, and keep no memory."""
        with self.builder.if_then(condition, likely=False):
            self.give_back()
            if self.owner is not None:
                self.context.nrt.decref(self.builder, types.MemInfoPointer(self.dtype), self.owner)
            fail(self.context, self.builder, error, text)

    # -- matrices ---------------------------------------------------------------------

    def require_square(self, rows, columns) -> None:
        self.fail_if(self.builder.icmp_signed("!=", rows, columns), np.linalg.LinAlgError, SQUARE)

    def place(self, data, i, j, strides):
        """Return the address of an element, with strides in elements."""
        offset = self.builder.add(self.builder.mul(i, strides[0]), self.builder.mul(j, strides[1]))
        return self.builder.gep(data, [offset])

    def in_columns(self, n, source, strides):
        """Return a copy of a square matrix in the order that LAPACK has."""
        copy = self.elements(self.builder.mul(n, n))
        copy_matrix(self.builder, (n, n), source, strides, copy, (FIRST, n))
        return copy

    def lapack(self, name: str, *args):
        """Call one of Numba's entries to LAPACK; tell whether the matrix is one that it cannot do."""
        builder = self.builder
        given = [CHARACTER(ord(linalg.get_blas_kind(self.dtype))),
                 *(builder.bitcast(a, cgutils.voidptr_t) if a.type.is_pointer else a for a in args)]
        entry = FunctionType(STATUS, [a.type for a in given])
        status = builder.call(cgutils.get_or_insert_function(builder.module, entry, name), given)
        linalg.check_lapack_return(self.context, builder, builder.icmp_signed("<", status, STATUS(0)))
        return builder.icmp_signed(">", status, STATUS(0))


def _described(context, dtype) -> list:
    """Return LLVM's types of a matrix: its extents, its elements, its strides in bytes."""
    return [WHOLE, WHOLE, context.get_data_type(dtype).as_pointer(), WHOLE, WHOLE]


def _function(context, module, dtype, what: str, matrices: int, value, write):
    """Return the function of a module that computes something of matrices, made by `write` if it is new."""
    name = f"srcdiff.{what}.{dtype}"
    if name in module.globals:
        return module.globals[name]
    builder = helper(module, name, value, _described(context, dtype) * matrices)
    linalg.ensure_lapack()
    return write(_Work(context, builder, dtype), *builder.function.args)


# -- what is computed -------------------------------------------------------------------

def _solve(work: _Work, rows, n, a, down, along, b_rows, columns, b, b_down, b_along):
    work.require_square(rows, n)
    work.fail_if(work.builder.icmp_signed("!=", n, b_rows), np.linalg.LinAlgError, FITTING)
    result = work.new(n, columns)
    matrix, right = work.in_columns(n, a, (down, along)), work.elements(work.builder.mul(n, columns))
    copy_matrix(work.builder, (n, columns), b, (b_down, b_along), right, (FIRST, n))
    return _solved(work, n, columns, matrix, right, result)


def _inverse(work: _Work, rows, n, a, down, along):
    work.require_square(rows, n)
    builder, result = work.builder, work.new(n, n)
    matrix, right = work.in_columns(n, a, (down, along)), work.elements(builder.mul(n, n))
    cgutils.memset(builder, right, builder.mul(builder.mul(n, n), WHOLE(itemsize_of(work.context, work.of))), 0)
    with cgutils.for_range(builder, n) as i:
        builder.store(Constant(work.element, 1.0), work.place(right, i.index, i.index, (FIRST, n)))
    return _solved(work, n, n, matrix, right, result)


def _solved(work: _Work, n, columns, matrix, right, result):
    """Solve with a matrix in columns for right-hand sides in columns; give the solutions in rows."""
    builder = work.builder
    pivots, singular = work.pivots(n), cgutils.alloca_once_value(builder, cgutils.false_bit)
    with builder.if_then(cgutils.is_not_null(builder, builder.mul(n, columns))):
        builder.store(work.lapack("numba_xgesv", n, columns, matrix, n, pivots, right, n), singular)
    work.fail_if(builder.load(singular), np.linalg.LinAlgError, SINGULAR)
    each = WHOLE(itemsize_of(work.context, work.of))
    copy_matrix(builder, (n, columns), right, (each, builder.mul(n, each)), result, (columns, FIRST))
    work.give_back()
    return answer(builder, work.owner)


def _cholesky(work: _Work, rows, n, a, down, along):
    work.require_square(rows, n)
    builder, result = work.builder, work.new(n, n)
    copy_matrix(builder, (n, n), a, (down, along), result, (n, FIRST))
    indefinite = cgutils.alloca_once_value(builder, cgutils.false_bit)
    with builder.if_then(cgutils.is_not_null(builder, n)):
        # LAPACK takes rows for columns: its upper triangle is the lower one.
        builder.store(work.lapack("numba_xxpotrf", CHARACTER(ord("U")), n, result, n), indefinite)
    work.fail_if(builder.load(indefinite), np.linalg.LinAlgError, INDEFINITE)
    with cgutils.for_range(builder, n) as i, cgutils.for_range(builder, n, start=builder.add(i.index, FIRST)) as j:
        builder.store(Constant(work.element, 0.0), work.place(result, i.index, j.index, (n, FIRST)))
    return answer(builder, work.owner)


def _determinant(work: _Work, rows, n, a, down, along):
    """Give the sign of a determinant and the logarithm of its size."""
    work.require_square(rows, n)
    builder, one = work.builder, Constant(work.element, 1.0)
    sign, size = cgutils.alloca_once_value(builder, one), cgutils.alloca_once_value(builder, Constant(work.element, 0.0))
    matrix, pivots = work.in_columns(n, a, (down, along)), work.pivots(n)
    singular = cgutils.alloca_once_value(builder, cgutils.false_bit)
    with builder.if_then(cgutils.is_not_null(builder, n)):
        builder.store(work.lapack("numba_xxgetrf", n, n, matrix, n, pivots), singular)
    with builder.if_else(builder.load(singular), likely=False) as (none, some):
        with none:
            builder.store(Constant(work.element, 0.0), sign)
            builder.store(Constant(work.element, float("-inf")), size)
        with some, cgutils.for_range(builder, n) as k:
            _factor(work, sign, size, builder.load(work.place(matrix, k.index, k.index, (FIRST, n))),
                    _is_moved(builder, pivots, k.index))
    work.give_back()
    made = Constant(builder.function.ftype.return_type.elements[0], None)
    for i, of in enumerate((sign, size)):
        made = builder.insert_value(made, builder.load(of), i)
    return answer(builder, made)


def _is_moved(builder, pivots, k):
    """Tell whether LAPACK has exchanged row k with another."""
    row = builder.load(builder.gep(pivots, [k]))
    return builder.icmp_signed("!=", builder.sext(row, WHOLE), builder.add(k, FIRST))


def _factor(work: _Work, sign, size, pivot, moved) -> None:
    """Take one more factor into a determinant's sign and size."""
    builder = work.builder
    negative = builder.fcmp_ordered("<", pivot, Constant(work.element, 0.0))
    turned = builder.xor(negative, moved)
    now = builder.load(sign)
    builder.store(builder.select(turned, builder.fneg(now), now), sign)
    of = FunctionType(work.element, [work.element])
    logarithm = builder.module.declare_intrinsic("llvm.log", [work.element], of)
    positive = builder.select(negative, builder.fneg(pivot), pivot)
    builder.store(builder.fadd(builder.load(size), builder.call(logarithm, [positive])), size)


# -- what Numba is told ------------------------------------------------------------------

def _is_ours(kind, ranks=(2,)) -> bool:
    return type(kind) is types.Array and kind.ndim in ranks and kind.dtype in (types.float64, types.float32)


def _matrix(context, builder, kind, value) -> list:
    """Return a helper's arguments for a matrix, or for a vector as one column."""
    array = arrayobj.make_array(kind)(context, builder, value)
    extents, strides = strided(context, builder, kind, array)
    return [*extents, array.data, *strides]


def _result(context, builder, made, args, owner):
    """Return the array of which a helper gave the owner."""
    extents = {2: [args[0], args[-4]], 1: [args[0]]}[made.ndim]
    return structure(context, builder, made, extents, {"meminfo": owner, "data": address(context, builder, made, owner)})


def _of_matrices(what: str, write):
    """Return what types and generates a function that gives an array of the rank of its last argument."""
    def typed_one(*kinds):
        if not (_is_ours(kinds[0]) and all(_is_ours(k, (1, 2)) and k.dtype == kinds[0].dtype for k in kinds[1:])):
            return None

        def generate(context, builder, signature, values):
            made = signature.return_type
            args = [part for kind, value in zip(kinds, values, strict=True) for part in _matrix(context, builder, kind, value)]
            function = _function(context, builder.module, made.dtype, what, len(kinds), cgutils.voidptr_t, write)
            return _result(context, builder, made, args, call(context, builder, function, args))
        return types.Array(kinds[0].dtype, kinds[-1].ndim, "C")(*kinds), generate
    return typed_one


def _of_determinant(finish, made):
    """Return what types and generates a function of a determinant's sign and the logarithm of its size."""
    def typed_one(kind):
        if not _is_ours(kind):
            return None

        def generate(context, builder, signature, values):
            pair = LiteralStructType([context.get_data_type(kind.dtype)] * 2)
            function = _function(context, builder.module, kind.dtype, "determinant", 1, pair, _determinant)
            found = call(context, builder, function, _matrix(context, builder, kind, values[0]))
            return finish(context, builder, kind.dtype, [builder.extract_value(found, i) for i in range(2)])
        return made(kind.dtype)(kind), generate
    return typed_one


def _pair(context, builder, dtype, parts):
    return context.make_tuple(builder, types.UniTuple(dtype, 2), parts)


def _product(context, builder, dtype, parts):
    element = context.get_data_type(dtype)
    exponential = builder.module.declare_intrinsic("llvm.exp", [element], FunctionType(element, [element]))
    return builder.fmul(parts[0], builder.call(exponential, [parts[1]]))


OWN = {"solve": _of_matrices("solve", _solve), "inv": _of_matrices("inv", _inverse),
       "cholesky": _of_matrices("cholesky", _cholesky),
       "slogdet": _of_determinant(_pair, lambda dtype: types.UniTuple(dtype, 2)),
       "det": _of_determinant(_product, lambda dtype: dtype)}


def typed(typingctx, name: str, kinds):
    """Type ``np.linalg.<name>`` in compiled code, as one of Numba's intrinsics; Numba's own for what is not ours."""
    found = OWN[name](*kinds)
    if found is None:
        numbas = typingctx.resolve_value_type(getattr(np.linalg, name))
        signature = typingctx.resolve_function_type(numbas, kinds, {})
        return signature, as_numba_does(numbas, signature)
    return found
