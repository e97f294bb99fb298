"""The reverse of a loop with checkpoints: from the last one, run a segment again with a tape, and reverse it.

    end = trips
    while end > 0:
        u, begin = u_saved[count - 1], begins[count - 1]
        while end - begin > segment:            # on to the last segment, with checkpoints where there is room
            ...
        for i in range(begin, end): ...         # with a tape
        for i in reversed(range(begin, end)): ...
        if begins[count - 1] == begin: count -= 1
        end = begin

The segment is a program of its own, and is swept like one; the adjoints of the
variables that are known outside the loop are those of the sweep around it.
"""

from __future__ import annotations

from srcdiff.builder import INT, Builder
from srcdiff.reverse.budget import segment_sweep
from srcdiff.reverse.nodes import Node
from srcdiff.reverse.segments import Replay
from srcdiff.syntax import Const, Load, Stmt, Var, rename

__all__ = ["reverse_replay"]

ZERO, ONE = Const(0), Const(1)


def reverse_replay(sweep, node: Node, replay: Replay) -> None:
    """Append the reverse of the loop that `node`, a `while` from checkpoint to checkpoint, runs."""
    builder = sweep.builder
    inner = segment_sweep(sweep, replay, builder.types)
    for name in inner.program.types:
        outer = replay.original(name)
        if outer in sweep.bar and (outer not in replay.names or outer in replay.outside):
            inner.bar[name] = sweep.bar[outer]
    held = {name: sweep.atom(node, Var(name)).name for name in replay.constants}
    before, body = _segments(inner, replay)
    builder.types.update(inner.builder.types)
    builder.append(*rename((*before, *body), {name: now for name, now in held.items() if name != now}))


def _segments(inner, replay: Replay) -> tuple[list[Stmt], list[Stmt]]:
    """Write all segments, last to first; returns the tapes and the loop over the segments."""
    b = inner.builder
    with b.nested() as loop:
        end = b.fresh("end", INT)
        b.copy(end, Var(replay.trips))
        with b.nested() as test:
            more = b.op("greater", Var(end), ZERO, stem="more")
        with b.nested() as body:
            begin = _last_checkpoint(b, replay)
            _advance(b, replay, begin, end)
            replay.bounds(b, Var(begin), Var(end))
            inner.declare_adjoints()
            inner.forward(inner.tree.top)
            inner.reverse(inner.tree.top, initialise=False)
            _release(b, replay, begin)
            b.copy(end, Var(begin))
        b.repeat(test, more, body)
    return inner.tapes_before, loop


def _last_checkpoint(b: Builder, replay: Replay) -> str:
    """Append what goes back to the last checkpoint; returns the variable that counts the iterations from there."""
    position = b.op("subtract", Var(replay.count), ONE, stem="position")
    begin = b.fresh("begin", INT)
    b.append(Load(begin, replay.begins, (position,), b.where))
    replay.restore(b, position)
    return begin


def _advance(b: Builder, replay: Replay, begin: str, end: str) -> None:
    """Append what runs on to the last segment before `end`, taking checkpoints where there is room."""
    with b.nested() as test:
        ahead = b.op("subtract", Var(end), Var(begin), stem="ahead")
        far = b.op("greater", ahead, Var(replay.segment), stem="far")
    with b.nested() as body:
        b.copy(begin, replay.run(b, Var(begin), Var(end), replay.ahead(b)))
        replay.save(b, Var(begin), replay.names)
    b.repeat(test, far, body)


def _release(b: Builder, replay: Replay, begin: str) -> None:
    """Append what gives up the last checkpoint if the segment began there."""
    position = b.op("subtract", Var(replay.count), ONE, stem="position")
    newest = b.load(replay.begins, (position,), stem="newest")
    used = b.op("equal", newest, Var(begin), stem="used")
    with b.nested() as body:
        b.copy(replay.count, position)
    b.branch(used, body)
