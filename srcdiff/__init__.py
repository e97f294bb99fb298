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
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    no_grad,
    stop_gradient,
    value_and_grad,
    value_and_jacobian,
    vhp,
)
from srcdiff.errors import SrcdiffError

__version__ = "0.1.0"


# What a derivative found on disk does not need is imported when it is asked for.
_LATER = {"custom_rule": "custom_rule", "implicit": "implicit", "suggest": "suggest", "functional": "functional",
          "linearize": "linear", "vjp": "linear", "vmap": "vmap"}


def __getattr__(name: str):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"srcdiff.api.{_LATER[name]}")
    found = globals()[name] = module if name == "functional" else getattr(module, name)
    return found


__all__ = [
    "SrcdiffError", "custom_rule", "differentiate", "errors", "functional", "grad", "hessian", "hvp", "implicit", "jacfwd", "jacobian",
    "jacrev", "jvp", "linearize", "no_grad", "stop_gradient", "suggest", "value_and_grad", "value_and_jacobian", "vhp",
    "vjp", "vmap",
]
