"""Jacobians as compositions: a tangent or an adjoint, vectorized over the identity.

For y = f(x) the Jacobian has shape y.shape + x.shape.  Forward mode computes
its columns (one direction for each element of x, direction axis last), reverse
mode its rows (one for each element of y, direction axis first); the flat
direction axis is then reshaped.  In chunks, a loop over blocks of the identity
stands around the whole derivative program: the memory of one block, whatever
the size of the Jacobian.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from srcdiff.assemble import bind, extents_of, join, keep
from srcdiff.builder import Builder
from srcdiff.forward import tangent
from srcdiff.reverse import adjoint
from srcdiff.schedule import Within
from srcdiff.syntax import Array, Atom, Const, Program, Span, Var, is_float, rename
from srcdiff.vectorize import vectorize

__all__ = ["forward_jacobian", "reverse_jacobian"]


def forward_jacobian(program: Program, active: tuple[str, ...], outputs: tuple[int, ...],
                     chunk: int | None = None) -> Program:
    """Return the program with the Jacobians of `outputs` appended to its results.

    Their order is outputs first, then `active`: d y0/d x0, d y0/d x1, d y1/d x0, ...
    """
    parts = [_columns(program, name, outputs, chunk) for name in active]
    joined = join(parts, len(program.results))
    n, k = len(program.results), len(outputs)
    order = [n + a * k + o for o in range(k) for a in range(len(active))]
    return keep(joined, [*range(n), *order])


def reverse_jacobian(program: Program, active: tuple[str, ...], outputs: tuple[int, ...],
                     chunk: int | None = None, memory: Within | None = None) -> Program:
    """Return the program with the Jacobians of `outputs` appended, computed by rows."""
    parts = [_rows(program, active, position, chunk, memory) for position in outputs]
    return join(parts, len(program.results))


def _columns(program, name, outputs, chunk) -> Program:
    n, type_ = len(program.results), program.types[name]
    picks = [*range(n), *(n + o for o in outputs)]
    if not isinstance(type_, Array):
        along = tangent(program, (name,))
        return keep(bind(along, {along.params[-1].name: Const(1.0)}), picks)
    shapes = [_Shape(y, y, Var(name)) for y in (program.results[o] for o in outputs)]
    if chunk is None:
        along = keep(tangent(program, (name,), seed="identity"), picks)
        return _shaped(program, vectorize(along, frozenset(), axis=-1), shapes)
    along = keep(tangent(program, (name,)), picks)
    seed = along.params[-1].name
    columns = vectorize(along, frozenset({seed}), axis=-1)
    return _shaped(program, _chunked(program, columns, shapes, seed, Var(name), chunk, -1), shapes)


def _rows(program, active, position, chunk, memory) -> Program:
    result = program.results[position]
    type_ = program.type_of(result)
    shapes = [_Shape(Var(name), result, Var(name)) for name in active]
    if not is_float(type_) or isinstance(result, Const):
        zeros = (Const(0.0),) * len(active)
        return _shaped(program, replace(program, results=program.results + zeros), shapes)
    if not isinstance(type_, Array):
        return adjoint(program, active, outputs=(position,), seed="one", memory=memory)
    if chunk is None:
        along = adjoint(program, active, outputs=(position,), seed="identity", memory=memory)
        return _shaped(program, vectorize(along, frozenset(), axis=0), shapes)
    along = adjoint(program, active, outputs=(position,), memory=memory)
    seed = along.params[-1].name
    rows = vectorize(along, frozenset({seed}), axis=0)
    return _shaped(program, _chunked(program, rows, shapes, seed, result, chunk, 0), shapes)


@dataclass(frozen=True)
class _Shape:
    """A Jacobian d y / d x, and the variable that is shaped like one direction of it."""

    direction: Atom
    y: Atom
    x: Atom


def _shaped(program: Program, flat: Program, shapes: list[_Shape]) -> Program:
    """Reshape the flat direction axis of the last results to (y.shape + x.shape).

    A result that did not get the axis does not depend on the directions: it is zero.
    """
    n, builder = len(program.results), Builder(flat.types)
    builder.append(*flat.body)
    results = flat.results[:n]
    for atom, shape in zip(flat.results[n:], shapes, strict=True):
        ndim = program.type_of(shape.direction).ndim
        results += (_shape_one(builder, atom, shape, ndim, program.type_of(shape.y).dtype),)
    return replace(flat, body=builder.take(), results=results, types=builder.types)


def _shape_one(builder: Builder, atom: Atom, shape: _Shape, ndim: int, dtype: str) -> Atom:
    have, stem = builder.type_of(atom).ndim, f"jacobian_{shape.x}"
    extents = (*extents_of(builder, shape.y), *extents_of(builder, shape.x))
    if not extents:
        return atom
    if have <= ndim:
        return builder.op("zeros", *extents, stem=stem, dtype=dtype)
    if have == len(extents):
        return atom
    return builder.op("reshape", atom, *extents, stem=stem)


# -- chunks ---------------------------------------------------------------------------

def _chunked(program: Program, flat: Program, shapes: list[_Shape], seed: str, model: Atom,
             chunk: int, axis: int) -> Program:
    """Loop over blocks of `chunk` directions around a program vectorized over `seed`.

    `model` is shaped like one direction.  The primal runs once before the loop,
    because its results must exist when there is no direction at all.
    """
    n, builder = len(program.results), Builder(program.types)
    builder.append(*program.body)
    total = _product(builder, extents_of(builder, model))
    blocks = flat.results[n:]
    whole = [_whole(builder, flat, *pair, total, axis) for pair in zip(blocks, shapes, strict=True)]
    names = {name: builder.fresh(name, type_) for name, type_ in flat.types.items()
             if name == seed or name not in {p.name for p in flat.params}}
    with builder.loop(Const(0), total, Const(chunk), stem="start") as start:
        stop = builder.op("minimum", builder.op("add", start, Const(chunk)), total, stem="stop")
        block = _identity_block(builder, model, total, start, stop, axis, flat.types[seed].dtype)
        builder.copy(names[seed], block)
        builder.append(*rename(flat.body, names))
        for target, atom in zip(whole, blocks, strict=True):
            if isinstance(target, Var):
                rest = (Span(),) * (builder.types[target.name].ndim - 1)
                here = (Span(start, stop), *rest) if axis == 0 else (*rest, Span(start, stop))
                builder.store(target.name, here, Var(names[atom.name]))
    results = program.results + tuple(whole)
    params = tuple(p for p in flat.params if p.name != seed)
    return replace(flat, params=params, body=builder.take(), results=results, types=builder.types)


def _product(builder: Builder, extents) -> Atom:
    total = extents[0]
    for extent in extents[1:]:
        total = builder.op("multiply", total, extent, stem="n_directions")
    return total


def _whole(builder: Builder, flat: Program, atom: Atom, shape: _Shape, total: Atom, axis: int) -> Atom:
    """Allocate what the blocks `atom` fill; a constant where they have no direction axis."""
    type_, one = flat.type_of(atom), builder.type_of(shape.direction)
    if type_.ndim <= one.ndim:
        return Const(0.0)
    extents = extents_of(builder, shape.direction)
    extents = (total, *extents) if axis == 0 else (*extents, total)
    return builder.op("zeros", *extents, stem=f"{atom}_all", dtype=type_.dtype)


def _identity_block(builder: Builder, model: Atom, total: Atom, start: Atom, stop: Atom,
                    axis: int, dtype: str) -> Atom:
    """Build the directions `start` to `stop` of the identity, dense."""
    width = builder.op("subtract", stop, start, stem="width")
    flat = builder.op("zeros", builder.op("multiply", width, total), stem="seed_block", dtype=dtype)
    with builder.loop(Const(0), width) as j:
        row, column, stride = (j, builder.op("add", start, j), total)
        if axis == -1:
            row, column, stride = column, row, width
        at = builder.op("add", builder.op("multiply", row, stride), column)
        builder.store(flat.name, (at,), Const(1.0))
    extents = extents_of(builder, model)
    extents = (width, *extents) if axis == 0 else (*extents, width)
    return builder.op("reshape", flat, *extents, stem="seed_block")
