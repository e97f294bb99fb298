"""Calls: evaluate the arguments, then find who translates the called thing."""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import operator
import sys
import types

import gast
import numpy as np

from srcdiff import custom
from srcdiff.frontend import in_python
from srcdiff.frontend.translate import (
    builtin_calls,
    complex_numbers,
    generators,
    inline,
    iterators,
    library,
    local,
    methods,
    numpy_calls,
    numpy_more,
    objects,
    vectorized,
)
from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator, describe, text_of
from srcdiff.frontend.translate.expressions import evaluate
from srcdiff.frontend.translate.iteration import items_of
from srcdiff.frontend.translate.kinds import NUMPY, PYTHON, kind_of, marked
from srcdiff.frontend.translate.numeric import elementwise
from srcdiff.frontend.translate.numpy_arguments import none
from srcdiff.frontend.translate.numpy_reductions import as_floats
from srcdiff.frontend.translate.storing import into
from srcdiff.frontend.translate.values import (
    Closure,
    Dict,
    Intrinsic,
    Known,
    Method,
    Partial,
    Poison,
    PoisonUsed,
    Refused,
    RunTimeText,
    Tuple,
    raises_too,
)
from srcdiff.frontend.translate.views import as_atom
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Const, Var, is_complex

__all__ = ["HANDLERS", "call", "call_node"]

_ELEMENTWISE = {f: p.name for p in PRIMITIVES.values() if p.kind == "elementwise" for f in p.callables}
_OTHER = {f: p for p in PRIMITIVES.values() if p.kind != "elementwise" for f in p.callables}
HANDLERS = {**numpy_calls.HANDLERS, **numpy_more.HANDLERS, **library.HANDLERS, **builtin_calls.HANDLERS,
            **iterators.HANDLERS, **complex_numbers.HANDLERS, **vectorized.HANDLERS}


def call_node(t: Translator, node):
    """Translate a call expression."""
    before = len(t.operands)
    function = evaluate(t, node.func)
    args, keywords = [], {}
    if generators.takes_all(function) and not any(isinstance(a, gast.Starred) for a in node.args):
        args = generators.arguments_of(t, node)
    for arg in node.args[len(args):]:
        if isinstance(arg, gast.Starred):
            args += items_of(t, evaluate(t, arg.value))
        else:
            args.append(evaluate(t, arg))
    for keyword in node.keywords:
        value = evaluate(t, keyword.value)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
            continue
        contents = t.contents(value)
        if not isinstance(contents, Dict):
            raise Refused(f"** needs a dict, not {describe(value)}", node=keyword.value,
                          fix="pass a dict whose keys are known: {\"name\": value}")
        keywords.update(contents.items)
    t.first_operand = before
    return call(t, function, tuple(args), keywords, node)


def call(t: Translator, function, args: tuple, keywords: dict, node=None):
    """Translate the call of a value with evaluated arguments."""
    if isinstance(function, Poison):
        t.use_poison(function)
    if isinstance(function, Closure):
        _hand_over(t, node)
        return inline.closure(t, function, args, keywords)
    if isinstance(function, Intrinsic):
        return function.apply(t, *args)
    if isinstance(function, Partial):
        return call(t, function.function, function.args + args, {**dict(function.keywords), **keywords})
    if isinstance(function, Method):
        return methods.call_method(t, function, args, keywords)
    if isinstance(function, Known):
        return _known(t, function, args, keywords, node)
    if objects.is_object(function):
        return objects.call_method(t, function, "__call__", args, keywords)
    raise Refused(f"{describe(function)} cannot be called", fix="call a function")


