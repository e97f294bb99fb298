"""One function and the types of its arguments in, one program out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import gast

from srcdiff.assemble import require_equal
from srcdiff.errors import NOWHERE, NoSourceError, Problem, SrcdiffError, UnsupportedError, Where
from srcdiff.frontend.source import unwrap
from srcdiff.frontend.translate import aliases, calls
from srcdiff.frontend.translate.captured import lift
from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.inline import frame_of
from srcdiff.frontend.translate.tidy import tidy
from srcdiff.frontend.translate.values import (
    Dict,
    Known,
    Origin,
    Poison,
    Ref,
    Refused,
    RunTimeText,
    Tuple,
    View,
    is_atom,
)
from srcdiff.frontend.translate.views import as_atom, given
from srcdiff.places import of_function
from srcdiff.printing import reserved
from srcdiff.structure import ListArray, SizedArray, in_programs
from srcdiff.syntax import Array, Assign, Const, Param, Program, Scalar, Static, Var, atoms_of, rename, walk

__all__ = ["Specialisation", "specialise", "specs_of"]

_WIDE = {"float64", "int64", "bool", "complex128"}


@dataclass(frozen=True)
class Specialisation:
    """One function translated for arguments of given types.

    Attributes
    ----------
    program
        Parameters in call order, flattened; captured values last.
    captures
        One zero-argument function per captured parameter: its present value.
    leaves
        By parameter: the tree of its argument, each number or array replaced
        by its position among the flat parameters, everything else by `Static`.
    assumed
        Pairs of a function and the value that it gave: what was taken for
        granted of the world outside.  Where one has changed, the function must
        be specialised again.
    written
        Positions of the parameters whose arrays the function changes.
    """

    program: Program
    captures: tuple[Callable, ...]
    leaves: dict[str, object]
    assumed: tuple[tuple[Callable, object], ...] = ()
    written: tuple[int, ...] = field(default=())


def specialise(function, args: tuple, keywords: dict | None = None) -> Specialisation:
    """Translate `function` for arguments of these types.

    Parameters
    ----------
    function
        A Python function, a method, a dispatcher, a `functools.partial`, a ufunc.
    args, keywords
        A `Spec` per argument: a type, `Static(value)`, or a tuple, list, dict or
        NamedTuple of these.

    Raises
    ------
    UnsupportedError
        All problems of the function, each with its line.
    """
    if hasattr(function, "__srcdiff_program__"):
        return function.__srcdiff_program__(tuple(args), dict(keywords or {}))
    return _with_mirrors_where_needed(lambda t: _specialised(t, function, args, keywords))


def _with_mirrors_where_needed(translate) -> Specialisation:
    """Translate without storing into several arrays, and with that if arrays are stored into that may have two names."""
    try:
        return translate(Translator())
    except UnsupportedError as error:
        if all(problem.code != aliases.CODE for problem in error.problems):
            raise
        t = Translator()
        t.mirrors = True
        return translate(t)


def _specialised(t: Translator, function, args: tuple, keywords: dict | None) -> Specialisation:
    stems = _parameter_names(function, len(args))
    leaves: dict[str, object] = {}
    values, named = [], {}
    for stem, spec in zip(stems, args, strict=True):
        value, leaves[stem] = _parameter(t, stem, spec)
        values.append(value)
    for stem, spec in (keywords or {}).items():
        named[stem], leaves[stem] = _parameter(t, stem, spec)
    result = _translated(t, function, tuple(values), named)
    return _finished(t, function, result, leaves)


def specialise_local(local, args: tuple) -> Specialisation:
    """Translate a nested function; the last of `args` is the tuple of what it captures."""
    return _with_mirrors_where_needed(lambda t: _specialised_local(t, local, args))


def _specialised_local(t: Translator, local, args: tuple) -> Specialisation:
    t._keys = local.keys            # its frames have keys from another translator
    leaves: dict[str, object] = {}
    names = list(local.__signature__.parameters)
    values = []
    for stem, spec in zip(names[:-1], args[:-1], strict=True):
        value, leaves[stem] = _parameter(t, stem, spec)
        values.append(value)
    t.state.update(local.held)
    captured = [_parameter(t, place[1], spec) for place, spec in zip(local.places, args[-1], strict=True)]
    t.state.update({place: value for place, (value, _) in zip(local.places, captured, strict=True)})
    leaves[names[-1]] = tuple(leaf for _, leaf in captured)
    result = Poison()
    with t.guard(None, lambda: None):
        result = _flattened(t, calls.call(t, local.closure, tuple(values), {}))
    if t.problems:
        raise UnsupportedError(t.problems)
    return _finished(t, local, result, leaves)


def _parameter_names(function, count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not parameters:
        names = ["x", "y", "z"]
    star = next((p.name for p in parameters if p.kind == p.VAR_POSITIONAL), "x")
    return names[:count] + [f"{star}_{k}" for k in range(count - len(names))]


def _parameter(t: Translator, stem: str, spec):
    """Return the abstract value of a parameter, and its tree of flat positions."""
    if isinstance(spec, Scalar | Array):
        is_list = isinstance(spec, ListArray)
        type_ = in_programs(spec)
        name = t.builder.fresh(stem, type_)
        t.narrow |= spec.dtype not in _WIDE
        t.params.append(Param(name, type_))
        if isinstance(spec, SizedArray) and spec.extents is not None:
            _rely_on(t, Var(name), spec.extents)
        value = t.allocate(Var(name), list) if is_list else Var(name)
        if is_list and spec.ndim > 1:
            t.nested.add(value.key)
        return value, len(t.params) - 1
    if isinstance(spec, Static):
        return lift(t, spec.value), spec
    if isinstance(spec, dict):
        pairs = {k: _parameter(t, _joined(stem, k), v) for k, v in spec.items()}
        value = t.allocate(Dict(tuple((k, v) for k, (v, _) in pairs.items())), dict)
        return value, {k: leaf for k, (_, leaf) in pairs.items()}
    fields = getattr(spec, "_fields", None) or range(len(spec))
    pairs = [_parameter(t, _joined(stem, k), v) for k, v in zip(fields, spec, strict=True)]
    items = Tuple(tuple(v for v, _ in pairs), type(spec) if hasattr(spec, "_fields") else None)
    tree = [leaf for _, leaf in pairs]
    if isinstance(spec, list):
        return t.allocate(items, list), tree
    return items, type(spec)(*tree) if hasattr(spec, "_fields") else tuple(tree)


def _rely_on(t: Translator, array: Var, extents: tuple[int, ...]) -> None:
    """Take the extents of an argument as known, and check them first: the code is for no others."""
    for axis, extent in enumerate(extents):
        require_equal(t.builder, t.size(array, axis), Const(extent),
                      f"[SD0348] this code is made for {array.name} with the extents {extents}")
    t.extents[array.name] = extents


def _joined(stem, key) -> str:
    name = f"{stem}_{key}"
    return name if name.isidentifier() else f"{stem}_item"


def _translated(t: Translator, function, values, named):
    """Translate the call; raise everything that is wrong with it at once."""
    if _returns_nothing(t, function):
        for param in t.params:
            if isinstance(param.type, Array):
                t.state["argument", param.name] = Var(param.name)
    result = Poison()
    try:
        with t.guard(None, lambda: None):
            target = Known(function, Origin("function", of_function(function)))
            result = calls.call(t, target, values, named)
            result = _returned(t, function, result)
    except RecursionError:
        raise UnsupportedError(_too_deep(function)) from None
    if t.problems:
        raise UnsupportedError(t.problems)
    if isinstance(result, Poison):
        raise SrcdiffError(f"{function!r} could not be translated")
    return result


def _returned(t: Translator, function, result):
    """Return the flat results; what is wrong with them is shown at the first line of the function."""
    with t.builder.at(_place_of(function)):
        try:
            return _flattened(t, result)
        except Refused as refused:
            t.report(refused)
            return Poison()


def _place_of(function) -> Where:
    """Return the first line of a function, where it has one."""
    try:
        code = unwrap(function).__code__
    except NoSourceError:
        return NOWHERE
    return Where(code.co_filename, code.co_firstlineno, function=code.co_name)


def _too_deep(function) -> Problem:
    place = _place_of(function)
    return Problem("SD0271", f"`{place.function}`, or what it calls, is nested too deeply", place,
                   why="a very long sum, or hundreds of early returns in a row, exhaust Python's stack",
                   fix="split the expression or the function, or raise sys.setrecursionlimit")


def _returns_nothing(t, function) -> bool:
    try:
        last = frame_of(t, unwrap(function)).node.body[-1]
    except Exception:       # what is wrong is reported by the call itself
        t.problems.clear()
        return False
    return not isinstance(last, gast.Return) or last.value is None or (
        isinstance(last.value, gast.Constant) and last.value.value is None)


# -- results ----------------------------------------------------------------------------

def _flattened(t: Translator, result):
    """Return the flat result atoms and the tree of the user's return value."""
    written = [p.name for p in t.params
               if ("argument", p.name) in t.state
               and (t.state["argument", p.name] != Var(p.name) or p.name in t.touched)]
    if isinstance(result, Known) and result.value is None and written:
        items = tuple(t.state["argument", name] for name in written)
        result = items[0] if len(items) == 1 else Tuple(items)
    atoms: list = []
    if is_atom(result) or isinstance(result, View):
        _leaf(t, result, atoms)
        return tuple(atoms), None
    tree = _tree(t, result, atoms)
    return tuple(atoms), tree


