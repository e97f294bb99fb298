"""Which arguments a transform differentiates, and the signatures of what it returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from srcdiff.api.special import Special, output_leaves, refuse, require_floats
from srcdiff.structure import leaves, map_tree
from srcdiff.syntax import Static, is_complex, is_float

__all__ = [
    "Argnums", "at_least_two", "chosen", "differentiated", "float_leaves", "moved", "names_of", "pair",
    "primals_and_one", "signature_of", "specialised", "with_vector",
]

Argnums = int | str | tuple


def chosen(args, keywords, base, which: int | str):
    """Return (name, tree) of the argument that an argnum or a name means."""
    if isinstance(which, str):
        return which, _by_name(base, args, keywords, which)
    position = which + len(args) if which < 0 else which
    if not 0 <= position < len(args):
        refuse(f"argnums={which} names no argument: {base.__name__} is called with "
               f"{len(args)} positional argument{'s' * (len(args) != 1)}",
               fix=f"its signature is {base.__name__}{base.__signature__}", code="SD0305")
    return base.argument_name(position), args[position]


def _by_name(base, args, keywords, name):
    if name in keywords:
        return keywords[name]
    for position in range(len(args)):
        if base.argument_name(position) == name:
            return args[position]
    refuse(f"argnames={name!r} names no argument of this call of {base.__name__}",
           fix=f"its signature is {base.__name__}{base.__signature__}", code="SD0305")


def per_argument(argnums: Argnums, make: Callable):
    """Apply `make` to the one argument, or to each in a tuple, giving a tuple."""
    return tuple(map(make, argnums)) if isinstance(argnums, tuple) else make(argnums)


def differentiated(primal: Special, base, argnums: Argnums):
    """Return the tree of positions of the arguments, and the positions in order, each once.

    A structure may hold integers beside its floats: they are constants, and None in the tree.
    """
    def active(position):
        constant = isinstance(position, Static) or not is_float(primal.type(position))
        return Static(None) if constant else position

    tree = per_argument(argnums, lambda which: map_tree(active, chosen(*primal.inputs, base, which)[1]))
    return tree, list(dict.fromkeys(output_leaves(tree)))


def specialised(base, args, keywords, argnums: Argnums) -> Special:
    """Specialise the base of a transform, after its arguments have been found fit for it."""
    per_argument(argnums, lambda which: require_floats(*chosen(args, keywords, base, which)))
    return base.specialise(args, keywords)


def names_of(primal: Special, positions) -> tuple[str, ...]:
    return tuple(primal.name(p) for p in positions)


def moved(tree, place: dict):
    """Replace positions in a tree; static leaves become None."""
    return map_tree(lambda p: Static(None) if isinstance(p, Static) else place[p], tree)


def float_leaves(primal: Special, tree) -> list[int]:
    """Return the positions that can be differentiated: the real floating-point ones."""
    types = {p: primal.type(p) for p in leaves(tree) if not isinstance(p, Static)}
    return [p for p in leaves(tree) if p in types and is_float(types[p]) and not is_complex(types[p])]


def pair(args, first: str, second: str):
    """Return two tuples of arguments of equal length."""
    if len(args) != 2 or not all(isinstance(a, tuple | list) for a in args):
        refuse(f"{first} and {second} must be tuples, one entry for each argument of the function",
               fix=f"write ({first}[0],) for one argument", code="SD0313")
    primals, others = map(tuple, args)
    if len(primals) != len(others):
        refuse(f"there are {len(primals)} {first} and {len(others)} {second}", code="SD0311",
               fix=f"give one of the {second} for each of the {first}")
    return primals, others


def primals_and_one(args, what: str):
    """Return a tuple of primals, and what is given besides."""
    if len(args) != 2 or not isinstance(args[0], tuple | list):
        refuse(f"primals must be a tuple, one entry for each argument of the function, with {what} after it",
               fix="write (x,) for one argument", code="SD0313")
    return tuple(args[0]), args[1]


def at_least_two(args):
    if len(args) < 2:
        refuse("the point and the vector are needed", fix="call it as (x, v, *args)", code="SD0306")
    return args


def signature_of(*names: str) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])


def with_vector(base: inspect.Signature) -> inspect.Signature:
    """Insert the vector behind the first parameter."""
    first, *rest = base.parameters.values()
    positional = inspect.Parameter.POSITIONAL_ONLY
    name = next(n for n in ("v", "vector", "_vector") if n not in base.parameters)
    head = [first.replace(kind=positional, default=inspect.Parameter.empty),
            inspect.Parameter(name, positional)]
    return inspect.Signature([*head, *rest])
