"""Derivatives inside compiled user code: callable from ``@njit``, and as arguments of it.

For each object there is one Numba dispatcher.  When Numba types a call of it,
the program for those types is generated and compiled, there and then; so the
typing callback may run inside another compilation.  Captured values are frozen
at that moment, as Numba freezes the globals of every compiled function.
"""

from __future__ import annotations

import functools
import inspect
import threading
from dataclasses import replace

import numba
import numpy as np
from numba import types
from numba.core import errors
from numba.core.datamodel import models, register_default
from numba.core.extending import overload
from numba.core.imputils import lower_constant, lower_getattr_generic
from numba.core.registry import cpu_target
from numba.core.target_extension import current_target
from numba.core.typing.templates import AttributeTemplate, infer_getattr

from srcdiff import compiler
from srcdiff.api.titles import titled
from srcdiff.errors import SrcdiffError
from srcdiff.structure import Names, flat_values, pack_plain
from srcdiff.syntax import Array, Scalar, Static

__all__ = ["FunctionType", "numba_type"]

_LOCK = threading.RLock()
ATTRIBUTES = frozenset({
    "grad", "value_and_grad", "jacobian", "value_and_jacobian", "jacfwd", "jacrev", "hessian", "hvp", "hessp",
    "lagrangian_hess", "jvp", "product", "pullback",
})


class FunctionType(types.Dispatcher):
    """The Numba type of one derivative object; its derivatives are its attributes."""

    def __init__(self, function, dispatcher):
        self.function, self.kept = function, dispatcher        # Numba's types hold dispatchers weakly
        self.device = {}                                       # what kernels call, by signature
        super().__init__(dispatcher)

    def get_call_type(self, context, args, kws):
        if current_target() != "cuda":
            return super().get_call_type(context, args, kws)
        dispatcher = device_function(self.function, tuple(args), tuple(kws.items()))
        template, pysig, args, kws = dispatcher.get_call_template((*args, *kws.values()), {})
        signature = template(context).apply(args, kws)
        self.device[signature.args] = dispatcher
        return signature.replace(pysig=pysig)

    def get_impl_key(self, sig):
        if current_target() != "cuda":
            return super().get_impl_key(sig)
        return self.device[sig.args].get_overload(sig.args)


@register_default(FunctionType)
class FunctionModel(models.OpaqueModel):
    """The object itself never exists at run time."""


@infer_getattr
class FunctionAttributes(AttributeTemplate):
    key = FunctionType

    def generic_resolve(self, type_, name):
        return numba_type(getattr(type_.function, name)) if name in ATTRIBUTES else None


@lower_getattr_generic(FunctionType)
def _lower_attribute(context, builder, type_, value, name):
    return context.get_dummy_value()


@lower_constant(FunctionType)
def _lower_function(context, builder, type_, value):
    return context.get_dummy_value()


def numba_type(function) -> FunctionType:
    """Return the Numba type of an object, always the same one."""
    found = function.__dict__.get("_numba_type")
    if found is None:
        with _LOCK:
            found = function.__dict__.get("_numba_type")
            if found is None:
                found = function._numba_type = FunctionType(function, dispatcher_of(function))
    return found


def dispatcher_of(function):
    """Return the dispatcher that compiled callers call."""
    names, header = parameters(function)
    scope: dict = {}
    exec(f"def stub({header}):\n    raise NotImplementedError\n", scope)
    stub = scope["stub"]

    def typed(given):
        return implementation(function, names, header, given)

    scope["typed"] = typed
    plain = ", ".join(names)
    exec(f"def typing({plain}):\n    return typed([{plain.replace('*', '')}])\n"
         f"def wrapper({header}):\n    return stub({plain})\n", scope)
    overload(stub, jit_options={"error_model": "numpy"})(scope["typing"])
    scope["wrapper"].__name__ = function.__name__ if function.__name__.isidentifier() else "function"
    return numba.njit(scope["wrapper"])


def parameters(function) -> tuple[list[str], str]:
    """Return the names of the parameters, and the text between the parentheses of a definition.

    Numba keeps defaults that are numbers, strings or None; the others must be passed.
    """
    names, texts = [], []
    for parameter in function.__signature__.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            names.append(f"*{parameter.name}")
            texts.append(f"*{parameter.name}")
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            default = parameter.default
            simple = default is None or isinstance(default, bool | int | float | str)
            names.append(parameter.name)
            given = default is not inspect.Parameter.empty and simple
            texts.append(f"{parameter.name}={default!r}" if given else parameter.name)
    return names, ", ".join(texts)


def implementation(function, names, header, given):
    """Generate and compile for Numba types; return the function that Numba compiles for the call."""
    star = bool(names) and names[-1].startswith("*")
    if star:
        *given, rest = given
        given = [*given, *rest]
    try:
        specs = tuple(map(spec_of, given))
        special = function.specialise(specs, {})
    except SrcdiffError as error:
        raise errors.TypingError(f"{function!r}: {error}") from error
    compiled = compiler.build(titled(function, special), replace(function.options, target="numba"))
    scope = Names(compiled=compiled.dispatcher, np=np)
    plain = [name for name in names if not name.startswith("*")]
    texts = plain + [f"{names[-1][1:]}[{i}]" for i in range(len(given) - len(plain))]
    flat = [e for type_, text in zip(given, texts, strict=True) for e in type_expressions(type_, text)]
    for get in special.captures:
        flat += [scope.hold(v, "captured") for v in flat_values(get())]
    call = f"compiled({', '.join(flat)})"
    results = len(special.program.results)
    body = f"    r = {call}\n" if results != 1 else f"    r = ({call},)\n"
    body += f"    return {pack_plain(special.program.tree, scope)}\n"
    exec(f"def call({', '.join(names)}):\n{body}", scope)
    return scope["call"]


