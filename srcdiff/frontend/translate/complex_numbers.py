"""Complex numbers: their functions and attributes, and which other functions take them.

A function of NumPy is made of several operations, each right for complex
numbers by itself, without being right as a whole: the variance is a sum of
squares for real numbers only.  So functions are allowed by name here, operations
by `srcdiff.primitives.COMPLEX`; everything else is refused.
"""

from __future__ import annotations

import cmath

import numpy as np

from srcdiff.frontend.translate.numpy_arguments import flag
from srcdiff.frontend.translate.numpy_shapes import derived
from srcdiff.frontend.translate.values import Known, Ref, Refused, Tuple, View, is_atom
from srcdiff.frontend.translate.views import as_atom
from srcdiff.syntax import Const, is_complex

__all__ = ["HANDLERS", "METHODS", "attribute", "require_taken"]

# What NumPy computes of complex arrays by the same formula as of real ones (or by one with conjugates
# that its translation has).
_TAKEN = """
    sum prod mean average cumsum trace diag diagonal dot matmul vdot inner outer cross reshape ravel transpose swapaxes
    moveaxis expand_dims squeeze atleast_1d atleast_2d broadcast_to broadcast_arrays shape size ndim concatenate
    stack hstack vstack column_stack append diff flip zeros empty ones full zeros_like empty_like ones_like full_like
    array asarray asanyarray ascontiguousarray asfortranarray copy where isscalar take result_type copyto
    fill_diagonal norm matrix_power kron tril triu meshgrid tile repeat roll trapezoid cumprod polyval einsum
    real imag conjugate angle iscomplexobj isrealobj at complex128 complex64 solve det inv
    fft ifft irfft fftn ifftn irfftn fft2 ifft2 irfft2 fftshift ifftshift
    flatten astype fill item tolist conj __len__
""".split()


def require_taken(t, name: str, values) -> None:
    """Refuse a function of NumPy, or a method of arrays, that is not known to be right for complex numbers."""
    if name not in _TAKEN and any(_holds_complex(t, v) for v in values):
        raise Refused(f"`{name}` of complex numbers is not supported", code="SD0245",
                      fix="write it with real and imaginary parts: z.real, z.imag")


def _holds_complex(t, value) -> bool:
    if isinstance(value, Ref):
        value = t.contents(value)
    if isinstance(value, Tuple):
        return any(_holds_complex(t, v) for v in value.items)
    if isinstance(value, View):
        return is_complex(t.builder.types[value.base])
    return is_atom(value) and is_complex(t.type_of(value))


# -- parts ----------------------------------------------------------------------------

def part(op: str):
    """The real or the imaginary part, which NumPy gives as a view."""
    def handler(t, a):
        if not _holds_complex(t, a):
            return a if op == "real" else _no_imaginary_part(t, as_atom(t, a))
        return derived(t, t.emit(op, as_atom(t, a)), a)
    return handler


def _no_imaginary_part(t, x):
    if t.ndim(x):
        return t.emit("zeros", *(t.size(x, k) for k in range(t.ndim(x))), dtype=t.type_of(x).dtype)
    return Const(0.0 if t.type_of(x).dtype[0] == "f" else 0)


attribute = {"real": part("real"), "imag": part("imag")}


def conjugate(t, a):
    """`np.conj`: always a new array."""
    x = as_atom(t, a)
    return t.emit("conjugate" if is_complex(t.type_of(x)) else "positive", x)


def conjugate_method(t, a):
    """`x.conj()`: the array itself where it is real."""
    return conjugate(t, a) if _holds_complex(t, a) else a


def angle(t, z, deg=Const(False)):
    x = as_atom(t, z)
    parts = (t.emit("imag", x), t.emit("real", x)) if is_complex(t.type_of(x)) else (Const(0.0), x)
    made = t.emit("arctan2", *parts)
    return t.emit("multiply", made, Const(180.0 / np.pi)) if flag(t, deg) else made


# -- making complex numbers --------------------------------------------------------------

def complex_(t, real=Const(0.0), imag=None):
    """`complex(a, b)`: a Python number."""
    if isinstance(real, Known):
        return Const(complex(real.value))
    parts = [as_atom(t, v) for v in (real, *([] if imag is None else [imag]))]
    if all(isinstance(p, Const) for p in parts):
        return Const(complex(*(p.value for p in parts)))
    if any(map(t.ndim, parts)):
        raise Refused("an array is converted to a complex number", fix="add the parts: x + 1j * y", code="SD0242")
    if len(parts) == 1:
        return t.weak(t.cast(parts[0], "complex128"))
    if any(is_complex(t.type_of(p)) for p in parts):
        raise Refused("complex(a, b) of complex numbers", fix="add them: a + 1j * b", code="SD0245")
    return t.weak(t.emit("complex", *(t.cast(p, "float64") for p in parts)))


# -- cmath ----------------------------------------------------------------------------------

def _number(t, value):
    z = as_atom(t, value)
    if t.ndim(z):
        raise Refused("a `cmath` function of an array", why=f"it is {t.type_of(z)} here",
                      fix="use the NumPy function", code="SD0235")
    return t.cast(z, "complex128")


def function(op: str):
    """A function of `cmath`: complex for real numbers too."""
    return lambda t, z: t.weak(t.emit(op, _number(t, z)))


def logarithm(t, z, base=None):
    made = function("log")(t, z)
    return made if base is None else t.emit("divide", made, function("log")(t, base))


def phase(t, z):
    return angle(t, _number(t, z))


def polar(t, z):
    return Tuple((t.emit("absolute", _number(t, z)), phase(t, z)))


def rect(t, r, phi):
    radius, turn = as_atom(t, r), as_atom(t, phi)
    parts = (t.emit("multiply", radius, t.emit(op, turn)) for op in ("cos", "sin"))
    return complex_(t, *parts)


_CMATH = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh",
          "atanh": "arctanh"}

HANDLERS = {
    np.real: part("real"), np.imag: part("imag"), np.conjugate: conjugate, np.angle: angle, complex: complex_,
    np.iscomplexobj: lambda t, x: Const(_holds_complex(t, x)),
    np.isrealobj: lambda t, x: Const(not _holds_complex(t, x)),
    **{getattr(cmath, name): function(_CMATH.get(name, name)) for name in (
        "exp", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "isnan", "isinf", "isfinite", *_CMATH)},
    cmath.log: logarithm, cmath.log10: function("log10"), cmath.phase: phase, cmath.polar: polar, cmath.rect: rect,
}

METHODS = {"conj": conjugate_method, "conjugate": conjugate_method}
