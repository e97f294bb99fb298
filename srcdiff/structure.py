"""Structure of arguments and results: abstract values, keys, and taking trees apart.

Programs are flat; users are not.  A *tree* here is a tuple, list, dict,
NamedTuple or dataclass of leaves.  This module turns values into the specs that
programs are specialised to (`abstract`), into the cheap keys that calls are
dispatched on (`key_of`), and writes the Python expressions that flatten the
arguments of a call and form its result.  It knows nothing of derivatives.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import namedtuple
from collections.abc import Callable, Iterator

import numpy as np

from srcdiff.errors import ArgumentError, Problem
from srcdiff.syntax import Array, Program, Scalar, Static, Type

__all__ = [
    "ListArray", "SizedArray", "abstract", "array_of_list", "children", "expressions", "extents_key", "fields_of", "in_programs",
    "flat_values", "is_leaf", "key_of", "leaves", "map_tree", "numbered",
    "pack", "pack_leaf", "pack_plain", "ready", "rebuild", "result_tree", "same_structure",
]

DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128".split())
PYTHON_NUMBERS = {float: "float64", int: "int64", complex: "complex128"}
NUMBERS = frozenset({float, int, complex} | {np.dtype(name).type for name in DTYPES})


# -- trees ----------------------------------------------------------------------

def is_leaf(tree) -> bool:
    """Tell whether `tree` is a leaf: a type, a position, a static value, any other object."""
    return not isinstance(tree, tuple | list | dict) and not _is_record(tree)


def _is_record(value) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type | Scalar | Array | Static)


def children(tree) -> list:
    """Return the subtrees of a tree that is no leaf, in order."""
    if isinstance(tree, dict):
        return list(tree.values())
    if _is_record(tree):
        return [getattr(tree, f.name) for f in dataclasses.fields(tree)]
    return list(tree)


def rebuild(tree, parts):
    """Return a tree of the kind of `tree` with other subtrees."""
    if isinstance(tree, dict):
        return dict(zip(tree, parts, strict=True))
    if hasattr(tree, "_fields") or _is_record(tree):
        return type(tree)(*parts)
    return type(tree)(parts)


def leaves(tree) -> Iterator:
    """Yield the leaves of a tree from left to right."""
    if is_leaf(tree):
        yield tree
    else:
        for child in children(tree):
            yield from leaves(child)


def map_tree(function: Callable, tree, *others):
    """Apply `function` to the leaves of `tree` and what stands there in the other trees.

    Only `tree` decides what is a leaf; the others must contain its structure.
    """
    if is_leaf(tree):
        return function(tree, *others)
    parts = zip(children(tree), *map(children, others), strict=True)
    return rebuild(tree, [map_tree(function, *part) for part in parts])


def same_structure(a, b) -> bool:
    """Tell whether two trees branch alike, whatever their leaves."""
    if is_leaf(a) or is_leaf(b):
        return is_leaf(a) and is_leaf(b)
    return (type(a) is type(b) and len(children(a)) == len(children(b))
            and (not isinstance(a, dict) or list(a) == list(b))
            and all(map(same_structure, children(a), children(b))))


def numbered(tree, start: int = 0) -> tuple[object, int]:
    """Replace each type in a spec tree by its flat position; static leaves stay.

    Returns the new tree and the next position.
    """
    position = start

    def number(leaf):
        nonlocal position
        if isinstance(leaf, Static):
            return leaf
        position += 1
        return position - 1

    return map_tree(number, tree), position


def result_tree(program: Program):
    """Return `program.tree`, with the shorthand for one bare result written out."""
    if program.tree is None:
        return 0 if len(program.results) == 1 else tuple(range(len(program.results)))
    return program.tree


# -- abstract values ----------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class SizedArray(Array):
    """The spec of an array whose extents shape the code."""

    extents: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class ListArray(SizedArray):
    """The spec of a list of numbers: an array for programs, a list where the user's function reads it."""


def in_programs(spec: Type) -> Type:
    """Return the type that a value of this spec has in a program."""
    return Array(spec.dtype, spec.ndim) if isinstance(spec, SizedArray) else spec


@functools.cache
def fields_of(cls: type) -> type:
    """Return the NamedTuple class that stands for a dataclass inside programs."""
    record = namedtuple(cls.__name__, [f.name for f in dataclasses.fields(cls)])
    record.__dataclass__ = cls
    return record


