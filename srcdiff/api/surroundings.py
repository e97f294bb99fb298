"""Everything outside of a function that can shape its derivative, as one digest.

Two processes in which the digest of a function is the same generate the same
code for it.  It covers the code of the function and of all functions that it
can reach by a name, and the values that they can reach: flags, strings, numbers,
classes, objects.  It errs to the safe side: too much goes into it, so that code
is generated once more than needed; what cannot be described ends with `Unnamed`.

Numbers and arrays that are hidden arguments of the generated code (`captured`,
by place) count by their types only.  What belongs to the standard library, to
NumPy, SciPy, Numba or srcdiff counts by its name and the version.
"""

from __future__ import annotations

import builtins
import dataclasses
import enum
import functools
import hashlib
import opcode
import sys
import types

import numpy as np

from srcdiff.places import Place, plain

__all__ = ["Unnamed", "code_text", "digest", "plain_recipe"]

LIBRARIES = frozenset({"numpy", "scipy", "numba", "llvmlite", "srcdiff"}) | sys.stdlib_module_names
AT_MOST = 20_000            # entries: a digest has to be cheaper than what it saves
IMPORT = opcode.opmap["IMPORT_NAME"]
# With these, code can look up what no name in it tells.
UNSEEN = frozenset({"globals", "locals", "vars", "dir", "eval", "exec", "compile", "open", "input", "id", "hash",
                    "__import__"})
BUILT_IN = (types.BuiltinFunctionType, types.MethodWrapperType, types.WrapperDescriptorType,
            types.MethodDescriptorType, types.ClassMethodDescriptorType, type(np.sum))


class Unnamed(Exception):
    """Something cannot be described so that another process would know it again."""


def digest(values: list, captured: frozenset[Place]) -> str:
    """Return the digest of values, given as pairs of a value and its place, and of all they reach."""
    survey = Survey(captured)
    for value, place in values:
        survey.add(value, place)
    survey.add_attributes_of_modules()
    return hashlib.sha256("\0".join(survey.entries).encode("utf-8", "surrogatepass")).hexdigest()


def is_library(module: str | None) -> bool:
    return (module or "").split(".")[0] in LIBRARIES


def code_text(code: types.CodeType) -> str:
    """Return a text that two code objects share only if they do the same on the same lines."""
    parts = [code.co_name, code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars,
             code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags,
             code.co_firstlineno, code.co_linetable.hex(), code.co_exceptiontable.hex()]
    return repr([*parts, [_constant(value) for value in code.co_consts]])


def _constant(value) -> str:
    if isinstance(value, types.CodeType):
        return code_text(value)
    if isinstance(value, tuple):
        return repr(list(map(_constant, value)))
    if isinstance(value, frozenset):
        return repr(sorted(map(_constant, value)))
    return f"{type(value).__name__} {value!r}"


def _codes(code):
    yield code
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _codes(value)


