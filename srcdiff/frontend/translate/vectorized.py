"""`np.vectorize`: a function of Python numbers, called for each element of the arrays that it is given.

NumPy makes the result an array of the type that the first element gives, whatever the others are, unless `otypes` says
another.  So where the type may depend on the path taken (`return 0` beside `return v * v`) and `otypes` is missing, the call
is refused.
"""

from __future__ import annotations

import numpy as np

from srcdiff.frontend.in_python import shapes
from srcdiff.frontend.translate.attempts import Attempt
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.kinds import array_without_axes
from srcdiff.frontend.translate.library import in_python_call
from srcdiff.frontend.translate.numpy_arguments import NONE, array, dtype_of, extents_of, none, refuse_given
from srcdiff.frontend.translate.values import Intrinsic, Known, PoisonUsed, Ref, Refused, Tuple, is_atom, same
from srcdiff.syntax import Assign, Const, Scalar, Store, walk

__all__ = ["HANDLERS", "of_object"]

_CHOOSE = ("maximum", "minimum", "where")


def vectorize(t, pyfunc, otypes=NONE, doc=NONE, excluded=NONE, cache=Const(False), signature=NONE):
    refuse_given(excluded=excluded, signature=signature)
    if isinstance(otypes, Ref):
        otypes = t.contents(otypes)
    if isinstance(otypes, Tuple):
        (otypes,) = otypes.items if len(otypes.items) == 1 else (Known("several"),)
    return Intrinsic(lambda t, *args: _over_elements(t, pyfunc, args, otypes))


def of_object(t: Translator, function: Known, args, keywords):
    """Call a `np.vectorize` object that was made outside."""
    target = function.value
    types = [] if target.otypes is None else list(target.otypes)
    if keywords or target.excluded or target.signature or len(types) > 1:
        raise Refused("np.vectorize with keywords, `excluded=`, `signature=` or several results", fix="write the loop over the elements",
                      code="SD0239")
    inner = Known(target.pyfunc, function.origin and function.origin.attribute("pyfunc"))
    return _over_elements(t, inner, args, Known(types[0] if types else None))


def _over_elements(t, function, args, otypes):
    from srcdiff.frontend.translate.calls import call
    arrays = tuple(array(t, a) for a in args)
    if not arrays:
        raise Refused("np.vectorize of a function without arguments", fix="call the function", code="SD0239")
    dtype = _dtype(t, function, arrays, otypes)
    if not any(t.ndim(a) for a in arrays):
        return array_without_axes(t, t.cast(call(t, function, tuple(map(t.weak, arrays)), {}), dtype))
    empty = Intrinsic(lambda t, shape: t.emit("zeros", *extents_of(t, shape), dtype=dtype))
    return in_python_call(t, shapes.element_by_element, empty, Const(none(otypes)), function, *arrays)


def _dtype(t, function, arrays, otypes) -> str:
    """Return the dtype of the result: that of one call, which is translated and discarded."""
    from srcdiff.frontend.translate.calls import call
    attempt, converted, before = Attempt.of(t), t.converted, set(t.builder.types)
    with t.builder.nested() as body:
        made = call(t, function, tuple(t.weak(_first(t, a)) for a in arrays), {})
    if len(t.problems) > attempt.problems:
        raise PoisonUsed
    changed = any(not same(t.state.get(place), held) for place, held in attempt.state.items() if place[0] == "heap")
    attempt.undo(t)
    if changed or any(isinstance(s, Store) and s.array in before for s in walk(body)):
        raise Refused("np.vectorize of a function that changes arrays or lists from outside of it",
                      why="NumPy calls it once more for the first element", fix="write the loop over the elements", code="SD0239")
    if not is_atom(made) or not isinstance(t.type_of(made), Scalar):
        raise Refused(f"np.vectorize of a function that returns {describe(made)}", code="SD0239",
                      fix="return one number, or write the loop over the elements")
    found = t.type_of(made).dtype
    if not none(otypes):
        return _wanted(otypes, found)
    if t.converted != converted or any(_mixes(t, s) for s in walk(body)):
        raise Refused("np.vectorize of a function whose results may have different types", code="SD0239",
                      why="NumPy takes the type of the first element for all, and would cut the others",
                      fix="say which it is: np.vectorize(f, otypes=[float])")
    return found


def _first(t, atom):
    return t.builder.load(atom.name, (Const(0),) * t.ndim(atom)) if t.ndim(atom) else atom


def _mixes(t, stmt) -> bool:
    """Tell whether a statement chooses between numbers of different types."""
    return isinstance(stmt, Assign) and stmt.op in _CHOOSE and len({t.type_of(a).dtype for a in stmt.args[-2:]}) > 1


def _wanted(otypes, found: str) -> str:
    dtype = dtype_of(otypes)
    if not np.can_cast(found, dtype, "same_kind"):
        raise Refused(f"np.vectorize cuts results of {found} to {dtype}", fix="ask for a type that holds them", code="SD0239")
    return dtype


HANDLERS = {np.vectorize: vectorize}
