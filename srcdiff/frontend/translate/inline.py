"""Calls of Python functions: the callee is translated in place, with the values of the arguments."""

from __future__ import annotations

import inspect
import types
from dataclasses import replace

import gast

from srcdiff.errors import NoSourceError
from srcdiff.frontend.desugar import desugar
from srcdiff.frontend.desugar.cells import celled
from srcdiff.frontend.desugar.gathered import gathered, gathers
from srcdiff.frontend.fence import fence
from srcdiff.frontend.source import source_of, unwrap
from srcdiff.frontend.translate.captured import assume, capture, lift
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.frames import Frame
from srcdiff.frontend.translate.values import (
    UNBOUND,
    Closure,
    Dict,
    Known,
    Origin,
    Partial,
    Poison,
    PoisonUsed,
    Produced,
    Ref,
    Refused,
    Tuple,
)
from srcdiff.frontend.translate.views import as_atom
from srcdiff.places import follow, without_place
from srcdiff.syntax import Array, Atom, Const, Load, Static, Store, Var, rename, with_blocks

__all__ = [
    "closure", "copied", "frame_of", "function", "given_names", "own", "name_of", "partial", "program_of", "put", "rebuilt", "run",
    "spliced",
]

_SAME_FUNCTION_AT_MOST = 3          # where no argument tells that the calls will end
_COUNTED_AT_MOST = 30
_DEPTH_AT_MOST = 40
_TREES: dict = {}


def function(t: Translator, value: Known, args, keywords):
    """Inline a plain function, a bound method, or the function of a dispatcher."""
    target = value.value
    if isinstance(target, types.MethodType):
        owner = target.__self__
        origin = value.origin and value.origin.attribute("__self__")
        args = (Known(owner, origin or Origin(f"object:{id(owner)}", lambda: owner)), *args)
    get = value.origin.get if value.origin else lambda: target
    frame = frame_of(t, target, get)
    _check_recursion(t, frame, args)
    return _run_or_produce(t, frame, args, keywords, _defaults(t, frame, get))


def _run_or_produce(t, frame, args, keywords, defaults):
    """Translate a call; that of a generator only where all its items are gone through at once."""
    if not gathers(frame.node):
        return run(t, frame, args, keywords, defaults)
    if t.frame is None:                 # the differentiated function itself
        t.problems += fence(source_of(frame.function))
        raise PoisonUsed
    if t.may_produce is not t.node:
        raise Refused(f"the items of the generator `{frame.name}` are not gone through at once",
                      why="it would run in parts, whenever an item is asked for",
                      fix=f"make a list of them: list({frame.name}(...))", code="SD0261")
    return Produced(frame, (*args, *keywords.values()), lambda: run(t, frame, args, keywords, defaults))


def frame_of(t: Translator, target, get=None) -> Frame:
    """Return a new frame for a Python function; refuse what has no source or is outside the fence.

    `get` finds the function again.
    """
    plain = unwrap(target)
    key = plain.__code__.co_filename, plain.__code__      # equal code may stand in two files
    found = _TREES.get(key)
    if found is None:
        try:
            source = celled(gathered(source_of(plain)))
        except NoSourceError as error:
            raise Refused(f"the source of `{plain.__name__}` cannot be found", why=error.problems[0].what,
                          fix="define it in a file or a notebook cell", code="SD0100") from error
        problems = tuple(fence(source))
        found = _TREES[key] = (source, None if problems else desugar(source.tree), problems)
    source, tree, problems = found
    if problems:
        t.problems += [p for p in problems if p not in t.problems]
        raise PoisonUsed
    cells = {}
    if plain.__closure__:
        for name, cell in zip(plain.__code__.co_freevars, plain.__closure__, strict=True):
            found = follow(get or (lambda: plain), "cell", name)
            cells[name] = f"cell:{id(cell)}", found
    frame = Frame(t.key(), source.name, source, tree, plain.__globals__, cells, None, plain.__code__)
    frame.function = plain
    return frame


def _depth(t, value):
    """Return a known integer, or the known length of a tuple or list; else None."""
    if isinstance(value, Ref):
        value = t.state.get(("heap", value.key))
    if isinstance(value, Tuple):
        return len(value.items)
    return value.value if isinstance(value, Const) and isinstance(value.value, int) else None


def _check_recursion(t, frame, args):
    """Refuse a function that calls itself, unless a known argument tells how deep."""
    chain, caller = [], t.frame
    while caller is not None:
        chain.append(caller)
        caller = caller.caller
    same = [c for c in chain if c.code is frame.code]
    frame.depths = tuple(_depth(t, value) for value in args)
    counted = same and any(d is not None and d != before
                           for d, before in zip(frame.depths, same[0].depths, strict=False))
    if len(same) >= (_COUNTED_AT_MOST if counted else _SAME_FUNCTION_AT_MOST) or len(chain) > _DEPTH_AT_MOST:
        names = " -> ".join([*(c.name for c in reversed(chain)), frame.name][-5:])
        raise Refused(f"`{frame.name}` calls itself", why=f"the calls are {names}",
                      fix="write the recursion as a loop", code="SD0214")


