"""Numbers and values of the declared precision, where NumPy and Numba would choose another."""

from __future__ import annotations

import gast

from srcdiff.primitives import PRIMITIVES
from srcdiff.printing.spelling import constant, converter, dtype_name, expression
from srcdiff.printing.trees import strength_differs
from srcdiff.syntax import Array, Assign, Atom, Const, Type

__all__ = ["as_element", "convert", "narrowed", "number", "unsigned"]

# Their overflow wraps in NumPy; Numba computes with 64 bits.
MEETING = frozenset({"add", "subtract", "multiply", "floor_divide", "remainder", "power", "maximum", "minimum", "fmax", "fmin", "where",
                     "bitwise_and", "bitwise_or", "bitwise_xor"})
WRAPPING = frozenset({"int8", "int16", "int32", "uint8", "uint16", "uint32"})


def number(atom: Const, declared: Type, narrow: bool) -> gast.expr:
    """Return a constant of the declared type."""
    kinds = {"bool": bool, "int64": int, "float64": float, "complex128": complex}
    kind = kinds.get(declared.dtype)
    if kind is None or (narrow and not declared.weak):
        return expression(converter(declared), a=constant(atom.value))
    return constant(kind(atom.value))


def as_element(atom: Atom, array: Type) -> Atom:
    """Return what is stored in an array as a number of its kind: 0.0, not 0, among floats."""
    if isinstance(atom, Const) and type(atom.value) is int and array.dtype in ("float32", "float64"):
        return Const(float(atom.value))
    return atom


def narrowed(stmt: Assign, types: tuple[Type, ...], trees: list[gast.expr]) -> list[gast.expr]:
    """Give the Python numbers of an operation the precision of the narrow scalars they meet.

    NumPy does so by itself; Numba would compute in double precision.
    """
    if len(types) < 2 or any(isinstance(t, Array) for t in types):
        return trees
    if PRIMITIVES[stmt.op].kind != "elementwise":       # extents are no precision
        return trees
    if not any(t.dtype in ("float32", "complex64") and not t.weak for t in types):
        return trees
    if stmt.op == "power" and isinstance(trees[1], gast.Constant) and types[1].dtype == "int64":
        return trees                # Numba keeps the type of the base
    wide = [t.weak and t.dtype in ("float64", "int64") for t in types]
    return [expression("np.float32(a)", a=tree) if w else tree for tree, w in zip(trees, wide, strict=True)]


def unsigned(stmt: Assign, types: tuple[Type, ...], given: Type, trees: list[gast.expr]) -> list[gast.expr]:
    """Give what an unsigned number of 64 bits meets the type in which NumPy computes.

    Numba would take both as signed ones.
    """
    if stmt.op not in MEETING or not any(t.dtype == "uint64" for t in types) or any(isinstance(t, Array) for t in types):
        return trees
    if given.dtype not in ("uint64", "float64"):
        return trees
    return [tree if t.dtype in (given.dtype, "float64") or stmt.op == "where" and i == 0 else
            expression(f"np.{given.dtype}(a)", a=tree) for i, (tree, t) in enumerate(zip(trees, types, strict=True))]


def convert(tree: gast.expr, given: Type, declared: Type, narrow: bool, computed: bool) -> gast.expr:
    """Return the tree, with a conversion if the variable's type is not the value's.

    `computed` says that the value is an operation's, whose strength Numba may see otherwise.
    """
    if isinstance(declared, Array):
        if given.dtype != declared.dtype:
            return expression(f"a.astype({dtype_name(declared.dtype)})", a=tree)
        return tree
    wraps = computed and declared.dtype in WRAPPING and isinstance(tree, gast.BinOp | gast.UnaryOp | gast.Call)
    strength = wraps or narrow and (given.weak != declared.weak or computed and strength_differs(tree, declared))
    if given.dtype != declared.dtype or strength:
        return expression(converter(declared), a=tree)
    return tree