@functools.cache
def device_function(function, args: tuple, keywords: tuple):
    """Generate what a kernel calls for arguments of these Numba types: a device function.

    A result that is an array is written into the keyword `out`.
    """
    from numba import cuda
    given = dict(keywords)
    out = given.pop("out", None) if "out" not in function.__signature__.parameters else None
    names = [*parameters(function)[0][:len(args)], *given]
    try:
        types_ = (*args, *given.values())
        specs = [spec_of(t) for t in types_]
        special = function.specialise(*function.bind(specs[:len(args)], dict(zip(given, specs[len(args):], strict=True))))
        compiled = compiler.build_device_function(titled(function, special),
                                                  replace(function.options, target="cuda"), "out" if out else None)
    except SrcdiffError as error:
        raise errors.TypingError(f"{function!r}: {error}") from error
    scope = Names(compiled=compiled)
    flat = [e for type_, text in zip(types_, names, strict=True) for e in device_expressions(type_, text)]
    flat += [scope.hold(v, "captured") for get in special.captures for v in flat_values(get())]
    call = f"compiled({', '.join([*flat, *['out'] * bool(out)])})"
    many = len(special.program.results) != 1
    body = f"    {call}\n" if out else (
        f"    r = {call if many else f'({call},)'}\n    return {pack_plain(special.program.tree, scope)}\n")
    exec(f"def call({', '.join([*names, *['out'] * bool(out)])}):\n{body}", scope)
    return cuda.jit(scope["call"], device=True)


def device_expressions(type_, text: str) -> list[str]:
    """Write one expression for each numeric leaf of an argument in a kernel, where any layout will do."""
    if isinstance(type_, types.Array):
        return [text if type_.ndim else f"{text}[()]"]
    if isinstance(type_, types.BaseTuple):
        return [e for i, t in enumerate(type_.types) for e in device_expressions(t, f"{text}[{i}]")]
    return [] if isinstance(spec_of(type_), Static) else [text]


def cfunc_of(function, signature):
    """Compile a derivative of numbers to a C function of this signature.

    >>> import srcdiff as sd
    >>> f = sd.differentiate(lambda x: x * x)
    >>> f.grad.cfunc("float64(float64)").ctypes(3.0)
    6.0
    """
    _, header = parameters(function)
    names = ", ".join(part.split("=")[0] for part in header.split(", ")[:signature_length(signature)])
    scope = {"function": function}
    exec(f"def call({names}):\n    return function({names})\n", scope)
    return numba.cfunc(signature)(scope["call"])


def signature_length(signature) -> int:
    from numba.core.sigutils import normalize_signature
    return len(normalize_signature(signature)[0])


def spec_of(type_):
    """Return the spec of a Numba type."""
    if isinstance(type_, types.Omitted):
        return _spec_of_value(type_.value)
    if isinstance(type_, types.Optional):
        raise errors.TypingError("a derivative cannot take an argument that is sometimes None")
    if isinstance(type_, types.StringLiteral):
        return Static(type_.literal_value)
    type_ = types.unliteral(type_)
    if isinstance(type_, types.Array):
        dtype = str(type_.dtype)
        return Array(dtype, type_.ndim) if type_.ndim else Scalar(dtype)
    if isinstance(type_, types.Number | types.Boolean):
        name = {"boolean": "bool"}.get(type_.name, type_.name)
        return Scalar(name, weak=name in ("float64", "int64", "bool", "complex128"))
    if isinstance(type_, types.BaseNamedTuple):
        return type_.instance_class(*map(spec_of, type_.types))
    if isinstance(type_, types.BaseTuple):
        return tuple(map(spec_of, type_.types))
    if isinstance(type_, types.NoneType):
        return Static(None)
    if isinstance(type_, FunctionType):
        return Static(type_.function)
    if isinstance(type_, types.Dispatcher):
        return Static(type_.dispatcher.py_func)
    raise errors.TypingError(f"a derivative cannot take an argument of type {type_}")


def _spec_of_value(value):
    if value is None or isinstance(value, str | bool):
        return Static(value)
    return spec_of(numba.typeof(value))


def type_expressions(type_, text: str) -> list[str]:
    """Write one expression for each numeric leaf of an argument of this Numba type."""
    if isinstance(type_, types.Array):
        if type_.ndim == 0:
            return [f"{text}[()]"]
        return [text if type_.layout == "C" else f"np.ascontiguousarray({text})"]
    if isinstance(type_, types.BaseTuple):
        return [e for i, t in enumerate(type_.types) for e in type_expressions(t, f"{text}[{i}]")]
    spec = spec_of(type_)
    if isinstance(spec, Static):
        return []
    return [repr(type_.value)] if isinstance(type_, types.Omitted) else [text]


# Numba imports this module while it types the first function that names one of ours, and has looked for types before.
cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
