"""Derivatives of functions that are defined inside a differentiated function.

``sd.grad(lambda u: u * x)`` in the body of `f` closes over `x`, a run-time value
of `f`.  The lambda becomes a program of its own whose last parameter is the
tuple of what it captures; the call of its derivative hands over the present
values, so that derivatives with respect to `x` flow through them.
"""

from __future__ import annotations

import importlib
import inspect

import gast

from srcdiff.errors import SrcdiffError
from srcdiff.frontend.translate import inline
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.sweeps import Sweeps
from srcdiff.frontend.translate.values import (
    UNBOUND,
    Closure,
    Dict,
    Intrinsic,
    Known,
    MaybeNone,
    MaybeUnbound,
    Method,
    Partial,
    Poison,
    Ref,
    Refused,
    Tuple,
)
from srcdiff.frontend.translate.views import as_atom
from srcdiff.syntax import Const

__all__ = ["Local", "call", "local_of", "pullback", "transformed"]

_AS_IT_IS = (Known, Const, Closure, Partial, Method, Intrinsic, Poison, MaybeUnbound, type(UNBOUND))


class Local:
    """A nested function as something that transforms take.

    Attributes
    ----------
    count
        The number of its arguments; one more, a tuple, holds what it captures.
    places, held
        Where in the translator's state the captured values stand, those that
        are parameters; and the places and values of the rest.
    keys
        Frames and lists have keys in the translator up to this one.
    """

    def __init__(self, t: Translator, closure: Closure):
        self.closure = closure
        spec = closure.node.args
        names = [a.id for a in [*spec.posonlyargs, *spec.args]]
        names = names[:len(names) - len(closure.defaults)]
        if spec.vararg or spec.kwarg or spec.kwonlyargs:
            raise Refused("a derivative of a nested function with *, ** or keyword-only parameters",
                          fix="give it plain parameters", code="SD0218")
        self.count, self.keys = len(names), 0
        self.__name__ = self.__qualname__ = getattr(closure.node, "name", "lambda_")
        kind = inspect.Parameter.POSITIONAL_ONLY
        taken = next(n for n in ("captured", "captured_", "captured__") if n not in names)
        self.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in (*names, taken)])
        self.places: tuple = ()
        self.held: dict = {}

    def __call__(self, *args):
        raise TypeError(f"{self.__name__} exists only while a function is translated")

    def capture(self, t: Translator) -> Tuple:
        """Return the present values of what the function captures."""
        places, self.keys = _captured_places(t, self.closure), t.key()
        self.held = {p: t.state[p] for p in places if isinstance(t.state[p], _AS_IT_IS)}
        self.places = tuple(p for p in places if p not in self.held)
        for place in self.places:
            value = t.state[place]
            if isinstance(value, Ref) and value.kind not in (list, dict):
                raise Refused(f"a derivative of a function that captures {describe(value)} `{place[1]}`",
                              fix="pass its numbers as arguments", code="SD0218")
        return Tuple(tuple(t.state[p] for p in self.places))

    def __srcdiff_program__(self, args, keywords):
        from srcdiff.frontend.specialise import specialise_local
        found = specialise_local(self, args)
        mine = range(len(found.program.params))[_leaf_count(args[:-1]):]
        if any(position in mine for position in found.written):
            raise Refused(f"`{self.__name__}` writes an array that it captures",
                          why="a derivative evaluates the function without side effects",
                          fix="return the new values", code="SD0218")
        return found


def _leaf_count(tree) -> int:
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        return sum(map(_leaf_count, tree))
    return hasattr(tree, "ndim")


def _captured_places(t: Translator, closure: Closure) -> list[tuple]:
    """Return the places that a closure may read, directly or through functions that it may call."""
    found: dict = {}
    queue, seen = [closure], set()
    while queue:
        function = queue.pop()
        if id(function) in seen:
            continue
        seen.add(id(function))
        for identifier in dict.fromkeys(n.id for n in gast.walk(function.node) if isinstance(n, gast.Name)):
            frame = function.frame
            while frame is not None and identifier not in frame.locals:
                frame = frame.parent
            if frame is None or (place := (frame.key, identifier)) not in t.state:
                continue
            found[place] = None
            queue += _functions_in(t.state[place])
    return list(found)


def _functions_in(value) -> list[Closure]:
    if isinstance(value, MaybeUnbound | MaybeNone):
        return _functions_in(value.value)
    if isinstance(value, Closure):
        return [value]
    if isinstance(value, Partial):
        return _functions_in(value.function)
    local = local_of(value.value) if isinstance(value, Known) else None
    return [local.closure] if local is not None else []


def local_of(target) -> Local | None:
    """Return the nested function that a derivative object is made of, or None."""
    while target is not None:
        if isinstance(target, Local):
            return target
        if not hasattr(target, "__srcdiff_program__"):
            return None
        target = vars(target).get("base")
    return None


# -- transforms of nested functions -----------------------------------------------------------

