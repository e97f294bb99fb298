"""New arrays in compiled code: large ones on large pages, as NumPy has them.

The first write to a page of fresh memory enters the operating system.  With pages of
4 KiB that costs more than the write itself: 33 MB of a new Hessian take 35 ms instead of
9 ms.  Like NumPy, `np.empty` and `np.zeros` of compiled modules therefore ask for large
pages (``madvise``) from 4 MiB on.  They are also generated, one function of LLVM's for
each rank and size of an element, where Numba's own are Python to be compiled for each
rank and dtype, and put in the place of each call.

The loader binds `numpy_module()` in the place of `numpy` in the modules that it compiles.
Where anything that this rests on is missing, Numba's own functions stay.
"""

from __future__ import annotations

import functools
import sys
import types

import numpy as np

__all__ = ["available", "numpy_module"]

SMALLEST = 1 << 22          # bytes; NumPy's own limit
PAGE = 4096                 # bytes
MADV_HUGEPAGE = 14          # of Linux's <sys/mman.h>


@functools.cache
def available() -> bool:
    """Tell whether the system has large pages, and Numba the parts that generate arrays."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        from numba.np import arrayobj
    except ImportError:
        return False
    return all(hasattr(arrayobj, name) for name in ("get_itemsize", "ty_parse_dtype", "ty_parse_shape"))


def _ask_for_large_pages(builder, address, size):
    """Generate a call of `madvise` for memory of at least `SMALLEST` bytes."""
    from llvmlite import ir
    whole, word = ir.IntType(64), ir.IntType(32)
    with builder.if_then(builder.icmp_unsigned(">=", size, whole(SMALLEST)), likely=False):
        kind = ir.FunctionType(word, [whole, whole, word])
        madvise = builder.module.globals.get("madvise") or ir.Function(builder.module, kind, "madvise")
        begin = builder.ptrtoint(address, whole)
        skipped = builder.and_(builder.neg(begin), whole(PAGE - 1))
        builder.call(madvise, [builder.add(begin, skipped), builder.sub(size, skipped), word(MADV_HUGEPAGE)])


def _array_type(shape, dtype):
    """Return Numba's type of a new array, None if the arguments are not a shape and a dtype."""
    from numba.core import types as numba_types
    from numba.np import arrayobj
    default = dtype is None or isinstance(dtype, numba_types.Omitted | numba_types.NoneType)
    of, rank = numba_types.float64 if default else arrayobj.ty_parse_dtype(dtype), arrayobj.ty_parse_shape(shape)
    return None if of is None or rank is None else numba_types.Array(of, rank, "C")


# What the function that makes an array says besides its owner: that it was made, or one of these.
MADE = 0
FAILURES = {
    1: (ValueError, "negative dimensions not allowed"),
    2: (ValueError, "array is too big; `arr.size * arr.dtype.itemsize` is larger than the maximum possible size."),
    3: (MemoryError, "Allocation failed (probably too large)."),
}


def _maker(context, module, rank: int, itemsize: int, align: int, cleared: bool):
    """Return the function of a module that takes extents and gives the owner of new memory, and whether it was made."""
    from llvmlite import ir
    from numba.core import cgutils
    name = f"srcdiff.{'zeros' if cleared else 'empty'}.{rank}.{itemsize}.{align}"
    if name in module.globals:
        return module.globals[name]
    whole, word, owner = ir.IntType(64), ir.IntType(32), cgutils.voidptr_t
    answer = ir.LiteralStructType([owner, word])
    function = ir.Function(module, ir.FunctionType(answer, [whole] * rank), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))

    def answered(memory, code):
        builder.ret(builder.insert_value(builder.insert_value(ir.Constant(answer, ir.Undefined), memory, 0), code, 1))

    size, negative, too_big = whole(itemsize), ir.IntType(1)(0), ir.IntType(1)(0)
    for extent in function.args:
        negative = builder.or_(negative, builder.icmp_signed("<", extent, whole(0)))
        product = builder.smul_with_overflow(size, extent)
        size, too_big = builder.extract_value(product, 0), builder.or_(too_big, builder.extract_value(product, 1))
    with builder.if_then(builder.or_(negative, too_big), likely=False):
        answered(owner(None), builder.select(negative, word(1), word(2)))
    memory = context.nrt.meminfo_alloc_aligned_unchecked(builder, size, align)
    with builder.if_then(cgutils.is_null(builder, memory), likely=False):
        answered(memory, word(3))
    data = context.nrt.meminfo_data(builder, memory)
    _ask_for_large_pages(builder, data, size)
    if cleared:
        cgutils.memset(builder, data, size, 0)
    answered(memory, word(MADE))
    return function


