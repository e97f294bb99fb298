"""The normal form: the one language that every transform reads and writes.

Grammar
-------
::

    program   = name, params, body, results, types
    param     = name ":" type
    type      = Scalar(dtype, weak) | Array(dtype, ndim)
    body      = stmt*
    stmt      = Assign   y = op(a, b, ..., static...)
              | Load     y = a[index]
              | Store    a[index] = v        or  a[index] += v
              | For      for i in range(start, stop, step): body
              | While    while (test; condition): body
              | If       if condition: body else: body
              | Raise    raise Exception(message)
    atom      = Var(name) | Const(number)
    index     = item*        one item per axis of the array, always complete
    item      = atom (integer scalar) | Span(start, stop, step)
              | Var of an integer array (fancy) | Var of a boolean array (mask;
                it stands for as many axes as it has dimensions)

Meaning
-------
* **Values, not references.**  No two variables share memory.  `y = copy(x)`
  and `y = x[1:]` make new values; a `Store` changes its one array and nothing
  else.  The frontend proves this of the user's aliases and views, or refuses;
  a backend may turn a copy into a view where nobody can tell.
* A variable has one type in the whole program.  `types` names every variable.
* A loop variable is not assigned in the body, and not read after the loop.
  `start`, `stop`, `step` are read once, before the first iteration.
* `While.test` runs before each iteration and sets `condition`.
* Parameters are never assigned or stored to; a program that changes an
  argument copies it first, so no derivative call changes the caller's arrays.
* Every variable is assigned before it is read, on every path (the frontend
  refuses or initialises).
* A mask or fancy `Load` copies; `Store` with `accumulate` adds once per index,
  repeated indices included (`np.add.at`).  In a `Store`, `value` broadcasts
  to the indexed region.
* `results` are atoms; the structure the user sees (tuples, None, strings) is
  kept in `tree`.
* Programs contain neither tuples, strings nor None: those are resolved when a
  function is specialised to its argument types.

All nodes are frozen and compare structurally, so "did the pass change
anything" is `==`.  `where` does not take part in comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from srcdiff.errors import NOWHERE, Where

__all__ = [
    "Array", "Assign", "Atom", "Const", "Doc", "For", "If", "Load", "Param", "Program",
    "Raise", "Scalar", "Span", "Stmt", "Store", "Type", "Var", "While",
    "atoms_of", "blocks_of", "const_type", "defined", "index_atoms", "is_complex", "is_float", "map_atoms",
    "map_index", "rename", "walk", "with_blocks",
]


# -- types ------------------------------------------------------------------

@dataclass(frozen=True)
class Scalar:
    """One number.  `weak` marks Python's own numbers, which do not promote arrays."""

    dtype: str
    weak: bool = False

    ndim = 0

    def __str__(self) -> str:
        return ("weak " if self.weak else "") + self.dtype


@dataclass(frozen=True)
class Array:
    """An array of `ndim >= 1` axes; extents are run-time facts."""

    dtype: str
    ndim: int

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(':' * self.ndim)}]"


Type = Scalar | Array


def is_float(type_: Type) -> bool:
    """Tell whether values of `type_` can carry a derivative."""
    return type_.dtype in ("float32", "float64", "complex64", "complex128")


def is_complex(type_: Type) -> bool:
    return type_.dtype in ("complex64", "complex128")


# -- atoms and indices --------------------------------------------------------

@dataclass(frozen=True)
class Var:
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Const:
    """A Python number: bool, int, float or complex.  Always weak."""

    value: bool | int | float | complex

    def __str__(self) -> str:
        return repr(self.value)

    def __eq__(self, other):
        # 0, 0.0, -0.0 and False are different constants; nan equals itself.
        return (isinstance(other, Const) and type(self.value) is type(other.value)
                and repr(self.value) == repr(other.value))

    def __hash__(self):
        return hash((type(self.value), repr(self.value)))


Atom = Var | Const


@dataclass(frozen=True)
class Span:
    """A slice; a bound that is None is the end of the axis, as in Python."""

    start: Atom | None = None
    stop: Atom | None = None
    step: Atom | None = None


Item = Atom | Span
ALL = Span()


# -- statements ---------------------------------------------------------------

@dataclass(frozen=True)
class Assign:
    """`target = op(*args, **static)`; `static` holds axis, dtype, ... as sorted pairs."""

    target: str
    op: str
    args: tuple[Atom, ...] = ()
    static: tuple[tuple[str, object], ...] = ()
    where: Where = field(default=NOWHERE, compare=False)

    @property
    def keywords(self) -> dict[str, object]:
        return dict(self.static)


@dataclass(frozen=True)
class Load:
    target: str
    array: str
    index: tuple[Item, ...]
    where: Where = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Store:
    array: str
    index: tuple[Item, ...]
    value: Atom
    accumulate: bool = False
    where: Where = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class For:
    var: str
    start: Atom
    stop: Atom
    step: Atom
    body: tuple[Stmt, ...]
    where: Where = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class While:
    test: tuple[Stmt, ...]
    condition: Atom
    body: tuple[Stmt, ...]
    where: Where = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class If:
    condition: Atom
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...] = ()
    where: Where = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Raise:
    exception: str
    message: str = ""
    where: Where = field(default=NOWHERE, compare=False)


Stmt = Assign | Load | Store | For | While | If | Raise


# -- programs -----------------------------------------------------------------

