"""Write the statements of one rule: values of a differential's expression in the normal form.

An `Emission` lives for one statement.  It gives each operation once (shared
subexpressions are emitted once), folds constants, and knows which operands a
value has the shape of.  It knows no rule and no mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import CodeType, MappingProxyType

import numpy as np

from srcdiff.builder import Builder
from srcdiff.primitives import PRIMITIVES, infer
from srcdiff.rules.expression import Answer, Apply, Number, Operand, differentials
from srcdiff.syntax import Array, Assign, Atom, Const, Type, Var, is_complex

__all__ = ["EMIT_FORM", "Emission", "settle"]

# How each form of the rule language is written: (emission, operands, **static) -> atom.
EMIT_FORM: dict[str, Callable] = {}

ANS = "ans"
_STEMS = {"sin", "cos", "exp", "log", "sqrt", "sinh", "cosh", "sign", "digamma", "hypot"}


class Emission:
    """The statements that one rule adds for one statement.

    Parameters
    ----------
    builder
        Receives the statements.
    stmt
        The primal statement.
    extents
        Emits the extents of an operand.
    defaults
        Static keywords that the statement may leave out.
    """

    def __init__(self, builder: Builder, stmt: Assign, extents: Callable[[int], tuple[Atom, ...]],
                 defaults: Mapping[str, object] = MappingProxyType({})):
        self.builder = builder
        self.stmt = stmt
        self.static: dict[str, object] = {**defaults, **stmt.keywords}
        self._made: dict[tuple, Atom] = {}
        self._extents, self._extents_made = extents, {}
        self._shape: dict[str, frozenset] = {}
        for i, arg in enumerate(stmt.args):
            self.shaped_like(arg, i)
        self.shaped_like(Var(stmt.target), ANS)

    # -- types and shapes -----------------------------------------------------------

    def type_of(self, atom: Atom) -> Type:
        return self.builder.type_of(atom)

    def operand(self, position: int) -> Type:
        """Return the type of an operand of the statement."""
        return self.type_of(self.stmt.args[position])

    def extents(self, position: int) -> tuple[Atom, ...]:
        if position not in self._extents_made:
            self._extents_made[position] = tuple(self._extents(position))
        return self._extents_made[position]

    def shape(self, atom: Atom) -> frozenset:
        """Return the operands (positions, or "ans") whose extents went into those of `atom`."""
        return self._shape.get(atom.name, frozenset()) if isinstance(atom, Var) else frozenset()

    def shaped_like(self, atom: Atom, *sources) -> None:
        if isinstance(atom, Var) and isinstance(self.type_of(atom), Array):
            self._shape[atom.name] = self.shape(atom) | set(sources)

    # -- statements -------------------------------------------------------------------

    def op(self, name: str, *args: Atom, **static) -> Atom:
        """Return ``name(*args)``: folded, shared with an earlier one, or a new statement."""
        if (folded := self._fold(name, args, static)) is not None:
            return folded
        key = (name, args, tuple(sorted(static.items())))
        if key not in self._made:
            made = self.builder.op(name, *args, stem=_stem(name, args), **static)
            self.shaped_like(made, *frozenset().union(*map(self.shape, args)))
            self._made[key] = made
        return self._made[key]

    def load(self, array: Atom, index: tuple) -> Var:
        made = self.builder.load(array.name, index)
        self.shaped_like(made, *self.shape(array))
        return made

    def _fold(self, name, args, static) -> Atom | None:
        if args and all(isinstance(a, Const) for a in args) and (
                PRIMITIVES[name].kind == "elementwise" and not PRIMITIVES[name].opaque):
            with np.errstate(all="ignore"):
                value = PRIMITIVES[name].evaluate(*(a.value for a in args), **static)
            value = value.item() if isinstance(value, np.generic) else value
            return Const(value) if name != "cast" else None
        match name, args:
            case "multiply", (Const(value=1), x) | (x, Const(value=1)):
                pass
            case "power" | "divide", (x, Const(value=1)):
                pass
            case "power", (_, Const(value=0)):
                return Const(1.0)
            case "where", (Const(value=condition), a, b):
                x = a if condition else b
            case _:
                return None
        pairs = tuple(sorted(static.items()))
        return x if infer(name, tuple(map(self.type_of, args)), pairs) == self.type_of(x) else None

    # -- values of nodes ----------------------------------------------------------------

    def value(self, node) -> Atom:
        """Emit a coefficient: an expression without differentials."""
        match node:
            case Operand(position):
                return self.stmt.args[position]
            case Answer():
                return Var(self.stmt.target)
            case Number(value):
                return Const(value)
            case Apply(function, args):
                return self.apply(function, *map(self.value, args), **self.keywords(node))
        raise TypeError(node)

    def linear(self, node, given: dict[int, Atom]) -> Atom | None:
        """Emit a linear expression; a differential that is not given is zero.

        Returns None for a structural zero.
        """
        if not isinstance(node, Apply):
            return given.get(getattr(node, "position", None))
        if node.function in ("add", "subtract"):
            left, right = (self.linear(arg, given) for arg in node.args)
            if right is None:
                return left
            if left is None:
                return right if node.function == "add" else self.op("negative", right)
            return self.op(node.function, left, right)
        if node.function == "where":
            branches = [self.linear(arg, given) for arg in node.args[1:]]
            if branches == [None, None]:
                return None
            zeros = (Const(0.0) if b is None else b for b in branches)
            return self.op("where", self.value(node.args[0]), *zeros)
        linear = [bool(differentials(arg)) for arg in node.args]
        moved = self.linear(node.args[linear.index(True)], given)
        if moved is None:
            return None
        args = (moved if is_linear else self.value(arg)
                for arg, is_linear in zip(node.args, linear, strict=True))
        return self.apply_to_differential(node.function, *args, **self.keywords(node))

    def apply_to_differential(self, function: str, *args: Atom, **static) -> Atom:
        """Emit what a rule does to a differential; a division is marked, as it may become a product."""
        if function != "divide":
            return self.apply(function, *args, **static)
        with self.builder.at(replace(self.builder.where, of_differential=True)):
            return self.apply(function, *args, **static)

    def apply(self, function: str, *args: Atom, **static) -> Atom:
        """Emit a primitive or a form."""
        emit = EMIT_FORM.get(function)
        return emit(self, *args, **static) if emit else self.op(function, *args, **static)

    def keywords(self, node: Apply) -> dict[str, object]:
        return {key: eval(code, {}, self.static) if isinstance(code, CodeType) else code
                for key, code in node.static}


def _stem(name: str, args: tuple[Atom, ...]) -> str:
    """Name a shared value after what it is: `cos_x`; anything else is `t`."""
    if name in _STEMS and len(args) == 1 and isinstance(args[0], Var):
        return f"{name}_{args[0].name}"
    return "t"


def settle(builder: Builder, atom: Atom, type_: Type) -> Atom:
    """Give `atom` the dtype (and weakness) of `type_`; its rank must fit already.

    What a complex cotangent gives a real operand is its real part (`srcdiff.rules.complex_plane`).
    """
    found = builder.type_of(atom)
    if is_complex(found) and not is_complex(type_):
        return settle(builder, builder.op("real", atom), type_)
    if found == type_ or isinstance(atom, Const) and not isinstance(type_, Array):
        return atom
    if found.dtype != type_.dtype or not getattr(type_, "weak", False):
        atom = builder.op("cast", atom, dtype=type_.dtype)
    return builder.op("weaken", atom) if getattr(type_, "weak", False) else atom