def _tree(t, value, atoms):
    if isinstance(value, Poison):
        t.use_poison(value)
    value = given(t, value)
    if isinstance(value, Ref):
        contents = t.contents(value)
        if value.kind not in (list, dict):
            raise Refused(f"the function returns an object of class `{value.kind.__name__}`",
                          fix="return its numbers, or a NamedTuple")
        if isinstance(contents, Dict):
            return {k: _tree(t, v, atoms) for k, v in contents.items}
        if isinstance(contents, Tuple):
            return [_tree(t, v, atoms) for v in contents.items]
        value = contents
    if isinstance(value, Tuple):
        parts = [_tree(t, v, atoms) for v in value.items]
        return value.cls(*parts) if value.cls is not None else tuple(parts)
    if isinstance(value, Known):
        if isinstance(value.value, RunTimeText):
            raise Refused("the function returns a text with run-time parts", fix="return the numbers")
        if value.value is None or isinstance(value.value, str | bool | int | float | bytes):
            return Static(value.value)
        raise Refused(f"the function returns {describe(value)}", fix="return numbers and arrays")
    return _leaf(t, value, atoms)


def _leaf(t, value, atoms) -> int:
    """Append a result; what the caller could see change is copied."""
    atom = as_atom(t, value)
    if isinstance(atom, Var):
        unwritten = any(p.name == atom.name for p in t.params) and atom.name not in t.written
        if unwritten or atom in atoms and isinstance(t.type_of(atom), Array):
            copied = t.emit("copy", atom)
            t.stems[copied.name] = "result"
            atom = copied
    atoms.append(atom)
    return len(atoms) - 1


