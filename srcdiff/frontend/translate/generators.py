"""Generator functions whose items are gone through at once: by a `for` loop, or by `sum`, `list`, `max` and their like.

All items are computed first.  Nobody can tell, if the generator changes nothing
outside of itself, and the loop changes nothing that the generator reads; both
are looked up in the statements that were made, and refused where they do.  A
loop that may stop early is refused too: the generator may not get as far.
"""

from __future__ import annotations

import math

import gast

from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.expressions import evaluate
from srcdiff.frontend.translate.liveness import assigned_names, read_names, with_called
from srcdiff.frontend.translate.values import (
    Closure,
    Dict,
    Known,
    Method,
    Partial,
    Produced,
    Record,
    Ref,
    Refused,
    Tuple,
    same,
)
from srcdiff.syntax import Store, Var, atoms_of, walk

__all__ = ["arguments_of", "go_through", "items", "takes_all"]

CODE = "SD0261"
TAKE_ALL = (sum, list, tuple, max, min, sorted, math.fsum, math.prod, next)


def takes_all(function) -> bool:
    """Tell whether a function goes through all items of its argument before it does anything else."""
    if isinstance(function, Method):
        return isinstance(function.owner, Ref) and function.name == "extend"
    return isinstance(function, Known) and any(function.value is taker for taker in TAKE_ALL)


def arguments_of(t: Translator, node) -> list:
    """Return the arguments of a call of such a function."""
    plain = not any(k.arg == "key" for k in node.keywords)      # a key may change what the generator reads
    return [items(t, v)[0] if isinstance(v, Produced) else v
            for v in (produced(t, arg) if plain else evaluate(t, arg) for arg in node.args)]


def produced(t: Translator, node):
    """Evaluate an expression whose items are gone through; it may be the call of a generator."""
    before, t.may_produce = t.may_produce, node
    try:
        return evaluate(t, node)
    finally:
        t.may_produce = before


def items(t: Translator, value: Produced):
    """Return the list of what a generator yields, and the arrays from outside that it reads."""
    before, state = set(t.builder.types), dict(t.state)
    with t.builder.nested() as body:
        found = value.run()
    t.builder.append(*body)
    made = list(walk(body))
    changed = any(not same(t.state.get(place), held) for place, held in state.items()
                  if place[0] == "heap" or isinstance(held, Var) and held.name in t.cells)
    if changed or any(isinstance(s, Store) and s.array in before for s in made):
        raise Refused("a generator changes arrays or lists from outside of it",
                      why="all its items are computed before the first is used, so the changes would come too early",
                      fix="return a list, or change them where the items are used", code=CODE)
    reads = {a.name for s in made for a in atoms_of(s) if isinstance(a, Var)} & before
    return found, reads.union(*(t.twins.get(name, ()) for name in reads))


def go_through(t: Translator, node, value: Produced, loop) -> None:
    """Translate a `for` loop over what a generator yields; ``loop(items)`` translates one over a list."""
    given = list(_closures(value.arguments))
    free = read_names(value.frame.node) - value.frame.locals if value.frame.parent is not None else frozenset()
    free = with_called(free.union(*(_free(function.node) for function in given)), t.frame.liveness.called)
    if getattr(node, "exit_flag", None):
        _refuse_loop("may stop before its generator", "the generator would not compute its other items")
    if free & {*assigned_names([node])}:
        _refuse_loop("assigns variables that its generator reads")
    reached = _reached(t, value, [value.frame.parent, *(function.frame for function in given)], free)
    found, reads = items(t, value)
    before, lists = len(t.builder.block), {p: v for p, v in t.state.items() if p[0] == "heap" and p[1] in reached}
    loop(found)
    if t.state is None:
        return
    stored = any(isinstance(s, Store) and s.array in reads for s in walk(t.builder.block[before:]))
    if stored or any(not same(t.state.get(place), held) for place, held in lists.items()):
        _refuse_loop("changes what its generator reads")


def _refuse_loop(what: str, why: str = "all its items are computed before the loop"):
    raise Refused(f"the loop {what}", why=why, fix="make a list of its items first: list(...)", code=CODE)


def _free(node) -> frozenset[str]:
    """Return the names that a nested function reads and does not bind itself."""
    args = node.args
    own = {a.id for a in [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg] if a is not None}
    return read_names(node) - own - {*(() if isinstance(node, gast.Lambda) else assigned_names(node.body))}


def _closures(value):
    """Yield the nested functions among the arguments of a generator, which it may call."""
    if isinstance(value, Closure):
        yield value
    elif isinstance(value, Partial):
        yield from _closures((value.function, *value.args, *(held for _, held in value.keywords)))
    elif isinstance(value, tuple):
        for item in value:
            yield from _closures(item)


def _reached(t, value: Produced, frames, free) -> set:
    """Return the keys of the lists and dicts that a generator may read."""
    found = set()
    roots = [*value.arguments]
    for frame in frames:
        while frame is not None:
            roots += [held for (key, name), held in ((p, v) for p, v in t.state.items() if len(p) == 2)
                      if key == frame.key and name in free]
            frame = frame.parent
    while roots:
        held = roots.pop()
        if isinstance(held, Ref) and held.key not in found:
            found.add(held.key)
            roots.append(t.contents(held))
        elif isinstance(held, Tuple):
            roots += held.items
        elif isinstance(held, Dict | Record):
            roots += [part for _, part in held.items]
    return found
