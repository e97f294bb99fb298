"""The object that stands for a function or one of its derivatives.

A `Function` is a Python function, or a recipe applied to another `Function`; so
every transform applies to every result, to any order.  What it computes is
known as an unlowered program (`specialise`), and compiled at the outermost call.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pickle

from srcdiff.api.by_shape import specialised_call
from srcdiff.api.dispatch import Dispatch
from srcdiff.api.lazy import lazy
from srcdiff.api.recipes import (
    Cotangent,
    Derivatives,
    Gradient,
    HessianProduct,
    Jacobian,
    Product,
    Pullback,
    Pushforward,
    Recipe,
)
from srcdiff.api.special import Special
from srcdiff.errors import ArgumentError, NotScalarError, Problem
from srcdiff.syntax import Program

__all__ = ["Function", "derived"]

compiler, titled = lazy("srcdiff.compiler"), lazy("srcdiff.api.titles", "titled")


class Operators:
    """The derivatives of a function with respect to its first argument, as attributes."""

    @functools.cached_property
    def grad(self):
        """The gradient of a function that returns one number."""
        return self.derive(Gradient())

    @functools.cached_property
    def value_and_grad(self):
        """``(value, gradient)`` in one run."""
        return self.derive(Gradient(value=True))

    @functools.cached_property
    def jacobian(self):
        """The Jacobian, by rows or by columns, whichever is cheaper."""
        return self.derive(Jacobian("auto"))

    @functools.cached_property
    def value_and_jacobian(self):
        """``(value, Jacobian)`` in one run."""
        return self.derive(Jacobian("auto", value=True))

    @functools.cached_property
    def jacfwd(self):
        """The Jacobian by columns: forward mode."""
        return self.derive(Jacobian("forward"))

    @functools.cached_property
    def jacrev(self):
        """The Jacobian by rows: reverse mode."""
        return self.derive(Jacobian("reverse"))

    @functools.cached_property
    def hessian(self):
        """The matrix of second derivatives: forward over reverse."""
        return self.jacrev.derive(Jacobian("forward"))

    @functools.cached_property
    def hvp(self):
        """``f.hvp(x, v, *args)``: the Hessian times a vector, without forming the Hessian."""
        return self.derive(HessianProduct())

    @functools.cached_property
    def hessp(self):
        """``f.hessp(x, p, *args)``: the same in SciPy's words."""
        return self.derive(HessianProduct())

    @functools.cached_property
    def product(self):
        """``f.product(primals, tangents)``: the Hessian with respect to all primals times tangents."""
        return self.derive(Product())

    @functools.cached_property
    def jvp(self):
        """``f.jvp(primals, tangents)`` gives ``(out, tangent)``."""
        return self.derive(Pushforward())

    @functools.cached_property
    def pullback(self):
        """``f.pullback(primals, cotangent)`` gives the cotangents of the primals alone, one for each.

        Both sweeps in one call; what only the value of `f` needs is left out, the first sweep
        where `f` is linear.  A pullback of `vjp` is for several cotangents at one point.
        """
        return self.derive(Pullback())

    @functools.cached_property
    def lagrangian_hess(self):
        """``c.lagrangian_hess(x, v, *args)``: the Hessian of v . c(x), for SciPy's constraints."""
        return self.derive(Cotangent()).derive(Jacobian("forward"))

    def derivatives(self, order: int = 1):
        """Return the function that gives ``(f, f', ..., f^(order))`` of a scalar function."""
        if not isinstance(order, int) or order < 0:
            raise ArgumentError(Problem("SD0316", f"order={order!r} is no number of derivatives",
                                        fix="give an integer that is not negative"))
        return self.derive(Derivatives(order))

    def vjp(self, *primals, **keywords):
        """Return ``(out, pullback)`` at `primals`; the keywords are those of `srcdiff.vjp`."""
        from srcdiff.api.linear import vjp
        return vjp(self, *primals, **keywords)

    def check(self, *args, **keywords):
        """Compare forward with reverse mode, and both with differences; raise `CheckError`."""
        from srcdiff.api.check import check
        return check(self, *args, **keywords)

    def explain(self, *args, **keywords):
        """Return a table of the user's lines: what is active, kept, recomputed, free; bytes kept.

        Of a derivative on the GPU (``target="cuda"``): what its kernels take, in registers and memory.
        """
        if self.options.target == "cuda" and self.recipe is not None:
            return self._on_grid().explain(*args, **keywords)
        from srcdiff.api.explain import explain
        return explain(self, *args, **keywords)


def _name(base) -> str:
    """Return the name of a function; a partial goes by that of its function."""
    while isinstance(base, functools.partial):
        base = base.func
    return getattr(base, "__name__", type(base).__name__)