def _known(t, function, args, keywords, node):
    target = function.value
    if (own := custom.name_of(target)) is not None:
        return _own(t, own, target, args, keywords)
    handler = _find(HANDLERS, target) or library.of_package(target)
    if handler is not None:
        if (getattr(target, "__module__", None) or "numpy").startswith("numpy"):
            complex_numbers.require_taken(t, target.__name__, (*args, *keywords.values()))
        return _of_numpy(t, target, args, bound_call(handler, t, args, keywords, function))
    op = _find(_ELEMENTWISE, target)
    if op is not None:
        return _elementwise(t, op, target, args, keywords)
    if (primitive := _find(_OTHER, target)) is not None:
        return _primitive(t, primitive, args, keywords)
    if getattr(target, "__srcdiff_stop_gradient__", False):
        from srcdiff.frontend.translate.assignment import constant
        return constant(t, *args)
    if (inner := local.local_of(target)) is not None:
        return local.call(t, target, inner, args, keywords)
    if isinstance(getattr(target, "__self__", None), np.random.Generator | np.random.RandomState) or target is np.random.default_rng:
        raise Refused("random numbers are drawn", why="a derivative is that of one draw, and each call would make another",
                      fix="draw them outside of the function, and pass the array as an argument", code="SD0231")
    if hasattr(target, "__srcdiff_program__"):
        return inline.spliced(t, target, args, keywords)
    if _is_transform(target):
        return _transform(t, target, args, keywords)
    if isinstance(target, np.vectorize):
        return vectorized.of_object(t, function, args, keywords)
    if isinstance(target, functools.partial):
        return inline.partial(t, function, args, keywords)
    if isinstance(target, operator.itemgetter) and len(args) == 1 and not keywords:
        from srcdiff.frontend.translate.indexing import load
        found = tuple(load(t, args[0], lift(t, key)) for key in target.__reduce__()[1])
        return found[0] if len(found) == 1 else Tuple(found)
    if isinstance(target, type):
        return _class(t, target, args, keywords, node)
    if isinstance(target, types.FunctionType | types.MethodType) or isinstance(
            getattr(target, "py_func", None), types.FunctionType) or isinstance(
            target, functools._lru_cache_wrapper):
        _hand_over(t, node)
        if _is_table(target) and all(isinstance(a, Known | Const) for a in (*args, *keywords.values())):
            return _now(t, target, args, keywords)
        if _package_of(target) and not (t.frame and _package_of(t.frame.function)):
            return _of_library(t, target, lambda: inline.function(t, function, args, keywords))
        return inline.function(t, function, args, keywords)
    if isinstance(getattr(type(target), "__call__", None), types.FunctionType):     # noqa: B004
        method = Known(type(target).__call__)
        return inline.function(t, method, (function, *args), keywords)
    if all(isinstance(a, Known | Const) for a in (*args, *keywords.values())) and _harmless(target):
        return _now(t, target, args, keywords)
    if isinstance(getattr(target, "__self__", None), set | frozenset) and target.__name__ in _OF_SETS:
        return _of_set(t, target, args)
    if isinstance(getattr(target, "__self__", None), str):
        return Known(RunTimeText(f"<{target.__name__}>"))
    name = getattr(target, "__name__", type(target).__name__)
    module = getattr(target, "__module__", "") or ""
    shown = text_of(node.func) if node is not None else name
    raise Refused(f"no derivative is known for `{shown}`",
                  why=f"`{module}.{name}` is compiled code that srcdiff has no rule for".replace("`.", "`"),
                  fix="write it with NumPy functions, or give a rule: sd.custom_rule(...)", code="SD0231")


def _package_of(target) -> bool:
    """Tell whether a function is one of NumPy's or SciPy's."""
    return (getattr(target, "__module__", None) or "").split(".")[0] in ("numpy", "scipy")


def _is_table(target) -> bool:
    """Tell whether a function of known numbers is a table: nodes and weights of quadrature, and their like."""
    return (getattr(target, "__module__", None) or "").startswith(("numpy.polynomial", "scipy.special"))


def _of_library(t, target, call):
    """Translate the call of a function or class of NumPy or SciPy; what is wrong inside of it is said of the call."""
    before, name = len(t.problems), f"{target.__module__.split('._')[0]}.{target.__name__}"
    try:
        made = call()
        first = t.problems[before] if len(t.problems) > before else None
    except Refused as refused:
        first, made = refused, None
        t.raised = refused.python
    except PoisonUsed:
        if len(t.problems) == before:
            raise
        first, made = t.problems[before], None
    if first is None:
        return made
    python = t.raised
    del t.problems[before:]
    raise Refused(f"no derivative is known for `{name}`", why=f"it is written in Python that is not followed here: {first.what}",
                  fix="write it with NumPy functions, or give a rule: sd.custom_rule(...)", code="SD0231", python=python)


def _hand_over(t, node):
    """Let the arguments of a call expression be what the parameters of the function mean, and nothing else."""
    if node is not None:
        del t.operands[t.first_operand:]


# What stores its result into `out=` as if it were computed before, whatever memory `out` shares with the operands.
_FILLS = {"sum", "prod", "mean", "max", "min", "amax", "amin", "cumsum", "cumprod", "dot", "matmul",
          "heaviside", "float_power"}
_GIVE_PYTHON_NUMBERS = {np.ndim, np.size, np.isscalar, np.allclose}


def _of_numpy(t, target, args, result):
    """Note that a number that a NumPy function has made is NumPy's."""
    of_numpy = isinstance(target, np.ufunc) or (getattr(target, "__module__", None) or "").startswith("numpy")
    made = isinstance(result, Var) and result not in args and kind_of(t, result) == PYTHON
    return marked(t, result, NUMPY) if of_numpy and made and target not in _GIVE_PYTHON_NUMBERS else result


