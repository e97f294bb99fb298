"""One callable for every target, and the options of compilation."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from srcdiff.backend import numba as numba_backend
from srcdiff.backend import python as python_backend
from srcdiff.log import stage
from srcdiff.schedule import Within
from srcdiff.syntax import Program, walk

__all__ = ["Compiled", "Options", "compile_program", "compile_source"]


@dataclass(frozen=True)
class Options:
    """How generated code is compiled.

    Attributes
    ----------
    target
        "numba", or "python": plain execution, for tests and debugging.
    parallel
        Mapped functions (`vmap`) run large batches on all cores.
    fastmath
        LLVM's fast-math flags; "contract" (fused multiply-add) is safe for
        infinities and NaN, ``True`` is not.
    cache
        Keep text and machine code on disk.
    boundscheck
        Check every index, at a cost of a few per cent.
    vector_math
        Use the vector versions of `exp`, `sin`, ... where the system has them
        (at most 4 units in the last place).
    memory
        Bytes that reverse mode may keep of loops; None for all it needs.
    levels
        How many levels of loops inside loops are divided to that end (see
        `srcdiff.reverse.unfolded`).
    """

    target: str = "numba"
    parallel: bool = False
    fastmath: bool | frozenset[str] = frozenset({"contract"})
    cache: bool = True
    boundscheck: bool = False
    vector_math: bool = True
    memory: int | None = None
    levels: int = 0

    @classmethod
    def of(cls, options, target: str | None = None) -> Options:
        """Return the options that an object with some of these attributes asks for; None is the default."""
        given = {f.name: getattr(options, f.name, None) for f in fields(cls)}
        if target is not None:
            given["target"] = target
        if given["fastmath"] is not None and not isinstance(given["fastmath"], bool):
            given["fastmath"] = frozenset(given["fastmath"])
        return cls(**{name: value for name, value in given.items() if value is not None})

    def key(self) -> str:
        """Return a text that tells different options apart, the same in every process."""
        flags = self.fastmath if isinstance(self.fastmath, bool) else sorted(self.fastmath)
        return repr((self.target, self.parallel, flags, self.cache, self.boundscheck, self.vector_math,
                     self.memory, self.levels))

    @property
    def within(self) -> Within | None:
        """The memory budget of reverse mode."""
        return None if self.memory is None else Within(self.memory, self.levels)


@dataclass(frozen=True, eq=False)
class Compiled:
    """A compiled program: flat arguments in, flat tuple of results out.

    Attributes
    ----------
    name, source
        The entry point and the text of its module.
    dispatcher
        The function itself (Numba's dispatcher, or a plain function): it
        returns a bare value for one result; callable from ``@njit`` code.
    count
        The number of results.
    file
        The user's file, for messages.
    """

    name: str
    source: str
    dispatcher: object
    count: int
    options: Options = field(default=Options())
    file: str = "<unknown>"

    def __call__(self, *args):
        try:
            value = self.dispatcher(*args)
        except Exception as error:
            if not numba_backend.is_compile_error(error):
                raise
            raise numba_backend.explain(error, self.name, self.source, self.file) from None
        return value if self.count > 1 else (value,) * self.count


def compile_program(program: Program, target: str | None = None, options=None,
                    docstring: str | None = None) -> Compiled:
    """Print and compile a program; for the target "numba" it has been lowered before."""
    from srcdiff.analysis.signs import from_front
    from srcdiff.printing import to_source
    from srcdiff.printing.bindings import MARK
    options = Options.of(options, target)
    file = next((stmt.where.file for stmt in walk(program.body) if stmt.where.line), "<unknown>")
    with stage("signs"):
        arrays = from_front(program) if options.target == "numba" else frozenset()
    with stage("print"):
        source = to_source(program, docstring=docstring, from_front=arrays)
    if MARK in source:
        # What a user's own function does may change while the text here does not: nothing of it is kept.
        options = replace(options, cache=False)
    return compile_source(program.name, source, len(program.results), None, options, file)


def compile_source(name: str, source: str, count: int, target: str | None = None,
                   options=None, file: str = "<unknown>") -> Compiled:
    """Compile the text of a module, as `to_source` gives it.

    Parameters
    ----------
    name
        The entry point.
    count
        The number of results.
    file
        The user's file, for messages.
    """
    options = Options.of(options, target)
    load = {"python": python_backend.load, "numba": numba_backend.load}.get(options.target)
    if load is None:
        raise ValueError(f"unknown target {options.target!r}: 'numba' or 'python'")
    return Compiled(name, source, load(name, source, options), count, options, file)
