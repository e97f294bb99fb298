"""Scalar math functions that LLVM may replace by glibc's vector versions inside loops.

Numba has had no vector math since version 0.62.  A call of libm's ``exp`` that
carries LLVM's attribute "vector-function-abi-variant" is vectorised with the
loop around it, to a call of libmvec's ``_ZGVdN4v_exp``: 4 to 7 times faster, at
most 4 units in the last place.  Outside of vectorised loops it is libm's own.
Functions of float32 are NumPy's in generated text; there are eight of them in a
register (`_ZGVdN8v_expf`).

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

__all__ = ["available", "called", "of_doubles", "of_floats", "state", "vector_module"]

# The functions of NumPy that are spelled differently in libm.
NUMPY = {"arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctanh": "atanh",
         "arctan2": "atan2", "power": "pow"}
ONE = ("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "erf", "erfc", "exp", "expm1", "log",
       "log10", "log1p", "log2", "sin", "sinh", "tan", "tanh")
TWO = ("atan2", "hypot", "pow")
LIBRARY = "libmvec.so.1"

# A user's own cached function may hold code of ours, and be loaded before anything is compiled here.
try:
    ctypes.CDLL(LIBRARY, mode=ctypes.RTLD_GLOBAL)
except (OSError, AttributeError):
    pass


def _is_double(name: str) -> bool:
    """Tell whether a function of libm takes doubles; those of floats end in ``f``: ``expf``, ``erff``."""
    return name in ONE + TWO


def _operands(name: str) -> int:
    return 2 if name in TWO or name[:-1] in TWO else 1


def _lanes(name: str) -> int:
    """Return how many numbers fill an AVX2 register."""
    return 4 if _is_double(name) else 8


def _vector_name(name: str) -> str:
    """Return libmvec's name of the version for as many numbers as an AVX2 register holds."""
    return f"_ZGVdN{_lanes(name)}{'v' * _operands(name)}_{name}"


@functools.cache
def available() -> tuple[str, ...]:
    """Return the functions of libm that have a vector version here: ``exp`` of doubles, ``expf`` of floats."""
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
    names = (*ONE, *TWO, *(name + "f" for name in ONE + TWO))
    return tuple(name for name in names if hasattr(library, _vector_name(name)))


def state() -> str:
    """Return what compiled code depends on, for cache keys."""
    return "libmvec " + " ".join(available())


def _keep_declared(module):
    """Declare the vector functions and keep them from being dropped as unused."""
    from llvmlite import ir
    if "llvm.compiler.used" in module.globals:
        return
    pointer, functions = ir.PointerType(), []
    for name in available():
        vector = ir.VectorType(_number(name), _lanes(name))
        kind = ir.FunctionType(vector, [vector] * _operands(name))
        functions.append(ir.Function(module, kind, _vector_name(name)))
    table = ir.ArrayType(pointer, len(functions))
    used = ir.GlobalVariable(module, table, "llvm.compiler.used")
    used.linkage, used.section = "appending", "llvm.metadata"
    used.initializer = ir.Constant(table, [f.bitcast(pointer) for f in functions])


def _number(name: str):
    """Return LLVM's type of the numbers of a function of libm."""
    from llvmlite import ir
    return ir.DoubleType() if _is_double(name) else ir.FloatType()


def called(builder, name: str, args):
    """Generate a call of libm's function of this name that LLVM may vectorise with the loop around it."""
    _keep_declared(builder.module)
    return builder.call(_declared(builder.module, name), args)


def _declared(module, name):
    """Return libm's function with the attribute that names its vector version."""
    from llvmlite import ir
    number, count = _number(name), _operands(name)
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, ir.FunctionType(number, [number] * count), name)
    variant = f'"vector-function-abi-variant"="_ZGV_LLVM_N{_lanes(name)}{"v" * count}_{name}({_vector_name(name)})"'
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
        return called(builder, name, args)

    real = numba_types.float64
    if name in TWO:
        def typed(typingctx, x, y):
            return real(real, real), generate
    else:
        def typed(typingctx, x):
            return real(real), generate
    typed.__name__ = typed.__qualname__ = name
    return intrinsic(typed)


def of_floats(name: str) -> str | None:
    """Return libm's function of floats that NumPy's function of this name is, None where it has no vector version."""
    single = NUMPY.get(name, name) + "f"
    return single if single in available() else None


def of_doubles(name: str) -> str | None:
    """Return libm's function of doubles that NumPy's function of this name is, None where it has no vector version."""
    double = NUMPY.get(name, name)
    return double if double in available() else None


@functools.cache
def vector_module() -> types.ModuleType:
    """Return a `math` for compiled modules, whose functions may be vectorised."""
    module = types.ModuleType("math", "The math module; loops over its functions may be vectorised.")
    module.__dict__.update({k: v for k, v in vars(math).items() if not k.startswith("__")})
    for name in filter(_is_double, available()):
        setattr(module, name, _intrinsic(name))
    return module
