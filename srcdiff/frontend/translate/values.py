"""What a name can be bound to while a function is translated.

A number or an array is an IR atom (`Const` or `Var`).  Everything else stands
here: views of arrays, things that are known at specialisation, containers of
values, functions, and the two kinds of "nothing": not bound, and bound to
something that could not be translated.

Lists and dicts are mutable, so a name holds a reference (`Ref`); the contents,
a `Tuple` or a `Dict`, stand in the translator's state under ``("heap", key)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass

import numpy as np

from srcdiff.errors import Problem
from srcdiff.places import follow
from srcdiff.syntax import Const, Item, Var

__all__ = [
    "Closure", "Dict", "Endless", "Enumerate", "Generator", "Grown", "Intrinsic", "Known", "ListView", "Mapped", "MaybeNone",
    "MaybeUnbound", "Method", "Once", "Origin", "Partial", "Poison", "PoisonUsed", "Produced", "Range", "Record", "Ref", "Refused",
    "RunTimeText", "Slice", "Summed", "Tuple", "UNBOUND", "View", "Zipped", "parts_of", "raises_too", "same",
]


class Refused(Exception):
    """A part of the user's code that cannot be translated; becomes a `Problem`.

    `python` is the exception that Python itself surely raises there, if any.
    """

    def __init__(self, what: str, why: str = "", fix: str = "", code: str = "SD0210", node=None,
                 python: type | None = None):
        super().__init__(what)
        self.python = python
        self.what, self.why, self.fix, self.code, self.node = what, why, fix, code, node


def raises_too(error: Exception) -> Refused:
    """Return the refusal of what was computed while translating, and raised as it would in Python."""
    return Refused(f"this raises {type(error).__name__}: {error}", python=type(error),
                   fix="Python raises here, too: change the call, or its arguments")


class PoisonUsed(Exception):
    """Something is read whose own problem has been reported already."""


@dataclass(frozen=True)
class Origin:
    """Where a captured Python object comes from, and how to get its present value.

    Equal paths mean one object: what two functions hold under the same name,
    such as two closures of one factory, has two paths.
    """

    path: str
    get: Callable = field(compare=False)

    def attribute(self, name: str) -> Origin:
        return Origin(f"{self.path}.{name}", follow(self.get, "attribute", name))

    def item(self, key) -> Origin:
        return Origin(f"{self.path}[{key!r}]", follow(self.get, "item", key))


@dataclass(frozen=True, eq=False)
class Known:
    """A Python object that is known at specialisation."""

    value: object
    origin: Origin | None = None


class RunTimeText(str):
    """A text with run-time parts: good for a message, and for nothing that depends on what it says."""

    __slots__ = ()

    def ask(self, *_):
        raise Refused("what a text says depends on run-time numbers", why=f"it is {str(self)!r} here",
                      fix="compute with the numbers, not with their text", code="SD0243")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = ask
    __len__ = __getitem__ = __contains__ = __iter__ = ask


@dataclass(frozen=True)
class View:
    """A basic-index view: ``base[index]``, its axes then put in the order `axes`.

    `index` has one item per axis of `base`.  Each entry of `axes` is a position
    among the axes that the spans leave, or None for a new axis of extent 1.
    """

    base: str
    index: tuple[Item, ...]
    axes: tuple[int | None, ...]
    hint: str = field(default="", compare=False)


@dataclass(frozen=True)
class ListView(View):
    """A row of a list of lists that is kept as an array: a list in Python, and a view here."""


@dataclass(frozen=True)
class Tuple:
    """A tuple, or the contents of a list; `cls` is the NamedTuple class, if any."""

    items: tuple
    cls: type | None = None


@dataclass(frozen=True)
class Grown:
    """The contents of a list whose length only run time knows (see `growing`).

    `buffers` has one array for each number of an item, `count` is the number of
    items, `weak` tells which buffers hold Python's own numbers.
    """

    buffers: tuple[Var, ...]
    count: Const | Var
    form: object
    weak: tuple[bool, ...]


@dataclass(frozen=True)
class Dict:
    items: tuple[tuple[object, object], ...]

    def get(self, key):
        return dict(self.items).get(key)


@dataclass(frozen=True)
class Record:
    """The attributes of an object that is made inside the function."""

    items: tuple[tuple[str, object], ...]

    def get(self, key):
        return dict(self.items).get(key)


@dataclass(frozen=True)
class Ref:
    """A list, a dict or an object made inside; its contents are in the state."""

    key: int
    kind: type


@dataclass(frozen=True)
class Slice:
    start: object = None
    stop: object = None
    step: object = None


@dataclass(frozen=True)
class Range:
    start: object
    stop: object
    step: object


@dataclass(frozen=True)
class Enumerate:
    iterable: object
    start: object


@dataclass(frozen=True)
class Zipped:
    """What `zip` gives; `strict` where the iterables are known, or checked, to be equally long."""

    iterables: tuple
    strict: bool = False


@dataclass(frozen=True)
class Product:
    """All combinations of items, the last iterable fastest, as `itertools.product` gives them."""

    iterables: tuple


@dataclass(frozen=True)
class Endless:
    """What goes on for ever beside something that ends: the item at a position, `held` the values that it is made of."""

    item: Callable
    held: tuple


@dataclass(frozen=True)
class Once:
    """An iterator made of an iterable, as `iter` and `reversed` give it: what goes through it uses it up."""

    iterable: object


@dataclass(frozen=True)
class Mapped:
    """What `map` gives; `held` are the arrays that the function reads besides."""

    function: object
    iterables: tuple
    held: tuple = ()


@dataclass(frozen=True, eq=False)
class Produced:
    """The items of a generator function that has not run yet; ``run()`` translates it."""

    frame: object
    arguments: tuple
    run: Callable


@dataclass(frozen=True, eq=False)
class Generator:
    """A comprehension or generator expression that has not run yet."""

    node: object
    frame: object


@dataclass(frozen=True, eq=False)
class Closure:
    """A nested function or a lambda, with the frame that it sees."""

    node: object
    frame: object
    defaults: tuple = ()
    kw_defaults: tuple = ()


@dataclass(frozen=True)
class Partial:
    function: object
    args: tuple
    keywords: tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class Method:
    owner: object
    name: str


@dataclass(frozen=True, eq=False)
class Intrinsic:
    """A function of the translator's own, called with values."""

    apply: Callable