class Survey:
    """The entries of a digest; each object is described once, where it is met first."""

    def __init__(self, captured: frozenset[Place]):
        self.captured = captured
        self.entries: list[str] = []
        self.seen: dict[int, tuple[int, object]] = {}       # holds the objects, so that ids stay theirs
        self.names: dict[str, None] = {}
        self.modules: list[tuple[types.ModuleType, Place | None]] = []

    def note(self, *parts) -> None:
        self.entries.append(" ".join(map(str, parts)))
        if len(self.entries) > AT_MOST:
            raise Unnamed("too much is reached")

    def add(self, value, place: Place | None = None) -> None:
        """Describe a value; `place` is where it was found."""
        if value is None or isinstance(value, bool | str | bytes | np.bool_ | range | slice | type(...)):
            self._plain(value)
        elif type(value) in (int, float, complex) or isinstance(value, np.number):
            self.note(type(value).__name__, "captured" if place in self.captured else repr(value))
        elif type(value) is np.ndarray:
            self._array(value, place)
        elif id(value) in self.seen:
            self.note("again", self.seen[id(value)][0])
        else:
            self.seen[id(value)] = len(self.seen), value
            self._object(value, place)

    def _plain(self, value) -> None:
        if type(value).__module__ not in ("builtins", "numpy"):
            raise Unnamed(f"{type(value).__name__} is a class made of a built-in one")
        self.note(type(value).__name__, repr(value))
        if isinstance(value, str) and value.isidentifier():
            self.names[value] = None        # getattr may ask for it

    def _array(self, array, place) -> None:
        if array.dtype.kind not in "biufc":
            raise Unnamed(f"an array of dtype {array.dtype}")
        self.note("array", array.dtype.str, array.ndim if place in self.captured else array.shape)

    def _object(self, value, place) -> None:
        kind = type(value)
        if isinstance(value, types.FunctionType):
            self._function(value, place)
        elif isinstance(value, types.ModuleType):
            self.note("module", value.__name__)
            self.modules.append((value, place))
        elif isinstance(value, type):
            self._class(value)
        elif kind is tuple or kind is list or hasattr(value, "_fields") and isinstance(value, tuple):
            self.note(kind.__name__, len(value))
            if kind is not tuple and kind is not list:
                self.add(kind)
            self._items(enumerate(value), place)
        elif kind is dict:
            self.note("dict", len(value))
            for key in value:
                self.add(key)
            self._items(value.items(), place)
        elif isinstance(value, types.MethodType):
            self.note("method")
            self.add(value.__func__, place)
            self.add(value.__self__, further(place, "attribute", "__self__"))
        elif isinstance(value, functools.partial):
            self.note("partial")
            for name in ("func", "args", "keywords"):
                self.add(getattr(value, name), further(place, "attribute", name))
        elif (inner := plain(value)) is not None:
            self.note(kind.__name__)
            self.add(inner, place)          # a dispatcher, a cache
        elif hasattr(value, "__srcdiff_program__"):
            self._derivative(value)
        else:
            self._other(value, kind, place)

    def _items(self, pairs, place) -> None:
        for key, item in pairs:
            self.add(item, further(place, "item", key))

    # -- functions and modules -----------------------------------------------------------

    def _function(self, function, place) -> None:
        if _has_rule(function):
            raise Unnamed("a rule of the user's own")
        if is_library(function.__module__) and _stands_under_its_name(function):
            self._by_name(function)
            return
        code = function.__code__
        self.note("function", function.__module__, function.__qualname__, code_text(code))
        names = self._names_in(code)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                self.add(cell.cell_contents, further(place, "cell", name))
            except ValueError:
                self.note("empty", name)
        parameters = code.co_varnames[code.co_argcount - len(function.__defaults__ or ()):code.co_argcount]
        for name, default in [*zip(parameters, function.__defaults__ or (), strict=True),
                              *(function.__kwdefaults__ or {}).items()]:
            self.note("default", name)
            self.add(default, further(place, "default", name))
        self._globals(function.__globals__, names)
        for name, value in vars(function).items():
            if not name.startswith("__"):
                self.note("attribute", name)
                self.add(value, further(place, "attribute", name))

    def _names_in(self, code) -> list[str]:
        """Return the names that a function and those inside it look up, and note them."""
        names = {}
        for part in _codes(code):
            if IMPORT in part.co_code[::2]:
                raise Unnamed("an import inside a function")
            names.update(dict.fromkeys(part.co_names))
            self.names.update((c, None) for c in part.co_consts if isinstance(c, str) and c.isidentifier())
        self.names.update(names)
        return list(names)

    def _globals(self, scope, names) -> None:
        if scope.get("__builtins__", builtins) not in (builtins, vars(builtins), {}):
            raise Unnamed("builtins of its own")
        module = scope.get("__name__")
        known = module in sys.modules and vars(sys.modules[module]) is scope
        for name in names:
            if name in scope:
                self.note("global", name)
                self.add(scope[name], (("global", module, name),) if known else None)
            elif name in UNSEEN:
                raise Unnamed(name)

    def add_attributes_of_modules(self) -> None:
        """Describe what any name in the code may mean in any module that it reaches.

        A module may be handed from function to function, so all names count.
        """
        done = set()
        while todo := [(m, place, name) for m, place in self.modules for name in self.names
                       if (m.__name__, name) not in done]:
            for module, place, name in todo:
                done.add((module.__name__, name))
                if name in vars(module):
                    self.note(module.__name__, name)
                    self.add(vars(module)[name], further(place, "attribute", name))
                elif "__getattr__" in vars(module) and not is_library(module.__name__):
                    raise Unnamed("a module with attributes made on demand")

    def _by_name(self, value) -> None:
        self.note(type(value).__name__, value.__module__, value.__qualname__, _version(value.__module__))

    # -- classes and objects ----------------------------------------------------------------

    def _class(self, cls) -> None:
        if _has_rule(cls):
            raise Unnamed("a rule of the user's own")
        if is_library(cls.__module__) and _stands_under_its_name(cls):
            self._by_name(cls)
            return
        self.note("class", cls.__module__, cls.__qualname__)
        for base in (type(cls), *cls.__bases__):
            self.add(base)
        generated = {"__repr__"} if "__dataclass_fields__" in vars(cls) else ()
        for name, member in vars(cls).items():
            if name == "__dataclass_fields__":
                for field in member.values():
                    self.note("field", field.name, field.init, field.kw_only)
                    self._items((("", v) for v in (field.default, field.default_factory)
                                 if v is not dataclasses.MISSING), None)
            elif name not in _OF_EACH_CLASS and name not in generated:
                self.note("member", name)
                self._member(member)

    def _member(self, member) -> None:
        if isinstance(member, staticmethod | classmethod):
            self.note(type(member).__name__)
            self.add(member.__func__)
        elif isinstance(member, property):
            self.note("property")
            for part in (member.fget, member.fset, member.fdel):
                self.add(part)
        elif isinstance(member, functools.cached_property):
            self.note("cached property")
            self.add(member.func)
        elif isinstance(member, types.MemberDescriptorType | types.GetSetDescriptorType):
            self.note(type(member).__name__)
        elif type(member).__name__ == "_tuplegetter":
            self.note("field", *member.__reduce__()[1])
        else:
            self.add(member)

    def _derivative(self, value) -> None:
        """Describe another object of srcdiff that the function calls."""
        if type(value).__name__ not in ("Function", "Primal"):
            raise Unnamed(repr(value))
        self.note(type(value).__name__, plain_recipe(value.recipe))
        self.add(value.base)

    def _other(self, value, kind, place) -> None:
        if isinstance(value, (*BUILT_IN, np.ufunc)):
            self._built_in(value)
        elif isinstance(value, np.dtype):
            self.note("dtype", value.str)
        elif kind in _SENTINELS:
            self.note(kind.__name__)
        elif kind in (set, frozenset):
            if not all(type(v) in (str, int, float, bool) for v in value):
                raise Unnamed("a set of objects")
            self.note(kind.__name__, sorted(map(_constant, value)))
        elif isinstance(value, enum.Enum):
            self.note("member", value.name)
            self.add(value.value)
            self.add(kind)
        elif not is_library(kind.__module__):
            self._instance(value, kind, place)
        else:
            raise Unnamed(f"an object of {kind.__module__}.{kind.__name__}")

    def _built_in(self, value) -> None:
        if _has_rule(value):
            raise Unnamed("a rule of the user's own")
        owner = getattr(value, "__self__", None) or getattr(value, "__objclass__", None)
        owners = [owner, *(sys.modules.get(m) for m in (getattr(value, "__module__", None), "numpy",
                                                    "scipy.special"))] \
            if owner is None else [owner]
        for owner in owners:
            if isinstance(owner, types.ModuleType | type) and is_library(_module_of(owner)) \
                    and getattr(owner, value.__name__, None) == value:
                self.note(type(value).__name__, owner.__name__, value.__name__, _version(_module_of(owner)))
                return
        raise Unnamed(f"{value!r} is made at run time")

    def _instance(self, value, kind, place) -> None:
        own = [base for base in kind.__mro__ if base is not object]
        if any(is_library(base.__module__) for base in own if base.__module__ not in ("abc", "typing")):
            raise Unnamed(f"{kind.__name__} is derived from a class of a library")
        if any(name in vars(base) for base in own for name in ("__getattr__", "__getattribute__")):
            raise Unnamed(f"{kind.__name__} makes attributes on demand")
        self.note("object")
        self.add(kind)
        slots = [name for base in own for name in np.atleast_1d(vars(base).get("__slots__", ())).tolist()]
        held = {name: getattr(value, name) for name in slots if hasattr(value, name)}
        for name, attribute in {**getattr(value, "__dict__", {}), **held}.items():
            if not name.startswith("__srcdiff"):
                self.note("attribute", name)
                self.add(attribute, further(place, "attribute", name))