def transformed(t: Translator, transform, function, rest: list, keywords: dict) -> Known:
    """Apply a transform to a nested function, or to a derivative of one."""
    local = function if isinstance(function, Local) else local_of(function)
    name = transform.__name__
    if name == "vmap":
        dims = rest.pop(0) if rest else keywords.pop("in_dims", 0)
        dims = tuple(dims) if isinstance(dims, tuple | list) else (dims,) * local.count
        keywords = {**keywords, "in_dims": (*dims, None)}
    elif rest:
        rest[0] = _counted(rest[0])
    elif "argnums" in keywords:
        keywords = {**keywords, "argnums": _counted(keywords["argnums"])}
    made = Known(transform(function, *rest, **keywords))
    t.kept_alive.append(made.value)
    return made


def _counted(argnums):
    """Count from the end over the tuple of captured values."""
    if isinstance(argnums, tuple | list):
        return tuple(map(_counted, argnums))
    return argnums - 1 if isinstance(argnums, int) and argnums < 0 else argnums


def call(t: Translator, target, local: Local, args, keywords):
    """Call a derivative of a nested function with the values that it captures now."""
    if keywords:
        raise Refused(f"a derivative of `{local.__name__}` gets keyword arguments",
                      fix="pass them by position", code="SD0218")
    found = inline.spliced(t, target, _with_captured(t, target, args, local.capture(t)), {})
    return _without_captured(found, target)


def _with_captured(t: Translator, target, args, captured: Tuple) -> tuple:
    """Return the arguments of a derivative of a nested function, with those that are not in the call."""
    first, *names = target.__signature__.parameters
    if first != "primals":
        return (*args, captured)
    primals, *others = args
    others = [_with(t, o, Known(None)) if name == "tangents" else o for o, name in zip(others, names, strict=False)]
    return (_with(t, primals, captured), *others)


def _without_captured(found, target):
    """Drop what a product with the Hessian says of the captured values: they are constants there."""
    recipe = getattr(target, "recipe", None)
    if type(recipe).__name__ != "Product":
        return found
    if recipe.has_aux or recipe.value:
        raise Refused("the Hessian product of a nested function with has_aux", fix="leave has_aux out",
                      code="SD0218")
    return found.items[0] if len(found.items) == 2 else Tuple(found.items[:-1])


def _with(t: Translator, values, last):
    contents = t.contents(values) if isinstance(values, Ref) else values
    if not isinstance(contents, Tuple):
        raise Refused(f"{describe(values)} stands where a tuple of primals or tangents is needed",
                      fix="write (x,) for one argument", code="SD0218")
    return Tuple((*contents.items, last))


def _copied(t: Translator, value):
    """Return a primal that later changes of the user's array or variable do not reach."""
    if isinstance(value, Known | Const):
        return value
    if isinstance(value, Tuple):
        return Tuple(tuple(_copied(t, v) for v in value.items), value.cls)
    if isinstance(value, Ref):
        raise Refused(f"`vjp` at {describe(value)}", fix="pass arrays, numbers or tuples of these", code="SD0218")
    return inline.copied(t, as_atom(t, value))


def _frozen(t: Translator, value):
    """Return a captured value that later changes do not reach; of lists and dicts, another one."""
    if not isinstance(value, Ref):
        return _copied(t, value)
    contents = t.contents(value)
    if isinstance(contents, Dict):
        return t.allocate(Dict(tuple((k, _frozen(t, v)) for k, v in contents.items)), value.kind)
    if isinstance(contents, Tuple):
        return t.allocate(Tuple(tuple(_frozen(t, v) for v in contents.items), contents.cls), value.kind)
    return t.allocate(_copied(t, contents), value.kind)


def _at_present(t: Translator, base):
    """Return what completes the arguments of derivatives of `base`, now or later, by what it captures now."""
    local = local_of(base)
    if local is None:
        return lambda t, target, *args: args
    captured = Tuple(tuple(_frozen(t, v) for v in local.capture(t).items))
    found = local.places, local.held, local.keys

    def complete(t, target, *args):
        local.places, local.held, local.keys = found
        return _with_captured(t, target, args, captured)

    return complete


def pullback(t: Translator, package, function, primals, keywords):
    """Translate ``out, pullback = sd.vjp(f, *primals)``.

    What cannot be one program in two sweeps is the function here, and all of its
    pullback there: a reverse sweep that is refused, which is said where it is asked
    for, and one of some of the outputs only.
    """
    if keywords:
        raise Refused("`vjp` with keyword arguments inside a differentiated function",
                      fix="leave has_aux out", code="SD0218")
    linear = importlib.import_module(f"{package.__name__}.api.linear")
    base = package.differentiate(function)
    t.kept_alive.append(base)
    complete, point = _at_present(t, base), Tuple(tuple(_copied(t, p) for p in primals))
    both, alone, whole = (base.derive(recipe()) for recipe in (linear.Sweeps, linear.Value, linear.Pullback))
    try:
        sweeps = Sweeps(t, both, complete(t, both, point))
        out = sweeps.value
    except SrcdiffError:
        sweeps, out = None, inline.spliced(t, alone, complete(t, alone, *point.items), {})

    def pulled(t, cotangent):
        found = sweeps and sweeps.pullback(t, cotangent)
        if found is None:
            found = inline.spliced(t, whole, complete(t, whole, point, cotangent), {})
        return Tuple(found.items[:len(primals)])

    return Tuple((out, Intrinsic(pulled)))
