"""The public surface: the decorator, the transforms, and the objects they return."""

from srcdiff.api.differentiate import differentiate
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

__all__ = [
    "differentiate", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp", "no_grad", "stop_gradient",
    "value_and_grad", "value_and_jacobian", "vhp",
]