_SENTINELS = (type(dataclasses.MISSING), dataclasses._HAS_DEFAULT_FACTORY_CLASS, type(NotImplemented))
_OF_EACH_CLASS = frozenset({
    "__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__abstractmethods__", "_abc_impl",
    "__dataclass_params__", "__orig_bases__", "__parameters__", "__static_attributes__",
    "__firstlineno__", "__match_args__",
})


def further(place: Place | None, kind: str, key) -> Place | None:
    """Return the place one step further, as `srcdiff.places.follow` does."""
    return (*place, (kind, key)) if place is not None and type(key) in (str, int) else None


def _stands_under_its_name(value) -> bool:
    """Tell whether a function or class of a library is what its name there means."""
    found = sys.modules.get(value.__module__)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value


def _module_of(owner) -> str:
    return owner.__name__ if isinstance(owner, types.ModuleType) else owner.__module__


def _version(module: str) -> str:
    return getattr(sys.modules.get(module.split(".")[0]), "__version__", "")


def plain_recipe(recipe) -> str:
    """Return a text that tells recipes apart.

    Raises
    ------
    Unnamed
        The recipe holds an object, such as a function.
    """
    def check(value):
        if isinstance(value, tuple):
            list(map(check, value))
        elif not (value is None or type(value) in (bool, int, str)):
            raise Unnamed(f"a transform with {value!r}")

    list(map(check, vars(recipe).values() if recipe is not None else ()))
    return repr(recipe)


def _has_rule(function) -> bool:
    """Tell whether the user has given a function a derivative in this process."""
    custom = sys.modules.get("srcdiff.custom")
    return custom is not None and custom.name_of(function) is not None