@dataclass(frozen=True)
class Param:
    """A parameter; `captured` marks a global or closure value made into a hidden argument.

    `like` names a variable of the program with the same extents (callers see to
    that): a tangent is like its primal, a cotangent like its result.
    `extents` are those that are known when code is generated: a number or None
    for each axis, or nothing where none is known.
    """

    name: str
    type: Type
    captured: bool = False
    like: str | None = None
    extents: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class Doc:
    """What a printed function says of itself.

    Attributes
    ----------
    summary
        One line: what is computed, of what, with respect to which arguments.
    formula
        The mathematics in one line.
    params, results
        For each parameter and each result a line, or an empty text.
    names
        For each result the name that it should have where the user gave it none.
    """

    summary: str
    formula: str = ""
    params: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """A function in normal form.

    Attributes
    ----------
    name
        A Python identifier.
    params
        In call order; flat (structures are taken apart before).
    body, results
        Statements, then the atoms that are returned.
    types
        The type of every variable, parameters included.
    tree
        How the flat results form what the user returned: an int is a position
        in `results`, a tuple or list a nested structure, `Static(value)`
        anything known at specialisation.  None means one bare result.
    doc
        For the docstring of the printed function: a text, or a `Doc`.
    """

    name: str
    params: tuple[Param, ...]
    body: tuple[Stmt, ...]
    results: tuple[Atom, ...]
    types: Mapping[str, Type] = field(hash=False)
    tree: object = None
    doc: str | Doc = ""

    def type_of(self, atom: Atom | str) -> Type:
        """Return the type of an atom or of a variable's name."""
        if isinstance(atom, str):
            return self.types[atom]
        if isinstance(atom, Var):
            return self.types[atom.name]
        return const_type(atom)

    def with_body(self, body, **changes) -> Program:
        return replace(self, body=tuple(body), **changes)


def const_type(constant: Const) -> Scalar:
    """Return the (weak) type of a Python number."""
    kind = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}
    return Scalar(kind[type(constant.value)], weak=True)


# -- walking ------------------------------------------------------------------

def blocks_of(stmt: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """Return the nested blocks of a statement, in the order they run."""
    match stmt:
        case For(body=body):
            return (body,)
        case While(test=test, body=body):
            return (test, body)
        case If(then=then, orelse=orelse):
            return (then, orelse)
    return ()


def with_blocks(stmt: Stmt, blocks) -> Stmt:
    """Return `stmt` with its nested blocks replaced, in the order of `blocks_of`."""
    match stmt:
        case For():
            return replace(stmt, body=tuple(blocks[0]))
        case While():
            return replace(stmt, test=tuple(blocks[0]), body=tuple(blocks[1]))
        case If():
            return replace(stmt, then=tuple(blocks[0]), orelse=tuple(blocks[1]))
    return stmt


def walk(body) -> Iterator[Stmt]:
    """Yield every statement of a block, nested ones after their parent."""
    for stmt in body:
        yield stmt
        for block in blocks_of(stmt):
            yield from walk(block)


def index_atoms(index) -> Iterator[Atom]:
    """Yield the atoms that an index reads."""
    for item in index:
        if isinstance(item, Span):
            yield from (a for a in (item.start, item.stop, item.step) if a is not None)
        else:
            yield item


def atoms_of(stmt: Stmt) -> Iterator[Atom]:
    """Yield the atoms that the statement itself reads (nested blocks excluded).

    The array of a `Load` is included; the array that a `Store` changes is not.
    """
    match stmt:
        case Assign(args=args):
            yield from args
        case Load(array=array, index=index):
            yield Var(array)
            yield from index_atoms(index)
        case Store(index=index, value=value):
            yield from index_atoms(index)
            yield value
        case For(start=start, stop=stop, step=step):
            yield from (start, stop, step)
        case While(condition=condition) | If(condition=condition):
            yield condition


def defined(stmt: Stmt) -> str | None:
    """Return the variable that the statement itself changes, or None."""
    match stmt:
        case Assign(target=name) | Load(target=name) | Store(array=name) | For(var=name):
            return name
    return None


def map_index(index, change):
    def span(item):
        if isinstance(item, Span):
            return Span(*(None if a is None else change(a)
                          for a in (item.start, item.stop, item.step)))
        return change(item)
    return tuple(span(item) for item in index)


def map_atoms(stmt: Stmt, change: Callable[[Atom], Atom]) -> Stmt:
    """Return `stmt` with each atom it reads replaced (nested blocks untouched).

    The array of a `Load` is left alone: it must remain a variable (see `rename`).
    """
    match stmt:
        case Assign():
            return replace(stmt, args=tuple(map(change, stmt.args)))
        case Load():
            return replace(stmt, index=map_index(stmt.index, change))
        case Store():
            return replace(stmt, index=map_index(stmt.index, change), value=change(stmt.value))
        case For():
            return replace(stmt, start=change(stmt.start), stop=change(stmt.stop),
                           step=change(stmt.step))
        case While() | If():
            return replace(stmt, condition=change(stmt.condition))
    return stmt


def rename(body, names: Mapping[str, str]) -> tuple[Stmt, ...]:
    """Rename variables throughout a block, definitions and uses alike."""
    def atom(a):
        return Var(names.get(a.name, a.name)) if isinstance(a, Var) else a

    def one(stmt):
        stmt = map_atoms(stmt, atom)
        match stmt:
            case Assign(target=t):
                return replace(stmt, target=names.get(t, t))
            case Load(target=t, array=a):
                return replace(stmt, target=names.get(t, t), array=names.get(a, a))
            case Store(array=a):
                return replace(stmt, array=names.get(a, a))
            case For(var=v):
                stmt = replace(stmt, var=names.get(v, v))
        return with_blocks(stmt, [rename(b, names) for b in blocks_of(stmt)])

    return tuple(one(stmt) for stmt in body)


@dataclass(frozen=True)
class Static:
    """A leaf of a result tree that is known at specialisation: None, a string, a number."""

    value: object = None
