"""`sd.custom_rule`: a user's own derivative of a black box or a special function.

The rule is a differential in one line, from which both modes are derived ::

    @sd.custom_rule(lambda x, dx, ans: -j1(x) * dx)
    def j0(x): ...

or a pair of functions, ``jvp(x, dx, ans)`` and ``vjp(x, g, ans)``.  The function
acts on numbers; given arrays, it acts on each element.  It should be pure: code
may call it twice, or not at all where its value is not used.
"""

from __future__ import annotations

import functools
import inspect
import linecache
from collections.abc import Callable
from dataclasses import dataclass

from srcdiff import custom, frontend
from srcdiff.builder import Builder
from srcdiff.errors import Problem, RuleError, Where
from srcdiff.primitives import PRIMITIVES
from srcdiff.roots import spliced
from srcdiff.rules import RULES, Rule
from srcdiff.rules.emission import ANS, Emission
from srcdiff.rules.expression import Apply, parse
from srcdiff.rules.rule import Choice, Row, answer_extents, as_operand
from srcdiff.structure import result_tree
from srcdiff.syntax import Array, Assign, Atom, Const, Program, Scalar, Static, Var, is_float

__all__ = ["custom_rule"]


def custom_rule(differential: Callable | None = None, *, jvp: Callable | None = None,
                vjp: Callable | None = None) -> Callable:
    """Return a decorator that gives a function its derivative.

    Parameters
    ----------
    differential
        A lambda of the operands, their differentials (``d`` before the name)
        and ``ans``, the value: an expression that is linear in the
        differentials, of NumPy and `math` functions and of other functions
        with rules.  Numbers that it reads from outside are read once.
    jvp, vjp
        In its place: ``jvp(x, y, dx, dy, ans)`` gives the tangent,
        ``vjp(x, y, g, ans)`` what each operand gets from the cotangent `g` (a
        tuple for several operands; None for zero).  They are functions of
        numbers such as srcdiff differentiates, so second derivatives follow.

    Returns
    -------
    Callable
        Takes the function and returns it.  It may be a Python function, one
        that Numba has compiled, or a ufunc.  Compiled code calls a Python
        function through the interpreter where Numba cannot compile it.

    Raises
    ------
    RuleError
        The rule is not linear in its differentials, does not fit the function,
        or its source is not found.

    Examples
    --------
    >>> import srcdiff as sd
    >>> @sd.custom_rule(lambda x, dx, ans: 2 * x * dx)
    ... def black_box(x):
    ...     return x**2
    >>> sd.differentiate(black_box, target="python").grad(3.0)
    6.0
    """
    if (differential is None) == (jvp is None and vjp is None) or (jvp is None) != (vjp is None):
        raise RuleError(Problem("SD0601", "custom_rule takes a differential, or both jvp= and vjp=",
                                fix="write @sd.custom_rule(lambda x, dx, ans: ...)"))
    for rule in (differential, jvp, vjp):
        if rule is not None and not (inspect.isfunction(rule)):
            raise RuleError(Problem("SD0601", f"{rule!r} is no rule", fix="pass a lambda or a function"))

    def decorate(function):
        if differential is not None:
            arity, rule = _from_differential(differential)
        else:
            arity = _count(jvp, function)
            rule = Pair(arity, jvp, vjp)
        _require_fitting(function, arity, differential or jvp)
        RULES.own[custom.register(function, arity)] = rule
        return function

    return decorate


def _from_differential(differential) -> tuple[int, Rule]:
    """Return the number of operands and the rule; names that come later are looked up when it is used."""
    try:
        row = _row(differential)
    except RuleError as error:
        if not any("the name is not known" in p.why for p in error.problems):
            raise
        row = functools.cache(lambda: _row(differential))
        return (differential.__code__.co_argcount - 1) // 2, Choice(lambda stmt: row())
    return len(row.expression.operands), row


def _row(differential) -> Row:
    """Return the rule that a differential states; it must act on each element by itself."""
    expression = parse(differential)
    mixing = next((name for name in _functions_of(expression.node) if name in PRIMITIVES
                   and PRIMITIVES[name].kind != "elementwise"), None)
    if mixing:
        raise RuleError(Problem("SD0600", f"`{mixing}` in a differential", _place(differential),
                                "a function with a rule of its own acts on numbers: given arrays, on each element",
                                "write the sum or the product around a function of numbers"))
    return Row(expression)


def _functions_of(node):
    """Yield the names of the functions that a differential applies."""
    if isinstance(node, Apply):
        yield node.function
        for part in node.args:
            yield from _functions_of(part)


def _count(jvp, function) -> int:
    """Return the number of operands of a function by its jvp, which takes twice as many and the value."""
    count = jvp.__code__.co_argcount
    if count < 3 or not count % 2:
        raise RuleError(Problem("SD0602", f"jvp takes {count} arguments", _place(jvp),
                                "it is called with the operands, their differentials, and the value",
                                "write jvp(x, dx, ans), or jvp(x, y, dx, dy, ans)"))
    return count // 2


