"""The public surface: the decorator, the transforms, and the objects they return."""

from srcdiff.api import functional
from srcdiff.api.differentiate import differentiate
from srcdiff.api.linear import linearize, vjp
from srcdiff.api.markers import no_grad, stop_gradient
from srcdiff.api.transforms import (
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    value_and_grad,
    value_and_jacobian,
    vhp,
)
from srcdiff.api.vmap import vmap

__all__ = [
    "differentiate", "functional", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp",
    "linearize", "no_grad", "stop_gradient", "value_and_grad", "value_and_jacobian", "vhp", "vjp", "vmap",
]
