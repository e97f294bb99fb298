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

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import is_

from srcdiff.errors import NOWHERE, Where

__all__ = [
    "Array", "Assign", "Atom", "Const", "Doc", "For", "If", "Load", "Param", "Program",
    "Raise", "Scalar", "Span", "Stmt", "Store", "Type", "Var", "While",
    "atoms_of", "blocks_of", "const_type", "defined", "index_atoms", "is_complex", "is_float", "map_atoms",
    "map_index", "mentions", "rename", "walk", "with_blocks",
]


class fact:
    """What follows from a node alone: computed when first asked for, and kept, because nodes never change."""

    def __init__(self, compute):
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, node, owner=None):
        if node is None:
            return self
        value = self.compute(node)
        object.__setattr__(node, self.name, value)
        return value


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

    def __eq__(self, other):
        return other.__class__ is Var and self.name == other.name

    def __hash__(self):
        return hash(self.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Const:
    """A Python number: bool, int, float or complex.  Always weak."""

    value: bool | int | float | complex

    def __str__(self) -> str:
        return repr(self.value)

    @fact
    def _key(self) -> tuple[type, str]:
        return type(self.value), repr(self.value)

    def __eq__(self, other):
        # 0, 0.0, -0.0 and False are different constants; nan equals itself.
        return other.__class__ is Const and self._key == other._key

    def __hash__(self):
        return hash(self._key)


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

class _Statement:
    """What every statement tells of itself.

    Attributes
    ----------
    blocks
        The nested blocks, in the order they run.
    nested
        All statements of these blocks, nested ones after their parent.
    reads
        The atoms that the statement itself reads (nested blocks excluded).
        The array of a `Load` is included; the array that a `Store` changes is not.
    changes
        The variables that it and its nested statements assign or store to, in program order.
    """

    blocks: tuple[tuple[Stmt, ...], ...] = ()
    nested: tuple[Stmt, ...] = ()
    reads: tuple[Atom, ...] = ()
    changes: tuple[str, ...] = ()


class _Compound(_Statement):

    @fact
    def nested(self):
        return tuple(inner for block in self.blocks for stmt in block for inner in (stmt, *stmt.nested))

    @fact
    def mentions(self) -> Counter:
        """How often it and its nested statements read or change each variable."""
        counts = Counter(a.name for a in self.reads if isinstance(a, Var))
        counts.update([self.var] if isinstance(self, For) else ())
        for block in self.blocks:
            counts.update(mentions(block))
        return counts

    @fact
    def changes(self):
        own = (self.var,) if isinstance(self, For) else ()
        return tuple(dict.fromkeys((*own, *(n for block in self.blocks for stmt in block for n in stmt.changes))))


@dataclass(frozen=True)
class Assign(_Statement):
    """`target = op(*args, **static)`; `static` holds axis, dtype, ... as sorted pairs."""

    target: str
    op: str
    args: tuple[Atom, ...] = ()
    static: tuple[tuple[str, object], ...] = ()
    where: Where = field(default=NOWHERE, compare=False)

    @property
    def keywords(self) -> dict[str, object]:
        return dict(self.static)

    @property
    def reads(self):
        return self.args

    @property
    def changes(self):
        return (self.target,)


@dataclass(frozen=True)
class Load(_Statement):
    target: str
    array: str
    index: tuple[Item, ...]
    where: Where = field(default=NOWHERE, compare=False)
    checked: bool = field(default=False, compare=False)         # whether its index needs no (other) check: `optimize.bounds`

    @fact
    def reads(self):
        return (Var(self.array), *index_atoms(self.index))

    @property
    def changes(self):
        return (self.target,)


@dataclass(frozen=True)
class Store(_Statement):
    array: str
    index: tuple[Item, ...]
    value: Atom
    accumulate: bool = False
    where: Where = field(default=NOWHERE, compare=False)
    checked: bool = field(default=False, compare=False)         # as of a `Load`

    @fact
    def reads(self):
        return (*index_atoms(self.index), self.value)

    @property
    def changes(self):
        return (self.array,)


@dataclass(frozen=True)
class For(_Compound):
    var: str
    start: Atom
    stop: Atom
    step: Atom
    body: tuple[Stmt, ...]
    where: Where = field(default=NOWHERE, compare=False)
    at_once: bool = field(default=False, compare=False)         # whether its iterations may run at once (`lower.at_once`)

    @property
    def blocks(self):
        return (self.body,)

    @property
    def reads(self):
        return (self.start, self.stop, self.step)


@dataclass(frozen=True)
class While(_Compound):
    test: tuple[Stmt, ...]
    condition: Atom
    body: tuple[Stmt, ...]
    where: Where = field(default=NOWHERE, compare=False)

    @property
    def blocks(self):
        return (self.test, self.body)

    @property
    def reads(self):
        return (self.condition,)


@dataclass(frozen=True)
class If(_Compound):
    condition: Atom
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...] = ()
    where: Where = field(default=NOWHERE, compare=False)

    @property
    def blocks(self):
        return (self.then, self.orelse)

    @property
    def reads(self):
        return (self.condition,)