def _finished(t: Translator, function, result, leaves) -> Specialisation:
    atoms, tree = result
    user = [p for p in t.params if not p.captured]
    params = (*user, *(p for p in t.params if p.captured))
    body, types = t.builder.take(), dict(t.builder.types)
    local = {}
    for name in t.written:
        local[name] = t.builder.fresh(name, types[name])
        types[local[name]] = types[name]
        t.stems[local[name]] = name
    copies = tuple(Assign(new, "copy", (Var(old),), (), t.where()) for old, new in local.items())
    body = copies + rename(body, local)
    atoms = tuple(Var(local.get(a.name, a.name)) if isinstance(a, Var) else a for a in atoms)
    stems = {n: (s[0], local.get(s[1], s[1])) if isinstance(s, tuple) else s for n, s in t.stems.items()}
    name = getattr(function, "__name__", None) or getattr(getattr(function, "func", None), "__name__", "f")
    program = Program(_function_name(name, body), params, body, atoms, types, tree,
                      getattr(function, "__doc__", None) or "" if inspect.isroutine(function) else "")
    program = _without_unused(tidy(program, stems))
    params = program.params
    origins = {atom.name: origin for atom, origin in t.captures.values()}
    captures = tuple(origins[p.name].get for p in params if p.captured)
    assumed = tuple((origin.get, value) for origin, value in t.assumed.values())
    written = tuple(k for k, p in enumerate(params) if p.name in t.touched)
    return Specialisation(program, captures, leaves, assumed, written)


def _function_name(name: str, body) -> str:
    """Return a name for the generated function that hides nothing which its text may use."""
    if not name.isidentifier():
        return "lambda_"
    taken, stem, count = reserved(body), name, 2
    while name in taken:
        name, count = f"{stem}_{count}", count + 1
    return name


def _without_unused(program: Program) -> Program:
    """Drop the captured values that nothing reads."""
    read = {a.name for stmt in walk(program.body) for a in atoms_of(stmt) if isinstance(a, Var)}
    read |= {a.name for a in program.results if isinstance(a, Var)}
    params = tuple(p for p in program.params if not p.captured or p.name in read)
    gone = {p.name for p in program.params} - {p.name for p in params}
    types = {n: type_ for n, type_ in program.types.items() if n not in gone}
    return replace(program, params=params, types=types)


def specs_of(t: Translator, value):
    """Return the `Spec` of a value, to specialise another function to it."""
    if isinstance(value, Ref):
        contents = t.contents(value)
        if isinstance(contents, Dict):
            return {k: specs_of(t, v) for k, v in contents.items}
        if isinstance(contents, Tuple):
            return [specs_of(t, v) for v in contents.items]
        type_ = t.type_of(as_atom(t, contents))
        return ListArray(type_.dtype, type_.ndim)
    if isinstance(value, Tuple):
        parts = [specs_of(t, v) for v in value.items]
        return value.cls(*parts) if value.cls is not None else tuple(parts)
    if isinstance(value, Known):
        return Static(value.value)
    return t.type_of(as_atom(t, value))
