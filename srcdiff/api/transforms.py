"""The public transforms, with the names and argument order of torch.func and JAX.

Each takes a function (plain, decorated, or the result of another transform) and
returns a function that has `.source` and can be transformed again.
"""

from __future__ import annotations

import numpy as np

from srcdiff.api.differentiate import as_function, within
from srcdiff.api.function import Function
from srcdiff.api.recipes import Gradient, Jacobian, Product, Pushforward
from srcdiff.api.special import refuse

__all__ = ["grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp", "value_and_grad",
           "value_and_jacobian", "vhp"]


def selected(argnums, argnames):
    """Return what `argnums` or `argnames` chooses, an entry or a tuple of entries: the first argument by default.

    Raises
    ------
    ArgumentError
        Both are given, or an entry is neither a position nor a name.
    """
    if argnums is not None and argnames is not None:
        refuse("argnums and argnames are both given", "the order of the derivatives would be anyone's guess",
               "choose all arguments by position, or all by name", "SD0305")
    if argnames is not None:
        chosen, kinds, word = argnames, str, "argnames"
    else:
        chosen, kinds, word = 0 if argnums is None else argnums, int, "argnums"
    chosen = tuple(chosen) if isinstance(chosen, list) else chosen
    chosen = tuple(map(_plain, chosen)) if isinstance(chosen, tuple) else _plain(chosen)
    entries = chosen if isinstance(chosen, tuple) else (chosen,)
    for entry in entries:
        if not isinstance(entry, kinds) or isinstance(entry, bool):
            refuse(f"{word} holds {entry!r}", fix=f"use {'names' if kinds is str else 'positions'} "
                   "of arguments", code="SD0305")
    if not entries:
        refuse(f"{word} is empty", fix="choose at least one argument", code="SD0305")
    return chosen


def _plain(entry):
    """Return a position of NumPy's integers as an int."""
    return int(entry) if isinstance(entry, np.integer) else entry


def grad(f, argnums=None, *, has_aux: bool = False, argnames=None, memory: int | str | None = None) -> Function:
    """Return the gradient of a function whose value is one real number.

    Parameters
    ----------
    argnums
        The argument, or a tuple of arguments, to differentiate with respect to: 0 by default.
    has_aux
        `f` returns ``(value, aux)``; the result is ``(gradient, aux)``.
    argnames
        The same by name, in place of `argnums`.
    memory
        A budget, in bytes or as "64MB", for what is kept of loops; see `differentiate`.

    Raises
    ------
    NotScalarError
        When called, if `f` returns anything but one real number.

    Examples
    --------
    >>> import srcdiff as sd
    >>> f = sd.differentiate(lambda x, y: x * y, target="python")
    >>> sd.grad(f, argnums=(0, 1))(2.0, 3.0)
    (3.0, 2.0)
    """
    return within(f, memory).derive(Gradient(selected(argnums, argnames), has_aux))


def value_and_grad(f, argnums=None, *, has_aux: bool = False, argnames=None,
                   memory: int | str | None = None) -> Function:
    """Return the function that gives ``(value, gradient)``; ``((value, aux), gradient)`` with aux."""
    return within(f, memory).derive(Gradient(selected(argnums, argnames), has_aux, value=True))


def _jacobian(f, mode, argnums, argnames, has_aux, chunk_size, value=False, stacked=False,
              memory=None) -> Function:
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        refuse(f"chunk_size is {chunk_size!r}", fix="use a positive int, or None", code="SD0318")
    recipe = Jacobian(mode, selected(argnums, argnames), has_aux, chunk_size, value, stacked)
    return within(f, memory).derive(recipe)


def jacrev(f, argnums=None, *, has_aux: bool = False, chunk_size: int | None = None, argnames=None,
           memory: int | str | None = None) -> Function:
    """Return the Jacobian, computed by rows: shape out.shape + arg.shape.

    One pullback for each output element, all in one run; `chunk_size` rows at a time.
    """
    return _jacobian(f, "reverse", argnums, argnames, has_aux, chunk_size, memory=memory)


def jacfwd(f, argnums=None, has_aux: bool = False, *, chunk_size: int | None = None, argnames=None) -> Function:
    """Return the Jacobian, computed by columns: shape out.shape + arg.shape.

    One tangent for each input element, all in one run; `chunk_size` columns at a time.
    """
    return _jacobian(f, "forward", argnums, argnames, has_aux, chunk_size)


MODES = {"auto": "auto", "forward": "forward", "reverse": "reverse", "fwd": "forward", "rev": "reverse"}


def jacobian(f, argnums=None, mode: str = "auto", *, has_aux: bool = False, chunk_size: int | None = None,
             stacked: bool = False, argnames=None, memory: int | str | None = None) -> Function:
    """Return the Jacobian in the cheaper mode; its `why(*args)` says which and for what reason.

    Parameters
    ----------
    stacked
        For several arguments that are numbers: one array whose last axis counts
        them (the Jacobian that `scipy.optimize.curve_fit` asks for).
    """
    if mode not in MODES:
        refuse(f"mode={mode!r} is unknown", fix="choose 'auto', 'forward' or 'reverse'", code="SD0316")
    return _jacobian(f, MODES[mode], argnums, argnames, has_aux, chunk_size, stacked=stacked, memory=memory)


def value_and_jacobian(f, argnums=None, mode: str = "auto", *, has_aux: bool = False,
                       chunk_size: int | None = None, argnames=None, memory: int | str | None = None) -> Function:
    """Return the function that gives ``(value, Jacobian)`` in one run."""
    return _jacobian(f, MODES.get(mode, mode), argnums, argnames, has_aux, chunk_size, value=True, memory=memory)


def hessian(f, argnums=None, *, has_aux: bool = False, chunk_size: int | None = None, argnames=None,
            memory: int | str | None = None) -> Function:
    """Return the second derivatives: shape out.shape + arg.shape + arg.shape; forward over reverse."""
    inner = jacrev(f, argnums, has_aux=has_aux, argnames=argnames, memory=memory)
    return jacfwd(inner, argnums, has_aux, chunk_size=chunk_size, argnames=argnames)


def jvp(f, primals, tangents, *, has_aux: bool = False):
    """Return ``(out, tangent)``: the value, and the derivative along `tangents`.

    A tangent of None marks an argument as constant.
    """
    return as_function(f).derive(Pushforward(has_aux))(as_tuple(primals, "primals"),
                                                       as_tuple(tangents, "tangents"))


def hvp(f, primals, tangents, *, has_aux: bool = False, memory: int | str | None = None):
    """Return the Hessian of a scalar function times `tangents`, without forming it."""
    return within(f, memory).derive(Product(has_aux))(as_tuple(primals, "primals"),
                                                   as_tuple(tangents, "tangents"))


def vhp(f, primals, cotangents, *, has_aux: bool = False, memory: int | str | None = None):
    """Return `cotangents` times the Hessian; the Hessian is symmetric, so this is `hvp`."""
    return within(f, memory).derive(Product(has_aux))(as_tuple(primals, "primals"),
                                                   as_tuple(cotangents, "cotangents"))


def as_tuple(values, what: str) -> tuple:
    if not isinstance(values, tuple | list):
        refuse(f"{what} must be a tuple, one entry for each argument",
               fix=f"write ({what}[0],) for one argument", code="SD0313")
    return tuple(values)