def _raise_failures(context, builder, code):
    """Raise the error that `code` stands for; there is nothing to raise for 0."""
    *others, last = FAILURES
    with builder.if_then(builder.icmp_unsigned("!=", code, code.type(MADE)), likely=False):
        for number in others:
            with builder.if_then(builder.icmp_unsigned("==", code, code.type(number))):
                error, text = FAILURES[number]
                context.call_conv.return_user_exc(builder, error, (text,))
        error, text = FAILURES[last]
        context.call_conv.return_user_exc(builder, error, (text,))


def _structure(context, builder, kind, owner, extents, itemsize):
    """Return Numba's structure of an array in C order."""
    from llvmlite import ir
    whole = ir.IntType(64)
    data = builder.bitcast(context.nrt.meminfo_data(builder, owner), context.get_data_type(kind.dtype).as_pointer())
    stride, strides = whole(itemsize), []
    for extent in reversed(extents):
        strides.insert(0, stride)
        stride = builder.mul(stride, extent)
    count = functools.reduce(builder.mul, extents, whole(1))
    model = context.data_model_manager[kind]
    fields = {"meminfo": owner, "nitems": count, "itemsize": whole(itemsize), "data": data}
    made = ir.Constant(context.get_value_type(kind), None)
    for name, value in fields.items():
        made = builder.insert_value(made, value, model.get_field_position(name))
    for name, values in (("shape", extents), ("strides", strides)):
        for axis, value in enumerate(values):
            made = builder.insert_value(made, value, (model.get_field_position(name), axis))
    return made


def _extents(context, builder, kind, value) -> list:
    """Return the extents that a shape, a tuple of integers or one, stands for."""
    from numba.core import cgutils
    from numba.core import types as numba_types
    if isinstance(kind, numba_types.Integer):
        return [context.cast(builder, value, kind, numba_types.intp)]
    return [context.cast(builder, one, of, numba_types.intp)
            for one, of in zip(cgutils.unpack_tuple(builder, value, len(kind)), kind, strict=True)]


def _intrinsic(name, cleared: bool):
    """Return a function for compiled code that makes a new array."""
    from numba.core import types as numba_types
    from numba.extending import intrinsic
    from numba.np import arrayobj

    def generate(context, builder, signature, args):
        kind = signature.return_type
        extents = _extents(context, builder, signature.args[0], args[0])
        itemsize = arrayobj.get_itemsize(context, kind)
        align = context.get_preferred_array_alignment(kind.dtype)
        made = builder.call(_maker(context, builder.module, kind.ndim, itemsize, align, cleared), extents)
        _raise_failures(context, builder, builder.extract_value(made, 1))
        return _structure(context, builder, kind, builder.extract_value(made, 0), extents, itemsize)

    def typed(typingctx, shape, dtype=None):
        made = _array_type(shape, dtype)
        return made and (made(shape, numba_types.Omitted(None) if dtype is None else dtype), generate)
    typed.__name__ = typed.__qualname__ = name
    return intrinsic(typed)


@functools.cache
def numpy_module() -> types.ModuleType:
    """Return a `numpy` for compiled modules, whose new large arrays are on large pages."""
    module = types.ModuleType("numpy", "NumPy; `empty` and `zeros` take large pages for large arrays.")
    module.__dict__.update({k: v for k, v in vars(np).items() if not k.startswith("__")})
    module.empty = _intrinsic("empty", cleared=False)
    module.zeros = _intrinsic("zeros", cleared=True)
    return module
