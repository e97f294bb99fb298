"""Array statements become loops, one statement at a time.

Transposes, basic slices, broadcasts and copies stay access functions (`View`)
where nobody can tell: where neither the base nor an index changes between the
definition and the last read.  Everything else gets memory and a loop nest.
Fusion comes later.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from srcdiff.lower.context import Context
from srcdiff.lower.contraction import matmul
from srcdiff.lower.creation import CREATE
from srcdiff.lower.indexing import (
    fancy_load,
    fancy_store,
    has_arrays,
    slice_view,
    store_region,
    take,
)
from srcdiff.lower.reductions import REDUCE
from srcdiff.lower.structure import GATHER, VIEWS
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import (
    Array,
    Assign,
    For,
    If,
    Load,
    Program,
    Span,
    Store,
    Var,
    While,
    atoms_of,
    defined,
    walk,
)

__all__ = ["scalarize"]

WHOLE = ("reshape", "tape_grow")


def scalarize(program: Program, stretch: bool = True, blas: bool = True) -> Program:
    """Return `program` with loops in place of array statements.

    Without `stretch`, axes that are not provably equally long must be so at run
    time: broadcasting of an axis that turns out to have length 1 raises.
    """
    ctx = Context(program, stretch, blas)
    uses = Uses(program)
    ctx.compare_on_entry()
    _block(ctx, uses, program.body)
    results = tuple(Var(ctx.in_memory(a)) if ctx.is_array(a) else a for a in program.results)
    return program.with_body(ctx.b.take(), results=results, types=dict(ctx.b.types))


class Uses:
    """Who reads and who changes a variable, nested statements included."""

    def __init__(self, program):
        self.total = Counter(a.name for s in walk(program.body) for a in atoms_of(s)
                             if isinstance(a, Var))
        self.results = {a.name for a in program.results if isinstance(a, Var)}
        self.stored = {s.array for s in walk(program.body) if isinstance(s, Store)}
        self._reads, self._changes, self._kept = {}, {}, []

    def reads(self, stmt) -> Counter:
        if id(stmt) not in self._reads:
            self._kept.append(stmt)
            self._reads[id(stmt)] = Counter(
                a.name for s in walk((stmt,)) for a in atoms_of(s) if isinstance(a, Var))
        return self._reads[id(stmt)]

    def changes(self, stmt) -> frozenset[str]:
        if id(stmt) not in self._changes:
            self._kept.append(stmt)
            self._changes[id(stmt)] = frozenset(defined(s) for s in walk((stmt,)))
        return self._changes[id(stmt)]

    def lives_as_view(self, name: str, sources: set[str], rest) -> bool:
        """Tell whether `name` may be read through `sources` in the statements after it."""
        if name in self.results or name in self.stored:
            return False
        left = self.total[name]
        for stmt in rest:
            if not left:
                break
            if self.changes(stmt) & sources:
                return False
            left -= self.reads(stmt)[name]
        return left == 0


def _block(ctx, uses, body) -> None:
    body = _rotations(ctx, uses, body)
    for position, stmt in enumerate(body):
        with ctx.b.at(stmt.where):
            _statement(ctx, uses, stmt, body[position + 1:])


def _rotations(ctx, uses, body):
    """Make moves of the copies that let arrays change places: ``t = a; a = b; b = t``."""
    body, start = list(body), 0
    while start < len(body):
        end = _rotation(ctx, uses, body, start)
        for k in range(start, end):
            body[k] = replace(body[k], static=(("move", True),))
        start = max(end, start + 1)
    return tuple(body)


def _rotation(ctx, uses, body, start) -> int:
    """Return where a rotation that starts here ends; `start` itself if there is none."""
    first = body[start]
    if not _is_array_copy(ctx, first) or not ctx.once(first.target) \
            or uses.total[first.target] != 1 or first.target in uses.stored | uses.results:
        return start
    free, k = first.args[0].name, start + 1
    while k < len(body) and _is_array_copy(ctx, body[k]) and body[k].target == free \
            and not ctx.once(free):
        free = body[k].args[0].name
        if free == first.target:
            return k + 1
        k += 1
    return start


def _is_array_copy(ctx, stmt) -> bool:
    return isinstance(stmt, Assign) and stmt.op == "copy" and ctx.is_array(stmt.args[0]) \
        and ctx.b.types[stmt.target] == ctx.b.type_of(stmt.args[0])


def _nested(ctx, uses, body):
    with ctx.b.nested() as block, ctx.scope():
        _block(ctx, uses, body)
    return tuple(block)


def _statement(ctx, uses, stmt, rest) -> None:
    match stmt:
        case Assign():
            _assign(ctx, uses, stmt, rest)
        case Load():
            _load(ctx, uses, stmt, rest)
        case Store():
            _store(ctx, stmt)
        case If(condition, then, orelse):
            before = set(ctx.allocated)
            then = _nested(ctx, uses, then)
            after, ctx.allocated = ctx.allocated, before
            orelse = _nested(ctx, uses, orelse)
            ctx.allocated &= after
            ctx.b.append(If(condition, then, orelse, stmt.where))
            ctx.passed(ctx.b.block[-1])
        case For() | While():
            before = set(ctx.allocated)
            ctx.b.append(_loop(ctx, uses, stmt))
            ctx.allocated = before
        case _:
            ctx.b.append(stmt)


def _loop(ctx, uses, stmt):
    if isinstance(stmt, For):
        body = _nested(ctx, uses, stmt.body)
        return For(stmt.var, stmt.start, stmt.stop, stmt.step, body, stmt.where)
    with ctx.scope():
        with ctx.b.nested() as test:
            _block(ctx, uses, stmt.test)
        return While(tuple(test), stmt.condition, _nested(ctx, uses, stmt.body), stmt.where)


# -- statements -------------------------------------------------------------------------


def _assign(ctx, uses, stmt, rest) -> None:
    arrays = [a for a in stmt.args if ctx.is_array(a)]
    if not arrays and not isinstance(ctx.b.types[stmt.target], Array):
        ctx.note(stmt)
        CREATE["scalar"](ctx, stmt) if stmt.op in CREATE else ctx.b.append(stmt)
    elif stmt.op == "size":
        _size(ctx, stmt)
    elif stmt.keywords.get("move"):
        ctx.b.append(stmt)
    elif stmt.op in VIEWS and arrays and (view := VIEWS[stmt.op](ctx, stmt)) is not None:
        _bind(ctx, uses, stmt.target, view, rest)
    elif stmt.op in REDUCE:
        REDUCE[stmt.op](ctx, stmt)
    elif stmt.op in CREATE and not arrays:
        CREATE[stmt.op](ctx, stmt)
    elif stmt.op in GATHER:
        GATHER[stmt.op](ctx, stmt)
    elif stmt.op == "take":
        _take(ctx, uses, stmt, rest)
    elif stmt.op == "matmul":
        matmul(ctx, stmt)
    elif PRIMITIVES[stmt.op].kind == "elementwise":
        _elementwise(ctx, stmt)
    else:
        _whole(ctx, stmt)


def _take(ctx, uses, stmt, rest) -> None:
    if ctx.is_array(stmt.args[1]):
        take(ctx, stmt)
    else:
        index = [Span()] * ctx.b.type_of(stmt.args[0]).ndim
        index[stmt.keywords["axis"]] = stmt.args[1]
        _load(ctx, uses, Load(stmt.target, stmt.args[0].name, tuple(index), stmt.where), rest)


def _size(ctx, stmt) -> None:
    array, axis = stmt.args[0].name, stmt.keywords["axis"]
    if array in ctx.views:
        dim = ctx.views[array].dims[axis]
    else:
        dim = ctx.known(array, axis)
        if dim is None and ctx.once(stmt.target) and ctx.once(array):
            ctx.b.append(stmt)
            ctx.learn(array, axis, Var(stmt.target))
            return
    if dim is None:
        ctx.b.append(stmt)
    else:
        ctx.b.assign(stmt.target, "copy", dim.atom)


def _bind(ctx, uses, target, view, rest) -> None:
    """Make `target` a view, or a copy of its elements where that could be told apart."""
    if not view.dims:
        ctx.b.append(Load(target, view.base, ctx.index(view, ()), ctx.b.where))
        return
    sources = view.atoms() | {view.base}
    if ctx.once(target) and uses.lives_as_view(target, sources, rest):
        ctx.views[target] = view
        return
    buffer = ctx.open(target, view.dims, [view])
    with ctx.nest(view.dims) as at:
        ctx.b.store(buffer, at, ctx.element(view, at))
    ctx.close(target, buffer)


def _load(ctx, uses, stmt, rest) -> None:
    if has_arrays(ctx, stmt.index):
        fancy_load(ctx, stmt)
    elif any(isinstance(i, Span) for i in stmt.index) or stmt.array in ctx.views:
        _bind(ctx, uses, stmt.target, slice_view(ctx, Var(stmt.array), stmt.index), rest)
    else:
        ctx.b.append(stmt)


def _store(ctx, stmt) -> None:
    if has_arrays(ctx, stmt.index):
        fancy_store(ctx, stmt)
    elif any(isinstance(i, Span) for i in stmt.index):
        region = slice_view(ctx, Var(stmt.array), stmt.index)
        store_region(ctx, region, stmt.value, stmt.accumulate)
    else:
        ctx.b.append(stmt)


def _elementwise(ctx, stmt) -> None:
    views = [ctx.view(a) if ctx.is_array(a) else None for a in stmt.args]
    dims = ctx.common([v for v in views if v])
    fitted = [v and ctx.fit(v, dims) for v in views]
    buffer = ctx.open(stmt.target, dims, [v for v in fitted if v])
    with ctx.nest(dims) as at:
        args = [ctx.element(v, at) if v else a for v, a in zip(fitted, stmt.args, strict=True)]
        value = ctx.b.op(stmt.op, *args, stem=f"{stmt.target}_e", **stmt.keywords)
        ctx.b.store(buffer, at, value)
    ctx.close(stmt.target, buffer)


def _whole(ctx, stmt) -> None:
    """Keep an operation on whole arrays; its operands must lie in memory."""
    args = [Var(ctx.in_memory(a)) if ctx.is_array(a) else a for a in stmt.args]
    ctx.b.assign(stmt.target, stmt.op, *args, **stmt.keywords)
    ctx.close(stmt.target, stmt.target)