def _is_transform(target) -> bool:
    """Tell whether a function is one of srcdiff's own, like `grad`, and not one that is there to be translated.

    Its module holds it: a function that a docstring of the package defines names the same module, and is a user's.
    """
    module = getattr(target, "__module__", None) or ""
    translated = module.startswith((library.__name__, in_python.__name__)) or getattr(target, "__srcdiff_translated__", False)
    return (module.split(".")[0] == "srcdiff" and not translated and isinstance(target, types.FunctionType | type)
            and getattr(sys.modules.get(module), target.__name__, None) is target)


def _transform(t, target, args, keywords):
    """Make a derivative object now; it is called later with run-time values."""
    name = target.__name__
    package = importlib.import_module(target.__module__.split(".")[0])
    if args and isinstance(args[0], Closure):
        args = (Known(local.Local(t, args[0])), *args[1:])
    if name == "vjp" and args and isinstance(args[0], Known):
        return local.pullback(t, package, args[0].value, args[1:], keywords)
    try:
        objects, named = list(map(_object, args)), {k: _object(v) for k, v in keywords.items()}
        if objects and local.local_of(objects[0]) is not None:
            return local.transformed(t, target, objects[0], objects[1:], named)
        return Known(target(*objects, **named))
    except _NotStatic:
        if name not in ("jvp", "hvp", "vhp") or not isinstance(args[0], Known):
            raise Refused(f"`{name}` with run-time arguments inside a differentiated function",
                          fix="make the derivative function first, then call it: sd.grad(f)(x)",
                          code="SD0218") from None
    derivative = getattr(package.differentiate(args[0].value), "jvp" if name == "jvp" else "product")
    t.kept_alive.append(derivative)
    if (inner := local.local_of(derivative)) is not None:
        return local.call(t, derivative, inner, args[1:], keywords)
    return inline.spliced(t, derivative, args[1:], keywords)


_OF_SETS = ("issubset", "issuperset", "isdisjoint", "union", "intersection", "difference")  # none changes it


def _of_set(t, target, args):
    """Call a method of a set; its arguments are collections of what is known."""
    items = [items_of(t, a) for a in args]
    if not all(isinstance(v, Known | Const) for values in items for v in values):
        raise Refused(f"`{target.__name__}` of a set with values that only run time knows", fix="use comparisons")
    found = target(*([v.value for v in values] for values in items))
    return Known(found) if isinstance(found, set | frozenset) else lift(t, found)


class _NotStatic(Exception):
    """A value is known only at run time."""


def _object(value):
    """Return the Python object of a value that is known."""
    if isinstance(value, Known | Const):
        return value.value
    if isinstance(value, Tuple):
        return tuple(map(_object, value.items))
    raise _NotStatic


def _find(table, target):
    try:
        return table.get(target)
    except TypeError:               # not hashable
        return None


def bound_call(handler, t, args, keywords, function):
    """Call a handler; what its signature does not take is refused in the user's terms."""
    if getattr(function.value, "__name__", "") in _FILLS and not none(keywords.get("out")):
        given = {name: value for name, value in keywords.items() if name != "out"}
        return into(t, keywords["out"], bound_call(handler, t, args, given, function))
    try:
        bound = inspect.signature(handler).bind(t, *args, **keywords)
    except TypeError as error:
        name = getattr(function.value, "__name__", "this function")
        raise Refused(f"these arguments of `{name}` are not supported: {error}",
                      fix="use the plain form of the call", code="SD0239") from error
    return handler(*bound.args, **bound.kwargs)


