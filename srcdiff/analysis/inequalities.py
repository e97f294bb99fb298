"""Proofs that an integer is not negative, from what is known to be not negative.

Integers are linear forms in the roots of `Shapes`.  A proof takes known forms,
times positive numbers, away from the form in question until what remains is
not negative by itself; each step removes one root (Fourier and Motzkin's
elimination, directed at the root made last: an inner loop's variable is
bounded by outer ones).  Where no proof is found nothing is said.

>>> from srcdiff.notation import read
>>> from srcdiff.syntax import Var
>>> shapes = Shapes(read('''
... def f(x: "float64[:]"):
...     n = size(x, axis=0)
...     for i in range(1, n, 1):
...         t = subtract(i, 1)
...     return n
... '''))
>>> i, n, t = (shapes.value(Var(name)) for name in "int")
>>> facts = Facts(shapes)
>>> facts.learn(shapes.combine(i, Extent(1), -1))                           # i - 1
>>> facts.learn(shapes.combine(shapes.combine(n, i, -1), Extent(1), -1))    # n - 1 - i
>>> facts.prove(t), facts.prove(shapes.combine(n, Extent(2), -1)), facts.prove(shapes.combine(t, Extent(1), -1))
(True, True, False)
"""

from __future__ import annotations

from srcdiff.analysis.forms import Extent, Root
from srcdiff.analysis.shapes import Shapes

__all__ = ["Facts", "at_most", "coefficient", "substitute"]

MOST_STEPS = 7                          # of one proof
MOST_TRIED = 200                        # forms that one proof looks at


def coefficient(form: Extent, number: int) -> int:
    """Return the factor of a root in a form."""
    return next((factor for n, factor in form.terms if n == number), 0)


def substitute(shapes: Shapes, form: Extent, number: int, value: Extent) -> Extent:
    """Return a form with a root replaced by a form."""
    factor = coefficient(form, number)
    return shapes.combine(shapes.combine(form, Extent(0, ((number, factor),)), -1), value, factor)


def at_most(shapes: Shapes, low: Extent | None, high: Extent | None, slack: int = 0) -> Extent | None:
    """Return the form that is not negative where ``low + slack <= high``; None if one is unknown."""
    difference = shapes.combine(high, low, -1)
    return None if difference is None else Extent(difference.constant - slack, difference.terms)


class Facts:
    """What is known to be not negative at a place in a program."""

    def __init__(self, shapes: Shapes, known=()):
        self.shapes = shapes
        self._known: dict[tuple, int] = dict(known)     # the least constant known for some terms

    def copy(self) -> Facts:
        return Facts(self.shapes, self._known)

    def learn(self, *forms: Extent | None) -> None:
        """Note that forms are not negative; those that are unknown or constant say nothing."""
        for form in forms:
            if form is not None and form.terms and not self.shapes.nonnegative(form):
                self._known[form.terms] = min(form.constant, self._known.get(form.terms, form.constant))

    def prove(self, form: Extent | None, given: tuple[Extent, ...] = ()) -> bool:
        """Tell whether a form is provably not negative, provided that those of `given` are not."""
        if form is None:
            return False
        if form.constant >= self._known.get(form.terms, form.constant + 1):
            return True
        facts = [*(Extent(constant, terms) for terms, constant in self._known.items()), *given]
        return self._prove(form, facts, MOST_STEPS, {})

    def _prove(self, form: Extent, facts, steps: int, tried: dict) -> bool:
        if self.shapes.nonnegative(form):
            return True
        if steps == 0 or tried.get(form, 0) >= steps or len(tried) > MOST_TRIED:
            return False
        tried[form] = steps
        number = self._obstacle(form)
        if number is None:
            return any(self._prove(rest, facts, steps - 1, tried) for rest in self._paid(form, facts))
        root, factor = self.shapes.roots[number], coefficient(form, number)
        if (cases := self._cases(root)) is not None:
            decide = any if (root.kind == "minimum") == (factor < 0) else all
            return decide(self._prove(substitute(self.shapes, form, number, case), facts, steps - 1, tried)
                          for case in cases)
        candidates = [*facts, *self._facts_of(root, number, facts, steps, tried)]
        return any(self._prove(rest, facts, steps - 1, tried)
                   for rest in self._without(form, number, factor, candidates))

    def _obstacle(self, form: Extent) -> int | None:
        """Return the root made last of those that may make the form negative."""
        found = [n for n, factor in form.terms
                 if factor < 0 or not self.shapes.nonnegative(Extent(0, ((n, 1),)))]
        return max(found, default=None)

    def _paid(self, form, facts):
        """Yield the form less a fact that pays for its negative constant."""
        roots = {n for n, factor in form.terms if factor > 0}
        for fact in facts:
            if fact.constant < 0 and any(n in roots and factor > 0 for n, factor in fact.terms):
                yield self.shapes.combine(form, fact, -1)

    def _without(self, form, number, factor, facts):
        """Yield forms without the root: not negative only if `form` is not."""
        for fact in facts:
            theirs = coefficient(fact, number)
            if theirs * factor > 0:
                scaled = self.shapes.combine(Extent(), form, abs(theirs))
                yield self.shapes.combine(scaled, fact, -abs(factor))

    def _cases(self, root: Root):
        """Return the forms of which a root is the largest or smallest."""
        match root.kind:
            case "maximum" | "minimum":
                return root.key
            case "atleast0":
                return (*root.key, Extent())
        return None

    def _facts_of(self, root: Root, number: int, facts, steps, tried) -> list[Extent]:
        """Return what a product, quotient or remainder obeys by its definition."""
        this = Extent(0, ((number, 1),))
        if root.kind == "floor_divide":
            a, b = root.key
            if not b.terms and b.constant > 0:          # 0 <= a - b q <= b - 1
                rest = self.shapes.combine(a, this, -b.constant)
                signed = [this] if self._prove(a, facts, steps - 1, {}) else []
                return [rest, at_most(self.shapes, rest, b, 1), *signed]
        if root.kind == "product":                      # of two that are not negative
            return [this] if all(self._prove(part, facts, steps - 1, {}) for part in root.key) else []
        if root.kind == "remainder":
            b = root.key[1]
            if self._prove(at_most(self.shapes, Extent(1), b), facts, steps - 1, {}):
                return [this, at_most(self.shapes, this, b, 1)]
        return []