@dataclass(frozen=True)
class Unbound:
    """A name that is not assigned yet."""


UNBOUND = Unbound()


@dataclass(frozen=True)
class MaybeUnbound:
    """A name that is assigned only where `flag` is True."""

    value: object
    flag: object


@dataclass(frozen=True)
class MaybeNone:
    """A value where `flag` is True, and None elsewhere."""

    value: object
    flag: object


@dataclass(frozen=True)
class Summed:
    """A sum of arrays, where `some` is True; elsewhere Python's 0, and zeros here, of extents 1."""

    value: object
    some: object


@dataclass(frozen=True, eq=False)
class Poison:
    """What is left of a statement that could not be translated.

    Reading it is an error of its own only if `problem` is given.
    """

    problem: Refused | None = None


Problems = list[Problem]


def same(a, b) -> bool:
    """Tell whether two values are certainly the same object or the same number."""
    if a is b:
        return True
    if isinstance(a, Known) and isinstance(b, Known):
        x, y = a.value, b.value
        if x is y:
            return True
        if isinstance(x, RunTimeText) or isinstance(y, RunTimeText):
            return False
        plain = (str, bytes, int, float, complex, np.dtype, type(None))
        return type(x) is type(y) and isinstance(x, plain) and x == y
    if isinstance(a, Tuple) and isinstance(b, Tuple):
        return (len(a.items) == len(b.items) and a.cls is b.cls
                and all(map(same, a.items, b.items)))
    if isinstance(a, Dict | Record) and type(a) is type(b):
        return ([k for k, _ in a.items] == [k for k, _ in b.items]
                and all(same(x, y) for (_, x), (_, y) in zip(a.items, b.items, strict=True)))
    if isinstance(a, MaybeUnbound | MaybeNone) and type(a) is type(b):
        return same(a.value, b.value) and same(a.flag, b.flag)
    if isinstance(a, Closure) and isinstance(b, Closure):
        return a.node is b.node and a.frame is b.frame
    return type(a) is type(b) and a == b


def parts_of(value):
    """Yield the numbers, arrays and views that a value holds; what lists and dicts hold stands in the state."""
    match value:
        case Var() | View():
            yield value
        case tuple():
            for item in value:
                yield from parts_of(item)
        case Closure(defaults=defaults, kw_defaults=more):
            yield from parts_of((*defaults, *more))
        case Produced(arguments=arguments):
            yield from parts_of(arguments)
        case Known() | Generator() | Intrinsic() | Poison() | Grown() | Const():
            pass
        case _ if is_dataclass(value):
            yield from parts_of(tuple(getattr(value, part.name) for part in fields(value)))


def is_iterator(value) -> bool:
    """Tell whether going through a value uses it up."""
    return isinstance(value, Enumerate | Zipped | Product | Once | Mapped | Generator | Endless)


def is_none(value) -> bool:
    """Tell whether a value is None on all paths."""
    return isinstance(value, Known) and value.value is None


def is_atom(value) -> bool:
    return isinstance(value, Const | Var)
