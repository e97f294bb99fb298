"""Lists whose length only run time knows: arrays that grow, and a count.

A list is kept as a `Tuple` while its length is known.  Where a loop or a branch
makes the length a run-time fact it becomes a `Grown`: one array for each number
of an item, longer than the list, and the number of items.  The arrays are
changed in place, as a store changes an array, so that no path copies them.

Items are numbers, arrays of one shape, or tuples and short lists of those.  An
array that is appended stays the caller's own in Python; here it is copied, so
storing into it afterwards is refused (`shared`).
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.frontend.translate.context import Translator, describe
from srcdiff.frontend.translate.kinds import NUMPY, PYTHON, marked
from srcdiff.frontend.translate.values import Enumerate, Grown, Once, Ref, Refused, Tuple, View, is_atom
from srcdiff.frontend.translate.views import as_atom, common_dtype
from srcdiff.primitives import unify
from srcdiff.syntax import ALL, Array, Const, Scalar, Span, Var

__all__ = ["append", "as_array", "columns", "counts", "elements", "grown_of", "item", "item_checked", "kept", "pop",
           "spec_of", "store_item", "unified"]

HELD = "it is an item of a list too"
ITEM = "it is an item of a list whose length only run time knows, which keeps a copy"
INT = Scalar("int64", weak=True)


# -- items: their form, and their numbers -------------------------------------------------

def flat(t: Translator, value):
    """Return the form of an item and its numbers and arrays, in order.

    The form is 0 for a number or an array, ``"list"`` for a list that is kept
    as an array, and ``(kind, forms)`` for a tuple or a list of known length.
    """
    if isinstance(value, Ref) and value.kind is list:
        t.frozen[value.key] = ITEM
        contents = t.contents(value)
        if not isinstance(contents, Tuple):
            return "list", [as_atom(t, contents)]
        parts = [flat(t, v) for v in contents.items]
        return (list, tuple(f for f, _ in parts)), [a for _, leaves in parts for a in leaves]
    if isinstance(value, Tuple):
        parts = [flat(t, v) for v in value.items]
        return (value.cls or tuple, tuple(f for f, _ in parts)), [a for _, leaves in parts for a in leaves]
    if not (is_atom(value) or isinstance(value, View)):
        raise Refused(f"{describe(value)} is appended to a list whose length only run time knows",
                      fix="append numbers, arrays of one shape, or tuples of them", code="SD0215")
    root = t.root(value)
    if root is not None:
        t.shared.setdefault(root, HELD)
    return 0, [as_atom(t, value)]


def built(t: Translator, form, leaves):
    """Return the item of this form; consumes the iterator `leaves`."""
    if form == 0:
        return next(leaves)
    if form == "list":
        made = t.allocate(next(leaves), list)
        t.frozen[made.key] = ITEM
        return made
    kind, forms = form
    items = Tuple(tuple(built(t, f, leaves) for f in forms),
                  kind if kind not in (tuple, list) else None)
    if kind is not list:
        return items
    made = t.allocate(items, list)
    t.frozen[made.key] = ITEM
    return made


def spec_of(t: Translator, contents):
    """Return ``(form, types)`` of the items of a list; None for an empty one."""
    if isinstance(contents, Grown):
        return contents.form, [_element(t.type_of(b), w)
                               for b, w in zip(contents.buffers, contents.weak, strict=True)]
    if isinstance(contents, Tuple):
        specs = []
        for value in contents.items:
            form, leaves = flat(t, value)
            specs.append((form, [t.type_of(a) for a in leaves]))
        return unified(specs)
    return 0, [_element(t.type_of(contents), False)]


def _element(type_, weak):
    return Array(type_.dtype, type_.ndim - 1) if type_.ndim > 1 else Scalar(type_.dtype, weak)


def unified(specs):
    """Return the one spec of several (None: no items); refuse what has none."""
    specs = [s for s in specs if s is not None]
    if not specs:
        return None
    form, types = specs[0]
    for other, theirs in specs[1:]:
        made = [unify(a, b) for a, b in zip(types, theirs, strict=True)] if other == form else [None]
        if None in made:
            raise Refused("the items of a list whose length only run time knows are of different kinds",
                          why="they are kept in one array", code="SD0215",
                          fix="append items of one kind, or use several lists")
        types = made
    return form, types


# -- from lists of known length ------------------------------------------------------------

def columns(t: Translator, contents):
    """Return, for a list that is to be kept as a `Grown`, its arrays and its count.

    An array is a `Var`, a `Tuple` of its elements, or None where there are no items.
    """
    if isinstance(contents, Grown):
        return list(contents.buffers), contents.count
    if isinstance(contents, Tuple):
        rows = [flat(t, v)[1] for v in contents.items]
        return ([Tuple(c) for c in zip(*rows, strict=True)] if rows else None), Const(len(rows))
    return [contents], t.size(contents, 0)


def grown_of(t: Translator, contents, spec) -> Grown:
    """Return new contents of items of this spec, with the items of `contents`."""
    form, types = spec
    given, count = columns(t, contents)
    buffers = []
    for k, type_ in enumerate(types):
        if given is None:
            made = t.emit("zeros", *[Const(0)] * (type_.ndim + 1), dtype=type_.dtype)
        else:
            made = as_atom(t, given[k])
            made = t.emit("copy" if t.type_of(made).dtype == type_.dtype else "cast", made,
                          **({} if t.type_of(made).dtype == type_.dtype else {"dtype": type_.dtype}))
        buffers.append(made)
    return Grown(tuple(buffers), count, form, tuple(getattr(x, "weak", False) for x in types))


def _changeable(t: Translator, ref: Ref, spec) -> Grown:
    """Return the contents of a list as a `Grown` that can hold items of this spec."""
    contents = t.contents(ref)
    have = spec_of(t, contents)
    wanted = unified([have, spec])
    if isinstance(contents, Grown) and [x.dtype for x in have[1]] == [x.dtype for x in wanted[1]]:
        return replace(contents, weak=tuple(getattr(x, "weak", False) for x in wanted[1]))
    return grown_of(t, contents, wanted)


# -- changes ---------------------------------------------------------------------------------

def append(t: Translator, ref: Ref, value) -> None:
    """Append an item: make room, store its numbers, count it."""
    form, leaves = flat(t, value)
    grown = _changeable(t, ref, (form, [t.type_of(a) for a in leaves]))
    needed = t.emit("add", grown.count, Const(1))
    t.nonnegative.add(needed.name)
    for buffer, leaf in zip(grown.buffers, leaves, strict=True):
        _fit(t, buffer, leaf)
        t.builder.assign(buffer.name, "tape_grow", buffer, needed)
        _put(t, buffer, grown.count, leaf)
    t.state["heap", ref.key] = replace(grown, count=needed)


def _fit(t, buffer, leaf):
    """Let an empty buffer of arrays have rows like `leaf`; other rows must have its shape."""
    ndim = t.ndim(leaf)
    if not ndim:
        return
    extents = [t.size(leaf, k) for k in range(ndim)]
    empty = t.emit("equal", t.size(buffer, 0), Const(0))
    with t.builder.nested() as body:
        t.builder.assign(buffer.name, "zeros", Const(1), *extents, dtype=t.type_of(buffer).dtype)
    t.builder.branch(empty, body)
    for k, extent in enumerate(extents):
        other = t.emit("not_equal", extent, t.size(buffer, k + 1))
        with t.builder.nested() as body:
            t.builder.fail("ValueError", "[SD0356] the arrays in a list have different shapes")
        t.builder.branch(other, body)


def _put(t, buffer, position, leaf):
    dtype = t.type_of(buffer).dtype
    if t.type_of(leaf).dtype != dtype:
        leaf = t.cast(leaf, dtype)
    t.versions[buffer.name] = t.versions.get(buffer.name, 0) + 1
    t.builder.store(buffer.name, (position, *[ALL] * t.ndim(leaf)), leaf)


def store_item(t: Translator, ref: Ref, position, value) -> None:
    """Translate ``items[position] = value``."""
    form, leaves = flat(t, value)
    grown = _changeable(t, ref, (form, [t.type_of(a) for a in leaves]))
    t.state["heap", ref.key] = grown
    position = _position(t, grown, position)
    for buffer, leaf in zip(grown.buffers, leaves, strict=True):
        _fit(t, buffer, leaf)
        _put(t, buffer, position, leaf)


def pop(t: Translator, ref: Ref):
    """Take the last item off."""
    grown = t.contents(ref)
    value = item_checked(t, grown, Const(-1), "pop from empty list")
    left = t.emit("subtract", grown.count, Const(1))
    t.nonnegative.add(left.name)
    t.state["heap", ref.key] = replace(grown, count=left)
    return value


def counts(t: Translator, value) -> list:
    """Return the present lengths of the growing lists that an iterable goes through."""
    if isinstance(value, Ref):
        contents = t.contents(value)
        return [contents.count] if isinstance(contents, Grown) else []
    inner = (getattr(value, "iterables", None) or
             ((value.iterable,) if isinstance(value, Enumerate | Once) else ()))
    return [n for v in inner for n in counts(t, v)]


# -- reads -----------------------------------------------------------------------------------

def _position(t, grown, position, message="list index out of range"):
    """Return the position from the start; at run time, raise where there is no such item."""
    atom = as_atom(t, position)
    if isinstance(atom, Const) and atom.value < 0:
        atom = t.emit("add", grown.count, atom)
    elif not t.is_nonnegative(atom):
        back = t.emit("less", atom, Const(0))
        atom = t.emit("where", back, t.emit("add", atom, grown.count), atom)
    else:
        _fail_where(t, t.emit("greater_equal", atom, grown.count), message)
        return atom
    low = t.emit("less", atom, Const(0))
    high = t.emit("greater_equal", atom, grown.count)
    _fail_where(t, t.emit("logical_or", low, high), message)
    t.nonnegative.add(atom.name)
    return atom


def _fail_where(t, condition, message):
    with t.builder.nested() as body:
        t.builder.fail("IndexError", message)
    t.builder.branch(condition, body)


def item_checked(t: Translator, grown: Grown, position, message="list index out of range"):
    """Return ``items[position]``; a position beyond the list raises, as in Python."""
    return item(t, grown, _position(t, grown, position, message))


def item(t: Translator, grown: Grown, position):
    """Return the item at a position that the list has."""
    leaves = []
    for buffer, weak in zip(grown.buffers, grown.weak, strict=True):
        rank = t.ndim(buffer) - 1
        made = t.builder.load(buffer.name, (position, *[ALL] * rank))
        if rank:
            t.shared[made.name] = HELD
        leaves.append(t.weak(made) if weak else marked(t, made, PYTHON | NUMPY))     # any item may be either
    return built(t, grown.form, iter(leaves))


def kept(t: Translator, grown: Grown) -> list[Var]:
    """Return the arrays of the items without what they hold in reserve."""
    return [t.builder.load(b.name, (Span(None, grown.count), *[ALL] * (t.ndim(b) - 1))) for b in grown.buffers]


def as_array(t: Translator, grown: Grown):
    """Return a new array of the items, as `np.array` does."""
    parts = kept(t, grown)
    for part in parts:
        if t.ndim(part) > 1:
            empty = t.emit("equal", grown.count, Const(0))
            with t.builder.nested() as body:
                t.builder.fail("ValueError", "[SD0356] the shape of a list of arrays without items is not known")
            t.builder.branch(empty, body)
    if grown.form in (0, "list"):
        return parts[0]
    if len({t.ndim(p) for p in parts}) != 1 or any(f != 0 for f in grown.form[1]):
        raise Refused("a list of nested tuples becomes an array",
                      why="its items are kept in several arrays of different ranks",
                      fix="use one list for each of them", code="SD0215")
    dtype = common_dtype({t.type_of(p).dtype for p in parts})
    columns_ = [t.emit("expand_dims", t.cast(p, dtype), axis=1) for p in parts]
    return t.emit("concatenate", *columns_, axis=1)


def elements(t: Translator, grown: Grown) -> Var | None:
    """Return the array of a list of plain numbers or arrays, None for one of tuples."""
    return as_array(t, grown) if grown.form == 0 else None
