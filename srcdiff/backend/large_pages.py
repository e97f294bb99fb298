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

__all__ = ["available", "new_array", "numpy_module"]

SMALLEST = 1 << 22          # bytes; NumPy's own limit
LARGE_PAGE = 1 << 21        # bytes; where Numba aligns memory to it, that much more is reserved behind
MADV_HUGEPAGE = 14          # of Linux's <sys/mman.h>


@functools.cache
def available() -> bool:
    """Tell whether the system has large pages, and Numba the parts that generate arrays."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        from numba.core import callconv
        from numba.np import arrayobj
    except ImportError:
        return False
    needed = {arrayobj: ("ty_parse_dtype", "ty_parse_shape"), callconv: ("RETCODE_USEREXC", "excinfo_ptr_t"),
              callconv.CPUCallConv: ("build_excinfo_struct", "_get_excinfo_argument", "_return_errcode_raw", "check_try_status")}
    return all(hasattr(part, name) for part, names in needed.items() for name in names)


def _ask_for_large_pages(builder, address, size, is_large):
    """Generate a call of `madvise` for memory that is large, and lies at a large page; a last page that is half used is large, too."""
    from llvmlite import ir
    whole, word = ir.IntType(64), ir.IntType(32)
    with builder.if_then(is_large, likely=False):
        kind = ir.FunctionType(word, [whole, whole, word])
        madvise = builder.module.globals.get("madvise") or ir.Function(builder.module, kind, "madvise")
        rounded = builder.and_(builder.add(size, whole(LARGE_PAGE // 2)), whole(-LARGE_PAGE))
        builder.call(madvise, [builder.ptrtoint(address, whole), rounded, word(MADV_HUGEPAGE)])


def _array_type(shape, dtype):
    """Return Numba's type of a new array, None if the arguments are not a shape and a dtype."""
    from numba.core import types as numba_types
    from numba.np import arrayobj
    default = dtype is None or isinstance(dtype, numba_types.Omitted | numba_types.NoneType)
    of, rank = numba_types.float64 if default else arrayobj.ty_parse_dtype(dtype), arrayobj.ty_parse_shape(shape)
    return None if of is None or rank is None else numba_types.Array(of, rank, "C")


def maker(context, module, rank: int, itemsize: int, align: int, cleared: bool):
    """Return the function of a module that takes extents and gives the owner of new memory, or an error."""
    from llvmlite import ir
    from numba.core import cgutils

    from srcdiff.backend.arrays import answer, fail_if, helper
    name = f"srcdiff.{'zeros' if cleared else 'empty'}.{rank}.{itemsize}.{align}"
    if name in module.globals:
        return module.globals[name]
    whole = ir.IntType(64)
    builder = helper(module, name, cgutils.voidptr_t, [whole] * rank)
    size, negative, too_big = whole(itemsize), ir.IntType(1)(0), ir.IntType(1)(0)
    for extent in builder.function.args:
        negative = builder.or_(negative, builder.icmp_signed("<", extent, whole(0)))
        product = builder.smul_with_overflow(size, extent)
        size, too_big = builder.extract_value(product, 0), builder.or_(too_big, builder.extract_value(product, 1))
    fail_if(context, builder, negative, ValueError, "negative dimensions not allowed")
    fail_if(context, builder, too_big, ValueError,
            "array is too big; `arr.size * arr.dtype.itemsize` is larger than the maximum possible size.")
    word = ir.IntType(32)
    is_large = builder.icmp_unsigned(">=", size, whole(SMALLEST))
    memory = context.nrt.meminfo_alloc_aligned_unchecked(
        builder, size, builder.select(is_large, word(LARGE_PAGE), word(align)))
    fail_if(context, builder, cgutils.is_null(builder, memory), MemoryError, "Allocation failed (probably too large).")
    data = context.nrt.meminfo_data(builder, memory)
    _ask_for_large_pages(builder, data, size, is_large)
    if cleared:
        cgutils.memset(builder, data, size, 0)
    return answer(builder, memory)


