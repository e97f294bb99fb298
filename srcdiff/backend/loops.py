"""What LLVM is told of loops: which not to unroll, and whose iterations may run at once.

LLVM writes the body of a loop four or eight times where the number of iterations is only known at run time, and once more
for the iterations that are left.  Of the Jacobian of hand tracking that is a fifth of the code, for which machine code took
half as long again, and which ran no faster: in long functions such loops are not unrolled.  Loops whose number of
iterations is known are unrolled as ever, and loops are vectorised as ever.

Where the notes say that iterations may run at once, all accesses to elements in the loop are in one group, and the loop
says so of the group ("llvm.loop.parallel_accesses"): no test is needed whether rows overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from llvmlite.ir.values import MDValue
from numba.core import ir

__all__ = ["NotedLoops"]


class _Node(MDValue):
    """Metadata that is like no other, whatever it consists of; a loop's name has itself as its first part."""

    def __init__(self, module, *parts, names_itself: bool):
        super().__init__(module, parts, name=str(len(module.metadata)))
        self.names_itself = names_itself

    def descr(self, buf):
        names = [self.get_reference()] * self.names_itself + [p.get_reference() for p in self.operands]
        buf += (f"distinct !{{ {', '.join(names)} }}", "\n")

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)


@dataclass
class _Loop:
    """A loop of the text: the label where it begins, and of the blocks that jump back there."""

    begin: int
    ends: list[int] = field(default_factory=list)

    def holds(self, label: int) -> bool:
        return bool(self.ends) and self.begin <= label <= self.ends[-1]


def _loops(blocks) -> list[_Loop]:
    """Return the loops of a function in the order of its text, which is that of the labels."""
    begins = sorted(label for label, block in blocks.items()
                    if any(getattr(s.value, "op", None) == "iternext" for s in block.find_insts(ir.Assign)))
    loops = {label: _Loop(label) for label in begins}
    for label, block in sorted(blocks.items()):
        end = block.body[-1]
        if isinstance(end, ir.Jump) and end.target in loops and end.target <= label:
            loops[end.target].ends.append(label)
    return list(loops.values())


class NotedLoops:
    """The part of a lowering that names loops, and the groups of their accesses."""

    rolled = False                          # whether loops are not unrolled

    def init(self):
        super().init()
        self.label = self.group = None
        self.labels = {id(block): label for label, block in self.blocks.items()}
        loops = _loops(self.blocks)
        at_once = self.notes.at_once if len(self.notes.at_once) == len(loops) else ""
        self.groups_of = {loop.begin: _Node(self.module, names_itself=False)
                          for loop, mark in zip(loops, at_once, strict=False) if mark == "1"}
        self.at_once = [loop for loop in loops if loop.begin in self.groups_of]
        self.names = {loop.begin: self._name(loop) for loop in loops if self.rolled or loop.begin in self.groups_of}

    def _name(self, loop: _Loop):
        properties = [["llvm.loop.unroll.runtime.disable"]] * self.rolled
        if loop.begin in self.groups_of:
            properties.append(["llvm.loop.parallel_accesses", self.groups_of[loop.begin]])
        return _Node(self.module, *map(self.module.add_metadata, properties), names_itself=True)

    def lower_block(self, block):
        self.label = self.labels[id(block)]
        self.group = next((self.groups_of[loop.begin] for loop in self.at_once if loop.holds(self.label)), None)
        super().lower_block(block)

    def lower_inst(self, inst):
        super().lower_inst(inst)
        if isinstance(inst, ir.Jump) and inst.target in self.names and inst.target <= self.label:
            self.builder.block.terminator.set_metadata("llvm.loop", self.names[inst.target])

    def said(self, array, instruction) -> None:
        super().said(array, instruction)
        if self.group is not None:
            instruction.set_metadata("llvm.access.group", self.group)
