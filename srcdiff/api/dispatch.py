"""From a call to compiled code: one dictionary look-up, then the code made for these types.

The key of a call says everything that shapes its code: types, dtypes, numbers
of axes, whether an array must be copied first, and the values of flags and
strings.  What stands behind a key is a *runner*, a small generated function
that flattens the arguments, fetches captured values, calls the compiled program
and forms the result.  Everything that needs thought happens once per key, and
calls of plain arrays and floats do without one (`srcdiff.api.direct`).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from srcdiff.api import warm
from srcdiff.api.by_shape import ByShape, abstract_call, specialised_call
from srcdiff.api.direct import MISSING, PLAIN, Way, nothing, parts_of
from srcdiff.api.into import Version, in_simulated_kernel, into_out, of_simulated_kernel
from srcdiff.api.lazy import lazy
from srcdiff.api.matrices import refused_matrix
from srcdiff.api.special import Special
from srcdiff.backend.numba import explain, is_compile_error
from srcdiff.collecting import paused
from srcdiff.errors import (
    NOWHERE,
    ArgumentError,
    IndexOutOfRangeError,
    IntegerPowerError,
    MemoryBudgetError,
    NotScalarError,
    NoValueError,
    Problem,
    ShapeError,
    SrcdiffError,
    Where,
)
from srcdiff.log import in_stage, stage
from srcdiff.structure import Names, array_of_list, expressions, key_of, pack, pack_leaf, ready
from srcdiff.syntax import Raise, walk

__all__ = ["Dispatch", "Stale", "one_level_deeper", "runner"]

compiler, titled = lazy("srcdiff.compiler"), lazy("srcdiff.api.titles", "titled")
misfits = lazy("srcdiff.api.misfits")

# What generated code raises: an error of Python's that starts with the code of ours.
STRETCH, SHORTER = "SD0340", "SD0358"
MOST_LEVELS = 2                 # of loops inside loops that a memory budget divides
CODED = re.compile(r"\[(SD03\d\d)\] (.*)", re.DOTALL)
KINDS = {kind.code: kind for kind in (NotScalarError, IndexOutOfRangeError, MemoryBudgetError, NoValueError, IntegerPowerError)}      # of any other: ShapeError
FIXES = {IndexOutOfRangeError.code: "keep the index inside the axis; a negative one counts from the end",
         NotScalarError.code: "take one element of the result",
         NoValueError.code: "assign or return a value on every path, or test with `is None` first",
         IntegerPowerError.code: IntegerPowerError.fix,
         MemoryBudgetError.code: "give more memory, or leave memory= out",
         "SD0333": "give every sample a result of one shape",
         "SD0345": "leave memory= out, or let the array keep its shape in the loop",
         "SD0346": "take out what depends on other rows or columns, or add a small multiple of the identity",
         "SD0347": "give as many targets as there are values",
         "SD0348": "generate code for arguments of these shapes",
         "SD0358": "give arrays that are long enough, or call it from Python: there it is compiled for these shapes",
         "SD0356": "keep arrays of one shape in a list, test whether it has items, and join lists with +"}
SHAPES_FIT = "check the shapes of the arguments"            # of any other: it says which shapes do not fit


class Stale(Exception):
    """What the code was generated for has changed: a captured value has another type."""


def fresh_capture(value, key):
    """Return a captured value, if it still is of the type that code was made for."""
    if key_of(value) != key:
        raise Stale
    return value


def runner(special: Special, compiled, args: tuple, keywords: dict, into: bool = False) -> Callable:
    """Write the function that calls a compiled program with arguments like these.

    With `into` it takes one array more, for the result, which must share memory with no argument.

    Raises
    ------
    ArgumentError
        A captured value cannot be passed to generated code.
    """
    names = Names(compiled=compiled.dispatcher, ready=ready, array_of_list=array_of_list,
                  fresh_capture=fresh_capture, refuse_overlap=refuse_overlap, Stale=Stale)
    flat = [e for i, value in enumerate(args) for e in expressions(value, f"a{i}")]
    flat += [e for name, value in keywords.items() for e in expressions(value, f"keywords[{name!r}]")]
    lines = []
    for get, value in special.assumed:
        lines.append(f"if not {names.hold(same_value, 'same')}({names.hold(get, 'get')}(), {names.hold(value)}):")
        lines.append("    raise Stale")
    for i, get in enumerate(special.captures):
        value = get()
        lines.append(f"c{i} = fresh_capture({names.hold(get, 'get')}(), {names.hold(key_of(value))})")
        flat += expressions(value, f"c{i}")
    lines += [f"refuse_overlap({a}, {b}, {message!r})"
              for a, b, message in overlaps(special, flat)]
    if into:
        lines += [f"refuse_overlap(out, {text}, 'out and an argument share memory')" for _, text in arrays_of(special, flat)]
        flat.append("out")
    types = tuple(special.program.type_of(atom) for atom in special.program.results)
    call = f"compiled({', '.join(flat)})"
    if len(types) == 1 and special.program.tree == 0:           # the shortest way, for small calls
        formed = pack_leaf(types[0], "r", names)
    else:
        call = call if len(types) != 1 else f"({call},)"
        formed = pack(special.program.tree, types, names)
    lines += [f"r = {call}", f"return {formed}"]
    params = ", ".join([*(f"a{i}" for i in range(len(args))), *["out"] * into, *["**keywords"] * bool(keywords)])
    run = written(f"call of {special.program.name}", params, lines, names)
    if not keywords and lines[0] == f"r = compiled({', '.join(as_they_are(args))})":
        as_it_is = formed == ("r" if len(types) == 1 else f"({', '.join(f'r[{i}]' for i in range(len(types)))})")
        run.way = Way(compiled.dispatcher, formed, None if as_it_is else written("form", "r", lines[1:], names),
                      parts_of(args))
    run.version = Version(special, compiled, len(args))
    return run


def as_they_are(args: tuple) -> list[str]:
    """Return the expressions of arguments, and of the items of tuples, that are handed on as they are."""
    return [e for i, a in enumerate(args) for e in ([f"a{i}[{j}]" for j in range(len(a))] if type(a) is tuple else [f"a{i}"])]


def written(name: str, params: str, lines: list[str], names: Names) -> Callable:
    """Return the function with these lines."""
    code = f"def run({params}):\n" + "".join(f"    {line}\n" for line in lines)
    exec(compile(code, f"<{name}>", "exec"), names)
    return names["run"]


def overlaps(special: Special, flat: list[str]):
    """Yield the expressions of each written array and another one, with what to say if they overlap."""
    arrays = arrays_of(special, flat)
    for i, (name, text) in enumerate(arrays):
        for other, text_2 in arrays[i + 1:]:
            if name in special.written or other in special.written:
                yield text, text_2, f"arguments '{name}' and '{other}' share memory, and one is written"


def arrays_of(special: Special, flat: list[str]) -> list[tuple[str, str]]:
    """Return the name and the expression of each array among the arguments, as the caller has it."""
    return [(p.name, text.removeprefix("ready") if text.startswith("ready(") else text)
            for p, text in zip(special.program.params, flat, strict=True) if p.type.ndim]


def refuse_overlap(a: np.ndarray, b: np.ndarray, what: str) -> None:
    """Refuse arguments that share memory where the function writes one of them."""
    if np.shares_memory(a, b):
        raise ArgumentError(Problem(
            "SD0319", what, why="a derivative takes its arguments as separate values; the function would see "
            "what it writes in both", fix="pass a copy of one of them"))


def same_value(a, b) -> bool:
    """Tell whether a value that shaped the code is what it was."""
    return a is b or (type(a) is type(b) and bool(a == b))


class Dispatch:
    """Calls by key; subclasses say how a call is specialised.

    A subclass has `specialise(args, keywords) -> Special`, `options`, `recipe`
    (or None), `argument_name(i)` and `bind(args, keywords)`.
    """

    recipe = None

    def __init__(self):
        self._table: dict = {}
        self._direct = nothing
        self._programs: list = []
        self._lock = threading.RLock()

    def __call__(self, *args, **keywords):
        if keywords:
            return self._call_by_name(args, keywords)
        direct = self._direct
        if len(args) == direct.count:
            given = args if direct.flat is None else direct.flat(args)
            try:
                for value in given:
                    if type(value) not in PLAIN:
                        break
                else:
                    result = direct.call(*given)
                    if result is not MISSING:
                        return result if direct.form is None else direct.form(result)
            except Exception as error:
                return self._failed(error, args, {})
        return self._by_key(args)

    def _by_key(self, args):
        try:
            # A comprehension costs more than all else that is done for one argument.
            run = self._table[(key_of(args[0]),) if len(args) == 1 else tuple([key_of(a) for a in args])]
        except (KeyError, TypeError, ValueError):    # writable memory has no hash: ValueError
            run = self._first(args, {})
        return self._run(run, args, {})

    def _run(self, run: Callable, args, keywords):
        try:
            return run(*args, **keywords)
        except Exception as error:
            return self._failed(error, args, keywords)

    def _call_by_name(self, args, keywords):
        """Bind keywords to the parameters; the result goes to `out=`."""
        if self.options.target == "cuda":
            return self._on_grid()(*args, **keywords)
        if "out" in keywords and "out" not in self.__signature__.parameters:
            return into_out(self, args, keywords)
        args, keywords = self.bind(args, keywords)
        if not keywords:
            return self(*args)
        try:
            run = self._table[self._key(args, keywords)]
        except (KeyError, TypeError, ValueError):
            run = self._first(args, keywords)
        return self._run(run, args, keywords)

    def version(self, args, make: bool = False) -> Version | None:
        """Return the version of the code for such arguments that writes into the caller's memory; None where there is no such code.

        Calls that went to machine code at once have none until it is asked for.
        """
        try:
            key = self._key(args, {})
            if make and key not in self._table:
                self._first(args, {})
            return getattr(self._table.get(key), "version", None)
        except (TypeError, ValueError):
            return None

    @staticmethod
    def _key(args, keywords):
        key = tuple([key_of(a) for a in args])
        if keywords:
            key += (frozenset((name, key_of(value)) for name, value in keywords.items()),)
        return key

    def _first(self, args, keywords) -> Callable:
        """Generate and compile what a call with this key needs; once, whatever the threads."""
        if any(map(in_simulated_kernel, args)):
            return lambda *args, **keywords: self(*map(of_simulated_kernel, args), **keywords)
        if self.options.target == "cuda":
            return self._on_grid()
        given, given_keywords = self.bind(args, keywords)
        with self._lock:
            key = self._key(args, keywords)
            try:
                if key in self._table:
                    return self._table[key]
            except (TypeError, ValueError) as error:
                raise ArgumentError(Problem(
                    "SD0301", f"an argument of {self.__name__} is neither numeric nor hashable",
                    fix="pass numbers, arrays, strings, None, or tuples, lists, dicts of these")) from error
            run = self._found(given, given_keywords) or self._make(given, given_keywords)
            self._table[key] = run
        return self._compiling(key, run)

    def _compiling(self, key, run: Callable) -> Callable:
        """Return what calls a runner for the first time; its machine code is known from then on."""
        def first(*args, **keywords):
            result = in_stage("numba", run)(*args, **keywords)
            with self._lock:
                if hasattr(run, "way") and self._table.get(key) is run:
                    self._direct = self._direct.joined(run.way, args)
            return result
        return first

    def _replace(self, key, run: Callable, args):
        """Put other code behind a key."""
        self._table[key] = run
        self._direct = self._direct.without(args)

    def _on_grid(self):
        """Return what runs this on a GPU, for one call."""
        from srcdiff.api.device import on_grid
        return on_grid(self)

    @paused()
    def _make(self, args, keywords, stretch: bool = False, sized: bool = False) -> Callable:
        specs, special, run, compiled = self._specialised(args, keywords, stretch, sized)
        if specs is None:
            return ByShape(self, (args, keywords), run, lambda *call: self._specialised(*call, stretch, sized)[2])
        warm.keep(self, *specs, stretch, special, compiled)
        return run

    def _specialised(self, args, keywords, stretch: bool, sized: bool):
        """Return the specs and the specialisation of a call, its runner and what that calls.

        Code that stretches no axis takes arrays to keep their shapes in loops, too.
        """
        with compiler.taking(self.options.target == "numba" and not stretch):
            specs, special = specialised_call(self, args, keywords, sized)
        return specs, special, *self._compiled(special, args, keywords, stretch)

    def _compiled(self, special: Special, args, keywords, stretch: bool):
        """Return the runner of a specialisation, and what it calls."""
        with stage("transforms"):
            program = titled(self, special)
        compiled = compiler.build(program, self.options, tight=not stretch)
        run = runner(special, compiled, args, keywords)
        self._programs.append(lambda: program)
        return run, compiled

    def _found(self, args, keywords, stretch: bool = False) -> Callable | None:
        """Return the runner of code that an earlier process has left on disk."""
        try:
            specs, keyword_specs = abstract_call(self, args, keywords)
        except SrcdiffError:
            return None
        found = warm.load(self, specs, keyword_specs, stretch)
        if found is None:
            return None
        self._programs.append(lambda: titled(self, self.specialise(specs, keyword_specs)))
        return runner(*found, args, keywords)

    def _failed(self, error: Exception, args, keywords):
        """Try again where captured values changed; turn errors of generated code into ours."""
        if isinstance(error, Stale):
            with self._lock:
                self._table.pop(self._key(args, keywords), None)
            return self._run(self._first(args, keywords), args, keywords)
        if not isinstance(error, SrcdiffError) and (found := CODED.match(str((*error.args, "")[0]))):
            if found[1] == STRETCH:
                return self._run(self._stretched(args, keywords), args, keywords)
            if found[1] == SHORTER and not (self.recipe and self.recipe.is_half):
                return self._run(self._sized(args, keywords), args, keywords)
            if found[1] == MemoryBudgetError.code and error.args[1:]:       # a thread does not say how much it needs
                return self._within_iterations(over_budget(found[2], *error.args[1:], self.options.memory), args, keywords)
            kind = KINDS.get(found[1], ShapeError)
            raise kind(Problem(found[1], found[2], self._place(str(error)), fix=FIXES.get(found[1], SHAPES_FIT))) from None
        if isinstance(error, ValueError) and (misfit := misfits.refused_shapes(error, SHAPES_FIT)) is not None:
            raise misfit from None
        if isinstance(error, np.linalg.LinAlgError) and not isinstance(error, SrcdiffError):
            raise refused_matrix(error, [make() for make in self._programs]) from None
        if is_compile_error(error):
            raise explain(error, self.__name__, self.source(*args, **keywords)) from None
        raise error

    def _place(self, message: str) -> Where:
        """Return the user's line with the one check that fails with this message."""
        places = {s.where for make in self._programs for s in walk(make().body)
                  if isinstance(s, Raise) and s.message == message}
        return places.pop() if len(places) == 1 else NOWHERE

    def _within_iterations(self, error: MemoryBudgetError, args, keywords):
        """Call the code that takes checkpoints inside the iterations of loops too, where that is other code.

        Raises
        ------
        MemoryBudgetError
            There is nothing more to divide.
        """
        deeper = one_level_deeper(self, error, args, keywords)
        result = deeper(*args, **keywords)
        with self._lock:
            self._replace(self._key(args, keywords), deeper, args)
        return result

    def _stretched(self, args, keywords) -> Callable:
        """Put code that stretches axes of length 1 behind a key, for this and all later calls."""
        given, given_keywords = self.bind(args, keywords)
        with self._lock:
            run = self._found(given, given_keywords, True) or self._make(given, given_keywords, stretch=True)
            key = self._key(args, keywords)
            self._replace(key, run, args)
        return self._compiling(key, run)


    def _sized(self, args, keywords) -> Callable:
        """Put code for the extents of each call behind a key."""
        given, given_keywords = self.bind(args, keywords)
        with self._lock:
            run, key = self._make(given, given_keywords, sized=True), self._key(args, keywords)
            self._replace(key, run, args)
        return self._compiling(key, run)


def one_level_deeper(function, error: MemoryBudgetError, args, keywords):
    """Return a function that divides one more level of loops inside loops, for a call that did not fit.

    Raises
    ------
    MemoryBudgetError
        There is nothing more to divide.
    """
    options = function.options
    if options.memory is None or options.levels == MOST_LEVELS:
        raise error from None
    deeper = function.with_options(replace(options, levels=options.levels + 1))
    if deeper.source(*args, **keywords) == function.source(*args, **keywords):
        raise error from None
    return deeper


def over_budget(what: str, allowed: int, needed: int, memory: int | None) -> MemoryBudgetError:
    """Return the error for a loop that was allowed fewer bytes than it needs."""
    fix = f"give memory={memory + needed - allowed} or more" if memory else "leave memory out"
    return MemoryBudgetError(Problem(
        MemoryBudgetError.code, what, why=f"a loop has {allowed} bytes for its state and its tape, and needs {needed}",
        fix=fix))
