"""What LLVM is told of memory: arrays that a function makes share it with no other arrays.

LLVM sees addresses only.  Before a loop whose arrays might overlap it tests whether they do, keeps a second copy of
the loop for that case, and does neither for more than a few arrays; an element that another array's store might have
changed is loaded again.  Here each access to an array that the function has made says so, in LLVM's own words:
"alias.scope" names the array, "noalias" the other ones.  Those of the caller have no name, as they may be the same.

Which arrays may share memory follows from Numba's intermediate code alone.  The variables of a statement that gives
an array, a tuple of arrays or a method of one are in one group, unless it makes a new array.  A group with anything
that comes from outside is the caller's.
"""

from __future__ import annotations

import functools
import operator
from collections import Counter

import numpy as np
from numba.core import ir, types

from srcdiff.backend.large_pages import available, numpy_module

__all__ = ["Apart", "groups"]

MOST = 64                               # arrays with a name: each access lists all the others
OUTSIDE = ""                            # the group of what the function has not made
NUMBERS = (types.Number, types.Boolean, types.NoneType, types.Omitted, types.UnicodeType, types.StringLiteral,
           types.Function, types.Dispatcher, types.Module, types.NumberClass, types.DTypeSpec,
           types.RangeType, types.RangeIteratorType, types.SliceType)
SIMPLE = (ir.Assign, ir.SetItem, ir.StaticSetItem, ir.Del, ir.Jump, ir.Branch, ir.Return, ir.Raise, ir.StaticRaise)


def groups(blocks, typeof) -> dict[str, str]:
    """Return the group of each variable that holds memory; `OUTSIDE` for what the function may not have made.

    Parameters
    ----------
    blocks
        Numba's intermediate code of a function, its basic blocks.
    typeof
        Gives the type of a variable.
    """
    statements = [s for block in blocks for s in block.body]
    if not all(isinstance(s, SIMPLE) for s in statements):
        return {}                       # loops on several cores have variables of their own
    group, returned = _Groups(), _returned(statements)
    for s in statements:
        held = [v.name for v in s.list_vars() if _holds(typeof(v.name))]
        if isinstance(s, ir.Assign) and s.target.name in held:
            if s.target.name in returned:
                continue                # nothing is taken out of it again
            if _makes(s.value, typeof):
                held = [s.target.name]
            elif not _is_of_others(s, held, typeof):
                held.append(OUTSIDE)
            group.join(*held)
        elif not all(_is_fixed(typeof(name)) for name in held):
            group.join(*held)           # one may have been put into another
    return {name: group.of(name) for name in group.names}


def _returned(statements) -> set[str]:
    """Return the variables that are read by nothing but the end of the function."""
    reads = Counter(v.name for s in statements if not isinstance(s, ir.Del) for v in s.list_vars())
    reads.subtract(s.target.name for s in statements if isinstance(s, ir.Assign))
    found = {s.value.name for s in statements if isinstance(s, ir.Return)}
    for s in reversed(statements):
        if isinstance(s, ir.Assign) and s.target.name in found and isinstance(s.value, ir.Expr) and s.value.op == "cast":
            found.add(s.value.value.name)
    return {name for name in found if reads[name] == 1}


def _holds(kind) -> bool:
    """Tell whether a value of a type is memory, or may have it."""
    parts = kind.types if isinstance(kind, types.BaseTuple) else (kind.first_type, kind.second_type) \
        if isinstance(kind, types.Pair) else None
    return any(map(_holds, parts)) if parts is not None else not isinstance(kind, NUMBERS)


def _is_fixed(kind) -> bool:
    """Tell whether a value of a type will always be the memory that it is: no array can be put into it."""
    return isinstance(getattr(kind, "this", kind), types.Array | types.BaseTuple)


def _makes(value, typeof) -> bool:
    """Tell whether an expression gives new memory."""
    if not isinstance(value, ir.Expr):
        return False
    if value.op == "binop":
        return value.fn is operator.matmul
    return value.op == "call" and getattr(typeof(value.func.name), "typing_key", None) in _makers()


@functools.cache
def _makers() -> frozenset:
    """Return the functions that give new memory."""
    if not available():
        return frozenset({np.empty, np.zeros})
    from srcdiff.backend.products import product
    return frozenset({np.empty, np.zeros, numpy_module().empty, numpy_module().zeros, product})


def _is_of_others(assign, held, typeof) -> bool:
    """Tell whether what is assigned is the memory of other variables, and of nothing else."""
    value = assign.value
    called = typeof(value.func.name) if isinstance(value, ir.Expr) and value.op == "call" else None
    return len(held) > 1 and (called is None or isinstance(called, types.Function | types.BoundFunction))


class _Groups:
    """Sets of names, joined one by one."""

    def __init__(self):
        self.names: dict[str, str] = {OUTSIDE: OUTSIDE}

    def of(self, name: str) -> str:
        while self.names.setdefault(name, name) != name:
            name = self.names[name]
        return name

    def join(self, *names: str) -> None:
        """Make one group of those of the names, `OUTSIDE` if that is one of them."""
        found = {self.of(name) for name in names}
        first = OUTSIDE if OUTSIDE in found else min(found, default=OUTSIDE)
        self.names.update(dict.fromkeys(found, first))


class Apart:
    """Accesses that say which memory they are to: a part of what lowers a function."""

    def init(self):
        super().init()
        self.groups = groups(self.blocks.values(), self.typeof)
        made = sorted(set(self.groups.values()) - {OUTSIDE})[:MOST]
        self.scopes = dict(zip(made, self._scopes(made), strict=True))
        self.others: dict[str, object] = {}

    def _scopes(self, names):
        """Write names for arrays that no other function has."""
        domain = self.module.add_metadata([self.fndesc.mangled_name])
        return [self.module.add_metadata([f"{self.fndesc.mangled_name}.{name}", domain]) for name in names]

    def said(self, array, instruction) -> None:
        """Say of a load or store which array it is to."""
        group = self.groups.get(array.name)
        if group is None or not self.scopes or group not in (OUTSIDE, *self.scopes):
            return
        if group in self.scopes:
            instruction.set_metadata("alias.scope", self.module.add_metadata([self.scopes[group]]))
        instruction.set_metadata("noalias", self._others(group))

    def _others(self, group):
        if group not in self.others:
            self.others[group] = self.module.add_metadata([s for name, s in self.scopes.items() if name != group])
        return self.others[group]