def _defaults(t, frame, get):
    """Return the default values of a Python function by parameter name."""
    plain, defaults = frame.function, {}
    names = [p.name for p in inspect.signature(plain, follow_wrapped=False).parameters.values()
             if p.default is not inspect.Parameter.empty]
    values = inspect.signature(plain, follow_wrapped=False).parameters
    for name in names:
        default = values[name].default
        plain_number = isinstance(default, bool | int | float | complex | str | type(None))
        origin = None if plain_number else Origin(
            f"function:{id(plain)}.default.{name}", follow(get, "default", name))
        defaults[name] = lambda d=default, o=origin, n=name: lift(t, d, o, n)
    return defaults


def closure(t: Translator, value: Closure, args, keywords):
    """Inline a nested function or a lambda."""
    node = value.node
    if isinstance(node, gast.Lambda):
        node = _lambda_function(node)
    else:
        node = desugar(node)
    frame = Frame(t.key(), getattr(value.node, "name", "lambda_"), value.frame.source, node,
                  value.frame.globals, value.frame.cells, value.frame, value.node)
    frame.function = value.frame.function
    _check_recursion(t, frame, args)
    names = [a.id for a in [*node.args.posonlyargs, *node.args.args]]
    defaults = {n: (lambda d=d: d) for n, d in zip(names[len(names) - len(value.defaults):], value.defaults,
                                                  strict=True)}
    for arg, default in zip(node.args.kwonlyargs, value.kw_defaults, strict=False):
        if default is not None:
            defaults[arg.id] = lambda d=default: d
    return _run_or_produce(t, frame, args, keywords, defaults)


_LAMBDAS: dict = {}


def _lambda_function(node):
    """Return the FunctionDef of a lambda (the same one each time)."""
    found = _LAMBDAS.get(id(node))
    if found is None or found[0] is not node:
        made = gast.FunctionDef(name="lambda_", args=node.args, body=[gast.copy_location(
            gast.Return(value=node.body), node)], decorator_list=[], returns=None, type_comment=None,
            type_params=[])
        made = desugar(gast.copy_location(made, node))
        found = _LAMBDAS[id(node)] = (node, made)
    return found[1]


def run(t: Translator, frame: Frame, args, keywords, defaults):
    """Translate the body of `frame` here, and return the value that it returns."""
    from srcdiff.frontend.translate.expressions import evaluate
    from srcdiff.frontend.translate.statements import block
    bound = bind(t, frame, args, keywords, defaults)
    caller, frame.caller = t.frame, t.frame
    node = t.node
    t.frame = frame
    depth, t.constant_depth = t.constant_depth, t.constant_depth
    for name, value in bound.items():
        t.bind(name, value)
    t.answers.add((frame.key, getattr(frame.node, "answer", None)))
    try:
        last = frame.node.body[-1]
        if not isinstance(last, gast.Return):
            last = gast.copy_location(gast.Return(value=None), last)
            block(t, frame.node.body)
        else:
            block(t, frame.node.body[:-1])
        if t.state is None:
            raise Refused(f"`{frame.name}` always raises", fix="return a value on some path")
        result = Poison()
        with t.guard(last, lambda: None):
            result = Known(None) if last.value is None else evaluate(t, last.value)
        for place in [p for p in t.state if p[0] == frame.key]:
            if not _captured_by(result, frame):
                del t.state[place]
        return result
    finally:
        t.frame, t.node, t.constant_depth = caller, node, depth


def _captured_by(result, frame) -> bool:
    """Tell whether a returned function still sees the frame."""
    if isinstance(result, Tuple):
        return any(_captured_by(v, frame) for v in result.items)
    return isinstance(result, Closure | Partial)


def bind(t, frame, args, keywords, defaults) -> dict:
    """Return the value of each parameter, as Python binds arguments."""
    spec = frame.node.args
    names = [a.id for a in [*spec.posonlyargs, *spec.args]]
    bound = dict(zip(names, args, strict=False))
    rest = tuple(args[len(names):])
    if spec.vararg is not None:
        bound[spec.vararg.id] = Tuple(rest)
    elif rest:
        raise Refused(f"`{frame.name}` takes {len(names)} arguments, not {len(args)}", code="SD0240",
                      fix="pass as many arguments as it has parameters")
    extra = {}
    allowed = {*names, *(a.id for a in spec.kwonlyargs)} - {a.id for a in spec.posonlyargs}
    for name, value in keywords.items():
        if name in allowed and name not in bound:
            bound[name] = value
        elif spec.kwarg is not None and name not in allowed:
            extra[name] = value
        else:
            raise Refused(f"`{frame.name}` has no parameter `{name}`, or gets it twice", code="SD0240",
                          fix="pass each of its parameters once, by its own name")
    if spec.kwarg is not None:
        bound[spec.kwarg.id] = t.allocate(Dict(tuple(extra.items())), dict)
    for name in [*names, *(a.id for a in spec.kwonlyargs)]:
        if name not in bound:
            if name not in defaults:
                raise Refused(f"`{frame.name}` is called without its argument `{name}`", code="SD0240",
                              fix="pass the argument, or give the parameter a default")
            bound[name] = defaults[name]()
    return bound


