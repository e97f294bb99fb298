"""The state of one translation, and the small services that every part uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager

import gast
import numpy as np

from srcdiff.builder import Builder
from srcdiff.errors import Problem, SrcdiffError, UnsupportedError
from srcdiff.frontend.source import where as place_of
from srcdiff.frontend.translate.captured import assume
from srcdiff.frontend.translate.extents import note_extents
from srcdiff.frontend.translate.frames import Frame
from srcdiff.frontend.translate.kinds import ARRAY, PYTHON, kind_of, marked, result_kind
from srcdiff.frontend.translate.values import (
    UNBOUND,
    Known,
    Origin,
    Poison,
    PoisonUsed,
    Ref,
    Refused,
    View,
    parts_of,
)
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import ALL, Array, Atom, Const, Param, Scalar, Span, Var, is_complex

__all__ = ["Translator"]


class Translator:
    """Hold what is known while one function, and what it calls, is translated.

    Attributes
    ----------
    state
        The value of every place: ``(frame key, name)`` for names, ``("heap", key)``
        for the contents of lists and dicts, ``("argument", name)`` for the array
        that the caller passed.
    stems
        The name that a variable should have in the end.
    kinds
        What a number is in Python, where its type does not tell (see `kinds`).
    cells
        Arrays without axes, each made once: two of them are two arrays.
    extents
        The shapes of the arrays whose extents are known (see `extents`).
    integers
        How integers were computed, for those that may have to be known.
    shared
        Array variables that hold a copy where Python has the same array;
        storing into one is refused.
    twins
        By array variable: those that are, in Python, the same array on some
        paths, and the line where these paths met.  Storing into one while
        another is in use is refused.
    mirrors
        Whether such a store is made in the other array too, where the two are one (see `aliases`).
    answers
        The places of what functions return.  Nothing is written between the time that one of them is bound and the end of its function.
    operands
        What the expressions have given that are being evaluated.
    touched
        Arrays that may be written, under their own name or another one.
    derived
        Reshaped arrays (values here, views in NumPy) and the array they show.
    read_only
        Those of them that NumPy does not let anyone write.
    nested
        Lists of lists that are kept as arrays: their rows are lists.
    frozen
        Lists that stand in two places by value, and why; changing one is refused.
    """

    def __init__(self):
        self.builder = Builder()
        self.state: dict = {}
        self.frame: Frame | None = None
        self.problems: list[Problem] = []
        self.node = None
        self.stems: dict[str, object] = {}
        self.shared: dict[str, str] = {}
        self.twins: dict[str, dict[str, str]] = {}
        self.mirrors = False
        self.answers: set = set()
        self.operands: list = []
        self.first_operand = 0          # of the call that is translated
        self.statement_operands = 0     # how many there are before the present statement
        self.touched: set[str] = set()
        self.derived: dict[str, str] = {}
        self.read_only: set[str] = set()
        self.frozen: dict[int, str] = {}
        self.nested: set[int] = set()
        self.nonnegative: set[str] = set()
        self.kinds: dict[str, frozenset] = {}
        self.cells: set[str] = set()
        self.extents: dict[str, tuple[int, ...]] = {}
        self.integers: dict[str, tuple] = {}
        self.params: list[Param] = []
        self.captures: dict[str, tuple[Atom, Origin]] = {}
        self.assumed: dict[str, tuple[Origin, object]] = {}
        self.written: list[str] = []
        self.narrow = False
        self.converted = 0              # numbers that have got another dtype where paths meet
        self.constant_depth = 0
        self.may_produce = None         # the call that may be one of a generator
        self.loaded: dict = {}
        self.versions: dict[str, int] = {}
        self.depth = 0
        self.raised: type | None = None
        self.kept_alive: list = []
        self.trying = None              # what the present statement of a `try` body may raise
        self.handling: type | None = None
        self._keys = 0

    # -- places -----------------------------------------------------------------

    def key(self) -> int:
        self._keys += 1
        return self._keys

    def allocate(self, contents, kind: type) -> Ref:
        """Return a new list or dict with these contents."""
        ref = Ref(self.key(), kind)
        self.state["heap", ref.key] = contents
        return ref

    def contents(self, ref: Ref):
        value = self.state.get(("heap", ref.key), UNBOUND)
        if isinstance(value, Poison):
            self.use_poison(value)
        return value

    def check_changeable(self, ref: Ref) -> None:
        """Refuse a change of a list that is an item of a list kept as an array."""
        if ref.key in self.frozen:
            raise Refused("a list is changed that another name may hold too", why=self.frozen[ref.key],
                          fix="change a copy: list(...)", code="SD0220")

    @contextmanager
    def in_state(self, state):
        """Look lists and dicts up in the state of another path."""
        before, self.state = self.state, state
        try:
            yield
        finally:
            self.state = before

    def bind(self, name: str, value) -> None:
        self.state[self.frame.key, name] = value

    def forget_operands(self) -> None:
        """Let the operands of the present statement be forgotten: they are read by what it does next, and not again."""
        del self.operands[self.statement_operands:]

    def use_poison(self, poison: Poison):
        if poison.problem is not None:
            raise poison.problem
        raise PoisonUsed

    # -- problems -----------------------------------------------------------------

    def where(self, node=None):
        """Return the place of a node in the user's source: where the user calls a function that stands here."""
        node = self.node if node is None else node
        if self.frame is None or node is None or not hasattr(node, "lineno") or self.frame.is_own:
            return self.builder.where
        return place_of(self.frame.source, node)

    def report(self, refused: Refused) -> None:
        self.raised = refused.python
        problem = Problem(refused.code, refused.what, self.where(refused.node), refused.why, refused.fix)
        told = not problem.where.line and any((p.code, p.what) == (problem.code, problem.what)
                                              for p in self.problems)
        if problem not in self.problems and not told:
            self.problems.append(problem)

    @contextmanager
    def at(self, node):
        """Translate `node`: errors and statements made inside point to it."""
        before, self.node = self.node, node
        with self.builder.at(self.where(node)):
            yield
        self.node = before

    @contextmanager
    def guard(self, node, recover: Callable):
        """Turn what goes wrong inside into a problem, then call `recover`."""
        frame, depth = self.frame, self.depth
        try:
            with self.builder.at(self.where(node)):
                before, self.node = self.node, node
                yield
        except Refused as refused:
            self.report(refused)
            self.frame, self.depth = frame, depth
            recover()
        except PoisonUsed:
            self.frame, self.depth = frame, depth
            recover()
        except SrcdiffError as error:       # of a derivative that is used here
            raise error.placed(self.where()) from None
        except RecursionError:
            raise
        except Exception as error:
            if os.environ.get("SRCDIFF_DEBUG") == "1":
                raise
            problem = Problem("SD0299", f"this could not be translated ({type(error).__name__}: {error})",
                              self.where(), why="srcdiff met a case that it did not expect",
                              fix="please report it; SRCDIFF_DEBUG=1 shows the whole traceback")
            raise UnsupportedError([*self.problems, problem]) from error
        finally:
            self.node = before

    # -- emission -----------------------------------------------------------------

    def type_of(self, atom: Atom):
        return self.builder.type_of(atom)

    def ndim(self, atom: Atom) -> int:
        return self.type_of(atom).ndim

    def emit(self, op: str, *args: Atom, **static) -> Var:
        """Append an operation; what NumPy says against its operands becomes a problem."""
        if any(is_complex(self.type_of(a)) for a in args):
            if op == "absolute":
                return self.emit("hypot", self.emit("real", *args), self.emit("imag", *args))
            args = self.complex_operands(op, args, static)
        if op == "sign" and self.type_of(args[0]).dtype.startswith("uint"):
            return self.emit("minimum", *args, Const(1))        # Numba takes large ones for negative numbers
        try:
            with np.errstate(all="ignore"):
                made = self.builder.op(op, *args, **static)
        except (ValueError, TypeError, np.exceptions.AxisError) as error:
            kinds = ", ".join(str(self.type_of(a)) for a in args)
            raise Refused(f"`{op}` cannot be applied to ({kinds})", why=str(error).splitlines()[0],
                          fix="check the shapes and types of the operands") from error
        if self.type_of(made).dtype == "float16":
            raise Refused(f"`{op}` of {self.type_of(args[0])}", why="NumPy computes it in half precision, which compiled code does not have",
                          fix="convert the operand first: x.astype(np.float64)")
        note_extents(self, made, op, args, static)
        return marked(self, made, result_kind(self, args))

    def complex_operands(self, op: str, args, static) -> tuple[Atom, ...]:
        """Return the operands as `op` needs them, some of which are complex; refuse what is not proved right.

        A real base has no logarithm where it is negative, its complex equal has
        one; compiled matrix products take operands of one dtype.
        """
        require_complex(op, static)
        if op == "power":
            return (self.cast(args[0], "complex128") if is_complex(self.type_of(args[1])) else args[0], args[1])
        if op in ("matmul", "solve"):
            dtype = np.result_type(*(np.dtype(self.type_of(a).dtype) for a in args)).name
            return tuple(self.cast(a, dtype) for a in args)
        return args

    def cast(self, atom: Atom, dtype: str) -> Atom:
        """Return `atom` as this dtype; a Python number that fits is converted here."""
        type_ = self.type_of(atom)
        if type_.dtype == dtype:
            return atom
        if isinstance(atom, Const) and not self.narrow and dtype in ("float64", "int64"):
            return Const({"float64": float, "int64": int}[dtype](atom.value))
        return self.emit("cast", atom, dtype=dtype)

    def weak(self, atom: Atom) -> Atom:
        """Return a Python number of this value (the type of `float(x)`, `math.sin(x)`).

        The values of Python numbers and 64-bit NumPy scalars differ only beside
        narrower arrays, so nothing is computed in programs without them.
        """
        type_ = self.type_of(atom)
        if not isinstance(type_, Scalar) or kind_of(self, atom) == PYTHON and (type_.weak or not self.narrow):
            return atom
        if type_.weak or not self.narrow:
            return marked(self, self.emit("copy", atom), PYTHON)
        wide = {"f": "float64", "i": "int64", "u": "int64", "b": "bool", "c": "complex128"}[np.dtype(type_.dtype).kind]
        return self.emit("weaken", self.cast(atom, wide))

    def strong(self, atom: Atom) -> Atom:
        """Return a NumPy scalar of a Python number (the type of `np.sin(x)`)."""
        type_ = self.type_of(atom)
        if self.narrow and isinstance(type_, Scalar) and type_.weak:
            return self.emit("cast", atom, dtype=type_.dtype)
        return atom

    def size(self, array: Var, axis: int) -> Atom:
        """Return the extent of an axis: a constant where it is known."""
        if not 0 <= axis < self.ndim(array):
            raise Refused(f"axis {axis} of a value with {self.ndim(array)} axes", code="SD0230",
                          fix="check the number of axes of the argument")
        if array.name in self.extents:
            return Const(self.extents[array.name][axis])
        var = self.builder.op("size", array, stem="n", axis=axis)
        self.stems[var.name] = ("n", array.name)
        self.nonnegative.add(var.name)
        return var

    def name(self, value, stem: str) -> None:
        """Let the variable behind `value` be called `stem` if it has no name yet."""
        if isinstance(value, Var) and value.name not in self.stems:
            self.stems[value.name] = stem

    def is_nonnegative(self, atom) -> bool:
        if isinstance(atom, Const):
            return isinstance(atom.value, int) and atom.value >= 0
        return isinstance(atom, Var) and atom.name in self.nonnegative

    # -- what is known ------------------------------------------------------------------

    def static_number(self, value):
        """Return the Python number behind a value, or None if only run time knows it.

        A captured integer may be relied on; that is noted in `assumed`.
        """
        if isinstance(value, Const):
            return value.value
        if isinstance(value, Known) and isinstance(value.value, int | float | np.number):
            return value.value
        if isinstance(value, Var) and value.name in self.integers:
            operation, *operands = self.integers[value.name]
            numbers = [self.static_number(v) for v in operands]
            return None if None in numbers else operation(*numbers)
        for atom, origin in self.captures.values():
            if atom == value and isinstance(self.type_of(atom), Scalar):
                present = origin.get()
                if isinstance(present, int | np.integer):
                    assume(self, origin, present)
                    return int(present)
        return None

    # -- places that alias --------------------------------------------------------------

    def root(self, value) -> str | None:
        """Return the array variable whose memory a value shows, or None."""
        if isinstance(value, View):
            return self.root(Var(value.base))
        if isinstance(value, Var) and isinstance(self.type_of(value), Array):
            return self.derived.get(value.name, value.name)
        return None

    def memory(self, value) -> str | None:
        """Return the variable whose memory a value shows: `root`, or an array without axes."""
        if isinstance(value, Var) and isinstance(self.type_of(value), Scalar) and kind_of(self, value) & ARRAY:
            return self.derived.get(value.name, value.name)
        return self.root(value)

    def twin(self, one: str, other: str, why: str) -> None:
        """Note that two array variables may be one array in Python."""
        if one != other:
            self.twins.setdefault(one, {}).setdefault(other, why)
            self.twins.setdefault(other, {}).setdefault(one, why)

    def roots_in_state(self):
        """Yield ``(place, root, value)`` for each array that a place shows, containers included."""
        for place, value in self.state.items():
            for shown in parts_of(value):
                if (root := self.memory(shown)) is not None:
                    yield place, root, shown

    def roots_in_use(self):
        """Yield ``(root, value)`` for each array that can be read again."""
        yield from ((root, shown) for place, root, shown in self.roots_in_state() if place not in self.answers)
        for operand in self.operands:
            for shown in parts_of(operand):
                if (root := self.memory(shown)) is not None:
                    yield root, shown
        yield from ((p.name, Var(p.name)) for p in self.params if p.captured and isinstance(p.type, Array))

    def full_view(self, name: str) -> View:
        ndim = self.builder.types[name].ndim
        return View(name, (ALL,) * ndim, tuple(range(ndim)))


