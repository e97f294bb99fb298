"""The decorator, and what a decorated function does when it is called itself."""

from __future__ import annotations

import functools
import inspect
import os
import re
import warnings
import weakref
from dataclasses import replace

from srcdiff.api.by_shape import specialised_call
from srcdiff.api.function import Function, pickle_by_name
from srcdiff.api.lazy import lazy
from srcdiff.api.special import Special, special
from srcdiff.backend import Options
from srcdiff.errors import ArgumentError, IndexOutOfRangeError, NoSourceError, Problem, UnsupportedError
from srcdiff.log import stage
from srcdiff.syntax import Raise, Scalar, Span, Store, walk

__all__ = ["Primal", "as_function", "differentiate", "within"]

frontend = lazy("srcdiff.frontend")
bounds, unset = lazy("srcdiff.optimize.bounds", "bounds"), lazy("srcdiff.optimize.unset", "unset")


class Primal(Function):
    """A user's function: called, it does what the function does, compiled.

    A function that writes no argument runs as its own program, with the
    semantics of Python.  One that writes its arguments is given to Numba as it
    stands, unless Numba would take it to mean something else; then it runs as
    plain Python.
    """

    def __init__(self, function, options: Options):
        self.python = getattr(function, "py_func", function)
        super().__init__(function, None, options)
        self.__wrapped__ = function

    def _make_signature(self) -> inspect.Signature:
        try:
            return inspect.signature(self.python)
        except (TypeError, ValueError):
            count = getattr(self.python, "nin", None)
            if count is None:
                raise ArgumentError(Problem(
                    "SD0314", f"{self.python!r} is not a function that can be differentiated",
                    fix="pass a Python function, a lambda, a partial or a NumPy ufunc")) from None
        kind = inspect.Parameter.POSITIONAL_ONLY
        return inspect.Signature([inspect.Parameter(name, kind) for name in "xyzuvw"[:count]])

    def specialise(self, args, keywords) -> Special:
        try:
            with stage("front end"):
                found = frontend.specialise(self.base, args, keywords)
                return special(replace(found, program=bounds(unset(found.program))), args, keywords)
        except UnsupportedError as error:
            if all(p.code == NoSourceError.code for p in error.problems):
                raise NoSourceError(error.problems) from None
            raise

    def __get__(self, instance, owner=None):
        """Bind like a function, so that methods can be decorated."""
        if instance is None:
            return self
        return as_function(self.python.__get__(instance, owner), self.options)

    def with_options(self, options) -> Primal:
        return self if options == self.options else as_function(self.base, options)

    # -- calls --------------------------------------------------------------------------

    def _make(self, args, keywords, stretch=False, sized=False):
        if self.options.target == "python":
            return self.python
        try:
            _, found = specialised_call(self, args, keywords)
        except (UnsupportedError, NoSourceError, ArgumentError) as error:
            return self._uncompiled(error.problems[0].what)
        if found.written:
            return self._in_place(found)
        return super()._make(args, keywords, stretch, sized)

    def _uncompiled(self, reason: str):
        warnings.warn(f"{self.__name__} runs uncompiled: {reason}", RuntimeWarning, stacklevel=5)
        return self.python

    def _in_place(self, found: Special):
        """Return what runs a function that writes its arguments, exactly as written.

        Numba's answer to an update of overlapping slices differs from NumPy's, and
        it freezes what a function captures.
        """
        slices = any(isinstance(s, Store) and any(isinstance(i, Span) for i in s.index)
                     for s in walk(found.program.body))
        captured = [p.type for p in found.program.params if p.captured]
        if slices or found.assumed or not all(isinstance(t, Scalar) for t in captured):
            return self.python
        import numba
        frozen = [(get, get()) for get in found.captures]
        checks = any(isinstance(s, Raise) and IndexOutOfRangeError.code in s.message
                     for s in walk(found.program.body))
        compile_ = numba.njit(boundscheck=True if checks else None)
        compiled = compile_(self.python)
        state = {"compiled": compiled}

        def run(*args, **keywords):
            if any(get() != value for get, value in frozen):
                frozen[:] = [(get, get()) for get, _ in frozen]
                state["compiled"] = compile_(self.python)
            try:
                return state["compiled"](*args, **keywords)
            except numba.core.errors.NumbaError as error:
                state["compiled"] = self._uncompiled(str(error).splitlines()[0])
                return self.python(*args, **keywords)

        return run

    # -- how it shows and travels ---------------------------------------------------------

    def describe(self) -> str:
        return f"differentiable {self.__name__}"

    def __reduce__(self):
        return pickle_by_name(self, self.python)


def default_options() -> Options:
    """Return the options of functions that are not decorated; SRCDIFF_TARGET names another target."""
    return _options_for(os.environ.get("SRCDIFF_TARGET", "numba"))


@functools.cache
def _options_for(target: str) -> Options:
    return Options(target=target)


