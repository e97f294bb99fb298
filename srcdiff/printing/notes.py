"""What a module tells its loader, so that compiled code is faster: notes that no reader needs.

``__from_front__`` lists for each function the arrays whose indices never count
from the end, ``__any_order__`` the sums whose order is nobody's.  Variables may
share a name in the text; then what is said of the name holds for all of them.
``__at_once__`` says of each loop, in the order of the text, whether its iterations
may run at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from srcdiff.marks import ANY_ORDER, AT_ONCE, FROM_FRONT
from srcdiff.syntax import Array, Assign, For, Program, Scalar, Var, walk

__all__ = ["notes"]


def notes(program: Program, names: Mapping[str, str], from_front: frozenset[str]) -> str:
    """Return the lines with what holds of a program, whose variables are printed by `names`."""
    arrays = {name for name, type_ in program.types.items() if isinstance(type_, Array)}
    listed = {FROM_FRONT: (from_front, arrays - from_front), ANY_ORDER: _sums(program)}
    lines = ""
    for mark, (ours, others) in listed.items():
        ours, others = ({names.get(name, name) for name in group} for group in (ours, others))
        if found := sorted(ours - others):
            lines += f'{mark} = {{"{program.name}": {found}}}\n'
    loops = [s.at_once for s in walk(program.body) if isinstance(s, For)]
    if any(loops):
        lines += f'{AT_ONCE} = {{"{program.name}": "{"".join(map(str, map(int, loops)))}"}}\n'
    return lines


def _sums(program: Program) -> tuple[set[str], set[str]]:
    """Return the numbers to which something is added in an order of ours, and those where it is the user's."""
    ours: set[str] = set()
    theirs: set[str] = set()
    for s in walk(program.body):
        if isinstance(s, Assign) and s.op in ("add", "subtract") and Var(s.target) in s.args:
            type_ = program.types[s.target]
            if isinstance(type_, Scalar) and type_.dtype in ("float64", "float32"):
                (ours if s.where.any_order else theirs).add(s.target)
    return ours, theirs
