"""Elements of arrays that are not written again: they can be read where they stand.

In ``a[i, j] -= a[i, k] * a[k, j]`` of an elimination every element is complete
when it is read, so the reverse sweep may read it from the final array and no
tape is needed.  The proof is a dependence test.  Suppose that a store runs after
the load and hits its element: then the loop indices of both satisfy the bounds
of their loops, the order of the two, and the equality of the indices.  These are
inequalities x - y <= c between two unknowns, which have no solution exactly if
their graph has a cycle of negative length (Bellman 1958; Pugh 1991 for the
general case).  What is not of that form is left out, which can only lose proofs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from srcdiff.reverse.nodes import Node, Tree
from srcdiff.syntax import Array, Assign, Atom, Const, For, Span, Store, Type, Var

__all__ = ["Finals", "have_solution"]

ZERO = "0"                                      # the unknown that is zero
Form = tuple[object, int]                       # an unknown and a constant: their sum
Inequality = tuple[object, object, int]         # (x, y, c): x - y <= c


def have_solution(inequalities: list[Inequality]) -> bool:
    """Tell whether integers x - y <= c exist, for triples (x, y, c).

    >>> have_solution([("i", "j", -1), ("j", "i", 0)])
    False
    """
    distance = {u: 0 for x, y, _ in inequalities for u in (x, y)}
    for _ in range(len(distance) + 1):
        shorter = False
        for x, y, c in inequalities:
            if distance[y] + c < distance[x]:
                distance[x], shorter = distance[y] + c, True
        if not shorter:
            return True
    return False


class Finals:
    """Tell which loads read an element in its last version."""

    def __init__(self, tree: Tree, types: Mapping[str, Type]):
        self.tree, self.types = tree, types
        self._found: dict[int, bool] = {}

    def is_final(self, node: Node) -> bool:
        """Tell whether no store after the `Load` at `node` can change what it has read."""
        if id(node) not in self._found:
            self._found[id(node)] = self._prove(node)
        return self._found[id(node)]

    def _prove(self, node: Node) -> bool:
        changes = self.tree.changes.get(node.stmt.array, ())
        whole = [c for c in changes if not isinstance(c.stmt, Store)]
        if len(whole) != 1 or whole[0].block is not self.tree.top or whole[0].order > node.order:
            return False
        return all(not self._may_follow(node, store) for store in changes if isinstance(store.stmt, Store))

    def _may_follow(self, load: Node, store: Node) -> bool:
        """Tell whether the store may hit the loaded element after the load."""
        common = [loop for loop in load.loops() if loop in store.loops()]
        cases = [(depth, False) for depth in range(len(common))]
        if store.order > load.order:
            cases.append((len(common), True))
        return any(self._is_possible(load, store, common, depth, together) for depth, together in cases)

    def _is_possible(self, load: Node, store: Node, common, depth: int, together: bool) -> bool:
        """Decide one order: `depth` common loops in the same iteration, the next one further on."""
        shared = set(map(id, common[:depth]))
        here = _Place(self, load, lambda loop: (id(loop), 0))
        there = _Place(self, store, lambda loop: (id(loop), id(loop) not in shared))
        facts = [*here.bounds(), *there.bounds()]
        if not together and isinstance(common[depth].stmt, For):
            facts += _further(common[depth], here, there)
        if not (here.has_mask() or there.has_mask()):
            for axis in range(len(load.stmt.index)):
                facts += _equal(here.element(axis, facts), there.element(axis, facts))
        return have_solution(facts)

    # -- what an atom is ------------------------------------------------------------------

    def form(self, atom: Atom, place: _Place) -> Form | None:
        """Return an integer as an unknown plus a constant, or None."""
        if isinstance(atom, Const):
            return (ZERO, int(atom.value)) if isinstance(atom.value, int) else None
        for loop in place.loops:
            if isinstance(loop.stmt, For) and loop.stmt.var == atom.name:
                return place.key(loop), 0
        changes = self.tree.changes.get(atom.name, ())
        if not changes:
            return (atom.name, 0) if atom.name in self.tree.params else None
        node = changes[0]
        if len(changes) > 1 or not place.is_inside(node.block):
            return None
        return self._defined(node, place) or ((atom.name, 0) if not node.loops() else None)

    def _defined(self, node: Node, place: _Place) -> Form | None:
        match node.stmt:
            case Assign(op="copy", args=(one,)):
                return self.form(one, place)
            case Assign(op="add", args=(one, Const(value=int(c)))) | Assign(op="add", args=(Const(value=int(c)), one)):
                return _plus(self.form(one, place), c)
            case Assign(op="subtract", args=(one, Const(value=int(c)))):
                return _plus(self.form(one, place), -c)
            case Assign(op="size", args=(Var(name),)) if self._has_one_shape(name):
                return ("size", name, node.stmt.keywords["axis"]), 0
        return None

    def _has_one_shape(self, name: str) -> bool:
        whole = [c for c in self.tree.changes.get(name, ()) if not isinstance(c.stmt, Store)]
        return name in self.tree.params or len(whole) == 1 and not whole[0].loops()


class _Place:
    """A statement with unknowns of its own: `key(loop)` is the index of a loop around it."""

    def __init__(self, finals: Finals, node: Node, key):
        self.finals, self.node, self.key = finals, node, key
        self.loops = node.loops()
        self.blocks = [node.block, *(p.block for p in node.parents())]

    def is_inside(self, block) -> bool:
        return any(block is b for b in self.blocks)

    def bounds(self) -> Iterator[Inequality]:
        """Yield what holds of the indices of the loops around."""
        for loop in self.loops:
            if not isinstance(loop.stmt, For) or not isinstance(loop.stmt.step, Const):
                continue
            first, last = loop.stmt.start, loop.stmt.stop
            forward = loop.stmt.step.value > 0
            low = self.finals.form(first, self) if forward else _plus(self.finals.form(last, self), 1)
            high = _plus(self.finals.form(last, self), -1) if forward else self.finals.form(first, self)
            index = (self.key(loop), 0)
            yield from _at_most(low, index)
            yield from _at_most(index, high)

    def _is_array(self, item) -> bool:
        return isinstance(item, Var) and isinstance(self.finals.types[item.name], Array)

    def has_mask(self) -> bool:
        """Tell whether an item of the index may stand for several axes."""
        return any(self._is_array(item) and self.finals.types[item.name].dtype == "bool"
                   for item in self.node.stmt.index)

    def element(self, axis: int, facts: list[Inequality]) -> Form | None:
        """Return which element of an axis is meant, counted from the front; None if that is not known."""
        item = self.node.stmt.index[axis]
        if not isinstance(item, Span):
            return None if self._is_array(item) else self._natural(item, facts)
        if item.step not in (None, Const(1)):
            return None
        unknown = (("element", id(self.node), axis), 0)
        first, behind = (self._natural(a, facts) for a in (item.start, item.stop))
        facts += [*_at_most(first, unknown), *_at_most(unknown, _plus(behind, -1))]
        return unknown

    def _natural(self, atom: Atom | None, facts: list[Inequality]) -> Form | None:
        """Return the form of a number that is sure not to be negative (those count from the end)."""
        form = None if atom is None else self.finals.form(atom, self)
        if form is None or have_solution([*facts, *_at_most(form, (ZERO, -1)), (ZERO, ZERO, 0)]):
            return None
        return form


def _further(loop: Node, here: _Place, there: _Place) -> list[Inequality]:
    """Return that `there` is a later iteration than `here`."""
    if not isinstance(loop.stmt.step, Const):
        return []
    step = loop.stmt.step.value
    one, two = (here.key(loop), 0), (there.key(loop), 0)
    return list(_at_most(_plus(one, step), two) if step > 0 else _at_most(two, _plus(one, step)))


def _plus(form: Form | None, constant: int) -> Form | None:
    return None if form is None else (form[0], form[1] + constant)


def _at_most(left: Form | None, right: Form | None) -> Iterator[Inequality]:
    if left is not None and right is not None:
        yield left[0], right[0], right[1] - left[1]


def _equal(left: Form | None, right: Form | None) -> list[Inequality]:
    return [*_at_most(left, right), *_at_most(right, left)]

