"""srcdiff: derivatives of numeric Python as readable Python, compiled by Numba.

>>> import srcdiff as sd
>>> @sd.differentiate(target="python")
... def f(x):
...     return x**3
>>> f(2.0), f.grad(2.0)
(8.0, 12.0)
"""

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


def __getattr__(name: str):
    """Import what rests on the tables of rules when it is asked for."""
    if name == "custom_rule":
        from srcdiff.api.custom_rule import custom_rule
        return custom_rule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "SrcdiffError", "custom_rule", "differentiate", "errors", "functional", "grad", "hessian", "hvp", "jacfwd", "jacobian",
    "jacrev", "jvp", "linearize", "no_grad", "stop_gradient", "value_and_grad", "value_and_jacobian", "vhp",
    "vjp", "vmap",
]
