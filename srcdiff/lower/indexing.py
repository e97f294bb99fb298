"""Loads and stores of slices, of index arrays and of masks."""

from __future__ import annotations

from srcdiff.lower.spans import resolve
from srcdiff.lower.views import Axis, Dim, View, add, identity, multiply
from srcdiff.syntax import Array, Atom, Const, Scalar, Span, Var

__all__ = ["fancy_load", "fancy_store", "has_arrays", "slice_view", "store_region", "take"]

MISFIT = "could not broadcast the value into the indexed region"


def has_arrays(ctx, index) -> bool:
    return any(not isinstance(i, Span) and ctx.is_array(i) for i in index)


# -- basic indices -------------------------------------------------------------------------


def _wrap(ctx, atom: Atom, dim: Dim) -> Atom:
    """Count an index from the end where it is negative."""
    b = ctx.b
    if isinstance(atom, Const):
        return atom if atom.value >= 0 else add(b, dim.atom, atom)
    if ctx.nonnegative(atom):
        return atom
    negative = b.op("less", atom, Const(0), stem="negative")
    return b.op("where", negative, b.op("add", atom, dim.atom, stem="p"), atom, stem="p")


def slice_view(ctx, array: Var, index) -> View:
    """Return the access function of ``array[index]`` for integers and slices."""
    base = ctx.views.get(array.name)
    plain = base is None or base.is_identity
    if base is None and not any(isinstance(i, Span) and i != Span() for i in index):
        # No extents are needed but those of the result.
        dims = [ctx.dim(array.name, k) if isinstance(i, Span) else None
                for k, i in enumerate(index)]
    else:
        dims = ctx.view(array).dims
    entries, out = [], []
    for k, item in enumerate(index):
        if isinstance(item, Span):
            start, step, dim = resolve(ctx, item, dims[k])
            entries.append(Axis(len(out), start, step))
            out.append(dim)
        else:
            entries.append(Axis(None, item if plain else _wrap(ctx, item, dims[k])))
    whole = [dims[k] for k, item in enumerate(index) if isinstance(item, Span)]
    outer = View(array.name, tuple(entries), tuple(out), out != whole)
    return outer if base is None else _compose(ctx, base, outer)


def _compose(ctx, base: View, outer: View) -> View:
    b = ctx.b

    def one(axis):
        if axis.source is None:
            return axis
        o = outer.axes[axis.source]
        start = add(b, axis.start, multiply(b, o.start, axis.step))
        if o.source is None:
            return Axis(None, start)
        return Axis(o.source, start, multiply(b, o.step, axis.step))
    return View(base.base, tuple(map(one, base.axes)), outer.dims, base.part or outer.part)


def store_region(ctx, region: View, value: Atom, accumulate: bool) -> None:
    """Write ``region[...] = value``, broadcasting the value."""
    source = None
    if ctx.is_array(value):
        view = ctx.view(value)
        if view.base == region.base:
            view = identity(ctx.materialise(view), view.dims)
        extra = len(view.dims) - len(region.dims)
        if extra > 0:
            view = view.squeeze(range(extra))
        source = ctx.fit(view, region.dims, MISFIT)
    with ctx.nest(region.dims) as at:
        element = ctx.element(source, at) if source else value
        ctx.b.store(region.base, ctx.index(region, at), element, accumulate)


# -- index arrays and masks ---------------------------------------------------------------------


def _plan(ctx, array: str, index):
    """Return ``(dims, place)`` of an index with arrays.

    `dims` are the extents of the result; ``place(at)`` emits the index into
    `array` of the element at index `at` of the result.  NumPy puts the axes of
    the index arrays where they stand if they (and the integers) stand
    together, and first otherwise.
    """
    items, given = _without_masks(ctx, index), {id(i) for i in index}      # the others are positions in range
    views = [ctx.view(i) for i in items if not isinstance(i, Span) and ctx.is_array(i)]
    shared = ctx.common(views)
    advanced = [k for k, i in enumerate(items) if not isinstance(i, Span)]
    together = advanced == list(range(advanced[0], advanced[-1] + 1))
    entries, dims, at = [], [], None if together else 0
    if not together:
        dims.extend(shared)
    for k, item in enumerate(items):
        dim = ctx.dim(array, k)
        if isinstance(item, Span):
            start, step, extent = resolve(ctx, item, dim)
            entries.append((len(dims), start, step))
            dims.append(extent)
            continue
        if at is None:
            at = len(dims)
            dims.extend(shared)
        fitted = ctx.fit(ctx.view(item), shared) if ctx.is_array(item) else item
        entries.append((fitted, dim if id(item) in given else None))
    for entry in entries:
        if isinstance(entry[0], View) and entry[1] is not None:
            _check_bounds(ctx, *entry)
    return tuple(dims), _placer(ctx, entries, at, len(shared))


