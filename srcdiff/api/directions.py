"""Tangents and cotangents that a caller gives: matched with what they belong to, and checked."""

from __future__ import annotations

from dataclasses import replace

from srcdiff.api.arguments import names_of
from srcdiff.api.lazy import lazy
from srcdiff.api.special import Special, refuse, require_real
from srcdiff.errors import ShapeError
from srcdiff.structure import children, in_programs, is_leaf, map_tree
from srcdiff.syntax import Array, Param, Program, Static, Type, Var, is_complex, is_float

__all__ = ["cotangents", "fill", "tangent_leaves", "with_directions"]

compiler, Builder = lazy("srcdiff.compiler"), lazy("srcdiff.builder", "Builder")


def direction_leaves(primal: Special, tree, given, what: str, name: str):
    """Match the spec tree of a tangent or cotangent with the positions it belongs to.

    Returns
    -------
    list of (position or None, type)
        One for each numeric leaf of `given`; None where it is ignored.
    """
    if isinstance(given, Static) and given.value is None:
        return []
    if is_leaf(tree):
        return _direction_leaf(primal, tree, given, what, name)
    if is_leaf(given) or len(children(given)) != len(children(tree)):
        refuse(f"the {what} of {name} does not have its structure",
               why=f"{name} has {len(children(tree))} parts, the {what} "
                   + ("is one value" if is_leaf(given) else f"has {len(children(given))}"),
               fix=f"give one {what} for each part", code="SD0311")
    pairs = zip(children(tree), children(given), strict=True)
    return [leaf for i, (t, g) in enumerate(pairs)
            for leaf in direction_leaves(primal, t, g, what, f"{name}[{i}]")]


def _direction_leaf(primal: Special, position, given, what: str, name: str):
    if not is_leaf(given):
        refuse(f"the {what} of {name} has {len(children(given))} parts, {name} is one value",
               fix=f"give one {what}, shaped like {name}", code="SD0311")
    if isinstance(given, Static):
        refuse(f"the {what} of {name} is {given.value!r}, not a number or an array", code="SD0311",
               fix=f"give a number or an array, shaped like {name}")
    if isinstance(position, Static):
        refuse(f"{name} is {position.value!r} and has no {what}", fix=f"give None as its {what}",
               code="SD0311")
    return [(position, given)]


def check_direction(type_: Type, given: Type, what: str, name: str) -> None:
    """Refuse a tangent or cotangent whose rank or dtype is not that of its primal."""
    if given.ndim != type_.ndim:
        refuse(f"the {what} of {name} has {given.ndim} axes, {name} has {type_.ndim}",
               fix=f"a {what} has the shape of what it belongs to", code="SD0310", error=ShapeError)
    if isinstance(type_, Array) and given.dtype != type_.dtype:
        refuse(f"the {what} of {name} has dtype {given.dtype}, {name} has {type_.dtype}",
               fix=f"convert it: .astype(np.{type_.dtype})", code="SD0312")
    if given.dtype.startswith("complex") and not type_.dtype.startswith("complex"):
        refuse(f"the {what} of {name} is complex, {name} is real", code="SD0312",
               fix="give its real part, or one call for each part")


def accepting(program: Program, given: dict[str, Type]) -> tuple[Program, dict[str, str]]:
    """Let scalar parameters be passed as other types of number (an int for a float).

    Returns the program and the new name of each parameter.
    """
    given = {name: in_programs(type_) for name, type_ in given.items()}
    builder, names = Builder(program.types), {}
    for name, type_ in given.items():
        own, names[name] = program.types[name], name
        if own != type_:
            names[name] = builder.fresh(f"{name}_given", type_)
            value = Var(names[name])
            if own.dtype != type_.dtype or not own.weak:
                value = builder.op("cast", value, dtype=own.dtype)
            builder.assign(name, "weaken" if own.weak else "copy", value)
    params = tuple(replace(p, name=names.get(p.name, p.name), type=given.get(p.name, p.type))
                   for p in program.params)
    return replace(program, params=params, body=builder.take() + program.body,
                   types=builder.types), names


def with_directions(program: Program, start: int, given: list[Type]) -> tuple[Program, list[str]]:
    """Give the parameters from `start` on the types that they are passed as; return their names."""
    own = [p.name for p in program.params[start:]]
    program, names = accepting(program, dict(zip(own, given, strict=True)))
    return program, [names[name] for name in own]


def fill(given, names: list):
    """Replace the types in a spec tree by `names` in order; static leaves stay."""
    rest = iter(names)
    return map_tree(lambda leaf: leaf if isinstance(leaf, Static) else next(rest), given)


def tangent_leaves(primal: Special, base, trees, given):
    """Return the positions that have a tangent, and the types of the tangents."""
    found = []
    for i, (tree, spec) in enumerate(zip(trees, given, strict=True)):
        found += direction_leaves(primal, tree, spec, "tangent", base.argument_name(i))
    for position, type_ in found:
        own, name = primal.type(position), primal.name(position)
        if not is_float(own) or is_complex(own):
            refuse(f"argument '{name}' has dtype {own.dtype} and no tangent",
                   fix="give None as its tangent", code="SD0303")
        check_direction(own, type_, "tangent", name)
    return [p for p, _ in found], [t for _, t in found]


def cotangents(primal: Special, outputs, given, active, base, make=None):
    """Return the adjoint program, the names of all cotangents, and of those that are read.

    ``make(names, outputs)`` gives the program, whose last parameters are the
    cotangents of these outputs; that of the pullback if it is None.
    """
    require_real(primal.program, outputs, base.__name__)
    found = direction_leaves(primal, outputs, given, "cotangent", f"the output of {base.__name__}")
    read = []
    for position, type_ in found:
        own = primal.program.type_of(primal.program.results[position])
        if is_float(own):
            check_direction(own, type_, "cotangent", f"the output of {base.__name__}")
            read.append((position, type_))
    names, positions = names_of(primal, active), tuple(p for p, _ in read)
    program = make(names, positions) if make else compiler.pullback(primal.bare, names, positions, base.options.within)
    program, bars = with_directions(program, len(program.params) - len(read), [t for _, t in read])
    linear, names, rest = frozenset(bars), [], iter(bars)
    for position, type_ in found:
        if is_float(primal.program.type_of(primal.program.results[position])):
            names.append(next(rest))
        else:
            builder = Builder(program.types)
            names.append(builder.fresh("ignored", type_))
            program = replace(program, params=(*program.params, Param(names[-1], type_)),
                              types=builder.types)
    return program, names, linear