@dataclass(frozen=True)
class Raise(_Statement):
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

    @fact
    def analyses(self) -> dict:
        """What analyses have found out about this program, by the names that they choose."""
        return {}

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
    return stmt.blocks


def with_blocks(stmt: Stmt, blocks) -> Stmt:
    """Return `stmt` with its nested blocks replaced, in the order of `blocks_of`."""
    blocks = tuple(map(tuple, blocks))
    if _same(blocks, stmt.blocks):
        return stmt
    match stmt:
        case For():
            return For(stmt.var, stmt.start, stmt.stop, stmt.step, blocks[0], stmt.where, stmt.at_once)
        case While():
            return While(blocks[0], stmt.condition, blocks[1], stmt.where)
    return If(stmt.condition, *blocks, stmt.where)


def walk(body) -> Iterator[Stmt]:
    """Yield every statement of a block, nested ones after their parent."""
    for stmt in body:
        yield stmt
        if stmt.nested:
            yield from stmt.nested


def mentions(body) -> Counter:
    """Count how often each variable is read or changed in a block."""
    simple = [s for s in body if not s.blocks]
    counts = Counter([a.name for s in simple for a in s.reads if isinstance(a, Var)])
    counts.update([name for s in simple for name in s.changes])
    for stmt in body:
        if stmt.blocks:
            counts.update(stmt.mentions)
    return counts


def index_atoms(index) -> Iterator[Atom]:
    """Yield the atoms that an index reads."""
    for item in index:
        if isinstance(item, Span):
            yield from (a for a in (item.start, item.stop, item.step) if a is not None)
        else:
            yield item


def atoms_of(stmt: Stmt) -> tuple[Atom, ...]:
    """Return the atoms that the statement itself reads (nested blocks excluded).

    The array of a `Load` is included; the array that a `Store` changes is not.
    """
    return stmt.reads


def defined(stmt: Stmt) -> str | None:
    """Return the variable that the statement itself changes, or None."""
    match stmt:
        case Assign(target=name) | Load(target=name) | Store(array=name) | For(var=name):
            return name
    return None


def _same(new: tuple, old: tuple) -> bool:
    return all(map(is_, new, old))


def map_index(index, change):
    def bound(atom):
        return None if atom is None else change(atom)

    def one(item):
        if not isinstance(item, Span):
            return change(item)
        old = item.start, item.stop, item.step
        new = tuple(map(bound, old))
        return item if _same(new, old) else Span(*new)

    new = tuple(map(one, index))
    return index if _same(new, index) else new


def map_atoms(stmt: Stmt, change: Callable[[Atom], Atom]) -> Stmt:
    """Return `stmt` with each atom it reads replaced (nested blocks untouched); itself if nothing is new.

    The array of a `Load` is left alone: it must remain a variable (see `rename`).
    """
    match stmt:
        case Assign(args=old):
            new = tuple(map(change, old))
            return stmt if _same(new, old) else Assign(stmt.target, stmt.op, new, stmt.static, stmt.where)
        case Load(index=old):
            new = map_index(old, change)
            return stmt if new is old else Load(stmt.target, stmt.array, new, stmt.where, stmt.checked)
        case Store(index=old):
            new, value = map_index(old, change), change(stmt.value)
            return stmt if new is old and value is stmt.value else \
                Store(stmt.array, new, value, stmt.accumulate, stmt.where, stmt.checked)
        case For():
            new = tuple(map(change, stmt.reads))
            return stmt if _same(new, stmt.reads) else For(stmt.var, *new, stmt.body, stmt.where, stmt.at_once)
        case While() | If():
            new = change(stmt.condition)
            return stmt if new is stmt.condition else replace(stmt, condition=new)
    return stmt


def rename(body, names: Mapping[str, str]) -> tuple[Stmt, ...]:
    """Rename variables throughout a block, definitions and uses alike."""
    def atom(a):
        return Var(names[a.name]) if isinstance(a, Var) and a.name in names else a

    def one(stmt):
        stmt = map_atoms(stmt, atom)
        if isinstance(stmt, Load) and stmt.array in names:
            stmt = replace(stmt, array=names[stmt.array])
        name = defined(stmt)
        if name in names:
            field = {Assign: "target", Load: "target", Store: "array", For: "var"}[type(stmt)]
            stmt = replace(stmt, **{field: names[name]})
        return with_blocks(stmt, [rename(b, names) for b in stmt.blocks]) if stmt.blocks else stmt

    return tuple(map(one, body))


@dataclass(frozen=True)
class Static:
    """A leaf of a result tree that is known at specialisation: None, a string, a number."""

    value: object = None