def array_of_list(value: list) -> np.ndarray | None:
    """Return a list of numbers, or regular lists of lists of numbers, as an array.

    None where the list is a structure (of arrays, tuples, strings, ...).
    """
    def numbers_only(item):
        if type(item) is list:
            return all(map(numbers_only, item))
        return type(item) in NUMBERS or type(item) is bool

    if not numbers_only(value):
        return None
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        return None
    return array if array.dtype.name in DTYPES else None


def is_one_value(value) -> bool:
    """Tell whether a value is a leaf where specs have one: a list of numbers is, too."""
    return is_leaf(value) or isinstance(value, list) and array_of_list(value) is not None


def map_values(function: Callable, value):
    """Apply `function` to what `is_one_value` in a value, from left to right."""
    if is_one_value(value):
        return function(value)
    return rebuild(value, [map_values(function, child) for child in children(value)])


def _refuse(what: str, fix: str):
    raise ArgumentError(Problem("SD0301", what, fix=fix))


def abstract(value, name: str = "argument", sized: bool = False):
    """Return the spec of a value: its type, or a tree of types and static values.

    Parameters
    ----------
    sized
        Whether the specs of arrays and lists hold their extents.

    Raises
    ------
    ArgumentError
        An array of a kind that has no derivative code: masked, of objects, of
        halves or long doubles.
    """
    kind = type(value)
    if isinstance(value, np.ndarray):
        return _abstract_array(value, name, sized)
    if kind in PYTHON_NUMBERS:
        return Scalar(PYTHON_NUMBERS[kind], weak=True)
    if kind in NUMBERS:
        return Scalar(value.dtype.name)
    if kind is list and (array := array_of_list(value)) is not None:
        return ListArray(array.dtype.name, array.ndim, array.shape if sized else None)
    if isinstance(value, np.generic):
        _refuse(f"argument '{name}' is a {kind.__name__} number, for which no code is generated",
                "convert it to float64 or float32")
    if isinstance(value, tuple | list):
        return rebuild(value, [abstract(v, f"{name}[{i}]", sized) for i, v in enumerate(value)])
    if isinstance(value, dict):
        return {k: abstract(v, f"{name}[{k!r}]", sized) for k, v in value.items()}
    if _is_record(value):
        return fields_of(kind)(*(abstract(getattr(value, f.name), f"{name}.{f.name}", sized)
                                  for f in dataclasses.fields(value)))
    if hasattr(value, "__array__") and not isinstance(value, type):
        _refuse(f"argument '{name}' is a {kind.__module__}.{kind.__name__}, not an array",
                f"pass a NumPy array, for example np.asarray({name})")
    return Static(value)


def _abstract_array(value: np.ndarray, name: str, sized: bool) -> Type:
    if isinstance(value, np.ma.MaskedArray | np.matrix):
        _refuse(f"argument '{name}' is a {type(value).__name__}; its arithmetic is not that of arrays",
                "pass a plain array")
    if value.dtype.name not in DTYPES:
        _refuse(f"argument '{name}' is an array of dtype {value.dtype}, for which no code is generated",
                "convert it, for example with .astype(np.float64)")
    if sized and value.ndim:
        return SizedArray(value.dtype.name, value.ndim, value.shape)
    return Array(value.dtype.name, value.ndim) if value.ndim else Scalar(value.dtype.name)


def extents_key(value):
    """Return a hashable key of the extents of all arrays and the lengths of all lists in a value."""
    if isinstance(value, np.ndarray):
        return value.shape
    return None if is_leaf(value) else tuple(map(extents_key, children(value)))


# -- keys ---------------------------------------------------------------------------

def key_of(value, _array=np.ndarray, _numbers=NUMBERS):
    """Return a hashable key that determines the spec of a value and how it is flattened.

    This runs for every argument of every call.
    """
    kind = type(value)
    if kind is _array:
        return value.dtype, value.ndim, value.flags.num
    if kind in _numbers:
        return kind
    if kind is tuple:
        return kind, *map(key_of, value)
    return _other_key(value, kind)


