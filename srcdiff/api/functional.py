"""The functions of torch.autograd.functional, with their names, argument order and results.

``inputs`` is one value or a tuple; one input gives bare results, a tuple gives
tuples.  The products give ``(value, product)``.  `create_graph` is accepted and
changes nothing: results are differentiated by composing transforms.  With
`strict`, an output (or a gradient) that does not depend on an input is an error
instead of zeros.
"""

from __future__ import annotations

import numpy as np

from srcdiff.api import transforms
from srcdiff.api.differentiate import as_function
from srcdiff.api.lazy import lazy
from srcdiff.api.recipes import Element, Product, Pullback, Pushforward
from srcdiff.api.special import refuse

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

require_dependence = lazy("srcdiff.api.depends", "require_dependence")

STRATEGIES = {"reverse-mode": "reverse", "forward-mode": "forward"}


def _inputs(inputs):
    """Return the inputs as a tuple, and whether they were one."""
    if isinstance(inputs, list):
        inputs = tuple(inputs)
    return (inputs, True) if isinstance(inputs, tuple) else ((inputs,), False)


def _strategy(strategy: str) -> str:
    if strategy not in STRATEGIES:
        refuse(f"strategy is {strategy!r}", fix="choose 'reverse-mode' or 'forward-mode'", code="SD0316")
    return STRATEGIES[strategy]


def _along(primals, v, what: str):
    """Return the directions; None stands for 1 where every input is a number."""
    if v is not None:
        return _inputs(v)[0]
    if any(np.ndim(p) or isinstance(p, tuple | dict) for p in primals):
        refuse(f"v is missing: {what}", fix="give one vector for each", code="SD0306")
    return tuple(1.0 for _ in primals)


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=True, strategy="reverse-mode"):
    """Return the Jacobian of `func` at `inputs`.

    One array for one input and one output; a tuple over outputs, then over
    inputs, where there are several.
    """
    primals, many = _inputs(inputs)
    function = as_function(func)
    if strict:
        require_dependence(function, primals, "output")
    argnums = tuple(range(len(primals))) if many else 0
    return transforms.jacobian(function, argnums, _strategy(strategy))(*primals)


def hessian(func, inputs, create_graph=False, strict=False, vectorize=True,
            outer_jacobian_strategy="reverse-mode"):
    """Return the Hessian of a function that gives one number.

    For a tuple of inputs a tuple of tuples: H[i][j] has the shape of input i
    followed by that of input j.
    """
    primals, many = _inputs(inputs)
    function = as_function(func)
    argnums = tuple(range(len(primals))) if many else 0
    gradient = transforms.grad(_one_element(function), argnums)
    if strict:
        require_dependence(function, primals, "output")
        require_dependence(gradient, primals, "gradient")
    return transforms.jacobian(gradient, argnums, _strategy(outer_jacobian_strategy))(*primals)


def _one_element(function):
    """Return the function itself; a result of one element in an array counts as a number."""
    return function.derive(Element())


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """Return ``(value, H v)``."""
    primals, many = _inputs(inputs)
    vectors = _along(primals, v, "the Hessian is multiplied with one vector for each input")
    function = _one_element(as_function(func))
    if strict:
        require_dependence(function, primals, "output")
    value, result = function.derive(Product(value=True))(primals, vectors)
    return value, (result,) if many and len(primals) == 1 else result


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """Return ``(value, v H)``; the Hessian is symmetric."""
    return hvp(func, inputs, v, create_graph, strict)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """Return ``(value, J v)``."""
    primals, _ = _inputs(inputs)
    vectors = _along(primals, v, "the Jacobian is multiplied with one vector for each input")
    function = as_function(func)
    if strict:
        require_dependence(function, primals, "output")
    return function.derive(Pushforward())(primals, vectors)


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """Return ``(value, v J)``; `v` may be left out where `func` gives one number."""
    primals, many = _inputs(inputs)
    function = as_function(func)
    if strict:
        require_dependence(function, primals, "output")
    if v is None:
        function, v = _one_element(function), 1.0
    value, result = function.derive(Pullback(value=True))(primals, v)
    return value, result if many else result[0]