def partial(t: Translator, value: Known, args, keywords):
    """Call a `functools.partial`: its arguments are captured values."""
    from srcdiff.frontend.translate.calls import call
    target = value.value
    origin = value.origin or Origin(f"partial:{id(target)}", lambda: target)
    inner = Known(target.func, origin.attribute("func"))
    stems = _parameter_names(target.func)
    first = tuple(lift(t, v, origin.attribute("args").item(k), stems[k] if k < len(stems) else f"argument_{k}")
                  for k, v in enumerate(target.args))
    named = {n: lift(t, v, origin.attribute("keywords").item(n), n) for n, v in target.keywords.items()}
    return call(t, inner, first + args, {**named, **keywords})


def _parameter_names(function) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


# -- programs made by transforms, used inside a function -----------------------------------

def spliced(t: Translator, target, args, keywords):
    """Put the statements of a derivative object's program here, with fresh names."""
    spec = program_of(t, target, args, keywords)
    program = spec.program
    names = given_names(t, target, spec, (*args, *keywords.values()))
    put(t, program, program.body, names)
    results = own(t, program, program.results, names, {p.name for p in program.params})
    return rebuilt(t, program.tree, results) if program.tree is not None else results[0]


def program_of(t: Translator, target, args, keywords):
    """Return the specialisation of a derivative object for values, and note what it assumes."""
    from srcdiff.frontend.specialise import specs_of
    spec = target.__srcdiff_program__(tuple(specs_of(t, a) for a in args),
                                      {k: specs_of(t, v) for k, v in keywords.items()})
    for k, (get, value) in enumerate(getattr(spec, "assumed", ())):
        assume(t, Origin(f"{id(target)}.assumed.{k}", without_place(get)), value)
    return spec


def given_names(t: Translator, target, spec, args, without=()) -> dict[str, str]:
    """Return what the parameters of a program, but those of `without`, are called here."""
    leaves = iter([leaf for a in args for leaf in _leaves(t, a)])
    names, captured = {}, iter(spec.captures)
    for param in spec.program.params:
        if param.captured:
            get = next(captured)
            atom = capture(t, get(), Origin(f"{id(target)}.{param.name}", without_place(get)), param.name)
        elif param.name in without:
            continue
        else:
            atom = next(leaves)
        names[param.name] = name_of(t, atom, param.name)
    return names


def name_of(t: Translator, atom: Atom, stem: str) -> str:
    """Return the name of what a parameter stands for; a number gets one."""
    if isinstance(atom, Const):
        atom = t.emit("copy", atom)
        t.stems[atom.name] = stem
    return atom.name


def copied(t: Translator, atom: Var) -> Var:
    """Return a copy that is called like what it is a copy of."""
    made = t.emit("copy", atom)
    t.stems[made.name] = t.stems.get(atom.name, atom.name)
    return made


def put(t: Translator, program, body, names: dict[str, str]) -> None:
    """Put statements of a program here; what they assign, and `names` does not hold, gets a fresh name there."""
    for name in dict.fromkeys(n for stmt in body for n in stmt.changes):
        if name not in names:
            names[name] = t.builder.fresh(name, program.types[name])
            t.stems[names[name]] = name
    t.builder.append(*_all_checked(rename(body, names)))


def own(t: Translator, program, results, names: dict[str, str], kept) -> list[Atom]:
    """Return results of a program as variables that the user may change: copies of arrays in `kept`, and of those that stand there twice."""
    found, seen = [], set(kept)
    for atom in results:
        new = Var(names[atom.name]) if isinstance(atom, Var) else atom
        found.append(copied(t, new) if isinstance(program.type_of(atom), Array) and atom.name in seen else new)
        seen.update([atom.name] if isinstance(atom, Var) else ())
    return found


def _all_checked(body) -> tuple:
    """Note that what an index needs has been written, by the pass that ran over this program alone."""
    return tuple(replace(s, checked=True) if isinstance(s, Load | Store)
                 else with_blocks(s, map(_all_checked, s.blocks)) if s.blocks else s for s in body)


def _leaves(t, value):
    if isinstance(value, Ref):
        value = t.contents(value)
    if isinstance(value, Tuple):
        return [leaf for item in value.items for leaf in _leaves(t, item)]
    if isinstance(value, Dict):
        return [leaf for _, item in value.items for leaf in _leaves(t, item)]
    if isinstance(value, Known) or value is UNBOUND:
        return []
    return [as_atom(t, value)]


def rebuilt(t, tree, results):
    if isinstance(tree, bool | str) or tree is None:
        return Known(tree)
    if isinstance(tree, int):
        return results[tree]
    if isinstance(tree, Static):
        return lift(t, tree.value)
    if isinstance(tree, dict):
        return t.allocate(Dict(tuple((k, rebuilt(t, v, results)) for k, v in tree.items())), dict)
    items = Tuple(tuple(rebuilt(t, v, results) for v in tree),
                  type(tree) if hasattr(tree, "_fields") else None)
    return t.allocate(items, list) if isinstance(tree, list) else items