def _other_key(value, kind):
    if isinstance(value, np.ndarray):
        return kind, value.dtype, value.ndim, value.flags.num
    if kind is list and (array := array_of_list(value)) is not None:
        return kind, array.dtype, array.ndim
    if isinstance(value, tuple | list):
        return kind, *map(key_of, value)
    if isinstance(value, dict):
        return kind, tuple(value), *map(key_of, value.values())
    if _is_record(value):
        return kind, *map(key_of, children(value))
    return kind, value


# -- code that flattens arguments and forms results -----------------------------------

def ready(array: np.ndarray) -> np.ndarray:
    """Return a C-contiguous, aligned, writeable array in native byte order."""
    native = array.dtype.newbyteorder("=")
    return np.require(np.asarray(array), native, ["C", "A", "W"])


def _is_ready(array: np.ndarray) -> bool:
    flags = array.flags
    return (type(array) is np.ndarray and flags.c_contiguous and flags.aligned and flags.writeable
            and array.dtype.isnative)


def expressions(value, text: str) -> list[str]:
    """Write one expression for each numeric leaf of a value that `text` denotes.

    The names ``ready`` and ``array_of_list`` of this module must be in scope
    where the expressions run.
    """
    kind = type(value)
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return [f"{text}[()]"]
        return [text if _is_ready(value) else f"ready({text})"]
    if kind in NUMBERS:
        return [text]
    if kind is list and array_of_list(value) is not None:
        return [f"array_of_list({text})"]
    if isinstance(value, tuple | list):
        parts = [(v, f"{text}[{i}]") for i, v in enumerate(value)]
    elif isinstance(value, dict):
        parts = [(v, f"list({text}.values())[{i}]") for i, v in enumerate(value.values())]
    elif _is_record(value):
        parts = [(getattr(value, f.name), f"{text}.{f.name}") for f in dataclasses.fields(value)]
    else:
        parts = []
    return [e for part in parts for e in expressions(*part)]


def flat_values(value) -> list:
    """Return the numeric leaves of a value, as generated code takes them."""
    scope = {"value": value, "ready": ready, "array_of_list": array_of_list}
    return [eval(text, scope) for text in expressions(value, "value")]


class Names(dict):
    """The namespace of a generated expression; `hold` adds an object to it."""

    def hold(self, value, stem: str = "k") -> str:
        name = f"{stem}{len(self)}"
        self[name] = value
        return name


def pack(tree, types: tuple[Type, ...], names: Names, results: str = "r") -> str:
    """Write the expression that forms the user's result from the flat tuple `results`.

    Numbers get the type that the program says: Numba returns Python numbers only.
    """
    if isinstance(tree, bool | int):
        return pack_leaf(types[tree], f"{results}[{tree}]", names)
    if isinstance(tree, Static):
        return repr(tree.value) if tree.value is None else names.hold(tree.value)
    parts = [pack(t, types, names, results) for t in children(tree)]
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{names.hold(k)}: {p}" for k, p in zip(tree, parts, strict=True)) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(parts) + "]"
    inside = ", ".join(parts)
    if hasattr(tree, "_fields"):
        return f"{names.hold(getattr(type(tree), '__dataclass__', type(tree)))}({inside})"
    return f"({inside},)" if parts else "()"


def pack_plain(tree, names: Names, results: str = "r") -> str:
    """Write the same for compiled code, where numbers have their types already."""
    if isinstance(tree, int) and not isinstance(tree, bool):
        return f"{results}[{tree}]"
    if isinstance(tree, Static):
        return repr(tree.value)
    if isinstance(tree, dict | list):
        raise TypeError(f"compiled code cannot take a {type(tree).__name__} as result")
    inside = ", ".join(pack_plain(t, names, results) for t in tree)
    if hasattr(tree, "_fields"):
        return f"{names.hold(type(tree))}({inside})"
    return f"({inside},)" if tree else "()"


def pack_leaf(type_: Type, text: str, names: Names) -> str:
    """Write what makes of a number that Numba returns one of its type."""
    if isinstance(type_, Array):
        return text
    python = {"float64": float, "int64": int, "bool": bool, "complex128": complex}
    kind = python[type_.dtype] if type_.weak else np.dtype(type_.dtype).type
    name = f"{'python_' * type_.weak}{type_.dtype}"
    names[name] = kind
    return f"{name}({text})"