def _require_fitting(function, arity: int, rule) -> None:
    if not callable(function) or isinstance(function, type) or hasattr(function, "__srcdiff_program__"):
        raise RuleError(Problem("SD0603", f"{function!r} cannot be given a rule", _place(rule),
                                fix="decorate a plain function, one under @njit, or a ufunc"))
    known = [p.name for p in PRIMITIVES.values() if any(c is function for c in p.callables)]
    if known:
        raise RuleError(Problem("SD0603", f"{known[0]} has a rule already", _place(rule),
                                fix="give the rule to a function of your own that calls it"))
    count = getattr(function, "nin", None)
    try:
        if count is None:
            inspect.signature(getattr(function, "py_func", function)).bind(*range(arity))
            return
    except ValueError:                  # without a signature
        return
    except TypeError:
        pass
    if count != arity:
        name = getattr(function, "__name__", repr(function))
        raise RuleError(Problem("SD0602", f"the rule of {name} has {arity} operand{'s' * (arity != 1)}",
                                _place(rule), f"{name} does not take {arity} positional arguments",
                                "name the same operands, in the same order"))


def _place(function) -> Where:
    code = getattr(function, "__code__", None)
    if code is None:
        return Where()
    text = linecache.getline(code.co_filename, code.co_firstlineno).rstrip("\n")
    return Where(code.co_filename, code.co_firstlineno, 0, len(text), text)


# -- rules given as two functions --------------------------------------------------------

@dataclass(frozen=True)
class Pair(Rule):
    """A rule that is two Python functions of numbers; on arrays their statements stand in loops."""

    arity: int
    jvp: Callable
    vjp: Callable

    def tangent(self, builder, stmt, tangents):
        emission = Emission(builder, stmt, lambda i: _extents(builder, stmt.args[i]))
        given = [tangents.get(i, Const(0.0)) for i in range(self.arity)]
        operands = (*stmt.args, *given, Var(stmt.target))
        (tangent,) = _each(builder, self.jvp, operands, builder.types[stmt.target],
                           lambda: answer_extents(emission), 1)
        return tangent

    def adjoint(self, builder, stmt, g, wanted, extents):
        emission = Emission(builder, stmt, extents)
        found = _each(builder, self.vjp, (*stmt.args, g, Var(stmt.target)), builder.types[stmt.target],
                      lambda: builder.extents(g.name), self.arity)
        for atom in found:
            emission.shaped_like(atom or g, ANS)
        return {i: as_operand(emission, i, [found[i]]) for i in sorted(wanted) if found[i] is not None}

    def needs(self, stmt, wanted):
        return {ANS, *(i for i, a in enumerate(stmt.args) if not isinstance(a, Const))}


def _extents(builder: Builder, atom: Atom) -> tuple[Atom, ...]:
    return builder.extents(atom.name) if isinstance(atom, Var) else ()


def _each(builder: Builder, function, operands, answer, extents, count: int) -> list[Atom | None]:
    """Write the statements of `function` for each element of the answer; return its results.

    `extents` writes those of the answer, if it is an array; a result is None
    where the function says so.
    """
    numbers = tuple(Scalar(t.dtype, getattr(t, "weak", False)) for t in map(builder.type_of, operands))
    program, places = _program(function, numbers, count)
    if not isinstance(answer, Array):
        results = spliced(builder, program, operands)
        return [None if p is None else builder.op("cast", results[p], dtype=answer.dtype) for p in places]
    sizes = extents()
    whole = [builder.op("broadcast_to", a, *sizes) if isinstance(builder.type_of(a), Array) else a
             for a in operands]
    arrays = [builder.op("zeros", *sizes, dtype=answer.dtype) for p in places if p is not None]
    _loops(builder, sizes, (), program, whole, arrays, [p for p in places if p is not None])
    rest = iter(arrays)
    return [None if p is None else next(rest) for p in places]


def _loops(builder, sizes, index, program, operands, arrays, places) -> None:
    if sizes:
        with builder.loop(Const(0), sizes[0]) as i:
            _loops(builder, sizes[1:], (*index, i), program, operands, arrays, places)
        return
    elements = [builder.load(a.name, index) if isinstance(builder.type_of(a), Array) else a for a in operands]
    results = spliced(builder, program, elements)
    for array, place in zip(arrays, places, strict=True):
        builder.store(array.name, index, results[place])


def _program(function, numbers, count: int) -> tuple[Program, list[int | None]]:
    """Return the program of a jvp or vjp of numbers, and for each result its position, None for zero."""
    found = frontend.specialise(function, numbers, {})
    program = _with_constants(found, function)
    tree = result_tree(program)
    parts = list(tree) if isinstance(tree, tuple) else [tree]
    places = [None if isinstance(p, Static) and p.value is None else p for p in parts]
    fits = len(places) == count and all(
        p is None or isinstance(p, int) and is_float(program.type_of(program.results[p]))
        and not program.type_of(program.results[p]).ndim for p in places)
    if not fits:
        raise RuleError(Problem("SD0602", f"{function.__name__} must return {count} real number"
                                f"{'s' * (count != 1)}", _place(function),
                                fix="one tangent of the value" if count == 1 else "one for each operand, or None"))
    return program, places


def _with_constants(found, function) -> Program:
    """Return the program of a rule with the numbers that it reads from outside as constants."""
    program, body = found.program, []
    own = [p for p in program.params if p.captured]
    for param, get in zip(own, found.captures, strict=True):
        value = get()
        if param.type.ndim:
            raise RuleError(Problem("SD0604", f"{function.__name__} reads the array `{param.name}` from outside",
                                    _place(function), "a rule may read numbers only",
                                    "make it an operand of the function"))
        value = value.item() if hasattr(value, "item") else value
        static = () if param.type.weak else (("dtype", param.type.dtype),)
        body.append(Assign(param.name, "copy" if param.type.weak else "cast", (Const(value),), static))
    return program.with_body((*body, *program.body), params=program.params[:len(program.params) - len(own)])
