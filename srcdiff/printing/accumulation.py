"""Accumulations that stand one below the other are one: ``x += a`` and ``x += b`` are ``x += a + b``.

That is another order, so only where the order of both is nobody's, as in adjoints.
"""

from __future__ import annotations

import gast

from srcdiff.printing.algebra import merged, negated, positive
from srcdiff.printing.trees import names_in, width
from srcdiff.syntax import Scalar

__all__ = ["accumulated", "with_sign"]


def with_sign(node: gast.AugAssign) -> gast.AugAssign:
    """Return ``x -= a`` for ``x += -a``, and the reverse."""
    inner = positive(node.value) if isinstance(node.op, gast.Add | gast.Sub) else None
    if inner is None:
        return node
    return gast.AugAssign(node.target, gast.Sub() if isinstance(node.op, gast.Add) else gast.Add(), inner)


def accumulated(out: list, node: gast.AugAssign, where, room: int, types, places) -> gast.stmt:
    """Put ``x[i] += b`` together with an ``x[i] += a`` above, if what stands between has to do with neither.

    Parameters
    ----------
    out
        The statements above; the one that `node` takes up is removed.
    where
        The user's line of `node`.
    room
        How many columns both values may take together.
    types, places
        Of the variables, and the user's lines of the statements.
    """
    if not isinstance(node.op, gast.Add | gast.Sub):
        return node
    own = node.target.value.id if isinstance(node.target, gast.Subscript) else node.target.id
    if own in names_in(node.value):
        return node
    if out and _sets(out[-1], node, types) and width(out[-1].value) + width(node.value) <= room:
        first = out.pop()
        total = merged(gast.AugAssign(node.target, gast.Add(), first.value), node)
        return gast.Assign(first.targets, negated(total.value) if isinstance(total.op, gast.Sub) else total.value,
                           None)
    at = _same_target(out, node, own)
    if at is None or not (where.any_order and places[out[at].lineno].any_order):
        return node
    above, between = out[at], out[at + 1:]
    fixed = names_in(above.value) | names_in(above.target)
    if any(s.targets[0].id in fixed for s in between) or width(above.value) + width(node.value) > room:
        return node
    del out[at]
    if between and places.get(between[0].lineno) is None:
        places[between[0].lineno] = places[above.lineno]        # who stands behind carries the comment
    return merged(above, node)


def _sets(above, node, types) -> bool:
    """Tell whether the statement above is ``x = a`` for ``x += b``, of numbers."""
    return (isinstance(above, gast.Assign) and isinstance(node.target, gast.Name)
            and isinstance(above.targets[0], gast.Name) and above.targets[0].id == node.target.id
            and isinstance(types.get(node.target.id), Scalar))


def _same_target(out, node, own: str) -> int | None:
    """Return where the last accumulation into the same place stands, if only assignments without `own` follow."""
    target = gast.dump(node.target)
    for at in range(len(out) - 1, -1, -1):
        above = out[at]
        if isinstance(above, gast.AugAssign) and gast.dump(above.target) == target and (
                isinstance(above.op, gast.Add | gast.Sub)):
            return at
        if not (isinstance(above, gast.Assign) and isinstance(above.targets[0], gast.Name)) or own in names_in(above):
            return None
    return None
