"""A memory budget in a thread: what the schedule of checkpoints raises is raised by statements before it.

A device function raises nothing, and a kernel says so in its status.  So the
functions of `srcdiff.schedule` stand in the module without their exceptions.

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(n: "int64", tape: "int64"):
...     length = segment_length(n, 24, tape, 4096)
...     return length
... ''')
>>> print(show(with_budget_tests(program)), end="")
def f(n: "int64", tape: "int64"):
    room = subtract(4096, 24)
    needed = add(24, tape)
    small = less(room, needed)
    if small:
        raise ValueError('[SD0344] the memory budget is too small')
    length = segment_length(n, 24, tape, 4096)
    return length
"""

from __future__ import annotations

from dataclasses import replace

from srcdiff.builder import Builder
from srcdiff.syntax import Assign, Program, blocks_of, with_blocks

__all__ = ["with_budget_tests"]

TOO_SMALL = "[SD0344] the memory budget is too small"


def with_budget_tests(program: Program) -> Program:
    """Return the program with a test before each statement that divides a memory budget."""
    builder = Builder(program.types)
    body = _block(builder, program.body)
    return replace(program, body=body, types=builder.types)


def _block(builder: Builder, body) -> tuple:
    with builder.nested() as block:
        for stmt in body:
            with builder.at(stmt.where):
                match stmt:
                    case Assign(op="segment_length", args=(_, state, tape, memory)):
                        room = builder.op("subtract", memory, state, stem="room")
                        _require(builder, room, builder.op("add", state, tape, stem="needed"))
                    case Assign(op="segment_within", args=(_, tape, room)):
                        _require(builder, room, tape)
                builder.append(with_blocks(stmt, [_block(builder, inner) for inner in blocks_of(stmt)]))
    return tuple(block)


def _require(builder: Builder, room, needed) -> None:
    small = builder.op("less", room, needed, stem="small")
    with builder.nested() as fails:
        builder.fail("ValueError", TOO_SMALL)
    builder.branch(small, fails)