_ELSEWHERE: dict = {}               # ufuncs and the like, which take no attributes


def as_function(function, options: Options | None = None) -> Function:
    """Return the object for a callable: the same one each time it is asked for."""
    if isinstance(function, Function):
        return function if options is None else function.with_options(options)
    if not callable(function) or isinstance(function, type):
        what = "a function that can be differentiated" if callable(function) else "callable"
        raise ArgumentError(Problem("SD0314", f"{function!r} is not {what}",
                                    fix="pass a function, a lambda, a partial or a NumPy ufunc"))
    options = options or default_options()
    objects = _objects_of(function)
    found = objects.get(options)
    return objects.setdefault(options, Primal(function, options)) if found is None else found


def _objects_of(function) -> dict:
    """Return the dictionary that keeps the objects of a callable alive as long as it lives itself."""
    if inspect.ismethod(function):
        return _objects_of_method(function)
    try:
        found = vars(function).get("__srcdiff__")
        if found is None or found.owner() is not function:      # copied by functools.wraps
            found = function.__srcdiff__ = _Objects(weakref.ref(function))
        return found
    except (TypeError, AttributeError):
        return _ELSEWHERE.setdefault(function, {})


def _objects_of_method(method) -> dict:
    """Bound methods are made anew each time; their objects stay with the instance."""
    try:
        held = vars(method.__self__).setdefault("__srcdiff_methods__", {})
    except (TypeError, AttributeError):
        return {}
    return held.setdefault(method.__func__, {})


class _Objects(dict):
    def __init__(self, owner):
        super().__init__()
        self.owner = owner

    def __reduce__(self):
        return dict, ()


def known_target(target: str) -> str:
    """Return the backend of a target, "cpu" being Numba's; refuse any other name."""
    if target not in ("cpu", "numba", "python", "cuda"):
        raise ArgumentError(Problem("SD0315", f"target={target!r} is unknown",
                                    fix="choose 'cpu', 'python' or 'cuda'"))
    return "numba" if target == "cpu" else target


UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30,
         "TIB": 2**40}


def bytes_of(memory: int | str | None) -> int | None:
    """Return a memory budget in bytes.

    >>> bytes_of("64MB"), bytes_of("1.5 GiB"), bytes_of(1000)
    (64000000, 1610612736, 1000)
    """
    if memory is None or type(memory) is int and memory > 0:
        return memory
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-zA-Z]*)\s*", memory) if isinstance(memory, str) else None
    if found is None or found[2].upper() not in UNITS or float(found[1]) == 0:
        raise ArgumentError(Problem("SD0315", f"memory={memory!r} is no memory budget",
                                    fix='give a number of bytes, or a text like "64MB" or "1.5GiB"'))
    return int(float(found[1]) * UNITS[found[2].upper()])


def within(function, memory: int | str | None) -> Function:
    """Return the object for a callable, with a memory budget if one is given."""
    function = as_function(function)
    if memory is None:
        return function
    return function.with_options(replace(function.options, memory=bytes_of(memory)))


def differentiate(function=None, *, target: str | None = None, parallel: bool = False,
                  fastmath: bool | set | None = None, cache: bool = True, boundscheck: bool = False,
                  vector_math: bool = True, memory: int | str | None = None):
    """Make a function differentiable: ``@differentiate`` or ``@differentiate(parallel=True)``.

    The decorated function does what it did, compiled, and has its derivatives
    as attributes: ``f.grad``, ``f.jacobian``, ``f.hessian``, ``f.hvp``, ...

    Parameters
    ----------
    target
        "cpu", or "numba": compiled by Numba; "python": plain execution of the generated code; "cuda": the `vmap` of the function
        and of its derivatives runs on the GPU.
    parallel
        The `vmap` of the function and of its derivatives runs large batches on all cores.
    fastmath, cache, boundscheck, vector_math
        How Numba compiles; see `srcdiff.backend.Options`.
    memory
        A budget, in bytes or as "64MB", for what reverse mode keeps of loops: they
        take checkpoints, and parts of them run again in the reverse sweep.

    Examples
    --------
    >>> import srcdiff as sd
    >>> @sd.differentiate(target="python")
    ... def f(x):
    ...     return x * x
    >>> f.grad(3.0)
    6.0
    """
    given = {"target": target, "parallel": parallel, "cache": cache, "boundscheck": boundscheck,
             "vector_math": vector_math, "memory": bytes_of(memory)}
    if isinstance(function, Function) and target is None:
        given["target"] = function.options.target
    given["target"] = given["target"] or default_options().target
    if fastmath is not None:
        given["fastmath"] = fastmath if isinstance(fastmath, bool) else frozenset(fastmath)
    given["target"] = known_target(given["target"])
    options = Options(**given)
    if function is None:
        return functools.partial(as_function, options=options)
    return as_function(function, options)


