"""srcdiff: derivatives of numeric Python as readable Python, compiled by Numba.

>>> import srcdiff as sd
>>> @sd.differentiate(target="python")
... def f(x):
...     return x**3
>>> f(2.0), f.grad(2.0)
(8.0, 12.0)
"""

import importlib

from srcdiff import errors
from srcdiff.api import (
    differentiate,
    functional,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
    no_grad,
    stop_gradient,
    value_and_grad,
    value_and_jacobian,
    vhp,
    vjp,
    vmap,
)
from srcdiff.errors import SrcdiffError

__version__ = "0.1.0"


# These rest on the front end or on the transforms, and are imported when they are asked for.
_LATER = ("custom_rule", "implicit", "suggest")


def __getattr__(name: str):
    if name in _LATER:
        return getattr(importlib.import_module(f"srcdiff.api.{name}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "SrcdiffError", "custom_rule", "differentiate", "errors", "functional", "grad", "hessian", "hvp", "implicit", "jacfwd", "jacobian",
    "jacrev", "jvp", "linearize", "no_grad", "stop_gradient", "suggest", "value_and_grad", "value_and_jacobian", "vhp",
    "vjp", "vmap",
]
