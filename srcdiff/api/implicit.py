"""`sd.implicit`: differentiate the root that a solver finds, not its iterations."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from dataclasses import dataclass, replace

from srcdiff.api.differentiate import as_function
from srcdiff.api.function import Function
from srcdiff.api.recipes import Recipe
from srcdiff.api.special import Special, refuse
from srcdiff.builder import Builder
from srcdiff.errors import Problem, RuleError, Where
from srcdiff.roots import Root
from srcdiff.structure import is_leaf, leaves
from srcdiff.syntax import Param, Static, Var, is_float

__all__ = ["implicit"]


def implicit(equation: Callable) -> Callable:
    """Return a decorator for solvers: the derivative of ``x = solver(p, ...)`` with g(x, p, ...) = 0.

    Parameters
    ----------
    equation
        g(x, p, ...): shaped like `x`, which is a number or a vector.  It takes
        the first arguments of the solver, as many as it has; the others (a
        first guess, a tolerance) do not move the root.  A fixed point
        x = phi(x, p) is a root of x - phi(x, p).

    Returns
    -------
    Callable
        Takes the solver and returns a function like those of `differentiate`.
        Its derivatives of any order solve linear systems in dg/dx at the value
        that the solver returned: ``dg/dx dx = -dg/dp dp``, in reverse mode the
        transpose.  They are as exact as that value is a root, and infinite or
        nan, or an error for vectors, where dg/dx is singular.

    Examples
    --------
    >>> import srcdiff as sd
    >>> @sd.implicit(lambda x, p: x * x - p)
    ... def root(p):
    ...     x = 1.0
    ...     while abs(x * x - p) > 1e-15 * p:
    ...         x = 0.5 * (x + p / x)
    ...     return x
    >>> sd.grad(sd.differentiate(root, target="python"))(4.0)
    0.25
    """
    def decorate(solver):
        if isinstance(solver, Function):
            return solver.derive(Implicit(as_function(equation, solver.options)))
        return as_function(solver).derive(Implicit(as_function(equation)))

    return decorate


@dataclass(frozen=True)
class Implicit(Recipe):
    equation: Function
    word = "solution"

    def specialise(self, base, args, keywords):
        solver = base.specialise(args, keywords)
        tree = solver.program.tree
        x = None if isinstance(tree, Static) or not is_leaf(tree) else solver.program.results[tree]
        type_ = None if x is None else solver.program.type_of(x)
        if type_ is None or not is_float(type_) or type_.dtype.startswith("complex") or type_.ndim > 1:
            _misfit(base, "a solver returns one root: a real number, or an array with one axis")
        own, named = self.arguments(args, keywords)
        equation = self.equation.specialise((type_, *own), named)
        found = equation.program.tree
        result = None if isinstance(found, Static) or not is_leaf(found) else equation.program.results[found]
        if result is None or not is_float(equation.program.type_of(result)) or (
                equation.program.type_of(result).ndim != type_.ndim):
            _misfit(self.equation, "the equation must give a value shaped like the root")
        return joined(solver, x, equation)

    def arguments(self, args, keywords):
        """Return those arguments of the solver that the equation takes."""
        first, *parameters = self.equation.__signature__.parameters.values() or (None,)
        if first is None:
            _misfit(self.equation, "the equation takes the root, then the arguments of the solver")
        kinds = [p.kind for p in parameters]
        if inspect.Parameter.VAR_POSITIONAL not in kinds:
            count = sum(k in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
                        for k in kinds)
            args = args[:count]
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            names = {p.name for p in parameters}
            keywords = {name: value for name, value in keywords.items() if name in names}
        needed = [p.name for i, p in enumerate(parameters)
                  if i >= len(args) and p.name not in keywords and p.default is p.empty
                  and p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY, p.KEYWORD_ONLY)]
        if needed:
            refuse(f"the equation {self.equation.__name__} needs {', '.join(needed)}, which the call of its "
                   "solver does not give", fix="let the equation take the first arguments of the solver")
        return tuple(args), keywords


def joined(solver: Special, x, equation: Special) -> Special:
    """Return the solver's program, with its result marked as a root of the equation."""
    program, other = solver.program, equation.bare
    root = Root(replace(other, results=(other.results[equation.program.tree],)))
    builder = Builder(program.types)
    builder.append(*program.body)
    captured = []
    operands = [builder.op("stop_gradient", x, stem="found")]
    place = {own: Var(name) for own, name in _shared(solver, equation)}
    for param in other.params[1:]:
        if param.captured:
            name = builder.fresh(param.name, param.type)
            captured.append(Param(name, param.type, captured=True))
            operands.append(Var(name))
        else:
            operands.append(place[param.name])
    answer = builder.op("implicit", *operands, stem="root", of=root)
    program = replace(program, params=(*program.params, *captured), body=builder.take(), results=(answer,),
                      types=builder.types, tree=0)
    return replace(solver, program=program, captures=solver.captures + equation.captures,
                   assumed=solver.assumed + equation.assumed, linear=frozenset())


def _shared(solver: Special, equation: Special):
    """Yield (parameter of the equation, that of the solver) for the arguments that both have."""
    (_, *args), keywords = equation.names
    given, named = solver.names
    pairs = [*zip(args, given, strict=False), *((tree, named[name]) for name, tree in keywords.items())]
    for tree, other in pairs:
        for a, b in zip(leaves(tree), leaves(other), strict=True):
            if not isinstance(a, Static):
                yield a, b


def _misfit(function: Function, why: str):
    code = getattr(getattr(function, "python", None), "__code__", None)
    where = Where()
    if code is not None:
        text = linecache.getline(code.co_filename, code.co_firstlineno).rstrip("\n")
        where = Where(code.co_filename, code.co_firstlineno, 0, len(text), text, function.__name__)
    raise RuleError(Problem("SD0605", f"{function.__name__} does not fit sd.implicit", where, why,
                            "write @sd.implicit(g) over a solver x = solver(p, ...) with g(x, p, ...) = 0"))
