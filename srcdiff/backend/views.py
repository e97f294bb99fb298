"""`reshape` and `copy` of arrays in C order: a check of the extents that stands once in LLVM's module, and a memcpy.

For each of them Numba compiles functions of its own, for each number of axes.  Arrays in other orders are left to it.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed
from numba.np import arrayobj

from srcdiff.backend.arrays import WHOLE, answer, call, extents_of, fail_if, helper, structure
from srcdiff.backend.large_pages import new_array

__all__ = ["as_numba_does", "copied", "is_plain", "reshape", "reshaped"]


def is_plain(kind) -> bool:
    """Tell whether a type is that of an array of numbers in C order."""
    return type(kind) is types.Array and kind.layout == "C" and isinstance(kind.dtype, types.Number | types.Boolean)


def _inferred(context, module, rank: int):
    """Return the function of a module that takes a number of elements and extents, and gives the one that is -1."""
    name = f"srcdiff.inferred_extent.{rank}"
    if name in module.globals:
        return module.globals[name]
    builder = helper(module, name, WHOLE, [WHOLE] * (1 + rank))
    count, *extents = builder.function.args
    known, unknown = WHOLE(1), WHOLE(0)
    for extent in extents:
        negative = builder.icmp_signed("<", extent, WHOLE(0))
        known = builder.mul(known, builder.select(negative, WHOLE(1), extent))
        unknown = builder.add(unknown, builder.zext(negative, WHOLE))
    fail_if(context, builder, builder.icmp_unsigned(">", unknown, WHOLE(1)), ValueError, "multiple negative shape values")
    empty = builder.icmp_unsigned("==", known, WHOLE(0))
    rest = builder.select(empty, WHOLE(0), builder.udiv(count, builder.select(empty, WHOLE(1), known)))
    whole = builder.select(builder.icmp_unsigned("==", unknown, WHOLE(0)), known, builder.mul(known, rest))
    fail_if(context, builder, builder.icmp_unsigned("!=", whole, count), ValueError,
            "total size of new array must be unchanged")
    return answer(builder, rest)


def _extent(builder, given, rest):
    """Return an extent, or the rest where it is negative; what is known now is no question at run time."""
    if isinstance(given, ir.Constant):
        return given if given.constant >= 0 else rest
    return builder.select(builder.icmp_signed("<", given, WHOLE(0)), rest, given)


def reshaped(context, builder, kind, of, array, given):
    """Generate a view of an array of the type `of` with other extents; its type is `kind`."""
    source = arrayobj.make_array(of)(context, builder, array)
    rest = call(context, builder, _inferred(context, builder.module, len(given)), [source.nitems, *given])
    extents = [_extent(builder, extent, rest) for extent in given]
    shared = {name: getattr(source, name) for name in ("meminfo", "parent", "data", "nitems")}
    return impl_ret_borrowed(context, builder, kind, structure(context, builder, kind, extents, shared))


def copied(context, builder, kind, of, array):
    """Generate a copy of an array."""
    source = arrayobj.make_array(of)(context, builder, array)
    made = new_array(context, builder, kind, cgutils.unpack_tuple(builder, source.shape))
    place = arrayobj.make_array(kind)(context, builder, made).data
    cgutils.raw_memcpy(builder, place, source.data, source.nitems, source.itemsize, align=1)
    return made


def as_numba_does(function_type, signature):
    """Return what generates a call of Numba's own function."""
    def generate(context, builder, _, args):
        return context.get_function(function_type, signature)(builder, args)
    return generate


def reshape(typingctx, a, shape):
    """Type `numpy.reshape` in compiled code, as one of Numba's intrinsics."""
    method = typingctx.resolve_getattr(a, "reshape")
    if method is None:
        return None
    found = method.get_call_type(typingctx, (shape,), {})

    def generate(context, builder, signature, args):
        return reshaped(context, builder, signature.return_type, a, args[0], extents_of(context, builder, shape, args[1]))
    own = found.return_type(a, *found.args)
    return own, generate if is_plain(a) else as_numba_does(method, found)