def _placer(ctx, entries, at, count):
    def place(position):
        shared = position[at:at + count]
        out = []
        for entry in entries:
            if len(entry) == 3:
                axis, start, step = entry
                out.append(add(ctx.b, start, multiply(ctx.b, position[axis], step)))
            elif isinstance(entry[0], View):
                p = ctx.element(entry[0], shared, stem="p")
                out.append(p if entry[1] is None else _wrap(ctx, p, entry[1]))
            else:
                out.append(entry[0])
        return tuple(out)
    return place


def _check_bounds(ctx, view: View, dim: Dim) -> None:
    b = ctx.b
    low = b.op("negative", dim.atom, stem="low")
    with ctx.nest(view.dims) as at:
        p = ctx.element(view, at, stem="p")
        below, above = b.op("less", p, low, stem="below"), b.op(
            "greater_equal", p, dim.atom, stem="above")
        with b.nested() as raising:
            b.fail("IndexError", "an index is out of bounds")
        b.branch(b.op("logical_or", below, above, stem="outside"), raising)


def _without_masks(ctx, index):
    """Replace each mask by the index arrays of its true elements."""
    items = []
    for item in index:
        if not isinstance(item, Span) and ctx.is_array(item) \
                and ctx.b.types[item.name].dtype == "bool":
            items.extend(_positions(ctx, item))
        else:
            items.append(item)
    return items


def _positions(ctx, mask: Var) -> list[Var]:
    """Return the index arrays of a mask; they are made once where several statements use it."""
    known = ctx.known_positions(mask.name)
    if known is None:
        known = _nonzero(ctx, ctx.view(mask))
        ctx.note_positions(mask.name, known)
    return known


def _nonzero(ctx, mask: View):
    b = ctx.b
    count = b.fresh("count", Scalar("int64", weak=True))
    b.assign(count, "copy", Const(0))
    with ctx.nest(mask.dims) as at:
        with b.nested() as then:
            b.assign(count, "add", Var(count), Const(1))
        b.branch(ctx.element(mask, at), then)
    n = b.op("copy", Var(count), stem="n")
    names = [ctx.temporary("where", "int64", (Dim(n),)) for _ in mask.dims]
    b.assign(count, "copy", Const(0))
    with ctx.nest(mask.dims) as at:
        with b.nested() as then:
            for name, p in zip(names, at, strict=True):
                b.store(name, (Var(count),), p)
            b.assign(count, "add", Var(count), Const(1))
        b.branch(ctx.element(mask, at), then)
    return [Var(name) for name in names]


def fancy_load(ctx, stmt) -> None:
    array = ctx.in_memory(Var(stmt.array))
    dims, place = _plan(ctx, array, stmt.index)
    reads = [identity(array, ()), *(ctx.view(i) for i in stmt.index
                                    if not isinstance(i, Span) and ctx.is_array(i))]
    buffer = ctx.open(stmt.target, dims, reads, same_index=False)
    with ctx.nest(dims) as at:
        ctx.b.store(buffer, at, ctx.b.load(array, place(at), stem=f"{stmt.target}_e"))
    ctx.close(stmt.target, buffer)


def fancy_store(ctx, stmt) -> None:
    if _masked_number(ctx, stmt):
        return
    dims, place = _plan(ctx, stmt.array, stmt.index)
    source = None
    if ctx.is_array(stmt.value):
        view = ctx.view(stmt.value)
        if view.base == stmt.array:
            view = identity(ctx.materialise(view), view.dims)
        source = ctx.fit(view, dims, MISFIT)
    with ctx.nest(dims) as at:
        element = ctx.element(source, at) if source else stmt.value
        ctx.b.store(stmt.array, place(at), element, stmt.accumulate)


def _masked_number(ctx, stmt) -> bool:
    """Write ``a[mask] = number`` as one loop; False where it is something else."""
    mask = stmt.index[0]
    if len(stmt.index) != 1 or isinstance(mask, Span) or ctx.b.types[mask.name].dtype != "bool" \
            or isinstance(ctx.b.type_of(stmt.value), Array):
        return False
    view = ctx.view(mask)
    with ctx.nest(view.dims) as at:
        with ctx.b.nested() as then:
            ctx.b.store(stmt.array, at, stmt.value, stmt.accumulate)
        ctx.b.branch(ctx.element(view, at), then)
    return True


def take(ctx, stmt) -> None:
    """``take(x, index, axis)`` is ``x[..., index, ...]``."""
    from srcdiff.syntax import Load
    axis, ndim = stmt.keywords["axis"], ctx.b.type_of(stmt.args[0]).ndim
    index = [Span()] * ndim
    index[axis] = stmt.args[1]
    fancy_load(ctx, Load(stmt.target, stmt.args[0].name, tuple(index), stmt.where))
