"""What a loop adds to neighbouring elements of an array, or to neighbouring rows, and whether its iterations may change places.

An index is *affine* here where it is the loop variable plus a constant.  The
iterations of a loop commute where each array that it changes is either only
added to, or used at one affine index alone, which no two iterations share.

A loop around other loops scatters rows: its body is what the innermost of them
does, with the variables of the loops inside as numbers that do not change.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from srcdiff.lower.effects import Sum, follow, followed
from srcdiff.lower.expensive import is_expensive
from srcdiff.lower.extents import Extents
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Assign, Atom, Const, For, Load, Program, Scalar, Store, Var, atoms_of, map_atoms
from srcdiff.syntax import mentions as counted

__all__ = ["Group", "Scatter", "rows_of", "scatter_of"]

MOST_WORK = 24                  # operations and loads of all terms together
MOST_WIDTH = 8                  # iterations whose terms are written one by one at each end
MOST_ROWS = 2                   # the same for rows, each of which takes a loop


@dataclass(frozen=True)
class Group:
    """Sums into ``array[..., i + distance, ...]`` that differ in their distances alone.

    `index` is their index, with None for the axis that the loop runs along;
    `terms` are pairs (distance, store).
    """

    array: str
    index: tuple[Sum | None, ...]
    terms: tuple[tuple[int, Store], ...]

    @property
    def distances(self) -> list[int]:
        return sorted({d for d, _ in self.terms})

    @property
    def width(self) -> int:
        return self.distances[-1] - self.distances[0]

    @property
    def is_in_any_order(self) -> bool:
        """Tell whether the order of the sums is nobody's: a user's keep theirs."""
        return all(store.where.any_order for _, store in self.terms)


@dataclass(frozen=True)
class Scatter:
    """A loop whose iterations commute, and the sums of it that go to neighbouring elements."""

    loop: For
    integers: dict[str, Sum]            # scalars of the body: another one, plus this
    sources: dict[str, Assign | Load]   # how a scalar of the body is computed
    inner: tuple[tuple[int, For], ...] = ()     # the loops inside, each with the number of statements in front of it
    groups: tuple[Group, ...] = ()
    is_complete: bool = True            # no other sums go to neighbouring elements

    def values(self, atoms) -> list[Assign | Load]:
        """Return the statements that compute these atoms, in their order; not those of `integers`."""
        wanted: dict[str, Assign | Load] = {}

        def visit(atom):
            if isinstance(atom, Var) and atom.name in self.sources and atom.name not in wanted \
                    and atom.name not in self.integers:
                for below in _inputs(self.sources[atom.name]):
                    visit(below)
                wanted[atom.name] = self.sources[atom.name]

        for atom in atoms:
            visit(atom)
        return list(wanted.values())

    def place(self, index) -> tuple[Sum, ...] | None:
        """Return an index as sums; None where an item depends on the iteration, and is not affine."""
        items = followed(index, self.integers)
        return None if any(isinstance(i.atom, Var) and i.atom.name in self.sources for i in items) else items

    def is_affine(self, item: Sum) -> bool:
        return item.atom == Var(self.loop.var)


def _inputs(stmt: Assign | Load) -> Iterator[Atom]:
    """Yield the scalars that a statement reads."""
    return iter(stmt.index if isinstance(stmt, Load) else stmt.args)


def rows_of(loop: For) -> tuple[For, tuple[tuple[int, For], ...]] | None:
    """Return a loop as if those inside were not there, and those; None if it is no nest over a rectangle."""
    body: tuple = ()
    inner: list[tuple[int, For]] = []
    variables, level = {loop.var}, loop
    while isinstance(level.body[-1] if level.body else None, For):
        *before, level = level.body
        body += tuple(before)
        variables |= {s.target for s in before if isinstance(s, Assign | Load)}
        if any(isinstance(s, Store) for s in before) or any(a.name in variables for a in level.reads if isinstance(a, Var)):
            return None
        inner.append((len(body), level))
        variables.add(level.var)
    return (replace(loop, body=body + level.body), tuple(inner)) if inner else None


def scatter_of(loop: For, program: Program, forms: Extents, mentions: Counter,
               fresh: Callable[[str], str] | None = None, inner: tuple[tuple[int, For], ...] = ()) -> Scatter | None:
    """Return what a loop adds to neighbouring elements; None where its iterations do not commute.

    `mentions` counts the places of the program where a variable stands; `fresh`
    declares another variable of the type of one.  Without it the loop is only
    judged, as it will be when `tidy` has handed on what it stores.  With `inner`
    the loop is one of `rows_of`.
    """
    if loop.step not in (Const(1), Const(-1)) or not _is_plain(loop, program, mentions):
        return None
    loop = _set_once(loop, fresh) if fresh else _handed_on(_set_once(loop, lambda name: name + "'"))
    numbers: dict[str, Sum] = {}
    for s in loop.body:
        if isinstance(s, Assign):
            follow(s, numbers)
    made = {s.target: s for s in loop.body if isinstance(s, Assign | Load)}
    # What follows from another number of the iteration is computed, as that is: 1 + t * t, or a place that was looked up.
    integers = {name: at for name, at in numbers.items() if not (isinstance(at.atom, Var) and at.atom.name in made)}
    found = Scatter(loop, integers, made, inner)
    accesses = defaultdict(list)
    for s in loop.body:
        if isinstance(s, Load | Store):
            accesses[s.array].append(s)
    changed = {s.array for s in loop.body if isinstance(s, Store)}
    summed = {a for a in changed if all(isinstance(s, Store) and s.accumulate for s in accesses[a])}
    if not all(_at_one_place(accesses[a], found, forms) for a in changed - summed):
        return None
    groups = _groups([s for a in sorted(summed) for s in accesses[a]], found)
    cheap = tuple(g for g in groups if g.is_in_any_order and _is_cheap(g, found))
    return replace(found, groups=cheap, is_complete=cheap == groups)


# -- whether iterations commute -----------------------------------------------------------


def _is_plain(loop: For, program: Program, mentions: Counter) -> bool:
    """Tell whether a body is loads, stores and scalars that live for one iteration."""
    known: set[str] = set()
    targets = {s.target for s in loop.body if isinstance(s, Assign | Load)}
    for s in loop.body:
        if not isinstance(s, Assign | Load | Store) or not _is_scalar(s, program):
            return False
        if any(a.name in targets and a.name not in known for a in atoms_of(s) if isinstance(a, Var)):
            return False                                # carried from one iteration to the next
        if not isinstance(s, Store):
            known.add(s.target)
    within = counted(loop.body)
    return all(within[t] == mentions[t] for t in targets)


def _is_scalar(stmt, program: Program) -> bool:
    def is_scalar(atom) -> bool:
        return isinstance(atom, Const) or isinstance(atom, Var) and isinstance(program.types[atom.name], Scalar)

    if isinstance(stmt, Assign):
        return PRIMITIVES[stmt.op].kind == "elementwise" and all(map(is_scalar, (Var(stmt.target), *stmt.args)))
    return all(map(is_scalar, stmt.index))


def _set_once(loop: For, fresh: Callable[[str], str]) -> For:
    """Return a loop whose scalars are set at one place each."""
    names: dict[str, str] = {}
    body: list = []
    seen: set[str] = set()
    for s in loop.body:
        s = map_atoms(s, lambda a: Var(names.get(a.name, a.name)) if isinstance(a, Var) else a)
        if not isinstance(s, Store):
            if s.target in seen:
                names[s.target] = fresh(names.get(s.target, s.target))
                s = replace(s, target=names[s.target])
            else:
                seen.add(s.target)
        body.append(s)
    return replace(loop, body=tuple(body))


def _handed_on(loop: For) -> For:
    """Return a loop in which the loads of elements that the iteration has stored are copies, as `tidy` makes them."""
    integers: dict[str, Sum] = {}
    held: dict[tuple, Atom] = {}
    body: list = []
    for s in loop.body:
        if isinstance(s, Load | Store):
            key = s.array, followed(s.index, integers)
        if isinstance(s, Store):
            held = {k: v for k, v in held.items() if k[0] != s.array}
            if not s.accumulate:
                held[key] = s.value
        elif isinstance(s, Load) and key in held:
            s = Assign(s.target, "copy", (held[key],), (), s.where)
        elif isinstance(s, Assign):
            follow(s, integers)
        body.append(s)
    return replace(loop, body=tuple(body))


def _at_one_place(accesses, found: Scatter, forms: Extents) -> bool:
    """Tell whether all accesses are at one index, affine in each of the loops, which no two iterations share."""
    places = {found.place(s.index) for s in accesses}
    if len(places) != 1 or None in places:
        return False
    place = places.pop()
    return all(any(i.atom == Var(loop.var) and _is_never_negative(loop, i.more, forms) for i in place)
               for loop in (found.loop, *(loop for _, loop in found.inner)))


def _is_never_negative(loop: For, distance: int, forms: Extents) -> bool:
    """Tell whether an index counts from the front in all iterations: one from the end may meet it."""
    first, more = (loop.start, distance) if loop.step == Const(1) else (loop.stop, distance + 1)
    if isinstance(first, Const):
        return first.value + more >= 0
    return more >= 0 and forms.nonnegative(first)


# -- what goes to neighbouring elements ---------------------------------------------------


def _groups(stores, found: Scatter) -> tuple[Group, ...]:
    """Return the sums that go to different elements along one axis."""
    terms: dict[tuple, list] = defaultdict(list)
    for s in stores:
        at = found.place(s.index)
        axes = [k for k, i in enumerate(at or ()) if found.is_affine(i)]
        if len(axes) == 1 and (not found.inner or _is_along(at, found.inner[-1][1])):
            axis = axes[0]
            terms[s.array, at[:axis] + (None,) + at[axis + 1:]].append((at[axis].more, s))
    groups = [Group(array, index, tuple(pairs)) for (array, index), pairs in terms.items()]
    return tuple(g for g in groups if g.width)


def _is_along(at: tuple[Sum, ...], loop: For) -> bool:
    """Tell whether a loop runs along the last axis of an array."""
    return at[-1].atom == Var(loop.var)


def _is_cheap(group: Group, found: Scatter) -> bool:
    """Tell whether the values are cheap to compute, from elements that the iteration has not changed before."""
    needed = [s for distance in group.distances
              for s in found.values(store.value for d, store in group.terms if d == distance)]
    if group.width > (MOST_ROWS if found.inner else MOST_WIDTH) or len(needed) > MOST_WORK \
            or any(map(is_expensive, needed)):
        return False
    stored: set[str] = set()
    late: set[str] = set()
    for s in found.loop.body:
        if isinstance(s, Store):
            stored.add(s.array)
        elif isinstance(s, Load) and s.array in stored:
            late.add(s.target)
    return not late & {s.target for s in needed}