def _elementwise(t, op, target, args, keywords):
    arity = getattr(target, "nin", len(args))
    given = {k: v for k, v in keywords.items() if not (isinstance(v, Known) and v.value is None)}
    out = given.pop("out", args[arity] if len(args) == arity + 1 else None)
    where = given.pop("where", Const(True))
    if given:
        name = next(iter(given))
        raise Refused(f"the argument `{name}=` of `{target.__name__}` is not supported",
                      fix="assign the result instead", code="SD0239")
    if out is not None:
        made = _elementwise(t, op, target, args[:arity], {})
        if where != Const(True):
            made = t.emit("where", *(as_atom(t, v) for v in (where, made, out)))
        return into(t, out, made, exact=False)
    if where != Const(True):
        raise Refused(f"`{target.__name__}` with `where=` and without `out=`",
                      why="the elements that are left out have no value", fix="give out=np.zeros(...), or use np.where",
                      code="SD0239")
    if op == "log" and len(args) == 2 and not isinstance(target, np.ufunc):
        logs = [elementwise(t, "log", (a,), True) for a in args]
        return t.emit("divide", *logs)
    if op == "hypot" and target is math.hypot and len(args) != 2:
        return functools.reduce(lambda a, b: elementwise(t, op, (a, b), True), args, Const(0.0))
    if len(args) != arity:
        raise Refused(f"`{target.__name__}` takes {arity} arguments here, not {len(args)}", code="SD0239",
                      fix="give it that many, by position")
    if target is np.fabs and not any(is_complex(t.type_of(as_atom(t, a))) for a in args):
        args = [as_floats(t, as_atom(t, a)) for a in args]          # those of integers are floats
    if getattr(target, "__module__", "") in ("_operator", "operator"):
        return elementwise(t, op, args, False)
    return elementwise(t, op, args, not isinstance(target, np.ufunc) and target.__module__ == "math")


def _own(t, op, target, args, keywords):
    """Call a function that the user gave a rule: an operation on numbers and arrays, element by element."""
    if keywords:
        try:
            args = inspect.signature(getattr(target, "py_func", target)).bind(*args, **keywords).args
        except (TypeError, ValueError) as error:
            raise Refused(f"`{target.__name__}` cannot be called like this", why=str(error),
                          fix="pass its operands by position", code="SD0240") from error
    for value in args:
        if isinstance(value, Known):
            raise Refused(f"`{target.__name__}` gets {describe(value)}",
                          why="a function with a rule of its own takes numbers and arrays",
                          fix="bind other arguments outside, in a function with its own rule", code="SD0239")
    if len(args) != (arity := custom.arity_of(op)):
        raise Refused(f"`{target.__name__}` takes {arity} arguments here, not {len(args)}",
                      why="its rule names them all", fix="pass all of them", code="SD0240")
    return t.emit(op, *(as_atom(t, a) for a in args))


def _primitive(t, primitive, args, keywords):
    """Call an operation whose NumPy signature is its own: arrays first, keywords static."""
    static = {}
    for name, value in keywords.items():
        number = t.static_number(value)
        static[name] = value.value if number is None and isinstance(value, Known) else number
    return t.emit(primitive.name, *(as_atom(t, a) for a in args), **static)


def _class(t, cls, args, keywords, node):
    """Make a NamedTuple or an exception; other classes of the user's are refused."""
    if hasattr(cls, "_fields") and issubclass(cls, tuple):
        values = dict(zip(cls._fields, args, strict=False)) | keywords
        defaults = getattr(cls, "_field_defaults", {})
        return Tuple(tuple(values[f] if f in values else lift(t, defaults[f]) for f in cls._fields), cls)
    if issubclass(cls, BaseException):
        return Known(cls)
    known = all(isinstance(a, Known | Const) for a in (*args, *keywords.values()))
    if known and _harmless(cls):
        return _now(t, cls, args, keywords)
    if cls in (set, frozenset) and len(args) == 1 and not keywords:
        items = items_of(t, args[0])
        if all(isinstance(v, Known | Const) for v in items):
            return Known(cls(v.value for v in items))
    if objects.can_make(cls):
        if _package_of(cls) and not (t.frame and _package_of(t.frame.function)):
            return _of_library(t, cls, lambda: objects.make(t, cls, args, keywords))
        return objects.make(t, cls, args, keywords)
    if known:
        return _now(t, cls, args, keywords)
    raise Refused(f"an object of class `{cls.__name__}` is made of run-time numbers",
                  why="srcdiff follows numbers, arrays, tuples, lists, dicts and NamedTuples",
                  fix="use a NamedTuple", code="SD0213")


def _harmless(target) -> bool:
    if isinstance(getattr(target, "__self__", None), str | bytes | dict | tuple | np.dtype):
        return True
    module = (getattr(target, "__module__", None) or "").split(".")[0]
    return module in ("builtins", "math", "operator", "_operator", "numpy", "itertools", "warnings",
                      "_warnings")


def _now(t, target, args, keywords):
    """Evaluate a call whose arguments are all known."""
    texts = [v for v in (getattr(target, "__self__", None), *(a.value for a in args)) if isinstance(v, RunTimeText)]
    try:
        found = target(*(a.value for a in args), **{k: v.value for k, v in keywords.items()})
    except Refused:
        raise
    except Exception as error:
        raise raises_too(error) from error
    if texts:
        return Known(RunTimeText(found)) if isinstance(found, str) else texts[0].ask()
    return lift(t, found)
