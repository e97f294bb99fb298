"""Products with matrices: one function of LLVM's for each type and order, which calls BLAS as Numba does.

Numba compiles some ten functions of its own for the first ``a @ b``, and as many for each other order of the operands:
a second in all.  A vector is a matrix of one row or one column.  What has other strides is copied, as BLAS needs it.
"""

from __future__ import annotations

import operator

from numba.core import cgutils, ir, types
from numba.extending import intrinsic
from numba.np import arrayobj, linalg

from srcdiff.backend.arrays import (
    WHOLE,
    address,
    answer,
    call,
    copy_matrix,
    fail_if,
    helper,
    itemsize_of,
    passed_on,
    strided,
    structure,
)
from srcdiff.backend.large_pages import maker, new_array
from srcdiff.backend.views import as_numba_does

__all__ = ["product", "with_own_products"]

LARGEST = 2 ** 31 - 1               # BLAS counts in C's int


def _is_ours(a, b) -> bool:
    kinds = types.float64, types.float32
    return (all(type(kind) is types.Array and kind.ndim in (1, 2) and kind.dtype in kinds for kind in (a, b))
            and a.dtype == b.dtype and a.ndim + b.ndim > 2)


def _multiplier(context, module, x, y, made):
    """Return the function of a module that multiplies two matrices of these types: (m, k), (also k, n)."""
    name = f"srcdiff.product.{x.dtype}.{x.layout}{y.layout}"
    if name in module.globals:
        return module.globals[name]
    pointer = context.get_data_type(x.dtype).as_pointer()
    make = maker(context, module, 2, itemsize_of(context, made), context.get_preferred_array_alignment(x.dtype), False)
    builder = helper(module, name, cgutils.voidptr_t, [WHOLE] * 4 + [pointer] * 2)
    m, k, also_k, n, x_data, y_data = builder.function.args
    fail_if(context, builder, builder.icmp_signed("!=", k, also_k), ValueError,
            "incompatible array sizes for np.dot(a, b) (matrix * matrix)")
    for extent in (m, k, n):
        fail_if(context, builder, builder.icmp_signed(">", extent, WHOLE(LARGEST)), OverflowError,
                "array size too large to fit in C int")
    owner = passed_on(builder, builder.call(make, [m, n]))
    place = address(context, builder, made, owner)
    _multiply(context, builder, (x, (m, k), x_data), (y, (k, n), y_data), (made, (m, n), place))
    return answer(builder, owner)


def _multiply(context, builder, x, y, out):
    """Generate the call of BLAS that fits the extents: vectors have others than matrices, as in Numba."""
    (x_type, (m, k), x_data), (y_type, (_, n), y_data), (made, _, place) = x, y, out

    def is_(extent, value):
        return builder.icmp_signed("==", extent, WHOLE(value))
    empty = builder.or_(is_(k, 0), builder.or_(is_(m, 0), is_(n, 0)))
    with builder.if_else(empty, likely=False) as (nothing, something):
        with nothing:
            size = builder.mul(builder.mul(m, n), WHOLE(itemsize_of(context, made)))
            cgutils.memset(builder, place, size, 0)
        with something, builder.if_else(is_(n, 1)) as (column, columns):
            with column, builder.if_else(is_(m, 1)) as (number, vector):
                with number:
                    linalg.call_xxdot(context, builder, False, made.dtype, k, x_data, y_data, place)
                with vector:
                    linalg.call_xxgemv(context, builder, x_type.layout == "C", x_type, (m, k), x_data, y_data, place)
            with columns, builder.if_else(is_(m, 1)) as (row, matrix):
                with row:
                    linalg.call_xxgemv(context, builder, y_type.layout != "C", y_type, (k, n), y_data, x_data, place)
                with matrix:
                    linalg.call_xxgemm(context, builder, *x, *y, *out)


@intrinsic
def product(typingctx, a, b):
    """Stand for ``a @ b`` in compiled code."""
    if not _is_ours(a, b):
        numbas = typingctx.resolve_value_type(operator.matmul)
        found = typingctx.resolve_function_type(numbas, (a, b), {})
        return found, as_numba_does(numbas, found)

    def generate(context, builder, signature, args):
        linalg.ensure_blas()
        made, copies = signature.return_type, []
        (x, (m, k), x_data), (y, (also_k, n), y_data) = (
            _operand(context, builder, kind, value, copies) for kind, value in zip((a, b), args, strict=True))
        if a.ndim == 1:                                     # a vector is a column, and here a row
            m, k = k, m
        multiply = _multiplier(context, builder.module, x, y, types.Array(a.dtype, 2, "C"))
        owner = call(context, builder, multiply, [m, k, also_k, n, x_data, y_data],
                     lambda: [context.nrt.decref(builder, x, copy) for copy in copies])
        extents = [m] * (a.ndim == 2) + [n] * (b.ndim == 2)
        return structure(context, builder, made, extents, {"meminfo": owner, "data": address(context, builder, made, owner)})
    return types.Array(a.dtype, a.ndim + b.ndim - 2, "C")(a, b), generate


def _operand(context, builder, kind, value, copies: list):
    """Return the type, the extents and the elements of an operand; a copy that has to be made is noted."""
    array = arrayobj.make_array(kind)(context, builder, value)
    extents, strides = strided(context, builder, kind, array)
    if kind.layout in "CF":
        return types.Array(kind.dtype, 2, kind.layout), extents, array.data
    matrix = types.Array(kind.dtype, 2, "C")
    copies.append(new_array(context, builder, matrix, extents))
    data = arrayobj.make_array(matrix)(context, builder, copies[-1]).data
    copy_matrix(builder, extents, array.data, strides, data, (extents[1], WHOLE(1)))
    return matrix, extents, data


def with_own_products(func_ir: ir.FunctionIR) -> None:
    """Replace each ``a @ b`` of a function, in Numba's intermediate code, by a call of `product`."""
    for block in func_ir.blocks.values():
        block.body = [made for statement in block.body for made in _with_call(block.scope, func_ir, statement)]


def _with_call(scope, func_ir, statement):
    """Give the statements for one."""
    value, place = getattr(statement, "value", None), statement.loc
    if isinstance(value, ir.Expr) and value.op == "binop" and value.fn is operator.matmul:
        function, target = scope.redefine("$product", place), statement.target
        of, called = ir.Global("product", product, place), ir.Expr.call(function, (value.lhs, value.rhs), (), place)
        definitions = func_ir._definitions
        definitions[function.name] = [of]
        definitions[target.name] = [called if d is value else d for d in definitions[target.name]]
        yield ir.Assign(of, function, place)
        statement = ir.Assign(called, target, place)
    yield statement
