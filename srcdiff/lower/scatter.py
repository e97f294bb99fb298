"""What an innermost loop adds to neighbouring elements of an array, and whether its iterations may change places.

An index is *affine* here where it is the loop variable plus a constant.  The
iterations of a loop commute where each array that it changes is either only
added to, or used at one affine index alone, which no two iterations share.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from srcdiff.lower.extents import Extents
from srcdiff.lower.moves import mentions as counted
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Assign, Atom, Const, For, Load, Scalar, Store, Var, atoms_of

__all__ = ["EXPENSIVE", "Group", "Offset", "Scatter", "scatter_of"]

EXPENSIVE = {"exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin",
             "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "erf",
             "erfc", "power", "cbrt", "arctan2", "hypot", "logaddexp"}


@dataclass(frozen=True)
class Offset:
    """An integer that is the loop variable plus `distance`."""

    distance: int


@dataclass(frozen=True)
class Group:
    """Sums into ``array[..., i + distance, ...]`` that differ in their distances alone.

    `index` is their index, with None for the axis that the loop runs along;
    `terms` are pairs (distance, store).
    """

    array: str
    index: tuple[Atom | None, ...]
    terms: tuple[tuple[int, Store], ...]

    @property
    def distances(self) -> list[int]:
        return sorted({d for d, _ in self.terms})

    @property
    def width(self) -> int:
        return self.distances[-1] - self.distances[0]


@dataclass(frozen=True)
class Scatter:
    """A loop whose iterations commute, and the sums of it that go to neighbouring elements."""

    loop: For
    offsets: dict[str, int]             # scalars of the body: the loop variable plus this
    sources: dict[str, Assign | Load]   # how a scalar of the body is computed
    groups: tuple[Group, ...]

    def values(self, atoms) -> list[Assign | Load]:
        """Return the statements that compute these atoms, in their order; not those of affine integers."""
        wanted: dict[str, Assign | Load] = {}

        def visit(atom):
            if isinstance(atom, Var) and atom.name in self.sources and atom.name not in wanted \
                    and atom.name not in self.offsets:
                for below in inputs(self.sources[atom.name]):
                    visit(below)
                wanted[atom.name] = self.sources[atom.name]

        for atom in atoms:
            visit(atom)
        return list(wanted.values())


def inputs(stmt: Assign | Load) -> Iterator[Atom]:
    """Yield the scalars that a statement reads."""
    return iter(stmt.index if isinstance(stmt, Load) else stmt.args)


def offsets_of(loop: For) -> dict[str, int]:
    """Return the scalars of an innermost loop that are its variable plus a constant."""
    found = {loop.var: 0}
    for s in loop.body:
        match s:
            case Assign(target, "add", (Var(name), Const(int(n)))) | Assign(target, "add", (Const(int(n)), Var(name))):
                distance = n
            case Assign(target, "subtract", (Var(name), Const(int(n)))):
                distance = -n
            case _:
                continue
        if name in found and not isinstance(n, bool):
            found[target] = found[name] + distance
    return found


def scatter_of(loop: For, program, forms: Extents, mentions: Counter) -> Scatter | None:
    """Return what a loop adds to neighbouring elements; None where nothing, or where its iterations do not commute.

    `mentions` counts the places of the program where a variable stands.
    """
    if loop.step not in (Const(1), Const(-1)) or not _is_plain(loop, program, forms, mentions):
        return None
    offsets = offsets_of(loop)
    sources = {s.target: s for s in loop.body if isinstance(s, Assign | Load)}
    stored = defaultdict(list)
    for s in loop.body:
        if isinstance(s, Load | Store):
            stored[s.array].append(s)
    changed = {s.array for s in loop.body if isinstance(s, Store)}
    summed = {a for a in changed if all(isinstance(s, Store) and s.accumulate for s in stored[a])}
    if not all(_at_one_place(stored[a], offsets, sources, loop, forms) for a in changed - summed):
        return None
    found = Scatter(loop, offsets, sources, ())
    groups = _groups([s for s in loop.body if isinstance(s, Store) and s.array in summed], found)
    return Scatter(loop, offsets, sources, groups) if groups else None


def _is_plain(loop: For, program, forms: Extents, mentions: Counter) -> bool:
    """Tell whether a body is loads, stores and scalars that live for one iteration."""
    known: set[str] = set()
    targets = {s.target for s in loop.body if isinstance(s, Assign | Load)}
    for s in loop.body:
        if not isinstance(s, Assign | Load | Store):
            return False
        if any(a.name in targets and a.name not in known for a in atoms_of(s) if isinstance(a, Var)):
            return False                                # carried from one iteration to the next
        if isinstance(s, Assign | Load):
            if forms.counts[s.target] != 1 or not isinstance(program.types[s.target], Scalar):
                return False
            known.add(s.target)
        if isinstance(s, Assign) and PRIMITIVES[s.op].kind != "elementwise":
            return False
        if isinstance(s, Load | Store) and not all(
                isinstance(i, Const) or isinstance(i, Var) and isinstance(program.types[i.name], Scalar)
                for i in s.index):
            return False
    within = counted(loop.body)
    return all(within[t] == mentions[t] for t in targets)


def place(index, offsets, sources) -> tuple | None:
    """Return an index with affine items as offsets; None where an item depends on the iteration otherwise."""
    items = []
    for item in index:
        if isinstance(item, Var) and item.name in offsets:
            items.append(Offset(offsets[item.name]))
        elif isinstance(item, Var) and item.name in sources:
            return None
        else:
            items.append(item)
    return tuple(items)


def _at_one_place(accesses, offsets, sources, loop: For, forms: Extents) -> bool:
    """Tell whether all accesses are at one affine index, which no two iterations share."""
    places = {place(s.index, offsets, sources) for s in accesses}
    if len(places) != 1 or None in places:
        return False
    distances = [i.distance for i in places.pop() if isinstance(i, Offset)]
    return any(_is_never_negative(loop, d, forms) for d in distances)


def _is_never_negative(loop: For, distance: int, forms: Extents) -> bool:
    """Tell whether an index counts from the front in all iterations: one from the end may meet it."""
    first, more = (loop.start, distance) if loop.step == Const(1) else (loop.stop, distance + 1)
    if isinstance(first, Const):
        return first.value + more >= 0
    return more >= 0 and forms.nonnegative(first)


def _groups(stores, found: Scatter) -> tuple[Group, ...]:
    """Return the sums that go to different elements along one axis, and whose values can be computed again."""
    terms: dict[tuple, list] = defaultdict(list)
    for s in stores:
        at = place(s.index, found.offsets, found.sources)
        if at is not None and sum(isinstance(i, Offset) for i in at) == 1:
            axis = next(k for k, i in enumerate(at) if isinstance(i, Offset))
            terms[s.array, at[:axis] + (None,) + at[axis + 1:]].append((at[axis].distance, s))
    groups = [Group(array, index, tuple(pairs)) for (array, index), pairs in terms.items()]
    return tuple(g for g in groups if g.width and _is_cheap(g, found))


MOST_WORK = 24                  # operations and loads of all terms together
MOST_WIDTH = 8


def _is_cheap(group: Group, found: Scatter) -> bool:
    """Tell whether the values are cheap to compute, from elements that the iteration has not changed before."""
    if group.width > MOST_WIDTH:
        return False
    work = 0
    for distance in group.distances:
        needed = found.values(s.value for d, s in group.terms if d == distance)
        work += len(needed)
        if any(isinstance(s, Assign) and s.op in EXPENSIVE for s in needed):
            return False
    first: dict[str, int] = {}
    for number, s in enumerate(found.loop.body):
        if isinstance(s, Store):
            first.setdefault(s.array, number)
    order = {id(s): number for number, s in enumerate(found.loop.body)}
    return work <= MOST_WORK and all(
        order[id(s)] < first.get(s.array, len(order)) for s in found.values(s.value for _, s in group.terms)
        if isinstance(s, Load))