def require_complex(op: str, static) -> None:
    """Refuse an operation that complex numbers do not have, or not with a meaning that is proved."""
    if op == "cast" and not static["dtype"].startswith("complex"):
        raise Refused(f"a complex number is converted to {static['dtype']}", code="SD0245",
                      why="that drops its imaginary part", fix="take the part that is meant: z.real")
    if not PRIMITIVES[op].on_complex:
        raise Refused(f"`{op}` of complex numbers is not supported", code="SD0245",
                      fix="write it with real and imaginary parts: z.real, z.imag")


def is_full(item) -> bool:
    return isinstance(item, Span) and item == ALL


def describe(value) -> str:
    """Name a value in the user's terms."""
    if isinstance(value, Known):
        if value.value is None:
            return "None"
        if isinstance(value.value, str):
            return f"the string {value.value!r}"
        return f"`{getattr(value.value, '__name__', type(value.value).__name__)}`"
    names = {"Tuple": "a tuple", "Ref": "a list", "Range": "a range", "Closure": "a function",
             "Method": "a method", "Generator": "a generator", "Unbound": "a name without a value",
             "Slice": "a slice", "Once": "an iterator", "Dict": "a dict", "Grown": "a list",
             "MaybeNone": "what may be None", "Summed": "a sum of arrays"}
    return names.get(type(value).__name__, f"a {type(value).__name__.lower()}")


def text_of(node) -> str:
    """Return the source text of an expression."""
    import ast
    try:
        return ast.unparse(gast.gast_to_ast(node))
    except Exception:
        return "this expression"