class Function(Dispatch, Operators):
    """A derivative of `base`, as `recipe` says.

    Calling it runs compiled code for the types of the arguments; `source` shows
    that code.
    """

    def __init__(self, base, recipe: Recipe | None, options):
        super().__init__()
        self.base, self.recipe, self.options = base, recipe, options
        self._derived: dict[Recipe, Function] = {}
        self.__signature__ = self._make_signature()
        self.__name__ = _name(base)
        self.__qualname__ = getattr(base, "__qualname__", self.__name__)
        self.__doc__ = getattr(base, "__doc__", None)
        self.__module__ = getattr(base, "__module__", None)

    def _make_signature(self) -> inspect.Signature:
        return self.recipe.signature(self.base.__signature__)

    # -- programs -----------------------------------------------------------------------

    def specialise(self, args: tuple, keywords: dict) -> Special:
        """Return the program for abstract arguments, bound as a call would bind them."""
        if not self.recipe.is_half:
            return self.recipe.specialise(self.base, args, keywords)
        with compiler.taking(False):
            return self.recipe.specialise(self.base, args, keywords)

    def __srcdiff_program__(self, args, keywords) -> Special:
        """Give the front end the program of a call inside another differentiated function."""
        return self.specialise(*self.bind(args, keywords))

    def derive(self, recipe: Recipe) -> Function:
        """Return the derivative of this function that `recipe` makes; the same object each time."""
        found = self._derived.get(recipe)
        if found is None:
            with self._lock:
                found = self._derived.setdefault(recipe, derived(self, recipe))
        return found

    def special_for(self, *args, **keywords) -> Special:
        """Return the specialisation that a call with these arguments uses."""
        return specialised_call(self, *self.bind(args, keywords))[1]

    def program(self, *args, **keywords) -> Program:
        """Return the unlowered program for arguments like these."""
        return self.special_for(*args, **keywords).program

    def source(self, *args, level: str = "loops", **keywords) -> str:
        """Return the generated Python for arguments like these.

        Parameters
        ----------
        level
            "loops": what is compiled.  "array": before array statements became loops.
        """
        if level not in ("loops", "array"):
            raise ArgumentError(Problem(
                "SD0316", f"level is 'loops' or 'array', not {level!r}",
                fix="leave it out to see what is compiled"))
        if self.options.target == "cuda" and level == "loops":
            return self._on_grid().source(*args, **keywords)
        with compiler.taking(level == "loops"):
            program = titled(self, self.special_for(*args, **keywords))
        return compiler.text(program, level)

    # -- calls --------------------------------------------------------------------------

    def _make(self, args, keywords, stretch=False, sized=False):
        try:
            return super()._make(args, keywords, stretch, sized)
        except NotScalarError as error:
            raise self._with_shape(error, args, keywords) from None

    def _with_shape(self, error, args, keywords):
        """Name the shape that the function really returned."""
        try:
            value = self.base(*args, **keywords)
        except Exception:
            return error
        shape = getattr(value, "shape", None)
        if not shape:
            return error
        (problem, *_) = error.problems
        return NotScalarError(Problem(problem.code, f"{problem.what} and shape {shape}", problem.where,
                                      problem.why, problem.fix))

    def bind(self, args, keywords) -> tuple[tuple, dict]:
        """Return the call's arguments with as many as possible by position."""
        try:
            bound = self.__signature__.bind(*args, **keywords)
        except TypeError as error:
            raise ArgumentError(Problem("SD0309", f"{self.__name__}: {error}",
                                        fix=f"its signature is {self.__name__}{self.__signature__}")) from None
        return bound.args, bound.kwargs

    def argument_name(self, position: int) -> str:
        """Return what the user calls an argument."""
        for i, parameter in enumerate(self.__signature__.parameters.values()):
            if parameter.kind is parameter.VAR_POSITIONAL:
                return f"{parameter.name}[{position - i}]"
            if i == position:
                return parameter.name
        return f"argument {position}"

    def with_options(self, options) -> Function:
        """Return the same derivative, compiled in another way."""
        if options == self.options:
            return self
        return self.base.with_options(options).derive(self.recipe)

    # -- how it shows and travels ---------------------------------------------------------

    def __repr__(self):
        return f"<{self.describe()}>"

    def describe(self) -> str:
        return f"{self.recipe.word} of {self.base.describe()}"

    def __str__(self):
        """The generated code of the types that it has been called with so far."""
        texts = [compiler.text(program) for program in dict.fromkeys(make() for make in self._programs)]
        return "\n\n".join(texts) if texts else repr(self)

    def _repr_markdown_(self):
        """Let a notebook show the generated code, highlighted."""
        return f"```python\n{self}\n```" if self._programs else f"`{self!r}`"

    def __reduce__(self):
        return _derive, (self.base, self.recipe)

    @property
    def has_grad(self) -> bool:
        """Tell iminuit that `grad` covers all parameters: there is one."""
        return len(self.__signature__.parameters) == 1

    def cfunc(self, signature):
        """Compile to a C function pointer of a Numba signature, for `scipy.LowLevelCallable`."""
        from srcdiff.api.numba_interop import cfunc_of
        return cfunc_of(self, signature)

    @property
    def _numba_type_(self):
        """Let compiled user code call this object, and take it as an argument."""
        from srcdiff.api.numba_interop import numba_type
        return numba_type(self)


def _derive(base, recipe):
    return base.derive(recipe)


def derived(base: Function, recipe: Recipe) -> Function:
    """Return a new object for a recipe applied to a function."""
    if isinstance(recipe, Jacobian) and recipe.mode == "auto":
        from srcdiff.api.automatic import AutoJacobian
        return AutoJacobian(base, recipe, base.options)
    return Function(base, recipe, base.options)


def load_primal(module: str, qualname: str, options):
    """Find a pickled function again by its name."""
    from srcdiff.api.differentiate import as_function
    found = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return as_function(found, options)


def pickle_by_name(function, python):
    """Return what pickles a function by its name; lambdas and local functions have none."""
    module, qualname = getattr(python, "__module__", None), getattr(python, "__qualname__", "<lambda>")
    try:
        found = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, TypeError, ValueError):
        found = None
    if found is not function and found is not python:
        raise pickle.PicklingError(
            f"{qualname} cannot be pickled: it cannot be imported as {module}.{qualname}; "
            "define it at the top level of a module")
    return load_primal, (module, qualname, function.options)
