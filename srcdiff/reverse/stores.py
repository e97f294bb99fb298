"""The adjoint of writing into an array.

``a[i] = v`` gives ``v_bar += a_bar[i]; a_bar[i] = 0``; ``a[i] += v`` gives
``v_bar += a_bar[i]``.  Where an index repeats, a plain store keeps the last
value only.  The adjoint of a store through one vector of positions runs backwards
through it, element by element.  Through several index arrays, or one of more axes,
the writes are numbered, and the numbers stored at the same index: what stands there
then is the write that was last.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.builder import Builder
from srcdiff.reverse.nodes import Node
from srcdiff.rules.emission import settle
from srcdiff.syntax import Array, Assign, Const, Program, Span, Store, Var, blocks_of, with_blocks

__all__ = ["apart", "reverse_store"]

ZERO = Const(0.0)


def apart(program: Program) -> Program:
    """Return `program` with each array that is stored into itself copied first.

    In ``a[i] = a`` one adjoint would be read, added to and zeroed at once.

    >>> from srcdiff.notation import read, show
    >>> print(show(apart(read('''
    ... def f(x: "float64[:]", i: "int64[:]"):
    ...     a = copy(x)
    ...     a[i] = a
    ...     return a
    ... '''))), end="")
    def f(x: "float64[:]", i: "int64[:]"):
        a = copy(x)
        a_stored = copy(a)
        a[i] = a_stored
        return a
    """
    builder = Builder(program.types)

    def block(body):
        return tuple(part for stmt in body for part in one(stmt))

    def one(stmt):
        if isinstance(stmt, Store) and stmt.value == Var(stmt.array):
            held = builder.fresh(f"{stmt.array}_stored", builder.types[stmt.array])
            return Assign(held, "copy", (stmt.value,), where=stmt.where), replace(stmt, value=Var(held))
        return (with_blocks(stmt, [block(b) for b in blocks_of(stmt)]),)

    return program.with_body(block(program.body), types=builder.types)


def reverse_store(sweep, node: Node) -> None:
    """Append the adjoint of the `Store` at `node`."""
    stmt: Store = node.stmt
    index = sweep.node_index(node)
    bar = sweep.bar[stmt.array]
    fancy = [k for k, item in enumerate(index) if _is_integer_array(sweep, item)]
    if stmt.accumulate or not fancy:
        _hand_over(sweep, stmt, bar, index, stmt.value)
        if not stmt.accumulate:
            sweep.builder.store(bar, index, ZERO)
    elif _runs_along(sweep, index, fancy):
        _last_wins(sweep, stmt, bar, index, fancy[0])
    else:
        _last_of_many(sweep, stmt, bar, index)
        sweep.builder.store(bar, index, ZERO)


def _is_integer_array(sweep, item) -> bool:
    if isinstance(item, Span):
        return False
    type_ = sweep.builder.type_of(item)
    return isinstance(type_, Array) and type_.dtype != "bool"


def _runs_along(sweep, index, fancy) -> bool:
    """Tell whether the one array in an index is a vector of positions."""
    arrays = [item for item in index if isinstance(item, Var) and sweep.builder.type_of(item).ndim]
    return len(fancy) == len(arrays) == 1 and sweep.builder.type_of(arrays[0]).ndim == 1


def _hand_over(sweep, stmt: Store, bar: str, index, value) -> None:
    """Append ``value_bar += a_bar[index]``, undoing the broadcast of the value."""
    if isinstance(value, Var) and value.name in sweep.carriers:
        _add(sweep, value, sweep.builder.load(bar, index, stem=f"{bar}_part"))


def _add(sweep, value, region) -> None:
    """Append ``value_bar += region``, summed over the axes that the value was spread along."""
    if isinstance(sweep.builder.types[region.name], Array):
        extents = sweep.builder.extents(sweep.bar[value.name])
        region = sweep.builder.op("sum_to", region, *extents)
    sweep.accumulate(value.name, settle(sweep.builder, region, sweep.builder.types[sweep.bar[value.name]]))


def _last_of_many(sweep, stmt: Store, bar: str, index) -> None:
    """Append ``value_bar += where(numbers == owner[index], a_bar[index], 0)`` with ``owner[index] = numbers``."""
    builder, value = sweep.builder, stmt.value
    if not isinstance(value, Var) or value.name not in sweep.carriers:
        return
    region = builder.load(bar, index, stem=f"{bar}_part")
    extents = builder.extents(region.name)
    count = extents[0]
    for extent in extents[1:]:
        count = builder.op("multiply", count, extent)
    numbers = builder.op("reshape", builder.op("arange", Const(0), count, Const(1), dtype="int64"), *extents,
                         stem="numbers")
    owner = builder.op("zeros", *builder.extents(bar), dtype="int64", stem="owner")
    builder.store(owner.name, index, numbers)
    last = builder.op("equal", builder.load(owner.name, index), numbers)
    _add(sweep, value, builder.op("where", last, region, ZERO))


def _last_wins(sweep, stmt: Store, bar: str, index, position: int) -> None:
    """Append a loop backwards through one integer array, in which repeats may occur."""
    which = index[position]
    builder = sweep.builder
    last = builder.op("subtract", builder.size(which.name, 0), Const(1), stem="last")
    with builder.loop(last, Const(-1), Const(-1), stem="k") as k:
        one = builder.load(which.name, (k,), stem="place")
        place = (*index[:position], one, *index[position + 1:])
        _element(sweep, stmt, bar, index, place, position, k)
        builder.store(bar, place, ZERO)


def _element(sweep, stmt: Store, bar: str, index, place, position: int, k: Var) -> None:
    """Hand over the adjoint of one written row: to a scalar value, or to its row of the value."""
    value, builder = stmt.value, sweep.builder
    if not isinstance(value, Var) or value.name not in sweep.carriers:
        return
    region_axes = sum(isinstance(item, Span) for item in index[:position])
    axes_behind = sum(isinstance(item, Span) for item in index[position:])
    type_ = builder.types[value.name]
    axis = type_.ndim - 1 - axes_behind           # the axis of the value that `which` runs over
    if axis < 0 or region_axes > 0 and axis < region_axes:
        _hand_over(sweep, stmt, bar, place, value)
        return
    value_bar = sweep.bar[value.name]
    row = builder.op("minimum", k, builder.op("subtract", builder.size(value_bar, axis), Const(1)))
    part = builder.load(bar, place, stem=f"{bar}_part")
    if isinstance(builder.types[part.name], Array):
        sizes = [builder.size(value_bar, a) for a in range(type_.ndim) if a != axis]
        part = builder.op("sum_to", part, *sizes)
    target = tuple(row if a == axis else Span() for a in range(type_.ndim))
    builder.store(value_bar, target, part, accumulate=True)
