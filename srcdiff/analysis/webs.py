"""Which assignments a read may see: the webs of a program.

A web is a set of assignments of one variable, and all reads that may see one
of them.  Two webs of one variable have nothing to do with each other and could
have different names.

The walk is that of a conversion to single assignment: where control flow
joins, a variable that was changed gets a merge of the assignments that reach
the joint.  A merge unites its operands only if some read sees it; a variable
that is overwritten before it is read again therefore falls apart.
"""

from __future__ import annotations

from srcdiff.analysis.uses import changed
from srcdiff.syntax import Assign, For, If, Load, Program, Raise, Store, Var, While, atoms_of, blocks_of

__all__ = ["Webs"]


class Webs:
    """Number the definitions of some variables and unite those that a read confuses.

    Parameters
    ----------
    program
        What to analyse.
    names
        The variables of interest.

    Attributes
    ----------
    names
        The variable of each definition, by number; parameters come first.
    reads
        For each statement in the order of `walk`, and once more for the results
        and for what the seeds are like:
        variable -> the definition that the statement reads (the array of a
        `Store` is read).
    targets
        For each statement, the definition that it makes, or None.
    """

    def __init__(self, program: Program, names):
        self.wanted = set(names)
        self.names: list[str] = []
        self.reads: list[dict[str, int]] = []
        self.targets: list[int | None] = []
        self._operands: dict[int, list[int]] = {}       # of the merges
        self._root: list[int] = []
        self._seen: list[int] = []
        self.current: dict[str, int] = {}
        for p in program.params:
            self.define(p.name)
        self.block(program.body)
        self.reads.append({})
        self.read(len(self.reads) - 1, program.results)
        self.read(len(self.reads) - 1, (Var(p.like) for p in program.params if p.like))
        self.unite_merges()

    # -- definitions -------------------------------------------------------------------

    def define(self, name: str) -> int | None:
        if name not in self.wanted:
            return None
        self.current[name] = len(self.names)
        self._root.append(len(self.names))
        self.names.append(name)
        return self.current[name]

    def web(self, number: int) -> int:
        """Return the number that stands for the web of a definition: its smallest."""
        root = self._root
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    def unite_merges(self):
        """Unite each merge that is read, directly or through others, with its operands."""
        done = set()
        queue = [n for n in self._seen if n in self._operands]
        while queue:
            merge = queue.pop()
            if merge in done:
                continue
            done.add(merge)
            for operand in self._operands[merge]:
                a, b = self.web(merge), self.web(operand)
                self._root[max(a, b)] = min(a, b)
                if operand in self._operands:
                    queue.append(operand)

    def read(self, at: int, atoms):
        for atom in atoms:
            if isinstance(atom, Var) and atom.name in self.current:
                number = self.current[atom.name]
                self.reads[at][atom.name] = number
                self._seen.append(number)

    # -- the walk --------------------------------------------------------------------------

    def block(self, body) -> None:
        for stmt in body:
            at = len(self.reads)
            self.reads.append({})
            self.targets.append(None)
            if not isinstance(stmt, While):
                self.read(at, atoms_of(stmt))
            match stmt:
                case Assign(target=name) | Load(target=name):
                    self.targets[at] = self.define(name)
                case Store(array=name):
                    self.read(at, (Var(name),))
                case For() | While():
                    self.loop(at, stmt)
                case If():
                    self.branch(stmt)

    def loop(self, at, stmt):
        merges = self.merges(changed(*blocks_of(stmt)))
        if isinstance(stmt, For):
            self.targets[at] = self.define(stmt.var)
            merges.pop(stmt.var, None)
            body = stmt.body
        else:
            self.block(stmt.test)
            self.read(at, (stmt.condition,))
            body = stmt.body
        leaving = dict(self.current)
        self.block(body)
        for name, merge in merges.items():
            if name in self.current:
                self._operands[merge].append(self.current[name])
        self.current = leaving

    def merges(self, names) -> dict[str, int]:
        """Begin a merge for each variable; its first operand is what it holds now."""
        begun = {}
        for name in names:
            if name in self.wanted:
                before = self.current.get(name)
                begun[name] = self.define(name)
                self._operands[begun[name]] = [] if before is None else [before]
        return begun

    def branch(self, stmt):
        before = dict(self.current)
        self.block(stmt.then)
        first, self.current = self.current, before
        self.block(stmt.orelse)
        if _raises(stmt.orelse):
            self.current = first
        elif not _raises(stmt.then):
            self.join(changed(stmt.then, stmt.orelse), first, self.current)

    def join(self, names, first, second):
        for name in names:
            operands = [n for n in (first.get(name), second.get(name)) if n is not None]
            if len(set(operands)) == 2:
                self._operands[self.define(name)] = operands
            elif operands:                          # set in one branch: perhaps read under the same condition
                self.current[name] = operands[0]


def _raises(body) -> bool:
    return bool(body) and isinstance(body[-1], Raise)
