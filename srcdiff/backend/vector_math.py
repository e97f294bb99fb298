"""Scalar math functions that LLVM may replace by glibc's vector versions inside loops.

Numba has had no vector math since version 0.62.  A call of libm's ``exp`` that
carries LLVM's attribute "vector-function-abi-variant" is vectorised with the
loop around it, to a call of libmvec's ``_ZGVdN4v_exp``: 4 to 7 times faster, at
most 4 units in the last place.  Outside of vectorised loops it is libm's own.

The loader binds `vector_module()` in the place of `math` in the modules that it compiles.
Where anything that this rests on is missing, `available` is empty and nothing
is bound: other systems, processors without AVX2, old glibc, old LLVM.
"""

from __future__ import annotations

import ctypes
import functools
import math
import sys
import types

__all__ = ["available", "state", "vector_module"]

ONE = ("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "erf", "erfc", "exp", "expm1", "log",
       "log10", "log1p", "log2", "sin", "sinh", "tan", "tanh")
TWO = ("atan2", "hypot", "pow")
LIBRARY = "libmvec.so.1"

# A user's own cached function may hold code of ours, and be loaded before anything is compiled here.
try:
    ctypes.CDLL(LIBRARY, mode=ctypes.RTLD_GLOBAL)
except (OSError, AttributeError):
    pass


def _vector_name(name: str) -> str:
    """Return libmvec's name of the version for four doubles in AVX2 registers."""
    return f"_ZGVdN4{'vv' if name in TWO else 'v'}_{name}"


@functools.cache
def available() -> tuple[str, ...]:
    """Return the functions of `math` that have a vector version here."""
    if not sys.platform.startswith("linux"):
        return ()
    try:
        import llvmlite.binding as llvm
        from numba.core import config

        features = llvm.get_host_cpu_features()
        # The calling convention is that of AVX2: code for any other processor must not use it.
        if not features.get("avx2") or config.CPU_NAME or config.CPU_FEATURES or not config.ENABLE_AVX:
            return ()
        if llvm.llvm_version_info[0] < 20:
            return ()
        library = ctypes.CDLL(LIBRARY)
        llvm.load_library_permanently(LIBRARY)      # before any cached function is loaded
    except (OSError, ImportError, AttributeError, RuntimeError):
        return ()
    return tuple(name for name in ONE + TWO if hasattr(library, _vector_name(name)))


def state() -> str:
    """Return what compiled code depends on, for cache keys."""
    return "libmvec " + " ".join(available())


def _keep_declared(module):
    """Declare the vector functions and keep them from being dropped as unused."""
    from llvmlite import ir
    if "llvm.compiler.used" in module.globals:
        return
    vector, pointer = ir.VectorType(ir.DoubleType(), 4), ir.PointerType()
    functions = []
    for name in available():
        kind = ir.FunctionType(vector, [vector] * (2 if name in TWO else 1))
        functions.append(ir.Function(module, kind, _vector_name(name)))
    table = ir.ArrayType(pointer, len(functions))
    used = ir.GlobalVariable(module, table, "llvm.compiler.used")
    used.linkage, used.section = "appending", "llvm.metadata"
    used.initializer = ir.Constant(table, [f.bitcast(pointer) for f in functions])


def _declared(module, name):
    """Return libm's function with the attribute that names its vector version."""
    from llvmlite import ir
    count = 2 if name in TWO else 1
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, ir.FunctionType(ir.DoubleType(), [ir.DoubleType()] * count), name)
    lanes = "v" * count
    variant = f'"vector-function-abi-variant"="_ZGV_LLVM_N4{lanes}_{name}({_vector_name(name)})"'
    attributes = function.attributes
    attributes._known = attributes._known | {variant}       # llvmlite knows only attributes by name
    for attribute in ("nounwind", "readnone", "willreturn", variant):
        if attribute in attributes._known:
            attributes.add(attribute)
    return function


def _intrinsic(name):
    """Return a function for compiled code that calls `math`'s function of this name."""
    from numba.core import types as numba_types
    from numba.extending import intrinsic

    def generate(context, builder, signature, args):
        _keep_declared(builder.module)
        return builder.call(_declared(builder.module, name), args)

    real = numba_types.float64
    if name in TWO:
        def typed(typingctx, x, y):
            return real(real, real), generate
    else:
        def typed(typingctx, x):
            return real(real), generate
    typed.__name__ = typed.__qualname__ = name
    return intrinsic(typed)


@functools.cache
def vector_module() -> types.ModuleType:
    """Return a `math` for compiled modules, whose functions may be vectorised."""
    module = types.ModuleType("math", "The math module; loops over its functions may be vectorised.")
    module.__dict__.update({k: v for k, v in vars(math).items() if not k.startswith("__")})
    for name in available():
        setattr(module, name, _intrinsic(name))
    return module
