"""Loops of long functions are not unrolled where the number of iterations is only known at run time.

LLVM writes such a loop's body four or eight times, and once more for the iterations that are left.  Of the Jacobian of hand
tracking that is a fifth of the code, for which machine code took half as long again, and which ran no faster.  Loops
whose number of iterations is known are unrolled as ever, and loops are vectorised as ever.
"""

from __future__ import annotations

from llvmlite.ir.values import MDValue
from numba.core import ir

__all__ = ["RolledLoops"]


class _LoopName(MDValue):
    """The metadata by which LLVM knows a loop: a node of its own, which names itself first."""

    def __init__(self, module, *properties):
        super().__init__(module, properties, name=str(len(module.metadata)))

    def descr(self, buf):
        names = [self.get_reference(), *(p.get_reference() for p in self.operands)]
        buf += (f"distinct !{{ {', '.join(names)} }}", "\n")


class RolledLoops:
    """The part of a lowering that marks the jumps back to the beginning of a loop."""

    def init(self):
        super().init()
        begins = {label for label, block in self.blocks.items()
                  if any(getattr(s.value, "op", None) == "iternext" for s in block.find_insts(ir.Assign))}
        ends = ((label, block.body[-1]) for label, block in self.blocks.items())
        self.back = {id(end) for label, end in ends if isinstance(end, ir.Jump) and end.target in begins and end.target <= label}

    def lower_inst(self, inst):
        super().lower_inst(inst)
        if id(inst) in self.back:
            never = self.module.add_metadata(["llvm.loop.unroll.runtime.disable"])
            self.builder.block.terminator.set_metadata("llvm.loop", _LoopName(self.module, never))