def new_array(context, builder, kind, extents, cleared: bool = False):
    """Generate Numba's structure of a new array in C order."""
    from srcdiff.backend.arrays import address, call, itemsize_of, structure
    itemsize = itemsize_of(context, kind)
    align = context.get_preferred_array_alignment(kind.dtype)
    make = maker(context, builder.module, kind.ndim, itemsize, align, cleared)
    owner = call(context, builder, make, extents)
    return structure(context, builder, kind, extents, {"meminfo": owner, "data": address(context, builder, kind, owner)})


def given_array(context, builder, kind, extents, given, cleared: bool):
    """Generate the use of an array of the caller's as a new one: his extents must be these."""
    from numba.core import cgutils
    array = context.make_array(kind)(context, builder, given)
    fit = [builder.icmp_signed("==", mine, his)
           for mine, his in zip(extents, cgutils.unpack_tuple(builder, array.shape), strict=True)]
    with builder.if_then(builder.not_(functools.reduce(builder.and_, fit)), likely=False):
        context.call_conv.return_user_exc(builder, ValueError, ("[SD0310] out does not have the shape of the result",))
    if cleared:
        cgutils.memset(builder, array.data, builder.mul(array.nitems, array.itemsize), 0)
    context.nrt.incref(builder, kind, given)
    return given


def _intrinsic(name, cleared: bool):
    """Return a function for compiled code that makes a new array."""
    from numba.core import types as numba_types
    from numba.extending import intrinsic

    def generate(context, builder, signature, args):
        from srcdiff.backend.arrays import extents_of
        extents = extents_of(context, builder, signature.args[0], args[0])
        if isinstance(signature.args[2], numba_types.Array):
            return given_array(context, builder, signature.return_type, extents, args[2], cleared)
        return new_array(context, builder, signature.return_type, extents, cleared)

    def typed(typingctx, shape, dtype=None, out=None):
        made, absent = _array_type(shape, dtype), numba_types.Omitted(None)
        if made is None or isinstance(out, numba_types.Array) and out != made:
            return None
        return made(shape, absent if dtype is None else dtype, absent if out is None else out), generate
    typed.__name__ = typed.__qualname__ = name
    return intrinsic(typed)


def _reshape():
    """Return a `reshape` for compiled code; what it takes is imported when something is compiled."""
    from numba.extending import intrinsic

    def typed(typingctx, a, shape):
        from srcdiff.backend.views import reshape
        return reshape(typingctx, a, shape)
    typed.__name__ = typed.__qualname__ = "reshape"
    return intrinsic(typed)


def _linear_algebra() -> types.ModuleType:
    """Return a `numpy.linalg` for compiled code; what it takes is imported when something is compiled."""
    from numba.extending import intrinsic

    def of_one(name):
        def typed(typingctx, a):
            from srcdiff.backend.systems import typed
            return typed(typingctx, name, (a,))
        return typed

    def of_two(name):
        def typed(typingctx, a, b):
            from srcdiff.backend.systems import typed
            return typed(typingctx, name, (a, b))
        return typed
    module = types.ModuleType("numpy.linalg", "NumPy's; functions of a matrix that Numba need not compile.")
    module.__dict__.update({k: v for k, v in vars(np.linalg).items() if not k.startswith("__")})
    own = {name: of_one(name) for name in ("inv", "cholesky", "det", "slogdet")} | {"solve": of_two("solve")}
    for name, typed in own.items():
        typed.__name__ = typed.__qualname__ = name
        setattr(module, name, intrinsic(typed))
    return module


@functools.cache
def numpy_module() -> types.ModuleType:
    """Return a `numpy` for compiled modules, whose new large arrays are on large pages."""
    module = types.ModuleType("numpy", "NumPy; `empty` and `zeros` take large pages for large arrays.")
    module.__dict__.update({k: v for k, v in vars(np).items() if not k.startswith("__")})
    module.empty = _intrinsic("empty", cleared=False)
    module.zeros = _intrinsic("zeros", cleared=True)
    module.reshape, module.linalg = _reshape(), _linear_algebra()
    return module
