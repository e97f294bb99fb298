"""The parts of generated code for whole arrays: Numba's structure of an array, and functions of LLVM's beside the user's.

What a generated function does with whole arrays (new ones, views, products of matrices) is a call of a function that
stands once in LLVM's module, and is not put in the place of its calls.  It answers (value, error), where the error
is Numba's exception, or null: the caller has one branch for all that can go wrong.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.callconv import RETCODE_USEREXC, excinfo_ptr_t

__all__ = ["address", "answer", "call", "copy_matrix", "extents_of", "fail", "fail_if", "helper", "itemsize_of", "passed_on", "strided",
           "structure"]

WHOLE = ir.IntType(64)


def helper(module, name: str, value, args) -> ir.IRBuilder:
    """Return the builder of a new function that gives a value and an error."""
    kind = ir.FunctionType(ir.LiteralStructType([value, excinfo_ptr_t]), args)
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    return ir.IRBuilder(function.append_basic_block("entry"))


def _answer(builder, value, error):
    made = ir.Constant(builder.function.ftype.return_type, ir.Undefined)
    builder.ret(builder.insert_value(builder.insert_value(made, value, 0), error, 1))
    return builder.function


def answer(builder, value) -> ir.Function:
    """End a helper; return it."""
    return _answer(builder, value, excinfo_ptr_t(None))


def fail(context, builder, error: type[Exception], text: str) -> None:
    """Let a helper answer with an error."""
    exception = context.call_conv.build_excinfo_struct(error, (text,), None, None)
    pointer = context.get_python_api(builder).serialize_object(exception)
    value = builder.function.ftype.return_type.elements[0]
    _answer(builder, ir.Constant(value, ir.Undefined), builder.bitcast(pointer, excinfo_ptr_t))


def fail_if(context, builder, condition, error: type[Exception], text: str) -> None:
    """Let a helper answer with an error, if a condition holds."""
    with builder.if_then(condition, likely=False):
        fail(context, builder, error, text)


def passed_on(builder, answered):
    """Let a helper answer with the error of another one that it has called, if there is one; return the value."""
    with builder.if_then(cgutils.is_not_null(builder, builder.extract_value(answered, 1)), likely=False):
        builder.ret(answered)
    return builder.extract_value(answered, 0)


def call(context, builder, function, args, then: Callable[[], None] = lambda: None):
    """Call a helper, raise its error if there is one, and return its value; `then` follows in either case.

    In a `try` Numba goes on after an error, with null for a value, until it asks whether there was one.
    """
    answered = builder.call(function, args)
    value, error = (builder.extract_value(answered, i) for i in range(2))
    then()
    with builder.if_then(cgutils.is_not_null(builder, error), likely=False):
        store = builder.store(error, context.call_conv._get_excinfo_argument(builder.function))
        # By this mark LLVM's pass that prunes reference counts knows a block that raises.
        store.set_metadata("numba_exception_output", builder.module.add_metadata([ir.IntType(1)(1)]))
        with builder.if_then(builder.not_(context.call_conv.check_try_status(builder).in_try)):
            context.call_conv._return_errcode_raw(builder, RETCODE_USEREXC)
    return builder.select(cgutils.is_null(builder, error), value, ir.Constant(value.type, None))


def itemsize_of(context, kind) -> int:
    """Return the bytes of an element."""
    return context.get_abi_sizeof(context.get_data_type(kind.dtype))


def structure(context, builder, kind, extents, fields: dict):
    """Return Numba's structure of an array in C order, of which some fields are given."""
    itemsize = WHOLE(itemsize_of(context, kind))
    stride, strides = itemsize, []
    for extent in reversed(extents):
        strides.insert(0, stride)
        stride = builder.mul(stride, extent)
    count = functools.reduce(builder.mul, extents, WHOLE(1))
    model = context.data_model_manager[kind]
    made = ir.Constant(context.get_value_type(kind), None)
    for name, value in {"nitems": count, "itemsize": itemsize, **fields}.items():
        made = builder.insert_value(made, value, model.get_field_position(name))
    for name, values in (("shape", extents), ("strides", strides)):
        for axis, value in enumerate(values):
            made = builder.insert_value(made, value, (model.get_field_position(name), axis))
    return made


def address(context, builder, kind, owner):
    """Return where the elements of an array lie that has this owner to itself."""
    return builder.bitcast(context.nrt.meminfo_data(builder, owner), context.get_data_type(kind.dtype).as_pointer())


def extents_of(context, builder, kind, value) -> list:
    """Return the extents that a shape, a tuple of integers or one, stands for."""
    if isinstance(kind, types.Integer):
        return [context.cast(builder, value, kind, types.intp)]
    return [context.cast(builder, one, of, types.intp)
            for one, of in zip(cgutils.unpack_tuple(builder, value, len(kind)), kind, strict=True)]


def strided(context, builder, kind, array) -> tuple[list, list]:
    """Return the extents and the strides in bytes of a matrix, or of a vector as one column."""
    extents, strides = (cgutils.unpack_tuple(builder, of) for of in (array.shape, array.strides))
    return (extents, strides) if kind.ndim == 2 else ([*extents, WHOLE(1)], [*strides, WHOLE(0)])


def copy_matrix(builder, extents, source, strides, target, target_strides) -> None:
    """Copy a matrix with strides in bytes into one with strides in elements."""
    function = _copier(builder.module, source.type)
    builder.call(function, [*extents, source, *strides, target, *target_strides])


def _copier(module, pointer) -> ir.Function:
    name = f"srcdiff.copy.{pointer.pointee}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [WHOLE, WHOLE, *[pointer, WHOLE, WHOLE] * 2]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    rows, columns, source, down, along, target, row, column = function.args
    start = builder.ptrtoint(source, WHOLE)
    with cgutils.for_range(builder, rows) as i, cgutils.for_range(builder, columns) as j:
        there = builder.add(start, builder.add(builder.mul(i.index, down), builder.mul(j.index, along)))
        here = builder.add(builder.mul(i.index, row), builder.mul(j.index, column))
        builder.store(builder.load(builder.inttoptr(there, pointer)), builder.gep(target, [here]))
    builder.ret_void()
    return function
