"""The adjoint of each statement: its target's adjoint handed to its operands.

For ``y = op(a, b)`` with cotangent ``y_bar``, the rule of the operation gives
what ``a_bar`` and ``b_bar`` receive; then ``y_bar`` is cleared if `y` had another
value before.  A loop is reversed as a loop through the same numbers backwards,
a branch as a branch on the same condition.
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.builder import INT, Builder
from srcdiff.reverse.nodes import Block, Node
from srcdiff.reverse.replay import reverse_replay
from srcdiff.reverse.stores import reverse_store
from srcdiff.rules import RULES
from srcdiff.syntax import Array, Assign, Atom, Const, For, If, Load, Store, Var, While

__all__ = ["reverse_statement"]

ZERO = Const(0.0)
ONE = Const(1)


def reverse_statement(sweep, node: Node) -> None:
    """Append the adjoint of the statement at `node`; `sweep` finds values and adjoints."""
    match node.stmt:
        case Assign():
            _reverse_assign(sweep, node)
        case Load():
            _reverse_load(sweep, node)
        case Store():
            reverse_store(sweep, node)
        case For():
            _reverse_for(sweep, node)
        case While() if replay := sweep.needs.replays.get(id(node)):
            reverse_replay(sweep, node, replay)
        case While():
            _reverse_while(sweep, node)
        case If():
            _reverse_if(sweep, node)


def _reverse_assign(sweep, node: Node) -> None:
    stmt = node.stmt
    contributions = _contributions(sweep, node)
    own: Atom | None = None
    for position, value in contributions.items():
        name = stmt.args[position].name
        if name != stmt.target:
            sweep.accumulate(name, value)
        else:
            own = value if own is None else sweep.builder.op("add", own, value)
    if own is not None:
        if own != Var(sweep.bar[stmt.target]):
            sweep.builder.copy(sweep.bar[stmt.target], own)
    else:
        _clear(sweep, node)


def _contributions(sweep, node: Node) -> dict[int, Atom]:
    stmt, rule = node.stmt, RULES.get(node.stmt.op)
    wanted = sweep.needs.wanted(stmt)
    if not wanted:
        return {}
    seen = replace(stmt, args=tuple(sweep.atom(node, a) for a in stmt.args),
                   target=sweep.atom(node, Var(stmt.target), after=True).name)

    def extents(position: int) -> tuple[Atom, ...]:
        if position in wanted:
            name = stmt.args[position].name
            noted = sweep.needs.previous_extents.get(id(node)) if name == stmt.target else None
            return tuple(map(sweep.value, noted)) if noted else sweep.builder.extents(sweep.bar[name])
        return tuple(map(sweep.value, sweep.needs.operand_extents[id(node), position]))

    found = rule.adjoint(sweep.builder, seen, Var(sweep.bar[stmt.target]), wanted, extents)
    return {position: found[position] for position in sorted(found)}


def _clear(sweep, node: Node) -> None:
    """Zero the adjoint of a target whose value before the statement is another one."""
    name = node.stmt.target
    if not sweep.needs.is_overwritten(node):
        return
    type_ = sweep.builder.types[name]
    if isinstance(type_, Array):
        noted = sweep.needs.previous_extents.get(id(node))
        extents = (tuple(map(sweep.value, noted)) if noted
                   else sweep.builder.extents(sweep.bar[name]))
        sweep.builder.assign(sweep.bar[name], "zeros", *extents, dtype=type_.dtype)
    else:
        sweep.builder.copy(sweep.bar[name], ZERO)


def _reverse_load(sweep, node: Node) -> None:
    stmt = node.stmt
    if stmt.array not in sweep.carriers:
        _clear(sweep, node)
        return
    index, received = sweep.node_index(node), Var(sweep.bar[stmt.target])
    if stmt.array == stmt.target:           # the adjoint of the part makes way for that of the whole
        received = sweep.builder.op("copy", received)
        _clear(sweep, node)
    with sweep.builder.in_any_order():
        sweep.builder.store(sweep.bar[stmt.array], index, received, True)
    if stmt.array != stmt.target:
        _clear(sweep, node)


def _reverse_if(sweep, node: Node) -> None:
    bodies = []
    for block in node.blocks:
        with sweep.builder.nested() as body:
            sweep.reverse(block)
        bodies.append(body)
    if any(bodies):
        sweep.builder.branch(sweep.atom(node, node.stmt.condition), *bodies)


def _reverse_for(sweep, node: Node) -> None:
    stmt = node.stmt
    start, stop, step = (sweep.atom(node, a) for a in (stmt.start, stmt.stop, stmt.step))
    with sweep.builder.nested() as body:
        sweep.reverse(node.blocks[0])
    if body:
        bounds = _reversed_range(sweep.builder, start, stop, step)
        sweep.builder.append(For(stmt.var, *bounds, tuple(body), stmt.where))


def _reverse_while(sweep, node: Node) -> None:
    test, inner = node.blocks
    sweep.reverse(test)                  # the evaluation that ended the loop
    count = sweep.atom(node, Var(sweep.needs.trips[id(node)]), after=True)
    with sweep.builder.nested() as body:
        outside = dict(sweep.restored)
        if test.nodes:
            sweep.restore(test)
        sweep.reverse(inner)
        _reverse_again(sweep, test)
        sweep.restored = outside
    var = sweep.builder.fresh("trip", INT)
    sweep.builder.append(For(var, Const(0), count, ONE, tuple(body), node.stmt.where))


def _reverse_again(sweep, test: Block) -> None:
    """Reverse the test of a `while` whose values have been brought back already."""
    if test.nodes:
        sweep.initialise(test)
    for node in reversed(test.nodes):
        if node in sweep.needs.reversible:
            with sweep.builder.at(node.stmt.where):
                reverse_statement(sweep, node)


def _reversed_range(builder: Builder, start: Atom, stop: Atom, step: Atom):
    """Return the bounds of the range that runs backwards through the same numbers."""
    if step in (ONE, Const(-1)):
        back = Const(-step.value)
        return _plus(builder, stop, back.value), _plus(builder, start, back.value), back
    trips = builder.op("trips", start, stop, step, stem="trips")
    span = builder.op("multiply", builder.op("subtract", trips, ONE), step)
    last = builder.op("add", start, span, stem="last")
    back = Const(-step.value) if isinstance(step, Const) else builder.op("negative", step)
    return last, builder.op("subtract", start, step), back


def _plus(builder: Builder, atom: Atom, offset: int) -> Atom:
    if isinstance(atom, Const):
        return Const(atom.value + offset)
    op = "add" if offset > 0 else "subtract"
    return builder.op(op, atom, Const(abs(offset)), stem="last")
