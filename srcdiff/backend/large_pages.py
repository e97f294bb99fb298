"""New arrays in compiled code: large ones on large pages, as NumPy has them.

The first write to a page of fresh memory enters the operating system.  With pages of
4 KiB that costs more than the write itself: 33 MB of a new Hessian take 35 ms instead of
9 ms.  Like NumPy, `np.empty` and `np.zeros` of compiled modules therefore ask for large
pages (``madvise``) from 4 MiB on.  They are also generated in place, where Numba's own
are functions to be compiled for each rank and dtype.

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
    return all(hasattr(arrayobj, name) for name in ("_empty_nd_impl", "_parse_shape", "ty_parse_dtype",
                                                     "ty_parse_shape"))


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


def _intrinsic(name, finish):
    """Return a function for compiled code that makes a new array and finishes it."""
    from numba.core import types as numba_types
    from numba.extending import intrinsic
    from numba.np import arrayobj

    def generate(context, builder, signature, args):
        shapes = arrayobj._parse_shape(context, builder, signature.args[0], args[0])
        array = arrayobj._empty_nd_impl(context, builder, signature.return_type, shapes)
        size = builder.mul(array.nitems, array.itemsize)
        _ask_for_large_pages(builder, array.data, size)
        finish(builder, array.data, size)
        return array._getvalue()

    def typed(typingctx, shape, dtype=None):
        made = _array_type(shape, dtype)
        return made and (made(shape, numba_types.Omitted(None) if dtype is None else dtype), generate)
    typed.__name__ = typed.__qualname__ = name
    return intrinsic(typed)


def _clear(builder, address, size):
    from numba.core import cgutils
    cgutils.memset(builder, address, size, 0)


@functools.cache
def numpy_module() -> types.ModuleType:
    """Return a `numpy` for compiled modules, whose new large arrays are on large pages."""
    module = types.ModuleType("numpy", "NumPy; `empty` and `zeros` take large pages for large arrays.")
    module.__dict__.update({k: v for k, v in vars(np).items() if not k.startswith("__")})
    module.empty = _intrinsic("empty", lambda builder, address, size: None)
    module.zeros = _intrinsic("zeros", _clear)
    return module
